"""Models as graphs of NIR, the Neuromorphic Intermediate Representation, and back."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuroglia_snn import __version__
from neuroglia_snn.catalog import toml
from neuroglia_snn.errors import BackendError, ResultError, UserError, shown
from neuroglia_snn.exchange.files import require_free, require_right
from neuroglia_snn.exchange.files import write as write_files
from neuroglia_snn.exchange.to_brian2 import Script
from neuroglia_snn.model import Model

#: What ends the name of a graph's file.
SUFFIX = ".nir"


def _require_nir() -> None:
    """Refuse what needs the package nir where it is not installed.

    Raises
    ------
    BackendError
    """
    try:
        import nir  # noqa: F401
    except ModuleNotFoundError:
        raise BackendError(
            "NIR files need the package 'nir': pip install 'neuroglia_snn[nir]'"
        ) from None


def export(model: Model, path: Path, seed: int, extension: bool, force: bool) -> dict[str, Any]:
    """Write a model as a NIR graph, and say what was written; see `neuroglia_snn.export`."""
    _require_nir()
    from neuroglia_snn.exchange.nir import nodes, to_nir

    if path.suffix != SUFFIX:
        raise ResultError(f"{path}: a NIR graph ends in {SUFFIX}")
    require_free(path, force)
    graph, notes = to_nir.graph(model.spec, model.document().tables, seed, extension)
    nodes.write(graph, path)
    return {
        "model": model.name,
        "title": model.title,
        "model_digest": model.spec.digest,
        "to": "nir",
        "seed": seed,
        "set": model.settings,
        "graph": str(path),
        "nodes": {name: type(node).__name__ for name, node in graph.nodes.items()},
        "notes": notes,
    }


def from_nir(
    source: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    dt: float | None = None,
    duration: float | None = None,
    inputs: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Model:
    """Make a model from a NIR graph.

    Parameters
    ----------
    source : path or nir.NIRGraph
        The graph, or its file, which ends in ``.nir``.
    out : str or path, optional
        The model file to write, which ends in ``.toml``. Arrays go to the ``.npz`` file of the same name
        beside it. Without it, the model is in memory alone.
    dt : float, optional
        The step in seconds. By default it is that of the graph's metadata, or else 1e-4.
    duration : float, optional
        The duration of the run in seconds. By default it is that of the inputs or of the graph's metadata,
        or else 0.1.
    inputs : mapping, optional
        Arrays of the shape (step, channel) by input node. An array that holds only 0 and 1 is spikes, and any
        other is numbers.
    force : bool
        Whether to write over an earlier model file.

    Returns
    -------
    Model
        Its ``notes`` say what differs from the graph.

    Raises
    ------
    UserError
        If a model file cannot express a node. Nothing is written then.
    """
    if out is not None:
        summary = write_model(source, out, dt, duration, inputs, force)
        return Model.of(summary["model"], notes=summary["notes"])
    kept = tempfile.TemporaryDirectory(prefix="neuroglia-")
    stem = Path(source).stem if isinstance(source, (str, os.PathLike)) else "graph"
    path = Path(kept.name) / f"{stem}.toml"
    summary = write_model(source, path, dt, duration, inputs)
    return Model.of(summary["model"], notes=summary["notes"], kept=kept)


def write_model(
    source: Any,
    out: str | os.PathLike[str],
    dt: float | None = None,
    duration: float | None = None,
    inputs: Mapping[str, Any] | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Write a NIR graph as a model file, and say what was written; see `from_nir`."""
    _require_nir()
    import nir

    from neuroglia_snn.exchange.nir import nodes
    from neuroglia_snn.exchange.nir.from_nir import imported

    path = Path(out)
    if path.suffix != ".toml":
        raise ResultError(f"{path}: a model file ends in .toml")
    require_free(path, force, path.with_suffix(".npz"))
    if isinstance(source, nir.NIRGraph):
        graph, origin = source, "a graph in memory"
    elif isinstance(source, (str, os.PathLike)):
        graph, origin = nodes.read(source), str(source)
    else:
        raise UserError(
            f"a NIR graph or the path of one, not a value of type {type(source).__name__}"
        )
    given = {name: np.asarray(one) for name, one in (inputs or {}).items()}
    made = imported(graph, path.stem, path.with_suffix(".npz").name, dt, duration, given)
    text = f"# Written by neuroglia_snn {__version__} from {shown(origin)}\n\n"
    written = Script(text + toml.document(made.tables), made.arrays)
    require_right(written, path)
    write_files(written, path)
    return {
        "model": str(path),
        "data": str(path.with_suffix(".npz")) if made.arrays else None,
        "source": origin,
        "seed": None,
        "notes": made.notes,
    }


def arrays(path: Path) -> dict[str, np.ndarray]:
    """What inputs are given, from a data file.

    Raises
    ------
    UserError
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in file.files}
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: no .npz file of arrays ({shown(error)})") from None
