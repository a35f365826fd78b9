"""The Program: arrays, numbers, kernels, and the steps of a schedule in Brian2's order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuroglia_snn.program.tree import (
    Array,
    Cell,
    Draw,
    Expression,
    Foreign,
    Local,
    Look,
    Parameter,
    Statement,
    Table,
    walk,
)


@dataclass(frozen=True, eq=False)
class Kernel:
    """Statements for every unit of a domain, after statements that are done once.

    ``before`` may write scalars and computes what all units share. Within ``each`` a unit reads all
    its cells before it writes any. ``results`` are the locals that the step of the kernel reads
    (a threshold's condition, values to record), by name. Where ``in_order`` the units are done one
    after the other, because they may write to the same cell.
    """

    before: tuple[Statement, ...]
    each: tuple[Statement, ...]
    results: dict[str, Local] = field(default_factory=dict)
    in_order: bool = False
    accumulates: bool = False

    def expressions(self) -> Iterator[Expression]:
        for statement in (*self.before, *self.each):
            for expression in statement.expressions():
                yield from walk(expression)

    def writes(self) -> Iterator[Cell]:
        for statement in (*self.before, *self.each):
            if isinstance(statement.target, Cell):
                yield statement.target

    def first_free(self) -> int:
        """A number above those of all locals."""
        numbers = [e.number for e in self.expressions() if isinstance(e, Local)]
        for statement in (*self.before, *self.each):
            if isinstance(statement.target, Local):
                numbers.append(statement.target.number)
        return max(numbers, default=-1) + 1

    def read_first(self) -> set[Cell]:
        """Cells that a unit reads before it has written them."""
        found: set[Cell] = set()
        written: set[Local | Cell] = set()
        for statement in self.each:
            read = (e for x in statement.expressions() for e in walk(x) if isinstance(e, Cell))
            found |= {e for e in read if e not in written}
            written.add(statement.target)
        return found

    def draws(self) -> list[Draw]:
        """Its random numbers, each once."""
        return list({e.number: e for e in self.expressions() if isinstance(e, Draw)}.values())


@dataclass(frozen=True, eq=False)
class Pathway:
    """Spikes of a source's units that reach its synapses after a delay.

    ``path`` is Brian2's `SynapticPathway`: it holds delays, sources and the spikes under way.
    """

    number: int
    path: Any
    events: Array


@dataclass(frozen=True, eq=False)
class Step:
    """One thing that happens in a time step; ``owner`` is Brian2's object, ``clock`` its clock's number."""

    owner: Any
    clock: int


@dataclass(frozen=True, eq=False)
class Update(Step):
    """A kernel over all units: state updates, ``run_regularly``, Poisson inputs."""

    kernel: Kernel
    count: Expression


@dataclass(frozen=True, eq=False)
class Threshold(Step):
    """The units whose condition holds become this step's events.

    ``private`` are arrays that are written before they are read, and that no other step reads.
    """

    kernel: Kernel
    count: Expression
    events: Array
    refractory: tuple[Array, Array, Cell] | None  # not_refractory, lastspike, t
    private: frozenset[Array] = frozenset()


@dataclass(frozen=True, eq=False)
class Reset(Step):
    """A kernel over the units with an event in this step."""

    kernel: Kernel
    events: Array


@dataclass(frozen=True, eq=False)
class Deliver(Step):
    """A pathway takes up new events and applies a kernel to the synapses that they reach now.

    ``row`` are arrays of the synapses whose values may be beside each other, ``ordered`` those that may be
    read in the order in which spikes reach them (`program.beside`).
    """

    kernel: Kernel
    pathway: Pathway
    row: tuple[Array, ...] = ()
    ordered: tuple[Array, ...] = ()


@dataclass(frozen=True, eq=False)
class Sum(Step):
    """A value of each synapse is added up in the target that an index names.

    ``grouped`` says that synapses of one target follow each other, ``alone`` why the sum is no part of one pass
    over its group, ``listed`` why its synapses are done one by one.
    """

    kernel: Kernel
    count: Expression
    target: Array
    index: Array
    start: Expression
    stop: Expression
    grouped: bool = False
    alone: str = ""
    listed: str = ""


@dataclass(frozen=True, eq=False)
class Generate(Step):
    """A list of events that is read as time passes (`SpikeGeneratorGroup`)."""

    events: Array
    count: Expression
    indices: Array
    bins: Array
    period: Array
    position: Array
    timestep: Array


@dataclass(frozen=True, eq=False)
class Record(Step):
    """What all monitors share: arrays that grow, whose length is ``length``."""

    length: Array
    growing: dict[str, Array]


@dataclass(frozen=True, eq=False)
class RecordState(Record):
    """Values of chosen units in every step, a row of ``growing`` each; ``t`` is the time."""

    kernel: Kernel
    units: Array
    time: Cell


@dataclass(frozen=True, eq=False)
class RecordEvents(Record):
    """Values of the units with an event in this step, and how often each unit had one."""

    kernel: Kernel
    events: Array
    counts: Array
    start: Expression
    stop: Expression


@dataclass(frozen=True, eq=False)
class RecordRate(Record):
    """The share of the units with an event in this step, per second."""

    events: Array
    start: Expression
    stop: Expression
    size: Expression
    time: Cell
    dt: Cell


@dataclass(frozen=True, eq=False)
class Python(Step):
    """An object of the script runs in Python."""


@dataclass(frozen=True, eq=False)
class Sent:
    """An array of a message: all of it, chosen elements, or the events that a space of events lists."""

    array: Array
    elements: np.ndarray | None = None
    events: bool = False


@dataclass(frozen=True, eq=False)
class Message:
    """Values that one part of a program sends another (both by number) at one place of the schedule."""

    number: int
    source: int
    target: int
    content: tuple[Sent, ...]


@dataclass(frozen=True, eq=False)
class Exchange(Step):
    """A part of a program sends messages, and then waits for others (`program.partition`)."""

    sends: tuple[Message, ...]
    receives: tuple[Message, ...]


@dataclass(frozen=True, eq=False)
class Cut(Exchange):
    """A Lava step ends within a time step: static connections are sent spikes, and in the next one they send what arrives."""


@dataclass(eq=False)
class Program:
    """What a run does.

    Attributes
    ----------
    clocks : Brian2's clocks; a step names its own by its number here
    steps : in the order in which they happen when their clocks are due
    arrays : all that the steps read or write, by number
    parameters : numbers that may change without another structure, by number
    tables : timed arrays
    foreign : functions of the script
    pathways : spikes under way
    draws : for each random number of the kernels, the name of the object and its place in it
    """

    clocks: list[Any] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    parameters: list[float | int | bool] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    pathways: list[Pathway] = field(default_factory=list)
    draws: list[tuple[Any, int]] = field(default_factory=list)

    def records(self) -> list[Record]:
        return [s for s in self.steps if isinstance(s, Record)]

    def kernels(self) -> list[Kernel]:
        return [k for s in self.steps if (k := getattr(s, "kernel", None)) is not None]

    def number(self, e: Expression) -> int:
        """A size that a step has: a parameter, or a scalar's element."""
        if isinstance(e, Parameter):
            return int(self.parameters[e.number])
        assert isinstance(e, Cell)
        return int(np.ravel(e.array.values())[0])

    def event_spaces(self) -> list[np.ndarray]:
        """Of all thresholds: each array's last element says how many events there are now."""
        return [s.events.values() for s in self.steps if isinstance(s, Threshold)]


__all__ = [
    "Cut",
    "Deliver",
    "Exchange",
    "Generate",
    "Kernel",
    "Look",
    "Message",
    "Pathway",
    "Program",
    "Python",
    "Record",
    "RecordEvents",
    "RecordRate",
    "RecordState",
    "Reset",
    "Sent",
    "Step",
    "Sum",
    "Threshold",
    "Update",
]
