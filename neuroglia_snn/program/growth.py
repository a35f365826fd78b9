"""Monitors' arrays: they grow ahead of the run and are cut to what was recorded where Python looks."""

from __future__ import annotations

import numpy as np

from neuroglia_snn.program.machine import Machine
from neuroglia_snn.program.program import Program, Record, RecordEvents, RecordState

_LEAST = 1024


class Growth:
    """The records of a program, while a machine fills them."""

    def __init__(self, program: Program, machine: Machine) -> None:
        self._program, self._records, self._machine = program, program.records(), machine
        self._before: list[int] = []

    def grow(self, position: int) -> None:
        """Make room for the record at a step."""
        step = self._program.steps[position]
        assert isinstance(step, Record)
        length = int(step.length.values()[0])
        more = max(length, _LEAST)
        if isinstance(step, RecordEvents):
            more = max(more, int(step.events.values()[-1]))
        else:
            clock = self._program.clocks[step.clock]
            more = max(1, min(more, int(clock._i_end - clock.variables["timestep"].get_value()[0])))
        self._resize(step, length + more)
        self._machine.refresh()

    def trim(self) -> None:
        """Cut all to what was recorded."""
        self._before = self._machine.capacity.tolist()
        for step, capacity in zip(self._records, self._before, strict=True):
            length = int(step.length.values()[0])
            if capacity != length:
                self._resize(step, length)

    def restore(self) -> None:
        """Give back the room that `trim` took, and take note of what else Python has moved."""
        for step, capacity in zip(self._records, self._before, strict=True):
            length = int(step.length.values()[0])
            self._resize(step, max(length, capacity))
        self._machine.refresh()

    def _resize(self, step: Record, length: int) -> None:
        for name, array in step.growing.items():
            rows = isinstance(step, RecordState) and name != "t"
            array.variable.resize((length, step.units.variable.size) if rows else length)  # type: ignore[attr-defined]
        self._machine.capacity[self._records.index(step)] = length


def start(program: Program, machine: Machine) -> Growth:
    """Records as long as they are."""
    machine.capacity[:] = np.array([int(s.length.values()[0]) for s in program.records()], int)
    machine.refresh()
    return Growth(program, machine)
