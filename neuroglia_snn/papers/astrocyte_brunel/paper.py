"""``neuroglia reproduce astrocyte-brunel``: what it is called and which flags it has; `study` carries it out."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuroglia_snn.experiments.work import Work

TITLE = (
    "neuron-astrocyte network with tripartite synapses: rates, synchrony, calcium, beside NEST's"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Flags of ``neuroglia reproduce astrocyte-brunel``."""
    parser.add_argument(
        "--quick", action="store_true", help="3 seeds, and not the paper's size: minutes"
    )
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="seeds of every network (default: 10; with --quick 3)",
    )


def identity(options: argparse.Namespace) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    from neuroglia_snn.papers.astrocyte_brunel import study

    return study.identity(options)


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    from neuroglia_snn.papers.astrocyte_brunel import study

    return study.reproduce(options, work)
