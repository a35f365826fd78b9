"""Backend ``program``: Brian2's network in our compiled loop, in this process (`neuroglia_snn.brian`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import brian2

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian.network import require_finite
from neuroglia_snn.backends.brian.runtime import Loop, NumpyBackend
from neuroglia_snn.brian import device
from neuroglia_snn.emit.library import missing


class ProgramBackend(NumpyBackend):
    """Our loop in C++ on Brian2's arrays, one thread."""

    name = "program"
    precisions: tuple[str, ...] = ("float64", "float32")
    _hoisted = True

    def unsupported(self, model: spec.Model) -> str | None:
        """The loop runs every model of the format; it needs a compiler."""
        return missing()

    @contextmanager
    def _device(self, precision: str) -> Iterator[None]:
        brian2.set_device(device, precision=precision)
        try:
            yield
        finally:
            brian2.set_device("runtime")

    def _loop(self, request: Request) -> Loop:
        return _Finite(request)


class _Finite(Loop):
    """Stops the run where the model's own check found a value that is not finite."""

    def __call__(self, elapsed, completed, start, length) -> None:
        require_finite(self._request.model)
        super().__call__(elapsed, completed, start, length)
