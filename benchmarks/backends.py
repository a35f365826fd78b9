"""Time a step of the memory lattice on each backend, side by side in one run.

    python benchmarks/backends.py [--shape 130] [--rounds 3]

Each round runs every backend once, in turn, so that a machine whose speed drifts does not favour one;
the table gives the median over rounds of microseconds per step and the ratio to the first row. Code
generation and compiler do not count; starting the program and reading its results do. The NumPy
backend takes fewer steps.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics

import numpy as np

from neuroglia_snn import backends, load
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian.quiet import hush

#: (label, backend, threads, model time in ms)
CASES = [
    ("cpp, 1 thread", "cpp", 1, 20),
    ("cpp, 2 threads", "cpp", 2, 20),
    ("numpy", "numpy", 1, 1),
]


def microseconds_per_step(backend: str, threads: int, milliseconds: int, side: int) -> float:
    """Wall time of one run's time loop, divided by its steps."""
    astrocytes = (side - 4) // 3 + 1
    settings = {
        "population.neuron.shape": f"[{side}, {side}]",
        "population.astrocyte.shape": f"[{astrocytes}, {astrocytes}]",
        "model.duration": f"{milliseconds} ms",
    }
    model = load("noise_induced_memory", settings)
    image = np.zeros((side, side), bool)
    image[side // 4 : 3 * side // 4, side // 3 : 2 * side // 3] = True
    request = Request(model, {"train": image, "test": image}, seed=1, threads=threads)
    outcome = backends.get(backend).run(request)
    return outcome.run_seconds / (model.duration / model.dt) * 1e6


def main() -> None:
    """Print the table, and the same as JSON."""
    hush()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, default=130, help="rows and columns of the lattice")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    times: dict[str, list[float]] = {label: [] for label, *_ in CASES}
    for _ in range(arguments.rounds):
        for label, backend, threads, milliseconds in CASES:
            times[label].append(
                microseconds_per_step(backend, threads, milliseconds, arguments.shape)
            )
    medians = {label: statistics.median(values) for label, values in times.items()}
    first = medians[CASES[0][0]]
    print(f"{arguments.shape} x {arguments.shape} neurons with astrocytes, {platform.machine()}")
    for label, median in medians.items():
        spread = f"{min(times[label]):.0f}-{max(times[label]):.0f}"
        print(f"{label:16} {median:10.0f} us a step ({spread})   x {median / first:.2f}")
    print(json.dumps(times))


if __name__ == "__main__":
    main()
