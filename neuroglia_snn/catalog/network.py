"""Populations and projections of a model file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from brian2.units.allunits import second

from neuroglia_snn import spec
from neuroglia_snn.catalog import connections, data, fields
from neuroglia_snn.catalog.parameters import Parameters
from neuroglia_snn.catalog.ranges import ranges
from neuroglia_snn.catalog.schema import COUNT, nearest
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import shown

_ENDPOINT = re.compile(r"([A-Za-z]\w*)(?:\[([^\[\]:]*):([^\[\]:]*)\])?", re.ASCII)
_MAX_UNITS = 100_000_000


def population(
    document: Document, name: str, dt: float, integrator: str, parameters: Parameters
) -> spec.Population:
    """``[population.NAME]``; ``dt`` and ``integrator`` are the model's."""
    table, where = document.tables["population"][name], ("population", name)
    made = spec.Population(
        name=name,
        shape=_shape(document, name, table, parameters, *where),
        dt=fields.time(document, *where, "dt", default=dt),
        regularly=_regularly(document, table, *where),
        events=_events(document, table, *where),
        equations=fields.own_equations(document, table, *where),
        threshold=fields.optional_code(document, "expression", table, "threshold", *where),
        reset=fields.optional_code(document, "statements", table, "reset", *where),
        refractory=fields.optional_code(document, "value", table, "refractory", *where),
        integrator=table.get("integrator", integrator),
        initial=fields.values(document, table, "initial", *where),
        spacing=fields.code(
            document, "value", str(table.get("spacing", 1)), "spacing", *where, "spacing"
        ),
    )
    if "spikes" in table:
        return _with_spikes(document, made, table, *where)
    return _with_rates(document, made, table, *where) if "rates" in table else made


#: Variable of a Poisson population.
RATES = "rates"


def _with_rates(
    document: Document, population: spec.Population, table: dict, *where: str
) -> spec.Population:
    """A population of Poisson processes: a unit spikes in a step with probability rate times dt."""
    if population.threshold is not None:
        raise document.error("a population has 'rates' or a 'threshold', not both", *where, RATES)
    equations, initial = population.equations, dict(population.initial)
    if isinstance(table[RATES], dict):
        initial[RATES] = data.values(document, table[RATES], *where, RATES)
        rates = f"{RATES} : hertz (constant)"
    else:
        value = fields.code(document, "value", str(table[RATES]), RATES, *where, RATES)
        if not value:
            return population  # the document has the problem
        rates = f"{RATES} = {value} : hertz"
    equations = fields.code(
        document,
        "equations",
        f"{equations}\n{rates}",
        f"population '{population.name}'",
        *where,
        RATES,
    )
    threshold = f"rand() < {RATES}*dt"
    return replace(population, equations=equations, initial=initial, threshold=threshold)


def _with_spikes(
    document: Document, population: spec.Population, table: dict, *where: str
) -> spec.Population:
    """A population whose spikes are given: ``[[unit, time], ...]``, or arrays of a data file."""
    others = [key for key in table if key not in ("size", "shape", "dt", "spacing", "spikes")]
    if others:
        raise document.error(
            f"a population whose 'spikes' are given has no '{others[0]}'", *where, others[0]
        )
    given, where = table["spikes"], (*where, "spikes")
    if isinstance(given, dict):
        units, times = data.spikes(document, given, *where)
    else:
        if not all(isinstance(s, list) and len(s) == 2 and type(s[0]) is int for s in given):
            raise document.error("'spikes' is [[unit, time], ...], as [0, '1.5 ms']", *where)
        seconds = [fields.amount(document, time, second.dim, *where).si for _, time in given]
        units = spec.Values(np.array([unit for unit, _ in given], np.int64), "")
        times = spec.Values(np.array(seconds, float), "")
    return replace(population, spikes=spec.Spikes(units, times))


_LINK = re.compile(r"([A-Za-z]\w*)\.([A-Za-z]\w*)", re.ASCII)


