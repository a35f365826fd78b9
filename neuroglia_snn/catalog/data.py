"""Arrays that stand in a data file beside a model file: ``{ file = "mine.npz", array = "weights" }``.

A data file is read and never executed: NumPy's ``.npz`` and ``.npy``, without pickled objects, or a
``.csv`` of numbers, whose first line names its columns.
"""

from __future__ import annotations

import csv
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from brian2.units.allunits import second

from neuroglia_snn import spec
from neuroglia_snn.catalog.source import Document, Source
from neuroglia_snn.errors import ModelError, UserError, shown
from neuroglia_snn.language.quantities import parse_quantity

#: Bytes of one array at most.
MAX_BYTES = 4_000_000_000
#: Numbers that no index of a unit may reach.
_INDICES = 2**31 - 1
#: Kinds of data files, by the ends of their names.
SUFFIXES = (".npz", ".npy", ".csv")


def values(document: Document, given: dict[str, Any], *path: str) -> spec.Values:
    """The finite numbers that ``{ file, array, unit }`` or ``{ values, unit }`` at ``path`` names, in SI units.

    ``array`` is that of an ``.npz`` file, or a column of a ``.csv``; without it, it is the whole
    ``.npy`` or ``.csv``.
    """
    if "values" in given:
        return _listed(document, given, *path)
    if "file" not in given or not all(
        key in ("file", "array", "unit") and isinstance(v, str) for key, v in given.items()
    ):
        raise document.error(
            f'\'{path[-1]}\' is text, a number or {{ file = "....npz", array = "...", unit = "mV" }},'
            f" not {given!r}",
            *path,
        )
    name = given.get("array")
    array = _array(document, given["file"], name, *path)
    origin = given["file"] + (f": {name}" if name else "")
    return _in_units(document, array, name, given.get("unit"), origin, *path)


def _listed(document: Document, given: dict[str, Any], *path: str) -> spec.Values:
    """Numbers that stand in the model file itself, or in a setting."""
    listed, unit = given["values"], given.get("unit")
    wrong = not isinstance(listed, list) or not isinstance(unit, (str, type(None)))
    if wrong or not given.keys() <= {"values", "unit"}:
        raise document.error(
            f"'{path[-1]}' is a list of numbers, or {{ values = [...], unit = \"mV\" }}", *path
        )
    try:
        array = np.array(listed)
    except ValueError:  # rows of several lengths
        array = np.array([], dtype=object)
    return _in_units(document, array, None, unit, f"{len(listed)} values", *path)


def _in_units(
    document: Document,
    array: np.ndarray,
    name: str | None,
    unit: str | None,
    origin: str,
    *path: str,
) -> spec.Values:
    """Finite numbers in SI units."""
    if array.dtype.kind not in "biuf":
        raise _wrong(document, name, f"holds '{array.dtype}', not numbers", *path)
    numbers, dimensions = array.astype(float), None
    if unit is not None:
        try:
            one = parse_quantity(unit)
        except UserError as error:
            raise document.error(f"unit: {error}", *path) from None
        numbers, dimensions = numbers * one.si, one.dimensions
    if not np.isfinite(numbers).all():
        place = int(np.argmin(np.isfinite(numbers)))
        raise _wrong(document, name, f"is not finite at [{place}]", *path)
    return spec.Values(numbers, origin, dimensions)


def indices(document: Document, file: str, name: str, *path: str) -> np.ndarray:
    """An array of numbers of units."""
    array = _array(document, file, name, *path)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        found = f"holds '{array.dtype}' of shape {array.shape}"
        raise _wrong(document, name, f"{found}, not whole numbers, one a pair", *path)
    if array.size and (array.min() < 0 or array.max() > _INDICES):
        raise _wrong(document, name, f"holds no indices of 0 to {_INDICES}", *path)
    return array.astype(np.int64)


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
    sides = [indices(document, connect["file"], connect[key], *path, key) for key in ("i", "j")]
    if len(sides[0]) != len(sides[1]):
        raise document.error(
            f"arrays '{shown(connect['i'])}' and '{shown(connect['j'])}' have {len(sides[0])} and"
            f" {len(sides[1])} indices, and each pair has one of both",
            *path,
        )
    origin = f"{connect['file']}: {connect['i']}, {connect['j']}"
    return {"rule": "pairs", "pairs": spec.Values(np.stack(sides, axis=1), origin)}


def spikes(
    document: Document, given: dict[str, Any], *path: str
) -> tuple[spec.Values, spec.Values]:
    """Units and times in seconds that ``{ file, i, t, unit }`` at ``path`` names."""
    known = ("file", "i", "t", "unit")
    if not {"file", "i", "t"} <= given.keys() <= {*known} or not all(
        isinstance(v, str) for v in given.values()
    ):
        raise document.error(
            '\'spikes\' is [[unit, time], ...] or { file = "....npz", i = "...", t = "...", unit = "ms" }',
            *path,
        )
    units = indices(document, given["file"], given["i"], *path, "i")
    wanted = {"file": given["file"], "array": given["t"], "unit": given.get("unit", "second")}
    times = values(document, wanted, *path, "t")
    if times.dimensions is not second.dim:
        raise document.error(f"unit = '{shown(wanted['unit'])}' is not one of time", *path)
    if times.numbers.shape != units.shape:
        raise document.error(
            f"arrays '{shown(given['i'])}' and '{shown(given['t'])}' have {len(units)} and"
            f" {times.numbers.size} values, and each spike has one of both",
            *path,
        )
    return spec.Values(units, f"{given['file']}: {given['i']}"), times


