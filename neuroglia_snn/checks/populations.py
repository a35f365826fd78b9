"""Populations: equations, threshold, reset, refractoriness, events."""

from __future__ import annotations

import math

from brian2.units.allunits import second

from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import data, equations, numerics, poisson
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.quantities import unit_name


def check(reporter: Reporter, population: spec.Population) -> None:
    """Check one population; raises UserError for equations that do not parse."""
    path = ("population", population.name)
    if population.spikes is not None:
        data.spikes(reporter, population, population.spikes)
        return
    own = eqs.parse(population.equations)
    symbols = eqs.population_symbols(reporter.model, population)
    equations.check(reporter, own, symbols, *path)
    numerics.check_integrator(reporter, own, population.integrator, *path)
    symbols = eqs.without_noise(symbols)
    variables = {n for n, e in own.items() if e.settable}
    _links(reporter, population, own, *path)
    _spike(reporter, population, symbols, variables, *path)
    equations.check_initial(reporter, population, own, symbols, *path)
    if not reporter.has_errors:
        poisson.population(reporter, population)
    for entry in population.regularly:
        label = "regularly"
        place: tuple[str, ...] = (*path, "regularly")
        if entry.stimulus is not None:
            label, place = f"stimulus '{entry.stimulus}'", ("stimulus", entry.stimulus)
        fits = reporter.statements(
            population, entry.code, symbols, variables, label, *place, shared=True
        )
        if fits and entry.stimulus is not None:
            poisson.stimulus(reporter, population, entry.stimulus)
    for name, event in population.events.items():
        reporter.condition(event.condition, symbols, f"event {name}", *path, "events")
        reporter.statements(
            population, event.action, symbols, variables, f"event {name}", *path, "events"
        )


def _links(
    reporter: Reporter, population: spec.Population, own: equations.Equations, *path: str
) -> None:
    """A variable that is flagged as linked is a variable with values of its own in another population."""
    model = reporter.model
    flagged = {n for n, e in own.items() if "linked" in e.flags}
    for name in sorted(flagged - population.linked.keys()):
        where = f"[population.{population.name}.linked] {name} = 'other.x'"
        raise eqs.EquationError(name, f"'{name}' has the flag 'linked': say to what, as in {where}")
    for name, link in population.linked.items():
        place = (*path, "linked", name)
        other = model.populations[link.population]
        there = eqs.parse(other.equations)
        stimulated = {s.variable for s in model.stimuli.values() if s.population == other.name}
        found = there.get(link.variable)
        if name not in flagged or own[name].kind != "parameter":
            said = f"'{name}' is linked, and is no variable '{name} : unit (linked)'"
        elif link.variable in stimulated:
            said = (
                f"'{link}' is the input of a stimulus, and has no values to link to: give"
                f" '{population.name}' a stimulus of its own"
            )
        elif found is None or not found.settable:
            settable = [n for n, e in there.items() if e.settable]
            near = nearest(link.variable, settable)
            said = f"'{link}' is no variable with values of its own{near}"
        elif "shared" in (*found.flags, *own[name].flags):
            said = f"'{link}' and '{name}' have a value for each unit, and are not shared"
        elif found.dimensions is not own[name].dimensions or found.type != own[name].type:
            said = (
                f"'{link}' is in '{unit_name(found.dimensions)}' ({found.type}), '{name}' in"
                f" '{unit_name(own[name].dimensions)}' ({own[name].type})"
            )
        elif link.units is None and other.size not in (1, population.size):
            said = (
                f"'{link}' has {other.size} values for {population.size} units: say which is for each,"
                " as in { variable = 'other.x', index = 'i//2' }"
            )
        else:
            continue
        reporter.error(said, *place)
    parts = [e for p in model.projections.values() for e in (p.source, p.target)]
    if population.linked and any(e.name == population.name and e.start is not None for e in parts):
        reporter.error(
            f"a projection joins a part of '{population.name}', and Brian2 has no parts of what has"
            " linked variables",
            *path,
            "linked",
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
