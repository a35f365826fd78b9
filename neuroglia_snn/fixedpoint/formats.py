"""Fixed-point number formats."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Bits of a state variable on Loihi 2 (the register width of its neuron programs).
STATE_BITS = 24
#: Bits of a sum over synapses, before a neuron program reads it.
SUM_BITS = 32
#: Bits of a coefficient's mantissa.
MANTISSA_BITS = 16


@dataclass(frozen=True)
class Format:
    """A signed integer of ``bits`` that counts steps of ``unit * 2**-fraction`` (SI units)."""

    bits: int
    fraction: int
    unit: float = 1.0

    @property
    def scale(self) -> float:
        """Value of one step."""
        return self.unit * 2.0**-self.fraction

    @property
    def limit(self) -> int:
        """Largest integer; the smallest is ``-limit - 1``."""
        return 2 ** (self.bits - 1) - 1

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest value."""
        return -(self.limit + 1) * self.scale, self.limit * self.scale

    def encode(self, values: np.ndarray | float) -> np.ndarray:
        """Nearest integers, saturated."""
        return np.clip(
            np.rint(np.asarray(values) / self.scale), -self.limit - 1, self.limit
        ).astype(np.int64)

    def decode(self, integers: np.ndarray) -> np.ndarray:
        """Values in SI units."""
        return np.asarray(integers) * self.scale

    def __str__(self) -> str:
        whole = self.bits - 1 - self.fraction
        step = "" if self.unit == 1.0 else f" x {self.unit:g}"
        return f"Q{whole}.{self.fraction}{step}"


def fitting(low: float, high: float, bits: int = STATE_BITS, unit: float = 1.0) -> Format:
    """The finest format of so many bits that holds a range (a power of two up to its last step)."""
    size = max(abs(low), abs(high), 2.0**-900) / unit
    return Format(bits, bits - 1 - math.ceil(math.log2(size)), unit)
