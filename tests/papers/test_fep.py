"""Isomura et al. 2023: the recorded cultures' published errors; the models of the catalogue.

Figures of session 100 by the study's own analysis: 0 % mixed err_x 0.122, err_W 0.023, selectivity over
sessions 91-100 0.51; 50 % mixed 0.202, 0.042, 0.15.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Request
from neuroglia_snn.checks import load_checked
from neuroglia_snn.experiments.self_organisation import ensembles, learning, network
from neuroglia_snn.experiments.self_organisation.culture import from_events
from neuroglia_snn.experiments.self_organisation.reverse_engineering import analyse
from neuroglia_snn.studies.fep import recordings
from neuroglia_snn.studies.fep.models import canonical

#: condition: (err_x, its tolerance, err_W, its tolerance, selectivity)
PUBLISHED = {"mix0": (0.122, 0.002, 0.023, 0.001, 0.51), "mix50": (0.202, 0.002, 0.042, 0.001, 0.15)}


@pytest.mark.data
@pytest.mark.parametrize("condition", PUBLISHED)
def test_recorded_cultures_give_the_published_errors(data_set, condition):
    cultures = [c for c in recordings.load(data_set("fep")) if c.condition == condition]
    found = analyse(cultures)
    assert len(found) == 4
    err_x, x_within, err_w, w_within, selective = PUBLISHED[condition]
    assert np.mean([a.err_x["canonical"][-1] for a in found]) == pytest.approx(err_x, abs=x_within)
    assert np.mean([a.err_w["canonical"][-1] for a in found]) == pytest.approx(err_w, abs=w_within)
    late = np.mean([a.selectivity[-10:].mean() for a in found])
    assert late == pytest.approx(selective, abs=0.005)


def test_the_equations_of_the_canonical_network_are_the_network():
    """Brian2 runs the file's equations, which learn after every trial: one trial a session here."""
    trials, prior = 200, 0.6
    settings = {
        "model.duration": f"{trials} second",
        "excitability": repr(float(network.logit(np.array(prior)))),
        "insensitivity": "40",
    }
    model, _ = load_checked("fep_canonical", settings)
    outcome = backends.get("numpy").run(Request(model, seed=3))
    times, units = outcome.events["stimuli"]
    shown = np.zeros((trials, 1, 32))
    shown[np.round(times).astype(int), 0, units] = 1
    assert 0.4 < shown.mean() < 0.6
    network_, expected = canonical(prior, insensitivity=40), []
    for o in shown:
        expected.append(network_.respond(o)[0])
        network_ = network_.learn(expected[-1][None], o)
    recorded = outcome.records["activity"].values["x"]  # at a trial's start: of the one before
    assert np.allclose(recorded[1:], expected[:-1], rtol=0, atol=1e-10)
    assert np.ptp(expected) > 0.9


# ------------------------------------------------------------------------ spiking cultures

SESSIONS = 12
#: Ten times faster than the catalogue's model, so that few sessions show learning.
FAST = {"eta": "0.003"}


def culture(seed: int, **settings: str):
    model, _ = load_checked("fep_culture", FAST | settings)
    e = model.experiment
    model = replace(model, duration=SESSIONS * e["trials"] * e["trial"])
    outcome = backends.get("cpp").run(Request(model, seed=seed))
    return from_events(model, outcome.events, f"seed {seed}", "simulated"), outcome


def apart(simulated, sessions: slice) -> float:
    """Mean over electrodes of what tells the sources apart, in spikes a trial."""
    return float(np.abs(ensembles.preference(simulated, sessions)).mean())


@pytest.mark.slow
def test_a_spiking_culture_learns_to_tell_sources_apart():
    """Without plasticity the same cultures do not change; moved excitability disrupts it."""
    first, last = slice(0, 2), slice(-3, None)
    learnt, outcome = culture(1)
    assert learnt.counts.shape == (SESSIONS, 256, 64)
    assert apart(learnt, last) > 3 * apart(learnt, first)
    members = ensembles.find(replace(learnt, **{k: getattr(learnt, k)[last] for k in recordings.FIELDS}))
    assert members.members.sum(axis=1).min() >= 5
    assert np.all(outcome.records["glia"].values["Ca"] > 0)

    fixed, _ = culture(1, eta="0")
    change = apart(fixed, slice(6, 12)) - apart(fixed, slice(0, 6))
    assert abs(change) < 0.1

    for excitability in ("-2", "2"):
        moved, _ = culture(1, excitability=excitability)
        assert apart(moved, last) < 0.7 * apart(learnt, last)

    closed, _ = culture(1, K_Ca="100")  # astrocytes that never open plasticity
    assert abs(apart(closed, slice(6, 12)) - apart(closed, slice(0, 6))) < 0.1


@pytest.mark.slow
def test_the_stimulus_of_a_spiking_culture_is_the_generative_process():
    """Agreement of an electrode with its own source is 1 - mixing/2, by trial and source."""
    for mixing in ("0", "0.5"):
        simulated, _ = culture(2, mixing=mixing)
        own = simulated.sources[..., np.repeat([0, 1], 16)]
        agree = np.mean(own == simulated.electrodes)
        assert abs(agree - (1 - float(mixing) / 2)) < 5 * 0.5 / np.sqrt(SESSIONS * 256)
        assert np.isin(simulated.sources, (0, 1)).all() and np.isin(simulated.electrodes, (0, 1)).all()
        told = learning.discrimination(simulated.sources.astype(float), simulated.sources)
        assert np.allclose(told, 1)