def links(
    document: Document,
    population: spec.Population,
    populations: Mapping[str, spec.Population],
    parameters: Parameters,
) -> dict[str, spec.Link]:
    """``linked = { I = "other.x" }``, or ``{ I = { variable = "other.x", index = "i//2" } }``."""
    where = ("population", population.name, "linked")
    result = {}
    for name, given in document.tables["population"][population.name].get("linked", {}).items():
        table = {"variable": given} if isinstance(given, str) else given
        known = isinstance(table, dict) and table.keys() <= {"variable", "index"}
        match = _LINK.fullmatch(str(table.get("variable", ""))) if known else None
        if match is not None and match[1] not in populations:
            raise document.error(
                f"'linked.{name}' names '{match[1]}', which is not a population"
                f"{nearest(match[1], populations)}",
                *where,
                name,
            )
        if match is None:
            raise document.error(
                f"'linked.{name}' is 'population.variable', or {{ variable = ..., index = 'i//2' }}, not"
                f" {shown(repr(given))}",
                *where,
                name,
            )
        units = None
        if "index" in table:
            sizes = (population.size, populations[match[1]].size)
            units = _indices(document, table["index"], parameters, *sizes, *where, name)
        result[name] = spec.Link(match[1], match[2], units)
    return result


def _indices(
    document: Document, given: object, parameters: Parameters, count: int, below: int, *path: str
) -> tuple[int, ...]:
    """The unit that each unit reads: by an expression of i, in a list, or of a data file."""
    if not isinstance(given, (list, dict)):
        return parameters.indices(given, count, below, *path)
    listed: list = given if isinstance(given, list) else []
    if isinstance(given, dict):
        if given.keys() != {"file", "array"} or not all(isinstance(v, str) for v in given.values()):
            raise document.error(
                '\'index\' is "i//2", a list, or { file = "...", array = "..." }', *path
            )
        listed = data.indices(document, given["file"], given["array"], *path).tolist()
    if len(listed) != count or not all(type(n) is int and 0 <= n < below for n in listed):
        raise document.error(
            f"'index' has a whole number from 0 to {below - 1} for each of the {count} units", *path
        )
    return tuple(listed)


def _shape(
    document: Document, name: str, table: dict, parameters: Parameters, *where: str
) -> tuple[int, ...]:
    if ("shape" in table) == ("size" in table):
        found = "both; remove one" if "shape" in table else "neither"
        raise document.error(
            f"population '{name}' needs shape = [rows, columns] or size = number, and has {found}",
            *where,
        )
    key = "shape" if "shape" in table else "size"
    given = table["shape"] if key == "shape" else [table["size"]]
    typed = all(type(n) in COUNT for n in given)
    shape = tuple(parameters.whole(n, *where, key) for n in given) if typed else ()
    if not (1 <= len(shape) <= 3 and min(shape) > 0):
        low = next((n for n, m in zip(given, shape, strict=False) if m <= 0), "")
        stated = list(shape) if shape else given
        raise document.error(
            f"'shape' is [rows, columns], or [planes, rows, columns], of positive whole numbers, not"
            f" {shown(stated)}"
            if key == "shape"
            else f"'size' is a positive whole number, not {stated[0]}",
            *parameters.origin(low, *where, key),
        )
    size = math.prod(shape)
    if size > _MAX_UNITS:
        raise document.error(f"population '{name}' has {size} units, over {_MAX_UNITS}", *where)
    return shape


def _regularly(document: Document, table: dict, *where: str) -> tuple[spec.Regularly, ...]:
    where = (*where, "regularly")
    result = []
    for entry in table.get("regularly", []):
        if not isinstance(entry, dict) or set(entry) != {"code", "dt"}:
            raise document.error("each 'regularly' is { code = '...', dt = '...' }", *where)
        every = fields.seconds(document, entry["dt"], *where, "dt")
        code = fields.code(document, "statements", str(entry["code"]), "regularly", *where)
        result.append(spec.Regularly(code, every))
    return tuple(result)


