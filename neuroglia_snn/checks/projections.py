"""Projections: equations, and sums into the target."""

from __future__ import annotations

from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import connections, equations, numerics, pathways
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.quantities import unit_name


def check(reporter: Reporter, projection: spec.Projection) -> None:
    """Check one projection; raises UserError for equations that do not parse."""
    path = ("projection", projection.name)
    own = eqs.parse(projection.equations)
    symbols = eqs.projection_symbols(reporter.model, projection)
    _sums(reporter, projection, own, *path)
    for name, equation in own.items():
        if "linked" in equation.flags:
            reporter.error(
                f"'{name}' has the flag 'linked': synapses read both sides, as {name}_pre and"
                f" {name}_post",
                *path,
                "equations",
                needle=name,
            )
    equations.check(reporter, own, symbols, *path)
    clocked = {n: e for n, e in own.items() if "event-driven" not in e.flags}
    numerics.check_integrator(reporter, clocked, projection.integrator, *path)
    symbols = eqs.without_noise(symbols)
    pathways.check(reporter, projection, own, symbols, *path)
    equations.check_initial(reporter, projection, own, symbols, *path)
    connections.check(reporter, projection, symbols, *path, "connect")


def _sums(
    reporter: Reporter, projection: spec.Projection, own: equations.Equations, *path: str
) -> None:
    place = (*path, "equations")
    for equation in own.values():
        if "summed" in equation.flags:
            said = _sum_problem(reporter.model, projection, equation)
            if said:
                reporter.error(said, *place, needle=equation.name)
    for name, said in _between_clocks(reporter.model, projection, own).items():
        reporter.error(f"'{name}' {said}", *place, needle=name)


def _sum_problem(
    model: spec.Model, projection: spec.Projection, equation: eqs.Equation
) -> str | None:
    """Why a sum has no variable of the target to go into, or None."""
    target = eqs.endpoint_variables(model, projection.target)
    name, _, side = equation.name.rpartition("_")
    if side != "post" or not name:
        what = name if side == "pre" else equation.name
        other = " (turn 'from' and 'to' round)" if side == "pre" else ""
        return (
            f"'{equation.name}' is summed: sums go into the target's variables, whose names end in"
            f" '_post' here, as '{what}_post'{other}"
        )
    if name not in target or target[name].kind != "parameter" or not target[name].settable:
        return (
            f"'{equation.name}' is summed but '{projection.target}' declares no variable"
            f" '{name}' to sum into (add '{name} : unit' there){nearest(name, target)}"
        )
    if target[name].dimensions is not equation.dimensions:
        return (
            f"inconsistent units: '{equation.name}' is in '{unit_name(equation.dimensions)}'"
            f" here, '{unit_name(target[name].dimensions)}' in '{projection.target}'"
        )
    return None


def _between_clocks(
    model: spec.Model, projection: spec.Projection, own: equations.Equations
) -> dict[str, str]:
    """Equations that read what has a value at other times, with a sentence each."""
    driven = {n for n, e in own.items() if "event-driven" in e.flags}
    clocked = {n for n, e in own.items() if e.kind == "differential"} - driven
    known_at_events = set(driven)
    for side, endpoint in (("pre", projection.source), ("post", projection.target)):
        for name, equation in eqs.endpoint_variables(model, endpoint).items():
            if "event-driven" in equation.flags:
                known_at_events |= {f"{name}_{side}"}
    found = {}
    for name, equation in own.items():
        read = eqs.reads(own, equation.expression or "")
        if name in clocked or "summed" in equation.flags:
            for other in sorted(read & known_at_events):
                found[name] = (
                    f"is worked out in every step and reads '{other}', which is event-driven: known at"
                    f" events only (make '{other}' clock-driven)"
                )
        elif name in driven:
            for other in sorted(read & clocked):
                found[name] = (
                    f"is event-driven: worked out at events only, and reads '{other}', which changes in"
                    f" every step (make '{name}' clock-driven)"
                )
    return found
