"""Networks on Lava beside our own loop: microseconds a step, and seconds before the first one.

Every run is a process of its own, cases in turn within a round. The time of a step is that of the loop (Lava's
processes started, integers made); the seconds before it are those of a script from its first line to the end of
its first time step, with what has to be compiled (``empty``) and with all of it kept (``kept``).

    python benchmarks/on_lava.py --rounds 3
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rounds import in_turn, ratio, spread

#: Microseconds a step of the memory model that version 0.2 took on Lava in fixed point.
BEFORE = 390.0
TARGETS = {"cpp": "fused", "lava": "lava", "lava-messages": "lava-messages"}
Case = tuple[str, str, str]


def memory(target: str, precision: str) -> dict[str, float]:
    """The memory experiment's lattice with its astrocytes, without images: 25,000 steps."""
    from neuroglia_snn import backends
    from neuroglia_snn.backends.base import Request, blank_images
    from neuroglia_snn.catalog.load import load

    model = load("noise_induced_memory", {"model.duration": "50 ms"})
    request = Request(model, blank_images(model), 1, precision=precision)
    outcome = backends.get(TARGETS[target]).run(request)
    assert outcome.loop_seconds is not None
    return {"us": 1e6 * outcome.loop_seconds / round(model.duration / model.dt)}


def coba(target: str, precision: str) -> dict[str, float]:
    """4,000 neurons for a second."""
    sys.path.insert(0, str(Path(__file__).parent / "networks"))
    import brian2
    import in_brian

    device = _device(target, precision)
    brian2.seed(1)
    neurons, others = in_brian.coba()
    spikes = brian2.SpikeMonitor(neurons)
    began = time.monotonic()
    brian2.Network(neurons, *others, spikes).run(1 * brian2.second)
    steps = round(1 / float(brian2.defaultclock.dt))
    return {
        "us": 1e6 * device._last_run_time / steps,
        "seconds": time.monotonic() - began,
        "spikes": float(spikes.num_spikes),
    }


def ten(target: str, precision: str) -> dict[str, float]:
    """Ten populations of 100 neurons in a ring of synapses with delays: one step of them."""
    began = time.monotonic()
    import brian2

    _device(target, precision)
    brian2.seed(1)
    ms = brian2.ms
    groups = [
        brian2.NeuronGroup(
            100,
            "dv/dt = (1.5 + g - v)/(10*ms) : 1\ndg/dt = -g/(5*ms) : 1",
            threshold="v > 1",
            reset="v = 0",
            method="exact",
            name=f"population{k}",
        )
        for k in range(10)
    ]
    synapses = []
    for k, group in enumerate(groups):
        one = brian2.Synapses(
            group, groups[(k + 1) % 10], on_pre="g_post += 0.1", name=f"ring{k}", delay=1 * ms
        )
        one.connect(p=0.1)
        synapses.append(one)
    network = brian2.Network(*groups, *synapses)
    network.run(brian2.defaultclock.dt)
    return {"first": time.monotonic() - began}


def _device(target: str, precision: str):
    import brian2
    from brian2.devices.device import get_device

    import neuroglia_snn.brian  # noqa: F401

    brian2.set_device("neuroglia", target=target, precision=precision)
    return get_device()


NETWORKS: dict[str, Callable[[str, str], dict[str, float]]] = {
    "memory": memory,
    "coba": coba,
    "ten": ten,
}
CASES: list[Case] = [
    *(("memory", t, p) for p in ("float64", "fixed") for t in ("cpp", "lava")),
    *(("coba", t, p) for p in ("float64", "fixed") for t in ("cpp", "lava")),
    *(("ten", "lava", p) for p in ("float64", "fixed")),
]


def measured(case: Case, cache: Path | None) -> dict[str, float]:
    """What a process of its own says of a case; its builds go to ``cache``."""
    environment = {**os.environ, **({"NEUROGLIA_CACHE": str(cache)} if cache else {})}
    done = subprocess.run(
        [sys.executable, __file__, "--case", *case],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(case)}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def both(case: Case) -> dict[str, float]:
    """A case whose first step is timed with an empty cache, and with a full one."""
    if case[0] != "ten":
        return measured(case, None)
    with tempfile.TemporaryDirectory(prefix="neuroglia-bench-") as folder:
        kinds = ("empty", "kept")
        return {kind: measured(case, Path(folder))["first"] for kind in kinds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        name, target, precision = options.case
        print(json.dumps(NETWORKS[name](target, precision)))
        return
    cases = [c for c in CASES if c[0] in options.networks]
    for case in cases:  # builds
        if case[0] != "ten":
            measured(case, None)
    found: dict[Case, list[dict[str, float]]] = {case: [] for case in cases}
    print(
        f"load {os.getloadavg()[0]:.1f}, {options.rounds} rounds in turn: median (fastest to slowest)"
    )
    for case, values in in_turn(cases, options.rounds, both):
        found[case].append(values)  # type: ignore[arg-type]
        print(" ".join(case), values, file=sys.stderr, flush=True)
    for case, rounds in found.items():
        for kind, unit in (
            ("us", "us a step"),
            ("seconds", "s a run"),
            ("empty", "s to the end of a first step, empty cache"),
            ("kept", "s to the end of a first step, kept"),
        ):
            if kind in rounds[0]:
                print(f"{' '.join(case):28} {spread([r[kind] for r in rounds], 2)} {unit}")
    for network in ("memory", "coba"):
        for precision in ("float64", "fixed"):
            pair = [found.get((network, t, precision)) for t in ("lava", "cpp")]
            if all(pair):
                said = ratio(*([r["us"] for r in one] for one in pair))  # type: ignore[union-attr]
                print(f"{network} {precision}: lava over cpp {said}")
    if fixed := found.get(("memory", "lava", "fixed")):
        times = sorted(BEFORE / r["us"] for r in fixed)
        print(
            f"memory fixed lava: {times[len(times) // 2]:.1f} times as fast as the {BEFORE:.0f} us of version 0.2"
        )
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
