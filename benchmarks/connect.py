"""Time `brian2.Synapses.connect` on the device ``neuroglia`` and on Brian2's own, and its peak memory.

    python benchmarks/connect.py [--rules p=0.1 ...] [--rounds 3]
    python benchmarks/connect.py --large

Every measurement is a process of its own; in each round all run in turn. Seconds are processor time. Ours
and Brian2's runtime count the whole call, with Brian2's translation of the rule; Cython has compiled the
rule before, in a first `connect` that is not timed. Brian2's standalone makes connections in the compiled
program: its seconds are those of the call there, without the compiler, its memory is the program's.
``--large`` makes 10^8 static synapses (31,623 neurons, p = 0.1) on our device and runs 100 steps.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAYS = ("neuroglia", "numpy", "cython", "cpp_standalone")
#: Neurons, the arguments of `connect`, and options of the synapses.
RULES = {
    "p=0.02": (4_000, {"p": 0.02}, {}),
    "p=0.1": (10_000, {"p": 0.1}, {}),
    "i!=j, p=0.1": (10_000, {"condition": "i != j", "p": 0.1}, {}),
    "i<3200, p=0.02": (4_000, {"condition": "i < 3200", "p": 0.02}, {}),
    "abs(i-j)<5": (4_000, {"condition": "abs(i - j) < 5"}, {}),
    "one to one": (200_000, {"j": "i"}, {}),
    "sample(p=0.1)": (10_000, {"j": "k for k in sample(N_post, p=0.1)"}, {}),
    "sample(size=1000)": (10_000, {"j": "k for k in sample(N_post, size=1000)"}, {}),
    "p of distance": (3_000, {"p": "0.5*exp(-((x_pre - x_post)/100)**2)"}, {}),
    "all to all": (4_000, {}, {}),
    "p=0.1, n=2": (4_000, {"p": 0.1, "n": 2}, {}),
    "p=0.1, n=2, k": (4_000, {"p": 0.1, "n": 2}, {"multisynaptic_index": "k"}),
    "subgroups": (8_000, {"p": 0.1}, {"part": True}),
    "arrays": (10_000, None, {}),
}


def synapses(rule: str, size: int | None = None):
    """The synapses of a rule, not connected yet, what to connect with, and the neurons."""
    import numpy as np
    from brian2 import NeuronGroup, Synapses

    count, given, options = RULES[rule]
    count = size or count
    options = dict(options)
    neurons = NeuronGroup(count, "v : 1\nx : 1", threshold="v > 1", reset="", name="neurons")
    neurons.x = "i"
    part = options.pop("part", False)
    source, target = (neurons[count // 2 :], neurons[: count // 2]) if part else (neurons, neurons)
    made = Synapses(source, target, on_pre="v_post += 0.1", name="made", **options)
    if given is None:
        draws = np.random.default_rng(0).integers(0, count, (2, count * min(count, 1000)))
        given = {"i": draws[0], "j": draws[1]}
    return made, given, neurons


def measure_one(rule: str, way: str) -> dict[str, float]:
    """Processor time of one `connect` in s, and what it added to the peak of memory in MiB."""
    import brian2

    if way == "neuroglia":
        import neuroglia_snn.brian  # noqa: F401

        brian2.set_device("neuroglia")
    elif way == "cpp_standalone":
        return _standalone(rule)
    else:
        brian2.prefs.codegen.target = way
    brian2.seed(1)
    first, given, neurons = synapses(rule, size=1_000)
    first.connect(**given)
    del first, neurons  # Brian2 compiles for the names of objects
    gc.collect()
    made, given, _neurons = synapses(rule)
    before = _peak()
    began = time.process_time()
    made.connect(**given)
    seconds = time.process_time() - began
    return {"synapses": len(made), "seconds": seconds, "peak": _peak() - before}


def _standalone(rule: str) -> dict[str, float]:
    """Processor time of the call in ``main.cpp``."""
    import brian2

    with tempfile.TemporaryDirectory() as folder:
        brian2.set_device("cpp_standalone", build_on_run=False, directory=folder)
        brian2.seed(1)
        made, given, _neurons = synapses(rule)
        device = brian2.get_device()
        device.insert_code("main", "clock_t began = clock();")
        made.connect(**given)
        spent = "double(clock() - began)/CLOCKS_PER_SEC"
        device.insert_code("main", f'printf("connect %.6f\\n", {spent}); fflush(stdout);')
        device.insert_code("main", 'if (system("grep VmHWM /proc/$PPID/status")) return 1;')
        brian2.run(0 * brian2.ms)
        device.build(run=False, compile=True, directory=folder, with_output=False)
        done = subprocess.run(["./main"], cwd=folder, capture_output=True, text=True, check=True)
        seconds, peak = re.findall(r"^connect (\S+)|VmHWM:\s+(\d+)", done.stdout, re.M)
        count = (
            os.path.getsize(next(Path(folder).glob("results/_dynamic_array_*_synaptic_pre*"))) / 4
        )
        return {"synapses": count, "seconds": float(seconds[0]), "peak": int(peak[1]) / 1024}


def _peak() -> float:
    """Peak resident memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_large() -> dict[str, float]:
    """10^8 static synapses of one weight and one delay, made and run for 100 steps.

    Processor time in s, peaks in MiB.
    """
    import brian2
    from brian2 import NeuronGroup, Synapses, ms

    import neuroglia_snn.brian  # noqa: F401

    brian2.set_device("neuroglia")
    brian2.seed(1)
    neurons = NeuronGroup(
        31_623,
        "dv/dt = (1.1 - v)/(20*ms) : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
    )
    neurons.v = "rand()"
    made = Synapses(neurons, neurons, on_pre="v_post += 1e-5", delay=1.5 * ms)
    began = time.process_time()
    made.connect(p=0.1)
    connected = time.process_time()
    peak = _peak()
    brian2.run(10 * ms)
    ended = time.process_time()
    return {
        "synapses": len(made),
        "connect": connected - began,
        "connect peak": peak,
        "run": ended - connected,
        "loop": brian2.get_device()._last_run_time,
        "peak": _peak(),
    }


def _in_process(*given: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", *given]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure_large() if len(given.one) == 1 else measure_one(*given.one)))
        return
    if given.large:
        for name, value in _in_process("large").items():
            print(f"{name:>14} {value:,.2f}")
        return
    ways = [w for w in given.ways if w != "cpp_standalone" or shutil.which("g++")]
    print(
        f"{'rule':>18} {'way':>15} {'synapses':>11} {'seconds':>8} {'M/s':>7} {'MiB':>6} {'ratio':>6}"
    )
    for rule in given.rules:
        rounds = [{way: _in_process(rule, way) for way in ways} for _ in range(given.rounds)]
        for way in ways:
            seconds = statistics.median(r[way]["seconds"] for r in rounds)
            ratio = statistics.median(r[way]["seconds"] / r[ways[0]]["seconds"] for r in rounds)
            count, peak = rounds[0][way]["synapses"], max(r[way]["peak"] for r in rounds)
            print(
                f"{rule:>18} {way:>15} {count:>11,.0f} {seconds:>8.3f} {count / seconds / 1e6:>7.2f} "
                f"{peak:>6.0f} {ratio:>6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
