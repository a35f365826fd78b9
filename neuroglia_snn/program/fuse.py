"""Kernels over one lattice are brought together, so that a loop can do them row by row.

Steps of one group and one beat (clocks with the same step and time) become one `Fused` step, if what
stands between them can be done before or after. Within, statements are divided into stages: what reads
neighbours of values comes a stage after what writes them, and what writes values that neighbours are
still to read comes a stage after those that read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from brian2.groups.neurongroup import NeuronGroup

from neuroglia_snn import lanes
from neuroglia_snn.program import clocks
from neuroglia_snn.program.gathers import Gather, gathered, is_into
from neuroglia_snn.program.lattice import Lattice, Offset, recognised
from neuroglia_snn.program.linear import Linearizer, canonical, shared
from neuroglia_snn.program.operations import combined
from neuroglia_snn.program.pools import Pool
from neuroglia_snn.program.program import (
    Deliver,
    Exchange,
    Generate,
    Program,
    Python,
    Record,
    RecordEvents,
    RecordRate,
    RecordState,
    Reset,
    Step,
    Sum,
    Threshold,
    Update,
)
from neuroglia_snn.program.totals import Total
from neuroglia_snn.program.tree import (
    Apply,
    Array,
    Call,
    Cell,
    Draw,
    Expression,
    Local,
    Look,
    Statement,
    rewritten,
    walk,
)

#: Most stages of a step: lattice.hpp keeps enough rows for them.
MOST_STAGES = 4


@dataclass(frozen=True)
class Stage:
    """Statements that a row can be given once the stage before has done the row after it."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, eq=False)
class Fused(Step):
    """Kernels over a lattice, in the place of the steps ``parts``.

    Attributes
    ----------
    before : what is done once a step
    stages : what is done for every unit
    above : the threshold's condition, computed in the last stage
    threshold, reset : of these units, if there are any
    lattice, order : of the units, and in vectors' lanes
    offsets : where each index array leads
    private : arrays that are written before they are read, and that no other step reads
    carried : local values that a later stage reads
    listed : whether another step reads which units were above the threshold
    changed : arrays that other steps write
    """

    parts: tuple[Step, ...]
    before: tuple[Statement, ...]
    stages: tuple[Stage, ...]
    above: Local | None
    threshold: Threshold | None
    reset: Reset | None
    lattice: Lattice
    order: lanes.Lanes
    offsets: dict[Array, Offset]
    private: frozenset[Array]
    carried: frozenset[Local]
    listed: bool
    changed: frozenset[Array]

    def _statements(self) -> list[Statement]:
        after = self.reset.kernel.each if self.reset else ()
        return [*(s for stage in self.stages for s in stage.statements), *after]

    def arrays(self) -> list[Array]:
        """All arrays of units that are read or written, in their numbers' order."""
        found = self.written()
        for statement in self._statements():
            found |= {e.array for e in cells_of_units(statement)}
        return sorted(found, key=lambda a: a.number)

    def own_clocks(self, program: Program) -> list[bool]:
        """Of each clock, whether nothing else happens on it, and it is due together with theirs."""
        own = {self.clock, *(part.clock for part in self.parts)}
        others = {step.clock for step in program.steps if step is not self}
        beats = [beat(clock) for clock in program.clocks]
        return [
            not own & others
            and number not in others
            and (number in own or beats[number] == beats[self.clock])
            for number in range(len(beats))
        ]

    def written(self) -> set[Array]:
        return {s.target.array for s in self._statements() if isinstance(s.target, Cell)}


def cells_of_units(statement: Statement) -> Iterator[Cell]:
    """What a statement reads of its unit and of neighbours; not the indices, nor places of noise."""

    def below(e: Expression) -> Iterator[Cell]:
        if isinstance(e, Cell):
            if not e.array.scalar:
                yield e
        elif not (isinstance(e, Apply) and e.operation == "gaussian"):
            for part in getattr(e, "arguments", ()):
                yield from below(part)

    for expression in statement.expressions():
        yield from below(expression)


def fused(program: Program) -> Program:
    """The program with all chains that can be fused; sums say why they are no part of one."""
    for group in dict.fromkeys(group_of(s) for s in program.steps):
        if group is not None:
            made = _fused_group(tried := gathered(program, group.name), group)
            program = (
                made if isinstance(made, Program) else _left_alone(program, tried, group, made)
            )
    return program


