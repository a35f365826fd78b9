"""The neuron-astrocyte network of Jiang et al. (2025, doi:10.1371/journal.pcbi.1013503) in NEST: what it gives, as arrays.

astrocytes_in_nest.py traces FILE.npz
astrocytes_in_nest.py network FILE.npz CASE SCALE SEED BEFORE SECONDS

"traces" are of an astrocyte, of a neuron and of a tripartite synapse with given input: what NEST's own integrators make
of them. "network" has all spikes after BEFORE seconds, and the calcium of all astrocytes at the end; cases are those of
``CASES``, or one of these and "+rule", with connections by NEST's own rule. A network of another SCALE has as many
times the cells, and as many synapses a cell. The parameters are those of NEST's example ``astrocyte_brunel_bernoulli.py``; all that is not said here is a
default of NEST 3.10.
"""

from __future__ import annotations

import sys

import numpy as np

#: ms
STEP = 0.1
#: What a case changes: delay of inhibition (ms), its time constant (ms), weight of the slow inward current.
CASES = {
    "sparse": (1.0, 4.0, 0.01),
    "sparse_without": (1.0, 4.0, 0.0),
    "synchronous": (2.0, 2.0, 0.01),
    "synchronous_without": (2.0, 2.0, 0.0),
}
#: Astrocytes that a neuron's synapses have to choose from.
POOL = 10
ASTROCYTE = {"delta_IP3": 0.5, "tau_IP3": 2.0}


def reset(seed: int = 1, threads: int = 1) -> None:
    import nest

    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=STEP, local_num_threads=threads, rng_seed=seed)


def connected(case: str = "sparse", scale: float = 1.0):
    """The network's neurons and astrocytes, with their input."""
    import nest

    d_i, tau_i, w_sic = CASES[case]
    neurons = nest.Create(
        "aeif_cond_alpha_astro", int(10_000 * scale), {"tau_syn_ex": 2.0, "tau_syn_in": tau_i}
    )
    excitatory, inhibitory = neurons[: int(8000 * scale)], neurons[int(8000 * scale) :]
    astrocytes = nest.Create("astrocyte_lr_1994", len(neurons), {**ASTROCYTE, "IP3": 0.4})
    outside = nest.Create("poisson_generator", params={"rate": 2000.0})
    nest.Connect(outside, neurons, syn_spec={"weight": 1.0})
    primary = {"rule": "pairwise_bernoulli", "p": 0.1 / scale}
    depressing = {"synapse_model": "tsodyks_synapse"}
    pairing = {"rule": "third_factor_bernoulli_with_pool", "p": 0.5, "pool_size": POOL}
    excitation = {**depressing, "weight": 1.0, "tau_psc": 2.0, "delay": 2.0}
    nest.TripartiteConnect(
        excitatory,
        neurons,
        astrocytes,
        conn_spec=primary,
        third_factor_conn_spec=pairing,
        syn_specs={
            "primary": excitation,
            "third_in": excitation,
            "third_out": {"synapse_model": "sic_connection", "weight": w_sic},
        },
    )
    inhibition = {**depressing, "weight": -4.0, "tau_psc": tau_i, "delay": d_i}
    nest.Connect(inhibitory, neurons, primary, inhibition)
    return neurons, astrocytes


def _drawn(case: str, scale: float, seed: int):
    """The same network with connections by NumPy, and one current for all synapses of two cells.

    NEST's own rule makes a connection for the current of each tripartite synapse, forty for the same two cells, and
    sends all of them every millisecond: 90 % of its time. One of forty times the weight is the same current.
    """
    import nest

    d_i, tau_i, w_sic = CASES[case]
    count, share = int(10_000 * scale), int(8000 * scale)
    neurons = nest.Create("aeif_cond_alpha_astro", count, {"tau_syn_ex": 2.0, "tau_syn_in": tau_i})
    astrocytes = nest.Create("astrocyte_lr_1994", count, {**ASTROCYTE, "IP3": 0.4})
    outside = nest.Create("poisson_generator", params={"rate": 2000.0})
    nest.Connect(outside, neurons, syn_spec={"weight": 1.0})
    random = np.random.default_rng([seed, 1])
    i, j = np.nonzero(random.random((count, count)) < 0.1 / scale)
    nest.CopyModel("tsodyks_synapse", "excitation", {"tau_psc": 2.0})
    nest.CopyModel("tsodyks_synapse", "inhibition", {"tau_psc": tau_i})
    excites = i < share
    _pairs(neurons, i[excites], neurons, j[excites], "excitation", 1.0, 2.0)
    _pairs(neurons, i[~excites], neurons, j[~excites], "inhibition", -4.0, d_i)
    paired = np.flatnonzero(excites)[random.random(excites.sum()) < 0.5]
    pool = np.array([random.choice(count, POOL, replace=False) for _ in range(count)])
    third = pool[j[paired], random.integers(POOL, size=len(paired))]
    _pairs(neurons, i[paired], astrocytes, third, "excitation", 1.0, 2.0)
    if w_sic:
        both, number = np.unique(third * count + j[paired], return_counts=True)
        _pairs(
            astrocytes, both // count, neurons, both % count, "sic_connection", w_sic * number, 1.0
        )
    return neurons, astrocytes


def _pairs(source, i, target, j, model: str, weight, delay: float) -> None:
    import nest

    ends = source[0].global_id + i, target[0].global_id + j
    given = {
        "weight": np.broadcast_to(weight, len(i)).astype(float),
        "delay": np.full(len(i), delay),
    }
    nest.Connect(*ends, "one_to_one", {"synapse_model": model, **given})


