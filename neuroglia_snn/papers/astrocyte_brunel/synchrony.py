"""Rates and synchrony of spikes, as Jiang et al. (2025, doi:10.1371/journal.pcbi.1013503) measure them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

#: Width of a bin of spike counts, in s, and neurons that are sampled.
BIN, SAMPLE = 0.01, 100
#: Successive neurons that share an astrocyte, where pools are groups.
GROUP = 10


def counts(times: np.ndarray, units: np.ndarray, size: int, seconds: float) -> np.ndarray:
    """Spikes of each of ``size`` neurons in each bin; (neuron, bin). ``times`` are from 0 to ``seconds``."""
    bins = round(seconds / BIN)
    at = np.minimum((np.asarray(times) / BIN + 1e-6).astype(np.int64), bins - 1)
    flat = np.bincount(np.asarray(units, np.int64) * bins + at, minlength=size * bins)
    return flat.reshape(size, bins)


def measures(
    times: np.ndarray, units: np.ndarray, size: int, seconds: float, seed: int = 0
) -> Mapping[str, float]:
    """Rates (Hz) of the first 80 % and of the other neurons, and their synchrony.

    Parameters
    ----------
    times, units : array
        Of all spikes, in s from 0 on.
    size : int
        Number of neurons.
    seconds : float
    seed : int
        Of the sample of neurons.

    Returns
    -------
    mapping
        ``local`` is the mean correlation coefficient of the counts of two neurons, ``global`` the variance
        of the mean count over the mean variance of counts, both of 100 neurons that spike and in bins of 10 ms;
        ``within`` and ``between`` are ``local`` of all neurons that spike, for those of one group of ten and for others.
    """
    excitatory = size * 4 // 5
    found = counts(times, units, size, seconds)
    total = found.sum(axis=1)
    active = np.flatnonzero(total)
    sample = np.random.default_rng(seed).permutation(active)[:SAMPLE]
    some = found[sample]
    pairs = np.corrcoef(some)[np.triu_indices(len(some), 1)]
    within, between = _in_groups(found[active], active)
    return {
        "rate_e": float(total[:excitatory].mean() / seconds),
        "rate_i": float(total[excitatory:].mean() / seconds),
        "local": float(pairs.mean()),
        "global": float(some.mean(axis=0).var() / some.var(axis=1).mean()),
        "within": within,
        "between": between,
    }


def _in_groups(found: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """Mean correlation of two neurons of one group, and of two others."""
    scores = found - found.mean(axis=1, keepdims=True)
    scores = scores / np.sqrt((scores**2).sum(axis=1, keepdims=True))
    every = (scores.sum(axis=0) ** 2).sum() - len(scores)  # of ordered pairs
    group = units // GROUP
    sums = np.zeros((group.max() + 1, scores.shape[1]))
    np.add.at(sums, group, scores)
    sizes = np.bincount(group)
    own = (sums**2).sum() - len(scores)
    pairs = (sizes * (sizes - 1)).sum()
    others = len(scores) * (len(scores) - 1) - pairs
    return float(own / pairs), float((every - own) / others)
