"""A classifier that is shown images: on Lava as in the compiled loop and in NumPy, and as torch has it."""

from __future__ import annotations

import functools

import numpy as np
import pytest

pytest.importorskip("torch", reason="the classifier's set-up needs torch")
pytest.importorskip("snntorch", reason="its layers need snntorch")

import torch
from helpers.classifier import QUICK

from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.backends.fused import FusedBackend
from neuroglia_snn.backends.lava import LavaBackend
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import BackendError
from neuroglia_snn.lava import compat
from neuroglia_snn.papers.fhn_classifier import evaluation, presented, setup

UNITS, PIXELS = 12, 30
W_IN = np.random.default_rng(1).normal(0, 0.4, (UNITS, PIXELS))
W_OUT = np.random.default_rng(3).normal(0, 1, (10, UNITS))
IMAGES = np.random.default_rng(2).integers(0, 256, (4, PIXELS))
SMALL = QUICK | {"population.unit.size": str(UNITS)}
#: A leaky unit that fires, in place of the model's.
FIRING = SMALL | {
    "population.unit.equations": "dx/dt = (3*I - x)/(0.1*tau) : 1\nI : 1\ny : 1",
    "population.unit.reset": "x = -0.5; y += 0.1",
    "population.unit.initial.x": "0.3*rand()",
    "population.unit.initial.y": "0.2*i",
}


class NumpyTarget(FusedBackend):
    """The reference."""

    name = target = "numpy"


BACKENDS = {"cpp": FusedBackend, "numpy": NumpyTarget, "lava": LavaBackend}
needs_lava = pytest.mark.skipif(compat.missing() is not None, reason=str(compat.missing()))
on_each = pytest.mark.parametrize("target", ["numpy", pytest.param("lava", marks=needs_lava)])


def network(images: np.ndarray = IMAGES, settings: dict = SMALL) -> presented.Presented:
    return presented.presented(
        setup.read(load("fhn_classifier", settings)), W_IN, W_OUT, np.asarray(images)
    )


@functools.cache
def shown(target: str, precision: str) -> Outcome:
    return BACKENDS[target]().run(Request(network().model, precision=precision))


def scores(outcome: Outcome) -> np.ndarray:
    return outcome.records[presented.SCORES].values[presented.SCORE]


@pytest.mark.one_in(2)
@on_each
def test_in_fixed_point_all_targets_agree_bit_for_bit(target):
    found, expected = shown(target, "fixed"), shown("cpp", "fixed")
    np.testing.assert_array_equal(scores(found), scores(expected))
    assert found.details["fixed"]["saturated"] == {}
    assert np.unique(scores(found)).size > 100


@on_each
def test_in_floating_point_all_targets_agree_to_rounding(target):
    found, expected = shown(target, "float64"), shown("cpp", "float64")
    np.testing.assert_allclose(scores(found), scores(expected), rtol=0, atol=1e-12)


def test_the_classes_are_those_of_torch():
    """Which integrates every image from the start."""
    asked = setup.read(load("fhn_classifier", SMALL))
    found = network().winners(shown("cpp", "float64"))
    trained = setup.Network(torch.sigmoid, PIXELS, UNITS, 10, 0).double()
    with torch.no_grad():
        trained.w_in.weight.copy_(torch.from_numpy(W_IN))
        trained.w_out.weight.copy_(torch.from_numpy(W_OUT))
    outputs = evaluation.directly(asked.system, asked.protocol)
    images = torch.from_numpy(IMAGES / 255)
    expected = evaluation.winners(trained, images, outputs, asked.alpha, torch.sigmoid)
    np.testing.assert_array_equal(found, expected.numpy())
    assert found.shape == (4, 10) and np.unique(found).size > 2


@pytest.mark.parametrize("settings", [SMALL, FIRING], ids=["oscillating", "firing"])
@pytest.mark.parametrize("precision", ["float64", "fixed"])
def test_an_image_does_not_depend_on_the_one_before(settings, precision):
    made = network(IMAGES[[0, 1, 0, 2, 3, 0]], settings)
    values = scores(FusedBackend().run(Request(made.model, precision=precision)))
    each = values[2 : 2 + 6 * made.interval].reshape(6, made.interval, -1)
    np.testing.assert_array_equal(each[[2, 5]], each[[0, 0]])
    assert (each[1] != each[0]).any()


def test_integers_are_as_narrow_as_those_of_the_hardware():
    formats = shown("cpp", "fixed").details["fixed"]["formats"]
    wanted = {
        f"{presented.IN}_.w": presented.WEIGHT_BITS,
        f"{presented.OUT}_.w": presented.WEIGHT_BITS,
        f"{presented.PIXELS}_.grey": presented.GREY_BITS,
        f"unit_.{presented.SENT}": presented.SENT_BITS,
    }
    for name, bits in wanted.items():
        whole, fraction = map(int, formats[name].removeprefix("Q").split("."))
        assert 1 + whole + fraction == bits
    assert formats[f"{presented.PIXELS}_.grey"] == "Q8.0"  # a count is a grey value


def test_sums_over_synapses_fit_32_bits():
    """Whatever the image."""
    formats = shown("cpp", "fixed").details["fixed"]["formats"]
    sums = {f"unit_.{presented.WEIGHTED}": W_IN, f"{presented.CLASSES}_.{presented.SCORE}": W_OUT}
    for name, weights in sums.items():
        whole, fraction = map(int, formats[name].removeprefix("Q").split("."))
        assert whole + fraction == 31
        assert np.abs(weights).sum(axis=1).max() < 2**whole


def test_units_that_read_the_time_are_refused():
    timed = "dx/dt = (x - x**3/3 - y)/(eps*tau) : 1\ndy/dt = (x + a + I)/tau*exp(-t/tau) : 1\nI : 1"
    with pytest.raises(BackendError, match="'unit' of 'fhn_classifier' reads the time t"):
        network(settings=SMALL | {"population.unit.equations": timed})
