"""From merged TOML tables to a `neuroglia_snn.spec.Model`: keys, types and references."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from brian2.units.allunits import second
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import (
    CONNECT,
    EXPERIMENTS,
    QUANTITY,
    TABLES,
    nearest,
    type_names,
)
from neuroglia_snn.catalog.source import Document, read_document, split_equations
from neuroglia_snn.errors import ModelError, UserError, shown
from neuroglia_snn.quantities import Amount, as_expression, parse_quantity, unit_name

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ENDPOINT = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?:\[(\d+)\s*:\s*(\d+)\])?")
MAX_UNITS = 100_000_000


def load(name_or_path: str, overrides: Mapping[str, str] | None = None) -> spec.Model:
    """Load a model by catalogue name or path.

    Parameters
    ----------
    name_or_path : str
        ``"noise_induced_memory"`` or ``"mine.toml"``.
    overrides : mapping, optional
        ``{"sigma2": "0.1"}`` for parameters, dotted paths (``"model.dt"``,
        ``"population.neuron.shape"``) for anything else.

    Raises
    ------
    ModelError
        With file, line, what is wrong and what would be right.
    """
    document = read_document(name_or_path)
    for key, value in (overrides or {}).items():
        _override(document, key, value)
    return build(document)


def build(document: Document) -> spec.Model:
    """Check the keys and types of a document's tables and build the model from it."""
    _check_keys(document)
    tables = document.tables
    model = tables.get("model", {})
    if not tables.get("population"):
        raise document.error("no [population.NAME] table: a model needs at least one")
    dt = _time(document, "model", "dt", default=None)
    default_integrator = model.get("integrator", "")
    populations = {
        name: _population(document, name, table, dt, default_integrator)
        for name, table in tables["population"].items()
    }
    digest = hashlib.sha256(json.dumps(tables, sort_keys=False, default=str).encode()).hexdigest()
    projections: dict[str, spec.Projection] = {}
    for name, table in tables.get("projection", {}).items():
        projections[name] = _projection(
            document, name, table, populations, projections, default_integrator, dt
        )
    result = spec.Model(
        name=document.path.stem,
        title=model.get("title", document.path.stem),
        description=model.get("description", "").strip(),
        doi=model.get("doi", ""),
        noise=model.get("noise"),
        dt=dt,
        duration=_time(document, "model", "duration", default=None),
        parameters={n: _parameter(document, n, t) for n, t in tables.get("parameters", {}).items()},
        tables={n: _table(document, n, t) for n, t in tables.get("table", {}).items()},
        populations=populations,
        projections=projections,
        stimuli={n: _stimulus(document, n, populations) for n in tables.get("stimulus", {})},
        records={n: _record(document, n, populations, dt) for n in tables.get("record", {})},
        experiment=_experiment(document),
        digest=digest,
    )
    return result


def _override(document: Document, key: str, value: str) -> None:
    path = key.split(".")
    if len(path) == 2 and path[0] == "parameters":
        path, key = path[1:], path[1]  # a parameter keeps its limits
    if path in (["model", "extends"], ["model", "remove"]):
        raise document.error(f"'{key}' can only be set in the file itself")
    if len(path) == 1:
        parameters = document.tables.get("parameters", {})
        if key not in parameters:
            raise document.error(f"no parameter '{key}' to set{nearest(key, parameters)}")
        old = parameters[key]
        parameters[key] = {**old, "value": value} if isinstance(old, dict) else value
        return
    *parents, last = path
    table: Any = document.tables
    for name in parents:
        table = table.get(name) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        raise document.error(f"no table '{'.'.join(parents)}' to set '{key}' in")
    parsed: Any = value
    if value[:1] in "[{" or re.fullmatch(r"[-+]?\d+|true|false", value):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            raise ModelError(
                f"--set {key}: '{shown(value)}' is not a list such as [20, 20]"
            ) from None
    table[last] = parsed


