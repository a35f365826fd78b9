"""``neuroglia reproduce fep``: what it is called and which flags it has; `study` carries it out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuroglia_snn.papers.fep import stimulus

if TYPE_CHECKING:
    from neuroglia_snn.experiments.work import Work

TITLE = "self-organised learning under the free-energy principle, in theory and in cultures"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Flags of ``neuroglia reproduce fep``."""
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="recorded cultures: .mat of the study, .nc of ours"
    )
    parser.add_argument(
        "--cultures",
        type=int,
        default=2,
        metavar="N",
        help="simulated cultures in each condition (default 2)",
    )
    parser.add_argument(
        "--sessions",
        type=int,
        default=stimulus.SESSIONS,
        metavar="N",
        help=f"sessions of the theory and of simulated cultures (default {stimulus.SESSIONS})",
    )
    parser.add_argument(
        "--backend", default="cpp", help="backend of simulated cultures (default cpp)"
    )


def identity(options: argparse.Namespace) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    from neuroglia_snn.papers.fep import study

    return study.identity(options)


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    from neuroglia_snn.papers.fep import study

    return study.reproduce(options, work)
