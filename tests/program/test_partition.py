"""A program in parts: who belongs together, what is sent when, and that nobody waits for ever."""

from __future__ import annotations

import brian2
import numpy as np
import pytest
from brian2 import (
    Hz,
    Network,
    NeuronGroup,
    PoissonGroup,
    PopulationRateMonitor,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    linked_var,
    ms,
)
from program import zoo

import neuroglia_snn.brian
from neuroglia_snn.program.code import Code
from neuroglia_snn.program.partition import ALONE, Part, Partition, partition
from neuroglia_snn.program.program import Exchange, Python, Record
from neuroglia_snn.program.reference import NumpyMachine

LIF = "dv/dt = (drive - v)/(10*ms) : 1\ndrive : 1"


@pytest.fixture
def partitions(monkeypatch):
    """The parts of the program of every run from here on, which the reference runs."""
    found: list[Partition] = []

    def machine(program, setting):
        if not any(isinstance(step, Python) for step in program.steps):
            found.append(partition(program, setting.edges))
        return NumpyMachine(program, setting)

    monkeypatch.setattr(neuroglia_snn.brian.device, "_targets", {"kept": (Code, machine)})
    brian2.start_scope()
    brian2.set_device("neuroglia")
    yield found
    brian2.set_device("runtime")
    brian2.defaultclock.dt = 0.1 * ms


def parts_of(partitions, *objects) -> Partition:
    Network(*objects).run(0.5 * ms)
    return partitions[-1]


def lif(name: str, size: int = 10, **more) -> NeuronGroup:
    return NeuronGroup(
        size, LIF, threshold="v > 1", reset="v = 0", method="euler", name=name, **more
    )


def connected(source, target, on_pre="v_post += 0.1", name="edges", **more) -> Synapses:
    synapses = Synapses(source, target, on_pre=on_pre, name=name, **more)
    synapses.connect()
    return synapses


def sent(whole: Partition) -> list[tuple[str, str, list[str]]]:
    """Who sends whom what."""
    names = [part.name for part in whole.parts]
    return [
        (names[m.source], names[m.target], [s.array.name for s in m.content])
        for m in whole.messages
    ]


def exchanges(part: Part) -> list[Exchange]:
    return [step for step in part.program.steps if isinstance(step, Exchange)]


def test_a_population_is_one_part_with_all_that_is_its_own(partitions):
    group = lif("one")
    group.run_regularly("drive = 1.1*drive", dt=1 * ms)
    whole = parts_of(partitions, group, SpikeMonitor(group), StateMonitor(group, "v", record=0))
    assert [part.name for part in whole.parts] == ["one"]
    assert whole.stride == ALONE and not whole.messages
    assert len(whole.parts[0].program.steps) == 6


def test_spikes_are_sent_in_every_step_to_those_that_they_reach(partitions):
    one, other = lif("one"), lif("other", 5)
    whole = parts_of(partitions, one, other, connected(one, other))
    assert sent(whole) == [("one", "other", ["one._spikespace"])]
    assert whole.messages[0].content[0].events
    assert whole.stride == 1
    assert [p.pathways for p in whole.parts] == [(), (0,)]


def test_a_pathway_that_writes_to_both_ends_makes_one_part_of_them(partitions):
    one, other, third = lif("one"), lif("other"), lif("third")
    both = connected(one, other, "v_post += 0.1; drive_pre += 0.01")
    whole = parts_of(partitions, one, other, third, both)
    assert [part.name for part in whole.parts] == ["one", "third"]


def test_plastic_synapses_belong_to_those_that_they_reach(partitions):
    one, other = lif("one"), lif("other")
    synapses = Synapses(one, other, "w : 1", on_pre="v_post += w", on_post="w += 0.1", name="edges")
    synapses.connect()
    whole = parts_of(partitions, one, other, synapses, StateMonitor(synapses, "w", record=True))
    assert sent(whole) == [("one", "other", ["one._spikespace"])]
    assert {a.name for a in whole.parts[1].arrays} >= {"edges.w", "other.v"}
    assert sum(isinstance(s, Record) for s in whole.parts[1].program.steps) == 1


def test_monitors_belong_to_what_they_read(partitions):
    one, other = lif("one"), lif("other")
    seen = [SpikeMonitor(other), PopulationRateMonitor(other), StateMonitor(one, "v", record=True)]
    whole = parts_of(partitions, one, other, connected(one, other), seen)
    records = [sum(isinstance(s, Record) for s in p.program.steps) for p in whole.parts]
    assert records == [1, 2]
    assert len(whole.messages) == 1


def test_values_are_sent_as_often_as_they_are_read(partitions):
    fast = NeuronGroup(9, "dv/dt = -v/(5*ms) : 1", method="exact", dt=0.1 * ms, name="fast")
    slow = NeuronGroup(
        2, "dx/dt = (y - x)/(9*ms) : 1\ny : 1", method="euler", dt=5 * ms, name="slow"
    )
    summed = Synapses(fast, slow, "y_post = v_pre : 1 (summed)", name="sum")
    summed.connect(i=[1, 3, 3], j=[0, 0, 1])
    whole = parts_of(partitions, fast, slow, summed)
    assert sent(whole) == [("fast", "slow", ["fast.v"])]
    assert whole.stride == 50
    np.testing.assert_array_equal(whole.messages[0].content[0].elements, [1, 3])  # no others


