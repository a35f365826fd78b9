"""A hidden layer of FitzHugh-Nagumo units that reads digits: the paper's tables and figures, and beyond.

Symbiosis of an artificial neural network and models of biological neurons: training and testing,
arXiv:2302.01636, Chaos 33(7), 2023.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from neuroglia_snn import spec
from neuroglia_snn.errors import UserError
from neuroglia_snn.options import Options, overrides
from neuroglia_snn.studies.base import Work

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
        "--epochs", type=int, metavar="N", help="of every training (default: 20-30)"
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
    from neuroglia_snn.catalog.load import load
    from neuroglia_snn.datasets import mnist
    from neuroglia_snn.experiments.classifier import setup
    from neuroglia_snn.studies.fhn_classifier import parts

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
    from neuroglia_snn.studies.fhn_classifier import reproduction

    return reproduction.reproduce(options, work)


def model_identity(model: spec.Model, options: Options) -> dict:
    from neuroglia_snn.datasets import mnist
    from neuroglia_snn.experiments.classifier import setup
    from neuroglia_snn.studies.fhn_classifier import parts

    _refuse(model, options)
    setup.read(model)
    asked = parts.data_identity(mnist(options.data))
    if options.backend == "lava":
        from neuroglia_snn.studies.fhn_classifier import on_lava

        asked |= on_lava.identity(options)
    return asked


def _refuse(model: spec.Model, options: Options) -> None:
    """Options that mean nothing for a network that learns."""
    default = Options()
    if options.backend not in (default.backend, "lava"):
        raise UserError(
            f"'{model.name}' learns with torch; --backend lava shows what it has learnt there, and"
            f" '{options.backend}' cannot"
        )
    on_lava = ("precision", "weights", "images") if options.backend == default.backend else ()
    for name in on_lava:
        if getattr(options, name) is not None:
            raise UserError(f"--{name} is for '{model.name}' on lava: add --backend lava")
    for name in ("fast_math", "replicas", "workers", "without", "no_astrocytes"):
        if getattr(options, name) != getattr(default, name):
            flag = name.replace("_", "-")
            raise UserError(f"'{model.name}' learns with torch, where --{flag} means nothing")
    for name in ("control", "train", "test", "clean", "resize"):
        if getattr(options, name) != getattr(default, name):
            raise UserError(
                f"'{model.name}' learns digits (--data DIR), where --{name} means nothing"
            )


def run(model: spec.Model, options: Options, work: Work) -> dict:
    from neuroglia_snn.studies.fhn_classifier import model_run

    return model_run.run(model, options, work)
