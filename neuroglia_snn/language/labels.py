"""Names of what a run leaves: variables and axes of its dataset, no two of which may have one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from neuroglia_snn import spec
from neuroglia_snn.language import equations as eqs


class Label(NamedTuple):
    """A name in the dataset, and what has it: of a ``"record"`` or ``"population"`` by this name."""

    name: str
    meaning: str
    table: str
    owner: str


def recorded(record: str, variable: str) -> str:
    """Name of a recorded variable; of records of events, ``time`` and ``unit`` are two more."""
    return f"{record}_{variable}"


def final(population: str, variable: str) -> str:
    """Name of a variable's last values."""
    return f"final_{population}_{variable}"


def axis(kind: str, owner: str) -> str:
    """Name of an axis of a record or population."""
    return f"{kind}_{owner}"


def axes(population: spec.Population) -> tuple[str, ...]:
    """Kinds of a population's axes."""
    dimensions = len(population.shape)
    return ("unit",) if dimensions == 1 else ("plane", "row", "column")[-dimensions:]


def phases(model: spec.Model) -> dict[str, str]:
    """When the phases of a run are, as an attribute of its dataset; none if it has no phases."""
    times = (f"{p.name} {p.start * 1e3:.12g} to {p.end * 1e3:.12g} ms" for p in model.phases)
    return {"phases": "; ".join(times)} if model.phases else {}


def labels(model: spec.Model) -> Iterator[Label]:
    """All names that the dataset of a run may hold; one that stands twice has one meaning twice."""
    for record in model.records.values():
        for name, meaning in _of_record(model, record):
            yield Label(name, meaning, "record", record.name)
    for population in model.populations.values():
        for name, meaning in _of_population(model, population):
            yield Label(name, meaning, "population", population.name)


def _of_record(model: spec.Model, record: spec.Record) -> Iterator[tuple[str, str]]:
    of = f"of record '{record.name}'"
    for variable in record.variables:
        yield recorded(record.name, variable), f"'{variable}' {of}"
    if record.events:
        yield axis("event", record.name), f"the events {of}"
        for column in ("time", "unit"):
            yield recorded(record.name, column), f"the {column} of the events {of}"
        return
    yield axis("time", record.name), f"the times {of}"
    if record.reduce:
        yield axis("mean", record.name), f"the mean {of}"
        return
    if record.population in model.projections:
        for kind in ("synapse", "source", "target"):
            yield axis(kind, record.name), f"the {kind}s {of}"
        return
    if record.units is not None:
        yield axis("unit", record.name), f"the units {of}"
        return
    yield from _axes(record.name, model.populations[record.population], record.stride)


def _of_population(model: spec.Model, population: spec.Population) -> Iterator[tuple[str, str]]:
    yield from _axes(population.name, population, 1)
    stimulated = {s.variable for s in model.stimuli.values() if s.population == population.name}
    for variable, equation in eqs.parse(population.equations).items():
        if equation.settable and variable not in stimulated:
            yield final(population.name, variable), f"the last '{variable}' of '{population.name}'"


def _axes(owner: str, population: spec.Population, stride: int) -> Iterator[tuple[str, str]]:
    for kind in axes(population):
        kept = "" if stride == 1 else f" at the stride {stride}"
        yield axis(kind, owner), f"the {kind}s of '{population.name}'{kept}"
