"""Results on disk: one folder with ``summary.json``, ``data.nc`` and figures."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from neuroglia_snn import checkpoint
from neuroglia_snn.errors import ResultError
from neuroglia_snn.results import style

SUMMARY = "summary.json"
DATA = "data.nc"
CONTROL = "control.nc"
REPORT = "report.html"


def prepare(folder: Path, force: bool, figures: Iterable[str] = ()) -> Path:
    """Make the output folder; ``figures`` are names of files that will be written there.

    Raises
    ------
    ResultError
        If it holds a result already (and ``force`` is not given), is a file, or cannot be written.
    """
    if not force and checkpoint.exists(folder):
        raise ResultError(
            f"{folder} holds an interrupted run: go on with --resume, or start anew with --force"
        )
    if not checkpoint.ours(folder):
        raise ResultError(f"{folder / checkpoint.FOLDER} is not of ours: choose another --out")
    names = dict.fromkeys((SUMMARY, DATA, CONTROL, *figures, *_figures(folder), REPORT))
    earlier = [name for name in names if (folder / name).exists()]
    if not force and earlier:
        raise ResultError(
            f"{folder} holds a result already ({earlier[0]}); choose another --out, or add --force"
        )
    make_folder(folder)
    if not os.access(folder, os.W_OK):
        raise ResultError(f"{folder} cannot be written to")
    for name in earlier:  # --force gives it up
        (folder / name).unlink()
    checkpoint.discard(folder)
    return folder


def _figures(folder: Path) -> list[str]:
    """Names of the figures that an earlier run's summary lists, of those that are there."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        names = {Path(str(path)).name for path in summary["figures"]}
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return sorted(n for n in names if Path(n).suffix[1:] in style.FORMATS)


def make_folder(folder: Path) -> None:
    """Make the folder of ``--out``, unless it is there.

    Raises
    ------
    ResultError
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ResultError(f"{folder} is a file; --out takes a folder") from None
    except OSError as error:
        raise ResultError(f"{folder} cannot be made a folder ({error.strerror})") from None


def write_dataset(data: xr.Dataset, path: Path) -> None:
    """Write NetCDF (HDF5-based), compressed; the file appears only when complete."""
    packing = {name: {"zlib": True, "complevel": 2} for name in data.data_vars if data[name].ndim}
    partial = path.with_suffix(".partial")
    data.to_netcdf(partial, engine="h5netcdf", encoding=packing)
    partial.replace(path)


def write_summary(summary: Mapping[str, object], folder: Path) -> Path:
    """Write ``summary.json``; the file appears only when complete."""
    path = folder / SUMMARY
    partial = path.with_suffix(".partial")
    partial.write_text(dumps(summary) + "\n", encoding="utf-8")
    partial.replace(path)
    return path


def dumps(summary: Mapping[str, object]) -> str:
    """A summary as JSON, NumPy numbers and paths included; a number that is not finite is null."""
    return json.dumps(_plain(summary), indent=2, allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, (np.generic, np.ndarray)):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)
