"""The catalogue's spiking models on our loop and on Brian2's runtime: the same in distribution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.checks import load_checked

#: Model, duration in s, settings: two sessions of a culture that learns fast.
CASES = {
    "tripartite_coba": (0.1, {}),
    "fep_culture": (2 * 7.68, {"eta": "0.0015", "mixing": "0.1"}),
}
SEEDS = {"tripartite_coba": 4, "fep_culture": 12}


def measures(outcome: Outcome, duration: float) -> dict[str, float]:
    """Rates of all recorded events, mean and spread over units of all final values."""
    found = {f"{name} (Hz)": len(times) / duration for name, (times, _) in outcome.events.items()}
    for owner, variables in outcome.final.items():
        for variable, values in variables.items():
            found[f"mean {owner}.{variable}"] = float(np.mean(values))
            found[f"spread {owner}.{variable}"] = float(np.std(values))
    return found


def several(name: str, backend: str, seeds: range) -> dict[str, list[float]]:
    """Each measure, over seeds."""
    duration, settings = CASES[name]
    model, _ = load_checked(name, settings)
    model = replace(model, duration=duration)
    found: dict[str, list[float]] = {}
    for seed in seeds:
        outcome = backends.get(backend).run(Request(model, seed=seed))
        for measure, value in measures(outcome, duration).items():
            found.setdefault(measure, []).append(value)
    return found


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
def test_agrees_with_brian2s_runtime_over_seeds(name):
    """Welch's test of each measure, at 1 % over all of them together."""
    count = SEEDS[name]
    ours = several(name, "fused", range(count))
    theirs = several(name, "numpy", range(1000, 1000 + count))
    assert set(ours) == set(theirs)
    varied = [m for m in ours if not np.allclose(ours[m] + theirs[m], ours[m][0], 1e-9, 0)]
    p = {m: stats.ttest_ind(ours[m], theirs[m], equal_var=False).pvalue for m in varied}
    assert len(varied) > 4
    assert {m: v for m, v in p.items() if not v > 0.01 / len(p)} == {}
