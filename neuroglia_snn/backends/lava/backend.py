"""The backend classes: a request as a network of Lava processes, and what they leave as an outcome."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.backends.fused import FusedBackend
from neuroglia_snn.lava import compat


class LavaBackend(FusedBackend):
    """One process a population, with many numerical steps in a Lava step."""

    name = "lava"
    target = "lava"
    precisions: tuple[str, ...] = ("float64", "fixed")
    threaded = False

    def unsupported(self, model: spec.Model) -> str | None:
        """It runs every model of the format; Lava must be there, and a compiler."""
        return compat.missing() or super().unsupported(model)

    def run(self, request: Request) -> Outcome:
        """Run in processes of their own.

        Raises
        ------
        BackendError
            Where Lava or a compiler is missing, or a process fails.
        NumericalError
            Where the integration overflows.
        """
        outcome = super().run(request)
        versions = {**outcome.versions, "lava-nc": metadata.version("lava-nc")}
        return replace(outcome, versions=versions)


class LavaMessagesBackend(LavaBackend):
    """As on hardware: every connection a process, too, and one numerical step in a Lava step."""

    name = "lava-messages"
    target = "lava-messages"
