"""`neuroglia run fhn_classifier`: train, put the model's units in, evaluate, train with them inside."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import numpy as np
import torch

from neuroglia_snn import spec
from neuroglia_snn.datasets import mnist
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.options import Options
from neuroglia_snn.papers.fhn_classifier import evaluation, export, figures, on_lava, parts, setup
from neuroglia_snn.papers.fhn_classifier.networks import Network
from neuroglia_snn.papers.fhn_classifier.response import Table

#: Test images whose every unit is integrated directly, to check the table.
_CHECKED = 40


def run(model: spec.Model, options: Options, work: Work) -> dict:
    """Carry out a model's experiment; ``test_accuracy`` is that of the network trained with the
    model's units inside, on all test images, by the class that holds longest.

    With ``backend="lava"`` test images are then shown to it there; with ``weights`` only that is done.
    """
    torch.set_num_threads(options.threads)
    asked = setup.read(model)
    p = parts.Parts(work, asked, mnist(options.own.get("data")))
    weights = options.own.get("weights")
    if weights is None:
        network, table, found = _trained(p, options)
    else:
        network, table = on_lava.read(p, weights), p.table(abs(asked.alpha))
        found = {"results": {}, "figures": [], "weights": str(weights)}
    if options.backend == on_lava.BACKEND:
        shown = on_lava.evaluate(p, network, table, options)
        shown["results"] = found["results"] | shown["results"]
        shown["figures"] = found["figures"] + shown["figures"]
        found |= shown
    return found | {"alpha": asked.alpha, "threads": options.threads, "versions": parts.versions()}


def _trained(p: parts.Parts, options: Options) -> tuple[Network, Table, dict]:
    """The network trained with the units inside, the units' table, and what the summary shall hold."""
    work, asked = p.work, p.setup
    train, test = p.train, p.test
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    base, base_curves = p.base(options.seed, train, test)
    seconds["base_training"] = round(time.perf_counter() - clock, 1)
    clock = time.perf_counter()
    table = p.table(abs(asked.alpha))
    seconds["table"] = round(time.perf_counter() - clock, 1)
    clock = time.perf_counter()
    placed = {
        k: p.answers(f"placed-{k}", base, table, asked.alpha, d)
        for k, d in (("train", train), ("test", test))
    }
    seconds["evaluation"] = round(time.perf_counter() - clock, 1)
    clock = time.perf_counter()
    network, curves = p.inside("inside", table, asked.inside, options.seed, train, test)
    seconds["training_inside"] = round(time.perf_counter() - clock, 1)
    learnt = {
        k: p.answers(f"inside-{k}", network, table, asked.alpha, d, torch.sigmoid)
        for k, d in (("train", train), ("test", test))
    }
    check = p.agreement(network, table, test.images[:_CHECKED], torch.sigmoid)
    np.savez(
        work.folder / "weights.npz",
        base_w_in=base.w_in.weight.detach().numpy(),
        base_w_out=base.w_out.weight.detach().numpy(),
        w_in=network.w_in.weight.detach().numpy(),
        w_out=network.w_out.weight.detach().numpy(),
    )
    over_time = figures.three_digits(base, table, asked, test)
    drawn = [
        figures.confusion(
            evaluation.confusion(learnt["test"], test.labels), work.folder / "confusion"
        ),
        figures.curves({"trained with the units inside": curves}, work.folder / "training"),
        figures.over_time(over_time, asked.protocol, work.folder / "over_time"),
    ]
    found = {
        "results": {
            "test_accuracy": evaluation.accuracy(learnt["test"], test.labels),
            "train_accuracy": evaluation.accuracy(learnt["train"], train.labels),
            "base_test_accuracy": base_curves[-1]["test_accuracy"],
            "base_train_accuracy": base_curves[-1]["train_accuracy"],
            "placed_test_accuracy": evaluation.accuracy(placed["test"], test.labels),
            "placed_train_accuracy": evaluation.accuracy(placed["train"], train.labels),
            **check,
        },
        "per_digit": {
            k: evaluation.per_class(a, d.labels).tolist()
            for k, a, d in (
                ("test", learnt["test"], test),
                ("train", learnt["train"], train),
                ("placed_test", placed["test"], test),
                ("placed_train", placed["train"], train),
            )
        },
        "table": {
            "points": len(table.inputs),
            "tolerance": table.tolerance,
            "unresolved": table.unresolved,
        },
        "weights": str(work.folder / "weights.npz"),
        "nir": _exported(network, asked, work.folder / "network.nir"),
        "wall_seconds": seconds,
        "figures": [str(path) for path in drawn],
    }
    return network, table, found


def _exported(network: Network, asked: setup.Setup, path: Path) -> str | None:
    """The network's NIR file; None without the package nir."""
    if importlib.util.find_spec("nir") is None:
        return None
    return str(export.write_nir(network, asked, path))
