"""The neuron-astrocyte network of Jiang et al. (2025) against Brian2's run of a script, and against NEST.

``astrocyte_brunel_nest.npz`` holds what NEST 3.10.0 gives for one cell of each kind and for one tripartite synapse, made by
``benchmarks/networks/astrocytes_in_nest.py traces``. Its integrators choose their own steps (Runge-Kutta-Fehlberg,
tolerance 1e-6 for neurons), and begin again within the step where a neuron spikes; ours resets it at the step's end.
"""

from __future__ import annotations

from pathlib import Path

import brian2
import numpy as np
import pytest
from scipy import stats

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.backends.brian import third_factor
from neuroglia_snn.backends.brian.apart import apart
from neuroglia_snn.checks import load_checked
from neuroglia_snn.errors import ModelError
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.papers.astrocyte_brunel import study, synchrony

NEST = Path(__file__).parent / "astrocyte_brunel_nest.npz"
SEED = 3


@pytest.fixture(scope="module")
def nest() -> dict[str, np.ndarray]:
    with np.load(NEST) as stored:
        return dict(stored)


def run(model: str | Path, settings: dict[str, str], backend: str = "fused") -> Outcome:
    made, _ = load_checked(model, settings)
    return backends.get(backend).run(Request(made, seed=SEED))


# ------------------------------------------------------------------------------------ one cell of each kind

ASTROCYTE = """
[model]
extends = "astrocyte_brunel"
remove = ["population.neuron", "projection.axon_e", "projection.axon_i", "projection.excitation",
    "projection.inhibition", "projection.glutamate", "projection.gliotransmission", "stimulus.outside",
    "record.spikes", "record.currents"]
duration = "4 second"
[parameters]
n_a = "1"
IP3_start = "IP3_0"
[population.input]
size = 1
spikes = { file = "input.npz", i = "units", t = "times", unit = "ms" }
[projection.onto]
from = "input"
to = "astrocyte"
connect = { rule = "all" }
on_pre = "IP3 += delta_IP3"
delay = "1 ms"
[record.astrocytes]
variables = ["IP3", "Ca", "h"]
every = "10 ms"
units = [0]
"""


def with_input(folder: Path, text: str, step: float, *trains: np.ndarray) -> Path:
    """A model file with its input: a spike of NEST has the time of its step's end, one of ours of its start."""
    units = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    np.savez(folder / "input.npz", units=units, times=np.concatenate(trains) - step)
    file = folder / "model.toml"
    file.write_text(text)
    return file


def test_an_astrocyte_is_nests(nest, tmp_path):
    """To the integrators' error: at a quarter of the step ours is a hundredth of what it was (fourth order)."""
    errors = []
    for step in (0.1, 0.025):
        file = with_input(tmp_path, ASTROCYTE, step, nest["astrocyte_input"])
        found = run(file, {"model.dt": f"{step} ms"}).records["astrocytes"].values
        errors.append(
            [
                np.abs(found[ours][1:, 0] * unit - nest[f"astrocyte_{theirs}"]).max()
                for ours, theirs, unit in (
                    ("IP3", "IP3", 1e3),
                    ("Ca", "Ca_astro", 1e3),
                    ("h", "h_IP3R", 1),
                )
            ]
        )
    assert np.ptp(nest["astrocyte_Ca_astro"]) > 0.5  # uM
    assert max(errors[0]) < 1e-7
    assert max(errors[1]) < 1e-9


NEURON = """
[model]
extends = "astrocyte_brunel"
remove = ["population.astrocyte", "projection.axon_e", "projection.axon_i", "projection.excitation",
    "projection.inhibition", "projection.glutamate", "projection.gliotransmission", "stimulus.outside",
    "record.astrocytes", "record.currents"]
duration = "500 ms"
[parameters]
n_e = "1"
n_i = "0"
I_e = "600 pA"
[population.input]
size = 2
spikes = { file = "input.npz", i = "units", t = "times", unit = "ms" }
[projection.onto]
from = "input"
to = "neuron"
connect = { rule = "all" }
on_pre = '''
h_e += 3*nS*exp(1)*int(i == 0)
h_i += 4*nS*exp(1)*int(i == 1)
'''
delay = "1 ms"
[record.neuron]
population = "neuron"
variables = ["v", "g_e", "g_i"]
every = "1 ms"
"""


