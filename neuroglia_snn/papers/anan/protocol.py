"""Cross-validation: networks trained on folds, their scores without and with astrocytes."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from neuroglia_snn.backends.base import Progress
from neuroglia_snn.experiments.work import Arrays, Work
from neuroglia_snn.papers.anan import grid
from neuroglia_snn.papers.anan.data import DataSet
from neuroglia_snn.papers.anan.module import require_finite
from neuroglia_snn.papers.anan.networks import ConvolutionalNetwork, SpikingNetwork
from neuroglia_snn.papers.anan.training import SCORES, fit, logits, scores

VARIANTS = {
    **{
        f"{change}-{activity}": grid.Variant(change, activity)
        for change in ("percentage", "literal")
        for activity in ("mean", "max")
    },
    "calcium-mean": grid.Variant(calcium=True),
    "calcium-max": grid.Variant(activity="max", calcium=True),
    "spiking-counter": grid.Variant(spiking=True),
    "spiking-calcium": grid.Variant(spiking=True, calcium=True),
}
#: Of the images, beside those that a network is trained on.
PARTS = ("validation", "test")
#: Share of a fold's time that a bar shows for training; the variants have the rest.
_TRAINING_SHARE = 0.6


def carry_out(
    images: DataSet, options: argparse.Namespace, names: list[str], work: Work
) -> xr.Dataset:
    """Every score of every fold.

    Returns
    -------
    Dataset
        ``base`` (seed, fold, variant, part, score): of the network that the variant modulates, where
        part is validation or test; ``modulated`` (the same, and point: of the grid, with coordinates
        k, mu, a, b); ``epochs`` (seed, fold, variant).
    """
    torch.set_num_threads(options.threads)
    kinds = {name: "spiking" if VARIANTS[name].spiking else "cnn" for name in names}
    seeds = range(options.seed, options.seed + options.seeds)
    shape = (len(seeds), options.folds, len(names))
    base = np.empty((*shape, 2, len(SCORES)))
    modulated = np.empty((*shape, 2, len(grid.GRID), len(SCORES)))
    epochs = np.empty(shape, int)
    for s, seed in enumerate(seeds):
        shown = work.watch(f"seed {seed}")
        parts = _folds(images, options.folds, seed)
        for fold, validation in enumerate(parts):
            pace = _Pace(shown, fold, options.folds, len(set(kinds.values())), len(names))
            task = _Task(images, validation, options, seed, fold, work)
            for kind in dict.fromkeys(kinds.values()):
                task.train(kind, pace.training())
            for v, name in enumerate(names):
                kind = kinds[name]
                base[s, fold, v], epochs[s, fold, v] = task.base(kind), task.epochs(kind)
                modulated[s, fold, v] = task.modulate(kind, name, pace.variant())
        shown(1.0, 0.0)
    dims = ("seed", "fold", "variant")
    return xr.Dataset(
        {
            "base": ((*dims, "part", "score"), base),
            "modulated": ((*dims, "part", "point", "score"), modulated),
            "epochs": (dims, epochs),
        },
        coords={
            "seed": list(seeds),
            "variant": names,
            "part": list(PARTS),
            "score": list(SCORES),
            **{
                name: ("point", [getattr(point, name) for point in grid.GRID])
                for name in grid.Point._fields
            },
        },
    )


class _Task:
    """One fold: its images, and the networks trained on them."""

    def __init__(
        self,
        images: DataSet,
        validation: np.ndarray,
        options: argparse.Namespace,
        seed: int,
        fold: int,
        work: Work,
    ):
        self._options, self._seed, self._fold, self._work = options, seed, fold, work
        self._outputs = 1 if len(images.classes) == 2 else len(images.classes)
        training = ~(images.test | validation)
        self._parts = {
            name: (_to_tensor(images.images[chosen]), torch.from_numpy(images.labels[chosen]))
            for name, chosen in (
                ("training", training),
                ("validation", validation),
                ("test", images.test),
            )
        }
        self._trained: dict[str, Arrays] = {}

    def train(self, kind: str, progress: Callable[[float], None]) -> None:
        """Train the network of a kind, or take the one trained before an interruption."""

        def compute() -> Arrays:
            network = self._network(kind)
            generator = torch.Generator().manual_seed(self._number)
            training, validation = self._parts["training"], self._parts["validation"]
            epochs = fit(network, training, validation, self._options.epochs, generator, progress)
            require_finite(network)
            weights = {f"network.{n}": v.numpy() for n, v in network.state_dict().items()}
            answers = {part: logits(network, self._parts[part][0]).numpy() for part in PARTS}
            return {**weights, **answers, "epochs": np.array(epochs)}

        self._trained[kind] = self._work.part(f"{self._name}-{kind}", compute)
        progress(1.0)

    def base(self, kind: str) -> np.ndarray:
        """Scores of the network of a kind on validation and test images, (2, scores)."""
        return np.stack(
            [
                scores(torch.from_numpy(self._trained[kind][part]), self._parts[part][1])
                for part in PARTS
            ]
        )

    def epochs(self, kind: str) -> int:
        """How long the network of a kind was trained."""
        return int(self._trained[kind]["epochs"])

    def modulate(self, kind: str, name: str, progress: Callable[[float], None]) -> np.ndarray:
        """The same at every point of the grid, (2, points, scores)."""

        def compute() -> Arrays:
            network = self._network(kind)
            trained = self._trained[kind]
            network.load_state_dict(
                {n: torch.from_numpy(trained[f"network.{n}"]) for n in network.state_dict()}
            )
            network.eval()
            images = torch.cat([self._parts[part][0] for part in PARTS])
            answers = grid.answers(network, self._options.layer, images, VARIANTS[name], progress)
            held = len(self._parts[PARTS[0]][1])
            both = zip(PARTS, (answers[:, :held], answers[:, held:]), strict=True)
            return {
                part: np.stack([scores(one, self._parts[part][1]) for one in found])
                for part, found in both
            }

        found = self._work.part(f"{self._name}-{name}", compute)
        progress(1.0)
        return np.stack([found[part] for part in PARTS])

    @property
    def _name(self) -> str:
        return f"seed{self._seed}-fold{self._fold}"

    @property
    def _number(self) -> int:
        """A seed of this fold's own."""
        sequence = np.random.SeedSequence([self._seed, self._fold])
        return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))

    def _network(self, kind: str) -> nn.Module:
        torch.manual_seed(self._number)
        images = self._parts["test"][0]
        options = self._options
        make = SpikingNetwork if kind == "spiking" else ConvolutionalNetwork
        return make(
            images.shape[1],
            images.shape[2],
            self._outputs,
            kernel=options.kernel,
            blocks=options.blocks,
            width=options.width,
        )


