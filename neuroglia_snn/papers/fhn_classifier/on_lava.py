"""The trained classifier on Lava, and how often torch gives the same class."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.lava import LavaBackend
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.lava import compat
from neuroglia_snn.options import Options
from neuroglia_snn.papers.fhn_classifier import evaluation, figures, setup
from neuroglia_snn.papers.fhn_classifier.networks import Network
from neuroglia_snn.papers.fhn_classifier.parts import Parts
from neuroglia_snn.papers.fhn_classifier.presented import Presented, presented, stated
from neuroglia_snn.papers.fhn_classifier.response import Table

BACKEND = "lava"
#: Name to what the backend calls it.
PRECISIONS = {"float": "float64", "fixed": "fixed"}
#: Test images that are shown.
IMAGES = 200


def identity(options: Options) -> dict:
    """Check what was asked; what the numbers depend on.

    Raises
    ------
    UserError
    """
    if options.precision not in (None, *PRECISIONS):
        raise UserError(f"--precision is float or fixed on lava, not '{options.precision}'")
    images, weights = options.own.get("test_images"), options.own.get("weights")
    if images is not None and images < 1:
        raise UserError(f"--test-images is a whole number from 1 on, not {images}")
    said = compat.missing()
    if said:
        raise BackendError(said)
    return {
        "backend": BACKEND,
        "precision": options.precision or "float",
        "images": images or IMAGES,
        "weights_given": weights and hashlib.sha256(_bytes(weights)).hexdigest(),
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"--weights {path} cannot be read ({error.strerror})") from None


def read(parts: Parts, path: Path) -> Network:
    """A network that an earlier run trained, from its ``weights.npz``.

    Raises
    ------
    UserError
        If the file is another, or its weights do not fit the model and the images.
    """
    network = setup.network(parts.setup, torch.sigmoid, parts.digits, 0)
    layers = {"w_in": network.w_in.weight, "w_out": network.w_out.weight}
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in layers}
    except Exception:  # a damaged archive raises a dozen kinds of errors
        raise UserError(
            f"{path} is not the weights.npz of a run of '{parts.setup.system.model.name}'"
        ) from None
    with torch.no_grad():
        for name, weights in layers.items():
            if not np.isfinite(found[name]).all() or not found[name].any():
                raise UserError(f"{path}: {name} must be finite, and not all 0")
            if found[name].shape != tuple(weights.shape):
                raise UserError(
                    f"{path}: {name} is {found[name].shape}, the model and its images need"
                    f" {tuple(weights.shape)}"
                )
            weights.copy_(torch.from_numpy(found[name]))
    return network


def evaluate(parts: Parts, network: Network, table: Table, options: Options) -> dict:
    """Show test images to a network trained with the units inside; what the summary shall hold.

    ``lava_agreement`` is the part of the images for which torch, from the table, has the same class.
    """
    asked, test = parts.setup, parts.digits.test
    count = min(options.own.get("test_images") or IMAGES, len(test.labels))
    shown = test.take(np.arange(count))
    data = setup.tensors(shown)
    precision = options.precision or "float"
    w_in, w_out = (w.weight.detach().double().numpy() for w in (network.w_in, network.w_out))
    clock = time.perf_counter()
    network_shown = presented(asked, w_in, w_out, shown.images.reshape(count, -1))

    def compute() -> Mapping[str, np.ndarray]:
        watch = parts.work.watch(f"{count} images on lava, {precision}")
        wanted = PRECISIONS[precision]
        outcome = LavaBackend().run(Request(network_shown.model, precision=wanted, progress=watch))
        if outcome.reached is not None:
            raise KeyboardInterrupt
        said = {"details": outcome.details, "warnings": outcome.warnings}
        return {"winners": network_shown.winners(outcome), "said": np.array(json.dumps(said))}

    done = parts.work.part(f"lava-{precision}-{count}", compute)
    said = json.loads(str(done["said"]))
    seconds = round(time.perf_counter() - clock, 1)
    found = evaluation.longest(torch.from_numpy(done["winners"]), setup.CLASSES)
    torchs = evaluation.classify(network, data.images, table.outputs, asked.alpha, torch.sigmoid)
    drawn = figures.confusion(
        evaluation.confusion(found, data.labels), parts.work.folder / f"lava_{precision}"
    )
    return {
        "results": {
            "lava_agreement": evaluation.accuracy(found, torchs),
            "lava_accuracy": evaluation.accuracy(found, data.labels),
            "torch_accuracy": evaluation.accuracy(torchs, data.labels),
        },
        "lava": {
            "images": count,
            **_steps(said["details"], network_shown),
            **_fixed(said["details"]),
            "warnings": said["warnings"],
            "wall_seconds": seconds,
            "lava-nc": metadata.version("lava-nc"),
        },
        "figures": [str(drawn)],
    }


def _steps(details: Mapping, shown: Presented) -> dict:
    stride = details["lava"]["steps_per_lava_step"]
    return {
        "steps_per_lava_step": stride,
        "lava_steps_per_image": shown.block * shown.interval // stride,
    }


def _fixed(details: Mapping) -> dict:
    """Formats by population, and how many results did not fit, in fixed point."""
    if "fixed" not in details:
        return {}
    formats: dict[str, dict[str, str]] = {}
    for name, text in details["fixed"]["formats"].items():
        owner, variable = map(stated, name.split("."))
        formats.setdefault(owner, {})[variable] = text
    return {"formats": formats, "saturated": sum(details["fixed"]["saturated"].values())}
