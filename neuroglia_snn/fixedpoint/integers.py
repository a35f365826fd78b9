"""Integer arithmetic and noise: the oracle of every fixed-point run.

Noise model: each unit has a 32-bit linear-feedback shift register, of the xorshift family (Marsaglia,
J. Stat. Softw. 8(14), 2003), whose period is 2^32 - 1. A number is the sum of the eight bytes of two
successive words less its mean: near a normal (excess kurtosis -0.15), cut off at 4.88 standard
deviations. Registers begin at Threefry words of (seed, population, unit).

Stochastic rounding adds as many bits of a second such register, which advances at every rounding, as
are then cut off.
"""

from __future__ import annotations

import math

import numpy as np

from neuroglia_snn import noise
from neuroglia_snn.lowering.execute import (
    ProgramRun,
    Values,
    stencil_sum,
    weighted,
)
from neuroglia_snn.lowering.operations import (
    Coupling,
    Function,
    Linear,
    Population,
    Product,
    Program,
    Rounding,
    Stencil,
)

#: Sum of eight bytes: mean, and value of one count in standard deviations.
NORMAL_MEAN = 1020
NORMAL_SCALE = 1 / math.sqrt(8 * (256**2 - 1) / 12)


#: What a register is for.
NOISE, ROUNDING = 0, 1


def registers(seed: int, population: Population, use: int = NOISE) -> np.ndarray:
    """First contents of the shift registers, (unit,) uint32, none of them 0."""
    units = np.arange(population.size, dtype=np.uint32)
    words, others = noise.threefry2x32((seed, population.stream), units, use)
    return np.where(words == 0, others | np.uint32(1), words)


def advance(register: np.ndarray) -> np.ndarray:
    """The next word of every register."""
    with np.errstate(over="ignore"):
        register = register ^ (register << np.uint32(13))
        register = register ^ (register >> np.uint32(17))
        return register ^ (register << np.uint32(5))


def byte_sum(word: np.ndarray) -> np.ndarray:
    """Sum of the four bytes of a word."""
    halves = (word & np.uint32(0x00FF00FF)) + ((word >> np.uint32(8)) & np.uint32(0x00FF00FF))
    return ((halves & np.uint32(0xFFFF)) + (halves >> np.uint32(16))).astype(np.int64)


class Integers:
    """64-bit accumulation, rounding half up, saturation; counts what saturates.

    Attributes
    ----------
    saturated : number of results that did not fit so far
    """

    dtype = np.int64

    def __init__(self, population: Population, seed: int):
        self._register = registers(seed, population)
        self._rounding = registers(seed, population, ROUNDING)
        self.saturated = 0

    def linear(self, operation: Linear, values: Values) -> np.ndarray:
        return self._rounded(weighted(operation.sum, values), operation.rounding)

    def product(self, operation: Product, values: Values) -> np.ndarray:
        return self._rounded(values[operation.a] * values[operation.b], operation.rounding)

    def function(self, operation: Function, values: Values) -> np.ndarray:
        entries = np.array(operation.entries)
        last = (len(entries) - 1) << operation.step
        offset = np.clip(values[operation.x] - operation.origin, 0, last)
        place = np.minimum(offset >> operation.step, len(entries) - 2)
        rise = (entries[place + 1] - entries[place]) * (offset - (place << operation.step))
        return entries[place] + _divided(rise, operation.step)

    def stencil(self, operation: Stencil, values: Values) -> np.ndarray:
        return stencil_sum(operation, values)

    def time(self, step: int, clock: Population | Coupling) -> np.ndarray:
        return np.array(step // clock.period * clock.period)

    def normals(self, step: int) -> np.ndarray:
        total = np.full(self._register.shape, -NORMAL_MEAN, np.int64)
        for _ in range(2):
            self._register = advance(self._register)
            total += byte_sum(self._register)
        return total

    def _rounded(self, exact: np.ndarray, rounding: Rounding | None) -> np.ndarray:
        assert rounding is not None
        if rounding.random:
            self._rounding = advance(self._rounding)
            value = (exact + _leading(self._rounding, rounding.shift)) >> rounding.shift
        else:
            value = _divided(exact, rounding.shift)
        limit = 2 ** (rounding.bits - 1)
        kept = np.clip(value, -limit, limit - 1)
        self.saturated += int(np.count_nonzero(kept != value))
        return kept


def _leading(word: np.ndarray, bits: int) -> np.ndarray:
    """As many leading bits of a 32-bit word, filled up with 0 where more are asked for."""
    wide = word.astype(np.int64)
    return wide >> (32 - bits) if bits <= 32 else wide << (bits - 32)


def _divided(value: np.ndarray, shift: int) -> np.ndarray:
    """Divide by ``2**shift``, halves up; a negative shift multiplies."""
    if shift <= 0:
        return value << -shift
    return (value + (1 << (shift - 1))) >> shift


def in_integers(program: Program, seed: int, buffered: bool = False) -> ProgramRun:
    """A run of a quantised program."""
    arithmetics = {n: Integers(p, seed) for n, p in program.populations.items()}
    return ProgramRun(program, arithmetics, buffered)


def saturated(run: ProgramRun) -> dict[str, int]:
    """Results that did not fit, by population."""
    return {name: population.saturated for name, population in run.populations.items()}
