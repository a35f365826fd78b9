"""Every model of the catalogue runs: a few steps, from its own initial values, and draws what it records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.catalogue import SMALL

from neuroglia_snn import backends, checks, results
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.load import load
from neuroglia_snn.results import plots

MODELS = sorted(files.names("models"))
#: Populations of Poisson processes or given spikes, which have no state.
INPUTS = {"input", "source"}


def a_few_steps(name: str, backend: str, folder: Path) -> Outcome:
    """Run a model without its experiment, which measures at later times."""
    whole, _ = checks.load_checked(name, SMALL.get(name, {}))
    steps = [p.dt for p in whole.populations.values()]
    model = replace(whole, duration=max(3 * min(steps), max(steps)), experiment={})
    images = {image: np.indices(shape).sum(0) % 2 > 0 for image, shape in whole.images().items()}
    outcome = backends.choose(backend, model).run(Request(model, images, seed=1))
    plots.records(SimpleNamespace(spec=model, data=results.dataset(model, outcome)))
    return outcome


def require_whole(name: str, outcome: Outcome) -> None:
    model = load(name)
    assert outcome.final.keys() == model.populations.keys()
    for population, state in outcome.final.items():
        assert state or population in INPUTS, population
        for variable, values in state.items():
            assert np.isfinite(values).all(), (population, variable)
    for record in outcome.records.values():
        assert len(record.times) >= 1


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", MODELS)
def test_every_model_runs_a_few_steps(name, tmp_path):
    require_whole(name, a_few_steps(name, "numpy", tmp_path))


@pytest.mark.thorough
@pytest.mark.parametrize("name", MODELS)
def test_every_model_runs_where_a_user_runs_it(name, tmp_path):
    require_whole(name, a_few_steps(name, "auto", tmp_path))
