"""Rates of Poisson processes, where they are known: from 0 on, and what a step can have."""

from __future__ import annotations

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.catalog.sections import MOST_EVENTS
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.language import expressions
from neuroglia_snn.language.quantities import as_expression


def population(reporter: Reporter, one: spec.Population) -> None:
    """Check the ``rates`` of a population, if it has them; their units are right."""
    given = reporter.document.tables["population"][one.name].get("rates")
    if given is None:
        return
    listed = one.initial.get("rates")
    found = None if isinstance(given, dict) else _values(reporter.model, one, str(given))
    found = listed.numbers if isinstance(listed, spec.Values) else found
    label = "rates" if isinstance(given, dict) else f"rates = '{shown(given)}'"
    _rates(reporter, found, one.dt, label, "population", one.name, "rates")


def stimulus(reporter: Reporter, one: spec.Population, name: str) -> None:
    """Check the ``rate`` and ``inputs`` of a stimulus; their units are right."""
    table, path = reporter.document.tables["stimulus"][name], ("stimulus", name)
    rate, inputs = (str(table.get(key, 1)) for key in ("rate", "inputs"))
    known = _values(reporter.model, one, rate)
    number = _values(reporter.model, one, inputs)
    if known is not None and not (known >= 0).all():
        _negative(reporter, known, f"rate = '{shown(rate)}'", *path, "rate")
    elif number is not None and not ((number % 1 == 0) & (number >= 1)).all():
        reporter.error(
            f"'inputs' is a whole number of spike trains, from 1 on, not {shown(inputs)}",
            *path,
            "inputs",
        )
    elif known is not None and number is not None:
        mean = float((known * number).max()) * one.dt
        if mean > MOST_EVENTS:
            reporter.error(
                f"rate = '{shown(rate)}' gives {mean:.3g} events in a step of {one.dt * 1e3:g} ms, and up"
                f" to {MOST_EVENTS:.3g} are drawn",
                *path,
                "rate",
            )


def _rates(reporter: Reporter, found: np.ndarray | None, dt: float, label: str, *path: str) -> None:
    if found is None:
        return
    if not (found >= 0).all():
        _negative(reporter, found, label, *path)
    elif found.max() * dt > 1 + 1e-9:
        reporter.error(
            f"{label}: {found.max():g} Hz is more than a spike in each step of {dt * 1e3:g} ms: lower the"
            " rate or dt (several trains are 'inputs' of a stimulus)",
            *path,
        )


def _negative(reporter: Reporter, found: np.ndarray, label: str, *path: str) -> None:
    reporter.error(f"{label}: a rate is from 0 on, not {found.min():g} Hz", *path)


def _values(model: spec.Model, one: spec.Population, text: str) -> np.ndarray | None:
    """Values of what follows from parameters and the numbers of units, in SI units; None for any other."""
    scope: dict[str, object] = {n: p.value.si for n, p in model.parameters.items()}
    scope |= {"i": np.arange(one.size), "N": one.size, "dt": one.dt}
    found = expressions.of_arrays(as_expression(text), scope)
    return None if found is None else np.atleast_1d(np.asarray(found, float))
