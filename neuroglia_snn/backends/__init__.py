"""Backends: each runs a `neuroglia_snn.spec.Model` and gives the same `base.Outcome`."""

from __future__ import annotations

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Backend, require_supported
from neuroglia_snn.backends.brian.runtime import NumpyBackend
from neuroglia_snn.backends.brian.standalone import CppBackend
from neuroglia_snn.backends.cuda import CudaBackend
from neuroglia_snn.backends.fused import FusedBackend
from neuroglia_snn.backends.fused.cuda import FusedCudaBackend
from neuroglia_snn.backends.lava import LavaBackend, LavaMessagesBackend
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.errors import BackendError

BACKENDS: dict[str, type[Backend]] = {
    "fused": FusedBackend,
    "cpp": CppBackend,
    "numpy": NumpyBackend,
    "cuda": CudaBackend,
    "fused-cuda": FusedCudaBackend,
    "lava": LavaBackend,
    "lava-messages": LavaMessagesBackend,
}


#: Tried in this order where the user leaves the choice.
AUTO = ("fused", "cpp")


def choose(name: str, model: spec.Model) -> tuple[Backend, str | None]:
    """The backend for a model, and why it is not the fastest one (``auto`` only).

    Raises
    ------
    BackendError
        If there is none of this name, or it cannot run the model.
    """
    if name != "auto":
        backend = get(name)
        require_supported(backend, model)
        return backend, None
    said = None
    for candidate in AUTO[:-1]:
        backend = get(candidate)
        reason = backend.unsupported(model)
        if not reason:
            return backend, said
        said = f"backend '{candidate}' cannot run '{model.name}': {reason}"
    return choose(AUTO[-1], model)[0], said


def get(name: str) -> Backend:
    """A backend by name.

    Raises
    ------
    BackendError
        For an unknown name.
    """
    if name not in BACKENDS:
        known = ("auto", *BACKENDS)
        raise BackendError(
            f"no backend '{name}'{nearest(name, known)} (there are {', '.join(known)})"
        )
    return BACKENDS[name]()
