"""The device ``neuroglia``: what it refuses, what it leaves behind, and what reaches the compiler."""

from __future__ import annotations

import gc
import math
import signal
import threading

import brian2
import numpy as np
import pytest
from brian2 import (
    Hz,
    Network,
    NetworkOperation,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    ms,
    second,
    seed,
)
from brian2.utils.logger import catch_logs

import neuroglia_snn.brian
from neuroglia_snn import toolchain
from neuroglia_snn.emit import expressions, library
from neuroglia_snn.emit.machine import CppMachine
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.program import draws, edges
from neuroglia_snn.program.operations import DRAWS, OPERATIONS
from neuroglia_snn.program.reference import NUMPY
from neuroglia_snn.program.refusal import Refused


@pytest.fixture
def device():
    brian2.start_scope()
    brian2.set_device("neuroglia")
    yield neuroglia_snn.brian.device
    brian2.set_device("runtime")
    brian2.defaultclock.dt = 0.1 * ms


def _texts(monkeypatch) -> list[str]:
    """The C++ of every run from here on."""
    seen: list[str] = []
    kept = library.source

    def source(program, single):
        seen.append(kept(program, single))
        return seen[-1]

    monkeypatch.setattr("neuroglia_snn.emit.machine.source", source)
    return seen


def test_all_targets_have_the_functions_of_the_one_list():
    assert set(NUMPY) == set(expressions.CPP) == set(OPERATIONS)
    assert set(expressions.DRAWS) == set(DRAWS)


def _network(slope=100 * Hz, units=3, weight=0.1, name="secret"):
    group = NeuronGroup(
        units,
        f"d{name}/dt = slope - {name}/(7*ms) : 1",
        threshold=f"{name} > 0.37",
        reset=f"{name} = 0",
        method="euler",
        refractory=1.3 * ms,
        namespace={"slope": slope},
    )
    synapses = Synapses(group, group, "w : 1", on_pre=f"{name}_post += w", delay=0.3 * ms)
    synapses.connect()
    synapses.w = weight
    return Network(group, synapses, SpikeMonitor(group)), group


def test_no_name_of_a_script_reaches_the_compiler(device, monkeypatch):
    seen = _texts(monkeypatch)
    network, _ = _network(name="secret")
    network.run(1 * ms)
    assert "secret" not in seen[0] and "slope" not in seen[0] and "0.37" not in seen[0]


def test_other_values_and_sizes_compile_nothing(device, monkeypatch):
    seen = _texts(monkeypatch)
    for slope, units, weight in ((100, 3, 0.1), (333, 50, 0.7)):
        network, _ = _network(slope * Hz, units, weight)
        network.run(1 * ms)
    assert seen[0] == seen[1]


def test_a_missing_compiler_is_one_sentence(device, monkeypatch):
    monkeypatch.setattr(toolchain, "compiler", lambda: None)
    network, _ = _network()
    with pytest.raises(BackendError, match=r"no C\+\+ compiler found .*target='numpy'"):
        network.run(1 * ms)


def test_a_compiler_that_fails_is_one_sentence(device, monkeypatch):
    monkeypatch.setattr(
        "neuroglia_snn.emit.machine.source", lambda program, single: "#error nothing\n"
    )
    network, _ = _network()
    with pytest.raises(BackendError, match=r"the compiler failed: .*error: #error nothing"):
        network.run(1 * ms)


def test_what_cannot_run_is_refused_by_name_before_anything_runs(device):
    soma = brian2.Soma(diameter=30 * brian2.um)
    neuron = brian2.SpatialNeuron(soma, "Im = 0*amp/meter**2 : amp/meter**2", name="cable")
    with pytest.raises(Refused, match=r"'cable': a SpatialNeuron does not run"):
        Network(neuron).run(1 * ms)
    assert neuron.clock.t == 0 * ms


def test_integrators_of_the_gsl_are_refused_by_name(device):
    group = NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", method="gsl_rk4", name="cells")
    with pytest.raises(Refused, match="'cells': an integrator of the GSL does not run"):
        Network(group).run(1 * ms)


def _python_only(x):
    return 2 * x