def test_a_neuron_is_nests(nest, tmp_path):
    """Conductances to 3e-6 nS; spikes to the error of a reset at a step's end, which is of first order."""
    errors, first = [], nest["neuron_spikes"][0]
    for step in (0.1, 0.0125):
        file = with_input(tmp_path, NEURON, step, nest["neuron_input_e"], nest["neuron_input_i"])
        outcome = run(file, {"model.dt": f"{step} ms"})
        found = outcome.records["neuron"].values
        for ours, theirs in (("g_e", "neuron_g_ex"), ("g_i", "neuron_g_in")):
            np.testing.assert_allclose(found[ours][1:, 0] * 1e9, nest[theirs], rtol=0, atol=3e-6)
        before = nest["neuron_times"] < first - 2
        ours, theirs = found["v"][1:, 0][before] * 1e3, nest["neuron_V_m"][before]
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)
        times = outcome.events["spikes"][0] * 1e3 + step
        errors.append(np.abs(times - nest["neuron_spikes"]).max())
    assert before.sum() > 10
    assert errors[0] < 2.5  # ms, in half a second
    assert errors[1] < 2.5 / 8


TRIPLE = """
[model]
extends = "astrocyte_brunel"
remove = ["projection.axon_i", "projection.inhibition", "stimulus.outside"]
duration = "4 second"
[parameters]
n_e = "2"
n_i = "0"
n_a = "1"
pool_size = "1"
p_third = "1"
I_e = "400 pA"
w_e = "8 nS"
w_third = "8"
w_sic = "40"
tau_IP3 = "100 ms"
IP3_start = "IP3_0"
[population.neuron]
equations = '''
dv/dt = (g_L*(E_L - u) + g_L*Delta_T*exp((u - V_T)/Delta_T) + g_e*(E_e - u) + g_i*(E_i - u) - w + I_e + I_SIC + drive)/C_m : volt
drive : amp (constant)
'''
initial = { v = "E_L", drive = "800*pA*int(i == 0)" }
[projection.axon_e]
from = "neuron[:1]"
to = "neuron[:1]"
[projection.excitation]
from = "neuron[:1]"
to = "neuron[1:]"
connect = { rule = "all" }
[projection.glutamate]
from = "neuron[:1]"
[projection.gliotransmission]
to = "neuron[1:]"
[record.astrocytes]
every = "1 ms"
units = [0]
[record.currents]
variables = ["g_e", "I_SIC"]
every = "1 ms"
units = [1]
"""


@pytest.mark.thorough
def test_a_tripartite_synapse_is_nests(nest, tmp_path):
    """Spikes that deplete a synapse, the astrocyte's calcium, and its current in the target, for 4 s.

    The source fires 170 times, and what its resets are late adds up: all differences are those of the two trains.
    Our astrocyte is d_sic = 1 ms behind NEST's, whose current is as much behind.
    """
    (tmp_path / "triple.toml").write_text(TRIPLE)
    outcome = run(tmp_path / "triple.toml", {"model.dt": "0.0125 ms"})
    times, units = outcome.events["spikes"]
    for unit, name, most in ((0, "triple_source", 0.65), (1, "triple_target", 0.65)):
        found = times[units == unit] * 1e3 + 0.0125
        assert np.abs(found - nest[name]).max() < most  # ms
    at = np.searchsorted(outcome.records["currents"].times * 1e3, nest["triple_times"] - 0.01)
    current = outcome.records["currents"].values["I_SIC"][at, 0] * 1e12
    assert nest["triple_I_SIC"].max() > 250
    np.testing.assert_allclose(current, nest["triple_I_SIC"], rtol=0, atol=0.1)  # pA
    late = at[at + 1 < len(outcome.records["astrocytes"].times)] + 1
    calcium = outcome.records["astrocytes"].values["Ca"][late, 0] * 1e3
    np.testing.assert_allclose(calcium, nest["triple_astrocyte_Ca_astro"][: len(late)], atol=2e-4)


# ---------------------------------------------------------------------------------- the network in a script

#: A small network without chance in its input, in which astrocytes act within 60 ms.
SMALL = {
    "model.duration": "60 ms",
    "n_e": "160",
    "n_i": "40",
    "n_a": "40",
    "p": "0.3",
    "pool_size": "5",
    "I_e": "700 pA",
    "w_e": "3 nS",
    "w_sic": "1",
    "rate": "0 Hz",
    "tau_IP3": "100 ms",
    "population.neuron.initial.v": "E_L + rand()*20*mV",
    "population.astrocyte.initial.Ca": "(0.15 + 0.2*rand())*umolar",
}


