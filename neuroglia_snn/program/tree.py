"""Typed expressions: what a kernel computes, parsed once, with values known by identity.

A leaf is a number of the program, an element of an array, or a local value of the kernel; everything
else is a function of such values. Operators are functions, too (``+``, ``not``, ``<=``), so that a
target has one table for all of them: `operations.OPERATIONS` lists what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

Type = np.dtype

BOOL: Type = np.dtype(bool)
INT32: Type = np.dtype(np.int32)
INT64: Type = np.dtype(np.int64)
UINT32: Type = np.dtype(np.uint32)
FLOAT32: Type = np.dtype(np.float32)
FLOAT64: Type = np.dtype(np.float64)


@dataclass(frozen=True, eq=False)
class Array:
    """Values that Brian2 keeps: one value (``scalar``) or one for each unit of a domain.

    ``variable`` is Brian2's; its array may be another one after it grew, so nobody holds it for long.
    """

    number: int
    variable: Any
    scalar: bool

    @property
    def dtype(self) -> Type:
        return np.dtype(self.variable.dtype)

    @property
    def name(self) -> str:
        """The array's name for messages; it never reaches generated code."""
        owner = getattr(self.variable.owner, "name", "")
        return f"{owner}.{self.variable.name}" if owner else str(self.variable.name)

    def values(self) -> np.ndarray:
        """The present values, on Brian2's own memory."""
        return self.variable.get_value()


@dataclass(frozen=True)
class Literal:
    """A number that belongs to the structure: 0, 1, 0.5 and the like."""

    value: bool | int | float
    dtype: Type


@dataclass(frozen=True)
class Parameter:
    """A number of the program that may change without another structure: ``number`` in its table."""

    number: int
    dtype: Type


@dataclass(frozen=True)
class Local:
    """A value that the kernel computes for each unit, or once where ``scalar``."""

    number: int
    dtype: Type
    scalar: bool


@dataclass(frozen=True)
class Cell:
    """An element of an array: the one of a scalar or of the unit itself (None), or of an index.

    An index that is a local value is one that the step knows without a list.
    """

    array: Array
    index: Cell | Literal | Local | None

    @property
    def dtype(self) -> Type:
        return self.array.dtype


@dataclass(frozen=True)
class Apply:
    """A function or operator of `operations.OPERATIONS` applied to values."""

    operation: str
    arguments: tuple[Expression, ...]
    dtype: Type


@dataclass(frozen=True)
class Draw:
    """A random number for each unit and step: ``number`` says where in the program it stands."""

    kind: str
    number: int
    arguments: tuple[Expression, ...]
    dtype: Type


@dataclass(frozen=True, eq=False)
class Table:
    """A `brian2.TimedArray`: values every ``dt`` seconds, (time,) or (time, column).

    Times are rounded to ``dt/refinement``, as Brian2 does it for the clock of the group that reads.
    """

    number: int
    values: np.ndarray
    dt: float
    refinement: int


@dataclass(frozen=True)
class Look:
    """A value of a table at a time, and at a column where it has columns."""

    table: Table
    arguments: tuple[Expression, ...]
    dtype: Type = FLOAT64


@dataclass(frozen=True, eq=False)
class Foreign:
    """A function of the user's script, with the implementations that it brings for each target."""

    number: int
    name: str
    function: Any
    owner: Any


@dataclass(frozen=True)
class Call:
    """A user's function applied to values."""

    foreign: Foreign
    arguments: tuple[Expression, ...]
    dtype: Type


@dataclass(frozen=True)
class Entry:
    """A value of a constant array of integers at ``(x - origin) / 2**step``, of the arguments (x, origin, step).

    Outside of the array it is the first, or the last. Between two entries it is interpolated linearly, and
    rounded, or it is the one before where it is ``exact``.
    """

    array: Array
    arguments: tuple[Expression, ...]
    exact: bool
    dtype: Type = INT64


Expression: TypeAlias = "Literal | Parameter | Local | Cell | Apply | Draw | Look | Call | Entry"


@dataclass(frozen=True)
class Statement:
    """``target = value``, or ``target operation= value``, where ``condition`` holds (None: always)."""

    target: Local | Cell
    operation: str | None
    value: Expression
    condition: Expression | None = None

    def expressions(self) -> Iterator[Expression]:
        """What it reads: the value, the condition, the target itself where its old value counts."""
        yield self.value
        if self.condition is not None:
            yield self.condition
        if self.operation is not None or self.condition is not None:
            yield self.target
        elif isinstance(self.target, Cell) and self.target.index is not None:
            yield self.target.index


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and all below it, with the indices of its cells."""
    yield expression
    below: tuple = getattr(expression, "arguments", ())
    if isinstance(expression, Cell) and expression.index is not None:
        below = (expression.index,)
    for part in below:
        yield from walk(part)


def rewritten(e: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The expression with every part changed, from the leaves up."""
    if isinstance(e, (Apply, Draw, Look, Call, Entry)):
        below = tuple(rewritten(a, change) for a in e.arguments)
        e = e if below == e.arguments else replace(e, arguments=below)
    return change(e)
