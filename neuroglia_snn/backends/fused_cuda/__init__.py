"""Backend ``fused-cuda``: the fused loop on a GPU, from the same equations.

The kernel is one CUDA file in Brian2's C++ standalone project: nvcc compiles it, the C++ compiler the
rest. Many networks run in one launch, so that replicas fill the GPU.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import brian2

from neuroglia_snn import spec
from neuroglia_snn.backends import toolkit
from neuroglia_snn.backends.base import (
    Outcome,
    Progress,
    Request,
    require_replicas,
    require_supported,
)
from neuroglia_snn.backends.brian import own_loop, project
from neuroglia_snn.backends.brian.network import Network
from neuroglia_snn.backends.fused_cuda.kernel import Kernel
from neuroglia_snn.backends.fused_cuda.standalone import Build, generate, reached, side_by_side
from neuroglia_snn.errors import BackendError

_OBJECT = "neuroglia_kernel.o"
_RULES = """
main: {object}
{object}: neuroglia_kernel.cu device.hpp runtime.hpp noise.hpp makefile
	{compiler} -c neuroglia_kernel.cu -o {object}
"""
#: nvcc's: constexpr functions of the C++ library are called on the GPU, too.
_FLAGS = "-std=c++17 -O3 --expt-relaxed-constexpr -w"


class FusedCudaBackend:
    """The fused loop on the first GPU."""

    name = "fused-cuda"
    precisions: tuple[str, ...] = spec.PRECISIONS
    threaded = False
    resumes = True
    batch = 256

    def __init__(self, fast_math: bool = False):
        self._flags = _FLAGS + (" -use_fast_math" if fast_math else "")

    def unsupported(self, model: spec.Model) -> str | None:
        """What is missing here, or see `neuroglia_snn.backends.brian.own_loop`."""
        try:
            toolkit.find()
        except BackendError as error:
            return str(error)
        return project.missing() or own_loop.reason(model)

    def run(self, request: Request) -> Outcome:
        """Build (or take from the cache) and run the program."""
        return self.run_many([request])[0]

    def run_many(self, requests: Sequence[Request], workers: int = 1) -> list[Outcome]:
        """Run all replicas together, in one program; ``workers`` of them begin and end side by side.

        Raises
        ------
        BackendError
            Before anything is built, if something is missing or the GPU is too small.
        """
        require_replicas(requests)
        require_supported(self, requests[0].model)
        gpu, tools = toolkit.gpu(), toolkit.find()
        toolkit.require_driver(gpu, tools)
        tools.require(gpu.architecture)
        os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as nvidia-smi counts
        compiler = self._compiler(tools, gpu.architecture)
        versions = {"compiler": tools.line, "gpu": gpu.name}
        return run_together(requests, compiler, _libraries(tools), versions, workers, gpu)

    def build(self, request: Request, folder: Path, architecture: str | None) -> dict[str, object]:
        """Generate and compile into a folder, for an architecture such as ``sm_90``.

        ``None`` is the architecture of this machine's GPU. Gives what a summary says of the build.
        """
        require_supported(self, request.model)
        tools = toolkit.find()
        chosen = toolkit.architecture(architecture)
        tools.require(chosen)
        start = time.perf_counter()
        with _device(_libraries(tools)):
            _write(request, folder, self._compiler(tools, chosen))
            project.make(folder, bool(request.progress))
        return toolkit.described(chosen, tools, start)

    def _compiler(self, tools: toolkit.Toolkit, architecture: str) -> str:
        return f"{tools.nvcc} -arch={architecture} {self._flags}"


def run_together(
    requests: Sequence[Request],
    compiler: str,
    libraries: Sequence[str],
    versions: Mapping[str, str],
    workers: int = 1,
    gpu: toolkit.Gpu | None = None,
) -> list[Outcome]:
    """Build with a compiler of the kernel, and run the networks of all requests in one program.

    Parameters
    ----------
    compiler : command that makes an object of ``neuroglia_kernel.cu``
    libraries : what the program is linked with beside that object
    versions : what the outcomes say of the compiler and the GPU
    workers : programs that make initial states, and write final ones, at the same time
    gpu : must have room for all networks, or nothing is built

    Raises
    ------
    BackendError
    """
    first = requests[0]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch, _device(libraries):
        network, kernel = _write(first, Path(scratch) / "code", compiler)
        if gpu is not None and kernel.memory is not None:
            toolkit.require_memory(gpu, kernel.memory.of(len(requests)), first.model.name)
        announce = any(r.progress for r in requests)
        folder, compiled = project.compiled(
            Path(scratch) / "code", announce, tools=f"{compiler} {versions}"
        )
        seconds = time.perf_counter() - start
        build = Build(network, kernel.digest, folder, seconds, compiled, versions)
        if len(requests) == 1:
            return [build.run(first)]
        return _together(build, requests, Path(scratch), workers)


def _together(
    build: Build, requests: Sequence[Request], scratch: Path, workers: int
) -> list[Outcome]:
    """One program for the networks of all requests.

    Brian2's program makes the initial state of one network at a time, and writes the final state of
    one: both are short runs of the same program, before and after the one that steps them all.
    """
    start = time.perf_counter()
    folders = [scratch / f"results-{n}" for n in range(len(requests))]
    quiet = [replace(request, progress=None) for request in requests]

    def each(part: str) -> None:
        execute = functools.partial(build.execute, settings={"NEUROGLIA_PART": part})
        side_by_side(execute, zip(quiet, folders, strict=True), workers)

    each("begin")
    networks = "\n".join(f"{folder.resolve()}/" for folder in folders)
    together = {"NEUROGLIA_PART": "advance", "NEUROGLIA_NETWORKS": networks}
    everyone = replace(requests[0], progress=_all([r.progress for r in requests]))
    said = build.execute(everyone, scratch / "together", together)
    if reached(everyone.model, said) is not None:
        raise KeyboardInterrupt
    each("finish")
    seconds = (time.perf_counter() - start) / len(requests)
    return [
        build.outcome(request, folder, said, seconds)
        for request, folder in zip(requests, folders, strict=True)
    ]


def _all(watchers: Sequence[Progress | None]) -> Progress | None:
    """The progress of everyone's run as that of each."""
    watching = [w for w in watchers if w]

    def update(fraction: float, model_time: float) -> None:
        for watcher in watching:
            watcher(fraction, model_time)

    return update if watching else None


@contextlib.contextmanager
def _device(libraries: Sequence[str]) -> Iterator[None]:
    """Brian2's C++ device, whose programs are linked with the kernel's object."""
    preferences = brian2.prefs.codegen.cpp
    before = preferences.extra_link_args
    preferences.extra_link_args = [*before, _OBJECT, *libraries]
    try:
        with project.device(1, ["-std=c++17"]):
            yield
    finally:
        preferences.extra_link_args = before


def _write(request: Request, folder: Path, compiler: str) -> tuple[Network, Kernel]:
    """Write the project, with the rules that make the kernel."""
    written = generate(request, folder)
    makefile = folder / "makefile"
    rules = _RULES.format(object=_OBJECT, compiler=compiler)
    makefile.write_text(makefile.read_text(encoding="utf-8") + rules, encoding="utf-8")
    return written


def _libraries(tools: toolkit.Toolkit) -> list[str]:
    return [f"-L{tools.libraries}", "-lcudart_static", "-ldl", "-lrt", "-lpthread"]
