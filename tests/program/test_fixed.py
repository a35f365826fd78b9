"""Networks in integers: the machines agree bit for bit, and integers do what floating point does."""

from __future__ import annotations

from dataclasses import replace

import brian2
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, ms, mV
from helpers.catalogue import SMALL
from program import zoo
from program.test_zoo import states

import neuroglia_snn.brian
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.fused import FusedBackend
from neuroglia_snn.catalog import files
from neuroglia_snn.checks import load_checked
from neuroglia_snn.errors import UserError
from neuroglia_snn.fixedpoint import facts, lower, statements
from neuroglia_snn.program import device as devices
from neuroglia_snn.program.program import Record
from neuroglia_snn.program.refusal import Refused
from neuroglia_snn.program.tree import BOOL, FLOAT64, Local

REFUSED = {"stopped", "operations", "function_of_the_script", "drawn"}
#: Networks whose units reach a threshold within a rounding of it, or diverge: integers may be a step off.
ON_EDGE = {
    *("custom_events", "on_event", "quotients", "several_runs", "two_populations"),
    *("plastic", "plastic_of_many"),
}
NETWORKS = {**zoo.DETERMINISTIC, **zoo.RANDOM}
FIXED = {"precision": "fixed"}


@pytest.fixture
def device():
    brian2.start_scope()
    brian2.set_device("neuroglia", **FIXED)
    brian2.seed(7)
    yield neuroglia_snn.brian.device
    brian2.set_device("runtime")
    brian2.defaultclock.dt = 0.1 * ms


def quick(names):
    """Every fifth of them; as many are thorough, the others exhaustive."""
    kinds = [(), (pytest.mark.thorough,), *[(pytest.mark.exhaustive,)] * 3]
    marks = [kinds[n % 5] for n in range(len(names))]
    return [pytest.param(name, marks=mark) for name, mark in zip(names, marks, strict=True)]


@pytest.mark.one_in(12)
@pytest.mark.parametrize("name", quick([n for n in NETWORKS if n not in REFUSED]))
def test_the_machines_agree_bit_for_bit_and_with_floating_point(name):
    ours = states(NETWORKS[name], {"target": "cpp", **FIXED})
    oracle = states(NETWORKS[name], {"target": "numpy", **FIXED})
    numbers = {"statemonitor 0.c"} if name == "quotients" else set()  # which no step changes
    compared = [n for n in ours if n not in numbers]
    assert [n for n in compared if not np.array_equal(ours[n], oracle[n], equal_nan=True)] == []
    if name in zoo.RANDOM or name in ON_EDGE:
        return
    exact = states(NETWORKS[name], {"target": "cpp"})
    for key, values in exact.items():
        if not values.size:
            continue
        size = np.nanmax(np.abs(np.asarray(values, float))) or 1.0
        error = np.abs(np.asarray(ours[key], float) - np.asarray(values, float))
        assert np.nanmax(error) <= 1e-3 * size, key


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_has_no_integers_is_refused_in_one_sentence(name):
    with pytest.raises(Refused, match="fixed point") as refused:
        states(NETWORKS[name], {"target": "cpp", **FIXED})
    assert "\n" not in str(refused.value)


MODELS = files.names("models")


@pytest.mark.one_in(6)
@pytest.mark.parametrize("name", quick(MODELS))
def test_a_kernel_lowered_to_operations_computes_what_it_did(name, monkeypatch):
    """In floating point, to rounding."""
    model, _ = load_checked(name, SMALL.get(name, {}))
    steps = [p.dt for p in model.populations.values()]
    short = min(3 * max(steps), 100 * min(steps))  # before a rounding grows in networks that spike
    model = replace(model, duration=min(model.duration, max(0.002, short)))
    rng = np.random.RandomState(3)
    images = {n: rng.rand(*shape) < 0.3 for n, shape in model.images().items()}
    request = Request(model, images=images, seed=3)
    expected = FusedBackend().run(request)
    build = devices.build

    def lowered(objects):
        program = build(objects)
        known = facts.Facts(program)
        steps = [_lowered(step, known) for step in program.steps]
        return replace(program, steps=steps, arrays=[*program.arrays, *known.made])

    monkeypatch.setattr(devices, "build", lowered)
    found = FusedBackend().run(request)
    for owner, variables in expected.final.items():
        for variable, values in variables.items():
            np.testing.assert_allclose(
                found.final[owner][variable], values, rtol=1e-8, atol=1e-12, err_msg=variable
            )


