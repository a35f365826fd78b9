"""Connections apart from populations: the same network, but for what comes after a reset instead of before it.

Lava's processes are held to the loop that runs the same separated program, to the bit (to rounding where spikes go
through Lava's own `DelaySparse`), and that one to the loop that runs the program as it is, to rounding, wherever no
unit that resets a variable receives a jump of it in the same step.
"""

from __future__ import annotations

import brian2
import numpy as np
import pytest
from brian2 import (
    Clock,
    Network,
    NeuronGroup,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    ms,
)
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from program import zoo
from program.test_lava import SCRIPTS
from program.test_zoo import states

import neuroglia_snn.brian
from neuroglia_snn import backends
from neuroglia_snn.backends import fused
from neuroglia_snn.backends.base import Request
from neuroglia_snn.catalog.load import load
from neuroglia_snn.emit.machine import CppMachine
from neuroglia_snn.fixedpoint.machine import FixedMachine
from neuroglia_snn.lava import compat
from neuroglia_snn.program import messages
from neuroglia_snn.program.code import Code
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.messages import held, separated
from neuroglia_snn.program.partition import partition
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.reference import NumpyMachine
from neuroglia_snn.program.static import MOST_DELAYED, static

needs_lava = pytest.mark.skipif(compat.missing() is not None, reason=str(compat.missing()))

MESSAGES = {"target": "lava-messages"}
#: Units that reset v receive jumps of v in the steps in which they do.
AFTER_RESETS = {"constant_weights_beside_traces", "plastic", "post_pathway"}
QUICK = {"stdp", "coba_of_two", "clocks", "gap_junctions", "delays_apart", "through_lavas_own"}


def apart(machine):
    """Makes machines that run the separated program."""
    return lambda program, setting: machine(separated(program).program, setting)


APART = {"apart": (Code, apart(CppMachine)), "apart-numpy": (NumpyCodeObject, apart(NumpyMachine))}


def fixed(program, setting, make, prescribed):
    """As `neuroglia_snn.brian.fixed` does it for target 'lava-messages'."""
    return FixedMachine(held(program), setting, make, prescribed, CppMachine)


@pytest.fixture(autouse=True)
def targets(monkeypatch):
    """Targets 'apart' and 'apart-numpy', which run the separated program without Lava."""
    for device in (neuroglia_snn.brian.device, fused.device):
        monkeypatch.setattr(device, "_targets", {**device._targets, **APART})


def named(names, quick=QUICK):
    marks = {name: () if name in quick else pytest.mark.exhaustive for name in names}
    return [pytest.param(name, marks=marks[name]) for name in sorted(names)]


