"""A run that leaves no trace: what it changes is put back, and it is looked at on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np

from neuroglia_snn.program import clocks, growth
from neuroglia_snn.program.fuse import touched
from neuroglia_snn.program.machine import Machine, Setting, Status
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.tree import Array

Make = Callable[[Program, Setting], Machine]
#: Steps between two looks, on average, at least.
STEPS_OF_LOOK = 5
#: By which part of the mean distance the first look is late, the second twice as late, and so on, but for whole ones.
_GOLDEN = (math.sqrt(5) - 1) / 2


def rehearse(
    program: Program,
    setting: Setting,
    make: Make,
    until: float,
    looks: int,
    look: Callable[[], None],
    apart: int = STEPS_OF_LOOK,
) -> None:
    """Run a program up to a time, in s, and look so many times at its arrays; then all is as it was.

    Looks are ``apart`` steps from each other at least, in the mean, as they take time, too. The last one
    is at the end, the others at irregular times, so that they see all of an input that repeats itself.
    """
    start = min(map(clocks.time, program.clocks))
    looks = max(1, min(looks, round((until - start) / shortest(program) / apart)))
    with _restored(program), closing(make(program, setting)) as machine:
        records = growth.start(machine.program, machine)
        for n in range(1, looks + 1):
            part = (n + n * _GOLDEN % 1) / looks if n < looks else 1.0
            _end_at(program, start + (until - start) * part)
            machine.refresh()
            while (status := machine.advance(math.inf)) != Status.DONE:
                if status == Status.GROW:
                    records.grow(machine.position)
            machine.settle()
            look()
        records.trim()


def end(program: Program) -> float:
    """The time, in s, at which a run ends; slow clocks may count to a step beyond it."""
    ends = (_step(clock) * int(clock._i_end) for clock in program.clocks if _step(clock))
    return min(ends, default=0.0)


def shortest(program: Program) -> float:
    """The shortest time step, in s."""
    return min(filter(None, map(_step, program.clocks)))


def _step(clock: Any) -> float:
    dt = clocks.values(clock, "dt")
    return 0.0 if dt is None else float(dt[0])


def _end_at(program: Program, time: float) -> None:
    for clock in program.clocks:
        if dt := _step(clock):
            clock._i_end = math.ceil(time / dt - clock.epsilon_dt)


@contextmanager
def _restored(program: Program) -> Iterator[None]:
    """Everything that a run changes is as before, afterwards."""
    records = program.records()
    lengths = [int(record.length.values()[0]) for record in records]
    growing = {array for record in records for array in record.growing.values()}
    kept = [(a, a.values().copy()) for a in written(program) - growing]
    ends = [clock._i_end for clock in program.clocks]
    times = [
        (values, values.copy())
        for clock in program.clocks
        for name in ("t", "timestep")
        if (values := clocks.values(clock, name)) is not None
    ]
    try:
        yield
    finally:
        for clock, last in zip(program.clocks, ends, strict=True):
            clock._i_end = last
        for values, before in times:
            np.copyto(values, before)
        for array, before in kept:
            np.copyto(array.values(), before)
        for record, length in zip(records, lengths, strict=True):
            growth.resize(record, length)


def written(program: Program) -> set[Array]:
    """Arrays that a step of a program writes."""
    return set().union(*(touched(step)[1] for step in program.steps))
