"""The experiments of this paper: an associative memory, and the mean field of a lattice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neuroglia_snn.catalog.schema import NUMBER, QUANTITY, TEXT
from neuroglia_snn.experiments import Experiment, Image, Option
from neuroglia_snn.papers.glial import NO_ASTROCYTES, Glial, figures_of, require_left

if TYPE_CHECKING:
    from neuroglia_snn import spec
    from neuroglia_snn.checks.findings import Reporter
    from neuroglia_snn.papers.noise_memory.memory import Images
    from neuroglia_snn.results import Result


class AssociativeMemory(Glial):
    """Train an image, cue it, measure what is recalled (Fig. 3, eqs 1-2)."""

    kind = "associative-memory"
    keys = {
        **dict.fromkeys(("train", "test", "population", "glia"), TEXT),
        **dict.fromkeys(("last_spike", "spikes", "potential", "calcium"), TEXT),
        **dict.fromkeys(("cue", "recall", "window"), QUANTITY),
        **dict.fromkeys(("train_noise", "test_noise"), NUMBER),
        "test_pattern": TEXT,
    }
    defaults = {"train_noise": 0.10, "test_noise": 0.40, "test_pattern": "trained"}
    options = (
        Option("train", Image, "training image"),
        Option("test", Image, "cue"),
        Option("clean", Image, "ideal pattern (default: the training image)"),
        NO_ASTROCYTES,
    )
    figures = figures_of(
        "neuroglia_snn.papers.noise_memory.figures", "inputs", "response", "time_courses"
    )
    definitions = {
        "accuracy": "memory accuracy of the neurons that spike from the onset of the cue to the window's end:"
        " the mean of the part of the pattern's neurons that do and of the part of the others that do not"
        " (Zhao et al. 2022, eqs 1-2); 0.5 is chance",
        "recall_accuracy": "the same of the neurons that spike after the cue has ended",
        "recalled_in_pattern": "part of the pattern's neurons that spike after the cue",
        "recalled_outside": "part of the other neurons that spike after the cue",
        "calcium_peak_uM": "largest calcium concentration of an astrocyte in the whole run (uM)",
        "spikes": "spikes of all neurons up to the window's end",
        "spikes_per_neuron_in_pattern": "spikes of a neuron of the pattern up to the window's end, mean",
        "spikes_per_neuron_outside": "spikes of another neuron up to the window's end, mean",
        "spikes_per_neuron_*_after_cue": "the same after the cue has ended",
    }
    measures_itself = True

    def check(self, reporter: Reporter) -> None:
        """The model has what the experiment reads, at the times at which it reads it."""
        from neuroglia_snn.papers.noise_memory import requirements

        requirements.check_memory(reporter)

    def required_images(self, model: spec.Model) -> Mapping[str, tuple[int, ...]]:
        """None: a digit is drawn where no images are given."""
        return {}

    def image_names(self, model: spec.Model) -> tuple[str, ...]:
        """The training image, the cue and the ideal pattern."""
        return "train", "test", "clean"

    def prepare(
        self, model: spec.Model, images: Mapping[str, Any], resize: bool, seed: int
    ) -> Images:
        """The user's images, or a digit '1' with the noise of this seed."""
        from neuroglia_snn.images import require_known
        from neuroglia_snn.papers.noise_memory import memory

        require_known(images, self.image_names(model), model.name)
        return memory.prepare_images(model, images, resize, seed)

    def measure(self, result: Result) -> Mapping[str, float | int | None]:
        """Accuracy, calcium and spikes; see `memory.analyse`."""
        from neuroglia_snn.papers.noise_memory import memory

        return memory.analyse(result.spec, result.data, result.shown)  # type: ignore[arg-type]


class MeanField(Experiment):
    """Count the spikes of a lattice's mean field (Fig. 2 b-d)."""

    kind = "mean-field"
    keys = dict.fromkeys(("record", "variable", "spike"), TEXT)
    definitions = {
        "mean_field_spikes": "upward passages of the mean of all units through the threshold; the next one counts"
        " only after the mean has fallen below 0",
        "mean_field_maximum": "largest recorded value of the mean of all units, in its own unit",
        "mean_field_minimum": "smallest recorded value of the mean of all units, in its own unit",
    }
    measures_itself = True

    def check(self, reporter: Reporter) -> None:
        """The mean is recorded, and its spikes are counted by a threshold in its unit."""
        from neuroglia_snn.papers.noise_memory import requirements

        requirements.check_mean_field(reporter)

    def adapted(self, model: spec.Model, own: Mapping[str, Any]) -> spec.Model:
        """The model, which still records its mean field."""
        require_left(model, "record", model.records)
        return model

    def measure(self, result: Result) -> Mapping[str, float | int | None]:
        """See `mean_field.analyse`."""
        from neuroglia_snn.papers.noise_memory import mean_field

        return mean_field.analyse(result.spec, result.data)
