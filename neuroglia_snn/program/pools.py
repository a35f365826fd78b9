"""Sums over windows: targets whose sources follow each other, as those of a footprint on a lattice do.

What a synapse adds depends then on its source alone. It is worked out once for each source, not for each synapse;
sources that follow each other are added up once; and a target adds up a few of these. Only whole numbers are summed
so, whose sum is the same in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from neuroglia_snn.program.gathers import Given, inlined, placed
from neuroglia_snn.program.program import Kernel, Program, Step, Sum
from neuroglia_snn.program.tree import (
    FLOAT64,
    Apply,
    Array,
    Cell,
    Expression,
    Literal,
    Local,
    Parameter,
    Statement,
)


@dataclass(frozen=True, eq=False)
class Pool(Step):
    """A sum over windows of ``length`` sources.

    The kernel is that of a source. ``index`` says of each window which target it is added to, in their order;
    ``first`` is its first source; ``terms`` is room for what sources add, and for zeros beyond the last one.
    """

    kernel: Kernel
    count: Expression
    target: Array
    index: Array
    start: Expression
    stop: Expression
    first: Array
    terms: Array
    length: int


def pooled(program: Program) -> Program:
    """The program with sums over windows."""
    steps: list[Step] = []
    arrays = list(program.arrays)
    for step in program.steps:
        made = _pool(step, arrays) if type(step) is Sum and step.grouped else None
        steps.append(made or step)
    return replace(program, steps=steps, arrays=arrays)


def _pool(step: Sum, arrays: list[Array]) -> Pool | None:
    """The sum over windows; the arrays that this takes join the program's."""
    value = inlined(step)
    if value is None or value.dtype.kind not in "biu":
        return None
    source = _source(value)
    if source is None:
        return None
    sources, targets = source.values(), step.index.values()
    length = _length(sources, targets)
    if length == 1:
        return None

    def given(name: str, values: np.ndarray, constant: bool = True) -> Array:
        owner = SimpleNamespace(name=step.owner.name)
        arrays.append(Array(len(arrays), Given(name, values, owner, constant), False))
        return arrays[-1]

    count = int(sources.max()) + 1
    result = Local(step.kernel.first_free(), value.dtype, False)
    each = (Statement(result, None, placed(value, source, None)),)
    return Pool(
        step.owner,
        step.clock,
        Kernel(step.kernel.before, each, {"_synaptic_var": result}),
        Literal(count, value.dtype),
        step.target,
        given("target", np.ascontiguousarray(targets[::length], np.int32)),
        step.start,
        step.stop,
        first=given("first", np.ascontiguousarray(sources[::length], np.int32)),
        terms=given("terms", np.zeros(count + length, FLOAT64), constant=False),
        length=length,
    )


def _source(value: Expression) -> Array | None:
    """The indices of the sources, where a synapse reads nothing but values of its source and shared ones."""
    found: set[Array] = set()

    def allowed(e: Expression) -> bool:
        if isinstance(e, Cell) and not e.array.scalar:
            if not isinstance(e.index, Cell) or e.index.index is not None:
                return False
            found.add(e.index.array)
            return True
        if isinstance(e, Local):
            return e.scalar
        return isinstance(e, (Cell, Literal, Parameter)) or (
            isinstance(e, Apply) and all(map(allowed, e.arguments))
        )

    return found.pop() if allowed(value) and len(found) == 1 else None


def _length(sources: np.ndarray, targets: np.ndarray) -> int:
    """The most sources that always follow each other, for one target."""
    if len(sources) < 2:
        return 1
    breaks = np.flatnonzero((np.diff(sources) != 1) | (np.diff(targets) != 0)) + 1
    borders = np.concatenate(([0], breaks, [len(sources)]))
    return math.gcd(*np.unique(np.diff(borders)).tolist())
