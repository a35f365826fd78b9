"""A program in NumPy: short and slow, the reference for generated code and for Lava processes.

The same loop serves floating point (`Floats`) and fixed point (`neuroglia_snn.fixedpoint.Integers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from neuroglia_snn import expressions, lanes, noise
from neuroglia_snn.lowering.operations import (
    COMPARE,
    Block,
    Clip,
    Coupling,
    Function,
    Linear,
    Operation,
    Population,
    Product,
    Program,
    Select,
    Stencil,
    Sum,
    Test,
)

Values = dict[str, np.ndarray]


class Arithmetic(Protocol):
    """A number system: what the operations give in it."""

    @property
    def dtype(self) -> type: ...

    def linear(self, operation: Linear, values: Values) -> np.ndarray: ...
    def product(self, operation: Product, values: Values) -> np.ndarray: ...
    def function(self, operation: Function, values: Values) -> np.ndarray: ...
    def stencil(self, operation: Stencil, values: Values) -> np.ndarray: ...
    def time(self, step: int, clock: Population | Coupling) -> np.ndarray: ...
    def normals(self, step: int) -> np.ndarray: ...


class Floats:
    """Float64; noise is counter-based, the same numbers as every floating-point backend."""

    dtype = np.float64

    def __init__(self, population: Population, seed: int):
        self._population, self._seed = population, seed
        self._places = lanes.places(population.shape)

    def linear(self, operation: Linear, values: Values) -> np.ndarray:
        return weighted(operation.sum, values)

    def product(self, operation: Product, values: Values) -> np.ndarray:
        return values[operation.a] * values[operation.b]

    def function(self, operation: Function, values: Values) -> np.ndarray:
        return evaluate_function(operation.text, values[operation.x])

    def stencil(self, operation: Stencil, values: Values) -> np.ndarray:
        return stencil_sum(operation, values) / operation.denominator

    def time(self, step: int, clock: Population | Coupling) -> np.ndarray:
        return np.array(step // clock.period * clock.dt)

    def normals(self, step: int) -> np.ndarray:
        return noise.gaussian(self._seed, self._population.stream, self._places, step)


def evaluate_function(text: str, x: np.ndarray) -> np.ndarray:
    """An expression of ``x`` for an array."""
    scope: dict[str, object] = {**expressions.NUMERIC, "__builtins__": {}, "x": x}
    with np.errstate(all="ignore"):
        return np.asarray(eval(expressions.compiled(text), scope), float)


def weighted(total: Sum, values: Values) -> np.ndarray:
    """A sum, added up in its order."""
    result: np.ndarray | float | int = 0
    for name, factor in total.terms:
        result = result + factor * values[name]
    return np.asarray(result + total.constant)


def stencil_sum(operation: Stencil, values: Values) -> np.ndarray:
    """The stencil before it is divided; a neighbour that is missing gives nothing."""
    x = values[operation.x].reshape(operation.shape)
    around = np.zeros_like(x)
    around[1:] += x[:-1]
    around[:-1] += x[1:]
    around[:, 1:] += x[:, :-1]
    around[:, :-1] += x[:, 1:]
    return operation.pre * around.ravel() + operation.post * values[operation.x]


def evaluate(block: Block, values: Values, arithmetic: Arithmetic) -> Values:
    """Run a block's operations; gives ``values`` with their results added."""
    for operation in block.operations:
        values[operation.out] = _one(operation, values, arithmetic)
    return values


def _one(operation: Operation, values: Values, arithmetic: Arithmetic) -> np.ndarray:
    match operation:
        case Linear():
            return arithmetic.linear(operation, values)
        case Product():
            return arithmetic.product(operation, values)
        case Function():
            return arithmetic.function(operation, values)
        case Stencil():
            return arithmetic.stencil(operation, values)
        case Clip(x=x, low=low, high=high):
            return np.clip(values[x], low, high)
        case Test(relation=relation, left=left, right=right):
            met = COMPARE[relation](weighted(left, values), weighted(right, values))
            return np.asarray(met).astype(arithmetic.dtype)
        case Select(condition=condition, then=then, otherwise=otherwise):
            return np.where(values[condition] != 0, values[then], values[otherwise])
    raise TypeError(operation)


