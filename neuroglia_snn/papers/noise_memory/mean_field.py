"""Spikes of a lattice's mean field: oscillating, or quieted by noise (paper 1, Fig. 2 b-d)."""

from __future__ import annotations

import xarray as xr

from neuroglia_snn import spec
from neuroglia_snn.papers.noise_memory.measures import mean_field_spikes


def analyse(model: spec.Model, data: xr.Dataset) -> dict[str, float | int]:
    """Number of times the recorded mean passes the spike threshold upwards.

    A new spike counts only after the mean has fallen below zero again.
    """
    e = model.experiment
    mean = data[f"{e['record']}_{e['variable']}"].values[:, 0]
    threshold = model.parameters[str(e["spike"])].value.si
    return {
        "mean_field_spikes": mean_field_spikes(mean, threshold, rearm=0.0),
        "mean_field_maximum": float(mean.max()),
        "mean_field_minimum": float(mean.min()),
    }
