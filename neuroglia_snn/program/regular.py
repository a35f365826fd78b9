"""Sums over regular synapses: loops over targets that follow each other, and no list of synapses.

On a lattice of any dimension, and wherever else targets that follow each other have sources that follow each
other, or one source, synapses come in runs: the source of each is as many units away, or the same. A run
needs no index, and its targets are done many at once. Every target adds up its synapses in Brian2's order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from types import SimpleNamespace

import numpy as np

from neuroglia_snn.program.fuse import cells_of_units, touched
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.program import Program, Python, Sum
from neuroglia_snn.program.tree import (
    INT64,
    Array,
    Call,
    Cell,
    Draw,
    Expression,
    Local,
    Parameter,
    rewritten,
)

#: Targets that are done together, whose sums stay in the first-level cache.
BLOCK = 1024
#: Synapses of a run, on average, from which on it takes less time than a list.
LEAST = 3.5
#: Of more synapses than this, those of one block of targets say first whether they can be regular.
_MANY = 2**20
#: Most kinds of synapses whose order is found where it is not that of the sources.
_KINDS = 512


@dataclass(frozen=True, eq=False, kw_only=True)
class Regular(Sum):
    """A sum over runs of synapses.

    The kernel is that of a synapse of the unit itself, with ``source`` and with ``own``, its place in arrays of synapses.
    ``table`` has of each run its first target, its last + 1, and the source and the place of its first synapse;
    ``blocks`` says where the runs of each block of targets begin. From one target of a run to the next, the
    source moves on by ``apart``, 1 or 0, and the place by ``moves``.
    """

    table: Array
    blocks: Array
    source: Local
    own: Local
    apart: int
    moves: Parameter


def regular(program: Program) -> Program:
    """The program with runs in the place of the sums that have them; the others say why they have none."""
    finder = _Finder(program)
    steps = [finder.of(step) if type(step) is Sum else step for step in program.steps]
    return replace(program, steps=steps, arrays=finder.arrays, parameters=finder.parameters)


class _Finder:
    """Finds runs; the arrays and parameters that this takes join the program's."""

    def __init__(self, program: Program) -> None:
        self.arrays, self.parameters = list(program.arrays), list(program.parameters)
        self._watched = any(isinstance(step, Python) for step in program.steps)
        self._written: set[Array] = set().union(*(touched(step)[1] for step in program.steps))

    def of(self, step: Sum) -> Sum:
        """The sum over runs, or the sum and why it has none."""
        read = [c for s in step.kernel.each for c in cells_of_units(s)]
        source = _source(step, read)
        if isinstance(source, str):
            return replace(step, listed=source)
        runs = found(source.values(), step.index.values())
        if isinstance(runs, str):
            return replace(step, listed=runs)
        own = list(dict.fromkeys(c.array for c in read if c.index is None))
        if runs.in_place():
            return self._made(step, runs, {a: a for a in own}, runs.order[runs.begin], 1)
        for array in own:
            if array in self._written or (self._watched and not array.variable.constant):
                return replace(step, listed=f"{array.name} may change within the run")
        values = [a.values()[runs.order] for a in own]
        alike = all(map(runs.alike, values))
        if alike:
            values = [v[runs.begin] for v in values]
        place = np.arange(len(runs.begin)) if alike else runs.begin
        held = {a: self._given(step, a.name, v) for a, v in zip(own, values, strict=True)}
        return self._made(step, runs, held, place, int(not alike))

    def _made(
        self, step: Sum, runs: Runs, held: dict[Array, Array], place: np.ndarray, moves: int
    ) -> Regular:
        free = step.kernel.first_free()
        source, own = Local(free, INT64, False), Local(free + 1, INT64, False)

        def change(e: Expression) -> Expression:
            if not isinstance(e, Cell) or e.array.scalar:
                return e
            if e.index is None:
                return Cell(held[e.array], own)
            target = isinstance(e.index, Cell) and e.index.array is step.index
            return Cell(e.array, None if target else source)

        each = tuple(
            replace(
                s,
                value=rewritten(s.value, change),
                condition=None if s.condition is None else rewritten(s.condition, change),
            )
            for s in step.kernel.each
        )
        self.parameters.append(moves)
        named = {name: getattr(step, name) for name in step.__dataclass_fields__}
        return Regular(
            **named | {"kernel": replace(step.kernel, each=each)},
            table=self._given(step, "runs", runs.table(place)),
            blocks=self._given(step, "blocks", runs.blocks()),
            source=source,
            own=own,
            apart=runs.apart,
            moves=Parameter(len(self.parameters) - 1, INT64),
        )

    def _given(self, step: Sum, name: str, values: np.ndarray) -> Array:
        variable = Given(name, np.ascontiguousarray(values), SimpleNamespace(name=step.owner.name))
        self.arrays.append(Array(len(self.arrays), variable, False))
        return self.arrays[-1]


