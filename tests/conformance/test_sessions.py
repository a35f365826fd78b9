"""A run of ours within a session that uses Brian2 itself, which must not notice."""

from __future__ import annotations

import gc

import brian2
import numpy as np
import pytest
from brian2.devices.device import all_devices, get_device
from brian2.utils.logger import catch_logs

import neuroglia_snn.brian  # noqa: F401
from neuroglia_snn import backends
from neuroglia_snn.backends.base import Request, blank_images
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import UserError

SHORT = {"model.duration": "1 ms"}


@pytest.fixture(autouse=True)
def clean():
    brian2.start_scope()
    yield
    brian2.set_device("runtime")


def ours(backend: str) -> None:
    model = load("noise_induced_excitability", SHORT)
    backends.get(backend).run(Request(model, blank_images(model), 5))


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "backend", ["fused", "numpy", pytest.param("cpp", marks=pytest.mark.thorough)]
)
@pytest.mark.parametrize("name", ["runtime", "neuroglia"])
def test_a_script_goes_on_as_without_our_run(backend, name):
    def script(between) -> list[np.ndarray]:
        brian2.start_scope()
        brian2.set_device(name)
        brian2.seed(3)
        group = brian2.NeuronGroup(4, "dx/dt = -x/ms + xi/sqrt(ms) : 1", method="euler")
        brian2.run(1 * brian2.ms)
        first = np.array(group.x)
        between()
        assert get_device() is all_devices[name]
        brian2.run(1 * brian2.ms)  # of the objects that this scope has
        return [first, np.array(group.x), np.random.random(3)]

    for expected, found in zip(script(lambda: None), script(lambda: ours(backend)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_run_that_fails_leaves_no_warnings_of_objects_that_nothing_used(monkeypatch):
    def refused(network) -> None:
        raise UserError("refused")

    monkeypatch.setattr("neuroglia_snn.backends.fused.apply_settings", refused)
    with catch_logs() as logs:
        with pytest.raises(UserError, match="refused"):
            ours("fused")
        gc.collect()
        assert not logs
        left = brian2.NeuronGroup(1, "x : 1")  # a script's own is still warned of
        del left
        gc.collect()
    assert len(logs) == 1 and "never included in a network" in logs[0][2]