def test_a_function_without_cpp_is_refused_and_falls_back(device):
    double = brian2.Function(_python_only, arg_units=[1], return_unit=1)
    group = NeuronGroup(2, "dv/dt = double(v)*Hz : 1", method="euler", name="grown")
    group.namespace["double"] = double
    network = Network(group)
    with pytest.raises(
        Refused, match=r"'grown.*': the function 'double', which has no implementation"
    ):
        network.run(1 * ms)
    brian2.set_device("neuroglia", target="numpy")
    group.v = 1
    network.run(1 * ms)
    assert np.allclose(group.v, (1 + 2e-4) ** 10)


def test_fallback_runs_on_brian2_and_says_why(device):
    brian2.prefs.codegen.target = "numpy"
    brian2.set_device("neuroglia", fallback=True)
    group = NeuronGroup(2, "dv/dt = double(v)*Hz : 1", threshold="v > 1.001", method="euler")
    group.namespace["double"] = brian2.Function(_python_only, arg_units=[1], return_unit=1)
    monitor = SpikeMonitor(group)
    group.v = 1
    try:
        with catch_logs() as logs:
            Network(group, monitor).run(1 * ms)
    finally:
        brian2.prefs.codegen.target = "auto"
    assert np.allclose(group.v, (1 + 2e-4) ** 10) and monitor.num_spikes
    assert any("runs on Brian2's runtime" in text for _, _, text in logs)


@pytest.mark.parametrize("options", [{"target": "gpu"}, {"speed": 3}])
def test_unknown_options_are_refused(options):
    with pytest.raises(UserError, match="set_device"):
        brian2.set_device("neuroglia", **options)
    brian2.set_device("runtime")


