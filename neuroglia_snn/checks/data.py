"""Arrays of data files, against the units and connections that they are for."""

from __future__ import annotations

import numpy as np

from neuroglia_snn import arithmetic, spec
from neuroglia_snn import equations as eqs
from neuroglia_snn.checks.findings import Reporter

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
            f" '{owner.connect['rule']}' does not give: use rule 'pairs'",
            *place,
        )
        return False
    else:
        count = len(owner.connect.get("pairs", []))
        if found == (count,):
            return True
        wanted = f"a value for each of the {count} connections"
    shape = " x ".join(map(str, found)) or "a single value"
    reporter.error(f"{label}: the array is {shape}, and needs {wanted}", *place)
    return False


def initial(
    reporter: Reporter, owner: Owner, equation: eqs.Equation, given: spec.Values, *place: str
) -> None:
    """Check the initial values of one variable, in SI units."""
    label = f"initial {equation.name}"
    if "shared" in equation.flags:
        reporter.error(f"{label}: '{equation.name}' is shared, and takes one value", *place)
    elif sized(reporter, owner, given, label, *place) and equation.type != eqs.FLOAT:
        largest = 1 if equation.type == eqs.BOOLEAN else arithmetic.MAX_INTEGER
        least = 0 if equation.type == eqs.BOOLEAN else -largest
        numbers = given.numbers
        if not ((numbers % 1 == 0) & (numbers >= least) & (numbers <= largest)).all():
            reporter.error(
                f"{label}: '{equation.name} : {equation.type}' takes whole numbers from {least} to"
                f" {largest}",
                *place,
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
    if not sized(reporter, owner, given, label, *place):
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