def _lowered(step, known):
    kernel = getattr(step, "kernel", None)
    if kernel is None or isinstance(step, Record) or not (kernel.results or any(kernel.writes())):
        return step
    block = lower.lowered(kernel, known, step.owner.name)
    results = {
        name: value
        if value.dtype == BOOL or not isinstance(value, Local)
        else Local(value.number, FLOAT64, False)
        for name, value in block.results.items()
    }
    each = statements.in_floats(block)
    return replace(step, kernel=replace(kernel, each=each, results=results, accumulates=False))


@pytest.mark.thorough
@pytest.mark.parametrize("name", quick(MODELS))
def test_every_catalogue_model_runs_in_integers(name):
    model, _ = load_checked(name, SMALL.get(name, {}))
    short = 20 * max(p.dt for p in model.populations.values())
    model = replace(model, duration=min(model.duration, max(0.001, short)))
    images = {n: np.ones(shape, bool) for n, shape in model.images().items()}
    exact = FusedBackend().run(Request(model, images=images, seed=3))
    found = FusedBackend().run(Request(model, images=images, seed=3, precision="fixed"))
    assert found.details["fixed"]["formats"]
    for owner, variables in exact.final.items():
        assert set(variables) == set(found.final[owner])
        for variable, values in variables.items():
            assert np.isfinite(found.final[owner][variable]).all()
            assert found.final[owner][variable].shape == values.shape


def test_a_leak_is_exact_over_many_steps(device):
    """An event-driven decay has tables of the low and the high bits of the steps, and no drift."""
    group = NeuronGroup(1, "dv/dt = 10*Hz : 1", threshold="v > 1", reset="v = 0", method="euler")
    listed = brian2.SpikeGeneratorGroup(1, [0, 0, 0], [1, 40, 400] * ms)
    synapse = Synapses(
        listed, group, "da/dt = -a/(100*ms) : 1 (event-driven)", on_pre="a += 1", method="exact"
    )
    synapse.connect()
    seen = StateMonitor(synapse, "a", record=True, dt=10 * ms)
    Network(group, listed, synapse, seen).run(411 * ms)
    expected = 1 + np.exp(-3.6) * (1 + np.exp(-0.39))
    assert seen.a[0, -1] == pytest.approx(expected, abs=2e-6)


def test_a_sum_holds_all_of_its_terms_at_once(device):
    """Sixteen units that are on in one step, in which nobody looks: a power of two fits."""
    source = NeuronGroup(32, "on : 1")
    source.run_regularly("on = int(abs(t - 30*ms) < 0.01*ms)")
    target = NeuronGroup(2, "total : 1")
    synapses = Synapses(source, target, "total_post = int(on_pre > 0.5) : 1 (summed)")
    synapses.connect(condition="i // 16 == j")
    seen = StateMonitor(target, "total", record=True, when="end")
    Network(source, target, synapses, seen).run(200 * ms)
    assert seen.total.max() == 16
    assert seen.total.min() == 0


def test_an_input_that_is_on_for_one_step_of_many_has_its_value(device):
    """No look at the run beforehand need fall on it."""
    pulse = np.zeros(20_000)
    pulse[13_579] = 37.0
    given = brian2.TimedArray(pulse, dt=0.1 * ms)
    group = NeuronGroup(2, "dv/dt = given(t)/ms : 1", method="euler", namespace={"given": given})
    Network(group).run(2000 * ms)
    np.testing.assert_allclose(group.v, 3.7, rtol=1e-4)


