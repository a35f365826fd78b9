"""Measures of waves on a lattice: when they pass, how fast, where a spiral's tip is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def crossings(values: np.ndarray, times: np.ndarray) -> list[np.ndarray]:
    """Times at which each unit passes 0 upwards, by linear interpolation.

    Parameters
    ----------
    values : (time, unit)
    times : (time,)
    """
    before, after = values[:-1], values[1:]
    place, unit = np.nonzero((before < 0) & (after >= 0))
    low, high = before[place, unit], after[place, unit]
    found = times[place] + (times[place + 1] - times[place]) * low / (low - high)
    by_unit = np.argsort(unit, kind="stable")  # and by time within a unit
    counts = np.bincount(unit, minlength=values.shape[1])
    return np.split(found[by_unit], np.cumsum(counts)[:-1])


def intervals(passed: list[np.ndarray], after: float) -> np.ndarray:
    """Times between passages after a time, of all units together."""
    return np.concatenate([np.diff(one[one >= after]) for one in passed])


@dataclass(frozen=True)
class Line:
    """A straight line by least squares, and the standard error of its slope."""

    slope: float
    error: float
    start: float

    @classmethod
    def through(cls, x: np.ndarray, y: np.ndarray) -> Line:
        """The best line y = start + slope*x."""
        slope, start = np.polyfit(x, y, 1)
        rest = y - start - slope * x
        spread = np.sqrt(np.sum(rest**2) / max(1, len(x) - 2))
        return cls(float(slope), float(spread / np.sqrt(np.sum((x - x.mean()) ** 2))), float(start))


def speed(positions: np.ndarray, times: np.ndarray) -> tuple[float, float]:
    """Speed of a front that reaches these positions at these times, and its standard error.

    The times are fitted, because they scatter and positions do not.
    """
    line = Line.through(positions, times)
    return 1 / line.slope, line.error / line.slope**2


def unturned(times: np.ndarray, offsets: np.ndarray, frequency: float) -> np.ndarray:
    """Times at which a spiral's front would have reached places of the same distance on the ray of angle 0.

    A front reaches a place at another angle as much later as it takes to turn by it.

    Parameters
    ----------
    times : (place,)
    offsets : (place, 2)
        Rows and columns from the centre.
    frequency : float
        Angular, positive where angles from columns to rows grow.
    """
    return times - np.arctan2(*offsets.T) / frequency


def tip(u: np.ndarray, v: np.ndarray) -> tuple[float, float] | None:
    """Row and column where both u and v are 0, or None where they are nowhere, or in several places.

    u and v are (rows, columns), and linear in each cell.
    """
    found = []
    both = _changes(u) & _changes(v)
    for row, column in np.argwhere(both):
        (a, da_r, da_c), (b, db_r, db_c) = (
            _plane(x[row : row + 2, column : column + 2]) for x in (u, v)
        )
        determinant = da_r * db_c - da_c * db_r
        if determinant == 0:
            continue
        r, c = (da_c * b - db_c * a) / determinant, (db_r * a - da_r * b) / determinant
        if abs(r) <= 0.5 and abs(c) <= 0.5:
            found.append((row + 0.5 + r, column + 0.5 + c))
    if not found or np.ptp(found, axis=0).max() > 2:
        return None
    mean = np.mean(found, axis=0)
    return float(mean[0]), float(mean[1])


def _changes(values: np.ndarray) -> np.ndarray:
    """Cells whose corners have both signs."""
    corners = [values[:-1, :-1], values[1:, :-1], values[:-1, 1:], values[1:, 1:]]
    return (np.min(corners, axis=0) < 0) & (np.max(corners, axis=0) >= 0)


def _plane(cell: np.ndarray) -> tuple[float, float, float]:
    """Mean of a cell of 2 x 2 and its slopes along rows and columns."""
    (a, b), (c, d) = cell
    return (a + b + c + d) / 4, (c + d - a - b) / 2, (b + d - a - c) / 2


def circle(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and radius of the circle through points, (number, 2), by least squares."""
    x, y = points.T
    solved = np.linalg.lstsq(
        np.column_stack([2 * x, 2 * y, np.ones(len(x))]), x**2 + y**2, rcond=None
    )[0]
    centre = solved[:2]
    return centre, float(np.sqrt(solved[2] + centre @ centre))
