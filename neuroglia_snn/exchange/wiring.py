"""Rules that make the pairs of a list of connections."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroglia_snn.language import geometry
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
        shape = [grid.rows, grid.cols] if grid.rows > 1 else [grid.cols]
        rule = {"rule": "lattice", "neighbours": len(offsets)}
        rule |= {"edges": "periodic"} if all(grid.periodic[-len(shape) :]) else {}
        if len(offsets) in geometry.NEIGHBOURS[len(shape)] and _makes(rule, shape, i, j):
            return rule, shape
    return None, None


def _makes(rule: dict[str, Any], shape: list[int], i: np.ndarray, j: np.ndarray) -> bool:
    """Whether a rule makes these pairs, in whatever order."""
    if "edges" in rule and min(shape) < 3:
        return False
    index = geometry.lattice(shape, rule)
    slot, target = np.nonzero(index >= 0)
    made, given = (
        np.sort(b * index.shape[1] + a) for a, b in ((index[slot, target], target), (i, j))
    )
    return np.array_equal(made, given)
