"""The networks in Brian2, run on its C++ standalone or on the device ``neuroglia``.

Five of them are models of the catalogue with other settings: ``tests/papers/test_networks.py`` says which, and holds both to
the same spikes.

in_brian.py NETWORK DEVICE THREADS SECONDS

A network of another size than its own keeps the synapses a neuron has, or, where a neuron has inputs
from a share of all, the sum of their weights. "mushroom_body" is the model of smells of Nowotny et al.
(2005, doi:10.1007/s00422-005-0019-7) as brian2GeNN and brian2cuda time it (Stimberg et al. 2020,
doi:10.1038/s41598-019-54957-7; Alevi et al. 2022, doi:10.3389/fninf.2022.883700).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from report import report, since_start


def _conductances(count: int, drive: float, method: str):
    """Integrate-and-fire neurons; conductances are in units of the leak, ``drive`` is in mV."""
    from brian2 import NeuronGroup, mV

    neurons = NeuronGroup(
        count,
        """dv/dt = (ge*(0*mV - v) + gi*(-80*mV - v) - (v + 60*mV) + drive)/(20*ms) : volt (unless refractory)
        dge/dt = -ge/(5*ms) : 1
        dgi/dt = -gi/(10*ms) : 1""",
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory="5*ms",
        method=method,
        namespace={"drive": drive * mV},
    )
    neurons.v = "-60*mV + 10*mV*rand()"
    return neurons


def _connected(source, target, p: float, on_pre: str, jump):
    """Synapses between two groups, each with this probability; all jump alike."""
    from brian2 import Synapses

    made = Synapses(source, target, on_pre=on_pre, namespace={"jump": jump})
    made.connect(p=p)
    return made


def _balanced(neurons, excitation, inhibition):
    """80 inputs a neuron, which are 2 % of 4,000; four of five neurons excite."""
    excitatory, p = len(neurons) * 4 // 5, 80 / len(neurons)
    return neurons, [
        _connected(neurons[:excitatory], neurons, p, "ge += jump", excitation),
        _connected(neurons[excitatory:], neurons, p, "gi += jump", inhibition),
    ]


def coba(count: int = 4000):
    """Conductance-based integrate-and-fire neurons."""
    neurons = _conductances(count, 11, "exponential_euler")
    neurons.ge, neurons.gi = "(randn()*1.5 + 4)", "(randn()*12 + 20)"
    return _balanced(neurons, 0.6, 6.7)


def cuba(count: int = 4000):
    """Integrate-and-fire neurons with synaptic currents."""
    from brian2 import NeuronGroup, ms, mV

    neurons = NeuronGroup(
        count,
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


#: Rates of the gates of Traub and Miles, by the potential above -63 mV.
_GATES = """
dm/dt = am*(1 - m) - bm*m : 1
dn/dt = an*(1 - n) - bn*n : 1
dh/dt = ah*(1 - h) - bh*h : 1
u = v + 63*mV : volt
am = 0.32*4/exprel((13*mV - u)/(4*mV))/ms : Hz
bm = 0.28*5/exprel((u - 40*mV)/(5*mV))/ms : Hz
ah = 0.128*exp((17*mV - u)/(18*mV))/ms : Hz
bh = 4/(1 + exp((40*mV - u)/(5*mV)))/ms : Hz
an = 0.032*5/exprel((15*mV - u)/(5*mV))/ms : Hz
bn = 0.5*exp((10*mV - u)/(40*mV))/ms : Hz"""


def cobahh(count: int = 4000):
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
        count,
        """dv/dt = (gl*(-60*mV - v) + ge*(0*mV - v) + gi*(-80*mV - v)
                    - gna*m**3*h*(v - 50*mV) - gk*n**4*(v + 90*mV))/C : volt
        dge/dt = -ge/(5*ms) : siemens
        dgi/dt = -gi/(10*ms) : siemens"""
        + _GATES,
        threshold="v > -20*mV",
        refractory=3 * ms,
        method="exponential_euler",
        namespace=names,
    )
    neurons.v = "-60*mV + (randn()*5 - 5)*mV"
    neurons.ge, neurons.gi = "(randn()*1.5 + 4)*10*nS", "(randn()*12 + 20)*10*nS"
    return _balanced(neurons, 6 * nS, 67 * nS)


def stdp(count: int = 1000):
    """One neuron whose inputs learn; their weights in proportion to what they were for 1,000."""
    from brian2 import Hz, NeuronGroup, PoissonGroup, Synapses

    inputs = PoissonGroup(count, 15 * Hz)
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
        before += most/100
        w = clip(w + after, 0, most)""",
        on_post="""after -= 1.05*most/100
        w = clip(w + before, 0, most)""",
        namespace={"most": 10 / count},
    )
    synapses.connect()
    synapses.w = "rand()*most"
    return neuron, [synapses, inputs]


