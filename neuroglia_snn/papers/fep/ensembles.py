"""The ensembles of a culture: which electrodes prefer a source, and how active they are together.

After the analysis of Isomura et al. 2023: electrodes with a difference in their mean counts of more than
half a spike between the trials that show one source alone; the normalised mean count of an ensemble is
what the canonical network calls x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroglia_snn.papers.fep import RecordingError
from neuroglia_snn.papers.fep.stimulus import SOURCES

#: Sessions whose responses are the culture's innate ones, and all that a prediction may see.
EARLY = 10
#: Mean count that an electrode must have; least mean count of any session; difference of preference.
ACTIVE, ALIVE, PREFERENCE = 1.0, 0.1, 0.5


@dataclass(frozen=True)
class Culture:
    """Responses of one culture.

    Attributes
    ----------
    name, condition : str
        For messages and for the sets that are averaged: ``"culture 1"``, ``"mix0"``.
    sources : (sessions, trials, 2) of 0 and 1
    electrodes : (sessions, trials, 32) of 0 and 1
    counts : (sessions, trials, recorded electrodes)
        Spikes evoked in a trial.
    """

    name: str
    condition: str
    sources: np.ndarray
    electrodes: np.ndarray
    counts: np.ndarray

    def __str__(self) -> str:
        return f"{self.name} of condition {self.condition}"


@dataclass(frozen=True)
class Ensembles:
    """The electrodes of a culture that prefer each source.

    Attributes
    ----------
    members : (2, recorded electrodes) of bool
    counts : (sessions, trials, 2)
        Mean count of each ensemble.
    """

    members: np.ndarray
    counts: np.ndarray


def find(culture: Culture) -> Ensembles:
    """The two ensembles.

    Raises
    ------
    RecordingError
        If the responses are constant, or no electrode prefers one of the sources.
    """
    counts = culture.counts.astype(float)
    if np.ptp(counts) == 0:
        raise RecordingError(
            f"{culture}: its responses are all {counts.flat[0]:g}, so nothing can be learnt from them"
        )
    of_sessions = counts.mean(axis=1)
    used = (of_sessions.mean(axis=0) > ACTIVE) & (of_sessions.min(axis=0) >= ALIVE)
    alone = preference(culture)
    members = np.stack([used & (alone > PREFERENCE), used & (alone < -PREFERENCE)])
    for n, chosen in enumerate(members):
        if not chosen.any():
            raise RecordingError(
                f"{culture}: no electrode is selective for source {n + 1} (of {used.sum()} that fire more"
                f" than {ACTIVE:g} spike a trial, none differs by more than {PREFERENCE:g} between the"
                " sources)"
            )
    return Ensembles(members, np.stack([counts[..., m].mean(axis=-1) for m in members], axis=-1))


def preference(culture: Culture, sessions: slice = slice(None)) -> np.ndarray:
    """Mean count of trials with source 1 alone, less that with source 2 alone, (recorded electrodes,).

    Raises
    ------
    RecordingError
        If no trial shows one of them alone.
    """
    sources, counts = culture.sources[sessions], culture.counts[sessions]
    means = []
    for n in range(SOURCES):
        alone = (sources[..., n] == 1) & (sources[..., 1 - n] == 0)
        if not alone.any():
            raise RecordingError(f"{culture}: no trial shows source {n + 1} alone")
        means.append(counts[alone].mean(axis=0))
    return means[0] - means[1]


def baseline(found: list[Ensembles]) -> float:
    """Mean count of the early sessions over a set of cultures, which normalisation refers to."""
    return float(np.mean([ensembles.counts[:EARLY].mean() for ensembles in found]))


def normalise(culture: Culture, ensembles: Ensembles, baseline: float) -> np.ndarray:
    """Activity x of the ensembles, between 0 and 1, (sessions, trials, 2).

    What session 1 shows for the same sources, and the drift of the session's mean, are taken off:
    x tells what was learnt. Its level is the ensemble's innate count beside the set's `baseline`.

    Raises
    ------
    RecordingError
        If an ensemble does not vary, or session 1 lacks a combination of the sources.
    """
    counts, sources = ensembles.counts, culture.sources.astype(int)
    shown = sources @ [2, 1]
    innate = np.zeros((4, counts.shape[-1]))
    for combination in range(4):
        first = shown[0] == combination
        if first.any():
            innate[combination] = counts[0][first].mean(axis=0)
        elif (shown == combination).any():
            raise RecordingError(
                f"{culture}: session 1 has no trial with sources {combination // 2}, {combination % 2}"
            )
    level = counts[0].mean(axis=0)
    drift = counts.mean(axis=1, keepdims=True) - level
    learnt = counts - innate[shown] - drift
    spread = learnt.std(axis=(0, 1), ddof=1)
    if np.any(spread == 0):
        raise RecordingError(
            f"{culture}: ensemble {int(np.argmin(spread)) + 1} responds alike in every trial"
        )
    z = (learnt - learnt.mean(axis=(0, 1))) / spread
    return np.clip(0.5 + z / 2 + (level - baseline) / (4 * baseline), 0, 1)
