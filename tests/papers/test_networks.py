"""The field's own networks as model files: the same runs as Brian2's of `benchmarks/networks/in_brian.py`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import brian2
import numpy as np
import pytest
from scipy import stats

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.backends.brian.apart import apart
from neuroglia_snn.checks import load_checked

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks" / "networks"
SECONDS, SEED = 0.03, 3


@pytest.fixture(scope="module")
def scripts() -> Iterator[ModuleType]:
    """The benchmarks' Brian2 scripts."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import in_brian

        yield in_brian
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in ("in_brian", "report"):
            sys.modules.pop(name, None)


@contextmanager
def on_runtime(dt: brian2.Quantity) -> Iterator[None]:
    """Brian2's own NumPy code, with a step and random numbers that leave no trace."""
    target, before = brian2.prefs.codegen.target, brian2.defaultclock.dt
    brian2.prefs.codegen.target = "numpy"
    try:
        with apart("runtime"):
            brian2.defaultclock.dt = dt
            brian2.seed(SEED)
            yield
    finally:
        brian2.prefs.codegen.target, brian2.defaultclock.dt = target, before


def own_run(make: Callable, seconds: float = SECONDS) -> brian2.SpikeMonitor:
    """The spikes of Brian2's own run of a script's network."""
    with on_runtime(0.1 * brian2.ms):
        neurons, others = make()
        spikes = brian2.SpikeMonitor(neurons)
        brian2.Network(neurons, *others, spikes).run(seconds * brian2.second)
        return spikes


def run(model: str | Path, settings: dict[str, str], seconds: float = SECONDS) -> Outcome:
    made, _ = load_checked(model, {"model.duration": f"{seconds} second", **settings})
    return backends.get("numpy").run(Request(made, seed=SEED))


VOGELS = """
[model]
extends = "vogels_2011"
[record.weights]
projection = "plastic"
variables = ["w"]
every = "10 ms"
"""
BY_CHANCE = """
[model]
extends = "brunel_2000"
[projection.excitation]
connect = { rule = "condition", p = "epsilon" }
[projection.inhibition]
connect = { rule = "condition", p = "epsilon" }
"""
#: Of a small network; the file counts weights in nS, the script in leak conductances.
SETTINGS = {
    "coba": {"I": "11*mV*g_L"},
    "cuba": {},
    "cobahh": {},
    "vogels": {"n_e": "3200", "n_i": "800", "p": "0.05", "w_0": "10", "start": "0 ms"},
}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", SETTINGS)
def test_the_file_is_the_benchmarks_network(scripts, name, tmp_path):
    """Both draw the same numbers, in the same order, so every spike is the same."""
    small = {"vogels": lambda: scripts.vogels(4000)}
    theirs = own_run(small.get(name, scripts.NETWORKS[name]))
    (tmp_path / "vogels.toml").write_text(VOGELS)
    outcome = run(tmp_path / "vogels.toml" if name == "vogels" else name, SETTINGS[name])
    times, units = outcome.events["spikes"]
    assert len(times) > 300
    np.testing.assert_allclose(times, theirs.t_, rtol=1e-12)
    np.testing.assert_array_equal(units, theirs.i)
    np.testing.assert_allclose(outcome.final["neuron"]["v"], theirs.source.v_, rtol=1e-9)
    if name == "vogels":  # both parts of the rule have acted
        weights = outcome.records["weights"].values["w"][-1]
        assert weights.min() < 10 < weights.max()


#: Brunel's network with a tenth of the synapses, five times as strong.
BRUNEL = {"n_e": "1000", "J": "0.5 mV"}


def test_brunels_synapses_are_the_benchmarks(scripts, tmp_path):
    """Without the input from outside, whose chance is another, and by chance as the benchmark's."""

    def volley():
        neurons, others = scripts._static_brunel(1000, 0.5, 1.5 * brian2.ms, 2)
        neurons.v = 3 * neurons.v
        return neurons, others[:2]

    theirs = own_run(volley)
    start = {"population.neuron.initial.v": "3*(rand()*theta)", "ratio": "0", "g": "2"}
    (tmp_path / "brunel.toml").write_text(BY_CHANCE)
    outcome = run(tmp_path / "brunel.toml", {**BRUNEL, **start})
    times, units = outcome.events["spikes"]
    assert np.sum(times > 0.0015) > 300
    np.testing.assert_allclose(times, theirs.t_, rtol=1e-12)
    np.testing.assert_array_equal(units, theirs.i)
    np.testing.assert_allclose(outcome.final["neuron"]["v"], theirs.source.v_, rtol=1e-9)


