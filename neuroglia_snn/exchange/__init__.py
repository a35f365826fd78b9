"""Models out of the house, as scripts that run where this package is not installed, and networks into it."""

from __future__ import annotations

import ast
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import brian2
from brian2.core.namespace import get_local_namespace

from neuroglia_snn import __version__
from neuroglia_snn.catalog import toml
from neuroglia_snn.errors import ResultError, UserError, printable, shown
from neuroglia_snn.exchange import capture, nir
from neuroglia_snn.exchange.capture import Captured
from neuroglia_snn.exchange.files import require_free, require_right, write
from neuroglia_snn.exchange.nir import from_nir
from neuroglia_snn.exchange.reading import Imported, require_said
from neuroglia_snn.exchange.tables import imported
from neuroglia_snn.exchange.to_brian2 import DEVICES, Script, script
from neuroglia_snn.model import Model, as_model
from neuroglia_snn.options import Options, as_flags, command
from neuroglia_snn.runs import exported, named

__all__ = ["DEVICES", "FORMATS", "export", "from_brian2", "from_nir"]

#: What a model can be exported to.
FORMATS = ("brian2", "nir")
#: What a script imports, and Brian2 for it, beside Python's own modules.
_IMPORTED = {"brian2", "brian2cuda", "numpy", "sympy", "scipy", "cython", "Cython", "jinja2"}
_IMPORTED |= {"matplotlib", "pylab", "pyparsing", "cpuinfo", "setuptools", "pkg_resources"}


def export(
    model: Model | str | os.PathLike[str],
    out: str | os.PathLike[str],
    to: str = "brian2",
    device: str = "runtime",
    overrides: Mapping[str, object] | None = None,
    seed: int = 0,
    images: Mapping[str, Any] | None = None,
    resize: bool = False,
    force: bool = False,
    own: Mapping[str, Any] | None = None,
    extension: bool = False,
) -> dict:
    """Write a model as a script that runs where this package is not installed, or as a NIR graph.

    Parameters
    ----------
    model : Model, str or path
        A model, a name of the catalogue, or the path of a model file.
    out : str or path
        The file to write. A script ends in ``.py``, and its images, long tables and lists of connections are
        written to the ``.npz`` file of the same name beside it. A graph ends in ``.nir``.
    to : {"brian2", "nir"}
        The format.
    device : {"runtime", "cpp_standalone", "cuda_standalone"}
        The device of Brian2 that the script chooses.
    overrides : mapping, optional
        Settings by name, as `neuroglia_snn.load` takes them.
    seed : int
        The seed of Brian2's random numbers, and of images that are drawn.
    images : mapping, optional
        Images by name, as `neuroglia_snn.run` takes them.
    resize : bool
        Whether to scale these images to the lattice.
    force : bool
        Whether to write over an earlier file.
    own : mapping, optional
        Options of the model's experiment, by name.
    extension : bool
        Whether to write what NIR has no node for as extension nodes, which no other reader knows.

    Returns
    -------
    dict
        What was written: the path of each file, the model, and its settings.

    Raises
    ------
    UserError
        If the model has a mistake, or if the format cannot express it. Nothing is written then.
    """
    if to not in FORMATS:
        raise UserError(f"a model can be exported to {', '.join(FORMATS)}, not to '{shown(to)}'")
    if device not in DEVICES:
        raise UserError(f"device is {', '.join(DEVICES)}, not '{shown(device)}'")
    if not isinstance(out, (str, os.PathLike)):
        raise UserError(f"out is the path of a script, not a value of type {type(out).__name__}")
    path = Path(out)
    if to == "nir":
        if device != "runtime" or images or resize or own:
            raise UserError("a NIR graph takes no device, no images and no options of experiments")
        made = as_model(model).with_settings(overrides or {})
        return nir.export(made, path, seed, extension, force)
    if extension:
        raise UserError("extension nodes are NIR's, and a script needs none")
    _require_script(path)
    require_free(path, force, path.with_suffix(".npz"))
    made = as_model(model)
    if overrides:
        made = made.with_settings(overrides)
    options = Options(
        seed=seed,
        overrides=made.settings,
        without=made.left_out,
        images=images or {},
        resize=resize,
        own=own or {},
    )
    network, pictures, described = exported(made.origin, options)
    flags = as_flags({"to": to, "device": None if device == "runtime" else device})
    again = command("export", named(made.origin), *flags, *options.flags(), "--out", path.name)
    origin = f"Written by neuroglia_snn {__version__}: {shown(again, 500)}"
    written = script(network, pictures, device, seed, origin)
    write(written, path)
    return {
        "model": network.name,
        "title": network.title,
        "model_digest": network.digest,
        "to": to,
        "device": device,
        "seed": seed,
        "set": made.settings,
        "images": described,
        "script": str(path),
        "data": str(path.with_suffix(".npz")) if written.data else None,
    }


