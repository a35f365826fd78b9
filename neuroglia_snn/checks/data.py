"""Arrays of data files, against the units and connections that they are for."""

from __future__ import annotations

import numpy as np
from brian2.units.allunits import second
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn import spec
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.language import arithmetic
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.quantities import unit_name

_MOST_STEPS = 2**31 - 1

Owner = spec.Population | spec.Projection


def sized(reporter: Reporter, owner: Owner, given: spec.Values, label: str, *place: str) -> bool:
    """Whether an array has a value for each unit, or for each connection of listed pairs."""
    found = given.numbers.shape
    if isinstance(owner, spec.Population):
        if found in ((owner.size,), owner.shape):
            return True
        needed = " x ".join(map(str, owner.shape))
        wanted = f"a value for each of the {needed} units"
    elif owner.connect["rule"] != "pairs":
        reporter.error(
            f"{label}: an array has its values in the order of the connections, which rule"
            f" '{owner.rule}' does not give: use rule 'pairs'",
            *place,
        )
        return False
    else:
        count = len(owner.connect.get("pairs", []))
        if found == (count,):
            return True
        wanted = f"a value for each of the {count} connections"
    shape = " x ".join(map(str, found)) + " values" if found and found != (1,) else "a single value"
    reporter.error(f"{label}: the array has {shape}, and needs {wanted}", *place)
    return False


def _in_unit(
    reporter: Reporter, given: spec.Values, expected: Dimension, label: str, *place: str
) -> bool:
    """Whether the unit that is stated for an array, if one is, is that of the variable."""
    if given.dimensions is None or given.dimensions is expected:
        return True
    reporter.error(
        f"inconsistent units in {label}: '{unit_name(given.dimensions)}' found,"
        f" '{unit_name(expected)}' expected",
        *place,
    )
    return False


def initial(
    reporter: Reporter, owner: Owner, equation: eqs.Equation, given: spec.Values, *place: str
) -> None:
    """Check the initial values of one variable, in SI units."""
    label = f"initial {equation.name}" if "initial" in place else equation.name
    if "shared" in equation.flags:
        reporter.error(f"{label}: '{equation.name}' is shared, and takes one value", *place)
    elif (
        _in_unit(reporter, given, equation.dimensions, label, *place)
        and sized(reporter, owner, given, label, *place)
        and equation.type != eqs.FLOAT
    ):
        largest = 1 if equation.type == eqs.BOOLEAN else arithmetic.MAX_INTEGER
        least = 0 if equation.type == eqs.BOOLEAN else -largest
        numbers = given.numbers
        if not ((numbers % 1 == 0) & (numbers >= least) & (numbers <= largest)).all():
            reporter.error(
                f"{label}: '{equation.name} : {equation.type}' takes whole numbers from {least} to"
                f" {largest}",
                *place,
            )


def spikes(reporter: Reporter, population: spec.Population, given: spec.Spikes) -> None:
    """Check spikes that a population is given: its own units', at times from 0 on, one a step."""
    path = ("population", population.name, "spikes")
    units, times = given.units.numbers, given.times.numbers
    outside = (units < 0) | (units >= population.size)
    if outside.any():
        reporter.error(
            f"spike of unit {units[np.argmax(outside)]}: '{population.name}' has the units 0 to"
            f" {population.size - 1}",
            *path,
        )
    elif (times < 0).any():
        reporter.error(f"a spike at {times.min() * 1e3:g} ms: times are from 0 on", *path)
    elif times.max(initial=0.0) / population.dt > _MOST_STEPS:
        reporter.error(f"a spike at {times.max():g} s is beyond {_MOST_STEPS} steps", *path)
    else:
        steps = np.floor(times / population.dt + 1e-3)
        _, place, count = np.unique(
            np.stack([units, steps]), axis=1, return_index=True, return_counts=True
        )
        if (count > 1).any():
            first = place[count > 1][0]
            reporter.error(
                f"unit {units[first]} has several spikes in the step at"
                f" {steps[first] * population.dt * 1e3:g} ms, and a step has one: lower dt",
                *path,
            )


def delay(
    reporter: Reporter,
    owner: spec.Projection,
    given: spec.Values,
    dt: float,
    slower: bool,
    longest: int,
    label: str,
    *place: str,
) -> None:
    """Check the delays of connections, in seconds, which are rounded to steps of ``dt``."""
    fits = _in_unit(reporter, given, second.dim, label, *place)
    if not fits or not sized(reporter, owner, given, label, *place):
        return
    steps = given.numbers / dt
    if given.numbers.min(initial=0.0) < 0:
        reporter.error(f"{label} must not be negative", *place)
    elif steps.max(initial=0.0) > longest:
        reporter.error(
            f"{label} is up to {steps.max():.3g} steps, and up to {longest} are kept", *place
        )
    elif (abs(np.round(steps) - steps) > 1e-4).any():
        found = f"{label} has values that are no whole multiples of dt ({dt * 1e3:g} ms)"
        if slower:
            reporter.error(f"{found}, on which its events wait: make them such", *place)
        else:
            reporter.warn(f"{found}: they are rounded to the nearest one", *place)
