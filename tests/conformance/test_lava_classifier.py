"""A classifier on Lava equals its reference: images shown one after the other, with Lava's own Dense."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the classifier's set-up needs torch")
pytest.importorskip("snntorch", reason="its layers need snntorch")

from helpers.classifier import QUICK

from neuroglia_snn import load
from neuroglia_snn.backends.lava import _compat
from neuroglia_snn.experiments.classifier import lowered, setup
from neuroglia_snn.fixedpoint.integers import Integers
from neuroglia_snn.lowering.execute import Floats, PopulationRun


@pytest.fixture(scope="module")
def made() -> lowered.Lowered:
    random = np.random.default_rng(1)
    asked = setup.read(load("fhn_classifier", QUICK | {"population.unit.size": "12"}))
    w_in = random.normal(0, 0.4, (12, 30))
    return lowered.lowered(asked, w_in, random.normal(0, 1, (10, 12)), sigmoid=True)


def reference(made: lowered.Lowered, images: np.ndarray, integers: bool) -> np.ndarray:
    program = made.chosen(integers)
    units = program.populations[made.units]
    numbers = (Integers if integers else Floats)(units, 0)
    run = PopulationRun(units, numbers, program.dt)
    return np.array([lowered.counts(run, made, program, image) for image in images])


@pytest.mark.skipif(_compat.missing("asteval") is not None, reason=str(_compat.missing("asteval")))
@pytest.mark.parametrize("integers", [False, True], ids=["float", "fixed"])
def test_classes_on_lava_are_the_references(made, integers):
    images = np.random.default_rng(2).integers(0, 256, (4, 30))
    counts, saturated = made.on_lava(images, integers)
    expected = reference(made, images, integers)
    assert (expected.sum(axis=1) == 10).all() and (expected > 0).sum() > 4  # answers change
    np.testing.assert_array_equal(counts, expected)
    assert saturated == 0


def test_an_image_does_not_depend_on_the_one_before(made):
    images = np.random.default_rng(2).integers(0, 256, (3, 30))
    np.testing.assert_array_equal(
        reference(made, images[::-1], True), reference(made, images, True)[::-1]
    )


def test_integer_weights_pass_through_lavas_dense_unchanged(made):
    """Of mixed sign it keeps even weights from -256 to 254."""
    for name in (lowered.IN, lowered.OUT):
        weights = made.fixed.program.couplings[name].weights
        exact = made.program.couplings[name].weights
        assert not (weights & 1).any() and np.abs(weights).max() == lowered.LARGEST_WEIGHT
        step = 2 * np.abs(exact).max() / lowered.LARGEST_WEIGHT
        found = weights * np.abs(exact).max() / lowered.LARGEST_WEIGHT
        assert np.abs(found - exact).max() <= step / 2 * 1.0001


def test_sums_over_synapses_fit_32_bits(made):
    into, out = (made.fixed.program.couplings[n] for n in (lowered.IN, lowered.OUT))
    largest = {lowered.IN: 255, lowered.OUT: 2 ** (lowered.MESSAGE_BITS - 1)}
    for coupling in (into, out):
        rows = np.abs(coupling.weights).reshape(-1, coupling.source_size).sum(axis=1)
        assert rows.max() * largest[coupling.name] < 2**31
