"""Spikes of a mean field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroglia_snn.errors import UserError


def mean_field_spikes(mean_u: ArrayLike, threshold: float, rearm: float) -> int:
    """Count the spikes of a lattice's mean field: upward crossings with hysteresis.

    The mean of the fast variable over a noisy lattice may cross the threshold several times on
    one upstroke. After a spike the next one therefore counts only once the mean has fallen
    below `rearm`. A series that begins above the threshold is in the middle of a spike whose
    upstroke was not seen: it is not counted.

    Parameters
    ----------
    mean_u
        Mean over the lattice of the fast variable U, of shape (times,), in time order, finite.
    threshold
        The level a spike exceeds, in the unit of `mean_u` (dimensionless in FitzHugh-Nagumo).
    rearm
        The level to fall below before the next spike, in the same unit, at most `threshold`.

    Returns
    -------
    int
        The number of spikes.

    Raises
    ------
    UserError
        If `mean_u` is not 1-D, a value is not finite, or `rearm` exceeds `threshold`.

    Notes
    -----
    Counts what Fig. 2 of "Noise-induced artificial intelligence" shows: the mean-field spikes
    that multiplicative noise thins out and finally suppresses.
    """
    samples = _as_finite(mean_u, "mean field")
    _require_finite_level(threshold, "threshold")
    _require_finite_level(rearm, "rearming level")
    if samples.ndim != 1:
        raise UserError(f"the mean field is one series in time, not of shape {samples.shape}")
    if rearm > threshold:
        raise UserError(f"the rearming level {rearm} lies above the threshold {threshold}")
    state = (samples > threshold).astype(np.int8) - (samples < rearm)
    # Samples between the two levels keep the state before them, so they can be left out; the
    # first one has none before it, and a rise from there to the threshold is an upstroke seen.
    if state.size and state[0] == 0:
        state[0] = -1
    settled = state[state != 0]
    return int(np.count_nonzero(settled[1:] > settled[:-1]))


def _as_finite(values: ArrayLike, name: str) -> NDArray[Any]:
    # A diverged simulation would otherwise pass for a silent one: NaN is above no threshold.
    array = np.asarray(values)
    if not np.isfinite(array).all():
        raise UserError(f"the {name} has values that are not finite")
    return array


def _require_finite_level(level: float, name: str) -> None:
    if not np.isfinite(level):
        raise UserError(f"the {name} has to be finite, not {level}")
