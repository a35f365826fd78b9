"""Expressions for sympy, which knows not all of them: what it makes no number of stays as it is written."""

from __future__ import annotations

import sympy
from brian2.parsing.sympytools import str_to_sympy

#: Least and greatest size of a number that generated code holds.
_SMALLEST, _LARGEST = 1e-300, 1e300
_NO_NUMBERS = (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I, sympy.E, sympy.AccumBounds)


def parsed(text: str) -> sympy.Expr | None:
    """An expression; None where sympy cannot read it, or finds what is no number of generated code."""
    try:
        value = str_to_sympy(text)
    except Exception:  # of sympy, of any kind
        return None
    return value if is_number(value) else None


def is_number(value: sympy.Expr) -> bool:
    """Whether all in an expression is written alike, and read alike, in generated code."""
    if value.has(*_NO_NUMBERS):
        return False
    sizes = [abs(number) for number in value.atoms(sympy.Number)]
    return all(size == 0 or _SMALLEST < size < _LARGEST for size in sizes)
