"""Updates that read other units through constant indices: in runs of units whose sources lie equally far away.

A unit of a lattice reads the one to the left, to the right, above and below; but for the edges of the
lattice these are at the same distances for all units of a row. In a run, what is read follows each other in
memory, and the units are done many at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from neuroglia_snn.program.fuse import cells_of_units
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.program import Program, Step, Update
from neuroglia_snn.program.sharing import independent
from neuroglia_snn.program.tree import (
    INT64,
    Array,
    Cell,
    Expression,
    Local,
    Statement,
    rewritten,
)

#: Runs of fewer units than this, in the mean, do not pay.
_LEAST = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class Windowed(Update):
    """An update in runs of units.

    ``table`` has of each run the first unit, the last + 1, and how far ahead the source in each index is;
    ``sources`` are the locals that its kernel reads them by.
    """

    table: Array
    sources: tuple[Local, ...]


def windowed(program: Program) -> Program:
    """The program with runs in the place of the updates that have them."""
    steps: list[Step] = []
    arrays = list(program.arrays)
    for step in program.steps:
        found = _indices(step) if type(step) is Update else []
        table = runs([index.values() for index in found]) if found else None
        if isinstance(step, Update) and table is not None:
            owner = SimpleNamespace(name=step.owner.name)
            arrays.append(Array(len(arrays), Given("runs", table.ravel(), owner), False))
            step = _made(step, found, arrays[-1])
        steps.append(step)
    return replace(program, steps=steps, arrays=arrays)


def _indices(step: Update) -> list[Array]:
    """The constant indices by which an update reads units, if there are no others."""
    if not independent(step.kernel):
        return []
    found: dict[Array, None] = {}
    for statement in step.kernel.each:
        for cell in cells_of_units(statement):
            if cell.index is None:
                continue
            index = cell.index
            if not (isinstance(index, Cell) and index.index is None and not index.array.scalar):
                return []
            if not index.array.variable.constant:
                return []
            found[index.array] = None
    return list(found)


def runs(sources: list[np.ndarray]) -> np.ndarray | None:
    """Runs of units whose sources are all equally far ahead, (runs, 2 + indices); None where they are short."""
    count = len(sources[0])
    if not count or any(len(s) != count for s in sources):
        return None
    ahead = np.stack([s.astype(np.int64) - np.arange(count) for s in sources])
    changes = np.flatnonzero((np.diff(ahead, axis=1) != 0).any(axis=0)) + 1
    if _LEAST * len(changes) > count:
        return None
    begin = np.concatenate([[0], changes])
    end = np.concatenate([changes, [count]])
    return np.ascontiguousarray(np.column_stack([begin, end, *ahead[:, begin]]))


def _made(step: Update, indices: list[Array], table: Array) -> Windowed:
    free = step.kernel.first_free()
    sources = {index: Local(free + k, INT64, False) for k, index in enumerate(indices)}

    def by_source(e: Expression) -> Expression:
        if isinstance(e, Cell) and isinstance(e.index, Cell) and e.index.array in sources:
            return Cell(e.array, sources[e.index.array])
        return e

    def changed(s: Statement) -> Statement:
        condition = None if s.condition is None else rewritten(s.condition, by_source)
        return replace(s, value=rewritten(s.value, by_source), condition=condition)

    kernel = replace(step.kernel, each=tuple(map(changed, step.kernel.each)))
    return Windowed(
        step.owner, step.clock, kernel, step.count, table=table, sources=tuple(sources.values())
    )
