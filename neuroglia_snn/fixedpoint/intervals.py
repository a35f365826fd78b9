"""Range analysis: intervals of every value of a block, from those of what it reads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neuroglia_snn.errors import UserError
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
    Select,
    Store,
    Sum,
    Test,
    Value,
    Whole,
)
from neuroglia_snn.program.reference import applied
from neuroglia_snn.program.text import shown
from neuroglia_snn.program.tree import Apply, Expression, Literal

Range = tuple[float, float]
Ranges = dict[Value, Range]

#: Points at which a function is looked at between the ends of its range.
SAMPLES = 4097
#: Largest normal number that the noise can give, either way (sum of 8 bytes; see `registers`).
FARTHEST = 4.88


class RangeError(UserError):
    """A value has no finite range."""


def evaluated(body: Expression, x: np.ndarray) -> np.ndarray:
    """A function's body for an array of arguments."""
    if isinstance(body, Literal):
        return np.full(np.shape(x), float(body.value))
    if isinstance(body, Apply):
        found = applied(body, [evaluated(a, x) for a in body.arguments])
        return np.asarray(found, float)
    return np.asarray(x, float)


def of_sum(total: Sum, known: Mapping[Value, Range]) -> Range:
    """The interval of a sum."""
    low = high = total.constant
    for value, factor in total.terms:
        ends = sorted(factor * end for end in known[value])
        low, high = low + ends[0], high + ends[1]
    return low, high


def of(operation: Operation, known: Ranges, seen: Range | None = None) -> Range:
    """The interval of an operation's result; ``seen`` is one for what has no other, as inputs have.

    Raises
    ------
    RangeError
        Where a function has no finite value within its range.
    """
    match operation:
        case Linear(sum=total):
            return of_sum(total, known)
        case Product(a=a, b=b):
            ends = [x * y for x in known[a] for y in known[b]]
            return 0.0 if a == b and min(ends) < 0 else min(ends), max(ends)
        case Function(x=x, body=body):
            return _of_function(body, known[x])
        case Quotient(over=over, under=under):
            low, high = known[under]
            if low <= 0 <= high:
                raise RangeError(
                    f"fixed point: a quotient's divisor is between {low:g} and {high:g}, and so may be 0;"
                    " give the variable that it depends on a narrower range"
                )
            above = (1.0, 1.0) if over is None else known[over]
            ends = [x / y for x in above for y in (low, high)]
            return min(ends), max(ends)
        case Clip(x=x, low=low, high=high):
            return min(max(known[x][0], low), high), max(min(known[x][1], high), low)
        case Absolute(x=x):
            low, high = known[x]
            return max(low, -high, 0.0), max(-low, high)
        case Whole(x=x):
            return known[x][0] - 1, known[x][1] + 1
        case Test() | Logic():
            return 0.0, 1.0
        case Select(then=then, otherwise=otherwise):
            one, other = known[then], known[otherwise]
            return min(one[0], other[0]), max(one[1], other[1])
        case Random(kind=kind):
            return (0.0, 1.0) if kind == "rand" else (-FARTHEST, FARTHEST)
        case Look(expression=e):
            values = e.table.values  # type: ignore[union-attr]
            return float(values.min(initial=0.0)), float(values.max(initial=0.0))
        case Exact() | Given():
            return seen or (0.0, 1.0)
    raise TypeError(operation)


def _of_function(body: Expression, x: Range) -> Range:
    values = evaluated(body, np.linspace(*x, SAMPLES))
    if not np.isfinite(values).all():
        raise RangeError(
            f"fixed point: '{shown(body)}' is not finite for every x between {x[0]:g} and {x[1]:g};"
            " give the variable that it depends on a narrower range"
        )
    return float(values.min()), float(values.max())


def that_matter(block: Block, known: Ranges, limits: Mapping[Value, Range]) -> Ranges:
    """Intervals outside which values make no difference, as what they are added to saturates or is cut.

    Parameters
    ----------
    block : in floating point
    known : intervals of everything that the block reads and makes
    limits : where values saturate

    Returns
    -------
    Of every value that a sum with such limits (or one that is added to such a sum) or a clip reads,
    and nothing else does.
    """
    matter: Ranges = {}
    free: set[Value] = set(block.results.values())
    for item in block.items:
        if isinstance(item, Store):
            free |= set(item.reads)
    free -= set(limits)
    for operation in reversed(list(block.operations())):
        out = operation.out
        if out in limits:
            wanted: Range | None = limits[out]
        else:
            wanted = None if out in free else matter.get(out)
        read = _read_within(operation, wanted, known)
        for value in operation.reads:
            if value not in read:
                free.add(value)
            else:
                low, high = matter.get(value, read[value])
                matter[value] = min(low, read[value][0]), max(high, read[value][1])
    return {value: interval for value, interval in matter.items() if value not in free}


def _read_within(operation: Operation, wanted: Range | None, known: Ranges) -> Ranges:
    """Intervals of an operation's operands that matter if only ``wanted`` of its result does."""
    match operation:
        case Clip(x=x, low=low, high=high):
            return {x: (low, high)}
        case Select(condition=condition, then=then, otherwise=otherwise) if wanted:
            return {condition: (0.0, 1.0), then: wanted, otherwise: wanted}
        case Linear(sum=total) if wanted:
            result: Ranges = {}
            for value, factor in total.terms:
                rest = Sum(tuple(t for t in total.terms if t[0] != value), total.constant)
                low, high = of_sum(rest, known)
                ends = sorted(((wanted[0] - high) / factor, (wanted[1] - low) / factor))
                result[value] = ends[0], ends[1]
            return result
    return {}
