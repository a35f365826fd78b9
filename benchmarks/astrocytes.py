"""Measure the neuron-astrocyte network of Jiang et al. (2025) in NEST, for ``neuroglia reproduce astrocyte-brunel``.

    python benchmarks/astrocytes.py --nest PYTHON --folder DIR --out nest.json [--cases sparse ...] [--seeds 10]

Each seed of each case is a process of its own (``networks/astrocytes_in_nest.py``), whose arrays are kept in DIR; those that are
there already are not run again. PYTHON is one that has NEST:
python3.10 -m venv NEST && NEST/bin/pip install nest-simulator==3.10.0 makes one, NEST/bin/python.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from neuroglia_snn.papers.astrocyte_brunel.study import CASES, SMALL, of_calcium
from neuroglia_snn.papers.astrocyte_brunel.synchrony import measures

SCRIPT = Path(__file__).parent / "networks" / "astrocytes_in_nest.py"


def measured(python: str, folder: Path, case: str, seed: int) -> dict[str, Any]:
    """One run, or the numbers of one that was done."""
    file = folder / f"{case}-{seed}.npz"
    if not file.exists():
        settings = (file, case, SMALL.scale, seed, SMALL.before, SMALL.seconds)
        subprocess.run([python, SCRIPT, "network", *map(str, settings)], check=True)
    with np.load(file) as found:
        # NEST's spikes have the time of their step's end
        times, size = found["times"] / 1000 - 0.05e-3, int(found["size"])
        spikes = measures(times, found["units"], size, float(found["seconds"]), seed)
        return {"seed": seed, **spikes, **of_calcium(found["Ca"]), "version": str(found["version"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nest", required=True, metavar="PYTHON")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--done", action="store_true", help="only of runs that are there")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    cases: dict[str, list[dict[str, Any]]] = {}
    versions = set()
    for case in options.cases:
        seeds = range(1, options.seeds + 1)
        if options.done:
            seeds = [n for n in seeds if (options.folder / f"{case}-{n}.npz").exists()]
        runs = [measured(options.nest, options.folder, case, seed) for seed in seeds]
        versions |= {run.pop("version") for run in runs}
        if runs:
            cases[case] = [
                {k: round(float(v), 6) if k != "seed" else v for k, v in run.items()}
                for run in runs
            ]
    made = {
        "simulator": "NEST",
        "version": ", ".join(sorted(versions)),
        "how": "python benchmarks/astrocytes.py: resolution 0.1 ms, one thread; rng_seed is the seed",
        "scale": SMALL.scale,
        "before_s": SMALL.before,
        "seconds": SMALL.seconds,
        "cases": cases,
    }
    options.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
