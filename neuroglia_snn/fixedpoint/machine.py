"""A machine whose numbers are integers: another machine on the program in integers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from neuroglia_snn.fixedpoint.program import Prescriptions, in_integers
from neuroglia_snn.fixedpoint.rehearsal import Make
from neuroglia_snn.program.machine import Made, Setting, Status
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.tree import Array


class FixedMachine:
    """Runs a program in integers on a machine of another target.

    ``make`` makes that machine, ``rehearse`` the one that runs it beforehand, to see how far values go.

    Attributes
    ----------
    fixed : the program in integers, with its formats
    """

    def __init__(
        self,
        program: Program,
        setting: Setting,
        make: Make,
        prescribed: Prescriptions,
        rehearse: Make | None = None,
    ) -> None:
        self.fixed = in_integers(program, setting, rehearse or make, prescribed)
        self._inner = make(self.fixed.program, replace(setting, single=False))
        self.program = self._inner.program
        self.made: Made = self._inner.made
        self.capacity: np.ndarray = self._inner.capacity

    @property
    def position(self) -> int:
        return self._inner.position

    @property
    def seconds(self) -> np.ndarray:
        return self._inner.seconds

    def refresh(self, arrays: Iterable[Array] | None = None) -> None:
        """See `program.machine.Machine`."""
        self._inner.refresh(arrays)

    def prepare(self) -> None:
        """See `program.machine.Machine`."""
        self._inner.prepare()

    def advance(self, pause: float) -> Status:
        """See `program.machine.Machine`."""
        return self._inner.advance(pause)

    def settle(self) -> None:
        """Have all values in Brian2's arrays."""
        self._inner.settle()
        self.fixed.decode()

    def stop(self) -> None:
        """Stop before the next time step."""
        self._inner.stop()

    def pending(self, number: int) -> np.ndarray:
        """See `program.machine.Machine`."""
        return self._inner.pending(number)

    def close(self) -> None:
        """Give memory back."""
        self._inner.close()
