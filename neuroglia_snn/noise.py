"""Counter-based Gaussian noise: one number for each (seed, stream, unit, step).

A number depends on nothing else, so a run gives the same result whatever the threads, the backend
or the order of evaluation. The generator is Threefry-2x32 with 13 rounds, the fewest that pass all of
BigCrush (Salmon et al., SC11, 2011): additions, rotations and exclusive ors of 32-bit words, which any
processor does in vectors. Each of its two words becomes two normals by the Box-Muller transform (20
bits of radius, 11 of angle in a half circle, 1 sign), so that one block of random bits serves four units. Logarithm, sine and
cosine are polynomials, to 1e-6. Normals reach to 5.39 standard deviations.

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

#: -2 ln(1 - q/2)/q for q in (0, 1]: error 1.2e-6; no cancellation, in whatever order it is added up.
_LOG: tuple[float, ...]
_LOG = (1.000001157, 0.2498949234, 0.08488467028, 0.0227719981, 0.03396290676, -0.02108293513)
_LOG += (0.01586048144,)
#: sin(y)/y and cos(y) as polynomials of y^2 for -pi/2 <= y <= pi/2: errors 7.5e-7 and 4.7e-8.
_SINE = (0.9999992456, -0.1666568272, 0.008313258579, -0.0001852435369)
_COSINE = (0.9999999535, -0.4999990535, 0.04166358467, -0.001385370416, 2.315392861e-05)
#: Steps of the angle: a half circle in 2^11, which an integer's upper bits count.
_ANGLE = math.pi / 2**11
#: Bits of the angle. The sign is a bit of its own: an angle's lowest bit would give the sine a mean.
_ANGLE_BITS = 0xFFE


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
    square = 2 * np.log(2) * (20.0 - exponent) + q * _horner(_LOG, q)  # -2 ln(u), u in (0, 1)
    radius = np.sqrt(square) * (1 - 2 * (word & np.uint32(1)).astype(float))
    turned = ((word & np.uint32(_ANGLE_BITS)) << np.uint32(20)).view(np.int32)
    y = _ANGLE * (turned / 2**21) + _ANGLE / 2  # within -pi/2 and pi/2
    return radius * _horner(_COSINE, y * y), radius * (y * _horner(_SINE, y * y))


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


#: C++ of the above for float and double. ``neuroglia_normals`` makes the numbers of ``BLOCK*count``
#: units that begin at unit ``BLOCK*block``; ``neuroglia_normal`` makes one.
CPP = f"""
#ifdef __CUDACC__
#define NEUROGLIA_INLINE static __host__ __device__ __forceinline__
#else
#define NEUROGLIA_INLINE static inline __attribute__((always_inline))
#endif

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
    const T square = T({2 * math.log(2)!r})*(T(146) - exponent) + q*{_horner_text(_LOG, "q")};
    const T radius = neuroglia_signed(std::sqrt(square), word);
    const T y = T({_ANGLE / 2**21!r})*(T)(int32_t)((word & {_ANGLE_BITS:#x}u) << 20) + T({_ANGLE / 2!r}), y2 = y*y;
    cosine = radius*{_horner_text(_COSINE, "y2")};
    sine = radius*(y*{_horner_text(_SINE, "y2")});
}}

template <class T> static __attribute__((noinline)) void neuroglia_normals(
    T* __restrict z, const uint32_t block, const uint32_t count, const uint32_t seed, const uint32_t stream, const int64_t step)
{{
    const uint32_t key = stream ^ ((uint32_t)(step >> 32) * {_FAR:#x}u);
    for (uint32_t n = 0; n < count; n++, z += {BLOCK})
        for (int lane = 0; lane < {LANES}; lane++)
        {{
            uint32_t x0 = (block + n)*{LANES}u + lane, x1 = (uint32_t)step;
            neuroglia_threefry(x0, x1, seed, key);
            T a, b, c, d;
            neuroglia_box_muller(x0, a, b);
            neuroglia_box_muller(x1, c, d);
            z[lane] = a; z[{LANES} + lane] = b; z[{2 * LANES} + lane] = c; z[{3 * LANES} + lane] = d;
        }}
}}

template <class T> NEUROGLIA_INLINE T neuroglia_normal(const uint32_t seed, const uint32_t stream,
                                                      const uint32_t unit, const int64_t step)
{{
    const uint32_t key = stream ^ ((uint32_t)(step >> 32) * {_FAR:#x}u);
    uint32_t x0 = unit/{BLOCK}u*{LANES}u + unit%{LANES}u, x1 = (uint32_t)step;
    neuroglia_threefry(x0, x1, seed, key);
    T cosine, sine;
    neuroglia_box_muller((unit & {2 * LANES}u) ? x1 : x0, cosine, sine);
    return (unit & {LANES}u) ? sine : cosine;
}}

NEUROGLIA_INLINE double neuroglia_gaussian(const double seed, const double stream, const int unit,
                                        const int64_t step)
{{ return neuroglia_normal<double>((uint32_t)(int64_t)seed, (uint32_t)(int64_t)stream, (uint32_t)unit, step); }}
"""
CPP_HEADERS = ("<cstring>", "<cstdint>", "<cmath>")
