"""On target 'lava' every network gives, to the bit, what it gives on target 'cpp'."""

from __future__ import annotations

import brian2
import numpy as np
import pytest
from brian2 import (
    Hz,
    Network,
    NetworkOperation,
    NeuronGroup,
    PoissonGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    ms,
    mV,
)
from program import zoo
from program.test_zoo import states

import neuroglia_snn.brian
from neuroglia_snn.errors import UserError
from neuroglia_snn.lava import compat
from neuroglia_snn.program.refusal import Refused

pytestmark = pytest.mark.skipif(compat.missing() is not None, reason=str(compat.missing()))

#: Those that call Python within a run.
REFUSED = {"stopped", "operations"}
QUICK = {"plastic", "clocks", "several_runs", "linked", "poisson_inputs", "custom_events"}
ZOO = {**zoo.DETERMINISTIC, **zoo.RANDOM}


def require_equal(make) -> None:
    """Run a network on both targets."""
    expected, found = states(make, {"target": "cpp"}), states(make, {"target": "lava"})
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.one_in(6)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.exhaustive)
        for name in sorted(ZOO.keys() - REFUSED)
    ],
)
def test_the_zoo_is_equal(name):
    require_equal(ZOO[name])


def conductances(apart: bool, delay=0 * ms) -> Network:
    """COBA with fewer neurons: excitatory and inhibitory ones as two groups, or as parts of one."""
    equations = """dv/dt = (ge*(0*mV - v) + gi*(-80*mV - v) + 11*mV - 60*mV - v)/(20*ms) : volt (unless refractory)
    dge/dt = -ge/(5*ms) : 1
    dgi/dt = -gi/(10*ms) : 1"""

    def group(size: int) -> NeuronGroup:
        made = NeuronGroup(
            size,
            equations,
            threshold="v > -50*mV",
            reset="v = -60*mV",
            refractory=5 * ms,
            method="exponential_euler",
        )
        made.v = "-60*mV + rand()*10*mV"
        return made

    if apart:
        populations = [group(320), group(80)]
        excitatory, inhibitory = populations
    else:
        populations = [group(400)]
        excitatory, inhibitory = populations[0][:320], populations[0][320:]
    monitors = [SpikeMonitor(p) for p in populations]
    synapses = []
    for source, target in (
        (a, b) for a in (excitatory, inhibitory) for b in (excitatory, inhibitory)
    ):
        kind, weight = ("ge", 0.6) if source is excitatory else ("gi", 6.7)
        synapses.append(Synapses(source, target, on_pre=f"{kind}_post += {weight}", delay=delay))
        synapses[-1].connect(p=0.1)
    network = Network(populations, synapses, monitors)
    network.run(20 * ms)
    network.run(13 * ms)
    assert sum(m.num_spikes for m in monitors) > 200
    return network


def currents() -> Network:
    """CUBA with delays that differ from synapse to synapse, in two groups on two clocks."""
    equations = """dv/dt = (ge + gi + 12*mV - 60*mV - v)/(20*ms) : volt (unless refractory)
    dge/dt = -ge/(5*ms) : volt
    dgi/dt = -gi/(10*ms) : volt"""
    groups = [
        NeuronGroup(
            size,
            equations,
            threshold="v > -50*mV",
            reset="v = -60*mV",
            refractory=5 * ms,
            method="exact",
            dt=dt,
        )
        for size, dt in ((160, 0.1 * ms), (40, 0.2 * ms))
    ]
    monitors = [StateMonitor(g, "v", record=[0, 3], dt=0.5 * ms) for g in groups]
    synapses = []
    for number, source in enumerate(groups):
        source.v = "-60*mV + rand()*10*mV"
        for target in groups:
            one = "ge_post += 1.62*mV" if not number else "gi_post -= 9*mV"
            synapses.append(Synapses(source, target, on_pre=one))
            synapses[-1].connect(p=0.1)
            synapses[-1].delay = "0.3*ms + rand()*3*ms"
    spikes = [SpikeMonitor(g) for g in groups]
    network = Network(groups, synapses, monitors, spikes)
    for duration in (20, 0.1, 17.3):
        network.run(duration * ms)
    assert min(s.num_spikes for s in spikes) > 10
    return network


def plasticity() -> Network:
    """Pair STDP between Poisson inputs and neurons (Song, Miller and Abbott 2000)."""
    inputs = PoissonGroup(200, 60 * Hz)
    neurons = NeuronGroup(
        3,
        """dv/dt = (ge*(0*mV - v) - 74*mV - v)/(10*ms) : volt
        dge/dt = -ge/(5*ms) : 1""",
        threshold="v > -54*mV",
        reset="v = -60*mV",
        method="euler",
    )
    neurons.v = -60 * mV
    synapses = Synapses(
        inputs,
        neurons,
        """w : 1
        dbefore/dt = -before/(20*ms) : 1 (event-driven)
        dafter/dt = -after/(20*ms) : 1 (event-driven)""",
        on_pre="ge_post += w; before += 0.01; w = clip(w + after, 0, 0.1)",
        on_post="after -= 0.0105; w = clip(w + before, 0, 0.1)",
    )
    synapses.connect()
    synapses.w = "rand()*0.1"
    weights = StateMonitor(synapses, "w", record=[0, 100], dt=5 * ms)
    spikes = SpikeMonitor(neurons)
    network = Network(inputs, neurons, synapses, weights, spikes, SpikeMonitor(inputs))
    network.run(50 * ms)
    network.run(30 * ms)
    assert spikes.num_spikes > 10
    return network


