"""Backends: each runs a `neuroglia_snn.spec.Model` and gives the same `base.Outcome`."""

from __future__ import annotations

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Backend, require_supported
from neuroglia_snn.backends.brian.runtime import NumpyBackend
from neuroglia_snn.backends.brian.standalone import CppBackend
from neuroglia_snn.backends.cuda import CudaBackend
from neuroglia_snn.backends.fused import FusedBackend
from neuroglia_snn.backends.fused_cuda import FusedCudaBackend
from neuroglia_snn.backends.lava import LavaBackend, LavaMessagesBackend
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.errors import BackendError

#: Those whose programs nvcc compiles, also on a machine that cannot run them.
BUILDERS: dict[str, type[CudaBackend] | type[FusedCudaBackend]] = {
    "cuda": CudaBackend,
    "fused-cuda": FusedCudaBackend,
}
BACKENDS: dict[str, type[Backend]] = {
    "fused": FusedBackend,
    "cpp": CppBackend,
    "numpy": NumpyBackend,
    **BUILDERS,
    "lava": LavaBackend,
    "lava-messages": LavaMessagesBackend,
}


#: Where the user leaves the choice.
AUTO = "fused"


def choose(name: str, model: spec.Model, fast_math: bool = False) -> Backend:
    """The backend of a name, for a model; ``auto`` is the fastest one.

    Raises
    ------
    BackendError
        If there is none of this name, or it cannot run the model.
    """
    backend = get(AUTO if name == "auto" else name, fast_math)
    require_supported(backend, model)
    return backend


def support(model: spec.Model) -> dict[str, str | None]:
    """Every backend, with why it does not run a model, on this machine; None where it does."""
    return {name: get(name).unsupported(model) for name in BACKENDS}


def get(name: str, fast_math: bool = False) -> Backend:
    """A backend by name; ``fast_math`` is nvcc's ``-use_fast_math``.

    Raises
    ------
    BackendError
        For an unknown name, or fast mathematics where nvcc compiles nothing.
    """
    if name not in BACKENDS:
        known = ("auto", *BACKENDS)
        raise BackendError(
            f"no backend '{name}'{nearest(name, known)} (there are {', '.join(known)})"
        )
    if name in BUILDERS:
        return BUILDERS[name](fast_math)
    if fast_math:
        raise BackendError(
            f"backend '{name}' has no --fast-math, which is a flag of nvcc ({', '.join(BUILDERS)})"
        )
    return BACKENDS[name]()
