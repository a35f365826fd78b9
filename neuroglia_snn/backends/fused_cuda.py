"""Backend ``fused-cuda``: Brian2's network in our loop on a GPU, in this process (`neuroglia_snn.emit.cuda`)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import brian2

from neuroglia_snn import spec, toolchain
from neuroglia_snn.backends import toolkit
from neuroglia_snn.backends.base import Outcome, Request, require_replicas, require_supported
from neuroglia_snn.backends.brian import collect
from neuroglia_snn.backends.brian.network import SECOND, Network, require_finite
from neuroglia_snn.backends.brian.runtime import Loop
from neuroglia_snn.backends.fused import REPORT_EVERY, FusedBackend, device, warnings_of
from neuroglia_snn.backends.fused.interrupts import interruptible
from neuroglia_snn.emit.cuda import library
from neuroglia_snn.emit.cuda import machine as cuda
from neuroglia_snn.emit.cuda.memory import laid_out, memory
from neuroglia_snn.errors import BackendError
from neuroglia_snn.program.drive import Drive, Report, go_together
from neuroglia_snn.program.passes import on_gpu, simplified

#: How a folder that `FusedCudaBackend.build` wrote is compiled again.
_MAKEFILE = """program.so: program.cu
	{command} program.cu -o program.so
"""


class FusedCudaBackend(FusedBackend):
    """Our loop on the first GPU; it runs what the loop in C++ runs."""

    name = "fused-cuda"
    target = "cuda"
    precisions: tuple[str, ...] = ("float64", "float32", "fixed")
    threaded = False
    batch = cuda.MOST_RUNS

    def __init__(self, fast_math: bool = False) -> None:
        self._fast_math = fast_math

    def unsupported(self, model: spec.Model) -> str | None:
        """A complete toolkit must be there, to compile; a GPU only where something runs."""
        try:
            toolkit.find()
        except BackendError as error:
            return str(error)
        return super().unsupported(model)

    def options(self, request: Request) -> dict[str, object]:
        return {**super().options(request), "fast_math": self._fast_math}

    def compilers(self) -> dict[str, str]:
        return {
            "compiler": toolkit.find().line,
            "host compiler": toolchain.compiler_line(),
            "gpu": toolkit.gpu().name,
        }

    def run_many(self, requests: Sequence[Request], workers: int = 1) -> list[Outcome]:
        """Run replicas together, as many as the GPU has memory for; each kernel is launched once for all.

        ``workers`` are for what cannot run so: runs that keep checkpoints, fixed point, and networks that call
        Python as they run.

        Raises
        ------
        BackendError, NumericalError
        """
        require_replicas(requests)
        require_supported(self, requests[0].model)
        apart = any(r.checkpoint for r in requests) or requests[0].precision == "fixed"
        if len(requests) == 1 or apart:
            return super().run_many(requests, workers)
        outcomes: list[Outcome] = []
        with self.looked_up():
            while left := requests[len(outcomes) :]:
                found = self._together(left)
                outcomes += found or [self.run(left[0])]
                if outcomes[-1].reached is not None:
                    raise KeyboardInterrupt
        return outcomes

    def looked_up(self) -> AbstractContextManager[None]:
        """The GPU, looked for once."""
        return cuda.looked_up(cuda.usable())

    def fitting(self, needed: int) -> int:
        """Of how many runs that need so many bytes each the GPU has memory."""
        return (cuda.usable().free_memory - toolkit.CONTEXT) // max(1, needed)

    @contextmanager
    def begun(self, requests: Sequence[Request]) -> Iterator[list[tuple[Network, Drive]]]:
        """The networks of the first requests, as many as can run together, ready to go; none where the first cannot."""
        begun: list[tuple[Network, Drive]] = []
        most = self.batch
        with ExitStack() as stack:
            for request in requests:
                if len(begun) >= most:
                    break
                network = stack.enter_context(self.network(request))
                simulation = brian2.Network(network.objects())
                going = device.begun(simulation, request.model.duration * SECOND, {})
                assert going is not None
                stack.callback(going.close)
                if not begun:
                    most = min(most, max(1, self.fitting(_memory(going))))
                first = begun[0][1] if begun else going
                if not first.machine.may_join(going.machine):  # type: ignore[attr-defined]
                    break
                begun.append((network, going))
            yield begun

    def _together(self, requests: Sequence[Request]) -> list[Outcome]:
        """What the first of the requests give, which run together; nothing where the first cannot."""
        start = time.perf_counter()
        with self.begun(requests) as begun:
            if not begun:
                return []
            drives = [going for _, going in begun]
            built = time.perf_counter()
            loop = _Loop(requests[: len(begun)], drives)
            loop.go()
            ran, compilers = time.perf_counter(), self.compilers()
            return [
                collect.outcome(
                    network,
                    build_seconds=(built - start) / len(begun),
                    run_seconds=(ran - built) / len(begun),
                    compiled=going.machine.made.compiled,
                    compilers=compilers,
                    loop_seconds=loop.seconds,
                    warnings=warnings_of(requests[0]),
                    details={**going.machine.made.details, "replicas_together": len(begun)},
                )
                for network, going in begun
            ]

    def build(self, request: Request, folder: Path, architecture: str | None) -> dict[str, object]:
        """Generate and compile into a folder, for an architecture such as ``sm_90``; nothing runs.

        ``None`` is the architecture of this machine's GPU. Gives what a summary says of the build.

        Raises
        ------
        BackendError
        """
        require_supported(self, request.model)
        chosen = toolkit.architecture(architecture)
        flags = library.flags(chosen, self._fast_math)
        start = time.perf_counter()
        with self.network(request) as network:
            simulation = brian2.Network(network.objects())
            duration = request.model.duration * SECOND
            program, setting = device.prepared(simulation, duration, {})
            program = simplified(program, on_gpu(request.precision == "float32"))
            needed = sum(memory(program, setting, laid_out(program, setting)).values())
            text = library.source(program, setting.deterministic)
        folder.mkdir(parents=True, exist_ok=True)
        command = " ".join([str(toolkit.find().nvcc), *flags])
        (folder / "Makefile").write_text(_MAKEFILE.format(command=command), encoding="utf-8")
        library.compile_in(folder, text, flags)
        said = toolkit.described(chosen, toolkit.find(), start)
        return {**said, "gpu_memory_bytes": needed, "program": "program.so"}


def _memory(going: Drive) -> int:
    """Bytes that a run takes of the GPU's memory."""
    return int(going.machine.made.details["gpu_memory_bytes"])  # type: ignore[call-overload]


class _Loop(Loop):
    """The loop of runs that go together: all are told of progress, and an interrupt stops all at one step."""

    def __init__(self, requests: Sequence[Request], drives: Sequence[Drive]) -> None:
        super().__init__(requests[0])
        self._requests, self._drives = requests, drives
        self._interrupted = False

    def __call__(self, elapsed, completed, start, length) -> None:
        require_finite(self._request.model)
        for request in self._requests:
            if request.progress:
                request.progress(float(completed), float(completed) * float(length))

    def go(self) -> None:
        """Run to the end.

        Raises
        ------
        KeyboardInterrupt
        """
        duration = self._request.model.duration
        told = Report(self, REPORT_EVERY, 0.0, duration)
        for going in self._drives:
            going.prepare()
        began = time.monotonic()
        with interruptible(self._stop):
            told.begin()
            go_together(self._drives, told)
        self.seconds = time.monotonic() - began
        if self._interrupted and self._drives[0].network._stopped:
            raise KeyboardInterrupt
        told.end(1.0, self.seconds)

    def _stop(self) -> bool:
        """Before the next time step."""
        self._interrupted = True
        self._drives[0].network.stop()
        return True
