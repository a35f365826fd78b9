"""Updates that read other units through constant indices, in runs: found, and equal to the reference."""

from __future__ import annotations

import brian2
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, linked_var, ms

import neuroglia_snn.brian  # noqa: F401
from neuroglia_snn.emit import machine
from neuroglia_snn.program.passes import simplified
from neuroglia_snn.program.windows import Windowed, runs


def test_runs_are_of_units_whose_sources_are_equally_far_ahead():
    units = np.arange(400)
    left, below = np.where(units % 100, units - 1, units), (units + 100) % 400
    found = runs([left, below])
    assert found is not None
    covered = np.concatenate([np.arange(first, last) for first, last, *_ in found])
    np.testing.assert_array_equal(covered, units)
    for first, last, *ahead in found:
        for source, step in zip((left, below), ahead, strict=True):
            np.testing.assert_array_equal(source[first:last], units[first:last] + step)
    assert runs([np.random.RandomState(0).permutation(400)]) is None


def _network(threshold: str | None):
    source = NeuronGroup(
        1200, "dx/dt = (1 + 0.001*i - x)/(5*ms) : 1", method="euler", name="source"
    )
    group = NeuronGroup(
        1000,
        """dv/dt = (right - v + 0.1*below)/ms : 1
        right : 1 (linked)
        below : 1 (linked)""",
        threshold=threshold,
        reset="v = -0.2" if threshold else None,
        method="euler",
        name="group",
    )
    units = np.arange(1000)
    group.right = linked_var(source, "x", index=np.where(units % 100 == 99, units, units + 1))
    group.below = linked_var(source, "x", index=units + 100)
    group.v = "0.0001*i"
    spikes = SpikeMonitor(group) if threshold else None
    return Network(*filter(None, (source, group, spikes))), group, spikes


@pytest.mark.one_in(3)
@pytest.mark.parametrize("threshold", [None, "v > 0.3", "v > 0.3*rand()"])
@pytest.mark.parametrize("options", [{}, {"threads": 2}, {"precision": "fixed"}])
def test_a_group_that_reads_others_in_runs_is_the_references(threshold, options, monkeypatch):
    kinds: set[type] = set()

    def seen(program, passes=None):
        made = simplified(program)
        kinds.update(map(type, made.steps))
        return made

    monkeypatch.setattr(machine, "simplified", seen)
    found = []
    for target in ("cpp", "numpy"):
        brian2.start_scope()
        given = {k: v for k, v in options.items() if not (target == "numpy" and k == "threads")}
        brian2.set_device("neuroglia", target=target, **given)
        brian2.seed(4)
        network, group, spikes = _network(threshold)
        network.run(3 * ms)
        found.append((np.array(group.v), [] if spikes is None else np.array(spikes.i)))
        brian2.set_device("runtime")
    (ours, events), (theirs, expected) = found
    np.testing.assert_array_equal(events, expected)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    if threshold is None:
        assert Windowed in kinds
