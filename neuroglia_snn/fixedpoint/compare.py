"""How far a network in integers is off floating point, by running both with the same random numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from neuroglia_snn.fixedpoint.formats import Format
from neuroglia_snn.fixedpoint.intervals import Range
from neuroglia_snn.fixedpoint.operations import Block, Random
from neuroglia_snn.fixedpoint.registers import NOISE
from neuroglia_snn.fixedpoint.rehearsal import Make, end, rehearse, shortest
from neuroglia_snn.fixedpoint.statements import in_floats
from neuroglia_snn.fixedpoint.twins import Twins
from neuroglia_snn.program import clocks
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.program import (
    Deliver,
    Program,
    Record,
    RecordEvents,
    Reset,
    Step,
    Sum,
    Threshold,
    Update,
)
from neuroglia_snn.program.reference import NumpyMachine
from neuroglia_snn.program.tree import BOOL, FLOAT64, Array, Cell, Local

#: Units times steps that a comparison takes at most, and at how many units of each array it looks.
UNIT_STEPS, UNITS = 2e8, 1000
#: How often both runs are looked at: as often as it takes for so many samples of the largest array.
LOOKS, SAMPLES = (100, 10_000), 20_000
#: Difference of a mean, of a spread (as parts of the spread) or of a number of events that is much,
#: and the least spread, as a part of the variable's range, that differences are parts of.
MUCH, LEAST_SPREAD = 0.1, 1e-3


@dataclass
class Course:
    """A variable over a run, in floating point and in integers, all units together.

    ``last`` is the root mean square of the difference over the units in the last sample.
    """

    count: int = 0
    sums: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0
    error: float = 0.0
    start: float = 0.0
    last: float = 0.0

    def add(self, exact: np.ndarray, found: np.ndarray) -> None:
        """Take a sample of both."""
        if not self.count:
            self.start = float(exact.mean())
        both = np.stack([exact, found]) - self.start
        self.count += exact.size
        self.sums = self.sums + both.sum(axis=1)
        self.squares = self.squares + (both**2).sum(axis=1)
        squares = (found - exact) ** 2
        self.error += float(squares.sum())
        self.last = float(np.sqrt(squares.mean()))

    @property
    def means(self) -> np.ndarray:
        """In floating point and in integers."""
        return self.start + np.asarray(self.sums) / self.count

    @property
    def spreads(self) -> np.ndarray:
        """Standard deviations over time and units, in floating point and in integers."""
        square = np.asarray(self.squares) / self.count - (self.means - self.start) ** 2
        return np.sqrt(np.maximum(square, 0.0))

    @property
    def rms(self) -> float:
        """Root mean square of the difference at the same time of the same unit."""
        return float(np.sqrt(self.error / self.count))


@dataclass(frozen=True)
class Comparison:
    """A run, or its first part, in floating point and in integers, with the same random numbers in both.

    Attributes
    ----------
    seconds : model time that was compared
    courses : of every array of numbers that a differential equation changes, by its name
    events : number in floating point and in integers, by the monitor that counts them
    ranges : of the arrays
    """

    seconds: float
    courses: Mapping[str, Course]
    events: Mapping[str, tuple[int, int]]
    ranges: Mapping[str, tuple[float, float]]

    def details(self) -> dict[str, object]:
        """For a summary; numbers in SI units."""
        return {
            "compared_ms": self.seconds * 1e3,
            "events": {name: _named(counts) for name, counts in self.events.items()},
            "states": {
                name: {
                    "rms_difference": course.rms,
                    "mean": _named(course.means),
                    "standard_deviation": _named(course.spreads),
                }
                for name, course in self.courses.items()
            },
        }

    def warnings(self) -> list[str]:
        """A sentence for everything that behaves otherwise in integers."""
        parts = [
            f"'{name}' has {found} events, in floating point {exact}"
            for name, (exact, found) in self.events.items()
            if abs(exact - found) > max(1, MUCH * exact)
        ]
        parts += [
            f"'{name}' has mean {c.means[1]:.4g} and standard deviation {c.spreads[1]:.4g}, in"
            f" floating point {c.means[0]:.4g} and {c.spreads[0]:.4g}"
            for name, c in self.courses.items()
            if self._is_off(c, *self.ranges[name])
        ]
        return [
            f"fixed point differs: in the first {self.seconds * 1e3:g} ms {part} (SI units); give the"
            " variables narrower ranges or more bits"
            for part in parts
        ]

    @staticmethod
    def _is_off(course: Course, low: float, high: float) -> bool:
        scale = max(course.spreads[0], LEAST_SPREAD * (high - low))
        shift = abs(course.means[1] - course.means[0])
        return max(shift, abs(course.spreads[1] - course.spreads[0])) > MUCH * scale


def _named(both: Sequence[float] | np.ndarray) -> dict[str, float]:
    exact, found = both
    return {"float": exact, "fixed": found}


class Samples:
    """What one of the two runs shows."""

    def __init__(self, program: Program, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays
        random = np.random.RandomState(0)
        self._picked = {
            name: np.sort(random.permutation(len(array.values()))[:UNITS])
            for name, array in arrays.items()
        }
        self._counts = {
            step.owner.name: step.counts for step in program.steps if isinstance(step, RecordEvents)
        }
        self.values: dict[str, list[np.ndarray]] = {name: [] for name in arrays}
        self.events: dict[str, int] = {}

    def take(self) -> None:
        """A sample of all arrays."""
        for name, array in self._arrays.items():
            self.values[name].append(array.values()[self._picked[name]])
        self.events = {name: int(count.values().sum()) for name, count in self._counts.items()}


def compared(
    seconds: float,
    exact: Samples,
    whole: Samples,
    formats: Mapping[str, Format],
    ranges: Mapping[str, tuple[float, float]],
) -> Comparison:
    """The comparison of the samples of two runs."""
    courses = {name: Course() for name in exact.values}
    for name, course in courses.items():
        for one, other in zip(exact.values[name], whole.values[name], strict=True):
            course.add(one, formats[name].decode(other))
    events = {name: (exact.events[name], whole.events[name]) for name in exact.events}
    return Comparison(seconds, courses, events, ranges)


def compare(
    program: Program,
    fixed: Program,
    pairs: Mapping[str, tuple[Array, Array, Format, Range]],
    blocks: Mapping[int, Block],
    twins: Twins,
    setting: Setting,
    make: Make,
) -> Comparison:
    """Run a program and the same in integers, or their first part; both are as they were afterwards.

    Parameters
    ----------
    program, fixed : in floating point, and in integers
    pairs : what is compared, where it has units: by name, an array, its integers, their format and the range
    blocks, twins : of the program in integers
    setting, make : of the runs
    """
    arrays = {name: both[:2] for name, both in pairs.items() if len(both[0].values())}
    exact = with_the_same_numbers(program, blocks, twins, NumpyMachine(program, setting))
    until, seconds = _horizon(program, blocks, NumpyMachine(program, setting))
    setting = replace(setting, profile=False, single=False)
    most = max((len(one.values()) for one, _ in arrays.values()), default=1)
    looks = min(max(SAMPLES // max(1, most), LOOKS[0]), LOOKS[1])
    runs = [(exact, 0), (fixed, 1)]
    samples = [Samples(one, {n: both[k] for n, both in arrays.items()}) for one, k in runs]
    for (one, _), sample in zip(runs, samples, strict=True):
        rehearse(one, setting, make, until, looks, sample.take, 1)
    formats = {name: found for name, (_, _, found, _) in pairs.items()}
    ranges = {name: found for name, (_, _, _, found) in pairs.items()}
    return compared(seconds, samples[0], samples[1], formats, ranges)


def _horizon(
    program: Program, blocks: Mapping[int, Block], numbers: NumpyMachine
) -> tuple[float, float]:
    """Up to which time both are run, and how long that is, in s."""
    start, last, dt = min(map(clocks.time, program.clocks)), end(program), shortest(program)
    steps = (last - start) / dt
    units = 0.0
    for number in blocks:
        step = program.steps[number]
        own = clocks.values(program.clocks[step.clock], "dt")
        if own is not None and not isinstance(step, Record):
            units += size_of(step, numbers) * dt / float(own[0])
    part = min(1.0, UNIT_STEPS / max(1.0, units * steps))
    return start + part * (last - start), part * (last - start)


def with_the_same_numbers(
    program: Program, blocks: Mapping[int, Block], twins: Twins, numbers: NumpyMachine
) -> Program:
    """The program in floating point with the integers' random numbers; itself if it has none."""
    drawn = [n for n, b in blocks.items() if any(isinstance(item, Random) for item in b.items)]
    if not drawn:
        return program
    registers: dict[object, Array] = {}
    arrays, steps = [*program.arrays], [*program.steps]
    for number in drawn:
        step = steps[number]
        if isinstance(step, Record):
            continue
        size = size_of(step, numbers)

        def register(key: object, size: int = size, clock: int = step.clock) -> Cell:
            if key not in registers:
                words = twins.words(key, size, NOISE, clock)
                given = Given("register", words, SimpleNamespace(name=""), False)
                registers[key] = Array(len(arrays), given, False)
                arrays.append(registers[key])
            return Cell(registers[key], None)

        each = in_floats(blocks[number], register)
        results = {
            name: value
            if value.dtype == BOOL or isinstance(value, Cell)
            else Local(value.number, FLOAT64, False)
            for name, value in blocks[number].results.items()
        }
        kernel = replace(step.kernel, each=each, results=results, accumulates=False)  # type: ignore[attr-defined]
        steps[number] = replace(step, kernel=kernel)  # type: ignore[call-arg]
    return replace(program, steps=steps, arrays=arrays)


def size_of(step: Step, numbers: NumpyMachine) -> int:
    """How many units or synapses a step's kernel works on; ``numbers`` knows sizes."""
    match step:
        case Update(count=count) | Threshold(count=count) | Sum(count=count):
            return numbers.number(count)
        case Deliver(pathway=pathway):
            return len(pathway.path.synapses)
        case Reset(events=events):
            return len(events.values()) - 1
    raise TypeError(step)
