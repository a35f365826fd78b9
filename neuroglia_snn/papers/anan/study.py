"""The study of astrocytes that modulate a trained CNN (Ribas-Rodriguez et al., ANAN).

A network is trained on each of several folds; then astrocytes are put to its first convolution, at every
point of the paper's parameter grid. Parameters are chosen on the validation folds and reported on the
untouched test set; the best on the test set itself, the paper's way by all appearance, stands beside.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.papers.anan import data, require_torch

TITLE = "astrocytes that modulate a trained CNN (ANAN): does it classify better, without training?"

#: Ways to read the paper (eq. 3's change of weights, a kernel's activity), and Li-Rinzel astrocytes in
#: place of the counter; on a spiking network, activity is spikes.
VARIANTS = (
    *("percentage-mean", "percentage-max", "literal-mean", "literal-max"),
    *("calcium-mean", "calcium-max", "spiking-counter", "spiking-calcium"),
)
DEFAULT_VARIANTS = VARIANTS[:5]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The study's flags."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="folder with a sub-folder a class (also below train/ and test/), or a MedMNIST .npz"
        " (default: scikit-learn's digits 3 and 8)",
    )
    parser.add_argument(
        "--positive",
        metavar="LABELS",
        help="labels of the positive class, as 2,3,4 (default: all but the first)",
    )
    parser.add_argument("--multiclass", action="store_true", help="keep every label a class")
    parser.add_argument(
        "--size",
        type=int,
        metavar="PIXELS",
        help=f"scale images to this side (default: as they are; a folder's to {data.FOLDER_SIZE})",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="N",
        help="number of seeds, SEED, SEED + 1, ... (default 1)",
    )
    parser.add_argument(
        "--folds", type=int, default=10, help="folds of cross-validation (default 10)"
    )
    parser.add_argument("--epochs", type=int, default=100, help="epochs at most (default 100)")
    parser.add_argument("--kernel", type=int, default=3, help="side of the kernels (default 3)")
    parser.add_argument("--blocks", type=int, default=3, help="convolutions (default 3)")
    parser.add_argument(
        "--width", type=int, default=32, help="kernels of the first convolution (default 32)"
    )
    parser.add_argument(
        "--layer", default="conv1", help="the layer that astrocytes watch (default conv1)"
    )
    parser.add_argument(
        "--variants",
        default=",".join(DEFAULT_VARIANTS),
        metavar="NAMES",
        help=f"any of {', '.join(VARIANTS)} (default: the first {len(DEFAULT_VARIANTS)})",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (default 1)")


def identity(options: argparse.Namespace) -> dict:
    """Check options and data; all that the numbers depend on."""
    chosen = variants(options)
    _require_packages(spiking=any(name.startswith("spiking") for name in chosen))
    for name, least in (("seeds", 1), ("folds", 2), ("epochs", 1), ("blocks", 1), ("threads", 1)):
        _at_least(name, getattr(options, name), least)
    _at_least("width", options.width, 1)
    _at_least("seed", options.seed, 0)
    if options.kernel < 1 or options.kernel % 2 == 0:
        raise UserError(f"--kernel is an odd number of pixels, not {options.kernel}")
    if options.size is not None:
        _at_least("size", options.size, 1)
    images = _read(options)
    side = images.images.shape[1]
    if side >> options.blocks < 1:
        raise UserError(f"--blocks {options.blocks} halves {side} pixels to nothing: take fewer")
    for name, count in zip(images.classes, images.training_counts, strict=True):
        if count < options.folds:
            raise UserError(
                f"class '{name}' has {count} images to train with: too few for {options.folds} folds"
            )
    names = [f"conv{n + 1}" for n in range(options.blocks)]
    if not any(v.startswith("spiking") for v in chosen):
        names += ["fc1", "fc2"]
    if options.layer not in names:
        raise UserError(f"--layer is one of {', '.join(names)}, not '{options.layer}'")
    return {
        "images": images.describe(),
        "data_digest": images.digest,
        "variants": chosen,
        **{
            name: getattr(options, name)
            for name in ("seed", "folds", "epochs", "kernel", "blocks", "width", "layer")
        },
        "threads": options.threads,
    }


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """Train, modulate, compare; tables, figures and one NetCDF file of all scores."""
    from neuroglia_snn.papers.anan import protocol, report

    found = protocol.carry_out(_read(options), options, variants(options), work)
    return report.write(found, _read(options), work.folder)


def variants(options: argparse.Namespace) -> list[str]:
    """The variants asked for.

    Raises
    ------
    UserError
        If one is unknown, or none is given.
    """
    names = [name.strip() for name in options.variants.split(",") if name.strip()]
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names or len(set(names)) < len(names):
        raise UserError(f"--variants takes different ones of {', '.join(VARIANTS)}")
    return names


def _require_packages(spiking: bool) -> None:
    require_torch()
    try:
        import scipy.stats  # noqa: F401
        import sklearn.metrics  # noqa: F401

        if spiking:
            import snntorch  # noqa: F401
    except ImportError as error:
        raise BackendError(
            f"this study needs the package '{error.name}': pip install 'neuroglia_snn[torch]'"
        ) from None


def _read(options: argparse.Namespace) -> data.DataSet:
    return data.read(options.data, options.positive, options.multiclass, options.size, options.seed)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise UserError(f"--{name} must be at least {least}, not {value}")
