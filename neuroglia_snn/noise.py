"""Counter-based Gaussian noise: one number for each (seed, stream, unit, step).

A number depends on nothing else, so a run gives the same result whatever the threads, the backend
or the order of evaluation. The generator is Threefry-2x32 with 13 rounds, the fewest that pass all of
BigCrush (Salmon et al., SC11, 2011): additions, rotations and exclusive ors of 32-bit words, which any
processor does in vectors. Each of its two words becomes two normals, so that one block of random bits
serves four units: the quantile of the word, and that of the word with its bytes in reverse. (Over all words
the two correlate by 1.1e-6, and the second's variance is 1.00 where the first is beyond 4 or 4.5. Beyond 5.2 one
follows from the other.) The quantile function is a polynomial in each octave of the probability, to 4e-5, in single precision; normals reach to 6.2 standard deviations.

The same arithmetic stands here twice, for NumPy and for C++; a test compares them.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from statistics import NormalDist

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
    word = np.where(part < 2, words[0], words[1])
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
#: C++ of the above: ``neuroglia_normal`` makes the number of a unit, as float or double.
CPP = f"""alignas(64) static const float neuroglia_octaves{_table(_OCTAVES)}
#ifdef __CUDACC__
static __device__ const float neuroglia_octaves_of_device{_table(_OCTAVES)}
#endif
{(_FOLDER / "noise.hpp").read_text(encoding="utf-8")}"""
#: C++ that goes on from there, at the top of a file: ``neuroglia_normals`` makes the numbers of ``BLOCK*count``
#: units that begin at unit ``BLOCK*block``. Upper octaves in the order of the last three bits of their numbers.
CPP_BLOCKS = f"""alignas(64) static const float neuroglia_upper_octaves{_table(_OCTAVES[:, (24, 25, 26, 27, 28, 29, 22, 23)])}
{(_FOLDER / "noise_blocks.hpp").read_text(encoding="utf-8")}"""
CPP_HEADERS = ("<cstring>", "<cstdint>", "<cmath>")
