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
from neuroglia_snn.backends.program import ProgramBackend
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
    "program": ProgramBackend,
    **BUILDERS,
    "lava": LavaBackend,
    "lava-messages": LavaMessagesBackend,
}


#: Tried in this order where the user leaves the choice.
AUTO = ("fused", "cpp")


def choose(name: str, model: spec.Model, fast_math: bool = False) -> tuple[Backend, str | None]:
    """The backend for a model, and why it is not the fastest one (``auto`` only).

    Raises
    ------
    BackendError
        If there is none of this name, or it cannot run the model.
    """
    if name != "auto":
        backend = get(name, fast_math)
        require_supported(backend, model)
        return backend, None
    said = None
    for candidate in AUTO[:-1]:
        backend = get(candidate, fast_math)
        reason = backend.unsupported(model)
        if not reason:
            return backend, said
        said = f"backend '{candidate}' cannot run '{model.name}': {reason}"
    return choose(AUTO[-1], model, fast_math)[0], said


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
