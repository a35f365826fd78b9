"""What a simulation gave, as one labelled dataset."""

from __future__ import annotations

import numpy as np
import xarray as xr
from brian2.units.allunits import molar, second, volt
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Outcome, Recorded
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language import labels
from neuroglia_snn.language.quantities import unit_name

#: Units that results are stored in, where SI would be unusual: (name, number of them in one SI unit).
_DISPLAY = {second.dim: ("ms", 1e3), molar.dim: ("uM", 1e3), volt.dim: ("mV", 1e3)}


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
        population = model.recorded(record)
        time = labels.axis("time", name)
        coordinates[time] = (time, recorded.times * 1e3, {"units": "ms"})
        axes, axis_coordinates = _axes(name, population, record, recorded)
        coordinates |= axis_coordinates
        for variable, values in recorded.values.items():
            shape = [len(axis_coordinates[axis][1]) for axis in axes]
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
            **labels.phases(model),
            "source": f"neuroglia_snn {outcome.versions['neuroglia_snn']}",
        },
    )


def _axes(
    name: str, owner: spec.Population | spec.Projection, record: spec.Record, recorded: Recorded
):
    indices, of = recorded.indices, {"of": record.population}
    if record.reduce:
        axis = labels.axis("mean", name)
        return (axis,), {axis: (axis, np.arange(len(indices)), {})}
    if isinstance(owner, spec.Projection):
        axis = labels.axis("synapse", name)
        ends = {labels.axis(kind, name): units for kind, units in recorded.ends.items()}
        return (axis,), {axis: (axis, indices, of), **{k: (axis, v, of) for k, v in ends.items()}}
    population = owner
    if record.units is not None:
        axis = labels.axis("unit", name)
        return (axis,), {axis: (axis, indices, of)}
    axes = tuple(labels.axis(kind, name) for kind in labels.axes(population))
    return axes, {
        axis: (axis, np.arange(0, size, record.stride), {"of": record.population})
        for axis, size in zip(axes, population.shape, strict=True)
    }


def _labelled(
    population: spec.Population | spec.Projection, variable: str, axes: tuple, values: np.ndarray
) -> tuple:
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
