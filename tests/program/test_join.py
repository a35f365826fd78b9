"""A state update and its threshold as one step: where they are one, and what is right after every run."""

from __future__ import annotations

import brian2
import numpy as np
import pytest
from brian2 import (
    Network,
    NetworkOperation,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    linked_var,
    ms,
    second,
)

import neuroglia_snn.brian  # noqa: F401
from neuroglia_snn.emit import machine
from neuroglia_snn.program.passes import simplified
from neuroglia_snn.program.program import Threshold, Update


@pytest.fixture
def programs(monkeypatch):
    """The simplified programs of every run from here on."""
    found = []

    def kept(program, passes=None):
        found.append(simplified(program))
        return found[-1]

    monkeypatch.setattr(machine, "simplified", kept)
    brian2.set_device("neuroglia")
    yield found
    brian2.set_device("runtime")


#: Units that fire every few steps; 600 are two blocks of 256 and a part, 70 one vector of flags and a part.
COUNT = 670


def _group(**more) -> NeuronGroup:
    given = {"threshold": "v > 1", "reset": "v = 0", "refractory": 1 * ms, "method": "euler"}
    group = NeuronGroup(
        COUNT,
        "dv/dt = (a - v)/(2*ms) : 1 (unless refractory)\na : 1\ndu/dt = -u/(3*ms) : 1",
        **{**given, **more},
    )
    group.a, group.u = "0.9 + 2.0*i/N", "i"
    return group


def _kinds(program) -> list[str]:
    return [type(s).__name__ for s in program.steps if isinstance(s, (Update, Threshold))]


def _private(program) -> set[str]:
    return {a.variable.name for s in program.steps if isinstance(s, Threshold) for a in s.private}


def test_updates_of_two_groups_are_each_one_with_their_threshold(programs):
    Network(_group(), _group()).run(0.1 * ms)
    assert _kinds(programs[-1]) == ["Threshold", "Threshold"]
    assert _private(programs[-1]) == {"not_refractory"}


def test_what_is_between_keeps_them_apart(programs):
    group = _group()
    group.run_regularly("v = v + 0.01", when="before_thresholds", dt=0.1 * ms)
    Network(group).run(0.1 * ms)
    assert _kinds(programs[-1]) == ["Update", "Update", "Threshold"]
    looking = NetworkOperation(lambda: None, when="before_thresholds")
    Network(_group(), looking).run(0.1 * ms)
    assert _kinds(programs[-1]) == ["Update", "Threshold"]


def test_what_is_between_may_come_after_both(programs):
    group = _group()
    seen = StateMonitor(group, "v", record=True, when="after_groups")
    Network(group, seen).run(0.1 * ms)
    assert _kinds(programs[-1]) == ["Threshold"]


def test_a_threshold_that_reads_other_units_stays_apart(programs):
    group = NeuronGroup(
        3, "dv/dt = 1/ms : 1\nw : 1 (linked)", threshold="v + w > 1", method="euler"
    )
    group.w = linked_var(group, "v", index=np.array([1, 2, 0]))
    Network(group).run(0.1 * ms)
    assert _kinds(programs[-1]) == ["Update", "Threshold"]


def test_what_others_read_is_written_in_every_step(programs):
    group = _group()
    synapses = Synapses(group, group, on_pre="v_post += 0.01")
    synapses.connect(j="i")
    Network(group, synapses).run(0.1 * ms)
    assert _private(programs[-1]) == set()


def _run(target: str, lengths, change=None, threads: int = 1):
    """Spikes, and who is refractory after each of some runs (in steps)."""
    brian2.set_device("neuroglia", target=target, threads=threads)
    try:
        group = _group()
        spikes = SpikeMonitor(group)
        network = Network(group, spikes)
        free = []
        for steps in lengths:
            network.run(steps * 0.1 * ms)
            free.append(np.array(group.not_refractory))
        return np.array(spikes.i), np.array(spikes.t), free, np.array(group.v), np.array(group.u)
    finally:
        brian2.set_device("runtime")


@pytest.mark.parametrize("threads", [1, 2])
def test_refractory_units_are_known_after_every_run(threads):
    lengths = (1, 2, 30, 3, 1, 17)
    ours, reference = _run("cpp", lengths, threads=threads), _run("numpy", lengths)
    for a, b in zip(ours, reference, strict=True):
        np.testing.assert_array_equal(a, b)
    some = [0 < np.count_nonzero(free) < COUNT for free in ours[2]]
    assert sum(some) > 3


@pytest.mark.usefixtures("programs")
def test_a_report_and_a_stop_see_who_is_refractory(monkeypatch):
    monkeypatch.setattr("neuroglia_snn.program.drive.PAUSE", 0.0)
    monkeypatch.setattr("neuroglia_snn.program.drive.STEPS_OF_PAUSE", 1)
    group = _group()
    wrong = []

    def look():
        steps = (
            np.round((network.t_ - np.asarray(group.lastspike)) / 1e-4) - 1
        )  # to the last one made
        wrong.append(np.count_nonzero((steps >= 10) != np.asarray(group.not_refractory)))

    def report(elapsed, completed, start, duration):
        if 0 < completed < 1:
            look()
            if len(wrong) > 5:
                network.stop()

    network = Network(group)
    network.run(1000 * ms, report=report, report_period=0 * second)
    look()
    assert network.t < 1000 * ms and len(wrong) > 5 and not any(wrong)