def require_equal(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def require_close(found: dict, expected: dict) -> None:
    """Equal to rounding."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        scale = np.abs(values).max(initial=0) if values.dtype.kind == "f" else 0
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-12 * scale, err_msg=name)


def through_lavas_own() -> Network:
    """Connections for Lava's own `Sparse` and `DelaySparse`, on two clocks, beside a plastic one that is ours."""
    firing = [
        NeuronGroup(
            size,
            f"dv/dt = {rate}*Hz*(1 + 0.03*i + 0.1*u) : 1\ndu/dt = -u/(4*ms) : 1",
            threshold="v > 1",
            reset="v = 0",
            method="euler",
            dt=dt,
        )
        for size, rate, dt in ((12, 400, 0.1 * ms), (7, 300, 0.2 * ms))
    ]
    target = NeuronGroup(
        9,
        """dx/dt = -x/(5*ms) : 1
        dy/dt = (x - y)/(7*ms) : 1
        dz/dt = -z/(3*ms) : 1 (unless refractory)""",
        threshold="x > 3",
        reset="x -= 3",
        refractory=0.5 * ms,
        method="exact",
    )
    at_once = Synapses(firing[0], target, "w : 1", on_pre="x_post += w; z_post -= 2*w")
    late = Synapses(firing[1], target, "w : 1", on_pre="y_post += w", delay=0.6 * ms)
    apart = Synapses(firing[1], target, "w : 1", on_pre="z_post += w")
    more = Synapses(target, firing[0], on_pre="u_post += 0.1*(j % 3)")
    plastic = Synapses(firing[0], target, "w : 1", on_pre="x_post += w; w *= 0.99")
    synapses = [at_once, late, apart, more, plastic]
    for one in synapses:
        one.connect(condition="(i + 2*j) % 3 > 0")
    for one in (at_once, late, apart, plastic):
        one.w = "0.1 + 0.037*i + 0.011*j"
    apart.delay = "0.4*ms + 0.2*ms*((i + j) % 5)"
    more.delay = "0.1*ms*(i % 4)"
    kept = StateMonitor(target, ["x", "y", "z"], record=True)
    made = Network(firing, target, synapses, kept, SpikeMonitor(target))
    for duration in (0.3, 4, 2.7):  # each with spikes of the one before under way
        made.run(duration * ms)
    return made


SPARSE, DELAYED = "Sparse", "DelaySparse"
#: Of some networks, the processes of Lava's own, one for each variable to which a pathway adds.
THROUGH = {
    "through_lavas_own": [DELAYED] * 2 + [SPARSE] * 3,
    "coba_of_two": [SPARSE] * 4,
    "coba_of_two_with_delays": [SPARSE] * 4,
    "cuba_with_many_delays": [DELAYED] * 4,
    "stored": [DELAYED],
    "two_populations": [DELAYED, SPARSE],
    "one_delay": [SPARSE],
    "stdp": [],
    "plastic": [],
}


def require_through(name: str) -> None:
    """What the last run says of the connections that were Lava's own processes."""
    told = neuroglia_snn.brian.device.made.details["lava"].get("sparse", [])
    assert sorted(one["process"] for one in told) == THROUGH[name]


SCRIPTS = {**SCRIPTS, "through_lavas_own": through_lavas_own}
NETWORKS = {**zoo.DETERMINISTIC, **zoo.RANDOM, **SCRIPTS}
#: Those that call Python within a run.
REFUSED = {"stopped", "operations"}


@pytest.mark.one_in(8)
@needs_lava
@pytest.mark.parametrize("name", named(NETWORKS.keys() - REFUSED))
def test_a_network_with_messages_is_that_of_the_loop(name, monkeypatch):
    whole, loop = (states(NETWORKS[name], {"target": target}) for target in ("cpp", "apart"))
    found = states(NETWORKS[name], MESSAGES)
    (require_close if DELAYED in THROUGH.get(name, ()) else require_equal)(found, loop)
    if name in THROUGH:
        require_through(name)
    if name in AFTER_RESETS:  # and that is all that differs
        with pytest.raises(AssertionError):
            require_close(loop, whole)
        monkeypatch.setattr(messages, "_place", lambda steps, delivery, array: delivery)
        loop = states(NETWORKS[name], {"target": "apart"})
    require_close(loop, whole)


FIXED = {"stdp", "coba_of_two", "gap_junctions", "cuba_with_many_delays", "through_lavas_own"}


@pytest.mark.thorough
@needs_lava
@pytest.mark.parametrize("name", named(FIXED, {"stdp"}))
def test_in_fixed_point_a_network_with_messages_equals_the_reference(name, monkeypatch):
    make = SCRIPTS[name]
    found = states(make, {**MESSAGES, "precision": "fixed"})
    if name in THROUGH:
        require_through(name)
    monkeypatch.setattr(neuroglia_snn.brian.device, "_make_fixed", fixed)
    require_equal(found, states(make, {"target": "apart-numpy", "precision": "fixed"}))


# ---------------------------------------------------------------------------------- models of files


class Apart(fused.FusedBackend):
    target = "apart"


class Reference(fused.FusedBackend):
    target = "apart-numpy"


LATTICE = {
    "population.neuron.shape": "[10, 13]",
    "population.astrocyte.shape": "[3, 4]",
    "stimulus.test.start": "1 ms",
    "t_glio": "1 ms",  # so that the feedback acts within the short run
    "Ca_glio": "0.0697 uM",
}
TRIPARTITE = {
    "model.duration": "30 ms",
    "N_e": "80",
    "N_a": "80",
    "population.neuron.size": "100",
    "population.astrocyte.size": "80",
    "projection.excitation.from": "neuron[0:80]",
    "projection.inhibition.from": "neuron[80:100]",
}
MODELS = {
    "noise_induced_memory": {"model.duration": "3 ms", **LATTICE},
    "noise_induced_memory_tonic": {"model.duration": "3 ms", **LATTICE},
    "noise_induced_memory_long_drive": {"model.duration": "3 ms", **LATTICE},
    "noise_induced_excitability": {"model.duration": "2 ms"},
    "fhn_astrocytes": {"model.duration": "2 ms"},
    "tripartite_coba": TRIPARTITE,
}


def request(name: str, precision: str) -> Request:
    model = load(name, MODELS[name])
    images = {}
    for image, shape in model.images().items():
        images[image] = np.zeros(shape, bool)
        images[image][2:8, 3:9] = True
    return Request(model, images, 1, precision=precision)


@needs_lava
@pytest.mark.thorough
@pytest.mark.parametrize("precision", ["float64", "fixed"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_with_messages_is_that_of_the_loop(name, precision, monkeypatch):
    asked = request(name, precision)
    found = backends.get("lava-messages").run(asked)
    monkeypatch.setattr(fused.device, "_make_fixed", fixed)
    expected = (Reference if precision == "fixed" else Apart)().run(asked)
    assert found.details["lava"]["steps_per_lava_step"] == 1
    kept = {n: r.values for n, r in expected.records.items()}
    ours = {n: r.values for n, r in found.records.items()}
    events = [{n: dict(enumerate(e)) for n, e in o.events.items()} for o in (found, expected)]
    for these, those in ((found.final, expected.final), (ours, kept), events):
        assert these.keys() == those.keys()
        for owner, variables in those.items():
            for variable, values in variables.items():
                # in floating point, the loop has all of a lattice in one pass, which rounds otherwise
                scale = np.abs(values).max(initial=0) if precision == "float64" else 0
                np.testing.assert_allclose(
                    these[owner][variable], values, rtol=0, atol=1e-12 * scale, err_msg=variable
                )


# ------------------------------------------------------------------------- who is apart, and who not


@pytest.fixture
def programs(monkeypatch):
    """The program of every run from here on, and the synapses of its pathways."""
    found: list[tuple[Program, list]] = []

    def machine(program, setting):
        found.append((program, setting.edges))
        return NumpyMachine(program, setting)

    monkeypatch.setattr(neuroglia_snn.brian.device, "_targets", {"kept": (Code, machine)})
    brian2.start_scope()
    brian2.set_device("neuroglia")
    yield found
    brian2.set_device("runtime")


def lif(name: str, size: int = 3) -> NeuronGroup:
    return NeuronGroup(
        size,
        "dv/dt = (1.2 - v)/(10*ms) : 1 (unless refractory)\nx : 1\ndrive : 1",
        threshold="v > 1",
        reset="v = 0",
        refractory=2 * ms,
        method="euler",
        name=name,
    )


def parts_of(programs, *objects) -> tuple[list[str], dict[str, str]]:
    """The names of the parts, and what is together and why."""
    Network(*objects).run(0.2 * ms)
    program, edges = programs[-1]
    made = separated(program)
    whole = partition(made.program, edges, every_step=True)
    assert whole.stride == 1 and not whole.batches
    return sorted(part.name for part in whole.parts), made.together


def synapses_of(source, target, name="edges", **given) -> Synapses:
    made = Synapses(source, target, "w : 1", name=name, **given)
    made.connect()
    return made


def test_a_connection_is_a_part_with_all_that_is_its_own(programs):
    one, other = lif("one"), lif("other")
    plastic = synapses_of(one, other, on_pre="v_post += w; w += 0.1*x_post", on_post="w -= 0.1")
    assert parts_of(programs, one, other, plastic) == (["edges", "one", "other"], {})


def test_jumps_at_both_ends_are_two_messages(programs):
    one, other = lif("one"), lif("other")
    both = synapses_of(one, other, on_pre="v_post += w; x_pre += 0.01")
    assert parts_of(programs, one, other, both) == (["edges", "one", "other"], {})


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("x_post = w", "a spike sets other.x"),
        ("x_post *= w", "a spike multiplies other.x"),
        ("v_post += w; x_post = v_post", "a spike sets other.x"),
        ("v_post += w*(1 - v_post)", "a spike reads other.v, to which it adds"),
    ],
)
def test_what_no_message_can_say_stays_together(programs, code, why):
    one, other = lif("one"), lif("other")
    names, together = parts_of(programs, one, other, synapses_of(one, other, on_pre=code))
    assert (names, together) == (["one", "other"], {"edges": why})


def test_sums_of_states_are_connections(programs):
    one, other = lif("one"), lif("other")
    gap = Synapses(one, other, "drive_post = v_pre - v_post : 1 (summed)", name="gap")
    gap.connect()
    assert parts_of(programs, one, other, gap) == (["gap", "one", "other"], {})


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "target", ["cpp", "apart", pytest.param("lava-messages", marks=needs_lava)]
)
def test_a_jump_in_the_step_of_a_reset_comes_after_it(target):
    def network():
        fires = "abs(t - 0.2*ms) < 0.01*ms"
        unit = NeuronGroup(1, "v : 1\nx : 1", threshold=fires, reset="v = 0")
        inputs = SpikeGeneratorGroup(1, [0], [0.2] * ms)
        jump = Synapses(inputs, unit, on_pre="v_post += 0.75; x_post += 1")
        jump.connect()
        made = Network(unit, inputs, jump)
        made.run(1 * ms)
        return made

    found = states(network, {"target": target})
    assert found["neurongroup 0.v"] == (0 if target == "cpp" else 0.75)
    assert found["neurongroup 0.x"] == 1


