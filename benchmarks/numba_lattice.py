"""The memory lattice (models/noise_induced_memory.toml) by hand in Numba, to compare with.

    python benchmarks/numba_lattice.py [--shape 130] [--milliseconds 20] [--threads 1]

What makes it fast, so that a reader can judge whether the comparison is fair:

- One pass over the rows a step: the corrector follows the predictor by a row, and noise is made a few
  rows ahead, so that predicted states and noise stay in the first-level cache.
- Float32 neurons in padded rows; every loop over columns is free of branches and index checks and
  has constant bounds (functions are compiled for one side). LLVM makes 512-bit vectors of all of
  them, which Numba alone does not do: by default LLVM prefers 256 bits on Intel's processors, and it
  does not know that arrays do not overlap. See `_widest_vectors` and `_NoAlias`.
- Drive (stimulus and gliotransmitter) is added up only when it changes, every 0.1 ms.
- Noise is not our package's Threefry but SFC32 (Doty-Humphrey's small fast chaotic generator; NumPy
  ships the 64-bit one), in 16 parallel streams, and the Box-Muller transform with polynomials to 2e-6:
  20 bits of radius, 12 of angle. Its numbers depend on the number of threads, ours do not; in return it
  takes a third of the instructions for the random bits.
- Threads own blocks of rows, meet once a step at a spinning barrier, and predict the rows at their
  borders twice, from copies of their neighbours' states (`numba.prange` costs more than the step).
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import math
import os
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import llvmlite.binding
import numpy as np


def _widest_vectors() -> None:
    """Let LLVM use 512-bit vectors where the processor has them, as our C++ build does."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        os.environ["NUMBA_CPU_FEATURES"] = features.flatten() + ",-prefer-256-bit"


_widest_vectors()  # Numba reads it when it is imported

import numba  # noqa: E402
from llvmlite import ir  # noqa: E402
from numba.core.compiler import Compiler  # noqa: E402
from numba.extending import intrinsic  # noqa: E402

#: Steps of a block: 0.1 ms, the astrocytes' step; and of 1 and 10 ms.
BLOCK = 50
MS = 500
FRAME = 10 * MS
#: Columns before a row (its mirrored edge is the last of them) and rows of noise made at once.
PAD = 16
CHUNK = 8
LANES = 16
GHOSTS = 2  # rows copied from each neighbour thread

f4, u4, i4, uint = np.float32, np.uint32, np.int32, np.uintp


class _NoAlias(Compiler):
    """Numba's compiler, for functions whose array arguments do not overlap (C's restrict)."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.state.flags.noalias = True


_FAST = {"fastmath": True, "boundscheck": False, "error_model": "numpy"}
inlined = numba.njit(**_FAST, forceinline=True)
restricted = numba.njit(**_FAST, forceinline=True, pipeline_class=_NoAlias)
outer = numba.njit(**_FAST, nogil=True)


@intrinsic
def bits_of(context, x):
    """A float32's bits."""
    return numba.uint32(numba.float32), lambda _, b, __, a: b.bitcast(a[0], ir.IntType(32))


@intrinsic
def from_bits(context, x):
    """The float32 of these bits."""
    return numba.float32(numba.uint32), lambda _, b, __, a: b.bitcast(a[0], ir.FloatType())


# ------------------------------------------------------------------------------ noise

#: R log2(m) = R (m - 1)(1 + (m - 2) P(m)), R = 2 log 2, m in [1, 2).
_R = 2 * math.log(2)
P0, P1, P2, P3, P4, P5 = (
    f4(-_R * x)
    for x in (-1.13283855, 1.41420131, -1.1495716, 0.554696231, -0.145011779, 0.0158341664)
)
#: sin(y)/y and cos(y) as polynomials of y^2 for |y| <= pi/2.
S0, S1, S2, S3 = (f4(x) for x in (0.99999924559, -0.166656827, 8.31325858e-3, -1.85243537e-4))
C0, C1, C2, C3, C4 = (
    f4(x) for x in (0.99999953, -0.49999905, 0.0416635847, -0.00138537043, 2.31539317e-5)
)
ONE, TWO, HALF = f4(1), f4(2), f4(0.5)
PER_BIT = f4(_R / 2**23)
TOP = i4(f4(2**20).view(np.int32))
ANGLE = f4(math.pi / 2 / 2**31)
MIDDLE = f4(math.pi / 2 / 2**12)


@inlined
def box_muller(word, scale):
    """Two normals, times sqrt(scale), of 32 random bits."""
    # radius: the exponent's part of the logarithm comes with the bits, taken as an integer
    bits = bits_of(f4(i4(u4(word >> u4(12)))) + HALF)
    m = from_bits(u4(u4(bits & u4(0x7FFFFF)) | u4(0x3F800000)))
    rest = P0 + m * (P1 + m * (P2 + m * (P3 + m * (P4 + m * P5))))
    square = PER_BIT * f4(i4(TOP - i4(bits))) + (m - ONE) * (m - TWO) * rest
    radius = math.sqrt(scale * square)
    # angle: in the right half of the circle, then the lowest bit turns every other by half a turn
    radius = from_bits(u4(bits_of(radius) ^ u4(word << u4(31))))
    y = f4(i4(u4(word << u4(20)))) * ANGLE + MIDDLE
    y2 = y * y
    cosine = C0 + y2 * (C1 + y2 * (C2 + y2 * (C3 + y2 * C4)))
    sine = y * (S0 + y2 * (S1 + y2 * (S2 + y2 * S3)))
    return radius * cosine, radius * sine


@restricted
def normals(z, to, a, b, c, counter, count, scale):
    """Fill z[to:] with ``count`` normals (a multiple of 2 LANES); gives the counter to go on with."""
    for block in range(count // (2 * LANES)):
        first = to + uint(block * 2 * LANES)
        counter = u4(counter + u4(1))
        for n in range(LANES):
            lane = uint(n)
            word = u4(u4(a[lane] + b[lane]) + counter)
            a[lane] = u4(b[lane] ^ u4(b[lane] >> u4(9)))
            b[lane] = u4(c[lane] + u4(c[lane] << u4(3)))
            c[lane] = u4(u4(u4(c[lane] << u4(21)) | u4(c[lane] >> u4(11))) + word)
            z[first + lane], z[first + uint(LANES) + lane] = box_muller(word, scale)
    return counter
