"""The canonical neural network: activity and plasticity that descend one cost function.

Isomura, Kotani, Jimbo and Friston, Nat. Commun. 14:4547 (2023), equations of the Methods. An ensemble
is active with probability x; the first index of an array is 0 for the synapses W_1 that support
activity, and 1 for the W_0 that support silence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

#: Insensitivity to plasticity, lambda: as many trials weigh as much as the initial connectivity.
INSENSITIVITY = 3000.0


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1/(1 + exp(-z)), for any z."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(z)))


def logit(p: np.ndarray) -> np.ndarray:
    """The inverse of `sigmoid`."""
    return np.log(p) - np.log1p(-p)


def both_states(x: np.ndarray) -> np.ndarray:
    """[x; 1 - x]: (..., ensembles) to (2, ..., ensembles)."""
    return np.stack([x, 1 - x])


@dataclass(frozen=True)
class Network:
    """A canonical network at one moment.

    Attributes
    ----------
    hebbian : (2, ensembles, electrodes)
        Coincidences of each state with each electrode, initial ones included.
    homeostatic : (2, ensembles, 1)
        Occurrences of each state, initial ones included.
    prior : (ensembles,)
        Probability of activity before any stimulus, exp(phi_1): the firing threshold, which
        excitability moves.
    """

    hebbian: np.ndarray
    homeostatic: np.ndarray
    prior: np.ndarray

    @property
    def connectivity(self) -> np.ndarray:
        """What = sig(W), (2, ensembles, electrodes)."""
        return self.hebbian / self.homeostatic

    @property
    def weights(self) -> np.ndarray:
        """W = logit(Hebb/Home), (2, ensembles, electrodes)."""
        return logit(self.connectivity)

    def respond(self, electrodes: np.ndarray) -> np.ndarray:
        """Activity at which the cost is least, x = sig((W_1 - W_0)o + h_1 - h_0).

        Parameters
        ----------
        electrodes : (..., electrodes)

        Returns
        -------
        (..., ensembles)
        """
        active, silent = drive(self.weights, self.prior, electrodes)
        return sigmoid(active - silent)

    def learn(self, x: np.ndarray, electrodes: np.ndarray, gain: float = 1.0) -> Network:
        """The network after trials with activity x, (trials, ensembles); they count ``gain`` times."""
        states = both_states(x)
        return replace(
            self,
            hebbian=self.hebbian + gain * np.swapaxes(states, 1, 2) @ electrodes,
            homeostatic=self.homeostatic + gain * states.sum(axis=1)[..., None],
        )


def start(
    prior: np.ndarray,
    electrodes: int,
    insensitivity: float = INSENSITIVITY,
    preference: np.ndarray | float = 0.0,
) -> Network:
    """A network before learning.

    Parameters
    ----------
    prior : (ensembles,)
    electrodes : int
    insensitivity : float
        lambda; initial homeostatic occurrences of each state.
    preference : (ensembles, electrodes) or float
        Deviation of the initial connectivity from one half: plus it for activity, minus it for silence.
    """
    prior = np.asarray(prior, float)
    shape = (len(prior), electrodes)
    half = np.stack(
        [0.5 + np.broadcast_to(preference, shape), 0.5 - np.broadcast_to(preference, shape)]
    )
    return Network(insensitivity * half, np.full((2, len(prior), 1), insensitivity), prior)


def drive(weights: np.ndarray, prior: np.ndarray, electrodes: np.ndarray) -> np.ndarray:
    """W o + h of both states, (2, ..., ensembles).

    The threshold h_k = sum_j log(1 - sig(W_k))_j + phi_k, with exp(phi) = (prior, 1 - prior).
    """
    thresholds = -np.logaddexp(0, weights).sum(axis=-1) + np.log(both_states(prior))
    inputs = np.stack([electrodes @ w.T for w in weights])
    return inputs + thresholds.reshape(2, *[1] * (inputs.ndim - 2), -1)


def cost(weights: np.ndarray, initial: Network, x: np.ndarray, electrodes: np.ndarray) -> float:
    """Cost of activity and weights over trials.

    L = sum_t [x; 1 - x] . (log [x; 1 - x] - [W_1; W_0] o - [h_1; h_0])
        + sum Home(0) log(1 + exp W) - Hebb(0) W,

    where the second line holds the weights near their initial values.

    Parameters
    ----------
    weights : (2, ensembles, electrodes)
    initial : Network
        Before learning: its prior and initial coincidences.
    x : (trials, ensembles), between 0 and 1
    electrodes : (trials, electrodes)
    """
    states = both_states(x)
    entropy = states * np.log(np.where(states > 0, states, 1))
    of_trials = np.sum(entropy - states * drive(weights, initial.prior, electrodes))
    held = initial.homeostatic * np.logaddexp(0, weights) - initial.hebbian * weights
    return float(of_trials + held.sum())


def activity_gradient(
    weights: np.ndarray, initial: Network, x: np.ndarray, electrodes: np.ndarray
) -> np.ndarray:
    """dL/dx, (trials, ensembles): the neurons' leak minus their input."""
    active, silent = drive(weights, initial.prior, electrodes)
    return logit(x) - (active - silent)


def weight_gradient(
    weights: np.ndarray, initial: Network, x: np.ndarray, electrodes: np.ndarray
) -> np.ndarray:
    """dL/dW = sig(W) Home - Hebb, (2, ensembles, electrodes): homeostasis minus Hebbian plasticity."""
    learnt = initial.learn(x, electrodes)
    return sigmoid(weights) * learnt.homeostatic - learnt.hebbian
