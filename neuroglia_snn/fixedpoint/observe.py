"""Ranges that a run in floating point shows, of all arrays and of every value that kernels work out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neuroglia_snn.fixedpoint.intervals import Range
from neuroglia_snn.fixedpoint.operations import Block, Given, Value
from neuroglia_snn.fixedpoint.rehearsal import Make, end, rehearse
from neuroglia_snn.fixedpoint.statements import in_floats
from neuroglia_snn.program import clocks
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.program import (
    Deliver,
    Program,
    Record,
    Reset,
    Step,
    Sum,
    Threshold,
    Update,
)
from neuroglia_snn.program.reference import Evaluation, NumpyMachine
from neuroglia_snn.program.tree import Array, Local

#: Steps at which inputs are looked at, at most.
MOST_STEPS = 1_000_000
#: How often a run is looked at, and how many units or synapses of a kernel are then worked out.
LOOKS, UNITS = 200, 2000


class Seen:
    """Least and largest values.

    Attributes
    ----------
    arrays : of arrays
    values : of what the kernel of a step works out, by the step's place in the program
    """

    def __init__(self) -> None:
        self.arrays: dict[Array, Range] = {}
        self.values: dict[int, dict[Value, Range]] = {}

    def add(self, array: Array) -> None:
        """Take note of an array's values."""
        values = np.asarray(array.values(), float)
        values = values[np.isfinite(values)]
        if values.size:
            self.arrays[array] = _joined(self.arrays.get(array), values)


def _joined(before: Range | None, values: np.ndarray) -> Range:
    low, high = float(values.min()), float(values.max())
    return (low, high) if before is None else (min(low, before[0]), max(high, before[1]))


def observed(
    program: Program,
    setting: Setting,
    blocks: Mapping[int, Block],
    make: Make,
) -> Seen:
    """Run a program to its end in floating point, and leave all as it was.

    ``blocks`` are its steps' kernels as operations, ``make`` makes the machine that runs it.
    """
    seen = Seen()
    growing = {a for record in program.records() for a in record.growing.values()}
    arrays = [a for a in program.arrays if a.dtype.kind == "f" and a not in growing]
    observer = _Observer(program, setting, blocks, seen)

    def see() -> None:
        for array in arrays:
            seen.add(array)
        observer.look()

    for array in arrays:
        seen.add(array)
    observer.look_at_inputs()
    rehearse(program, replace(setting, profile=False, single=False), make, end(program), LOOKS, see)
    return seen


class _Observer:
    """Works out the values of all kernels, and writes none of them."""

    def __init__(
        self, program: Program, setting: Setting, blocks: Mapping[int, Block], seen: Seen
    ) -> None:
        self._machine = NumpyMachine(program, setting)
        self._program, self._seen, self._blocks = program, seen, blocks
        self._random = np.random.RandomState(1)
        self._kernels = {
            n: replace(program.steps[n].kernel, each=in_floats(block), accumulates=False)  # type: ignore[attr-defined]
            for n, block in blocks.items()
        }
        self._scalars = {
            n: {o.out.number: o.out for o in block.operations()} for n, block in blocks.items()
        }

    def look_at_inputs(self) -> None:
        """What all units share at each step of the run: an input may be on for less than passes between looks."""
        for number, kernel in self._kernels.items():
            step = self._program.steps[number]
            shared = [o for o in self._blocks[number].operations() if isinstance(o, Given)]
            clock = self._program.clocks[step.clock]
            dt = clocks.values(clock, "dt")
            if not shared or dt is None:
                continue
            first = int(clocks.values(clock, "timestep")[0])  # type: ignore[index]
            count = max(1, int(clock._i_end) - first)
            steps = first + np.arange(0, count, 1 + count // MOST_STEPS)
            at: dict[Any, np.ndarray] = {}
            for one in self._program.clocks:
                own = clocks.values(one, "dt")
                if own is not None:
                    passed = np.floor(steps * (float(dt[0]) / float(own[0])) + 1e-6)
                    at[one.variables["timestep"]] = passed.astype(np.int64)
                    at[one.variables["t"]] = passed * float(own[0])
            made = Evaluation(self._machine, step.clock, np.zeros(len(steps), np.int64))
            made.know({a: at[a.variable] for a in self._program.arrays if a.variable in at})
            made.only(replace(kernel, before=(), each=kernel.before))
            for o in shared:
                self._note(number, o.out, made.of(o.expression))

    def _note(self, number: int, out: Local, values: Any) -> None:
        """Take note of values of an operation of a step."""
        known = np.asarray(values, float)
        known = known[np.isfinite(known)]
        if known.size:
            found = self._seen.values.setdefault(number, {})
            found[out] = _joined(found.get(out), known)

    def look(self) -> None:
        for number, kernel in self._kernels.items():
            step = self._program.steps[number]
            units = self._units(step)
            if not len(units):
                continue
            made = Evaluation(self._machine, step.clock, units)
            made.only(kernel)
            for place, values in made.locals.items():
                if place in self._scalars[number]:
                    self._note(number, self._scalars[number][place], values)

    def _units(self, step: Step) -> np.ndarray:
        if isinstance(step, (Update, Threshold, Sum)):
            return self._some(self._machine.number(step.count))
        if isinstance(step, Record):
            return np.zeros(0, np.int64)
        if isinstance(step, Reset):
            return self._machine._now(step)
        assert isinstance(step, Deliver)
        return self._some(len(step.pathway.path.synapses))

    def _some(self, count: int) -> np.ndarray:
        if count <= UNITS:
            return np.arange(count)
        return np.unique(self._random.randint(count, size=UNITS))
