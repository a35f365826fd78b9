"""Figures of a working memory: what was shown, who fired, and the astrocytes' calcium."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from neuroglia_snn.papers.jobs import RunJob, Setting
    from neuroglia_snn.results import Result


#: Most images side by side, and most that are drawn: the first ones and the last ones where there are more.
_COLUMNS, _MOST = 12, 24


def patterns(result: Result) -> Figure:
    """The items as they were shown to be learned (above), and as cues (below)."""
    model, images = result.spec, result.shown
    rows = [
        (title, row)
        for title, prefix in (("learned", memory.LEARN), ("cue", memory.TEST))
        for row in _rows(memory.presented(model, prefix))
    ]
    columns = max(len(row) for _, row in rows)
    size = (PAGE, len(rows) * (PAGE / columns + 0.2))
    figure, axes = subplots(len(rows), columns, size, squeeze=False)
    for line, (title, row) in zip(axes, rows, strict=True):
        for axis, stimulus in zip(line, row, strict=False):
            axis.imshow(images.noisy[stimulus.image], **MAP)
            axis.set_title(f"{title} {memory.item_of(stimulus)}")
        for axis in line[len(row) :]:
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
    rows = _rows(range(len(found.tests)))
    columns = max(map(len, rows))
    size = (PAGE, len(rows) * (2.6 * PAGE / columns + 0.6))
    figure, axes = subplots(3 * len(rows), columns, size, squeeze=False)
    for row, block in zip(rows, axes.reshape(len(rows), 3, columns), strict=True):
        for n, (cue, rate, recalled) in zip(row, block.T, strict=False):
            stimulus = found.tests[n]
            cue.imshow(images.noisy[stimulus.image], **MAP)
            novel = "" if found.learned[n] else " (novel)"
            cue.set_title(f"{memory.item_of(stimulus)}{novel}")
            shown = rate.imshow(rates[n], cmap=COUNTS, vmin=0, vmax=max(1.0, rates.max()))
            recalled.imshow(found.patterns[n], **MAP)
            recalled.set_title(f"{found.correlations[n]:.3f}")
        figure.colorbar(shown, ax=block[1].tolist(), shrink=0.8, label="Hz")
        for axis, label in zip(block[:, 0], ("cue", "rate", "recalled"), strict=True):
            axis.set_ylabel(label)
        for axis in block[:, len(row) :].flat:
            axis.set_visible(False)
    bare(*axes.flat)
    return figure


def _rows(shown: Sequence[Any]) -> list[Sequence[Any]]:
    """What is drawn of a sequence, in rows."""
    if len(shown) > _MOST:
        shown = [*shown[: _MOST // 2], *shown[-_MOST // 2 :]]
    return [shown[n : n + _COLUMNS] for n in range(0, len(shown), _COLUMNS)]


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


def copied(example: RunJob, setting: Setting) -> list[Path]:
    """The figures of a run of a study, as files of the study."""
    found = [example.figure(setting, draw.__name__) for draw in (patterns, recall, calcium)]
    return [Path(shutil.copy(path, setting.work.folder)) for path in found]


def over(pattern: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which astrocytes, of a lattice of ``shape``, have half of their neurons or more in a pattern.

    An astrocyte lies over 4 x 4 neurons and shares a row and a column with the next one.
    """
    rows, columns = np.meshgrid(*(3 * np.arange(n) for n in shape), indexing="ij")
    counts = sum(pattern[rows + r, columns + c].astype(int) for r in range(4) for c in range(4))
    return counts >= 8
