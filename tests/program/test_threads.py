"""Threads of the device ``neuroglia``: the same bits for any number of them, and when they come and go."""

from __future__ import annotations

import itertools
import logging
import os
import re
import signal
import threading
import time
from pathlib import Path

import brian2
import numpy as np
import pytest
from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    ms,
    seed,
)
from brian2.utils.logger import BrianLogger, catch_logs

import neuroglia_snn.brian
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.program import sharing
from neuroglia_snn.program.edges import Edges

UNITS = 1100  # two whole blocks and more for each of three threads, and a part of one


@pytest.fixture(autouse=True)
def device(monkeypatch):
    """Threads share all that they may, however little it is."""
    monkeypatch.setattr(sharing, "WORTH", 0.0)
    brian2.start_scope()
    yield neuroglia_snn.brian.device
    brian2.set_device("runtime")
    brian2.defaultclock.dt = 0.1 * ms


def _conductances(**more):
    group = NeuronGroup(
        UNITS,
        """dv/dt = (ge*(0*mV - v) + gi*(-80*mV - v) - (v + 60*mV) + 14*mV)/(20*ms) : volt (unless refractory)
        dge/dt = -ge/(5*ms) : 1
        dgi/dt = -gi/(10*ms) : 1""",
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory="2*ms",
        method="exponential_euler",
        **more,
    )
    group.v = "-60*mV + 10*mV*rand()"
    return group


def _joined(source, target, on_pre, p=0.05, delay=None, **more):
    synapses = Synapses(source, target, on_pre=on_pre, **more)
    synapses.connect(p=p)
    if delay is not None:
        synapses.delay = delay
    return synapses


def coba():
    group = _conductances()
    cut = UNITS * 4 // 5
    return group, [
        _joined(group[:cut], group, "ge += 0.3"),
        _joined(group[cut:], group, "gi += 1.7"),
    ]


def delays():
    """A delay for each synapse, and synapses that do not stand in the order of their targets."""
    group = _conductances()
    rng = np.random.default_rng(3)
    synapses = Synapses(group, group, "w : 1", on_pre="ge += w")
    synapses.connect(i=rng.integers(0, UNITS, 20_000), j=rng.integers(0, UNITS, 20_000))
    synapses.w = "0.2*rand()"
    synapses.delay = "3*ms*rand()"
    return group, [synapses]


PLASTIC = {
    "model": """w : 1
    dbefore/dt = -before/(20*ms) : 1 (event-driven)
    dafter/dt = -after/(20*ms) : 1 (event-driven)""",
    "on_pre": "ge += w\nbefore += 0.01\nw = clip(w + after, 0, 0.5)",
    "on_post": "after -= 0.011\nw = clip(w + before, 0, 0.5)",
}


def stdp():
    group = _conductances()
    synapses = _joined(group, group, delay="0.2*ms*(i % 4)", **PLASTIC)
    synapses.w = 0.2
    inputs = PoissonGroup(400, "(10 + i/20)*Hz")
    return group, [synapses, inputs, _joined(inputs, group, "ge += 0.5")]


def shuffled_stdp():
    """The same, sources and targets in any order; a second statement for the sources."""
    group = _conductances()
    rng = np.random.default_rng(4)
    synapses = Synapses(group, group, **PLASTIC)
    synapses.connect(i=rng.integers(0, UNITS, 20_000), j=rng.integers(0, UNITS, 20_000))
    synapses.w = "0.3*rand()"
    return group, [synapses]


def noisy():
    """Noise, inputs of all kinds, functions of the library, synapses that draw and that sum."""
    group = NeuronGroup(
        UNITS,
        """dv/dt = (1.3 + 0.2*sin(3*v) - 0.1*abs(v)**1.7*sign(v) + s)/(10*ms) + 0.4*xi/sqrt(10*ms) : 1
        s : 1
        r : 1
        n : integer""",
        threshold="v > 1 + 0.1*rand()",
        reset="v = 0; n += 1",
        method="euler",
    )
    group.v = "rand()"
    fixed = SpikeGeneratorGroup(UNITS, np.arange(0, UNITS, 7), np.arange(0, UNITS, 7) * 0.01 * ms)
    summed = Synapses(group, group, "s_post = 0.01*(tanh(v_pre) - v_post) : 1 (summed)")
    summed.connect(condition="abs(i - j) < 9 and i % 5 != 0")
    backwards = Synapses(group, group, "r_pre = v_post*v_pre : 1 (summed)")
    backwards.connect(condition="abs(i - j) < 20 and j % 7 != 0")
    outside = PoissonInput(group, "v", 20, 50 * Hz, 0.01)
    group.run_regularly("v += 0.001*poisson(2)", dt=1 * ms)
    joined = _joined(group, group, "v_post += 0.01*rand()", delay=0.3 * ms)
    waves = _joined(fixed, group, "w = sin(40*w); v_post += 0.01*w", model="w : 1")
    waves.w = "rand()"
    return group, [summed, backwards, outside, joined, fixed, waves]


