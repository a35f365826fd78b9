"""Parameters, tables, stimuli, records and the experiment of a model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from neuroglia_snn import experiments, spec
from neuroglia_snn.catalog import data, fields
from neuroglia_snn.catalog import phases as phasing
from neuroglia_snn.catalog.parameters import Parameters
from neuroglia_snn.catalog.schema import QUANTITY, nearest
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import shown
from neuroglia_snn.language import algebra, names
from neuroglia_snn.language.quantities import UNITS


def table(document: Document, name: str) -> spec.Table:
    """``[table.NAME]``."""
    table, where = document.tables["table"][name], ("table", name)
    if ("values" in table) == ("file" in table):
        found = "both: remove one" if "file" in table else "neither"
        raise document.error(
            f"table '{name}' needs values = [...] or a file, and has {found}", *where
        )
    for key in ("array", "unit") if "values" in table else ():
        if key in table:
            right = "of a data file" if key == "array" else "of a file: write '1 mV' as a value"
            raise document.error(f"'{key}' of table '{name}' is that {right}", *where, key)
    if "file" in table:
        values = data.values(document, {k: table[k] for k in _FILE if k in table}, *where)
        dimensions = values.dimensions or DIMENSIONLESS
    else:
        values, dimensions = _listed(document, name, table["values"], *where, "values")
    if not values.numbers.size:
        raise document.error(f"table '{name}' has no values", *where)
    if values.numbers.ndim not in (1, 2):
        raise document.error(
            f"table '{name}' has {values.numbers.ndim} dimensions: time, and columns if there are any",
            *where,
        )
    return spec.Table(values, dimensions, fields.time(document, *where, "dt"))


_FILE = ("file", "array", "unit")


def _listed(
    document: Document, name: str, given: list, *where: str
) -> tuple[spec.Values, Dimension]:
    """Values that stand in a model file: quantities, or a list of them for each time."""
    rows = [row if isinstance(row, list) else [row] for row in given]
    if len({len(row) for row in rows}) > 1 or len({isinstance(row, list) for row in given}) > 1:
        raise document.error(f"the rows of table '{name}' differ in length", *where)
    amounts = [[fields.amount(document, v, None, *where) for v in row] for row in rows]
    dimensions = {v.dimensions for row in amounts for v in row}
    if len(dimensions) > 1:
        raise document.error(f"the values of table '{name}' differ in unit", *where)
    numbers = np.array([[v.si for v in row] for row in amounts], float)
    if not any(isinstance(row, list) for row in given):
        numbers = numbers.ravel()
    return spec.Values(numbers, name), dimensions.pop() if dimensions else DIMENSIONLESS


#: Of a Poisson input in a step, in the mean: the number is one of 32 bits.
MOST_EVENTS = 10**9


def poisson(
    document: Document, name: str, populations: Mapping[str, spec.Population]
) -> spec.Population:
    """``[stimulus.NAME]`` with a ``rate``: the population that it goes to, with that input.

    A number of spike trains, all of one rate and weight, as one Poisson-distributed number a step.
    """
    table, where = document.tables["stimulus"][name], ("stimulus", name)
    known = ("to", "variable", "rate", "weight", "inputs")
    for key in table:
        if key not in known:
            raise document.error(
                f"stimulus '{name}' has a rate, and takes no '{key}' (it takes: {', '.join(known)})",
                *where,
                key,
            )
    for key in ("to", "variable", "weight"):
        if key not in table:
            raise document.error(f"stimulus '{name}' has no '{key}'", *where)
    population = _target(document, name, populations)
    rate, weight, inputs = (
        fields.code(document, "value", str(table.get(key, 1)), f"{key} of {name}", *where, key)
        for key in ("rate", "weight", "inputs")
    )
    variable = fields.name(document, table["variable"], *where, "variable")
    if not (rate and weight and inputs):
        return population
    mean = f"({inputs})*({rate})*dt"
    if algebra.names(mean) - UNITS.keys() - document.tables.get("parameters", {}).keys() - {"dt"}:
        mean = f"clip({mean}, 0, {MOST_EVENTS})"  # what only a run knows may be below 0 in it
    code = f"{variable} += ({weight})*poisson({mean})"
    code = fields.code(document, "statements", code, f"stimulus '{name}'", *where)
    entry = spec.Regularly(code, population.dt, name)
    return replace(population, regularly=(*population.regularly, entry))


def _target(
    document: Document, name: str, populations: Mapping[str, spec.Population]
) -> spec.Population:
    """The population that a stimulus goes to."""
    to = document.tables["stimulus"][name]["to"]
    if to not in populations:
        raise document.error(
            f"stimulus '{name}' goes to '{to}', which is not a population{nearest(to, populations)}",
            "stimulus",
            name,
            "to",
        )
    return populations[to]


def stimulus(
    document: Document,
    name: str,
    populations: Mapping[str, spec.Population],
    phases: tuple[spec.Phase, ...],
) -> list[spec.Stimulus]:
    """``[stimulus.NAME]``: one, or one for each of the phases that it is on in."""
    on = phasing.on_in(document, phases, name)
    first = _stimulus(document, name, populations, on[0] if on else None)
    made = [first] + [_stimulus(document, name, populations, phase) for phase in on[1:]]
    return [first] + [
        replace(one, name=names.made("again", name, phase.name))
        for one, phase in zip(made[1:], on[1:], strict=True)
    ]


def _stimulus(
    document: Document,
    name: str,
    populations: Mapping[str, spec.Population],
    phase: spec.Phase | None,
) -> spec.Stimulus:
    table, where = document.tables["stimulus"][name], ("stimulus", name)
    for key in ("to", "variable", "amplitude", *(() if phase else ("duration",))):
        if key not in table:
            raise document.error(f"stimulus '{name}' has no '{key}'", *where)
    for key in ("weight", "inputs"):
        if key in table:
            raise document.error(f"stimulus '{name}' has '{key}' and no 'rate'", *where, key)
    _target(document, name, populations)
    start = fields.time(document, *where, "start", default=0.0, positive=False)
    left = phase.duration - start if phase else None
    duration = fields.time(document, *where, "duration", default=left)
    period = fields.time(document, *where, "period", default=duration)
    count = table.get("count", 1)
    if count < 1 or (count > 1 and period < duration):
        raise document.error(
            f"stimulus '{name}': count must be at least 1 and period at least duration", *where
        )
    period = period if count > 1 else duration
    if phase and start + (count - 1) * period + duration > phase.duration * (1 + 1e-9):
        raise document.error(
            f"stimulus '{name}' lasts beyond the phase '{phase.name}', in which it is on", *where
        )
    image, pattern = None, None
    if isinstance(table.get("image"), dict):
        image = names.made("pattern", name)
        pattern = data.values(document, table["image"], *where, "image")
    elif "image" in table:
        image = fields.name(document, table["image"], *where, "image")
    return spec.Stimulus(
        name=name,
        population=table["to"],
        variable=fields.name(document, table["variable"], *where, "variable"),
        amplitude=fields.code(
            document, "value", str(table["amplitude"]), f"amplitude of {name}", *where, "amplitude"
        ),
        image=image,
        pattern=pattern,
        start=round(phase.start + start, 12) if phase else start,
        duration=duration,
        period=period,
        count=count,
    )


_LARGEST_STRIDE = 1_000_000


def record(
    document: Document,
    name: str,
    populations: Mapping[str, spec.Population],
    projections: Mapping[str, spec.Projection],
    parameters: Parameters,
    dt: float,
) -> spec.Record:
    """``[record.NAME]``; ``dt`` is the model's."""
    table, where = document.tables["record"][name], ("record", name)
    of = "projection" if "projection" in table else "population"
    known: Mapping[str, object] = projections if of == "projection" else populations
    population = table.get(of)
    if population not in known or {"population", "projection"} <= table.keys():
        raise document.error(
            f"record '{name}' needs '{of}', one of {', '.join(known) or 'none'}"
            f"{nearest(str(population), known)}"
            if population not in known
            else f"record '{name}' is of a population or of a projection, not of both",
            *where,
            of,
        )
    owner = populations.get(population) if of == "population" else None
    for key in ("events", "reduce", "stride"):
        if key in table and (owner is None or (key != "events" and "units" in table)):
            beside = "of synapses" if owner is None else "of some 'units'"
            raise document.error(f"'{key}' means nothing in record '{name}' {beside}", *where, key)
    variables = table.get("variables", [])
    events = table.get("events", False)
    named = all(isinstance(v, str) for v in variables) and (variables or events)
    if not named:
        raise document.error(f"record '{name}' needs 'variables', a list of names", *where)
    for key in ("every", "stride", "reduce", "units"):
        if events and key in table:
            raise document.error(
                f"'{key}' means nothing in record '{name}', which keeps events", *where, key
            )
    if table.get("reduce", "mean") != "mean":
        raise document.error("'reduce' can only be 'mean'", *where, "reduce")
    stride = table.get("stride", 1)
    if not 1 <= stride <= _LARGEST_STRIDE:
        raise document.error(f"'stride' must be from 1 to {_LARGEST_STRIDE}", *where, "stride")
    return spec.Record(
        name=name,
        population=population,
        variables=tuple(fields.name(document, v, *where, "variables") for v in variables),
        every=fields.time(document, *where, "every", default=dt),
        stride=stride,
        reduce=table.get("reduce"),
        events=bool(events),
        event=events if isinstance(events, str) else "spike",
        units=_units(document, name, owner, parameters),
    )


