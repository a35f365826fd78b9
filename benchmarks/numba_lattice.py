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
  20 bits of radius, 11 of angle, a sign. Its numbers depend on the number of threads, ours do not; in return it
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


# _nrt: without counting references, which costs two atomic operations for each array and call
_FAST = {"fastmath": True, "boundscheck": False, "error_model": "numpy", "_nrt": False}
_INNER = {**_FAST, "forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
inlined = numba.njit(**_INNER)
restricted = numba.njit(**_INNER, pipeline_class=_NoAlias)
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

_R = 2 * math.log(2)
#: -R log2(m) = -R (m - 1)(1 + (m - 2) P(m)) for m in [1, 2), with an error of 2e-6.
_LOG = [-_R * x for x in (-1.02189180, 1.03073258, -0.624866272, 0.199321951, -0.0258413986)]
#: sin(y)/y and cos(y) as polynomials of y^2 for |y| <= pi/2, with errors of 6e-7 and 7e-6.
_SINE = (0.999996616, -0.166648284, 8.30632515e-3, -1.83636519e-4)
_COSINE = (0.999993296, -0.499912440, 0.0414877482, -1.27120948e-3)


class Polynomials(NamedTuple):
    """Numbers of the Box-Muller transform.

    They are given to the loops as arguments because LLVM then keeps them in registers; numbers that
    it knows it loads from memory in every turn.
    """

    l0: np.float32
    l1: np.float32
    l2: np.float32
    l3: np.float32
    l4: np.float32
    s0: np.float32
    s1: np.float32
    s2: np.float32
    s3: np.float32
    c0: np.float32
    c1: np.float32
    c2: np.float32
    c3: np.float32
    half: np.float32
    one: np.float32
    two: np.float32
    per_bit: np.float32
    angle: np.float32
    middle: np.float32
    scale: np.float32  # variance of the noise
    top: np.int32  # bits of 2^20
    mantissa: np.uint32
    exponent: np.uint32  # bits of 1


def polynomials(scale: float) -> Polynomials:
    """For noise of one variance."""
    others = 0.5, 1, 2, _R / 2**23, math.pi / 2 / 2**31, math.pi / 2 / 2**11, scale
    words = f4(2**20).view(i4), u4(0x7FFFFF), u4(0x3F800000)
    return Polynomials(*(f4(x) for x in (*_LOG, *_SINE, *_COSINE, *others)), *words)


@inlined
def box_muller(k, word):
    """One plus two normals, times sqrt(scale), of 32 random bits."""
    # radius: the exponent's part of the logarithm comes with the bits, taken as an integer
    bits = bits_of(f4(i4(u4(word >> u4(12)))) + k.half)
    m = from_bits(u4(u4(bits & k.mantissa) | k.exponent))
    rest = k.l0 + m * (k.l1 + m * (k.l2 + m * (k.l3 + m * k.l4)))
    square = k.per_bit * f4(i4(k.top - i4(bits))) + (m - k.one) * (m - k.two) * rest
    radius = math.sqrt(k.scale * square)
    # angle: in the right half of the circle, then the lowest bit turns it by half a turn
    radius = from_bits(u4(bits_of(radius) ^ u4(word << u4(31))))
    y = f4(i4(u4((word & u4(0xFFE)) << u4(20)))) * k.angle + k.middle
    y2 = y * y
    cosine = k.c0 + y2 * (k.c1 + y2 * (k.c2 + y2 * k.c3))
    sine = y * (k.s0 + y2 * (k.s1 + y2 * (k.s2 + y2 * k.s3)))
    return k.one + radius * cosine, k.one + radius * sine


@restricted
def normals(k, z, to, a, b, c, counter, count):
    """Fill z[to:] with 1 + ``count`` normals (a multiple of 2 LANES); gives the counter to go on with."""
    for block in range(count // (2 * LANES)):
        first = to + uint(block * 2 * LANES)
        counter = u4(counter + u4(1))
        for n in range(LANES):
            lane = uint(n)
            word = u4(u4(a[lane] + b[lane]) + counter)
            a[lane] = u4(b[lane] ^ u4(b[lane] >> u4(9)))
            b[lane] = u4(c[lane] + u4(c[lane] << u4(3)))
            c[lane] = u4(u4(u4(c[lane] << u4(21)) | u4(c[lane] >> u4(11))) + word)
            z[first + lane], z[first + uint(LANES) + lane] = box_muller(k, word)
    return counter


# ---------------------------------------------------------------------------- neurons

_DT, _K, _EPS, _D = 0.002, 2.0, 0.01, 100.0
COUPLING = _DT * _K * _D  # D_u = D_v, so one weight serves both
PULSE = f4(_DT * _K * 60)  # I_stim and I_glio
BASE = f4(_DT * _K / _EPS)  # b - 1 = 1


class Constants(NamedTuple):
    """Of the neurons' equations, times dt k; and half of them, for the corrector.

    Arguments for the same reason as `Polynomials`.
    """

    own: (
        np.float32
    )  # U + dt dU/dt = own U + other V + drive + min(max(ramp U + offset, 0), ceiling)
    other: np.float32
    ramp: np.float32
    offset: np.float32
    ceiling: np.float32
    rise: np.float32  # V + dt dV/dt = V + rise U + drift
    drift: np.float32
    half_own: np.float32
    half_other: np.float32
    half_ramp: np.float32
    half_offset: np.float32
    half_ceiling: np.float32
    half_rise: np.float32
    half_drift: np.float32
    minus_four: np.float32
    half: np.float32
    zero: np.float32
    threshold: np.float32


def constants() -> Constants:
    """Their values."""
    fast = _DT * _K / _EPS
    values = [1 - fast, -fast, 1.2 * fast, 0.6 * fast, 6 * fast, _DT * _K * 0.2, _DT * _K * 0.075]
    values += [x / 2 for x in values]
    return Constants(*(f4(x) for x in (*values, -4, 0.5, 0, 2)))


@inlined
def predicted_u(k, u, v, around, weight, drive):
    """U + dt dU/dt."""
    pulse = min(max(k.ramp * u + k.offset, k.zero), k.ceiling)
    return k.own * u + drive + k.other * v + pulse + weight * (around + k.minus_four * u)


@inlined
def predicted_v(k, u, v, around, weight, noise):
    """V + dt dV/dt + dW g(V); ``noise`` is 1 plus the noise."""
    return noise * v + (k.rise * u + k.drift) + weight * (around + k.minus_four * v)


@inlined
def corrected_u(k, before, u, v, around, half_weight, drive):
    """(U + U_predicted + dt dU/dt)/2."""
    pulse = min(max(k.half_ramp * u + k.half_offset, k.zero), k.half_ceiling)
    slope = k.half_own * u + k.half_other * v + pulse + half_weight * (around + k.minus_four * u)
    return k.half * (before + drive) + slope


@inlined
def corrected_v(k, before, u, v, around, half_weight, noise):
    """(V + V_predicted + dt dV/dt + dW g(V))/2."""
    slope = (k.half_rise * u + k.half_drift) + half_weight * (around + k.minus_four * v)
    return k.half * (before + noise * v) + slope


@inlined
def beside(x, i):
    """Sum of the left and right neighbours."""
    return x[i - uint(1)] + x[i + uint(1)]


def row_functions(width: int) -> tuple[Callable, Callable, Callable, Callable]:
    """Loops over the ``width`` columns of a row; each row is given by the place of its column 0."""

    @restricted
    def predict(k, U, V, above, here, below, z, z_at, weight, w_at, drive, d_at, PU, PV, to):
        """The first row: states before the step at three rows, prediction in the middle one."""
        for n in range(width):
            c = uint(n)
            i, up, down, w = here + c, above + c, below + c, weight[w_at + c]
            around_u = (U[up] + U[down]) + beside(U, i)
            around_v = (V[up] + V[down]) + beside(V, i)
            PU[to + c] = predicted_u(k, U[i], V[i], around_u, w, drive[d_at + c])
            PV[to + c] = predicted_v(k, U[i], V[i], around_v, w, z[z_at + c])

    @restricted
    def correct(k, PU, PV, above, here, below, z, z_at, weight, w_at, drive, d_at, U, V, to):
        """The last row; the highest bit of what it gives is set if a neuron is above threshold."""
        spiking = u4(0)
        for n in range(width):
            c = uint(n)
            i, up, down, w = here + c, above + c, below + c, weight[w_at + c]
            around_u = (PU[up] + PU[down]) + beside(PU, i)
            around_v = (PV[up] + PV[down]) + beside(PV, i)
            u = corrected_u(k, U[to + c], PU[i], PV[i], around_u, w, drive[d_at + c])
            V[to + c] = corrected_v(k, V[to + c], PU[i], PV[i], around_v, w, z[z_at + c])
            U[to + c] = u
            spiking = u4(spiking | bits_of(k.threshold - u))
        return spiking

    @restricted
    def advance(
        k, U, V, here, below, weight, w_at, drive, d_at, z, z_at, PU_out, PV_out, to,
        U_up, V_up, up, w_up, later, d_up, z_up, PU, PV, p_above, p_here,
    ):  # fmt: skip
        """Predict a row and correct the one above it, which shares most of what is read.

        ``U_up`` and ``PU_out`` are the same arrays as ``U`` and ``PU``, at rows of their own.
        """
        spiking = u4(0)
        for n in range(width):
            c = uint(n)
            i, w, old_u, old_v = here + c, weight[w_at + c], U_up[up + c], V_up[up + c]
            around_u = (old_u + U[below + c]) + beside(U, i)
            around_v = (old_v + V[below + c]) + beside(V, i)
            pu = predicted_u(k, U[i], V[i], around_u, w, drive[d_at + c])
            pv = predicted_v(k, U[i], V[i], around_v, w, z[z_at + c])
            PU_out[to + c], PV_out[to + c] = pu, pv

            i, w = p_here + c, weight[w_up + c]
            around_u = (PU[p_above + c] + pu) + beside(PU, i)
            around_v = (PV[p_above + c] + pv) + beside(PV, i)
            u = corrected_u(k, old_u, PU[i], PV[i], around_u, w, later[d_up + c])
            V_up[up + c] = corrected_v(k, old_v, PU[i], PV[i], around_v, w, z[z_up + c])
            U_up[up + c] = u
            spiking = u4(spiking | bits_of(k.threshold - u))
        return spiking

    @restricted
    def spike(k, U, at, last_above, n_spikes, to, step):
        for n in range(width):
            c = uint(n)
            above, last = U[at + c] > k.threshold, last_above[to + c]
            n_spikes[to + c] += i4(above & (step - last > i4(1)))
            last_above[to + c] = step if above else last

    return predict, correct, advance, spike


@inlined
def mirror(U, V, at, side):
    """Zero flux: beyond its ends a row goes on with its ends' values."""
    U[at - uint(1)], V[at - uint(1)] = U[at], V[at]
    U[at + side], V[at + side] = U[at + side - uint(1)], V[at + side - uint(1)]


# ------------------------------------------------------------------------- astrocytes

#: Li-Rinzel, in uM and s.
STEP = 2.0 * 1e-4  # k times 0.1 ms
T_DRIVE = 30 * MS
C0_, C1_, D1_, D2_, D3_, D5_ = 2.0, 0.185, 0.13, 1.049, 0.9434, 0.082
V1_, V2_, V3_, V4_, V5_, V6_ = 6.0, 0.11, 2.2, 0.3, 0.025, 0.2
K1_, K2_, K3_, K4_, ALPHA, A2_, IP3S, RATE = 0.5, 1.0, 0.1, 1.1, 0.8, 0.14, 0.16, 0.14


@inlined
def slopes(ca, ip3, h, driven):
    """Right-hand sides of Ca, IP3 and h; fractions on common denominators, as divisions are slow."""
    store = (C0_ - ca) / C1_ - ca
    open_ = ip3 * ca * h
    barrier = (ip3 + D1_) * (ca + D5_)
    inflow, pump = K2_ * K2_ + ip3 * ip3, ca * ca + K3_ * K3_
    channel = barrier * barrier * barrier
    fractions = (
        C1_ * V1_ * open_ * open_ * open_ * store * inflow * pump
        + (V6_ * ip3 * ip3 * pump - V3_ * ca * ca * inflow) * channel
    ) / (channel * inflow * pump)
    d_ca = fractions + C1_ * V2_ * store + V5_ - K1_ * ca
    plc, both = ca + K4_, ip3 + D3_
    inverse = 1 / (plc * both)
    d_ip3 = (IP3S - ip3) * RATE + V4_ * (ca + (1 - ALPHA) * K4_) * both * inverse + driven
    q = D2_ * (ip3 + D1_) * plc * inverse
    return d_ca, d_ip3, A2_ * (q - (q + ca) * h)


def astrocyte_function(width: int, across: int, stride: int) -> Callable:
    """The astrocytes of one row, from the count of their neurons to their feedback."""

    @restricted
    def codes(last_above, at, step, out, neuron_stride):
        # both counts of four rows at once: active in the lower half of the word, delayed in the upper
        for n in range(width):
            c = uint(n)
            total = i4(0)
            for row in range(4):
                age = i4(step - last_above[at + uint(row) * neuron_stride + c])
                total += i4(age < 5 * MS) + (i4((age > 40 * MS) & (age < 45 * MS)) << i4(16))
            out[c] = total

    @restricted
    def heun(Ca, IP3, h, last_drive, counts, feedback, first, step):
        for n in range(stride):
            i = first + uint(n)
            ca, ip3, gate, drive, count = Ca[i], IP3[i], h[i], last_drive[i], counts[uint(n)]
            age = i4(step - drive)
            a, b, c = slopes(ca, ip3, gate, float(int(age <= T_DRIVE)))
            x, y, z = slopes(
                ca + STEP * a, ip3 + STEP * b, gate + STEP * c, float(int(age <= T_DRIVE - BLOCK))
            )
            ca += STEP / 2 * (a + x)
            Ca[i], IP3[i], h[i] = ca, ip3 + STEP / 2 * (b + y), gate + STEP / 2 * (c + z)
            last_drive[i] = step if (count & i4(0xFFFF)) >= 8 else drive
            feedback[i] = PULSE if (ca > 0.15) & (count >> i4(16) >= 8) else f4(0)

    @inlined
    def advance(
        Ca, IP3, h, last_drive, feedback, first, last_above, at, step, neuron_stride, out, counts
    ):
        codes(last_above, at, step, out, neuron_stride)
        for n in range(across):
            counts[n] = out[3 * n] + out[3 * n + 1] + out[3 * n + 2] + out[3 * n + 3]
        heun(Ca, IP3, h, last_drive, counts, feedback, first, step)

    return advance


# ---------------------------------------------------------------------------- threads


@intrinsic
def add_atomically(context, address, amount):
    """Add to the int64 at an address; gives what it was."""

    def code(_, builder, __, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, arguments[1], "seq_cst")

    return numba.int64(numba.uintp, numba.int64), code


_yield_core = ctypes.CDLL(None).sched_yield
_yield_core.argtypes, _yield_core.restype = [], ctypes.c_int


@inlined
def meet(address, threads):
    """Wait until all threads are here; spin for a moment, then let others run."""
    if threads == 1:
        return
    arrived, rounds = address, address + np.uintp(64)
    now = add_atomically(rounds, 0)
    if add_atomically(arrived, 1) == threads - 1:
        add_atomically(arrived, -threads)
        add_atomically(rounds, 1)
        return
    spins = 0
    while add_atomically(rounds, 0) == now:
        spins += 1
        if spins > 1000:
            _yield_core()


# -------------------------------------------------------------------------------- run


class Shared(NamedTuple):
    """What all threads see; rows of `Layout.stride` after one another, times as step numbers."""

    last_above: np.ndarray
    n_spikes: np.ndarray
    drive: np.ndarray  # of U: stimulus, gliotransmitter and constant, times dt k
    drive_end: np.ndarray  # the same at the end of a block, if a stimulus begins or ends there
    train: np.ndarray
    test: np.ndarray
    weight: np.ndarray  # of the coupling, see `_weights`
    watcher: np.ndarray  # of each row, and of each column: the first astrocyte that covers it
    Ca: np.ndarray
    IP3: np.ndarray
    h: np.ndarray
    last_drive: np.ndarray
    feedback: np.ndarray  # two copies: one is read while the other is written
    border: np.ndarray  # [parity][thread][4 rows of U, 4 of V, 2 of noise]
    frames_U: np.ndarray
    frames_last_above: np.ndarray
    frames_n_spikes: np.ndarray


class Own(NamedTuple):
    """What one thread has for itself; it may also have `GHOSTS` rows above and below its own."""

    thread: int
    threads: int
    first: int  # its rows in the lattice
    rows: int
    above: int  # ghost rows
    below: int
    U: np.ndarray
    V: np.ndarray
    PU: np.ndarray  # predicted: four rows, used in turn
    PV: np.ndarray
    z: np.ndarray  # two chunks of noise
    a: np.ndarray  # state of the random streams
    b: np.ndarray
    c: np.ndarray
    codes: np.ndarray  # how many neurons are active and delayed: of columns and of astrocytes
    counts: np.ndarray


class Layout(NamedTuple):
    """Sizes: ``width`` columns are computed, ``stride`` lie between rows."""

    side: int
    width: int
    stride: int
    across: int
    astrocyte_stride: int


def layout(side: int) -> Layout:
    """Sizes for a lattice of ``side`` rows and columns."""
    across = (side - 4) // 3 + 1
    width = _round_up(side, 8)
    return Layout(
        side, width, _round_up(PAD + width + 1, 2 * LANES), across, _round_up(across + 1, 8)
    )


def _round_up(number: int, to: int) -> int:
    return -(-number // to) * to


@inlined
def stimuli(step):
    """Which stimuli are on: 1 for train, 2 for test."""
    train = step < 500 * MS and step % (100 * MS) < 6 * MS
    return int(train) + 2 * int(1001 * MS <= step < 1010 * MS)


def block_function(at: Layout) -> Callable:
    """What happens every 0.1 ms, for the rows of one thread."""
    stride, width, across = uint(at.stride), at.width, at.astrocyte_stride
    advance_row = astrocyte_function(width, at.across, across)

    @restricted
    def fill(drive, g, to, train, test, on, watcher, feedback, first):
        f, start = f4(on & 1) * PULSE, first + uint(watcher[g]) * uint(across)
        s = f4(on >> 1) * PULSE
        for n in range(width):
            c = uint(n)
            glia = feedback[start + uint(watcher[uint(at.side) + c])]
            drive[to + c] = BASE + f * train[to + c] + s * test[to + c] + glia

    @inlined
    def block(shared, own, step):
        parity = (step // BLOCK) & 1
        size = across * across
        on, later = stimuli(step), stimuli(step + BLOCK)
        for g in range(own.first, own.first + own.rows):
            to = uint(g) * stride + uint(PAD)
            arguments = shared.watcher, shared.feedback, uint(parity * size)
            fill(shared.drive, uint(g), to, shared.train, shared.test, on, *arguments)
            if later != on:
                fill(shared.drive_end, uint(g), to, shared.train, shared.test, later, *arguments)
        written = shared.feedback[(1 - parity) * size : (2 - parity) * size]
        for i in range(
            at.across * own.thread // own.threads, at.across * (own.thread + 1) // own.threads
        ):
            advance_row(
                shared.Ca, shared.IP3, shared.h, shared.last_drive, written, uint(i * across),
                shared.last_above, uint(3 * i) * stride + uint(PAD), i4(step), stride,
                own.codes, own.counts,
            )  # fmt: skip

    return block


def border_functions(at: Layout) -> tuple[Callable, Callable]:
    """Giving border rows to, and taking them from, the neighbour threads."""
    stride = at.stride

    @inlined
    def push(numbers, shared, own, base, counter):
        for n in range(4):
            r = own.above + (n if n < 2 else own.rows - 4 + n)
            for c in range(stride):
                shared.border[base + n * stride + c] = own.U[r * stride + c]
                shared.border[base + (4 + n) * stride + c] = own.V[r * stride + c]
        to = uint(base + 8 * stride)
        return normals(numbers, shared.border, to, own.a, own.b, own.c, counter, 2 * stride)

    @inlined
    def pull(shared, own, base, r):
        """Rows r and r + 1, from rows that begin at ``base``."""
        for c in range(2 * stride):
            own.U[r * stride + c] = shared.border[base + c]
            own.V[r * stride + c] = shared.border[base + 4 * stride + c]

    return push, pull


def noise_function(at: Layout) -> Callable:
    """Noise of a chunk of a thread's rows; and where the noise of a row is."""
    size, chunk = 10 * at.stride, _round_up(CHUNK * at.width, 2 * LANES)

    @inlined
    def place(n):
        return uint((n // CHUNK & 1) * chunk + n % CHUNK * at.width)

    @inlined
    def share(shared, own, r, start, parity):
        """Where the chunk from row r on has rows at a border, take what both threads know."""
        for above in range(2):  # the border below this thread's rows, and above
            if not (own.above if above else own.below):
                continue
            border = own.above if above else own.above + own.rows
            for lower in range(2):  # the row above this border, and below
                q = border - 1 + lower
                if r <= q < r + CHUNK:
                    base = (parity * own.threads + own.thread - above + lower) * size
                    to = place(q - start)
                    for c in range(at.width):
                        own.z[to + uint(c)] = shared.border[base + (9 - lower) * at.stride + c]

    @inlined
    def make(numbers, shared, own, r, start, step, counter):
        to = place(r - start)
        counter = normals(numbers, own.z, to, own.a, own.b, own.c, counter, chunk)
        if own.threads > 1:
            share(shared, own, r, start, step & 1)
        return counter

    return make, place


def advance_function(at: Layout) -> Callable:
    """One step of a thread's rows."""
    stride, pad, side, last_row = uint(at.stride), uint(PAD), uint(at.side), at.side - 1
    predict, correct, advance_row, spike = row_functions(at.width)
    make_noise, noise_at = noise_function(at)

    @inlined
    def row(r):
        return uint(r) * stride + pad

    @inlined
    def slot(r):
        return uint(r & 3) * stride + pad

    @inlined
    def weight_of(g):
        return uint((g > 0) + (g == last_row)) * stride + pad

    @inlined
    def half_weight_of(g):
        return weight_of(g) + uint(3) * stride

    @inlined
    def finish(k, shared, own, q, spiking, step):
        mirror(own.U, own.V, row(q), side)
        if spiking >> u4(31):
            to = row(q + own.first - own.above)
            spike(k, own.U, row(q), shared.last_above, shared.n_spikes, to, i4(step))

    @inlined
    def advance(k, numbers, shared, own, step, later, counter):
        total = own.above + own.rows + own.below
        start = max(own.above - 1, 0)
        end = min(own.above + own.rows + 1, total)
        down = own.first - own.above  # from own rows to the lattice's
        for r in range(start, end):
            if (r - start) % CHUNK == 0:
                counter = make_noise(numbers, shared, own, r, start, step, counter)
            q, below, z_at = r - 1, row(min(r + 1, total - 1)), noise_at(r - start)
            if q < own.above:
                predict(
                    k, own.U, own.V, row(max(q, 0)), row(r), below, own.z, z_at, shared.weight,
                    weight_of(r + down), shared.drive, row(r + down), own.PU, own.PV, slot(r),
                )  # fmt: skip
            else:
                spiking = advance_row(
                    k, own.U, own.V, row(r), below, shared.weight, weight_of(r + down),
                    shared.drive, row(r + down), own.z, z_at, own.PU, own.PV, slot(r),
                    own.U, own.V, row(q), half_weight_of(q + down), later, row(q + down),
                    noise_at(q - start), own.PU, own.PV, slot(max(q - 1, 0)), slot(q),
                )  # fmt: skip
                finish(k, shared, own, q, spiking, step)
            mirror(own.PU, own.PV, slot(r), side)
        if not own.below:
            q = total - 1
            spiking = correct(
                k, own.PU, own.PV, slot(q - 1), slot(q), slot(q), own.z, noise_at(q - start),
                shared.weight, half_weight_of(q + down), later, row(q + down),
                own.U, own.V, row(q),
            )  # fmt: skip
            finish(k, shared, own, q, spiking, step)
        return counter

    return advance


@functools.cache
def compiled(side: int) -> Callable:
    """The time loop of one thread, for one side."""
    at = layout(side)
    stride, piece = at.stride, 10 * at.stride
    block, advance = block_function(at), advance_function(at)
    push, pull = border_functions(at)

    @inlined
    def frame(shared, own, number):
        for r in range(own.rows):
            for c in range(side):
                i = (own.first + r) * stride + PAD + c
                shared.frames_U[number, own.first + r, c] = own.U[
                    i + (own.above - own.first) * stride
                ]
                shared.frames_last_above[number, own.first + r, c] = shared.last_above[i]
                shared.frames_n_spikes[number, own.first + r, c] = shared.n_spikes[i]

    @inlined
    def exchange(numbers, shared, own, step, counter, address):
        base = (step & 1) * own.threads * piece
        counter = push(numbers, shared, own, base + own.thread * piece, counter)
        meet(address, own.threads)
        if own.above:
            pull(shared, own, base + (own.thread - 1) * piece + 2 * stride, 0)
        if own.below:
            pull(shared, own, base + (own.thread + 1) * piece, own.above + own.rows)
        return counter

    @outer
    def run(k, numbers, shared, own, steps, address):
        counter = u4(0)
        for step in range(steps):
            if step % BLOCK == 0:
                meet(address, own.threads)  # all have made the last block's spikes
                if step % FRAME == 0:
                    frame(shared, own, step // FRAME)
                block(shared, own, step)
                meet(address, own.threads)
            if own.threads > 1:
                counter = exchange(numbers, shared, own, step, counter, address)
            later = shared.drive
            if (step + 1) % BLOCK == 0 and stimuli(step) != stimuli(step + 1):
                later = shared.drive_end
            counter = advance(k, numbers, shared, own, step, later, counter)
        frame(shared, own, steps // FRAME + 1)

    return run


def aligned(size: int, value: float = 0.0, dtype: Any = f4) -> np.ndarray:
    """A filled array that begins at a cache line, with a line to spare."""
    array = np.empty(size + 128, dtype)
    start = -(array.ctypes.data // array.itemsize) % (64 // array.itemsize)
    array[:] = value
    return array[start : start + size + 64]


def _padded(values: np.ndarray, at: Layout, rows: int) -> np.ndarray:
    array = aligned(rows * at.stride)
    array[: rows * at.stride].reshape(rows, at.stride)[:, PAD : PAD + at.side] = values
    return array


def _weights(at: Layout) -> np.ndarray:
    """dt k D / (number of neighbours), of rows at the upper edge, inside, at the lower; and halves."""
    columns = np.full(at.side, 2)
    columns[[0, -1]] = 1
    whole = COUPLING / (columns + np.array([[1], [2], [1]]))
    return _padded(np.concatenate([whole, whole / 2]), at, 6)


def _watchers(at: Layout) -> np.ndarray:
    """First astrocyte of each row (or column), then of each column; ``across`` where there is none."""
    first = np.maximum(-(-(np.arange(at.side) - 3) // 3), 0)
    first = np.where(first < at.across, first, at.across)
    return np.concatenate([first, first, np.full(64, at.across)]).astype(i4)


def _shared(at: Layout, image: np.ndarray, steps: int, threads: int) -> Shared:
    neurons, astrocytes = at.side * at.stride, at.astrocyte_stride**2
    frames = (steps // FRAME + 2, at.side, at.side)
    return Shared(
        last_above=aligned(neurons, -1000 * MS, i4),
        n_spikes=aligned(neurons, 0, i4),
        drive=aligned(neurons, BASE),
        drive_end=aligned(neurons, BASE),
        train=_padded(image, at, at.side),
        test=_padded(image, at, at.side),
        weight=_weights(at),
        watcher=_watchers(at),
        Ca=aligned(astrocytes, 0.0697115, float),
        IP3=aligned(astrocytes, 0.690169, float),
        h=aligned(astrocytes, 0.880487, float),
        last_drive=aligned(astrocytes, -1000 * MS, i4),
        feedback=aligned(2 * astrocytes),
        border=aligned(20 * threads * at.stride),
        frames_U=np.zeros(frames, f4),
        frames_last_above=np.zeros(frames, i4),
        frames_n_spikes=np.zeros(frames, i4),
    )


def _own(at: Layout, thread: int, threads: int, seed: int) -> Own:
    first, end = (at.side * n // threads for n in (thread, thread + 1))
    above, below = GHOSTS * (thread > 0), GHOSTS * (thread < threads - 1)
    length = (above + end - first + below) * at.stride
    random = np.random.default_rng([seed, thread]).integers(2**32, size=(3, LANES), dtype=u4)
    return Own(
        *(thread, threads, first, end - first, above, below),
        U=aligned(length, -0.702337),
        V=aligned(length, 1.67619),
        PU=aligned(4 * at.stride),
        PV=aligned(4 * at.stride),
        z=aligned(2 * _round_up(CHUNK * at.width, 2 * LANES)),
        **{name: _states(row) for name, row in zip("abc", random, strict=True)},
        codes=aligned(at.stride, 0, i4),
        counts=aligned(at.astrocyte_stride, 0, i4),
    )


def _states(values: np.ndarray) -> np.ndarray:
    array = aligned(values.size, 0, u4)
    array[: values.size] = values
    return array


def simulate(
    side: int, steps: int, threads: int = 1, sigma2: float = 0.12, seed: int = 1
) -> tuple[float, Shared]:
    """Run the model; gives the seconds that the time loop took, and the state with its frames.

    The last frame is the state at the end.
    """
    if threads < 1 or side < 4 * threads:
        raise ValueError(f"{side} rows are too few for {threads} threads")
    at = layout(side)
    image = np.zeros((side, side), bool)
    image[side // 4 : 3 * side // 4, side // 3 : 2 * side // 3] = True
    shared, loop = _shared(at, image, steps, threads), compiled(side)
    barrier = aligned(16, 0, np.int64)
    address = uint(barrier.ctypes.data)
    given = constants(), polynomials(_DT * _K * sigma2), shared
    workers = [
        threading.Thread(target=loop, args=(*given, _own(at, n, threads, seed), steps, address))
        for n in range(1, threads)
    ]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    loop(*given, _own(at, 0, threads, seed), steps, address)
    for worker in workers:
        worker.join()
    return time.perf_counter() - start, shared


def microseconds_per_step(
    side: int, milliseconds: float, threads: int = 1
) -> tuple[float, dict[str, float]]:
    """Wall time of a step, and what the system came to.

    Parameters
    ----------
    side : int
        Rows and columns of the lattice.
    milliseconds : float
        Model time.
    threads : int
    """
    simulate(side, BLOCK, threads)  # compiles
    steps = round(milliseconds * MS)
    seconds, shared = simulate(side, steps, threads)
    across, stride = layout(side).across, layout(side).astrocyte_stride
    calcium = shared.Ca[: stride * stride].reshape(stride, stride)[:across, :across]
    end = {
        "mean_U": float(shared.frames_U[-1].mean()),
        "spikes": int(shared.frames_n_spikes[-1].sum()),
        "Ca_max_uM": float(calcium.max()),
    }
    return seconds / steps * 1e6, end


def main() -> None:
    """Print one measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, default=130, help="rows and columns of the lattice")
    parser.add_argument("--milliseconds", type=float, default=20)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    took, end = microseconds_per_step(arguments.shape, arguments.milliseconds, arguments.threads)
    print(f"{took:.1f} us a step, {end}")


if __name__ == "__main__":
    main()
