"""Parameters, tables, stimuli, records and the experiment of a model file."""

from __future__ import annotations

from collections.abc import Mapping

from neuroglia_snn import spec
from neuroglia_snn.catalog import fields
from neuroglia_snn.catalog.schema import EXPERIMENT_DEFAULTS, EXPERIMENTS, QUANTITY, is_of, nearest
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import printable
from neuroglia_snn.quantities import unit_name


def parameter(document: Document, name: str) -> spec.Parameter:
    """``NAME = "value"`` or ``NAME = { value = "value", ... }`` in ``[parameters]``."""
    table, where = document.tables["parameters"][name], ("parameters", name)
    if not isinstance(table, dict):
        table = {"value": table}
    if "value" not in table:
        raise document.error(f"parameter '{name}' has no 'value'", *where)
    value = fields.amount(document, table["value"], None, *where)
    bounds = {
        k: fields.amount(document, table[k], None, *where) for k in ("min", "max") if k in table
    }
    for kind, bound in bounds.items():
        if bound.dimensions is not value.dimensions:
            raise document.error(
                f"'{kind}' of '{name}' is in '{unit_name(bound.dimensions)}', its value in"
                f" '{unit_name(value.dimensions)}'",
                *where,
            )
        outside = value.si < bound.si if kind == "min" else value.si > bound.si
        if outside:
            relation = "below its minimum" if kind == "min" else "above its maximum"
            raise document.error(f"'{name}' = {table['value']} is {relation} {table[kind]}", *where)
    return spec.Parameter(
        value,
        " ".join(str(table["value"]).split()),
        printable(table.get("source", "")),
        printable(table.get("about", "")),
    )


def table(document: Document, name: str) -> spec.Table:
    """``[table.NAME]``."""
    given, where = document.tables["table"][name].get("values", []), ("table", name)
    values = [fields.amount(document, v, None, *where, "values") for v in given]
    if not values:
        raise document.error(f"table '{name}' has no values", *where)
    if len({v.dimensions for v in values}) > 1:
        raise document.error(f"the values of table '{name}' differ in unit", *where, "values")
    return spec.Table(tuple(values), fields.time(document, *where, "dt"))


def stimulus(
    document: Document, name: str, populations: Mapping[str, spec.Population]
) -> spec.Stimulus:
    """``[stimulus.NAME]``."""
    table, where = document.tables["stimulus"][name], ("stimulus", name)
    for key in ("to", "variable", "amplitude", "duration"):
        if key not in table:
            raise document.error(f"stimulus '{name}' has no '{key}'", *where)
    if table["to"] not in populations:
        raise document.error(
            f"stimulus '{name}' goes to '{table['to']}', which is not a population"
            f"{nearest(table['to'], populations)}",
            *where,
            "to",
        )
    duration = fields.time(document, *where, "duration")
    period = fields.time(document, *where, "period", default=duration)
    count = table.get("count", 1)
    if count < 1 or (count > 1 and period < duration):
        raise document.error(
            f"stimulus '{name}': count must be at least 1 and period at least duration", *where
        )
    return spec.Stimulus(
        name=name,
        population=table["to"],
        variable=fields.name(document, table["variable"], *where, "variable"),
        amplitude=fields.code(
            document, "value", str(table["amplitude"]), f"amplitude of {name}", *where, "amplitude"
        ),
        image=fields.name(document, table["image"], *where, "image") if "image" in table else None,
        start=fields.time(document, *where, "start", default=0.0, positive=False),
        duration=duration,
        period=period if count > 1 else duration,
        count=count,
    )


_LARGEST_STRIDE = 1_000_000


def record(
    document: Document, name: str, populations: Mapping[str, spec.Population], dt: float
) -> spec.Record:
    """``[record.NAME]``; ``dt`` is the model's."""
    table, where = document.tables["record"][name], ("record", name)
    population = table.get("population")
    if population not in populations:
        raise document.error(
            f"record '{name}' needs 'population', one of {', '.join(populations)}"
            f"{nearest(str(population), populations)}",
            *where,
            "population",
        )
    variables = table.get("variables", [])
    events = table.get("events", False)
    named = all(isinstance(v, str) for v in variables) and (variables or events)
    if not named:
        raise document.error(f"record '{name}' needs 'variables', a list of names", *where)
    for key in ("every", "stride", "reduce"):
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
    )


def experiment(document: Document) -> dict[str, object]:
    """``[experiment]``, with times in seconds; empty if there is none."""
    table = document.tables.get("experiment", {})
    if not table:
        return {}
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in EXPERIMENTS:
        raise document.error(
            f"[experiment] needs kind = one of {', '.join(EXPERIMENTS)}"
            f"{nearest(str(kind), EXPERIMENTS)}",
            "experiment",
            "kind",
        )
    known = {"kind": (str,), **EXPERIMENTS[kind]}
    result: dict[str, object] = {}
    for key, value in table.items():
        if key not in known or not is_of(value, known[key]):
            raise document.error(
                f"unknown or mistyped '{key}' in [experiment]{nearest(key, known)}"
                f" (known: {', '.join(known)})",
                "experiment",
                key,
            )
        fields.check_size(document, value, known[key], "experiment", key)
        quantity = known[key] is QUANTITY
        result[key] = fields.time(document, "experiment", key) if quantity else value
        if key == "amplitude":
            result[key] = fields.code(document, "expression", str(value), key, "experiment", key)
    result = EXPERIMENT_DEFAULTS.get(kind, {}) | result
    missing = [key for key in known if key not in result]
    if missing:
        raise document.error(f"[experiment] lacks {', '.join(missing)}", "experiment")
    return result
