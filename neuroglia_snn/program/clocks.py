"""Brian2's clocks: which are due, and how they go on. ``emit/run.hpp`` does the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from brian2.core.clocks import Clock


def values(clock: Any, name: str) -> np.ndarray | None:
    """An array of the clock, or None where it has no such (a clock of listed times has no ``dt``)."""
    variable = clock.variables.get(name)
    return None if variable is None else variable.get_value()


def time(clock: Any) -> float:
    return float(clock.variables["t"].get_value()[0])


def fastest(clocks: list[Any]) -> int | None:
    """Number of the clock with the shortest step; None where no clock has a step."""
    steps = [values(clock, "dt") for clock in clocks]
    regular = [n for n, dt in enumerate(steps) if dt is not None]
    return min(regular, key=lambda n: float(steps[n][0]), default=None)  # type: ignore[index]


def ratios(clocks: list[Any]) -> list[int | None]:
    """Steps of the fastest clock in one of each clock; None where they are no whole number."""
    steps = [values(clock, "dt") for clock in clocks]
    shortest = min((float(dt[0]) for dt in steps if dt is not None), default=math.inf)
    found = [None if dt is None else float(dt[0]) / shortest for dt in steps]
    return [None if r is None or abs(r - round(r)) > 1e-4 else round(r) for r in found]


def due(clocks: list[Any]) -> tuple[int, list[bool]]:
    """Number of the earliest clock, and which are due with it: within 1e-4 of the shorter step."""
    times = [time(c) for c in clocks]
    steps = [np.inf if (dt := values(c, "dt")) is None else float(dt[0]) for c in clocks]
    least = int(np.argmin(times))

    def together(other: int) -> bool:
        apart, step = abs(times[other] - times[least]), min(steps[least], steps[other])
        near = apart / step < Clock.epsilon_dt if np.isfinite(step) else apart < 1e-14
        return times[other] == times[least] or bool(near)

    return least, [together(n) for n in range(len(clocks))]


def tick(clock: Any) -> None:
    """Go on by one step."""
    timestep, t = clock.variables["timestep"].get_value(), clock.variables["t"].get_value()
    timestep[0] += 1
    dt, listed = values(clock, "dt"), values(clock, "times")
    if dt is not None:
        t[0] = timestep[0] * dt[0]
    elif listed is not None:
        t[0] = listed[timestep[0]]
