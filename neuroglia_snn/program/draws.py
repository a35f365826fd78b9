"""Random numbers by (key, unit, step): the same in every target, whatever the threads.

A kernel's draw has a key of 64 bits; the key, the unit and the step give 64 random bits by the
arithmetic of `neuroglia_snn.noise`. ``rand`` has 53 of them, ``randn`` is that module's normal (to
4e-5), ``binomial`` looks these up in a table, and where a number takes an unknown count of
uniform ones, they come from Threefry-2x32 with these 64 bits as its key. ``emit/draws.hpp`` is the same in C++; a test compares them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from neuroglia_snn import noise

Keys = tuple[int, int]


def key(seed: int, stream: int, place: int, dt: float = 0.0) -> Keys:
    """The key of a draw: of the run's seed (64 bits), the object's stream and the place in its code.

    ``dt`` is the clock's step in s: the count of steps goes back where a later run has a longer one.
    """
    keys = (seed & 0xFFFFFFFF, seed >> 32)
    step = int(np.float64(dt).view(np.uint64))
    for x0, x1 in ((stream, place), (step & 0xFFFFFFFF, step >> 32)):
        mixed = noise.threefry2x32(keys, np.array(x0, np.uint32), np.array(x1, np.uint32))
        keys = (int(mixed[0]), int(mixed[1]))
    return keys


def draw(kind: str, keys: Keys, units: np.ndarray, step: int, arguments: tuple) -> np.ndarray:
    """One number for each unit."""
    units = np.asarray(units)
    if kind == "randn":
        return noise.gaussian(*keys, units, step)
    x0, x1 = noise.words(*keys, units, step)
    if kind == "rand":
        return _uniform(x0, x1)
    if kind == "binomial":
        return binomial(int(arguments[0]), float(arguments[1])).drawn(_uniform(x0, x1))
    given = [np.broadcast_to(a, units.shape).ravel() for a in arguments]
    one = _MANY[kind]
    values = [
        one(_Stream(int(a), int(b)), *(g[k] for g in given))
        for k, (a, b) in enumerate(zip(x0.ravel(), x1.ravel(), strict=True))
    ]
    return np.array(values, np.int32).reshape(units.shape)


def _uniform(x0: np.ndarray, x1: np.ndarray) -> np.ndarray:
    high, low = (x0 >> np.uint32(5)).astype(float), (x1 >> np.uint32(6)).astype(float)
    return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0)


@dataclass(frozen=True, eq=False)
class Alias:
    """A distribution of whole numbers, drawn in one look (Walker 1977, Vose 1991).

    A uniform number chooses one of 2**bits columns and a height in it: below ``bound`` it is the column's
    own number, above it the ``other``; ``least`` is added to either.
    """

    bits: int
    least: int
    bound: np.ndarray
    other: np.ndarray

    def drawn(self, uniform: np.ndarray) -> np.ndarray:
        """The numbers for uniform ones from 0 to 1."""
        scaled = uniform * 2.0**self.bits
        column = scaled.astype(np.int32)
        found = np.where(scaled - column < self.bound[column], column, self.other[column])
        return (self.least + found).astype(np.int32)


@lru_cache(256)
def binomial(n: int, p: float) -> Alias:
    """How many of ``n`` trials succeed, each with the chance ``p``."""
    mode = min(n, math.floor((n + 1) * p))
    up: list[float] = [1.0]
    down: list[float] = []
    for k in range(mode, n):  # relative to the most likely number, until nothing is left
        up.append(up[-1] * ((n - k) * p / ((k + 1) * (1 - p))))
        if up[-1] < _NOTHING:
            break
    for k in range(mode, 0, -1):
        down.append((down or up)[-1 if down else 0] * (k * (1 - p) / ((n - k + 1) * p)))
        if down[-1] < _NOTHING:
            break
    return _alias(mode - len(down), np.array([*down[::-1], *up]))


_NOTHING = 1e-24


def _alias(least: int, weights: np.ndarray) -> Alias:
    """Columns of equal width: what one has too little is filled up by one that has too much."""
    bits = max(1, math.ceil(math.log2(len(weights))))
    bound = np.zeros(2**bits)
    bound[: len(weights)] = weights / weights.sum() * 2**bits
    other = np.arange(2**bits, dtype=np.int32)
    small = [k for k, height in enumerate(bound) if height < 1]
    large = [k for k, height in enumerate(bound) if height >= 1]
    while small and large:
        low, high = small.pop(), large.pop()
        other[low] = high
        bound[high] -= 1 - bound[low]
        (small if bound[high] < 1 else large).append(high)
    bound[small + large] = 1
    return Alias(bits, least, bound, other)


class _Stream:
    def __init__(self, x0: int, x1: int) -> None:
        self._key, self._count = (x0, x1), 0

    def next(self) -> float:
        x0, x1 = noise.threefry2x32(self._key, np.array(self._count, np.uint32), 0)
        self._count += 1
        return float(_uniform(x0, x1))


def _poisson(stream: _Stream, mean: float) -> int:
    if not mean > 0:
        return 0
    return _by_product(stream, mean) if mean < 10 else _by_rejection(stream, mean)


def _by_product(stream: _Stream, mean: float) -> int:
    bound, product, found = math.exp(-mean), stream.next(), 0
    while product > bound:
        found += 1
        product *= stream.next()
    return found


def _by_rejection(stream: _Stream, mean: float) -> int:
    """Hörmann 1993, transformed rejection with squeeze (PTRS)."""
    root, log_mean = math.sqrt(mean), math.log(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse, bound = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = stream.next() - 0.5, stream.next()
        distance = 0.5 - abs(u)
        k = math.floor((2 * a / distance + b) * u + mean + 0.43)
        if distance >= 0.07 and v <= bound:
            return k
        if k < 0 or (distance < 0.013 and v > distance):
            continue
        left = math.log(v) + math.log(inverse) - math.log(a / (distance * distance) + b)
        if left <= k * log_mean - mean - math.lgamma(k + 1):
            return k


#: Numbers that take an unknown count of uniform ones.
_MANY: dict[str, Callable[..., int]] = {"poisson": _poisson}
