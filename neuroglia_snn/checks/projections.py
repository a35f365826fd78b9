"""Projections: equations, and sums into the target."""

from __future__ import annotations

from neuroglia_snn import equations as eqs
from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import connections, equations, numerics, pathways
from neuroglia_snn.checks.findings import Reporter
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
    pathways.check(reporter, projection, own, symbols, *path)
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