def script() -> tuple[brian2.SpikeMonitor, brian2.NeuronGroup]:
    """The network with resources, and a current, of every synapse's own."""
    from brian2 import Network, NeuronGroup, SpikeMonitor, Synapses, ms, umolar

    neurons = NeuronGroup(
        200,
        """dv/dt = (30*nS*(-70.6*mV - u) + 60*nS*mV*exp((u + 50.4*mV)/(2*mV)) - ge*u - gi*(u + 85*mV)
                   - w + 700*pA + sic)/(281*pF) : volt
        u = clip(v, -1*volt, 0*mV) : volt
        dge/dt = (he - ge)/(2*ms) : siemens
        dhe/dt = -he/(2*ms) : siemens
        dgi/dt = (hi - gi)/(4*ms) : siemens
        dhi/dt = -hi/(4*ms) : siemens
        dw/dt = (4*nS*(u + 70.6*mV) - w)/(144*ms) : amp
        sic : amp""",
        threshold="v >= 0*mV",
        reset="v = -60*mV; w += 80.5*pA",
        method="rk4",
    )
    astrocytes = NeuronGroup(
        40,
        """dI/dt = (0.16*umolar - I)/(100*ms) : mmolar
        dC/dt = 0.185*(0.006/ms*(I/(I + 0.13*umolar)*C/(C + 0.08234*umolar)*h)**3 + 0.00011/ms)
                *((2*umolar - C)/0.185 - C) - 0.0009*umolar/ms*C**2/((0.1*umolar)**2 + C**2) : mmolar
        dh/dt = 0.0002/(umolar*ms)*(1.049*umolar*(I + 0.13*umolar)/(I + 0.9434*umolar)*(1 - h) - C*h) : 1
        sic = log(clip((C - 0.19669*umolar)/(0.001*umolar), 1, 1e9))*pA : amp""",
        method="rk4",
    )
    neurons.v = "-70.6*mV + rand()*20*mV"
    astrocytes.I, astrocytes.C, astrocytes.h = 0.4 * umolar, "(0.15 + 0.2*rand())*umolar", 0.793
    depressing = """dx/dt = (1 - x - y)/(800*ms) : 1 (event-driven)
    dy/dt = -y/tau : 1 (event-driven)
    used : 1"""
    spent = "used = 0.5*x; x -= used; y += used; "

    def synapses(source, target, tau, then: str, delay) -> Synapses:
        return Synapses(
            source, target, depressing, on_pre=spent + then, delay=delay, namespace={"tau": tau}
        )

    excitation = synapses(neurons[:160], neurons, 2 * ms, "he += 3*nS*exp(1)*used", 2 * ms)
    excitation.connect(p=0.3)
    inhibition = synapses(neurons[160:], neurons, 4 * ms, "hi += 4*nS*exp(1)*used", 1 * ms)
    inhibition.connect(p=0.3)
    drawn = {"p": 0.5, "pool_size": 5, "block": False}
    pairing = third_factor.paired(excitation.j[:], (200, 40), drawn, SEED, "glutamate")
    onto = synapses(neurons[:160], astrocytes, 2 * ms, "I += 0.5*umolar*used", 3 * ms)
    onto.connect(i=excitation.i[:][pairing.synapses], j=pairing.thirds)
    currents = Synapses(astrocytes, neurons, "sic_post = sic_pre : amp (summed)")
    currents.connect(i=pairing.thirds, j=excitation.j[:][pairing.synapses])
    for made in (excitation, inhibition, onto):
        made.x = 1
    spikes = SpikeMonitor(neurons)
    Network(neurons, astrocytes, excitation, inhibition, onto, currents, spikes).run(60 * ms)
    return spikes, astrocytes


def test_the_file_is_the_scripts_network():
    """Though it keeps a neuron's resources once, and has one current for all synapses of two cells."""
    target, before = brian2.prefs.codegen.target, brian2.defaultclock.dt
    brian2.prefs.codegen.target = "numpy"
    try:
        with apart("runtime"):
            brian2.defaultclock.dt = 0.1 * brian2.ms
            brian2.seed(SEED)
            theirs, astrocytes = script()
    finally:
        brian2.prefs.codegen.target, brian2.defaultclock.dt = target, before
    outcome = run("astrocyte_brunel", SMALL, "numpy")
    times, units = outcome.events["spikes"]
    assert len(times) > 300
    np.testing.assert_allclose(times, theirs.t_, rtol=1e-12)
    np.testing.assert_array_equal(units, theirs.i)
    assert outcome.final["neuron"]["I_SIC"].min() > 0
    np.testing.assert_allclose(outcome.final["neuron"]["v"], theirs.source.v_, rtol=1e-6)
    np.testing.assert_allclose(outcome.final["neuron"]["I_SIC"], theirs.source.sic_, rtol=1e-9)
    for ours, name in (("Ca", "C"), ("IP3", "I"), ("h", "h")):
        found = outcome.final["astrocyte"][ours]
        np.testing.assert_allclose(found, getattr(astrocytes, f"{name}_"), rtol=1e-9)


# ----------------------------------------------------------------------------------------- third factors


