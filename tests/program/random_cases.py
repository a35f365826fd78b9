"""How Hypothesis makes cases: a few that are always the same, and hundreds from seeds of their own."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

_COMMON = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],  # a smaller case takes minutes to find
}


def a_few(examples: int, cases: SearchStrategy, check: Callable) -> None:
    """Check so many cases, the same every time."""
    settings(max_examples=examples, derandomize=True, **_COMMON)(given(cases)(check))()


def a_hundred(part: int, cases: SearchStrategy, check: Callable) -> None:
    """Check the hundred cases that begin from a seed, the number of this part."""
    chosen = settings(max_examples=100, database=None, **_COMMON)
    seed(part)(chosen(given(cases)(check)))()
