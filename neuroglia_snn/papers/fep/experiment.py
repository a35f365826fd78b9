"""The experiments of this paper: the canonical network, and a spiking culture that organises itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroglia_snn.catalog.schema import INTEGER, QUANTITY, TEXT
from neuroglia_snn.experiments import OwnProtocol

if TYPE_CHECKING:
    from neuroglia_snn import spec
    from neuroglia_snn.checks.findings import Reporter
    from neuroglia_snn.experiments.work import Work
    from neuroglia_snn.options import Options

#: Parameters that a canonical network is made from.
CANONICAL = ("mixing", "excitability", "insensitivity", "preference")


class _Learning(OwnProtocol):
    def identity(self, model: spec.Model, options: Options) -> dict:
        """See `neuroglia_snn.experiments.base.OwnProtocol`."""
        from neuroglia_snn.papers.fep import models

        return models.identity(model, options)

    def carry_out(self, model: spec.Model, options: Options, work: Work) -> dict:
        """See `neuroglia_snn.experiments.base.OwnProtocol`."""
        from neuroglia_snn.papers.fep import models

        return models.run(model, options, work)


class CanonicalNetwork(_Learning):
    """A canonical neural network that learns the sources of its input (eqs 1-6)."""

    kind = "canonical-network"
    keys = {"trials": INTEGER}

    def check(self, reporter: Reporter) -> None:
        """The equations are those of the catalogue's canonical network."""
        from neuroglia_snn.papers.fep import requirements

        requirements.check_canonical(reporter)


class SelfOrganisation(_Learning):
    """A spiking culture under stimulation, analysed as the paper analyses recorded ones."""

    kind = "self-organisation"
    uses = OwnProtocol.uses | {"backend", "threads"}
    keys = {
        **dict.fromkeys(("sources", "stimuli", "responses"), TEXT),
        "trial": QUANTITY,
        "trials": INTEGER,
    }

    def check(self, reporter: Reporter) -> None:
        """Spikes of sources, stimuli and responses are recorded, for a session at least."""
        from neuroglia_snn.papers.fep import requirements

        requirements.check_culture(reporter)
