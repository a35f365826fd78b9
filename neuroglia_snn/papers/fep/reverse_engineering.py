"""All that is asked of the cultures of one condition: ensembles, activity, prediction, errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroglia_snn.papers.fep import RecordingError, ensembles, prediction
from neuroglia_snn.papers.fep.ensembles import Culture, Ensembles
from neuroglia_snn.papers.fep.learning import selectivity
from neuroglia_snn.papers.fep.prediction import Prediction


@dataclass(frozen=True)
class Analysis:
    """One culture, reverse-engineered.

    Attributes
    ----------
    culture, ensembles
    x : (sessions, trials, 2)
        Normalised activity.
    connectivity : (sessions, 2, 2, 32)
        Effective connectivity What after each session.
    predictions, err_x, err_w, correlation : by model (`prediction.MODELS`)
        Errors and the correlation of predicted with observed activity, (sessions,).
    selectivity : (sessions, 2)
    """

    culture: Culture
    ensembles: Ensembles
    x: np.ndarray
    connectivity: np.ndarray
    predictions: Mapping[str, Prediction]
    err_x: Mapping[str, np.ndarray]
    err_w: Mapping[str, np.ndarray]
    correlation: Mapping[str, np.ndarray]
    selectivity: np.ndarray


def analyse(cultures: list[Culture]) -> list[Analysis]:
    """Reverse-engineer the cultures of one condition, which share a baseline.

    Raises
    ------
    RecordingError
        If a culture cannot be analysed; names it and its condition.
    """
    for culture in cultures:
        if len(culture.counts) != len(cultures[0].counts):
            raise RecordingError(
                f"{culture} has {len(culture.counts)} sessions, the first of its condition"
                f" {len(cultures[0].counts)}"
            )
    found = [ensembles.find(culture) for culture in cultures]
    baseline = ensembles.baseline(found)
    return [_analyse(c, e, baseline) for c, e in zip(cultures, found, strict=True)]


def _analyse(culture: Culture, found: Ensembles, baseline: float) -> Analysis:
    x = ensembles.normalise(culture, found, baseline)
    try:
        connectivity = prediction.effective_connectivity(x, culture.electrodes)
        predictions = {
            model: prediction.predict(x, culture.electrodes, model) for model in prediction.MODELS
        }
    except RecordingError as error:
        raise RecordingError(f"{culture}: {error}") from None
    return Analysis(
        culture,
        found,
        x,
        connectivity,
        predictions,
        {m: prediction.activity_error(x, p.x) for m, p in predictions.items()},
        {
            m: prediction.connectivity_error(connectivity, p.connectivity)
            for m, p in predictions.items()
        },
        {m: prediction.correlation(x, p.x) for m, p in predictions.items()},
        selectivity(x, culture.sources),
    )