def _left_alone(program: Program, tried: Program, group: _Group, reason: str) -> Program:
    """The program, whose sums into the group know why they are no gathers, or why gathers did not help."""
    steps = [
        replace(step, alone=getattr(other, "alone", reason)) if is_into(step, group.name) else step
        for step, other in zip(program.steps, tried.steps, strict=True)
    ]
    return replace(program, steps=steps)


@dataclass(frozen=True)
class _Group:
    """A group of neurons, by its name: Brian2 gives none twice in a network."""

    name: str
    size: int

    def owns(self, array: Array) -> bool:
        return getattr(array.variable.owner, "name", None) == self.name

    def has(self, array: Array) -> bool:
        """Whether an array is of the group's units: its own, or constants (of synapses onto them)."""
        constant = array.variable.constant and len(array.values()) == self.size
        return self.owns(array) or bool(constant)


def group_of(step: Step) -> _Group | None:
    """The group whose units a step computes, where it is a step that can be fused."""
    if isinstance(step, Gather):
        return _Group(*step.group)
    if not isinstance(step, (Update, Threshold, Reset)):
        return None
    group = getattr(step.owner, "group", None)
    return _Group(group.name, group._N) if isinstance(group, NeuronGroup) else None


def _fused_group(program: Program, group: _Group) -> Program | str:
    """The program with the group's steps on its quickest beat as one, or why they cannot be."""
    beats = [beat(clock) for clock in program.clocks]
    own = [n for n, s in enumerate(program.steps) if group_of(s) == group]
    if not own:
        return "its group has no kernels"
    quickest = min((beats[program.steps[n].clock] for n in own), key=lambda beat: beat[0])
    chain = [n for n in own if beats[program.steps[n].clock] == quickest]
    whole = _to_the_reset(program.steps, chain)
    updates = [n for n in whole if isinstance(program.steps[n], Update)]
    made = _fused_chain(program, group, whole)
    if isinstance(made, str):  # spikes may have to arrive between the threshold and the reset
        of_updates = _fused_chain(program, group, updates)
        return made if isinstance(of_updates, str) else of_updates
    return made


def _fused_chain(program: Program, group: _Group, chain: list[int]) -> Program | str:
    parts = [program.steps[n] for n in chain]
    found = _lattice(parts, group)
    if found is None:
        return "what the kernels of its group read of other units is not one lattice"
    lattice, offsets = found
    order = _order(lattice, parts, offsets)
    if order is None:
        return "the lattice has no edge above and below, and neighbours there are not alike"
    for step in parts:
        if not _fits(step, group, offsets, order):
            return f"{step.owner.name} does what a pass over rows cannot"
    places = arranged(program.steps, chain)
    if places is None:
        return "something else must come between the kernels of its group"
    step = _Chain(parts, lattice, order, offsets).step(
        outside(program.steps, chain), _changed_elsewhere(program.steps, chain)
    )
    if len(step.stages) > MOST_STAGES:
        return f"the kernels of its group would be more than {MOST_STAGES} stages"
    before, after = places
    first, last = chain[0], chain[-1]
    middle = [*(program.steps[n] for n in before), step, *(program.steps[n] for n in after)]
    return replace(program, steps=[*program.steps[:first], *middle, *program.steps[last + 1 :]])


def _to_the_reset(steps: list[Step], chain: list[int]) -> list[int]:
    """A chain ends with the first threshold and its reset, or before a threshold that has none."""
    for place, n in enumerate(chain):
        step = steps[n]
        if isinstance(step, Threshold):
            after = [steps[m] for m in chain[place + 1 : place + 2]]
            own = any(isinstance(s, Reset) and s.events is step.events for s in after)
            return chain[: place + 2] if own else chain[:place]
        if isinstance(step, Reset):
            return chain[:place]
    return chain


def beat(clock: Any) -> tuple[float, int, int]:
    """Step in s, number of the next step and of the last one: clocks that share them are due together."""
    dt = clocks.values(clock, "dt")
    timestep = int(clock.variables["timestep"].get_value()[0])
    return (np.inf if dt is None else float(dt[0]), timestep, int(clock._i_end))


def may_be_single(program: Program, step: Step) -> bool:
    """Whether a step is a lattice that may be computed in single precision.

    It is on the fastest clock: slow variables change by less in a step than single precision tells apart.
    """
    steps = [clocks.values(clock, "dt") for clock in program.clocks]
    fastest = min((float(dt[0]) for dt in steps if dt is not None), default=0.0)
    own = steps[step.clock]
    return isinstance(step, Fused) and own is not None and float(own[0]) <= fastest * (1 + 1e-9)