def vogels(count: int = 10_000):
    """A balanced network whose inhibitory synapses learn."""
    from brian2 import Synapses

    neurons, excitatory, p = _conductances(count, 20, "euler"), count * 4 // 5, 200 / count
    fixed = [
        _connected(neurons[:excitatory], neurons, p, "ge += jump", 0.03),
        _connected(neurons[excitatory:], neurons[excitatory:], p, "gi += jump", 0.3),
    ]
    plastic = Synapses(
        neurons[excitatory:],
        neurons[:excitatory],
        """w : 1
        dbefore/dt = -before/(20*ms) : 1 (event-driven)
        dafter/dt = -after/(20*ms) : 1 (event-driven)""",
        on_pre="""before += 1
        w = clip(w + (after - 0.12)*0.001, 0, 10)
        gi += w""",
        on_post="""after += 1
        w = clip(w + before*0.001, 0, 10)""",
    )
    plastic.connect(p=p)
    plastic.w = 1  # near balance
    return neurons, [*fixed, plastic]


def _brunel(excitatory: int, weight: float):
    """Neurons, and as many inputs from outside for each as it has excitatory ones within."""
    from brian2 import Hz, NeuronGroup, PoissonInput, ms, mV

    inputs = excitatory // 10
    neurons = NeuronGroup(
        excitatory * 5 // 4,
        "dv/dt = -v/(20*ms) : volt (unless refractory)",
        threshold="v > 20*mV",
        reset="v = 10*mV",
        refractory=2 * ms,
        method="exact",
    )
    neurons.v = "rand()*20*mV"
    rate = 2 * 20 / (weight * inputs * 20e-3)  # twice what reaches the threshold
    return neurons, PoissonInput(neurons, "v", inputs, rate * Hz, weight * mV)


def _static_brunel(excitatory: int, weight: float, delay, inhibition: float = 5):
    from brian2 import mV

    neurons, outside = _brunel(excitatory, weight)
    both = [
        _connected(neurons[:excitatory], neurons, 0.1, "v += jump", weight * mV),
        _connected(neurons[excitatory:], neurons, 0.1, "v += jump", -inhibition * weight * mV),
    ]
    for synapses in both:
        synapses.delay = delay
    return neurons, [*both, outside]


