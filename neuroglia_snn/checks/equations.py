"""Equations and initial values, of a population or a projection."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from brian2.units.allunits import second

from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import data
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.language import algebra, arithmetic, expressions
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.quantities import parse_quantity, unit_name

Equations = Mapping[str, eqs.Equation]


def check(reporter: Reporter, own: Equations, symbols: eqs.Symbols, *path: str) -> None:
    """Symbols, units and noise of each right-hand side; no definition in a circle."""
    for equation in own.values():
        if equation.expression is not None:
            _right_hand_side(reporter, equation, equation.expression, symbols, *path)
    _divisors(reporter, own, *path)
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
    fits = reporter.expression(
        text, symbols, expected, label, *place, needle=equation.name, type_=equation.type
    )
    if fits:
        _random(reporter, equation, text, *place)
        if "shared" in equation.flags:
            reporter.shared(equation.name, text, symbols, label, *place)


def _divisors(reporter: Reporter, own: Equations, *path: str) -> None:
    """Remainders and whole quotients are of numbers that the state does not change."""
    changing = {n for n, e in own.items() if e.kind == "differential"}
    definitions = {n: e for n, e in own.items() if e.kind == "subexpression"}
    for _ in definitions:  # each pass finds what stands on what was found
        changing |= {n for n, e in definitions.items() if _used(e) & changing}
    for equation in own.values():
        for node in ast.walk(expressions.parse(equation.expression or "0")):
            match node:
                case ast.BinOp(op=ast.Mod() | ast.FloorDiv(), right=divisor):
                    state = sorted(algebra.names(ast.unparse(divisor)) & changing)
                    if state:
                        reporter.error(
                            f"{equation.label}: '{shown(ast.unparse(node))}' divides by what"
                            f" follows from '{state[0]}': near 0 it jumps without end, and rounding"
                            " rules it; divide by a constant",
                            *path,
                            "equations",
                            needle=equation.name,
                        )


def _used(equation: eqs.Equation) -> frozenset[str]:
    return algebra.names(equation.expression or "0")


def _random(reporter: Reporter, equation: eqs.Equation, text: str, *place: str) -> None:
    """A definition is worked out wherever it is named: it draws no random numbers."""
    drawn = algebra.names(text) & expressions.RANDOM
    if drawn and equation.kind == "subexpression" and "constant over dt" not in equation.flags:
        reporter.error(
            f"{equation.label}: '{shown(text)}' would be drawn anew wherever '{equation.name}'"
            " stands; add the flag '(constant over dt)'",
            *place,
            needle=equation.name,
        )


def _circles(
    reporter: Reporter, own: Equations, name: str, visited: dict[str, bool], *path: str
) -> None:
    """Report definitions that come back to themselves; ``visited`` is False on the way down."""
    visited[name] = False
    for other in algebra.names(own[name].expression or "0"):
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
    owner: spec.Population | spec.Projection,
    own: Equations,
    symbols: eqs.Symbols,
    *path: str,
) -> None:
    """Initial values: of variables, in their units, and none that reads itself in the end."""
    try:
        eqs.initial_order(own, owner.initial)
    except eqs.EquationError as error:
        reporter.error(str(error), *path, "initial", error.name)
    for name, text in owner.initial.items():
        place = (*path, "initial", name)
        if name not in own or not own[name].settable:
            settable = [n for n, e in own.items() if e.settable]
            reporter.error(
                f"initial value for '{name}', which is not a variable of '{path[-1]}'"
                f"{nearest(name, settable)}",
                *place,
            )
            continue
        if isinstance(text, spec.Values):
            rates = name == "rates" and "rates" in reporter.document.tables[path[0]][path[1]]
            where = (*path, "rates") if rates else place
            data.initial(reporter, owner, own[name], text, *where)
        else:
            _initial(reporter, own[name], text, symbols, *place)


def _initial(
    reporter: Reporter, equation: eqs.Equation, text: str, symbols: eqs.Symbols, *place: str
) -> None:
    label, expected = f"initial {equation.name}", equation.dimensions
    try:
        found = parse_quantity(text)
    except UserError:
        type_ = eqs.BOOLEAN if equation.type == eqs.BOOLEAN else eqs.FLOAT  # cut to an integer
        if reporter.expression(text, symbols, expected, label, *place, type_=type_):
            reporter.shared(equation.name, text, symbols, label, *place)
            size = arithmetic.too_large_for_integer(text, symbols)
            if size and equation.type == eqs.INTEGER:
                reporter.error(
                    f"{label}: '{shown(text)}' reaches {size:.0f}, and an integer holds up to"
                    f" {arithmetic.MAX_INTEGER}: declare '{equation.name} : 1'",
                    *place,
                )
        return
    integer = found.si % 1 == 0 and abs(found.si) <= arithmetic.MAX_INTEGER
    whole = equation.type == eqs.FLOAT or (equation.type == eqs.INTEGER and integer)
    if found.dimensions is not expected:
        reporter.error(
            f"inconsistent units in {label}: '{unit_name(found.dimensions)}' found,"
            f" '{unit_name(expected)}' expected",
            *place,
        )
    elif not whole:
        right = f"whole numbers up to {arithmetic.MAX_INTEGER}"
        right = right if equation.type == eqs.INTEGER else "conditions such as 'True'"
        reporter.error(
            f"{label}: '{equation.name} : {equation.type}' takes {right}, not '{shown(text)}'",
            *place,
        )