def _to_tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def _folds(images: DataSet, count: int, seed: int) -> list[np.ndarray]:
    """Masks of the validation images of each fold, every class dealt out evenly."""
    generator = np.random.default_rng(seed)
    fold = np.full(len(images.labels), -1)
    for label in range(len(images.classes)):
        members = generator.permutation(np.flatnonzero((images.labels == label) & ~images.test))
        fold[members] = np.arange(len(members)) % count
    return [fold == n for n in range(count)]


class _Pace:
    """One bar for all folds of a seed."""

    def __init__(self, shown: Progress, fold: int, folds: int, kinds: int, variants: int):
        self._shown, self._fold, self._folds = shown, fold, folds
        self._shares = (_TRAINING_SHARE / kinds, (1 - _TRAINING_SHARE) / variants)
        self._done = 0.0

    def training(self) -> Callable[[float], None]:
        """Follows the training of one network."""
        return self._next(self._shares[0])

    def variant(self) -> Callable[[float], None]:
        """Follows one variant."""
        return self._next(self._shares[1])

    def _next(self, share: float) -> Callable[[float], None]:
        before = self._done
        self._done += share

        def update(fraction: float) -> None:
            done = min(before + share * fraction, 0.999)
            self._shown((self._fold + done) / self._folds, 0.0)

        return update
