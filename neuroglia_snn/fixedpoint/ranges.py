"""Range analysis: intervals of every value of a program, from the ranges of its state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neuroglia_snn.errors import UserError
from neuroglia_snn.lowering.execute import evaluate_function
from neuroglia_snn.lowering.operations import (
    Block,
    Clip,
    Coupling,
    Function,
    Linear,
    Operation,
    Population,
    Product,
    Program,
    Select,
    Stencil,
    Sum,
    Test,
    operands,
)

Range = tuple[float, float]
Ranges = dict[str, Range]

#: Points at which a function is looked at between the ends of its range.
SAMPLES = 4097
#: Largest normal number that the noise can give, either way (sum of 8 bytes; see `integers`).
NORMAL = 4.88


class RangeError(UserError):
    """A value has no finite range."""


def of_sum(total: Sum, known: Mapping[str, Range]) -> Range:
    """The interval of a sum."""
    low = high = total.constant
    for name, factor in total.terms:
        ends = sorted(factor * end for end in known[name])
        low, high = low + ends[0], high + ends[1]
    return low, high


def of_block(block: Block, known: Ranges) -> Ranges:
    """Intervals of everything that a block reads and makes.

    Raises
    ------
    RangeError
        Where a function has no finite value within its range.
    """
    known = dict(known)
    for operation in block.operations:
        known[operation.out] = _of(operation, known)
    return known


def _of(operation: Operation, known: Ranges) -> Range:
    match operation:
        case Linear(sum=total):
            return of_sum(total, known)
        case Product(a=a, b=b):
            ends = [x * y for x in known[a] for y in known[b]]
            low = 0.0 if a == b else min(ends)  # a square
            return low, max(ends)
        case Function(x=x, text=text):
            values = evaluate_function(text, np.linspace(*known[x], SAMPLES))
            if not np.isfinite(values).all():
                low, high = known[x]
                raise RangeError(
                    f"'{text}' is not finite for every x between {low:g} and {high:g}: give the"
                    " variable that it depends on a narrower range"
                )
            return float(values.min()), float(values.max())
        case Clip(low=low, high=high):
            return low, high
        case Test():
            return 0.0, 1.0
        case Select(then=then, otherwise=otherwise):
            return (
                min(known[then][0], known[otherwise][0]),
                max(known[then][1], known[otherwise][1]),
            )
        case Stencil(x=x, pre=pre, post=post, denominator=denominator):
            around = 4 * np.abs(pre).max() + np.abs(post).max()
            reach = around / denominator * max(abs(end) for end in known[x])
            return -reach, reach
    raise TypeError(operation)


def that_matter(block: Block, known: Ranges, limits: Mapping[str, Range]) -> Ranges:
    """Intervals outside which values make no difference, as what they are added to saturates or is cut.

    Parameters
    ----------
    block : in floating point
    known : intervals of everything that the block reads and makes
    limits : where values saturate, by name

    Returns
    -------
    Of every value that a sum with such limits (or one that is added to such a sum) or a clip reads,
    and nothing else does.
    """
    matter: Ranges = {}
    free = set(block.assign.values()) - set(limits)
    for operation in reversed(block.operations):
        out = operation.out
        if out in limits:
            wanted: Range | None = limits[out]
        else:
            wanted = None if out in free else matter.get(out)
        read = _read_within(operation, wanted, known)
        for name in operands(operation):
            if name not in read:
                free.add(name)
            else:
                low, high = matter.get(name, read[name])
                matter[name] = min(low, read[name][0]), max(high, read[name][1])
    return {name: interval for name, interval in matter.items() if name not in free}


def _read_within(operation: Operation, wanted: Range | None, known: Ranges) -> Ranges:
    """Intervals of an operation's operands that matter if only ``wanted`` of its result does."""
    match operation:
        case Clip(x=x, low=low, high=high):
            return {x: (low, high)}
        case Select(then=then, otherwise=otherwise) if wanted:
            return {then: wanted, otherwise: wanted}
        case Linear(sum=total) if wanted:
            result: Ranges = {}
            for name, factor in total.terms:
                rest = Sum(tuple(t for t in total.terms if t[0] != name), total.constant)
                low, high = of_sum(rest, known)
                ends = sorted(((wanted[0] - high) / factor, (wanted[1] - low) / factor))
                result[name] = ends[0], ends[1]
            return result
    return {}


def of_inputs(program: Program, state: Mapping[str, Mapping[str, Range]]) -> dict[str, Ranges]:
    """Ranges of all variables of each population: its state, its stimuli, what couplings sum up."""
    known = {
        name: dict(state[name]) | _given(program, population)
        for name, population in program.populations.items()
    }
    waiting = list(program.couplings.values())
    while waiting:
        ready = [c for c in waiting if c.give.reads() <= set(known[c.source])]
        if not ready:
            names = ", ".join(c.name for c in waiting)
            raise RangeError(f"the couplings {names} depend on each other: set the range of one")
        for coupling in ready:
            term = of_block(coupling.give, known[coupling.source])[coupling.term]
            known[coupling.target].setdefault(coupling.variable, _pooled(coupling, term))
            waiting.remove(coupling)
    return known


def _pooled(coupling: Coupling, term: Range) -> Range:
    """The interval of a weighted sum over the sources of any unit."""
    ends = np.outer(coupling.weights, term) / coupling.denominator
    low, high = (np.bincount(coupling.targets, f(ends, axis=1)) for f in (np.min, np.max))
    return float(min(0.0, low.min())), float(max(0.0, high.max()))


def _given(program: Program, population: Population) -> Ranges:
    end = program.steps * program.dt
    known: Ranges = {"t": (0.0, end), "t_later_": (0.0, end + population.dt)}
    for s in population.stimulated:
        low = sum(min(0.0, float(v.min())) for v in s.values)
        high = sum(max(0.0, float(v.max())) for v in s.values)
        known[s.variable] = known[f"{s.variable}_later_"] = (low, high)
    if population.noise:
        known[population.noise] = (-NORMAL, NORMAL)
    return known


def give_block(coupling: Coupling) -> str:
    """Label of a coupling's block among its source's."""
    return f"give {coupling.name}"
