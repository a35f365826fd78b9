"""Statistics over the runs of a sweep, and how well a pattern is recalled."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from neuroglia_snn.errors import UserError


def spread_over_seeds(values: xr.DataArray, skipna: bool = True) -> xr.DataArray:
    """Standard deviation of a sample (n - 1) over the dimension ``seed``; NaN where it has one seed.

    With ``skipna``, seeds without a value are left out; otherwise one of them makes the result NaN.
    """
    squares = (values - values.mean("seed", skipna=skipna)) ** 2
    free = values.count("seed") - 1
    return np.sqrt(squares.sum("seed", skipna=skipna) / free.where(free > 0))


def memory_accuracy(response: ArrayLike, pattern: ArrayLike) -> float:
    """Accuracy of a recalled pattern: the mean of hit rate and correct-rejection rate.

    A = 1/2 [mean of M over P + mean of (1 - M) over the complement of P], where M is the
    binary response and P the set of the ideal pattern's pixels. A perfect response gives 1, the
    inverted pattern 0, and a silent or a flooded network 1/2.

    Parameters
    ----------
    response
        Boolean, or 0 and 1: whether each neuron responded. Any shape.
    pattern
        Boolean, or 0 and 1, of the same shape: the ideal pattern, neither empty nor full.

    Returns
    -------
    float
        The accuracy, from 0 to 1, without a unit.

    Raises
    ------
    UserError
        If the shapes differ, a value is neither 0 nor 1, or the pattern is empty or full.

    Notes
    -----
    Source: "Noise-induced artificial intelligence", eq. (2).
    """
    recalled = _as_indicator(response, "response")
    ideal = _as_indicator(pattern, "pattern")
    if recalled.shape != ideal.shape:
        raise UserError(
            f"the response has the shape {recalled.shape} but the pattern {ideal.shape}"
        )
    if ideal.all() or not ideal.any():
        raise UserError(
            "the memory accuracy needs a pattern with both stimulated and unstimulated pixels"
        )
    hits = np.mean(recalled[ideal])
    correct_rejections = np.mean(~recalled[~ideal])
    return float((hits + correct_rejections) / 2)


def _as_indicator(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if not np.isin(array, (0, 1)).all():
        raise UserError(f"the {name} has values other than 0 and 1")
    return array.astype(np.bool_)