# ------------------------------------------------------------------ keys and types


def _check_keys(document: Document) -> None:
    for path, table in _walk(document.tables, ()):
        pattern = _pattern(path)
        if pattern is None:
            continue
        known = TABLES[pattern]
        for key, value in table.items():
            if key not in known:
                place = f"[{'.'.join(path)}]" if path else "a model file"
                raise document.error(
                    f"unknown key '{key}' in {place}{nearest(key, known)}"
                    f" (known: {', '.join(known)})",
                    *path,
                    key,
                )
            kinds = known[key]
            good = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
            if not good:
                raise document.error(
                    f"'{key}' must be {type_names(kinds)}, not {shown(repr(value))}", *path, key
                )
    for table_name in ("parameters", "table", "population", "projection", "stimulus", "record"):
        for name, value in document.tables.get(table_name, {}).items():
            if not NAME.fullmatch(name):
                raise document.error(
                    f"'{name}' is not a name (a letter, then letters, digits and _)",
                    table_name,
                    name,
                )
            if not isinstance(value, dict) and table_name != "parameters":
                raise document.error(
                    f"'{name}' must be a table [{table_name}.{name}], not {shown(repr(value))}",
                    table_name,
                    name,
                )


def _walk(table: dict, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict]]:
    yield path, table
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _walk(value, (*path, key))


def _pattern(path: tuple[str, ...]) -> str | None:
    for pattern in TABLES:
        parts = tuple(pattern.split(".")) if pattern else ()
        if len(parts) == len(path) and all(p in ("*", q) for p, q in zip(parts, path, strict=True)):
            return pattern
    return None


# --------------------------------------------------------------------- quantities


def _amount(document: Document, value: Any, dimensions: Dimension | None, *path: str) -> Amount:
    try:
        amount = parse_quantity(value)
    except UserError as error:
        raise document.error(str(error), *path) from None
    if dimensions is not None and amount.dimensions is not dimensions:
        bare = amount.dimensions.is_dimensionless
        found = "has no unit" if bare else f"is in '{unit_name(amount.dimensions)}'"
        raise document.error(
            f"'{path[-1]}' = {shown(value)} {found} but must be in '{unit_name(dimensions)}'", *path
        )
    return amount


def _time(document: Document, *path: str, default: float | None, positive: bool = True) -> float:
    table: Any = document.tables
    for key in path[:-1]:
        table = table.get(key, {})
    if path[-1] not in table:
        if default is None:
            raise document.error(
                f"'{path[-1]}' is missing in [{'.'.join(path[:-1])}] (a time such as '0.1 ms')",
                *path,
            )
        return default
    value = _amount(document, table[path[-1]], second.dim, *path).si
    if value < 0 or (positive and value == 0):
        raise document.error(f"'{path[-1]}' must be positive, not {table[path[-1]]!r}", *path)
    return value


# ----------------------------------------------------------------------- sections


def _parameter(document: Document, name: str, table: Any) -> spec.Parameter:
    where = ("parameters", name)
    if not isinstance(table, dict):
        table = {"value": table}
    if "value" not in table:
        raise document.error(f"parameter '{name}' has no 'value'", *where)
    value = _amount(document, table["value"], None, *where)
    bounds = {k: _amount(document, table[k], None, *where) for k in ("min", "max") if k in table}
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
        str(table["value"]),
        bounds.get("min"),
        bounds.get("max"),
        table.get("source", ""),
        table.get("about", ""),
    )


def _table(document: Document, name: str, table: dict) -> spec.Table:
    where = ("table", name)
    values = [_amount(document, v, None, *where, "values") for v in table.get("values", [])]
    if not values:
        raise document.error(f"table '{name}' has no values", *where)
    if len({v.dimensions for v in values}) > 1:
        raise document.error(f"the values of table '{name}' differ in unit", *where, "values")
    return spec.Table(tuple(values), _time(document, *where, "dt", default=None))


