"""The linear nodes of a NIR graph as matrices between its neurons."""

from __future__ import annotations

from dataclasses import dataclass, replace

import nir
import numpy as np

from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.exchange.nir.nodes import NeurogliaPopulation, NeurogliaProjection
from neuroglia_snn.exchange.nir.wiring import MAX_NUMBERS

#: Nodes with a state of their own, by the array whose shape they have.
NEURONS = {
    **{nir.LIF: "v_threshold", nir.CubaLIF: "v_threshold", nir.IF: "v_threshold"},
    **{nir.LI: "tau", nir.CubaLI: "tau_mem", nir.I: "r", nir.Threshold: "threshold"},
}
Shape = tuple[int, ...]


@dataclass
class Term:
    """What a node puts out, weighted: a matrix (channel, unit), or each unit alone; and a delay in seconds.

    ``through`` is the last node with weights on its way.
    """

    source: str
    rows: int
    matrix: np.ndarray | None = None
    delay: float = 0.0
    through: str = ""

    @property
    def is_direct(self) -> bool:
        """Whether it is what the node puts out, as it is."""
        return self.matrix is None and not self.delay

    @property
    def weights(self) -> np.ndarray:
        """All weights."""
        return np.ones(self.rows) if self.matrix is None else self.matrix

    def entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Channel, unit and weight of each connection."""
        if self.matrix is None:
            index = np.arange(self.rows)
            return index, index, np.ones(self.rows)
        j, i = np.nonzero(self.matrix)
        return j, i, self.matrix[j, i]

    def full(self) -> np.ndarray:
        """The matrix."""
        if self.matrix is not None:
            return self.matrix
        _require_size(self.source, self.rows, self.rows)
        return np.eye(self.rows)


@dataclass
class Sum:
    """What reaches a node: terms, and a constant for each channel."""

    terms: list[Term]
    bias: np.ndarray


class Flat:
    """A graph whose subgraphs are written out.

    Attributes
    ----------
    nodes : nodes by name; None for the inputs and outputs of subgraphs, which change nothing
    """

    def __init__(self, graph: nir.NIRGraph) -> None:
        self.nodes: dict[str, nir.NIRNode | None] = {}
        self.edges: list[tuple[str, str]] = []
        self._flatten(graph, "")
        self._shapes: dict[str, Shape] = {}

    def _flatten(self, graph: nir.NIRGraph, prefix: str) -> None:
        ends: dict[str, tuple[str, str]] = {}
        for name, node in graph.nodes.items():
            label = f"{prefix}{name}"
            if isinstance(node, nir.NIRGraph):
                self._flatten(node, f"{label}.")
                ends[name] = (_only(node, nir.Input, label), _only(node, nir.Output, label))
            else:
                inner = prefix and isinstance(node, (nir.Input, nir.Output))
                self.nodes[label] = None if inner else node
        for first, second in dict.fromkeys((a, b) for a, b in graph.edges):
            for name in (first, second):
                if name not in graph.nodes:
                    raise UserError(f"an edge names the node '{shown(name)}', which is not there")
            source = f"{first}.{ends[first][1]}" if first in ends else first
            target = f"{second}.{ends[second][0]}" if second in ends else second
            self.edges.append((f"{prefix}{source}", f"{prefix}{target}"))

    def before(self, name: str) -> list[str]:
        """Names of the nodes whose edges end at one."""
        return [a for a, b in self.edges if b == name]

    def behind(self, name: str) -> list[str]:
        """Names of the nodes at which edges from one end."""
        return [b for a, b in self.edges if a == name]

    # ------------------------------------------------------------------------------------ shapes

    def shape(self, name: str) -> Shape:
        """The shape of what a node puts out.

        Raises
        ------
        UserError
            If nothing tells it.
        """
        found = self._shape(name, ())
        if found is None:
            raise UserError(
                f"node '{shown(name)}': nothing in the graph tells how many units it has"
            )
        return found

    def _shape(self, name: str, path: tuple[str, ...]) -> Shape | None:
        if name in self._shapes:
            return self._shapes[name]
        if name in path:
            return None
        found = self._stated(name, path)
        if found is not None:
            self._shapes[name] = found
        return found

    def _stated(self, name: str, path: tuple[str, ...]) -> Shape | None:
        """The shape of a node by itself, or by what comes before it."""
        node = self.nodes[name]
        own = _own_shape(node)
        if own is not None and (np.prod(own) > 1 or isinstance(node, nir.Input)):
            return own
        for other in self.before(name):
            incoming = self._shape(other, (*path, name))
            if incoming is not None:
                return _through(name, node, incoming)[1]
        return None if own is None else own or (1,)

    # ------------------------------------------------------------------------------------- terms

    def arriving(self, name: str, path: tuple[str, ...] = ()) -> Sum:
        """The weighted input of a node.

        Raises
        ------
        UserError
            For linear nodes in a circle, and for nodes that we do not know.
        """
        total: Sum | None = None
        for other in self.before(name):
            if isinstance(self.nodes[other], NeurogliaProjection):
                continue
            found = self._leaving(other, (*path, name))
            if total is None:
                total = Sum([*found.terms], found.bias)
            elif len(total.bias) != len(found.bias):
                raise UserError(
                    f"node '{shown(name)}' is reached by {len(total.bias)} and by {len(found.bias)} channels"
                )
            else:
                total = Sum([*total.terms, *found.terms], total.bias + found.bias)
        if total is None:
            return Sum([], np.zeros(int(np.prod(self.shape(name)))))
        return Sum(_merged(total.terms), total.bias)

    def _leaving(self, name: str, path: tuple[str, ...]) -> Sum:
        node = self.nodes[name]
        if isinstance(node, (*NEURONS, nir.Input, NeurogliaPopulation)):
            size = int(np.prod(self.shape(name)))
            return Sum([Term(name, size)], np.zeros(size))
        if name in path:
            raise UserError(f"node '{shown(name)}' is in a circle without a neuron")
        incoming = self.arriving(name, path)
        shapes = [self.shape(other) for other in self.before(name)]
        if not shapes:
            raise UserError(f"node '{shown(name)}' has no input")
        if isinstance(node, nir.Delay):
            return _delayed(node, incoming)
        if node is None or isinstance(node, (nir.Flatten, nir.Output)):
            return incoming
        weights, bias = _matrix(name, node, shapes[0])
        if weights.shape[1] != len(incoming.bias):
            raise UserError(
                f"node '{shown(name)}' takes {weights.shape[1]} channels and is reached by"
                f" {len(incoming.bias)}"
            )
        terms = [
            Term(t.source, len(weights), _product(weights, t.matrix), t.delay, name)
            for t in incoming.terms
        ]
        return Sum(terms, weights @ incoming.bias + bias)


def _only(graph: nir.NIRGraph, kind: type, label: str) -> str:
    """The name of a subgraph's one input or output."""
    found = [name for name, node in graph.nodes.items() if isinstance(node, kind)]
    if len(found) != 1:
        raise UserError(
            f"the graph '{shown(label)}' within the graph has {len(found)} nodes {kind.__name__},"
            " and one can be read"
        )
    return found[0]


