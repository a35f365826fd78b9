"""Plane waves in the medium of `spiral_waves`: what is known of their speed, and what the lattice makes of it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neuroglia_snn.papers.jobs import RunJob, Setting
from neuroglia_snn.papers.spiral_waves import waves

SHEET = "spiral_waves"
#: Parameters of the model file that the formulas below need.
EPS, BETA, GAMMA, D = 0.3, 0.68, 0.5, 1.0
#: Distances of units, and the step in ms at each: the step's error falls as the lattice's does.
FINER = {"0.5": "0.04", "0.25": "0.01", "0.125": "0.0025", "0.0625": "0.000625"}
#: Length of the strip, which is closed to a ring, so that every unit has four neighbours; speed is measured
#: where the wave has its shape and has not met the one that runs the other way.
LENGTH, FROM, TO = 160.0, 30.0, 70.0


def rest() -> tuple[float, float]:
    """u and v of a unit at rest."""
    roots = np.roots([GAMMA / 3, 0, 1 - GAMMA, BETA])
    u = float(roots[np.abs(roots.imag) < 1e-9].real.item())
    return u, u - u**3 / 3


def front_speed() -> float:
    """Speed of the front that takes a medium whose v stays at rest from rest to excitation.

    A cubic rate with the zeros u1 < u2 < u3 has a front whose speed is known:
    sqrt(D/(6 eps))*(u1 + u3 - 2 u2) (Nagumo's equation; Keener and Sneyd, Mathematical Physiology, sec. 6.2).
    """
    low, middle, high = np.sort(np.roots([-1 / 3, 0, 1, -rest()[1]]).real)
    return float(np.sqrt(D / (6 * EPS)) * (low + high - 2 * middle))


def job(h: str, frozen: bool, dt: str | None = None) -> RunJob:
    """A plane wave along a strip; ``frozen`` leaves v at rest, so that it is a front for good."""
    dt = dt or FINER[h]
    settings = {
        **_strip(round(LENGTH / float(h))),
        "h": h,
        "model.dt": f"{dt} ms",
        "model.duration": "40 ms",
        "record.frames.every": "0.04 ms",
        "record.frames.stride": str(max(4, round(1 / float(h)))),
        **({"recovery": "0"} if frozen else {}),
    }
    kind = "front" if frozen else "pulse"
    return RunJob(f"{kind}-h-{h}-dt-{dt}", SHEET, settings)


def wave_speed(one: RunJob, setting: Setting) -> float:
    """The speed in units of length a unit of time."""
    data = one.data(setting)
    positions = data["column_frames"].values * float(one.settings["h"])
    passed = waves.crossings(data["frames_u"].values[:, 0], data["time_frames"].values)
    within = [n for n, x in enumerate(positions) if FROM <= x <= TO]
    return waves.speed(positions[within], np.array([passed[n][0] for n in within]))[0]


def ring(length: float) -> RunJob:
    """One pulse that runs round and round a ring of this length: a wave train of one dimension."""
    units = round(length / 0.25)
    behind = f" + int(i % n >= {units - units // 3})"  # keeps the other way shut
    settings = {"model.duration": "200 ms", "record.frames.every": "0.1 ms"}
    return RunJob(f"ring-{units}", SHEET, {**_strip(units, behind), **settings})


def _strip(units: int, behind: str = "") -> dict[str, str]:
    """A closed strip of four rows, excited at its beginning and at rest elsewhere."""
    u, v = rest()
    return {
        "rows": "4",
        "n": str(units),
        "population.sheet.initial.u": f"{u:.12g} + {1.7 - u:.12g}*int((i % n)*h < 5)",
        "population.sheet.initial.v": f"{v:.12g}{behind}",
        "projection.neighbours.connect.edges": "periodic",
    }


def ring_period(one: RunJob, setting: Setting) -> float | None:
    """Mean time between passages over the last half of the run; None where the pulse died."""
    data: xr.Dataset = one.data(setting)
    passed = waves.crossings(data["frames_u"].values[:, 0], data["time_frames"].values)
    found = waves.intervals(passed, 100.0)
    return float(found.mean()) if len(found) else None
