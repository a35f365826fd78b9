"""The canonical network descends its cost, and its cost is the variational free energy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln
from scipy.special import digamma as scipy_digamma

from neuroglia_snn.errors import UserError
from neuroglia_snn.papers.fep import learning, network, observer, stimulus


@st.composite
def situations(draw):
    """A network before learning, weights and activity that it might come to, and trials."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ensembles, electrodes, trials = draw(st.tuples(*[st.integers(1, 5)] * 2, st.integers(2, 30)))
    shape = (ensembles, electrodes)
    start = network.start(
        random.uniform(0.05, 0.95, ensembles),
        electrodes,
        draw(st.floats(5, 5000)),
        random.uniform(-0.4, 0.4, shape),
    )
    weights = random.normal(0, 2, (2, *shape))
    x = random.uniform(0.01, 0.99, (trials, ensembles))
    o = random.integers(0, 2, (trials, electrodes)).astype(float)
    return start, weights, x, o


def slope(function, array: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences of a function of an array, by element."""
    result = np.empty_like(array)
    for index in np.ndindex(array.shape):
        moved = [array.copy(), array.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        result[index] = (function(moved[0]) - function(moved[1])) / (2 * step)
    return result


@settings(max_examples=40, deadline=None)
@given(situations())
def test_the_gradients_are_those_of_the_cost(situation):
    start, weights, x, o = situation
    by_weight = slope(lambda w: network.cost(w, start, x, o), weights)
    by_activity = slope(lambda a: network.cost(weights, start, a, o), x)
    size = start.homeostatic.max() + len(o)
    assert np.allclose(network.weight_gradient(weights, start, x, o), by_weight, atol=1e-6 * size)
    found = network.activity_gradient(weights, start, x, o)
    assert np.allclose(found, by_activity, rtol=1e-4, atol=1e-5 * size)


@settings(max_examples=60, deadline=None)
@given(situations())
def test_activity_and_plasticity_are_where_the_gradient_vanishes(situation):
    """x = sig(...) for the weights of the moment; W = logit(Hebb/Home) for all trials so far."""
    start, _, x, o = situation
    learnt = start.learn(x, o)
    at_rest = network.weight_gradient(learnt.weights, start, x, o)
    assert np.allclose(at_rest, 0, atol=1e-9 * learnt.homeostatic)
    answered = learnt.respond(o)
    found = network.activity_gradient(learnt.weights, start, answered, o)
    assert np.allclose(found, 0, atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(situations())
def test_plasticity_steps_down_the_cost(situation):
    """Hebb/Home - sig(W), the way the weights move, is the gradient with its sign turned, over Home."""
    start, weights, x, o = situation
    learnt = start.learn(x, o)
    step = learnt.connectivity - network.sigmoid(weights)
    down = -network.weight_gradient(weights, start, x, o) / learnt.homeostatic
    assert np.allclose(step, down, atol=1e-12)
    before = network.cost(weights, start, x, o)
    assert network.cost(learnt.weights, start, x, o) <= before + 1e-9 * abs(before)


@settings(max_examples=60, deadline=None)
@given(situations())
def test_the_cost_is_the_free_energy_of_beliefs_in_one_likelihood(situation):
    """Exactly, but for the log of the prior's normalisation, which nothing learnt changes."""
    start, weights, x, o = situation
    initial = observer.equivalent(start)
    constant = observer.log_beta(initial.counts).sum()
    free = observer.free_energy_of_point_beliefs(network.sigmoid(weights), initial, x, o)
    assert free - constant == pytest.approx(network.cost(weights, start, x, o), rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(situations())
def test_uncertainty_about_the_likelihood_adds_its_entropy_alone(situation):
    """F of full variational Bayes is L less the width of each Dirichlet belief, to Stirling's order."""
    start, _, x, o = situation
    learnt, initial = start.learn(x, o), observer.equivalent(start)
    counts = observer.equivalent(learnt).counts
    free = observer.free_energy(observer.equivalent(learnt), initial, x, o)
    total = counts.sum(axis=0)
    width = 0.5 * np.log(2 * np.pi * total / (counts[0] * counts[1]))
    expected = network.cost(learnt.weights, start, x, o) - width.sum()
    expected += observer.log_beta(initial.counts).sum()
    assert abs(free - expected) < np.sum(1 / (12 * counts)) + 1e-9 * abs(free)


@settings(max_examples=30, deadline=None)
@given(situations())
def test_beliefs_after_learning_have_the_least_free_energy(situation):
    """The observer's own answers are a minimum of F, in the states and in the counts."""
    start, _, _, o = situation
    initial = observer.equivalent(start)
    s = initial.infer(o)
    inferred = observer.free_energy(initial, initial, s, o)
    for step in (-0.01, 0.01):
        assert observer.free_energy(initial, initial, np.clip(s + step, 0, 1), o) > inferred
    learnt = initial.learn(s, o)
    least = observer.free_energy(learnt, initial, s, o)
    for factor in (0.8, 1.25):
        other = observer.Observer(learnt.counts * factor, learnt.prior)
        assert observer.free_energy(other, initial, s, o) > least


def test_log_beta_and_digamma_are_those_of_scipy():
    z = np.concatenate([np.linspace(0.01, 30, 400), [1e3, 1e6]])
    assert np.allclose(observer.digamma(z), scipy_digamma(z), rtol=1e-13, atol=1e-13)
    counts = np.stack([z, z[::-1]])
    assert np.allclose(observer.log_beta(counts), betaln(*counts), rtol=1e-12)


# ------------------------------------------------------------------- learning over sessions


def learn(mixing: float, prior: float = 0.5, seed: int = 0):
    shown = stimulus.draw(mixing, seed)
    own = learning.own_half(stimulus.ELECTRODES)
    start = network.start(np.full(2, prior), stimulus.ELECTRODES, preference=0.01 * own)
    return shown, start, learning.follow(start, shown)


@pytest.mark.parametrize("mixing", [0.0, 0.25, 0.5])
def test_the_cost_falls_and_follows_the_free_energy(mixing):
    _, _, history = learn(mixing)
    early, late = history.cost[:10].mean(), history.cost[-10:].mean()
    assert late < early - 5
    assert np.abs(history.cost - history.free_energy).max() < 0.02  # nat a trial, of 30 to 40
    assert np.abs(history.x - history.s).max() < 0.005


def test_the_whole_cost_falls_with_every_update():
    """L of one fixed set of trials, as x and W are updated in turn."""
    shown, start, _ = learn(0.25)
    o = shown.electrodes[:8].reshape(-1, stimulus.ELECTRODES).astype(float)
    moment, costs = start, []
    for _ in range(15):
        x = moment.respond(o)
        costs.append(network.cost(moment.weights, start, x, o))
        moment = start.learn(x, o)
        costs.append(network.cost(moment.weights, start, x, o))
    assert np.all(np.diff(costs) <= 1e-6)
    assert costs[-1] < costs[0] - 1


def test_sources_are_told_apart_unless_they_are_fully_mixed():
    found = {m: np.mean([late(m, seed=s) for s in range(4)]) for m in (0.0, 0.25, 0.5)}
    assert found[0.0] > 0.99
    assert found[0.25] > 0.5
    assert abs(found[0.5]) < 0.1


@pytest.mark.parametrize("prior", [0.2, 0.8])
def test_moved_excitability_disrupts_learning(prior):
    normal, moved = ([late(0.25, p, s) for s in range(4)] for p in (0.5, prior))
    assert max(moved) < min(normal) - 0.1


def late(mixing: float, prior: float = 0.5, seed: int = 0) -> float:
    shown, _, history = learn(mixing, prior, seed)
    return float(learning.discrimination(history.x, shown.sources)[-10:].mean())


# ---------------------------------------------------------------------------- the stimulus


def test_electrodes_follow_their_sources_as_often_as_they_should():
    """Agreement with the own source is 1 - mixing/2; bounds of 5 standard errors."""
    for mixing in (0.0, 0.25, 0.5):
        shown = stimulus.draw(mixing, 3, sessions=20)
        own = shown.sources[..., stimulus.home(32)]
        agree = np.mean(own == shown.electrodes)
        n = 20 * 256  # trials; electrodes share the sources of a trial
        assert abs(agree - (1 - mixing / 2)) < 5 * 0.5 / np.sqrt(n)
    assert np.array_equal(shown.sources, stimulus.draw(0.5, 3, sessions=20).sources)


@pytest.mark.parametrize("wrong", [{"mixing": 1.5}, {"mixing": 0.2, "sessions": 0}])
def test_an_impossible_stimulus_is_refused(wrong):
    with pytest.raises(UserError):
        stimulus.draw(seed=0, **wrong)


def test_a_session_without_a_kind_of_trial_has_no_mean():
    x, chosen = np.ones((2, 3, 1)), np.zeros((2, 3, 1), bool)
    chosen[0] = True
    assert np.array_equal(learning.mean_over_trials(x, chosen)[:, 0], [1, np.nan], equal_nan=True)
