"""Time sparse networks on the device ``neuroglia`` and on Brian2's C++ standalone, side by side.

    python benchmarks/sparse.py [--networks coba cobahh] [--rounds 3] [--seconds 1] [--out DIR]

COBA and COBAHH are the benchmarks 1 and 3 of Brette et al. (2007, doi:10.1007/s10827-007-0038-6): 4,000
neurons, 2 % of all connections. Every run is a process of its own; in each round all run in turn, every
other round from the last to the first. The first run of each starts with empty caches, and its whole
time counts as "first run": import, connections, compilers, network. "us a step" is the time loop alone,
as Brian2 (``device._last_run_time``) and we take it, the fastest of all rounds; spikes say whether the
networks did the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

DEVICES = ("neuroglia", "cpp_standalone")


def coba():
    """Conductance-based integrate-and-fire neurons."""
    from brian2 import NeuronGroup, ms

    neurons = NeuronGroup(
        4000,
        """dv/dt = (ge*(0*mV - v) + gi*(-80*mV - v) - (v + 60*mV) + 11*mV)/(20*ms) : volt (unless refractory)
        dge/dt = -ge/(5*ms) : 1
        dgi/dt = -gi/(10*ms) : 1""",
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5 * ms,
        method="exponential_euler",
    )
    neurons.v = "-60*mV + 10*mV*rand()"
    neurons.ge, neurons.gi = "(randn()*1.5 + 4)", "(randn()*12 + 20)"
    return neurons, 0.6, 6.7


def cobahh():
    """Hodgkin-Huxley neurons."""
    from brian2 import NeuronGroup, cm, mS, ms, nS, uF, um

    area = 20000 * um**2
    names = {
        "C": 1 * uF * cm**-2 * area,
        "gl": 0.05 * mS * cm**-2 * area,
        "gna": 100 * mS * cm**-2 * area,
        "gk": 30 * mS * cm**-2 * area,
    }
    neurons = NeuronGroup(
        4000,
        """dv/dt = (gl*(-60*mV - v) + ge*(0*mV - v) + gi*(-80*mV - v)
                    - gna*m**3*h*(v - 50*mV) - gk*n**4*(v + 90*mV))/C : volt
        dm/dt = am*(1 - m) - bm*m : 1
        dn/dt = an*(1 - n) - bn*n : 1
        dh/dt = ah*(1 - h) - bh*h : 1
        dge/dt = -ge/(5*ms) : siemens
        dgi/dt = -gi/(10*ms) : siemens
        u = v + 63*mV : volt
        am = 0.32*4/exprel((13*mV - u)/(4*mV))/ms : Hz
        bm = 0.28*5/exprel((u - 40*mV)/(5*mV))/ms : Hz
        ah = 0.128*exp((17*mV - u)/(18*mV))/ms : Hz
        bh = 4/(1 + exp((40*mV - u)/(5*mV)))/ms : Hz
        an = 0.032*5/exprel((15*mV - u)/(5*mV))/ms : Hz
        bn = 0.5*exp((10*mV - u)/(40*mV))/ms : Hz""",
        threshold="v > -20*mV",
        refractory=3 * ms,
        method="exponential_euler",
        namespace=names,
    )
    neurons.v = "-60*mV + (randn()*5 - 5)*mV"
    neurons.ge, neurons.gi = "(randn()*1.5 + 4)*10*nS", "(randn()*12 + 20)*10*nS"
    return neurons, 6 * nS, 67 * nS


NETWORKS: dict[str, Callable] = {"coba": coba, "cobahh": cobahh}


def run_one(network: str, device: str, seconds: float) -> dict[str, float]:
    """One run in this process."""
    started = time.perf_counter()
    import brian2
    from brian2 import Network, SpikeMonitor, Synapses, second, seed, set_device
    from brian2.devices.device import get_device

    import neuroglia_snn.brian  # noqa: F401

    if device == "cpp_standalone":
        set_device(device, directory=os.environ["PROJECT"])
    else:
        set_device(device)
    seed(1)
    neurons, excitation, inhibition = NETWORKS[network]()
    excitatory = Synapses(neurons, neurons, on_pre="ge_post += we", namespace={"we": excitation})
    excitatory.connect("i < 3200", p=0.02)
    inhibitory = Synapses(neurons, neurons, on_pre="gi_post += wi", namespace={"wi": inhibition})
    inhibitory.connect("i >= 3200", p=0.02)
    spikes = SpikeMonitor(neurons)
    everything = Network(neurons, excitatory, inhibitory, spikes)
    everything.run(seconds * second)
    loop = get_device()._last_run_time
    whole = time.perf_counter() - started
    steps = seconds / float(brian2.defaultclock.dt)
    return {
        "whole": whole,
        "step": loop / steps * 1e6,
        "rate": spikes.num_spikes / 4000 / seconds,
    }


def measured(network: str, device: str, seconds: float, caches: Path) -> dict[str, float]:
    """One run in a process of its own."""
    environment = {
        **os.environ,
        "NEUROGLIA_CACHE": str(caches / "ours"),
        "PROJECT": str(caches / f"{network}-{device}"),
    }
    command = [sys.executable, __file__, "--one", network, device, "--seconds", str(seconds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run_one(*options.one, options.seconds)))
        return
    caches = Path(tempfile.mkdtemp(prefix="sparse-"))
    cases = [(n, d) for n in options.networks for d in DEVICES]
    found: dict[tuple[str, str], list[dict[str, float]]] = {c: [] for c in cases}
    for number in range(options.rounds):
        for case in cases if number % 2 == 0 else reversed(cases):
            found[case].append(measured(*case, options.seconds, caches))
    shutil.rmtree(caches, ignore_errors=True)
    print(f"{'network':10}{'device':16}{'us a step':>10}{'median':>9}{'first run, s':>14}{'Hz':>7}")
    for (network, device), runs in found.items():
        steps = [r["step"] for r in runs]
        print(
            f"{network:10}{device:16}{min(steps):10.1f}{statistics.median(steps):9.1f}"
            f"{runs[0]['whole']:14.1f}{runs[0]['rate']:7.1f}"
        )
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        table = {"/".join(c): runs for c, runs in found.items()}
        (options.out / "sparse.json").write_text(json.dumps(table, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
