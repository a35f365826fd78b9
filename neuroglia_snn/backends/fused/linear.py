"""Statements of a step with few operations a unit: what is linear is written as a linear combination.

``U + dt*k*((F - V)/eps + D*L)`` with ``L = w*(sum - 4*U)`` becomes ``U + (a*F + b*V + c*w*(sum - 4*U))``,
where a, b and c follow from numbers that all units share, so that they are worked out once a step, in
double precision. Nothing else is expanded: factors that differ between units stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import sympy
from brian2.parsing.sympytools import str_to_sympy, sympy_to_str


def combine(
    statements: Collection[str], per_unit: Collection[str], local: Collection[str]
) -> list[str]:
    """Statements in fewer operations, same values but for rounding.

    Parameters
    ----------
    statements : ``name = expression``, in the order in which they run
    per_unit : names that differ between units
    local : names of ``per_unit`` that the statements assign for themselves; they are written out
    """
    own = {sympy.Symbol(n, real=True) for n in per_unit}
    local = set(local)
    values: dict[sympy.Symbol, sympy.Expr] = {}
    result = []
    for statement in statements:
        name, text = statement.split(" = ", 1)
        value = str_to_sympy(text).subs(values)
        if name in local:
            values[sympy.Symbol(name, real=True)] = value
        else:
            result.append(f"{name} = {_written(value, own)}")
    return result


def _written(value: sympy.Expr, own: set[sympy.Symbol]) -> str:
    """Plain multiples first: an increment is small beside its state and is rounded by itself."""
    plain: dict[sympy.Expr, list[sympy.Expr]] = {}
    scaled: dict[sympy.Expr, sympy.Expr] = {}
    for factor, term in _terms(value, own):
        if factor.is_number and term != 1:
            plain.setdefault(factor, []).append(term)
        else:
            scaled[term] = scaled.get(term, 0) + factor
    parts = []
    for factor, terms in plain.items():
        total = " + ".join(map(sympy_to_str, terms))
        parts.append(total if factor == 1 else f"{sympy_to_str(factor)}*({total})")
    if scaled:
        constant = [sympy_to_str(scaled.pop(sympy.S.One))] if 1 in scaled else []
        sums = [f"({sympy_to_str(factor)})*{sympy_to_str(term)}" for term, factor in scaled.items()]
        parts.append(f"({' + '.join([*constant, *sums])})")
    return " + ".join(parts) or "0"


def _terms(value: sympy.Expr, own: set[sympy.Symbol]) -> Iterator[tuple[sympy.Expr, sympy.Expr]]:
    """Pairs of (what all units share, what differs) whose products add up to the value."""
    if value.is_Add:
        for part in value.args:
            yield from _terms(part, own)
        return
    shared, rest = value.as_independent(*own, as_Add=False)
    if rest.is_Add:
        for factor, term in _terms(rest, own):
            yield shared * factor, term
    else:
        yield shared, rest
