"""Rules that connect a projection's two sides, against the sizes and shapes of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2.units.fundamentalunits import DIMENSIONLESS

from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import EDGES, nearest
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.language import algebra, arithmetic, expressions, geometry
from neuroglia_snn.language import equations as eqs

#: Of a pair of units.
_MOST_SYNAPSES = 1_000_000


def check(
    reporter: Reporter, projection: spec.Projection, symbols: eqs.Symbols, *path: str
) -> None:
    """Check one projection's ``connect``, which stands at ``path``."""
    rule = projection.connect["rule"]
    if rule in ("lattice", "footprint", "first-footprint"):
        _on_lattices(reporter, projection, *path)
    elif rule == "one-to-one":
        sizes = _sizes(reporter.model, projection)
        if None not in sizes and sizes[0] != sizes[1]:
            reporter.error(f"rule 'one-to-one' joins {sizes[0]} units to {sizes[1]}", *path)
    elif rule == "pairs":
        _pairs(reporter, projection, *path)
    elif rule == "condition":
        _condition(reporter, projection, symbols, *path)
    elif rule == "generator":
        _generator(reporter, projection, symbols, *path)


def _on_lattices(reporter: Reporter, projection: spec.Projection, *path: str) -> None:
    rule = projection.connect["rule"]
    ends = (projection.source, projection.target)
    source, target = (reporter.model.populations.get(e.name) for e in ends)
    if any(e.start is not None for e in ends) or not (source and target):
        reporter.error(f"rule '{rule}' needs two whole populations", *path)
    elif rule == "lattice":
        if source is not target:
            reporter.error("rule 'lattice' connects a population to itself", *path)
        _lattice(reporter, projection.connect, source.shape, *path)
    elif not len(source.shape) == len(target.shape) == 2:
        reporter.error(
            f"rule '{rule}' needs two whole populations with shape = [rows, columns]", *path
        )
    else:
        watched, watchers = (source, target) if rule == "footprint" else (target, source)
        _footprint(reporter, projection, watched, watchers, *path)


def _lattice(
    reporter: Reporter, connect: Mapping[str, Any], shape: tuple[int, ...], *path: str
) -> None:
    known = geometry.NEIGHBOURS[len(shape)]
    if connect.get("neighbours", min(known)) not in known:
        counts = " or ".join(map(str, known))
        dimensions = {1: "one dimension", 2: "two dimensions", 3: "three dimensions"}[len(shape)]
        reporter.error(f"'neighbours' is {counts} on a lattice of {dimensions}", *path)
    edges = connect.get("edges", EDGES[0])
    if edges not in EDGES:
        reporter.error(
            f"'edges' is {' or '.join(EDGES)}, not '{shown(edges)}'{nearest(edges, EDGES)}", *path
        )
    if connect.get("edges") == "periodic" and min(shape) < 3:
        reporter.error(
            f"with periodic edges a lattice has 3 sites at least along each axis, not {min(shape)}:"
            " a site would be its own neighbour, or one twice",
            *path,
        )


def _footprint(
    reporter: Reporter,
    projection: spec.Projection,
    watched: spec.Population,
    watchers: spec.Population,
    *path: str,
) -> None:
    connect = projection.connect
    for key in ("size", "step"):
        value = connect.get(key)
        if not (
            isinstance(value, list)
            and len(value) == 2
            and all(type(v) is int and v > 0 for v in value)
        ):
            reporter.error(f"rule '{connect['rule']}' needs {key} = [rows, columns]", *path)
            return
    try:
        geometry.check_footprints(
            watched.shape, watchers.shape, tuple(connect["size"]), tuple(connect["step"])
        )
    except UserError as error:
        reporter.error(str(error), *path)