def _units(
    document: Document, name: str, owner: spec.Population | None, parameters: Parameters
) -> tuple[int, ...] | None:
    """``units = [0, 5]``, or a slice of a population: ``"10:"``, ``"0:100:10"``."""
    given, where = document.tables["record"][name].get("units"), ("record", name, "units")
    if given is None:
        return None
    if isinstance(given, str):
        parts = given.split(":")
        if owner is None or len(parts) not in (2, 3):
            what = "a list of synapses" if owner is None else "a list of units, or a slice '0:10'"
            raise document.error(f"'units' is {what}, not '{shown(given)}'", *where)
        ends = [parameters.whole(p.strip(), *where) if p.strip() else None for p in parts]
        if any(end is not None and end < 0 for end in ends) or ends[2:] == [0]:
            raise document.error(f"'units' = '{shown(given)}' counts from 0 on", *where)
        chosen = tuple(range(owner.size)[slice(*ends)])
    else:
        if not all(type(n) is int and n >= 0 for n in given):
            raise document.error("'units' are whole numbers from 0 on", *where)
        chosen = tuple(given)
    if not chosen or len(set(chosen)) < len(chosen):
        found = "names one twice" if chosen else "has none"
        raise document.error(f"'units' of record '{name}' {found}", *where)
    if owner is not None and max(chosen) >= owner.size:
        raise document.error(
            f"'units' of record '{name}' names {max(chosen)}, and '{owner.name}' has the units 0 to"
            f" {owner.size - 1}",
            *where,
        )
    return chosen


def experiment(document: Document) -> dict[str, object]:
    """``[experiment]``, with times in seconds; empty if there is none."""
    table = document.tables.get("experiment", {})
    if not table:
        return {}
    kind, kinds = table.get("kind"), experiments.kinds()
    if not isinstance(kind, str) or kind not in kinds:
        raise document.error(
            f"[experiment] needs kind = one of {', '.join(kinds)}{nearest(str(kind), kinds)}",
            "experiment",
            "kind",
        )
    found = experiments.of_kind(kind)
    known = {"kind": (str,), **found.keys}
    result: dict[str, object] = {}
    for key, value in table.items():
        fields.check_known(document, key, value, known, "[experiment]", "experiment", key)
        fields.check_size(document, value, known[key], "experiment", key)
        quantity = known[key] is QUANTITY
        result[key] = fields.time(document, "experiment", key) if quantity else value
        if key in found.expressions:
            result[key] = fields.code(document, "expression", str(value), key, "experiment", key)
    result = dict(found.defaults) | result
    missing = [key for key in known if key not in result]
    if missing:
        raise document.error(f"[experiment] lacks {', '.join(missing)}", "experiment")
    return result
