"""Sums over windows: whole numbers are summed once for sources beside each other, to the same values."""

from __future__ import annotations

import brian2
import numpy as np
import pytest
from program.test_zoo import different, states

from neuroglia_snn.emit import machine
from neuroglia_snn.program.pools import Pool

ROWS, COLS = 10, 13


def _windows(high: int, wide: int, apart: int) -> tuple[np.ndarray, np.ndarray]:
    """Sources and targets of windows on a lattice, target by target and row by row."""
    rows = range(0, ROWS - high + 1, apart)
    corners = [(r, c) for r in rows for c in range(0, COLS - wide + 1, apart)]
    sources = [(r + y) * COLS + c + x for r, c in corners for y in range(high) for x in range(wide)]
    return np.array(sources), np.repeat(np.arange(len(corners)), high * wide)


@pytest.fixture
def pools(monkeypatch) -> list[int]:
    """How long the windows of each compiled program are."""
    found: list[int] = []
    plain = machine.source

    def source(program, single=False):
        found.extend(s.length for s in program.steps if isinstance(s, Pool))
        return plain(program, single)

    monkeypatch.setattr(machine, "source", source)
    return found


def _network(sources, targets, value: str):
    def make() -> brian2.Network:
        model = "dv/dt = -v/(3*ms) + sin(0.1*i)/ms : 1\nscale : 1 (shared)"
        units = brian2.NeuronGroup(ROWS * COLS, model, method="euler")
        units.v, units.scale = "0.05*i", 0.4
        pool = brian2.NeuronGroup(max(targets) + 2, "total : 1\nseen : 1")
        synapses = brian2.Synapses(units, pool, f"total_post = {value} : 1 (summed)")
        synapses.connect(i=sources, j=targets)
        pool.run_regularly("seen += total*t/ms", when="end")
        net = brian2.Network(units, pool, synapses)
        net.run(3 * brian2.ms)
        return net

    return make


@pytest.mark.one_in(4)
@pytest.mark.parametrize("shape", [(4, 4, 3), (2, 3, 1), (1, 5, 5), (3, 13, 1)])
def test_windows_are_summed_as_brian2_sums_them(shape, pools) -> None:
    make = _network(*_windows(*shape), "int(v_pre > scale_pre) + int(v_pre*10)")
    ours = states(make, {"target": "cpp"})
    assert pools == [39 if shape[1] == COLS else shape[1]]
    theirs = states(make, None)
    assert not different(ours, theirs)
    assert np.array_equal(ours["neurongroup 1.total"], theirs["neurongroup 1.total"])


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "value", ["0.1*int(v_pre > 1)", "v_pre", "int(v_pre > seen_post)", "int(v_pre > i/50)"]
)
def test_what_is_no_whole_number_of_the_source_is_summed_synapse_by_synapse(value, pools) -> None:
    make = _network(*_windows(4, 4, 3), value)
    ours = states(make, {"target": "cpp"})
    assert pools == []
    theirs = states(make, None)
    assert not different(ours, theirs)
