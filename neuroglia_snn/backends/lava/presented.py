"""A layered network on Lava - frames, Dense, a population, Dense, the class that holds longest.

The two layers of weights are Lava's own ``Dense``: its arithmetic with graded spikes is ours, an integer
dot product, where integer weights of both signs are even.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from neuroglia_snn.backends.base import Progress
from neuroglia_snn.backends.lava import _compat, shared
from neuroglia_snn.backends.lava.backend import maker
from neuroglia_snn.lowering.operations import Coupling, Program

#: Steps from a frame's sending to its first score: through Dense, the population's step, Dense.
_UNDER_WAY = 3


@dataclass(frozen=True)
class Presented:
    """How frames are shown: Lava steps of each, and which of them count.

    Attributes
    ----------
    block : steps of the population in a Lava step
    interval : Lava steps of a frame, after which the population starts anew
    first, every : Lava steps before the first that may count, and from one that counts to the next
    """

    block: int
    interval: int
    first: int
    every: int


def present(
    program: Program,
    names: tuple[str, str, str],
    frames: np.ndarray,
    shown: Presented,
    fixed: bool,
    progress: Progress | None = None,
) -> tuple[np.ndarray, int]:
    """Show frames to a population, one after the other, in one run.

    Parameters
    ----------
    program : in floating point or in integers
    names : coupling from the frames, population, coupling to the classes
    frames : (frames, values)
    shown : when, and what counts
    fixed : whether the program is in integers

    Returns
    -------
    counts : array (frames, classes)
        How often each class had the largest sum.
    saturated : int
        Results of the population that did not fit (fixed point).

    Raises
    ------
    BackendError
        Where Lava is missing or a process fails.
    """
    _compat.prepare("asteval")  # Dense imports it
    from lava.proc.dense.process import Dense

    from neuroglia_snn.backends.lava import session
    from neuroglia_snn.backends.lava.population import Plan, PopulationProcess, model_class
    from neuroglia_snn.backends.lava.processes.frames import Frames, Winners

    into, population, out = (
        program.couplings[names[0]],
        program.populations[names[1]],
        program.couplings[names[2]],
    )
    steps = len(frames) * shown.interval + _UNDER_WAY
    report = shared.Report()
    make = maker(replace(program, populations={population.name: population}), 0, fixed)
    plan = Plan(
        population=population,
        make=functools.partial(make, population),
        block=shown.block,
        steps=steps * shown.block,
        receives={"a_in": into},
        sends={"s_out": out},
        pooled=False,
        saturated=shared.array((1,), np.int64),
        report=report,
        reset_interval=shown.interval,
        reset_offset=1,  # when the first frame has passed Dense
    )
    source = Frames(frames=frames, interval=shown.interval)
    units = PopulationProcess(plan=plan, plan_of=lambda fixed: plan)
    classes = program.populations[out.target].size
    first, second = (Dense(weights=_matrix(c, fixed), num_message_bits=24) for c in (into, out))
    winners = Winners(
        classes=classes,
        frames=len(frames),
        interval=shown.interval,
        offset=_UNDER_WAY,
        every=shown.every,
        first=shown.first,
    )
    source.s_out.connect(first.s_in)
    first.a_out.connect(units.a_in)
    units.s_out.connect(second.s_in)
    second.a_out.connect(winners.a_in)

    def look() -> None:
        if progress:
            done = int(report.step[0]) / plan.steps
            progress(min(done, 1.0), 0.0)

    counts: list[np.ndarray] = []
    session.run(
        units,
        {units: model_class(PopulationProcess, plan, fixed, "Py_units", __name__)},
        steps,
        "fixed_pt" if fixed else "floating_pt",
        report,
        look,
        lambda: counts.append(np.array(winners.counts.get(), int)),
    )
    assert plan.saturated is not None
    return counts[0], int(plan.saturated[0])


def _matrix(coupling: Coupling, fixed: bool) -> np.ndarray:
    """A dense coupling's weights, (target unit, source unit)."""
    weights = coupling.weights.reshape(-1, coupling.source_size)
    return weights if fixed else weights / coupling.denominator
