"""Time a step of the memory lattice on every backend and by hand in Numba and JAX, side by side.

    python benchmarks/backends.py [--shape 130] [--rounds 3] [--out DIR] [--only "float32, 1" --base fused]
    python benchmarks/backends.py --scaling        # the fused loop from 64 x 64 to 2048 x 2048

Each round runs every case once, in turn and every other round from the last to the first, so that a
machine whose speed drifts does not favour one. The table gives the median of the rounds in
microseconds a step with the fastest and the slowest, and how many times as fast as ``cpp`` on one
thread (or ``--base``) that is: the median of the rounds' own ratios with the smallest and the largest, or no ratio
where the rounds are too far apart for one. "Brian2" is what Brian2 makes of the equations with its own
random numbers (a Mersenne Twister); in ``cpp`` the noise is ours. Only the time loop counts, by the
wall clock, in every case: no code generation, no compiler, no connecting, no reading and writing of
files. The NumPy backend takes fewer steps. Needs ``pip install numba jax`` for the two hand-written
loops; without, they are left out.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from matplotlib.figure import Figure
from rounds import in_turn, ratio, spread

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian import network
from neuroglia_snn.backends.brian.quiet import hush
from neuroglia_snn.catalog.load import load


def request(
    side: int, milliseconds: float, threads: int, precision: str, start: str = "0 ms"
) -> Request:
    """The memory model on a lattice of another size, shown a rectangle from ``start``."""
    astrocytes = (side - 4) // 3 + 1
    settings = {
        "population.neuron.shape": f"[{side}, {side}]",
        "population.astrocyte.shape": f"[{astrocytes}, {astrocytes}]",
        "model.duration": f"{milliseconds} ms",
        "stimulus.train.start": start,
    }
    image = np.zeros((side, side), bool)
    image[side // 4 : 3 * side // 4, side // 3 : 2 * side // 3] = True
    model = load("noise_induced_memory", settings)
    return Request(model, {"train": image, "test": image}, 1, threads, precision)


def backend_step(
    name: str, threads: int, precision: str, milliseconds: float, start: str = "0 ms"
) -> Callable[[int], float]:
    """Microseconds of a step of a backend's time loop, by its own clock."""

    def measure(side: int) -> float:
        run = request(side, milliseconds, threads, precision, start)
        outcome = backends.get(name).run(run)
        assert outcome.loop_seconds is not None, f"{name} takes no time of its loop"
        return outcome.loop_seconds / (run.model.duration / run.model.dt) * 1e6

    return measure


def brian2_step(threads: int, milliseconds: float) -> Callable[[int], float]:
    """Microseconds of a step of the ``cpp`` backend with Brian2's own random numbers."""

    def measure(side: int) -> float:
        with mock.patch.object(network, "_normal", lambda stream: lambda xi: "randn()"):
            return backend_step("cpp", threads, "float64", milliseconds)(side)

    return measure


def by_hand(module: str, milliseconds: float, **options: object) -> Callable[[int], float] | None:
    """Microseconds of a step of a hand-written loop beside this file, if its packages are here."""
    try:
        peer = __import__(module)
    except ImportError:
        return None
    return lambda side: peer.microseconds_per_step(side, milliseconds, **options)[0]


#: What the others are compared with.
BASE = "cpp, 1 thread"
CASES: dict[str, Callable[[int], float] | None] = {
    "Brian2, 1 thread": brian2_step(1, 8),
    "Brian2, 2 threads": brian2_step(2, 8),
    BASE: backend_step("cpp", 1, "float64", 8),
    "cpp, 2 threads": backend_step("cpp", 2, "float64", 8),
    "numpy": backend_step("numpy", 1, "float64", 0.8),
    "JAX float32, 2 threads": by_hand("jax_lattice", 8),
    "Numba float32, 1 thread": by_hand("numba_lattice", 40),
    "Numba float32, 2 threads": by_hand("numba_lattice", 40, threads=2),
    "fused float64, 1 thread": backend_step("fused", 1, "float64", 40),
    "fused float64, 2 threads": backend_step("fused", 2, "float64", 40),
    "fused float32, 1 thread": backend_step("fused", 1, "float32", 40),
    "fused float32, 2 threads": backend_step("fused", 2, "float32", 40),
}


def compare(side: int, rounds: int, out: Path, only: str, base: str) -> None:
    """The table and the plot of the cases whose labels hold ``only``, beside the first that holds ``base``."""
    cases = {label: case for label, case in CASES.items() if case and only in label}
    beside_which = next((label for label in cases if base in label), None)
    times: dict[str, list[float]] = {label: [] for label in cases}
    for label, time in in_turn(list(cases), rounds, lambda label: cases[label](side)):
        times[label].append(time)
    print(f"{side} x {side} neurons with astrocytes, {platform.machine()}, us a step")
    for label, values in times.items():
        beside = ""
        if beside_which and label != beside_which:
            beside = ratio(times[beside_which], values)
        print(f"{label:26} {spread(values, 1):32} {beside}".rstrip())
    print(json.dumps(times))
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    medians = np.array([statistics.median(values) for values in times.values()])
    ends = np.array([(min(values), max(values)) for values in times.values()]).T
    axes.barh(list(times), medians, xerr=abs(ends - medians), color="tab:blue", capsize=2)
    axes.set(xscale="log", xlabel="us a step", title=f"{side} x {side} neurons with astrocytes")
    axes.invert_yaxis()
    figure.savefig(out / "backends.png", dpi=150)


def scaling(rounds: int, out: Path) -> None:
    """Cost of a neuron's step over the size of the lattice, fused, float32, one thread."""
    sides = (64, 130, 256, 512, 1024, 2048)
    costs: dict[int, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side in sides:
            # long enough that the frame at the start, one in 5,000 steps, does not count
            length = min(40, max(1.6, 40 * (130 / side) ** 2))
            # no stimulus: short runs would see nothing else
            measure = backend_step("fused", 1, "float32", round(length, 1), "1 second")
            costs[side].append(measure(side) * 1e3 / side**2)
    for side, values in costs.items():
        print(f"{side:5} x {side:<5} {spread(values, 2)} ns a neuron and step")
    cheap, *_, dear = sorted(costs.values(), key=statistics.median)
    print(f"dearest over cheapest: {ratio(dear, cheap)}")
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(sides, [statistics.median(v) for v in costs.values()], "o-")
    axes.set(
        xscale="log", xlabel="side of the lattice", ylabel="ns a neuron and step", ylim=(0, None)
    )
    figure.savefig(out / "scaling.png", dpi=150)


def main() -> None:
    """Read the options and run."""
    hush()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, default=130, help="rows and columns of the lattice")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="cases with this in their labels")
    parser.add_argument("--base", default=BASE, help="what the others are compared with")
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("."), metavar="DIR")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.scaling:
        scaling(arguments.rounds, arguments.out)
    else:
        given = (arguments.only, arguments.base)
        compare(arguments.shape, arguments.rounds, arguments.out, *given)


if __name__ == "__main__":
    main()
