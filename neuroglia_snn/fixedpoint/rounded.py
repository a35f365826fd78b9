"""A block in floating point as one in integers, as the neuron programs of Loihi 2 compute.

States are 24-bit integers, coefficients 16-bit mantissas with an exponent, functions look-up tables
with linear interpolation, sums exact until they are rounded once; every result saturates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from neuroglia_snn.fixedpoint import intervals
from neuroglia_snn.fixedpoint.formats import MANTISSA_BITS, STATE_BITS, SUM_BITS, Format, fitting
from neuroglia_snn.fixedpoint.intervals import Range, RangeError, Ranges, evaluated
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
from neuroglia_snn.fixedpoint.sums import ARGUMENT
from neuroglia_snn.program.tree import BOOL, Apply, Cell, Expression, Literal, Local

#: Intervals of a look-up table, and at most where it would be rough: off by this part of its format's range.
TABLE_INTERVALS, MOST_INTERVALS, ROUGH = 256, 8192, 2.0**-13
#: At how many places that is looked at.
SAMPLES = 1025
#: Entries of one of the two tables of a decay over a number of steps.
DECAY_ENTRIES = 256
#: Finest exponent of a coefficient.
MAX_SHIFT = 30
#: Relative distance from a power of two within which a coefficient is the power and a mantissa.
NEAR = 1 / 4
#: Bits below the finest step of its terms to which a comparison is exact.
COMPARED_BITS = 6
#: Bits that no sum may exceed before it is rounded.
ACCUMULATOR_BITS = 61
#: A normal number: the sum of eight bytes less its mean; one count in standard deviations.
NORMAL = Format(12, 0, 1 / math.sqrt(8 * (256**2 - 1) / 12))
#: A uniform number from 0 to 1.
UNIFORM = Format(25, 24)
#: Whole numbers, and conditions.
WHOLE, TRUTH = Format(SUM_BITS, 0), Format(2, 0)

#: Whose intervals are known whatever a run shows.
_CERTAIN = (Exact, Given, Look, Random, Test, Logic)
#: An interval that follows from operands is taken unless it is so many times as wide as what was seen.
WIDER = 16.0
#: What is seen of an intermediate value in a run in floating point may be exceeded by this part of it.
ROOM = 1.5


@dataclass(frozen=True)
class Rounded:
    """A block in integers, and the format and the range of every value that it makes.

    ``free`` is a number above those of all its locals, and of those of the kernel.
    """

    block: Block
    free: int
    formats: Mapping[Value, Format]
    ranges: Ranges


def rounded(
    block: Block,
    format_of: Callable[[Cell], Format],
    range_of: Callable[[Cell], Range],
    seen: Ranges,
    wanted: Mapping[Value, Format],
    random: Iterable[Value] = (),
) -> Rounded:
    """A block in integers.

    Parameters
    ----------
    block : in floating point
    format_of, range_of : of a cell that it reads
    seen : ranges of what it makes, as a run in floating point shows them, without room
    wanted : formats that values must have, as those of the cells that they are stored in
    random : values that are rounded at random

    Raises
    ------
    RangeError
        Where a range leads to a value that is not finite.
    """
    return _Rounding(block, format_of, range_of, seen, wanted, frozenset(random)).made()


class _Rounding:
    def __init__(
        self,
        block: Block,
        format_of: Callable[[Cell], Format],
        range_of: Callable[[Cell], Range],
        seen: Ranges,
        wanted: Mapping[Value, Format],
        random: frozenset[Value],
    ) -> None:
        self._block, self._format_of, self._wanted = block, format_of, wanted
        self._random = random
        self._next = block.free
        self._known: Ranges = {
            value: range_of(value)
            for item in block.items
            for value in item.reads
            if isinstance(value, Cell)
        }
        self.formats: dict[Value, Format] = {}
        self._items: list[Operation | Store] = []
        self._seen = seen
        saturating = {value: made.range for value, made in wanted.items()}
        everything = self._everything(block)
        matter = intervals.that_matter(block, everything, saturating)
        for item in block.items:
            if isinstance(item, Store):
                self._items.append(item)
                continue
            limit = saturating.get(item.out)
            if isinstance(item, Function):
                limit = limit or matter.get(item.out)
            self._known[item.out] = self._range(item, limit is not None)
            if limit:
                self._known[item.out] = _within(self._known[item.out], limit)
            self._add(item)

    def made(self) -> Rounded:
        return Rounded(
            replace(self._block, items=tuple(self._items)), self._next, self.formats, self._known
        )

    # ------------------------------------------------------------------ ranges

    def _everything(self, block: Block) -> Ranges:
        """Ranges of all values, those of cells as wide as their formats."""
        known = {v: _united(r, self._of(v).range) for v, r in self._known.items()}
        for operation in block.operations():
            try:
                found = intervals.of(operation, known, self._seen.get(operation.out))
            except RangeError:
                found = self._seen.get(operation.out, (-math.inf, math.inf))
            known[operation.out] = found
        return known

    def _range(self, operation: Operation, limited: bool) -> Range:
        """The interval of a result; of a table that is cut, a rare peak need not have been seen."""
        seen = self._seen.get(operation.out)
        follows = limited and isinstance(operation, Function)
        try:
            low, high = bounded(operation, self._known, None if follows else seen)
        except RangeError:
            low, high = bounded(operation, self._known, seen)
        if isinstance(operation, Linear) and self._is_elapsed(operation.sum):
            low, high = max(low, 0.0), max(high, 0.0)
        return low, high

    def _is_elapsed(self, total: Sum) -> bool:
        """Whether a sum is the time of a clock less one that was taken from it before."""
        match total:
            case Sum(terms=((Cell() as now, 1.0), (Cell() as before, -1.0)), constant=0.0):
                found = self._of(now), self._of(before)
                counts = all(f.fraction == 0 and f.unit == found[0].unit for f in found)
                return counts and now.array.scalar and not before.array.scalar
        return False

    # ------------------------------------------------------------------ operations

    def _of(self, value: Value) -> Format:
        if value in self.formats:
            return self.formats[value]
        if value.dtype == BOOL:
            return TRUTH
        assert isinstance(value, Cell)
        return self._format_of(value)

    def _fitting(self, out: Value) -> Format:
        return self._wanted.get(out) or fitting(*self._known[out])

    def _new(self) -> Local:
        self._next += 1
        return Local(self._next - 1, np.dtype(np.int64), False)

    def _add(self, operation: Operation) -> None:
        made: Operation = operation
        out = operation.out
        match operation:
            case Linear(sum=total):
                made = self._linear(out, total)
            case Product():
                made = self._product(operation)
            case Function():
                self._function(operation)
                return
            case Quotient(over=over, under=under):
                made_format = self.formats[out] = self._fitting(out)
                above = 1.0 if over is None else self._of(over).scale
                factor = above / (self._of(under).scale * made_format.scale)
                made = Quotient(out, over, under, factor, made_format.bits)
            case Clip(x=x, low=low, high=high):
                made_format = self.formats[out] = self._of(x)
                made = Clip(out, x, *(int(made_format.encode(end)) for end in (low, high)))
            case Absolute(x=x):
                self.formats[out] = self._of(x)
            case Whole(x=x, function=function):
                made = self._whole_number(out, x, function)
            case Test(relation=relation, left=left, right=right):
                self.formats[out] = TRUTH
                made = Test(out, relation, *self._compared(left, right))
            case Logic():
                self.formats[out] = TRUTH
            case Select(condition=condition, then=then, otherwise=otherwise):
                made = self._select(out, condition, then, otherwise)
            case Exact():
                self.formats[out] = TRUTH if out.dtype == BOOL else WHOLE
            case Given() | Look():
                self.formats[out] = self._fitting(out)
            case Random(kind=kind):
                self.formats[out] = UNIFORM if kind == "rand" else NORMAL
        self._items.append(made)

    def _select(self, out: Local, condition: Value, then: Value, otherwise: Value) -> Select:
        sides = [v for v in (then, otherwise) if not self._is_zero(v)] or [then]
        made = self._wanted.get(out) or max(map(self._of, sides), key=lambda f: f.range[1])
        self.formats[out] = made
        return Select(out, condition, self._as(then, made), self._as(otherwise, made))

    def _as(self, value: Value, wanted: Format) -> Value:
        """A value in another format."""
        if self._of(value).scale == wanted.scale or self._is_zero(value):
            return value
        out = self._new()
        self.formats[out] = wanted
        self._known[out] = self._known[value]
        self._items.append(self._cut(out, Sum(((value, 1.0),)), wanted))
        return out

    def _is_zero(self, value: Value) -> bool:
        return self._known.get(value) == (0.0, 0.0)

    def _linear(self, out: Local, total: Sum) -> Linear:
        kept = self._whole(out, total)
        if kept:
            self.formats[out] = kept
            terms = tuple((value, round(factor)) for value, factor in total.terms)
            return Linear(
                out, Sum(terms, round(total.constant / kept.scale)), Rounding(0, kept.bits)
            )
        if out not in self._wanted and len(total.terms) == 1 and total.constant == 0:
            value, factor = total.terms[0]  # another unit, the same integer
            old = self._of(value)
            self.formats[out] = Format(old.bits, old.fraction, old.unit * abs(factor))
            whole = Sum(((value, int(math.copysign(1, factor))),), 0)
            return Linear(out, whole, Rounding(0, old.bits))
        self.formats[out] = self._fitting(out)
        return self._cut(out, total, self.formats[out])

    def _whole(self, out: Value, total: Sum) -> Format | None:
        """The format of a sum that needs no rounding: differences of times stay exact."""
        formats = [self._of(value) for value, _ in total.terms]
        if not formats:
            return None
        scale = formats[0].scale
        whole = all(float(k).is_integer() for _, k in total.terms)
        steps = total.constant / scale
        exact = total.constant == 0 or (
            formats[0].fraction == 0 and math.isclose(steps, round(steps), abs_tol=1e-6)
        )
        same = len({f.scale for f in formats}) == 1 and (len(formats) > 1 or total.constant)
        if not (whole and same and exact):
            return None
        bits = max(STATE_BITS, *(f.bits for f in formats))
        made = Format(bits, formats[0].fraction, formats[0].unit)
        if out in self._wanted:
            return self._wanted[out] if self._wanted[out].scale == scale else None
        low, high = self._known[out]
        return made if made.range[0] <= low and high <= made.range[1] else None

    def _cut(self, out: Value, total: Sum, made: Format) -> Linear:
        """A sum with whole coefficients, and the shift that rounds it into a format."""
        factors = [(v, c * self._of(v).scale / made.scale) for v, c in total.terms]
        coefficients = [(v, *_coefficient(k)) for v, k in factors]
        shift = max((e for _, _, e in coefficients), default=0)
        constant = total.constant / made.scale
        size = abs(constant) + sum(abs(k) * self._largest(v) for v, k in factors)
        room = ACCUMULATOR_BITS - math.ceil(math.log2(max(size, 1.0)))
        shift = max(0, min(shift, room))
        terms = tuple((v, _shifted(m, shift - e)) for v, m, e in coefficients)
        limit = 2.0**ACCUMULATOR_BITS
        whole = Sum(terms, round(min(max(constant * 2.0**shift, -limit), limit)))
        return Linear(out, whole, Rounding(shift, made.bits, out in self._random))  # type: ignore[arg-type]

    def _largest(self, value: Value) -> float:
        """Largest integer that a value can be."""
        return max(abs(end) for end in self._known[value]) / self._of(value).scale + 1

    def _product(self, operation: Product) -> Product:
        a, b = self._of(operation.a), self._of(operation.b)
        unit = a.unit * b.unit  # the result keeps it: the shift is then whole
        made = fitting(*self._known[operation.out], unit=unit)
        if a.fraction + b.fraction < made.fraction:  # nothing is gained below the last bit
            made = Format(made.bits, a.fraction + b.fraction, unit)
        self.formats[operation.out] = made
        return replace(
            operation, rounding=Rounding(a.fraction + b.fraction - made.fraction, made.bits)
        )

    def _function(self, operation: Function) -> None:
        x, (low, high) = self._of(operation.x), self._known[operation.x]
        first, last = int(x.encode(low)), int(x.encode(high))
        rate = _rate(operation.body)
        if x.fraction == 0 and rate is not None and rate < 0 <= first:
            self._decay(operation, x, rate * x.scale, last)
            return
        out = self.formats[operation.out] = self._fitting(operation.out)
        step = max(0, math.ceil(math.log2(max(last - first, 1) / TABLE_INTERVALS)))
        while step and self._is_rough(operation.body, (low, high), x.scale * 2.0**step, out):
            if (last - first) >> (step - 1) > MOST_INTERVALS:
                break
            step -= 1
        count = (last - first) // 2**step + 2
        places = np.minimum((first + np.arange(count) * 2**step) * x.scale, high)
        entries = out.encode(evaluated(operation.body, places))
        table = tuple(int(e) for e in entries)
        self._items.append(
            replace(operation, origin=first, step=step, entries=table, exact=step == 0)
        )

    def _is_rough(self, body: Expression, ends: Range, width: float, made: Format) -> bool:
        """Whether a table with intervals so wide is off by more than `ROUGH` of what its format holds."""
        low, high = ends
        inner = np.linspace(low, max(low, high - width), SAMPLES)
        line = (evaluated(body, inner) + evaluated(body, inner + width)) / 2
        limit = made.range[1]
        off = np.clip(line, -limit, limit) - np.clip(
            evaluated(body, inner + width / 2), -limit, limit
        )
        off = off[np.isfinite(off)]
        return bool(off.size) and float(np.abs(off).max()) > ROUGH * limit

    def _decay(self, operation: Function, x: Format, rate: float, last: int) -> None:
        """``exp(rate*x)`` of a number of steps: exact entries of its low and of its high bits, multiplied."""
        bits = int(math.log2(DECAY_ENTRIES))
        made = Format(STATE_BITS, STATE_BITS - 2)
        gone = math.ceil(math.log(made.scale / 4) / rate)  # from there on nothing is left
        low = np.exp(rate * np.arange(min(DECAY_ENTRIES, max(last, 0) + 1)))
        count = min(gone, last) // DECAY_ENTRIES + 2
        high = np.exp(rate * DECAY_ENTRIES * np.arange(count))
        high[-1] = 0.0 if gone <= last else high[-1]
        if last < DECAY_ENTRIES:
            self.formats[operation.out] = made
            entries = tuple(int(e) for e in made.encode(low))
            self._items.append(replace(operation, entries=entries, exact=True))
            return
        parts: list[Value] = []
        whole, rest = self._new(), self._new()
        self.formats[whole] = Format(STATE_BITS, 0)
        self.formats[rest] = Format(STATE_BITS, 0)
        self._items.append(Whole(whole, operation.x, "floor", bits))
        self._items.append(
            Linear(
                rest, Sum(((operation.x, 1), (whole, -DECAY_ENTRIES)), 0), Rounding(0, STATE_BITS)
            )
        )
        for value, entries in ((rest, low), (whole, high)):
            part = self._new()
            self.formats[part] = made
            table = tuple(int(e) for e in made.encode(entries))
            self._items.append(Function(part, value, operation.body, 0, 0, table, True))
            parts.append(part)
        self.formats[operation.out] = made
        self._items.append(
            Product(operation.out, parts[0], parts[1], Rounding(made.fraction, made.bits))
        )

    def _whole_number(self, out: Local, x: Value, function: str) -> Whole | Linear:
        """Of a value in units of a power of two."""
        old = self._of(x)
        self.formats[out] = WHOLE
        if old.unit != 1.0:
            fit = fitting(*self._known[x])
            x, old = self._as(x, fit), fit
        if old.fraction <= 0:  # which is whole already
            return self._cut(out, Sum(((x, 1.0),)), WHOLE)
        return Whole(out, x, function, old.fraction)

    def _compared(self, left: Sum, right: Sum) -> tuple[Sum, Sum]:
        """Both sides over a common unit, so fine that equal times stay equal."""
        terms = (*left.terms, *right.terms)
        scales = [abs(c) * self._of(v).scale for v, c in terms]
        size = max(
            abs(side.constant)
            + sum(abs(c) * self._of(v).scale * 2.0 ** self._of(v).bits for v, c in side.terms)
            for side in (left, right)
        )
        unit = max(min(scales) * 2.0**-COMPARED_BITS, size * 2.0**-ACCUMULATOR_BITS)

        def whole(total: Sum) -> Sum:
            made = tuple((v, round(c * self._of(v).scale / unit)) for v, c in total.terms)
            return Sum(made, round(total.constant / unit))

        return whole(left), whole(right)


def bounded(operation: Operation, known: Ranges, seen: Range | None) -> Range:
    """The interval of a result: what follows from its operands, unless far less has been seen of it.

    Raises
    ------
    RangeError
        Where neither says anything.
    """
    room = None if seen is None else with_room(seen)
    try:
        found = intervals.of(operation, known, room)
    except RangeError:
        if room is None:
            raise
        return room
    if room is None or room[1] == room[0] or isinstance(operation, _CERTAIN):
        return found
    if found[1] - found[0] <= WIDER * (room[1] - room[0]):
        return found
    return _within(found, room)


def ranges_of(
    block: Block, range_of: Callable[[Cell], Range], seen: Mapping[Value, Range]
) -> Ranges:
    """Intervals of all that a block reads and makes (`bounded`)."""
    known: Ranges = {
        value: range_of(value)
        for item in block.items
        for value in item.reads
        if isinstance(value, Cell)
    }
    for operation in block.operations():
        known[operation.out] = bounded(operation, known, seen.get(operation.out))
    return known


def _rate(body: Expression) -> float | None:
    """``k`` of a body ``exp(k*x)``."""
    if not (isinstance(body, Apply) and body.operation == "exp"):
        return None
    inner = body.arguments[0]
    if inner == ARGUMENT:
        return 1.0
    if isinstance(inner, Apply) and inner.operation == "*":
        factor, x = inner.arguments
        if isinstance(factor, Literal) and x == ARGUMENT:
            return float(factor.value)
    return None


def with_room(seen: Range) -> Range:
    """What was seen, with room; what keeps one sign keeps it."""
    low, high = seen
    room = ROOM * (high - low) + 1e-9 * max(abs(low), abs(high))
    least = max(low - room, 0.25 * low) if low > 0 else low if low == 0 else low - room
    most = min(high + room, 0.25 * high) if high < 0 else high if high == 0 else high + room
    return least, most


def _within(found: Range, limit: Range) -> Range:
    """The part of an interval within a limit; the end of the limit that is nearest where there is none."""
    low, high = (min(max(end, limit[0]), limit[1]) for end in found)
    return low, high


def _united(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), max(a[1], b[1])


def _coefficient(factor: float) -> tuple[int, int]:
    """``factor`` as ``integer * 2**-exponent``.

    A factor near a power of two, as that of a variable's own value is, is the power and a mantissa for
    the rest: ``x + dt*(...)`` keeps the precision of what is added.
    """
    if factor == 0:
        return 0, 0
    power = math.copysign(2.0 ** round(math.log2(abs(factor))), factor)
    rest = factor - power
    if abs(rest) > NEAR * abs(power):
        return _mantissa(factor)
    mantissa, exponent = _mantissa(rest)
    shift = max(exponent, -round(math.log2(abs(power))), 0)
    return int(power * 2.0**shift) + round(mantissa * 2.0 ** (shift - exponent)), shift


def _mantissa(factor: float) -> tuple[int, int]:
    """``factor`` as a mantissa of so many bits and an exponent."""
    if factor == 0:
        return 0, 0
    exponent = min(MANTISSA_BITS - 2 - math.floor(math.log2(abs(factor))), MAX_SHIFT)
    mantissa = round(factor * 2.0**exponent)
    while mantissa and mantissa % 2 == 0 and exponent > 0:  # 0.5 is 1 * 2**-1
        mantissa, exponent = mantissa // 2, exponent - 1
    return mantissa, exponent


def _shifted(mantissa: int, by: int) -> int:
    return mantissa << by if by >= 0 else round(mantissa / 2**-by)
