"""The memory lattice (models/noise_induced_memory.toml) by hand in JAX, to compare with.

    python benchmarks/jax_lattice.py [--shape 130] [--milliseconds 20]

One `jax.lax.scan` over blocks of 0.1 ms with a scan over their 50 steps inside, all in one jit: the
same Heun scheme with the coupling recomputed on the predictor, float32 neurons and float64 astrocytes.
What was measured to help XLA on a processor: neurons in one flat array (shifts are contiguous), weights
that are 0 where a neighbour is missing, barriers that keep it from working a stage out anew for every
neighbour, and noise of its own: a hash of (neuron, step) and Box-Muller with polynomials (without it,
`jax.random.bits` alone takes 140-500 us a step). XLA takes the threads that the process may use:
``taskset -c 0`` gives it one.
"""

from __future__ import annotations

import argparse
import functools
import time

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

DT, BLOCK = 0.002, 50  # ms, steps of an astrocyte's step
B, C, D, G, EPS, D_U, D_V, SIGMA2, K = 2.0, 0.2, 0.075, 0.2, 0.01, 100.0, 100.0, 0.12, 2.0
T_DRIVE = 30  # ms
NEVER = -(10**9)


f4, u4, i4 = jnp.float32, jnp.uint32, jnp.int32


def _weights(side: int) -> list[jax.Array]:
    """One over the number of neighbours, 0 where there is none: above, below, left, right."""
    there = np.ones((4, side, side), np.float32)
    there[0, 0], there[1, -1], there[2, :, 0], there[3, :, -1] = 0, 0, 0, 0
    return [jnp.asarray(w.ravel()) for w in there / there.sum(axis=0)]


def _laplacian(x: jax.Array, weights: list[jax.Array], side: int) -> jax.Array:
    """Mean over the existing neighbours minus own."""
    padded, n = jnp.pad(x, side), x.size
    starts = 0, 2 * side, side - 1, side + 1
    return sum(w * padded[at : at + n] for w, at in zip(weights, starts, strict=True)) - x


def _drift(u, v, laplacian, current):
    f = -u + f4(B - 1) + f4(1 + G) * jnp.clip(u + f4(0.5), 0, f4(1 / G))
    du = K * ((f - v) * f4(1 / EPS) + D_U * laplacian(u) + current)
    dv = K * (f4(C) * u + f4(D) + D_V * laplacian(v))
    return du, dv


def _polynomial(coefficients: tuple[float, ...], x: jax.Array) -> jax.Array:
    total = f4(coefficients[-1])
    for c in coefficients[-2::-1]:
        total = f4(c) + x * total
    return total


#: -2 ln(1 - q/2)/q for q in (0, 1], and cos(y) in y^2 for |y| <= pi/2
_LOG = (1.000001157, 0.2498949234, 0.08488467028, 0.0227719981, 0.03396290676, -0.02108293513)
_LOG += (0.01586048144,)
_COSINE = (0.9999999535, -0.4999990535, 0.04166358467, -0.001385370416, 2.315392861e-05)


def _normals(seed: jax.Array, step: jax.Array, size: int) -> jax.Array:
    """One normal of each 32-bit word (a pair costs XLA more: it does not share the radius)."""
    word = jnp.arange(size, dtype=u4) * u4(0x9E3779B9) + (step.astype(u4) * u4(0x85EBCA6B) + seed)
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        word = (word ^ (word >> shift)) * u4(factor)
    word ^= word >> 15
    bits = jax.lax.bitcast_convert_type((word >> 12).astype(i4).astype(f4) + f4(0.5), i4)
    q = 2 - jax.lax.bitcast_convert_type((bits & 0x7FFFFF) | 0x3F800000, f4)
    exponent = 146 - (bits >> 23).astype(f4)
    radius = jnp.sqrt(f4(2 * np.log(2)) * exponent + q * _polynomial(_LOG, q))
    half_turn = (1 - 2 * (word & 1).astype(i4)).astype(f4)
    angle = jax.lax.bitcast_convert_type((word & 0xFFE) << 20, i4).astype(f4) * f4(np.pi / 2**32)
    return radius * half_turn * _polynomial(_COSINE, (angle + f4(np.pi / 2**12)) ** 2)


def _step(state, step, laplacian, glio, image, seed):
    u, v, last, spikes = state
    kept_apart = jax.lax.optimization_barrier
    xi = np.float32(np.sqrt(K * SIGMA2 * DT)) * kept_apart(_normals(seed, step, u.size))

    def current(n):
        t = n * DT
        train = (t < 500) & (t % 100 < 6)
        on = train | ((t >= 1001) & (t < 1010))
        return glio + jnp.where(on, 60.0, 0.0).astype(f4) * image

    dt, half = f4(DT), f4(0.5)
    du, dv = _drift(u, v, laplacian, current(step))
    up, vp = kept_apart((u + dt * du, v + dt * dv + v * xi))
    du, dv = _drift(up, vp, laplacian, current(step + 1))
    u, v = kept_apart((half * (u + up + dt * du), half * (v + vp + dt * dv + vp * xi)))
    above = u > 2.0
    spikes = spikes + (above & (step - last > 1))
    return (u, v, jnp.where(above, step, last), spikes), None


