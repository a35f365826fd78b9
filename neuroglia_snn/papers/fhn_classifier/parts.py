"""Parts of the work that both the paper's study and a model's run are made of, each done once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import snntorch
import torch

from neuroglia_snn import checkpoint
from neuroglia_snn.datasets import Digits
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.papers.fhn_classifier import evaluation, setup
from neuroglia_snn.papers.fhn_classifier.networks import Hidden, Network, Response
from neuroglia_snn.papers.fhn_classifier.response import Table, tabulate
from neuroglia_snn.papers.fhn_classifier.training import Data, Recipe, fit

#: How W_out reads a unit's output x: as it is (eq. 3), or through the sigmoid layer of section 4.
Read = Callable[[torch.Tensor], torch.Tensor]


def data_identity(digits: Digits) -> dict:
    """What tells one data set from another, for the summary."""
    return {
        "data": digits.source,
        "data_digest": digits.digest,
        "training_images": len(digits.train.labels),
        "test_images": len(digits.test.labels),
    }


def versions() -> dict[str, str]:
    """Of the packages that numbers depend on."""
    return {"torch": torch.__version__, "snntorch": snntorch.__version__}


@dataclass(frozen=True)
class Parts:
    """The classifier of a model file, its images, and the folder that keeps finished parts."""

    work: Work
    setup: setup.Setup
    digits: Digits

    @property
    def train(self) -> Data:
        """Training images as tensors."""
        return setup.tensors(self.digits.train)

    @property
    def test(self) -> Data:
        """Test images as tensors."""
        return setup.tensors(self.digits.test)

    def kept(self, name: str) -> Path:
        """File of a training's checkpoint."""
        return self.work.folder / checkpoint.FOLDER / "trainings" / f"{name}.pt"

    def base(self, seed: int, train: Data, test: Data) -> tuple[Network, list[dict[str, float]]]:
        """The network with sigmoid units, trained; its accuracy after every epoch."""
        fresh = setup.network(self.setup, torch.sigmoid, self.digits, seed)
        return self._fit(f"base-{seed}", fresh, train, test, self.setup.base, seed)

    def inside(
        self,
        name: str,
        table: Table,
        recipe: Recipe,
        seed: int,
        train: Data,
        test: Data,
        slope: str = "mean",
    ) -> tuple[Network, list[dict[str, float]]]:
        """A network trained with the model's units inside; its accuracies after every epoch."""
        response = Response(table, self.setup.alpha, slope)
        fresh = setup.network(self.setup, response, self.digits, seed)
        return self._fit(name, fresh, train, test, recipe, seed)

    def baseline(
        self, hidden: Hidden, recipe: Recipe, seed: int, train: Data, test: Data
    ) -> tuple[Network, list[dict[str, float]]]:
        """A network with other units, trained; its accuracy after every epoch."""
        fresh = setup.network(self.setup, hidden, self.digits, seed)
        return self._fit(f"baseline-{seed}", fresh, train, test, recipe, seed)

    def _fit(
        self, name: str, fresh: Network, train: Data, test: Data, recipe: Recipe, seed: int
    ) -> tuple[Network, list[dict[str, float]]]:
        def measure(network: Network) -> dict[str, float]:
            sets = {"train": train, "test": test}
            return {
                f"{k}_accuracy": evaluation.accuracy(
                    evaluation.predict(network, d.images), d.labels
                )
                for k, d in sets.items()
            }

        watch = self.work.watch(f"training {name}")
        curves = fit(fresh, train, recipe, seed, self.kept(name), measure, watch)
        return fresh, curves

    def table(self, amplitude: float) -> Table:
        """The unit's response to every input up to an amplitude."""

        def compute() -> Mapping[str, np.ndarray]:
            watch = self.work.watch("response of the unit")
            found = tabulate(
                self.setup.system, self.setup.protocol, -amplitude, amplitude, progress=watch
            )
            return {
                "inputs": found.inputs.numpy(),
                "values": found.values.numpy(),
                "accuracy": np.array([found.tolerance, found.unresolved]),
            }

        a = self.work.part(f"table-{amplitude:g}", compute)
        tolerance, unresolved = a["accuracy"].tolist()
        inputs, values = torch.from_numpy(a["inputs"]), torch.from_numpy(a["values"])
        return Table(inputs, values, tolerance, unresolved)

    def answers(
        self,
        name: str,
        network: Network,
        table: Table,
        alpha: float,
        data: Data,
        read: Read = lambda x: x,
    ) -> torch.Tensor:
        """Classes of images by the class that holds longest, from the table."""

        def compute() -> Mapping[str, np.ndarray]:
            watch = self.work.watch(name)
            outputs = table.outputs
            found = evaluation.classify(network, data.images, outputs, alpha, read, watch)
            return {"found": found.numpy()}

        return torch.from_numpy(self.work.part(f"answers-{name}", compute)["found"])

    def agreement(
        self, network: Network, table: Table, images: torch.Tensor, read: Read
    ) -> dict[str, float]:
        """The table against direct integration of every unit of some images."""
        alpha = self.setup.alpha
        with torch.inference_mode():
            inputs = alpha * torch.tanh(network.w_in(images))
        direct = evaluation.directly(self.setup.system, self.setup.protocol, substeps=2)(inputs)
        difference = (table.outputs(inputs) - direct).abs().amax(2)
        by_table = evaluation.classify(network, images, table.outputs, alpha, read)
        found = evaluation.classify(
            network, images, lambda _: direct, alpha, read, batch=len(images)
        )
        return {
            "check_images": len(images),
            "check_same_class": evaluation.accuracy(by_table, found),
            "check_difference_median": float(difference.median()),
            "check_difference_99_percent": float(torch.quantile(difference, 0.99)),
            "check_difference_largest": float(difference.max()),
        }
