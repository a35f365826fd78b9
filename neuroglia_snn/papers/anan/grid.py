"""The answers of a trained network at every point of the paper's parameter grid."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from neuroglia_snn.papers.anan.astrocytes import Counter, Maker
from neuroglia_snn.papers.anan.calcium import Calcium, CalciumModel
from neuroglia_snn.papers.anan.module import (
    AstrocyteModulated,
    answering,
    presentations,
    watched_layer,
)
from neuroglia_snn.papers.anan.response import CHANGES, Response
from neuroglia_snn.papers.anan.training import BATCH, logits


class Point(NamedTuple):
    """Astrocytic parameters."""

    k: int
    mu: int
    a: float
    b: float


KS, MUS = (4, 5, 6, 7, 8), (2, 3, 4)
AS, BS = (1.05, 1.20, 1.35, 1.50), (0.05, 0.20, 0.35, 0.50)
#: Sec. 3.3.3.
GRID = tuple(Point(*values) for values in itertools.product(KS, MUS, AS, BS))


@dataclass(frozen=True)
class Variant:
    """One way to read the paper, or another astrocyte in its place."""

    change: str = "percentage"
    activity: str = "mean"
    calcium: bool = False
    spiking: bool = False

    @property
    def astrocytes(self) -> Maker:
        """Makes the astrocytes of a batch."""
        if not self.calcium:
            return Counter
        return functools.partial(Calcium, model=_calcium_model())


@functools.cache
def _calcium_model() -> CalciumModel:
    """The catalogue's astrocyte; what it has integrated once, it knows."""
    return CalciumModel.of()


def answers(
    network: nn.Module,
    layer: str,
    images: Tensor,
    variant: Variant,
    progress: Callable[[float], None],
) -> Tensor:
    """Logits at every point of the grid, (points, images, outputs)."""
    if variant.spiking:
        return _spiking_answers(network, layer, images, variant, progress)
    found = []
    for start in range(0, len(images), BATCH):
        found.append(_batch_answers(network, layer, images[start : start + BATCH], variant))
        progress(min(1.0, (start + BATCH) / len(images)))
    return torch.cat(found, dim=1)


def _spiking_answers(
    network: nn.Module,
    layer: str,
    images: Tensor,
    variant: Variant,
    progress: Callable[[float], None],
) -> Tensor:
    found = []
    for number, point in enumerate(GRID, start=1):
        modulated = AstrocyteModulated(
            network,
            layer,
            *point,
            change=variant.change,
            spikes=layer.replace("conv", "lif"),
            astrocytes=variant.astrocytes,
        )
        found.append(logits(modulated, images))
        progress(number / len(GRID))
    return torch.stack(found)


@torch.no_grad()
def _batch_answers(network: nn.Module, layer: str, images: Tensor, variant: Variant) -> Tensor:
    """As `answers`, of one batch: each distinct set of weights of an image is tried once."""
    watched = watched_layer(network, layer)
    response = _response(network, watched, images)
    gains = torch.stack(list(_gains(response, variant)))  # (points, 2, images, kernels)
    found = []
    for n in range(len(images)):
        distinct, which = _distinct(gains[:, :, n])
        output = response.select(slice(n, n + 1)).output(distinct.movedim(1, 0))
        with watched.register_forward_hook(lambda *_, output=output: output):
            found.append(network(images[n : n + 1])[which])
    return torch.stack(found, dim=1)


def _distinct(rows: Tensor) -> tuple[Tensor, list[int]]:
    """The different rows, and which of them each row is."""
    known: dict[bytes, int] = {}
    which = [known.setdefault(row.tobytes(), len(known)) for row in rows.numpy()]
    return rows[[which.index(n) for n in range(len(known))]], which


def _response(network: nn.Module, layer: nn.Module, images: Tensor) -> Response:
    """What the layer gives for these images."""
    seen: list[Response] = []

    def look(response: Response) -> Tensor:
        seen.append(response)
        return response.output(response.start())

    with answering(layer, look):
        network(images)
    return seen[-1]


def _gains(response: Response, variant: Variant) -> Iterator[Tensor]:
    """The gains of every point, in the grid's order; one course serves every k."""
    courses = {}
    maker = variant.astrocytes
    for mu, a, b in itertools.product(MUS, AS, BS):
        z = CHANGES[variant.change](a, b)
        courses[mu, a, b] = list(presentations(response, maker(mu), max(KS), z, variant.activity))
    for point in GRID:
        yield courses[point[1:]][point.k - 1]
