"""Populations and projections of a model file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from neuroglia_snn import spec
from neuroglia_snn.catalog import data, fields
from neuroglia_snn.catalog.schema import CONNECT, is_of, nearest
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import shown

_ENDPOINT = re.compile(r"([A-Za-z]\w*)(?:\[(\d{1,12})\s*:\s*(\d{1,12})\])?", re.ASCII)
_MAX_UNITS = 100_000_000


def population(document: Document, name: str, dt: float, integrator: str) -> spec.Population:
    """``[population.NAME]``; ``dt`` and ``integrator`` are the model's."""
    table, where = document.tables["population"][name], ("population", name)
    return spec.Population(
        name=name,
        shape=_shape(document, name, table, *where),
        dt=fields.time(document, *where, "dt", default=dt),
        regularly=_regularly(document, table, *where),
        events=_events(document, table, *where),
        equations=fields.own_equations(document, table, *where),
        threshold=fields.optional_code(document, "expression", table, "threshold", *where),
        reset=fields.optional_code(document, "statements", table, "reset", *where),
        refractory=fields.optional_code(document, "value", table, "refractory", *where),
        integrator=table.get("integrator", integrator),
        initial=fields.values(document, table, "initial", *where),
    )


def _shape(document: Document, name: str, table: dict, *where: str) -> tuple[int, ...]:
    if ("shape" in table) == ("size" in table):
        found = "both; remove one" if "shape" in table else "neither"
        raise document.error(
            f"population '{name}' needs shape = [rows, columns] or size = number, and has {found}",
            *where,
        )
    shape = tuple(table["shape"]) if "shape" in table else (table["size"],)
    whole = all(type(n) is int and n > 0 for n in shape)
    if not whole or len(shape) not in (1, 2):
        raise document.error(
            f"'shape' is [rows, columns] of positive whole numbers, not {shown(table['shape'])}"
            if "shape" in table
            else f"'size' is a positive whole number, not {table['size']}",
            *where,
            "shape" if "shape" in table else "size",
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
) -> spec.Projection:
    """``[projection.NAME]``, between populations and ``projections`` that stand before it."""
    table, where = document.tables["projection"][name], ("projection", name)
    if name in populations:
        raise document.error(f"'{name}' is a population already", *where)
    source, target = (
        _endpoint(document, name, key, populations, projections) for key in ("from", "to")
    )
    target_dt = (populations.get(target.name) or projections[target.name]).dt
    connect = _connect(document, name, table.get("connect"), *where, "connect")
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
    return spec.Projection(
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
    )


def _endpoint(
    document: Document,
    name: str,
    key: str,
    populations: Mapping[str, spec.Population],
    projections: Mapping[str, spec.Projection],
) -> spec.Endpoint:
    where = ("projection", name, key)
    text = document.tables["projection"][name].get(key)
    match = _ENDPOINT.fullmatch((text or "").strip())
    if not match:
        raise document.error(
            f"projection '{name}' needs '{key}': a population, 'name[0:100]' or an earlier"
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
    start, stop = int(match[2]), int(match[3])
    if match[1] in projections or not start < stop <= populations[match[1]].size:
        raise document.error(f"'{text}' is not a part of population '{match[1]}'", *where)
    return spec.Endpoint(match[1], start, stop)


def _connect(document: Document, name: str, connect: Any, *where: str) -> dict[str, Any]:
    rule = connect.get("rule") if isinstance(connect, dict) else None
    if not isinstance(rule, str) or rule not in CONNECT:
        raise document.error(
            f"'connect' of projection '{name}' needs rule = one of {', '.join(CONNECT)}"
            f"{nearest(str(rule), CONNECT)}",
            *where,
        )
    known = CONNECT[rule]
    for key, value in connect.items():
        if key != "rule" and (key not in known or not is_of(value, known[key])):
            raise document.error(
                f"unknown or mistyped '{key}' in rule '{rule}'{nearest(key, known)}"
                f" (it takes: {', '.join(known) or 'nothing'})",
                *where,
            )
        fields.check_size(document, value, known.get(key, ()), *where, key)
    for pair in connect.get("pairs", []):
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)):
            raise document.error(
                f"{shown(repr(pair))} is not a pair [source, target] of whole numbers", *where
            )
    if rule == "pairs":
        return data.pairs(document, connect, *where)
    kinds = {"condition": "expression", "p": "value", "n": "value"}
    return connect | {
        key: fields.code(document, kind, connect[key], f"connect {key}", *where)
        for key, kind in kinds.items()
        if isinstance(connect.get(key), str)
    }
