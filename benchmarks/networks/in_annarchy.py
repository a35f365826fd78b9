"""The networks of ``in_brian.py`` in ANNarchy.

in_annarchy.py NETWORK THREADS SECONDS
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import ANNarchy as ann
from report import report, since_start

CONDUCTANCES = """
    {tau}*dv/dt = {current} : exponential
    5*dg_exc/dt = -g_exc : exponential
    10*dg_inh/dt = -g_inh : exponential
"""

HODGKIN_HUXLEY = """
    prev_v = v
    an = 0.032*(-48 - v)/(exp((-48 - v)/5) - 1)
    am = 0.32*(-50 - v)/(exp((-50 - v)/4) - 1)
    ah = 0.128*exp((-46 - v)/18)
    bn = 0.5*exp((-53 - v)/40)
    bm = 0.28*(v + 23)/(exp((v + 23)/5) - 1)
    bh = 4/(1 + exp((-23 - v)/5))
    dn/dt = an*(1 - n) - bn*n : exponential
    dm/dt = am*(1 - m) - bm*m : exponential
    dh/dt = ah*(1 - h) - bh*h : exponential
"""
PAIRS = """
    20*dbefore/dt = -before : event-driven
    20*dafter/dt = -after : event-driven
"""


def _balanced(net, neurons, excitation: float, inhibition: float):
    """2 % of all connections; four of five neurons excite."""
    for source, kind, weight in (
        (neurons[:3200], "exc", excitation),
        (neurons[3200:], "inh", inhibition),
    ):
        _connect(net, source, neurons, kind, 0.02, weight)
    return neurons


def _connect(net, source, target, kind: str, p: float, weight, delays=0.0, synapse=None):
    made = net.connect(pre=source, post=target, target=kind, synapse=synapse)
    made.fixed_probability(
        probability=p, weights=weight, delays=delays, allow_self_connections=True
    )
    return made


def _integrate_and_fire(net, count: int, current: str, tau: int = 20):
    neurons = net.create(
        count,
        ann.Neuron(
            equations=CONDUCTANCES.format(tau=tau, current=current),
            spike="v > -50",
            reset="v = -60",
            refractory=5.0,
        ),
    )
    neurons.v = ann.Uniform(-60.0, -50.0)
    return neurons


def coba(net):
    neurons = _integrate_and_fire(net, 4000, "g_exc*(0 - v) + g_inh*(-80 - v) - (v + 60) + 11")
    neurons.g_exc, neurons.g_inh = ann.Normal(4.0, 1.5), ann.Normal(20.0, 12.0)
    return _balanced(net, neurons, 0.6, 6.7)


def cuba(net):
    neurons = _integrate_and_fire(net, 4000, "g_exc - g_inh - (v + 49)")
    return _balanced(net, neurons, 1.62, 9.0)


def cobahh(net):
    current = (
        "10*(-60 - v) + g_exc*(0 - v) + g_inh*(-80 - v)"
        " - 20000*m*m*m*h*(v - 50) - 6000*n*n*n*n*(v + 90)"
    )
    neurons = net.create(
        4000,
        ann.Neuron(
            equations=HODGKIN_HUXLEY + CONDUCTANCES.format(tau=200, current=current),
            spike="(v > -20) and (prev_v <= -20)",
        ),
    )
    neurons.v = ann.Normal(-65.0, 5.0)
    neurons.g_exc, neurons.g_inh = ann.Normal(40.0, 15.0), ann.Normal(200.0, 120.0)
    return _balanced(net, neurons, 6.0, 67.0)


def stdp(net):
    inputs = net.create(ann.PoissonPopulation(1000, rates=15.0))
    neuron = net.create(
        1,
        ann.Neuron(
            equations="10*dv/dt = g_exc*(0 - v) - 74 - v\n5*dg_exc/dt = -g_exc",
            spike="v > -54",
            reset="v = -60",
        ),
    )
    neuron.v = -74.0
    learning = ann.Synapse(
        equations=PAIRS,
        pre_spike="g_target += w\nbefore += 0.0001\nw = clip(w + after, 0.0, 0.01)",
        post_spike="after -= 0.000105\nw = clip(w + before, 0.0, 0.01)",
    )
    synapses = net.connect(pre=inputs, post=neuron, target="exc", synapse=learning)
    synapses.all_to_all(weights=ann.Uniform(0.0, 0.01))
    return neuron


def vogels(net):
    neurons = _integrate_and_fire(net, 10_000, "g_exc*(0 - v) + g_inh*(-80 - v) - (v + 60) + 20")
    learning = ann.Synapse(
        equations=PAIRS,
        pre_spike="before += 1\nw = clip(w + (after - 0.12)*0.001, 0.0, 10.0)\ng_target += w",
        post_spike="after += 1\nw = clip(w + before*0.001, 0.0, 10.0)",
    )
    excitatory, inhibitory = neurons[:8000], neurons[8000:]
    _connect(net, excitatory, neurons, "exc", 0.02, 0.03)
    _connect(net, inhibitory, inhibitory, "inh", 0.02, 0.3)
    _connect(net, inhibitory, excitatory, "inh", 0.02, 1.0, synapse=learning)
    return neurons


def _brunel(net, excitatory: int, weight: float):
    """Input from outside: how many of as many sources as there are within spike in a step."""
    sources = excitatory // 10
    chance = 2 * 20 / (weight * sources * 20e-3) * 1e-4
    neurons = net.create(
        excitatory * 5 // 4,
        ann.Neuron(
            equations=f"""
                outside = Binomial({sources}, {chance!r})
                dv/dt = -v/20 + (g_exc - g_inh + {weight}*outside)/dt
            """,
            spike="v > 20",
            reset="v = 10",
            refractory=2.0,
        ),
    )
    neurons.v = ann.Uniform(0.0, 20.0)
    return neurons


def _static_brunel(net, excitatory: int, weight: float, delay, inhibition: float = 5):
    neurons = _brunel(net, excitatory, weight)
    _connect(net, neurons[:excitatory], neurons, "exc", 0.1, weight, delay)
    _connect(net, neurons[excitatory:], neurons, "inh", 0.1, inhibition * weight, delay)
    return neurons


def brunel(net):
    return _static_brunel(net, 8000, 0.1, 1.5)


def plastic_brunel(net):
    neurons = _brunel(net, 8000, 0.1)
    learning = ann.Synapse(
        equations=PAIRS,
        pre_spike="g_target += w\nbefore += 0.0002\nw = clip(w + after, 0.0, 0.2)",
        post_spike="after -= 0.00021\nw = clip(w + before, 0.0, 0.2)",
    )
    _connect(net, neurons[:8000], neurons, "exc", 0.1, 0.1, 1.5, learning)
    _connect(net, neurons[8000:], neurons, "inh", 0.1, 0.5, 1.5)
    return neurons


def delays(net):
    return _static_brunel(net, 3200, 0.25, ann.Uniform(0.1, 3.1), 6)


NETWORKS: dict[str, Callable] = {
    made.__name__: made
    for made in (coba, cuba, cobahh, stdp, vogels, brunel, plastic_brunel, delays)
}


def main(network: str, threads: int, seconds: float) -> None:
    net = ann.Network(dt=0.1, seed=1)
    net.config(num_threads=threads)
    neurons = NETWORKS[network](net)
    spikes = net.monitor(neurons, "spike")
    net.compile(directory=os.environ["FOLDER"])
    began = time.process_time()
    net.simulate(seconds * 1000)
    loop = time.process_time() - began
    done = since_start()
    found = sum(map(len, spikes.get("spike").values()))
    learns = network == "stdp"
    synapses = sum(p.nb_synapses for p in net.get_projections())
    inputs, rate = (1000, 15.0) if learns else (0, None)
    steps = round(seconds * 1e4)
    report(done, loop, steps, found, len(neurons), synapses, seconds, inputs, rate)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
