"""Figures of a memory experiment, after the paper's Figs 3 and 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuroglia_snn import spec
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.papers.noise_memory import memory
from neuroglia_snn.results.style import (
    COLUMN,
    CONTROL,
    COUNTS,
    LEVELS,
    MAP,
    MODEL,
    PAGE,
    REFERENCE,
    STIMULUS,
    bare,
    subplots,
)

if TYPE_CHECKING:
    from neuroglia_snn.results import Result


def inputs(result: Result) -> Figure:
    """The ideal pattern, the training image and the cue; black is stimulated."""
    images = result.shown
    figure, axes = subplots(1, 3, (COLUMN, 1.3))
    for axis, title, image in zip(
        axes,
        ("ideal pattern", "training image", "test image (cue)"),
        (images.clean, images.train, images.test),
        strict=True,
    ):
        axis.imshow(image, **MAP)
        axis.set(title=title)
        bare(axis)
    return figure


def response(result: Result) -> Figure:
    """Left: neurons that spiked during the cue (black). Middle: spikes of each neuron after the cue. Right, with
    astrocytes: their calcium at the onset of the cue (after Fig. 3 of Zhao et al. 2022).
    """
    model, data = result.spec, result.data
    e = model.experiment
    calcium = memory.series(model, data, str(e["glia"]), str(e["calcium"]))
    columns = 2 if calcium is None else 3
    figure, axes = subplots(1, columns, (columns * PAGE / 3, 2.3))
    draw_response(figure, axes, model, data)
    return figure


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
    image = axes[1].imshow(spikes, cmap=COUNTS, vmin=0, vmax=max(1, spikes.max()))
    axes[1].set(title=f"spikes after the cue\n({recall:g}-{end:g} ms)")
    figure.colorbar(image, ax=axes[1], shrink=0.8, label="spikes of a neuron")
    if calcium is not None:
        frame = calcium.sel({calcium.dims[0]: cue}, method="nearest")
        image = axes[2].imshow(frame, cmap=LEVELS, vmin=0)
        axes[2].set(title=f"calcium at the cue\n({float(frame[calcium.dims[0]]):g} ms)")
        figure.colorbar(image, ax=axes[2], shrink=0.8, label=f"calcium ({calcium.attrs['units']})")
    bare(*axes)


def time_courses(result: Result) -> Figure:
    """Potential of one neuron inside the pattern, and calcium of the astrocyte that has most of it at the cue.
    The same neuron without astrocytes stands above, where that was run. Shaded: stimulus; dashed: threshold of
    calcium, where the model has one (after Fig. 4 of Zhao et al. 2022).
    """
    model, data, images = result.spec, result.data, result.shown
    potential, site = _trace(model, data, images)
    calcium = memory.series(
        model, data, str(model.experiment["glia"]), str(model.experiment["calcium"])
    )
    with_glia = calcium is not None
    rows = []
    if result.control is not None:
        silent = _trace(result.control.spec, result.control.data, images)[0]
        rows.append((silent, "without astrocytes", CONTROL))
    rows.append(
        (
            potential,
            "with astrocytes" if with_glia else "without astrocytes",
            MODEL if with_glia else CONTROL,
        )
    )
    count = len(rows) + with_glia
    figure, axes = subplots(count, 1, (COLUMN, 0.4 + 1.1 * count), sharex=True, squeeze=False)
    for axis, (trace, label, colour) in zip(axes[:, 0], rows, strict=False):
        axis.plot(trace[trace.dims[0]], trace, color=colour, lw=0.7)
        axis.set(ylabel=str(model.experiment["potential"]), ylim=(-3, 8))
        axis.set_title(f"neuron {site} {label}", loc="left")
    if calcium is not None:
        times = calcium[calcium.dims[0]]
        cue = float(model.experiment["cue"]) * 1e3
        at_cue = calcium.sel({calcium.dims[0]: cue}, method="nearest").values
        row, column = np.unravel_index(np.argmax(at_cue), at_cue.shape)
        axes[-1, 0].plot(times, calcium[:, row, column], color=MODEL)
        if (threshold := _threshold(model)) is not None:
            axes[-1, 0].axhline(threshold, color=REFERENCE, lw=0.8, ls="--")
        axes[-1, 0].set(ylabel=f"calcium ({calcium.attrs['units']})", ylim=(0, None))
        axes[-1, 0].set_title(f"astrocyte ({row}, {column})", loc="left")
    for axis in axes[:, 0]:
        for stimulus in model.stimuli.values():
            for n in range(stimulus.count):
                start = stimulus.start + n * stimulus.period
                axis.axvspan(
                    start * 1e3, (start + stimulus.duration) * 1e3, color=STIMULUS, alpha=0.6, lw=0
                )
    axes[-1, 0].set(xlabel="time (ms), shaded: stimulus", xlim=(0, model.duration * 1e3))
    return figure


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
