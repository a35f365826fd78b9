"""The working-memory experiment: which patterns are shown when, and how well each is recalled.

After the published program of Gordleeva et al. 2021, ``compute_memory_performance.m``. A neuron's spikes
are counted from the onset of a cue on; those with more spikes than a threshold are the recalled pattern.
One threshold serves all learned items: that of the highest mean correlation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neuroglia_snn import images as pictures
from neuroglia_snn import spec
from neuroglia_snn.images import BoolArray
from neuroglia_snn.language import labels
from neuroglia_snn.measures import memory_accuracy
from neuroglia_snn.papers.working_memory import digits

#: What the names of stimuli begin with; what follows is the item that they show. The first train synapses.
TRAIN, LEARN, TEST = "train_", "learn_", "test_"
#: Begins the name of an image that a user gives instead of a drawn item.
IDEAL = "ideal_"
#: Thresholds that are tried, in spikes (program: ``max_spikes_thr``).
THRESHOLDS = range(1, 31)


def presented(model: spec.Model, prefix: str) -> list[spec.Stimulus]:
    """Stimuli that show items to learn, or to test, in their order in time."""
    found = [s for s in model.stimuli.values() if s.stated.startswith(prefix)]
    return sorted(found, key=lambda s: s.start)


def item_of(stimulus: spec.Stimulus) -> str:
    """The item that a stimulus shows: what follows the first ``_``, up to the next one."""
    return stimulus.stated.split("_")[1]


def items(model: spec.Model) -> list[str]:
    """All items, in the order in which they first appear."""
    shown = presented(model, TRAIN) + presented(model, LEARN) + presented(model, TEST)
    return list(dict.fromkeys(map(item_of, shown)))


@dataclass(frozen=True)
class Images:
    """Patterns by item, and what the stimuli show of them, by image."""

    ideal: Mapping[str, BoolArray]
    noisy: Mapping[str, BoolArray]
    origin: str

    def stimuli(self, model: spec.Model) -> dict[str, BoolArray]:
        """The images by the names that the model's stimuli use."""
        return dict(self.noisy)

    def describe(self) -> Mapping[str, object]:
        """What the summary says of them."""
        pixels = {item: int(image.sum()) for item, image in self.ideal.items()}
        return {"origin": self.origin, "pattern_pixels": pixels}


def prepare_images(model: spec.Model, given: Mapping[str, Any], resize: bool, seed: int) -> Images:
    """Patterns that the user gives as ``ideal_ITEM``, others drawn, and noise on all by the seed.

    Raises
    ------
    UserError
        If an image does not fit, or a pattern cannot be drawn.
    """
    e = model.experiment
    rows, columns = model.populations[str(e["population"])].shape
    ideal = {}
    for item in items(model):
        name = IDEAL + item
        ideal[item] = (
            pictures.as_image(given[name], (rows, columns), resize, name)
            if name in given
            else digits.draw_text(item, (rows, columns), str(e["weight"]))
        )
    noisy = {}
    for n, stimulus in enumerate(presented(model, LEARN) + presented(model, TEST)):
        noise = e["learn_noise" if stimulus.stated.startswith(LEARN) else "test_noise"]
        noisy[str(stimulus.image)] = digits.turned_over(
            ideal[item_of(stimulus)], float(noise), np.random.SeedSequence((seed, n))
        )
    for stimulus in presented(model, TRAIN):
        noisy[str(stimulus.image)] = ideal[item_of(stimulus)]
    own = ", ".join(f"{name} {pictures.describe(image)}" for name, image in given.items())
    origin = f"drawn, noise of seed {seed}" + (f"; {own}" if own else "")
    return Images(ideal, noisy, origin)


@dataclass(frozen=True)
class Recall:
    """What the network made of the cues.

    Attributes
    ----------
    tests : the stimuli that cue, in time
    learned : which of them show learned items, (test,)
    counts : spikes of each neuron within the window, (test, row, column)
    threshold : spikes above which a neuron belongs to the recalled pattern
    correlations : of each recalled pattern with its ideal one, (test,)
    """

    tests: list[spec.Stimulus]
    learned: NDArray[np.bool_]
    counts: NDArray[np.int64]
    threshold: int
    correlations: NDArray[np.float64]

    @property
    def patterns(self) -> NDArray[np.bool_]:
        """The recalled patterns, (test, row, column)."""
        return self.counts > self.threshold


