"""A population by itself on its way through a run, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from neuroglia_snn.backends.brian.network import nonfinite_message
from neuroglia_snn.backends.lava.alone import MOST_STEPS, Alone, machine
from neuroglia_snn.errors import NumericalError, UserError
from neuroglia_snn.fixedpoint.formats import Format
from neuroglia_snn.fixedpoint.program import FixedProgram
from neuroglia_snn.program import clocks
from neuroglia_snn.program.machine import Status
from neuroglia_snn.program.tree import Array

Receive = Callable[[str], "np.ndarray | None"]
Send = Callable[[str, np.ndarray], None]


class Running:
    """One step of a population after the other, in floating point or in integers.

    Attributes
    ----------
    states : arrays of its variables, by name
    """

    def __init__(
        self, alone: Alone, units: Mapping[str, float], fixed: FixedProgram | None
    ) -> None:
        self._alone, self._units, self._fixed = alone, units, fixed
        program = fixed.program if fixed else alone.program
        self._machine = machine(program, alone.setting)
        self._machine.refresh()
        self.states = {n: self._array(a).values() for n, a in alone.states.items()}
        self._filled = {n: self._array(a).values() for n, a in alone.filled.items()}
        self._values = {port: self._array(a).values() for port, a in alone.values.items()}
        self._events = {port: a.values() for port, a in alone.events.items()}
        self._number = np.int32 if fixed else float
        self._dt = [_dt(clock) for clock in program.clocks]
        self._steps = 0

    def _array(self, array: Array) -> Array:
        return self._fixed.twins.get(array, array) if self._fixed else array

    def refresh(self) -> None:
        """Take note of states that somebody has set."""
        self._machine.refresh()

    def step(self, receive: Receive, send: Send) -> None:
        """Receive what arrives, do a step, and send what has become of it."""
        if self._steps >= MOST_STEPS:
            raise UserError(f"'{self._alone.name}' has done {MOST_STEPS} steps, and counts no more")
        self._steps += 1
        time = self._steps * self._alone.dt
        self._machine.until(math.ceil(time / dt - _NEAR) for dt in self._dt)
        while (status := self._machine.advance(math.inf)) != Status.DONE:
            assert status == Status.EXCHANGE
            for name in self._filled:
                arrived = receive(name)
                if arrived is not None:
                    self._take(name, arrived)
        self._machine.settle()
        self._require_finite()
        for port, values in self._values.items():
            send(port, values.astype(self._number))
        for port, events in self._events.items():
            happened = np.zeros(self._alone.size, self._number)
            happened[events[: events[-1]]] = 1
            send(port, happened)

    def _take(self, name: str, arrived: np.ndarray) -> None:
        values, one = self._filled[name], self._alone.inputs[name]
        if self._fixed is None:
            what = arrived * self._units.get(name, 1.0)
            values[:] = values + what if one.adds else what
            return
        made: Format = self._fixed.formats[self._alone.filled[name]]
        if one.adds:
            worth = self._units.get(name, one.unit) / made.scale
            if not 0.5 <= worth <= made.limit and arrived.any():
                raise self._misfit(name, made)
            arrived = values + np.rint(arrived * worth)
        values[:] = np.clip(arrived, -made.limit - 1, made.limit)

    def _misfit(self, name: str, made: Format) -> UserError:
        unit = self._units.get(name, self._alone.inputs[name].unit)
        return UserError(
            f"fixed point: a count at a_{name} is worth {unit:g}, and {name} holds {made.scale:.3g} to"
            f" {made.limit * made.scale:.3g} (SI units): say what it is worth, such as"
            f" units={{'{name}': {made.scale * 2.0**12:.3g}}}"
        )

    def _require_finite(self) -> None:
        if self._fixed is not None:
            return
        for name in self._alone.differential:
            values = self._values[f"s_{name}"]
            if not np.isfinite(values).all():
                unit = int(np.argmin(np.isfinite(values)))
                time = self._steps * self._alone.dt
                raise NumericalError(nonfinite_message(self._alone.name, unit, time))


def _dt(clock) -> float:
    dt = clocks.values(clock, "dt")
    assert dt is not None
    return float(dt[0])


#: Part of a step within which two times are one, as Brian2 has it.
_NEAR = 1e-4
