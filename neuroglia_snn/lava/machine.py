"""A program on Lava: each part in a process of the simulator, on the compiled loop.

The processes are forked from the one that runs the script, so each has all of its arrays as they are when the run
begins. What they have made of them comes back at the end of the run, and whenever the script may look.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from neuroglia_snn.emit import foreign
from neuroglia_snn.emit.machine import CppMachine
from neuroglia_snn.errors import UserError
from neuroglia_snn.lava import compat, letters
from neuroglia_snn.lava.spikes import still_pending
from neuroglia_snn.lava.work import Board, Ends, Share, Work
from neuroglia_snn.program import clocks
from neuroglia_snn.program.batches import Batch, under_way
from neuroglia_snn.program.machine import Made, Setting, Status
from neuroglia_snn.program.messages import separated
from neuroglia_snn.program.partition import Carried, Partition, partition
from neuroglia_snn.program.program import Message, Program, Python
from neuroglia_snn.program.refusal import refuse
from neuroglia_snn.program.static import Static, Statics, static
from neuroglia_snn.program.tree import Array

if TYPE_CHECKING:
    from neuroglia_snn.lava.session import Session

#: Pieces of messages that a channel holds: those of two messages.
_CHANNEL = 2 * letters.PIECES
#: Seconds that a Lava step may take, before any has been made, and how much faster it may be than the one before.
_FIRST, _LONGER = 1.0, 8.0


class LavaMachine:
    """The parts of a program, each in a Lava process, on the C++ loop.

    With ``messages``, every connection is a process of its own, and a Lava step one numerical step.
    """

    def __init__(self, program: Program, setting: Setting, messages: bool = False) -> None:
        _require(program, setting)
        compat.prepare()
        if messages:
            program, self._whole, told = _apart(program, setting)
        else:
            self._whole, told = partition(program, setting.edges), {}
        with ThreadPoolExecutor() as pool:
            self._machines = list(
                pool.map(
                    lambda part: CppMachine(part.program, part.setting(setting)), self._whole.parts
                )
            )
        made = [machine.made for machine in self._machines]
        self.made = Made(
            hashlib.sha256("".join(one.digest for one in made).encode()).hexdigest(),
            any(one.compiled for one in made),
            any(one.single for one in made),
            {"lava": {**_details(self._whole), **told}},
        )
        self.program = replace(
            program, steps=[s for machine in self._machines for s in machine.program.steps]
        )
        self.capacity = np.zeros(len(self.program.records()), np.int64)
        self._given, self._edges = list(setting.pending), setting.edges
        self._pending = list(self._given)
        self._first = [int(clocks.values(clock, "timestep")[0]) for clock in program.clocks]  # type: ignore[index]
        self._board = Board(program, self._machines[0].namespaces)
        for machine in self._machines:
            machine.namespaces = self._board.namespaces
        self._shares = [
            Share(number, part, machine, self._whole)
            for number, (part, machine) in enumerate(
                zip(self._whole.parts, self._machines, strict=True)
            )
        ]
        self._session: Session | None = None
        self._left = Ends(program, self._whole.stride).count
        self._a_step = _FIRST  # seconds
        self._stopping = self._failed = False
        self._settled = True
        self._within = False  # the parts are within a time step

    position = 0

    @property
    def seconds(self) -> np.ndarray:
        """Time that each step took, where profiling."""
        return np.concatenate([share.seconds for share in self._shares])

    def refresh(self, arrays: Iterable[Array] | None = None) -> None:
        """Nothing: the processes have their own arrays."""

    def stop(self) -> None:
        """Stop before the next time step."""
        self._stopping = True

    def pending(self, number: int) -> np.ndarray:
        """Spikes of a pathway that are under way."""
        return self._pending[number]

    def advance(self, pause: float) -> Status:
        """Go on for about ``pause`` seconds."""
        if not self._left:
            self._settled &= not self._within
            return Status.DONE
        if self._stopping:
            return Status.STOPPED
        count = int(min(self._left, max(1.0, pause / self._a_step)))
        began = time.monotonic()
        self._run(count)
        self._a_step = max((time.monotonic() - began) / count, self._a_step / _LONGER)
        self._left -= count
        self._settled, self._within = False, bool(self._whole.carried)
        return Status.PAUSED if self._left else Status.DONE

    def _run(self, count: int) -> None:
        """Let the processes do some Lava steps; whatever ends them, all is as it was when it was last settled."""
        try:
            if self._session is None:
                self._session = self._begin()
            self._session.run(count)
            self._board.fetch()
        except BaseException:
            self._failed = True
            self._board.restore_clocks()
            raise

    def _begin(self) -> Session:
        from neuroglia_snn.lava import process, session

        whole = self._whole
        made: dict[object, letters.Letter] = {m: letters.of_message(m) for m in whole.messages}
        ports: dict[Message | Batch, int] = {m: m.number for m in whole.messages}
        for number, batch in enumerate(whole.batches, len(whole.messages)):
            made[batch], ports[batch] = letters.of_batch(batch, number), number
        plans = []
        for number, part in enumerate(whole.parts):
            work = Work(
                number,
                self._machines[number],
                whole,
                made,
                self._board,
                self._shares[number],
                self._pending,
            )
            sent, received = (
                {
                    port: process.Port(made[m].piece, np.uint8)
                    for m, port in ports.items()
                    if getattr(m, end) == number
                }
                for end in ("source", "target")
            )
            for one in whole.carried:
                if one.source == number:
                    sent[one.number] = process.Port(one.static.units, bool)
                if one.target == number:
                    received[one.number] = process.Port(len(one.static.arriving.values()), float)
            plans.append(process.Plan(part.name, work, sent, received, self._board.report))
        root, models = process.network(plans, {one.number: one.static for one in whole.carried})
        return session.Session(root, models, process.TAG, self._board.report, _CHANNEL)

    def prepare(self) -> None:
        """Nothing that is not done at the first step."""

    def settle(self) -> None:
        """Have all values in the script's arrays.

        Parts that are within a time step end it for that, and are within the next one, if there is one, afterwards.
        """
        if self._settled or self._failed:
            return
        self._board.settling[0] = 1
        self._run(1)
        self._board.settling[0] = 0
        self._within &= self._left > 0
        self._left -= self._within
        for part, share in zip(self._whole.parts, self._shares, strict=True):
            share.fetch()
            for number, pending in zip(part.pathways, share.pending, strict=True):
                self._pending[number] = pending
        for batch in self._whole.batches:
            self._wait(batch)
        for carried in self._whole.carried:
            self._leave_pending(carried)
        self.capacity[:] = [int(record.length.values()[0]) for record in self.program.records()]
        self._board.keep_clocks()
        self._settled = True

    def _wait(self, batch: Batch) -> None:
        """Add events that were collected, or sent, and not delivered yet, to the spikes under way."""
        clock = self.program.clocks[batch.replayed.clock]
        now = int(clocks.values(clock, "timestep")[0])  # type: ignore[index]
        ends = (self._shares[n].waiting[batch] for n in (batch.target, batch.source))
        steps, units = (np.concatenate(both) for both in zip(*ends, strict=True))
        part = self._whole.parts[batch.target]
        for number, pathway in zip(part.pathways, part.program.pathways, strict=True):
            if pathway.events is batch.events:
                more = under_way(self._edges[number], now, steps, units)
                self._pending[number] = np.concatenate([self._pending[number], more])

    def _leave_pending(self, carried: Carried) -> None:
        """Have the spikes that are under way through one of Lava's connections."""
        static = carried.static
        number = static.pathway.number
        now = int(clocks.values(self.program.clocks[static.clock], "timestep")[0])  # type: ignore[index]
        self._pending[number] = still_pending(
            self._edges[number],
            self._given[number],
            now - self._first[static.clock],
            now,
            self._shares[carried.source].waiting[carried],
        )

    def close(self) -> None:
        """End the processes, and give memory back."""
        with ExitStack() as stack:
            for machine, share in zip(self._machines, self._shares, strict=True):
                stack.callback(machine.close)
                stack.callback(share.close)
            if self._session is not None:
                stack.callback(self._session.kill if self._failed else self._session.stop)


