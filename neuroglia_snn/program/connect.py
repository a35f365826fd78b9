"""Brian2's connections for many sources at once; its NumPy code makes those of one after the other.

Brian2 translates the expressions of `brian2.Synapses.connect`; our template of
``synapses_create_generator`` runs them for blocks of pairs, in Brian2's order. `Line` says which pairs,
`Made` keeps the synapses. Random pairs have Brian2's distribution and other random numbers, which NumPy's
seed decides.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from itertools import pairwise, permutations
from typing import Any

import numpy as np
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.variables import ArrayVariable

Blocks = Iterator[tuple[np.ndarray, np.ndarray]]

#: Pairs of a block: its arrays stay in the cache.
_BLOCK = 2**15
#: Synapses that are counted at once.
_COUNTED = 2**18
#: Pairs as probable as this are tried one by one, others by the distance to the next.
_DENSE = 0.25
_TEMPLATES = ("synapses_create_generator", "synapses_create_array")


class ConnectCodeObject(NumpyCodeObject):
    """`NumpyCodeObject` with our templates of those names."""

    templater = NumpyCodeObject.templater.derive("neuroglia_snn.program")


def makes(template: str, variables: dict[str, Any]) -> bool:
    """Whether a code object is ours to make.

    A function of the script is called by Brian2 with one source at a time, and may rely on it.
    """
    known = set(map(id, DEFAULT_FUNCTIONS.values()))
    return template in _TEMPLATES and all(
        id(v) in known for v in variables.values() if isinstance(v, Function)
    )


def joined(keywords: dict[str, Any], variables: dict[str, Any]) -> tuple[str, str] | None:
    """The names of two values, of an outer and of a result unit, that a pair must have equal.

    ``keywords`` are those of Brian2's template. Only where all pairs of units are tried, and where the
    condition, or a part of it that must hold, is such an equality; None elsewhere.
    """
    outer, result, counter = (
        keywords.get(name) for name in ("outer_index", "result_index", "inner_variable")
    )
    every = {"low": "0", "high": f"N_{'post' if result == 'j' else 'pre'}", "step": "1"}
    if keywords.get("iterator_func") != "range" or keywords.get("iterator_kwds") != every:
        return None
    if keywords.get("element") != counter or not keywords.get("if_expression"):
        return None
    condition = ast.parse(keywords["if_expression"], mode="eval").body
    parts = condition.values if isinstance(condition, ast.BoolOp) else [condition]
    if isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.Or):
        return None

    def of(index: Any, indices: tuple[Any, ...], node: ast.expr) -> str | None:
        """The name, if it is one of a unit's values or its number."""
        name = getattr(node, "id", None)
        if name is None or name in indices:
            return name and str(index)
        own = name.endswith("_pre" if index == "i" else "_post") and name not in ("N_pre", "N_post")
        variable = variables.get(name)
        return name if own and isinstance(variable, ArrayVariable) and not variable.scalar else None

    for part in parts:
        if isinstance(part, ast.Compare) and len(part.ops) == 1 and isinstance(part.ops[0], ast.Eq):
            for one, other in permutations((part.left, part.comparators[0])):
                left, right = of(outer, (outer,), one), of(result, (result, counter), other)
                if left and right:
                    return left, right
    return None


def values(owner: Any, name: str, units: np.ndarray, offset: int) -> np.ndarray:
    """Of units of an end of synapses: their numbers (``i`` or ``j``), or a variable."""
    if name in ("i", "j"):
        return units
    return np.asarray(owner.variables[name].get_value())[units + offset]


def equal(outer: np.ndarray, left: np.ndarray, right: np.ndarray) -> Blocks:
    """Blocks of pairs of outer indices and places in ``right`` that have the same value, in Brian2's order."""
    kind = np.result_type(left, right)
    order = np.argsort(right, kind="stable")
    ordered, left = right[order].astype(kind), left.astype(kind)
    begin, end = (np.searchsorted(ordered, left, side) for side in ("left", "right"))
    counts = end - begin
    for part in _parts(counts):
        sizes = counts[part]
        shift = np.repeat(begin[part] - np.cumsum(sizes) + sizes, sizes)
        yield np.repeat(outer[part], sizes), order[shift + np.arange(len(shift))]


