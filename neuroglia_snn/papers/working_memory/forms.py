"""How much is computed: all of it, or what takes minutes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """Points of the study.

    Attributes
    ----------
    seeds : of every point
    noises : part of a cue's pixels that is turned over, as ``--over`` takes it
    numbers : of items
    holds, holds_of_four : ms between the last item and the first cue, of one item and of four
    novel : items that are cued after another has been learned
    """

    seeds: int
    noises: str
    numbers: tuple[int, ...]
    holds: tuple[int, ...]
    holds_of_four: tuple[int, ...]
    novel: str


FULL = Form(
    seeds=5,
    noises="0.1,0.2,0.3,0.4",
    numbers=(1, 2, 4, 7, 10),
    holds=(0, 300, 600, 1000, 2000, 3000, 4000, 5000, 7000),
    holds_of_four=(600, 2000, 4000, 6000, 8000, 10000),
    novel="023478",
)
QUICK = Form(
    seeds=2,
    noises="0.1,0.3",
    numbers=(1, 10),
    holds=(0, 2000, 6000),
    holds_of_four=(600, 6000),
    novel="07",
)


@dataclass(frozen=True)
class SituationForm:
    """Points of the study of situations.

    Attributes
    ----------
    seeds : of every point
    cycles : how often the situation changes; the published program's are 10
    noises : part of a cue's pixels that is turned over, as ``--over`` takes it
    """

    seeds: int
    cycles: int
    noises: str


SITUATION_FULL = SituationForm(seeds=3, cycles=10, noises="0.1,0.3,0.4")
SITUATION_QUICK = SituationForm(seeds=1, cycles=3, noises="0.3")
