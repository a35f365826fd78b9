"""Settings that make the catalogue's large models small, for tests of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from neuroglia_snn import spec
from neuroglia_snn.catalog.load import load
from neuroglia_snn.quantities import parse_quantity

#: Models that ask nothing of an exchange or a backend that others of the catalogue do not.
ALIKE = {"astrocyte_ring", "cobahh", "cuba", "gliotransmitter_loop", "gliotransmitter_loop_rates"}
ALIKE |= {"noise_induced_spirals", "stimberg_coba"}
ALIKE |= {"astrocyte_situation_memory"}  # or what takes a minute, for its many stimuli
_CELLS = {"n_e": "320", "n_i": "80"}
#: Without their experiments and durations; models that are not here are small enough.
SMALL: dict[str, dict[str, str]] = {
    # where neighbours are equal, the sign of their difference is that of a rounding
    "astrocyte_ring": {"population.astrocyte.initial.I": "i*0.001*umolar"},
    "astrocyte_situation_memory": {
        "population.neuron.shape": "[16, 16]",
        "population.interneuron.shape": "[8, 8]",
        "population.astrocyte.shape": "[5, 5]",
    },
    "astrocyte_working_memory": {
        "population.neuron.shape": "[16, 16]",
        "population.astrocyte.shape": "[5, 5]",
    },
    "astrocyte_brunel": {"n_e": "320", "n_i": "80", "n_a": "100", "w_e": "4 nS"},
    "brunel_2000": {"n_e": "320"},
    "coba": _CELLS,
    "cobahh": _CELLS,
    "cuba": _CELLS,
    "diehl_cook": {"n": "4"},
    "gliotransmitter_loop": {"n": "10"},
    "gliotransmitter_loop_rates": {"n": "10"},
    "izhikevich": {},
    "noise_induced_spirals": {"n": "20"},
    "spiral_waves": {"n": "20", "record.frames.stride": "2"},
    "stimberg_coba": {"N_e": "320", "N_i": "80"},
    "tripartite_coba": {
        "N_e": "320",
        "N_a": "320",
        "reach": "300 umeter",
        "population.neuron.size": "400",
        "population.astrocyte.size": "320",
        "projection.excitation.from": "neuron[0:320]",
        "projection.inhibition.from": "neuron[320:400]",
    },
    "vogels_2011": _CELLS,
}


def quick(names: Iterable[str]) -> list:
    """Parameters of a test of all models, which is a thorough one where models are alike."""
    return [pytest.param(n, marks=pytest.mark.thorough if n in ALIKE else ()) for n in names]


def load_short(name: str | Path, settings: Mapping[str, str]) -> spec.Model:
    """A model with settings; ``model.duration`` cuts one in phases off, which are as long as its run."""
    whole = load(name)
    if not whole.phases or "model.duration" not in settings:
        return load(name, settings)
    model = load(name, {k: v for k, v in settings.items() if k != "model.duration"})
    return replace(model, duration=parse_quantity(settings["model.duration"]).si)
