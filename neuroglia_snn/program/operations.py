"""The one list of functions and operators, with the type of their results.

Each target has a table with the same keys (`reference.NUMPY`, `neuroglia_snn.emit.expressions.CPP`); a
test compares them, so that a function cannot be forgotten in one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuroglia_snn.program.tree import BOOL, FLOAT64, INT32, INT64, UINT32, Apply, Expression, Type

Rule = Callable[..., Type]


def number(dtype: Type) -> Type:
    """The type in which a value takes part in arithmetic: booleans count as integers."""
    return INT32 if dtype == BOOL else dtype


def widest(*types: Type) -> Type:
    """The type that holds the values of all, and of nothing wider than float64."""
    result = np.result_type(*(number(t) for t in types))
    return result if result.kind == "f" and result.itemsize <= 8 else _integer(result)


def _integer(dtype: Type) -> Type:
    if dtype.kind == "f":
        return FLOAT64
    return INT64 if dtype.itemsize > 4 or dtype.kind == "u" else INT32


def floating(*types: Type) -> Type:
    """Single precision where all are, double precision otherwise."""
    return np.dtype(np.float32) if all(t == np.float32 for t in types) else FLOAT64


def _fixed(dtype: Type) -> Rule:
    return lambda *types: dtype


#: Result type of every operation by the types of its arguments.
OPERATIONS: dict[str, Rule] = {
    **dict.fromkeys(("+", "-", "*", "%", "//", "**"), widest),
    "/": floating,
    "neg": widest,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "and", "or", "not"), _fixed(BOOL)),
    **dict.fromkeys(("sin", "cos", "tan", "arcsin", "arccos", "arctan"), floating),
    **dict.fromkeys(("sinh", "cosh", "tanh"), floating),
    **dict.fromkeys(("exp", "expm1", "exprel", "log", "log10", "log1p", "sqrt"), floating),
    **dict.fromkeys(("ceil", "floor"), floating),
    **dict.fromkeys(("abs", "sign"), widest),
    "clip": widest,
    "select": lambda condition, one, other: widest(one, other),  # one where the condition holds
    "int": _fixed(INT32),
    "timestep": _fixed(INT64),
    "gaussian": _fixed(FLOAT64),  # noise.gaussian, of (seed, stream, place, step)
    "inverse_exprel": floating,
    "first_time": _fixed(FLOAT64),  # the least x for which timestep(x, dt) >= k, of (k, dt)
    **dict.fromkeys(("wide", "<<", ">>"), _fixed(INT64)),
    "encoded": _fixed(INT64),  # the whole number nearest to x, at most limit, of (x, limit)
    "xorshift": _fixed(UINT32),  # the next word of a shift register
    "byte_sum": _fixed(INT64),  # of the four bytes of a word
    "leading": _fixed(INT64),  # so many leading bits of a word, of (word, bits)
}


def combined(operation: str | None, old: Expression, value: Expression) -> Expression:
    """What ``old operation= value`` leaves; the value itself without an operation."""
    if operation is None:
        return value
    return Apply(operation, (old, value), OPERATIONS[operation](old.dtype, value.dtype))


#: Random numbers: how many arguments each takes, and the type of its numbers.
DRAWS: dict[str, tuple[int, Type]] = {
    "rand": (0, FLOAT64),
    "randn": (0, FLOAT64),
    "poisson": (1, INT32),
    "binomial": (2, INT32),
}


def is_noise(e: Expression) -> bool:
    """Whether an expression is a model file's noise, a normal number of a unit and a step."""
    return isinstance(e, Apply) and e.operation == "gaussian"
