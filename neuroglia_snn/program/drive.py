"""One run of a network: Brian2's preparation, the machine's loop, and Python wherever it is called for."""

from __future__ import annotations

import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

import numpy as np
from brian2.core.network import Network, TextReport
from brian2.core.variables import ArrayVariable
from brian2.equations import Equations
from brian2.groups.group import Group
from brian2.units.allunits import second
from brian2.utils.logger import get_logger

from neuroglia_snn.errors import UserError
from neuroglia_snn.program import clocks, growth
from neuroglia_snn.program.edges import edges, keep, pending
from neuroglia_snn.program.machine import Machine, Setting, Status
from neuroglia_snn.program.program import Generate, Program, Python

logger = get_logger("brian2.devices.neuroglia")

#: Brian2's own, for a warning of Brian2's.
synapses_logger = get_logger("brian2.synapses.synapses")

#: Seconds between two looks at the clock on the wall, at reports and at interrupts: at least, and at most where
#: that is fewer than so many steps.
PAUSE, LONGEST_PAUSE, STEPS_OF_PAUSE = 0.05, 0.5, 256
#: A look at all values may take this part of the time.
SHARE_OF_LOOKS = 0.02


class Report:
    """Brian2's reports of progress."""

    def __init__(self, report: Any, period: Any, start: Any, duration: Any) -> None:
        self._call = _callback(report)
        self._period, self._start, self._duration = float(period), start, duration
        self._began = self._next = 0.0
        #: Whether it may look at arrays; a function says that it does not by ``looks_at_arrays = False``.
        self.looks = getattr(self._call, "looks_at_arrays", not isinstance(self._call, TextReport))

    def begin(self) -> None:
        """The loop begins now, and with it the time that it takes."""
        self._began = time.monotonic()
        self._next = self._began + self._period
        if self._call:
            self._call(0 * second, 0.0, self._start, self._duration)

    def due(self, now: float) -> bool:
        """Whether it is time to report."""
        return self._call is not None and now > self._next

    def passing(self, t: float, now: float) -> None:
        """Report where it is time to."""
        if self._call and self.due(now):
            done = (t - float(self._start)) / float(self._duration)
            self._call((now - self._began) * second, done, self._start, self._duration)
            self._next = now + self._period

    def end(self, done: float, elapsed: float) -> None:
        if self._call:
            self._call(elapsed * second, done, self._start, self._duration)


def _callback(report: Any) -> Callable | None:
    if report is None:
        return None
    if report in ("text", "stdout"):
        return TextReport(sys.stdout)
    if report == "stderr":
        return TextReport(sys.stderr)
    if isinstance(report, str):
        raise ValueError(f'Do not know how to handle report argument "{report}".')
    if callable(report):
        return report
    raise TypeError(
        "Do not know how to handle report argument, it has to be one of 'text', 'stdout', 'stderr', "
        f"or a callable function/object, but it is of type {type(report)}"
    )


class Watch:
    """Looks for values of differential equations that are not finite, now and then."""

    def __init__(self, objects: list[Any]) -> None:
        self._watched = [
            (obj, name)
            for obj in objects
            if isinstance(getattr(obj, "equations", None), Equations) and isinstance(obj, Group)
            for name in obj.equations.diff_eq_names
            if isinstance(obj.variables.get(name), ArrayVariable)
        ]
        self._next = 0.0
        self.found: str | None = None

    def due(self, now: float) -> bool:
        """Whether it is time to look: a second after the last time, or later where a look takes long."""
        return not self.found and now >= self._next

    def rest(self, now: float, spent: float) -> None:
        """Take note of how long a look took."""
        self._next = now + max(1.0, spent / SHARE_OF_LOOKS)

    def look(self, t: float) -> None:
        """Look, and remember what was found first."""
        if self.found:
            return
        for obj, name in self._watched:
            values = np.asarray(obj.variables[name].get_value())
            (wrong,) = np.nonzero(~np.isfinite(values))
            if len(wrong):
                self.found = (
                    f"'{obj.name}': {name} of unit {wrong[0]} is {values[wrong[0]]} "
                    f"(seen at t = {t:g} s)"
                )
                return