def _code_table(document: Document, table: dict, key: str, *where: str) -> dict[str, str]:
    """``on_pre = "code"`` or ``on_pre = {name = "code"}``; the plain form is named by its key."""
    value = table.get(key, {})
    if isinstance(value, str):
        return {{"on_pre": "pre", "on_post": "post"}.get(key, key): value}
    for name, code in value.items():
        if not isinstance(code, str):
            raise document.error(f"'{key}.{name}' must be text, not {code!r}", *where, key)
    return dict(value)


def _texts(document: Document, table: dict, key: str, *where: str) -> dict[str, str]:
    entries = table.get(key, {})
    for name, value in entries.items():
        if not isinstance(value, QUANTITY) or isinstance(value, bool):
            raise document.error(f"'{key}.{name}' must be text, not {value!r}", *where, key, name)
    return {name: str(value) for name, value in entries.items()}


def _equations(document: Document, table: dict, *where: str) -> str:
    try:
        return "\n".join(split_equations(table.get("equations", "")).values())
    except ModelError as error:
        needle = re.search(r"'(?:d(\w+)\s*/\s*dt|(\w+))", str(error))
        raise document.error(
            str(error), *where, "equations", needle=(needle[1] or needle[2]) if needle else None
        ) from None


def _population(
    document: Document, name: str, table: dict, dt: float, integrator: str
) -> spec.Population:
    where = ("population", name)
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
    size = shape[0] * (shape[1] if len(shape) == 2 else 1)
    if size > MAX_UNITS:
        raise document.error(f"population '{name}' has {size} units, over {MAX_UNITS}", *where)
    own_dt = _time(document, *where, "dt", default=dt)
    regularly = []
    for entry in table.get("regularly", []):
        if not isinstance(entry, dict) or set(entry) != {"code", "dt"}:
            raise document.error(
                "each 'regularly' is { code = '...', dt = '...' }", *where, "regularly"
            )
        every = _amount(document, entry["dt"], second.dim, *where, "regularly").si
        if every <= 0:
            raise document.error("'dt' of 'regularly' must be positive", *where, "regularly")
        regularly.append(spec.Regularly(str(entry["code"]), every))
    events = {}
    for event, entry in table.get("events", {}).items():
        if not isinstance(entry, dict) or set(entry) != {"condition", "action"}:
            raise document.error(
                f"event '{event}' needs 'condition' and 'action'", *where, "events"
            )
        events[event] = spec.Event(entry["condition"], entry["action"])
    return spec.Population(
        name=name,
        shape=shape,
        equations=_equations(document, table, *where),
        threshold=table.get("threshold"),
        reset=table.get("reset"),
        refractory=table.get("refractory"),
        integrator=table.get("integrator", integrator),
        dt=own_dt,
        initial=_texts(document, table, "initial", *where),
        regularly=tuple(regularly),
        events=events,
    )


def _endpoint(
    document: Document,
    text: str | None,
    name: str,
    key: str,
    populations: Mapping[str, spec.Population],
    projections: Mapping[str, spec.Projection],
) -> spec.Endpoint:
    where = ("projection", name, key)
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


