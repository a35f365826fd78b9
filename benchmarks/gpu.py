"""Everything that takes a GPU, in one go: agreement with the processor, memory checks, microseconds a step.

    python benchmarks/gpu.py [--out DIR] [--quick] [--without-brian2cuda]

Needs a GPU, a C++ compiler and ``pip install 'neuroglia_snn[cuda]'`` (or a CUDA toolkit of the system for all
but brian2cuda); takes less than ten minutes on an H100. Writes ``gpu.json`` and prints what
docs/performance.md shows.

- Agreement: `fused-cuda` against `fused` without noise (float64, to rounding; events), and in 20 seeds each
  with noise (float32): spikes, mean potential and its variance, two-sample Kolmogorov-Smirnov tests at 1 %;
  one network alone, launched step by step, against the same among others in one launch: equal bits.
- compute-sanitizer's memcheck, racecheck, initcheck and synccheck on a small network, where it is installed.
- Time of the loop alone, as the program takes it: one launch a step, and many steps in one launch; for
  one network of 130 x 130, 1024 x 1024 and 4096 x 4096 neurons, and 256 networks of 130 x 130; beside
  brian2cuda, and, where the states do not fit in caches, as a share of a copy of memory measured in the
  same run. A neuron's step reads and writes its state and reads its input, 20 bytes in single precision.

Exit status 1 says that something is not as it should be.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

from neuroglia_snn import backends, load
from neuroglia_snn.backends import toolkit
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian.quiet import hush
from neuroglia_snn.errors import BackendError

BYTES = 20  # U and V read and written, I_astro read: 4 bytes each
#: Beyond the caches of any GPU: only then is a share of the memory's bandwidth meant.
LARGE = 200e6
BARE = """
[model]
extends = "noise_induced_memory"
remove = ["record.frames", "record.traces", "record.calcium", "experiment"]
"""
EVENTS = """
[record.spikes]
population = "neuron"
events = true
"""
LATE = {"stimulus.train.start": "1 second"}  # no stimulus in short runs
LAUNCHES = {"one launch a step": "1", "many steps a launch": "0"}


def network(
    folder: Path,
    side: int,
    milliseconds: float,
    seed: int,
    precision: str,
    more: str = "",
    **changes,
):
    """The memory model on a lattice of another size; a rectangle is shown from its start."""
    file = folder / "bare.toml"
    file.write_text(BARE + more)
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
    """How far the GPU's results are from the processor's, and whether that is as it should be."""
    quiet = network(folder, 52, 20, 1, "float64", EVENTS, sigma2="0")
    gpu, cpu = (backends.get(name).run(quiet) for name in ("fused-cuda", "fused"))
    found: dict[str, dict] = {}
    for v in ("U", "V", "n_spikes"):
        difference = float(np.abs(gpu.final["neuron"][v] - cpu.final["neuron"][v]).max())
        found[f"{v} without noise"] = {"largest difference": difference, "good": difference < 1e-9}
    same = all(
        np.array_equal(a, b)
        for a, b in zip(gpu.events["spikes"], cpu.events["spikes"], strict=True)
    )
    found["events without noise"] = {"number": gpu.events["spikes"][0].size, "good": same}
    requests = [network(folder, 52, 40, seed, "float32") for seed in range(seeds)]
    together = backends.get("fused-cuda").run_many(requests, os.cpu_count() or 1)
    os.environ["NEUROGLIA_LAUNCH_EACH_STEP"] = "1"
    alone = backends.get("fused-cuda").run(requests[-1])
    os.environ.pop("NEUROGLIA_LAUNCH_EACH_STEP")
    bits = np.array_equal(alone.final["neuron"]["V"], together[-1].final["neuron"]["V"])
    found["alone, a launch a step, against together"] = {"good": bool(bits)}
    later = [replace(r, seed=r.seed + 1000) for r in requests]  # independent samples
    others = backends.get("fused").run_many(later, os.cpu_count() or 1)
    gpu_samples, cpu_samples = _measured(together), _measured(others)
    for measure, values in gpu_samples.items():
        a, b = np.array(values), np.array(cpu_samples[measure])
        p = float(stats.ks_2samp(a, b).pvalue)
        found[measure] = {
            "fused-cuda": [float(a.mean()), float(a.std(ddof=1))],
            "fused": [float(b.mean()), float(b.std(ddof=1))],
            "p (Kolmogorov-Smirnov)": p,
            "good": p > 0.01,
        }
    return found


def _measured(outcomes) -> dict[str, list[float]]:
    finals = [o.final["neuron"] for o in outcomes]
    return {
        "spikes a neuron": [float(f["n_spikes"].mean()) for f in finals],
        "mean of V": [float(f["V"].mean()) for f in finals],
        "variance of V": [float(f["V"].var()) for f in finals],
    }


def sanitised(folder: Path) -> dict[str, dict]:
    """What compute-sanitizer says of a small network that spikes, with both ways to launch.

    The backend runs its program as ever; in a build cache of its own, the program is a script that
    runs the compiled one under the tool.
    """
    tool_path = shutil.which("compute-sanitizer")
    if tool_path is None:
        return {"compute-sanitizer": {"said": "not installed", "good": True}}
    tiny = network(folder, 22, 2, 1, "float32", EVENTS)
    backend, found = backends.get("fused-cuda"), {}
    before = os.environ.get("NEUROGLIA_CACHE")
    os.environ["NEUROGLIA_CACHE"] = str(folder / "sanitised")
    try:
        backend.run(tiny)
        (program,) = (folder / "sanitised").glob("*/main")
        real = program.rename(program.with_name("main.compiled"))
        for tool in ("memcheck", "racecheck", "initcheck", "synccheck"):
            for label, setting in LAUNCHES.items():
                log = folder / "sanitizer.log"
                program.write_text(
                    f"#!/bin/sh\nexec {tool_path} --tool {tool} --error-exitcode 9 --log-file {log}"
                    f' {real} "$@"\n'
                )
                program.chmod(0o755)
                os.environ["NEUROGLIA_LAUNCH_EACH_STEP"] = setting
                try:
                    backend.run(tiny)
                    good = True
                except BackendError:
                    good = False
                lines = [x for x in log.read_text().splitlines() if "SUMMARY" in x]
                said = lines[-1].strip("= ") if lines else "nothing"
                found[f"{tool}, {label}"] = {"said": said, "good": good}
    finally:
        os.environ.pop("NEUROGLIA_LAUNCH_EACH_STEP", None)
        os.environ.pop("NEUROGLIA_CACHE")
        if before is not None:
            os.environ["NEUROGLIA_CACHE"] = before
    return found


def step(
    folder: Path, side: int, networks: int, steps: int, precision: str = "float32", rounds: int = 2
) -> float:
    """Microseconds of a step of the loop, all networks together; the fastest of some runs."""
    requests = [
        network(folder, side, steps * 0.002, seed, precision, **LATE) for seed in range(networks)
    ]
    best = np.inf
    for _ in range(rounds):
        outcome = backends.get("fused-cuda").run_many(requests, os.cpu_count() or 1)[0]
        assert outcome.loop_seconds is not None
        best = min(best, outcome.loop_seconds / steps * 1e6)
    return float(best)


def brian2cuda_step(folder: Path, side: int) -> float:
    """Microseconds of a step of brian2cuda's program (float64): a long run less a short one."""
    backend = backends.get("cuda")
    runs = [network(folder, side, length, 1, "float64", **LATE) for length in (2, 10)]
    for run in runs:
        backend.run(run)  # compiles
    short, long = (min(backend.run(r).run_seconds for _ in range(2)) for r in runs)
    return (long - short) / 4000 * 1e6


