"""Who connects to whom: lattices and overlapping footprints, as index arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuroglia_snn.errors import UserError


def lattice_neighbours(shape: Sequence[int], count: int = 4) -> np.ndarray:
    """Neighbours of each site of a lattice with zero-flux edges.

    Sites at an edge have fewer neighbours, so that a mean over them passes nothing outside.

    Parameters
    ----------
    shape : (rows, columns)
    count : 4 or 8
        Von Neumann or Moore neighbourhood.

    Returns
    -------
    int array, (count, rows * columns)
        Index of each neighbour (row-major), -1 where there is none.
    """
    rows, columns = shape
    steps = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    steps += [(-1, -1), (-1, 1), (1, -1), (1, 1)] if count == 8 else []
    row, column = np.divmod(np.arange(rows * columns), columns)
    result = np.full((len(steps), rows * columns), -1)
    for n, (down, right) in enumerate(steps):
        r, c = row + down, column + right
        inside = (r >= 0) & (r < rows) & (c >= 0) & (c < columns)
        result[n, inside] = (r * columns + c)[inside]
    return result


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
