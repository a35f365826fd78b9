"""A simulated culture: from the spikes of a model's records to what the recordings of one hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.errors import UserError
from neuroglia_snn.papers.fep.ensembles import Culture

Events = Mapping[str, tuple[np.ndarray, np.ndarray]]


def sessions_of(model: spec.Model) -> int:
    """Whole sessions in a model's duration; a trial lasts a step where ``trial`` does not say.

    Raises
    ------
    UserError
        If there is none.
    """
    trials = int(model.experiment["trials"])
    if trials < 1:
        raise UserError(f"model '{model.name}': a session has at least 1 trial, not {trials}")
    session = float(model.experiment.get("trial", model.dt)) * trials
    sessions = int(model.duration / session + 1e-6)
    if not sessions:
        raise UserError(
            f"model '{model.name}' lasts {model.duration:g} s, less than one session of {session:g} s"
        )
    return sessions


def from_events(model: spec.Model, events: Events, name: str, condition: str) -> Culture:
    """A culture from the spikes of sources, stimulating electrodes and neurons.

    Parameters
    ----------
    model : spec.Model
        Whose experiment is of kind ``self-organisation``: names the three records, and says how long
        a trial lasts.
    events : mapping
        Times in s and unit of every spike, by record.
    name, condition : str
    """
    e = model.experiment
    sessions, trials = sessions_of(model), int(e["trials"])

    def counted(record: str) -> np.ndarray:
        units = model.populations[model.records[record].population].size
        times, unit = events[record]
        trial = np.floor(times / float(e["trial"]) + 1e-6).astype(int)  # the first step is its own
        within = trial < sessions * trials
        counts = np.bincount(
            trial[within] * units + unit[within], minlength=sessions * trials * units
        )
        return counts.reshape(sessions, trials, units)

    return Culture(
        name,
        condition,
        *(counted(str(e[key])) for key in ("sources", "stimuli", "responses")),
    )
