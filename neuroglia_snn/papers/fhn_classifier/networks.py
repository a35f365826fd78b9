"""The layers around the hidden units, and what stands in the units' place while they learn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from neuroglia_snn.papers.fhn_classifier.response import Table

#: What the hidden layer makes of its weighted input; shape in, shape out.
Hidden = Callable[[torch.Tensor], torch.Tensor]


class Network(nn.Module):
    """Pixels - hidden units - classes, with the weights W_in and W_out and no biases (section 1).

    Parameters
    ----------
    hidden : callable
        From the weighted input W_in^T u, (batch, units), to what W_out reads: `torch.sigmoid` for the
        base network, a `Response` with a model's units inside.
    """

    def __init__(self, hidden: Hidden, pixels: int, units: int, classes: int, seed: int):
        super().__init__()
        self.hidden = hidden
        self.w_in = nn.Linear(pixels, units, bias=False)
        self.w_out = nn.Linear(units, classes, bias=False)
        generator = torch.Generator().manual_seed(seed)
        for layer in (self.w_in, self.w_out):
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores (batch, classes) of images (batch, pixels) with grey values 0 to 1."""
        return self.w_out(self.hidden(self.w_in(images)))


class Response:
    """Mean over the control time of sigmoid(x(t)), x the output of units with I = alpha*tanh(z).

    What the paper's layers 1 to 3 are to the classes in the mean (section 4).

    Parameters
    ----------
    table : of the unit
    alpha : float
    slope : {"mean", "exact", "sigmoid"}
        What goes backward. ``exact``: the derivative through the unit's own dynamics, which is what
        backpropagation through time gives; it is rugged where units oscillate, because the moments
        of their jumps shift with the input. ``mean``: that derivative's mean over inputs up to
        ``reach`` away. ``sigmoid``: the paper's, of a sigmoid unit in the place of the model's.
    reach : float
        Part of ``|alpha|``.
    """

    def __init__(self, table: Table, alpha: float, slope: str = "mean", reach: float = 0.1):
        self.table, self.alpha, self.slope = table, alpha, slope
        self.reach = reach * abs(alpha)
        self.means = torch.sigmoid(table.values).mean(1)

    def __call__(self, weighted: torch.Tensor) -> torch.Tensor:
        u = torch.tanh(weighted)
        inputs = self.alpha * u
        response = self.mean(inputs)
        if self.slope == "exact":
            return response
        if self.slope == "sigmoid":
            return _backward(response, torch.sigmoid(u))
        with torch.no_grad():
            rise = self.mean(inputs + self.reach) - self.mean(inputs - self.reach)
        return _backward(response, inputs * rise / (2 * self.reach))

    def mean(self, inputs: torch.Tensor) -> torch.Tensor:
        """Mean of sigmoid(x(t)) over the control time for constant inputs, of any shape."""
        i, part = self.table.place(inputs)
        return torch.lerp(self.means[i], self.means[i + 1], part)


def _backward(value: torch.Tensor, stand_in: torch.Tensor) -> torch.Tensor:
    """``value`` going forward, the gradient of ``stand_in`` going backward."""
    return stand_in + (value - stand_in).detach()
