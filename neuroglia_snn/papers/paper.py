"""Papers whose every figure is made of runs of catalogue models: their flags, and how they are carried out.

Such a paper is an object of `Paper` in a package that imports nothing heavy, and a module ``study`` in it
with a function ``figures(quick)``, which gives a `neuroglia_snn.papers.figures.Figure` for each name.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuroglia_snn.experiments.work import Work
    from neuroglia_snn.papers.figures import Figure


@dataclass(frozen=True)
class Paper:
    """A plug-in as `neuroglia_snn.experiments.work.Paper` describes it.

    Attributes
    ----------
    name : str
        As ``neuroglia reproduce`` takes it.
    TITLE : str
    figures : names of its figures, in the paper's order
    package : str
        Where its module ``study`` is.
    quick : str
        What ``--quick`` leaves out.
    """

    name: str
    TITLE: str
    figures: tuple[str, ...]
    package: str
    quick: str

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """``--figure`` and ``--quick``."""
        parser.add_argument(
            "--figure",
            action="append",
            default=[],
            metavar="FIGURE",
            help=f"{', '.join(self.figures)} or all (default); may be repeated",
        )
        parser.add_argument("--quick", action="store_true", help=self.quick)

    def identity(self, options: argparse.Namespace) -> dict:
        """See `neuroglia_snn.experiments.work.Paper`."""
        from neuroglia_snn.papers import figures

        return figures.identity(self._wanted(options), options)

    def reproduce(self, options: argparse.Namespace, work: Work) -> dict:
        """See `neuroglia_snn.experiments.work.Paper`."""
        from neuroglia_snn.papers import figures
        from neuroglia_snn.papers.jobs import Setting

        setting = Setting(work, options.seed, resume=options.resume, force=options.force)
        quick = ["--quick"] if options.quick else []
        flags = ["--seed", str(options.seed), *quick]
        return figures.carry_out(self.name, self._wanted(options), setting, lambda _: flags)

    def _wanted(self, options: argparse.Namespace) -> Mapping[str, Figure]:
        from neuroglia_snn.papers import figures

        study = import_module(f"{self.package}.study")
        return figures.wanted(study.figures(options.quick), options.figure)