def pairing(count: int = 40_000, targets: int = 400, thirds: int = 500, seed: int = 1, **given):
    random = np.random.default_rng(0)
    ends = random.integers(targets, size=count)
    connect = {"p": 0.3, "pool_size": 10, "block": False, **given}
    return ends, third_factor.paired(ends, (targets, thirds), connect, seed, "glutamate")


def test_synapses_are_paired_with_the_pool_of_their_target():
    ends, found = pairing()
    expected, spread = 40_000 * 0.3, np.sqrt(40_000 * 0.3 * 0.7)
    assert abs(len(found.synapses) - expected) < 4 * spread
    assert (np.diff(found.synapses) > 0).all()
    pools = [np.unique(found.thirds[ends[found.synapses] == target]) for target in range(400)]
    assert max(map(len, pools)) == 10
    members = np.bincount(np.concatenate(pools), minlength=500)  # of how many pools: binomial
    assert 0.5 < members.var() / members.mean() < 1.5
    again = pairing()[1]
    np.testing.assert_array_equal(found.thirds, again.thirds)
    assert not np.array_equal(found.synapses, pairing(seed=2)[1].synapses)


def test_pools_in_blocks():
    ends, found = pairing(thirds=4000, block=True)
    np.testing.assert_array_equal(found.thirds // 10, ends[found.synapses])
    ends, found = pairing(thirds=40, pool_size=1, block=True)
    np.testing.assert_array_equal(found.thirds, ends[found.synapses] // 10)


def test_the_output_counts_pairings():
    ends, found = pairing()
    i, j, multiplicity = third_factor.output(found, ends)
    assert multiplicity.sum() == len(found.synapses)
    assert len(np.unique(i * 400 + j)) == len(i)
    both = (found.thirds == i[7]) & (ends[found.synapses] == j[7])
    assert multiplicity[7] == both.sum()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"projection.glutamate.connect.of": "nothing"}, "needs 'of', a projection"),
        ({"projection.gliotransmission.connect.of": "excitation"}, "of rule 'third-in'"),
        ({"projection.glutamate.from": "neuron"}, "is 'neuron[0:8000]' where a third factor"),
        ({"projection.gliotransmission.to": "neuron[:n_e]"}, "is 'neuron' where a third factor"),
        ({"projection.glutamate.connect.pool_type": "blocks"}, "did you mean 'block'?"),
        ({"projection.glutamate.connect.pool_type": "block"}, "need 100000 units"),
        ({"pool_size": "20000"}, "pool_size is from 1 to 10000"),
        ({"projection.glutamate.connect.p": "1.5"}, "a probability from 0 to 1"),
    ],
)
def test_what_no_third_factor_can_be_is_refused(settings, said):
    with pytest.raises(ModelError, match=said.replace("[", r"\[").replace("?", r"\?")):
        load_checked("astrocyte_brunel", settings)


def test_programs_that_make_their_synapses_refuse_it():
    model, _ = load_checked("astrocyte_brunel", {})
    reason = backends.get("cpp").unsupported(model)
    assert reason and "rule 'third-in' follows synapses" in reason


# ------------------------------------------------------------------------------------------- the study


def test_synchrony_is_that_of_counts():
    """Neurons that spike together are synchronous, independent ones are not; rates are of each part."""
    random = np.random.default_rng(1)
    units, times = np.arange(1000).repeat(20), random.random(20_000) * 2
    apart = synchrony.measures(times, units, 1000, 2.0)
    assert apart["rate_e"] == apart["rate_i"] == 10
    assert abs(apart["local"]) < 0.01
    assert apart["global"] < 2 / synchrony.SAMPLE
    together = synchrony.measures(np.tile(times[:20], 1000), units, 1000, 2.0)
    assert together["local"] == pytest.approx(1)
    assert together["global"] == pytest.approx(1)


def test_the_permutation_test_is_exact():
    """Of the 20 ways to part six values, two part the means as far as the least from the greatest three."""
    low, high = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    assert study.permutation_p(low, high) == pytest.approx(0.1)
    assert study.permutation_p(low, low) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("case", list(study.nest()["cases"]))
def test_the_network_fires_as_nests(tmp_path, case):
    """Rates, synchrony and calcium of four seeds and of NEST's: Welch's t, at 1 % for all quantities together."""
    ours = [study.part(Work(tmp_path), case, study.SMALL, seed) for seed in range(4)]
    theirs = study.nest()["cases"][case]
    found = {
        name: stats.ttest_ind(
            study.samples(ours, name), study.samples(theirs, name), equal_var=False
        ).pvalue
        for name in study.QUANTITIES
    }
    assert min(found.values()) > 0.01 / len(found), found