# ---------------------------------------------------------------------- through Lava's own processes


def pathways_of(programs, *objects) -> tuple[list, dict[str, str]]:
    """The static connections of a network, and why others are none."""
    Network(*objects).run(0.2 * ms)
    program, edges = programs[-1]
    apart = separated(program)
    pending = [np.zeros((0, 2), np.int64) for _ in edges]
    found = static(apart.program, apart.arriving, Setting(edges, pending, [], [], False))
    return found.found, found.others


STIMULUS = TimedArray(np.arange(5.0), dt=1 * ms)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("v_post += w; w += 0.1", "a spike changes edges.w"),
        ("x_post += w*v_pre", "a spike reads one.v, which changes"),
        ("v_post += w*rand()", "a spike draws random numbers"),
        ("v_post += w*STIMULUS(t)", "a spike reads values that are listed over time"),
        ("v_post += w*t/second", "a spike reads defaultclock.t, which changes"),
    ],
)
def test_what_is_not_static_goes_by_letter(programs, code, why):
    one, other = lif("one"), lif("other")
    found, others = pathways_of(programs, one, other, synapses_of(one, other, on_pre=code))
    assert (found, others) == ([], {"edges_pre": why})


@pytest.mark.parametrize(
    "code", ["v_post += w", "v_post -= 2*w/exp(drive_pre)", "v_post += w*x_post"]
)
def test_weights_that_never_change_are_those_of_the_matrix(programs, code):
    one, other = lif("one", 4), lif("other", 3)
    one.drive, other.x = [0.1, 0.2, 0.3, 0.4], [5, 7, 11]
    synapses = synapses_of(one, other, on_pre=code)
    synapses.w = "1 + i + 10*j"
    (found,), others = pathways_of(programs, one, other, synapses)
    assert others == {} and found.target.name == "other.v"
    i, j, w = np.array(synapses.i), np.array(synapses.j), np.array(synapses.w)
    expected = {
        "v_post += w": w,
        "v_post -= 2*w/exp(drive_pre)": -2 * w / np.exp(np.array(one.drive)[i]),
        "v_post += w*x_post": w * np.array(other.x)[j],
    }[code]
    np.testing.assert_array_equal((found.sources, found.targets), (i, j))
    np.testing.assert_allclose(found.weights, expected, rtol=1e-15)


