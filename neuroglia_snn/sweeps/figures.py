"""The figure of a sweep: a measure over what was swept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.ticker import MaxNLocator

from neuroglia_snn.measures import spread_over_seeds
from neuroglia_snn.results import style

_NAME = "sweep"
#: What an earlier sweep of a folder may have left.
FILES = tuple(f"{_NAME}.{ending}" for ending in style.FORMATS)
#: Lines in one figure; more values of two numbers are a map.
_MOST_LINES = 6


def shown(data: xr.Dataset, measure: str | None) -> str | None:
    """The measure to show: the one that is asked for, else the first."""
    names = [str(n) for n in data.data_vars if n != "failed"]
    return measure if measure in names else next(iter(names), None)


def draw(data: xr.Dataset, measure: str | None, folder: Path, figures: str = "png") -> list[Path]:
    """A line with its spread for one axis, a line each for two with few values, else a map."""
    name = shown(data, measure)
    if name is None:
        return []
    with style.applied(figures), matplotlib.rc_context({"text.parse_math": False}):  # a $ is a $
        return [_drawn(data[name], folder)]


def caption(data: xr.Dataset, measure: str | None, definitions: Mapping[str, str]) -> str:
    """What the figure shows."""
    name = str(shown(data, measure))
    axes, seeds = [str(d) for d in data[name].dims if d != "seed"], data.sizes["seed"]
    over = f"{name.replace('_', ' ')} over {' and '.join(axes[:2])}" if axes else name
    said = f": {definitions[name]}" if name in definitions else ""
    spread = f" Mean and standard deviation (n - 1) of {seeds} seeds." if seeds > 1 else ""
    rest = f" Of {', '.join(axes[2:])}: the first value." if axes[2:] else ""
    return f"{over[0].upper()}{over[1:]}{said}.{spread}{rest}"


def _drawn(values: xr.DataArray, folder: Path) -> Path:
    mean, spread = values.mean("seed"), spread_over_seeds(values)
    figure, axes = style.subplots(1, 1, (style.COLUMN, 2.4))
    label, seeds = str(values.name).replace("_", " "), values.sizes["seed"]
    held: list[str] = []
    while mean.ndim > 2:  # the rest of the axes: their first value
        rest = str(mean.dims[-1])
        mean, spread = mean.isel({rest: 0}), spread.isel({rest: 0})
        held.append(f"{rest} = {values[rest].values[0]}")
    if held:
        figure.suptitle(", ".join(held))
    if mean.ndim == 2 and mean.shape[1] > _MOST_LINES >= mean.shape[0]:
        mean, spread = mean.transpose(), spread.transpose()
    first = str(mean.dims[0])
    if mean.ndim == 2 and min(mean.shape) > _MOST_LINES and _numeric(mean):
        second = str(mean.dims[1])
        picture = axes.pcolormesh(mean[first], mean[second], mean.values.T, shading="nearest")
        figure.colorbar(picture, label=label + (f"\n(mean of {seeds} seeds)" if seeds > 1 else ""))
        axes.set(xlabel=_label(mean[first]), ylabel=_label(mean[second]))
        return style.save(figure, folder / _NAME)
    lines = [(mean, spread, "")]
    if mean.ndim == 2:
        second = str(mean.dims[1])
        lines = [
            (mean.isel({second: k}), spread.isel({second: k}), str(value))
            for k, value in enumerate(mean[second].values)
        ]
    for n, (line, deviation, text) in enumerate(lines):
        axes.errorbar(line[first].values, line, deviation, label=text, **style.series(n))
    axes.set(xlabel=_label(mean[first]), ylabel=label)
    if np.issubdtype(mean[first].dtype, np.number):
        axes.xaxis.set_major_locator(MaxNLocator(6))
    if seeds > 1:
        axes.set_title(f"mean ± standard deviation, {seeds} seeds", loc="right")
    if mean.ndim == 2:
        figure.legend(loc="outside lower center", ncols=2, title=_label(mean[second]))
    return style.save(figure, folder / _NAME)


def _numeric(values: xr.DataArray) -> bool:
    return all(np.issubdtype(values[d].dtype, np.number) for d in values.dims)


def _label(coordinate: xr.DataArray) -> str:
    unit = coordinate.attrs.get("units", "1")
    return f"{coordinate.name}" + ("" if unit == "1" else f" ({unit})")
