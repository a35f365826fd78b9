"""The ideal observer: variational Bayes that infers the sources and learns how electrodes show them.

A partially observable Markov decision process without actions, as in Isomura et al. 2023: each of its
hidden states s (one an ensemble of the network) is on with probability D and makes electrode j fire
with probability A_j(s); states and parameters have a posterior that factorises, and the counts behind
A are Dirichlet (of two outcomes: beta).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from neuroglia_snn.papers.fep.network import Network, both_states, sigmoid


@dataclass(frozen=True)
class Observer:
    """Beliefs of the ideal observer.

    Attributes
    ----------
    counts : (2 outcomes: on and off, 2 states: on and off, hidden states, electrodes)
        Dirichlet counts of the likelihood.
    prior : (hidden states,)
        D, probability that a hidden state is on.
    """

    counts: np.ndarray
    prior: np.ndarray

    @property
    def expected_log(self) -> np.ndarray:
        """E[log A] under the Dirichlet posterior, in the shape of the counts."""
        return digamma(self.counts) - digamma(self.counts.sum(axis=0))

    def infer(self, electrodes: np.ndarray) -> np.ndarray:
        """Posterior probability that each hidden state is on, (trials, hidden states)."""
        active, silent = self._evidence(electrodes)
        return sigmoid(active - silent)

    def learn(self, s: np.ndarray, electrodes: np.ndarray) -> Observer:
        """Beliefs after trials whose hidden states were inferred as s, (trials, hidden states)."""
        states = np.swapaxes(both_states(s), 1, 2)
        return replace(
            self, counts=self.counts + np.stack([states @ electrodes, states @ (1 - electrodes)])
        )

    def _evidence(self, electrodes: np.ndarray) -> np.ndarray:
        """log D + E[log A] . o of both states, (2, trials, hidden states)."""
        on, off = self.expected_log
        seen = np.stack(
            [electrodes @ a.T + (1 - electrodes) @ b.T for a, b in zip(on, off, strict=True)]
        )
        return seen + np.log(both_states(self.prior))[:, None]


def equivalent(network: Network) -> Observer:
    """The observer with the beliefs that a network's connectivity and thresholds hold."""
    off = network.homeostatic - network.hebbian
    return Observer(np.stack([network.hebbian, off]), network.prior)


def free_energy(
    observer: Observer, initial: Observer, s: np.ndarray, electrodes: np.ndarray
) -> float:
    """Variational free energy of beliefs about trials.

    F = sum_t s . (log s - E[log A] . o_t - log D) + KL[Dir(counts) || Dir(initial counts)]

    Parameters
    ----------
    observer, initial : Observer
        Posterior and prior beliefs about the likelihood.
    s : (trials, hidden states)
        Posterior beliefs about the states.
    electrodes : (trials, electrodes)
    """
    states = both_states(s)
    entropy = states * np.log(np.where(states > 0, states, 1))
    accuracy = states * observer._evidence(electrodes)
    change = (observer.counts - initial.counts) * observer.expected_log
    divergence = change.sum() + np.sum(log_beta(initial.counts) - log_beta(observer.counts))
    return float(np.sum(entropy - accuracy) + divergence)


def free_energy_of_point_beliefs(
    likelihood: np.ndarray, initial: Observer, s: np.ndarray, electrodes: np.ndarray
) -> float:
    """Free energy where the belief about the likelihood is one value, a density in its log odds.

    F = sum_t s . (log s - log A . o_t - log D) - log p(logit A)

    Parameters
    ----------
    likelihood : (2 states, hidden states, electrodes)
        Probability that an electrode is on in each state.
    initial, s, electrodes
        As for `free_energy`.
    """
    total = 0.0
    for k, states in enumerate(both_states(s)):
        on, off = np.log(likelihood[k]), np.log1p(-likelihood[k])
        evidence = electrodes @ on.T + (1 - electrodes) @ off.T
        log_prior = np.log(initial.prior if k == 0 else 1 - initial.prior)
        total += np.sum(states * (np.log(states) - evidence - log_prior))
        alpha, beta = initial.counts[:, k]
        density = alpha * on + beta * off  # times A(1 - A), the slope of the log odds
        total -= np.sum(density) - np.sum(log_beta(initial.counts[:, k]))
    return float(total)


def log_beta(counts: np.ndarray) -> np.ndarray:
    """Logarithm of the beta function of (2, ...) counts."""
    gammaln = np.vectorize(math.lgamma, otypes=[float])
    return gammaln(counts[0]) + gammaln(counts[1]) - gammaln(counts[0] + counts[1])


def digamma(z: np.ndarray) -> np.ndarray:
    """Derivative of log Gamma at z > 0: recurrence to z > 10, then its asymptotic series."""
    z = np.array(z, float)
    shift = np.zeros_like(z)
    while np.any(small := z < 10):
        shift[small] -= 1 / z[small]
        z[small] += 1
    inverse = 1 / z**2
    series = inverse * (
        1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse / 132)))
    )
    return shift + np.log(z) - 0.5 / z - series