def _statements(step: Step) -> Iterator[Statement]:
    kernel = getattr(step, "kernel", None)
    if kernel is not None:
        yield from kernel.each


def _lattice(steps: list[Step], group: _Group) -> tuple[Lattice, dict[Array, Offset]] | None:
    """The lattice of all neighbours that the steps read."""
    found: dict[Array, None] = {}
    for step in steps:
        for statement in _statements(step):
            for e in (p for x in statement.expressions() for p in walk(x)):
                if isinstance(e, Cell) and isinstance(e.index, Cell):
                    if not group.owns(e.array) or e.index.index is not None:
                        return None
                    found[e.index.array] = None
    if not found:
        return None
    made = recognised([a.values() for a in found], group.size)
    if made is None:
        return None
    lattice, offsets = made
    return lattice, dict(zip(found, offsets, strict=True))


def _order(lattice: Lattice, parts: list[Any], offsets: dict[Array, Offset]) -> lanes.Lanes | None:
    """How the units lie in lanes: in blocks only where above and below may change places."""
    order = lanes.of((lattice.rows, lattice.cols))
    if order.blocks > 1 and not _same_upside_down(parts, offsets):
        order = lanes.Lanes(lattice.rows, lattice.cols, 1)
    return None if lattice.periodic[0] and order.blocks % 2 else order


def _same_upside_down(parts: list[Any], offsets: dict[Array, Offset]) -> bool:
    first = {offset: array for array, offset in reversed(offsets.items())}
    linearizer = Linearizer(lambda cell: False, {})

    def turned(way: int) -> Callable[[Expression], Expression]:
        def change(e: Expression) -> Expression:
            if isinstance(e, Cell) and isinstance(e.index, Cell):
                row, column = offsets[e.index.array]
                index = first.get((way * row, column))
                return Cell(e.array, Cell(index, None)) if index else Cell(e.array, None)
            return e

        return change

    values = [s.value for part in parts for s in part.kernel.each]
    return all(
        canonical(linearizer.term(rewritten(v, turned(1))))
        == canonical(linearizer.term(rewritten(v, turned(-1))))
        for v in values
    )


def _of_lanes(e: Apply, order: lanes.Lanes) -> bool:
    """Whether a noise is numbered by the units' places in lanes."""
    place = e.arguments[2]
    fits = isinstance(place, Cell) and place.index is None and place.array.variable.constant
    rest = all(shared(a) for n, a in enumerate(e.arguments) if n != 2)
    units = np.arange(order.rows * order.cols)
    return fits and rest and np.array_equal(place.array.values(), order.place(units))  # type: ignore[union-attr]


def _is_random(e: Expression) -> bool:
    return isinstance(e, Draw) or (isinstance(e, Apply) and e.operation == "gaussian")


def _fits(step: Step, group: _Group, offsets: dict[Array, Offset], order: lanes.Lanes) -> bool:
    """Whether each unit reads neighbours by these offsets and writes only its own values.

    Threshold and reset of a row are done one unit after the other, when only some rows are at their new
    values: they read no neighbours, nor the random numbers of a row.
    """
    kernel = step.kernel  # type: ignore[attr-defined]
    if isinstance(step, Threshold) and (
        step.refractory or any(isinstance(s.target, Cell) for s in kernel.each)
    ):
        return False
    if any(isinstance(s.target, Cell) for s in kernel.before) or kernel.in_order:
        return False
    if len({s.target for s in kernel.before}) < len(kernel.before):
        return False
    if any(isinstance(e, Draw) for s in kernel.before for x in s.expressions() for e in walk(x)):
        return False
    for statement in kernel.each:
        if isinstance(statement.target, Cell):
            target = statement.target
            if target.index is not None or target.array.scalar:
                return False
        for e in (p for x in statement.expressions() for p in walk(x)):
            if isinstance(e, (Call, Look)) or (isinstance(e, Draw) and e.arguments):
                return False
            if isinstance(step, (Threshold, Reset)) and _is_random(e):
                return False
            if isinstance(e, Apply) and e.operation == "gaussian" and not _of_lanes(e, order):
                return False
            if (
                isinstance(e, Cell)
                and e.index is not None
                and (
                    isinstance(step, (Threshold, Reset))
                    or not isinstance(e.index, Cell)
                    or e.index.array not in offsets
                )
            ):
                return False
        if any(not group.has(e.array) for e in cells_of_units(statement)):
            return False
    return True


