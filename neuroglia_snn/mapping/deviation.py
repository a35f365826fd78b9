"""How far a program in integers is off its floating-point original, by running both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuroglia_snn.fixedpoint.integers import in_integers
from neuroglia_snn.fixedpoint.quantise import FixedProgram
from neuroglia_snn.lowering.execute import in_floats
from neuroglia_snn.lowering.operations import Block, Linear, Population, Program, Rounding, Sum
from neuroglia_snn.native import build
from neuroglia_snn.native.run import native

#: Steps that are run at most: in generated code, and in NumPy where there is no compiler.
STEPS, STEPS_IN_NUMPY = 2000, 500


def steps(program: Program) -> int:
    """How many steps `measure` runs."""
    return min(STEPS_IN_NUMPY if build.missing() else STEPS, program.steps)


def measure(program: Program, fixed: FixedProgram) -> dict[str, dict[str, float]]:
    """Root mean square over the units of integers' states less float64's, in SI units.

    Both run without noise, which is not the same number in both, with messages one step under way.
    """
    exact, whole = _without_noise(program, False), _without_noise(fixed.program, True)
    if build.missing():
        runs = [in_floats(exact, 0, True), in_integers(whole, 0, True)]
    else:
        runs = [native(exact, 0, False, True), native(whole, 0, True, True)]
    for run in runs:
        while run.step < steps(program):
            run.advance()
    result: dict[str, dict[str, float]] = {}
    for name, population in program.populations.items():
        result[name] = {}
        for x in population.state:
            expected, found = (run.populations[name].arrays[x] for run in runs)
            error = fixed.formats[name][x].decode(found) - expected
            result[name][x] = float(np.sqrt(np.mean(error**2)))
    return result


def _without_noise(program: Program, integers: bool) -> Program:
    """The program with 0 for every normal number."""
    quiet = {n: _quiet(p, integers) for n, p in program.populations.items()}
    return replace(program, populations=quiet)


def _quiet(population: Population, integers: bool) -> Population:
    if population.noise is None:
        return population
    none = Linear(population.noise, Sum((), 0), Rounding(0, 2) if integers else None)

    def quiet(block: Block) -> Block:
        return Block((none, *block.operations), block.assign) if block.operations else block

    predict, correct = quiet(population.predict), quiet(population.correct)
    return replace(population, noise=None, predict=predict, correct=correct)
