"""Rules that make the pairs of a list of connections."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroglia_snn.program import lattice


def recognised(
    i: np.ndarray, j: np.ndarray, sizes: tuple[int, int], within: bool
) -> tuple[dict[str, Any] | None, list[int] | None]:
    """A rule that makes these pairs, and the shape that it gives the population; None if there is none.

    Parameters
    ----------
    i, j : array of int
        Sources and targets.
    sizes : (int, int)
        Of both sides.
    within : bool
        Whether a whole population is connected to itself.
    """
    if sizes[0] == sizes[1] == len(i) and (i == j).all() and len(np.unique(i)) == len(i):
        return {"rule": "one-to-one"}, None
    if len(i) == sizes[0] * sizes[1]:
        places = i.astype(np.int64) * sizes[1] + j
        if len(np.unique(places)) == len(places):
            return {"rule": "all"}, None
    found = lattice.explained(i, j, sizes[0]) if within else None
    if found is not None:
        grid, offsets = found
        if grid.rows > 1 and not any(grid.periodic) and len(offsets) in (4, 8):
            return {"rule": "lattice", "neighbours": len(offsets)}, [grid.rows, grid.cols]
    return None, None
