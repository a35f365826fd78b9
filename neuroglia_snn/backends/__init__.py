"""Backends: each runs a `neuroglia_snn.spec.Model` and gives the same `base.Outcome`."""

from __future__ import annotations

from neuroglia_snn.backends.base import Backend
from neuroglia_snn.backends.brian.runtime import NumpyBackend
from neuroglia_snn.backends.brian.standalone import CppBackend
from neuroglia_snn.backends.fused import FusedBackend
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.errors import BackendError

BACKENDS: dict[str, type[Backend]] = {
    "fused": FusedBackend,
    "cpp": CppBackend,
    "numpy": NumpyBackend,
}


def get(name: str) -> Backend:
    """A backend by name.

    Raises
    ------
    BackendError
        For an unknown name.
    """
    if name not in BACKENDS:
        raise BackendError(
            f"no backend '{name}'{nearest(name, BACKENDS)} (there are {', '.join(BACKENDS)})"
        )
    return BACKENDS[name]()
