"""Counter-based Gaussian noise: one number for each (seed, stream, unit, step).

A number depends on nothing else, so a run gives the same result whatever the threads, the backend
or the order of evaluation. The generator is Philox2x32-10 (Salmon et al., SC11, 2011); its two words
become one normal by the Box-Muller transform, with logarithm and sine as series that a compiler
vectorises. The same arithmetic stands here twice, for NumPy and for C++; a test compares them.
"""

from __future__ import annotations

import zlib

import numpy as np

#: Seeds are unsigned 32-bit integers.
MAX_SEED = 2**32 - 1

_MULTIPLIER, _WEYL = 0xD256D193, 0x9E3779B9
_ROUNDS = 10
#: log(m) = 2 (s + s^3/3 + ...), s = (m - 1)/(m + 1), for m in [sqrt(1/2), sqrt(2)): error 1e-12.
_LOG = [1 / n for n in (1, 3, 5, 7, 9, 11, 13)]
#: sin(y) for |y| <= pi/2: error 6e-12.
_SINE = [1.0, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800, 1 / 6227020800]
_SINE += [-1 / 1307674368000]


def stream_of(name: str) -> int:
    """Stream number of a population, from its name (so that streams differ between populations)."""
    return zlib.crc32(name.encode())


def philox2x32(key: np.ndarray | int, counter0: np.ndarray, counter1: np.ndarray | int):
    """Two 32-bit words for each counter pair (arrays of uint64 that hold 32-bit values)."""
    mask = np.uint64(0xFFFFFFFF)
    c0, c1 = np.asarray(counter0, np.uint64), np.asarray(counter1, np.uint64)
    for n in range(_ROUNDS):
        round_key = np.uint64((int(key) + n * _WEYL) & 0xFFFFFFFF)
        product = np.uint64(_MULTIPLIER) * c0
        c0, c1 = (product >> np.uint64(32)) ^ round_key ^ c1, product & mask
    return c0, c1


def gaussian(seed: int, stream: int, unit: np.ndarray, step: int) -> np.ndarray:
    """Standard normal numbers.

    Parameters
    ----------
    seed, stream : int
        Unsigned 32-bit; see `stream_of`.
    unit : int array
        Index of each unit.
    step : int
        Number of the time step.
    """
    key = (int(seed) ^ int(stream) ^ ((int(step) >> 32) * 0x85EBCA6B)) & 0xFFFFFFFF
    c0, c1 = philox2x32(key, np.asarray(unit), int(step) & 0xFFFFFFFF)
    u = ((c0 >> np.uint64(1)).astype(float) + 0.5) * 2.0**-31
    signed = c1.astype(np.uint32).view(np.int32).astype(float)
    y = 2 * np.pi * (0.25 - np.abs(signed * 2.0**-32))  # sin(y) = cos(2 pi u2)
    mantissa, exponent = np.frexp(u)
    low = mantissa < np.sqrt(0.5)
    mantissa, exponent = np.where(low, 2 * mantissa, mantissa), exponent - low
    s = (mantissa - 1) / (mantissa + 1)
    logarithm = exponent * np.log(2.0) + 2 * s * _horner(_LOG, s * s)
    return np.sqrt(-2 * logarithm) * (y * _horner(_SINE, y * y))


def _horner(coefficients: list[float], x):
    result = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        result = c + x * result
    return result


def _horner_text(coefficients: list[float], x: str) -> str:
    text = repr(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        text = f"({c!r} + {x}*{text})"
    return text


#: C++ of `gaussian`; ``seed`` arrives as a double because model variables are doubles.
CPP = f"""
static inline double neuroglia_gaussian(const double seed, const double stream, const int unit,
                                        const int64_t step)
{{
    uint32_t key = (uint32_t)(int64_t)seed ^ (uint32_t)(int64_t)stream
                 ^ ((uint32_t)(step >> 32) * 0x85EBCA6Bu);
    uint32_t c0 = (uint32_t)unit, c1 = (uint32_t)step;
    #pragma GCC unroll {_ROUNDS}
    for (int n = 0; n < {_ROUNDS}; n++)
    {{
        const uint64_t product = (uint64_t){_MULTIPLIER:#x}u * c0;
        c0 = (uint32_t)(product >> 32) ^ key ^ c1;
        c1 = (uint32_t)product;
        key += {_WEYL:#x}u;
    }}
    const double u = ((double)(int32_t)(c0 >> 1) + 0.5) * {2.0**-31!r};
    const double y = {2 * np.pi!r} * (0.25 - fabs((double)(int32_t)c1 * {2.0**-32!r}));
    int64_t bits;
    std::memcpy(&bits, &u, 8);
    const int64_t exponent = (bits - 0x3fe6a09e667f3bcdLL) >> 52;  // mantissa in [sqrt(1/2), sqrt(2))
    const int64_t mantissa_bits = bits - (exponent << 52);
    double mantissa;
    std::memcpy(&mantissa, &mantissa_bits, 8);
    const double s = (mantissa - 1.0) / (mantissa + 1.0), s2 = s*s, y2 = y*y;
    const double logarithm = (double)(int)exponent * {float(np.log(2.0))!r}
                           + 2.0*s*{_horner_text(_LOG, "s2")};
    return sqrt(-2.0*logarithm) * (y*{_horner_text(_SINE, "y2")});
}}
"""
CPP_HEADERS = ("<cstring>", "<cstdint>", "<cmath>")