# ------------------------------------------------------------------------------- what reads what


def touched(step: Step) -> tuple[set[Array], set[Array]]:
    """Arrays that a step reads, and those that it writes."""
    reads: set[Array] = set()
    writes: set[Array] = set()
    kernel = getattr(step, "kernel", None)
    if kernel is not None:
        reads |= {e.array for e in kernel.expressions() if isinstance(e, Cell)}
        writes |= {c.array for c in kernel.writes()}
    if isinstance(step, Threshold):
        writes.add(step.events)
        writes |= set(step.refractory[:2]) if step.refractory else set()
    elif threshold := getattr(step, "threshold", None):  # of a step made of several
        writes.add(threshold.events)
    elif isinstance(step, (Reset, RecordEvents, RecordRate)):
        reads.add(step.events)
    elif isinstance(step, Deliver):
        reads.add(step.pathway.events)
    elif isinstance(step, (Sum, Pool)):
        reads.add(step.index)
        writes.add(step.target)
        if isinstance(step, Total):
            reads |= {e.array for e in step.after.expressions() if isinstance(e, Cell)}
    elif isinstance(step, Generate):
        writes |= {step.events, step.position}
    elif isinstance(step, Exchange):
        reads |= {sent.array for message in step.sends for sent in message.content}
        writes |= {sent.array for message in step.receives for sent in message.content}
    if isinstance(step, RecordState):
        reads.add(step.units)
    if isinstance(step, RecordEvents):
        writes.add(step.counts)
    if isinstance(step, Record):
        writes |= {step.length, *step.growing.values()}
    return reads, writes


def _conflict(a: Step, b: Step) -> bool:
    if isinstance(a, Python) or isinstance(b, Python):
        return True
    if isinstance(a, Exchange) and isinstance(b, Exchange):  # all parts have them in one order
        return True
    (reads_a, writes_a), (reads_b, writes_b) = touched(a), touched(b)
    return bool(writes_a & (reads_b | writes_b) or reads_a & writes_b)


def arranged(steps: list[Step], chain: list[int]) -> tuple[list[int], list[int]] | None:
    """The steps between those of the chain, as what can be done before it and what after it."""
    before: list[int] = []
    after: list[int] = []
    for n in range(chain[0], chain[-1]):
        if n in chain:
            continue
        earlier = [steps[m] for m in (*(c for c in chain if c < n), *after)]
        if not any(_conflict(other, steps[n]) for other in earlier):
            before.append(n)
        elif not any(_conflict(steps[c], steps[n]) for c in chain if c > n):
            after.append(n)
        else:
            return None
    return before, after


def outside(steps: list[Step], chain: list[int]) -> set[Array]:
    """Arrays that steps beside the chain read or write; Python may read all."""
    others = [s for n, s in enumerate(steps) if n not in chain]
    if any(isinstance(s, Python) for s in others):
        others = steps
    return set().union(*(part for s in others for part in touched(s)), set())


def _changed_elsewhere(steps: list[Step], chain: list[int]) -> frozenset[Array]:
    """Arrays that steps beside the chain write."""
    others = (s for n, s in enumerate(steps) if n not in chain)
    return frozenset(a for s in others for a in touched(s)[1])


# ----------------------------------------------------------------------------------------- stages


