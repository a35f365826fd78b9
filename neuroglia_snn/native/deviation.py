"""How far a program in integers is off its floating-point original, by running both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuroglia_snn.fixedpoint.formats import SUM_BITS
from neuroglia_snn.fixedpoint.integers import NORMAL_SCALE, Integers, in_integers
from neuroglia_snn.fixedpoint.quantise import FixedProgram
from neuroglia_snn.lowering.execute import ProgramRun, in_floats
from neuroglia_snn.lowering.operations import (
    Block,
    Linear,
    Population,
    Program,
    Rounding,
    Select,
    Sum,
)
from neuroglia_snn.native import build
from neuroglia_snn.native.run import native

#: Steps that `measure` runs at most: in generated code, and in NumPy where there is no compiler.
STEPS, STEPS_IN_NUMPY = 2000, 500
#: Steps that `compare` runs at most, and how many steps times units (but `STEPS` in any case).
COMPARED, UNIT_STEPS = 10_000, 20_000_000
#: Samples of the states that `compare` takes at most.
SAMPLES = 1000
#: Difference of a mean, of a spread (as parts of the spread) or of a number of events that is much,
#: and the least spread, as a part of the variable's range, that differences are parts of.
MUCH, LEAST_SPREAD = 0.1, 1e-3
#: Variable that counts a population's events; no model may have one of this name.
_EVENTS = "events_"


def steps(program: Program) -> int:
    """How many steps `measure` runs."""
    return min(STEPS_IN_NUMPY if build.missing() else STEPS, program.steps)


def measure(program: Program, fixed: FixedProgram) -> dict[str, dict[str, float]]:
    """Root mean square over the units of integers' states less float64's, in SI units.

    Both run without noise, which is not the same number in both, with messages one step under way.
    """
    *_, last = _both(program, fixed.program, steps(program), None, True)
    result: dict[str, dict[str, float]] = {}
    for name, population in program.populations.items():
        result[name] = {}
        for x in population.state:
            expected, found = (run.populations[name].arrays[x] for run in last)
            error = fixed.formats[name][x].decode(found) - expected
            result[name][x] = float(np.sqrt(np.mean(error**2)))
    return result


@dataclass
class Course:
    """A variable over a run, in floating point and in integers, all units together."""

    count: int = 0
    sums: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0
    error: float = 0.0
    start: float = 0.0

    def add(self, exact: np.ndarray, found: np.ndarray) -> None:
        """Take a sample of both."""
        if not self.count:
            self.start = float(exact.mean())
        both = np.stack([exact, found]) - self.start
        self.count += exact.size
        self.sums = self.sums + both.sum(axis=1)
        self.squares = self.squares + (both**2).sum(axis=1)
        self.error += float(((found - exact) ** 2).sum())

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
    """The first part of a run in floating point and in integers, with the same noise in both.

    Attributes
    ----------
    seconds : model time that was compared
    courses : of every differential variable, by population
    events : number in floating point and in integers, by population that has any
    ranges : of the variables, by population
    """

    seconds: float
    courses: dict[str, dict[str, Course]]
    events: dict[str, tuple[int, int]]
    ranges: dict[str, dict[str, tuple[float, float]]]

    def details(self) -> dict[str, object]:
        """For a summary; numbers in SI units."""
        return {
            "compared_ms": self.seconds * 1e3,
            "events": {n: _named(counts) for n, counts in self.events.items()},
            "states": {
                name: {
                    x: {
                        "rms_difference": course.rms,
                        "mean": _named(course.means),
                        "standard_deviation": _named(course.spreads),
                    }
                    for x, course in courses.items()
                }
                for name, courses in self.courses.items()
            },
        }

    def warnings(self) -> list[str]:
        """A sentence for every population that behaves otherwise in integers."""
        said = []
        for name, courses in self.courses.items():
            exact, found = self.events.get(name, (0, 0))
            parts = []
            if abs(exact - found) > max(1, MUCH * exact):
                parts.append(f"has {found} events, in floating point {exact}")
            parts += [
                f"'{x}' has mean {c.means[1]:.4g} and standard deviation {c.spreads[1]:.4g}, in"
                f" floating point {c.means[0]:.4g} and {c.spreads[0]:.4g}"
                for x, c in courses.items()
                if self._is_off(c, *self.ranges[name][x])
            ]
            if parts:
                said.append(
                    f"fixed point differs: in the first {self.seconds * 1e3:g} ms population '{name}'"
                    f" {'; '.join(parts)} (SI units); give its variables narrower ranges or more bits"
                )
        return said

    @staticmethod
    def _is_off(course: Course, low: float, high: float) -> bool:
        scale = max(course.spreads[0], LEAST_SPREAD * (high - low))
        shift = abs(course.means[1] - course.means[0])
        return max(shift, abs(course.spreads[1] - course.spreads[0])) > MUCH * scale


def _named(both: Sequence[float] | np.ndarray) -> dict[str, float]:
    exact, found = both
    return {"float": exact, "fixed": found}


def compare(program: Program, fixed: FixedProgram, seed: int, buffered: bool) -> Comparison:
    """Run the first part of a program in floating point and in integers, with the same noise."""
    units = sum(p.size for p in program.populations.values())
    count = max(steps(program), min(COMPARED, UNIT_STEPS // units, program.steps))
    every = max(1, count // SAMPLES)
    exact, whole = _counting(program, False), _counting(fixed.program, True)
    courses = {n: {x: Course() for x in p.state} for n, p in program.populations.items()}
    runs: tuple[ProgramRun, ProgramRun] | None = None
    for runs in _both(exact, whole, count, seed, buffered):
        if runs[0].step % every == 0:
            for name, own in courses.items():
                for x, course in own.items():
                    values, integers = (r.populations[name].arrays[x] for r in runs)
                    course.add(values, fixed.formats[name][x].decode(integers))
    assert runs is not None
    events = {
        n: (
            int(runs[0].populations[n].arrays[_EVENTS].sum()),
            int(runs[1].populations[n].arrays[_EVENTS].sum()),
        )
        for n, p in program.populations.items()
        if p.event
    }
    ranges = {n: dict(own) for n, own in fixed.ranges.items()}
    return Comparison(count * program.dt, courses, events, ranges)


def _both(
    exact: Program, whole: Program, count: int, seed: int | None, buffered: bool
) -> Iterator[tuple[ProgramRun, ProgramRun]]:
    """Both runs after each of so many steps; with the integers' noise of a seed, or with none."""
    noises = {n: p for n, p in exact.populations.items() if p.noise}
    exact, whole = _with_given_noise(exact), _with_given_noise(whole)
    if build.missing():
        runs = in_floats(exact, 0, buffered), in_integers(whole, 0, buffered)
    else:
        runs = native(exact, 0, False, buffered), native(whole, 0, True, buffered)
    drawn = {} if seed is None else {n: Integers(p, seed) for n, p in noises.items()}
    for step in range(count):
        for name, numbers in drawn.items():
            population = noises[name]
            if step % population.period == 0:
                normals = numbers.normals(step)
                runs[0].populations[name].take(str(population.noise), normals * NORMAL_SCALE)
                runs[1].populations[name].take(str(population.noise), normals)
        for run in runs:
            run.advance()
        yield runs


