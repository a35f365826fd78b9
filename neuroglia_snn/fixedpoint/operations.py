"""The few operations that kernels are lowered to, and the block that holds them in order.

Each acts on one value a unit. In floating point, coefficients and constants are numbers of the network;
in fixed point they are integers, and a `Rounding` says how a result is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from neuroglia_snn.program import tree
from neuroglia_snn.program.tree import Cell, Expression, Local

#: What holds a value: an element of an array, or what an operation has made.
Value: TypeAlias = "Cell | Local"


@dataclass(frozen=True)
class Rounding:
    """Divide by ``2**shift``, halves up, and saturate at ``bits`` signed bits.

    ``random`` rounds up with the probability that makes the result right in the mean.
    """

    shift: int
    bits: int
    random: bool = False


@dataclass(frozen=True)
class Sum:
    """``constant + sum of coefficient * value``."""

    terms: tuple[tuple[Value, float], ...] = ()
    constant: float = 0.0

    def scaled(self, factor: float) -> Sum:
        """The sum times a number."""
        if factor == 0:
            return Sum()
        return Sum(tuple((v, c * factor) for v, c in self.terms), self.constant * factor)

    def plus(self, other: Sum) -> Sum:
        """Two sums as one; terms that cancel vanish."""
        terms = dict(self.terms)
        for value, factor in other.terms:
            terms[value] = terms.get(value, 0.0) + factor
        kept = tuple((v, c) for v, c in terms.items() if c != 0)
        return Sum(kept, self.constant + other.constant)


class _OfOne:
    """What reads one value."""

    x: Value

    @property
    def reads(self) -> tuple[Value, ...]:
        return (self.x,)


class _OfNone:
    """What reads no value of a block."""

    @property
    def reads(self) -> tuple[Value, ...]:
        return ()


@dataclass(frozen=True)
class Linear:
    """A weighted sum, rounded once."""

    out: Local
    sum: Sum
    rounding: Rounding | None = None

    @property
    def reads(self) -> tuple[Value, ...]:
        return tuple(value for value, _ in self.sum.terms)


@dataclass(frozen=True)
class Product:
    """``a * b``."""

    out: Local
    a: Value
    b: Value
    rounding: Rounding | None = None

    @property
    def reads(self) -> tuple[Value, ...]:
        return self.a, self.b


@dataclass(frozen=True)
class Function(_OfOne):
    """A function of one value: ``body`` is an expression of `ARGUMENT`, a look-up table in fixed point.

    The table has its entries at ``origin + n * 2**step``; between them it is interpolated linearly, or
    not where it is ``exact``.
    """

    out: Local
    x: Value
    body: Expression
    origin: int = 0
    step: int = 0
    entries: tuple[int, ...] = ()
    exact: bool = False


@dataclass(frozen=True)
class Quotient:
    """``factor * over / under``, to the nearest integer in fixed point; ``over`` may be 1 (None)."""

    out: Local
    over: Value | None
    under: Value
    factor: float = 1.0
    bits: int = 0

    @property
    def reads(self) -> tuple[Value, ...]:
        return (self.under,) if self.over is None else (self.over, self.under)


@dataclass(frozen=True)
class Clip(_OfOne):
    """The value nearest to ``x`` between two bounds."""

    out: Local
    x: Value
    low: float
    high: float


@dataclass(frozen=True)
class Absolute(_OfOne):
    """``x`` without its sign."""

    out: Local
    x: Value


@dataclass(frozen=True)
class Whole(_OfOne):
    """The whole number that is nearest to ``x`` in the direction of ``function``: int, floor or ceil."""

    out: Local
    x: Value
    function: str
    shift: int = 0


@dataclass(frozen=True)
class Test:
    """Whether ``left`` stands in the relation ``<``, ``<=``, ``>``, ``>=``, ``==``, ``!=`` to ``right``."""

    out: Local
    relation: str
    left: Sum
    right: Sum

    __test__ = False  # not a test of pytest's

    @property
    def reads(self) -> tuple[Value, ...]:
        return tuple(value for value, _ in (*self.left.terms, *self.right.terms))


@dataclass(frozen=True)
class Logic:
    """``and``, ``or`` and ``not`` of conditions."""

    out: Local
    operation: str
    of: tuple[Value, ...]

    @property
    def reads(self) -> tuple[Value, ...]:
        return self.of


@dataclass(frozen=True)
class Select:
    """``then`` where ``condition`` holds, ``otherwise`` elsewhere."""

    out: Local
    condition: Value
    then: Value
    otherwise: Value

    @property
    def reads(self) -> tuple[Value, ...]:
        return self.condition, self.then, self.otherwise


@dataclass(frozen=True)
class Exact(_OfNone):
    """An expression of whole numbers, or of conditions, that stays as it is."""

    out: Local
    expression: Expression


@dataclass(frozen=True)
class Given(_OfNone):
    """A number that all units share and that is worked out in floating point once a step, as an input."""

    out: Local
    expression: Expression


@dataclass(frozen=True)
class Look(_OfNone):
    """A value of a timed array (`tree.Look`) for each unit; fixed point holds it as integers."""

    out: Local
    expression: tree.Look


@dataclass(frozen=True)
class Random(_OfNone):
    """A random number for each unit: ``kind`` is ``rand`` or ``randn``.

    In fixed point it comes from a shift register of each unit, which begins at ``key``.
    """

    out: Local
    kind: str
    key: object
    expression: Expression


@dataclass(frozen=True)
class Store:
    """Put ``value`` into a cell, or add it there, where ``condition`` holds (None: always)."""

    cell: Cell
    value: Value
    add: bool = False
    condition: Value | None = None

    @property
    def reads(self) -> tuple[Value, ...]:
        return (self.value,) if self.condition is None else (self.value, self.condition)


Operation: TypeAlias = (
    "Linear | Product | Function | Quotient | Clip | Absolute | Whole | Test | Logic | Select | Exact | Given"
    " | Look | Random"
)


@dataclass(frozen=True)
class Block:
    """A kernel: operations and stores in order, and the values that its step reads, by name.

    Of records, ``plain`` are results that are whole numbers or never change: expressions as they were.
    ``free`` is a number above those of all its locals.
    """

    items: tuple[Operation | Store, ...] = ()
    results: dict[str, Value] = field(default_factory=dict)
    plain: dict[str, Expression] = field(default_factory=dict)
    free: int = 0

    def operations(self) -> Iterator[Operation]:
        for item in self.items:
            if not isinstance(item, Store):
                yield item

    def cone(self, value: Value) -> frozenset[Cell]:
        """The cells that a value follows from."""
        made = {o.out: o for o in self.operations()}
        found: set[Cell] = set()
        waiting, done = [value], set()
        while waiting:
            one = waiting.pop()
            if one in done:
                continue
            done.add(one)
            if isinstance(one, Cell):
                found.add(one)
            elif one in made:
                waiting += made[one].reads
        return frozenset(found)