def brunel(count: int = 10_000):
    """Sparse connections, many of them: 10 % of all, each the weaker the more there are."""
    from brian2 import ms

    return _static_brunel(count * 4 // 5, 1000 / count, 1.5 * ms)


def plastic_brunel(count: int = 10_000):
    """The same with excitatory synapses that learn by the times of spikes."""
    from brian2 import Synapses, ms, mV

    neurons, outside = _brunel(count * 4 // 5, 1000 / count)
    excitatory = Synapses(
        neurons[: count * 4 // 5],
        neurons,
        """w : 1
        dbefore/dt = -before/(20*ms) : 1 (event-driven)
        dafter/dt = -after/(20*ms) : 1 (event-driven)""",
        on_pre="""v += w*mV
        before += most/1000
        w = clip(w + after, 0, most)""",
        on_post="""after -= 1.05*most/1000
        w = clip(w + before, 0, most)""",
        namespace={"most": 2000 / count},
    )
    excitatory.connect(p=0.1)
    excitatory.w = 1000 / count
    excitatory.pre.delay = 1.5 * ms
    inhibitory = _connected(
        neurons[count * 4 // 5 :], neurons, 0.1, "v += jump", -5000 / count * mV
    )
    inhibitory.delay = 1.5 * ms
    return neurons, [excitatory, inhibitory, outside]


def delays(count: int = 4000):
    """Each synapse has a delay of its own."""
    return _static_brunel(count * 4 // 5, 1000 / count, "0.1*ms + 3*ms*rand()", 6)


def _odours(seconds: float):
    """Ten patterns of 20 of 100 neurons, one each 50 ms, two of the 20 exchanged for others each time."""
    import numpy as np
    from brian2 import SpikeGeneratorGroup, ms

    random = np.random.default_rng(1)
    patterns = [random.choice(100, 20, replace=False) for _ in range(10)]
    units, times = [], []
    for number in range(int(seconds / 0.05)):
        kept = random.permutation(patterns[random.integers(10)])[:18]
        shown = np.unique([*kept, *random.integers(100, size=2)])
        units += [*shown]
        times += [50 * number + 1 + 2 * random.random()] * len(shown)
    return SpikeGeneratorGroup(100, units, times * ms)


def _kenyon(count: int, currents: str, conductances: str):
    """Cells of the mushroom body; potentials begin at that of the leak."""
    from brian2 import NeuronGroup, mV, nF, uS

    cells = NeuronGroup(
        count,
        f"""dv/dt = -(gna*m**3*h*(v - 50*mV) + gk*n**4*(v + 95*mV) + gl*(v + 63.56*mV)
                    + {currents})/C : volt
        {conductances}{_GATES}""",
        threshold="v > 0*mV",
        refractory="v > 0*mV",
        method="exponential_euler",
        namespace={"C": 0.3 * nF, "gl": 0.0267 * uS, "gna": 7.15 * uS, "gk": 1.43 * uS},
    )
    cells.v, cells.h, cells.n = -63.56 * mV, 1, 0.5
    return cells


def mushroom_body(count: int = 2500, seconds: float = 10.0):
    """Smells, cells that hold them in a sparse code, and 100 cells that learn to tell them and rival.

    ``seconds`` are those of the smells that are given.
    """
    from brian2 import Synapses, nS

    smells = _odours(seconds)
    inner = _kenyon(count, "ge*v", "dge/dt = -ge/(2*ms) : siemens")
    outer = _kenyon(
        100,
        "ge*v + gi*(v + 92*mV)",
        "dge/dt = -ge/(10*ms) : siemens\ndgi/dt = -gi/(5*ms) : siemens",
    )
    coming = Synapses(smells, inner, "w : siemens", on_pre="ge += 0.675*w")
    coming.connect(p=0.15)
    coming.w = "10*nS + 1.25*nS*randn()"
    share = max(1, min(count, 10_000) / 2500)  # more inputs, each the weaker
    learning = Synapses(
        inner,
        outer,
        """w : siemens
        dbefore/dt = -before/(10*ms) : siemens (event-driven)
        dafter/dt = -after/(10*ms) : siemens (event-driven)""",
        on_pre="""ge += w
        before += change
        w = clip(w + after, 0*nS, most)""",
        on_post="""after -= change
        w = clip(w + before, 0*nS, most)""",
        namespace={"change": 0.1 * nS / share, "most": 3.75 * nS / share, "share": share},
    )
    learning.connect(p=min(1, 10_000 / count))
    learning.w = "rand()*most/10/share"
    learning.w["rand() < 0.2"] = "(2.5*nS + 0.5*nS*randn())/share"
    rivals = _connected(outer, outer, 1, "gi += jump", 0.675 * 75 * nS)
    return inner, [outer, coming, learning, rivals, smells]


NETWORKS: dict[str, Callable] = {
    made.__name__: made
    for made in (coba, cuba, cobahh, stdp, vogels, brunel, plastic_brunel, delays, mushroom_body)
}


def processor_times() -> list[float]:
    """Seconds of processor time of each of our loops from here on: Brian2's standalone takes that on one thread."""
    from neuroglia_snn.program.drive import Drive

    found: list[float] = []
    whole = Drive.go

    def go(*given) -> None:
        began = time.process_time()
        whole(*given)
        found.append(time.process_time() - began)

    Drive.go = go
    return found


def run(network: str, device: str, threads: int, seconds: float) -> None:
    """One run of a network of this file."""
    import brian2
    from brian2 import Network, PoissonGroup, SpikeMonitor, Synapses, second, seed, set_device
    from brian2.devices.device import get_device

    if device == "neuroglia":
        import neuroglia_snn.brian  # noqa: F401

        set_device(device, threads=threads)
    else:
        brian2.prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
        set_device(device, directory=os.environ["FOLDER"])
    ours = processor_times() if device == "neuroglia" and threads == 1 else []
    seed(1)
    neurons, others = NETWORKS[network]()
    spikes = SpikeMonitor(neurons)
    Network(neurons, *others, spikes).run(seconds * second)
    done = since_start()
    inputs = sum(len(o) for o in others if isinstance(o, PoissonGroup))
    report(
        done,
        ours[-1] if ours else get_device()._last_run_time,
        round(seconds / float(brian2.defaultclock.dt)),
        spikes.num_spikes,
        len(neurons),
        sum(len(o) for o in others if isinstance(o, Synapses)),
        seconds,
        inputs,
        15.0 if inputs else None,
    )


#: Synapses of the catalogue's models that spikes reach, as many as are expected of chance.
SYNAPSES = {
    "tripartite_coba": round(3200 * 4000 * 0.05 + 800 * 4000 * 0.2),
    "astrocyte_brunel": round(10_000 * 10_000 * 0.1 + 8000 * 10_000 * 0.1 * 0.5),
}


def run_model(name: str, device: str, threads: int, seconds: float) -> None:
    """One run of a model of the catalogue, on the backends that stand for the two devices."""
    from neuroglia_snn import backends
    from neuroglia_snn.backends.base import Request
    from neuroglia_snn.catalog.load import load

    model = load(name, {"model.duration": f"{seconds} second"})
    ours = processor_times() if device == "neuroglia" and threads == 1 else []
    backend = backends.get("fused" if device == "neuroglia" else "cpp")
    outcome = backend.run(Request(model, {}, 1, threads))
    done = since_start()
    neurons, astrocytes = (model.populations[n].size for n in ("neuron", "astrocyte"))
    steps = round(model.duration / model.dt)
    loop = ours[-1] if ours else outcome.loop_seconds
    spikes = len(outcome.events["spikes"][0])
    report(done, loop, steps, spikes, neurons, SYNAPSES[name], seconds, astrocytes)


if __name__ == "__main__":
    given = (sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    (run if given[0] in NETWORKS else run_model)(*given)
