"""Everything that takes a GPU: microseconds a step, agreement with the processor, memory checks.

    python benchmarks/gpu.py [--out DIR] [--quick] [--minutes 9] [--only TEXT]

Needs a GPU, a C++ compiler, make, ``nvcc`` with its headers (of the system, or ``pip install
'neuroglia_snn[nvcc]'``); brian2cuda's part needs the extra ``cuda``, the comparison of
distributions SciPy, the checks of memory compute-sanitizer. A part that fails, or takes longer than
it may, is noted and the next begins; what does not fit into the minutes is left out, and said.
``gpu.json`` and ``gpu.md`` (the table of docs/performance.md) in DIR are written anew after every
part.

- Time of the loop alone, as the program takes it, launched in each of three ways (step by step, as a
  graph, many steps in one cooperative launch), and which is best: one network of 130 x 130, 1024 x 1024
  and 4096 x 4096 neurons, and 256 networks of 130 x 130; where the states do not fit in caches, as a
  share of a copy of memory measured in the same run. A neuron's step reads and writes its state and reads
  its input, 20 bytes in single precision.
- Agreement: `fused-cuda` against `fused` without noise (float64, to rounding; events), and in 20 seeds
  each with noise (float32): spikes, mean potential and its variance, two-sample Kolmogorov-Smirnov tests
  at 1 %. Networks of one launch against the same alone: equal bits. The ways to launch against each
  other, over a short time: to rounding (they are compiled apart).
- compute-sanitizer's memcheck, racecheck, initcheck and synccheck on a small network.
- brian2cuda's step of the same network.

Exit status 1 says that something is not as it should be.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neuroglia_snn import backends, load
from neuroglia_snn.backends import toolkit
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.backends.brian.quiet import hush
from neuroglia_snn.errors import BackendError, UserError

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
LAUNCHES = ("step", "graph", "cooperative")
MILLISECOND = 500  # steps
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
SHORTEST = 5.0  # seconds that are worth beginning a part
MANY = 10000  # steps so cheap that they are timed twice
#: Neurons a side, networks, precision: steps.
SIZES = {
    (130, 1, "float32"): 20000,
    (130, 256, "float32"): 2000,
    (130, 1, "float64"): 20000,
    (1024, 1, "float32"): 2000,
    (4096, 1, "float32"): 500,
}
QUICK = {(130, 1, "float32"): 5000, (130, 64, "float32"): 500, (1024, 1, "float32"): 500}


def network(
    folder: Path, side: int, steps: int, seed: int, precision: str, more: str = "", **changes
) -> Request:
    """The memory model on a lattice of another size; a rectangle is shown from its start."""
    file = folder / "bare.toml"
    file.write_text(BARE + more)
    astrocytes = (side - 4) // 3 + 1
    settings = {
        "population.neuron.shape": f"[{side}, {side}]",
        "population.astrocyte.shape": f"[{astrocytes}, {astrocytes}]",
        "model.duration": f"{steps / MILLISECOND} ms",
        **changes,
    }
    image = np.zeros((side, side), bool)
    image[side // 4 : 3 * side // 4, side // 3 : 2 * side // 3] = True
    return Request(load(str(file), settings), {"train": image, "test": image}, seed, 1, precision)


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """Environment variables, and all as it was afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def run(requests: list[Request], launch: str = "cooperative") -> list[Outcome]:
    """Run networks together."""
    with environment(NEUROGLIA_LAUNCH=launch):
        return backends.get("fused-cuda").run_many(requests, os.cpu_count() or 1)


# ------------------------------------------------------------------------ parts


