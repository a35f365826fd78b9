"""Statements of a step with few operations a unit: what is linear is written as a linear combination.

``U + dt*k*((F - V)/eps + D*L)`` with ``L = w*(sum - 4*U)`` becomes ``U + (a*F + b*V + c*w*(sum - 4*U))``,
where a, b and c follow from numbers that all units share: they are worked out before the run, or once a
step if time is in them, in double precision. Factors that differ between units stay as they are, and so
do differences of times.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import sympy
from brian2.parsing.sympytools import str_to_sympy, sympy_to_str

from neuroglia_snn import algebra
from neuroglia_snn.backends.brian import symbolic

_T = str_to_sympy("t")


def combine(
    statements: Collection[str],
    per_unit: Collection[str],
    local: Collection[str],
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
    values: dict[str, str] = {}
    result = []
    for statement in statements:
        name, text = statement.split(" = ", 1)
        text = algebra.substituted(text, values)
        if name in local:
            values[name] = text
            continue
        polynomial, hidden = algebra.hidden(text, per_unit)
        value = symbolic.parsed(polynomial)
        if value is None:
            result.append(f"{name} = {text}")
            continue
        hidden = {n: f"({text})" for n, text in hidden.items()}
        own = {sympy.Symbol(n, real=True) for n in (*per_unit, *hidden)}
        plain, increment = _parts(_exact(value), own)
        plain, increment = (algebra.substituted(part, hidden) for part in (plain, increment))
        if plain and increment:
            result.append(f"neuroglia_step_of_{name} = {increment}")
            increment = f"neuroglia_step_of_{name}"
        result.append(f"{name} = {' + '.join(filter(None, (plain, increment))) or '0'}")
    return result


def _exact(value: sympy.Expr) -> sympy.Expr:
    """With halves and the like as fractions, which are printed exactly."""
    fractions = {x: sympy.Rational(x) for x in value.atoms(sympy.Float)}
    exact = {x: r for x, r in fractions.items() if r.q <= 1024 and abs(r.p) < 2**53}
    return value.xreplace(exact)


def _parts(value: sympy.Expr, own: set[sympy.Symbol]) -> tuple[str, str]:
    """Plain multiples of what differs between units; and the rest, by the factors that units share.

    What has the same factor stays together: a sum of neighbours less four times a state is 0 among
    equals, in single precision as well, which two products that are rounded apart would not be.
    """
    plain: dict[sympy.Expr, sympy.Expr] = {}
    scaled: dict[sympy.Expr, list[tuple[sympy.Expr, sympy.Expr]]] = {}
    constants: dict[bool, sympy.Expr] = {}
    for factor, term in _terms(value, own):
        number, shared = factor.as_coeff_Mul()
        if term == 1:
            number_alone = not factor.free_symbols
            constants[number_alone] = constants.get(number_alone, 0) + factor
        elif shared == 1:
            plain[number] = plain.get(number, 0) + term
        else:
            scaled.setdefault(shared, []).append((number, term))
    sums = [_product(sympy_to_str(n), total) for n, total in plain.items() if total != 0]
    rest = [sympy_to_str(constant) for constant in constants.values() if constant != 0]
    for shared, terms in scaled.items():
        first = terms[0][0]  # the others' numbers in relation to it, mostly 1
        total = sympy.Add(*(number / first * term for number, term in terms))
        if total != 0:
            rest.append(_product(sympy_to_str(first * shared), total))
    return " + ".join(sums), " + ".join(rest)


def _product(factor: str, total: sympy.Expr) -> str:
    text = _text(total)
    return text if factor == "1" else f"({factor})*({text})"


def _text(value: sympy.Expr) -> str:
    """An expression whose sums have what counts once first.

    In this order, equals less as many times one of them are exactly 0 after rounding:
    a + b + c + d - 4*x.
    """
    if value.is_Add:
        terms = [(abs(t.as_coeff_Mul()[0]) != 1, _text(t)) for t in value.args]
        terms.sort(key=lambda term: (term[0], term[1].startswith("-"), term[1]))
        return " + ".join(text for _, text in terms).replace("+ -", "- ")
    sums = [part for part in value.args if part.is_Add] if value.is_Mul else []
    if not sums:
        return sympy_to_str(value)
    rest = sympy_to_str(value / sympy.Mul(*sums))
    return "*".join([*([] if rest == "1" else [rest]), *(f"({_text(part)})" for part in sums)])


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