def test_a_later_run_has_other_random_numbers(device):
    group = NeuronGroup(40, "dv/dt = xi*ms**-0.5 : 1", method="euler")
    source = brian2.PoissonGroup(40, 100 * brian2.Hz)
    spikes = SpikeMonitor(source)
    network, steps = Network(group, source, spikes), []
    for _ in range(3):
        before = np.array(group.v)
        network.run(5 * ms)
        steps.append(np.array(group.v) - before)
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert abs(np.corrcoef(steps[one], steps[other])[0, 1]) < 0.6
    assert len({tuple(spikes.i[spikes.t // (5 * ms) == n]) for n in range(3)}) == 3


GROUP = """
[population.NAME]
size = SIZE
equations = "dx/dt = -x/(10*ms) : 1"
initial = { x = "0.5" }
range = { x = [-1, 1, 12, "stochastic"] }
"""


def test_rounding_at_random_in_groups_of_two_sizes(tmp_path):
    """Each object has shift registers of its own."""
    text = '[model]\ndt = "0.1 ms"\nduration = "5 ms"\nintegrator = "euler"\n'
    for name, size in (("few", 3), ("many", 5000)):
        text += GROUP.replace("NAME", name).replace("SIZE", str(size))
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    model, _ = load_checked(str(tmp_path / "m.toml"))
    found = FusedBackend().run(Request(model, precision="fixed")).final
    assert np.std(found["many"]["x"]) > 0
    np.testing.assert_allclose(found["many"]["x"].mean(), 0.5 * np.exp(-0.5), atol=2e-3)
    assert np.isfinite(found["few"]["x"]).all()


def test_what_many_spikes_add_does_not_wrap(device):
    brian2.set_device("neuroglia", **FIXED, ranges={"hit.v": (-1, 1)})
    source = brian2.SpikeGeneratorGroup(300, np.arange(300), np.full(300, 0.1) * ms)
    target = NeuronGroup(1, "v : 1", name="hit")
    synapses = Synapses(source, target, on_pre="v_post += 0.9")
    synapses.connect()
    Network(source, target, synapses).run(0.3 * ms)
    assert target.v[0] == pytest.approx(270, rel=1e-5)


def test_quotients_of_several_variables_keep_their_precision(device):
    group = NeuronGroup(
        3,
        """v : 1
        w : 1
        hill : 1
        inverse : 1""",
    )
    group.v, group.w = [0.5, 1, 2], [0, 0.001, 0]
    group.run_regularly("v = v*1.0; hill = v**3/(0.01 + v**3 + w); inverse = 1/v + v**-2")
    Network(group).run(0.2 * ms)
    v, w = np.array(group.v), np.array(group.w)
    np.testing.assert_allclose(group.hill, v**3 / (0.01 + v**3 + w), atol=2e-4)
    np.testing.assert_allclose(group.inverse, 1 / v + v**-2, rtol=1e-3)


def test_a_value_that_is_no_number_is_refused(device):
    group = NeuronGroup(2, "dv/dt = -v/ms : 1", method="euler")
    group.v = [0, np.nan]
    with pytest.raises(UserError, match=r"'neurongroup.*v' holds a NaN"):
        Network(group).run(1 * ms)


def test_ranges_of_what_the_network_has_not_are_refused():
    for ranges, said in (
        ({"nope.v": (0, 1)}, "no variable 'nope.v' .it has cell.v"),
        ({"cell.w": (0, 1)}, "no variable 'cell.w'"),
        ({"cell.v": (0 * mV, 1 * mV)}, "in other units"),
    ):
        brian2.start_scope()
        brian2.set_device("neuroglia", **FIXED, ranges=ranges)
        group = NeuronGroup(2, "dv/dt = -v/ms : 1", method="euler", name="cell")
        with pytest.raises(UserError, match=said):
            Network(group).run(1 * ms)
    brian2.set_device("runtime")


def test_saturation_is_counted_and_told(device):
    brian2.set_device("neuroglia", **FIXED, ranges={"narrow.v": (0.0, 0.5)})
    group = NeuronGroup(3, "dv/dt = 200*Hz : 1", method="euler", name="narrow")
    Network(group).run(5 * ms)
    assert group.v[:] == pytest.approx(0.5, abs=1e-6)
    assert device.fixed.saturated()["narrow_stateupdater"] > 0


def test_formats_hold_what_an_input_does_that_repeats_itself_with_the_looks(device):
    """A run is looked at 200 times beforehand, and here its input has 200 periods."""
    equations = "dv/dt = a*cos(2*pi*t/ms)/ms : 1\na : 1 (constant)"
    group = NeuronGroup(3, equations, method="euler")
    group.a = [10, 20, 30]
    state = StateMonitor(group, "v", record=True)
    Network(group, state).run(200 * ms)
    assert device.fixed.saturated() == {}
    assert state.v.max() > 4


def test_a_variable_that_cannot_move_is_told(device):
    group = NeuronGroup(3, "dv/dt = -v/(1000*second) : 1\ndw/dt = -w/(10*ms) : 1", method="euler")
    group.v, group.w = 0.5, 1
    Network(group).run(1 * ms)
    (sentence,) = device.fixed.standing
    assert "neurongroup" in sentence and ".v'" in sentence and "counts" in sentence


def test_a_second_run_goes_on_from_the_first(device):
    def spikes(*durations):
        group = NeuronGroup(
            4, "dv/dt = (2 - v)/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact"
        )
        group.v = "i/5."
        seen = SpikeMonitor(group)
        network = Network(group, seen)
        for duration in durations:
            network.run(duration)
        return list(zip(seen.i, seen.t / ms, strict=True))

    assert spikes(7 * ms, 7 * ms, 7 * ms) == spikes(21 * ms)
    assert len(spikes(21 * ms)) > 8


def test_units_and_precisions_of_set_device():
    with pytest.raises(UserError, match="'float64', 'float32' or 'fixed'"):
        brian2.set_device("neuroglia", precision="fixed16")
    for ranges in (
        [("g.v", 0, 1)],
        {"v": (0, 1)},
        {"g.v": (1, 0)},
        {"g.v": 1},
        {"g.v": (0, 1, 99)},
        {"g.v": (0, "x")},
    ):
        with pytest.raises(UserError, match=r"ranges are \{'group.variable': \(low, high\)\}"):
            brian2.set_device("neuroglia", precision="fixed", ranges=ranges)
    brian2.set_device("runtime")


def test_bits_of_synapses_are_those_that_a_script_or_a_file_says(device):
    brian2.set_device("neuroglia", **FIXED, ranges={"learnt.w": (-0.03, 0.03, 8)})
    group = NeuronGroup(20, "dv/dt = (1.2 - v)/(10*ms) : 1", threshold="v > 1", reset="v = 0")
    synapses = Synapses(group, group, "w : 1", on_pre="v_post += w", name="learnt")
    synapses.connect(condition="i != j", p=0.3)
    synapses.w = "0.001*j"
    Network(group, synapses).run(3 * ms)
    fixed = device.fixed
    ((made, whole),) = (
        (fixed.formats[array], twin)
        for array, twin in fixed.twins.items()
        if array.name == "learnt.w"
    )
    assert made.bits == 8
    np.testing.assert_array_equal(whole.values(), np.rint(synapses.w / made.scale))


def test_noise_has_the_variance_that_it_should(device):
    group = NeuronGroup(5000, "dv/dt = -v/(5*ms) + xi*(0.4*ms)**-0.5 : 1", method="euler")
    Network(group).run(30 * ms)
    assert np.var(group.v) == pytest.approx(0.5 * 5 / 0.4, rel=0.08)
    assert abs(np.mean(group.v)) < 4 * np.std(group.v) / 5000**0.5


def test_poisson_inputs_have_their_rates(device):
    source = brian2.PoissonGroup(2000, 40 * brian2.Hz)
    spikes = SpikeMonitor(source)
    target = NeuronGroup(20, "dv/dt = -v/(10*ms) : volt", method="exact")
    inputs = brian2.PoissonInput(target, "v", 100, 10 * brian2.Hz, 0.1 * mV)
    Network(source, spikes, target, inputs).run(200 * ms)
    assert spikes.num_spikes == pytest.approx(2000 * 40 * 0.2, abs=4 * (2000 * 40 * 0.2) ** 0.5)
    assert np.mean(target.v / mV) == pytest.approx(100 * 10 * 0.01 * 0.1, rel=0.3)