def test_what_all_delays_have_in_common_is_held_back(programs):
    one, other = lif("one"), lif("other")
    synapses = synapses_of(one, other, on_pre="v_post += w")
    synapses.delay = "0.4*ms + 0.1*ms*((i + j) % 3)"
    (found,), others = pathways_of(programs, one, other, synapses)
    assert others == {} and (found.held, found.longest) == (4, 6)
    np.testing.assert_array_equal(found.delays, (np.array(synapses.i) + synapses.j) % 3)


@pytest.mark.parametrize(
    ("longest", "why"),
    [(6.3, None), (6.4, "its delays differ by 64 steps, more than 63")],
)
def test_delays_differ_by_no_more_than_loihi_has_bits_for(programs, longest, why):
    one, other = lif("one"), lif("other")
    synapses = synapses_of(one, other, on_pre="v_post += w")
    synapses.delay[0, :] = longest * ms
    found, others = pathways_of(programs, one, other, synapses)
    assert len(found) == (why is None) and others == ({"edges_pre": why} if why else {})


def test_two_delays_between_the_same_two_units_go_by_letter(programs):
    one, other = lif("one"), lif("other")
    synapses = synapses_of(one, other, on_pre="v_post += w")
    synapses.connect(i=0, j=1)
    synapses.delay[9] = 1 * ms
    why = "two synapses of one source and target have different delays"
    assert pathways_of(programs, one, other, synapses) == ([], {"edges_pre": why})


