# ruff: noqa: F841, RUF059  (Brian2's `collect` finds objects in local variables)
"""Lattices: recognised from index arrays, computed row by row, equal to Brian2's runtime."""

from __future__ import annotations

import brian2
import numpy as np
import pytest
from program import lattices
from program.test_zoo import different, states

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Request, blank_images
from neuroglia_snn.catalog.load import load
from neuroglia_snn.emit import fused as emitted
from neuroglia_snn.emit import machine
from neuroglia_snn.errors import UserError
from neuroglia_snn.program.fuse import Fused
from neuroglia_snn.program.lattice import Lattice, recognised

OFFSETS = [(-1, 0), (1, 0), (0, -1), (0, 1)]


@pytest.mark.parametrize("periodic", [(False, False), (True, True), (True, False), (False, True)])
@pytest.mark.parametrize("shape", [(5, 7), (130, 130), (3, 40)])
def test_a_lattice_is_recognised_from_its_indices(shape, periodic) -> None:
    lattice = Lattice(*shape, periodic)
    found = recognised([lattice.neighbours(o) for o in OFFSETS], shape[0] * shape[1])
    assert found == (lattice, OFFSETS)


def test_one_neighbour_that_is_elsewhere_is_no_lattice() -> None:
    indices = [Lattice(6, 6, (False, False)).neighbours(o) for o in OFFSETS]
    indices[2][17] = 3
    assert recognised(indices, 36) is None


@pytest.fixture
def fused(monkeypatch) -> list[int]:
    """How many lattices each compiled program had."""
    found: list[int] = []
    plain = machine.source

    def source(program, single=False):
        found.append(sum(isinstance(s, Fused) for s in program.steps))
        return plain(program, single)

    monkeypatch.setattr(machine, "source", source)
    return found


@pytest.mark.one_in(16)
@pytest.mark.parametrize("name", lattices.LATTICES)
def test_lattices_are_as_on_the_runtime(name, fused) -> None:
    make = lattices.LATTICES[name]
    ours = states(make, {"target": "cpp"})
    assert fused and all(fused), "no lattice was recognised"
    wrong = different(ours, states(make, None))
    assert not wrong, "\n".join(wrong)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", lattices.NOISY)
def test_noise_on_lattices_is_that_of_the_reference(name, fused) -> None:
    make = lattices.NOISY[name]
    ours = states(make, {"target": "cpp"})
    assert fused and all(fused), "no lattice was recognised"
    wrong = different(ours, states(make, {"target": "numpy"}))
    assert not wrong, "\n".join(wrong)


def same_bits(one: dict, other: dict) -> bool:
    return set(one) == set(other) and all(np.array_equal(one[n], other[n]) for n in one)


@pytest.mark.one_in(16)
@pytest.mark.parametrize("name", lattices.SHARED)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_threads_share_rows_and_change_no_bit(name, precision, monkeypatch) -> None:
    monkeypatch.setattr(emitted, "LEAST_UNITS", 1)
    options = {"target": "cpp", "precision": precision}
    one = states(lattices.SHARED[name], options)
    assert same_bits(one, states(lattices.SHARED[name], {**options, "threads": 2}))
    assert same_bits(one, states(lattices.SHARED[name], {**options, "threads": 5}))


@pytest.fixture
def texts(monkeypatch) -> list[str]:
    """The C++ of each program, which calls of ``changes`` change."""
    found: list[str] = []
    plain = machine.source

    def source(program, single=False):
        found.append(plain(program, single))
        return found[-1]

    monkeypatch.setattr(machine, "source", source)
    return found


