"""How many messages a model sends in a step, and how many it would if only changes were sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroglia_snn.fixedpoint.quantise import FixedProgram
from neuroglia_snn.fixedpoint.ranges import give_block
from neuroglia_snn.lowering.execute import in_floats
from neuroglia_snn.lowering.operations import Coupling, Program
from neuroglia_snn.native import build
from neuroglia_snn.native.run import native

#: Steps that are looked at, and the change that a message is worth: a part of its format's range.
STEPS = 10_000
DELTA = 2.0**-8


@dataclass(frozen=True)
class Traffic:
    """Messages of one coupling, per step of the whole: of all units, and of those that changed."""

    every: float
    changed: float


def count(
    program: Program, couplings: Mapping[str, Coupling], fixed: FixedProgram, seed: int
) -> dict[str, Traffic]:
    """Run the first steps of a program and count what these couplings send when they are due.

    A unit sends where it differs from what it last sent by `DELTA` of the range of the message's format.
    """
    run = in_floats(program, seed) if build.missing() else native(program, seed, False)
    sending = {name: _Sending(c, _delta(fixed, c)) for name, c in couplings.items()}
    for _ in range(min(STEPS, program.steps)):
        for coupling in sending.values():
            if run.step % coupling.period == 0:
                coupling.look(run.populations[coupling.source].give(coupling.coupling, run.step))
        run.advance()
    return {name: s.traffic() for name, s in sending.items()}


def _delta(fixed: FixedProgram, coupling: Coupling) -> float:
    low, high = fixed.values[coupling.source, give_block(coupling)][coupling.term].range
    return DELTA * (high - low)


class _Sending:
    def __init__(self, coupling: Coupling, delta: float):
        self.coupling, self._delta = coupling, delta
        self.period, self.source = coupling.period, coupling.source
        self._last: np.ndarray | None = None
        self._exchanges = self._sent = 0

    def look(self, now: np.ndarray) -> None:
        """Compare with what was last sent; the first look only fills it."""
        if self._last is None:
            self._last = np.array(now)
            return
        changed = np.abs(now - self._last) > self._delta
        self._last[changed] = now[changed]
        self._exchanges += 1
        self._sent += int(changed.sum())

    def traffic(self) -> Traffic:
        """What was counted."""
        each = 1 / self.period
        return Traffic(
            self.coupling.source_size * each, self._sent / max(self._exchanges, 1) * each
        )
