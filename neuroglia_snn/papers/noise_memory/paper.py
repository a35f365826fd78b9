"""``neuroglia reproduce noise-memory``: what it is called and which flags it has; `study` carries it out."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from neuroglia_snn.papers.flags import add_workers
from neuroglia_snn.papers.noise_memory.forms import FULL, QUICK

if TYPE_CHECKING:
    from neuroglia_snn.experiments.work import Work

TITLE = "noise-induced memory in a neuron-astrocyte lattice: phase diagrams, recall, controls"
#: Figures of the paper in its order, and what lies beyond.
FIGURES = ("2a", "2b-d", "2e", "2f", "3", "4", "5a", "5b", "novel", "readings")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Flags of ``neuroglia reproduce noise-memory``."""
    parser.add_argument(
        "--figure",
        action="append",
        default=[],
        metavar="FIGURE",
        help=f"{', '.join(FIGURES)} or all (default); may be repeated",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the points: minutes instead of hours"
    )
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help=f"seeds of every point of figs 2 a, e, f, 5, novel and readings (default: {FULL.seeds};"
        f" with --quick {QUICK.phase_seeds} for fig. 2, {QUICK.seeds} else)",
    )
    add_workers(parser)


def identity(options: argparse.Namespace) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    from neuroglia_snn.papers.noise_memory import study

    return study.identity(options)


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    from neuroglia_snn.papers.noise_memory import study

    return study.reproduce(options, work)
