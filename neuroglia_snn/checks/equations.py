"""Equations and initial values, of a population or a projection."""

from __future__ import annotations

from collections.abc import Mapping

from brian2.equations.codestrings import Expression
from brian2.units.allunits import second

from neuroglia_snn import equations as eqs
from neuroglia_snn import expressions, stages
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import UserError
from neuroglia_snn.integrators import INTEGRATORS
from neuroglia_snn.quantities import parse_quantity, unit_name

Equations = Mapping[str, eqs.Equation]


def check_names(reporter: Reporter, own: Equations, *path: str) -> None:
    """No variable has the name of a parameter or table."""
    for name in own:
        if name in reporter.model.parameters or name in reporter.model.tables:
            reporter.error(
                f"'{name}' is both a variable of '{path[-1]}' and a parameter",
                *path,
                "equations",
                needle=name,
            )


def check_stages(reporter: Reporter, own: Equations, integrator: str, *path: str) -> None:
    """No name is one that our integrators give to a value within a step."""
    scheme = INTEGRATORS.get(integrator)
    if scheme is None or not scheme.own:
        return
    given = {f(n) for n in own for f in (stages.predicted, stages.updated)}
    places: dict[str, tuple[str, ...]] = {n: ("table", n) for n in reporter.model.tables}
    places |= {n: ("parameters", n) for n in reporter.model.parameters}
    places |= {n: (*path, "equations") for n in own}
    for name in sorted(given & places.keys()):
        reporter.error(
            f"'{name}' is a name that '{integrator}' gives to a value within a step: rename it",
            *places[name],
            needle=name,
        )


def check(reporter: Reporter, own: Equations, symbols: eqs.Symbols, *path: str) -> None:
    """Symbols, units and noise of each right-hand side; no definition in a circle."""
    for equation in own.values():
        if equation.expression is not None:
            _right_hand_side(reporter, equation, equation.expression, symbols, *path)
    visited: dict[str, bool] = {}
    for name, equation in own.items():
        if equation.kind == "subexpression" and name not in visited:
            _circles(reporter, own, name, visited, *path)


def _right_hand_side(
    reporter: Reporter, equation: eqs.Equation, text: str, symbols: eqs.Symbols, *path: str
) -> None:
    label, place = equation.label, (*path, "equations")
    rate = equation.kind == "differential"
    expected = equation.dimensions / second.dim if rate else equation.dimensions
    fits = reporter.expression(text, symbols, expected, label, *place, needle=equation.name)
    if not fits or not equation.noise_terms:
        return
    try:
        Expression(text).split_stochastic()
    except (ValueError, SyntaxError, TypeError) as error:
        reporter.error(
            f"{label}: the noise cannot be told from the rest ({error})",
            *place,
            needle=equation.name,
        )


def _circles(
    reporter: Reporter, own: Equations, name: str, visited: dict[str, bool], *path: str
) -> None:
    """Report definitions that come back to themselves; ``visited`` is False on the way down."""
    visited[name] = False
    for other in expressions.names(own[name].expression or "0"):
        if other not in own or own[other].kind != "subexpression":
            continue
        if other not in visited:
            _circles(reporter, own, other, visited, *path)
        elif not visited[other]:
            both = f"'{name}' and '{other}' define each other"
            itself = f"'{name}' is defined by itself (for a rate, write d{name}/dt)"
            reporter.error(itself if name == other else both, *path, "equations", needle=name)
    visited[name] = True


def check_initial(
    reporter: Reporter,
    initial: Mapping[str, str],
    own: Equations,
    symbols: eqs.Symbols,
    *path: str,
) -> None:
    """Initial values: of variables, and in their units."""
    for name, text in initial.items():
        place = (*path, "initial", name)
        if name not in own or own[name].kind == "subexpression":
            settable = [n for n, e in own.items() if e.kind != "subexpression"]
            reporter.error(
                f"initial value for '{name}', which is not a variable of '{path[-1]}'"
                f"{nearest(name, settable)}",
                *place,
            )
            continue
        expected = own[name].dimensions
        try:
            found = parse_quantity(text).dimensions
        except UserError:
            reporter.expression(text, symbols, expected, f"initial {name}", *place)
        else:
            if found is not expected:
                reporter.error(
                    f"inconsistent units in initial {name}: '{unit_name(found)}' found,"
                    f" '{unit_name(expected)}' expected",
                    *place,
                )
