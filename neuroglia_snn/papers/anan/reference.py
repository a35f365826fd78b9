"""The paper's procedure word for word: one image at a time, weights written and put back.

Slow; what tests and the benchmark hold `AstrocyteModulated` against.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuroglia_snn.papers.anan.module import watched_layer


@torch.no_grad()
def answer(
    model: nn.Module,
    layer: str,
    images: Tensor,
    k: int,
    mu: int,
    a: float,
    b: float,
    change: str = "percentage",
    activity: str = "mean",
) -> Tensor:
    """What the network answers to each image of a batch at its k-th presentation.

    Parameters are those of `AstrocyteModulated`. The layer's weights are the original ones
    afterwards, whatever happens.
    """
    watched = watched_layer(model, layer)
    return torch.cat(
        [_one(model, watched, i, k, mu, a, b, change, activity) for i in images.split(1)]
    )


def _one(
    model: nn.Module,
    layer: nn.Module,
    image: Tensor,
    k: int,
    mu: int,
    a: float,
    b: float,
    change: str,
    activity: str,
) -> Tensor:
    weight: Tensor = layer.weight  # type: ignore[assignment]
    original = weight.clone()
    seen: list[Tensor] = []
    hook = layer.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    count = [0] * len(weight)
    try:
        for t in range(1, k + 1):
            answered = model(image)
            for j, y in enumerate(_outputs(layer, seen.pop())):
                number = float(y.mean() if activity == "mean" else y.max())
                count[j] = _counted(count[j], 1 if number > 0 else -1, mu, first=t == 1)
                weight[j] += weight[j].abs() * _z(count[j], mu, a, b, change)
        return answered
    finally:
        hook.remove()
        weight.copy_(original)


def _outputs(layer: nn.Module, output: Tensor) -> Tensor:
    """The map of every kernel."""
    return output[0].movedim(-1, 0) if isinstance(layer, nn.Linear) else output[0]


def _counted(r: int, u: int, mu: int, first: bool) -> int:
    """Eq. 2."""
    if first:
        return u
    return r + u if -mu < r < mu else r


def _z(r: int, mu: int, a: float, b: float, change: str) -> float:
    """Eq. 3 in either reading."""
    if r == mu:
        return a if change == "literal" else a - 1
    if r == -mu:
        return -b
    return 1.0 if change == "literal" else 0.0
