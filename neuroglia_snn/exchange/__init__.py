"""Models out of the house, as scripts that run where this package is not installed, and networks into it."""

from __future__ import annotations

import ast
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import brian2
import numpy as np
from brian2.core.namespace import get_local_namespace

from neuroglia_snn import __version__, checks, spec
from neuroglia_snn.backends.base import Request
from neuroglia_snn.errors import ResultError, UserError, printable, shown
from neuroglia_snn.exchange import capture, toml
from neuroglia_snn.exchange.capture import Captured
from neuroglia_snn.exchange.reading import Imported, require_said
from neuroglia_snn.exchange.tables import imported
from neuroglia_snn.exchange.to_brian2 import DEVICES, Script, script
from neuroglia_snn.experiments import memory
from neuroglia_snn.options import as_flags, command
from neuroglia_snn.quantities import as_settings

__all__ = ["DEVICES", "FORMATS", "export", "from_brian2"]

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
    path = Path(out)
    _require_script(path)
    _require_free(path, force)
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


def from_brian2(
    source: str | os.PathLike[str] | brian2.Network,
    out: str | os.PathLike[str],
    duration: brian2.Quantity | None = None,
    force: bool = False,
) -> dict:
    """Write a Brian2 network as a model file that gives the same run.

    Parameters
    ----------
    source : path or brian2.Network
        A script, which is run up to its first ``run()``, or a network that has not run yet. Values of a script
        stay expressions where it has expressions; those of a network are numbers.
    out : str or path
        The model file, which ends in ``.toml``. Arrays are written to the ``.npz`` file of the same name
        beside it.
    duration : quantity, optional
        Of a network's run, in seconds; a script says its own.
    force : bool
        Write over an earlier model file.

    Returns
    -------
    dict
        What was written, with ``notes`` on what differs from the network.

    Raises
    ------
    UserError
        With a line for each thing that a model file cannot say; nothing is written then.
    """
    path = Path(out)
    if path.suffix != ".toml":
        raise ResultError(f"{path}: a model file ends in .toml")
    _require_free(path, force)
    data = path.with_suffix(".npz").name
    found: list[Imported] = []
    if isinstance(source, brian2.Network):
        if duration is None:
            raise UserError("from_brian2 of a network needs the duration of its run")
        namespace = get_local_namespace(level=1)
        dt, log = float(brian2.defaultclock.dt), capture.Log()
        captured = Captured(source, float(duration), namespace, dt, log)
        title, origin = path.stem, source.name
        found.append(imported(captured, title, "", data))
    else:
        if duration is not None:
            raise UserError("the duration of a script's run stands in the script")
        origin = str(source)
        title, description, runs = _prose(Path(source))
        capture.first_run(
            Path(source), lambda c: found.append(imported(c, title, description, data))
        )
        if runs > 1:
            found[0].notes.append(f"the script calls run() at {runs} places: this is the first run")
    made = found[0]
    require_said(made)
    text = f"# Written by neuroglia_snn {__version__} from {shown(origin)}\n\n"
    written = Script(text + toml.document(made.tables), made.arrays)
    _require_right(written, path)
    write(written, path)
    return {
        "model": str(path),
        "data": str(path.with_suffix(".npz")) if made.arrays else None,
        "source": origin,
        "seed": made.seed,
        "notes": made.notes,
    }


def _prose(script: Path) -> tuple[str, str, int]:
    """A script's title, its description, and at how many places it calls ``run``."""
    try:
        tree = ast.parse(script.read_bytes())
    except OSError as error:
        raise UserError(f"{script}: cannot be read ({error.strerror})") from None
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{script}: not a Python script ({shown(error)})") from None
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = [f.id if isinstance(f, ast.Name) else getattr(f, "attr", "") for f in calls]
    first, _, rest = (ast.get_docstring(tree) or script.stem).partition("\n")
    return printable(first), printable(rest.strip()), called.count("run")


def _require_right(written: Script, path: Path) -> None:
    """Refuse a model file in which `check` would find something wrong.

    Raises
    ------
    UserError
        With a line for each finding.
    """
    with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch:
        tried = Path(scratch) / path.name
        write(written, tried)
        findings = [f for f in checks.check_file(tried) if f.severity == "error"]
    if findings:
        raise UserError("\n".join(f"a model file cannot say this: {f.message}" for f in findings))


def _require_script(path: Path) -> None:
    """Refuse the path of what is no script, or would be taken for a module.

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


def _require_free(path: Path, force: bool) -> None:
    """Refuse the path of a file that may not be written, or of the data beside it.

    Raises
    ------
    ResultError
    """
    for file in (path, path.with_suffix(".npz")):
        if file.is_dir():
            raise ResultError(f"{file} is a folder; choose another --out")
        if file.exists() and not force:
            raise ResultError(f"{file} exists already; choose another --out, or add --force")
    if not path.parent.is_dir():
        raise ResultError(f"{path}: there is no folder {path.parent}")


def write(written: Script, path: Path) -> None:
    """Write a file and its data; each appears only when complete, the data first."""
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
