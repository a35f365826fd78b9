"""A program whose connections are parts of their own, as on neuromorphic hardware, where messages connect all.

Units send their spikes, or their states, to a connection, and that sends them what arrives. What a spike adds to units
is added up by the connection, and by the units when they have been reset: what is sent at the end of a step is there at
the beginning of the next. What units receive of each other's states is held over both stages of a step.

All else that a spike does at a synapse stays there. Where it does more to units than add to them, no message could say
it, so that the synapses stay in the part of those units. Where it does no more, and weights never change, the connection
can be a matrix (`program.static`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from neuroglia_snn.program.fuse import touched
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.program import Deliver, Kernel, Program, Reset, Step, Sum, Update
from neuroglia_snn.program.tree import (
    BOOL,
    INT32,
    Array,
    Cell,
    Expression,
    Literal,
    Parameter,
    Statement,
    walk,
)

#: What the name of a variable ends with that holds what another one is in the second stage of a step.
_PREDICTED = "_predicted"


@dataclass(frozen=True, eq=False)
class Separated:
    """The program, and who stays together.

    Attributes
    ----------
    arriving : what connections add up for units, each with the variable to which that is added
    together : which synapses stay in the part of what they reach, and why
    """

    program: Program
    arriving: dict[Array, Array]
    together: dict[str, str]


def separated(program: Program) -> Separated:
    """The program whose connections write nothing but what is their own, and what arrives at units."""
    program = held(program)
    together: dict[str, str] = {}
    for step in program.steps:
        if isinstance(step, (Deliver, Sum)) and (why := _why_together(step)):
            together[_synapses(step)] = why
    written: set[Array] = set().union(*(touched(step)[1] for step in program.steps))
    made = _Made(program)
    arriving: dict[Array, Array] = {}
    before: list[list[Step]] = [[] for _ in program.steps]
    after: list[list[Step]] = [[] for _ in program.steps]
    for n, step in enumerate(program.steps):
        if isinstance(step, (Deliver, Sum)):
            if _synapses(step) in together:
                before[n].append(step)
            elif isinstance(step, Sum):
                before[n] += _sum(step, made)
            else:
                begin, arrivals = _delivery(step, made)
                before[n] += begin
                for array, added_up, arrival in arrivals:
                    arriving[added_up] = array
                    after[_place(program.steps, n, array)].append(arrival)
        elif (gathered := _gathered(step, written)) and isinstance(step, Update):
            before[n] += _gather(step, gathered, made)
        else:
            before[n].append(step)
    steps = [one for pair in zip(before, after, strict=True) for part in pair for one in part]
    return Separated(made.with_steps(steps), arriving, together)


def held(program: Program) -> Program:
    """The program in which what units receive of predicted states is what they received of the present ones."""
    written: set[Array] = set().union(*(touched(step)[1] for step in program.steps))
    received = {
        (_owner(array), array.variable.name): array
        for step in program.steps
        for array in _received(step, written)
    }
    made = _Made(program)
    steps: list[Step] = []
    for step in program.steps:
        copies = []
        for array in _received(step, written):
            name = array.variable.name
            first = received.get((_owner(array), name.removesuffix(_PREDICTED)))
            if name.endswith(_PREDICTED) and first is not None:
                copies.append(Statement(Cell(array, None), None, Cell(first, None)))
        steps.append(made.update(step, *copies) if copies else step)
    return made.with_steps(steps)


class _Made:
    """Arrays and parameters that join those of a program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._arrays, self._parameters = list(program.arrays), list(program.parameters)

    def with_steps(self, steps: list[Step]) -> Program:
        """The program with other steps."""
        return replace(self._program, steps=steps, arrays=self._arrays, parameters=self._parameters)

    def arriving(self, array: Array, owner: str) -> Array:
        """What a connection adds up for the units of an array."""
        values = np.zeros(len(array.values()), array.dtype)
        return self._array(f"arriving_{array.variable.name}", values, owner, False)

    def within(self, step: Sum) -> Expression | None:
        """Where a sum fills its target: a condition, if that is not everywhere."""
        size = len(step.target.values())
        start, stop = self._program.number(step.start), self._program.number(step.stop)
        if (start, stop) == (0, size):
            return None
        values = np.zeros(size, bool)
        values[start:stop] = True
        return Cell(self._array("summed", values, _owner(step.target), True), None)

    def update(self, step: Step, *statements: Statement) -> Update:
        """Statements for all units whose arrays they write."""
        target = statements[0].target
        assert isinstance(target, Cell)
        self._parameters.append(len(target.array.values()))
        count = Parameter(len(self._parameters) - 1, INT32)
        return Update(step.owner, step.clock, Kernel((), statements), count)

    def _array(self, name: str, values: np.ndarray, owner: str, constant: bool) -> Array:
        given = Given(name, values, SimpleNamespace(name=owner), constant)
        self._arrays.append(Array(len(self._arrays), given, False))
        return self._arrays[-1]


# ------------------------------------------------------------------------------- spikes at synapses


