"""Rates and synchrony of spikes, as Jiang et al. (2025, doi:10.1371/journal.pcbi.1013503) measure them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

#: Width of a bin of spike counts, in s, and neurons that are sampled.
BIN, SAMPLE = 0.01, 100


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
        of the mean count over the mean variance of counts, both of 100 neurons that spike and in bins of 10 ms.
    """
    excitatory = size * 4 // 5
    found = counts(times, units, size, seconds)
    total = found.sum(axis=1)
    active = np.flatnonzero(total)
    sample = np.random.default_rng(seed).permutation(active)[:SAMPLE]
    some = found[sample]
    pairs = np.corrcoef(some)[np.triu_indices(len(some), 1)]
    return {
        "rate_e": float(total[:excitatory].mean() / seconds),
        "rate_i": float(total[excitatory:].mean() / seconds),
        "local": float(pairs.mean()),
        "global": float(some.mean(axis=0).var() / some.var(axis=1).mean()),
    }
