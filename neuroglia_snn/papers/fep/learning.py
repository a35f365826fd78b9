"""Learning over sessions: what the network and the observer do with the same stimuli."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neuroglia_snn.papers.fep import observer as ideal
from neuroglia_snn.papers.fep.network import Network, cost
from neuroglia_snn.papers.fep.stimulus import SOURCES, Stimulus, home


@dataclass(frozen=True)
class History:
    """Sessions of the network and of the ideal observer that shares its initial beliefs.

    Attributes
    ----------
    x, s : (sessions, trials, ensembles)
        Activity of the network; the observer's posterior beliefs.
    connectivity : (sessions, 2, ensembles, electrodes)
        What after each session.
    cost, free_energy : (sessions,)
        L and F of a session's trials at the connectivity (beliefs) that the session began with, per
        trial: what falls as learning goes on.
    """

    x: np.ndarray
    s: np.ndarray
    connectivity: np.ndarray
    cost: np.ndarray
    free_energy: np.ndarray


def follow(
    network: Network, stimulus: Stimulus, watch: Callable[[float, float], None] | None = None
) -> History:
    """Present every session to a network and to its ideal observer; both learn after each."""
    observer = ideal.equivalent(network)
    xs, beliefs, connectivity, costs, energies = [], [], [], [], []
    sessions = len(stimulus.electrodes)
    for n, o in enumerate(stimulus.electrodes.astype(float)):
        x, s = network.respond(o), observer.infer(o)
        held = cost(network.weights, network, x[:0], o[:0])
        costs.append((cost(network.weights, network, x, o) - held) / len(o))
        energies.append(ideal.free_energy(observer, observer, s, o) / len(o))
        network, observer = network.learn(x, o), observer.learn(s, o)
        xs.append(x)
        beliefs.append(s)
        connectivity.append(network.connectivity)
        if watch:
            watch((n + 1) / sessions, (n + 1.0) * len(o))  # a trial is a second
    return History(*(np.array(a) for a in (xs, beliefs, connectivity, costs, energies)))


def selectivity(x: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Mean activity with the ensemble's own source on, less that with it off, (sessions, ensembles).

    Parameters
    ----------
    x : (sessions, trials, ensembles)
        The n-th ensemble's own source is the n-th.
    sources : (sessions, trials, sources)
    """
    on = sources.astype(bool)
    return mean_over_trials(x, on) - mean_over_trials(x, ~on)


def discrimination(x: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Mean activity with the own source alone, less that with the other alone, (sessions, ensembles).

    An ensemble that follows both sources alike is selective, but does not discriminate: 0.
    Parameters as for `selectivity`.
    """
    on = sources.astype(bool)
    other = on[..., ::-1]
    return mean_over_trials(x, on & ~other) - mean_over_trials(x, ~on & other)


def mean_over_trials(x: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Mean of the chosen trials (axis 1) of each session; NaN where there are none."""
    count = chosen.sum(axis=1)
    total = np.sum(x * chosen, axis=1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def own_half(electrodes: int) -> np.ndarray:
    """Which electrodes mostly copy each ensemble's own source, (ensembles, electrodes) of bool."""
    return home(electrodes) == np.arange(SOURCES)[:, None]
