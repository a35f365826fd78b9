"""Recorded and simulated cultures as files: the published study's .mat layout, and our own NetCDF."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neuroglia_snn.papers.fep import RecordingError
from neuroglia_snn.papers.fep.ensembles import EARLY, Culture
from neuroglia_snn.papers.fep.stimulus import ELECTRODES, SOURCES, TRIALS
from neuroglia_snn.results import DATA

#: Fields of a culture: its name in our files, its name in the study's, and how many columns it has.
FIELDS = {"sources": ("s", SOURCES), "electrodes": ("o", ELECTRODES), "counts": ("r", None)}


def load(folder: Path) -> list[Culture]:
    """Every culture in the .mat and .nc files of a folder (or in one such file).

    Raises
    ------
    RecordingError
        If there is none, or a file is not as it should be; names the culture and the condition.
    """
    cultures = []
    for path in files(folder):
        try:
            cultures += _load_mat(path) if path.suffix == ".mat" else _load_netcdf(path)
        except OSError as error:
            raise RecordingError(f"{path}: cannot be read ({error.strerror or error})") from None
    return cultures


def files(folder: Path) -> list[Path]:
    """The files that `load` reads, in order.

    Raises
    ------
    RecordingError
        If there is none.
    """
    if not folder.exists():
        raise RecordingError(f"{folder}: no such file or folder")
    if folder.is_dir():
        found = sorted(p for p in folder.iterdir() if p.suffix in (".mat", ".nc"))
    else:
        found = [folder] if folder.suffix in (".mat", ".nc") else []
    if not found:
        raise RecordingError(
            f"{folder}: no recordings here; --data takes a folder with .mat files of the published"
            f" study (s, o, r of each culture), or {DATA} of our own runs"
        )
    return found


def digest(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of recordings, by name."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files(folder)}


def _load_mat(path: Path) -> list[Culture]:
    """A MATLAB struct array, or a cell array of structs, with fields s, o and r."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise RecordingError(f"{path}: .mat files need SciPy; type: pip install scipy") from None
    try:
        content = loadmat(path)
    except OSError:
        raise
    except Exception as error:  # SciPy raises whatever a broken file leads it to
        hint = "; save it with -v7" if isinstance(error, NotImplementedError) else ""
        raise RecordingError(f"{path}: is not a MATLAB file that SciPy reads{hint}") from None
    sets = {k: v for k, v in content.items() if not k.startswith("__")}
    if not sets:
        raise RecordingError(f"{path}: holds no variable")
    cultures = []
    for variable, structs in sets.items():
        condition = variable.removeprefix("data_")
        for n, struct in enumerate(structs.ravel()):
            fields = {k: _unwrapped(struct[k]) for k in struct.dtype.names or ()}
            cultures.append(_culture(path, f"culture {n + 1}", condition, fields))
    return cultures


def _unwrapped(value: Any) -> np.ndarray:
    """A field without the object array that a struct within a cell wraps around it."""
    value = np.asarray(value)
    while value.dtype == object and value.size == 1:
        value = np.asarray(value.item())
    return value


def _culture(path: Path, name: str, condition: str, fields: Mapping[str, np.ndarray]) -> Culture:
    """A culture from s (trials, 2), o (trials, 32), r (trials, electrodes), trials of all sessions."""
    where = f"{path}: {name} of condition {condition}"
    arrays, trials = {}, None
    for ours, (theirs, columns) in FIELDS.items():
        if theirs not in fields:
            found = ", ".join(fields) or "no fields"
            raise RecordingError(f"{where} has no field '{theirs}' (it has {found})")
        values = np.asarray(fields[theirs])
        trials = trials or len(np.atleast_1d(values))
        if values.ndim != 2 or len(values) != trials or columns not in (None, values.shape[1]):
            raise RecordingError(
                f"{where}: '{theirs}' is {values.shape}, not ({trials}, {columns or 'electrodes'})"
            )
        arrays[ours] = values
    assert trials is not None
    if trials % TRIALS or trials <= EARLY * TRIALS:
        raise RecordingError(
            f"{where} has {trials} trials, not {TRIALS} in each of more than {EARLY} sessions"
        )
    sessions = {k: v.reshape(-1, TRIALS, v.shape[1]) for k, v in arrays.items()}
    return checked(Culture(name, condition, **sessions), str(path))


def checked(culture: Culture, path: str) -> Culture:
    """A culture whose numbers can be what they say.

    Raises
    ------
    RecordingError
        For text, NaN, sources or electrodes that are not 0 or 1, negative counts.
    """
    for ours, (theirs, _) in FIELDS.items():
        values = getattr(culture, ours)
        where = f"{path}: {culture}: '{theirs}'"
        if not np.issubdtype(values.dtype, np.number) and values.dtype != bool:
            raise RecordingError(f"{where} does not hold numbers")
        if not np.all(np.isfinite(values)):
            raise RecordingError(f"{where} holds NaN or infinity")
        if ours != "counts" and not np.isin(values, (0, 1)).all():
            odd = values[~np.isin(values, (0, 1))][0]
            raise RecordingError(f"{where} must be 0 or 1, and holds {odd:g}")
        if ours == "counts" and values.min() < 0:
            raise RecordingError(f"{where} counts spikes, and holds {values.min():g}")
    return culture


# ------------------------------------------------------------------------- our own files


def _load_netcdf(path: Path) -> list[Culture]:
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        data = stored.load()
    absent = [name for name in (*FIELDS, "name", "condition") if name not in data]
    if absent:
        raise RecordingError(
            f"{path}: has no '{absent[0]}'; it is not of `neuroglia run fep_culture` or `reproduce fep`"
        )
    wanted = {name: ("culture", "session", "trial") for name in FIELDS}
    for name, dimensions in wanted.items():
        if data[name].dims[:3] != dimensions or data[name].ndim != 4:
            raise RecordingError(
                f"{path}: '{name}' is {data[name].dims}, not {dimensions} and units"
            )
    cultures = []
    for n in range(data.sizes["culture"]):
        name, condition = (str(data[key].values[n]) for key in ("name", "condition"))
        arrays = {key: data[key].values[n] for key in FIELDS}
        cultures.append(checked(Culture(name, condition, **arrays), str(path)))
    return cultures


def dataset(cultures: list[Culture]) -> xr.Dataset:
    """Cultures with equal numbers of sessions as `load` reads them back."""
    axes = {"sources": "source", "electrodes": "electrode", "counts": "recorded_electrode"}
    about = {"sources": "on or off", "electrodes": "on or off", "counts": "spikes in a trial"}
    data = xr.Dataset(
        {
            name: (
                ("culture", "session", "trial", axis),
                np.stack([getattr(c, name) for c in cultures]).astype(np.uint16),
                {"about": about[name]},
            )
            for name, axis in axes.items()
        }
    )
    return data.assign_coords(
        {key: ("culture", [getattr(c, key) for c in cultures]) for key in ("name", "condition")}
    )
