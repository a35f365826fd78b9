"""Spiking networks that are placed on chips: COBA, STDP, and a small one whose counts are known by hand."""

from __future__ import annotations

import brian2
import numpy as np
from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    SpikeGeneratorGroup,
    Synapses,
    ms,
    mV,
)


def coba(units: int = 4000, seed: int = 1) -> Network:
    """The conductance-based network of Brette et al. (2007): 2 % of all connections, by chance."""
    brian2.seed(seed)
    names = {"taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms, "Vr": -60 * mV, "Vt": -50 * mV}
    names |= {"Ee": 0 * mV, "Ei": -80 * mV, "El": -60 * mV, "drive": 20 * mV}
    cells = NeuronGroup(
        units,
        """dv/dt = (ge*(Ee - v) + gi*(Ei - v) - (v - El) + drive)/taum : volt (unless refractory)
        dge/dt = -ge/taue : 1
        dgi/dt = -gi/taui : 1""",
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * ms,
        method="euler",
        name="cells",
        namespace=names,
    )
    cells.v = "Vr + rand()*(Vt - Vr)"
    cut = units * 4 // 5
    excitation = Synapses(cells[:cut], cells, on_pre="ge += 0.06", name="excitation")
    inhibition = Synapses(cells[cut:], cells, on_pre="gi += 0.67", name="inhibition")
    for synapses in (excitation, inhibition):
        synapses.connect(p=0.02)
    return Network(cells, excitation, inhibition)


def stdp(inputs: int = 200, seed: int = 1) -> Network:
    """A neuron whose inputs are weighted by the times of its spikes (Song, Miller and Abbott 2000)."""
    brian2.seed(seed)
    names = {"taum": 10 * ms, "taue": 5 * ms, "tau": 20 * ms, "Ee": 0 * mV, "El": -74 * mV}
    spikes = PoissonGroup(inputs, rates=30 * Hz, name="inputs")
    cell = NeuronGroup(
        2,
        """dv/dt = (ge*(Ee - v) + El - v)/taum : volt
        dge/dt = -ge/taue : 1""",
        threshold="v > -54*mV",
        reset="v = -60*mV",
        method="euler",
        name="cell",
        namespace=names,
    )
    cell.v = -60 * mV
    synapses = Synapses(
        spikes,
        cell,
        """w : 1
        dbefore/dt = -before/tau : 1 (event-driven)
        dafter/dt = -after/tau : 1 (event-driven)""",
        on_pre="ge += w\nbefore += 0.01\nw = clip(w + after, 0, 0.1)",
        on_post="after -= 0.0105\nw = clip(w + before, 0, 0.1)",
        name="plastic",
        namespace=names,
    )
    synapses.connect()
    synapses.w = "0.05*rand()"
    return Network(spikes, cell, synapses)


#: Of `listed`: pairs of an input and a cell, steps of the delay of each, and its weight.
PAIRS = np.array([(0, 0), (0, 1), (0, 5), (1, 2), (2, 0), (2, 5)])
DELAYS = np.array([0, 1, 2, 3, 4, 5])
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.3])
#: Its spikes: input and step of each.
SPIKES = np.array([(0, 1), (1, 1), (0, 7), (2, 30), (3, 40)])


def listed() -> Network:
    """Four inputs with listed spikes, and six integrate-and-fire units that never fire."""
    inputs = SpikeGeneratorGroup(4, SPIKES[:, 0], SPIKES[:, 1] * 0.1 * ms, name="inputs")
    cells = NeuronGroup(
        6,
        "dv/dt = (u - v)/(10*ms) : 1 (unless refractory)\ndu/dt = -u/(5*ms) : 1",
        threshold="v > 100",
        reset="v = 0",
        refractory=2 * ms,
        method="exact",
        name="cells",
    )
    synapses = Synapses(inputs, cells, "w : 1 (constant)", on_pre="u += w", name="listed")
    synapses.connect(i=PAIRS[:, 0], j=PAIRS[:, 1])
    synapses.w, synapses.delay = WEIGHTS, DELAYS * 0.1 * ms
    return Network(inputs, cells, synapses)


