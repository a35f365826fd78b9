"""Flags of ``neuroglia reproduce`` that several papers have."""

from __future__ import annotations

import argparse
import os


def add_workers(parser: argparse.ArgumentParser) -> None:
    """``--workers``: how many runs go side by side."""
    parser.add_argument(
        "--workers",
        type=int,
        default=_processors(),
        metavar="N",
        help="runs side by side (default: the number of processors)",
    )


def _processors() -> int:
    """That this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
