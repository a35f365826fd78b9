"""Settings that make the catalogue's large models small, for tests of all of them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

#: Models that ask nothing of an exchange or a backend that others of the catalogue do not.
ALIKE = {"astrocyte_ring", "cobahh", "cuba", "gliotransmitter_loop", "gliotransmitter_loop_rates"}
ALIKE |= {"stimberg_coba"}
_CELLS = {"n_e": "320", "n_i": "80"}
#: Without their experiments and durations; models that are not here are small enough.
SMALL: dict[str, dict[str, str]] = {
    # where neighbours are equal, the sign of their difference is that of a rounding
    "astrocyte_ring": {"population.astrocyte.initial.I": "i*0.001*umolar"},
    "astrocyte_brunel": {"n_e": "320", "n_i": "80", "n_a": "100", "w_e": "4 nS"},
    "brunel_2000": {"n_e": "320"},
    "coba": _CELLS,
    "cobahh": _CELLS,
    "cuba": _CELLS,
    "diehl_cook": {"n": "4"},
    "gliotransmitter_loop": {"n": "10"},
    "gliotransmitter_loop_rates": {"n": "10"},
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
