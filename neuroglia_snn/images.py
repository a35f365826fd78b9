"""Binary images that stimuli show to a lattice.

An image is a boolean array of shape (rows, columns), one pixel for each unit of the lattice: True marks
a unit that receives the stimulus.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neuroglia_snn import spec
from neuroglia_snn.errors import ImageError, shown

BoolArray = NDArray[np.bool_]

# The largest file read into memory: a 2000 x 2000 array of float64 takes 32 MB.
_MAX_FILE_BYTES = 64 * 2**20


def read_image(
    path: str | os.PathLike[str],
    shape: tuple[int, int],
    resize: bool = False,
    name: str = "image",
) -> BoolArray:
    """Read a binary image from a PNG, NumPy or text file.

    The pixel's value alone says whether its neuron is stimulated: 1 (or white) is stimulated,
    0 (or black) is not. Nothing is inverted or thresholded, so a dark figure on a light ground
    stimulates the ground.

    Parameters
    ----------
    path
        The file. Its extension, in either case, names the format:

        - ``.png``: 1-bit, grey, palette or colour. Pixels are 0 and full scale (255, or 65535
          in a 16-bit grey image), or 0 and 1 throughout; alpha is ignored.
        - ``.npy``: a 2-D array of bool, integers or floats, all 0 or 1. Pickles are refused.
        - ``.txt``: one row of pixels a line, 0 or 1, separated by white space; blank lines are
          skipped.
    shape
        (rows, columns) of the result, in pixels.
    resize
        Whether an image of another size is fitted to `shape` by taking the nearest pixel. It
        has to be binary before: grey is not made binary by resizing.
    name
        What the image is for, such as 'training image'; error messages begin with it.

    Returns
    -------
    ndarray of bool
        The image, of `shape`.

    Raises
    ------
    ImageError
        If the file cannot be read as its format, its size is not `shape` and `resize` is
        False, or a pixel is neither of the two values.
    """
    path = Path(path)
    label = f"{name} {str(path)!r}"
    content = _read_bytes(path, label)
    pixels, full_scale = _decoder(path, label)(content, label)
    return _fitted(pixels, full_scale, label, shape, resize)


def _fitted(
    pixels: NDArray[Any], full_scale: int, label: str, shape: tuple[int, int], resize: bool
) -> BoolArray:
    """Pixels as an image of a shape, if they are binary and of that size, or may be scaled to it."""
    size = pixels.shape[:2]
    if 0 in size:
        raise ImageError(f"{label} holds no pixels")
    if size != tuple(shape) and not resize:
        raise ImageError(
            f"{label} has {describe_size(size)} pixels but the lattice has "
            f"{describe_size(shape)} neurons (rows x columns); --resize would fit it"
        )
    return _nearest_neighbour(_require_binary(pixels, full_scale, label), shape)


def write_png(image: BoolArray, path: str | os.PathLike[str]) -> None:
    """Write an image as an 8-bit grey PNG: 255 (white) where it is True, 0 (black) elsewhere.

    `read_image` gives the same image back.

    Parameters
    ----------
    image
        Boolean array of shape (rows, columns), with at least one pixel.
    path
        The file, overwritten if it exists. Its folder has to exist.

    Raises
    ------
    ImageError
        If `image` is not such an array or the file cannot be written.
    """
    pixels = require_boolean(image)
    if pixels.ndim != 2 or pixels.size == 0:
        raise ImageError(
            "an image to write needs rows and columns, with at least one pixel; "
            f"this array has the shape {pixels.shape}"
        )
    # Encoded in memory first: an error of the encoder leaves no half-written file behind.
    encoded = io.BytesIO()
    Image.fromarray(np.where(pixels, np.uint8(255), np.uint8(0))).save(encoded, format="PNG")
    try:
        Path(path).write_bytes(encoded.getvalue())
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot write the image {str(path)!r}: {_reason(error)}") from error


# Pixels of shape (rows, columns, channels), and the value that stands for white.
_Decoded = tuple[NDArray[Any], int]


def _decoder(path: Path, label: str) -> Callable[[bytes, str], _Decoded]:
    decoders = {".png": _decode_png, ".npy": _decode_npy, ".txt": _decode_text}
    try:
        return decoders[path.suffix.lower()]
    except KeyError:
        raise ImageError(
            f"{label} is not named like an image: its name has to end in {', '.join(decoders)}"
        ) from None


def _read_bytes(path: Path, label: str) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(f"{label} is a directory, not a file")
        # Reading a pipe or a device could wait, or go on, for ever.
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{label} is not a regular file")
        if status.st_size > _MAX_FILE_BYTES:
            raise ImageError(
                f"{label} is too large: {status.st_size} bytes, where at most "
                f"{_MAX_FILE_BYTES} are read"
            )
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{label} does not exist") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"{label} cannot be read: {_reason(error)}") from error
    if not content:
        raise ImageError(f"{label} is an empty file")
    return content


def _reason(error: Exception) -> str:
    """The operating system's words for an error, without its number and the path again."""
    return getattr(error, "strerror", None) or str(error)