def cobahh(units: int = 4000, seed: int = 1) -> Network:
    """The Hodgkin-Huxley network of Brette et al. (2007), with conductances in units of a capacitance a ms."""
    brian2.seed(seed)
    cells = NeuronGroup(
        units,
        """dv/dt = (0.05*(-60*mV - v) + ge*(0*mV - v) + gi*(-80*mV - v)
                    - 100*m**3*h*(v - 50*mV) - 30*n**4*(v + 90*mV))/ms : volt
        dm/dt = (0.32*4/exprel((13*mV - u)/(4*mV))*(1 - m) - 0.28*5/exprel((u - 40*mV)/(5*mV))*m)/ms : 1
        dn/dt = (0.032*5/exprel((15*mV - u)/(5*mV))*(1 - n) - 0.5*exp((10*mV - u)/(40*mV))*n)/ms : 1
        dh/dt = (0.128*exp((17*mV - u)/(18*mV))*(1 - h) - 4/(1 + exp((40*mV - u)/(5*mV)))*h)/ms : 1
        dge/dt = -ge/(5*ms) : 1
        dgi/dt = -gi/(10*ms) : 1
        u = v + 63*mV : volt""",
        threshold="v > -20*mV",
        refractory=3 * ms,
        method="exponential_euler",
        name="cells",
    )
    cells.v, cells.ge, cells.gi = "-65*mV + 5*mV*randn()", "0.05 + 0.02*rand()", "0.1*rand()"
    cut = units * 4 // 5
    excitation = Synapses(cells[:cut], cells, on_pre="ge += 0.03", name="excitation")
    inhibition = Synapses(cells[cut:], cells, on_pre="gi += 0.335", name="inhibition")
    for synapses in (excitation, inhibition):
        synapses.connect(p=80 / units)
    return Network(cells, excitation, inhibition)


def mushroom_body(seed: int = 1) -> Network:
    """A mushroom body after Nowotny et al. (2005): projection neurons, Kenyon cells, and outputs that learn."""
    brian2.seed(seed)
    model = """dv/dt = (El - v + ge*(Ee - v) + gi*(Ei - v))/(10*ms) : volt (unless refractory)
    dge/dt = -ge/(3*ms) : 1
    dgi/dt = -gi/(6*ms) : 1"""
    names = {"El": -60 * mV, "Ee": 0 * mV, "Ei": -80 * mV}
    rules = {"reset": "v = -60*mV", "refractory": 2 * ms, "method": "euler", "namespace": names}
    projection = PoissonGroup(100, rates="(20 + 60*(i % 3 == 0))*Hz", name="projection")
    kenyon = NeuronGroup(250, model, threshold="v > -50*mV", name="kenyon", **rules)
    outputs = NeuronGroup(20, model, threshold="v > -50*mV", name="outputs", **rules)
    kenyon.v = outputs.v = -60 * mV
    sense = Synapses(projection, kenyon, "w : 1", on_pre="ge += w", name="sense")
    sense.connect(p=0.2)
    sense.w, sense.delay = "0.2 + 0.2*rand()", "(1 + 2*rand())*ms"
    learn = Synapses(
        kenyon,
        outputs,
        """w : 1
        dbefore/dt = -before/(10*ms) : 1 (event-driven)
        dafter/dt = -after/(10*ms) : 1 (event-driven)""",
        on_pre="ge += w\nbefore += 0.01\nw = clip(w + after, 0, 0.3)",
        on_post="after -= 0.0105\nw = clip(w + before, 0, 0.3)",
        name="learn",
    )
    learn.connect(p=0.5)
    learn.w = "0.2*rand()"
    compete = Synapses(outputs, outputs, on_pre="gi += 0.3", delay=0.5 * ms, name="compete")
    compete.connect(condition="i != j")
    return Network(projection, kenyon, outputs, sense, learn, compete)
