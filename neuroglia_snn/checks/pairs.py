"""What follows from the two units of a connection: probabilities, and initial values of synapses."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.language import algebra, expressions, stability
from neuroglia_snn.language import equations as eqs

#: Most pairs of units that are looked at: all sources of some targets.
_PAIRS = 200_000


def check(reporter: Reporter) -> None:
    """Initial values are finite, and probabilities from 0 to 1, wherever they are known before a run."""
    model = reporter.model
    for population in model.populations.values():
        own = eqs.parse(population.equations)
        for name, found in stability.places(model, population).items():
            if _is_plain(own, name, population.initial) and not np.isfinite(found).all():
                reporter.error(
                    f"initial {name} of '{population.name}' is not finite: '{_said(population, name)}' is"
                    f" {found[~np.isfinite(found)][0]} for unit {int(np.argmin(np.isfinite(found)))}",
                    *("population", population.name, "initial", name),
                )
    for projection in model.projections.values():
        connected = _connected(model, projection)
        if connected is not None and connected[0].size:
            _of_projection(reporter, projection, *connected)


def count(model: spec.Model, projection: spec.Projection) -> int | None:
    """How many connections a projection has, where that is known without looking at too many pairs."""
    connect = projection.connect
    ends = [(model.populations.get(e.name), e) for e in (projection.source, projection.target)]
    sizes = [end.size_in(population) for population, end in ends if population is not None]
    if len(sizes) < 2 or {"p", "n"} & connect.keys():
        return None
    match connect["rule"]:
        case "pairs":
            return len(connect["pairs"])
        case "one-to-one":
            return sizes[0]
        case "all":
            return sizes[0] * sizes[1]
        case "condition" if sizes[0] * sizes[1] <= _PAIRS:
            known = _connected(model, projection)
            return None if known is None else known[0].size
    return None


def _of_projection(
    reporter: Reporter, projection: spec.Projection, i: np.ndarray, j: np.ndarray
) -> None:
    model, path = reporter.model, ("projection", projection.name)
    scope = stability.scope_of_pairs(model, projection, i, j)
    if "p" in projection.connect:
        p = _values(str(projection.connect["p"]), scope, i)
        wrong = None if p is None else ~((p >= -1e-9) & (p <= 1 + 1e-9))
        if p is not None and wrong is not None and wrong.any():
            at = int(np.argmax(wrong))
            reporter.error(
                "connect p is a probability from 0 to 1, and"
                f" '{shown((projection.stated or projection.connect)['p'])}' is {p[at]:g} from unit {i[at]}"
                f" to unit {j[at]}",
                *path,
                "connect",
            )
            return
    own = eqs.parse(projection.equations)
    scope |= {n: np.zeros(i.size) for n, e in own.items() if e.kind != "subexpression"}
    for name in eqs.initial_order(own, projection.initial):
        text = projection.initial[name]
        if isinstance(text, spec.Values):
            scope.pop(name)
            continue
        found = _values(_in_full(own, text), scope, i)
        if found is None:
            scope.pop(name)
            continue
        scope[name] = found
        if _is_plain(own, name, projection.initial) and not np.isfinite(found).all():
            at = int(np.argmin(np.isfinite(found)))
            reporter.error(
                f"initial {name} of '{projection.name}' is not finite: '{shown(text)}' is {found[at]} from"
                f" unit {i[at]} to unit {j[at]}",
                *path,
                "initial",
                name,
            )


def _is_plain(
    own: Mapping[str, eqs.Equation], name: str, initial: Mapping[str, spec.Value]
) -> bool:
    """Whether a variable has an initial value that is the same in whole numbers: those know no infinity."""
    text = str(initial.get(name, ""))
    return (
        name in own
        and own[name].type == eqs.FLOAT
        and not {"%", "//"} & {*re.findall("%|//", text)}
    )


def _said(population: spec.Population, name: str) -> str:
    return shown(str(population.initial[name]))


def _in_full(own: dict[str, eqs.Equation], text: str) -> str:
    """An expression with definitions of the synapses in the place of their names."""
    known = {n: f"({e.expression})" for n, e in own.items() if e.kind == "subexpression"}
    for _ in known:
        if not algebra.names(text) & known.keys():
            break
        text = algebra.substituted(text, known)
    return text


def _values(text: str, scope: dict[str, object], i: np.ndarray) -> np.ndarray | None:
    found = expressions.of_arrays(eqs.as_expression(text), scope)
    return None if found is None else np.broadcast_to(np.asarray(found, float), i.shape)


def _connected(
    model: spec.Model, projection: spec.Projection
) -> tuple[np.ndarray, np.ndarray] | None:
    """Pairs of units that are connected, or are with some probability; None where a run alone knows."""
    connect, ends = projection.connect, []
    for endpoint in (projection.source, projection.target):
        population = model.populations.get(endpoint.name)
        if population is None or population.size > _PAIRS:
            return None
        ends.append(endpoint.size_in(population))
    if connect["rule"] == "pairs":
        listed = np.asarray(connect["pairs"], int)[:_PAIRS]
        return listed[:, 0], listed[:, 1]
    if connect["rule"] not in ("condition", "all"):
        return None
    count = min(ends[1], max(1, _PAIRS // ends[0]))
    targets = np.unique(np.linspace(0, ends[1] - 1, count).astype(int))
    grid = np.meshgrid(np.arange(ends[0]), targets, indexing="ij")
    i, j = grid[0].ravel(), grid[1].ravel()
    condition = str(connect.get("condition", "True"))
    met = _values(condition, stability.scope_of_pairs(model, projection, i, j), i)
    if met is None:
        return None
    return i[met != 0], j[met != 0]
