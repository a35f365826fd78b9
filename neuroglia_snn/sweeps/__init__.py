"""Sweeps: a model at every point of a grid of settings, each with several seeds.

`grid` says which points there are, `store` keeps what is finished, `carry_out` spreads the rest over
processes with Dask.
"""

from __future__ import annotations

from neuroglia_snn.sweeps.carry_out import sweep
from neuroglia_snn.sweeps.grid import Axis, Grid, axis
from neuroglia_snn.sweeps.store import is_sweep

__all__ = ["Axis", "Grid", "axis", "is_sweep", "sweep"]
