"""A program as several parts, one for each population, that run side by side and send each other values.

All arrays that a step writes belong to one part, with all others of their owners (Brian2's groups, synapses and
monitors), and with the synapses that it goes through. So synapses belong to the population that they reach, and a
pathway that writes to both of its ends makes one part of both. Whatever nobody writes is constant, and each part reads it for itself. Each part ticks all
clocks itself. Where a step reads an array of another part, that one sends its present values at that place of the
schedule, and the step's part keeps them in its own copy, until the array is written again.

This cannot deadlock. All parts go through one schedule in one order, and of those that wait, the one that is the
furthest back waits for a message that its sender, who is no further back, sends before it waits for anything at that
place; and a sender waits for nobody, as whoever is to receive from it has received all that was sent at earlier places.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import numpy as np

from neuroglia_snn.program import batches, clocks
from neuroglia_snn.program.batches import Batch, earlier
from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.fuse import beat, touched
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.program import (
    Cut,
    Deliver,
    Exchange,
    Generate,
    Message,
    Pathway,
    Program,
    Record,
    RecordState,
    Sent,
    Step,
    Sum,
    Threshold,
)
from neuroglia_snn.program.static import Static
from neuroglia_snn.program.tree import Array, Cell

#: Numerical steps of a Lava step where parts exchange nothing: few of them take long enough to be looked at.
ALONE = 100
#: Elements of an array are sent by themselves where they are at most this share of it.
_FEW = 0.5


@dataclass(frozen=True, eq=False)
class Part:
    """What one process does.

    Attributes
    ----------
    name : of its population, or the first one of several
    program : its steps and exchanges; pathways are numbered anew, all else has the whole program's numbers
    pathways : number of each of its pathways in the whole program
    late : for how many steps each pathway's events have been collected when it is told of them
    arrays : of fixed length that its steps write
    """

    name: str
    program: Program
    pathways: tuple[int, ...]
    late: tuple[int, ...]
    arrays: tuple[Array, ...]

    def setting(self, whole: Setting) -> Setting:
        """What a run of the whole program is given, of this part."""
        edges = [whole.edges[n] for n in self.pathways]
        return replace(
            whole,
            edges=[earlier(e, n) if n else e for e, n in zip(edges, self.late, strict=True)],
            pending=[whole.pending[n] for n in self.pathways],
        )


@dataclass(frozen=True, eq=False)
class Partition:
    """The parts, all messages by number, the batches, and steps of the fastest clock between two exchanges."""

    parts: list[Part]
    messages: list[Message]
    batches: list[Batch]
    stride: int
    carried: list[Carried]


@dataclass(frozen=True, eq=False)
class Carried:
    """A static connection, which is no part: it has a number like a message, and leads from one part to another."""

    number: int
    source: int
    target: int
    static: Static

    def sent(self) -> Message:
        """What the one part sends it."""
        events = Sent(self.static.pathway.events, events=True)
        return Message(self.number, self.source, self.target, (events,))

    def received(self) -> Message:
        """What it sends the other part."""
        return Message(self.number, self.source, self.target, (Sent(self.static.arriving),))


def partition(
    program: Program,
    edges: list[Edges],
    every_step: bool = False,
    statics: Sequence[Static] = (),
    place: int = 0,
) -> Partition:
    """The parts of a program that has no Python steps; ``edges`` are the synapses of each pathway.

    With ``every_step``, a Lava step is one of the fastest clock, whatever could be done in many. Where there are
    ``statics``, connections that are no steps of the program, it ends before the step ``place``.
    """
    homes = _Homes(program)
    needs = list(_needed(program, homes, edges))
    steps = clocks.ratios(program.clocks)
    waiting = [need for need in needs if need.wait and steps[need.clock] and not every_step]
    always = [steps[need.clock] or 1 for need in needs if need not in waiting]
    stride = batches.stride(always, [(steps[need.clock] or 1, need.wait) for need in waiting])
    made = batches.Batches(program)
    added: dict[int, dict[int, list[Step]]] = {n: {} for n in range(homes.count)}
    if stride:
        for need in waiting:
            _batch(program, homes, need, stride // (steps[need.clock] or 1), made, added)
        program = replace(program, arrays=made.arrays)
        needs = [need for need in needs if need not in waiting]
    messages: list[Message] = []
    places = _places(needs)
    for where in places:
        for part, exchange in _exchanges(program, homes, where, messages).items():
            added[part].setdefault(where.step, []).append(exchange)
    carried = list(_carried(program, homes, statics, len(messages)))
    if carried:
        for part, cut in enumerate(_cuts(program, homes, carried, place)):
            added[part].setdefault(place, []).append(cut)
    longest = stride or math.gcd(*(steps[where.clock] or 1 for where in places)) or ALONE
    return Partition(
        [_part(program, homes, number, added[number], made.made) for number in range(homes.count)],
        messages,
        made.made,
        1 if every_step else longest,
        carried,
    )


def _carried(
    program: Program, homes: _Homes, statics: Sequence[Static], first: int
) -> Iterator[Carried]:
    """Static connections with the parts that they lead from and to."""
    for number, static in enumerate(statics, first):
        source = homes.of(static.pathway.events)
        (target,) = {
            homes.of_steps[n]
            for n, step in enumerate(program.steps)
            if static.arriving in touched(step)[0]
        }
        assert source is not None
        yield Carried(number, source, target, static)


def _cuts(program: Program, homes: _Homes, carried: Sequence[Carried], place: int) -> Iterator[Cut]:
    """For each part, the end of a Lava step: all parts have it at the same place, so that none waits for what comes later."""
    owner = program.steps[min(place, len(program.steps) - 1)].owner
    clock = clocks.fastest(program.clocks)
    assert clock is not None
    for part in range(homes.count):
        sends = tuple(c.sent() for c in carried if c.source == part)
        receives = tuple(c.received() for c in carried if c.target == part)
        yield Cut(owner, clock, sends, receives)


def _batch(
    program: Program,
    homes: _Homes,
    need: _Need,
    late: int,
    made: batches.Batches,
    added: dict[int, dict[int, list[Step]]],
) -> None:
    """Let events be collected after they were made, and happen before they are first read."""
    source = homes.of(need.array)
    assert source is not None
    writer = program.steps[need.first - 1]
    made.add(need.array, writer, need.clock, (source, need.target), late)
    batch = made.made[-1]
    collecting = added[source].setdefault(need.first, [])
    if batch.collected not in collecting:
        collecting.append(batch.collected)
    added[need.target].setdefault(need.last, []).append(batch.replayed)


# ------------------------------------------------------------------------------------ who writes what


class _Homes:
    """Which part each step and each array belongs to; an array that nobody writes belongs to none."""

    def __init__(self, program: Program) -> None:
        self._joined: dict[str, str] = {}
        self.written: set[Array] = set().union(*(touched(step)[1] for step in program.steps))
        for step in program.steps:
            if not isinstance(step, Record):
                first, *others = [*map(_owner, _sorted(touched(step)[1])), *_synapses(step)] or [""]
                for other in others:
                    self._joined[self._root(other)] = self._root(first)
        self._numbers: dict[str, int] = {}
        self.names: list[str] = []
        firing = [step for step in program.steps if _fires(step)]
        for step in (*firing, *program.steps):  # a part has the name of its first population
            writes = _sorted(touched(step)[1])
            if writes and not isinstance(step, Record):
                root = self._root(_owner(writes[0]))
                if root not in self._numbers:
                    self._numbers[root] = len(self.names)
                    owners = map(_owner, [step.events] if _fires(step) else writes)
                    self.names.append(min(owners, key=lambda owner: "#" in owner))
        self._records: dict[str, int] = {}
        self.of_steps = [self._of_step(step) for step in program.steps]

    @property
    def count(self) -> int:
        return max(1, len(self.names))

    def _root(self, owner: str) -> str:
        while (above := self._joined.get(owner, owner)) != owner:
            owner = above
        return owner

    def of(self, array: Array) -> int | None:
        """The part that writes an array."""
        if array not in self.written:
            return None
        owner = _owner(array)
        return self._records.get(owner, self._numbers.get(self._root(owner), 0))

    def _of_step(self, step: Step) -> int:
        """The part whose arrays a step writes; what only records or reads goes where it reads most."""
        reads, writes = touched(step)
        if writes and not isinstance(step, Record):
            return self._numbers[self._root(_owner(_sorted(writes)[0]))]
        volume: dict[int, int] = {}
        for array in _sorted(reads - writes):
            home = self.of(array)
            if home is not None:
                volume[home] = volume.get(home, 0) + array.values().size
        most = max(volume, key=lambda part: volume[part], default=0)
        for array in writes:
            self._records[_owner(array)] = most
        return most


def _owner(array: Array) -> str:
    """The name of the object that an array belongs to, or one that no object has."""
    owner, dot, _ = array.name.partition(".")
    return owner if dot else f"{owner}#{array.number}"


def _synapses(step: Step) -> list[str]:
    """The synapses that a pathway or a sum goes through, by name."""
    if isinstance(step, Deliver):
        return [step.pathway.path.synapses.name]
    if isinstance(step, Sum):
        cells = [e for e in step.kernel.expressions() if isinstance(e, Cell)]
        return [_owner(c.array) for c in cells if c.index is None and not c.array.scalar]
    return []


def _sorted(arrays: Iterable[Array]) -> list[Array]:
    return sorted(arrays, key=lambda array: array.number)


# ------------------------------------------------------------------------------ who has to be sent what


@dataclass(frozen=True, eq=False)
class _Need:
    """An array that has to be sent before a step from ``first`` to ``last``, whenever a clock is due.

    It may as well be sent once in so many steps as it can ``wait``, if any.
    """

    array: Array
    target: int
    clock: int
    first: int
    last: int
    wait: int = 0


@dataclass(frozen=True, eq=False)
class _Place:
    """Where messages are exchanged: before a step, whenever a clock is due."""

    step: int
    clock: int
    needs: list[_Need]


def _needed(program: Program, homes: _Homes, edges: list[Edges]) -> Iterator[_Need]:
    """All that has to be sent: before it is read, or after it is written where that is less often."""
    access = [touched(step) for step in program.steps]
    for array in _sorted(homes.written):
        home = homes.of(array)
        writers = [n for n, (_, writes) in enumerate(access) if array in writes]
        for target in range(homes.count):
            readers = [
                n
                for n, (reads, _) in enumerate(access)
                if array in reads and homes.of_steps[n] == target != home
            ]
            if readers:
                schedule = _Schedule(program, array, target, readers, writers)
                needs = min(schedule.late(), schedule.early(), key=schedule.rate)
                if schedule.is_regular():
                    wait = batches.may_wait(program, array, readers, writers, edges)
                    needs = [replace(need, wait=wait) for need in needs]
                yield from needs


class _Schedule:
    """When an array can be sent to a part."""

    def __init__(
        self, program: Program, array: Array, target: int, readers: list[int], writers: list[int]
    ) -> None:
        self._program, self._array, self._target = program, array, target
        self._readers, self._writers = readers, writers
        beats = [beat(clock) for clock in program.clocks]
        self._first = [beats.index(one) for one in beats]

    def _clock(self, step: int) -> int:
        """The first of the clocks that are always due together with a step's."""
        return self._first[self._program.steps[step].clock]

    def _alike(self, one: int, other: int) -> bool:
        return self._clock(one) == self._clock(other)

    def is_regular(self) -> bool:
        """Whether all steps that read or write it are always due together."""
        return len({self._clock(n) for n in (*self._readers, *self._writers)}) == 1

    def late(self) -> list[_Need]:
        """Before each reader that is the first one after a writer."""
        needs = []
        for n in self._readers:
            if not any(self._covers(other, n) for other in self._readers if other != n):
                before = [w for w in self._writers if w < n]
                first = before[-1] + 1 if before else 0
                needs.append(_Need(self._array, self._target, self._clock(n), first, n))
        return needs

    def _covers(self, one: int, other: int) -> bool:
        """Whether a reader sees what another one, with its clock, has been sent."""
        if not self._alike(one, other):
            return False
        if one < other:
            return not any(one <= w < other for w in self._writers)
        return all(other <= w < one and self._alike(w, one) for w in self._writers)

    def early(self) -> list[_Need]:
        """After each writer whose values somebody may read before the next one writes."""
        needs = []
        for w in self._writers:
            following = [v for v in self._writers if v > w]
            reading = [r for r in self._readers if r > w]
            alike = [v for v in following if self._alike(v, w)]
            if alike and not any(r < alike[0] for r in reading):
                continue
            last = min([*following[:1], *reading[:1], len(self._program.steps)])
            needs.append(_Need(self._array, self._target, self._clock(w), w + 1, last))
        return needs

    def rate(self, needs: list[_Need]) -> float:
        """Messages a second."""
        steps = [clocks.values(self._program.clocks[need.clock], "dt") for need in needs]
        return sum(1 / float(dt[0]) for dt in steps if dt is not None)


