"""Figures of a working memory: what was shown, who fired, and the astrocytes' calcium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from neuroglia_snn.papers.working_memory import memory
from neuroglia_snn.results.style import (
    COUNTS,
    LEVELS,
    MAP,
    MODEL,
    PAGE,
    STIMULUS,
    bare,
    subplots,
)

if TYPE_CHECKING:
    from neuroglia_snn.results import Result


def patterns(result: Result) -> Figure:
    """The items as they were shown to be learned (above), and as cues (below)."""
    model, images = result.spec, result.shown
    rows = [memory.presented(model, prefix) for prefix in (memory.LEARN, memory.TEST)]
    columns = max(map(len, rows))
    figure, axes = subplots(2, columns, (PAGE, 2 * PAGE / columns + 0.4), squeeze=False)
    for row, shown, title in zip(axes, rows, ("learned", "cue"), strict=True):
        for axis, stimulus in zip(row, shown, strict=False):
            axis.imshow(images.noisy[stimulus.image], **MAP)
            axis.set_title(f"{title} {memory.item_of(stimulus)}")
        for axis in row[len(shown) :]:
            axis.set_visible(False)
    bare(*axes.flat)
    return figure


def recall(result: Result) -> Figure:
    """Of every cue: itself, the rate of each neuron that it evokes, and the neurons that fire more often than the
    threshold, with their correlation with the ideal pattern.
    """
    model, images = result.spec, result.shown
    found = memory.recall(model, result.data, images)
    rates = found.counts / float(model.experiment["window"])
    figure, axes = subplots(
        3, len(found.tests), (PAGE, 2.6 * PAGE / len(found.tests) + 0.6), squeeze=False
    )
    for n, stimulus in enumerate(found.tests):
        item = memory.item_of(stimulus)
        axes[0, n].imshow(images.noisy[stimulus.image], **MAP)
        axes[0, n].set_title(f"{item}{'' if found.learned[n] else ' (novel)'}")
        shown = axes[1, n].imshow(rates[n], cmap=COUNTS, vmin=0, vmax=max(1.0, rates.max()))
        axes[2, n].imshow(found.patterns[n], **MAP)
        axes[2, n].set_title(f"{found.correlations[n]:.3f}")
    figure.colorbar(shown, ax=axes[1].tolist(), shrink=0.8, label="Hz")
    for axis, label in zip(axes[:, 0], ("cue", "rate", "recalled"), strict=True):
        axis.set_ylabel(label)
    bare(*axes.flat)
    return figure


def calcium(result: Result) -> Figure | None:
    """Calcium of the astrocytes at the first cue, and over time in those over one item alone. Shaded: stimuli.

    None without astrocytes.
    """
    model = result.spec
    values = memory.calcium_of(model, result.data)
    if values is None:
        return None
    time = values.dims[0]
    cues = memory.presented(model, memory.TEST)
    figure, (left, right) = subplots(1, 2, (PAGE, 2.4), width_ratios=(1, 2.4))
    frame = values.sel({time: cues[0].start * 1e3}, method="nearest")
    image = left.imshow(frame, cmap=LEVELS, vmin=0)
    left.set_title("at the first cue")
    figure.colorbar(image, ax=left, shrink=0.8, label=f"calcium ({values.attrs['units']})")
    covered = {item: over(result.shown.ideal[item], frame.shape) for item in memory.items(model)}
    learned = [memory.item_of(s) for s in memory.presented(model, memory.LEARN)]
    shades = np.linspace(0, 0.75, len(learned))
    for item, shade in zip(learned, shades, strict=True):
        alone = covered[item] & ~np.any([covered[i] for i in learned if i != item], axis=0)
        if alone.any():
            right.plot(
                values[time], values.values[:, alone].mean(axis=1), color=str(shade), label=item
            )
    rest = ~np.any([covered[i] for i in learned], axis=0)
    if rest.any():
        right.plot(values[time], values.values[:, rest].mean(axis=1), color=MODEL, label="none")
    for stimulus in memory.presented(model, memory.LEARN) + cues:
        right.axvspan(stimulus.start * 1e3, stimulus.end * 1e3, color=STIMULUS, alpha=0.4, lw=0)
    right.set(xlabel="time (ms), shaded: stimulus", ylabel=f"calcium ({values.attrs['units']})")
    right.set_title("mean over the astrocytes of one item alone")
    right.legend(loc="upper right")
    bare(left)
    return figure


def over(pattern: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which astrocytes, of a lattice of ``shape``, have half of their neurons or more in a pattern.

    An astrocyte lies over 4 x 4 neurons and shares a row and a column with the next one.
    """
    rows, columns = np.meshgrid(*(3 * np.arange(n) for n in shape), indexing="ij")
    counts = sum(pattern[rows + r, columns + c].astype(int) for r in range(4) for c in range(4))
    return counts >= 8
