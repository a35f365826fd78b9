"""Blocks as the statements of a kernel: in floating point, or in integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from neuroglia_snn.fixedpoint.formats import Format
from neuroglia_snn.fixedpoint.operations import (
    Absolute,
    Block,
    Clip,
    Exact,
    Function,
    Given,
    Linear,
    Logic,
    Look,
    Operation,
    Product,
    Quotient,
    Random,
    Rounding,
    Select,
    Store,
    Sum,
    Test,
    Value,
    Whole,
)
from neuroglia_snn.fixedpoint.registers import NOISE, NORMAL_MEAN
from neuroglia_snn.fixedpoint.rounded import NORMAL, TRUTH, UNIFORM, Rounded
from neuroglia_snn.fixedpoint.sums import ARGUMENT
from neuroglia_snn.program import tree
from neuroglia_snn.program.operations import OPERATIONS
from neuroglia_snn.program.tree import (
    BOOL,
    FLOAT64,
    INT64,
    UINT32,
    Apply,
    Array,
    Cell,
    Entry,
    Expression,
    Literal,
    Local,
    Parameter,
    Statement,
    rewritten,
)


def in_floats(
    block: Block, register: Callable[[object], Cell] | None = None
) -> tuple[Statement, ...]:
    """The statements of a block in floating point, for every unit.

    Random numbers are the kernel's own, or those of the integers if ``register`` says where each unit has
    its shift register.
    """
    if register is None or not any(isinstance(item, Random) for item in block.items):
        return tuple(map(_float_statement, block.items))
    words = _Words(block.free)
    made: list[Statement] = []
    for item in block.items:
        if isinstance(item, Random):
            e = words.number(item.kind, register(item.key))
            made += words.statements()
            scale = NORMAL.scale if item.kind == "randn" else UNIFORM.scale
            out = Local(item.out.number, FLOAT64, False)
            made.append(Statement(out, None, _apply("*", e, Literal(scale, FLOAT64))))
        else:
            made.append(_float_statement(item))
    return (*made, *words.stores())


class _Words:
    """Words of shift registers, and numbers from them; ``free`` is a number above those of all locals."""

    def __init__(self, free: int) -> None:
        self.free = free
        self._last: dict[Cell, Local] = {}
        self._made: list[Statement] = []

    def local(self, dtype: np.dtype) -> Local:
        """A local of its own."""
        self.free += 1
        return Local(self.free - 1, dtype, False)

    def next(self, register: Cell) -> Local:
        """The next word of each unit's register."""
        word = self.local(UINT32)
        before = self._last.get(register, register)
        self._made.append(Statement(word, None, _apply("xorshift", before)))
        self._last[register] = word
        return word

    def number(self, kind: str, register: Cell) -> Expression:
        """A uniform or a normal number, as an integer."""
        first = self.next(register)
        if kind == "rand":
            return _apply("leading", first, Literal(UNIFORM.fraction, INT64))
        total = _apply("+", _apply("byte_sum", first), _apply("byte_sum", self.next(register)))
        return _apply("-", total, Literal(NORMAL_MEAN, INT64))

    def statements(self) -> list[Statement]:
        """Those that make the words since the last call."""
        made, self._made = self._made, []
        return made

    def stores(self) -> list[Statement]:
        """Keep the last words for the next step."""
        return [Statement(register, None, word) for register, word in self._last.items()]


def _float_statement(item: Operation | Store) -> Statement:
    if isinstance(item, Store):
        value: Expression = _float_value(item.value)
        if item.value.dtype == BOOL:
            value = (
                item.value
                if isinstance(item.value, Cell)
                else Local(item.value.number, BOOL, False)
            )
        condition = item.condition
        return Statement(item.cell, "+" if item.add else None, value, condition)
    out = Local(item.out.number, BOOL if item.out.dtype == BOOL else FLOAT64, item.out.scalar)
    return Statement(out, None, _float_expression(item))


def _float_value(value: Value) -> Expression:
    if value.dtype == BOOL:
        return _apply("int", value)
    if isinstance(value, Local):
        return Local(value.number, FLOAT64, value.scalar)
    return value


def _float_expression(o: Operation) -> Expression:
    match o:
        case Linear(sum=total):
            return _float_sum(total)
        case Product(a=a, b=b):
            return _apply("*", _float_value(a), _float_value(b))
        case Function(x=x, body=body):
            argument = _float_value(x)
            return rewritten(body, lambda part: argument if part == ARGUMENT else part)
        case Quotient(over=over, under=under):
            above = Literal(1.0, FLOAT64) if over is None else _float_value(over)
            return _apply("/", above, _float_value(under))
        case Clip(x=x, low=low, high=high):
            return _apply("clip", _float_value(x), Literal(low, FLOAT64), Literal(high, FLOAT64))
        case Absolute(x=x):
            return _apply("abs", _float_value(x))
        case Whole(x=x, function=function):
            return _apply(function, _float_value(x))
        case Test(relation=relation, left=left, right=right):
            return _apply(relation, _float_sum(left), _float_sum(right))
        case Logic(operation=operation, of=of):
            return _apply(operation, *of)
        case Select(condition=condition, then=then, otherwise=otherwise):
            return _apply("select", condition, _float_value(then), _float_value(otherwise))
        case Exact() | Given() | Look() | Random():
            return o.expression
    raise TypeError(o)


