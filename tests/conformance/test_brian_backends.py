"""The two Brian2 backends give the same results, and keep what they promise of seeds and builds."""

from __future__ import annotations

import numpy as np
import pytest

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.backends.brian import coupling
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import NumericalError, UserError
from neuroglia_snn.language import couplings

SMALL = {
    "population.neuron.shape": "[13, 13]",
    "population.astrocyte.shape": "[4, 4]",
    "model.duration": "9 ms",
    "stimulus.test.start": "2 ms",
    "record.frames.every": "1 ms",
    "record.calcium.every": "1 ms",
    "t_glio": "2 ms",  # so that the feedback acts within the short run
    "Ca_glio": "0.0697 uM",
}


def small_request(seed=1, threads=1, shift=0, **settings) -> Request:
    model = load("noise_induced_memory", {**SMALL, **settings})
    train = np.zeros((13, 13), bool)
    train[3:10, 4 + shift : 9 + shift] = True
    return Request(model, {"train": train, "test": train[::-1]}, seed, threads)


@pytest.fixture(scope="module")
def cpp() -> Outcome:
    return backends.get("cpp").run(small_request())


def assert_same(a: Outcome, b: Outcome, tolerance: float) -> None:
    """All records and final states agree; ``tolerance`` 0 means bit for bit."""
    assert a.records.keys() == b.records.keys()
    pairs = [
        (a.records[r].values[v], b.records[r].values[v], f"{r}.{v}")
        for r in a.records
        for v in a.records[r].values
    ]
    pairs += [(a.final[p][v], b.final[p][v], f"{p}.{v}") for p in a.final for v in a.final[p]]
    for left, right, name in pairs:
        scale = np.max(np.abs(left), initial=1e-30)
        np.testing.assert_allclose(right, left, rtol=0, atol=tolerance * scale, err_msg=name)


@pytest.mark.thorough
def test_the_small_model_uses_every_path(cpp):
    """Spikes, calcium, drive and feedback all happen, or the comparisons below say little."""
    assert cpp.final["neuron"]["n_spikes"].max() >= 1
    assert cpp.final["astrocyte"]["last_drive"].max() > 0
    assert np.ptp(cpp.records["calcium"].values["Ca"]) > 0
    silent = backends.get("cpp").run(small_request(Ca_glio="1 uM"))
    # all else being equal, noise included, only feedback can have changed a neuron
    assert np.abs(cpp.final["neuron"]["U"] - silent.final["neuron"]["U"]).max() > 0.01


def test_numpy_and_cpp_follow_the_same_noisy_path(cpp):
    """The noise is a function of (seed, unit, step): paths agree, not only statistics."""
    assert_same(backends.get("numpy").run(small_request()), cpp, 1e-9)


def test_the_time_loop_is_timed_by_itself(cpp):
    """It takes less than the whole run, which connects, reads and writes."""
    for outcome in (cpp, backends.get("numpy").run(small_request())):
        assert 0 < outcome.loop_seconds < outcome.run_seconds


@pytest.mark.thorough
def test_without_noise_both_agree_to_rounding():
    request = small_request(sigma2="0")
    assert_same(backends.get("numpy").run(request), backends.get("cpp").run(request), 1e-10)


def test_same_seed_same_bits_and_nothing_compiles_again(cpp):
    again = backends.get("cpp").run(small_request())
    assert not again.compiled
    assert_same(cpp, again, 0)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"sigma2": "0.2"}, {"k": "1"}, {"shift": 2}, {"v3": "2.5 uM/second"}],
    ids=["seed", "sigma2", "k", "image", "astrocyte"],
)
def test_other_values_do_not_compile_again_but_count(cpp, change):
    other = backends.get("cpp").run(small_request(**change))
    assert not other.compiled
    population, variable = ("astrocyte", "Ca") if "v3" in change else ("neuron", "U")
    assert not np.array_equal(other.final[population][variable], cpp.final[population][variable])


@pytest.mark.thorough
def test_two_threads_give_the_same_to_rounding_and_to_the_bit_again(cpp):
    """The noise is the same for any number of threads; the compiler's vectors end elsewhere."""
    two = backends.get("cpp").run(small_request(threads=2))
    assert_same(cpp, two, 1e-9)
    assert_same(two, backends.get("cpp").run(small_request(threads=2)), 0)


@pytest.mark.thorough
def test_a_gather_equals_brian2s_own_synapses(monkeypatch):
    """Couplings written out over linked variables give what summed synapses give.

    Both held over a step, as synapses are; and without the feedback, whose two steps on the
    astrocytes' clock Brian2 orders by name.
    """
    monkeypatch.setattr(couplings, "recomputed", lambda model, population: [])
    gathered = backends.get("numpy").run(small_request(I_glio="0"))
    monkeypatch.setattr(coupling, "is_gather", lambda model, projection: False)
    assert_same(gathered, backends.get("numpy").run(small_request(I_glio="0")), 1e-9)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("backend", ["fused", "cpp", "numpy"])
def test_overflow_stops_the_run_with_time_and_population(backend):
    """dt far beyond the stability limit."""
    request = small_request(**{"model.dt": "0.02 ms"})
    with pytest.raises(NumericalError, match=r"'neuron', unit \d+: NaN or overflow by t = .* ms"):
        backends.get(backend).run(request)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(UserError, match="seed"):
        small_request(seed=seed)


def test_an_image_of_the_wrong_size_is_refused():
    model = load("noise_induced_memory", SMALL)
    with pytest.raises(UserError, match=r"\(13, 12\).*\(13, 13\)"):
        Request(model, {"train": np.zeros((13, 12), bool), "test": np.zeros((13, 13), bool)})


@pytest.mark.parametrize("backend", ["fused", "cpp", "numpy"])
def test_progress_is_reported(backend):
    seen: list[tuple[float, float]] = []
    request = small_request()
    request = Request(request.model, request.images, progress=lambda f, t: seen.append((f, t)))
    backends.get(backend).run(request)
    assert seen[-1] == pytest.approx((1, request.model.duration))
    assert seen == sorted(seen)