@dataclass
class Bench:
    """What all parts use; each part gives a row of results, ``good`` where it can be judged."""

    folder: Path
    tools: toolkit.Toolkit
    architecture: str
    quick: bool
    peak: float | None = None
    sanitised: Path | None = None

    def copy(self) -> dict:
        """The memory's bandwidth."""
        program, source = self.folder / "copy", Path(__file__).with_name("copy.cu")
        command = [str(self.tools.nvcc), "-O3", f"-arch={self.architecture}"]
        command += [f"-L{self.tools.libraries}", str(source), "-o", str(program)]
        subprocess.run(command, check=True)
        done = subprocess.run([program], check=True, capture_output=True, text=True)
        self.peak = float(done.stdout)
        return {"bytes a second": self.peak}

    def step(self, side: int, networks: int, precision: str, steps: int) -> dict:
        """Microseconds of a step of the loop, all networks together; what is there when time is up."""
        requests = [
            network(self.folder, side, steps, seed, precision, **LATE) for seed in range(networks)
        ]
        row: dict[str, object] = {"steps": steps}
        taken: dict[str, float] = {}
        for launch in LAUNCHES:
            try:
                outcomes = [run(requests, launch)[0] for _ in range(2 if steps > MANY else 1)]
            except TimeoutError as error:
                if not taken:
                    raise
                row["stopped"] = str(error)
                break
            taken[launch] = min(o.loop_seconds or np.inf for o in outcomes) / steps * 1e6
            row[f"{launch}, us"] = round(taken[launch], 3)
            row["GPU memory, MiB"] = int(str(outcomes[0].details["gpu_memory_bytes"])) >> 20
            print(f"    {launch:12} {taken[launch]:10.2f} us a step", flush=True)
        row["best"] = min(taken, key=lambda launch: taken[launch])
        moved = networks * side**2 * BYTES * (1 if precision == "float32" else 2)
        if moved > LARGE and self.peak:
            row["of the bandwidth"] = round(moved / self.peak * 1e6 / min(taken.values()), 3)
        return row

    def without_noise(self) -> dict:
        """The processor's potentials to rounding, and its events."""
        quiet = network(self.folder, 52, 10000, 1, "float64", EVENTS, sigma2="0")
        gpu, cpu = run([quiet])[0], backends.get("fused").run(quiet)
        worst = max(
            float(np.abs(gpu.final["neuron"][v] - cpu.final["neuron"][v]).max())
            for v in ("U", "V", "n_spikes")
        )
        pairs = zip(gpu.events["spikes"], cpu.events["spikes"], strict=True)
        same = all(np.array_equal(a, b) for a, b in pairs)
        number = int(gpu.events["spikes"][0].size)
        return {"largest difference": worst, "events": number, "good": worst < 1e-9 and same}

    def ways_to_launch(self) -> dict:
        """The same networks, launched in every way and alone."""
        requests = [network(self.folder, 52, 200, seed, "float64") for seed in range(3)]
        final = {x: [o.final["neuron"]["V"] for o in run(requests, x)] for x in LAUNCHES}
        alone = run(requests[-1:])[0].final["neuron"]["V"]
        bits = bool(np.array_equal(alone, final["cooperative"][-1]))
        others = np.array([final[x] for x in LAUNCHES])
        worst = float(np.abs(others - others[-1]).max())
        return {
            "alone: equal bits": bits,
            "largest difference": worst,
            "good": bits and worst < 1e-9,
        }

    def distributions(self) -> dict:
        """Spikes and potentials of independent samples of both."""
        from scipy import stats

        seeds = range(5 if self.quick else 20)
        requests = [network(self.folder, 52, 20000, seed, "float32") for seed in seeds]
        later = [replace(r, seed=r.seed + 1000) for r in requests]
        ours = _measured(run(requests))
        others = _measured(backends.get("fused").run_many(later, os.cpu_count() or 1))
        row: dict[str, object] = {}
        p = {m: float(stats.ks_2samp(values, others[m]).pvalue) for m, values in ours.items()}
        for measure in ours:
            row[f"{measure}, fused-cuda"] = [np.mean(ours[measure]), np.std(ours[measure], ddof=1)]
            row[f"{measure}, fused"] = [np.mean(others[measure]), np.std(others[measure], ddof=1)]
            row[f"{measure}, p"] = p[measure]
        return row | {"good": min(p.values()) > 0.01}

    def sanitise(self, tool: str) -> dict:
        """What compute-sanitizer says of a small network that spikes, launched in every way.

        The backend runs its program as ever; in a build cache of its own, the program is a script
        that runs the compiled one under the tool.
        """
        checker = shutil.which("compute-sanitizer")
        if checker is None:
            return {"said": "compute-sanitizer is not installed"}
        tiny = network(self.folder, 22, 300, 1, "float32", EVENTS)
        cache, log = self.folder / "sanitised", self.folder / "sanitizer.log"
        row: dict[str, object] = {}
        good = True
        with environment(NEUROGLIA_CACHE=str(cache)):
            if self.sanitised is None:
                run([tiny])
                (program,) = cache.glob("*/main")
                program.rename(program.with_name("main.compiled"))
                self.sanitised = program
            for launch in LAUNCHES:
                log.unlink(missing_ok=True)
                self.sanitised.write_text(
                    f"#!/bin/sh\nexec {checker} --tool {tool} --error-exitcode 9 --log-file {log}"
                    f' {self.sanitised}.compiled "$@"\n'
                )
                self.sanitised.chmod(0o755)
                try:
                    run([tiny], launch)
                except BackendError as error:
                    good, row[f"{launch}, error"] = False, str(error)
                said = log.read_text().splitlines() if log.exists() else []
                summaries = [x.strip("= ") for x in said if "SUMMARY" in x]
                row[launch] = summaries[-1] if summaries else "nothing"
                good = good and bool(summaries)
        return row | {"good": good}

    def brian2cuda(self) -> dict:
        """Microseconds of a step of brian2cuda's program (float64), of its loop as it takes it itself."""
        steps = 5000
        request = network(self.folder, 130, steps, 1, "float64", **LATE)
        taken = [
            (backends.get("cuda").run(request).loop_seconds or np.inf) / steps * 1e6
            for _ in range(3)  # the first compiles
        ]
        low, middle, high = sorted(taken)
        return {"steps": steps, "us": round(middle, 2), "range": [round(low, 2), round(high, 2)]}


