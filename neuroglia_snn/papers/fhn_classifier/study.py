"""A hidden layer of FitzHugh-Nagumo units that reads digits: the paper's tables and figures, and beyond.

Symbiosis of an artificial neural network and models of biological neurons: training and testing,
arXiv:2302.01636, Chaos 33(7), 2023.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.options import overrides

TITLE = "MNIST with FitzHugh-Nagumo units in the hidden layer (arXiv:2302.01636)"
MODEL = "fhn_classifier"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with MNIST's four IDX files (default: NEUROGLIA_DATA, the cache, a download,"
        " else 5,000 digits on board)",
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="networks in Figure 4 (default 3)"
    )
    parser.add_argument(
        "--images", type=int, metavar="N", help="at most N images of each set, for a first look"
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="epochs of every training (default: 20-30)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"a parameter of {MODEL} (eps=0.1) or any key (model.dt='0.02 ms'); may be repeated",
    )


def identity(options: argparse.Namespace) -> dict:
    for name in ("seeds", "images", "epochs"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UserError(f"--{name} is a whole number from 1 on, not {value}")
    import neuroglia_snn.backends.torch  # noqa: F401 - says what to install without torch
    from neuroglia_snn.catalog.load import load
    from neuroglia_snn.datasets import mnist
    from neuroglia_snn.papers.fhn_classifier import parts, setup

    changed, digits = overrides(options.set), mnist(options.data)
    setup.read(load(MODEL, changed))
    return {
        **parts.data_identity(digits),
        "seed": options.seed,
        "seeds": options.seeds,
        "images": options.images,
        "epochs": options.epochs,
        "set": changed,
    }


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    from neuroglia_snn.papers.fhn_classifier import reproduction

    return reproduction.reproduce(options, work)
