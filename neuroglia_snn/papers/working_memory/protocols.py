"""Protocols of the model files and beside them: other items, other cues, a longer time in between, fewer cycles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuroglia_snn.papers.working_memory.memory import IDEAL, LEARN, TEST, TRAIN

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


def written(folder: Path, name: str, protocol: Protocol | Situation) -> str:
    """The path of a model file with a protocol of its own, written beside the results in ``folder``."""
    path = folder / "models" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = protocol.document()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return str(path)


# ------------------------------------------------------------------------------- situations

SITUATION = "astrocyte_situation_memory"
#: The published program's items (``load_images.m``).
ITEMS = "ABCDEHIKLMNPSUWXO451"
#: Times of the published program, in ms. An image is on for so long, and its first step ends with a reset.
_SHOWN, _CUED = 2.1, 20.1
_BEGIN, _EVERY, _TIMES, _APART, _PAUSE, _LAST = 20, 5, 10, 70, 650, 90


@dataclass(frozen=True)
class Situation:
    """Items train synapses; some of them are the situation, which changes by one in each cycle.

    In a cycle a new item is shown and those of the situation are cued; then the new one takes the place
    of one of them. Which ones is drawn by ``seed`` (program: ``make_Iapp.m``).

    Attributes
    ----------
    trained : items that train synapses
    size : items in the situation
    cycles : how often a new item is shown
    foreign : items that are cued once more after the last cycle, of those that train synapses and are
        never shown to astrocytes; the published program has none
    seed : of what is drawn
    """

    trained: str = ITEMS
    size: int = 7
    cycles: int = 10
    foreign: int = 3
    seed: int = 42

    def drawn(self) -> tuple[str, list[str]]:
        """The items in the order in which they are shown, and those of the situation in each cycle."""
        rng = np.random.default_rng(self.seed)
        order = "".join(rng.permutation(list(self.trained)))
        now, situations = list(order[: self.size]), []
        for new in order[self.size : self.size + self.cycles]:
            situations.append("".join(now))
            now[rng.integers(self.size)] = new
        return order, situations

    def lines(self) -> list[str]:
        """The stimuli and phases of a model file."""
        order, situations = self.drawn()
        pool, new = order[: self.size], order[self.size : self.size + self.cycles]
        rest = order[self.size + self.cycles :][: self.foreign]
        block = _EVERY * _TIMES
        training, learning = _BEGIN + block * len(self.trained) + 80, _BEGIN + block * self.size
        cues = [*situations, *([rest] if rest else [])]
        onsets = {
            "training": (_BEGIN, _EVERY, _TIMES * len(self.trained)),
            "pool": (_BEGIN, _EVERY, _TIMES * self.size),
            "item": (0, _EVERY, _TIMES),
            **{f"cues_{n}": (0, _APART, n) for n in sorted({len(c) for c in cues})},
        }
        lines = [
            f'{TRAIN}{item} = {{ {_TO}, image = "{IDEAL}{item}", start = "{_BEGIN + block * n} ms", {_REPEATED} }}'
            for n, item in enumerate(self.trained)
        ]
        lines += [
            f'{LEARN}{item} = {{ {_TO}, image = "{LEARN}{item}", start = "{start} ms", {_REPEATED} }}'
            for item, start in [
                *((item, _BEGIN + block * n) for n, item in enumerate(pool)),
                *((item, 0) for item in new),
            ]
        ]
        for n, cued in enumerate(cues, 1):
            lines += [
                f'{TEST}{item}_{n} = {{ {_TO_CUE}, image = "{TEST}{item}_{n}", start = "{_APART * k} ms",'
                f' duration = "{_CUED} ms" }}'
                for k, item in enumerate(cued)
            ]
        for name, (start, period, count) in onsets.items():
            for to in ("neuron", "interneuron"):
                lines.append(
                    f'onset_{name}_{to} = {{ to = "{to}", variable = "onset", amplitude = "1", start = "{start} ms",'
                    f' duration = "0.1 ms", period = "{period} ms", count = {count} }}'
                )
        phases = [
            _on(
                "training",
                training,
                "training",
                [TRAIN + i for i in self.trained],
                'training = "1", acting = "0"',
            ),
            _on("pool", learning, "pool", [LEARN + item for item in pool], 'acting = "0"'),
            _on("hold", _PAUSE - _EVERY, "", [], 'acting = "0"'),
        ]
        for n, cued in enumerate(cues, 1):
            if n <= self.cycles:
                off = 'acting = "0"' if n == 1 else ""
                gap = block - _EVERY + 2 + _APART
                phases.append(_on(f"new_{n}", gap, "item", [LEARN + new[n - 1]], off))
            lasts = _APART * (len(cued) - 1) + _LAST
            phases.append(
                _on(f"cues_{n}", lasts, f"cues_{len(cued)}", [f"{TEST}{i}_{n}" for i in cued], "")
            )
        return ["[stimulus]", *lines, *(line for phase in phases for line in phase)]

    def document(self) -> str:
        """A model file of it, which extends the catalogue's."""
        head = ["[model]", f'extends = "{SITUATION}"', 'remove = ["stimulus", "phase"]']
        return "\n".join([*head, *self.lines()]) + "\n"


_TO = 'to = "neuron", variable = "I_app", amplitude = "I_learn"'
_TO_CUE = _TO.replace("I_learn", "I_test")
_REPEATED = f'duration = "{_SHOWN} ms", period = "{_EVERY} ms", count = {_TIMES}'


def _on(name: str, duration: int, onset: str, stimuli: Iterable[str], also: str) -> list[str]:
    """A phase with stimuli, and with the resets at their onsets."""
    names = [*stimuli, *(f"onset_{onset}_{to}" for to in ("neuron", "interneuron") if onset)]
    on = ", ".join([*([also] if also else []), *(f"{n} = true" for n in names)])
    return ["[[phase]]", f'name = "{name}"', f'duration = "{duration} ms"', f"set = {{ {on} }}"]
