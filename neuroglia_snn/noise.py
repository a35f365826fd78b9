"""Counter-based Gaussian noise: one number for each (seed, stream, place, step).

A number depends on nothing else, so a run gives the same result whatever the threads, the backend
or the order of evaluation. Places are units in the order of `lanes.Lanes`, which follows from the
population's shape: in a lattice of another shape a unit of the same number has other noise.

Four places share 64 random bits, F(a + b): a is a hash of their counter, made of two finalizers of
32 bits that are known to scramble well; b follows from seed, stream and step by Threefry-2x32 with
13 rounds, the fewest that pass all of BigCrush (Salmon et al., SC11, 2011); and F is 8 rounds of
Threefry without keys: additions, rotations and exclusive ors of 32-bit words, which any processor
does in vectors. Along steps, and along seeds, b is random, and F loses nothing, as it can be
inverted. Two units differ in a, by the same random number in every step: with 5 rounds their bits
are related (chi2/n = 3.1 over 300 pairs of units, 2^20 steps each), with 6, 7 and 8 rounds they are
not (1.01, 0.98, 0.99 where chance gives 1.00 +- 0.01). A test looks for the same.

Each of the two words becomes two normals: the quantile of the word, and that of the word with its
bytes in reverse. (Over all words the two correlate by 1.1e-6, and the second's variance is 1.00
where the first is beyond 4 or 4.5. Beyond 5.2 one follows from the other.) The quantile function is
a polynomial in each octave of the probability, to 4e-5, in single precision; normals reach to 6.2
standard deviations.

The same arithmetic stands here twice, for NumPy and for C++; a test compares them.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from statistics import NormalDist

import numpy as np

from neuroglia_snn.lanes import LANES

#: Seeds are unsigned 32-bit integers.
MAX_SEED = 2**32 - 1

#: Places whose numbers come from neighbouring counters: 4 numbers of each of `LANES` counters.
BLOCK = 4 * LANES

#: Of Threefry with keys, and without.
ROUNDS, PLAIN_ROUNDS = 13, 8
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
_PARITY = 0x1BD11BDA
#: Finalizers of 32 bits, (shift, multiplier) and the last shift: by Appleby (MurmurHash3) and by Wellons
#: (hash-prospector, "lowbias32"); and what a counter is added to before the second.
_FINALIZERS = (((16, 0x85EBCA6B), (13, 0xC2B2AE35), 16), ((16, 0x7FEB352D), (15, 0x846CA68B), 16))
_APART = 0x9E3779B9

_DEGREE = 4  # as noise.hpp has it


def _octaves() -> np.ndarray:
    """Polynomials of m in [1, 2) for the quantile at m 2^(k - 32), k < 31; (power, number of octave).

    Octaves are numbered by the last five bits of the exponent of m 2^k in single precision. The last one
    is the single value 2^31, the median.
    """
    nodes = 1.5 + 0.5 * np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
    quantile = NormalDist().inv_cdf
    values = [[-quantile(m * 2.0 ** (k - 32)) for k in range(31)] for m in nodes]
    powers = np.linalg.solve(np.vander(nodes, increasing=True), values)
    return np.roll(np.pad(powers, ((0, 0), (0, 1))), -1, axis=1).astype(np.float32)


_OCTAVES = _octaves()


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
            x0, x1 = _round(x0, x1, n)
            if n % 4 == 3:
                injection = n // 4 + 1
                x0 = x0 + k[injection % 3]
                x1 = x1 + (k[(injection + 1) % 3] + np.uint32(injection))
    return x0, x1


def _round(x0: np.ndarray, x1: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    turn = np.uint32(_ROTATIONS[number % 8])
    x0 = x0 + x1
    return x0, ((x1 << turn) | (x1 >> (np.uint32(32) - turn))) ^ x0


def _finalized(x: np.ndarray, which: int) -> np.ndarray:
    *turns, last = _FINALIZERS[which]
    for shift, factor in turns:
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x ^ (x >> np.uint32(last))


def _of_counter(counter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _finalized(counter, 0), _finalized(counter + np.uint32(_APART), 1)


def _mixed(x0: np.ndarray, x1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for n in range(PLAIN_ROUNDS):
        x0, x1 = _round(x0, x1, n)
    return x0, x1


def words(seed: int, stream: int, counter: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """The 64 random bits of each counter, as two arrays of uint32."""
    counter, step = np.asarray(counter, np.uint32), int(step)
    low = np.array(step & 0xFFFFFFFF, np.uint32)
    of_step = threefry2x32((int(seed), int(stream)), low, (step >> 32) & 0xFFFFFFFF)
    with np.errstate(over="ignore"):
        x0, x1 = _of_counter(counter)
        return _mixed(x0 + of_step[0], x1 + of_step[1])


def gaussian(seed: int, stream: int, place: np.ndarray, step: int) -> np.ndarray:
    """Standard normal numbers.

    Parameters
    ----------
    seed, stream : int
        Unsigned 32-bit; see `stream_of`.
    place : int array
        Of each unit, as `lanes.Lanes.place` gives it.
    step : int
        Number of the time step.
    """
    place = np.asarray(place, np.uint32)
    x0, x1 = words(seed, stream, (place // BLOCK) * LANES + place % LANES, step)
    part = place // LANES % 4
    word = np.where(part < 2, x0, x1)
    return _quantile(np.where(part % 2 == 0, word, word.byteswap()))


def _quantile(word: np.ndarray) -> np.ndarray:
    """Normal of 32 random bits: a signed integer x is the quantile at x/2^32, mirrored at the median."""
    x = word.view(np.int32).astype(np.float32)
    bits = x.view(np.uint32)
    octave = bits >> np.uint32(23) & np.uint32(31)
    m = (bits & np.uint32(0x7FFFFF) | np.uint32(0x3F800000)).view(np.float32).astype(float)
    result = _OCTAVES[_DEGREE, octave]
    for power in reversed(range(_DEGREE)):  # as fused: the same for all 2^32 words
        result = (_OCTAVES[power, octave] + m * result).astype(np.float32)
    return np.where(x < 0, -result, result).astype(float)


def _table(octaves: np.ndarray) -> str:
    rows = (", ".join(f"{float(x)!r}f" for x in row) for row in octaves)
    return f"[{_DEGREE + 1}][{octaves.shape[1]}] = " + "{{" + "}, {".join(rows) + "}};"


_FOLDER = Path(__file__).parent
#: C++ of the above: ``neuroglia_normal`` makes the number of a place, as float or double.
CPP = f"""constexpr uint32_t neuroglia_lanes = {LANES}, neuroglia_block = {BLOCK};
alignas(64) static const float neuroglia_octaves{_table(_OCTAVES)}
#ifdef __CUDACC__
static __device__ const float neuroglia_octaves_of_device{_table(_OCTAVES)}
#endif
{(_FOLDER / "noise.hpp").read_text(encoding="utf-8")}"""
#: C++ that goes on from there, at the top of a file: ``neuroglia_scramble`` hashes the counters of
#: ``count`` blocks, and ``neuroglia_normals`` makes the numbers of their ``BLOCK*count`` places.
#: Upper octaves in the order of the last three bits of their numbers.
CPP_BLOCKS = f"""alignas(64) static const float neuroglia_upper_octaves{_table(_OCTAVES[:, (24, 25, 26, 27, 28, 29, 22, 23)])}
{(_FOLDER / "noise_blocks.hpp").read_text(encoding="utf-8")}"""
CPP_HEADERS = ("<cstring>", "<cstdint>", "<cmath>")
