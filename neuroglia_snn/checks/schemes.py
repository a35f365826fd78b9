"""Whether an integrator takes the equations of a population or projection, and how exact it is.

The step is made as a run would make it, so that a check foresees what a run does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from types import SimpleNamespace

import mpmath  # type: ignore[import-untyped]
import numpy as np
from brian2.core.functions import Function
from brian2.stateupdaters.base import UnsupportedEquationsException
from brian2.stateupdaters.exact import linear as solve

from neuroglia_snn import spec
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.language import algebra, expressions, stability, stages
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.integrators import INTEGRATORS

#: Largest relative error of a step of 'exact'; rounding makes 1e-16 over dt's share of a time constant.
EXACT_ERROR = 1e-6
#: Most units of a population, evenly spread, whose constants 'exact' is tried with.
UNITS = 64

Values = Mapping[str, float]
Equations = Mapping[str, eqs.Equation]


def check(reporter: Reporter) -> None:
    """Try every scheme on its equations; to be called where nothing else is wrong."""
    model = reporter.model
    for population in model.populations.values():
        own, symbols = eqs.parse(population.equations), eqs.population_symbols(model, population)
        indexed = any(
            isinstance(text, spec.Values) or re.search(r"\bi\b", text)
            for text in population.initial.values()
        )
        units = np.linspace(0, population.size - 1, UNITS if indexed else 1).astype(int)
        values = [stability.initial_values(model, population, int(unit)) for unit in set(units)]
        path = ("population", population.name)
        _scheme(reporter, own, symbols, population.integrator, population.dt, values, *path)
        if population.integrator == "exact":
            _set_by_phases(reporter, population, own)
    for projection in model.projections.values():
        own, symbols = eqs.parse(projection.equations), eqs.projection_symbols(model, projection)
        values = [stability.initial_synapse(model, projection)]
        path = ("projection", projection.name)
        clocked = {n: e for n, e in own.items() if not {"event-driven", "summed"} & set(e.flags)}
        _scheme(reporter, clocked, symbols, projection.integrator, projection.dt, values, *path)
        driven = {n: e for n, e in own.items() if e.kind == "subexpression" or n not in clocked}
        _scheme(reporter, driven, symbols, "exact", projection.dt, values, *path)
        _set_by_phases(reporter, projection, driven)
        if projection.integrator == "exact":
            _set_by_phases(reporter, projection, clocked)


def _set_by_phases(
    reporter: Reporter, owner: spec.Population | spec.Projection, integrated: Equations
) -> None:
    """Refuse phases that set what the solutions of 'exact' rest on, which are for constants."""
    held = {n: e for n, e in integrated.items() if "constant over dt" not in e.flags}
    rates = "\n".join(e.expression or "" for e in held.values() if e.kind == "differential")
    driven = any("event-driven" in e.flags for e in held.values())
    read, told = eqs.reads(held, rates), set[str]()
    for n, phase in enumerate(reporter.model.phases):
        for name in sorted(phase.values.keys() & read - told):
            told.add(name)
            clocked = "remove '(event-driven)' and " if driven else ""
            reporter.error(
                f"phase '{phase.name}' sets '{name}', on which 'exact' rests in '{owner.name}':"
                f" {clocked}use 'exponential_euler' or 'rk4'",
                "phase",
                str(n),
                "set",
                name,
            )


def _scheme(
    reporter: Reporter,
    own: Equations,
    symbols: eqs.Symbols,
    integrator: str,
    dt: float,
    values: Iterable[Values],
    *path: str,
) -> None:
    """Make a step of the equations, and say where that cannot be done or is not right."""
    integrated = {n: e for n, e in own.items() if e.kind != "parameter" and "summed" not in e.flags}
    if not any(e.kind == "differential" for e in integrated.values()):
        return
    equations, place = eqs.to_brian(integrated), (*path, "equations")
    try:
        if INTEGRATORS[integrator].own:
            stages.step(integrator, equations, lambda xi: "0")
            return
        rates = {n: _linear(n, term.drift, own) for n, term in stages.terms(equations).items()}
        code = _solution(equations, symbols, dt)
    except stages.UnfitError as error:
        reporter.error(str(error), *place, needle=error.name)
        return
    size, name = max((_error(code, rates, dt, v) for v in values), key=lambda found: found[0])
    if size > EXACT_ERROR:
        wrong = "no number" if math.isinf(size) else f"a change that is wrong by {size:.1g} of it"
        reporter.error(
            f"'exact' gives d{name}/dt {wrong} in a step: time constants that are equal, or nearly so,"
            " cancel in its solution, and a rate of 0 divides; use 'exponential_euler' or 'rk4'",
            *place,
            needle=name,
        )


def _solution(equations, symbols: eqs.Symbols, dt: float) -> list[tuple[str, str]]:
    """Brian2's solution: name and expression of each new value.

    Raises
    ------
    stages.UnfitError
    """
    known = {n: s for n, s in symbols.items() if isinstance(s, Function)}
    known |= {"dt": SimpleNamespace(get_value=lambda: [dt])}
    first = next(iter(equations.diff_eq_names))
    try:
        lines = solve(equations, known).splitlines()
    except UnsupportedEquationsException as error:
        reason = shown(str(error).rstrip("."), 200)
    except Exception as error:  # of sympy, of any kind
        reason = shown(str(error) or type(error).__name__, 200)
    else:
        return [tuple(x.split(" = ", 1)) for x in lines if x.startswith("_")]  # type: ignore[misc]
    raise stages.UnfitError(first, f"'exact' finds no solution ({reason}); use 'rk4'")


def _linear(name: str, rate: str, own: Equations) -> algebra.Linear:
    try:
        return algebra.linear(rate, [n for n, e in own.items() if e.kind == "differential"])
    except algebra.NotLinear as error:
        message = f"'{shown(error)}' is not linear, as 'exact' needs: use 'rk4'"
        raise stages.UnfitError(name, message) from None


def _error(
    code: list[tuple[str, str]], rates: Mapping[str, algebra.Linear], dt: float, values: Values
) -> tuple[float, str]:
    """Largest relative error of what a step gives for single variables, and the variable it is in.

    The change is compared with that of the matrix exponential, in 40 digits. Where the rates
    themselves have no value, nothing is said.
    """
    names = list(rates)
    matrix = mpmath.zeros(len(names) + 1)
    for row, name in enumerate(names):
        for column, text in enumerate(
            [*(rates[name].factors.get(n, "0") for n in names), rates[name].rest]
        ):
            value = expressions.evaluate(text, values)
            if not math.isfinite(value):
                return 0.0, name
            matrix[row, column] = value * dt
    with mpmath.workdps(40):
        exact = mpmath.expm(matrix)
    worst = 0.0, names[0]
    starts = [{m: float(m == n) * (abs(values[n]) or 1.0) for m in names} for n in names]
    for start in [dict.fromkeys(names, 0.0), *starts]:
        state = [*(start[n] for n in names), 1.0]
        for row, name in enumerate(names):
            terms = [exact[row, column] * x for column, x in enumerate(state)]
            change, size = mpmath.fsum(terms) - state[row], mpmath.fsum(map(abs, terms))
            found = expressions.evaluate(dict(code)[f"_{name}"], {**values, **start}) - state[row]
            scale = max(abs(change), mpmath.mpf(size) * mpmath.mpf(1e-9))
            if not math.isfinite(found):
                return math.inf, name
            error = float(abs(found - change) / scale) if scale else 0.0
            worst = max(worst, (error, name))
    return worst
