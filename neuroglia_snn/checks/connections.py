"""Rules that connect a projection's two sides, against the sizes and shapes of these."""

from __future__ import annotations

import numpy as np
from brian2.units.fundamentalunits import DIMENSIONLESS

from neuroglia_snn import algebra, arithmetic, expressions, geometry, spec
from neuroglia_snn import equations as eqs
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import UserError, shown

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


def _on_lattices(reporter: Reporter, projection: spec.Projection, *path: str) -> None:
    rule = projection.connect["rule"]
    ends = (projection.source, projection.target)
    source, target = (reporter.model.populations.get(e.name) for e in ends)
    whole = all(e.start is None for e in ends)
    if not (whole and source and target and len(source.shape) == len(target.shape) == 2):
        reporter.error(
            f"rule '{rule}' needs two whole populations with shape = [rows, columns]", *path
        )
    elif rule == "lattice":
        if source is not target:
            reporter.error("rule 'lattice' connects a population to itself", *path)
        if projection.connect.get("neighbours", 4) not in (4, 8):
            reporter.error("'neighbours' is 4 or 8", *path)
        if projection.connect.get("edges", "zero-flux") != "zero-flux":
            reporter.error("'edges' can only be 'zero-flux'", *path)
    else:
        watched, watchers = (source, target) if rule == "footprint" else (target, source)
        _footprint(reporter, projection, watched, watchers, *path)


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
        reporter.error(f"connect p is a probability from 0 to 1, not {connect['p']}", *path)
    low, high = _reached(reporter.model, given.get("n", "1"), symbols)
    if not 0 <= low <= high < _MOST_SYNAPSES or (low == high and low % 1):
        reporter.error(
            f"connect n is a whole number of synapses a pair, below {_MOST_SYNAPSES}, not"
            f" {connect['n']}",
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


def _reached(model: spec.Model, text: str, symbols: eqs.Symbols) -> tuple[float, float]:
    """Least and greatest value of what follows from parameters, or from indices; else of anything: 0."""
    value = eqs.constant_value(model, text)
    if value is not None:
        return value, value
    return arithmetic.bounds(expressions.parse(text).body, symbols) or (0.0, 0.0)


def _sizes(model: spec.Model, projection: spec.Projection) -> list[int | None]:
    """Units on each side; None for a projection, whose size its own rule decides."""
    return [_size(model, endpoint) for endpoint in (projection.source, projection.target)]


def _size(model: spec.Model, endpoint: spec.Endpoint) -> int | None:
    if endpoint.start is not None and endpoint.stop is not None:
        return endpoint.stop - endpoint.start
    population = model.populations.get(endpoint.name)
    return population.size if population else None