class Drive:
    """A machine on its way through a run."""

    def __init__(self, network: Any, machine: Machine, limit: float | None) -> None:
        self.network, self.machine, self._program = network, machine, machine.program
        self._growth = growth.start(machine.program, machine)
        self._limit = limit
        self._python: dict[str, float] = defaultdict(float)
        self._watch = Watch(network.sorted_objects)
        self._began = self._looked = time.monotonic()
        steps = [clocks.values(clock, "dt") for clock in machine.program.clocks]
        self._shortest = min((float(dt[0]) for dt in steps if dt is not None), default=math.inf)

    def prepare(self) -> None:
        """Do what the first step would have to do before it, and what is not of the loop's time."""
        self.machine.prepare()

    def go(self, report: Report) -> None:
        """Run to the end, or to where the network is stopped."""
        pause = self._pause(0.0, 0.0)
        while True:
            if self.network._stopped or Network._globally_stopped:
                self.machine.stop()
            began, t = time.monotonic(), self.network.t_
            status = self.machine.advance(pause)
            if status in (Status.DONE, Status.STOPPED):
                return
            if status == Status.GROW:
                self.grow()
                continue
            self.network.t_ = self.t
            if status == Status.PAUSED:
                pause = self._pause(time.monotonic() - began, self.network.t_ - t)
            if status == Status.PYTHON:
                self._call(self._program.steps[self.machine.position - 1])
            self._look_up(report, pause)

    def _pause(self, elapsed: float, passed: float) -> float:
        """Seconds to the next look, by what the time that has just passed took: steps before it are slower."""
        step = elapsed / max(1.0, passed / self._shortest)
        pause = min(max(PAUSE, STEPS_OF_PAUSE * step), max(PAUSE, LONGEST_PAUSE))
        return pause if self._limit is None else min(pause, self._limit / 8)

    def _look_up(self, report: Report, pause: float) -> None:
        """Report, and look for what should end the run, unless it was done just now."""
        now = time.monotonic()
        if now - self._looked < pause:
            return
        self._looked = now
        watching = self._watch.due(now)
        if watching or (report.looks and report.due(now)):
            self.machine.settle()
            self.network.t_ = self.t  # it may have ended a time step
        if watching:
            self._watch.look(self.t)
            self._watch.rest(now, time.monotonic() - now)
        report.passing(self.t, now)
        if self._limit is not None and now - self._began > self._limit:
            self.network._stopped = True

    @property
    def t(self) -> float:
        """The time of the clock that is due first."""
        return min(map(clocks.time, self._program.clocks))

    def _call(self, step: Any) -> None:
        self._growth.trim()
        before = time.monotonic()
        step.owner.run()
        self._python[step.owner.name] += time.monotonic() - before
        self._growth.restore()

    def grow(self) -> None:
        """Make room for the record at the next step."""
        self._growth.grow(self.machine.position)

    def close(self) -> None:
        """Give memory back."""
        self.machine.close()

    def finish(self) -> None:
        """Leave arrays and queues as Brian2 would.

        Raises
        ------
        DeviceLost
            Where there are no values to leave.
        """
        try:
            self.machine.settle()
        finally:
            self._growth.trim()
        for space in self._program.event_spaces():
            space[-1] = 0
        for pathway in self._program.pathways:
            keep(pathway.path, self.machine.pending(pathway.number))

    def say_not_finite(self) -> None:
        """Warn, in one sentence, of the first value that was seen not to be finite."""
        self._watch.look(self.t)
        if self._watch.found:
            logger.warn(f"Not finite: {self._watch.found}.", "not_finite")

    def profile(self) -> dict[str, float]:
        """Seconds of each object that is active, also of those that do nothing themselves."""
        spent = {obj.name: 0.0 for obj in self.network.sorted_objects if obj.active}
        for step, seconds in zip(self._program.steps, self.machine.seconds, strict=True):
            spent[step.owner.name] += float(seconds)
            if isinstance(step, Python):
                spent[step.owner.name] += self._python.pop(step.owner.name, 0.0)
        return spent


