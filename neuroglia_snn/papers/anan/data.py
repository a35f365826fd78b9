"""Images to classify: a folder with one sub-folder a class, a MedMNIST file, or scikit-learn's digits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from neuroglia_snn.errors import UserError, shown

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
#: Folders that hold a part of the data, not a class.
TRAINING, TESTING = ("train", "training", "val", "valid", "validation"), ("test", "testing")
#: Side of a folder's images where `--size` does not say.
FOLDER_SIZE = 64
#: Share of the images kept for the test where the data has no test set of its own.
TEST_SHARE = 0.2
#: The digits of the set that is always there.
DIGITS = (3, 8)


@dataclass(frozen=True)
class DataSet:
    """Labelled images.

    ``images`` are uint8, (images, rows, columns, channels); ``labels`` index ``classes``; ``test`` is
    True for the images of the test set.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    test: np.ndarray
    classes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Changes with any pixel, label or split."""
        parts = (self.images, self.labels, self.test)
        return hashlib.sha256(
            b"".join(np.ascontiguousarray(p).tobytes() for p in parts)
        ).hexdigest()

    @property
    def training_counts(self) -> list[int]:
        """Images of each class outside the test set."""
        return np.bincount(self.labels[~self.test], minlength=len(self.classes)).tolist()

    def describe(self) -> dict:
        """What the summary says: sizes, and the share of each class (Table 1)."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return {
            "name": self.name,
            "images": len(self.labels),
            "test_images": int(self.test.sum()),
            "shape": self.images.shape[1:],
            "classes": {
                c: f"{n / len(self.labels):.2%}" for c, n in zip(self.classes, counts, strict=True)
            },
        }


def read(
    path: Path | None, positive: str | None, multiclass: bool, size: int | None, seed: int
) -> DataSet:
    """Read, group and scale the images.

    Parameters
    ----------
    path : path, optional
        Folder of images, MedMNIST ``.npz``, or a folder with one such file; without, two of
        scikit-learn's digits.
    positive : str, optional
        Labels of the positive class, separated by commas (default: of two, the second; of more, all
        but the first).
    multiclass : bool
        Keep every label a class.
    size : int, optional
        Pixels of a side to scale to.
    seed : int
        Of the test set where the data has none.

    Raises
    ------
    UserError
        If there is nothing to read, an image or label is bad, or a class is empty.
    """
    found = _digits() if path is None else _read(path, size)
    if not multiclass:
        found = _grouped(found, positive)
    elif positive is not None:
        raise UserError("--positive makes two classes and --multiclass keeps all: give one of them")
    if not found.test.any():
        found = replace(found, test=_drawn(found.labels, seed))
    for part, chosen in (("training", ~found.test), ("test", found.test)):
        counts = np.bincount(found.labels[chosen], minlength=len(found.classes))
        for name, count in zip(found.classes, counts, strict=True):
            if not count:
                raise UserError(f"{found.name}: class '{shown(name)}' has no {part} image")
    if size is not None and found.images.shape[1:3] != (size, size):
        scaled = [
            _scaled(Image.fromarray(i.squeeze(-1) if i.shape[-1] == 1 else i), size)
            for i in found.images
        ]
        found = replace(
            found, images=np.stack(scaled).reshape(-1, size, size, found.images.shape[-1])
        )
    return found


def _digits() -> DataSet:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UserError(
            "the digits need scikit-learn: pip install 'neuroglia_snn[torch]', or give --data"
        ) from None
    bunch = load_digits()
    chosen = np.isin(bunch.target, DIGITS)
    images = np.round(bunch.images[chosen] * (255 / 16)).astype(np.uint8)[..., None]
    labels = np.searchsorted(DIGITS, bunch.target[chosen])
    none = np.zeros(len(labels), bool)
    return DataSet("digits", images, labels, none, tuple(map(str, DIGITS)))


def _read(path: Path, size: int | None) -> DataSet:
    if path.is_dir():
        files = sorted(path.glob("*.npz"))
        if len(files) == 1 and not any(p.is_dir() for p in path.iterdir()):
            return _medmnist(files[0])
        return _folder(path, size or FOLDER_SIZE)
    if path.suffix == ".npz" and path.is_file():
        return _medmnist(path)
    raise UserError(f"{path} is neither a folder of images nor a MedMNIST .npz file")


