"""Values of synapses beside each other, or in the order of spikes: the same bits, and Python sees them when it looks."""

from __future__ import annotations

import itertools

import brian2
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, ms, second, seed

import neuroglia_snn.brian  # noqa: F401
from neuroglia_snn.program import beside, drive, passes
from neuroglia_snn.program.program import Deliver

MODEL = """w : 1
dbefore/dt = -before/(20*ms) : 1 (event-driven)
dafter/dt = -after/(20*ms) : 1 (event-driven)
once : boolean"""


@pytest.fixture(autouse=True)
def device():
    brian2.start_scope()
    brian2.set_device("neuroglia")
    seed(3)
    yield
    brian2.set_device("runtime")


def _network(*more):
    group = NeuronGroup(
        300,
        "dv/dt = (1.1 - v)/(10*ms) : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
    )
    group.v = "rand()"
    synapses = Synapses(
        group,
        group,
        MODEL,
        on_pre="v_post += w\nbefore += 0.01\nw = clip(w + after, 0, 0.1)",
        on_post="after -= 0.0105\nw = clip(w + before*rand(), 0, 0.1)\nonce = True",
        delay=0.3 * ms,
    )
    synapses.connect(p=0.1)
    synapses.w = "0.01*rand()"
    spikes = SpikeMonitor(group)
    return Network(group, synapses, spikes, *(make(synapses) for make in more)), synapses


#: Places of two passes of our loop.
ROWS = passes.LOOP.index(beside.with_rows)
ORDER = passes.LOOP.index(beside.with_order)


def _instead(monkeypatch, place: int, other) -> None:
    """Another pass in the place of one."""
    loop = [*passes.LOOP[:place], other, *passes.LOOP[place + 1 :]]
    monkeypatch.setattr(passes, "LOOP", tuple(loop))


def _rows(monkeypatch) -> list:
    """The rows of every program from here on, by the names of their arrays."""
    seen = []
    kept = passes.LOOP[ROWS]

    def with_rows(program):
        found = kept(program)
        rows = beside.rows(found.steps)
        seen.append([[array.name.split(".")[1] for array in row] for row in rows])
        return found

    _instead(monkeypatch, ROWS, with_rows)
    return seen


def _states(synapses) -> dict[str, np.ndarray]:
    return {name: np.array(v) for name, v in synapses.get_states(units=False).items()}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("threads", (1, 2))
def test_the_bits_are_those_of_arrays_of_their_own(monkeypatch, threads):
    found = []
    for with_rows in (beside.with_rows, lambda program: program):
        _instead(monkeypatch, ROWS, with_rows)
        seen = _rows(monkeypatch)
        brian2.set_device("neuroglia", threads=threads)
        seed(3)
        network, synapses = _network()
        network.run(20 * ms)
        synapses.w *= 1.1  # between two runs, arrays are Brian2's
        network.run(13 * ms)
        beside_each_other = [sorted(row) for row in seen[0]]
        assert beside_each_other == ([] if found else [["after", "before", "lastupdate", "w"]])
        found.append(_states(synapses))
    assert found[0]["after"].any() and found[0]["once"].any()
    for name, values in found[0].items():
        np.testing.assert_array_equal(found[1][name], values, name)


def test_what_another_step_looks_at_stays_where_it_is(monkeypatch):
    seen = _rows(monkeypatch)
    network, _ = _network(lambda synapses: StateMonitor(synapses, "w", record=[0, 5]))
    network.run(1 * ms)
    assert [sorted(row) for row in seen[0]] == [["after", "before", "lastupdate"]]


def test_nothing_is_moved_where_python_takes_part(monkeypatch):
    seen = _rows(monkeypatch)
    network, _ = _network(lambda synapses: brian2.NetworkOperation(lambda: None, dt=10 * ms))
    network.run(1 * ms)
    assert seen == [[]]


def test_a_report_sees_values_as_they_are(monkeypatch):
    """Also those that it writes count."""
    monkeypatch.setattr(drive, "PAUSE", 0.0)
    monkeypatch.setattr(drive, "STEPS_OF_PAUSE", 0)
    network, synapses = _network()
    sums = []

    def report(elapsed, completed, start, duration):
        sums.append((float(np.sum(synapses.lastupdate_)), float(network.t_)))
        if 0 < completed < 1:
            synapses.w = 0.05

    network.run(30 * ms, report=report, report_period=0 * second)
    assert len(sums) > 10
    for (before, _), (after, t) in itertools.pairwise(sums):
        assert before <= after <= len(synapses) * t
    assert sums[-2][0] > sums[1][0]
    assert np.abs(synapses.w - 0.05).max() < 0.02


def _ordered(monkeypatch) -> list:
    """Of every program from here on, the names of arrays that pathways may have in their order."""
    seen = []
    kept = passes.LOOP[ORDER]

    def with_order(program):
        found = kept(program)
        steps = [step for step in found.steps if isinstance(step, Deliver)]
        seen.append([sorted(a.name.split(".")[1] for a in step.ordered) for step in steps])
        return found

    _instead(monkeypatch, ORDER, with_order)
    return seen


def _delayed(on_pre="v_post += w*factor*(1 + u_pre)", *more):
    group = NeuronGroup(
        300,
        "dv/dt = (1.1 - v)/(10*ms) : 1\nu : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
    )
    group.v, group.u = "rand()", "rand()"
    synapses = Synapses(group, group, "w : 1\nfactor : 1 (constant)", on_pre=on_pre)
    synapses.connect(p=0.1)
    synapses.w, synapses.factor = "0.01*rand()", "rand()"
    synapses.delay = "2*ms*rand()"
    made = [make(synapses) for make in more]
    return Network(group, synapses, *[m for m in made if m is not None]), group, synapses


def test_the_bits_are_those_of_brian2s_order(monkeypatch):
    """Also with spikes under way from one run to the next."""
    found = []
    for with_order in (beside.with_order, lambda program: program):
        _instead(monkeypatch, ORDER, with_order)
        seen = _ordered(monkeypatch)
        seed(3)
        network, group, synapses = _delayed()
        network.run(7.3 * ms)
        synapses.w *= 1.1
        network.run(9 * ms)
        assert seen[0] == ([[]] if found else [["_synaptic_post", "_synaptic_pre", "factor", "w"]])
        found.append((np.array(group.v), list(synapses.pre.queue._full_state())))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize(
    ("on_pre", "more", "ordered"),
    (
        ("v_post += w", lambda s: brian2.NetworkOperation(lambda: None, dt=1 * ms), False),
        ("v_post += factor", lambda s: brian2.NetworkOperation(lambda: None, dt=1 * ms), True),
        ("v_post += w", lambda s: s.run_regularly("w *= 0.99", dt=1 * ms) and None, False),
        ("v_post += w*rand()", lambda s: None, False),
        ("v_post += w; w *= 0.99", lambda s: None, False),
    ),
)
def test_what_may_change_is_read_where_it_is(monkeypatch, on_pre, more, ordered):
    seen = _ordered(monkeypatch)
    network, _, _ = _delayed(on_pre, more)
    network.run(0.1 * ms)
    assert [bool(names) for names in seen[0]] == [ordered]
