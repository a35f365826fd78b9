"""Everything that takes a GPU, in one go: agreement with the processor, memory checks, microseconds a step.

    python benchmarks/gpu.py [--out DIR] [--quick] [--without-brian2cuda]

Needs a GPU, a C++ compiler and ``pip install 'neuroglia_snn[cuda]'`` (or a CUDA toolkit of the system for all
but brian2cuda); takes less than ten minutes on an H100. Writes ``gpu.json`` and prints what
docs/performance.md shows.

- Agreement: `fused-cuda` against `fused` without noise (float64, to rounding), and in 20 seeds each with
  noise (float32): spikes, mean potential and its variance, two-sample Kolmogorov-Smirnov tests at 1 %.
- compute-sanitizer's memcheck, racecheck, initcheck and synccheck on a small network, where it is installed.
- Time of the loop alone, as the program takes it: one launch a step, and many steps in one launch; for
  one network of 130 x 130, 1024 x 1024 and 4096 x 4096 neurons, and 256 networks of 130 x 130; beside
  brian2cuda, and beside a copy of memory measured in the same run. A neuron's step reads and writes its
  state and reads its input, 20 bytes in single precision.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from neuroglia_snn import backends, load
from neuroglia_snn.backends import toolkit
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian.quiet import hush

BYTES = 20  # U and V read and written, I_astro read: 4 bytes each
BARE = """
[model]
extends = "noise_induced_memory"
remove = ["record.frames", "record.traces", "record.calcium", "experiment"]
"""
LAUNCHES = {"one launch a step": "1", "many steps a launch": "0"}


def network(folder: Path, side: int, milliseconds: float, seed: int, precision: str, **changes):
    """The memory model on a lattice of another size; a rectangle is shown from its start."""
    file = folder / "bare.toml"
    file.write_text(BARE)
    astrocytes = (side - 4) // 3 + 1
    settings = {
        "population.neuron.shape": f"[{side}, {side}]",
        "population.astrocyte.shape": f"[{astrocytes}, {astrocytes}]",
        "model.duration": f"{milliseconds} ms",
        **changes,
    }
    image = np.zeros((side, side), bool)
    image[side // 4 : 3 * side // 4, side // 3 : 2 * side // 3] = True
    return Request(load(str(file), settings), {"train": image, "test": image}, seed, 1, precision)


def agreement(folder: Path, seeds: int) -> dict:
    """How far the GPU's results are from the processor's."""
    quiet = network(folder, 52, 20, 1, "float64", sigma2="0")
    gpu, cpu = (backends.get(name).run(quiet) for name in ("fused-cuda", "fused"))
    found: dict[str, object] = {
        f"largest difference of {v} without noise": float(
            np.abs(gpu.final["neuron"][v] - cpu.final["neuron"][v]).max()
        )
        for v in ("U", "V", "n_spikes")
    }
    requests = [network(folder, 52, 40, seed, "float32") for seed in range(seeds)]
    later = [replace(r, seed=r.seed + 1000) for r in requests]  # independent samples
    samples = {
        name: _measured(backends.get(name).run_many(group, workers))
        for name, group, workers in (("fused-cuda", requests, 1), ("fused", later, os.cpu_count()))
    }
    for measure in samples["fused"]:
        a, b = (np.array(samples[name][measure]) for name in ("fused-cuda", "fused"))
        found[measure] = {
            "fused-cuda": [float(a.mean()), float(a.std(ddof=1))],
            "fused": [float(b.mean()), float(b.std(ddof=1))],
            "p (Kolmogorov-Smirnov)": float(stats.ks_2samp(a, b).pvalue),
        }
    return found


def _measured(outcomes) -> dict[str, list[float]]:
    finals = [o.final["neuron"] for o in outcomes]
    return {
        "spikes a neuron": [float(f["n_spikes"].mean()) for f in finals],
        "mean of V": [float(f["V"].mean()) for f in finals],
        "variance of V": [float(f["V"].var()) for f in finals],
    }


def sanitised(folder: Path) -> dict[str, str]:
    """What compute-sanitizer says of a small network, with both ways to launch."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        return {"compute-sanitizer": "not installed"}
    tiny = network(folder, 22, 0.3, 1, "float32")
    found = {}
    with tempfile.TemporaryDirectory() as built:
        backend = backends.get("fused-cuda")
        backend.build(tiny, Path(built) / "code", None)
        images = Path(built) / "image.bin"
        tiny.images["train"].astype(float).ravel().tofile(images)
        for tool in ("memcheck", "racecheck", "initcheck", "synccheck"):
            for label, setting in LAUNCHES.items():
                results = Path(built) / "results"
                results.mkdir(exist_ok=True)
                done = subprocess.run(
                    [program, "--tool", tool, "./main", "--results_dir", f"{results}/"],
                    cwd=Path(built) / "code",
                    env=os.environ | {"NEUROGLIA_SEED": "1", "NEUROGLIA_LAUNCH_EACH_STEP": setting},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                lines = [x for x in done.stdout.splitlines() if "SUMMARY" in x]
                found[f"{tool}, {label}"] = lines[-1].strip("= ") if lines else done.stderr[-200:]
    return found


def step(folder: Path, side: int, networks: int, steps: int, backend: str = "fused-cuda") -> float:
    """Microseconds of a step of the loop, all networks together; the fastest of three runs."""
    precision = "float32" if backend != "cuda" else "float64"
    requests = [
        network(
            folder, side, steps * 0.002, seed, precision, **{"stimulus.train.start": "1 second"}
        )
        for seed in range(networks)
    ]
    best = np.inf
    for _ in range(3):
        outcome = backends.get(backend).run_many(requests)[0]
        assert outcome.loop_seconds is not None
        best = min(best, outcome.loop_seconds / steps * 1e6)
    return float(best)


def brian2cuda_step(folder: Path, side: int) -> float:
    """Microseconds of a step of brian2cuda's program: a long run less a short one."""
    backend = backends.get("cuda")
    runs = [network(folder, side, length, 1, "float64") for length in (2, 10)]
    for run in runs:
        backend.run(run)  # compiles
    short, long = (min(backend.run(r).run_seconds for _ in range(2)) for r in runs)
    return (long - short) / 4000 * 1e6


def bandwidth(folder: Path, tools: toolkit.Toolkit, architecture: str) -> float:
    """Bytes a second of a copy."""
    program = folder / "copy"
    source = Path(__file__).with_name("copy.cu")
    command = [str(tools.nvcc), "-O3", f"-arch={architecture}", str(source), "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True)
    return float(subprocess.run([program], check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Read the options and run."""
    hush()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("."))
    parser.add_argument(
        "--quick", action="store_true", help="fewer seeds and steps, no 4096 x 4096"
    )
    parser.add_argument("--without-brian2cuda", action="store_true")
    arguments = parser.parse_args()
    gpu, tools = toolkit.gpu(), toolkit.find()
    print(f"{gpu.name}, {tools.line}, {datetime.date.today()}")
    sizes = {(130, 1): 20000, (1024, 1): 2000, (4096, 1): 200, (130, 256): 2000}
    if arguments.quick:
        sizes = {(130, 1): 5000, (1024, 1): 500, (130, 64): 500}
    with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch:
        folder = Path(scratch)
        peak = bandwidth(folder, tools, gpu.architecture)
        found: dict[str, object] = {"gpu": gpu.name, "compiler": tools.line, "copy B/s": peak}
        print(f"a copy moves {peak / 1e9:.0f} GB/s")
        rows = found["us a step"] = {}
        for (side, networks), steps in sizes.items():
            for label, setting in LAUNCHES.items():
                os.environ["NEUROGLIA_LAUNCH_EACH_STEP"] = setting
                taken = step(folder, side, networks, steps)
                limit = networks * side**2 * BYTES / peak * 1e6
                name = f"{networks} x {side} x {side}, {label}"
                rows[name] = {"us": taken, "of the bandwidth": limit / taken}
                print(f"{name:45} {taken:10.2f} us  {limit / taken:6.1%} of the bandwidth")
        os.environ.pop("NEUROGLIA_LAUNCH_EACH_STEP")
        found["agreement"] = agreement(folder, 5 if arguments.quick else 20)
        print(json.dumps(found["agreement"], indent=2))
        found["sanitizer"] = sanitised(folder)
        print(json.dumps(found["sanitizer"], indent=2))
        if not arguments.without_brian2cuda:
            rows["brian2cuda, 130 x 130"] = {"us": brian2cuda_step(folder, 130)}
            print(f"brian2cuda {rows['brian2cuda, 130 x 130']['us']:.1f} us a step")
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "gpu.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