class Line:
    """The pairs of an iterator, ``low`` to ``high`` by ``step`` for each outer index, one after the other.

    ``low``, ``high``, ``step`` and what the methods take are a number, or one for each outer index. The
    methods yield blocks of pairs: outer indices and values of the iterator.
    """

    def __init__(self, outer: np.ndarray, low: Any, high: Any, step: Any) -> None:
        low, high, self._step = (np.asarray(n).astype(np.int64) for n in (low, high, step))
        if not self._step.all():
            raise ZeroDivisionError("the step of an iterator over neurons is 0")
        self._outer = outer
        self._low = np.broadcast_to(low, outer.shape)
        self._sizes = np.broadcast_to(np.maximum(0, -((low - high) // self._step)), outer.shape)

    def all(self) -> Blocks:
        """All pairs."""
        for part in _parts(self._sizes):
            yield self._pairs(part, np.arange(self._sizes[part].sum()))

    def trials(self, p: Any) -> Blocks:
        """Each pair with probability ``p``."""
        p = np.broadcast_to(np.asarray(p, float), self._outer.shape)
        bound = np.where(p < _DENSE, np.maximum(p, 0.0), 1.0)
        random = _generator()
        for part in _parts(self._sizes * bound):
            sizes, most = self._sizes[part], bound[part].max()
            places = _hits(sizes.sum(), most, random)
            if (p[part] != most).any():  # thin out
                each = np.repeat(p[part], _counts(places, np.cumsum(sizes)))
                places = places[random.random(len(places)) * most < each]
            yield self._pairs(part, places)

    def samples(self, size: Any, skip_if_invalid: bool) -> Blocks:
        """``size`` pairs of each outer index, all sets of them equally probable."""
        size = np.broadcast_to(np.asarray(size).astype(np.int64), self._outer.shape)
        size = np.where(self._sizes > 0, size, 0)
        if skip_if_invalid:
            size = np.clip(size, 0, self._sizes)
        (wrong,) = np.nonzero((size < 0) | (size > self._sizes))
        if len(wrong):
            wanted, most = size[wrong[0]], self._sizes[wrong[0]]
            fault = "negative" if wanted < 0 else f"bigger than the population size {most}"
            raise IndexError(f"Requested sample size {wanted} is {fault}.")
        random = _generator()
        for part in _parts(size):
            yield self._pairs(part, _subsets(self._sizes[part], size[part], random))

    def _pairs(self, part: slice, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The pairs at some places of a part of the line, in ascending order."""
        sizes, step = self._sizes[part], self._step
        ends = np.cumsum(sizes)
        counts = _counts(places, ends)
        if step.ndim:
            step = step[part]
        shift = np.repeat(self._low[part] - (ends - sizes) * step, counts)
        if step.ndim:
            places = places * np.repeat(step, counts)
        elif step != 1:
            places = places * step
        return np.repeat(self._outer[part], counts), places + shift


def _parts(sizes: np.ndarray) -> list[slice]:
    """Slices of outer indices with about a block of pairs each; those without any are left out."""
    ends = np.cumsum(sizes)
    total = ends[-1] if len(ends) else 0
    if not total > 0:
        return []
    cuts = np.searchsorted(ends, np.arange(_BLOCK, total, _BLOCK)) + 1
    cuts = np.unique(np.concatenate([[0], cuts, [len(ends)]]))
    return [slice(a, b) for a, b in pairwise(cuts)]


def _counts(places: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """How many of some ascending places are before each end, and not before the one before it."""
    return np.diff(np.searchsorted(places, ends), prepend=0)


def _generator() -> np.random.Generator:
    """Random numbers that NumPy's seed and state decide."""
    return np.random.Generator(np.random.SFC64(np.random.randint(0, 2**32, 4, np.uint64).tolist()))


def _hits(total: int, p: float, random: np.random.Generator) -> np.ndarray:
    """Those of ``total`` places that trials of probability ``p`` hit, ascending.

    The distance from one to the next has a geometric distribution: an exponential one, rounded up.
    """
    if p in (0, 1):
        return np.arange(total * int(p))
    mean = -1 / np.log1p(-p)
    found, last = [], -1
    while last < total:
        rest = (total - last) * p
        steps = random.standard_exponential(int(rest + 4 * np.sqrt(rest)) + 10)
        steps *= mean
        places = np.minimum(steps, total, out=steps).astype(np.int64)
        places += 1
        places[0] += last
        np.cumsum(places, out=places)
        found.append(places)
        last = places[-1]
    places = np.concatenate(found) if len(found) > 1 else found[0]
    return places[: np.searchsorted(places, total)]


def _subsets(totals: np.ndarray, sizes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Places of random subsets with these ``sizes`` in rows of ``totals`` places, ascending.

    Of more than half of a row's places, those that are left out are drawn.
    """
    inverse = 2 * sizes > totals
    sizes = np.where(inverse, totals - sizes, sizes)
    ends = np.cumsum(totals)
    places, missing = np.zeros(0, np.int64), sizes
    while missing.any():  # places that were drawn before are drawn again
        starts, spans = np.repeat(ends - totals, missing), np.repeat(totals, missing)
        drawn = starts + (random.random(len(spans)) * spans).astype(np.int64)
        places = np.sort(np.concatenate([places, drawn]))
        places = places[np.diff(places, prepend=-1) > 0]
        missing = sizes - _counts(places, ends)
    if inverse.any():
        starts, spans = (ends - totals)[inverse], totals[inverse]
        rest = np.repeat(starts - np.cumsum(spans) + spans, spans) + np.arange(spans.sum())
        out = np.repeat(inverse, sizes)
        kept = np.ones(len(rest), bool)
        kept[np.searchsorted(rest, places[out])] = False
        places = np.sort(np.concatenate([places[~out], rest[kept]]))
    return places


def where(condition: Any, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Those elements of arrays of one shape for which the condition, maybe one for all, holds."""
    if np.ndim(condition) == 0:
        return arrays if condition else tuple(a[:0] for a in arrays)
    return tuple(a[condition] for a in arrays)


def check(outer: np.ndarray, result: np.ndarray, size: int, name: str, used: bool) -> None:
    """Raise Brian2's error of indices that are out of range, for the first outer index that has one."""
    if not len(result) or (result.min() >= 0 and result.max() < size):
        return
    first = outer[(result < 0) | (result >= size)][0]
    result = result[outer == first]
    wrong = result.min() if result.min() < 0 else result.max()
    reason = ", and the condition refers to a post-synaptic variable" if used else ""
    raise IndexError(f"index {name}={wrong} outside allowed range from 0 to {size - 1}{reason}")


class Made:
    """The synapses that are made, kept until all are known: what fails leaves no half of them."""

    def __init__(self) -> None:
        self._blocks: tuple[deque[np.ndarray], deque[np.ndarray]] = deque(), deque()

    def add(self, pre: np.ndarray, post: np.ndarray, n: Any) -> None:
        """Make ``n`` synapses of each pair."""
        if np.ndim(n) or n != 1:
            pre, post = np.repeat(pre, n), np.repeat(post, n)
        for blocks, new in zip(self._blocks, (pre, post), strict=True):
            blocks.append(new.astype(np.int32, copy=False))

    def store(self, owner: Any, pre: Any, post: Any) -> None:
        """Append them to the dynamic arrays of the `Synapses` ``owner``."""
        before = len(pre)
        total = before + sum(map(len, self._blocks[0]))
        for array, blocks in zip((pre, post), self._blocks, strict=True):
            array.resize(total)
            begin = before
            while blocks:
                block = blocks.popleft()
                array[begin : begin + len(block)] = block
                begin += len(block)
        owner._resize(total)
        _number(owner, before)


def _number(owner: Any, before: int) -> None:
    """Count the synapses of each neuron that are new, and number those of each pair.

    This is `Synapses._update_synapse_numbers` without arrays that are as long as all synapses.
    """
    variables = owner.variables
    pre, post = (variables[name].get_value() for name in ("_synaptic_pre", "_synaptic_post"))
    for counts, end, values in (("N_outgoing", "pre", pre), ("N_incoming", "post", post)):
        offset = variables["_source_offset" if end == "pre" else "_target_offset"].get_value()
        variables[counts].resize(variables[f"N_{end}"].item() + offset)
        known = variables[counts].get_value()
        for begin in range(before, len(values), _COUNTED):
            known += np.bincount(values[begin : begin + _COUNTED], minlength=len(known))
    if owner.multisynaptic_index is not None:
        variables[owner.multisynaptic_index].get_value()[:] = _repeats(pre, post)


def _repeats(pre: np.ndarray, post: np.ndarray) -> np.ndarray:
    """How many synapses of the same pair of neurons are before each."""
    pairs = pre.astype(np.int64) << 32 | post
    order = None if (pairs[1:] >= pairs[:-1]).all() else np.argsort(pairs, kind="stable")
    if order is not None:
        pairs = pairs[order]
    numbers = np.arange(len(pairs))
    first = np.zeros_like(numbers)
    first[1:] = np.where(pairs[1:] != pairs[:-1], numbers[1:], 0)
    numbers -= np.maximum.accumulate(first)
    if order is None:
        return numbers
    first[order] = numbers
    return first
