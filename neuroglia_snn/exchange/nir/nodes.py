"""NIR files and our extension nodes in them. Only this package's functions that need the package nir import it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from neuroglia_snn.errors import ResultError, UserError, shown


@dataclass(eq=False)
class NeurogliaPopulation(nir.NIRNode):
    """A population that NIR has no node for: its table of a model file, as TOML."""

    toml: str
    shape: np.ndarray

    def __post_init__(self) -> None:
        self.input_type = {"input": np.array(self.shape)}
        self.output_type = {"output": np.array(self.shape)}


@dataclass(eq=False)
class NeurogliaProjection(nir.NIRNode):
    """A projection that NIR has no node for: its table of a model file, as TOML.

    The file names its two sides: an edge comes from its source and one goes to its target.
    """

    toml: str
    source_shape: np.ndarray
    target_shape: np.ndarray

    def __post_init__(self) -> None:
        self.input_type = {"input": np.array(self.source_shape)}
        self.output_type = {"output": np.array(self.target_shape)}


EXTENSIONS = {one.__name__: one for one in (NeurogliaPopulation, NeurogliaProjection)}


def read(path: str | os.PathLike[str]) -> nir.NIRGraph:
    """A graph from a file, our extension nodes included; no types are checked.

    Raises
    ------
    UserError
        For a file that is no NIR graph, or has a node of another type.
    """
    try:
        with h5py.File(path, "r") as file:
            tree = _tree(file["node"])
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            f"{shown(path)}: not a NIR file ({shown(error.strerror if isinstance(error, OSError) and error.strerror else error)})"
        ) from None
    graph = _node("the graph", tree)
    if not isinstance(graph, nir.NIRGraph):
        raise UserError(f"{shown(path)}: holds a single {type(graph).__name__}, not a graph")
    return graph


def _tree(group: h5py.Group) -> dict[str, Any]:
    """A group of the file as nested mappings; texts are texts."""
    tree: dict[str, Any] = {}
    for key, item in group.items():
        value = _tree(item) if isinstance(item, h5py.Group) else item[()]
        tree[key] = value.decode("utf-8") if isinstance(value, bytes) else value
    return tree


def _node(name: str, tree: dict[str, Any]) -> nir.NIRNode:
    kind = tree.get("type")
    try:
        if kind == "NIRGraph":
            metadata = tree.get("metadata", {})
            nodes = {key: _node(key, one) for key, one in tree["nodes"].items()}
            first = [key for key in str(metadata.get("order", "")).split() if key in nodes]
            nodes = {key: nodes[key] for key in dict.fromkeys([*first, *nodes])}
            edges = [*_edges(tree["edges"])]
            return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)
        if kind in EXTENSIONS:
            return EXTENSIONS[kind].from_dict(tree)
        return nir.dict2NIRNode(tree)
    except UserError:
        raise
    except Exception as error:  # of nir, of several kinds
        raise UserError(
            f"node '{shown(name)}' is no node of NIR 1.0 (type '{shown(kind)}'): {shown(error) or type(error).__name__}"
        ) from None


def _edges(array: Any) -> Iterator[tuple[str, str]]:
    for pair in array:
        first, second = (p.decode("utf-8") if isinstance(p, bytes) else str(p) for p in pair)
        yield first, second


def write(graph: nir.NIRGraph, path: Path) -> None:
    """Write a graph; the file appears only when complete."""
    partial = path.with_suffix(".partial")
    try:
        nir.write(partial, graph)
        partial.replace(path)
    except OSError as error:
        raise ResultError(f"{path} cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
