"""What a part of a program does in its own process, and what it shares with the process that began it."""

from __future__ import annotations

import io
import math
import os
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np

from neuroglia_snn.emit.machine import CppMachine
from neuroglia_snn.lava import shared
from neuroglia_snn.lava.letters import Letter, Receive, Send, collected, expected
from neuroglia_snn.lava.spikes import Arriving, Leaving
from neuroglia_snn.program import clocks, growth
from neuroglia_snn.program.batches import Batch, Collect
from neuroglia_snn.program.machine import Status
from neuroglia_snn.program.partition import Carried, Part, Partition
from neuroglia_snn.program.program import Cut, Exchange, Program, Record, Step


class Board:
    """What all parts share with the process that began them.

    Attributes
    ----------
    report : why a part failed
    settling : whether the next Lava step is for parts to share what they hold, and nothing else
    clocks : time step and time of each clock, as the first part has them
    namespaces : arrays of functions of the script; all parts have the same ones
    """

    def __init__(self, program: Program, namespaces: list[np.ndarray]) -> None:
        self.report = shared.Report()
        self._own_namespaces = namespaces
        self.namespaces = [shared.array(values.shape, values.dtype) for values in namespaces]
        _copy([namespaces], [self.namespaces])
        self.settling = shared.array((1,), np.int64)
        self.clocks = [[shared.array((1,), a.dtype) for a in own] for own in _clocks(program)]
        self._settled = self._own_clocks = _clocks(program)
        self.tell_clocks()
        self.keep_clocks()

    def tell_clocks(self) -> None:
        """Let the others know how far a part is."""
        for own, told in zip(self._own_clocks, self.clocks, strict=True):
            for values, room in zip(own, told, strict=True):
                room[:] = values

    def fetch(self) -> None:
        """Set Brian2's clocks to where the parts are, and arrays of functions to what these have made of them."""
        _copy(self.clocks, self._own_clocks)
        for room, values in zip(self.namespaces, self._own_namespaces, strict=True):
            if values.flags.writeable:
                values[...] = room

    def keep_clocks(self) -> None:
        """Take note of the clocks, to which `restore_clocks` sets them back."""
        self._settled = [[values.copy() for values in own] for own in self._own_clocks]

    def restore_clocks(self) -> None:
        """Set Brian2's clocks back to where all arrays were last shared."""
        _copy(self._settled, self._own_clocks)


def _clocks(program: Program) -> list[list[np.ndarray]]:
    return [
        [clock.variables[name].get_value() for name in ("timestep", "t")]
        for clock in program.clocks
    ]


def _copy(source: list[list[np.ndarray]], target: list[list[np.ndarray]]) -> None:
    for some, others in zip(source, target, strict=True):
        for values, room in zip(some, others, strict=True):
            room[...] = values