def _float_sum(total: Sum) -> Expression:
    parts: list[Expression] = []
    for value, factor in total.terms:
        x = _float_value(value)
        parts.append(x if factor == 1 else _apply("*", Literal(factor, FLOAT64), x))
    if total.constant or not parts:
        parts.append(Literal(float(total.constant), FLOAT64))
    result = parts[0]
    for part in parts[1:]:
        result = _apply("+", result, part)
    return result


def _apply(operation: str, *arguments: Expression) -> Apply:
    return Apply(operation, arguments, OPERATIONS[operation](*(a.dtype for a in arguments)))


class Home(Protocol):
    """Where the numbers, tables and registers of a kernel's integers are kept.

    ``size`` is how many units count what does not fit; 0 if nobody counts.
    """

    size: int

    def cell(self, cell: Cell) -> Expression:
        """The integer that stands for a cell."""

    def format(self, cell: Cell) -> Format: ...
    def parameter(self, value: int | float) -> Parameter: ...
    def table(self, entries: tuple[int, ...]) -> Array: ...

    def register(self, key: object, use: int) -> Cell:
        """The shift register of each unit for a key."""

    def rounding(self) -> Cell:
        """The shift register of each unit for rounding."""

    def look(self, e: tree.Look, made: Format) -> Expression:
        """The integer of a timed array."""

    def saturated(self) -> Cell:
        """The count of each unit of what did not fit."""


