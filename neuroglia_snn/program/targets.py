"""Sums over synapses target by target, so that targets can be done at the same time and each in Brian2's order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.program import Program, Step, Sum
from neuroglia_snn.program.tree import Array, Cell


@dataclass(frozen=True, eq=False, kw_only=True)
class ByTarget(Sum):
    """A sum that has its synapses listed by target.

    The synapses of the k-th target from ``start`` on are those from ``begin[k]`` to ``begin[k + 1]`` in
    ``order``, or the numbers in between themselves where there is no ``order``.
    """

    begin: Array
    order: Array | None


def by_target(program: Program) -> Program:
    """The program whose sums know the synapses of each target; not those that read what they write."""
    steps: list[Step] = []
    arrays = list(program.arrays)
    for step in program.steps:
        if type(step) is Sum and not _of_itself(step):
            step = _listed(step, program, arrays)
        steps.append(step)
    return replace(program, steps=steps, arrays=arrays)


def _of_itself(step: Sum) -> bool:
    """Whether a synapse reads a sum, or writes what others read or write."""
    kernel = step.kernel
    read = {e.array for e in kernel.expressions() if isinstance(e, Cell)}
    return (
        step.target in read
        or kernel.in_order
        or any(c.index is not None or c.array.scalar for c in kernel.writes())
    )


def _listed(step: Sum, program: Program, arrays: list[Array]) -> ByTarget:
    owner = SimpleNamespace(name=step.owner.name)

    def given(name: str, values: np.ndarray) -> Array:
        arrays.append(Array(len(arrays), Given(name, values, owner), False))
        return arrays[-1]

    targets = step.index.values()
    start, stop = program.number(step.start), program.number(step.stop)
    order = None
    if (targets[1:] < targets[:-1]).any():
        sorting = np.argsort(targets, kind="stable")
        order = given("order", sorting.astype(np.int32))
        targets = targets[sorting]
    begin = given("begin", np.searchsorted(targets, np.arange(start, stop + 1)).astype(np.int64))
    named = {name: getattr(step, name) for name in step.__dataclass_fields__}
    return ByTarget(**named, begin=begin, order=order)