def _projection(
    document: Document,
    name: str,
    table: dict,
    populations: Mapping[str, spec.Population],
    projections: Mapping[str, spec.Projection],
    integrator: str,
    dt: float,
) -> spec.Projection:
    where = ("projection", name)
    if name in populations:
        raise document.error(f"'{name}' is a population already", *where)
    source = _endpoint(document, table.get("from"), name, "from", populations, projections)
    target = _endpoint(document, table.get("to"), name, "to", populations, projections)
    target_dt = {
        **{p.name: p.dt for p in populations.values()},
        **{p.name: p.dt for p in projections.values()},
    }[target.name]
    connect = table.get("connect")
    if not isinstance(connect, dict) or connect.get("rule") not in CONNECT:
        given = connect.get("rule") if isinstance(connect, dict) else None
        raise document.error(
            f"'connect' of projection '{name}' needs rule = one of {', '.join(CONNECT)}"
            f"{nearest(str(given), CONNECT)}",
            *where,
            "connect",
        )
    known = CONNECT[connect["rule"]]
    for key, value in connect.items():
        if key == "rule":
            continue
        if key not in known or not isinstance(value, known[key]):
            raise document.error(
                f"unknown or mistyped '{key}' in rule '{connect['rule']}'{nearest(key, known)}"
                f" (it takes: {', '.join(known) or 'nothing'})",
                *where,
                "connect",
            )
    delay = table.get("delay", {})
    delay = {"pre": delay} if isinstance(delay, str) else _texts(document, table, "delay", *where)
    own_dt = _time(document, *where, "dt", default=target_dt)
    codes = {k: _code_table(document, table, k, *where) for k in ("on_pre", "on_post", "on_event")}
    if isinstance(table.get("on_event"), str):  # one event for every pathway
        codes["on_event"] = dict.fromkeys(codes["on_pre"] | codes["on_post"], table["on_event"])
    return spec.Projection(
        name=name,
        source=source,
        target=target,
        equations=_equations(document, table, *where),
        **codes,
        delay=delay,
        connect=connect,
        integrator=table.get("integrator", integrator),
        dt=own_dt,
        initial=_texts(document, table, "initial", *where),
    )


def _stimulus(
    document: Document, name: str, populations: Mapping[str, spec.Population]
) -> spec.Stimulus:
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
    duration = _time(document, *where, "duration", default=None)
    period = _time(document, *where, "period", default=duration)
    count = table.get("count", 1)
    if count < 1 or (count > 1 and period < duration):
        raise document.error(
            f"stimulus '{name}': count must be at least 1 and period at least duration", *where
        )
    return spec.Stimulus(
        name=name,
        population=table["to"],
        variable=table["variable"],
        amplitude=as_expression(str(table["amplitude"])),
        image=table.get("image"),
        start=_time(document, *where, "start", default=0.0, positive=False),
        duration=duration,
        period=period,
        count=count,
    )


def _record(
    document: Document, name: str, populations: Mapping[str, spec.Population], dt: float
) -> spec.Record:
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
    if not events and (not variables or not all(isinstance(v, str) for v in variables)):
        raise document.error(f"record '{name}' needs 'variables', a list of names", *where)
    if table.get("reduce", "mean") != "mean":
        raise document.error("'reduce' can only be 'mean'", *where, "reduce")
    stride = table.get("stride", 1)
    if stride < 1:
        raise document.error("'stride' must be at least 1", *where, "stride")
    return spec.Record(
        name=name,
        population=population,
        variables=tuple(variables),
        every=_time(document, *where, "every", default=dt),
        stride=stride,
        reduce=table.get("reduce"),
        events=events,
    )


def _experiment(document: Document) -> dict[str, object]:
    table = document.tables.get("experiment", {})
    if not table:
        return {}
    kind = table.get("kind")
    if kind not in EXPERIMENTS:
        raise document.error(
            f"[experiment] needs kind = one of {', '.join(EXPERIMENTS)}"
            f"{nearest(str(kind), EXPERIMENTS)}",
            "experiment",
            "kind",
        )
    known = {"kind": (str,), **EXPERIMENTS[kind]}
    result: dict[str, object] = {}
    for key, value in table.items():
        if key not in known or not isinstance(value, known[key]):
            raise document.error(
                f"unknown or mistyped '{key}' in [experiment]{nearest(key, known)}"
                f" (known: {', '.join(known)})",
                "experiment",
                key,
            )
        quantity = known[key] is QUANTITY
        result[key] = _time(document, "experiment", key, default=None) if quantity else value
    missing = [key for key in known if key not in table]
    if missing:
        raise document.error(f"[experiment] lacks {', '.join(missing)}", "experiment")
    return result
