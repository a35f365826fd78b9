"""Backend ``cpp``: Brian2's C++ standalone device."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import brian2
from brian2.devices.device import get_device

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Outcome, Request, require_replicas
from neuroglia_snn.backends.brian import collect, project
from neuroglia_snn.backends.brian.failures import root_cause
from neuroglia_snn.backends.brian.network import SECOND, Network, build
from neuroglia_snn.errors import BackendError

#: GCC gives up vectorising a loop over more than a few arrays unless it may test them for overlap.
_FLAGS = ["--param=vect-max-version-for-alias-checks=1000"]


class CppBackend:
    """Brian2 C++ standalone with OpenMP."""

    name = "cpp"
    precisions: tuple[str, ...] = ("float64",)
    resumes = False

    def unsupported(self, model: spec.Model) -> str | None:
        """C++ standalone runs every model of the format; it needs a compiler and make."""
        return project.missing()

    def run_many(self, requests: Sequence[Request], workers: int = 1) -> list[Outcome]:
        """Run replicas one after the other."""
        require_replicas(requests)
        return [self.run(request) for request in requests]

    def run(self, request: Request) -> Outcome:
        """Build (or take from the cache) and run the program."""
        reason = self.unsupported(request.model)
        if reason:
            raise BackendError(reason)
        start = time.perf_counter()
        with (
            tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch,
            project.device(request.threads, _FLAGS),
        ):
            network = generate(request, Path(scratch) / "code", project.SEED)
            folder, compiled = project.compiled(Path(scratch) / "code", bool(request.progress))
            versions = {"compiler": project.compiler_line()}
            return run_program(request, network, folder, compiled, start, versions)


def run_program(
    request: Request,
    network: Network,
    folder: Path,
    compiled: bool,
    start: float,
    versions: dict[str, str],
) -> Outcome:
    """Run a compiled program once, and read what it wrote.

    ``start`` is when its generation began, ``versions`` are those beside the packages'.
    """
    built = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch:
        results = Path(scratch)
        project.execute(folder, results, project.arguments(network.settings, results), request)
        project.adopt(results)
        return Outcome(
            records=collect.records(network),
            events=collect.events(network),
            final=collect.final(network),
            build_seconds=built - start,
            run_seconds=time.perf_counter() - built,
            compiled=compiled,
            versions=collect.versions() | versions,
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
    return network
