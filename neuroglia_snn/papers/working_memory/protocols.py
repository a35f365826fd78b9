"""Protocols beside the one in the model file: other items, other cues, a longer time in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neuroglia_snn.papers.working_memory.memory import LEARN, TEST

MODEL = "astrocyte_working_memory"
#: Items of the stimuli in the model file, and those of its phases, in their order.
LEARNED, TESTED = "0123", "05162738"


@dataclass(frozen=True)
class Protocol:
    """Items to learn, one after the other, and to cue; ``hold`` (ms) is what lies between both."""

    learned: Sequence[str]
    tested: Sequence[str]
    hold: int = 600

    def document(self) -> str:
        """A model file of it, which extends the catalogue's."""
        shown = [(LEARN, item) for item in self.learned] + [(TEST, item) for item in self.tested]
        own = [(LEARN, item) for item in LEARNED] + [(TEST, item) for item in TESTED]
        gone = [f"stimulus.{prefix}{item}" for prefix, item in own if (prefix, item) not in shown]
        lines = ["[model]", f'extends = "{MODEL}"', f"remove = {gone!r}".replace("'", '"')]
        for prefix, item in shown:
            if (prefix, item) not in own:
                lines += [
                    f"[stimulus.{prefix}{item}]",
                    'to = "neuron"',
                    'variable = "I_app"',
                    f'amplitude = "{"I_learn" if prefix == LEARN else "I_test"}"',
                    f'image = "{prefix}{item}"',
                    f'duration = "{200 if prefix == LEARN else 150} ms"',
                ]
        lines += _phase("rest", 500)
        for item in self.learned:
            lines += _phase(LEARN + item, 300, LEARN + item)
        lines += _phase("hold", self.hold) if self.hold else []
        for item in self.tested:
            lines += _phase(TEST + item, 400, TEST + item)
        return "\n".join(lines) + "\n"


def _phase(name: str, duration: int, stimulus: str = "") -> list[str]:
    lines = ["[[phase]]", f'name = "{name}"', f'duration = "{duration} ms"']
    return lines + ([f"set = {{ {stimulus} = true }}"] if stimulus else [])
