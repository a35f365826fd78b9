"""The networks of ``in_brian.py`` in NEST, with the neurons and synapses that it brings.

in_nest.py NETWORK THREADS SECONDS
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from report import report, since_start

#: A spike takes a step to its target at least; what has no delay in Brian2 has one step here.
STEP = 0.1


def _normal(middle: float, width: float):
    import nest

    return nest.random.normal(middle, width)


def _connect(source, target, p: float, weight: float, delay=STEP) -> None:
    import nest

    rule = {"rule": "pairwise_bernoulli", "p": p}
    nest.Connect(source, target, rule, {"weight": weight, "delay": delay})


def _balanced(neurons, excitation: float, inhibition: float):
    _connect(neurons[:3200], neurons, 0.02, excitation)
    _connect(neurons[3200:], neurons, 0.02, inhibition)
    return neurons


def _conductances(count: int, drive: float):
    """A leak of 10 nS; ``drive`` in mV."""
    import nest

    leak = {"C_m": 200.0, "g_L": 10.0, "E_L": -60.0, "I_e": 10 * drive}
    synaptic = {"E_ex": 0.0, "E_in": -80.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0}
    spike = {"V_th": -50.0, "V_reset": -60.0, "t_ref": 5.0}
    neurons = nest.Create("iaf_cond_exp", count, {**leak, **synaptic, **spike})
    neurons.V_m = nest.random.uniform(-60.0, -50.0)
    return neurons


def coba():
    neurons = _conductances(4000, 11)
    neurons.g_ex, neurons.g_in = _normal(40.0, 15.0), _normal(200.0, 120.0)
    return _balanced(neurons, 6.0, -67.0)


def cuba():
    import nest

    neurons = nest.Create("iaf_psc_exp", 4000)
    neurons.set(C_m=20.0, tau_m=20.0, E_L=-49.0, V_th=-50.0, V_reset=-60.0, t_ref=5.0)
    neurons.set(tau_syn_ex=5.0, tau_syn_in=10.0)
    neurons.V_m = nest.random.uniform(-60.0, -50.0)
    return _balanced(neurons, 1.62, -9.0)


def cobahh():
    import nest

    neurons = nest.Create("hh_cond_exp_traub", 4000)  # conductances and reversals are its own
    neurons.t_ref = 3.0
    neurons.V_m = _normal(-65.0, 5.0)  # its conductances can only begin at 0
    return _balanced(neurons, 6.0, -67.0)


def stdp():
    import nest

    neuron = nest.Create("iaf_cond_exp")
    neuron.set(C_m=100.0, g_L=10.0, E_L=-74.0, V_m=-74.0, V_th=-54.0, V_reset=-60.0, t_ref=0.0)
    neuron.set(E_ex=0.0, tau_syn_ex=5.0, tau_minus=20.0)
    inputs = nest.Create("parrot_neuron", 1000)
    nest.Connect(nest.Create("poisson_generator", params={"rate": 15.0}), inputs)
    learning = {"lambda": 0.01, "alpha": 1.05, "mu_plus": 0.0, "mu_minus": 0.0, "tau_plus": 20.0}
    nest.CopyModel("stdp_synapse", "learning", {**learning, "Wmax": 0.1, "delay": STEP})
    weight = nest.random.uniform(0.0, 0.1)
    nest.Connect(inputs, neuron, syn_spec={"synapse_model": "learning", "weight": weight})
    return neuron


def vogels():
    import nest

    neurons = _conductances(10_000, 20)
    neurons.tau_minus = 20.0
    excitatory, inhibitory = neurons[:8000], neurons[8000:]
    _connect(excitatory, neurons, 0.02, 0.3)
    _connect(inhibitory, inhibitory, 0.02, -3.0)
    learning = {"eta": 0.01, "alpha": 0.12, "tau": 20.0, "Wmax": -100.0}
    nest.CopyModel(
        "vogels_sprekeler_synapse", "learning", {**learning, "weight": -10.0, "delay": STEP}
    )
    rule = {"rule": "pairwise_bernoulli", "p": 0.02}
    nest.Connect(inhibitory, excitatory, rule, {"synapse_model": "learning"})
    return neurons


def _brunel(excitatory: int, weight: float):
    import nest

    neurons = nest.Create("iaf_psc_delta", excitatory * 5 // 4)
    neurons.set(E_L=0.0, tau_m=20.0, V_th=20.0, V_reset=10.0, t_ref=2.0, C_m=1.0)
    neurons.V_m = nest.random.uniform(0.0, 20.0)
    outside = nest.Create("poisson_generator", params={"rate": 2 * 20 / (weight * 20e-3)})
    nest.Connect(outside, neurons, syn_spec={"weight": weight, "delay": STEP})
    return neurons


def _static_brunel(excitatory: int, weight: float, delay, inhibition: float = 5):
    neurons = _brunel(excitatory, weight)
    _connect(neurons[:excitatory], neurons, 0.1, weight, delay)
    _connect(neurons[excitatory:], neurons, 0.1, -inhibition * weight, delay)
    return neurons


def brunel():
    return _static_brunel(8000, 0.1, 1.5)


def plastic_brunel():
    import nest

    neurons = _brunel(8000, 0.1)
    neurons.tau_minus = 20.0
    learning = {"lambda": 0.001, "alpha": 1.05, "mu_plus": 0.0, "mu_minus": 0.0, "tau_plus": 20.0}
    nest.CopyModel("stdp_synapse", "learning", {**learning, "Wmax": 0.2, "delay": 1.5})
    rule = {"rule": "pairwise_bernoulli", "p": 0.1}
    nest.Connect(neurons[:8000], neurons, rule, {"synapse_model": "learning", "weight": 0.1})
    _connect(neurons[8000:], neurons, 0.1, -0.5, 1.5)
    return neurons


def delays():
    import nest

    return _static_brunel(3200, 0.25, nest.random.uniform(0.1, 3.1), 6)


def astrocyte_brunel():
    import astrocytes_in_nest

    neurons, _ = astrocytes_in_nest.connected()
    return neurons


NETWORKS: dict[str, Callable] = {
    made.__name__: made
    for made in (
        coba,
        cuba,
        cobahh,
        stdp,
        vogels,
        brunel,
        plastic_brunel,
        delays,
        astrocyte_brunel,
    )
}


def main(network: str, threads: int, seconds: float) -> None:
    import nest

    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=STEP, local_num_threads=threads, rng_seed=1)
    neurons = NETWORKS[network]()
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    nest.Prepare()
    began = time.process_time()
    nest.Run(seconds * 1000)
    loop = time.process_time() - began
    done = since_start()
    # neurons' connections to the recorder and from the source of noise are no synapses
    learns = network == "stdp"
    others = len(neurons) * (2 if network.endswith(("brunel", "delays")) else 1)
    synapses = 1000 if learns else nest.num_connections - others
    inputs, rate = (1000, 15.0) if learns else (0, None)
    steps = round(seconds * 1000 / STEP)
    report(done, loop, steps, recorder.n_events, len(neurons), synapses, seconds, inputs, rate)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