def _places(needs: Iterable[_Need]) -> list[_Place]:
    """The fewest places at which all that is needed can be sent, on each clock."""
    places: list[_Place] = []
    for need in sorted(needs, key=lambda need: (need.last, need.first)):
        for place in places:
            if place.clock == need.clock and need.first <= place.step <= need.last:
                place.needs.append(need)
                break
        else:
            places.append(_Place(need.last, need.clock, [need]))
    return sorted(places, key=lambda place: place.step)


# ---------------------------------------------------------------------------------------- the parts


def _exchanges(
    program: Program, homes: _Homes, place: _Place, messages: list[Message]
) -> dict[int, Exchange]:
    """Of each part that takes part in it, the exchange at a place; its messages join the others."""
    made: dict[tuple[int, int], list[Array]] = {}
    for need in place.needs:
        source = homes.of(need.array)
        assert source is not None
        arrays = made.setdefault((source, need.target), [])
        if need.array not in arrays:
            arrays.append(need.array)
    owner = program.steps[min(place.step, len(program.steps) - 1)].owner
    found: dict[int, Exchange] = {}
    for (source, target), arrays in made.items():
        content = tuple(_sent(program, homes, array, target) for array in _sorted(arrays))
        messages.append(Message(len(messages), source, target, content))
        for part, sends, receives in (
            (source, messages[-1:], []),
            (target, [], messages[-1:]),
        ):
            one = found.get(part, Exchange(owner, place.clock, (), ()))
            found[part] = replace(
                one, sends=(*one.sends, *sends), receives=(*one.receives, *receives)
            )
    return found


