"""The stiffest rate of a population at its initial state, and the largest stable time step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.errors import UserError
from neuroglia_snn.language import algebra, couplings, expressions
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.integrators import INTEGRATORS
from neuroglia_snn.language.quantities import parse_quantity


def initial_values(
    model: spec.Model, population: spec.Population, unit: int = 0
) -> dict[str, float]:
    """Parameters and variables of a unit at the start, SI units, random parts at their mean."""
    values: dict[str, object] = {n: p.value.si for n, p in model.parameters.items()}
    for name, table in model.tables.items():
        values[name] = _first_value(table)
    values |= {
        "t": 0.0,
        "dt": population.dt,
        "i": float(unit),
        "j": 0.0,
        "N": float(population.size),
    }
    values |= {"t_in_timesteps": 0.0, "lastspike": -1e9, "not_refractory": 1.0}
    own = eqs.parse(population.equations)
    for name, equation in own.items():
        if equation.kind != "subexpression":
            values[name] = 0.0
        values |= dict.fromkeys(equation.noise_terms, 0.0)
    for name in eqs.initial_order(own, population.initial):
        values[name] = _initial_value(own, population.initial[name], values, unit)
    return values  # type: ignore[return-value]


def _initial_value(
    own: Mapping[str, eqs.Equation], text: spec.Value, values: Mapping[str, object], place: int = 0
) -> float:
    if isinstance(text, spec.Values):
        return float(text.flat[place])
    try:
        return parse_quantity(text).si
    except UserError:
        return _value(own, text, values)


def initial_synapse(model: spec.Model, projection: spec.Projection) -> dict[str, float]:
    """Parameters and variables of a synapse and of both its sides at the start, SI units."""
    values: dict[str, object] = {n: p.value.si for n, p in model.parameters.items()}
    for side, endpoint in (("pre", projection.source), ("post", projection.target)):
        population = model.populations.get(endpoint.name)
        found = initial_values(model, population) if population else {}
        values |= {f"{n}_{side}": x for n, x in found.items() if n not in model.parameters}
        values |= {n: x for n, x in found.items() if n not in values}
    own = eqs.parse(projection.equations)
    values |= {"dt": projection.dt, "lastupdate": 0.0, "N_incoming": 1.0, "N_outgoing": 1.0}
    values |= {n: 0.0 for n, e in own.items() if e.kind != "subexpression"}
    for name in eqs.initial_order(own, projection.initial):
        values[name] = _initial_value(own, projection.initial[name], values)
    return values  # type: ignore[return-value]


def _first_value(table: spec.Table) -> Callable[..., float]:
    return lambda t, *column: float(table.values.flat[0])


def _resolved(own: Mapping[str, eqs.Equation], name: str, values: Mapping) -> float:
    """Value of an equation's right-hand side."""
    return _value(own, own[name].expression or "0", values)


def _value(own: Mapping[str, eqs.Equation], text: str, values: Mapping) -> float:
    """Value of an expression, subexpressions included (each worked out once)."""
    scope = dict(values)
    known: set[str] = set()

    def value(text: str) -> float:
        for other in algebra.names(text):
            if other in own and own[other].kind == "subexpression" and other not in known:
                known.add(other)
                scope[other] = value(own[other].expression or "0")
        return expressions.evaluate(text, scope)

    return value(text)


def noise_problems(model: spec.Model, population: spec.Population) -> list[tuple[str, str]]:
    """Equations whose noise has no real amplitude at the initial state, with a sentence each."""
    own = eqs.parse(population.equations)
    values = initial_values(model, population)
    problems = []
    for name, equation in own.items():
        if not any(
            math.isnan(_resolved(own, name, {**values, xi: 1.0})) for xi in equation.noise_terms
        ):
            continue
        used = algebra.names(equation.expression or "0")
        below = [
            f"{n} = {p.text}" for n, p in model.parameters.items() if n in used and p.value.si < 0
        ]
        problems.append(
            (
                name,
                f"{equation.label} has no real value at the initial state: a root of a negative number"
                f" ({', '.join(below) or 'a variance below zero?'}) or 0/0",
            )
        )
    return problems


def jacobian(model: spec.Model, population: spec.Population, mode: float) -> np.ndarray:
    """Jacobian of the drift at the initial state, 1/s, for a spatial mode.

    Sums over connections of the population to itself are taken for a mode in which the neighbours
    move as a unit itself does (+1), or for the stiffest mode of the connections (-1). Sums of other
    populations, and over connections that are not known (`unknown_links`), stand still.
    """
    own = eqs.parse(population.equations)
    state = [n for n, e in own.items() if e.kind == "differential"]
    base = initial_values(model, population)
    sums = [one for one in couplings.all_sums(model) if within(one, population)]
    known = [(one, found) for one in sums if (found := links(model, one.projection))]

    def drift(change: Mapping[str, float]) -> np.ndarray:
        values = dict(base)
        for name, delta in change.items():
            values[name] = base[name] + delta
        for one, found in known:
            values[one.variable] = _summed(one, found, own, base, values, mode)
        return np.array([_resolved(own, n, values) for n in state])

    def slope(name: str, step: float) -> np.ndarray:
        return (drift({name: step}) - drift({name: -step})) / (2 * step)

    columns = []
    for name in state:
        step = 1e-6 * max(abs(base[name]), 1e-6)
        with np.errstate(all="ignore"):  # the caller looks for NaN
            # the share of a jump doubles in half the step, so this leaves the smooth parts
            columns.append(2 * slope(name, step) - slope(name, step / 2))
    return np.array(columns).T if columns else np.zeros((0, 0))


