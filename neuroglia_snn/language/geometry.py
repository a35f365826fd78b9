"""Who connects to whom: lattices and overlapping footprints, as index arrays."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from neuroglia_snn.errors import UserError

#: Numbers of neighbours by the number of a lattice's dimensions: in how many of these one is a step away.
NEIGHBOURS = {1: {2: 1}, 2: {4: 1, 8: 2}, 3: {6: 1, 18: 2, 26: 3}}


def lattice_neighbours(
    shape: Sequence[int], count: int | None = None, periodic: bool = False
) -> np.ndarray:
    """Neighbours of each site of a lattice of one to three dimensions.

    With zero-flux edges, sites at an edge have fewer neighbours, so that a mean over them passes
    nothing outside. With periodic ones, what is beyond an edge is what is at the one across.

    Parameters
    ----------
    shape : (sites,), (rows, columns) or (planes, rows, columns)
    count : int
        One of `NEIGHBOURS`: 2, 4 (von Neumann) or 8 (Moore), 6, 18 or 26; the nearest alone if None.
    periodic : bool

    Returns
    -------
    int array, (count, sites)
        Index of each neighbour (row-major), -1 where there is none.
    """
    steps = lattice_steps(len(shape), count)
    sites = np.stack(np.unravel_index(np.arange(prod(shape)), shape))
    limits = np.array(shape)[:, None]
    result = np.full((len(steps), sites.shape[1]), -1)
    for n, step in enumerate(steps):
        place = sites + np.array(step)[:, None]
        place = place % limits if periodic else place
        inside = ((place >= 0) & (place < limits)).all(axis=0)
        result[n, inside] = np.ravel_multi_index(tuple(place[:, inside]), shape)
    return result


def lattice_steps(dimensions: int, count: int | None = None) -> list[tuple[int, ...]]:
    """Steps from a site to each of its ``count`` neighbours, those along one axis first."""
    known, steps = NEIGHBOURS[dimensions], []
    for number in range(1, known[count or min(known)] + 1):
        for axes in itertools.combinations(range(dimensions), number):
            for signs in itertools.product((-1, 1), repeat=number):
                along = dict(zip(axes, signs, strict=True))
                steps.append(tuple(along.get(axis, 0) for axis in range(dimensions)))
    return steps


def lattice(shape: Sequence[int], connect: Mapping[str, Any]) -> np.ndarray:
    """Neighbours by a rule ``lattice``, as `lattice_neighbours`."""
    periodic = connect.get("edges") == "periodic"
    return lattice_neighbours(shape, connect.get("neighbours"), periodic)


def footprint_pairs(
    watched: Sequence[int], watchers: Sequence[int], size: Sequence[int], step: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Watcher (i, j) covers rows ``i*step .. i*step + size - 1`` of the watched lattice.

    Parameters
    ----------
    watched, watchers : (rows, columns)
        Shapes of the two lattices, e.g. (130, 130) neurons and (43, 43) astrocytes.
    size, step : (rows, columns)
        Extent of a footprint and distance to the next, e.g. (4, 4) and (3, 3).

    Returns
    -------
    (watched index, watcher index) : two int arrays, ordered by watcher

    Raises
    ------
    UserError
        If the footprints reach outside the watched lattice.
    """
    check_footprints(watched, watchers, size, step)
    i, j = np.divmod(np.arange(watchers[0] * watchers[1]), watchers[1])
    a, b = np.divmod(np.arange(size[0] * size[1]), size[1])
    row = i[:, None] * step[0] + a[None, :]
    column = j[:, None] * step[1] + b[None, :]
    watcher = np.repeat(np.arange(i.size), a.size)
    return (row * watched[1] + column).ravel(), watcher


def check_footprints(
    watched: Sequence[int], watchers: Sequence[int], size: Sequence[int], step: Sequence[int]
) -> None:
    """Refuse footprints that reach outside the watched lattice; no arrays are made.

    Raises
    ------
    UserError
        With the number of rows or columns that would be needed.
    """
    for axis, name in enumerate(("rows", "columns")):
        reach = (watchers[axis] - 1) * step[axis] + size[axis]
        if reach > watched[axis]:
            raise UserError(
                f"{watchers[axis]} footprints of {size[axis]} {name} every {step[axis]} need"
                f" {reach} {name}, the lattice has {watched[axis]}"
            )


def first_footprint(
    watched: Sequence[int], watchers: Sequence[int], size: Sequence[int], step: Sequence[int]
) -> np.ndarray:
    """For each site of the watched lattice, the first watcher that covers it (-1: none).

    Where footprints overlap, the watcher of lower row and column counts.
    """
    site, watcher = footprint_pairs(watched, watchers, size, step)
    result = np.full(watched[0] * watched[1], -1)
    result[site[::-1]] = watcher[::-1]  # the last assignment, i.e. the lowest watcher, stays
    return result
