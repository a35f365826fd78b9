"""A population by itself in integers: formats that hold what the whole model shows, and what arrives."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from neuroglia_snn.backends.lava.alone import Alone, Moment
from neuroglia_snn.backends.lava.ports import LAPLACIAN
from neuroglia_snn.fixedpoint.choice import with_some_room
from neuroglia_snn.fixedpoint.formats import STATE_BITS, SUM_BITS, Format, fitting
from neuroglia_snn.fixedpoint.intervals import Range
from neuroglia_snn.fixedpoint.program import FixedProgram, in_integers
from neuroglia_snn.program.machine import Made, Setting, Status
from neuroglia_snn.program.prescribed import Prescribed
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.tree import Array

#: Counts that an input has room for, whatever is seen of it: those of a synapse of Lava.
WEIGHT = 256.0


class Shown:
    """A machine that repeats what was seen: for each part of a run, the arrays of one moment.

    What others send may drive a population further than its model does. So at every other moment, arrays have random
    values from all of the ranges that they may be in.
    """

    made = Made()
    position = 0

    def __init__(
        self,
        program: Program,
        setting: Setting,
        moments: list[Moment],
        ranges: Mapping[Array, Range],
    ) -> None:
        self.program, self._moments, self._ranges = program, moments, ranges
        self._random = np.random.RandomState(0)
        self.capacity, self.seconds = np.zeros(0, np.int64), np.zeros(len(program.steps))
        self._next = 0

    def advance(self, pause: float) -> Status:
        """Fill the arrays; where there were more units than here, others of them each time."""
        moment = self._moments[self._next % len(self._moments)]
        for array, seen in moment.items():
            values = array.values()
            first = self._next * len(values)
            values[...] = seen[(first + np.arange(len(values))) % len(seen)]
        for array, (low, high) in self._ranges.items() if self._next % 2 else ():
            array.values()[...] = self._random.uniform(low, high, len(array.values()))
        self._next += 1
        return Status.DONE

    def refresh(self, arrays: Iterable[Array] | None = None) -> None:
        """Nothing."""

    prepare = settle = stop = close = refresh

    def pending(self, number: int) -> np.ndarray:
        """None."""
        return np.zeros((0, 2), np.int64)


def in_fixed_point(alone: Alone, units: Mapping[str, float]) -> FixedProgram:
    """The program in integers; ``units`` are what counts are worth that a user chose, by input."""
    moments = alone.moments(alone)
    seen: dict[Array, Range] = {}
    for moment in moments:
        for array, values in moment.items():
            low, high = seen.get(array, (math.inf, -math.inf))
            seen[array] = min(low, float(values.min())), max(high, float(values.max()))
    scales: dict[str, float] = {}
    while True:
        given = _prescribed(alone, units, seen, scales)
        ranges = {
            array: wanted
            for name, array in {**alone.states, **alone.filled}.items()
            if name in alone.ranges or name in alone.filled
            if (wanted := given[alone.group.name, array.variable.name].range) is not None
        }
        make = functools.partial(Shown, moments=moments, ranges=ranges)
        fixed = in_integers(alone.program, alone.setting, make, given, comparing=False)
        found = {n: fixed.formats[alone.states[n]].scale for n in scales}
        if found == scales:
            return fixed
        scales.update(found)


def _prescribed(
    alone: Alone,
    units: Mapping[str, float],
    seen: Mapping[Array, Range],
    scales: dict[str, float],
) -> dict[tuple[str, str], Prescribed]:
    """Ranges of all that changes, formats of all that arrives or is a count.

    ``scales`` is what a count of some states is worth; those that are needed are added.
    """
    given = dict(alone.ranges)
    for array in alone.states.values():
        name = array.variable.name
        before = given.get(name, Prescribed())
        if before.range is None and array in seen:
            given[name] = replace(before, range=with_some_room(seen[array]))
    for name, array in alone.filled.items():
        one = alone.inputs[name]
        if one.adds:
            continue
        if one.coupled and one.coupled not in scales:
            state = given[one.coupled]
            assert state.range is not None
            scales[one.coupled] = fitting(*state.range, state.bits or STATE_BITS).scale
        unit = units.get(name) or (scales[one.coupled] / LAPLACIAN if one.coupled else one.unit)
        bits = SUM_BITS if one.coupled and name not in units else STATE_BITS
        low, high = seen.get(array, (0.0, 0.0))
        wanted = with_some_room((min(low, -WEIGHT * unit), max(high, WEIGHT * unit)))
        given[array.variable.name] = Prescribed(wanted, format=Format(bits, 0, unit))
    for variable, multiple in alone.gives.values():
        if multiple is not None:
            given[variable] = Prescribed(format=Format(STATE_BITS, 0, multiple))
    return {(alone.group.name, name): one for name, one in given.items()}