class Joined(Machine, Protocol):
    """A machine with which others of the same program, on the same clocks, go on; none of them calls Python."""

    #: Whether it is this one's record that has to grow.
    short_of_room: bool

    def join(self, others: Sequence[Any]) -> None:
        """Have others go on with this one."""


def go_together(drives: Sequence[Drive], report: Report) -> None:
    """Run several networks to the end, or to where the first is stopped: its machine takes the others along."""
    first = drives[0]
    machines: list[Joined] = [drive.machine for drive in drives]  # type: ignore[misc]
    machines[0].join(machines[1:])
    try:
        while True:
            if first.network._stopped or Network._globally_stopped:
                machines[0].stop()
            status = machines[0].advance(PAUSE)
            if status in (Status.DONE, Status.STOPPED):
                return
            if status == Status.GROW:
                for drive, machine in zip(drives, machines, strict=True):
                    if machine.short_of_room:
                        drive.grow()
                continue
            assert status == Status.PAUSED
            report.passing(first.t, time.monotonic())
    finally:
        with ExitStack() as stack:
            for drive in drives:
                stack.callback(_end, drive)


def _end(drive: Drive) -> None:
    try:
        drive.finish()
    finally:
        drive.network.t_ = drive.t


def setting(
    program: Program,
    keys: list[tuple[int, int]],
    shift: float,
    profile: bool,
    single: bool = False,
    threads: int = 1,
) -> Setting:
    """Connections, spikes under way and keys as they are now; ``shift``, in s, counts random numbers."""
    steps = [clocks.values(clock, "dt") for clock in program.clocks]
    shifts = [0 if dt is None else round(shift / float(dt[0])) for dt in steps]
    for step in program.steps:
        if isinstance(step, Generate):
            _require_room(step)
    layouts, waiting = [], []
    for pathway in program.pathways:
        path = pathway.path
        _require_synapses(path)
        _warn_of_steps(path)
        waiting.append(pending(path))
        layouts.append(edges(path, waiting[-1]))
    return Setting(layouts, waiting, keys, shifts, profile, single, threads)


def _require_room(step: Generate) -> None:
    """A generator that was inactive has all that it missed due at once."""
    position, period = int(step.position.values()[0]), int(step.period.values()[0])
    now = int(step.timestep.values()[0])
    bins = step.bins.values()
    if period > 0:
        now %= period
        if position > 0 and bins[position - 1] >= now:
            position = 0
    due, room = int(np.count_nonzero(bins[position:] <= now)), len(step.events.values()) - 1
    if due > room:
        raise UserError(
            f"'{step.owner.name}': {due} spikes are due in the first step, more than it has neurons "
            f"({room}): those from before it was active again; set_spikes gives it others"
        )


def _require_synapses(path: Any) -> None:
    """As Brian2 does it when it initialises the queue."""
    synapses = path.synapses
    if len(synapses) == 0 and not synapses._connect_called:
        raise TypeError(
            f"Synapses object '{synapses.name}' does not do anything, since it has not created synapses "
            "with 'connect'. Set its active attribute to False if you intend to do only do this for a "
            "subsequent run."
        )


def _warn_of_steps(path: Any) -> None:
    """As Brian2 does it when it initialises the queue."""
    source, synapses, target = path.source, path.synapses, path.target
    if len({source.clock.dt_, synapses.clock.dt_, target.clock.dt_}) == 1:
        return
    synapses_logger.warn(
        f"Note that the synaptic pathway '{path.name}' will run on the clock of the group "
        f"'{source.name}' using a dt of {source.clock.dt}. Either the Synapses object "
        f"'{synapses.name}' or the target '{target.name}' (or both) are using a different dt. This "
        "might lead to unexpected results. In particular, all delays will be rounded to multiples of "
        f"{source.clock.dt}. If in doubt, try to ensure that '{source.name}', '{synapses.name}', and "
        f"'{target.name}' use the same dt.",
        "synapses_dt_mismatch",
        once=True,
    )


def check_states(objects: list[Any]) -> None:
    """Brian2's warning for values that are not finite."""
    for obj in objects:
        if isinstance(obj, Group):
            obj._check_for_invalid_states()