class Share:
    """What a part leaves for the process that began it: arrays in shared memory, the rest in a file without a name."""

    def __init__(self, number: int, part: Part, machine: CppMachine, whole: Partition) -> None:
        self._arrays = part.arrays
        self._records = [r for r in part.program.records() if not isinstance(r, Collect)]
        self._batches = [b for b in whole.batches if number in (b.source, b.target)]
        self._sent = [one for one in whole.carried if one.source == number]
        self._rooms = [shared.array(a.values().shape, a.dtype) for a in part.arrays]
        self._seconds = shared.array((len(machine.program.steps),), np.float64)
        self._length = shared.array((1,), np.int64)
        self._kept = [int(record.length.values()[0]) for record in self._records]
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (`close` closes it)
        self._read = 0
        self._machine, self._pathways, self._number = machine, len(part.pathways), number
        self.pending: list[np.ndarray] = []
        #: Time steps and units of events that were not delivered, or of which not all may have arrived.
        self.waiting: dict[Batch | Carried, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def seconds(self) -> np.ndarray:
        """The time that each step took, where profiling."""
        return self._seconds

    def leave(self, spikes: Sequence[Leaving]) -> None:
        """In the part's process: leave all that it holds; ``spikes`` are those that go to Lava's connections."""
        self._machine.settle()
        for array, room in zip(self._arrays, self._rooms, strict=True):
            room[...] = array.values()
        self._seconds[:] = self._machine.seconds
        for number in range(self._pathways):
            np.save(self._file, self._machine.pending(number))
        events = [collected(b) if b.source == self._number else expected(b) for b in self._batches]
        for steps, units in (*events, *(leaving.past() for leaving in spikes)):
            np.save(self._file, steps)
            np.save(self._file, units)
        for place, record in enumerate(self._records):
            length = int(record.length.values()[0])
            for array in record.growing.values():
                np.save(self._file, array.values()[self._kept[place] : length])
            self._kept[place] = length
        self._file.flush()
        self._length[0] = self._file.tell()

    def fetch(self) -> None:
        """In the process that began it: put what a part has left into the arrays of the script."""
        for array, room in zip(self._arrays, self._rooms, strict=True):
            array.values()[...] = room
        size = int(self._length[0]) - self._read
        left = io.BytesIO(os.pread(self._file.fileno(), size, self._read))
        self._read += size
        self.pending = [np.load(left) for _ in range(self._pathways)]
        given: list[Batch | Carried] = [*self._batches, *self._sent]
        self.waiting = {one: (np.load(left), np.load(left)) for one in given}
        for record in self._records:
            for array in record.growing.values():
                _extend(record, array, np.load(left))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


def _extend(record: Record, array, rows: np.ndarray) -> None:
    """Add rows to a growing array."""
    values = array.values()
    length = int(record.length.values()[0])
    array.variable.resize((length, *values.shape[1:]) if values.ndim > 1 else length)
    array.values()[length - len(rows) : length] = rows


class Work:
    """A part in its own process: its steps, Lava step by Lava step."""

    def __init__(
        self,
        number: int,
        machine: CppMachine,
        whole: Partition,
        letters: Mapping[object, Letter],
        board: Board,
        share: Share,
        pending: Sequence[np.ndarray],
    ) -> None:
        self._number, self._machine, self._letters = number, machine, letters
        self._board, self._share = board, share
        self._sent = [batch for batch in whole.batches if batch.source == number]
        self._received = [batch for batch in whole.batches if batch.target == number]
        self._ends = Ends(machine.program, whole.stride)
        self._growth: growth.Growth | None = None
        self._steps = 0
        given = machine.program.clocks
        self._leaving = {
            c.number: Leaving(c.static, given) for c in whole.carried if c.source == number
        }
        self._arriving = {
            c.number: Arriving(c.static, given, pending[c.static.pathway.number])
            for c in whole.carried
            if c.target == number
        }
        self._cut = bool(whole.carried)
        self._within = False

    def step(self, send: Send, receive: Receive) -> None:
        """What the part does in a Lava step; messages are sent and received by number.

        Where Lava steps end within time steps, it goes on from there to the end of the time step, and into the next one.
        """
        if self._growth is None:
            self._growth = growth.start(self._machine.program, self._machine)
        for number, arriving in self._arriving.items():
            added_up = receive(number)
            if self._within:
                arriving.receive(added_up)
        if self._within:
            self._go_on(send, receive)
        if self._board.settling[0]:
            self._share.leave(list(self._leaving.values()))
        if self._steps < self._ends.count and (self._cut or not self._board.settling[0]):
            self._steps += 1
            self._exchange_batches(send, receive)
            self._machine.until(self._ends.after(self._steps))
            self._go_on(send, receive)
        for number, leaving in self._leaving.items():
            send(number, leaving.spikes(self._within))

    def _go_on(self, send: Send, receive: Receive) -> None:
        """Go on to where a Lava step ends: within a time step, or after one."""
        assert self._growth is not None
        self._within = False
        while (status := self._machine.advance(math.inf)) != Status.DONE:
            if status == Status.GROW:
                self._growth.grow(self._machine.position)
            elif status == Status.EXCHANGE:
                step = self._machine.program.steps[self._machine.position - 1]
                if isinstance(step, Cut):
                    self._within = True
                    return
                self._exchange(step, send, receive)
        if not self._number:
            self._board.tell_clocks()

    def _exchange_batches(self, send: Send, receive: Receive) -> None:
        """Send the events of the last Lava step, and take note of those of other parts."""
        for batch in self._sent:
            self._letters[batch].send(send)
        for batch in self._sent:
            batch.collected.length.values()[0] = 0
        for batch in self._received:
            self._letters[batch].receive(receive)
            self._machine.refresh((batch.replayed.indices, batch.replayed.bins))

    def _exchange(self, step: Step, send: Send, receive: Receive) -> None:
        assert isinstance(step, Exchange)
        for message in step.sends:
            self._letters[message].send(send)
        for message in step.receives:
            self._letters[message].receive(receive)


class Ends:
    """The time steps of all clocks at the ends of Lava steps, each ``stride`` steps of the fastest clock."""

    def __init__(self, program: Program, stride: int) -> None:
        self._clocks, self._stride = program.clocks, stride
        steps = [clocks.values(clock, "dt") for clock in program.clocks]
        self._dt = [None if dt is None else float(dt[0]) for dt in steps]
        self._last = [int(clock._i_end) for clock in program.clocks]
        self._fastest = clocks.fastest(program.clocks)
        self._start = 0
        if self._fastest is not None:
            values = clocks.values(program.clocks[self._fastest], "timestep")
            self._start = 0 if values is None else int(values[0])

    @property
    def count(self) -> int:
        """Lava steps of the run; one where no clock is regular."""
        if self._fastest is None:
            return int(bool(self._clocks))
        return max(0, -(-(self._last[self._fastest] - self._start) // self._stride))

    def after(self, steps: int) -> list[int]:
        """The time step of each clock before which to come back after so many Lava steps."""
        if steps >= self.count or self._fastest is None:
            return self._last
        shortest = self._dt[self._fastest]
        assert shortest is not None
        time = (self._start + steps * self._stride) * shortest
        ends = []
        for clock, dt, last in zip(self._clocks, self._dt, self._last, strict=True):
            if dt is None:
                listed = clocks.values(clock, "times")
                found = 0 if listed is None else int(np.searchsorted(listed, time - 1e-14))
            else:
                found = math.ceil(time / dt - _NEAR * shortest / dt)
            ends.append(min(found, last))
        return ends


#: Part of a step within which two times are one, as Brian2 has it.
_NEAR = 1e-4

__all__ = ["Board", "Ends", "Share", "Work"]