def _sent(program: Program, homes: _Homes, array: Array, target: int) -> Sent:
    """What a part needs of an array."""
    if any(s.events is array for s in program.steps if _fires(s)):
        return Sent(array, events=True)
    steps = [s for n, s in enumerate(program.steps) if homes.of_steps[n] == target]
    if array.scalar:
        return Sent(array)
    found = [e for s in steps for e in _elements(s, array, homes)]
    if any(e is None for e in found):
        return Sent(array)
    elements = np.unique(np.concatenate([np.asarray(e).ravel() for e in found]))
    few = len(elements) <= _FEW * len(array.values())
    return Sent(array, elements.astype(np.int64)) if few else Sent(array)


def _fires(step: Step) -> TypeGuard[Threshold | Generate]:
    return isinstance(step, (Threshold, Generate))


def _elements(step: Step, array: Array, homes: _Homes) -> Iterator[np.ndarray | None]:
    """The elements of an array that a step reads, None where it may be all."""
    kernel: Any = getattr(step, "kernel", None)
    if kernel is None:
        if array in touched(step)[0]:
            yield None
        return
    for cell in kernel.expressions():
        if not isinstance(cell, Cell) or cell.array is not array:
            continue
        if isinstance(cell.index, Cell) and cell.index.index is None:
            index = cell.index.array
            yield index.values() if homes.of(index) is None else None
        elif cell.index is None and isinstance(step, RecordState):
            yield step.units.values() if homes.of(step.units) is None else None
        else:
            yield None


