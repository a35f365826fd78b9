"""Passes over kernels, and the parts of what a spike does: what is rewritten, and what is left alone."""

from __future__ import annotations

import brian2
import pytest
from brian2 import Network, NeuronGroup, Synapses, ms

import neuroglia_snn.brian  # noqa: F401
from neuroglia_snn.emit import machine
from neuroglia_snn.program.parts import parts
from neuroglia_snn.program.passes import simplified
from neuroglia_snn.program.program import Deliver, Threshold, Update
from neuroglia_snn.program.tree import Apply, walk


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


def _operations(kernel) -> list[str]:
    return [e.operation for s in kernel.each for e in walk(s.value) if isinstance(e, Apply)]


def _update(equations: str, programs, **more):
    group = NeuronGroup(3, equations, **more)
    Network(group).run(0.1 * ms)
    (step,) = (s for s in programs[-1].steps if isinstance(s, (Update, Threshold)))
    return step.kernel


def test_refractory_units_cost_no_exp_of_their_own(programs):
    kernel = _update(
        "dv/dt = (g - v)/(20*ms) : 1 (unless refractory)\ndg/dt = -g/(5*ms) : 1",
        programs,
        threshold="v > 1",
        refractory=2 * ms,
        method="exact",
    )
    assert not {"exp", "int"} & set(_operations(kernel))


def test_rates_of_gates_divide_once(programs):
    kernel = _update(
        "dm/dt = (1 - m)/exprel(x)/ms - m/exp(x)/ms : 1\nx : 1",
        programs,
        method="exponential_euler",
    )
    operations = _operations(kernel)
    assert "exprel" not in operations and "inverse_exprel" in operations


def _deliver(on_pre: str, programs, model: str = "w : 1\nk : 1"):
    group = NeuronGroup(3, "v : 1\nu : 1", threshold="v > 1")
    synapses = Synapses(group, group, model, on_pre=on_pre)
    synapses.connect()
    Network(group, synapses).run(0.1 * ms)
    (step,) = (s for s in programs[-1].steps if isinstance(s, Deliver))
    return step.kernel


def test_a_plastic_synapse_has_two_parts(programs):
    found = parts(_deliver("v_post += w*k\nw = clip(w + k, 0, 1)", programs))
    assert found is not None
    assert len(found.told) == 1
    assert [s.target.array.name.split(".")[1] for s in found.reaching] == ["v"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "on_pre",
    [
        "v_post += 1",  # nothing of its own
        "w += k",  # reaches nobody
        "w += v_post; v_post += w",  # reads what others write
        "v_post += w*v_post; w += k",
        "v_post += w; u_post += v_post*w; w += k",
        "v_post += w; v_pre += w; w += k",  # one array in two ways
    ],
)
def test_others_are_done_one_synapse_after_the_other(on_pre, programs):
    assert parts(_deliver(on_pre, programs)) is None