def _delivery(step: Deliver, made: _Made) -> tuple[list[Step], list[tuple[Array, Array, Step]]]:
    """What synapses do with spikes; and of each array that these reach, what arrives, and the step that adds it."""
    arrivals: dict[tuple[Array, Expression | None], Array] = {}
    each = []
    for s in step.kernel.each:
        if _reaches(s):
            assert isinstance(s.target, Cell)
            key = s.target.array, _condition(s)
            if key not in arrivals:
                arrivals[key] = made.arriving(s.target.array, _synapses(step))
            s = replace(s, target=Cell(arrivals[key], s.target.index), condition=None)
        each.append(s)
    begin: list[Step] = [
        made.update(step, Statement(Cell(a, None), None, Literal(0, a.dtype)))
        for a in arrivals.values()
    ]
    added: list[tuple[Array, Array, Step]] = []
    for (array, condition), arriving in arrivals.items():
        one = Statement(Cell(array, None), "+", Cell(arriving, None), condition)
        added.append((array, arriving, made.update(step, one)))
    return [*begin, replace(step, kernel=replace(step.kernel, each=tuple(each)))], added


def _condition(s: Statement) -> Expression | None:
    """The condition of a write, for the unit that is written."""
    return Cell(s.condition.array, None) if isinstance(s.condition, Cell) else None


def _place(steps: list[Step], delivery: int, array: Array) -> int:
    """The step after which arrivals are added: the last reset of the units, before what updates or reads them."""
    place = delivery
    for n in range(delivery + 1, len(steps)):
        reads, writes = touched(steps[n])
        if isinstance(steps[n], Update) and array in reads | writes:
            break
        if isinstance(steps[n], Reset) and any(_owner(a) == _owner(array) for a in writes):
            place = n
    return place


def _why_together(step: Deliver | Sum) -> str:
    """Why synapses cannot be apart from what they reach; nothing if they can."""
    if isinstance(step, Sum):
        reads = {e.array for e in step.kernel.expressions() if isinstance(e, Cell)}
        return f"the sum reads {step.target.name}, which it fills" if step.target in reads else ""
    kernel = step.kernel
    reached = {s.target.array for s in kernel.each if _reaches(s)}  # type: ignore[union-attr]
    for s in (*kernel.before, *kernel.each):
        if isinstance(s.target, Cell):
            if _reaches(s) and (why := _no_message(s)):
                return why
            if not _reaches(s) and _owner(s.target.array) != _synapses(step):
                return f"a spike sets {s.target.array.name}, which all units share"
        for e in (s.value, *(() if s.condition is None else (s.condition,))):
            for cell in walk(e):
                if isinstance(cell, Cell) and cell.array in reached:
                    return f"a spike reads {cell.array.name}, to which it adds"
    return ""


def _no_message(s: Statement) -> str:
    """Why no message can say what a spike does to a unit."""
    target = s.target
    assert isinstance(target, Cell)
    if s.operation not in ("+", "-") or target.dtype == BOOL:
        does = {"*": "multiplies", "/": "divides"}.get(s.operation or "", "sets")
        return f"a spike {does} {target.array.name}"
    if not isinstance(target.index, Cell) or target.index.index is not None:
        return f"a spike finds {target.array.name} through two lists"
    alike = isinstance(s.condition, Cell) and s.condition.index == target.index
    if s.condition is not None and not alike:
        return f"a spike adds to {target.array.name} under a condition of the synapse"
    return ""


def _reaches(s: Statement) -> bool:
    return isinstance(s.target, Cell) and s.target.index is not None and not s.target.array.scalar


# ------------------------------------------------------------------------------------------- states


def _sum(step: Sum, made: _Made) -> list[Step]:
    """The sum in the synapses' part, and its result for the units."""
    arriving = made.arriving(step.target, _synapses(step))
    result = Statement(Cell(step.target, None), None, Cell(arriving, None), made.within(step))
    return [replace(step, target=arriving), made.update(step, result)]


def _gather(step: Update, arrays: list[Array], made: _Made) -> list[Step]:
    """What units read of others in a part of its own, and its results for the units."""
    arriving = {a: made.arriving(a, step.owner.name) for a in arrays}
    each = tuple(
        replace(s, target=Cell(arriving[s.target.array], None))
        if isinstance(s.target, Cell) and s.target.array in arriving
        else s
        for s in step.kernel.each
    )
    results = [Statement(Cell(a, None), None, Cell(b, None)) for a, b in arriving.items()]
    return [
        replace(step, kernel=replace(step.kernel, each=each)),
        *(made.update(step, result) for result in results),
    ]


def _gathered(step: Step, written: set[Array]) -> list[Array]:
    """The arrays that a kernel sets to what units read of the states of others; none if it does anything else."""
    if type(step) is not Update or any(isinstance(s.target, Cell) for s in step.kernel.before):
        return []
    kernel = step.kernel
    found = list(dict.fromkeys(c.array for c in kernel.writes() if _owner(c.array)))
    others = any(
        isinstance(e, Cell) and isinstance(e.index, Cell) and e.array in written
        for e in kernel.expressions()
    )
    plain = all(
        s.operation is None and s.condition is None and s.target.index is None
        for s in kernel.each
        if isinstance(s.target, Cell) and s.target.array in found
    )
    own = any(isinstance(e, Cell) and e.array in found for e in kernel.expressions())
    return found if others and plain and not own else []


def _received(step: Step, written: set[Array]) -> list[Array]:
    """The arrays that a step fills with what units receive of the states of others."""
    return [step.target] if isinstance(step, Sum) else _gathered(step, written)


# -------------------------------------------------------------------------------------------- names


def _synapses(step: Deliver | Sum) -> str:
    """The name of the synapses that a step goes through."""
    return step.pathway.path.synapses.name if isinstance(step, Deliver) else _owner(step.index)


def _owner(array: Array) -> str:
    """The name of the object that an array belongs to; nothing for what is a kernel's own."""
    return getattr(array.variable.owner, "name", "")


__all__ = ["Separated", "held", "separated"]
