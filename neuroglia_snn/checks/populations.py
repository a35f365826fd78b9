"""Populations: equations, threshold, reset, refractoriness, events."""

from __future__ import annotations

import math

from brian2.units.allunits import second

from neuroglia_snn import algebra, expressions, spec
from neuroglia_snn import equations as eqs
from neuroglia_snn.checks import equations, numerics
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.quantities import unit_name


def check(reporter: Reporter, population: spec.Population) -> None:
    """Check one population; raises UserError for equations that do not parse."""
    path = ("population", population.name)
    own = eqs.parse(population.equations)
    symbols = eqs.population_symbols(reporter.model, population)
    equations.check(reporter, own, symbols, *path)
    numerics.check_integrator(reporter, own, population.integrator, *path)
    symbols = eqs.without_noise(symbols)
    variables = {n for n, e in own.items() if e.kind != "subexpression"}
    _spike(reporter, population, symbols, variables, *path)
    equations.check_initial(reporter, population, own, symbols, *path)
    for entry in population.regularly:
        reporter.statements(
            population, entry.code, symbols, variables, "regularly", *path, "regularly", shared=True
        )
    for name, event in population.events.items():
        reporter.condition(event.condition, symbols, f"event {name}", *path, "events")
        reporter.statements(
            population, event.action, symbols, variables, f"event {name}", *path, "events"
        )


def _spike(
    reporter: Reporter,
    population: spec.Population,
    symbols: eqs.Symbols,
    variables: set[str],
    *path: str,
) -> None:
    if population.threshold is not None:
        reporter.condition(population.threshold, symbols, "threshold", *path, "threshold")
    if population.reset is not None:
        _needs_threshold(reporter, population, *path, "reset")
        reporter.statements(
            population, population.reset, symbols, variables, "reset", *path, "reset"
        )
    if population.refractory is not None:
        _needs_threshold(reporter, population, *path, "refractory")
        _refractory(reporter, population.refractory, symbols, population.dt, *path, "refractory")


def _needs_threshold(reporter: Reporter, population: spec.Population, *path: str) -> None:
    if population.threshold is None:
        reporter.error(
            f"'{path[-1]}' without 'threshold' (add threshold = 'v > v_threshold')", *path
        )


def _refractory(reporter: Reporter, text: str, symbols: eqs.Symbols, dt: float, *path: str) -> None:
    if not reporter.expression(text, symbols, None, "refractory", *path, type_=None):
        return
    dims = expressions.dimensions_of(text, symbols)
    condition = expressions.annotated(text, symbols).dtype == eqs.BOOLEAN
    if algebra.names(text) & expressions.RANDOM and not condition:
        reporter.error(
            f"refractory '{shown(text)}' would be drawn anew in every step: draw it into a variable in"
            " 'reset'",
            *path,
        )
        return
    if dims is not second.dim and not condition:
        reporter.error(
            f"refractory '{shown(text)}' is in '{unit_name(dims)}'; it is a time such as"
            " '5 ms' or a condition such as 'v > v_threshold'",
            *path,
        )
        return
    value = None if condition else eqs.constant_value(reporter.model, text)
    if value is not None and not 0 <= value < math.inf:
        reporter.error(f"refractory is a time from 0 on, not '{shown(text)}'", *path)
        return
    if value is not None and abs(round(value / dt) * dt - value) > 1e-3 * dt:
        count = max(int(value / dt), 0)
        reporter.warn(
            f"refractory = {value * 1e3:.9g} ms is no whole multiple of dt ({dt * 1e3:g} ms): Brian2"
            f" rounds it down, to {count * dt * 1e3:.9g} ms",
            *path,
        )