@dataclass(frozen=True)
class Links:
    """Connections to one unit of those that a rule makes within a population.

    ``count`` is the largest number of them (the expected one where it is drawn), and ``stiffest`` how
    much the sources of a unit move in the stiffest mode, where the unit itself moves by 1.
    """

    count: float
    stiffest: float


def within(one: couplings.Sum, population: spec.Population) -> bool:
    """Whether a sum is over connections of the population, or a part of it, to itself."""
    return one.projection.source.name == one.projection.target.name == population.name


def links(model: spec.Model, projection: spec.Projection) -> Links | None:
    """Connections of a population to itself; None where they are not known before a run."""
    if projection.source.start is not None or projection.target.start is not None:
        return None
    connect, size = projection.connect, model.populations[projection.source.name].size
    match connect["rule"]:
        case "lattice":
            shape = model.populations[projection.source.name].shape
            return Links(connect.get("neighbours", 2 * len(shape)), -1.0)
        case "one-to-one":
            return Links(1, 1.0)  # a unit is its own neighbour
        case "pairs":
            return Links(int(np.bincount(np.asarray(connect["pairs"])[:, 1]).max()), -1.0)
        case "footprint":
            return Links(math.prod(connect["size"]), -1.0)
        case "first-footprint":
            return Links(1, -1.0)
        case "all":
            return Links(size, 0.0)  # where all units together do not move
    return _by_condition(model, projection, size)


#: Most pairs of units of which it is looked whether they meet a condition.
_PAIRS = 200_000


def _by_condition(model: spec.Model, projection: spec.Projection, size: int) -> Links | None:
    connect = {k: v for k, v in projection.connect.items() if k != "rule"}
    step = max(1, math.ceil(size / math.sqrt(_PAIRS)))
    target = np.arange(0, size, step)  # some of the targets, and all sources of each
    source = np.arange(size) if target.size * size <= _PAIRS * 10 else target
    i, j = np.meshgrid(source, target, indexing="ij")
    scope = scope_of_pairs(model, projection, i, j)
    values = {}
    for key, otherwise in (("condition", "True"), ("p", "1"), ("n", "1")):
        known = expressions.of_arrays(str(connect.get(key, otherwise)), scope)
        if known is None:
            return None
        values[key] = np.broadcast_to(np.asarray(known, float), i.shape)
    number, chance = np.floor(values["n"]) * values["condition"], np.clip(values["p"], 0, 1)
    scale = size / source.size
    count = float((number * chance).sum(0).max()) * scale
    if not count:
        return Links(0, 0.0)
    # less than all-to-all by so much, whose stiffest mode stands still; and what is drawn scatters
    missing = size * float((number * chance).max()) - count
    scatter = math.sqrt(float((number**2 * chance * (1 - chance)).sum(0).max()) * scale)
    return Links(count, -min(1.0, (missing + scatter) / count))


def scope_of_pairs(
    model: spec.Model, projection: spec.Projection, i: np.ndarray, j: np.ndarray
) -> dict[str, object]:
    """Values at the start of what a connection from each unit i to the unit j may name, in SI units."""
    scope: dict[str, object] = {"i": i * 1.0, "j": j * 1.0, "i_pre": i * 1.0, "i_post": j * 1.0}
    scope |= {n: p.value.si for n, p in model.parameters.items()} | {"t": 0.0, "dt": projection.dt}
    ends = (("pre", projection.source, i), ("post", projection.target, j))
    for side, endpoint, units in ends:
        population, first = model.populations[endpoint.name], endpoint.start or 0
        scope[f"N_{side}"] = float((endpoint.stop or population.size) - first)
        for name, found in places(model, population).items():
            scope[f"{name}_{side}"] = found[units + first]
            if side == "post":
                scope[name] = found[units + first]
    return scope