def from_brian2(
    source: str | os.PathLike[str] | brian2.Network,
    out: str | os.PathLike[str] | None = None,
    duration: brian2.Quantity | None = None,
    force: bool = False,
) -> Model:
    """Make a model from a Brian2 network that gives the same run.

    Parameters
    ----------
    source : path or brian2.Network
        A script, which is run up to its first ``run()``, or a network that has not run yet. Values that a script
        sets by expressions stay expressions. Those of a network are numbers.
    out : str or path, optional
        The model file to write, which ends in ``.toml``. Arrays go to the ``.npz`` file of the same name
        beside it. Without it, the model is in memory alone.
    duration : quantity, optional
        The duration of a network's run, as a time. A script states its own.
    force : bool
        Whether to write over an earlier model file.

    Returns
    -------
    Model
        Its ``notes`` say what differs from the network.

    Raises
    ------
    UserError
        If a model file cannot express the network. The message has a line for each reason, and nothing is written.
    """
    namespace = get_local_namespace(level=1)
    if out is not None:
        summary = write_model(source, out, duration, force, namespace)
        return Model.of(summary["model"], notes=summary["notes"])
    kept = tempfile.TemporaryDirectory(prefix="neuroglia-")
    stem = "network" if isinstance(source, brian2.Network) else Path(source).stem
    summary = write_model(source, Path(kept.name) / f"{stem}.toml", duration, namespace=namespace)
    return Model.of(summary["model"], notes=summary["notes"], kept=kept)


def write_model(
    source: str | os.PathLike[str] | brian2.Network,
    out: str | os.PathLike[str],
    duration: brian2.Quantity | None = None,
    force: bool = False,
    namespace: Mapping[str, Any] | None = None,
) -> dict:
    """Write a Brian2 network as a model file, and say what was written; see `from_brian2`.

    ``namespace`` holds the names that a network's equations may use.
    """
    path = Path(out)
    if path.suffix != ".toml":
        raise ResultError(f"{path}: a model file ends in .toml")
    require_free(path, force, path.with_suffix(".npz"))
    data = path.with_suffix(".npz").name
    if isinstance(source, brian2.Network):
        if duration is None:
            raise UserError("from_brian2 of a network needs the duration of its run")
        dt, log, origin = float(brian2.defaultclock.dt), capture.Log(), source.name
        captured = Captured(source, float(duration), dict(namespace or {}), dt, log)
        made = imported(captured, path.stem, "", data)
    else:
        if duration is not None:
            raise UserError("the duration of a script's run stands in the script")
        origin = str(source)
        made = _of_script(Path(source), data)
    require_said(made)
    text = f"# Written by neuroglia_snn {__version__} from {shown(origin)}\n\n"
    written = Script(text + toml.document(made.tables), made.arrays)
    require_right(written, path)
    write(written, path)
    return {
        "model": str(path),
        "data": str(path.with_suffix(".npz")) if made.arrays else None,
        "source": origin,
        "seed": made.seed,
        "notes": made.notes,
    }


def _of_script(script: Path, data: str) -> Imported:
    """What a script's first run imports; long arrays are named as those of the file ``data``."""
    found: list[Imported] = []
    title, description, runs = _prose(script)
    capture.first_run(script, lambda c: found.append(imported(c, title, description, data)))
    if runs > 1:
        found[0].notes.append(f"the script calls run() at {runs} places: this is the first run")
    return found[0]


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
