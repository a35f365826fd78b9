"""Backend ``numpy``: Brian2's runtime with NumPy code. Small networks; the reference for tests."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import brian2

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Outcome, Request, require_replicas
from neuroglia_snn.backends.brian import collect
from neuroglia_snn.backends.brian.apart import apart
from neuroglia_snn.backends.brian.as_written import as_written
from neuroglia_snn.backends.brian.failures import root_cause
from neuroglia_snn.backends.brian.network import SECOND, apply_settings, build
from neuroglia_snn.errors import BackendError
from neuroglia_snn.language.pathways import reads_what_it_changes


class NumpyBackend:
    """Brian2 runtime, code generation target NumPy, one thread."""

    name = "numpy"
    precisions: tuple[str, ...] = ("float64",)
    threaded = False
    resumes = False
    batch = 1

    def unsupported(self, model: spec.Model) -> str | None:
        """What Brian2's NumPy code works out for all synapses at once, unlike its C++."""
        return at_once(model)

    def run_many(self, requests: Sequence[Request], workers: int = 1) -> list[Outcome]:
        """Run replicas one after the other."""
        require_replicas(requests)
        return [self.run(request) for request in requests]

    def run(self, request: Request) -> Outcome:
        """Run in this process."""
        reason = self.unsupported(request.model)
        if reason:
            raise BackendError(reason)
        start = time.perf_counter()
        with _numpy(), as_written(hoisted=False):
            brian2.seed(request.seed)
            try:
                network = build(request.model, request.images, request.seed, apply_settings)
                simulation = brian2.Network(network.objects())
                built = time.perf_counter()
                loop = Loop(request)
                simulation.run(
                    request.model.duration * SECOND,
                    namespace={},
                    report=loop,
                    report_period=0.2 * SECOND,
                )
            except Exception as error:
                raise root_cause(error) from error
        return collect.outcome(
            network,
            build_seconds=built - start,
            run_seconds=time.perf_counter() - built,
            compiled=False,
            loop_seconds=loop.seconds,
        )


def at_once(model: spec.Model) -> str | None:
    """A pathway whose synapses must act one after the other, as a reason not to run a model."""
    for projection in model.projections.values():
        statement = reads_what_it_changes(model, projection)
        if statement:
            return (
                f"projection '{projection.name}': '{statement}' reads what several synapses change,"
                " and would act for all of them at once (backend 'cpp' lets one act after the other)"
            )
    return None


@contextmanager
def _numpy() -> Iterator[None]:
    """Brian2's runtime with NumPy code."""
    target, brian2.prefs.codegen.target = brian2.prefs.codegen.target, "numpy"
    try:
        with apart("runtime"):
            yield
    finally:
        brian2.prefs.codegen.target = target


class Loop:
    """What Brian2 reports to: passes progress on, and keeps the time of all parts of a run."""

    looks_at_arrays = False

    def __init__(self, request: Request):
        self._request = request
        self._earlier = 0.0
        self.seconds = 0.0

    def next_part(self) -> None:
        """Before the run goes on."""
        self._earlier = self.seconds

    def __call__(self, elapsed, completed, start, length) -> None:
        self.seconds = self._earlier + float(elapsed)
        if self._request.progress:
            reached = float(start) + float(completed) * float(length)
            self._request.progress(reached / self._request.model.duration, reached)
