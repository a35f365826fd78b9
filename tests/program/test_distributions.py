"""Networks that draw random numbers: on our loop as on Brian2's runtime, in distribution."""

from __future__ import annotations

import numpy as np
import pytest
from program import zoo
from program.test_zoo import states
from scipy import stats

SEEDS = 12


def pooled(make, options: dict | None, seeds: range) -> dict[str, np.ndarray]:
    """Each variable's values in all units and all seeds; of monitors, their events."""
    runs = [states(make, options, seed) for seed in seeds]
    return {name: np.concatenate([np.ravel(run[name]) for run in runs]) for name in runs[0]}


def differing(ours, theirs) -> dict[str, float]:
    """Variables whose values are of different distributions, at 1 % over all variables together."""
    p = {
        name: stats.ks_2samp(values, theirs[name]).pvalue
        for name, values in ours.items()
        if np.ptp(np.concatenate([values, theirs[name]]).astype(float)) > 0
    }
    assert p
    return {name: value for name, value in p.items() if value < 0.01 / len(p)}


@pytest.mark.thorough
@pytest.mark.parametrize("name", zoo.RANDOM)
def test_states_and_counts_have_brian2s_distribution(name):
    make = zoo.RANDOM[name]
    theirs = pooled(make, None, range(1000, 1000 + SEEDS))
    assert differing(pooled(make, {}, range(SEEDS)), theirs) == {}


def test_another_distribution_is_seen():
    rng = np.random.default_rng(0)
    same = {"a": rng.normal(size=2000), "b": rng.poisson(3.0, 2000)}
    other = {"a": rng.normal(size=2000), "b": rng.poisson(3.3, 2000)}
    assert list(differing(same, other)) == ["b"]
