"""Reverse engineering: from a culture's first sessions to all that it will do and become."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroglia_snn.papers.fep import RecordingError
from neuroglia_snn.papers.fep.ensembles import EARLY
from neuroglia_snn.papers.fep.network import INSENSITIVITY, start

#: Weight of the early sessions, and of the initial connectivity, in the predicting network.
GAIN = 2.0
#: Ways to predict: the canonical network, and two that it must beat.
MODELS = ("canonical", "frozen", "regression")


@dataclass(frozen=True)
class Prediction:
    """Predicted sessions.

    Attributes
    ----------
    x : (sessions, trials, ensembles)
        Predicted activity; in the early sessions what the network would have answered.
    connectivity : (sessions, 2, ensembles, electrodes)
        After each session.
    """

    x: np.ndarray
    connectivity: np.ndarray


def prior_of(x: np.ndarray) -> np.ndarray:
    """State prior exp(phi_1) = <x> over the early sessions, (ensembles,).

    Raises
    ------
    RecordingError
        If an ensemble was always silent or always fully active then.
    """
    prior = x[:EARLY].mean(axis=(0, 1))
    if not np.all((prior > 0) & (prior < 1)):
        raise RecordingError(
            f"ensemble {int(np.argmax((prior <= 0) | (prior >= 1))) + 1} does not vary in sessions 1-{EARLY}"
        )
    return prior


def effective_connectivity(x: np.ndarray, electrodes: np.ndarray) -> np.ndarray:
    """What after each session, from the activity alone, (sessions, 2, ensembles, electrodes)."""
    network, history = start(prior_of(x), electrodes.shape[-1]), []
    for activity, o in zip(x, electrodes.astype(float), strict=True):
        network = network.learn(activity, o)
        history.append(network.connectivity)
    return np.array(history)


def predict(x: np.ndarray, electrodes: np.ndarray, model: str = "canonical") -> Prediction:
    """Predict every session after the early ones from these alone.

    Parameters
    ----------
    x : (sessions, trials, ensembles)
        Only ``x[:EARLY]`` is read.
    electrodes : (sessions, trials, electrodes)
        Stimuli of all sessions.
    model : {"canonical", "frozen", "regression"}
        The canonical network, which goes on to learn from its own activity; the same network that
        learns no more; a linear regression of the early activity on the stimuli, whose own activity
        then shapes the connectivity.

    Raises
    ------
    RecordingError
        See `prior_of`.
    """
    network = start(prior_of(x), electrodes.shape[-1], GAIN * INSENSITIVITY)
    answer = _regression(x[:EARLY], electrodes[:EARLY]) if model == "regression" else None
    predicted, history = [], []
    for session, o in enumerate(electrodes.astype(float)):
        activity = answer(o) if answer else network.respond(o)
        predicted.append(activity)
        if session < EARLY:
            network = network.learn(x[session], o, GAIN)
        elif model != "frozen":
            network = network.learn(activity, o)
        history.append(network.connectivity)
    return Prediction(np.array(predicted), np.array(history))


def _regression(x: np.ndarray, electrodes: np.ndarray):
    """Least-squares map from a stimulus to activity, kept between 0 and 1."""

    def with_constant(o: np.ndarray) -> np.ndarray:
        return np.concatenate([o, np.ones((len(o), 1))], axis=1)

    inputs = with_constant(electrodes.reshape(-1, electrodes.shape[-1]).astype(float))
    slopes, *_ = np.linalg.lstsq(inputs, x.reshape(-1, x.shape[-1]), rcond=None)
    return lambda o: np.clip(with_constant(o) @ slopes, 0, 1)


def activity_error(x: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """err_x = <(x - x_P)^2> of each session, (sessions,)."""
    return np.mean((x - predicted) ** 2, axis=(1, 2))


def connectivity_error(observed: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """err_W = |What - What_P|^2 / |What|^2 of each session, (sessions,)."""
    axes = (1, 2, 3)
    return np.sum((observed - predicted) ** 2, axis=axes) / np.sum(observed**2, axis=axes)


def correlation(x: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Correlation over the trials of each session, mean of the ensembles, (sessions,).

    Unlike err_x it does not reward a prediction for staying near the mean.
    """
    a, b = (v - v.mean(axis=1, keepdims=True) for v in (x, predicted))
    scale = np.sqrt(np.sum(a**2, axis=1) * np.sum(b**2, axis=1))
    covariance = np.sum(a * b, axis=1)
    return np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0).mean(axis=-1)