def reaching_back():
    """Synapses that write at both ends, and that read what others write: one thread does them."""
    group = NeuronGroup(UNITS, "v : 1\nu : 1", threshold="rand() < 0.02", reset="u = 0")
    both = _joined(group, group, "u_post += 0.1; v_pre -= 0.01*u_post")
    chained = _joined(group, group, "v_post = 0.9*v_post + 0.1*v_pre")
    return group, [both, chained]


def lattice():
    """Neighbours on a lattice, in one pass over its rows."""
    size = 24
    group = NeuronGroup(
        size * size,
        """dv/dt = (v - v**3/3 - u + 0.1*d + 0.5)/ms : 1
        du/dt = 0.08*(v + 0.7 - 0.8*u)/ms : 1
        d : 1""",
        threshold="v > 1.2",
        refractory="v > 1",
        method="euler",
    )
    group.v = "rand()"
    synapses = Synapses(group, group, "d_post = v_pre - v_post : 1 (summed)")
    synapses.connect(
        condition=f"abs(i % {size} - j % {size}) + abs(i // {size} - j // {size}) == 1"
    )
    return group, [synapses]


NETWORKS = (coba, delays, stdp, shuffled_stdp, noisy, reaching_back, lattice)


def _states(group, others) -> dict[str, np.ndarray]:
    found = {}
    for k, obj in enumerate([group, *(o for o in others if not isinstance(o, PoissonInput))]):
        for name, values in obj.get_states(units=False).items():
            found[f"{k}.{name}"] = np.array(values)
    return found


def _run(make, threads: int, *durations) -> dict[str, np.ndarray]:
    brian2.start_scope()
    brian2.set_device("neuroglia", threads=threads)
    seed(5)
    group, others = make()
    spikes, values = SpikeMonitor(group), StateMonitor(group, "v", record=range(0, 500, 9))
    network = Network(group, *others, spikes, values)
    for duration in durations:
        network.run(duration)
    assert spikes.num_spikes > 200
    found = _states(group, others)
    return {**found, "i": np.array(spikes.i), "t": np.array(spikes.t), "values": np.array(values.v)}


@pytest.mark.one_in(8)
@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_bits_do_not_depend_on_the_number_of_threads(make):
    alone = _run(make, 1, 15 * ms, 10.3 * ms)
    for threads in (2, 3):
        found = _run(make, threads, 15 * ms, 10.3 * ms)
        assert found.keys() == alone.keys()
        for name in alone:
            np.testing.assert_array_equal(found[name], alone[name], name)


def test_the_number_of_threads_may_change_between_runs():
    """Also with spikes under way, and back to one."""
    found = []
    for changes in ((1, 1, 1), (2, 1, 3)):
        brian2.start_scope()
        brian2.set_device("neuroglia")
        seed(5)
        group, others = delays()
        network = Network(group, *others)
        for threads in changes:
            brian2.set_device("neuroglia", threads=threads)
            network.run(8 * ms)
        found.append(_states(group, others))
    for name, values in found[0].items():
        np.testing.assert_array_equal(found[1][name], values, name)


def _counted(threads: int) -> tuple[Network, NeuronGroup]:
    brian2.set_device("neuroglia", threads=threads)
    group = NeuronGroup(UNITS, "dv/dt = 1*Hz : 1", method="euler")
    return Network(group), group


def _stopped(threads: int) -> list[np.ndarray]:
    """Three runs, each of which is stopped every 7 ms."""
    brian2.start_scope()
    brian2.set_device("neuroglia", threads=threads)
    seed(5)
    group, others = coba()
    spikes = SpikeMonitor(group)
    network = Network(group, *others, spikes)
    network.add(brian2.NetworkOperation(lambda: network.stop(), dt=7 * ms))
    reached = []
    for _ in range(3):
        network.run(20 * ms)
        reached.append(network.t_)
    return [np.array(reached), np.array(spikes.i), np.array(spikes.t), np.array(group.v)]


