"""Training that shows its progress, goes on after an interruption, and repeats by its seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from neuroglia_snn.backends.base import Progress
from neuroglia_snn.errors import ResultError

Trained = TypeVar("Trained", bound=nn.Module)


@dataclass(frozen=True)
class Recipe:
    """How a network learns: ``loss`` is cross-entropy or squared-error, ``optimiser`` adam or sgd."""

    epochs: int
    rate: float = 1e-3
    batch: int = 100
    optimiser: str = "adam"
    loss: str = "cross-entropy"


@dataclass(frozen=True)
class Data:
    """Images (n, pixels), float32 from 0 to 1, and labels (n,), int64."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


def fit(
    network: Trained,
    data: Data,
    recipe: Recipe,
    seed: int,
    checkpoint: Path | None = None,
    measure: Callable[[Trained], dict[str, float]] | None = None,
    progress: Progress | None = None,
) -> list[dict[str, float]]:
    """Train a network in place.

    The order of images in each epoch depends on the seed and the epoch alone, so training goes on
    from a checkpoint to the same result as without the interruption.

    Parameters
    ----------
    network : gives scores (batch, classes)
    data : to train on
    recipe : how
    seed : of the order of the images
    checkpoint : path, optional
        File that keeps the state after every epoch; where it is there already, training goes on.
    measure : callable, optional
        Called with the network after every epoch; its numbers join that epoch's.

    Returns
    -------
    list of dict
        For every epoch its mean ``loss`` while learning, and what ``measure`` gave.
    """
    optimiser = _optimiser(network, recipe)
    curves: list[dict[str, float]] = []
    if checkpoint is not None and checkpoint.exists():
        curves = _load(checkpoint, network, optimiser, recipe, seed)
    for epoch in range(len(curves), recipe.epochs):
        order = torch.Generator().manual_seed(1_000_003 * seed + epoch)
        total = 0.0
        network.train()
        for chosen in torch.randperm(len(data), generator=order).split(recipe.batch):
            loss = _loss(recipe, network(data.images[chosen]), data.labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(chosen)
        network.eval()
        curves.append({"loss": total / len(data), **(measure(network) if measure else {})})
        if checkpoint is not None:
            _save(checkpoint, network, optimiser, recipe, seed, curves)
        if progress:
            progress((epoch + 1) / recipe.epochs, 0.0)
    return curves


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    return kinds[recipe.optimiser](network.parameters(), lr=recipe.rate)


def _loss(recipe: Recipe, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    if recipe.loss == "cross-entropy":
        return nn.functional.cross_entropy(scores, labels)
    wanted = nn.functional.one_hot(labels, scores.shape[1]).to(scores.dtype)
    return ((scores - wanted) ** 2).sum(1).mean()


def _save(path: Path, network, optimiser, recipe: Recipe, seed: int, curves: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    state = {"network": network.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(state | {"recipe": asdict(recipe), "seed": seed, "curves": curves}, partial)
    partial.replace(path)


def _load(path: Path, network, optimiser, recipe: Recipe, seed: int) -> list[dict[str, float]]:
    try:
        state = torch.load(path, weights_only=True)
        if (state["recipe"], state["seed"]) != (asdict(recipe), seed):
            raise ValueError("another training")
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    except Exception as error:
        raise ResultError(
            f"{path} is no checkpoint of this training ({type(error).__name__}): start anew"
        ) from None
    return state["curves"]