class Integers:
    """The statements of a block in integers, for every unit and once a step.

    Attributes
    ----------
    each, once : statements for every unit, and those that all share
    """

    def __init__(self, made: Rounded, home: Home) -> None:
        self._formats, self._home = made.formats, home
        self._words = _Words(made.free)
        self._bounds: dict[Value, int] = {}
        self._saturated: list[Expression] = []
        self.each: list[Statement] = []
        self.once: list[Statement] = []
        for item in made.block.items:
            if isinstance(item, Store):
                self._store(item)
            else:
                self._operation(item)
        self.each += self._words.stores()
        if self._saturated and home.size:
            count = self._saturated[0]
            for more in self._saturated[1:]:
                count = _apply("+", count, more)
            self.each.append(Statement(home.saturated(), "+", count))

    # ------------------------------------------------------------------ values

    def value(self, value: Value) -> Expression:
        """A value as an integer of 64 bits."""
        if value.dtype == BOOL:
            return _apply("wide", self.truth(value))
        if isinstance(value, Local):
            return value
        return _apply("wide", self._home.cell(value))

    def result(self, value: Value) -> Local:
        """A local that holds a value which a step reads."""
        if isinstance(value, Local):
            return value
        local = self._new(value.dtype if value.dtype == BOOL else INT64)
        self._let(local, self.truth(value) if value.dtype == BOOL else self.value(value))
        return local

    def first_free(self) -> int:
        """A number above those of all its locals."""
        return self._words.free

    def truth(self, value: Value) -> Expression:
        """A condition."""
        return value if isinstance(value, Local) else self._home.cell(value)

    def _new(self, dtype: np.dtype = INT64) -> Local:
        return self._words.local(dtype)

    def _bound(self, value: Value) -> int:
        """What no integer of a value exceeds, either way."""
        if value in self._bounds:
            return self._bounds[value]
        return 1 if value.dtype == BOOL else 2 ** (self._format(value).bits - 1)

    def _format(self, value: Value) -> Format:
        if value in self._formats:
            return self._formats[value]
        return TRUTH if value.dtype == BOOL else self._home.format(value)  # type: ignore[arg-type]

    def _let(self, out: Local, e: Expression) -> None:
        self.each.append(Statement(out, None, e))

    def _store(self, item: Store) -> None:
        cell = self._home.cell(item.cell)
        assert isinstance(cell, Cell)
        condition = None if item.condition is None else self.truth(item.condition)
        value = self.truth(item.value) if cell.dtype == BOOL else self.value(item.value)
        self.each.append(Statement(cell, "+" if item.add else None, value, condition))

    # ------------------------------------------------------------------ operations

    def _operation(self, o: Operation) -> None:
        match o:
            case Linear(out=out, sum=total, rounding=Rounding() as rounding):
                if self._is_copy(total, rounding):
                    self._let(out, self.value(total.terms[0][0]))
                    return
                bound = abs(int(total.constant))
                bound += sum(abs(int(k)) * self._bound(v) for v, k in total.terms)
                self._cut(out, self._sum(total, rounding), bound, rounding)
            case Product(out=out, a=a, b=b, rounding=Rounding() as rounding):
                product = _apply("*", self.value(a), self.value(b))
                if rounding.shift > 0 and not rounding.random:
                    product = _apply("+", product, self._number(1 << rounding.shift >> 1))
                self._cut(out, product, self._bound(a) * self._bound(b), rounding)
            case Function():
                self._table(o)
            case Quotient(out=out, over=over, under=under, factor=factor, bits=bits):
                above: Expression = self._home.parameter(float(factor))
                if over is not None:
                    above = _apply("*", above, self.value(over))
                quotient = _apply("/", above, self.value(under))
                self._bounds[out] = 2 ** (bits - 1)
                encoded = _apply("encoded", quotient, self._number(2 ** (bits - 1) - 1))
                self._let(out, encoded)
            case Clip(out=out, x=x, low=low, high=high):
                ends = self._number(int(low)), self._number(int(high))
                self._let(out, _apply("clip", self.value(x), *ends))
            case Absolute(out=out, x=x):
                self._bounds[out] = self._bound(x)
                self._let(out, _apply("abs", self.value(x)))
            case Whole():
                self._whole(o)
            case Test(out=out, relation=relation, left=left, right=right):
                sides = (self._sum(left, None), self._sum(right, None))
                self._let(out, _apply(relation, *sides))
            case Logic(out=out, operation=operation, of=of):
                self._let(out, _apply(operation, *map(self.truth, of)))
            case Select(out=out, condition=condition, then=then, otherwise=otherwise):
                self._bounds[out] = max(self._bound(then), self._bound(otherwise))
                sides = (self.value(then), self.value(otherwise))
                self._let(out, _apply("select", self.truth(condition), *sides))
            case Exact(out=out, expression=e):
                self._let(out, e if out.dtype == BOOL else _apply("wide", e))
            case Given(out=out, expression=e):
                made = self._formats[out]
                steps = _apply("/", e, self._home.parameter(made.scale))
                encoded = _apply("encoded", steps, self._number(made.limit))
                self.once.append(Statement(out, None, encoded))
            case Look(out=out, expression=e):
                self._let(out, self._home.look(e, self._formats[out]))
            case Random():
                self._random(o)

    def _is_copy(self, total: Sum, rounding: Rounding) -> bool:
        """Whether a sum is a value as it is."""
        if total.constant or rounding.shift or len(total.terms) != 1:
            return False
        value, factor = total.terms[0]
        return factor == 1 and self._format(value).bits <= rounding.bits

    def _number(self, value: int) -> Expression:
        if -1 <= value <= 1:
            return Literal(value, INT64)
        return self._home.parameter(value)

    def _sum(self, total: Sum, rounding: Rounding | None) -> Expression:
        """A sum before it is cut, with the half that rounding to the nearest adds."""
        half = 0 if rounding is None or rounding.random else 1 << rounding.shift >> 1
        constant = int(total.constant) + half
        parts: list[Expression] = []
        for value, factor in total.terms:
            x = self.value(value)
            if factor == -1:
                parts.append(_apply("neg", x))
            elif factor:
                parts.append(x if factor == 1 else _apply("*", self._number(int(factor)), x))
        if constant or not parts:
            parts.append(self._number(constant))
        result = parts[0]
        for part in parts[1:]:
            result = _apply("+", result, part)
        return result

    def _cut(self, out: Local, exact: Expression, bound: int, rounding: Rounding) -> None:
        """Shift and saturate, and take note of what does not fit."""
        shift = rounding.shift
        if rounding.random and shift > 0:
            word = self._words.next(self._home.rounding())
            self.each += self._words.statements()
            bits = _apply("leading", word, self._number(shift))
            exact = _apply("+", exact, bits)
        if shift > 0:
            exact = _apply(">>", exact, self._number(shift))
            bound = (bound >> shift) + 1
        elif shift < 0:
            exact = _apply("<<", exact, self._number(-shift))
            bound <<= -shift
        limit = 2 ** (rounding.bits - 1)
        if bound < limit:
            self._bounds[out] = bound
            self._let(out, exact)
            return
        self._bounds[out] = limit
        whole = self._new()
        self._let(whole, exact)
        self._let(out, _apply("clip", whole, self._number(-limit), self._number(limit - 1)))
        self._saturated.append(_apply("wide", _apply("!=", whole, out)))

    def _table(self, o: Function) -> None:
        table = self._home.table(o.entries)
        arguments = (self.value(o.x), self._number(o.origin), self._number(o.step))
        self._bounds[o.out] = max(map(abs, o.entries))
        self._let(o.out, Entry(table, arguments, o.exact))

    def _whole(self, o: Whole) -> None:
        x: Expression = self.value(o.x)
        below = _apply(
            "-", _apply("<<", Literal(1, INT64), self._number(o.shift)), Literal(1, INT64)
        )
        if o.function == "ceil":
            x = _apply("+", x, below)
        elif o.function == "int":
            negative = _apply("<", x, Literal(0, INT64))
            x = _apply("+", x, _apply("select", negative, below, Literal(0, INT64)))
        self._let(o.out, _apply(">>", x, self._number(o.shift)))

    def _random(self, o: Random) -> None:
        e = self._words.number(o.kind, self._home.register(o.key, NOISE))
        self.each += self._words.statements()
        self._let(o.out, e)


__all__ = ["Home", "Integers", "in_floats"]
