"""``neuroglia reproduce working-memory``: what it is called and which flags it has; `study` carries it out."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from neuroglia_snn.papers.flags import add_workers
from neuroglia_snn.papers.working_memory.forms import FULL, QUICK

if TYPE_CHECKING:
    from neuroglia_snn.experiments.work import Work

TITLE = (
    "working memory of several patterns in neurons and astrocytes: recall, noise, items, duration"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Flags of ``neuroglia reproduce working-memory``."""
    parser.add_argument("--quick", action="store_true", help="fewer points and seeds: minutes")
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help=f"seeds of every point (default: {FULL.seeds}; with --quick {QUICK.seeds})",
    )
    add_workers(parser)


def identity(options: argparse.Namespace) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    from neuroglia_snn.papers.working_memory import study

    return study.identity(options)


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    from neuroglia_snn.papers.working_memory import study

    return study.reproduce(options, work)