def _astrocyte_drift(ca, ip3, h, driven):
    """Li-Rinzel, concentrations in uM, time in s (the model file's equations A6-A16)."""
    store = (2.0 - ca) / 0.185
    q = 1.049 * (ip3 + 0.13) / (ip3 + 0.9434)
    er = 0.185 * 6.0 * (ip3 / (ip3 + 0.13)) ** 3 * (ca / (ca + 0.082)) ** 3 * h**3 * (store - ca)
    leak, pump = 0.185 * 0.11 * (store - ca), 2.2 * ca**2 / (ca**2 + 0.01)
    inward, outward = 0.025 + 0.2 * ip3**2 / (1 + ip3**2), 0.5 * ca
    plc = 0.3 * (ca + 0.2 * 1.1) / (ca + 1.1)
    return (
        K * (er - pump + leak + inward - outward),
        K * ((0.16 - ip3) * 0.14 + plc + driven),
        K * (q / (q + ca) - h) * 0.14 * (q + ca),
    )


def _count_under(active: jax.Array, across: int) -> jax.Array:
    """Units set under each 4 x 4 footprint, one every 3."""
    return sum(
        active[a : a + 3 * across - 2 : 3, b : b + 3 * across - 2 : 3].astype(jnp.int32)
        for a in range(4)
        for b in range(4)
    )


def _block(state, block, laplacian, first, across, image, seed):
    neurons, (ca, ip3, h, drive, delayed) = state
    feedback = jnp.where((ca > 0.15) & (delayed >= 8), 60.0, 0.0).astype(f4)
    glio = jnp.pad(feedback, ((0, 1), (0, 1)))[first[:, None], first[None, :]].ravel()
    step = block * BLOCK
    since = (step - neurons[2]).reshape(first.size, first.size) * DT
    active = _count_under(since < 5, across)
    delayed = _count_under((since > 40) & (since < 45), across)
    driven = jnp.where((step - drive) * DT <= T_DRIVE, 1.0, 0.0)
    x, dt = (ca, ip3, h), BLOCK * DT * 1e-3
    first_slope = _astrocyte_drift(*x, driven)
    later = jnp.where((step + BLOCK - drive) * DT <= T_DRIVE, 1.0, 0.0)
    second = _astrocyte_drift(*(a + dt * b for a, b in zip(x, first_slope, strict=True)), later)
    ca, ip3, h = (a + dt * (b + c) / 2 for a, b, c in zip(x, first_slope, second, strict=True))
    drive = jnp.where(active >= 8, step, drive)
    advance = functools.partial(_step, laplacian=laplacian, glio=glio, image=image, seed=seed)
    neurons, _ = jax.lax.scan(advance, neurons, step + jnp.arange(BLOCK, dtype=i4))
    return (neurons, (ca, ip3, h, drive, delayed)), None


@functools.partial(jax.jit, static_argnames=("side", "blocks"))
def _simulate(image, seed, side: int, blocks: int):
    across = (side - 4) // 3 + 1
    first = jnp.maximum(0, (jnp.arange(side) - 1) // 3)  # of the watchers that cover a row
    first = jnp.where(jnp.arange(side) < 3 * across + 1, jnp.minimum(first, across), across)
    full = functools.partial(jnp.full, side * side)
    neurons = full(-0.702337, f4), full(1.67619, f4), full(NEVER, i4), full(0, i4)
    full = functools.partial(jnp.full, (across, across))
    astrocytes = (full(0.0697115), full(0.690169), full(0.880487), full(NEVER), full(0))
    laplacian = functools.partial(_laplacian, weights=_weights(side), side=side)
    advance = functools.partial(
        _block, laplacian=laplacian, first=first, across=across, image=image, seed=seed
    )
    return jax.lax.scan(advance, (neurons, astrocytes), jnp.arange(blocks, dtype=i4))[0]


def microseconds_per_step(side: int, milliseconds: float) -> tuple[float, dict]:
    """Time of the compiled loop, and what a reader can check it by."""
    image = np.zeros((side, side), np.float32)
    image[side // 4 : 3 * side // 4, side // 3 : 2 * side // 3] = 1
    blocks = round(milliseconds / (BLOCK * DT))
    arguments = image.ravel(), u4(1), side, blocks
    jax.block_until_ready(_simulate(*arguments))  # compiles
    start = time.perf_counter()
    neurons, astrocytes = jax.block_until_ready(_simulate(*arguments))
    seconds = time.perf_counter() - start
    return seconds / (blocks * BLOCK) * 1e6, {
        "mean_U": float(neurons[0].mean()),
        "spikes": int(neurons[3].sum()),
        "Ca_max_uM": float(astrocytes[0].max()),
    }


def main() -> None:
    """Time it alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, default=130)
    parser.add_argument("--milliseconds", type=float, default=20)
    arguments = parser.parse_args()
    print(*microseconds_per_step(arguments.shape, arguments.milliseconds))


if __name__ == "__main__":
    main()
