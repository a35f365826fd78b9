"""Results on disk: one folder with ``summary.json``, ``data.nc`` and figures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from brian2.units.allunits import molar, second, volt
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn import checkpoint, labels, spec
from neuroglia_snn import equations as eqs
from neuroglia_snn.backends.base import Outcome
from neuroglia_snn.errors import ResultError
from neuroglia_snn.quantities import unit_name

SUMMARY = "summary.json"
DATA = "data.nc"
CONTROL = "control.nc"
REPORT = "report.html"
#: All figures that a run may write.
FIGURES = ("inputs.png", "response.png", "time_courses.png", "records.png")

#: Units that results are stored in, where SI would be unusual: (name, number of them in one SI unit).
_DISPLAY = {second.dim: ("ms", 1e3), molar.dim: ("uM", 1e3), volt.dim: ("mV", 1e3)}


def prepare(folder: Path, force: bool) -> Path:
    """Make the output folder.

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
    earlier = [n for n in (SUMMARY, DATA, CONTROL, *FIGURES, REPORT) if (folder / n).exists()]
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


def dataset(model: spec.Model, outcome: Outcome) -> xr.Dataset:
    """All records and the final state as one labelled dataset.

    Variables are ``RECORD_VARIABLE`` with dimensions (time_RECORD, row_RECORD, column_RECORD) for a
    lattice, (time_RECORD, unit_RECORD) otherwise, and ``final_POPULATION_VARIABLE``. A record of
    events has RECORD_time, RECORD_unit and RECORD_VARIABLE with the dimension (event_RECORD). Times
    are in ms, units in attributes.
    """
    arrays: dict[str, tuple] = {}
    coordinates: dict[str, tuple] = {}
    for name, recorded in outcome.records.items():
        record = model.records[name]
        population = model.populations[record.population]
        time = labels.axis("time", name)
        coordinates[time] = (time, recorded.times * 1e3, {"units": "ms"})
        axes, axis_coordinates = _axes(name, population, record, recorded.indices)
        coordinates |= axis_coordinates
        for variable, values in recorded.values.items():
            shape = [len(c[1]) for c in axis_coordinates.values()]
            arrays[labels.recorded(name, variable)] = _labelled(
                population, variable, (time, *axes), values.reshape(len(values), *shape)
            )
    for name, (times, units) in outcome.events.items():
        event = labels.axis("event", name)
        of = {"population": model.records[name].population}
        arrays[labels.recorded(name, "time")] = (event, times * 1e3, {"units": "ms"})
        arrays[labels.recorded(name, "unit")] = (event, units, of)
        for variable, values in outcome.event_values.get(name, {}).items():
            population = model.populations[model.records[name].population]
            label = labels.recorded(name, variable)
            arrays[label] = _labelled(population, variable, (event,), values)
    for name, state in outcome.final.items():
        population = model.populations[name]
        axes = tuple(labels.axis(kind, name) for kind in labels.axes(population))
        for axis, size in zip(axes, population.shape, strict=True):
            coordinates[axis] = (axis, np.arange(size), {})
        for variable, values in state.items():
            full = np.broadcast_to(values, population.size) if values.ndim == 0 else values
            if full.size != population.size:
                continue  # shared between units
            arrays[labels.final(name, variable)] = _labelled(
                population, variable, axes, full.reshape(population.shape)
            )
    return xr.Dataset(
        arrays,
        coords=coordinates,
        attrs={
            "model": model.name,
            "title": model.title,
            "model_digest": model.digest,
            "source": f"neuroglia_snn {outcome.versions['neuroglia_snn']}",
        },
    )


def _axes(name: str, population: spec.Population, record: spec.Record, indices: np.ndarray):
    if record.reduce:
        axis = labels.axis("mean", name)
        return (axis,), {axis: (axis, np.arange(len(indices)), {})}
    axes = tuple(labels.axis(kind, name) for kind in labels.axes(population))
    return axes, {
        axis: (axis, np.arange(0, size, record.stride), {"of": record.population})
        for axis, size in zip(axes, population.shape, strict=True)
    }


def _labelled(population: spec.Population, variable: str, axes: tuple, values: np.ndarray) -> tuple:
    equation = eqs.parse(population.equations)[variable]
    name, scale = display_unit(equation.dimensions)
    attributes = {"units": name, "population": population.name}
    if equation.expression:
        attributes["equation"] = f"{equation.label} = {equation.expression}"
    if np.issubdtype(values.dtype, np.bool_):
        return axes, values, attributes
    return axes, values * scale, attributes


def display_unit(dimensions: Dimension) -> tuple[str, float]:
    """Unit that results use, and how many of it make one SI unit."""
    return _DISPLAY.get(dimensions, (unit_name(dimensions), 1.0))


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
    """A summary as JSON, NumPy numbers and paths included."""
    return json.dumps(summary, indent=2, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)
