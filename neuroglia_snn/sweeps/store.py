"""What a sweep has finished: a journal that survives a kill at any moment, and the dataset made of it.

``points.jsonl`` gets one line for each finished point as it comes in, and is flushed to the disk; a line
that was cut off is no line. ``sweep.nc`` is that journal as one labelled dataset.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import xarray as xr
from filelock import FileLock, Timeout

from neuroglia_snn import results
from neuroglia_snn.errors import ResultError, shown
from neuroglia_snn.sweeps.grid import Grid, Point

JOURNAL = "points.jsonl"
IDENTITY = "sweep.json"
DATA = "sweep.nc"
LOCK = "sweep.lock"
RECORDS = "records"


class Store:
    """The results of a sweep in a folder.

    Parameters
    ----------
    folder : path
    grid : Grid
    identity : dict
        Everything that the numbers depend on.

    Raises
    ------
    ResultError
        If the folder holds something else than this very sweep, or cannot be written.
    """

    def __init__(self, folder: Path, grid: Grid, identity: Mapping[str, object]):
        self.folder, self.grid = folder, grid
        self.found: dict[tuple[int, ...], dict] = {}
        self.failed: dict[tuple[int, ...], str] = {}
        self._lock: FileLock | None = None
        identity = json.loads(results.dumps(identity))
        if folder.is_dir():
            self._lock = _locked(folder)
        try:
            before = json.loads((folder / IDENTITY).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            self._begin(identity)
        except (OSError, ValueError):
            raise ResultError(f"{folder / IDENTITY} cannot be read: choose another --out") from None
        else:
            changed = _changed(before, identity)
            if changed:
                raise ResultError(
                    f"{folder} holds another sweep ({changed}): choose another --out, or add --force"
                )
            self._read()
        self._journal = (folder / JOURNAL).open("a", encoding="utf-8")

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_) -> None:
        self._journal.close()
        if self._lock:
            self._lock.release()

    def _begin(self, identity: Mapping[str, object]) -> None:
        results.prepare(self.folder, force=False)
        if self._lock is None:
            self._lock = _locked(self.folder)
        if (self.folder / JOURNAL).exists():
            raise ResultError(
                f"{self.folder / JOURNAL} is not of a sweep here: choose another --out"
            )
        partial = self.folder / f"{IDENTITY}.partial"
        partial.write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")
        partial.replace(self.folder / IDENTITY)

    def _read(self) -> None:
        """Take in the journal; what stands after its last whole line was cut off, and goes."""
        path = self.folder / JOURNAL
        if not path.exists():
            return
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        for line in content[:whole].splitlines():
            with suppress(ValueError, KeyError):  # a line that a full disk has spoilt
                self._take(json.loads(line))
        os.truncate(path, whole)

    def _take(self, entry: Mapping) -> None:
        place = tuple(entry["place"])
        if "error" in entry:
            self.failed[place] = entry["error"]
        else:
            self.found[place] = entry["results"]
            self.failed.pop(place, None)

    def missing(self) -> list[Point]:
        """Points that are not finished; those that failed are tried again."""
        points = [p for p in self.grid.points() if p.place not in self.found]
        self.failed = {}
        return points

    def add(
        self,
        point: Point,
        found: Mapping[str, object] | None,
        error: str = "",
        records: xr.Dataset | None = None,
    ) -> None:
        """Keep the results of a point, or why it has none; its records first."""
        if records is not None:
            path = self._records(point.place)
            path.parent.mkdir(exist_ok=True)
            results.write_dataset(records, path)
        entry = {
            "place": point.place,
            **({"error": error} if found is None else {"results": found}),
        }
        self._journal.write(json.dumps(entry, default=float) + "\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())
        self._take(json.loads(json.dumps(entry, default=float)))

    def _records(self, place: tuple[int, ...]) -> Path:
        """The file of a point's records."""
        return self.folder / RECORDS / f"{'-'.join(map(str, place))}.nc"

    def dataset(self, records: bool = False) -> xr.Dataset:
        """All results; NaN where there is none yet. ``failed`` holds the messages.

        What has the name of a setting that is swept is called ``NAME_result``. With ``records``, those that
        are kept are there, too, with their own dimensions after those of the grid.
        """
        grid = self.grid
        dimensions = (*(a.dimension for a in grid.axes), "seed")
        coordinates: dict[str, tuple] = {}
        for a in grid.axes:
            values, unit = a.coordinates
            coordinates[a.dimension] = (a.dimension, values, {"units": unit or "1"})
        coordinates["seed"] = ("seed", grid.seed + np.arange(grid.seeds), {})
        names = list(dict.fromkeys(name for found in self.found.values() for name in found))
        arrays = {name: np.full(grid.shape, np.nan) for name in names}
        for place, found in self.found.items():
            for name, value in found.items():
                arrays[name][place] = np.nan if value is None else value
        messages = np.full(grid.shape, "", object)
        for place, message in self.failed.items():
            messages[place] = message
        if self.failed:
            arrays["failed"] = messages.astype(str)
        variables: dict[str, tuple] = {
            (f"{n}_result" if n in dimensions else n): (dimensions, v) for n, v in arrays.items()
        }
        data = xr.Dataset(variables, coords=coordinates)
        return self._with_records(data, dimensions) if records else data

    def _with_records(self, data: xr.Dataset, dimensions: tuple[str, ...]) -> xr.Dataset:
        """Records of all points beside their measures, where all have the same shape."""
        kept = {place: self._records(place) for place in self.found}
        kept = {place: path for place, path in kept.items() if path.exists()}
        arrays: dict[str, xr.DataArray] = {}
        for place, path in kept.items():
            one = xr.load_dataset(path)
            for name, values in one.data_vars.items():
                key = str(name)
                if key not in arrays:
                    whole = np.full((*self.grid.shape, *values.shape), np.nan)
                    axes = (*dimensions, *values.dims)
                    arrays[key] = xr.DataArray(
                        whole, dims=axes, coords=values.coords, attrs=values.attrs
                    )
                if arrays[key].shape[len(place) :] != values.shape:
                    raise ResultError(
                        f"'{key}' has another shape at some points: it stands in {path.parent} for each"
                    )
                arrays[key].values[place] = values.values
        return data.assign(arrays)

    def write(self, records: bool = False) -> Path:
        """Write the dataset, with records at the end; the file appears only when complete."""
        path = self.folder / DATA
        partial = path.with_suffix(".partial")
        self.dataset(records).to_netcdf(partial, engine="h5netcdf")
        partial.replace(path)
        return path


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep, finished or not."""
    return (folder / IDENTITY).exists()


def _changed(before: Mapping, now: Mapping) -> str:
    """What differs, with its values in the folder and as asked for."""
    return "; ".join(
        f"{key.replace('_', ' ')} {_text(before.get(key))}, not {_text(now.get(key))}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    )


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{k} = {_text(v)}" for k, v in value.items())
    elif isinstance(value, list):
        value = ",".join(map(str, value))
    return "none" if value in (None, "") else shown(value)


def discard(folder: Path, beside: Sequence[str]) -> None:
    """Give up the sweep that a folder holds, with the files ``beside`` it.

    Raises
    ------
    ResultError
        If the folder holds something else, or the sweep is running.
    """
    if not is_sweep(folder):
        if folder.is_dir() and any(folder.iterdir()):
            raise ResultError(f"{folder} holds no sweep to give up: choose another --out")
        return
    with _locked(folder):
        for name in (JOURNAL, IDENTITY, DATA, *beside):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / RECORDS, ignore_errors=True)


def _locked(folder: Path) -> FileLock:
    """The folder's lock, held."""
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ResultError(f"{folder}: this sweep is running already") from None
    return lock
