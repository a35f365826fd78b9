"""What decides when a kernel's weights change: the paper's counter, or the calcium of a model file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor


class Astrocytes(Protocol):
    """One astrocyte for each kernel and image of a batch, from the first presentation on."""

    @property
    def settled(self) -> bool:
        """Whether what they said last is what they will say after any further presentation."""

    def observe(self, active: Tensor) -> Tensor:
        """See one presentation; ``active`` says, per image and kernel, whether u(y_j) = 1.

        Gives 1 where the astrocyte now reinforces, -1 where it weakens, 0 where it does neither.
        """


#: Makes the astrocytes of a batch, given mu.
Maker = Callable[[int], Astrocytes]


class Counter:
    """The count r_j of eqs 1 and 2, which stays once it has reached mu or -mu."""

    def __init__(self, mu: int):
        self._mu = mu
        self._count: Tensor | None = None

    @property
    def settled(self) -> bool:
        """Whether every count has reached mu or -mu."""
        return self._count is not None and bool((self._count.abs() == self._mu).all())

    def observe(self, active: Tensor) -> Tensor:
        """Count one presentation; see `Astrocytes`."""
        step = torch.where(active, 1, -1)
        if self._count is None:
            self._count = step
        else:
            self._count = torch.where(self._count.abs() < self._mu, self._count + step, self._count)
        return torch.sign(self._count) * (self._count.abs() == self._mu)