def places(model: spec.Model, population: spec.Population) -> dict[str, np.ndarray]:
    """Initial values of all units that follow from their numbers, such as where they are."""
    if population.size > _PAIRS:
        return {}
    scope: dict[str, object] = {n: p.value.si for n, p in model.parameters.items()}
    scope |= {"i": np.arange(population.size) * 1.0, "N": float(population.size)}
    own = eqs.parse(population.equations)
    found = {
        name: np.zeros(population.size)
        for name, equation in own.items()
        if equation.kind != "subexpression" and name not in population.initial
    }
    for name in eqs.initial_order(own, population.initial):
        text = population.initial[name]
        if isinstance(text, spec.Values):
            found[name] = text.flat
            continue
        value = expressions.of_arrays(text, {**scope, **found})
        if value is not None:
            found[name] = np.broadcast_to(np.asarray(value, float), population.size)
    return found


def unknown_links(model: spec.Model, population: spec.Population) -> list[couplings.Sum]:
    """Sums within a population that its rates read and whose connections are not known here."""
    own = eqs.parse(population.equations)
    rates = "\n".join(e.expression or "" for e in own.values() if e.kind == "differential")
    read = eqs.reads(own, rates)
    return [
        one
        for one in couplings.all_sums(model)
        if within(one, population) and one.variable in read and links(model, one.projection) is None
    ]


def _summed(
    one: couplings.Sum,
    found: Links,
    own: Mapping[str, eqs.Equation],
    base: Mapping,
    values: Mapping,
    mode: float,
) -> float:
    """Value of a sum at a unit that moved away from the initial state, and its neighbours with it."""
    if mode < 0:
        mode = found.stiffest
    post = dict(values)
    pre = {n: v + mode * (values[n] - v) if isinstance(v, float) else v for n, v in base.items()}
    for side in (pre, post):
        side |= {n: _resolved(own, n, side) for n, e in own.items() if e.kind == "subexpression"}
    count = float(found.count)
    scope = {**values, "N_incoming": count, "N_outgoing": count, "lastupdate": 0.0}
    scope |= {f"{n}_pre": v for n, v in pre.items()} | {f"{n}_post": v for n, v in post.items()}
    of_connections = eqs.parse(one.projection.equations)
    scope |= {n: 0.0 for n, e in of_connections.items() if e.kind != "subexpression"}
    for name in eqs.initial_order(of_connections, one.projection.initial):
        scope[name] = _initial_value(of_connections, one.projection.initial[name], scope)
    for name, equation in of_connections.items():
        if "constant over dt" in equation.flags:
            scope[name] = _resolved(of_connections, name, scope)
    return count * expressions.evaluate(one.text, scope)


def stiffest_rate(model: spec.Model, population: spec.Population) -> float:
    """Largest decay rate at the initial state, 1/s (0 where nothing decays)."""
    rates = [0.0]
    for mode in (1.0, -1.0):
        matrix = jacobian(model, population, mode)
        if matrix.size and np.isfinite(matrix).all():
            eigenvalues = np.linalg.eigvals(matrix)
            rates += [abs(value) for value in eigenvalues if value.real < 0]
    return float(max(rates))


#: A step of a variable in single precision must be so many times its rounding, 2^-24 of its value.
ROUNDINGS = 100


def lost_in_float32(model: spec.Model, population: spec.Population) -> list[tuple[str, str]]:
    """Variables too slow for single precision at the step, with a sentence each.

    A variable that relaxes at the rate r stops where its step, r dt of its distance to rest, falls
    below half its rounding; one that does not relax is judged by its change in the first step.
    """
    own = eqs.parse(population.equations)
    state = [n for n, e in own.items() if e.kind == "differential"]
    values = initial_values(model, population)
    slopes = np.abs(np.diag(jacobian(model, population, 1.0)))
    found = []
    for name, slope in zip(state, slopes, strict=True):
        start = abs(values[name])
        drift = abs(_resolved(own, name, values)) / start if start else 0.0
        rate = max(rate for rate in (slope, drift) if not math.isnan(rate)) if slope or drift else 0
        if 0 < rate * population.dt < ROUNDINGS * 2.0**-24:
            found.append(
                (
                    name,
                    f"'{name}' changes by {rate * population.dt:.1g} of its value in a step of"
                    f" {population.dt * 1e3:g} ms, which single precision ({2.0**-24:.1g}) cannot"
                    f" follow: use float64, or a longer dt for '{population.name}'",
                )
            )
    return found


def unstable_step(model: spec.Model, population: spec.Population) -> str | None:
    """A sentence with the safe step if ``dt`` is beyond the scheme's limit, else None."""
    scheme = INTEGRATORS.get(population.integrator)
    if scheme is None or math.isinf(scheme.limit):
        return None
    rate = stiffest_rate(model, population)
    if rate * population.dt <= scheme.limit:
        return None
    safe = scheme.limit / rate
    digits = 10.0 ** (math.floor(math.log10(safe)) - 1)
    safe = math.floor(safe / digits) * digits
    return (
        f"dt = {population.dt * 1e3:g} ms is unstable in '{population.name}': its stiffest rate is"
        f" {rate / 1e3:.3g} / ms and '{scheme.name}' needs rate*dt <= {scheme.limit:g},"
        f" so dt <= {safe * 1e3:.3g} ms"
    )
