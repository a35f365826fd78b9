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
from neuroglia_snn.errors import ModelError
from neuroglia_snn.papers.fep import ensembles, network, recordings
from neuroglia_snn.papers.fep.culture import from_events
from neuroglia_snn.papers.fep.models import canonical
from neuroglia_snn.papers.fep.reverse_engineering import analyse

#: condition: (err_x, its tolerance, err_W, its tolerance, selectivity)
PUBLISHED = {
    "mix0": (0.122, 0.002, 0.023, 0.001, 0.51),
    "mix50": (0.202, 0.002, 0.042, 0.001, 0.15),
}


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
        "experiment.trials": str(trials),
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


def test_a_culture_whose_spikes_are_not_recorded_is_refused():
    with pytest.raises(ModelError, match="reads spikes from record 'glia': events = true"):
        load_checked("fep_culture", {"experiment.responses": "glia"})


# ------------------------------------------------------------------------ spiking cultures

SESSIONS = 8
#: Faster and less mixed than in the catalogue's model, so that few sessions show learning.
QUICK = {"eta": "0.0015", "mixing": "0.1"}


def culture(seed: int, **settings: str):
    model, _ = load_checked("fep_culture", QUICK | settings)
    e = model.experiment
    model = replace(model, duration=SESSIONS * e["trials"] * e["trial"])
    outcome = backends.get("cpp").run(Request(model, seed=seed))
    return from_events(model, outcome.events, f"seed {seed}", "simulated"), outcome


def apart(simulated, sessions: slice) -> float:
    """Mean over electrodes of what tells the sources apart, in spikes a trial."""
    return float(np.abs(ensembles.preference(simulated, sessions)).mean())


@pytest.mark.thorough
def test_a_spiking_culture_learns_to_tell_sources_apart():
    """Not without plasticity, nor where calcium never opens it; moved excitability hinders it."""
    first, half, last = slice(0, 2), slice(0, 4), slice(-2, None)
    learnt, outcome = culture(1)
    assert learnt.counts.shape == (SESSIONS, 256, 64)
    assert apart(learnt, last) > 2 * apart(learnt, first)
    preferred = ensembles.preference(learnt, last)
    assert (preferred > 1).sum() >= 10 and (preferred < -1).sum() >= 10
    assert np.all(outcome.records["glia"].values["Ca"] > 0)
    for without in ({"eta": "0"}, {"K_Ca": "100"}):
        fixed, _ = culture(1, **without)
        assert abs(apart(fixed, last) - apart(fixed, first)) < 0.2
        assert apart(fixed, last) < 0.3 * apart(learnt, last)
    for excitability in ("-2", "2"):
        moved, _ = culture(1, excitability=excitability)
        assert apart(moved, half) < 0.75 * apart(learnt, half)


@pytest.mark.thorough
def test_the_stimulus_of_a_spiking_culture_is_the_generative_process():
    """An electrode agrees with its own source in 1 - mixing/2 of the trials, and so with the other."""
    simulated, _ = culture(2, mixing="0.5")
    for swap in (0, 1):
        source = simulated.sources[..., np.repeat([swap, 1 - swap], 16)]
        agree = np.mean(source == simulated.electrodes)
        assert abs(agree - 0.75) < 5 * 0.5 / np.sqrt(SESSIONS * 256)
    for values in (simulated.sources, simulated.electrodes):
        assert set(np.unique(values)) == {0, 1}
        assert abs(values.mean() - 0.5) < 5 * 0.5 / np.sqrt(SESSIONS * 256)