def files(whole: dict[str, Any]) -> list[str]:
    """The data files that the tables of a model file name."""
    found, tables = [], [whole]
    while tables:
        table = tables.pop()
        tables += [value for value in table.values() if isinstance(value, dict)]
        name = table.get("file")
        if isinstance(name, str) and name.endswith(SUFFIXES):
            found.append(name)
    return sorted(set(found))


def copied(source: Source, folder: Path) -> dict[Path, Path]:
    """The data files that a model file names, with their places beside a copy of it in ``folder``.

    Raises
    ------
    ModelError
        For one that is not beside the model file.
    """
    document = Document([source], source.tables)
    return {_path(document, file): folder / file for file in files(source.tables)}


def copy(places: dict[Path, Path]) -> None:
    """Copy data files to their new places, unless they are there already.

    Raises
    ------
    OSError
    """
    for old, new in places.items():
        if new.resolve() != old.resolve():
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(old, new)


def _array(document: Document, file: str, name: str | None, *path: str) -> np.ndarray:
    """One array of a data file, as it stands there."""
    found = _path(document, file, *path)
    known: list[str] = []
    try:
        known = _names(found)
        there = name in known if name is not None else not file.endswith(".npz")
        small = _size(found, name) <= MAX_BYTES
        array = _read(found, name, known) if there and small else np.empty(0)
    except OSError as error:
        raise document.error(f"'{shown(file)}' cannot be read ({error.strerror})", *path) from None
    except UserError as error:
        raise document.error(f"'{shown(file)}' {error}", *path) from None
    except Exception:  # of many kinds, for whatever is no such file or damaged
        raise document.error(f"'{shown(file)}' {_NO_FILE[found.suffix]}", *path) from None
    if not there:
        what = "column" if file.endswith(".csv") else "array"
        wanted = f"has no {what} '{shown(name)}'" if name is not None else "has several: say which"
        message = f"'{shown(file)}' {wanted} (it has {shown(', '.join(sorted(known)) or 'none')})"
        raise document.error(message, *path)
    if not small or array.nbytes > MAX_BYTES:
        raise _wrong(document, name, f"has over {MAX_BYTES} bytes", *path)
    document.data[".".join(path)] = spec.Values(array, "").digest
    return array


#: What is said of a file that is not of the kind that its name says.
_NO_FILE = {
    ".npz": "is not a file of arrays of numbers as numpy.savez writes it",
    ".npy": "is not an array of numbers as numpy.save writes it",
    ".csv": "is not a table of numbers: a line of column names, and a number for each of them in"
    " every other line, with commas between",
}


def _names(file: Path) -> list[str]:
    """The arrays or columns of a data file."""
    if file.suffix == ".npz":
        with zipfile.ZipFile(file) as archive:
            return [member.filename.removesuffix(".npy") for member in archive.infolist()]
    if file.suffix == ".csv":
        with file.open(encoding="utf-8-sig", newline="") as text:
            names = [name.strip() for name in next(csv.reader(text))]
        if names and all(map(_is_number, names)):
            raise UserError("has a first line of numbers, and needs one with the names of columns")
        twice = [name for n, name in enumerate(names) if name in names[:n]]
        if twice:
            raise UserError(f"has two columns of the name '{shown(twice[0])}'")
        return names
    return []


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _size(file: Path, name: str | None) -> int:
    """Bytes of an array before it is read, as far as they are known."""
    if file.suffix != ".npz":
        return file.stat().st_size
    with zipfile.ZipFile(file) as archive:
        sizes = {m.filename.removesuffix(".npy"): m.file_size for m in archive.infolist()}
    return sizes.get(name or "", 0)


def _read(file: Path, name: str | None, known: list[str]) -> np.ndarray:
    if file.suffix == ".csv":
        return _column(file, None if name is None else known.index(name))
    array = np.load(file, allow_pickle=False)
    if file.suffix == ".npz":
        with array:
            array = array[name]
    if not isinstance(array, np.ndarray):  # what is no array, NumPy gives as bytes
        raise ValueError
    return array


def _column(file: Path, column: int | None) -> np.ndarray:
    """A column of a table, or all of it; whole numbers where all are."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text)
        width = len(next(rows))
        lines = [row for row in rows if row]
    if any(len(row) != width for row in lines):
        raise ValueError
    chosen = range(width) if column is None else [column]
    array = np.array([[float(row[n]) for n in chosen] for row in lines], dtype=float)
    array = array.reshape(len(lines), len(chosen))
    array = array[:, 0] if len(chosen) == 1 else array
    whole = np.isfinite(array).all() and (array % 1 == 0).all() and (abs(array) < 2**53).all()
    return array.astype(np.int64) if whole else array


def _path(document: Document, file: str, *path: str) -> Path:
    """A data file, beside the model file that names it or in a folder there.

    One that the user names in a setting may be anywhere.
    """
    folder = document.stating(*path).path.parent
    if not file.endswith(SUFFIXES) or not file.isprintable():
        known = " or ".join((", ".join(SUFFIXES[:-1]), SUFFIXES[-1]))
        raise document.error(f"a data file ends in {known}, unlike '{shown(file)}'", *path)
    given = Path(file)
    if document.is_set(*path):
        if not given.is_file():
            raise document.error(f"'{shown(file)}' is not a file", *path)
        return given
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


def _wrong(document: Document, name: str | None, what: str, *path: str) -> ModelError:
    which = f"array '{shown(name)}'" if name else "the array"
    return document.error(f"{which} {what}", *path)
