"""Where a machine may hold values of synapses, so that a spike reads few lines of memory where synapses lie apart.

Brian2 keeps an array for each variable, in the order in which synapses were made. Those that only spikes read and
write may be in one array of rows, a row a synapse, for as long as nothing else looks at them; those that do not
change within a run may be in copies, in the order in which spikes reach them.
"""

from __future__ import annotations

from dataclasses import replace

from neuroglia_snn.program.fuse import touched
from neuroglia_snn.program.program import Deliver, Program, Python, Step
from neuroglia_snn.program.tree import FLOAT64, Array, Call, Cell, Draw

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


def with_order(program: Program) -> Program:
    """The program whose pathways know which of their synapses' values do not change within a run.

    They are all that a pathway reads of its synapses, or none; it asks for no synapse's number either, and has no row,
    where values are in the order in which synapses were made.
    """
    written: set[Array] = set()
    for step in program.steps:
        written |= touched(step)[1]
    watched = any(isinstance(step, Python) for step in program.steps)

    def ordered(step: Deliver) -> tuple[Array, ...]:
        own = {c.array for c in _cells(step) if c.index is None and not c.array.scalar}
        numbered = any(isinstance(e, (Draw, Call)) for e in step.kernel.expressions())
        changing = any(a in written or (watched and not a.variable.constant) for a in own)
        return (
            () if numbered or changing or step.row else tuple(sorted(own, key=lambda a: a.number))
        )

    steps = [
        replace(step, ordered=ordered(step)) if isinstance(step, Deliver) else step
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
