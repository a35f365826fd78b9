"""Projections: equations, sums into the target, pathways and their delays."""

from __future__ import annotations

from brian2.units.allunits import second

from neuroglia_snn import equations as eqs
from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import connections, equations, numerics
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.quantities import unit_name


def check(reporter: Reporter, projection: spec.Projection) -> None:
    """Check one projection; raises UserError for equations that do not parse."""
    path = ("projection", projection.name)
    own = eqs.parse(projection.equations)
    equations.check_names(reporter, own, *path)
    symbols = eqs.projection_symbols(reporter.model, projection)
    _sums(reporter, projection, own, *path)
    equations.check(reporter, own, symbols, *path)
    clocked = {n: e for n, e in own.items() if "event-driven" not in e.flags}
    numerics.check_integrator(reporter, clocked, projection.integrator, *path)
    _pathways(reporter, projection, own, symbols, *path)
    _delays(reporter, projection, symbols, *path)
    equations.check_initial(reporter, projection.initial, own, symbols, *path)
    connections.check(reporter, projection, symbols, *path, "connect")


def _sums(
    reporter: Reporter, projection: spec.Projection, own: equations.Equations, *path: str
) -> None:
    target = eqs.endpoint_variables(reporter.model, projection.target)
    for equation in own.values():
        if "summed" not in equation.flags:
            continue
        name = equation.name.removesuffix("_post")
        fits = equation.name.endswith("_post") and name in target
        if not fits or target[name].kind != "parameter":
            reporter.error(
                f"'{equation.name}' is summed but '{projection.target}' declares no variable"
                f" '{name}' to sum into (add '{name} : unit' there){nearest(name, target)}",
                *path,
                "equations",
                needle=equation.name,
            )
        elif target[name].dimensions is not equation.dimensions:
            reporter.error(
                f"inconsistent units: '{equation.name}' is in '{unit_name(equation.dimensions)}'"
                f" here, '{unit_name(target[name].dimensions)}' in '{projection.target}'",
                *path,
                "equations",
                needle=equation.name,
            )


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
            reporter.statements(code, symbols, assignable, key, *path, key)


def _assignable(
    model: spec.Model, projection: spec.Projection, own: equations.Equations
) -> set[str]:
    """What a pathway may assign to: variables of the projection and of both its sides."""
    result = {n for n, e in own.items() if e.kind != "subexpression"}
    for side, endpoint in (("pre", projection.source), ("post", projection.target)):
        for name, e in eqs.endpoint_variables(model, endpoint).items():
            if e.kind != "subexpression":
                result |= {f"{name}_{side}"} | ({name} if side == "post" else set())
    return result


def _fires(model: spec.Model, endpoint: spec.Endpoint, event: str) -> bool:
    owner = model.populations.get(endpoint.name)
    if owner is None:
        return False
    return owner.threshold is not None if event == "spike" else event in owner.events


def _delays(
    reporter: Reporter, projection: spec.Projection, symbols: eqs.Symbols, *path: str
) -> None:
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
        place, label = (*path, "delay"), f"delay {name}"
        fits = reporter.expression(text, symbols, second.dim, label, *place)
        if fits and text.lstrip().startswith("-"):
            reporter.error(f"{label} must not be negative, not '{shown(text)}'", *place)