def _events(document: Document, table: dict, *where: str) -> dict[str, spec.Event]:
    result = {}
    for event, entry in table.get("events", {}).items():
        if not isinstance(entry, dict) or set(entry) != {"condition", "action"}:
            raise document.error(
                f"event '{event}' needs 'condition' and 'action'", *where, "events"
            )
        fields.check_name(document, event, *where, "events", event)
        label, at = f"event {event}", (*where, "events", event)
        result[event] = spec.Event(
            fields.code(document, "expression", entry["condition"], label, *at, "condition"),
            fields.code(document, "statements", entry["action"], label, *at, "action"),
        )
    return result


def projection(
    document: Document,
    name: str,
    populations: Mapping[str, spec.Population],
    projections: Mapping[str, spec.Projection],
    integrator: str,
    parameters: Parameters,
) -> spec.Projection:
    """``[projection.NAME]``, between populations and ``projections`` that stand before it."""
    table, where = document.tables["projection"][name], ("projection", name)
    if name in populations:
        raise document.error(f"'{name}' is a population already", *where)
    source, target = (
        _endpoint(document, name, key, populations, projections, parameters)
        for key in ("from", "to")
    )
    target_dt = (populations.get(target.name) or projections[target.name]).dt
    connect = connections.connect(document, name, table.get("connect"), *where, "connect")
    delay = fields.values(document, table, "delay", *where)
    dt = fields.time(document, *where, "dt", default=target_dt)
    codes = {key: fields.pathways(document, table, key, *where) for key in ("on_pre", "on_post")}
    for pathway in codes["on_pre"].keys() & codes["on_post"].keys():
        raise document.error(
            f"'{pathway}' is a pathway of on_pre and of on_post", *where, "on_post"
        )
    codes["on_event"] = fields.event_names(document, table, "on_event", *where)
    if isinstance(table.get("on_event"), str):  # one event for every pathway
        codes["on_event"] = dict.fromkeys(codes["on_pre"] | codes["on_post"], table["on_event"])
    made = spec.Projection(
        name=name,
        source=source,
        target=target,
        equations=fields.own_equations(document, table, *where),
        **codes,
        delay=delay,
        connect=connect,
        integrator=table.get("integrator", integrator),
        dt=dt,
        initial=fields.values(document, table, "initial", *where),
        ranges=ranges(document, "projection", name),
    )
    if connect["rule"] == "generator" and {source.name, target.name} <= populations.keys():
        sizes = [e.size_in(populations[e.name]) for e in (source, target)]
        cut = connections.within(connect, parameters, *sizes)
        return replace(made, connect=cut, stated=connect)
    if connect["rule"] in ("third-in", "third-out"):
        return connections.with_third_factor(document, made, populations, projections, parameters)
    if connect["rule"] != "kernel":
        return made
    return connections.with_kernel(document, made, populations, parameters)


def _endpoint(
    document: Document,
    name: str,
    key: str,
    populations: Mapping[str, spec.Population],
    projections: Mapping[str, spec.Projection],
    parameters: Parameters,
) -> spec.Endpoint:
    where = ("projection", name, key)
    text = document.tables["projection"][name].get(key)
    match = _ENDPOINT.fullmatch((text or "").strip())
    if not match:
        raise document.error(
            f"projection '{name}' needs '{key}': a population, 'name[0:100]', 'name[n:]' or an earlier"
            f" projection, not {text!r}",
            *where,
        )
    known = {**populations, **projections}
    if match[1] not in known:
        raise document.error(
            f"'{key}' of projection '{name}' names '{match[1]}', which is not a population or"
            f" earlier projection{nearest(match[1], known)}",
            *where,
        )
    if match[2] is None:
        return spec.Endpoint(match[1])
    owner = populations.get(match[1])
    if owner is not None and owner.spikes is not None:
        raise document.error(f"'{text}': a population whose spikes are given has no parts", *where)
    size = owner.size if owner else 0
    start, stop = (
        parameters.whole(side.strip(), *where) if side.strip() else end
        for side, end in ((match[2], 0), (match[3], size))
    )
    if not 0 <= start < stop <= size:
        of = f" ({size} units)" if size else ""
        raise document.error(f"'{text}' is not a part of population '{match[1]}'{of}", *where)
    return spec.Endpoint(match[1], start, stop)
