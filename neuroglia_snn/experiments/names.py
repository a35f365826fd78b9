"""Checks that experiments have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from neuroglia_snn.catalog.schema import nearest

if TYPE_CHECKING:
    from neuroglia_snn.checks.findings import Reporter


def require_named(reporter: Reporter, known: Mapping[str, Mapping[str, Any]]) -> bool:
    """Report keys of ``[experiment]`` that name nothing of the model; False if there are any.

    ``known`` has, by key, what it may name: the model's populations, stimuli, records or parameters.
    """
    good = True
    for key, there in known.items():
        value = reporter.model.experiment.get(key)
        if value is not None and value not in there:
            good = False
            reporter.error(
                f"[experiment] {key} = '{value}' is not in the model{nearest(str(value), there)}",
                "experiment",
                key,
            )
    return good


def require_counts(reporter: Reporter, keys: Iterable[str]) -> bool:
    """Report keys of ``[experiment]`` that are no whole number from 1 on; False if there are any."""
    good = True
    for key in keys:
        value = reporter.model.experiment.get(key)
        if value is not None and int(value) < 1:
            good = False
            reporter.error(
                f"[experiment] {key} is a whole number from 1 on, not {value}", "experiment", key
            )
    return good
