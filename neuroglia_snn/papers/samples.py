"""What several runs gave, and how far it is from what another program's runs gave."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sample:
    """Mean and standard deviation (n - 1) of ``number`` runs; one run has no deviation."""

    mean: float
    spread: float | None
    number: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """Of the numbers that the runs gave."""
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), spread, len(values))

    def __str__(self) -> str:
        if self.spread is None:
            return f"{self.mean:.4g}"
        digits = max(0, 1 - math.floor(math.log10(self.spread))) if self.spread > 0 else 3
        return f"{self.mean:.{digits}f} ± {self.spread:.{digits}f} ({self.number})"

    def apart(self, other: Sample) -> float | None:
        """The difference of the means in its standard errors, those of Welch's t; None without any.

        A single run is taken to scatter as the other program's do.
        """
        mine = self.spread if self.spread is not None else other.spread
        theirs = other.spread if other.spread is not None else self.spread
        if not mine or not theirs:
            return None
        return (self.mean - other.mean) / math.hypot(
            mine / math.sqrt(self.number), theirs / math.sqrt(other.number)
        )


def table(
    found: Mapping[str, Sample], reference: Mapping[str, Sample], whose: str
) -> tuple[list[str], list[list[str]]]:
    """Columns and rows that set what was found beside a reference, by name."""
    rows = []
    for name, theirs in reference.items():
        apart = found[name].apart(theirs)
        said = "" if apart is None else f"{apart:+.1f}"
        rows.append([name, str(found[name]), str(theirs), said])
    return ["", "here", whose, "apart, in standard errors"], rows
