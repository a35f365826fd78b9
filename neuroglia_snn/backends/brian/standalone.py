"""Backend ``cpp``: Brian2's C++ standalone device."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import brian2
from brian2.devices.device import get_device

from neuroglia_snn import spec, toolchain
from neuroglia_snn.backends.base import Outcome, Request, require_replicas
from neuroglia_snn.backends.brian import collect, project
from neuroglia_snn.backends.brian.failures import root_cause
from neuroglia_snn.backends.brian.network import (
    SECOND,
    Network,
    build,
    counted_in_a_run,
    settings_of,
)
from neuroglia_snn.errors import BackendError

#: GCC gives up vectorising a loop over more than a few arrays unless it may test them for overlap.
_FLAGS = ["--param=vect-max-version-for-alias-checks=1000"]


class CppBackend:
    """Brian2 C++ standalone with OpenMP."""

    name = "cpp"
    precisions: tuple[str, ...] = ("float64",)
    threaded = True
    resumes = False
    batch = 1

    def unsupported(self, model: spec.Model) -> str | None:
        """C++ standalone takes synapses to record that it can count; it needs a compiler and make."""
        return counted_in_a_run(model) or project.missing()

    def run_many(self, requests: Sequence[Request], workers: int = 1) -> list[Outcome]:
        """Run replicas from one build, one after the other."""
        require_replicas(requests)
        with self.built(requests[0]) as run:
            return [run(request) for request in requests]

    def run(self, request: Request) -> Outcome:
        """Build (or take from the cache) and run the program."""
        with self.built(request) as run:
            return run(request)

    @contextlib.contextmanager
    def built(self, request: Request) -> Iterator[Callable[[Request], Outcome]]:
        """See `neuroglia_snn.backends.base.Builds`."""
        reason = self.unsupported(request.model)
        if reason:
            raise BackendError(reason)
        start = time.perf_counter()
        with project.device(request.threads, _FLAGS):
            get_device().insert_code("before_network_run", project.LOOP_BEGINS)
            get_device().insert_code("after_network_run", project.LOOP_ENDS)
            with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch:
                code = Path(scratch) / "code"
                network = generate(request, code, project.SEED)
                project.parse_headers_once(code)
                folder, compiled = project.compiled(code, bool(request.progress))
            versions = {"compiler": toolchain.compiler_line()}
            seconds = time.perf_counter() - start
            yield lambda r: run_program(r, network, folder, compiled, seconds, versions)


def run_program(
    request: Request,
    network: Network,
    folder: Path,
    compiled: bool,
    build_seconds: float,
    versions: dict[str, str],
) -> Outcome:
    """Run a compiled program once, and read what it wrote; ``versions`` are those beside the packages'."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch:
        results = Path(scratch)
        given = project.arguments(settings_of(network, request), results)
        said = project.execute(folder, results, given, request)
        project.adopt(results)
        return collect.outcome(
            network,
            build_seconds=build_seconds,
            run_seconds=time.perf_counter() - start,
            compiled=compiled,
            compilers=versions,
            loop_seconds=project.loop_seconds(said),
        )


def generate(
    request: Request,
    folder: Path,
    seed: str,
    implement: Callable[[Network], None] = lambda network: None,
) -> Network:
    """Write the current device's project; the same model always gives the same files.

    ``seed`` is code that seeds the device's generators, ``implement`` adds our functions for it.
    """
    try:
        return _generate(request, folder, seed, implement)
    except Exception as error:
        raise root_cause(error) from error


def _generate(
    request: Request, folder: Path, seed: str, implement: Callable[[Network], None]
) -> Network:
    device = get_device()
    device.insert_code("after_start", seed)

    def apply(network: Network) -> None:
        device.apply_run_args()

    network = build(request.model, request.images, request.seed, apply)
    implement(network)
    simulation = brian2.Network(network.objects(), name="network")
    simulation.run(
        request.model.duration * SECOND,
        namespace={},
        report=project.REPORT,
        report_period=0.2 * SECOND,
    )
    device.build(directory=str(folder), compile=False, run=False, with_output=False)
    project.divide_in_double(folder)
    return network