def test_or_as_often_as_they_are_written(partitions):
    slow = NeuronGroup(3, "dx/dt = -x/(9*ms) : 1", method="exact", dt=2 * ms, name="slow")
    follows = "dv/dt = (x - v)/(5*ms) : 1\nx : 1 (linked)"
    fast = NeuronGroup(3, follows, method="euler", dt=0.1 * ms, name="fast")
    fast.x = linked_var(slow, "x")
    whole = parts_of(partitions, slow, fast)
    assert sent(whole) == [("slow", "fast", ["slow.x"])]
    assert whole.stride == 20


def test_what_was_not_written_again_is_not_sent_again(partitions):
    one, other = lif("one"), lif("other")
    both = [connected(one, other, name=name) for name in ("first", "second")]
    seen = StateMonitor(both[0], "v_pre", record=True, when="end", name="seen")
    whole = parts_of(partitions, one, other, both, seen)
    assert [content for *_, content in sent(whole)] == [["one._spikespace"]]


def test_what_is_needed_at_one_place_is_one_message(partitions):
    one, other = lif("one"), lif("other")
    synapses = connected(one, other, "v_post += 0.1*v_pre*drive_pre")
    one.run_regularly("drive += 0.1")
    whole = parts_of(partitions, one, other, synapses)
    ((*_, content),) = sent(whole)
    assert sorted(content) == ["one._spikespace", "one.drive", "one.v"]


def test_two_populations_exchange_spikes_at_one_place(partitions):
    one, other = lif("one"), lif("other")
    there, back = connected(one, other, name="there"), connected(other, one, name="back")
    whole = parts_of(partitions, one, other, there, back)
    for part in whole.parts:
        (exchange,) = exchanges(part)
        assert len(exchange.sends) == len(exchange.receives) == 1


def test_populations_that_exchange_nothing_are_parts_of_their_own(partitions):
    whole = parts_of(partitions, lif("one"), lif("other"), PoissonGroup(3, 10 * Hz, name="third"))
    assert [part.name for part in whole.parts] == ["one", "other", "third"]
    assert not whole.messages and whole.stride == ALONE


def test_events_with_delays_are_sent_once_in_as_many_steps(partitions):
    one, other = lif("one"), lif("other")
    there = connected(one, other, name="there", delay=1.2 * ms)
    back = connected(other, one, name="back", delay=0.8 * ms)
    whole = parts_of(partitions, one, other, there, back)
    assert not whole.messages and whole.stride == 8
    assert [(b.source, b.target, b.late) for b in whole.batches] == [(0, 1, 8), (1, 0, 8)]
    assert [part.late for part in whole.parts] == [(8,), (8,)]


def test_but_not_where_something_else_is_sent_in_every_step_anyway(partitions):
    one, other, third = lif("one"), lif("other"), lif("third")
    synapses = [
        connected(one, other, name="there", delay=1.2 * ms),
        connected(one, third, name="at_once"),
    ]
    whole = parts_of(partitions, one, other, third, synapses)
    assert not whole.batches and whole.stride == 1
    assert len(whole.messages) == 2


def test_steps_of_batches_fit_into_those_of_slower_exchanges(partitions):
    one, other = lif("one"), lif("other")
    slow = NeuronGroup(10, "x : 1", dt=2 * ms, name="slow")
    slow.run_regularly("x += 0.1", dt=2 * ms)
    reads = Synapses(slow, other, "drive_post = x_pre : 1 (summed)", name="reads")
    reads.connect(j="i")
    synapses = connected(one, other, delay=0.7 * ms)
    whole = parts_of(partitions, one, other, slow, synapses, reads)
    assert whole.stride == 5 and [b.late for b in whole.batches] == [5]  # of 20, and 7 at most
    assert [content for *_, content in sent(whole)] == [["slow.x"]]


def in_turns(whole: Partition) -> bool:
    """Whether all parts come to the end of a time step in which all clocks are due."""
    under_way: set[int] = set()
    waiting = [exchanges(part) for part in whole.parts]
    begun = [False] * len(waiting)
    while any(waiting):
        moved = False
        for part, rest in enumerate(waiting):
            if rest and not begun[part]:
                under_way |= {m.number for m in rest[0].sends}
                begun[part] = moved = True
            if rest and {m.number for m in rest[0].receives} <= under_way:
                under_way -= {m.number for m in rest.pop(0).receives}
                begun[part], moved = False, True
        if not moved:
            return False
    return not under_way


@pytest.mark.one_in(12)
@pytest.mark.parametrize("name", [*zoo.DETERMINISTIC, *zoo.RANDOM])
def test_all_that_a_step_of_the_zoo_reads_is_there(name, partitions):
    """Whatever a part reads is its own, constant, or received; and all come to the end of a step."""
    from neuroglia_snn.program.fuse import touched

    brian2.seed(3)
    {**zoo.DETERMINISTIC, **zoo.RANDOM}[name]()
    for whole in partitions:
        assert in_turns(whole)
        written = [
            set().union(
                *(
                    touched(s)[1]
                    for s in p.program.steps
                    if not isinstance(s, Exchange)
                    and not any(s is b.replayed for b in whole.batches)
                ),
                set(),
            )
            for p in whole.parts
        ]
        for part, own in zip(whole.parts, written, strict=True):
            received = {s.array for e in exchanges(part) for m in e.receives for s in m.content}
            received |= {b.events for b in whole.batches if whole.parts[b.target] is part}
            foreign = set().union(*written) - own
            assert not received & own
            for step in part.program.steps:
                assert not touched(step)[0] & foreign - received
