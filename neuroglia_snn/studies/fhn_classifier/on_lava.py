"""The trained classifier on Lava, and how often torch gives the same class."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from neuroglia_snn.backends.lava import _compat
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.experiments.classifier import evaluation, lowered, setup
from neuroglia_snn.experiments.classifier.networks import Network
from neuroglia_snn.experiments.classifier.response import Table
from neuroglia_snn.fixedpoint import recorded
from neuroglia_snn.fixedpoint.quantise import FixedProgram
from neuroglia_snn.options import Options
from neuroglia_snn.studies.fhn_classifier import figures
from neuroglia_snn.studies.fhn_classifier.parts import Parts

BACKEND, PRECISIONS = "lava", ("float", "fixed")
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
    if options.images is not None and options.images < 1:
        raise UserError(f"--images is a whole number from 1 on, not {options.images}")
    said = _compat.missing("asteval")  # which Lava's Dense imports
    if said:
        raise BackendError(said)
    return {
        "backend": BACKEND,
        "precision": options.precision or PRECISIONS[0],
        "images": options.images or IMAGES,
        "weights_given": options.weights and hashlib.sha256(_bytes(options.weights)).hexdigest(),
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
    asked, count = parts.setup, options.images or IMAGES
    shown = parts.digits.test.take(np.arange(min(count, len(parts.digits.test.labels))))
    data = setup.tensors(shown)
    precision = options.precision or PRECISIONS[0]
    w_in, w_out = (w.weight.detach().double().numpy() for w in (network.w_in, network.w_out))
    clock = time.perf_counter()
    made = lowered.lowered(asked, w_in, w_out, sigmoid=True)

    def compute() -> Mapping[str, np.ndarray]:
        watch = parts.work.watch(f"{len(shown.labels)} images on lava, {precision}")
        frames = shown.images.reshape(len(shown.labels), -1)
        counts, saturated = made.on_lava(frames, precision == "fixed", watch)
        return {"counts": counts, "saturated": np.array(saturated)}

    done = parts.work.part(f"lava-{precision}-{len(shown.labels)}", compute)
    seconds = round(time.perf_counter() - clock, 1)
    found = torch.from_numpy(done["counts"].argmax(1))
    torchs = evaluation.classify(network, data.images, table.outputs, asked.alpha, torch.sigmoid)
    drawn = figures.confusion(
        evaluation.confusion(found, data.labels), parts.work.folder / f"lava_{precision}.png"
    )
    return {
        "results": {
            "lava_agreement": evaluation.accuracy(found, torchs),
            "lava_accuracy": evaluation.accuracy(found, data.labels),
            "torch_accuracy": evaluation.accuracy(torchs, data.labels),
        },
        "lava": {
            "images": len(shown.labels),
            "steps_per_lava_step": made.shown.block,
            "lava_steps_per_image": made.shown.interval,
            **(_fixed(made.fixed, done) if precision == "fixed" else {}),
            "wall_seconds": seconds,
            "lava-nc": metadata.version("lava-nc"),
        },
        "figures": [str(drawn)],
    }


def _fixed(program: FixedProgram, done: Mapping[str, np.ndarray]) -> dict:
    return {"formats": recorded.states(program), "saturated": int(done["saturated"])}
