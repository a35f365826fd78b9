"""Monitors' arrays: they grow ahead of the run and are cut to what was recorded where Python looks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuroglia_snn.program.clocks import time, values
from neuroglia_snn.program.machine import Machine
from neuroglia_snn.program.program import Program, Python, Record, RecordEvents, RecordState

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
        length = _length(step)
        more = max(length, _LEAST)
        clock = self._program.clocks[step.clock]
        ahead = min(self._steps_to_python(position), float(clock._i_end - _timestep(clock)))
        if isinstance(step, RecordEvents):
            needed = int(step.events.values()[-1])
            more = needed if ahead <= 1 else max(more, needed)
        else:
            more = max(1, int(min(more, ahead)))
        self._resize(step, length + more)
        self._machine.refresh(step.growing.values())

    def _steps_to_python(self, position: int) -> float:
        """How often a record comes until Python looks: cutting much room costs as much as giving it."""
        clock = self._program.clocks[self._program.steps[position].clock]
        dt = values(clock, "dt")
        found = math.inf
        for place, step in enumerate(self._program.steps):
            if isinstance(step, Python) and dt is not None:
                other = self._program.clocks[step.clock]
                later = (time(other) - time(clock)) / float(dt[0])
                if place < position and later < 0.5:  # it has been in this step
                    every = values(other, "dt")
                    later += math.inf if every is None else float(every[0] / dt[0])
                # where Python comes after the record, the record is in Python's step, too
                within = 0.001 if place > position else -0.999
                found = min(found, 1 if later < 0.5 else math.floor(later + within) + 1)
        return found

    def trim(self) -> None:
        """Cut all to what was recorded."""
        self._before = self._machine.capacity.tolist()
        for step, capacity in zip(self._records, self._before, strict=True):
            if capacity != _length(step):
                self._resize(step, _length(step))

    def restore(self) -> None:
        """Give back the room that `trim` took, and take note of what else Python has moved."""
        for step, capacity in zip(self._records, self._before, strict=True):
            if capacity > _length(step):
                self._resize(step, capacity)
            else:
                self._machine.capacity[self._records.index(step)] = _length(step)
        self._machine.refresh()

    def _resize(self, step: Record, length: int) -> None:
        resize(step, length)
        self._machine.capacity[self._records.index(step)] = length


def resize(step: Record, length: int) -> None:
    """Give the arrays of a record another length."""
    for name, array in step.growing.items():
        rows = isinstance(step, RecordState) and name != "t"
        array.variable.resize((length, step.units.variable.size) if rows else length)  # type: ignore[attr-defined]


def _length(step: Record) -> int:
    return int(step.length.values()[0])


def _timestep(clock: Any) -> int:
    return int(clock.variables["timestep"].get_value()[0])


def start(program: Program, machine: Machine) -> Growth:
    """Records as long as they are."""
    machine.capacity[:] = np.array([_length(s) for s in program.records()], int)
    machine.refresh()
    return Growth(program, machine)