def gap_junctions() -> Network:
    """Two populations that are coupled in every step, as values."""
    equations = "dv/dt = (2 + I - v)/(10*ms) : 1\nI : 1"
    groups = [
        NeuronGroup(n, equations, threshold="v > 1", reset="v = 0", method="euler") for n in (9, 7)
    ]
    synapses = []
    for source, target in ((groups[0], groups[1]), (groups[1], groups[0])):
        target.v = "rand()"
        synapses.append(Synapses(source, target, "w : 1\nI_post = w*(v_pre - v_post) : 1 (summed)"))
        synapses[-1].connect()
        synapses[-1].w = 0.05
    spikes = [SpikeMonitor(g) for g in groups]
    network = Network(groups, synapses, spikes)
    network.run(30 * ms)
    assert min(s.num_spikes for s in spikes) > 5
    return network


SCRIPTS = {
    "coba_of_one_group": lambda: conductances(False),
    "coba_of_two": lambda: conductances(True),
    "coba_of_two_with_delays": lambda: conductances(True, 1.5 * ms),
    "cuba_with_many_delays": currents,
    "stdp": plasticity,
    "gap_junctions": gap_junctions,
}


QUICK_SCRIPTS = ("coba_of_two", "coba_of_two_with_delays", "stdp")


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK_SCRIPTS else pytest.mark.exhaustive)
        for name in SCRIPTS
    ],
)
def test_brian2s_scripts_are_equal(name):
    require_equal(SCRIPTS[name])


# ------------------------------------------------------------------------- whatever a script does


@pytest.fixture
def device():
    brian2.start_scope()
    brian2.set_device("neuroglia", target="lava")
    yield neuroglia_snn.brian.device
    brian2.set_device("runtime")
    brian2.defaultclock.dt = 0.1 * ms


def pair() -> tuple[Network, NeuronGroup, NeuronGroup]:
    """Two populations, one of which makes the other one fire."""
    one = NeuronGroup(5, "dv/dt = 300*Hz : 1", threshold="v > 1", reset="v = 0", method="euler")
    other = NeuronGroup(
        4, "dx/dt = -x/(5*ms) : 1", threshold="x > 1", reset="x = 0", method="exact"
    )
    synapses = Synapses(one, other, on_pre="x_post += 0.6", name="from")
    synapses.connect()
    return Network(one, other, synapses, SpikeMonitor(other, name="seen")), one, other


def test_python_code_is_refused_before_anything_runs(device):
    network, one, _ = pair()
    network.add(NetworkOperation(lambda t: None, name="op"))
    with pytest.raises(Refused, match=r"'op': Python code .* does not run .*; target='cpp' runs"):
        network.run(1 * ms)
    assert one.clock.t == 0 * ms


def test_threads_are_refused(device):
    brian2.set_device("neuroglia", target="lava", threads=2)
    network, *_ = pair()
    with pytest.raises(UserError, match=r"threads=2: target 'lava' .* one thread"):
        network.run(1 * ms)


def test_a_report_sees_where_the_network_is_and_may_stop_it(device):
    network, one, _ = pair()
    seen = []

    def report(elapsed, completed, start, duration):
        seen.append((float(completed), float(one.v[0])))
        if 1e-5 < completed < 1:
            network.stop()

    network.run(1000 * brian2.second, report=report, report_period=0.1 * brian2.second)
    steps = round(float(network.t) / 1e-4)
    assert 100 < steps < 1e6
    assert seen[-2] == (pytest.approx(steps / 1e7), one.v[0])
    expected = 0.03 * (steps % 34)  # fires in every 34th step
    assert one.v[0] == pytest.approx(expected, abs=1e-6)
    assert network["seen"].num_spikes == 4 * (steps // 34)


def test_objects_say_how_long_they_took(device):
    network, *_ = pair()
    network.run(50 * ms, profile=True)
    spent = dict(network.profiling_info)
    assert {"seen", "from_pre"} <= spent.keys()
    assert all(float(t) > 0 for t in (spent["seen"], spent["from_pre"]))


def test_a_network_goes_on_where_it_was_and_on_another_target(device):
    network, one, other = pair()
    network.run(5 * ms)
    network.store()
    network.run(5 * ms)
    expected = np.array(one.v), np.array(other.x), np.array(network["seen"].t)
    network.restore()
    brian2.set_device("neuroglia", target="cpp")
    network.run(5 * ms)
    for values, found in zip(expected, (one.v, other.x, network["seen"].t), strict=True):
        np.testing.assert_array_equal(np.array(found), values)


def test_nothing_to_do_takes_no_processes(device):
    network, *_ = pair()
    network.run(0 * ms)
    assert network.t == 0 * ms
    brian2.Network(NeuronGroup(3, "v : 1")).run(1 * ms)
