"""How many messages a model sends in a step, and how many it would if only changes were sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroglia_snn.lowering.execute import in_floats
from neuroglia_snn.lowering.operations import Program
from neuroglia_snn.native import build
from neuroglia_snn.native.run import native

#: Steps that are looked at, and the change that a message is worth: a part of the range seen.
STEPS = 500
DELTA = 2.0**-8


@dataclass(frozen=True)
class Traffic:
    """Messages of one coupling in a step: all units that give, and those that changed enough."""

    every: int
    changed: float


def count(program: Program, seed: int) -> dict[str, Traffic]:
    """Run the first steps of a program with messages and count what its couplings send.

    A unit sends where it differs from what it last sent by `DELTA` of the coupling's range.
    """
    run = in_floats(program, seed, True) if build.missing() else native(program, seed, False)
    steps = min(STEPS, program.steps)
    terms: dict[str, list[np.ndarray]] = {name: [] for name in program.couplings}
    for _ in range(steps):
        for name, coupling in program.couplings.items():
            terms[name].append(np.array(run.populations[coupling.source].give(coupling, run.step)))
        run.advance()
    return {name: _traffic(np.array(given)) for name, given in terms.items()}


def _traffic(given: np.ndarray) -> Traffic:
    delta = DELTA * np.ptp(given)
    last = given[0].copy()
    sent = 0
    for now in given[1:]:
        changed = np.abs(now - last) > delta
        sent += int(changed.sum())
        last[changed] = now[changed]
    return Traffic(given.shape[1], sent / max(len(given) - 1, 1))
