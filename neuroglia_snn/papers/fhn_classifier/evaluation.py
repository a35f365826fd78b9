"""Answers of a network with a model's units inside: the class that holds longest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from neuroglia_snn.backends.base import Progress
from neuroglia_snn.backends.torch import System
from neuroglia_snn.papers.fhn_classifier.networks import Network
from neuroglia_snn.papers.fhn_classifier.response import Protocol, integrate

#: Images at a time: their outputs over time stay in a core's cache.
_BATCH = 32

#: Output over time, (*shape, samples), of units with constant inputs of that shape.
Outputs = Callable[[torch.Tensor], torch.Tensor]


@torch.inference_mode()
def predict(network: Network, images: torch.Tensor, batch: int = 10_000) -> torch.Tensor:
    """Classes of a network without dynamics, by the largest score."""
    return torch.cat([network(part).argmax(1) for part in images.split(batch)])


@torch.inference_mode()
def winners(
    network: Network,
    images: torch.Tensor,
    outputs: Outputs,
    alpha: float,
    read: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
) -> torch.Tensor:
    """Class with the largest output at every sample time, (images, samples).

    Parameters
    ----------
    network : gives the weights
    images : (n, pixels)
    outputs : of the hidden units; a table's, or by direct integration
    alpha : float
        I = alpha*tanh(W_in^T u), eq. 2.
    read : callable
        What W_out sees of a unit's output: itself (eq. 3), or `torch.sigmoid` (section 4).
    """
    inputs = alpha * torch.tanh(network.w_in(images))
    over_time = read(outputs(inputs))  # images, units, samples
    return torch.matmul(network.w_out.weight, over_time).argmax(1)


def longest(winners: torch.Tensor, classes: int) -> torch.Tensor:
    """The class that wins at most sample times, for each image."""
    held = torch.zeros(len(winners), classes, dtype=torch.int32)
    held.scatter_add_(1, winners, torch.ones_like(winners, dtype=torch.int32))
    return held.argmax(1)


def classify(
    network: Network,
    images: torch.Tensor,
    outputs: Outputs,
    alpha: float,
    read: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
    progress: Progress | None = None,
    batch: int = _BATCH,
) -> torch.Tensor:
    """Class of every image: the one that holds longest (section 3); arguments as of `winners`."""
    classes = network.w_out.out_features
    found = []
    with _one_thread():
        for done, part in enumerate(images.split(batch), 1):
            found.append(longest(winners(network, part, outputs, alpha, read), classes))
            if progress:
                progress(min(1.0, done * batch / len(images)), 0.0)
    return torch.cat(found)


@contextmanager
def _one_thread() -> Iterator[None]:
    """For batches so small that threads wait for each other: up to 20 times longer on busy cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def directly(system: System, protocol: Protocol, substeps: int = 1) -> Outputs:
    """Outputs by integrating every unit of every image."""

    def outputs(inputs: torch.Tensor) -> torch.Tensor:
        return integrate(system, protocol, inputs.double(), substeps).to(inputs.dtype)

    return outputs


def accuracy(found: torch.Tensor, labels: torch.Tensor) -> float:
    """Fraction that is right."""
    return float((found == labels).double().mean())


def per_class(found: torch.Tensor, labels: torch.Tensor, classes: int = 10) -> np.ndarray:
    """Fraction that is right of each class; NaN for a class without images."""
    right = torch.bincount(labels[found == labels], minlength=classes).numpy()
    with np.errstate(invalid="ignore"):
        return right / torch.bincount(labels, minlength=classes).numpy()


def confusion(found: torch.Tensor, labels: torch.Tensor, classes: int = 10) -> np.ndarray:
    """Images of each class (rows) by the answer (columns)."""
    pairs = torch.bincount(labels * classes + found, minlength=classes**2)
    return pairs.reshape(classes, classes).numpy()