def test_an_interrupt_leaves_what_was_recorded(device):
    group = NeuronGroup(10, "dv/dt = 1*Hz : 1", method="euler")
    monitor = StateMonitor(group, "v", record=0, dt=100 * ms)
    network = Network(group, monitor)
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])

    def begin(elapsed, completed, start, duration):
        timer.start()

    with pytest.raises(KeyboardInterrupt):
        network.run(10_000_000 * ms, report=begin, report_period=1000 * second)
    timer.join()
    steps = round(float(network.t) / 1e-4)
    assert steps > 0 and np.allclose(group.v, steps * 1e-4)
    assert len(monitor.t) == -(-steps // 1000)


def test_an_exception_leaves_the_step_that_was_reached_and_says_it(device):
    group = NeuronGroup(
        2, "dv/dt = 100*Hz : 1", threshold="v > 0.05", reset="v = 0", method="euler"
    )
    monitor = SpikeMonitor(group)

    def fail(t):
        if float(np.asarray(t)) > 2.05e-3:
            raise RuntimeError("enough")

    network = Network(group, monitor, NetworkOperation(fail, when="end"))
    with catch_logs() as logs, pytest.raises(RuntimeError, match="enough"):
        network.run(5 * ms)
    assert any("stopped at t = 0.0021 s" in text for _, _, text in logs)
    assert np.isclose(float(network.t), 2.1e-3) and len(monitor.t) == monitor.num_spikes == 6


def test_a_first_report_that_fails_gives_the_machine_back(device, monkeypatch):
    closed, close = [], CppMachine.close
    monkeypatch.setattr(CppMachine, "close", lambda m: (close(m), closed.append(m)))
    network, group = _network()

    def refuse(elapsed, completed, start, duration):
        raise RuntimeError("not today")

    with catch_logs() as logs, pytest.raises(RuntimeError, match="not today"):
        network.run(1 * ms, report=refuse)
    assert len(closed) == 1 and not logs and network.t == 0 * ms
    network.run(1 * ms)
    assert len(closed) == 2 and np.ptp(group.secret[:]) == 0 < group.secret[0]


def test_a_clock_on_the_wall_that_is_set_back_delays_no_look(device, monkeypatch):
    """Where time stands still on it, the run ends at its limit all the same."""
    monkeypatch.setattr("time.time", lambda: 0.0)
    group = NeuronGroup(1, "dv/dt = -v*Hz : 1", method="euler", name="still")
    group.v = 0.001
    network = Network(group)
    monkeypatch.setattr(device, "_maximum_run_time", 0.2)
    with catch_logs():
        network.run(1e4 * second)
    assert 0 * second < network.t < 1e4 * second


def test_delays_are_compared_where_spikes_are_under_way_alone(device, monkeypatch):
    seen, now = [], edges._now
    monkeypatch.setattr(edges, "_now", lambda path: seen.append(path) or now(path))
    source = brian2.SpikeGeneratorGroup(1, [0], [0.5] * ms)
    target = NeuronGroup(1, "x : 1")
    synapses = Synapses(source, target, on_pre="x += 1", delay=0.3 * ms)
    synapses.connect()
    network = Network(source, target, synapses)
    network.run(0.4 * ms)
    assert not seen
    network.run(0.2 * ms)  # a spike is under way at its end
    assert len(seen) == 1 and target.x[0] == 0
    network.run(1 * ms)
    assert len(seen) == 2 and target.x[0] == 1
    network.run(1 * ms)
    assert len(seen) == 2


def test_a_value_that_is_not_finite_is_named(device):
    group = NeuronGroup(3, "dv/dt = 1000*Hz*v**9 : 1", method="euler", name="grown")
    group.v = [0, 2, 0]
    with catch_logs() as logs:
        Network(group).run(5 * ms)
    assert any("Not finite: 'grown': v of unit 1 is" in text for _, _, text in logs)


def test_numbers_depend_on_the_seed_and_on_nothing_else(device):
    def run(value, restored=False):
        brian2.start_scope()
        group = NeuronGroup(50, "dv/dt = xi*(1*ms)**-0.5 : 1", method="euler")
        network = Network(group)
        seed(value)
        network.store()
        network.run(1 * ms)
        first = np.array(group.v)
        network.restore(restore_random_state=restored)
        network.run(0.4 * ms)
        network.run(0.6 * ms)
        return first, np.array(group.v)

    first, after = run(1)
    again, _ = run(1)
    other, _ = run(2)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert not np.array_equal(first, after)
    kept, resumed = run(1, restored=True)
    assert np.array_equal(kept, resumed)


def _walk() -> NeuronGroup:
    return NeuronGroup(2, "dx/dt = xi/sqrt(ms) : 1", method="euler")


def test_no_two_objects_draw_the_same_even_after_one_is_gone(device):
    first, gone = _walk(), _walk()
    network = Network(first, gone)
    network.run(0.1 * ms)
    network.remove(gone)
    del gone
    gc.collect()
    new = _walk()
    network.add(new)
    first.x = new.x = 0
    network.run(1 * ms)
    assert not np.isin(first.x[:], new.x[:]).any()


def test_a_longer_step_does_not_draw_again_what_was_drawn(device):
    group = _walk()
    monitor = StateMonitor(group, "x", record=0)
    network = Network(group, monitor)
    network.run(2 * ms)
    brian2.defaultclock.dt = 0.2 * ms
    network.run(2 * ms)
    x = np.append(monitor.x[0], group.x[0])
    before, after = np.diff(x[:21]) / np.sqrt(0.1), np.diff(x[20:]) / np.sqrt(0.2)
    assert len(after) == 10 and not np.isclose(before[:, None], after[None], rtol=1e-6).any()


def test_two_runs_draw_what_one_draws_spikes_under_way_among_it(device):
    def drawn(*parts):
        brian2.start_scope()
        seed(2)
        source = brian2.SpikeGeneratorGroup(1, [0], [0.1] * ms)
        target = NeuronGroup(1, "x : 1")
        synapses = Synapses(source, target, on_pre="x += rand()", delay=1 * ms)
        synapses.connect()
        network = Network(source, target, synapses)
        for part in parts:
            network.run(part * ms)
        return float(target.x[0])

    assert drawn(2) == drawn(0.5, 1.5) > 0


def test_a_generator_that_missed_more_than_it_has_room_for_says_it(device):
    source = brian2.SpikeGeneratorGroup(1, np.zeros(20), np.arange(20) * 0.1 * ms, name="late")
    other = NeuronGroup(1, "x : 1")
    network = Network(source, other)
    network.run(0.5 * ms)
    source.active = False
    network.run(1 * ms)
    source.active = True
    with pytest.raises(UserError, match="'late': 11 spikes are due in the first step"):
        network.run(1 * ms)


@pytest.mark.parametrize("delay", [-1 * ms, np.nan * ms, 1e6 * second])
def test_a_delay_that_no_queue_can_hold_says_it(device, delay):
    network, _ = _network()
    synapses = next(o for o in network.objects if isinstance(o, Synapses))
    synapses.pre.delay = delay
    with pytest.raises(UserError, match=f"'{synapses.name}_pre': a delay of .* cannot be"):
        network.run(1 * ms)


def test_functions_of_one_text_read_their_own_arrays(device):
    def made(values, name):
        code = "double zoo_of(int n) { return _namespacezoo_values[n]; }"
        return brian2.implementation("cpp", code, namespace={"zoo_values": np.array(values)})(
            brian2.check_units(n=1, result=1)(lambda n: n)
        )

    def group(values):
        found = NeuronGroup(3, "x : 1", namespace={"zoo_of": made(values, "zoo_of")})
        found.run_regularly("x = zoo_of(i)")
        return found

    one, other = group([0.0, 1.0, 2.0]), group([10.0, 11.0, 12.0])
    inner = Network(other)

    def within(t):
        inner.run(0.1 * ms)

    Network(one, NetworkOperation(within, when="before_start")).run(0.2 * ms)
    assert one.x[:].tolist() == [0, 1, 2] and other.x[:].tolist() == [10, 11, 12]


@pytest.mark.thorough
def test_a_script_goes_on_with_its_objects_on_brian2s_runtime(device):
    network, group = _network()
    network.run(1 * ms)
    before = np.array(group.variables["secret"].get_value())
    brian2.set_device("runtime")
    network.run(1 * ms)
    brian2.set_device("neuroglia")
    network.run(1 * ms)
    assert float(network.t) == pytest.approx(3e-3)
    assert not np.array_equal(before, group.variables["secret"].get_value())


@pytest.mark.parametrize("n", [0, 1, 7, 60])
@pytest.mark.parametrize("p", [0.0, 1e-9, 0.3, 0.999, 1.0])
def test_the_table_of_a_binomial_has_its_probabilities(n, p):
    alias = draws.binomial(n, p)
    found = np.zeros(n + 2**alias.bits + 1)
    np.add.at(found, alias.least + np.arange(2**alias.bits), alias.bound)
    np.add.at(found, alias.least + alias.other, 1 - alias.bound)
    expected = np.zeros(len(found))
    expected[: n + 1] = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    assert found / 2**alias.bits == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    "kind, arguments, mean, variance",
    [
        ("rand", (), 0.5, 1 / 12),
        ("randn", (), 0.0, 1.0),
        ("poisson", (3.0,), 3.0, 3.0),
        ("poisson", (50.0,), 50.0, 50.0),
        ("binomial", (10, 0.2), 2.0, 1.6),
        ("binomial", (200, 0.7), 140.0, 42.0),
        ("binomial", (20_000, 0.5), 10_000.0, 5_000.0),
    ],
)
def test_draws_have_their_means_and_variances(kind, arguments, mean, variance):
    count = 1500
    keys = draws.key(7, 3, 1)
    values = draws.draw(kind, keys, np.arange(count), 5, arguments).astype(float)
    assert abs(values.mean() - mean) < 4.5 * np.sqrt(variance / count)
    assert abs(values.var() / variance - 1) < 0.2


def test_a_monitors_variables_stand_in_one_order(device, monkeypatch):
    """Brian2 holds them in a set, whose order is another one in every process."""
    programs = []
    kept = library.source
    monkeypatch.setattr(
        "neuroglia_snn.emit.machine.source",
        lambda program, single: programs.append(program) or kept(program, single),
    )
    group = NeuronGroup(2, "v : 1\nu : 1\nw : 1\nx : 1", threshold="v > 1")
    Network(group, SpikeMonitor(group, ["x", "w", "v", "u"])).run(0.1 * ms)
    (record,) = programs[0].records()
    assert list(record.growing) == sorted(record.growing) and len(record.growing) == 6
