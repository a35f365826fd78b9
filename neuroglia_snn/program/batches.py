"""Events that need not be sent in every step, as all synapses that they reach have delays.

A part collects its events of some steps, and sends them together when all of these steps are over. The other part lets
them happen as many steps late, to pathways whose delays are as many steps shorter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.program import (
    Deliver,
    Generate,
    Kernel,
    Program,
    RecordEvents,
    Step,
)
from neuroglia_snn.program.tree import INT32, INT64, Array, Cell, Literal, Local, Statement

#: Most steps that events are collected.
_MOST = 1000


@dataclass(frozen=True, eq=False)
class Collect(RecordEvents):
    """Units and time steps of events that are to be sent."""


@dataclass(frozen=True, eq=False)
class Batch:
    """The events of a population that one part sends another at the beginning of a Lava step.

    Attributes
    ----------
    source, target : numbers of the parts
    collected : the step in which the one part collects them
    replayed : the step in which they happen in the other part
    late : steps between the two
    most : events that there can be
    """

    source: int
    target: int
    collected: Collect
    replayed: Generate
    late: int
    most: int

    @property
    def events(self) -> Array:
        return self.collected.events


@dataclass(eq=False)
class _List(Given):
    """Values that grow."""

    constant: bool = False

    def resize(self, length: int) -> None:
        """Keep the first values."""
        made = np.zeros(length, self.values.dtype)
        kept = min(length, len(self.values))
        made[:kept] = self.values[:kept]
        self.values = made


def least_delay(edges: Edges) -> int:
    """The least delay in steps of any synapse."""
    begin = edges.begin[:: edges.parts]
    counts = np.diff(begin)
    return int(edges.delay[counts > 0].min(initial=_MOST))


def may_wait(
    program: Program,
    array: Array,
    readers: Sequence[int],
    writers: Sequence[int],
    edges: list[Edges],
) -> int:
    """For how many steps of their clock events may be collected; 0 if they may not."""
    steps = [program.steps[n] for n in readers]
    if len(writers) != 1 or min(readers) <= writers[0]:
        return 0
    found = _MOST
    for step in steps:
        if not isinstance(step, Deliver) or step.pathway.events is not array:
            return 0
        found = min(found, least_delay(edges[step.pathway.number]))
    return found


def stride(always: Sequence[int], waiting: Sequence[tuple[int, int]]) -> int | None:
    """The most steps that events can be collected, in steps of the fastest clock; None if that saves nothing.

    ``always`` are the steps from one exchange of something else to the next; ``waiting`` has of each kind of events
    the steps of its clock, and of those the most that it can wait.
    """
    if not waiting:
        return None
    base, most = math.lcm(*(r for r, _ in waiting)), min(r * count for r, count in waiting)
    others = math.gcd(*always)
    fit = [s for s in range(base, most + 1, base) if others % s == 0]
    found = max(fit, default=0)
    return found if found > math.gcd(others, *(r for r, _ in waiting)) else None


class Batches:
    """Makes what is needed for batches; the arrays that this takes join the program's."""

    def __init__(self, program: Program) -> None:
        self.arrays, self._program = list(program.arrays), program
        self._collects: dict[Array, Collect] = {}
        self.made: list[Batch] = []

    def add(
        self, events: Array, writer: Step, clock: int, parts: tuple[int, int], late: int
    ) -> None:
        """A batch of the events that a step makes."""
        units = len(events.values()) - 1
        self.made.append(
            Batch(
                *parts,
                self._collect(events, writer, clock, units),
                Generate(
                    writer.owner,
                    clock,
                    events,
                    Literal(0, INT32),
                    indices=self._given("units", np.zeros(0, np.int32)),
                    bins=self._given("steps", np.zeros(0, np.int64)),
                    period=self._given("period", np.zeros(1, np.int32), True),
                    position=self._given("position", np.zeros(1, np.int32), True),
                    timestep=self._timestep(clock),
                ),
                late,
                late * units,
            )
        )

    def _collect(self, events: Array, writer: Step, clock: int, units: int) -> Collect:
        if events not in self._collects:
            unit, step = Local(0, INT32, False), Local(1, INT64, False)
            numbers = self._given("numbers", np.arange(units, dtype=np.int32))
            each = (
                Statement(unit, None, Cell(numbers, None)),
                Statement(step, None, Cell(self._timestep(clock), None)),
            )
            self._collects[events] = Collect(
                writer.owner,
                clock,
                self._given("length", np.zeros(1, np.int32), True),
                {
                    "unit": self._given("units", np.zeros(0, np.int32)),
                    "step": self._given("steps", np.zeros(0, np.int64)),
                },
                Kernel((), each, {"unit": unit, "step": step}),
                events,
                self._given("counts", np.zeros(units, np.int32)),
                Literal(0, INT32),
                Literal(2**31 - 1, INT32),
            )
        return self._collects[events]

    def _timestep(self, clock: int) -> Array:
        self.arrays.append(
            Array(len(self.arrays), self._program.clocks[clock].variables["timestep"], True)
        )
        return self.arrays[-1]

    def _given(self, name: str, values: np.ndarray, scalar: bool = False) -> Array:
        variable = _List(name, values, SimpleNamespace(name="batch"))
        self.arrays.append(Array(len(self.arrays), variable, scalar))
        return self.arrays[-1]


def earlier(edges: Edges, late: int) -> Edges:
    """Synapses with delays that are so many steps shorter."""
    return replace(edges, delay=edges.delay - late, rows=max(1, edges.rows - late))


def under_way(edges: Edges, now: int, steps: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Events of earlier steps as `edges.pending` gives spikes under way."""
    found = [np.zeros((0, 2), np.int64)]
    for step, unit in zip(steps.tolist(), units.tolist(), strict=True):
        if edges.start <= unit < edges.stop:
            place = unit - edges.start
            for group in range(edges.first[place], edges.first[place + 1]):
                due = int(edges.delay[group]) + step - now
                found.append(edges.pairs(due, np.array([group])))
    return np.concatenate(found)


__all__ = [
    "Batch",
    "Batches",
    "Collect",
    "earlier",
    "least_delay",
    "may_wait",
    "stride",
    "under_way",
]