def _part(
    program: Program,
    homes: _Homes,
    number: int,
    added: dict[int, list[Step]],
    made: list[Batch],
) -> Part:
    """A part: the steps of its own, and others that are added before some of them."""
    own = [n for n, part in enumerate(homes.of_steps) if part == number]
    of_events = {batch.events: batch.late for batch in made if batch.target == number}
    steps: list[Step] = []
    pathways: list[Pathway] = []
    for n in range(len(program.steps) + 1):
        for step in added.get(n, []):
            _add(steps, step)
        if n in own:
            step = program.steps[n]
            if isinstance(step, Deliver):
                pathways.append(step.pathway)
                step = replace(step, pathway=replace(step.pathway, number=len(pathways) - 1))
            steps.append(step)
    growing = {a for s in steps if isinstance(s, Record) for a in s.growing.values()}
    writes = {a for n in own for a in touched(program.steps[n])[1]}
    return Part(
        homes.names[number] if homes.names else "network",
        replace(
            program,
            steps=steps,
            pathways=[replace(path, number=n) for n, path in enumerate(pathways)],
        ),
        tuple(path.number for path in pathways),
        tuple(of_events.get(path.events, 0) for path in pathways),
        tuple(_sorted(writes - growing)),
    )


def _add(steps: list[Step], step: Step) -> None:
    """Add a step; an exchange is joined with the one before, if no step is between them."""
    last = steps[-1] if steps else None
    if _joins(step) and _joins(last) and last.clock == step.clock:
        steps[-1] = replace(
            last,
            sends=(*last.sends, *step.sends),
            receives=(*last.receives, *step.receives),
        )
    else:
        steps.append(step)


def _joins(step: Step | None) -> TypeGuard[Exchange]:
    return isinstance(step, Exchange) and not isinstance(step, Cut)


__all__ = ["ALONE", "Carried", "Part", "Partition", "partition"]