def bandwidth(folder: Path, tools: toolkit.Toolkit, architecture: str) -> float:
    """Bytes a second of a copy."""
    program = folder / "copy"
    source = Path(__file__).with_name("copy.cu")
    command = [str(tools.nvcc), "-O3", f"-arch={architecture}", f"-L{tools.libraries}"]
    subprocess.run([*command, str(source), "-o", str(program)], check=True)
    return float(subprocess.run([program], check=True, capture_output=True, text=True).stdout)


def timings(folder: Path, sizes: dict, peak: float) -> dict[str, dict]:
    """The table of microseconds a step."""
    rows: dict[str, dict] = {}
    for (side, networks, precision), steps in sizes.items():
        for label, setting in LAUNCHES.items():
            os.environ["NEUROGLIA_LAUNCH_EACH_STEP"] = setting
            taken = step(folder, side, networks, steps, precision)
            os.environ.pop("NEUROGLIA_LAUNCH_EACH_STEP")
            moved = networks * side**2 * BYTES * (1 if precision == "float32" else 2)
            share = moved / peak * 1e6 / taken if moved > LARGE else None
            name = f"{networks} x {side} x {side}, {precision}, {label}"
            rows[name] = {"us": taken, "of the bandwidth": share}
            print(f"{name:50} {taken:10.2f} us" + (f"  {share:6.1%}" if share else ""), flush=True)
    return rows


def main() -> int:
    """Read the options and run; 1 if anything is not as it should be."""
    hush()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("."))
    parser.add_argument(
        "--quick", action="store_true", help="fewer seeds and steps, no 4096 x 4096"
    )
    parser.add_argument("--without-brian2cuda", action="store_true")
    arguments = parser.parse_args()
    gpu, tools = toolkit.gpu(), toolkit.find()
    os.environ["CUDA_MODULE_LOADING"] = "EAGER"  # not within the loop that is timed
    print(f"{gpu.name}, {tools.line}, {datetime.date.today()}", flush=True)
    sizes = {(130, 1, "float32"): 20000, (130, 1, "float64"): 20000, (1024, 1, "float32"): 2000}
    sizes |= {(130, 256, "float32"): 2000, (4096, 1, "float32"): 500}
    if arguments.quick:
        sizes = {(130, 1, "float32"): 5000, (1024, 1, "float32"): 500, (130, 64, "float32"): 500}
    found: dict[str, object] = {"gpu": gpu.name, "compiler": tools.line}
    good = True
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch:
        folder = Path(scratch)
        sections: dict[str, Callable[[], object]] = {
            "copy B/s": lambda: bandwidth(folder, tools, gpu.architecture),
            "agreement": lambda: agreement(folder, 5 if arguments.quick else 20),
            "us a step": lambda: timings(folder, sizes, float(str(found.get("copy B/s", "nan")))),
            "sanitizer": lambda: sanitised(folder),
            "brian2cuda us a step, 130 x 130": lambda: brian2cuda_step(folder, 130),
        }
        if arguments.without_brian2cuda:
            sections.popitem()
        for name, section in sections.items():
            try:
                found[name] = section()
            except Exception as error:  # the other sections still count
                found[name], good = f"failed: {error}", False
            if isinstance(found[name], dict):
                good = good and all(row.get("good", True) for row in found[name].values())
            print(json.dumps({name: found[name]}, indent=2), flush=True)
            (arguments.out / "gpu.json").write_text(json.dumps(found, indent=2) + "\n")
    print("all as it should be" if good else "NOT all as it should be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
