"""Binary images for the noise-induced associative memory.

An image is a boolean array of shape (rows, columns), one pixel per neuron of the lattice:
True marks a stimulated neuron (Fig. 3a of "Noise-induced artificial intelligence", where a
digit '1' of 130 x 130 pixels is learned and recalled under salt-and-pepper noise).
"""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neuroglia_snn.errors import ImageError

BoolArray = NDArray[np.bool_]

# The largest file read into memory: a 2000 x 2000 array of float64 takes 32 MB.
_MAX_FILE_BYTES = 64 * 2**20

# The patterns are drawn on a canvas of 130 x 130 units, the paper's lattice, on which a unit
# is a pixel; any other lattice samples the same canvas at the centres of its own pixels.
_CANVAS = 130
_TOP, _BOTTOM = 15, 115
_STEM = (52, 82)
_FLAG_LEFT, _FLAG_THICKNESS = 34, 24
_SIDE_STROKES = ((5, 27), (103, 125))
# With pixels wider than 13 units a pixel's centre may miss the flag, 18 units wide.
_MIN_SIDE = 10


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
    size = pixels.shape[:2]
    if 0 in size:
        raise ImageError(f"{label} holds no pixels")
    if size != tuple(shape) and not resize:
        raise ImageError(
            f"{label} has {_describe_size(size)} pixels but the lattice has "
            f"{_describe_size(shape)} neurons (rows x columns); --resize would fit it"
        )
    return _nearest_neighbour(_require_binary(pixels, full_scale, label), shape)


def render_digit_one(shape: tuple[int, int] = (_CANVAS, _CANVAS)) -> BoolArray:
    """Draw the digit '1': an upright stem with a flag slanting down from its top to the left.

    At 130 x 130 the stem is 30 pixels wide and 100 high, the flag reaches 18 pixels to its
    left, and at least 15 pixels lie between the digit and each edge. Other lattices show the
    same drawing, scaled along each axis.

    Parameters
    ----------
    shape
        (rows, columns) of the lattice, in pixels; 10 at least along each axis.

    Returns
    -------
    ndarray of bool
        The image, of `shape`; True is stimulated.

    Raises
    ------
    ImageError
        If the lattice is too small to show the digit.

    Notes
    -----
    The project's own drawing, after Fig. 3a of "Noise-induced artificial intelligence", whose
    image is not published as data.
    """
    row, column = _canvas_coordinates(shape)
    stem = _between(row, _TOP, _BOTTOM) & _between(column, *_STEM)
    flag_top = _TOP + (_STEM[0] - column)
    flag = _between(column, _FLAG_LEFT, _STEM[0]) & _between(
        row, flag_top, flag_top + _FLAG_THICKNESS
    )
    return stem | flag


def render_disjoint(shape: tuple[int, int] = (_CANVAS, _CANVAS)) -> BoolArray:
    """Draw a pattern that shares no pixel with `render_digit_one`: one stroke on either side.

    At 130 x 130 both strokes are 22 pixels wide and 100 high, 5 pixels from the edge; the left
    one lies 7 pixels from the digit's flag, the right one 21 from its stem. Other lattices show
    the same drawing, scaled along each axis; the two patterns never overlap.

    Parameters
    ----------
    shape
        (rows, columns) of the lattice, in pixels; 10 at least along each axis.

    Returns
    -------
    ndarray of bool
        The image, of `shape`; True is stimulated.

    Raises
    ------
    ImageError
        If the lattice is too small to show the pattern.

    Notes
    -----
    The project's own drawing, for the test with a pattern that was never trained (Fig. 3j-l of
    "Noise-induced artificial intelligence").
    """
    row, column = _canvas_coordinates(shape)
    left, right = (_between(column, *stroke) for stroke in _SIDE_STROKES)
    return _between(row, _TOP, _BOTTOM) & (left | right)


def salt_and_pepper(
    image: BoolArray, fraction: float, seed: int | np.random.SeedSequence
) -> BoolArray:
    """Set a fraction of an image's pixels to 1 (salt) or 0 (pepper), whatever they were.

    Exactly ``n = round(fraction * image.size)`` pixels are drawn without replacement; half of
    them, rounded up, become salt and the rest pepper. A drawn pixel keeps its value if that is
    what it is set to, so that only about half of the n pixels change.

    Parameters
    ----------
    image
        Boolean array of any shape; it is left as it is.
    fraction
        The noise density, from 0 to 1: 0.1 for the '10 % noise' of a training image.
    seed
        Seed of the PCG64 generator: the same seed draws the same pixels.

    Returns
    -------
    ndarray of bool
        The noisy copy, of the image's shape.

    Raises
    ------
    ImageError
        If `image` is not boolean or `fraction` is not within [0, 1].
    ValueError
        If `seed` is negative (from NumPy).

    Notes
    -----
    "Noise-induced artificial intelligence" trains with 10 % and tests with 40 % of 'salt and
    pepper noise' and does not define it; this is the term's usual meaning, in which the density
    counts the pixels overwritten, not those changed.
    """
    if not 0 <= fraction <= 1:
        raise ImageError(f"the noise fraction has to lie between 0 and 1, not {fraction}")
    noisy: BoolArray = _require_bool(image).copy()
    n_noisy = round(fraction * noisy.size)
    n_salt = (n_noisy + 1) // 2
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = rng.choice(noisy.size, size=n_noisy, replace=False)
    noisy.flat[drawn[:n_salt]] = True
    noisy.flat[drawn[n_salt:]] = False
    return noisy


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
    pixels = _require_bool(image)
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


def _describe_size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in shape)


def _require_bool(image: BoolArray) -> BoolArray:
    array = np.asarray(image)
    if array.dtype != np.bool_:
        raise ImageError(f"an image is a boolean array, not one of {array.dtype}")
    return array


def _canvas_coordinates(
    shape: tuple[int, int],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Row and column of each pixel's centre on the canvas, as (rows, 1) and (1, columns)."""
    if min(shape) < _MIN_SIDE:
        raise ImageError(
            f"a lattice of {_describe_size(shape)} is too small for the pattern, which needs "
            f"{_MIN_SIDE} x {_MIN_SIDE} at least"
        )
    rows, columns = ((np.arange(n) + 0.5) * _CANVAS / n for n in shape)
    return rows[:, np.newaxis], columns[np.newaxis, :]


def _between(
    coordinate: NDArray[np.float64],
    lower: float | NDArray[np.float64],
    upper: float | NDArray[np.float64],
) -> BoolArray:
    return (coordinate >= lower) & (coordinate < upper)
