"""Figures of runs, as PNG."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuroglia_snn import equations as eqs
from neuroglia_snn import labels, spec
from neuroglia_snn.experiments import memory

#: How images of 0 and 1 are shown.
MAP = {"cmap": "Greys", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
_WITH, _WITHOUT, _STIMULUS = "#0b6e4f", "#b3541e", "#f2c14e"


def _subplots(rows: int, columns: int, size: tuple[float, float], **options):
    """A figure outside pyplot, so that a notebook's own figures are left alone."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=130)
    return path


def memory_figures(
    model: spec.Model,
    data: xr.Dataset,
    images: memory.Images,
    folder: Path,
    control: tuple[spec.Model, xr.Dataset] | None = None,
) -> list[Path]:
    """Figures after the paper's 3 and 4: inputs, responses and calcium, time courses.

    ``control`` is the same run without astrocytes, drawn beside it where given.
    """
    paths = [
        _inputs(images, folder / "inputs.png"),
        _response(model, data, folder / "response.png"),
        _time_courses(model, data, images, folder / "time_courses.png", control),
    ]
    return paths


def _inputs(images: memory.Images, path: Path) -> Path:
    figure, axes = _subplots(1, 3, (9, 3.3))
    for axis, title, image in zip(
        axes,
        ("ideal pattern", "training image", "test image (cue)"),
        (images.clean, images.train, images.test),
        strict=True,
    ):
        axis.imshow(image, **MAP)
        axis.set(title=title, xticks=[], yticks=[])
    return _save(figure, path)


def _response(model: spec.Model, data: xr.Dataset, path: Path) -> Path:
    e = model.experiment
    calcium = memory.series(model, data, str(e["glia"]), str(e["calcium"]))
    columns = 2 if calcium is None else 3
    figure, axes = _subplots(1, columns, (3.4 * columns, 3.3))
    draw_response(figure, axes, model, data)
    return _save(figure, path)


def draw_response(figure: Figure, axes, model: spec.Model, data: xr.Dataset) -> None:
    """Who spiked during the cue, how often after it, and calcium at the cue where there is any."""
    e = model.experiment
    cue, recall = (float(e[k]) * 1e3 for k in ("cue", "recall"))
    end = cue + float(e["window"]) * 1e3
    during = memory.state_at(model, data, str(e["last_spike"]), recall) >= cue
    spikes = memory.state_at(model, data, str(e["spikes"]), end) - memory.state_at(
        model, data, str(e["spikes"]), recall
    )
    calcium = memory.series(model, data, str(e["glia"]), str(e["calcium"]))
    axes[0].imshow(during, **MAP)
    axes[0].set(title=f"spiked during the cue\n({cue:g}-{recall:g} ms)")
    image = axes[1].imshow(spikes, cmap="magma", vmin=0, vmax=max(1, spikes.max()))
    axes[1].set(title=f"spikes after the cue\n({recall:g}-{end:g} ms)")
    figure.colorbar(image, ax=axes[1], shrink=0.8)
    if calcium is not None:
        frame = calcium.sel({calcium.dims[0]: cue}, method="nearest")
        image = axes[2].imshow(frame, cmap="viridis", vmin=0)
        axes[2].set(title=f"calcium at the cue\n({float(frame[calcium.dims[0]]):g} ms)")
        figure.colorbar(image, ax=axes[2], shrink=0.8, label=calcium.attrs["units"])
    for axis in axes:
        axis.set(xticks=[], yticks=[])


