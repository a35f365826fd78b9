"""The memory lattice (models/noise_induced_memory.toml) by hand in JAX, to compare with.

    python benchmarks/jax_lattice.py [--shape 130] [--milliseconds 20]

One `jax.lax.scan` over blocks of 0.1 ms with a scan over their 50 steps inside, all in one jit: the
same Heun scheme with the coupling recomputed on the predictor, float32 neurons and float64 astrocytes.
Noise comes in blocks of 50 steps from random bits by Box-Muller. XLA takes the threads that the process may use: ``taskset -c 0`` gives it one.
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
NEVER = -(10**9)


def _laplacian(x: jax.Array, count: jax.Array) -> jax.Array:
    """Mean over the existing neighbours minus own (edges repeat their own value)."""
    up = jnp.concatenate([x[:1], x[:-1]])
    down = jnp.concatenate([x[1:], x[-1:]])
    left = jnp.concatenate([x[:, :1], x[:, :-1]], axis=1)
    right = jnp.concatenate([x[:, 1:], x[:, -1:]], axis=1)
    return (up + down + left + right - 4 * x) * count


def _drift(u, v, count, current):
    f = -u + (B - 1) + (1 + G) * jnp.clip(u + 0.5, 0, 1 / G)
    du = K * ((f - v) / EPS + D_U * _laplacian(u, count) + current)
    dv = K * (C * u + D + D_V * _laplacian(v, count))
    return du, dv


def _normals(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Box-Muller on random bits, in single precision: `jax.random.normal` inverts erf, slower."""
    bits = jax.random.bits(key, (2, shape[0] // 2, *shape[1:]), jnp.uint32)
    uniform = ((bits >> 8).astype(jnp.float32) + 0.5) * np.float32(2**-24)
    radius = jnp.sqrt(-2 * jnp.log(uniform[0]))
    angle = np.float32(2 * np.pi) * uniform[1]
    return jnp.concatenate([radius * jnp.cos(angle), radius * jnp.sin(angle)])


def _step(state, at, count, glio, image):
    u, v, last, spikes = state
    step, noise = at
    xi = np.float32(np.sqrt(K * SIGMA2 * DT)) * noise

    def current(n):
        t = n * DT
        train = (t < 500) & (t % 100 < 6)
        on = train | ((t >= 1001) & (t < 1010))
        return glio + jnp.where(on, 60.0, 0.0).astype(jnp.float32) * image

    dt = np.float32(DT)
    du, dv = _drift(u, v, count, current(step))
    # kept apart: fused into the corrector, XLA would work it out anew for every neighbour
    up, vp = jax.lax.optimization_barrier((u + dt * du, v + dt * dv + v * xi))
    du, dv = _drift(up, vp, count, current(step + 1))
    u = 0.5 * (u + up + dt * du)
    v = 0.5 * (v + vp + dt * dv + vp * xi)
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


def _block(state, block, count, first, across, image, key):
    neurons, (ca, ip3, h, drive, delayed) = state
    feedback = jnp.where((ca > 0.15) & (delayed >= 8), 60.0, 0.0).astype(jnp.float32)
    glio = jnp.pad(feedback, ((0, 1), (0, 1)))[first[:, None], first[None, :]]
    step = block * BLOCK
    since = (step - neurons[2]) * DT
    active = _count_under(since < 5, across)
    delayed = _count_under((since > 40) & (since < 45), across)
    driven = jnp.where((step - drive) * DT <= 60, 1.0, 0.0)
    x, dt = (ca, ip3, h), BLOCK * DT * 1e-3
    first_slope = _astrocyte_drift(*x, driven)
    later = jnp.where((step + BLOCK - drive) * DT <= 60, 1.0, 0.0)
    second = _astrocyte_drift(*(a + dt * b for a, b in zip(x, first_slope, strict=True)), later)
    ca, ip3, h = (a + dt * (b + c) / 2 for a, b, c in zip(x, first_slope, second, strict=True))
    drive = jnp.where(active >= 8, step, drive)
    advance = functools.partial(_step, count=count, glio=glio, image=image)
    noise = _normals(jax.random.fold_in(key, block), (BLOCK, *image.shape))
    noise = jax.lax.optimization_barrier(noise)
    steps = step + jnp.arange(BLOCK, dtype=jnp.int32)
    neurons, _ = jax.lax.scan(advance, neurons, (steps, noise))
    return (neurons, (ca, ip3, h, drive, delayed)), None


@functools.partial(jax.jit, static_argnames=("side", "blocks"))
def _simulate(image, key, side: int, blocks: int):
    across = (side - 4) // 3 + 1
    shape = (side, side)
    rows = jnp.full(side, 4).at[0].add(-1).at[-1].add(-1)
    count = 1 / (rows[:, None] + rows[None, :] - 4).astype(jnp.float32)
    first = jnp.maximum(0, (jnp.arange(side) - 1) // 3)  # of the watchers that cover a row
    first = jnp.where(jnp.arange(side) < 3 * across + 1, jnp.minimum(first, across), across)
    neurons = (
        jnp.full(shape, -0.702337, jnp.float32),
        jnp.full(shape, 1.67619, jnp.float32),
        jnp.full(shape, NEVER, jnp.int32),
        jnp.zeros(shape, jnp.int32),
    )
    full = functools.partial(jnp.full, (across, across))
    astrocytes = (full(0.0697115), full(0.690169), full(0.880487), full(NEVER), full(0))
    advance = functools.partial(
        _block, count=count, first=first, across=across, image=image, key=key
    )
    return jax.lax.scan(advance, (neurons, astrocytes), jnp.arange(blocks, dtype=jnp.int32))[0]


def microseconds_per_step(
    side: int, milliseconds: float, impl: str = "unsafe_rbg"
) -> tuple[float, dict]:
    """Time of the compiled loop, and what a reader can check it by."""
    image = np.zeros((side, side), np.float32)
    image[side // 4 : 3 * side // 4, side // 3 : 2 * side // 3] = 1
    blocks = round(milliseconds / (BLOCK * DT))
    key = jax.random.key(1, impl=impl)
    jax.block_until_ready(_simulate(image, key, side, blocks))  # compiles
    start = time.perf_counter()
    neurons, astrocytes = jax.block_until_ready(_simulate(image, key, side, blocks))
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
    for impl in ("unsafe_rbg", "threefry2x32"):
        print(impl, *microseconds_per_step(arguments.shape, arguments.milliseconds, impl))


if __name__ == "__main__":
    main()
