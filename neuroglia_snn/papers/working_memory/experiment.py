"""The experiment of this paper: patterns are learned one after the other, and each is cued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neuroglia_snn.catalog.schema import INTEGER, NUMBER, QUANTITY, TEXT
from neuroglia_snn.papers.glial import NO_ASTROCYTES, Glial, figures_of

if TYPE_CHECKING:
    from neuroglia_snn import spec
    from neuroglia_snn.checks.findings import Reporter
    from neuroglia_snn.papers.working_memory.memory import Images
    from neuroglia_snn.results import Result


class WorkingMemory(Glial):
    """Show items to learn, cue them and others, and compare who fires with the ideal patterns.

    A stimulus ``learn_ITEM`` shows an item to learn, ``test_ITEM`` a cue; an item is drawn as the text of
    its name, or is the image ``ideal_ITEM`` of the user.
    """

    kind = "working-memory"
    keys = {
        **dict.fromkeys(("population", "glia", "calcium", "spikes"), TEXT),
        "window": QUANTITY,
        **dict.fromkeys(("learn_noise", "test_noise"), NUMBER),
        "threshold": INTEGER,
        "weight": TEXT,
    }
    defaults = {"threshold": None, "weight": "bold"}  # None: that of the highest correlation
    options = (NO_ASTROCYTES,)
    figures = figures_of(
        "neuroglia_snn.papers.working_memory.figures", "patterns", "recall", "calcium"
    )
    definitions = {
        "correlation": "correlation of recalled with ideal patterns, mean over learned items: the mean of the part of"
        " the pattern's neurons that fire more often than the threshold and of the part of the others that do not;"
        " 0.5 is chance",
        "novel": "the same with the same threshold, mean over items that were not learned",
        "cue": "the same of the cues themselves, of learned items",
        "threshold_Hz": "rate above which a neuron counts as firing, the best for the learned items (Hz)",
        "correlation_*": "correlation of one item",
        "rate_in_*_Hz": "rate of the pattern's neurons in the window after the cue's onset, mean (Hz)",
        "rate_beside_*_Hz": "rate of the other neurons in the window after the cue's onset, mean (Hz)",
        "calcium_peak_uM": "largest calcium concentration of an astrocyte in the whole run (uM)",
    }
    measures_itself = True

    def check(self, reporter: Reporter) -> None:
        """The model shows items, and records what is read of it."""
        from neuroglia_snn.papers.working_memory import requirements

        requirements.check(reporter)

    def required_images(self, model: spec.Model) -> Mapping[str, tuple[int, ...]]:
        """None: items are drawn where no images are given."""
        return {}

    def image_names(self, model: spec.Model) -> tuple[str, ...]:
        """The ideal pattern of every item."""
        from neuroglia_snn.papers.working_memory import memory

        return tuple(memory.IDEAL + item for item in memory.items(model))

    def prepare(
        self, model: spec.Model, images: Mapping[str, Any], resize: bool, seed: int
    ) -> Images:
        """The user's patterns and drawn ones, with the noise of this seed."""
        from neuroglia_snn.images import require_known
        from neuroglia_snn.papers.working_memory import memory

        require_known(images, self.image_names(model), model.name)
        return memory.prepare_images(model, images, resize, seed)

    def measure(self, result: Result) -> Mapping[str, float | int | None]:
        """Correlations, rates and calcium; see `memory.analyse`."""
        from neuroglia_snn.papers.working_memory import memory

        return memory.analyse(result.spec, result.data, result.shown)  # type: ignore[arg-type]
