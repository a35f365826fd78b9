"""Figures that any run can have."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from neuroglia_snn.language import labels
from neuroglia_snn.results.style import BEHIND, COLUMN, MODEL, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuroglia_snn.results.result import Result


def records(result: Result) -> Figure | None:
    """Time course of every recorded variable: the mean over units (dark) and a few single units (grey); spikes as dots.

    Of several seeds, there are the mean of each instead of single units, and no spikes.
    """
    model, data = result.spec, result.data
    plots = [
        (name, variable)
        for name, record in model.records.items()
        for variable in record.variables
        if not record.events and labels.recorded(name, variable) in data
    ]
    events = [
        n for n, r in model.records.items() if r.events and labels.recorded(n, "time") in data
    ]
    count = len(plots) + len(events)
    if not count:
        return None
    figure, axes = subplots(count, 1, (COLUMN, 0.4 + 1.1 * count), squeeze=False)
    for axis, (name, variable) in zip(axes[:, 0], plots, strict=False):
        values = data[labels.recorded(name, variable)]
        time, flat = _curves(values, labels.axis("time", name))
        if flat.shape[1] > 1:
            several = "replica" in values.dims
            shown = np.arange(flat.shape[1]) if several else _few(flat.shape[1])
            axis.plot(time, flat[:, shown], color=BEHIND, lw=0.5)
        axis.plot(time, flat.mean(axis=1), color=MODEL)
        unit = values.attrs["units"]
        axis.set(ylabel=variable + ("" if unit == "1" else f" ({unit})"))
        axis.set_title(f"{name}: {values.attrs['population']}", loc="left")
    for axis, name in zip(axes[len(plots) :, 0], events, strict=True):
        times, units = (data[labels.recorded(name, column)] for column in ("time", "unit"))
        axis.plot(times, units, ",", color="k")
        axis.set(ylabel="unit")
        axis.set_title(f"{name}: events of {model.records[name].population}", loc="left")
    for axis in axes[:, 0]:
        axis.set(xlim=(0, model.duration * 1e3))
    axes[-1, 0].set(xlabel="time (ms)")
    return figure


def _curves(values: xr.DataArray, along: str) -> tuple[np.ndarray, np.ndarray]:
    """Times, and (time, unit) values; of several seeds, (time, seed) means over units."""
    if "replica" in values.dims:
        values = values.mean([d for d in values.dims if d not in ("replica", along)])
    ordered = values.transpose(along, ...)
    return ordered[along].values, ordered.values.reshape(len(ordered), math.prod(ordered.shape[1:]))


def _few(count: int) -> np.ndarray:
    """Five units, from the first to the last."""
    return np.linspace(0, count - 1, 5).astype(int)
