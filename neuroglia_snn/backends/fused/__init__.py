"""Backend ``fused``: Brian2's network in our compiled C++ loop, in this process (`neuroglia_snn.brian`).

A backend that runs it on another target of the device is a class that names it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import brian2

from neuroglia_snn import spec, toolchain
from neuroglia_snn.backends.base import Outcome, Request, require_replicas
from neuroglia_snn.backends.brian import collect
from neuroglia_snn.backends.brian.apart import apart
from neuroglia_snn.backends.brian.as_written import as_written
from neuroglia_snn.backends.brian.failures import root_cause
from neuroglia_snn.backends.brian.network import (
    SECOND,
    Network,
    apply_settings,
    brian_name,
    build,
    require_finite,
)
from neuroglia_snn.backends.brian.runtime import Loop
from neuroglia_snn.backends.fused.interrupts import interruptible
from neuroglia_snn.backends.fused.kept import Kept
from neuroglia_snn.backends.fused.processes import side_by_side
from neuroglia_snn.brian import TARGETS, fixed
from neuroglia_snn.emit.library import missing
from neuroglia_snn.errors import BackendError
from neuroglia_snn.program.device import NeurogliaDevice
from neuroglia_snn.program.prescribed import Prescribed

#: Not the one of scripts, which has random numbers of its own.
device = NeurogliaDevice(TARGETS, fixed)
#: Seconds between two checkpoints of a run that keeps them.
CHECKPOINT_EVERY = 60.0
#: Between two reports, at which a run can also be stopped.
REPORT_EVERY = 0.2


class FusedBackend:
    """Our loop in C++ on Brian2's arrays; ``target`` is one of `neuroglia_snn.brian.TARGETS`."""

    name = "fused"
    target = "cpp"
    precisions: tuple[str, ...] = (*spec.PRECISIONS, "fixed")
    threaded = True
    resumes = True
    batch = 1

    def unsupported(self, model: spec.Model) -> str | None:
        """The loop runs every model of the format; it needs a compiler."""
        return missing()

    def run(self, request: Request) -> Outcome:
        """Run in this process; what is compiled is kept, so that the same equations compile once."""
        reason = self.unsupported(request.model)
        if reason:
            raise BackendError(reason)
        start = time.perf_counter()
        with self.network(request) as network:
            loop = _simulate(network, request)
            return collect.outcome(
                network,
                build_seconds=loop.began - start,
                run_seconds=time.perf_counter() - loop.began,
                compiled=device.made.compiled,
                compilers=self.compilers(),
                loop_seconds=loop.seconds,
                reached=loop.reached,
                warnings=warnings_of(request),
                details=_details(),
            )

    def options(self, request: Request) -> dict[str, object]:
        """What `brian2.set_device` is given for a request."""
        return {
            "target": self.target,
            "precision": request.precision,
            "threads": request.threads,
        }

    def compilers(self) -> dict[str, str]:
        """What compiles, and what runs it, with their versions."""
        return {"compiler": toolchain.compiler_line()}

    @contextmanager
    def network(self, request: Request) -> Iterator[Network]:
        """The network of a request, on our device for as long as this lasts; errors name their cause."""
        with apart(device, **self.options(request)), as_written():
            brian2.seed(request.seed)
            device.prescribed = prescriptions(request.model)
            try:
                yield build(request.model, request.images, request.seed, apply_settings)
            except Exception as error:
                raise root_cause(error) from error

    def run_many(self, requests: Sequence[Request], workers: int = 1) -> list[Outcome]:
        """Run replicas, ``workers`` at a time, each in a process of its own."""
        require_replicas(requests)
        if workers == 1 or len(requests) == 1:
            outcomes = []
            for request in requests:
                outcomes.append(self.run(request))
                if outcomes[-1].reached is not None and len(requests) > 1:
                    raise KeyboardInterrupt
            return outcomes
        return side_by_side(self, requests, workers)


def prescriptions(model: spec.Model) -> dict[tuple[str, str], Prescribed]:
    """What a model file says of the integers of its variables."""
    owners: list[spec.Population | spec.Projection] = [*model.populations.values()]
    owners += model.projections.values()
    return {
        (brian_name(owner.name), name): Prescribed((r.low, r.high), r.bits, r.stochastic)
        for owner in owners
        for name, r in owner.ranges.items()
    }


def _details() -> dict[str, object]:
    """What the machine of the last run has to say."""
    fixed = {} if device.fixed is None else {"fixed": device.fixed.details()}
    return {**device.made.details, **fixed}


def warnings_of(request: Request) -> tuple[str, ...]:
    """What a user should know of the last run, which was of this request."""
    if device.fixed is not None:
        return tuple(device.fixed.warnings())
    if request.precision == "float32" and not device.made.single:
        return (
            f"precision float32: '{request.model.name}' has no lattice on its fastest clock, all is in float64",
        )
    return ()


class _Loop(Loop):
    """Also stops the network where it is interrupted or its state is to be kept.

    A value that is not finite, which the model's own check found, ends the run.
    """

    def __init__(self, request: Request, simulation: brian2.Network, kept: Kept | None) -> None:
        super().__init__(request)
        self._simulation, self._kept = simulation, kept
        self._due: float | None = None  # when to keep the state, once a part of the run has begun
        self.began = 0.0
        self.interrupted = False

    @property
    def reached(self) -> float | None:
        """Model time in s at which the run was interrupted; None if it came to its end."""
        return float(self._simulation.t_) if self.interrupted else None

    def __call__(self, elapsed, completed, start, length) -> None:
        require_finite(self._request.model)
        if not self.began:
            self.began = time.perf_counter()
            if self._kept:
                self._kept.require_same(device.made.digest)
        super().__call__(elapsed, completed, start, length)
        if self._due is None:
            self._due = time.monotonic() + CHECKPOINT_EVERY
        kept = self._kept is not None and time.monotonic() > self._due
        if self.interrupted or kept:
            self._simulation.stop()

    def interrupt(self) -> bool:
        """Stop before the next time step; not if the loop has not begun."""
        self.interrupted = self.began > 0
        if self.interrupted:
            self._simulation.stop()
        return self.interrupted

    def again(self) -> None:
        """Before another part of the run."""
        self.next_part()
        self._due = None


def _simulate(network: Network, request: Request) -> _Loop:
    """Run from where a checkpoint left the network, if there is one, to the end, or to an interrupt."""
    simulation = brian2.Network(network.objects())
    kept = Kept(request.checkpoint) if request.checkpoint else None
    if kept and kept.restore(simulation):
        device.set_random_state(device.get_random_state() | {"neuroglia_position": simulation.t_})
    loop = _Loop(request, simulation, kept)
    end = request.model.duration
    with interruptible(loop.interrupt):
        while True:
            loop.again()
            simulation.run(
                (end - simulation.t_) * SECOND,
                namespace={},
                report=loop,
                report_period=REPORT_EVERY * SECOND,
            )
            require_finite(request.model)
            if not simulation._stopped or simulation.t_ >= end:
                loop.interrupted = False
                return loop
            if kept:
                kept.save(simulation, device.made.digest)
            if loop.interrupted:
                return loop
