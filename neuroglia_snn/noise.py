"""Counter-based Gaussian noise: one number for each (seed, stream, unit, step).

A number depends on nothing else, so a run gives the same result whatever the threads, the backend
or the order of evaluation. The generator is Threefry-2x32 with 13 rounds, the fewest that pass all of
BigCrush (Salmon et al., SC11, 2011): additions, rotations and exclusive ors of 32-bit words, which any
processor does in vectors. Each of its two words becomes two normals by the Box-Muller transform (20
bits of radius, 10 of angle within a quadrant, 2 signs), so that one block of random bits serves four
units. Logarithm and sine are polynomials, to 1e-6. Normals reach to 5.39 standard deviations.

The same arithmetic stands here twice, for NumPy and for C++; a test compares them.
"""

from __future__ import annotations

import math
import zlib

import numpy as np

#: Seeds are unsigned 32-bit integers.
MAX_SEED = 2**32 - 1

#: Units whose numbers come from neighbouring counters: 4 numbers of each of `LANES` counters.
LANES = 16
BLOCK = 4 * LANES

ROUNDS = 13
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA
#: Of the step's upper 32 bits, to spread them over the key.
_FAR = 0x85EBCA6B

#: -log2(1 - q/2)/q for q in (0, 1]: error 8e-7; no cancellation, in whatever order it is added up.
_LOG: tuple[float, ...]
_LOG = (0.7213483554, 0.1802610834, 0.06123134643, 0.01642652436, 0.02449905858, -0.01520812298)
_LOG += (0.01144091896,)
#: sin(y)/y as a polynomial of y^2 for 0 <= y <= pi/2: error 7.5e-7.
_SINE = (0.99999924559, -0.166656827, 8.31325858e-3, -1.85243537e-4)


def stream_of(name: str) -> int:
    """Stream number of a population, from its name (so that streams differ between populations)."""
    return zlib.crc32(name.encode())


