"""The generative process: two hidden sources that 32 electrodes mix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroglia_snn.errors import UserError

SOURCES, ELECTRODES = 2, 32
SESSIONS, TRIALS = 100, 256


@dataclass(frozen=True)
class Stimulus:
    """What was hidden, and what was shown.

    Attributes
    ----------
    sources : (sessions, trials, 2) of 0 and 1
    electrodes : (sessions, trials, 32) of 0 and 1
    """

    sources: np.ndarray
    electrodes: np.ndarray


def draw(
    mixing: float, seed: int, sessions: int = SESSIONS, trials: int = TRIALS, chance: float = 0.5
) -> Stimulus:
    """Independent trials of the generative process.

    Parameters
    ----------
    mixing : float
        Probability that an electrode copies the other half's source in a trial: the first 16
        electrodes copy source 1 otherwise, the last 16 source 2 (the paper has 0.25; 0 and 0.5 too).
    seed : int
    sessions, trials : int
        Number of sessions, of trials in each.
    chance : float
        Probability that a source is on.

    Raises
    ------
    UserError
        If a probability or a number of trials is impossible.
    """
    for name, value in (("mixing", mixing), ("chance", chance)):
        if not 0 <= value <= 1:
            raise UserError(f"{name} is a probability, not {value:g}")
    if sessions < 1 or trials < 1:
        raise UserError(f"a stimulus needs sessions and trials, not {sessions} and {trials}")
    random = np.random.default_rng(seed)
    sources = (random.random((sessions, trials, SOURCES)) < chance).astype(np.uint8)
    own = home(ELECTRODES)
    stray = random.random((sessions, trials, ELECTRODES)) < mixing
    return Stimulus(sources, np.where(stray, sources[..., 1 - own], sources[..., own]))


def home(electrodes: int) -> np.ndarray:
    """Index of the source that each electrode mostly copies: the first half 0, the second 1."""
    return np.arange(electrodes) * SOURCES // electrodes
