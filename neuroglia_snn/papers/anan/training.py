"""Training the base network as the paper does, and its answers as probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import Tensor, nn

from neuroglia_snn.errors import NumericalError

#: Training stops when the validation loss has not improved by `DELTA` over `PATIENCE` epochs
#: (sec. 3.2); the last weights are kept. Only so do the paper's base networks get losses as high as
#: 1.2 and 16: of overfitted networks.
DELTA, PATIENCE = 0.01, 30
BATCH = 64
LEARNING_RATE = 1e-3


def fit(
    network: nn.Module,
    training: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    epochs: int,
    generator: torch.Generator,
    progress: Callable[[float], None],
) -> int:
    """Train a network in place with Adam; the number of epochs it took.

    Parameters
    ----------
    network : module
        Gives logits: one column for two classes, else one for each class.
    training, validation : pair of tensors
        Images, float, (images, channels, rows, columns); labels, int64, (images,).
    epochs : int
        At most.
    generator : torch.Generator
        Of the order of the images.
    progress : callable
        Called after each epoch with the fraction done.

    Raises
    ------
    NumericalError
        If the loss is no longer finite.
    """
    images, labels = training
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    best, best_epoch = np.inf, 0
    for epoch in range(1, epochs + 1):
        network.train()
        for batch in torch.randperm(len(images), generator=generator).split(BATCH):
            optimiser.zero_grad()
            loss_of(network(images[batch]), labels[batch]).backward()
            optimiser.step()
        network.eval()
        loss = float(loss_of(logits(network, validation[0]), validation[1]))
        if not np.isfinite(loss):
            raise NumericalError(f"training failed: the validation loss is {loss} in epoch {epoch}")
        progress(epoch / epochs)
        if loss < best - DELTA:
            best, best_epoch = loss, epoch
        elif epoch - best_epoch >= PATIENCE:
            break
    return epoch


@torch.no_grad()
def logits(network: nn.Module, images: Tensor) -> Tensor:
    """What the network answers, batch by batch."""
    return torch.cat([network(batch) for batch in images.split(4 * BATCH)])


def loss_of(answers: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy: binary where the network has one output."""
    if answers.shape[1] == 1:
        return nn.functional.binary_cross_entropy_with_logits(answers[:, 0], labels.float())
    return nn.functional.cross_entropy(answers, labels)


#: What `scores` gives, in this order.
SCORES = ("loss", "accuracy", "f1")


def scores(answers: Tensor, labels: Tensor) -> np.ndarray:
    """Cross-entropy, accuracy and F1 of logits; F1 of the positive class, or the mean over classes.

    A class that is neither present nor answered has no F1 and is left out of the mean.
    """
    binary = answers.shape[1] == 1
    chosen = (answers[:, 0] > 0).long() if binary else answers.argmax(1)
    accuracy = (chosen == labels).double().mean()
    average = "binary" if binary else "macro"
    f1 = f1_score(labels.numpy(), chosen.numpy(), average=average, zero_division=0.0)
    return np.array([float(loss_of(answers, labels)), float(accuracy), f1])
