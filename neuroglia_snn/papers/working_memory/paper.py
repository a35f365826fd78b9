"""``neuroglia reproduce working-memory`` and ``situation-memory``: their names and flags."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from neuroglia_snn.papers.flags import add_workers
from neuroglia_snn.papers.working_memory import forms

if TYPE_CHECKING:
    from neuroglia_snn.experiments.work import Work
    from neuroglia_snn.papers import figures

Form = TypeVar("Form", forms.Form, forms.SituationForm)


@dataclass(frozen=True)
class Memory(Generic[Form]):
    """A plug-in as `neuroglia_snn.experiments.work.Paper` describes it.

    Attributes
    ----------
    name : str
        As ``neuroglia reproduce`` takes it.
    TITLE : str
    study : str
        The module that has the ``MODEL`` of the paper and ``parts(form, folder)``.
    full, quick : how much is computed, without ``--quick`` and with it
    """

    name: str
    TITLE: str
    study: str
    full: Form
    quick: Form

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """``--quick``, ``--seeds`` and ``--workers``."""
        parser.add_argument("--quick", action="store_true", help="fewer points and seeds: minutes")
        parser.add_argument(
            "--seeds",
            type=int,
            metavar="N",
            help=f"seeds of every point (default: {self.full.seeds}; with --quick {self.quick.seeds})",
        )
        add_workers(parser)

    def identity(self, options: argparse.Namespace) -> dict:
        """See `neuroglia_snn.experiments.work.Paper`."""
        from neuroglia_snn import backends, checks
        from neuroglia_snn.errors import UserError
        from neuroglia_snn.noise import MAX_SEED
        from neuroglia_snn.papers import figures

        figures.require_numbers(options.workers, options.seeds)
        seeds = self._form(options).seeds
        if not 0 <= options.seed <= MAX_SEED + 1 - seeds:
            raise UserError(f"--seed must be 0 to {MAX_SEED + 1 - seeds}, not {options.seed}")
        model, _ = checks.load_checked(import_module(self.study).MODEL)
        return {
            "seed": options.seed,
            "quick": options.quick,
            "seeds": seeds,
            "backend": backends.choose("auto", model).name,
            "model_digest": model.digest,
        }

    def reproduce(self, options: argparse.Namespace, work: Work) -> dict:
        """See `neuroglia_snn.experiments.work.Paper`."""
        from neuroglia_snn.papers import figures
        from neuroglia_snn.papers.jobs import Setting

        setting = Setting(work, options.seed, options.workers, options.resume, options.force)
        return figures.carry_out(self.name, self._parts(options, work.folder), setting)

    def _parts(self, options: argparse.Namespace, folder: Path) -> Mapping[str, figures.Figure]:
        return import_module(self.study).parts(self._form(options), folder)

    def _form(self, options: argparse.Namespace) -> Form:
        form = self.quick if options.quick else self.full
        return form if options.seeds is None else replace(form, seeds=options.seeds)


WORKING_MEMORY = Memory(
    "working-memory",
    "working memory of several patterns in neurons and astrocytes: recall, noise, items, duration",
    "neuroglia_snn.papers.working_memory.study",
    forms.FULL,
    forms.QUICK,
)
SITUATION_MEMORY = Memory(
    "situation-memory",
    "trained synapses and astrocytes that hold a changing situation: recall, training, noise",
    "neuroglia_snn.papers.working_memory.situation",
    forms.SITUATION_FULL,
    forms.SITUATION_QUICK,
)
