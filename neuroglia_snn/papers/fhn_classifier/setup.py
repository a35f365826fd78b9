"""What a model file with ``[experiment] kind = "classifier"`` asks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from neuroglia_snn import spec
from neuroglia_snn.backends.torch import System
from neuroglia_snn.backends.torch.neuron import require_variable
from neuroglia_snn.datasets import Digits, Split
from neuroglia_snn.errors import UserError
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.papers.fhn_classifier.networks import Hidden, Network
from neuroglia_snn.papers.fhn_classifier.response import Protocol
from neuroglia_snn.papers.fhn_classifier.training import Data, Recipe

CLASSES = 10


@dataclass(frozen=True)
class Setup:
    """A classifier read from a model file.

    ``alpha`` is the range of the units' input; ``base`` and ``inside`` are how the network learns with
    sigmoid units and with the model's.
    """

    system: System
    protocol: Protocol
    units: int
    alpha: float
    base: Recipe
    inside: Recipe


def read(model: spec.Model) -> Setup:
    """The classifier of a model file.

    Raises
    ------
    UserError
        If the file lacks something or its times do not fit.
    """
    e = model.experiment
    system = System(model, str(e["population"]))
    who = f"the experiment of '{model.name}'"
    require_variable("input", str(e["input"]), system.inputs, who)
    require_variable("output", str(e["output"]), system.variables, who)
    for key in ("samples", "base_epochs", "epochs"):
        if e[key] < 1:
            raise UserError(f"{who}: {key} is a whole number from 1 on, not {e[key]}")
    protocol = Protocol(
        str(e["input"]), str(e["output"]), e["transient"], e["control"], e["samples"]
    )
    protocol.steps(system.dt)
    values = {name: p.value.si for name, p in model.parameters.items()}
    unknown = algebra.names(str(e["amplitude"])) - set(values)
    if unknown:
        raise UserError(f"{who}: amplitude names '{min(unknown)}', which is no parameter")
    alpha = expressions.evaluate(str(e["amplitude"]), values)
    if not np.isfinite(alpha) or alpha == 0:
        raise UserError(f"{who}: amplitude = {alpha:g}; it must be finite and not zero")
    return Setup(
        system,
        protocol,
        system.population.size,
        alpha,
        Recipe(int(e["base_epochs"])),
        Recipe(int(e["epochs"])),
    )


def tensors(split: Split) -> Data:
    """Images as rows of grey values from 0 to 1."""
    images = torch.from_numpy(split.images.reshape(len(split.images), -1) / np.float32(255))
    return Data(images, torch.from_numpy(split.labels.astype(np.int64)))


def network(setup: Setup, hidden: Hidden, digits: Digits, seed: int) -> Network:
    """A fresh network for these images."""
    pixels = int(np.prod(digits.train.images.shape[1:]))
    if digits.test.images.shape[1:] != digits.train.images.shape[1:]:
        raise UserError(
            f"{digits.source}: test images are {digits.test.images.shape[1:]} pixels, training"
            f" images {digits.train.images.shape[1:]}"
        )
    return Network(hidden, pixels, setup.units, CLASSES, seed)


def balanced(split: Split, each: int, seed: int) -> Split:
    """``each`` images of every class, chosen by the seed (all of them where there are fewer)."""
    order = np.random.default_rng(seed).permutation(len(split.labels))
    chosen = [order[split.labels[order] == digit][:each] for digit in range(CLASSES)]
    return split.take(np.sort(np.concatenate(chosen)))