@pytest.mark.thorough
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_steps_with_nothing_else_due_are_made_in_one_call_and_in_one_pass(
    precision, texts, monkeypatch
) -> None:
    options = {"target": "cpp", "precision": precision}
    several = states(lattices.quicker_than_all_else, options)
    assert "w0::go_on(" in texts[-1]
    monkeypatch.setattr(emitted, "LARGE", 0)
    together = states(lattices.quicker_than_all_else, options)
    assert texts[-1] != texts[0] and "together = 4;" in texts[-1]
    monkeypatch.setattr(emitted, "LONG", 0)  # fewer rows at a time
    by_twos = states(lattices.quicker_than_all_else, options)
    assert "together = 2;" in texts[-1]
    plain = machine.source

    def one_by_one(program, single=False):
        text = plain(program, single)
        assert "s.ahead = run.leaving" in text
        return text.replace("s.ahead = run.leaving", "s.ahead = true")

    monkeypatch.setattr(machine, "source", one_by_one)
    one = states(lattices.quicker_than_all_else, options)
    assert one["neurongroup 0.count"].sum() > 100
    assert all(same_bits(one, others) for others in (several, together, by_twos))
    runtime = states(lattices.quicker_than_all_else, {"target": "numpy"})
    assert precision == "float32" or not different(several, runtime)


def test_synapses_with_weights_of_their_own_are_no_part_of_the_pass(fused) -> None:
    def make():
        model = "w : 1\ninput_post = w*(v_pre - v_post) : 1 (summed)"
        group, synapses = lattices._synapses(Lattice(6, 9, (False, False)), model)
        synapses.w = "0.1*(i % 3)"
        net = brian2.Network(brian2.collect())
        net.run(5 * brian2.ms)
        return net

    ours = states(make, {"target": "cpp"})
    assert fused == [0]
    assert not different(ours, states(make, None))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", ["no_flux", "two_stages", "periodic"])
def test_single_precision_is_single_precision(name) -> None:
    make = lattices.LATTICES[name]
    double = states(make, {"target": "cpp"})
    single = states(make, {"target": "cpp", "precision": "float32"})
    for variable, values in double.items():
        if variable.endswith(".v"):
            apart = np.abs(values - single[variable]).max()
            assert 0 < apart < 1e-3, (variable, apart)


@pytest.mark.thorough
def test_a_lattice_on_a_slower_clock_stays_in_double_precision(fused) -> None:
    def make():
        slow = lattices._waves(lattices.Lattice(6, 9, (False, False)), dt=1 * brian2.ms)
        fast = brian2.NeuronGroup(3, "dx/dt = -x/ms : 1", method="euler")
        net = brian2.Network(brian2.collect())
        net.run(9 * brian2.ms)
        return net

    double = states(make, {"target": "cpp"})
    single = states(make, {"target": "cpp", "precision": "float32"})
    for name, values in double.items():
        np.testing.assert_array_equal(single[name], values, err_msg=name)
    assert fused == [1, 1]


@pytest.mark.thorough
def test_kernels_with_clocks_of_their_own_are_still_alone_in_most_steps(monkeypatch) -> None:
    """Gathers, state update and corrector of a model have a clock each, all with the same step."""
    own: list[list[bool]] = []
    plain = machine.source

    def source(program, single=False):
        own.extend(s.own_clocks(program) for s in program.steps if isinstance(s, Fused))
        return plain(program, single)

    monkeypatch.setattr(machine, "source", source)
    model = load("noise_induced_excitability", {"model.duration": "0.1 ms"})
    backends.get("fused").run(Request(model, blank_images(model)))
    assert len(own) == 1 and sum(own[0]) > 3


def test_a_precision_that_does_not_exist_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"precision='half'.: it is 'float64', 'float32' or 'fixed'"
    ):
        brian2.set_device("neuroglia", precision="half")
    brian2.set_device("runtime")


@pytest.mark.thorough
def test_more_stages_than_rows_are_kept_for_are_no_one_pass(fused) -> None:
    def make():
        shape, names = Lattice(6, 9, (False, False)), range(6)
        links = "\n".join(f"x{k} : 1\nl{k} : 1 (linked)\nu{k} : 1 (linked)" for k in names)
        group = brian2.NeuronGroup(54, links)
        for k in names:
            lattices._linked(group, shape, {f"l{k}": (0, -1), f"u{k}": (-1, 0)}, f"x{k}")
        for k in range(5):
            group.run_regularly(f"x{k + 1} = l{k} + 0.5*u{k} - x{k}", order=k)
        group.x0 = "sin(i)"
        net = brian2.Network(brian2.collect())
        net.run(1 * brian2.ms)
        return net

    ours = states(make, {"target": "cpp"})
    assert fused == [0]
    assert not different(ours, states(make, None))