def _decode_png(content: bytes, label: str) -> _Decoded:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # Reading alone passes over checksums, and so over pixels changed by damage. Pillow
            # cannot go on with an image it has verified.
            with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                image.verify()
            with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                return _png_pixels(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(f"{label} has too many pixels to be read") from error
    # Which exceptions damaged bytes raise is not part of Pillow's interface (OSError,
    # SyntaxError, ValueError, struct.error, ...), and all of them mean the same to the user.
    except Exception as error:
        raise ImageError(
            f"{label} is not a readable PNG image: it is damaged or in another format"
        ) from error


def _png_pixels(image: Image.Image) -> _Decoded:
    if image.mode in ("1", "L"):
        return np.asarray(image)[..., np.newaxis], 255
    if image.mode.startswith("I"):  # 16-bit grey: 'I' or 'I;16', by the version of Pillow
        return np.asarray(image)[..., np.newaxis], 65535
    return np.asarray(image.convert("RGBA"))[..., :3], 255


def _decode_npy(content: bytes, label: str) -> _Decoded:
    try:
        pixels = np.load(io.BytesIO(content), allow_pickle=False)
        if not isinstance(pixels, np.ndarray):
            raise TypeError("an .npz archive, which numpy.load opens under any name")
    # As with Pillow, damaged headers end in exceptions of many kinds.
    except Exception as error:
        raise ImageError(
            f"{label} is not a readable .npy array of numbers: it is damaged, in another format "
            "or holds Python objects"
        ) from error
    if pixels.dtype.kind not in "biuf":
        raise ImageError(f"{label} holds {pixels.dtype} values, not numbers 0 and 1")
    if pixels.ndim != 2:
        raise ImageError(
            f"{label} has {pixels.ndim} dimensions (shape {pixels.shape}); an image has 2, rows "
            "and columns"
        )
    return pixels[..., np.newaxis], 1


def _decode_text(content: bytes, label: str) -> _Decoded:
    try:
        text = content.decode("utf-8-sig")  # Windows editors put a byte-order mark in front
    except UnicodeDecodeError as error:
        raise ImageError(f"{label} is not a text file") from error
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if not rows:
        raise ImageError(f"{label} holds no pixels")
    for index, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise ImageError(
                f"{label} has rows of unequal length: {len(rows[0])} pixels in row 0 but "
                f"{len(row)} in row {index} (counted from 0)"
            )
    pixels = np.empty((len(rows), len(rows[0])))
    for index, row in enumerate(rows):
        pixels[index] = [_number(word, index, column, label) for column, word in enumerate(row)]
    return pixels[..., np.newaxis], 1


def _number(word: str, row: int, column: int, label: str) -> float:
    try:
        return float(word)
    except ValueError:
        excerpt = word if len(word) <= 20 else word[:20] + "..."
        raise ImageError(
            f"{label} has {excerpt!r} at row {row}, column {column} (counted from 0), where a "
            "number 0 or 1 has to be"
        ) from None


def _require_binary(pixels: NDArray[Any], full_scale: int, label: str) -> BoolArray:
    on = full_scale if (pixels == full_scale).any() else 1
    stimulated: BoolArray = (pixels == on).all(axis=-1)
    # Written so that NaN, unequal to everything, is an offending value too.
    offending = ~(stimulated | (pixels == 0).all(axis=-1))
    if offending.any():
        row, column = np.unravel_index(np.argmax(offending), offending.shape)
        channels = pixels[row, column].tolist()
        value = channels[0] if len(channels) == 1 else tuple(channels)
        pairs = "0 and 1" if full_scale == 1 else f"0 and {full_scale}, or only 0 and 1"
        raise ImageError(
            f"{label} is not binary: it may hold only {pairs}, but {np.count_nonzero(offending)} "
            f"of its {offending.size} pixels do not fit, e.g. {value} at row {row}, "
            f"column {column} (counted from 0)"
        )
    return stimulated


def _nearest_neighbour(image: BoolArray, shape: tuple[int, int]) -> BoolArray:
    # The source pixel under each target pixel's centre, (i + 1/2) n_source / n_target, in
    # integers: rounding cannot move it, and an image of the right size stays what it is.
    rows, columns = (
        (2 * np.arange(n_target) + 1) * n_source // (2 * n_target)
        for n_source, n_target in zip(image.shape, shape, strict=True)
    )
    return image[np.ix_(rows, columns)]


def describe_size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in shape)