def test_a_run_that_is_stopped_goes_on():
    alone, found = _stopped(1), _stopped(2)
    assert alone[0][-1] < 0.02
    for one, other in zip(alone, found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.thorough
def test_two_networks_on_two_devices():
    """Threads come with a run and go with it; other devices run in between."""
    network, group = _counted(2)
    network.run(1 * ms)
    brian2.set_device("neuroglia", target="numpy", threads=3)
    network.run(1 * ms)
    brian2.set_device("runtime")
    network.run(1 * ms)
    other, more = _counted(3)
    network.run(1 * ms)
    other.run(1 * ms)
    np.testing.assert_allclose(group.v, 4e-3)
    np.testing.assert_allclose(more.v, 1e-3)


linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


@linux
@pytest.mark.parametrize("fails", (False, True))
def test_threads_end_with_the_run(fails):
    network, _ = _counted(3)
    before, seen = _threads(), []

    @brian2.network_operation(dt=5 * ms)
    def look(t):
        seen.append(_threads())
        if fails and t > 1 * ms:
            raise RuntimeError("enough")

    network.add(look)
    if fails:
        with pytest.raises(RuntimeError, match="enough"):
            network.run(10 * ms)
    else:
        network.run(10 * ms)
    assert seen == [before + 2] * 2
    assert _threads() == before


def test_threads_that_wait_for_python_sleep():
    network, _ = _counted(2)
    spent = []

    @brian2.network_operation(dt=5 * ms)
    def wait():
        time.sleep(0.01)
        before = time.process_time()
        time.sleep(0.3)
        spent.append(time.process_time() - before)

    network.add(wait)
    network.run(10 * ms)
    assert max(spent) < 0.05


def test_an_interrupt_stops_all_threads():
    network, group = _counted(2)
    timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
    with pytest.raises(KeyboardInterrupt):
        network.run(
            10_000_000 * ms, report=lambda *given: timer.start(), report_period=1000 * brian2.second
        )
    timer.join()
    assert network.t_ > 0
    np.testing.assert_allclose(group.v, network.t_)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_is_forked_within_a_run_goes_on_alone():
    network, group = _counted(2)
    children = []

    @brian2.network_operation(dt=100 * ms)
    def fork():
        children.append(os.fork())

    network.add(fork)
    network.run(10 * ms)
    if children == [0]:
        network.run(10 * ms)
        os._exit(0 if np.allclose(group.v, 20e-3) else 1)
    assert os.waitpid(children[0], 0)[1] == 0
    np.testing.assert_allclose(group.v, 10e-3)


@pytest.mark.parametrize("threads", (0, 257, 2.0, "two"))
def test_a_bad_number_of_threads_is_one_sentence(threads):
    with pytest.raises(UserError, match=r"threads=.*: it is a whole number from 1 to 256"):
        brian2.set_device("neuroglia", threads=threads)


@linux
def test_more_threads_than_the_system_starts_are_one_sentence():
    resource = pytest.importorskip("resource")
    network, group = _counted(1)
    network.run(1 * ms)  # what is compiled is kept
    brian2.set_device("neuroglia", threads=256)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, limits[1]))
    try:
        with pytest.raises(
            BackendError, match=r"^256 threads: this system starts no more than \d+$"
        ):
            network.run(1 * ms)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    network.run(1 * ms)
    np.testing.assert_allclose(group.v, 2e-3)


def _told(make) -> str:
    """What is said of a run of two threads."""
    brian2.set_device("neuroglia", threads=2)
    group, others = make()
    BrianLogger._log_messages.clear()  # a session says the same once
    with catch_logs(log_level=logging.INFO) as logs:
        run_of = Network(group, *others)
        run_of.run(0.1 * ms)
    (told,) = [text for _, name, text in logs if name.endswith("neuroglia.threads")]
    return told


def test_what_threads_share_is_said(monkeypatch):
    monkeypatch.setattr(sharing, "WORTH", 500.0)
    told = _told(coba)
    assert re.match(r"2 threads share neurongroup\w*_stateupdater \(1100 units\), synapses", told)
    assert re.search(r"synapses\w*_pre \(from \d+ synapses a step on\)", told)
    monkeypatch.setattr(sharing, "WORTH", 5000.0)
    assert re.search(r"one thread does .*_stateupdater \(1100 of \d+ units\)", _told(coba))


def test_what_writes_at_both_ends_is_not_shared():
    told = _told(reaching_back)
    shared, alone = told.split("; one thread does ")
    assert "_pre" not in shared and alone.count("_pre") == 2


@pytest.mark.parametrize("parts", (2, 3, 7))
def test_parts_hold_all_synapses_and_their_order_for_each_target(parts):
    rng = np.random.default_rng(parts)
    count, groups = 5000, 40
    begin = np.sort(np.concatenate(([0, count], rng.integers(0, count, groups - 1))))
    targets = rng.integers(100, 400, count).astype(np.int32)
    order = rng.permutation(count).astype(np.int32)
    edges = Edges(0, groups, np.arange(groups + 1), np.zeros(groups, np.int32), begin, order, 1)

    class Index:
        @staticmethod
        def values():
            return targets

    dealt = sharing.dealt(edges, sharing.Reached(Index), parts)
    bounds = [(400, -1)] * parts
    for g in range(groups):
        before = order[begin[g] : begin[g + 1]]
        assert sorted(dealt.synapses(np.array([g]))) == sorted(before)
        for part in range(parts):
            first, last = dealt.begin[g * parts + part : g * parts + part + 2]
            own = dealt.order[first:last]
            for target in np.unique(targets[own]):
                same = [s for s in before if targets[s] == target]
                assert [s for s in own if targets[s] == target] == same
            low, high = bounds[part]
            reach = targets[own]
            bounds[part] = min(low, *reach, 400), max(high, *reach, -1)
    for (_, high), (low, _) in itertools.pairwise(bounds):
        assert high < low
    sizes = np.diff(dealt.begin).reshape(groups, parts).sum(0)
    assert sizes.min() > 0.7 * count / parts