def _pairs(reporter: Reporter, projection: spec.Projection, *path: str) -> None:
    pairs = projection.connect.get("pairs", [])
    if not len(pairs):
        reporter.error("rule 'pairs' needs pairs = [[source, target], ...]", *path)
        return
    if not isinstance(pairs, spec.Values):  # whose numbers may have any number of digits
        pairs = [[max(-1, min(n, 2**31)) for n in pair] for pair in pairs]
    numbers = np.asarray(pairs, dtype=np.int64)
    limits = [np.inf if m is None else m for m in _sizes(reporter.model, projection)]
    outside = ((numbers < 0) | (numbers >= limits)).any(axis=1)
    if outside.any():
        pair = numbers[np.argmax(outside)].tolist()
        reporter.error(f"{pair} is not a pair [source, target] within the populations", *path)


def _condition(
    reporter: Reporter, projection: spec.Projection, symbols: eqs.Symbols, *path: str
) -> None:
    connect = projection.connect
    given = {key: str(connect[key]) for key in ("condition", "p", "n") if key in connect}
    if any([_before_connections(reporter, projection, *item, *path) for item in given.items()]):
        return
    given |= {"p": str(projection.stated["p"])} if "p" in projection.stated else {}
    if "condition" in given:
        reporter.condition(given["condition"], symbols, "connect condition", *path)
    for key, type_ in (("p", None), ("n", eqs.FLOAT)):  # a condition may be a probability
        if key in given:
            label = f"connect {key}"
            reporter.expression(given[key], symbols, DIMENSIONLESS, label, *path, type_=type_)
    if reporter.has_errors:
        return  # an expression that is wrong has no value
    low, high = _reached(reporter.model, given.get("p", "1"), symbols)
    if not 0 <= low <= high <= 1:
        reporter.error(f"connect p is a probability from 0 to 1, not {given['p']}", *path)
    low, high = _reached(reporter.model, given.get("n", "1"), symbols)
    if not 0 <= low <= high < _MOST_SYNAPSES or (low == high and low % 1):
        reporter.error(
            f"connect n is a whole number of synapses a pair, below {_MOST_SYNAPSES}, not"
            f" {connect['n']}",
            *path,
        )


def _generator(
    reporter: Reporter, projection: spec.Projection, symbols: eqs.Symbols, *path: str
) -> None:
    """Numbers of units from an iterator's numbers; what is of the chosen unit has no value before these."""
    connect = projection.stated or projection.connect
    variable, _, chosen = connect["iterator"]
    if variable in symbols:
        reporter.error(f"connect {chosen}: '{variable}' means something already: rename it", *path)
        return
    side, ending = ("source", "_pre") if chosen == "i" else ("target", "_post")
    unknown = {n for n in symbols if n.endswith(ending) and n != f"N{ending}"} | {chosen}
    if chosen == "j":  # names alone are the target's
        unknown |= {*eqs.endpoint_variables(reporter.model, projection.target)}
    iterated = eqs.generator_symbols(projection, symbols)
    for key in connect.keys() - {"rule", "iterator"}:
        text, label = connect[key], f"connect {key}"
        if _before_connections(reporter, projection, key, text, *path):
            continue
        ends = key not in ("element", "condition")
        known = symbols if ends else iterated
        early = algebra.names(text) & unknown if key != "condition" else set()
        if early:
            reporter.error(
                f"{label} names '{min(early)}' of the {side}, which it is to choose", *path
            )
        elif chosen == "i" and ends and "j" in algebra.names(text):
            reporter.error(
                f"{label} of i = ... names 'j', which Brian2 takes in no range: put it into the element or"
                " the condition, or take a variable of the target (x_post)",
                *path,
            )
        elif key == "condition":
            reporter.condition(text, known, label, *path)
        else:
            type_ = eqs.FLOAT if key == "p" else eqs.INTEGER
            reporter.expression(text, known, DIMENSIONLESS, label, *path, type_=type_)
    if not reporter.has_errors:
        _numbers(reporter, projection, connect, symbols, *path)
    if not reporter.has_errors and "p" in connect:
        low, high = _reached(reporter.model, connect["p"], symbols)
        if not 0 <= low <= high <= 1:
            reporter.error(f"connect p is a probability from 0 to 1, not {connect['p']}", *path)