def _folder(path: Path, size: int) -> DataSet:
    """One sub-folder a class, below train/ and test/ where these are there."""
    inner = {p.name.lower(): p for p in sorted(path.iterdir()) if p.is_dir() and p.name[0] != "."}
    training = [inner[name] for name in TRAINING if name in inner]
    testing = [inner[name] for name in TESTING if name in inner]
    if bool(training) != bool(testing):
        missing = "test" if training else "train"
        raise UserError(f"{path} has no folder '{missing}' beside {', '.join(inner)}")
    parts = [(p, False) for p in training] + [(p, True) for p in testing] or [(path, False)]
    classes = sorted({c.name for part, _ in parts for c in _classes(part)})
    if len(classes) < 2:
        raise UserError(
            f"{path}: expected two or more sub-folders of images, one a class, found {len(classes)}"
        )
    images, labels, test = [], [], []
    for part, testing_part in parts:
        for folder in _classes(part):
            for file in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
                images.append(_open(file, size))
                labels.append(classes.index(folder.name))
                test.append(testing_part)
    if not images:
        raise UserError(f"{path} has no image ({', '.join(SUFFIXES)}) in its sub-folders")
    return DataSet(
        path.resolve().name, np.stack(images), np.array(labels), np.array(test), tuple(classes)
    )


def _classes(part: Path) -> list[Path]:
    return sorted(p for p in part.iterdir() if p.is_dir() and p.name[0] != ".")


def _open(file: Path, size: int) -> np.ndarray:
    try:
        with Image.open(file) as image:
            return _scaled(image.convert("RGB"), size)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise UserError(f"{file} cannot be read as an image") from None


def _scaled(image: Image.Image, size: int) -> np.ndarray:
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def _medmnist(path: Path) -> DataSet:
    """The format of MedMNIST: {train, val, test}_{images, labels}."""
    keys = [f"{part}_{what}" for part in ("train", "val", "test") for what in ("images", "labels")]
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in keys if key not in file.files]
            arrays = {key: file[key] for key in keys if key not in missing}
    except Exception:  # a damaged archive raises a dozen kinds of errors
        raise UserError(f"{path} cannot be read as a MedMNIST .npz file") from None
    if missing:
        raise UserError(
            f"{path} has no {', '.join(missing)}: a MedMNIST file has {', '.join(keys)}"
        )
    images = [_checked_images(path, key, arrays[key]) for key in keys[::2]]
    labels = [_checked_labels(path, key, arrays[key]) for key in keys[1::2]]
    for key, i, n in zip(keys[::2], images, labels, strict=True):
        if len(i) != len(n):
            raise UserError(f"{path}: {key} has {len(i)} images but {len(n)} labels")
    if len({i.shape[1:] for i in images}) > 1:
        raise UserError(f"{path}: the images of its parts differ in shape")
    test = np.repeat([False, False, True], [len(n) for n in labels])
    known, together = np.unique(np.concatenate(labels), return_inverse=True)
    return DataSet(path.stem, np.concatenate(images), together, test, tuple(map(str, known)))


def _checked_images(path: Path, key: str, images: np.ndarray) -> np.ndarray:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or images.dtype != np.uint8:
        raise UserError(
            f"{path}: {key} must be uint8 of shape (images, rows, columns[, 3]),"
            f" not {images.dtype} of shape {images.shape}"
        )
    if images.shape[1] != images.shape[2]:
        raise UserError(f"{path}: {key} must be square, not {images.shape[1]} x {images.shape[2]}")
    return images


def _checked_labels(path: Path, key: str, labels: np.ndarray) -> np.ndarray:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise UserError(f"{path}: {key} must be one whole number an image")
    if (labels.astype(np.int64) < 0).any():
        raise UserError(f"{path}: {key} has the label {labels.min()}; labels are 0, 1, 2, ...")
    return labels.astype(np.int64)


def _grouped(found: DataSet, positive: str | None) -> DataSet:
    """Two classes: the positive labels against the rest."""
    if positive is None:
        names: Sequence[str] = found.classes[1:]
    else:
        names = [name.strip() for name in positive.split(",") if name.strip()]
    unknown = [name for name in names if name not in found.classes]
    if unknown or not names:
        raise UserError(
            f"--positive {shown(positive)}: the labels of {found.name} are {', '.join(found.classes)}"
        )
    rest = [name for name in found.classes if name not in names]
    if not rest:
        raise UserError(f"--positive {shown(positive)} leaves no image for the other class")
    labels = np.isin(np.array(found.classes)[found.labels], names).astype(np.int64)
    return replace(found, labels=labels, classes=("+".join(rest), "+".join(names)))


def _drawn(labels: np.ndarray, seed: int) -> np.ndarray:
    """A test set with `TEST_SHARE` of each class."""
    generator = np.random.default_rng(seed)
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        test[members[: round(TEST_SHARE * len(members))]] = True
    return test
