"""Statements of a step with few operations a unit: what is linear is written as a linear combination.

``U + dt*k*((F - V)/eps + D*L)`` with ``L = w*(sum - 4*U)`` becomes ``U + (a*F + b*V + c*w*(sum - 4*U))``,
where a, b and c follow from numbers that all units share, so that they are worked out once a step, in
double precision. Nothing else is expanded: factors that differ between units stay as they are, and so do
differences of times.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import sympy
from brian2.parsing.sympytools import str_to_sympy, sympy_to_str

_T = str_to_sympy("t")


def combine(
    statements: Collection[str], per_unit: Collection[str], local: Collection[str]
) -> list[str]:
    """Statements in fewer operations, same values but for rounding.

    An increment is small beside its state: it gets a statement of its own, so that it is summed and
    rounded by itself.

    Parameters
    ----------
    statements : ``name = expression``, in the order in which they run
    per_unit : names that differ between units
    local : names of ``per_unit`` that the statements assign for themselves; they are written out
    """
    own = {sympy.Symbol(n, real=True) for n in per_unit}
    values: dict[sympy.Symbol, sympy.Expr] = {}
    result = []
    for statement in statements:
        name, text = statement.split(" = ", 1)
        value = _exact(str_to_sympy(text)).subs(values)
        if name in local:
            values[sympy.Symbol(name, real=True)] = value
            continue
        plain, increment = _parts(value, own)
        if plain and increment:
            result.append(f"neuroglia_step_of_{name} = {increment}")
            increment = f"neuroglia_step_of_{name}"
        result.append(f"{name} = {' + '.join(filter(None, (plain, increment))) or '0'}")
    return result


def _exact(value: sympy.Expr) -> sympy.Expr:
    """With halves and the like as fractions, which are printed exactly."""
    fractions = {x: sympy.Rational(x) for x in value.atoms(sympy.Float)}
    return value.xreplace({x: r for x, r in fractions.items() if r.q <= 1024})


def _parts(value: sympy.Expr, own: set[sympy.Symbol]) -> tuple[str, str]:
    """Plain multiples of what differs between units; and the rest, by the factors that units share."""
    plain: dict[sympy.Expr, sympy.Expr] = {}
    scaled: dict[sympy.Expr, list[tuple[sympy.Expr, sympy.Expr]]] = {}
    constant = sympy.S.Zero
    for factor, term in _terms(value, own):
        number, shared = factor.as_coeff_Mul()
        if term == 1:
            constant += factor
        elif shared == 1:
            plain[number] = plain.get(number, 0) + term
        else:
            scaled.setdefault(shared, []).append((number, term))
    sums = [_product(number, total) for number, total in plain.items()]
    rest = [sympy_to_str(constant)] if constant != 0 else []
    for shared, terms in scaled.items():
        first = terms[0][0]  # the others' numbers in relation to it, mostly 1
        total = sympy.Add(*(number / first * term for number, term in terms))
        rest.append(_product(first * shared, total))
    return " + ".join(sums), " + ".join(rest)


def _product(factor: sympy.Expr, total: sympy.Expr) -> str:
    text = sympy_to_str(total)
    if factor == 1:
        return text
    return f"({sympy_to_str(factor)})*({text})"


def _terms(value: sympy.Expr, own: set[sympy.Symbol]) -> Iterator[tuple[sympy.Expr, sympy.Expr]]:
    """Pairs of (what all units share, what differs) whose products add up to the value."""
    if value.is_Add and not any(_T in sympy.Mul.make_args(part) for part in value.args):
        for part in value.args:
            yield from _terms(part, own)
        return
    shared, rest = value.as_independent(*own, as_Add=False)
    if rest.is_Add and rest != value:
        for factor, term in _terms(rest, own):
            yield shared * factor, term
    else:
        yield shared, rest
