"""The kernel within Brian2's C++ standalone project: written, built and run.

Brian2 parses the equations and optimises their statements; `kernel` puts one step of all populations,
couplings, stimuli and records into one loop. Brian2 keeps allocation, initial values, parameters and
the final state.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import brian2
import numpy as np
from brian2.devices.device import get_device

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Outcome, Recorded, Request
from neuroglia_snn.backends.brian import collect, project
from neuroglia_snn.backends.brian.failures import root_cause
from neuroglia_snn.backends.brian.network import Network, build, recorded_indices, settings_of
from neuroglia_snn.backends.fused_cuda import kernel as kernels
from neuroglia_snn.backends.fused_cuda.kernel import MEMORY, REACHED, Kernel
from neuroglia_snn.errors import ResultError

T = TypeVar("T")

#: Seconds between two checkpoints of a run that keeps them.
CHECKPOINT_EVERY = 60
#: Name of the checkpoint among a run's files.
CHECKPOINT = "checkpoint.bin"
#: And of the digest of the program that wrote it.
PROGRAM = "program"


@dataclass(frozen=True)
class Build:
    """A compiled program, and the Brian2 objects that its arrays belong to."""

    network: Network
    digest: str
    folder: Path
    seconds: float
    compiled: bool
    versions: Mapping[str, str]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, request: Request) -> Outcome:
        """Run the program for one request, with its files in the request's checkpoint if it has one."""
        start = time.perf_counter()
        with contextlib.ExitStack() as stack:
            results = request.checkpoint or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="neuroglia-"))
            )
            said = self.execute(request, results)
            return self.outcome(request, results, said, time.perf_counter() - start)

    def execute(
        self, request: Request, results: Path, settings: Mapping[str, object] | None = None
    ) -> str:
        """Run the program; what it said. ``settings`` are further environment variables.

        Raises
        ------
        ResultError
            If the request's checkpoint is of another program.
        """
        results.mkdir(parents=True, exist_ok=True)
        results = results.resolve()
        environment = dict(settings or {})
        if request.checkpoint:
            environment["NEUROGLIA_CHECKPOINT"] = CHECKPOINT_EVERY
            environment["NEUROGLIA_RESUME"] = int(self._goes_on(results))
        given = project.arguments(settings_of(self.network, request), results)
        return project.execute(self.folder, results, given, request, environment, True)

    def _goes_on(self, results: Path) -> bool:
        """Whether there is a checkpoint. One of another program is refused; a new one is signed."""
        kept = results / PROGRAM
        if not (results / CHECKPOINT).exists():
            kept.write_text(self.digest)
            return False
        if not kept.exists() or kept.read_text() != self.digest:
            raise ResultError(
                f"{results}: the interrupted run is of another version of neuroglia_snn or of"
                " another model: start anew with another --out or --force"
            )
        return True

    def outcome(self, request: Request, results: Path, said: str, seconds: float) -> Outcome:
        """What a program that took so many seconds wrote to ``results``."""
        with self.lock:  # the device reads the arrays of one program at a time
            project.adopt(results.resolve())
            final = collect.final(self.network)
        return Outcome(
            records=_records(request.model, results),
            events=_events(request.model, results),
            final=final,
            build_seconds=self.seconds,
            run_seconds=seconds,
            compiled=self.compiled,
            versions={**collect.versions(), **self.versions},
            loop_seconds=project.loop_seconds(said),
            reached=reached(request.model, said),
            details=_gpu_memory(said),
        )


def side_by_side(work: Callable[..., T], each: Iterable[tuple], workers: int) -> list[T]:
    """What the work gives for each tuple of arguments, ``workers`` at a time; a failure ends all."""
    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(work, *arguments) for arguments in each]
        try:
            return [job.result() for job in jobs]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            project.interrupt_running()
            raise


def generate(request: Request, folder: Path) -> tuple[Network, Kernel]:
    """Write the project with the kernel; the same model always gives the same files.

    Compiling and linking the kernel is left to the caller.

    Raises
    ------
    UserError
    """
    try:
        return _generate(request, folder)
    except Exception as error:
        raise root_cause(error) from error


def _generate(request: Request, folder: Path) -> tuple[Network, Kernel]:
    device = get_device()
    device.insert_code("after_start", project.SEED)

    def apply(network: Network) -> None:
        device.apply_run_args()

    brian2.BrianLogger.suppress_name("unused_brian_object")  # Brian2 does not run these groups
    network = build(request.model, request.images, request.seed, apply, own_loop=True)
    kernel = kernels.generate(network, request.precision)
    device.insert_code("main", "void neuroglia_run(); neuroglia_run();")
    device.build(
        directory=str(folder),
        compile=False,
        run=False,
        with_output=False,
    )
    project.divide_in_double(folder)
    for name, content in kernel.files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
    return network, kernel


def reached(model: spec.Model, said: str) -> float | None:
    """Model time at which the program was interrupted; None if it came to its end."""
    found = re.search(rf"{REACHED} (\d+)", said)
    assert found is not None
    base = min(p.dt for p in model.populations.values())
    return None if int(found[1]) == spec.steps(model.duration, base) else int(found[1]) * base


def _gpu_memory(said: str) -> dict[str, object]:
    found = re.search(rf"{MEMORY} (\d+)", said)
    return {"gpu_memory_bytes": int(found[1])} if found else {}


def _records(model: spec.Model, results: Path) -> dict[str, Recorded]:
    """State records, as far as they were written."""
    records = {}
    for record in model.records.values():
        if record.events:
            continue
        population = model.populations[record.population]
        units = np.zeros(1, int)
        if record.reduce is None:
            units = recorded_indices(population, record.stride)
        count = len(record.variables) * units.size
        flat = np.fromfile(results / f"{record.name}.record")
        samples = flat[: flat.size // count * count].reshape(-1, len(record.variables), units.size)
        base = min(p.dt for p in model.populations.values())
        every = round(record.every / base) * base
        values = {v: samples[:, n] for n, v in enumerate(record.variables)}
        records[record.name] = Recorded(np.arange(len(samples)) * every, units, values)
    return records


def _events(model: spec.Model, results: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    base = min(p.dt for p in model.populations.values())
    events = {}
    for record in model.records.values():
        if record.events:
            flat = np.fromfile(results / f"{record.name}.record", np.int64)
            steps, units = flat[: flat.size // 2 * 2].reshape(-1, 2).T
            events[record.name] = (steps * base, units)
    return events