def threefry2x32(key: tuple[int, int], counter0: np.ndarray, counter1: np.ndarray | int):
    """Two 32-bit words for each counter pair, as arrays of uint32."""
    k = np.array([*key, _PARITY ^ key[0] ^ key[1]], np.uint32)
    x0, x1 = np.broadcast_arrays(np.asarray(counter0, np.uint32), np.asarray(counter1, np.uint32))
    with np.errstate(over="ignore"):
        x0, x1 = x0 + k[0], x1 + k[1]
        for n in range(ROUNDS):
            turn = np.uint32(_ROTATIONS[n % 8])
            x0 = x0 + x1
            x1 = ((x1 << turn) | (x1 >> (np.uint32(32) - turn))) ^ x0
            if n % 4 == 3:
                injection = n // 4 + 1
                x0 = x0 + k[injection % 3]
                x1 = x1 + (k[(injection + 1) % 3] + np.uint32(injection))
    return x0, x1


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
    unit, step = np.asarray(unit, np.uint32), int(step)
    counter = (unit // BLOCK) * LANES + unit % LANES
    far = ((step >> 32) * _FAR) & 0xFFFFFFFF
    words = threefry2x32((int(seed), int(stream) ^ far), counter, step & 0xFFFFFFFF)
    part = unit // LANES % 4
    cosine, sine = _box_muller(np.where(part < 2, words[0], words[1]))
    return np.where(part % 2 == 0, cosine, sine)


def _box_muller(word: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mantissa, exponent = np.frexp((word >> np.uint32(12)) + 0.5)  # radius: 20 bits
    q = 2 - 2 * mantissa  # in (0, 1]
    log2 = (20.0 - exponent) + q * _horner(_LOG, q)  # -log2(u), u in (0, 1)
    radius = np.sqrt(2 * np.log(2) * log2)
    y = (((word >> np.uint32(2)) & np.uint32(0x3FF)) + 0.5) * (np.pi / 2048)
    z = np.pi / 2 - y
    signs = (1 - 2 * (word & np.uint32(1)).astype(float), 1 - (word & np.uint32(2)).astype(float))
    cosine, sine = z * _horner(_SINE, z * z), y * _horner(_SINE, y * y)
    return signs[0] * (radius * cosine), signs[1] * (radius * sine)


def _horner(coefficients: tuple[float, ...], x):
    result = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        result = c + x * result
    return result


def _horner_text(coefficients: tuple[float, ...], x: str) -> str:
    text = f"T({coefficients[-1]!r})"
    for c in reversed(coefficients[:-1]):
        text = f"(T({c!r}) + {x}*{text})"
    return text


def _rounds_text() -> str:
    lines = []
    for n in range(ROUNDS):
        turn = _ROTATIONS[n % 8]
        lines.append(f"x0 += x1; x1 = (x1 << {turn}) | (x1 >> {32 - turn}); x1 ^= x0;")
        if n % 4 == 3:
            i = n // 4 + 1
            lines.append(f"x0 += k{i % 3}; x1 += k{(i + 1) % 3} + {i}u;")
    return "\n    ".join(lines)


#: C++ of the above for float and double. ``neuroglia_normals`` makes the numbers of `BLOCK` units that
#: begin at unit ``BLOCK*block``; ``neuroglia_gaussian`` makes one.
CPP = f"""
#define NEUROGLIA_INLINE static inline __attribute__((always_inline))

NEUROGLIA_INLINE void neuroglia_threefry(uint32_t& x0, uint32_t& x1, const uint32_t k0, const uint32_t k1)
{{
    const uint32_t k2 = {_PARITY:#x}u ^ k0 ^ k1;
    x0 += k0; x1 += k1;
    {_rounds_text()}
}}

NEUROGLIA_INLINE float neuroglia_from_bits(const uint32_t bits, float)
{{ float x; std::memcpy(&x, &bits, 4); return x; }}
NEUROGLIA_INLINE double neuroglia_from_bits(const uint32_t bits, double)
{{ return (double)neuroglia_from_bits(bits, 0.0f); }}  // 23 bits of mantissa are exact in both

// x, or -x where the lowest bit of `word` is set (without a branch, so that a compiler vectorises it)
NEUROGLIA_INLINE float neuroglia_signed(float x, const uint32_t word)
{{ uint32_t bits; std::memcpy(&bits, &x, 4); bits ^= word << 31; std::memcpy(&x, &bits, 4); return x; }}
NEUROGLIA_INLINE double neuroglia_signed(double x, const uint32_t word)
{{ uint64_t bits; std::memcpy(&bits, &x, 8); bits ^= (uint64_t)word << 63; std::memcpy(&x, &bits, 8); return x; }}

template <class T> NEUROGLIA_INLINE void neuroglia_box_muller(const uint32_t word, T& cosine, T& sine)
{{
    const float scaled = (float)(int32_t)(word >> 12) + 0.5f;  // exact
    uint32_t bits;
    std::memcpy(&bits, &scaled, 4);
    const T exponent = (T)(int32_t)(bits >> 23);
    const T q = T(2) - neuroglia_from_bits((bits & 0x7fffffu) | 0x3f800000u, T(0));
    const T log2 = (T(146) - exponent) + q*{_horner_text(_LOG, "q")};
    const T radius = std::sqrt(T({2 * math.log(2)!r})*log2);
    const T y = ((T)(int32_t)((word >> 2) & 0x3ffu) + T(0.5))*T({math.pi / 2048!r});
    const T z = T({math.pi / 2!r}) - y, y2 = y*y, z2 = z*z;
    const T c = radius*(z*{_horner_text(_SINE, "z2")});
    const T s = radius*(y*{_horner_text(_SINE, "y2")});
    cosine = neuroglia_signed(c, word);
    sine = neuroglia_signed(s, word >> 1);
}}

template <class T> static __attribute__((noinline)) void neuroglia_normals(T* __restrict z, const uint32_t block, const uint32_t seed,
                                                 const uint32_t stream, const int64_t step)
{{
    const uint32_t key = stream ^ ((uint32_t)(step >> 32) * {_FAR:#x}u);
    for (int lane = 0; lane < {LANES}; lane++)
    {{
        uint32_t x0 = block*{LANES}u + lane, x1 = (uint32_t)step;
        neuroglia_threefry(x0, x1, seed, key);
        T a, b, c, d;
        neuroglia_box_muller(x0, a, b);
        neuroglia_box_muller(x1, c, d);
        z[lane] = a; z[{LANES} + lane] = b; z[{2 * LANES} + lane] = c; z[{3 * LANES} + lane] = d;
    }}
}}

static inline double neuroglia_gaussian(const double seed, const double stream, const int unit,
                                        const int64_t step)
{{
    const uint32_t key = (uint32_t)(int64_t)stream ^ ((uint32_t)(step >> 32) * {_FAR:#x}u);
    uint32_t x0 = (uint32_t)unit/{BLOCK}u*{LANES}u + (uint32_t)unit%{LANES}u, x1 = (uint32_t)step;
    neuroglia_threefry(x0, x1, (uint32_t)(int64_t)seed, key);
    double cosine, sine;
    neuroglia_box_muller(((uint32_t)unit & {2 * LANES}u) ? x1 : x0, cosine, sine);
    return ((uint32_t)unit & {LANES}u) ? sine : cosine;
}}
"""
CPP_HEADERS = ("<cstring>", "<cstdint>", "<cmath>")
