"""Time sparse networks on the device ``neuroglia`` and on Brian2's C++ standalone, side by side.

    python benchmarks/sparse.py [--networks coba cobahh] [--rounds 3] [--seconds 1] [--out DIR]

COBA, CUBA and COBAHH are the benchmarks 1, 2 and 3 of Brette et al. (2007, doi:10.1007/s10827-007-0038-6):
4,000 neurons, 2 % of all connections. "stdp" is one neuron with 1,000 plastic inputs (Song, Miller and
Abbott 2000, doi:10.1038/78829), "vogels" a balanced network with inhibitory plasticity (Vogels et al.
2011, doi:10.1126/science.1211095; 10,000 neurons), "brunel" 10,000 neurons with 10^7 synapses (Brunel
2000, doi:10.1023/A:1008925309027, g = 5, twice the rate of the threshold), "delays" the same network with
1,000 neurons and a delay of its own for each synapse. Every run is a process of its own; in each round all run in turn, every
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


def _balanced(neurons, excitation, inhibition):
    """2 % of all connections; four of five neurons excite."""
    from brian2 import Synapses

    excitatory = Synapses(neurons, neurons, on_pre="ge_post += we", namespace={"we": excitation})
    excitatory.connect("i < 3200", p=0.02)
    inhibitory = Synapses(neurons, neurons, on_pre="gi_post += wi", namespace={"wi": inhibition})
    inhibitory.connect("i >= 3200", p=0.02)
    return neurons, [excitatory, inhibitory]


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
    return _balanced(neurons, 0.6, 6.7)


def cuba():
    """Integrate-and-fire neurons with synaptic currents."""
    from brian2 import NeuronGroup, ms, mV

    neurons = NeuronGroup(
        4000,
        """dv/dt = (ge + gi - (v + 49*mV))/(20*ms) : volt (unless refractory)
        dge/dt = -ge/(5*ms) : volt
        dgi/dt = -gi/(10*ms) : volt""",
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5 * ms,
        method="exact",
    )
    neurons.v = "-60*mV + 10*mV*rand()"
    return _balanced(neurons, 1.62 * mV, -9 * mV)


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
    return _balanced(neurons, 6 * nS, 67 * nS)


def stdp():
    """One neuron whose inputs learn."""
    from brian2 import Hz, NeuronGroup, PoissonGroup, Synapses

    inputs = PoissonGroup(1000, 15 * Hz)
    neuron = NeuronGroup(
        1,
        "dv/dt = (ge*(0*mV - v) - 74*mV - v)/(10*ms) : volt\ndge/dt = -ge/(5*ms) : 1",
        threshold="v > -54*mV",
        reset="v = -60*mV",
        method="euler",
    )
    neuron.v = "-74*mV"
    synapses = Synapses(
        inputs,
        neuron,
        """w : 1
        dbefore/dt = -before/(20*ms) : 1 (event-driven)
        dafter/dt = -after/(20*ms) : 1 (event-driven)""",
        on_pre="""ge += w
        before += 0.0001
        w = clip(w + after, 0, 0.01)""",
        on_post="""after -= 0.000105
        w = clip(w + before, 0, 0.01)""",
    )
    synapses.connect()
    synapses.w = "rand()*0.01"
    return neuron, [inputs, synapses]


def vogels():
    """A balanced network whose inhibitory synapses learn."""
    from brian2 import NeuronGroup, Synapses, ms

    neurons = NeuronGroup(
        10_000,
        """dv/dt = (10*nS*(-60*mV - v) + ge*(0*mV - v) + gi*(-80*mV - v) + 200*pA)/(200*pF) : volt (unless refractory)
        dge/dt = -ge/(5*ms) : siemens
        dgi/dt = -gi/(10*ms) : siemens""",
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5 * ms,
        method="euler",
    )
    neurons.v = "-60*mV + 10*mV*rand()"
    excitatory = Synapses(neurons[:8000], neurons, on_pre="ge += 0.3*nS")
    excitatory.connect(p=0.02)
    fixed = Synapses(neurons[8000:], neurons[8000:], on_pre="gi += 3*nS")
    fixed.connect(p=0.02)
    plastic = Synapses(
        neurons[8000:],
        neurons[:8000],
        """w : 1
        dbefore/dt = -before/(20*ms) : 1 (event-driven)
        dafter/dt = -after/(20*ms) : 1 (event-driven)""",
        on_pre="""before += 1
        w = clip(w + (after - 0.12)*0.01, 0, 100)
        gi += w*nS""",
        on_post="""after += 1
        w = clip(w + before*0.01, 0, 100)""",
    )
    plastic.connect(p=0.02)
    plastic.w = 10  # near balance
    return neurons, [excitatory, fixed, plastic]


def _brunel(excitatory: int, weight: float):
    """A tenth of all connections; one of five neurons inhibits; as many inputs from outside as within."""
    from brian2 import Hz, NeuronGroup, PoissonInput, Synapses, ms, mV

    count, inputs = excitatory * 5 // 4, excitatory // 10
    neurons = NeuronGroup(
        count,
        "dv/dt = -v/(20*ms) : volt (unless refractory)",
        threshold="v > 20*mV",
        reset="v = 10*mV",
        refractory=2 * ms,
        method="exact",
    )
    neurons.v = "rand()*20*mV"
    synapses = []
    for source, jump in ((neurons[:excitatory], weight), (neurons[excitatory:], -5 * weight)):
        made = Synapses(source, neurons, on_pre="v += jump", namespace={"jump": jump * mV})
        made.connect(p=0.1)
        synapses.append(made)
    rate = 2 * 20 / (weight * inputs * 20e-3)  # twice what reaches the threshold
    outside = PoissonInput(neurons, "v", inputs, rate * Hz, weight * mV)
    return neurons, [*synapses, outside]


def brunel():
    """Sparse connections, many of them."""
    from brian2 import ms

    neurons, others = _brunel(8000, 0.1)
    for synapses in others[:2]:
        synapses.delay = 1.5 * ms
    return neurons, others


def delays():
    """Each synapse has a delay of its own."""
    neurons, others = _brunel(800, 1.0)
    for synapses in others[:2]:
        synapses.delay = "0.1*ms + 3*ms*rand()"
    return neurons, others


NETWORKS: dict[str, Callable] = {
    made.__name__: made for made in (coba, cuba, cobahh, stdp, vogels, brunel, delays)
}


def run_one(network: str, device: str, seconds: float) -> dict[str, float]:
    """One run in this process."""
    started = time.perf_counter()
    import brian2
    from brian2 import Network, SpikeMonitor, second, seed, set_device
    from brian2.devices.device import get_device

    import neuroglia_snn.brian  # noqa: F401

    if device == "cpp_standalone":
        set_device(device, directory=os.environ["PROJECT"])
    else:
        set_device(device)
    seed(1)
    neurons, others = NETWORKS[network]()
    spikes = SpikeMonitor(neurons)
    everything = Network(neurons, *others, spikes)
    everything.run(seconds * second)
    loop = get_device()._last_run_time
    whole = time.perf_counter() - started
    steps = seconds / float(brian2.defaultclock.dt)
    return {
        "whole": whole,
        "step": loop / steps * 1e6,
        "rate": spikes.num_spikes / len(neurons) / seconds,
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
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["coba", "cobahh"])
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
