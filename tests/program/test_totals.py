"""Sums over synapses of all with all: one total for all targets, equal to Brian2's runtime."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, Synapses, collect, ms
from brian2.devices.device import all_devices
from program.test_zoo import different, states

from neuroglia_snn.emit import machine
from neuroglia_snn.program.totals import Total, all_with_all


@pytest.fixture
def totals(monkeypatch) -> list[int]:
    """How many totals each compiled program had."""
    found: list[int] = []
    plain = machine.source

    def source(program, *given):
        found.append(sum(isinstance(s, Total) for s in program.steps))
        return plain(program, *given)

    monkeypatch.setattr(machine, "source", source)
    return found


def network(model: str, rule: dict, part: bool = False, other: bool = False) -> Network:
    group = NeuronGroup(
        11,
        """dv/dt = (1.5 - v + input)/(5*ms) : 1
        input : 1
        gain : 1
        scale : 1 (shared)""",
        method="euler",
        threshold="v > 1",
        reset="v = 0",
    )
    more = NeuronGroup(7, "input : 1\ngain : 1")
    group.v, group.gain, group.scale = "0.09*i", "1 + 0.1*i", 0.3
    more.gain = "2 - 0.1*i"
    source = group[2:8] if part else group
    target = more if other else (group[1:9] if part else group)
    synapses = Synapses(source, target, model)
    synapses.connect(**rule)
    net = Network(collect())
    net.run(3 * ms)
    group.scale = 0.1
    net.run(3 * ms)
    return net


ALL, OTHERS = {}, {"condition": "i != j"}
MEAN = "input_post = v_pre/N_incoming : 1 (summed)"
CASES = {
    "plain": (MEAN, ALL),
    "of a function": ("input_post = sin(v_pre)*gain_pre/N_pre : 1 (summed)", ALL),
    "two factors": ("input_post = gain_post*scale_pre*v_pre/(1 + gain_post) : 1 (summed)", ALL),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
def test_a_product_is_one_total(name, totals):
    model, rule = CASES[name]
    make = lambda: network(model, rule)  # noqa: E731
    ours = states(make, {"target": "cpp"})
    assert totals == [1, 1]
    assert different(ours, states(make, None)) == []


@pytest.mark.one_in(4)
@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("part", [False, True])
def test_parts_of_groups_and_other_groups(part, other, totals):
    make = lambda: network(MEAN, ALL, part, other)  # noqa: E731
    ours = states(make, {"target": "cpp"})
    assert all(totals)
    assert different(ours, states(make, None)) == []


LISTED = {
    "but itself": (MEAN, OTHERS),
    "no product": ("input_post = sin(v_pre - v_post) : 1 (summed)", ALL),
    "a weight": ("w : 1\ninput_post = w*v_pre : 1 (summed)", ALL),
    "some": (MEAN, {"condition": "i != j + 1"}),
    "twice": (MEAN, {"n": 2}),
    "a part, but itself": (MEAN, {"condition": "i != j and i < 9"}),
}


@pytest.mark.one_in(6)
@pytest.mark.parametrize("name", LISTED)
def test_everything_else_is_a_list(name, totals):
    model, rule = LISTED[name]
    make = lambda: network(model, rule)  # noqa: E731
    ours = states(make, {"target": "cpp"})
    assert not any(totals)
    assert different(ours, states(make, None)) == []


def test_the_number_of_neurons_compiles_nothing_again(totals):
    def make(size):
        group = NeuronGroup(size, "dv/dt = (input - v)/ms : 1\ninput : 1", method="euler")
        synapses = Synapses(group, group, MEAN)
        synapses.connect()
        net = Network(collect())
        net.run(1 * ms)
        return net

    compiled = []
    for size in (5, 9):
        states(lambda size=size: make(size), {"target": "cpp"})
        compiled.append(all_devices["neuroglia"].made.digest)
    assert totals == [1, 1] and compiled[0] == compiled[1]


def test_who_is_connected_with_whom():
    pre, post = (x.ravel() for x in np.mgrid[3:6, 1:5])
    assert all_with_all(pre, post) == ((3, 6), (1, 5))
    assert all_with_all(post, pre) is None
    swapped = pre.copy()
    swapped[[0, 5]] = swapped[[5, 0]]
    assert all_with_all(swapped, post) is None
    pre, post = (x.ravel() for x in np.mgrid[2:6, 2:6])
    apart = pre != post
    assert all_with_all(pre[apart], post[apart]) is None
    assert all_with_all(pre[~apart], post[~apart]) is None