def _with_given_noise(program: Program) -> Program:
    """The program with its normal numbers as inputs, 0 until they are given."""
    return replace(program, populations={n: _given(p) for n, p in program.populations.items()})


def _given(population: Population) -> Population:
    if population.noise is None:
        return population
    initial = {**population.initial, population.noise: np.zeros(population.size)}
    return replace(
        population,
        noise=None,
        initial=initial,
        inputs=(*population.inputs, population.noise),
    )


def _counting(program: Program, integers: bool) -> Program:
    """The program with one more variable in each population that has events: their number so far."""
    made = {n: _counted(p, integers) for n, p in program.populations.items()}
    return replace(program, populations=made)


def _counted(population: Population, integers: bool) -> Population:
    if not population.event:
        return population
    one_more, count = f"{_EVENTS}more_", f"{_EVENTS}count_"
    rounding = Rounding(0, SUM_BITS) if integers else None
    operations = (
        *population.fire.operations,
        Linear(one_more, Sum(((_EVENTS, 1),), 1), rounding),
        Select(count, population.event, one_more, _EVENTS),
    )
    fire = Block(operations, {**population.fire.assign, _EVENTS: count})
    initial = {**population.initial, _EVENTS: np.zeros(population.size)}
    return replace(population, fire=fire, initial=initial)
