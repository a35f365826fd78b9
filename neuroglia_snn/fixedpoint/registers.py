"""Random numbers in integers: shift registers, as hardware has them.

Each unit has a 32-bit linear-feedback shift register, of the xorshift family (Marsaglia, J. Stat. Softw.
8(14), 2003), whose period is 2^32 - 1. A normal number is the sum of the eight bytes of two successive
words less its mean: excess kurtosis -0.15, cut off at 4.88 standard deviations. A uniform one is the
24 leading bits of a word. Stochastic rounding adds as many leading bits of another such register as are
then cut off. Registers begin at Threefry words of (key, unit, first time step of the run).
"""

from __future__ import annotations

import numpy as np

from neuroglia_snn import noise

#: Mean of a sum of eight bytes.
NORMAL_MEAN = 1020
#: What a register is for.
NOISE, ROUNDING = 0, 1


def first(keys: tuple[int, int], size: int, use: int = NOISE, step: int = 0) -> np.ndarray:
    """First contents of the shift registers, (unit,) uint32, none of them 0.

    ``step`` is the time step with which the run begins, so that a later run has other numbers.
    """
    counter = np.uint32((use | step << 1) & 0xFFFFFFFF)
    words, others = noise.threefry2x32(keys, np.arange(size, dtype=np.uint32), counter)
    return np.where(words == 0, others | np.uint32(1), words).astype(np.uint32)