def network(file: str, case: str, scale: float, seed: int, before: float, seconds: float) -> None:
    """Run it and keep its spikes."""
    import nest

    reset(seed)
    own = case.endswith("+rule")
    neurons, astrocytes = (
        connected(case.removesuffix("+rule"), scale) if own else _drawn(case, scale, seed)
    )
    recorder = nest.Create("spike_recorder", params={"start": 1000 * before})
    nest.Connect(neurons, recorder)
    nest.Simulate(1000 * (before + seconds))
    np.savez_compressed(
        file,
        units=(recorder.events["senders"] - neurons[0].global_id).astype(np.int32),
        times=np.round(recorder.events["times"] - 1000 * before, 1),
        Ca=np.array(astrocytes.Ca_astro),
        size=len(neurons),
        seconds=seconds,
        version=nest.__version__,
    )


# ------------------------------------------------------------------------------ traces


def regular(rate: float, seconds: float, first: float) -> np.ndarray:
    """Spike times (ms) of a train that is not quite regular, on steps."""
    n = np.arange(int(rate * seconds))
    steps = np.round((first + 1000 * n / rate + 0.3 * 1000 / rate * np.sin(n)) / STEP)
    return np.unique(steps[steps > 0]) * STEP


def _watched(node, names: list[str], every: float):
    import nest

    meter = nest.Create("multimeter", params={"record_from": names, "interval": every})
    nest.Connect(meter, node)
    return meter


def _values(meter, prefix: str, names: list[str]) -> dict[str, np.ndarray]:
    return {f"{prefix}_{name}": np.array(meter.events[name]) for name in ("times", *names)}


def _spikes(node):
    import nest

    recorder = nest.Create("spike_recorder")
    nest.Connect(node, recorder)
    return recorder


def _astrocyte() -> dict[str, np.ndarray]:
    """One astrocyte with 400 spikes a second, each of weight 1, for 4 s."""
    import nest

    reset()
    astrocyte = nest.Create("astrocyte_lr_1994", params=ASTROCYTE)
    times = regular(400.0, 4.0, 50.0)
    source = nest.Create("spike_generator", params={"spike_times": times})
    nest.Connect(source, astrocyte, syn_spec={"weight": 1.0, "delay": 1.0})
    names = ["IP3", "Ca_astro", "h_IP3R"]
    meter = _watched(astrocyte, names, 10.0)
    nest.Simulate(4000.0)
    return {"astrocyte_input": times, **_values(meter, "astrocyte", names)}


def _neuron() -> dict[str, np.ndarray]:
    """One neuron with a constant current of 600 pA and trains of both kinds of synapses, for 500 ms."""
    import nest

    reset()
    cell = {"I_e": 600.0, "tau_syn_ex": 2.0, "tau_syn_in": 4.0}
    neuron = nest.Create("aeif_cond_alpha_astro", params=cell)
    found = {}
    for name, rate, weight, first in (("e", 800.0, 3.0, 5.0), ("i", 200.0, -4.0, 7.0)):
        found[f"neuron_input_{name}"] = regular(rate, 0.5, first)
        source = nest.Create(
            "spike_generator", params={"spike_times": found[f"neuron_input_{name}"]}
        )
        nest.Connect(source, neuron, syn_spec={"weight": weight, "delay": 1.0})
    names = ["V_m", "g_ex", "g_in", "w"]
    meter, recorder = _watched(neuron, names, 1.0), _spikes(neuron)
    nest.Simulate(500.0)
    return {**found, **_values(meter, "neuron", names), "neuron_spikes": recorder.events["times"]}


def _triple() -> dict[str, np.ndarray]:
    """A neuron that fires by a constant current, its target, and the astrocyte of the synapse, for 4 s."""
    import nest

    reset()
    pair = nest.Create("aeif_cond_alpha_astro", 2, {"tau_syn_ex": 2.0, "tau_syn_in": 4.0})
    pair.I_e = [1200.0, 400.0]
    astrocyte = nest.Create("astrocyte_lr_1994", params={**ASTROCYTE, "tau_IP3": 100.0})
    synapse = {"synapse_model": "tsodyks_synapse", "weight": 8.0, "tau_psc": 2.0, "delay": 2.0}
    nest.TripartiteConnect(
        pair[:1],
        pair[1:],
        astrocyte,
        conn_spec={"rule": "all_to_all"},
        third_factor_conn_spec={
            "rule": "third_factor_bernoulli_with_pool",
            "p": 1.0,
            "pool_size": 1,
        },
        syn_specs={
            "primary": synapse,
            "third_in": synapse,
            "third_out": {"synapse_model": "sic_connection", "weight": 40.0},
        },
    )
    source, target = _spikes(pair[:1]), _spikes(pair[1:])
    names, others = ["V_m", "g_ex", "I_SIC"], ["IP3", "Ca_astro"]
    meter, other = _watched(pair[1:], names, 4.0), _watched(astrocyte, others, 4.0)
    nest.Simulate(4000.0)
    return {
        **_values(meter, "triple", names),
        **_values(other, "triple_astrocyte", others),
        "triple_source": source.events["times"],
        "triple_target": target.events["times"],
    }


def traces(file: str) -> None:
    """What one cell of each kind does, and one tripartite synapse."""
    import nest

    found = {**_astrocyte(), **_neuron(), **_triple()}
    np.savez_compressed(file, **found, version=nest.__version__)


if __name__ == "__main__":
    if sys.argv[1] == "traces":
        traces(sys.argv[2])
    else:
        scale, seed, *times = sys.argv[4:]
        network(sys.argv[2], sys.argv[3], float(scale), int(seed), *map(float, times))
