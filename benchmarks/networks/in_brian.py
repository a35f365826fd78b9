"""The networks in Brian2, run on its C++ standalone or on the device ``neuroglia``.

in_brian.py NETWORK DEVICE THREADS SECONDS
"""

from __future__ import annotations

import os
import sys
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
    """2 % of all connections; four of five neurons excite."""
    return neurons, [
        _connected(neurons[:3200], neurons, 0.02, "ge += jump", excitation),
        _connected(neurons[3200:], neurons, 0.02, "gi += jump", inhibition),
    ]


def coba():
    """Conductance-based integrate-and-fire neurons."""
    neurons = _conductances(4000, 11, "exponential_euler")
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
    return neuron, [synapses, inputs]


def vogels():
    """A balanced network whose inhibitory synapses learn."""
    from brian2 import Synapses

    neurons = _conductances(10_000, 20, "euler")
    plastic = Synapses(
        neurons[8000:],
        neurons[:8000],
        """w : 1
        dbefore/dt = -before/(20*ms) : 1 (event-driven)
        dafter/dt = -after/(20*ms) : 1 (event-driven)""",
        on_pre="""before += 1
        w = clip(w + (after - 0.12)*0.001, 0, 10)
        gi += w""",
        on_post="""after += 1
        w = clip(w + before*0.001, 0, 10)""",
    )
    plastic.connect(p=0.02)
    plastic.w = 1  # near balance
    return neurons, [
        _connected(neurons[:8000], neurons, 0.02, "ge += jump", 0.03),
        _connected(neurons[8000:], neurons[8000:], 0.02, "gi += jump", 0.3),
        plastic,
    ]


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


def brunel():
    """Sparse connections, many of them."""
    from brian2 import ms

    return _static_brunel(8000, 0.1, 1.5 * ms)


def plastic_brunel():
    """The same with excitatory synapses that learn by the times of spikes."""
    from brian2 import Synapses, ms, mV

    neurons, outside = _brunel(8000, 0.1)
    excitatory = Synapses(
        neurons[:8000],
        neurons,
        """w : 1
        dbefore/dt = -before/(20*ms) : 1 (event-driven)
        dafter/dt = -after/(20*ms) : 1 (event-driven)""",
        on_pre="""v += w*mV
        before += 0.0002
        w = clip(w + after, 0, 0.2)""",
        on_post="""after -= 0.00021
        w = clip(w + before, 0, 0.2)""",
    )
    excitatory.connect(p=0.1)
    excitatory.w = 0.1
    excitatory.pre.delay = 1.5 * ms
    inhibitory = _connected(neurons[8000:], neurons, 0.1, "v += jump", -0.5 * mV)
    inhibitory.delay = 1.5 * ms
    return neurons, [excitatory, inhibitory, outside]


def delays():
    """Each synapse has a delay of its own."""
    return _static_brunel(3200, 0.25, "0.1*ms + 3*ms*rand()", 6)


NETWORKS: dict[str, Callable] = {
    made.__name__: made
    for made in (coba, cuba, cobahh, stdp, vogels, brunel, plastic_brunel, delays)
}


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
    seed(1)
    neurons, others = NETWORKS[network]()
    spikes = SpikeMonitor(neurons)
    Network(neurons, *others, spikes).run(seconds * second)
    done = since_start()
    inputs = sum(len(o) for o in others if isinstance(o, PoissonGroup))
    report(
        done,
        get_device()._last_run_time,
        round(seconds / float(brian2.defaultclock.dt)),
        spikes.num_spikes,
        len(neurons),
        sum(len(o) for o in others if isinstance(o, Synapses)),
        seconds,
        inputs,
        15.0 if inputs else None,
    )


def run_model(name: str, device: str, threads: int, seconds: float) -> None:
    """One run of a model of the catalogue, on the backends that stand for the two devices."""
    from neuroglia_snn import backends, load
    from neuroglia_snn.backends.base import Request

    model = load(name, {"model.duration": f"{seconds} second"})
    backend = backends.get("fused" if device == "neuroglia" else "cpp")
    outcome = backend.run(Request(model, {}, 1, threads))
    done = since_start()
    spikes, synapses = (
        len(outcome.events["spikes"][0]),
        round(3200 * 4000 * 0.05 + 800 * 4000 * 0.2),
    )
    steps = round(model.duration / model.dt)
    report(done, outcome.loop_seconds, steps, spikes, 4000, synapses, seconds, 3200)


if __name__ == "__main__":
    given = (sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    (run if given[0] in NETWORKS else run_model)(*given)
