"""A NIR graph as the tables of a model file, and the arrays of a data file beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nir
import numpy as np

from neuroglia_snn.catalog.toml import Inline
from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.exchange.nir.cells import Cell, fires, neuron, output, wire
from neuroglia_snn.exchange.nir.maps import NEURONS, Flat
from neuroglia_snn.exchange.nir.nodes import NeurogliaPopulation, NeurogliaProjection
from neuroglia_snn.exchange.nir.tables import Tables
from neuroglia_snn.exchange.reading import Imported, time

#: The step of a graph that states none, in seconds: what NIR's readers take.
DT = 1e-4
#: How long a graph runs that does not say, in seconds.
DURATION = 0.1


def imported(
    graph: nir.NIRGraph,
    title: str,
    data: str,
    dt: float | None = None,
    duration: float | None = None,
    inputs: Mapping[str, np.ndarray] | None = None,
) -> Imported:
    """The graph as tables, with arrays for the data file of the name ``data``.

    Parameters
    ----------
    graph : nir.NIRGraph
    title, data : str
    dt, duration : float, optional
        In seconds; those of the graph's metadata if none are given.
    inputs : mapping, optional
        What input nodes are given, by name: (step, channel...), spikes where all numbers are 0 or 1.

    Raises
    ------
    UserError
        For what no model file says.
    """
    known = graph.metadata if isinstance(graph.metadata, dict) else {}
    step = _positive("dt", dt if dt is not None else known.get("dt", DT))
    tables, given = Tables(Flat(graph), data, step), {**(inputs or {})}
    tables["model"].update(title=str(known.get("title", title)), integrator="euler")
    tables.merge("the graph", known.get("toml", ""))
    _read(tables, given)
    longest = max((len(one) for one in given.values()), default=0) * step
    if duration is None:
        duration = longest or known.get("duration", DURATION)
    lasts = _positive("duration", duration)
    tables["model"].update(dt=time(step), duration=time(lasts))
    tables.finish()
    tables.made.tables = {key: table for key, table in tables.tables.items() if table}
    return tables.made


def _positive(name: str, seconds: Any) -> float:
    try:
        number = float(seconds)
    except (TypeError, ValueError):
        number = np.nan
    if not 0 < number < np.inf:
        raise UserError(f"{name} is a time in seconds, not {shown(seconds)}")
    return number


def _read(tables: Tables, inputs: Mapping[str, np.ndarray]) -> None:
    """Everything of the graph."""
    nodes = tables.flat.nodes
    for name, node in nodes.items():
        if isinstance(node, (*NEURONS, nir.Input, nir.Output, NeurogliaPopulation)):
            tables.name(name)
    found = {name: node for name, node in nodes.items() if isinstance(node, nir.Input)}
    if unknown := [name for name in inputs if name not in found]:
        there = ", ".join(map(shown, found)) or "none"
        raise UserError(f"the graph has no input '{shown(unknown[0])}' (it has: {there})")
    for name, node in nodes.items():
        if isinstance(node, nir.Input):
            _input(tables, name, inputs.get(name))
        elif isinstance(node, (NeurogliaPopulation, NeurogliaProjection)):
            tables.merge(name, node.toml)
    for name, node in nodes.items():
        if isinstance(node, tuple(NEURONS)):
            neuron(tables, name)
        elif isinstance(node, NeurogliaPopulation) and tables.flat.arriving(name).terms:
            raise UserError(f"node '{shown(name)}' has an input that names none of its variables")
    for name, node in nodes.items():
        if isinstance(node, nir.Output):
            _output(tables, name)


def _input(tables: Tables, name: str, given: np.ndarray | None) -> None:
    """An input: spikes or numbers that are given, or units that fire at a rate."""
    label, metadata = tables.names[name], tables.flat.nodes[name].metadata or {}  # type: ignore[union-attr]
    size, population = tables.units(name), {**tables.size(name)}
    if given is not None:
        population |= _given(tables, name, given)
    elif "toml" in metadata:
        return tables.merge(name, metadata["toml"])
    elif "units" in metadata:
        population["spikes"] = _spikes(tables, label, metadata["units"], metadata["times"])
    elif "rates" in metadata:
        rates = np.broadcast_to(metadata["rates"], size)
        population["rates"] = tables.array(f"{label}.rates", rates)
    elif "silent" in metadata:
        tables.silent.add(name)
        return None
    else:
        rate = population["rates"] = tables.parameter(f"{label}_rate", "0 Hz")
        tables.made.notes.append(
            f"input '{name}' is silent: --set {rate}='10 Hz' makes it {size} Poisson units"
        )
    tables["population"][label] = population
    return None


def _spikes(tables: Tables, label: str, units: np.ndarray, times: np.ndarray) -> Inline:
    """Spikes as arrays of the data file."""
    keys = {"i": f"{label}.units", "t": f"{label}.times"}
    tables.made.arrays |= {keys["i"]: np.asarray(units), keys["t"]: np.asarray(times)}
    return Inline(file=tables.data, **keys)


def _given(tables: Tables, name: str, given: np.ndarray) -> dict[str, Any]:
    """An input that is given: spikes if it is 0 and 1, else a function of time."""
    label, size = tables.names[name], tables.units(name)
    if given.ndim < 2 or given.dtype.kind not in "biuf" or not len(given):
        raise UserError(
            f"what input '{shown(name)}' is given is no array (step, channel) of numbers"
        )
    numbers = given.reshape(len(given), -1).astype(float)
    if numbers.shape[1] != size:
        raise UserError(
            f"input '{shown(name)}' has {size} channels, and {numbers.shape[1]} are given"
        )
    if np.isin(numbers, (0, 1)).all():
        steps, units = np.nonzero(numbers)
        return {"spikes": _spikes(tables, label, units, steps * tables.dt)}
    late = np.vstack([np.zeros(size), numbers])  # seen a step later, as spikes are
    values = tables.array(f"{label}.values", late)
    tables["table"][f"{label}_values"] = {**values, "dt": time(tables.dt)}
    return {"equations": f"x = {label}_values(t, i) : 1"}


def _output(tables: Tables, name: str) -> None:
    """An output as a record: of a population, or of one that is the weighted output."""
    found, label = tables.flat.arriving(name), tables.names[name]
    terms = [term for term in found.terms if term.source not in tables.silent]
    every = time(tables.dt)
    if len(terms) == 1 and not found.bias.any() and terms[0].is_direct:
        source = terms[0].source
        record: dict[str, Any] = {"population": tables.names[source]}
        if fires(tables, source):
            record["events"] = True
        else:
            record |= {"variables": [output(tables, source)], "every": every}
    else:
        cell = Cell(tables, name)
        cell.close([f"x = {wire(cell)} : 1"], {"size": len(found.bias)})
        record = {"population": label, "variables": ["x"], "every": every}
    tables["record"][label] = record