def require_boolean(image: BoolArray) -> BoolArray:
    array = np.asarray(image)
    if array.dtype != np.bool_:
        raise ImageError(f"an image is a boolean array, not one of {array.dtype}")
    return array


@dataclass(frozen=True)
class Given:
    """Images that a user gives for a model's stimuli; boolean, by the names that the stimuli use."""

    images: Mapping[str, BoolArray]
    origin: str

    @classmethod
    def read(
        cls, model: spec.Model, given: Mapping[str, Any], resize: bool = False
    ) -> Given | None:
        """The images of a model's stimuli, from files or arrays; None where it shows none.

        Raises
        ------
        UserError
            If one is missing, or is none of the model's, or does not fit.
        """
        shapes = model.images()
        require_known(given, shapes, model.name)
        missing = [name for name in shapes if name not in given]
        if missing:
            name, shape = missing[0], shapes[missing[0]]
            raise ImageError(
                f"model '{model.name}' shows the image '{name}' of {describe_size(shape)} pixels: give it"
                f" with --image {name}=FILE (.png, .npy or text of 0 and 1)"
            )
        if not shapes:
            return None
        read = {n: as_image(given[n], shape, resize, n) for n, shape in shapes.items()}
        return cls(read, ", ".join(f"{n} {describe(given[n])}" for n in shapes))

    def stimuli(self, model: spec.Model) -> dict[str, BoolArray]:
        """The images by the names that the model's stimuli use."""
        return dict(self.images)

    def describe(self) -> dict[str, object]:
        """What the summary says of them."""
        return {"origin": self.origin}


def require_known(given: Iterable[str], known: Iterable[str], model: str) -> None:
    """Refuse an image that a model does not show.

    Raises
    ------
    ImageError
    """
    known = list(known)
    for name in given:
        if name not in known:
            has = f"it shows {', '.join(known)}" if known else "it shows none"
            raise ImageError(f"model '{model}' takes no image '{shown(name)}' ({has})")


def as_image(
    given: Any, shape: tuple[int, ...], resize: bool = False, name: str = "image"
) -> BoolArray:
    """An image from a file (see `read_image`) or from an array of 0 and 1.

    Raises
    ------
    ImageError
    """
    rows_and_columns = (shape[0], shape[1])
    if isinstance(given, (str, os.PathLike)):
        return read_image(given, rows_and_columns, resize, name)
    array, label = np.asarray(given), f"{name} (an array)"
    if array.dtype.kind not in "biuf" or array.ndim != 2:
        raise ImageError(
            f"{label} is an array of 0 and 1 with rows and columns, not of type {array.dtype} and shape"
            f" {array.shape}"
        )
    return _fitted(array[..., np.newaxis], 1, label, rows_and_columns, resize)


def describe(given: Any) -> str:
    """Where an image comes from: its file, or an array and its digest."""
    if isinstance(given, (str, os.PathLike)):
        return os.fspath(given)
    array = np.ascontiguousarray(np.asarray(given, bool))
    return f"array {hashlib.sha256(array.tobytes()).hexdigest()[:12]}"