def test_brunels_input_is_the_benchmarks(scripts):
    """Poisson input here and binomial there move membranes below threshold alike, and as theory says."""

    def weak():
        neurons, (*_, outside) = scripts._static_brunel(1000, 0.5, 0 * brian2.ms)
        quarter = brian2.PoissonInput(neurons, "v", outside.N, outside.rate / 4, outside.weight)
        return neurons, [quarter]

    theirs = own_run(weak, seconds=0.1).source.v_
    ours = run("brunel_2000", {**BRUNEL, "ratio": "0.5"}, seconds=0.1).final["neuron"]["v"]
    count, mean, variance = 1250, 10e-3, 0.5e-3 * 10e-3 / 2
    for v in (theirs, ours):
        assert abs(np.mean(v) - mean) < 4 * np.sqrt(variance / count)
        assert abs(np.var(v) - variance) < 4 * variance * np.sqrt(2 / count)
    assert stats.ks_2samp(theirs, ours).pvalue > 0.01


#: Units, weights and images of a small network like Diehl and Cook's.
UNITS, PIXELS, SHOWN = 9, 784, 2


def diehl_cook(tables: np.ndarray) -> brian2.SpikeMonitor:
    """Two images, between which a script divides the weights by their sums, as Brian2's own example does."""
    from brian2 import Hz, Network, NeuronGroup, PoissonGroup, SpikeMonitor, Synapses, ms, mV

    images = tables.reshape(-1, 7, 7).repeat(4, axis=1).repeat(4, axis=2).reshape(-1, PIXELS)
    equations = """
    dv/dt = (rest - v - ge*v + gi*(low - v))/tau : volt (unless refractory)
    dge/dt = -ge/(1*ms) : 1
    dgi/dt = -gi/(2*ms) : 1
    dtheta/dt = -theta/(1e7*ms) : volt"""
    names = [
        {"rest": -65 * mV, "low": -100 * mV, "tau": 100 * ms},
        {"rest": -60 * mV, "low": -85 * mV, "tau": 10 * ms},
    ]
    excitatory = NeuronGroup(
        UNITS,
        equations,
        threshold="v > theta - 72*mV",
        reset="v = -65*mV; theta += 0.2*mV",
        refractory=5 * ms,
        method="euler",
        namespace=names[0],
    )
    excitatory.v, excitatory.theta = -105 * mV, 20 * mV
    inhibitory = NeuronGroup(
        UNITS,
        equations,
        threshold="v > -40*mV",
        reset="v = -45*mV",
        refractory=2 * ms,
        method="euler",
        namespace=names[1],
    )
    inhibitory.v = -100 * mV
    inputs = PoissonGroup(PIXELS, np.zeros(PIXELS) * Hz)
    learning = Synapses(
        inputs,
        excitatory,
        """w : 1
        dx/dt = -x/(20*ms) : 1 (event-driven)
        dy/dt = -y/(20*ms) : 1 (event-driven)
        dz/dt = -z/(40*ms) : 1 (event-driven)""",
        on_pre="ge += w; x = 1; w = clip(w - 0.0001*y, 0, 1)",
        on_post="w = clip(w + 0.01*x*z, 0, 1); y = 1; z = 1",
    )
    learning.connect()
    learning.w = "0.3*(rand() + 0.01)"
    learning.pre.delay = "rand()*10*ms"
    partner = Synapses(excitatory, inhibitory, on_pre="ge += 10.4")
    partner.connect(j="i")
    others = Synapses(inhibitory, excitatory, on_pre="gi += 17")
    others.connect("i != j")
    spikes = SpikeMonitor(excitatory)
    network = Network(excitatory, inhibitory, inputs, learning, partner, others, spikes)
    for image in images[:SHOWN]:
        weights = np.reshape(learning.w, (PIXELS, UNITS))
        learning.w = (weights * 78 / weights.sum(axis=0)).ravel()
        inputs.rates = image * 63.75 * Hz
        network.run(350 * ms)
        inputs.rates = np.zeros(PIXELS) * Hz
        network.run(150 * ms)
    return spikes


@pytest.mark.thorough
def test_diehl_and_cooks_network_is_that_of_a_script():
    """Every spike is the same, with the learning in between, and inputs that draw the same numbers."""
    model, _ = load_checked(
        "diehl_cook", {"n": str(UNITS), "model.duration": f"{SHOWN / 2} second"}
    )
    outcome = backends.get("numpy").run(Request(model, seed=SEED))
    tables = np.asarray(model.tables["digits"].values)
    with on_runtime(0.5 * brian2.ms):
        theirs = diehl_cook(tables)
    times, units = outcome.events["spikes"]
    assert np.sum(times > 0.5) > 10
    np.testing.assert_allclose(times, theirs.t_, rtol=1e-12)
    np.testing.assert_array_equal(units, theirs.i)
    np.testing.assert_allclose(outcome.final["excitatory"]["v"], theirs.source.v_, rtol=1e-9)
