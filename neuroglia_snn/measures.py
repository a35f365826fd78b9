"""Statistics over the runs of a sweep."""

from __future__ import annotations

import numpy as np
import xarray as xr


def spread_over_seeds(values: xr.DataArray, skipna: bool = True) -> xr.DataArray:
    """Standard deviation of a sample (n - 1) over the dimension ``seed``; NaN where it has one seed.

    With ``skipna``, seeds without a value are left out; otherwise one of them makes the result NaN.
    """
    squares = (values - values.mean("seed", skipna=skipna)) ** 2
    free = values.count("seed") - 1
    return np.sqrt(squares.sum("seed", skipna=skipna) / free.where(free > 0))