def _own_shape(node: nir.NIRNode | None) -> Shape | None:
    """The shape that a node states."""
    if isinstance(node, nir.Input):
        return _numbers(node.input_type["input"])
    if isinstance(node, (NeurogliaPopulation)):
        return _numbers(node.shape)
    if isinstance(node, tuple(NEURONS)):
        return np.shape(getattr(node, NEURONS[type(node)]))
    if isinstance(node, (nir.Affine, nir.Linear)):
        return (np.shape(node.weight)[0],)
    return None


def _numbers(shape: object) -> Shape:
    return tuple(int(n) for n in np.atleast_1d(np.asarray(shape)))


def _merged(terms: list[Term]) -> list[Term]:
    """Terms of one source and one delay, by one way, as one."""
    found: dict[tuple[str, float, str], Term] = {}
    for term in terms:
        key = (term.source, term.delay, term.through)
        matrix = found[key].full() + term.full() if key in found else term.matrix
        found[key] = replace(term, matrix=matrix)
    return [*found.values()]


def _product(weights: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    return weights if matrix is None else weights @ matrix


def _delayed(node: nir.Delay, incoming: Sum) -> Sum:
    """What a delay node puts out: a term for each of its delays."""
    delays = np.broadcast_to(np.ravel(node.delay), len(incoming.bias))
    terms = []
    for delay in np.unique(delays):
        there = delays == delay
        for term in incoming.terms:
            matrix = term.matrix if there.all() else np.where(there[:, None], term.full(), 0)
            terms.append(replace(term, matrix=matrix, delay=term.delay + float(delay)))
    return Sum(_merged(terms), incoming.bias)


# ------------------------------------------------------------------------------------- linear nodes


def _through(name: str, node: nir.NIRNode | None, incoming: Shape) -> tuple[Shape, Shape]:
    """The shapes on both sides of a node, by the one before it."""
    if isinstance(node, (nir.Affine, nir.Linear)):
        return incoming, (np.shape(node.weight)[0],)
    if isinstance(node, nir.Flatten):
        start = node.start_dim % len(incoming)
        end = node.end_dim % len(incoming)
        middle = int(np.prod(incoming[start : end + 1]))
        return incoming, (*incoming[:start], middle, *incoming[end + 1 :])
    if isinstance(node, (nir.Conv1d, nir.Conv2d, nir.SumPool2d, nir.AvgPool2d)):
        return incoming, _Window(name, node, incoming).out
    return incoming, incoming


def _matrix(name: str, node: nir.NIRNode, incoming: Shape) -> tuple[np.ndarray, np.ndarray]:
    """A linear node as a matrix and what it adds."""
    size = int(np.prod(incoming))
    if isinstance(node, (nir.Affine, nir.Linear)):
        if np.ndim(node.weight) != 2:
            raise UserError(
                f"node '{shown(name)}' has weights of {np.ndim(node.weight)} dimensions"
            )
        weights = np.asarray(node.weight, float)
        bias = np.asarray(getattr(node, "bias", 0.0), float)
        return weights, np.broadcast_to(bias.ravel(), len(weights))
    if isinstance(node, nir.Scale):
        scale = np.broadcast_to(np.asarray(node.scale, float).ravel(), size)
        return np.diag(scale), np.zeros(size)
    if isinstance(node, (nir.Conv1d, nir.Conv2d, nir.SumPool2d, nir.AvgPool2d)):
        return _Window(name, node, incoming).matrix()
    raise UserError(f"node '{shown(name)}' is a {type(node).__name__}, which no model file says")


def _require_size(name: str, rows: int, columns: int) -> None:
    if rows * columns > MAX_NUMBERS:
        raise UserError(
            f"node '{shown(name)}' is a matrix of {rows} x {columns} numbers, and more than"
            f" {MAX_NUMBERS} are not read"
        )


class _Window:
    """A convolution or a pooling over the last one or two dimensions of an image of channels."""

    def __init__(self, name: str, node: nir.NIRNode, incoming: Shape) -> None:
        self.name, self.node = name, node
        spatial = 1 if isinstance(node, nir.Conv1d) else 2
        if len(incoming) != spatial + 1:
            raise UserError(
                f"node '{shown(name)}' is a {type(node).__name__}, and what reaches it has the shape {incoming}"
            )
        self.channels, self.size = incoming[0], incoming[1:]
        pooling = isinstance(node, (nir.SumPool2d, nir.AvgPool2d))
        self.dilation = _each(1 if pooling else node.dilation, spatial)
        self.stride = _each(node.stride, spatial)
        self.extent = (
            _each(node.kernel_size, spatial) if pooling else _numbers(np.shape(node.weight)[2:])
        )
        self.padding = self._padding(node.padding, spatial)
        self.maps = self.channels if pooling else int(np.shape(node.weight)[0])
        self.groups = self.channels if pooling else int(node.groups)
        places = (
            (n + sum(p) - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(
                self.size, self.padding, self.dilation, self.extent, self.stride, strict=True
            )
        )
        self.out: Shape = (self.maps, *places)

    def _padding(self, given: object, spatial: int) -> list[tuple[int, int]]:
        """Zeros before and behind, a pair for each dimension."""
        text = given.decode() if isinstance(given, bytes) else given
        if isinstance(text, str) and text == "same":
            whole = [d * (k - 1) for d, k in zip(self.dilation, self.extent, strict=True)]
            return [(n // 2, n - n // 2) for n in whole]
        return [(n, n) for n in _each(0 if isinstance(text, str) else given, spatial)]

    def _weights(self) -> np.ndarray:
        """(map, channel of its group, place...)."""
        if isinstance(self.node, (nir.SumPool2d, nir.AvgPool2d)):
            one = np.ones((self.maps, 1, *self.extent))
            return one / one[0].size if isinstance(self.node, nir.AvgPool2d) else one
        return np.asarray(self.node.weight, float)

    def matrix(self) -> tuple[np.ndarray, np.ndarray]:
        """The matrix of all windows, and what each map adds."""
        weights, places = self._weights(), self.out[1:]
        rows, columns = int(np.prod(self.out)), self.channels * int(np.prod(self.size))
        _require_size(self.name, rows, columns)
        matrix = np.zeros((rows, columns))
        whole = matrix.reshape(self.maps, *places, self.channels, *self.size)
        inner = weights.shape[1]
        for where in np.ndindex(*places):
            for at in np.ndindex(*self.extent):
                source = self._source(where, at)
                if source is None:
                    continue
                for one in range(self.maps):
                    first = one // (self.maps // self.groups) * inner
                    index = (one, *where, slice(first, first + inner), *source)
                    kernel = (one, slice(None), *at)
                    whole[index] += weights[kernel]
        bias = np.asarray(getattr(self.node, "bias", np.zeros(self.maps)), float).ravel()
        return matrix, np.repeat(np.broadcast_to(bias, self.maps), int(np.prod(places)))

    def _source(self, where: Shape, at: Shape) -> Shape | None:
        """The place of the image that a place of the kernel sees; None outside of it."""
        found = tuple(
            w * s + a * d - p[0]
            for w, s, a, d, p in zip(
                where, self.stride, at, self.dilation, self.padding, strict=True
            )
        )
        inside = all(0 <= f < n for f, n in zip(found, self.size, strict=True))
        return found if inside else None


def _each(given: object, count: int) -> Shape:
    """A number for each dimension."""
    numbers = _numbers(given)
    return numbers * count if len(numbers) == 1 else numbers
