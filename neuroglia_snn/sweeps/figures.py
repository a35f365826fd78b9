"""The figure of a sweep: a measure over what was swept."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuroglia_snn.measures import spread_over_seeds

FILE = "sweep.png"


def shown(data: xr.Dataset, measure: str | None) -> str | None:
    """The measure to show: the one that is asked for, else the first."""
    names = [str(n) for n in data.data_vars if n != "failed"]
    return measure if measure in names else next(iter(names), None)


@matplotlib.rc_context({"text.parse_math": False})  # a setting may hold a $
def draw(data: xr.Dataset, measure: str | None, folder: Path) -> list[Path]:
    """A line with its spread for one axis, a line each for two with few values, else a map."""
    name = shown(data, measure)
    if name is None:
        return []
    mean, spread = data[name].mean("seed"), spread_over_seeds(data[name])
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.subplots()
    label = name.replace("_", " ")
    first = str(mean.dims[0])
    while mean.ndim > 2:  # the rest of the axes: their first value
        rest = str(mean.dims[-1])
        mean, spread = mean.isel({rest: 0}), spread.isel({rest: 0})
        axes.set_title(f"{rest} = {data[rest].values[0]}")
    if mean.ndim == 2 and min(mean.shape) > 6 and _numeric(mean):
        second = str(mean.dims[1])
        picture = axes.pcolormesh(mean[first], mean[second], mean.values.T, shading="nearest")
        figure.colorbar(picture, label=label)
        axes.set(xlabel=_label(mean[first]), ylabel=_label(mean[second]))
    else:
        lines = [(mean, spread, "")]
        if mean.ndim == 2:
            second = str(mean.dims[1])
            lines = [
                (mean.isel({second: k}), spread.isel({second: k}), f"{second} = {value}")
                for k, value in enumerate(mean[second].values)
            ]
        for values, deviation, text in lines:
            axes.errorbar(
                values[first].values, values, deviation, marker="o", capsize=3, label=text
            )
        axes.set(xlabel=_label(mean[first]), ylabel=label)
        if mean.ndim == 2:
            axes.legend()
    path = folder / FILE
    figure.savefig(path, dpi=130)
    return [path]


def _numeric(values: xr.DataArray) -> bool:
    return all(np.issubdtype(values[d].dtype, np.number) for d in values.dims)


def _label(coordinate: xr.DataArray) -> str:
    unit = coordinate.attrs.get("units", "1")
    return f"{coordinate.name}" + ("" if unit == "1" else f" ({unit})")
