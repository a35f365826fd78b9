"""Ranges of a model's variables: as the file gives them, else as a run in floating point shows them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.fixedpoint.quantise import FixedProgram, Formats, quantise
from neuroglia_snn.fixedpoint.ranges import Range
from neuroglia_snn.lowering.execute import in_floats
from neuroglia_snn.lowering.operations import Population, Program

#: What a recorded range is widened by: a part of itself at each end that can move.
ROOM = 0.5
#: Steps of the recorded run at most.
MAX_STEPS = 20_000


def formats(
    model: spec.Model,
    program: Program,
    seed: int,
    inputs: Mapping[str, Formats] | None = None,
) -> FixedProgram:
    """The program in integers, with formats from the file's ranges and a recorded run.

    ``inputs`` are formats of what arrives from outside the program, by population.

    Raises
    ------
    RangeError
        See `quantise`.
    """
    given = {
        name: _constant(program, program.populations[name])
        | {n: (r.low, r.high) for n, r in p.ranges.items()}
        for name, p in model.populations.items()
    }
    bits = {
        name: {n: r.bits for n, r in p.ranges.items() if r.bits}
        for name, p in model.populations.items()
    }
    stochastic = {
        name: frozenset(n for n, r in p.ranges.items() if r.stochastic)
        for name, p in model.populations.items()
    }
    held = {
        name: [v for v in p.initial if v not in p.inputs] for name, p in program.populations.items()
    }
    if any(v not in given[name] for name, variables in held.items() for v in variables):
        found = record(program, seed)
        given = {name: found[name] | given[name] for name in held}
    state = {name: {v: given[name][v] for v in held[name]} for name in held}
    return quantise(program, state, bits, stochastic, inputs)


def _constant(program: Program, population: Population) -> dict[str, Range]:
    """Ranges of variables that nothing changes: their initial values and 0."""
    changed = {x for block in population.blocks().values() for x in block.assign}
    filled = {c.variable for c in program.couplings.values() if c.target == population.name}
    return {
        name: (float(min(values.min(), 0.0)), float(max(values.max(), 0.0)))
        for name, values in population.initial.items()
        if name not in changed | filled
    }


def record(program: Program, seed: int) -> dict[str, dict[str, Range]]:
    """Ranges that a run in floating point shows, with room; of times, the length of the run.

    The run is the whole one, or its first `MAX_STEPS` steps.
    """
    run = in_floats(program, seed)
    low = {(n, v): a.min() for n, p in run.populations.items() for v, a in p.arrays.items()}
    high = {(n, v): a.max() for n, p in run.populations.items() for v, a in p.arrays.items()}
    for _ in range(min(program.steps, MAX_STEPS)):
        run.advance()
        for n, population in run.populations.items():
            for v, values in population.arrays.items():
                low[n, v] = min(low[n, v], values.min())
                high[n, v] = max(high[n, v], values.max())
    end = program.steps * program.dt
    return {
        n: {
            v: (min(low[n, v], 0.0), end)
            if v in population.population.times
            else _widened(low[n, v], high[n, v])
            for v in population.arrays
        }
        for n, population in run.populations.items()
    }


def _widened(low: float, high: float) -> Range:
    """With room; what keeps one sign in the run keeps it."""
    room = ROOM * (high - low)
    least = max(low - room, 0.5 * low) if low > 0 else low if low == 0 else low - room
    most = min(high + room, 0.5 * high) if high < 0 else high if high == 0 else high + room
    if not np.isfinite([least, most]).all() or least == most:
        return (min(least, 0.0), max(most, 1.0))
    return float(least), float(most)


def states(fixed: FixedProgram) -> Mapping[str, Mapping[str, str]]:
    """Formats of all variables as text, by population."""
    return {
        n: {v: str(f) for v, f in found.items() if not v.endswith("_")}  # those are a step's own
        for n, found in fixed.formats.items()
    }
