"""What threads may share: units or synapses that can be done at the same time, and from how many on it pays.

No bit of a result depends on the number of threads. Units are shared out in whole blocks, so that each lies in
the same place of a vector as on one thread. The synapses of a source and a delay are shared out by what they
write: a target belongs to one thread, which adds to it in the order of one thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.program import Deliver, Kernel, Program, Sum, Threshold, Update
from neuroglia_snn.program.regular import Regular
from neuroglia_snn.program.spread import Spread
from neuroglia_snn.program.tree import (
    Apply,
    Array,
    Call,
    Cell,
    Draw,
    Expression,
    Literal,
    Parameter,
    walk,
)

#: Units that stay together, as in ``emit/run.hpp``.
BLOCK = 256
#: Numbers in a line of a cache.
LINE = 8


def independent(kernel: Kernel) -> bool:
    """Whether units may be done in any order, and many at once: each writes its own cells alone."""
    written = {c.array for c in kernel.writes() if not c.array.scalar}
    gathered = any(c.index is not None for c in kernel.writes())
    return not gathered and not any(
        isinstance(e, Cell) and e.index is not None and e.array in written
        for s in kernel.each
        for part in s.expressions()
        for e in walk(part)
    )


def among_units(kernel: Kernel) -> bool:
    """Whether threads may share the units."""
    return independent(kernel) and _alike(kernel)


def _alike(kernel: Kernel) -> bool:
    """Whether what is done once has the same result in every thread, and is all that units share."""
    once = any(isinstance(s.target, Cell) for s in kernel.before)
    scalar = any(c.array.scalar for c in kernel.writes())
    return not (once or scalar or any(isinstance(e, Call) for e in kernel.expressions()))


@dataclass(frozen=True)
class Reached:
    """By which index synapses reach what they write beside their own; none where they write nothing else."""

    index: Array | None


def among_synapses(kernel: Kernel) -> Reached | None:
    """How synapses reach what they write, if threads may share them without that a bit changes.

    None where they may not: as for `reached`, and where a value's bits depend on its place in a vector.
    """
    return None if any(map(_of_the_library, kernel.expressions())) else reached(kernel)


def reached(kernel: Kernel) -> Reached | None:
    """How synapses reach what they write; None where they reach what others write in more than one way."""
    written = {c.array: c for c in kernel.writes()}
    cells = [*kernel.writes(), *(e for e in kernel.expressions() if isinstance(e, Cell))]
    if not _alike(kernel):
        return None
    if any(written.get(c.array, c) != c for c in cells):
        return None
    ways = {c.index for c in written.values() if c.index is not None}
    if not ways:
        return Reached(None)
    way = ways.pop()
    if ways or not isinstance(way, Cell) or way.index is not None or way.array in written:
        return None
    return Reached(way.array)


def _of_the_library(e: Expression) -> bool:
    """A function whose form for vectors may round otherwise than its form for one number."""
    if not isinstance(e, Apply):
        return False
    if e.operation == "**" and isinstance(e.arguments[1], Literal):
        return e.arguments[1].value != int(e.arguments[1].value)
    return e.operation in _LIBRARY


_LIBRARY = {
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"),
    *("log", "log10", "log1p", "**"),
}


# ------------------------------------------------------------------------------ what it takes

#: Nanoseconds that each thread must have to do: to give it work and to wait for it takes 150 to 300, and the
#: values that one core leaves to another come from its cache.
WORTH = 750.0
#: Nanoseconds of an operation where numbers are in vectors, of a cell, and of one that an index reaches
#: (AMD Zen 5, AVX-512; more elsewhere, so that there is more to share).
_OPERATION, _CELL, _REACHED = 0.02, 0.04, 0.7
_OPERATIONS = {
    **dict.fromkeys(("/", "sqrt"), 0.1),
    **dict.fromkeys(("exp", "expm1", "exprel", "inverse_exprel"), 0.3),
    **dict.fromkeys(("%", "//"), 3.0),
}
_DRAWS = {"rand": 0.5, "randn": 1.5, "binomial": 1.8, "poisson": 20.0}


def least(kernel: Kernel) -> int:
    """From how many units or synapses for each thread on it pays to share a step."""
    return int(WORTH / _nanoseconds(kernel))


def _nanoseconds(kernel: Kernel) -> float:
    """About what a unit takes."""
    each = [e for s in kernel.each for part in s.expressions() for e in walk(part)]
    draws = {e.number: _DRAWS[e.kind] for e in each if isinstance(e, Draw)}
    cells = {e for e in each if isinstance(e, Cell) and not e.array.scalar}
    return (
        _CELL
        + sum(_of_an_operation(e) for e in each if isinstance(e, Apply))
        + sum(draws.values())
        + sum(_REACHED if isinstance(c.index, Cell) else _CELL for c in cells)
    )


def _of_an_operation(e: Apply) -> float:
    return 3.0 if _of_the_library(e) else _OPERATIONS.get(e.operation, _OPERATION)


def told(program: Program, threads: int) -> str:
    """What threads share, in a sentence."""
    shared, alone = [], []
    for step in program.steps:
        name = step.owner.name
        if isinstance(step, Deliver):
            if among_synapses(step.kernel) is None:
                alone.append(name)
            else:
                shared.append(f"{name} (from {threads * least(step.kernel)} synapses a step on)")
        elif isinstance(step, (Update, Threshold, Sum)):
            count, fewest = _count(program, step.count), threads * least(step.kernel)
            if not may_share(step):
                alone.append(name)
            elif count < fewest:
                alone.append(f"{name} ({count} of {fewest} units)")
            else:
                shared.append(f"{name} ({count} units)")
    rest = f"; one thread does {', '.join(alone)}" if alone else ""
    return f"{threads} threads share {', '.join(shared) or 'nothing'}{rest}"


def may_share(step: Update | Threshold | Sum) -> bool:
    """Whether threads may share the units of a step."""
    if (
        isinstance(step, Sum)
        and not (type(step) is Sum and step.grouped)
        and type(step) is not Regular
    ):
        return False
    return type(step) is not Spread and among_units(step.kernel)


def _count(program: Program, e: Expression) -> int:
    if isinstance(e, Parameter):
        return int(program.parameters[e.number])
    return int(e.array.values()[0]) if isinstance(e, Cell) else 0


# -------------------------------------------------------------------- synapses of each thread


def dealt(edges: Edges, reached: Reached, parts: int) -> Edges:
    """Every group in as many parts as there are threads: by the target's unit, or evenly without targets.

    Within a group, synapses follow each other in the order of their targets then. There is one part where
    targets are too few to be shared out.
    """
    first, last = edges.begin[:-1], edges.begin[1:]
    borders = np.arange(1, parts)
    if reached.index is None:
        inner = first[:, None] + (last - first)[:, None] * borders // parts
        order = edges.order
    else:
        targets = reached.index.values()
        low = int(targets.min(initial=2**31 - 1))
        count = int(targets.max(initial=0)) + 1 - low
        if count < 2 * LINE * parts:
            return edges
        by_place, order = _by_target(edges, targets)
        inner = np.column_stack(
            [_searched(by_place, first, last, low + _border(count, int(k), parts)) for k in borders]
        )
    begin = np.append(np.column_stack((first, inner)).ravel(), edges.begin[-1])
    return replace(edges, begin=begin, order=order, parts=parts)


def _border(count: int, part: int, parts: int) -> int:
    """The first unit of a part, as in ``emit/team.hpp``: so a unit stays in the cache of one core."""
    block = BLOCK if count >= BLOCK * parts else LINE
    return (count * part // parts + block // 2) // block * block


def _by_target(edges: Edges, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The target of each place, in ascending order within each group, and the synapse of each place."""
    by_place = targets if edges.order is None else targets[edges.order]
    falling = np.flatnonzero(by_place[1:] < by_place[:-1]) + 1
    if np.isin(falling, edges.begin, assume_unique=False).all():
        return by_place, edges.order
    groups = np.repeat(np.arange(len(edges.begin) - 1), np.diff(edges.begin))
    sorting = np.lexsort((by_place, groups))
    order = sorting if edges.order is None else edges.order[sorting]
    return by_place[sorting], order.astype(np.int32)


def _searched(values: np.ndarray, low: np.ndarray, high: np.ndarray, border: int) -> np.ndarray:
    """Of each range of values, which ascend, the first place that is not below the border."""
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        below = open_.copy()
        below[open_] = values[middle[open_]] < border
        low[below] = middle[below] + 1
        high[open_ & ~below] = middle[open_ & ~below]
    return low