def test_what_makes_lavas_process_slow_goes_by_letter(programs):
    size = int(MOST_DELAYED**0.5) + 1
    one, other = lif("one", size), lif("other", size)
    alike = synapses_of(one, other, "alike", on_pre="v_post += w", delay=1 * ms)
    synapses = synapses_of(one, other, on_pre="v_post += w")
    synapses.delay[0, 0] = 1 * ms
    found, others = pathways_of(programs, one, other, alike, synapses)
    assert [f.pathway.path.name for f in found] == ["alike_pre"]
    assert f"{size**2} synapses have delays that differ" in others.pop("edges_pre")
    assert others == {}


def test_a_clock_of_other_steps_goes_by_letter(programs):
    one, other = lif("one"), NeuronGroup(2, "dv/dt = -v/(9*ms) : 1", clock=Clock(0.15 * ms))
    spikes = NeuronGroup(2, "u : 1", threshold="u > 1", clock=Clock(0.15 * ms))
    found, others = pathways_of(
        programs, one, other, spikes, synapses_of(spikes, other, on_pre="v_post += w")
    )
    assert found == [] and others["edges_pre"].startswith("its clock's steps are no multiple")


def test_spikes_that_come_elsewhere_in_a_time_step_go_by_letter(programs):
    """A Lava step ends at one place, where most spikes are made and have not arrived."""
    one, other, early, after = lif("one"), lif("other"), lif("early"), lif("after")
    early.thresholder["spike"].when = "start"
    after.thresholder["spike"].when = "end"
    sources = {"usual": one, "more": other, "first": early, "late": after}
    synapses = [synapses_of(g, other, n, on_pre="v_post += w") for n, g in sources.items()]
    synapses[2].pre.when = "before_groups"
    found, others = pathways_of(programs, *sources.values(), *synapses)
    assert {s.pathway.path.name for s in found} == {"usual_pre", "more_pre"}
    assert others == {
        "first_pre": "its spikes come at another place of a time step than most",
        "late_pre": "its spikes are those of the time step before",
    }


@pytest.fixture
def device():
    brian2.start_scope()
    brian2.set_device("neuroglia", **MESSAGES)
    yield
    brian2.set_device("runtime")


@pytest.mark.thorough
@needs_lava
def test_a_run_that_was_stopped_within_goes_on_where_it_was_seen(device):
    """A look at all values ends a time step; spikes are under way, and go on on another target."""
    one = NeuronGroup(5, "dv/dt = 300*Hz : 1", threshold="v > 1", reset="v = 0", method="euler")
    other = NeuronGroup(4, "dx/dt = -x/(5*ms) : 1", method="exact")
    synapses = Synapses(one, other, on_pre="x_post += 0.6 + 0.1*i")
    synapses.connect()
    synapses.delay = "0.5*ms + 0.7*ms*i + 0.1*ms*j"
    network = Network(one, other, synapses)
    network.store()
    seen = []

    def report(elapsed, completed, start, duration):
        seen.append((float(network.t), np.array(one.v), np.array(other.x)))
        if len(seen) > 3:
            network.stop()

    network.run(1000 * brian2.second, report=report, report_period=0.1 * brian2.second)
    first, last = (round(seen[k][0] / 1e-4) for k in (1, -1))
    assert 0 < first < last == round(float(network.t) / 1e-4)
    network.run(8 * ms)
    seen.append((0, np.array(one.v), np.array(other.x)))
    brian2.set_device("neuroglia", target="cpp")
    network.restore()
    for steps, (_, v, x) in ((first, seen[1]), (last - first, seen[-2]), (80, seen[-1])):
        network.run(steps * 0.1 * ms)
        np.testing.assert_allclose(one.v, v, rtol=1e-12)
        np.testing.assert_allclose(other.x, x, rtol=1e-12)


@needs_lava
def test_without_a_package_of_lavas_connections_spikes_go_by_letter(device, monkeypatch):
    why = "Lava's Sparse needs asteval: pip install asteval"
    monkeypatch.setattr(compat, "missing_of_connections", lambda: why)
    one, other = lif("one"), lif("other")
    Network(one, other, synapses_of(one, other, on_pre="v_post += w")).run(0.2 * ms)
    told = neuroglia_snn.brian.device.made.details["lava"]
    assert "sparse" not in told and told["not_sparse"] == {"edges_pre": why}
    assert "edges" in told["processes"]
