"""Correlations over a setting, as lines with the standard deviations of seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import xarray as xr

from neuroglia_snn.measures import spread_over_seeds
from neuroglia_snn.results.style import COLUMN, REFERENCE, save, subplots


def drawn(path: Path, lines: Mapping[str, tuple[xr.DataArray, str]], label: str) -> Path:
    """Save means over seeds, with their standard deviations, and give the path.

    Parameters
    ----------
    path
        Of the figure, without an ending.
    lines
        Correlations, (setting, seed), and a colour, by what the legend says.
    label
        Of the axis of the setting.
    """
    figure, axes = subplots(1, 1, (COLUMN, 2.4))
    for text, (values, colour) in lines.items():
        (dimension,) = (d for d in values.dims if d != "seed")
        axes.errorbar(
            values[dimension].values,
            values.mean("seed"),
            spread_over_seeds(values),
            color=colour,
            marker="o",
            label=text,
        )
    axes.set(xlabel=label, ylabel="correlation", ylim=(0.45, 1.02))
    axes.axhline(0.5, color=REFERENCE, lw=0.8)
    if any(lines):
        axes.legend()
    return save(figure, path)
