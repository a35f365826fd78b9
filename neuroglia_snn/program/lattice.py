"""Regular neighbours: whether index arrays lead from each unit to the same place beside it.

What Brian2 keeps of a lattice is an array of indices for each neighbour. Where all of them are offsets
(row, column) in one lattice, with the same edges, a loop needs no index, whoever built the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Offset = tuple[int, int]


@dataclass(frozen=True)
class Lattice:
    """``rows`` x ``cols`` units, row by row; a chain of units is one row.

    ``periodic`` says of rows and of columns whether those at one edge are neighbours of those at the
    other; elsewhere a unit stands for its own missing neighbours (no flux).
    """

    rows: int
    cols: int
    periodic: tuple[bool, bool]

    def neighbours(self, offset: Offset) -> np.ndarray:
        """Index of the unit at an offset from each unit, (rows*cols,)."""
        lengths = (self.rows, self.cols)
        places = [np.arange(n) + d for n, d in zip(lengths, offset, strict=True)]
        row, column = (
            place % n if around else np.clip(place, 0, n - 1)
            for place, n, around in zip(places, lengths, self.periodic, strict=True)
        )
        return (row[:, None] * self.cols + column).ravel()

    def present(self, offset: Offset) -> np.ndarray:
        """Whether there is a unit at an offset from each unit, (rows*cols,)."""
        row, column = (
            np.full(n, around) | ((np.arange(n) + d >= 0) & (np.arange(n) + d < n))
            for n, d, around in zip((self.rows, self.cols), offset, self.periodic, strict=True)
        )
        return (row[:, None] & column).ravel()


def recognised(indices: Sequence[np.ndarray], size: int) -> tuple[Lattice, list[Offset]] | None:
    """The lattice that explains all index arrays, and the offset of each; None if there is none.

    Neighbours at a corner (row and column both beside the unit) are recognised where no edge of a lattice
    without flux stands between, as a missing one is then no copy of a row or column.
    """
    steps = [_usual(np.asarray(index) - np.arange(size)) for index in indices]
    if not all(len(index) == size for index in indices) or 0 in steps:
        return None
    for lattice in _candidates(max(map(abs, steps), default=0), size):
        offsets = [_offset(step, lattice.cols) for step in steps]
        if all(
            max(map(abs, offset)) <= 1 and np.array_equal(lattice.neighbours(offset), index)
            for offset, index in zip(offsets, indices, strict=True)
        ):
            return lattice, offsets
    return None


def explained(
    sources: np.ndarray, targets: np.ndarray, size: int
) -> tuple[Lattice, list[Offset]] | None:
    """The lattice whose neighbours, each once, are these synapses, and their offsets; None if none is."""
    if not 0 < len(sources) <= 8 * size or max(sources.max(), targets.max()) >= size:
        return None
    steps, counts = np.unique(np.asarray(sources, np.int64) - targets, return_counts=True)
    usual = [int(step) for step in steps[counts > size // 2]]
    if not usual or 0 in usual or len(usual) > 8:
        return None
    pairs = np.sort(np.asarray(targets, np.int64) * size + sources)
    for lattice in _candidates(max(map(abs, usual)), size):
        offsets = [_offset(s, lattice.cols) for s in usual]
        if all(offset in _ORDER for offset in offsets):
            offsets.sort(key=_ORDER.__getitem__)
            units = np.arange(size)
            wanted = [(units * size + lattice.neighbours(o))[lattice.present(o)] for o in offsets]
            if np.array_equal(np.sort(np.concatenate(wanted)), pairs):
                return lattice, offsets
    return None


#: Neighbours in the order in which they are added: those opposite to each other side by side.
_ORDER: dict[Offset, int] = {
    offset: n
    for n, offset in enumerate(
        ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
    )
}


def _usual(steps: np.ndarray) -> int:
    """The step of most units; 0 if that is none."""
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)]) if len(values) else 0


def _candidates(longest: int, size: int) -> Iterator[Lattice]:
    if longest == 1 and size >= 3:  # a chain, or a ring
        yield Lattice(1, size, (False, False))
        yield Lattice(1, size, (False, True))
    for cols in (longest, longest - 1):
        if cols >= 3 and size % cols == 0 and size // cols >= 3:
            for kind in ((False, False), (True, True), (True, False), (False, True)):
                yield Lattice(size // cols, cols, kind)


def _offset(step: int, cols: int) -> Offset:
    row = round(step / cols)
    return row, step - row * cols