#: Most numbers that a generator goes through for a unit.
_MOST_NUMBERS = 100_000_000


def _numbers(
    reporter: Reporter,
    projection: spec.Projection,
    connect: Mapping[str, Any],
    symbols: eqs.Symbols,
    *path: str,
) -> None:
    """The numbers of a generator's iterator: not without end, and as many as are to be drawn of them."""
    model, chosen = reporter.model, connect["iterator"][2]
    low, high = _reached(model, connect.get("step", "1"), symbols, unknown=(0.0, 0.0))
    if low <= 0 <= high:
        reporter.error(
            f"connect {chosen}: a step is other than 0, and '{shown(connect['step'])}' may be 0",
            *path,
        )
        return
    sizes = _sizes(model, projection)
    scope: dict[str, object] = {n: p.value.si for n, p in model.parameters.items()}
    scope |= eqs.outer(connect, *sizes)
    first, last, step, drawn = (
        expressions.of_arrays(connect.get(key, otherwise), scope)
        for key, otherwise in (("low", "0"), ("high", "0"), ("step", "1"), ("size", "0"))
    )
    if first is None or last is None or step is None:
        return
    spans = np.asarray(last, float) - np.asarray(first, float)
    count = np.maximum(0, np.ceil(spans / np.asarray(step, float)))
    sample = np.asarray(0 if drawn is None else drawn, float)
    if (sample < 0).any():
        reporter.error(f"connect {chosen}: a size is from 0 on, not {sample.min():g}", *path)
    elif (sample > count).any():
        few = np.broadcast_to(count, (sample > count).shape)[sample > count]
        reporter.error(
            f"connect {chosen}: size = {shown(connect['size'])} numbers cannot be drawn of {few.flat[0]:g}",
            *path,
        )
    elif projection.connect == connect and count.max() > _MOST_NUMBERS:
        reporter.error(
            f"connect {chosen}: a unit's range has {count.max():g} numbers, and up to {_MOST_NUMBERS:g} are gone"
            " through: bound it, as by N_post or N_pre",
            *path,
        )


def _before_connections(
    reporter: Reporter, projection: spec.Projection, key: str, text: str, *path: str
) -> bool:
    """Whether a text names what has no value yet when connections are made, or draws; says so."""
    named = algebra.names(text)
    drawn = sorted(named & expressions.RANDOM) if key != "condition" else []
    later = named & {*eqs.parse(projection.equations), "N_incoming", "N_outgoing", "lastupdate"}
    for name in drawn:
        reporter.error(
            f"connect {key} draws no random numbers, as '{shown(text)}' does by {name}(): p is the"
            " probability of a pair, and a random condition is 'rand() < ...'",
            *path,
        )
    for name in sorted(later):
        reporter.error(
            f"connect {key} names '{name}', which has no value before there are synapses: use those of"
            " both sides (x_pre, x_post), i and j",
            *path,
        )
    return bool(drawn or later)


def _reached(
    model: spec.Model, text: str, symbols: eqs.Symbols, unknown: tuple[float, float] = (0.0, 0.0)
) -> tuple[float, float]:
    """Least and greatest value of what follows from parameters, or from indices; else ``unknown``."""
    value = eqs.constant_value(model, text)
    if value is not None:
        return value, value
    return arithmetic.bounds(expressions.parse(text).body, symbols) or unknown


def _sizes(model: spec.Model, projection: spec.Projection) -> list[int | None]:
    """Units on each side; None for a projection, whose size its own rule decides."""
    return [_size(model, endpoint) for endpoint in (projection.source, projection.target)]


def _size(model: spec.Model, endpoint: spec.Endpoint) -> int | None:
    if endpoint.start is not None and endpoint.stop is not None:
        return endpoint.stop - endpoint.start
    population = model.populations.get(endpoint.name)
    return population.size if population else None
