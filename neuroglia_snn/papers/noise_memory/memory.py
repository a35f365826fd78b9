"""The associative-memory experiment: train an image, cue it, measure what is recalled.

After Fig. 3 and eqs 1-2 of "Noise-induced artificial intelligence" (Phys. Rev. Research 4, 043069, 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neuroglia_snn import images as pictures
from neuroglia_snn import spec
from neuroglia_snn.errors import UserError
from neuroglia_snn.language import labels
from neuroglia_snn.measures import memory_accuracy
from neuroglia_snn.papers.noise_memory import patterns


@dataclass(frozen=True)
class Images:
    """What is shown (train, test) and the ideal pattern to compare with (clean)."""

    train: np.ndarray
    test: np.ndarray
    clean: np.ndarray
    origin: str

    def stimuli(self, model: spec.Model) -> dict[str, np.ndarray]:
        """The images by the names that the model's stimuli use."""
        by_stimulus = {"train": self.train, "test": self.test}
        result = {}
        for key, image in by_stimulus.items():
            name = model.stimuli[str(model.experiment[key])].image
            if name:
                result[name] = image
        return result

    def describe(self) -> Mapping[str, object]:
        """What the summary says of them."""
        return {"origin": self.origin, "pattern_pixels": int(self.clean.sum())}


def prepare_images(model: spec.Model, given: Mapping[str, Any], resize: bool, seed: int) -> Images:
    """Read the images ``train``, ``test`` and ``clean``, or draw a digit '1' and its noisy versions.

    Without ``clean``, the training image is the ideal pattern. Those that are drawn have the
    experiment's ``train_noise`` and ``test_noise``, and are compared with what the cue shows: the
    digit, or with ``test_pattern = "disjoint"`` a pattern beside it that was never trained
    (Fig. 3 j-l).

    Raises
    ------
    UserError
        If only one of train and test is given, or an image does not fit.
    """
    rows, columns = model.populations[str(model.experiment["population"])].shape
    shape = (rows, columns)
    if not given:
        if resize:
            raise UserError("--resize is for images that you give: add --train and --test")
        return _drawn(model, shape, seed)
    if "train" not in given or "test" not in given:
        raise UserError("give both --train and --test (and --clean, the ideal pattern), or none")
    clean = given.get("clean", given["train"])
    read = {
        name: pictures.as_image(image, shape, resize, name)
        for name, image in (("train", given["train"]), ("test", given["test"]), ("clean", clean))
    }
    of = {name: pictures.describe(image) for name, image in given.items()}
    ideal = (
        f"clean {of['clean']}"
        if "clean" in given
        else "no clean image: the training image is the ideal"
    )
    return Images(**read, origin=f"train {of['train']}, test {of['test']}, {ideal}")


def _drawn(model: spec.Model, shape: tuple[int, int], seed: int) -> Images:
    e = model.experiment
    before, now = float(e["train_noise"]), float(e["test_noise"])
    digit = patterns.render_digit_one(shape)
    novel = e["test_pattern"] == "disjoint"
    cue = patterns.render_disjoint(shape) if novel else digit
    return Images(
        train=patterns.salt_and_pepper(digit, before, 2 * seed),
        test=patterns.salt_and_pepper(cue, now, 2 * seed + 1),
        clean=cue,
        origin=f"own digit '1', {before:.0%} and {now:.0%} salt and pepper, seed {seed}"
        + (", cued with a pattern beside it" if novel else ""),
    )


def analyse(model: spec.Model, data: xr.Dataset, images: Images) -> dict[str, float | int | None]:
    """Accuracy with and without the cue's own response, calcium and spikes.

    ``accuracy`` counts neurons above threshold in [cue, cue + window] (eqs 1-2), and
    ``recall_accuracy`` in [recall, cue + window], after the cue has ended.
    """
    e = model.experiment
    cue, recall = float(e["cue"]) * 1e3, float(e["recall"]) * 1e3
    end = cue + float(e["window"]) * 1e3
    last = state_at(model, data, str(e["last_spike"]), end)
    spikes = state_at(model, data, str(e["spikes"]), end)
    at_cue = state_at(model, data, str(e["spikes"]), recall)
    pattern = images.clean
    calcium = series(model, data, str(e["glia"]), str(e["calcium"]))
    after = spikes - at_cue
    return {
        "accuracy": memory_accuracy(last >= cue, pattern),
        "recall_accuracy": memory_accuracy(last >= recall, pattern),
        "recalled_in_pattern": float((last >= recall)[pattern].mean()),
        "recalled_outside": float((last >= recall)[~pattern].mean()),
        "calcium_peak_uM": None if calcium is None else float(calcium.max()),
        "spikes": int(spikes.sum()),
        "spikes_per_neuron_in_pattern": float(spikes[pattern].mean()),
        "spikes_per_neuron_outside": float(spikes[~pattern].mean()),
        "spikes_per_neuron_in_pattern_after_cue": float(after[pattern].mean()),
        "spikes_per_neuron_outside_after_cue": float(after[~pattern].mean()),
    }


def series(
    model: spec.Model, data: xr.Dataset, population: str, variable: str, strided: bool = False
) -> xr.DataArray | None:
    """A recorded variable of a population over time, from the whole or a strided record."""
    for name, record in model.records.items():
        fits = record.population == population and variable in record.variables
        if fits and record.reduce is None and (record.stride > 1) == strided:
            return data[labels.recorded(name, variable)]
    return None


def state_at(model: spec.Model, data: xr.Dataset, variable: str, time: float) -> np.ndarray:
    """A neuron variable at ``time`` (ms): the final state, or the frame at that time.

    `checks` has made sure that there is one.
    """
    population = str(model.experiment["population"])
    if abs(time - model.duration * 1e3) < model.dt * 500:
        return data[labels.final(population, variable)].values
    frames = series(model, data, population, variable)
    assert frames is not None
    return frames.sel({frames.dims[0]: time}, method="nearest").values