def _require(program: Program, setting: Setting) -> None:
    """Refuse what processes of their own cannot do."""
    for step in program.steps:
        if isinstance(step, Python):
            raise refuse(
                step.owner.name,
                "Python code of a script, on target 'lava' in processes of their own,",
                "target='cpp' runs it",
            )
    if setting.threads > 1:
        raise UserError(
            f"threads={setting.threads}: target 'lava' runs each population in one process, on one thread: threads=1"
        )


def _apart(program: Program, setting: Setting) -> tuple[Program, Partition, dict[str, object]]:
    """A program with every connection apart, its parts, and what is to be told of connections."""
    separate = separated(program)
    found = static(separate.program, separate.arriving, setting)
    if why := _no_statics(program):
        others = {one.pathway.path.name: why for one in found.found} | found.others
        found = Statics(separate.program, [], 0, others)
    whole = partition(found.program, setting.edges, True, found.found, found.place)
    told: dict[str, object] = {}
    if separate.together:
        told["together"] = separate.together
    if found.found:
        told["sparse"] = [_told(one) for one in found.found]
    if found.others:
        told["not_sparse"] = found.others
    return found.program, whole, told


def _no_statics(program: Program) -> str:
    """Why no connection can be one of Lava's own, if none can."""
    if any(True for _ in foreign.arrays(program)):
        return "functions of the script have arrays, which all see as they are within a time step"
    return compat.missing_of_connections()


def _told(static: Static) -> dict[str, object]:
    """What a user may want to know of a connection that is one of Lava's own processes."""
    delays = static.held, static.longest
    return {
        "connection": static.pathway.path.name,
        "adds_to": static.target.name,
        "process": "DelaySparse" if static.delays.any() else "Sparse",
        "delays": sorted(set(delays)),
    }


def _details(whole: Partition) -> dict[str, object]:
    """What the run is made of: parts, the steps of a Lava step, and who sends whom what."""
    names = [part.name for part in whole.parts]
    return {
        "processes": names,
        "steps_per_lava_step": whole.stride,
        "messages": [
            {
                "from": names[message.source],
                "to": names[message.target],
                "content": [sent.array.name for sent in message.content],
            }
            for message in whole.messages
        ]
        + [
            {
                "from": names[batch.source],
                "to": names[batch.target],
                "content": [batch.events.name],
                "steps": batch.late,
            }
            for batch in whole.batches
        ],
    }
