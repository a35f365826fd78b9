"""Ensembles are found, normalised and predicted; cultures of which nothing can be said are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroglia_snn.papers.fep import RecordingError, ensembles, prediction, stimulus
from neuroglia_snn.papers.fep.ensembles import EARLY, Culture
from neuroglia_snn.papers.fep.reverse_engineering import analyse

SESSIONS = 14


def culture(seed: int = 0, mixing: float = 0.0) -> Culture:
    """Electrodes 0-19 prefer source 1 and 20-29 source 2, more with each session; the rest none."""
    shown = stimulus.draw(mixing, seed, SESSIONS)
    random = np.random.default_rng(seed + 1000)
    learnt = np.linspace(0.5, 3, SESSIONS)[:, None, None]
    rate = np.full((SESSIONS, stimulus.TRIALS, 64), 3.0)
    rate[..., :20] += learnt * shown.sources[..., :1]
    rate[..., 20:30] += learnt * shown.sources[..., 1:]
    rate[..., 60:] = 0.01  # dead electrodes
    return Culture(f"culture {seed}", "test", shown.sources, shown.electrodes, random.poisson(rate))


def test_the_ensembles_are_the_electrodes_that_prefer_a_source():
    found = ensembles.find(culture())
    assert np.array_equal(np.flatnonzero(found.members[0]), range(20))
    assert np.array_equal(np.flatnonzero(found.members[1]), range(20, 30))
    assert np.allclose(found.counts[..., 0], culture().counts[..., :20].mean(axis=-1))


def test_activity_starts_without_preference_and_learns_one():
    x = analyse([culture()])[0].x
    assert x.shape == (SESSIONS, stimulus.TRIALS, 2)
    assert x.min() >= 0 and x.max() <= 1
    sources = culture().sources
    for ensemble in range(2):
        on = sources[..., ensemble] == 1
        apart = [x[n, on[n], ensemble].mean() - x[n, ~on[n], ensemble].mean() for n in (0, -1)]
        assert abs(apart[0]) < 1e-2  # session 1 is what is taken off
        assert apart[1] > 0.2


def test_the_baseline_belongs_to_the_set():
    """A culture that fires more than the others of its set counts as more active."""
    quiet, loud = culture(0), culture(1)
    loud = replace(loud, counts=loud.counts + 3)
    together = analyse([quiet, loud])
    assert together[1].x.mean() > together[0].x.mean() + 0.05
    assert analyse([loud])[0].x.mean() < together[1].x.mean()


def test_a_network_that_learns_as_the_theory_says_is_predicted_without_error():
    """Sessions 11 on are the canonical network's own: the prediction must be them, to rounding."""
    shown = stimulus.draw(0.25, 5, 40)
    random = np.random.default_rng(1)
    own = np.repeat(shown.sources, 1, axis=2) * 0.4 + 0.3
    x = np.clip(own + random.normal(0, 0.05, own.shape), 0, 1)
    x[EARLY:] = prediction.predict(x, shown.electrodes).x[EARLY:]
    errors = {}
    for model in prediction.MODELS:
        predicted = prediction.predict(x, shown.electrodes, model)
        errors[model] = prediction.activity_error(x, predicted.x)[EARLY:].mean()
    assert errors["canonical"] < 1e-25
    assert errors["frozen"] > 1e-4
    assert errors["regression"] > 1e-3


def test_a_prediction_sees_only_the_early_sessions():
    recorded = analyse([culture()])[0]
    spoilt = recorded.x.copy()
    spoilt[EARLY:] = np.random.default_rng(0).random(spoilt[EARLY:].shape)
    for model in prediction.MODELS:
        one = prediction.predict(recorded.x, recorded.culture.electrodes, model)
        other = prediction.predict(spoilt, recorded.culture.electrodes, model)
        assert np.array_equal(one.x, other.x)
        assert np.array_equal(one.connectivity, other.connectivity)


def test_the_errors_are_those_of_the_paper():
    x, predicted = np.array([[[0.0, 1.0]]]), np.array([[[0.5, 0.5]]])
    assert prediction.activity_error(x, predicted) == pytest.approx([0.25])
    observed, guessed = np.full((1, 2, 2, 3), 0.5), np.full((1, 2, 2, 3), 0.25)
    assert prediction.connectivity_error(observed, guessed) == pytest.approx([0.25])
    ramp = np.arange(6.0).reshape(1, 6, 1)
    assert prediction.correlation(ramp, 3 * ramp + 1) == pytest.approx([1])
    assert prediction.correlation(ramp, 0 * ramp) == pytest.approx([0])


# -------------------------------------------------------------------------------- bad input


def spoilt(what: str) -> Culture:
    good = culture()
    counts, sources = good.counts.copy(), good.sources.copy()
    if what == "constant":
        counts[:] = 3
    if what == "not selective":
        counts[..., 20:30] = counts[..., 40:50]
    if what == "silent":
        counts[:, :, :20] = 0
    if what == "never alone":
        sources[..., 1] = sources[..., 0]
    if what == "not shown at first":
        sources[0, :, 0] = 1
    return replace(good, counts=counts, sources=sources)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("constant", "responses are all 3"),
        ("not selective", "no electrode is selective for source 2"),
        ("silent", "no electrode is selective for source 1"),
        ("never alone", "no trial shows source 1 alone"),
        ("not shown at first", "session 1 has no trial"),
    ],
)
def test_a_culture_of_which_nothing_can_be_said_is_named(what, said):
    with pytest.raises(RecordingError, match=said) as refused:
        analyse([spoilt(what)])
    assert str(refused.value).startswith("culture 0 of condition test")


def test_cultures_of_a_condition_have_equally_many_sessions():
    short = replace(
        culture(1), **{k: getattr(culture(1), k)[:12] for k in ("sources", "electrodes", "counts")}
    )
    with pytest.raises(RecordingError, match="culture 1 of condition test has 12 sessions"):
        analyse([culture(0), short])


def test_activity_that_never_varies_has_no_prior():
    with pytest.raises(RecordingError, match="ensemble 2 does not vary"):
        prediction.prior_of(np.stack([np.full((12, 4), 0.5), np.ones((12, 4))], axis=-1))