class _Chain:
    """Steps on their way to become one."""

    def __init__(
        self,
        parts: list[Step],
        lattice: Lattice,
        order: lanes.Lanes,
        offsets: dict[Array, Offset],
    ) -> None:
        self._parts, self._lattice, self._order, self._offsets = parts, lattice, order, offsets
        self._before: list[Statement] = []
        self._stages: list[list[Statement]] = [[]]
        self._beside: set[Array] = set()  # whose neighbours the present stage reads
        self._written: set[Array] = set()  # in the present stage
        self._locals = 0

    def step(self, outside: set[Array], changed: frozenset[Array]) -> Fused:
        """The fused step."""
        above: Local | None = None
        threshold = reset = None
        for part in self._parts:
            if isinstance(part, Reset):
                reset = part
                continue
            renamed = self._renamed(part)
            if isinstance(part, Threshold):
                self._part_from_reset()
            self._add(part, renamed)
            if isinstance(part, Threshold):
                threshold = part
                condition = part.kernel.results.get("_cond")
                above = renamed.get(condition) if condition else None
        stages = tuple(Stage(tuple(s)) for s in self._stages)
        first = self._parts[0]
        made = Fused(
            first.owner,
            first.clock,
            tuple(self._parts),
            tuple(self._before),
            stages,
            above,
            threshold,
            reset,
            self._lattice,
            self._order,
            self._offsets,
            frozenset(),
            self._carried(),
            threshold is not None and threshold.events in outside,
            changed,
        )
        return replace(made, private=self._private(made, outside))

    def _part_from_reset(self) -> None:
        """What a reset writes, neighbours have read a stage before."""
        resets = (p for p in self._parts if isinstance(p, Reset))
        if self._beside & {c.array for p in resets for c in p.kernel.writes()}:
            self._stages.append([])
            self._beside, self._written = set(), set()

    def _renamed(self, part: Any) -> dict[Local, Local]:
        """New numbers for the local values of a part."""
        kernel = part.kernel
        found = {e for e in kernel.expressions() if isinstance(e, Local)}
        found |= {s.target for s in (*kernel.before, *kernel.each) if isinstance(s.target, Local)}
        names = {}
        for local in sorted(found, key=lambda x: x.number):
            names[local] = replace(local, number=self._locals)
            self._locals += 1
        return names

    def _add(self, part: Any, names: dict[Local, Local]) -> None:
        def change(e: Expression) -> Expression:
            return names.get(e, e) if isinstance(e, Local) else e

        for statement in part.kernel.before:
            self._before.append(changed(statement, change))
        for statement in self._written_last([changed(s, change) for s in part.kernel.each]):
            self._place(statement)

    def _written_last(self, statements: list[Statement]) -> Iterator[Statement]:
        """The statements of a kernel, all of whose reads of neighbours see the values before it."""
        beside = {e.array for s in statements for e in cells_of_units(s) if e.index is not None}
        held: dict[Expression, Local] = {}

        def current(e: Expression) -> Expression:
            return held.get(e, e)

        for s in statements:
            if not isinstance(s.target, Cell) or s.target.array not in beside:
                yield changed(s, current)
                continue
            before = current(s.target)
            value = combined(s.operation, before, rewritten(s.value, current))
            if s.condition is not None:
                parts = (rewritten(s.condition, current), value, before)
                value = Apply("select", parts, s.target.dtype)
            held[s.target] = Local(self._locals, s.target.dtype, False)
            self._locals += 1
            yield Statement(held[s.target], None, value)
        for cell, local in held.items():
            assert isinstance(cell, Cell)
            yield Statement(cell, None, local)

    def _place(self, statement: Statement) -> None:
        beside = {e.array for e in cells_of_units(statement) if e.index is not None}
        target = statement.target.array if isinstance(statement.target, Cell) else None
        if beside & self._written or (target is not None and target in self._beside | beside):
            self._stages.append([])
            self._beside, self._written = set(), set()
        self._stages[-1].append(statement)
        self._beside |= beside
        if target is not None:
            self._written.add(target)

    def _carried(self) -> frozenset[Local]:
        """Local values of one stage that another one reads."""
        found: set[Local] = set()
        defined: dict[Local, int] = {}
        for n, stage in enumerate(self._stages):
            for s in stage:
                locals_ = {e for x in s.expressions() for e in walk(x) if isinstance(e, Local)}
                found |= {e for e in locals_ if defined.get(e, n) != n}
                if isinstance(s.target, Local):
                    defined[s.target] = n
        return frozenset(found)

    def _private(self, made: Fused, outside: set[Array]) -> frozenset[Array]:
        read: set[Array] = set()
        written: set[Array] = set()
        found: set[Array] = set()
        for stage in made.stages:
            for s in stage.statements:
                read |= {e.array for e in cells_of_units(s)}
                if isinstance(s.target, Cell) and s.target.array not in read | written:
                    found.add(s.target.array)
                if isinstance(s.target, Cell):
                    written.add(s.target.array)
        units = [p.kernel for p in (made.threshold, made.reset) if p]  # done one by one
        one_by_one = {e.array for k in units for e in k.expressions() if isinstance(e, Cell)}
        one_by_one |= {c.array for k in units for c in k.writes()}
        return frozenset(found - outside - one_by_one)


def changed(s: Statement, change: Any) -> Statement:
    condition = None if s.condition is None else rewritten(s.condition, change)
    target = change(s.target)
    assert isinstance(target, (Local, Cell))
    return Statement(target, s.operation, rewritten(s.value, change), condition)
