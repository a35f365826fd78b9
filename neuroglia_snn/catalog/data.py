"""Arrays that stand in a data file beside a model file: ``{ file = "mine.npz", array = "weights" }``.

A data file is read and never executed: NumPy's ``.npz``, without pickled objects.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.catalog.source import Document, Source
from neuroglia_snn.errors import ModelError, shown

#: Bytes of one array at most.
MAX_BYTES = 4_000_000_000
#: Numbers that no index of a unit may reach.
_INDICES = 2**31 - 1


def values(document: Document, given: dict[str, Any], *path: str) -> spec.Values:
    """The array that ``{ file = "...", array = "..." }`` at ``path`` names, of finite numbers in SI units."""
    if set(given) != {"file", "array"} or not all(isinstance(v, str) for v in given.values()):
        raise document.error(
            f'\'{path[-1]}\' is text, a number or {{ file = "....npz", array = "..." }}, not {given!r}',
            *path,
        )
    array = _array(document, given["file"], given["array"], *path)
    if array.dtype.kind not in "biuf":
        raise _wrong(document, given["array"], f"holds '{array.dtype}', not numbers", *path)
    numbers = array.astype(float)
    if not np.isfinite(numbers).all():
        place = int(np.argmin(np.isfinite(numbers)))
        raise _wrong(document, given["array"], f"is not finite at [{place}]", *path)
    return spec.Values(numbers, f"{given['file']}: {given['array']}")


def pairs(document: Document, connect: dict[str, Any], *path: str) -> dict[str, Any]:
    """A rule 'pairs' with its pairs, which ``file``, ``i`` and ``j`` name where they do not stand in it."""
    named = [key for key in ("file", "i", "j") if key in connect]
    if not named:
        return connect
    if len(named) < 3 or "pairs" in connect:
        raise document.error(
            "rule 'pairs' needs either pairs = [[source, target], ...] or file, i and j: a data file"
            " and its arrays of the indices of sources and of targets",
            *path,
        )
    sides = []
    for key in ("i", "j"):
        array = _array(document, connect["file"], connect[key], *path, key)
        if array.dtype.kind not in "iu" or array.ndim != 1:
            found = f"holds '{array.dtype}' of shape {array.shape}"
            raise _wrong(document, connect[key], f"{found}, not whole numbers, one a pair", *path)
        if array.size and (array.min() < 0 or array.max() > _INDICES):
            raise _wrong(document, connect[key], f"holds no indices of 0 to {_INDICES}", *path)
        sides.append(array.astype(np.int64))
    if len(sides[0]) != len(sides[1]):
        raise document.error(
            f"arrays '{shown(connect['i'])}' and '{shown(connect['j'])}' have {len(sides[0])} and"
            f" {len(sides[1])} indices, and each pair has one of both",
            *path,
        )
    origin = f"{connect['file']}: {connect['i']}, {connect['j']}"
    return {"rule": "pairs", "pairs": spec.Values(np.stack(sides, axis=1), origin)}


def files(source: Source) -> list[str]:
    """The data files that a model file names."""
    found, tables = [], [source.tables]
    while tables:
        table = tables.pop()
        tables += [value for value in table.values() if isinstance(value, dict)]
        if isinstance(table.get("file"), str) and ({"array", "i"} & table.keys()):
            found.append(table["file"])
    return sorted(set(found))


def copied(source: Source, folder: Path) -> dict[Path, Path]:
    """The data files that a model file names, with their places beside a copy of it in ``folder``.

    Raises
    ------
    ModelError
        For one that is not beside the model file.
    """
    document = Document([source], source.tables)
    return {_path(document, file): folder / file for file in files(source)}


def _array(document: Document, file: str, name: str, *path: str) -> np.ndarray:
    """One array of a data file, as it stands there."""
    found = _path(document, file, *path)
    try:
        sizes = _sizes(found)
        small = sizes.get(name, 0) <= MAX_BYTES
        array = _read(found, name) if name in sizes and small else np.empty(0)
    except OSError as error:
        raise document.error(f"'{shown(file)}' cannot be read ({error.strerror})", *path) from None
    except Exception:  # of many kinds, for whatever is no such file or damaged
        raise document.error(
            f"'{shown(file)}' is not a file of arrays of numbers as numpy.savez writes it", *path
        ) from None
    if name not in sizes:
        known = shown(", ".join(sorted(sizes)) or "none")
        message = f"'{shown(file)}' has no array '{shown(name)}' (it has {known})"
        raise document.error(message, *path)
    if not small or array.nbytes > MAX_BYTES:
        raise _wrong(document, name, f"has over {MAX_BYTES} bytes", *path)
    document.data[".".join(path)] = spec.Values(array, "").digest
    return array


def _sizes(file: Path) -> dict[str, int]:
    """Bytes of each array of a data file, by name."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    return {m.filename.removesuffix(".npy"): m.file_size for m in members}


def _read(file: Path, name: str) -> np.ndarray:
    with np.load(file, allow_pickle=False) as arrays:
        array = arrays[name]
    if not isinstance(array, np.ndarray):  # what is no array, NumPy gives as bytes
        raise ValueError
    return array


def _path(document: Document, file: str, *path: str) -> Path:
    """A data file, beside the model file that names it or in a folder there."""
    folder = document.stating(*path).path.parent
    if not file.endswith(".npz") or not file.isprintable():
        raise document.error(f"a data file ends in .npz, unlike '{shown(file)}'", *path)
    given = Path(file)
    real, inside = os.path.realpath(folder / given), os.path.realpath(folder)
    beside = not given.is_absolute() and ".." not in given.parts
    if not beside or os.path.commonpath([real, inside]) != inside:
        raise document.error(
            f"'{shown(file)}' is not in the folder of the model file: a data file is named by its path"
            " from there",
            *path,
        )
    if not os.path.isfile(real):
        raise document.error(f"'{shown(file)}' is not a file beside the model file", *path)
    return Path(real)


def _wrong(document: Document, name: str, what: str, *path: str) -> ModelError:
    return document.error(f"array '{shown(name)}' {what}", *path)
