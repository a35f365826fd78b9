"""Figures of rounds in turn: median and spread, and ratios where the rounds can tell."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Case = TypeVar("Case")


def in_turn(
    cases: Sequence[Case], rounds: int, measure: Callable[[Case], object]
) -> Iterator[tuple[Case, object]]:
    """Measure every case once a round, every other round from the last to the first.

    So a machine whose speed drifts does not favour one.
    """
    for number in range(rounds):
        for case in cases[:: -1 if number % 2 else 1]:
            yield case, measure(case)


def ratio(over: list[float], under: list[float]) -> str:
    """How many times as long as ``under`` ``over`` takes, round by round, or that the rounds cannot tell.

    They cannot if there is one of them, if some say longer and others shorter, or if the largest ratio
    is above the smallest by more than the median.
    """
    each = [a / b for a, b in zip(over, under, strict=True)]
    low, middle, high = min(each), statistics.median(each), max(each)
    if len(each) == 1:
        return "no ratio: one round has no spread"
    if low <= 1 <= high or high - low > middle:
        return f"no ratio: the rounds give {low:.2f} to {high:.2f}"
    return f"x {middle:.2f} ({low:.2f} to {high:.2f})"


def spread(values: list[float], digits: int) -> str:
    """The median of the rounds, the fastest and the slowest."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:9.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
