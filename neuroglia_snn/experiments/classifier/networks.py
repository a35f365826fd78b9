"""The layers around the hidden units, and what stands in the units' place while they learn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from neuroglia_snn.experiments.classifier.response import Table

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
    slope : {"dynamics", "sigmoid"}
        What goes backward. ``dynamics``: the derivative of the forward pass through the unit's own
        dynamics, as backpropagation through time gives it, from the table. ``sigmoid``: the paper's,
        of a sigmoid unit in the place of the model's.
    """

    def __init__(self, table: Table, alpha: float, slope: str = "dynamics"):
        self.table, self.alpha, self.slope = table, alpha, slope
        self.means = torch.sigmoid(table.values).mean(1)

    def __call__(self, weighted: torch.Tensor) -> torch.Tensor:
        u = torch.tanh(weighted)
        i, part = self.table.place(self.alpha * u)
        exact = torch.lerp(self.means[i], self.means[i + 1], part)
        if self.slope == "dynamics":
            return exact
        stand_in = torch.sigmoid(u)
        return stand_in + (exact - stand_in).detach()