def told(program: Program) -> str:
    """How the sums over synapses are done that are no part of one pass, and why; nothing if there are none."""
    ways = []
    for step in program.steps:
        if not isinstance(step, Sum):
            continue
        way = f"{step.owner.name} "
        if isinstance(step, Regular):
            mean = len(step.index.values()) / max(1, len(step.table.values()) // 4)
            way += f"in runs of {mean:.0f} targets"
        else:
            way += f"one by one ({step.listed})" if step.listed else "as one total"
        ways.append(f"{way}; no part of one pass, as {step.alone}" if step.alone else way)
    return f"Sums over synapses: {', '.join(ways)}" if ways else ""


def _source(step: Sum, read: list[Cell]) -> Array | str:
    """The indices of the sources, or why targets cannot be done many at once."""
    if any(isinstance(e, (Draw, Call)) for e in step.kernel.expressions()):
        return "a synapse draws random numbers or calls a function of the script"
    if any(isinstance(s.target, Cell) for s in (*step.kernel.before, *step.kernel.each)):
        return "a synapse writes more than its value"
    sources: set[Array] = set()
    for cell in read:
        if cell.array is step.target:
            return "it reads its own result"
        if isinstance(cell.index, Cell) and cell.index.index is None:
            sources.add(cell.index.array)
        elif cell.index is not None:
            return f"{cell.array.name} is reached by more than one index"
    sources.discard(step.index)
    if len(sources) != 1:
        return f"a synapse reads {'several' if sources else 'no'} sources"
    return sources.pop()


@dataclass(frozen=True)
class Runs:
    """Synapses in runs, block by block of their targets.

    Attributes
    ----------
    sources, targets : of the synapses, in the order of the runs
    order : the number of each
    begin : where each run begins
    apart : how far sources are from one target of a run to the next
    """

    sources: np.ndarray
    targets: np.ndarray
    order: np.ndarray
    begin: np.ndarray
    apart: int

    def in_place(self) -> bool:
        """Whether synapses of a run follow each other in Brian2's order, too."""
        inner = np.ones(len(self.order), bool)
        inner[self.begin] = False
        return bool((np.diff(self.order, prepend=0)[inner] == 1).all())

    def alike(self, values: np.ndarray) -> bool:
        """Whether a value of the synapses is the same within each run."""
        return np.array_equal(values, np.repeat(values[self.begin], self._lengths()))

    def _lengths(self) -> np.ndarray:
        return np.diff(self.begin, append=len(self.order))

    def table(self, place: np.ndarray) -> np.ndarray:
        """Of each run: first target, last + 1, first source, and a place."""
        first = self.targets[self.begin]
        columns = (first, first + self._lengths(), self.sources[self.begin], place)
        return np.column_stack(columns).astype(np.int32).ravel()

    def blocks(self) -> np.ndarray:
        """Where the runs of each block of targets begin, and where the last ones end."""
        block = self.targets[self.begin] // BLOCK
        return np.searchsorted(block, np.arange(block[-1] + 2)).astype(np.int32)


def found(sources: np.ndarray, targets: np.ndarray) -> Runs | str:
    """The runs of synapses, or why there are none."""
    if not len(sources):
        return "there are no synapses"
    if len(sources) > _MANY:
        some = _of_a_block(targets)
        tried = _fewest(sources[some], targets[some])
        if isinstance(tried, str):
            return tried
    return _fewest(sources, targets)


def _fewest(sources: np.ndarray, targets: np.ndarray) -> Runs | str:
    """The fewest runs, if they are long enough."""
    tries = [_runs(sources, targets, apart) for apart in (1, 0)]
    made = [runs for runs in tries if isinstance(runs, Runs)]
    if not made:
        return str(tries[0])
    best = min(made, key=lambda runs: len(runs.begin))
    mean = len(sources) / len(best.begin)
    if mean < LEAST:
        return (
            f"only {mean:.1f} targets beside each other, on average, have sources at the same "
            "distance, or one source"
        )
    return best


def _of_a_block(targets: np.ndarray) -> np.ndarray:
    """Synapses of a block of targets in the middle of all."""
    middle = int(targets[len(targets) // 2]) // BLOCK
    return np.flatnonzero(targets // BLOCK == middle)


def _runs(sources: np.ndarray, targets: np.ndarray, apart: int) -> Runs | str:
    """Synapses sorted by block, by kind and by target: those of a kind are in one run, or in several."""
    sources, targets = sources.astype(np.int64), targets.astype(np.int64)
    kinds, kind = np.unique(sources - apart * targets, return_inverse=True)
    rank = _rank(sources, targets, kind, len(kinds))
    if isinstance(rank, str):
        return rank
    key = (targets // BLOCK * len(kinds) + rank) * (BLOCK + 1) + targets % BLOCK
    order = np.argsort(key, kind="stable")
    begin = np.flatnonzero(np.diff(key[order], prepend=-2) != 1)
    return Runs(sources[order], targets[order], order, begin, apart)


def _rank(
    sources: np.ndarray, targets: np.ndarray, kind: np.ndarray, count: int
) -> np.ndarray | str:
    """A place of each synapse's kind among all, so that each target has its synapses in Brian2's order."""
    order = np.argsort(targets, kind="stable")
    one, other = order[:-1], order[1:]
    together = targets[one] == targets[other]
    one, other = one[together], other[together]
    if (sources[one] < sources[other]).all():
        return kind
    if (sources[one] == sources[other]).any():
        return "some pairs of units have several synapses"
    if count > _KINDS:
        return "the synapses of a target are not in the order of their sources"
    follows = TopologicalSorter({k: () for k in range(count)})
    for pair in np.unique(kind[one] * count + kind[other]).tolist():
        follows.add(pair % count, pair // count)
    try:
        ranks = np.argsort(list(follows.static_order()))
    except CycleError:
        return "the synapses of different targets are in different orders"
    return ranks[kind]
