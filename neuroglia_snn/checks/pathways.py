"""Pathways of projections: their events, statements and delays."""

from __future__ import annotations

import math

from brian2.units.allunits import second

from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import data, equations
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.pathways import order_problem

#: Steps that an event may wait: Brian2 keeps a list for each, and counts them in 32 bits.
_LONGEST_DELAY = 10_000_000


def check(
    reporter: Reporter,
    projection: spec.Projection,
    own: equations.Equations,
    symbols: eqs.Symbols,
    *path: str,
) -> None:
    """Check what a projection does at events, and when."""
    _pathways(reporter, projection, own, symbols, *path)
    pathways = (*projection.on_pre, *projection.on_post)
    for name in {**projection.delay, **projection.on_event}:
        if name not in pathways:
            key = "delay" if name in projection.delay else "on_event"
            known = ", ".join(pathways) or "no on_pre or on_post"
            reporter.error(
                f"'{key}' is for '{name}', but '{projection.name}' has {known}"
                f"{nearest(name, pathways)}",
                *path,
                key,
            )
    for name, text in projection.delay.items():
        if name in pathways:
            place = (*path, "delay")
            if isinstance(text, spec.Values):
                dt, slower = _clock(reporter.model, projection, name)
                label = f"delay {name}"
                data.delay(
                    reporter, projection, text, dt, slower, _LONGEST_DELAY, label, *place, name
                )
            else:
                _delay(reporter, projection, name, text, symbols, *place)


def _pathways(
    reporter: Reporter,
    projection: spec.Projection,
    own: equations.Equations,
    symbols: eqs.Symbols,
    *path: str,
) -> None:
    assignable = _assignable(reporter.model, projection, own)
    for key, endpoint, codes in (
        ("on_pre", projection.source, projection.on_pre),
        ("on_post", projection.target, projection.on_post),
    ):
        for name, code in codes.items():
            event = projection.on_event.get(name, "spike")
            if not _fires(reporter.model, endpoint, event):
                reporter.error(
                    f"{key} needs the event '{event}', which '{endpoint}' does not have",
                    *path,
                    key,
                )
            if reporter.statements(projection, code, symbols, assignable, key, *path, key):
                problem = order_problem(reporter.model, projection, code)
                if problem:
                    reporter.error(f"{key}: {problem}", *path, key)


def _assignable(
    model: spec.Model, projection: spec.Projection, own: equations.Equations
) -> set[str]:
    """What a pathway may assign to: variables of the projection and of both its sides."""
    result = {n for n, e in own.items() if e.settable}
    for side, endpoint in (("pre", projection.source), ("post", projection.target)):
        for name, e in eqs.endpoint_variables(model, endpoint).items():
            if e.settable:
                result |= {f"{name}_{side}"} | ({name} if side == "post" else set())
    return result


def _fires(model: spec.Model, endpoint: spec.Endpoint, event: str) -> bool:
    owner = model.populations.get(endpoint.name)
    if owner is None:
        return False
    return owner.fires if event == "spike" else event in owner.events


def _delay(
    reporter: Reporter,
    projection: spec.Projection,
    name: str,
    text: str,
    symbols: eqs.Symbols,
    *place: str,
) -> None:
    label = f"delay {name}"
    if not reporter.expression(text, symbols, second.dim, label, *place):
        return
    value = eqs.constant_value(reporter.model, text)
    if text.lstrip().startswith("-") or (value is not None and not 0 <= value < math.inf):
        reporter.error(f"{label} must not be negative or infinite, not '{shown(text)}'", *place)
        return
    source = projection.source if name in projection.on_pre else projection.target
    dt = reporter.model.populations[source.name].dt
    if value is not None and value / dt > _LONGEST_DELAY:
        reporter.error(
            f"{label} = '{shown(text)}' is {value / dt:.3g} steps of '{source}', on which its events wait,"
            f" and up to {_LONGEST_DELAY} are kept",
            *place,
        )
        return
    _on_steps(reporter, projection, name, text, value, *place)


def _on_steps(
    reporter: Reporter,
    projection: spec.Projection,
    name: str,
    text: str,
    value: float | None,
    *place: str,
) -> None:
    """Brian2 keeps events on the clock of their source, so a delay is a number of its steps."""
    source = projection.source if name in projection.on_pre else projection.target
    dt, slower = _clock(reporter.model, projection, name)
    count = None if value is None else round(value / dt)
    if value is not None and count is not None and abs(count * dt - value) <= 1e-4 * dt:
        return
    step = f"{dt * 1e3:g} ms"
    if slower:
        may = "may be" if value is None else "is"
        reporter.error(
            f"delay {name} = '{shown(text)}' {may} no whole multiple of {step}, the step of '{source}',"
            f" on which its events wait: make it one, or give '{source}' a smaller dt",
            *place,
        )
    elif value is not None and count is not None:
        count = int(value / dt + 0.5)
        reporter.warn(
            f"delay {name} = {value * 1e3:.9g} ms is no whole multiple of dt ({step}): it is rounded to"
            f" {count * dt * 1e3:.9g} ms",
            *place,
        )


def _clock(model: spec.Model, projection: spec.Projection, name: str) -> tuple[float, bool]:
    """The step of a pathway's events, and whether what they change has a shorter one."""
    ends = (projection.source, projection.target)
    source, other = ends if name in projection.on_pre else reversed(ends)
    dt = model.populations[source.name].dt
    return dt, dt > min(_dt(model, other), projection.dt) * (1 + 1e-9)


def _dt(model: spec.Model, endpoint: spec.Endpoint) -> float:
    owner = model.populations.get(endpoint.name) or model.projections[endpoint.name]
    return owner.dt
