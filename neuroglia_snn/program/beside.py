"""Values of one synapse beside each other: a spike that reaches synapses that lie apart reads one line of each, not four.

Brian2 keeps an array for each variable. A machine may copy those that only spikes read and write into one
array of rows, a row a synapse, for as long as nothing else looks at them.
"""

from __future__ import annotations

from dataclasses import replace

from neuroglia_snn.program.fuse import touched
from neuroglia_snn.program.program import Deliver, Program, Python, Step
from neuroglia_snn.program.tree import FLOAT64, Array, Cell

#: Most values of a row: a line of the cache.
_MOST = 8


def with_rows(program: Program) -> Program:
    """The program whose pathways know which arrays of their synapses may be beside each other.

    They may where several pathways share them and no other step reads or writes them; Python might.
    """
    if any(isinstance(step, Python) for step in program.steps):
        return program
    rows = {}
    for synapses, pathways in _pathways(program).items():
        arrays = _alone(program, pathways)
        if len(pathways) > 1 and 1 < len(arrays) <= _MOST:
            rows[synapses] = arrays
    steps = [
        replace(step, row=rows.get(step.pathway.path.synapses.name, ()))
        if isinstance(step, Deliver)
        else step
        for step in program.steps
    ]
    return replace(program, steps=steps)


def _pathways(program: Program) -> dict[str, list[Deliver]]:
    """Of each object of synapses, by its name."""
    found: dict[str, list[Deliver]] = {}
    for step in program.steps:
        if isinstance(step, Deliver):
            found.setdefault(step.pathway.path.synapses.name, []).append(step)
    return found


def _alone(program: Program, pathways: list[Deliver]) -> tuple[Array, ...]:
    """Arrays of synapses that these pathways alone read and write, each its synapses' own values."""
    others: set[Array] = set()
    for step in program.steps:
        if step not in pathways:
            others |= set.union(*touched(step))
    cells = [cell for step in pathways for cell in _cells(step)]
    others |= {c.array for c in cells if c.index is not None or c.dtype != FLOAT64}
    own = {c.array for c in cells if not c.array.scalar} - others
    return tuple(sorted(own, key=lambda array: array.number))


def _cells(step: Deliver) -> list[Cell]:
    read = (e for e in step.kernel.expressions() if isinstance(e, Cell))
    return [*read, *step.kernel.writes()]


def rows(steps: list[Step]) -> list[tuple[Array, ...]]:
    """All rows of a program, each once."""
    return list(dict.fromkeys(s.row for s in steps if isinstance(s, Deliver) and s.row))


def stride(row: tuple[Array, ...]) -> int:
    """Numbers from one row to the next: a power of two, so that no row lies across lines of the cache."""
    return 1 << (len(row) - 1).bit_length()