def _measured(outcomes: list[Outcome]) -> dict[str, list[float]]:
    finals = [o.final["neuron"] for o in outcomes]
    return {
        "spikes a neuron": [float(f["n_spikes"].mean()) for f in finals],
        "mean of V": [float(f["V"].mean()) for f in finals],
        "variance of V": [float(f["V"].var()) for f in finals],
    }


def parts(bench: Bench, sizes: dict) -> dict[str, tuple[float, Callable[[], dict]]]:
    """What is done, in order of worth: name to (seconds at most, what does it)."""

    def timing(case: tuple[int, int, str], steps: int) -> Callable[[], dict]:
        return lambda: bench.step(*case, steps)

    steps = {f"{n} x {s} x {s}, {p}": timing((s, n, p), k) for (s, n, p), k in sizes.items()}
    first, *rest = steps
    several = {f"compute-sanitizer {tool}": tool for tool in TOOLS}
    return {
        "copy": (60, bench.copy),
        first: (120, steps[first]),
        "without noise": (90, bench.without_noise),
        "ways to launch": (90, bench.ways_to_launch),
        **{name: (180, steps[name]) for name in rest},
        "distributions": (120, bench.distributions),
        **{n: (100, lambda tool=t: bench.sanitise(tool)) for n, t in several.items()},
        "brian2cuda, 130 x 130, float64": (240, bench.brian2cuda),
    }


# ------------------------------------------------------------------------ carrying out


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Stop what is within when its time is up; a program that runs then is killed."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"took more than {seconds:.0f} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def carry_out(
    work: dict[str, tuple[float, Callable[[], dict]]], minutes: float, write: Callable[[dict], None]
) -> dict[str, dict]:
    """Every part within its time and all within theirs; ``write`` is given the rows after each."""
    end = time.monotonic() + 60 * minutes
    rows: dict[str, dict] = {}
    for name, (seconds, part) in work.items():
        begin = time.monotonic()
        left = min(seconds, end - begin)
        print(f"{name} ...", flush=True)
        try:
            if left <= SHORTEST:
                raise TimeoutError("left out: no time was left")
            with at_most(left):
                rows[name] = part()
        except Exception as error:  # the other parts still count
            rows[name] = {"failed": f"{type(error).__name__}: {error}"[:500], "good": False}
        rows[name]["seconds"] = round(time.monotonic() - begin, 1)
        print(f"  {json.dumps(rows[name], default=float)}", flush=True)
        write(rows)
    return rows


def table(head: dict, rows: dict[str, dict]) -> str:
    """All rows as Markdown."""
    lines = [f"{key}: {value}  " for key, value in head.items()]
    lines += ["", "| | step, us | graph, us | cooperative, us | best | of the bandwidth |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, row in rows.items():
        if "best" in row:
            share = f"{row['of the bandwidth']:.0%}" if "of the bandwidth" in row else ""
            times = " | ".join(str(row.get(f"{launch}, us", "")) for launch in LAUNCHES)
            lines.append(f"| {name} | {times} | {row['best']} | {share} |")
    lines.append("")
    for name, row in rows.items():
        if "best" not in row:
            mark = {True: "as it should be: ", False: "NOT as it should be: "}.get(
                row.get("good"), ""
            )
            said = (f"{k} {v}" for k, v in row.items() if k != "good")
            lines.append(f"- {name}: {mark}{'; '.join(said)}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Read the options and run; 1 if anything is not as it should be."""
    hush()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--quick", action="store_true", help="fewer seeds, sizes and steps")
    parser.add_argument("--minutes", type=float, default=9, help="in which all ends (default 9)")
    parser.add_argument("--only", default="", metavar="TEXT", help="parts whose names hold it")
    arguments = parser.parse_args()
    try:
        gpu, tools = toolkit.gpu(), toolkit.find()
        toolkit.require_driver(gpu, tools)
    except UserError as error:
        print(f"gpu.py: {error}", file=sys.stderr)
        return 2
    os.environ["CUDA_MODULE_LOADING"] = "EAGER"  # not within the loop that is timed
    head = {"GPU": gpu.name, "compiler": tools.line, "date": str(datetime.date.today())}
    print(", ".join(head.values()), flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)

    def write(rows: dict[str, dict]) -> None:
        text = json.dumps({**head, "parts": rows}, indent=2, default=float)
        (arguments.out / "gpu.json").write_text(text + "\n")
        (arguments.out / "gpu.md").write_text(table(head, rows))

    with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch:
        bench = Bench(Path(scratch), tools, gpu.architecture, arguments.quick)
        work = parts(bench, QUICK if arguments.quick else SIZES)
        work = {name: part for name, part in work.items() if arguments.only in name}
        rows = carry_out(work, arguments.minutes, write)
    print((arguments.out / "gpu.md").read_text() if rows else "no such part")
    good = bool(rows) and all(row.get("good", True) for row in rows.values())
    print("all as it should be" if good else "NOT all as it should be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
