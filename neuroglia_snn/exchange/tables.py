"""A Brian2 network as the tables of a model file, and the arrays of a data file beside it."""

from __future__ import annotations

from typing import Any

import brian2
from brian2.groups.subgroup import Subgroup

from neuroglia_snn.exchange import monitors
from neuroglia_snn.exchange.capture import Captured
from neuroglia_snn.exchange.from_groups import given, population
from neuroglia_snn.exchange.from_synapses import projection
from neuroglia_snn.exchange.reading import (
    INPUTS,
    Imported,
    Reader,
    amount,
    plain,
    time,
)
from neuroglia_snn.language import names


def imported(captured: Captured, title: str, description: str, data: str) -> Imported:
    """The network as tables, with arrays for the data file of the name ``data``.

    Parameters
    ----------
    captured : Captured
    title, description : str
    data : str

    Returns
    -------
    Imported
        Complete if it has no problems.
    """
    reader = Reader(captured, data)
    means = monitors.means(reader)
    for (
        synapses
    ) in means.values():  # a mean is a record, and neither group nor synapses of the model
        reader.synapses.remove(synapses)
        reader.groups.remove(synapses.target)
    _refuse_others(reader)
    _name(reader)
    projections = {reader.names[s.name]: projection(reader, s) for s in _in_order(reader)}
    populations = {reader.names[g.name]: population(reader, g) for g in reader.groups}
    populations |= {reader.names[g.name]: given(reader, g) for g in reader.inputs}
    recording = [one for one in reader.objects if isinstance(one, monitors.KINDS)]
    records = {reader.names[m.name]: monitors.record(reader, m, means) for m in recording}
    made = {
        "model": _model(reader, title, description),
        "parameters": _parameters(reader),
        "table": {n: reader.table(n, one) for n, one in reader.timed.items()},
        "population": populations,
        "projection": projections,
        "record": records,
    }
    reader.made.tables = {k: lined(v) for k, v in made.items() if v}
    reader.made.problems = list(dict.fromkeys(reader.made.problems))
    return reader.made


def _model(reader: Reader, title: str, description: str) -> dict[str, Any]:
    """The table ``[model]``, when all else is known."""
    model: dict[str, Any] = {"title": title}
    if description:
        model["description"] = description
    if len(reader.noises) == 1:
        model["noise"] = next(iter(reader.noises))
    elif reader.noises:
        reader.refuse("the network", "both Ito and Stratonovich noise")
    if float(reader.captured.network.t) > 0:
        reader.refuse("the network", "an earlier run()")
    if not reader.groups:
        reader.refuse("the network", "no NeuronGroup")
    return model | {"dt": time(reader.captured.dt), "duration": time(reader.captured.duration)}


def _parameters(reader: Reader) -> dict[str, str]:
    """Parameters in the order in which the script names them."""
    last = len(reader.places)
    order = sorted(reader.parameters, key=lambda name: reader.places.get(name, last))
    return {name: amount(*reader.parameters[name]) for name in order}


def _refuse_others(reader: Reader) -> None:
    """Refuse whatever is neither group nor synapses nor monitor."""
    parts = {part.name for one in reader.objects for part in one.contained_objects}
    for one in reader.objects:
        kind = type(one).__name__
        known = (brian2.NeuronGroup, brian2.Synapses, *INPUTS)
        if type(one) in known or isinstance(one, monitors.KINDS):
            if not one.active:
                reader.refuse(f"'{one.name}'", "that it is not active")
        elif isinstance(one, brian2.NetworkOperation):
            reader.refuse(f"'{one.name}'", "what a network_operation of Python does")
        elif one.name not in parts and not isinstance(one, Subgroup):
            article = "an" if kind[0] in "AEIOU" else "a"
            reader.refuse(f"'{one.name}'", f"{article} {kind}")


def _name(reader: Reader) -> None:
    """Names of the script for populations, projections and records, else Brian2's."""
    script: dict[str, str] = {}
    for name, one in reader.captured.namespace.items():
        if isinstance(one, brian2.BrianObject) and names.refusal(name) is None:
            script.setdefault(one.name, name)
    for of_synapses in (script, {}):
        used: set[str] = set()
        for one in reader.objects:
            choice = of_synapses if one in reader.synapses else script
            name = choice.get(one.name) or plain(one.name)
            number, free = 2, name
            while free in used:
                free, number = f"{name}_{number}", number + 1
            used.add(free)
            reader.names[one.name] = free
        if _in_turn(reader):
            return
    by_name = sorted(reader.synapses, key=lambda one: one.name)
    reader.names |= {s.name: f"s{n:03}_{plain(s.name)}" for n, s in enumerate(by_name)}


def _in_turn(reader: Reader) -> bool:
    """Whether projections take turns as the synapses do, by name."""
    by_name = sorted(reader.synapses, key=lambda one: one.name)
    given = [reader.names[s.name] for s in by_name]
    return given == sorted(given)


def _in_order(reader: Reader) -> list[Any]:
    """Synapses, each after those that it has as a side."""
    order: list[Any] = []
    left = list(reader.synapses)
    while left:
        free = [s for s in left if not {s.source.name, s.target.name} & {o.name for o in left}]
        if not free:
            break
        order += free
        left = [s for s in left if s not in free]
    return order


def lined(given: Any) -> Any:
    """Tables with a line end behind every text of several lines."""
    if isinstance(given, dict):
        return type(given)({k: lined(v) for k, v in given.items()})
    if isinstance(given, list):
        return [lined(v) for v in given]
    if isinstance(given, str) and "\n" in given and not given.endswith("\n"):
        return f"{given}\n"
    return given