def recall(model: spec.Model, data: xr.Dataset, images: Images) -> Recall:
    """Count spikes after each cue and compare with the ideal patterns."""
    e = model.experiment
    tests = presented(model, TEST)
    shape = model.populations[str(e["population"])].shape
    times, units = (data[labels.recorded(str(e["spikes"]), k)].values for k in ("time", "unit"))
    counts = np.array([_counted(times, units, s.start, float(e["window"]), shape) for s in tests])
    known = {item_of(s) for s in presented(model, LEARN)}
    learned = np.array([item_of(s) in known for s in tests])
    ideal = [images.ideal[item_of(s)] for s in tests]
    judged = np.flatnonzero(learned) if learned.any() else np.arange(len(tests))
    given = e["threshold"]
    threshold = (
        best_threshold(counts[judged], [ideal[n] for n in judged]) if given is None else int(given)
    )
    correlations = [memory_accuracy(c > threshold, p) for c, p in zip(counts, ideal, strict=True)]
    return Recall(tests, learned, counts, threshold, np.array(correlations))


def _counted(
    times: NDArray[np.float64],
    units: NDArray[np.int64],
    start: float,
    window: float,
    shape: tuple[int, ...],
) -> NDArray[np.int64]:
    """Spikes of each neuron from ``start`` for ``window`` (s); ``times`` are in ms."""
    within = (times >= start * 1e3) & (times < (start + window) * 1e3)
    return np.bincount(units[within], minlength=int(np.prod(shape))).reshape(shape)


def best_threshold(counts: NDArray[np.int64], ideal: list[BoolArray]) -> int:
    """The threshold, in spikes, of the highest mean correlation; the lowest of them where several have it.

    ``counts`` is (item, row, column).
    """
    means = [
        np.mean([memory_accuracy(c > t, p) for c, p in zip(counts, ideal, strict=True)])
        for t in THRESHOLDS
    ]
    return THRESHOLDS[int(np.argmax(means))]


def analyse(model: spec.Model, data: xr.Dataset, images: Images) -> dict[str, float | int | None]:
    """Correlations of recalled with ideal patterns, rates within the patterns and beside them, calcium.

    ``correlation`` is the mean over all cues of learned items, ``novel`` that of others with the same
    threshold, ``correlation_ITEM`` that of one item, and ``cue`` that of the cues themselves: what a network
    would reach that fires where it is stimulated.
    """
    found = recall(model, data, images)
    e = model.experiment
    window = float(e["window"])
    values: dict[str, float | int | None] = {
        "correlation": _mean(found.correlations[found.learned]),
        "novel": _mean(found.correlations[~found.learned]),
        "cue": _mean(
            [
                memory_accuracy(images.noisy[str(s.image)], images.ideal[item_of(s)])
                for s, known in zip(found.tests, found.learned, strict=True)
                if known
            ]
        ),
        "threshold_Hz": found.threshold / window,
    }
    by_item: dict[str, list[float]] = {}
    for stimulus, correlation in zip(found.tests, found.correlations, strict=True):
        by_item.setdefault(item_of(stimulus), []).append(correlation)
    values |= {f"correlation_{item}": _mean(each) for item, each in by_item.items()}
    for of, chosen in (("learned", found.learned), ("novel", ~found.learned)):
        inside, outside = [], []
        for n in np.flatnonzero(chosen):
            pattern = images.ideal[item_of(found.tests[n])]
            inside.append(found.counts[n][pattern].mean() / window)
            outside.append(found.counts[n][~pattern].mean() / window)
        values[f"rate_in_{of}_Hz"], values[f"rate_beside_{of}_Hz"] = _mean(inside), _mean(outside)
    calcium = calcium_of(model, data)
    values["calcium_peak_uM"] = None if calcium is None else float(calcium.max())
    return values


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def calcium_of(model: spec.Model, data: xr.Dataset) -> xr.DataArray | None:
    """Calcium of all astrocytes over time, (time, row, column); None where they are left out."""
    e = model.experiment
    for name, record in model.records.items():
        if record.population == e["glia"] and e["calcium"] in record.variables:
            return data[labels.recorded(name, str(e["calcium"]))]
    return None
