"""The experiment of this paper: digits read by a network with the model's units in its hidden layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neuroglia_snn.catalog.schema import INTEGER, QUANTITY, TEXT
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments import Option, OwnProtocol

if TYPE_CHECKING:
    from neuroglia_snn import spec
    from neuroglia_snn.checks.findings import Reporter
    from neuroglia_snn.experiments.work import Work
    from neuroglia_snn.options import Options


class Classifier(OwnProtocol):
    """Train with sigmoid units, put the model's in, evaluate, train with them inside."""

    kind = "classifier"
    keys = {
        **dict.fromkeys(("population", "input", "output", "amplitude"), TEXT),
        **dict.fromkeys(("transient", "control"), QUANTITY),
        **dict.fromkeys(("samples", "base_epochs", "epochs"), INTEGER),
    }
    expressions = ("amplitude",)
    uses = OwnProtocol.uses | {"backend", "precision", "threads"}
    options = (
        Option("data", Path, "folder with MNIST's four IDX files", "DIR"),
        Option(
            "weights",
            Path,
            "weights.npz of an earlier run, to show on lava without training",
            "FILE",
        ),
        Option("test_images", int, "test images that are shown on lava (200)", "N", ("--images",)),
    )

    def check(self, reporter: Reporter) -> None:
        """A unit has the input and the output, and its answers fall on steps."""
        from neuroglia_snn.papers.fhn_classifier import requirements

        requirements.check(reporter)

    def identity(self, model: spec.Model, options: Options) -> dict:
        """See `neuroglia_snn.experiments.base.OwnProtocol`."""
        _refuse(model, options)
        import neuroglia_snn.backends.torch  # noqa: F401 - says what to install without torch
        from neuroglia_snn.datasets import mnist
        from neuroglia_snn.papers.fhn_classifier import parts, setup

        setup.read(model)
        asked = parts.data_identity(mnist(options.own.get("data")))
        if options.backend == "lava":
            from neuroglia_snn.papers.fhn_classifier import on_lava

            asked |= on_lava.identity(options)
        return asked

    def carry_out(self, model: spec.Model, options: Options, work: Work) -> dict:
        """See `neuroglia_snn.experiments.base.OwnProtocol`."""
        from neuroglia_snn.papers.fhn_classifier import model_run

        return model_run.run(model, options, work)


def _refuse(model: spec.Model, options: Options) -> None:
    """Options that mean nothing for a network that learns."""
    if options.backend not in ("auto", "lava"):
        raise UserError(
            f"'{model.name}' learns with torch; --backend lava shows what it has learnt there, and"
            f" '{options.backend}' cannot"
        )
    if options.backend == "auto":
        given = {"precision": options.precision, **options.own}
        for name in ("precision", "weights", "test_images"):
            if given.get(name) is not None:
                flag = name.replace("_", "-")
                raise UserError(f"--{flag} is for '{model.name}' on lava: add --backend lava")