class PopulationRun:
    """The arrays of one population and its step, in NumPy.

    Attributes
    ----------
    arrays : every variable, (unit,); the arrays stay the same
    fired : units that fired in the last step, (unit,) bool
    dt : step of the whole, in s
    """

    def __init__(self, population: Population, arithmetic: Arithmetic, dt: float):
        self.population, self.arithmetic = population, arithmetic
        self.arrays: Values = {
            n: np.array(v, arithmetic.dtype) for n, v in population.initial.items()
        }
        self.fired = np.zeros(population.size, bool)
        self.dt = dt

    @property
    def saturated(self) -> int:
        """Results that did not fit their format so far; 0 in floating point."""
        return getattr(self.arithmetic, "saturated", 0)

    def reset(self) -> None:
        """Back to the initial values; what couplings filled in stays."""
        for name, values in self.population.initial.items():
            if name not in self.population.inputs:
                self.arrays[name][:] = values

    def give(self, coupling: Coupling, step: int) -> np.ndarray:
        """What each unit gives to a coupling, (unit,)."""
        dtype = self.arithmetic.dtype
        same = coupling.gives_variable
        if same:
            return self.arrays[same].astype(dtype)
        values: Values = {n: self.arrays[n].astype(dtype) for n in coupling.give.reads() - {"t"}}
        values["t"] = self.arithmetic.time(step, coupling)
        term = evaluate(coupling.give, values, self.arithmetic)[coupling.term]
        return np.broadcast_to(term, self.population.size)

    def take(self, variable: str, total: np.ndarray) -> None:
        """Set what a coupling has summed up."""
        self.arrays[variable][:] = total

    def advance(self, step: int) -> None:
        """One step of the population, which begins at this step of the whole."""
        population = self.population
        later = step + population.period
        values: Values = {
            **self.arrays,
            "t": self.arithmetic.time(step, population),
            "t_later_": self.arithmetic.time(later, population),
            **self._stimuli(step, ""),
            **self._stimuli(later, "_later_"),
        }
        if population.noise:
            values[population.noise] = self.arithmetic.normals(step // population.period)
        for block in (population.predict, population.correct):
            values = evaluate(block, values, self.arithmetic)
            values |= {x: values[new] for x, new in block.assign.items()}
        values = evaluate(population.fire, values, self.arithmetic)
        values |= {x: values[new] for x, new in population.fire.assign.items()}
        if population.event:
            self.fired = values[population.event] != 0
        for name, array in self.arrays.items():
            array[:] = values[name]

    def advance_many(self, step: int, count: int) -> None:
        """Several steps, of which the first begins at this step of the whole."""
        for n in range(count):
            self.advance(step + n * self.population.period)

    def _stimuli(self, step: int, suffix: str) -> Values:
        return {
            f"{s.variable}{suffix}": sum(
                (v for v, on in zip(s.values, s.on(np.array(step), self.dt), strict=True) if on),
                np.zeros(self.population.size, self.arithmetic.dtype),
            )
            for s in self.population.stimulated
        }


class ProgramRun:
    """A whole program in NumPy, step by step.

    With ``buffered``, a coupling takes what was given one step before, as messages arrive that cross a
    connection.
    """

    def __init__(
        self, program: Program, arithmetics: Mapping[str, Arithmetic], buffered: bool = False
    ):
        self.program, self._buffered = program, buffered
        self._sent: dict[str, np.ndarray] = {}
        self.populations = {
            n: PopulationRun(program.populations[n], a, program.dt) for n, a in arithmetics.items()
        }
        self.step = 0

    def advance(self) -> None:
        """One step of the fastest population, and of every other that is due."""
        step = self.step
        couplings = self.program.couplings.values()
        wanted = step + 1 if self._buffered else step
        giving = [c for c in couplings if wanted % c.period == 0]
        sent = {c.name: self.populations[c.source].give(c, step) for c in giving}
        arrived, self._sent = (self._sent, sent) if self._buffered else (sent, {})
        for coupling in couplings:
            if step % coupling.period == 0:
                target = self.populations[coupling.target]
                terms = arrived.get(coupling.name)
                if terms is None:  # nothing is under way before the first step
                    terms = np.zeros(coupling.source_size, target.arithmetic.dtype)
                target.take(coupling.variable, coupling.pooled(terms, target.population.size))
        for slow in (True, False):
            for run in self.populations.values():
                period = run.population.period
                if (period > 1) == slow and step % period == 0:
                    run.advance(step)
        self.step += 1


def in_floats(program: Program, seed: int, buffered: bool = False) -> ProgramRun:
    """A run in float64."""
    arithmetics = {n: Floats(p, seed) for n, p in program.populations.items()}
    return ProgramRun(program, arithmetics, buffered)