def _time_courses(
    model: spec.Model,
    data: xr.Dataset,
    images: memory.Images,
    path: Path,
    control: tuple[spec.Model, xr.Dataset] | None,
) -> Path:
    """Membrane potential of one neuron inside the pattern, calcium of the astrocyte over it."""
    potential, site = _trace(model, data, images)
    calcium = memory.series(
        model, data, str(model.experiment["glia"]), str(model.experiment["calcium"])
    )
    with_glia = calcium is not None
    rows = []
    if control is not None:
        rows.append((_trace(*control, images)[0], "without astrocytes", _WITHOUT))
    rows.append(
        (
            potential,
            "with astrocytes" if with_glia else "without astrocytes",
            _WITH if with_glia else _WITHOUT,
        )
    )
    count = len(rows) + with_glia
    figure, axes = _subplots(count, 1, (9, 1 + 1.8 * count), sharex=True, squeeze=False)
    for axis, (trace, label, colour) in zip(axes[:, 0], rows, strict=False):
        axis.plot(trace[trace.dims[0]], trace, color=colour, lw=0.7)
        axis.set(ylabel=str(model.experiment["potential"]), ylim=(-3, 8))
        axis.set_title(f"neuron {site} {label}", loc="left", fontsize=10)
    if calcium is not None:
        times = calcium[calcium.dims[0]]
        cue = float(model.experiment["cue"]) * 1e3
        at_cue = calcium.sel({calcium.dims[0]: cue}, method="nearest").values
        row, column = np.unravel_index(np.argmax(at_cue), at_cue.shape)
        axes[-1, 0].plot(times, calcium[:, row, column], color=_WITH)
        if (threshold := _threshold(model)) is not None:
            axes[-1, 0].axhline(threshold, color="grey", lw=0.8, ls="--")
        axes[-1, 0].set(ylabel=f"calcium ({calcium.attrs['units']})", ylim=(0, None))
        axes[-1, 0].set_title(f"astrocyte ({row}, {column})", loc="left", fontsize=10)
    for axis in axes[:, 0]:
        for stimulus in model.stimuli.values():
            for n in range(stimulus.count):
                start = stimulus.start + n * stimulus.period
                axis.axvspan(
                    start * 1e3, (start + stimulus.duration) * 1e3, color=_STIMULUS, alpha=0.6, lw=0
                )
    axes[-1, 0].set(xlabel="time (ms), shaded: stimulus", xlim=(0, model.duration * 1e3))
    return _save(figure, path)


def _threshold(model: spec.Model) -> float | None:
    """Calcium threshold in uM, where the model names it as the catalogue's does and uses it."""
    parameter = eqs.model_parameters(model).get("Ca_glio")
    return None if parameter is None else parameter.value.si * 1e3


def _trace(
    model: spec.Model, data: xr.Dataset, images: memory.Images
) -> tuple[xr.DataArray, tuple[int, int]]:
    """Finest recorded potential of a neuron in the pattern (in training and test image too)."""
    e = model.experiment
    population, variable = str(e["population"]), str(e["potential"])
    traces = memory.series(model, data, population, variable, strided=True)
    if traces is None:
        traces = memory.series(model, data, population, variable)
    assert traces is not None, "the model's checks require a record of the potential"
    rows, columns = (traces[axis].values for axis in traces.dims[1:])
    shown = images.clean & images.train & images.test
    candidates = [(r, c) for r in rows for c in columns if shown[r, c]]
    if not candidates:
        candidates = [(r, c) for r in rows for c in columns if images.clean[r, c]] or [
            (rows[0], columns[0])
        ]
    centre = np.mean(np.argwhere(images.clean), axis=0)
    row, column = min(candidates, key=lambda site: np.hypot(*(np.array(site) - centre)))
    picked = traces.sel({traces.dims[1]: row, traces.dims[2]: column})
    return picked, (int(row), int(column))


def record_figure(model: spec.Model, data: xr.Dataset, path: Path) -> Path | None:
    """Time course of every recorded variable: the mean, and a few single units."""
    plots = [
        (name, variable)
        for name, record in model.records.items()
        for variable in record.variables
        if not record.events and labels.recorded(name, variable) in data
    ]
    events = [name for name, record in model.records.items() if record.events]
    count = len(plots) + len(events)
    if not count:
        return None
    figure, axes = _subplots(count, 1, (9, 0.8 + 1.6 * count), squeeze=False)
    for axis, (name, variable) in zip(axes[:, 0], plots, strict=False):
        values = data[labels.recorded(name, variable)]
        time = data[values.dims[0]].values
        flat = values.values.reshape(len(time), math.prod(values.shape[1:]))
        if flat.shape[1] > 1:
            some = np.linspace(0, flat.shape[1] - 1, 5).astype(int)
            axis.plot(time, flat[:, some], color="0.7", lw=0.6)
        axis.plot(time, flat.mean(axis=1), color=_WITH, lw=1.2)
        unit = values.attrs["units"]
        axis.set(ylabel=variable + ("" if unit == "1" else f" ({unit})"))
        axis.set_title(f"{name}: {values.attrs['population']}", loc="left", fontsize=9)
    for axis, name in zip(axes[len(plots) :, 0], events, strict=True):
        times, units = (data[labels.recorded(name, column)] for column in ("time", "unit"))
        axis.plot(times, units, ",", color="k")
        axis.set(ylabel="unit")
        axis.set_title(
            f"{name}: events of {model.records[name].population}", loc="left", fontsize=9
        )
    for axis in axes[:, 0]:
        axis.set(xlim=(0, model.duration * 1e3))
    axes[-1, 0].set(xlabel="time (ms)")
    return _save(figure, path)
