"""Values that each source gives to a rectangle of units: rows of units that are alike are worked out once.

Where units of a fine lattice read those of a coarse one, a unit reads the same source as the one a row before, in most
rows. Such rows are copies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np

from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.program import Program, Step, Update
from neuroglia_snn.program.tree import Array, Cell, Statement

#: Shortest part of a row that is copied.
_LEAST = 16


@dataclass(frozen=True, eq=False, kw_only=True)
class Spread(Update):
    """An update that gives each unit a value of its source.

    ``table`` has of each part of the units the first, the last + 1, and how many units before them those are
    that have the same sources, 0 if there are none.
    """

    table: Array


def spread(program: Program) -> Program:
    """The program with copies of rows where units read a coarser lattice."""
    steps: list[Step] = []
    arrays = list(program.arrays)
    for step in program.steps:
        index = _index(step) if type(step) is Update else None
        parts = None if index is None else in_parts(index.values())
        if isinstance(step, Update) and parts is not None:
            owner = SimpleNamespace(name=step.owner.name)
            arrays.append(Array(len(arrays), Given("parts", parts.ravel(), owner), False))
            step = Spread(step.owner, step.clock, step.kernel, step.count, table=arrays[-1])
        steps.append(step)
    return replace(program, steps=steps, arrays=arrays)


def _index(step: Update) -> Array | None:
    """The index of an update whose only statement gives each unit a value of its source."""
    kernel = step.kernel
    if kernel.before or len(kernel.each) != 1:
        return None
    match kernel.each[0]:
        case Statement(Cell(target, None), None, Cell(source, Cell(index, None)), None) if (
            source.dtype == target.dtype and source is not target
        ):
            return index if index.variable.constant else None
    return None


def in_parts(sources: np.ndarray) -> np.ndarray | None:
    """Parts of the units, (parts, 3), as in the table; None where few are copies."""
    begin = np.flatnonzero(
        np.diff(sources, prepend=-1)
    )  # of units beside each other, the first one
    order = begin[np.argsort(sources[begin], kind="stable")]
    steps = np.diff(order)[np.diff(sources[order]) == 0]
    lengths, counts = np.unique(steps[steps >= _LEAST], return_counts=True)
    if not len(lengths):
        return None
    row = int(lengths[np.argmax(counts)])
    alike = np.zeros(len(sources), bool)
    alike[row:] = sources[row:] == sources[:-row]
    if 2 * np.count_nonzero(alike) < len(sources):
        return None
    parts: list[tuple[int, int, int]] = []
    borders = [0, *(np.flatnonzero(np.diff(alike)) + 1).tolist(), len(sources)]
    for first, last in pairwise(borders):
        if not alike[first] or last - first < _LEAST:
            if parts and not parts[-1][2]:
                first = parts.pop()[0]
            parts.append((first, last, 0))
            continue
        cuts = [*range(first, last, row), last]  # no copy may overlap what it is made from
        parts += [(a, b, row) for a, b in pairwise(cuts)]
    return np.array(parts, np.int32)
