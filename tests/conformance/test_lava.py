"""Lava runs equal what they simulate: Brian2 in floating point, the integer oracle in fixed point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import catalogue
from scipy import stats

from neuroglia_snn import backends, checks
from neuroglia_snn.backends.base import Request
from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import BackendError
from neuroglia_snn.lava import compat

needs_lava = pytest.mark.skipif(compat.missing() is not None, reason=str(compat.missing()))

SMALL = {
    "population.neuron.shape": "[10, 13]",
    "population.astrocyte.shape": "[3, 4]",
    "model.duration": "6 ms",
    "stimulus.test.start": "2 ms",
    "record.frames.every": "1 ms",
    "record.calcium.every": "1 ms",
    "t_glio": "2 ms",  # so that the feedback acts within the short run
    "Ca_glio": "0.0697 uM",
}


def request(precision="float64", seed=1, **settings) -> Request:
    model = load("noise_induced_memory", {**SMALL, **settings})
    shape = model.populations["neuron"].shape
    image = np.zeros(shape, bool)
    image[2:8, 3:9] = True
    return Request(model, {"train": image, "test": image[::-1]}, seed, precision=precision)


@pytest.mark.slow
@needs_lava
def test_the_fast_float_run_follows_brian2s_path():
    ours = backends.get("lava").run(request())
    brian = backends.get("numpy").run(request())
    assert brian.final["neuron"]["n_spikes"].max() >= 1  # and the comparison says something
    assert brian.final["neuron"]["I_astro"].max() > 0
    for name, state in brian.final.items():
        for variable, expected in state.items():
            scale = max(np.abs(expected).max(), 1e-30)
            found = ours.final[name][variable]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * scale, err_msg=variable)
    for name, record in brian.records.items():
        np.testing.assert_allclose(ours.records[name].times, record.times, atol=1e-12)
        np.testing.assert_array_equal(ours.records[name].indices, record.indices)
        for variable, expected in record.values.items():
            scale = max(np.abs(expected).max(), 1e-30)
            found = ours.records[name].values[variable]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * scale)


@pytest.mark.thorough
@needs_lava
def test_a_run_is_reproducible_and_the_seed_counts():
    one, again = (backends.get("lava").run(request("fixed")) for _ in range(2))
    other = backends.get("lava").run(request("fixed", seed=2))
    np.testing.assert_array_equal(one.final["neuron"]["U"], again.final["neuron"]["U"])
    assert not np.array_equal(one.final["neuron"]["U"], other.final["neuron"]["U"])


@needs_lava
@pytest.mark.parametrize("name", sorted(files.names("models")))
def test_every_model_runs_on_lava(name):
    assert backends.support(load(name))["lava"] is None
    assert backends.support(load(name))["lava-messages"] is None


def test_without_lava_one_line_says_what_to_type(monkeypatch):
    monkeypatch.setattr(compat.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"lava-nc is not installed: pip install .*lava"):
        backends.get("lava").run(request())
    assert "\n" not in backends.get("lava").unsupported(load("noise_induced_memory"))


@pytest.mark.thorough
@needs_lava
@pytest.mark.slow
def test_replicas_run_side_by_side():
    whole, _ = checks.load_checked("fhn_astrocytes")
    model = replace(whole, duration=4e-3, experiment={})
    requests = [Request(model, seed=seed) for seed in (1, 2)]
    together = backends.get("lava").run_many(requests, workers=2)
    for asked, found in zip(requests, together, strict=True):
        alone = backends.get("fused").run(asked)
        for name, state in alone.final.items():
            for variable, values in state.items():
                np.testing.assert_array_equal(found.final[name][variable], values)


#: Those that take seconds to connect, to compile or to run.
LONG = {"fep_canonical", "fep_culture", "noise_induced_memory", "noise_induced_memory_long_drive"}
LONG |= catalogue.ALIKE | {"brunel_2000", "diehl_cook", "gliotransmitter_release", "vogels_2011"}
#: Whose ranges take minutes to find.
TOO_LONG = {("tripartite_coba", "fixed")}
LONG |= {"noise_induced_memory_program", "noise_induced_memory_tonic", "noise_induced_excitability"}


@pytest.mark.one_in(64)
@needs_lava
@pytest.mark.parametrize(
    ("name", "precision"),
    [
        pytest.param(
            name,
            precision,
            marks=pytest.mark.slow if name in LONG or precision == "fixed" else (),
        )
        for name in sorted(files.names("models"))
        for precision in ("float64", "fixed")
        if (name, precision) not in TOO_LONG
    ],
)
def test_every_model_is_equal_to_the_bit_on_our_own_loop(name, precision):
    whole, _ = checks.load_checked(name, catalogue.SMALL.get(name, {}))
    steps = [p.dt for p in whole.populations.values()]
    duration = min(whole.duration, max(100 * min(steps), 3 * max(steps)))
    model = replace(whole, duration=duration, experiment={})
    images = {image: np.indices(shape).sum(0) % 2 > 0 for image, shape in whole.images().items()}
    ours, fused = (
        backends.get(backend).run(Request(model, images, seed=1, precision=precision))
        for backend in ("lava", "fused")
    )
    assert ours.details["lava"]["steps_per_lava_step"] >= 1
    for found, expected in (
        (ours.final, fused.final),
        (
            {n: r.values for n, r in ours.records.items()},
            {n: r.values for n, r in fused.records.items()},
        ),
        (
            {n: dict(enumerate(e)) for n, e in ours.events.items()},
            {n: dict(enumerate(e)) for n, e in fused.events.items()},
        ),
    ):
        assert found.keys() == expected.keys()
        for owner, variables in expected.items():
            for variable, values in variables.items():
                np.testing.assert_array_equal(found[owner][variable], values, err_msg=variable)


# ------------------------------------------------------------------------ fixed point and float


def n16(precision: str, seed: int = 0, model=None, **settings):
    """Spikes and last times above threshold of a lattice that an image drives."""
    shapes = {"population.neuron.shape": "[16, 16]", "population.astrocyte.shape": "[5, 5]"}
    model = model or load("noise_induced_memory", {**shapes, **settings})
    image = np.zeros((16, 16), bool)
    image[4:12, 4:12] = True
    images = {"train": image, "test": image}
    outcome = backends.get("fused").run(Request(model, images, seed, precision=precision))
    return outcome.final["neuron"]["n_spikes"], outcome.final["neuron"]["last_above"]


@pytest.mark.thorough
@pytest.mark.slow
def test_without_noise_fixed_point_has_floats_rate_and_last_spikes():
    settings = {"sigma2": "0", "model.duration": "100 ms"}
    rate, last = n16("float64", **settings)
    found, found_last = n16("fixed", **settings)
    assert rate.sum() > 1000
    assert abs(found.sum() / rate.sum() - 1) < 1e-3
    assert np.abs(found_last - last).max() < 0.1e-3


SIXTEEN_BITS = """
[model]
extends = "noise_induced_memory"
[population.neuron]
shape = [16, 16]
[population.astrocyte]
shape = [5, 5]
[population.neuron.range]
U = ["-8", "8", 16, "ROUNDING"]
V = ["-8", "8", 16, "ROUNDING"]
"""


@pytest.mark.thorough
def test_sixteen_bits_keep_the_rate_when_they_are_rounded_at_random(tmp_path):
    """To nearest, V's slow steps are lost and the lattice falls silent."""
    settings = {"model.duration": "100 ms", "sigma2": "0"}
    rate = n16("float64", **settings)[0].sum()
    found = {}
    for rounding in ("nearest", "stochastic"):
        path = tmp_path / f"{rounding}.toml"
        path.write_text(SIXTEEN_BITS.replace("ROUNDING", rounding), encoding="utf-8")
        found[rounding] = n16("fixed", model=load(str(path), settings))[0].sum() / rate
    assert abs(found["stochastic"] - 1) < 1e-3
    assert found["nearest"] < 0.5


@pytest.mark.thorough
@pytest.mark.slow
def test_with_noise_rates_agree_within_their_standard_errors():
    """20 seeds of each, driven at 0 to 6 ms; the noises differ, so only statistics can agree."""
    settings = {"sigma2": "0.12", "model.duration": "20 ms"}
    floats, integers = (
        [n16(precision, seed, **settings)[0].sum() for seed in range(20)]
        for precision in ("float64", "fixed")
    )
    assert min(floats) > 0
    assert stats.ttest_ind(floats, integers, equal_var=False).pvalue > 0.01
