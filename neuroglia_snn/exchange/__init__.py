"""Models out of the house: as scripts that run where this package is not installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from neuroglia_snn import __version__, checks, spec
from neuroglia_snn.backends.base import Request
from neuroglia_snn.errors import ResultError, UserError, shown
from neuroglia_snn.exchange.to_brian2 import DEVICES, Script, script
from neuroglia_snn.experiments import memory
from neuroglia_snn.options import as_flags, command
from neuroglia_snn.quantities import as_settings

__all__ = ["DEVICES", "FORMATS", "export"]

#: What a model can be exported to.
FORMATS = ("brian2",)
#: What a script imports, and Brian2 for it, beside Python's own modules.
_IMPORTED = {"brian2", "brian2cuda", "numpy", "sympy", "scipy", "cython", "Cython", "jinja2"}
_IMPORTED |= {"matplotlib", "pylab", "pyparsing", "cpuinfo", "setuptools", "pkg_resources"}


def export(
    name_or_path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    to: str = "brian2",
    device: str = "runtime",
    overrides: Mapping[str, object] | None = None,
    seed: int = 0,
    train: Path | None = None,
    test: Path | None = None,
    resize: bool = False,
    force: bool = False,
) -> dict:
    """Write a model as a script that runs where this package is not installed.

    Parameters
    ----------
    name_or_path : str or path
        Catalogue name or path of a model file.
    out : str or path
        The script, which ends in ``.py``. Images, and long tables and lists of connections, are
        written to the ``.npz`` file of the same name beside it.
    to : {"brian2"}
    device : {"runtime", "cpp_standalone", "cuda_standalone"}
        Brian2's device that the script chooses.
    overrides : mapping, optional
        Settings by name, as `neuroglia_snn.load` takes them.
    seed : int
        Of Brian2's random numbers, and of the images that a memory experiment draws.
    train, test : path, optional
        Images of a memory experiment.
    resize : bool
        Scale these images to the lattice.
    force : bool
        Write over an earlier script.

    Returns
    -------
    dict
        What was written.

    Raises
    ------
    UserError
        For a model that has a mistake or that the script cannot say; nothing is written then.
    """
    if to not in FORMATS:
        raise UserError(f"a model can be exported to {', '.join(FORMATS)}, not to '{shown(to)}'")
    if device not in DEVICES:
        raise UserError(f"device is {', '.join(DEVICES)}, not '{shown(device)}'")
    if not isinstance(out, (str, os.PathLike)):
        raise UserError(f"out is the path of a script, not a value of type {type(out).__name__}")
    path = _require_script(Path(out), force)
    model, _ = checks.load_checked(name_or_path, overrides)
    images, shown_images = _images(model, train, test, resize, seed)
    Request(model, images, seed)  # refuses a bad seed or image
    flags = {
        "to": to,
        "device": device,
        "seed": seed,
        "train": train,
        "test": test,
        "resize": resize,
    }
    flags["set"] = [f"{n}={v}" for n, v in as_settings(overrides or {}).items()]
    flags = {n: v for n, v in flags.items() if (n, v) not in (("device", "runtime"), ("seed", 0))}
    again = command("export", str(name_or_path), *as_flags(flags), "--out", path.name)
    origin = f"Written by neuroglia_snn {__version__}: {shown(again, 500)}"
    written = script(model, images, device, seed, origin)
    write(written, path)
    return {
        "model": model.name,
        "title": model.title,
        "model_digest": model.digest,
        "to": to,
        "device": device,
        "seed": seed,
        "set": as_settings(overrides or {}),
        "images": shown_images,
        "script": str(path),
        "data": str(path.with_suffix(".npz")) if written.data else None,
    }


def _images(
    model: spec.Model, train: Path | None, test: Path | None, resize: bool, seed: int
) -> tuple[Mapping[str, np.ndarray], str | None]:
    """The images of a memory experiment, and what they are; no other model has any (`checks`)."""
    if model.experiment.get("kind") == "associative-memory":
        prepared = memory.prepare_images(model, train, test, None, resize, seed)
        return prepared.stimuli(model), prepared.origin
    if train or test or resize:
        raise UserError(f"model '{model.name}' takes no --train, --test and --resize")
    return {}, None


def _require_script(path: Path, force: bool) -> Path:
    """The path of a script that may be written.

    Raises
    ------
    ResultError
    """
    if path.suffix != ".py":
        raise ResultError(f"{path}: a script ends in .py")
    if path.stem in sys.stdlib_module_names or path.stem in _IMPORTED:
        raise ResultError(
            f"{path}: Python would take this script for the module '{path.stem}' that Brian2 imports;"
            " choose another --out"
        )
    for file in (path, path.with_suffix(".npz")):
        if file.is_dir():
            raise ResultError(f"{file} is a folder; choose another --out")
        if file.exists() and not force:
            raise ResultError(f"{file} exists already; choose another --out, or add --force")
    if not path.parent.is_dir():
        raise ResultError(f"{path}: there is no folder {path.parent}")
    return path


def write(written: Script, path: Path) -> None:
    """Write the script and its data; each file appears only when complete, the script last."""
    data, partial = path.with_suffix(".npz"), path.with_suffix(".partial")
    try:
        if written.data:
            with partial.open("wb") as file:
                np.savez_compressed(file, **dict(written.data))  # type: ignore[arg-type]
            partial.replace(data)
        else:
            data.unlink(missing_ok=True)  # of an earlier script, which --force gives up
        partial.write_text(written.text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ResultError(f"{path} cannot be written ({error.strerror})") from None
