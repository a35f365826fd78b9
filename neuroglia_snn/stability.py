"""The stiffest rate of a population at its initial state, and the largest stable time step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from neuroglia_snn import equations as eqs
from neuroglia_snn import expressions, spec
from neuroglia_snn.errors import UserError
from neuroglia_snn.integrators import INTEGRATORS
from neuroglia_snn.quantities import parse_quantity


def initial_values(model: spec.Model, population: spec.Population) -> dict[str, float]:
    """Parameters and variables of a population at the start, SI units, random parts at their mean."""
    values: dict[str, object] = {n: p.value.si for n, p in model.parameters.items()}
    for name, table in model.tables.items():
        values[name] = _first_value(table)
    values |= {"t": 0.0, "dt": population.dt, "i": 0.0, "j": 0.0, "N": float(population.size)}
    values |= {"t_in_timesteps": 0.0, "lastspike": -1e9, "not_refractory": 1.0}
    own = eqs.parse(population.equations)
    for name, equation in own.items():
        if equation.kind != "subexpression":
            values[name] = 0.0
        values |= dict.fromkeys(equation.noise_terms, 0.0)
    for name in eqs.initial_order(own, population.initial):
        text = population.initial[name]
        try:
            values[name] = parse_quantity(text).si
        except UserError:
            values[name] = _value(own, text, values)
    return values  # type: ignore[return-value]


def _first_value(table: spec.Table) -> Callable[[float], float]:
    return lambda t: table.values[0].si


def _resolved(own: Mapping[str, eqs.Equation], name: str, values: Mapping) -> float:
    """Value of an equation's right-hand side."""
    return _value(own, own[name].expression or "0", values)


def _value(own: Mapping[str, eqs.Equation], text: str, values: Mapping) -> float:
    """Value of an expression, subexpressions included (each worked out once)."""
    scope = dict(values)
    known: set[str] = set()

    def value(text: str) -> float:
        for other in expressions.names(text):
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
        used = expressions.names(equation.expression or "0")
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

    Lattice and one-to-one couplings of the population to itself are taken for a mode in which the
    neighbours move ``mode`` times as much as a unit itself: +1 in phase, -1 in antiphase, which is
    the stiffest.
    """
    own = eqs.parse(population.equations)
    state = [n for n, e in own.items() if e.kind == "differential"]
    base = initial_values(model, population)
    projections = [p for p in model.projections.values() if _couples(p, population)]

    def drift(change: Mapping[str, float]) -> np.ndarray:
        values = dict(base)
        for name, delta in change.items():
            values[name] = base[name] + delta
        for projection in projections:
            values |= _coupling(projection, own, base, values, mode)
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


def _couples(projection: spec.Projection, population: spec.Population) -> bool:
    same = projection.source.name == projection.target.name == population.name
    return same and projection.connect["rule"] in ("lattice", "one-to-one")


def _coupling(
    projection: spec.Projection,
    population: Mapping[str, eqs.Equation],
    base: dict,
    values: dict,
    mode: float,
) -> dict[str, float]:
    count = (
        projection.connect.get("neighbours", 4) if projection.connect["rule"] == "lattice" else 1
    )
    scope = dict(values)
    for name in base:
        scope[f"{name}_post"] = values[name]
        if isinstance(base[name], float):
            scope[f"{name}_pre"] = base[name] + mode * (values[name] - base[name])
    scope |= {"N_incoming": float(count), "N_outgoing": float(count), "lastupdate": 0.0}
    scope |= {"i_pre": 0.0, "i_post": 0.0, "N_pre": base["N"], "N_post": base["N"]}
    for name, equation in population.items():
        if equation.kind == "subexpression":
            sources = {n.removesuffix("_pre"): v for n, v in scope.items() if n.endswith("_pre")}
            scope[f"{name}_pre"] = _resolved(population, name, {**values, **sources})
            scope[f"{name}_post"] = _resolved(population, name, values)
    own = eqs.parse(projection.equations)
    return {
        name.removesuffix("_post"): count * _resolved(own, name, scope)
        for name, equation in own.items()
        if "summed" in equation.flags
    }


def stiffest_rate(model: spec.Model, population: spec.Population) -> float:
    """Largest decay rate at the initial state, 1/s (0 where nothing decays)."""
    rates = [0.0]
    for mode in (1.0, -1.0):
        matrix = jacobian(model, population, mode)
        if matrix.size and np.isfinite(matrix).all():
            eigenvalues = np.linalg.eigvals(matrix)
            rates += [abs(value) for value in eigenvalues if value.real < 0]
    return float(max(rates))


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
