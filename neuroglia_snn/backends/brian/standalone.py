"""Backend ``cpp``: Brian2's C++ standalone device.

A build holds no parameter value, seed or image: they are given to the program when it starts. Builds
are cached by the content of their generated sources, so another value never compiles again.
"""

from __future__ import annotations

import gc
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import brian2
import numpy as np
import platformdirs
from brian2.devices.device import get_device, reset_device
from filelock import FileLock

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Outcome, Progress, Request
from neuroglia_snn.backends.brian import collect
from neuroglia_snn.backends.brian.failures import root_cause
from neuroglia_snn.backends.brian.network import (
    NONFINITE,
    SECOND,
    Network,
    build,
    nonfinite_message,
)
from neuroglia_snn.errors import BackendError, NumericalError

_CLOCK_RESET = re.compile(rb"^\s*_array_\w+_(timestep|t)\[0\] = 0")
_PROGRESS = "neuroglia-progress"
#: C++ that reports progress, one line each, for `_watch`.
_REPORT = f'fprintf(stderr, "\\n{_PROGRESS} %.6f %.9g\\n", completed, start + completed*duration);'
#: C++ that seeds Brian2's generators (initial values, connections, ``rand()``) when the program starts.
_SEED = """
for (size_t n = 0; n < brian::_random_generators.size(); n++)
    brian::_random_generators[n].seed(std::strtoul(std::getenv("NEUROGLIA_SEED"), NULL, 10) + n);
"""


def cache_folder() -> Path:
    """Where builds are kept: ``$NEUROGLIA_CACHE`` or the user's cache folder."""
    given = os.environ.get("NEUROGLIA_CACHE")
    return (
        Path(given).resolve()
        if given
        else Path(platformdirs.user_cache_dir("neuroglia_snn")) / "builds"
    )


#: GCC gives up vectorising a loop over more than a few arrays unless it may test them for overlap.
_GCC_FLAGS = ["--param=vect-max-version-for-alias-checks=1000"]


def compiler() -> str | None:
    """The C++ compiler that Brian2 would use, or None."""
    return shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")


class CppBackend:
    """Brian2 C++ standalone with OpenMP."""

    name = "cpp"

    def unsupported(self, model: spec.Model) -> str | None:
        """C++ standalone runs every model of the format; it needs a compiler and make."""
        if compiler() is None or shutil.which("make") is None:
            return "no C++ compiler and make found (on Debian: apt-get install g++ make)"
        return None

    def run(self, request: Request) -> Outcome:
        """Build (or take from the cache) and run the program."""
        reason = self.unsupported(request.model)
        if reason:
            raise BackendError(reason)
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch, _device(request.threads):
            try:
                network = _generate(request, Path(scratch) / "code")
            except Exception as error:
                raise root_cause(error) from error
            folder, compiled = _compile(Path(scratch) / "code", request.progress is not None)
            built = time.perf_counter()
            results = Path(scratch) / "results"
            results.mkdir()
            _execute(folder, results, _arguments(network, results), request)
            device = get_device()
            device.results_dir = os.path.join(results, "")
            device.has_been_run = True
            device.array_cache.clear()
            return Outcome(
                records=collect.records(network),
                events=collect.events(network),
                final=collect.final(network),
                build_seconds=built - start,
                run_seconds=time.perf_counter() - built,
                compiled=compiled,
                versions={
                    **collect.versions(),
                    "compiler": collect.compiler_version(compiler() or "c++"),
                },
            )


@contextmanager
def _device(threads: int) -> Iterator[None]:
    """The standalone device, from a clean start, and the runtime device again afterwards."""
    preferences = brian2.prefs.devices.cpp_standalone
    before, flags = preferences.openmp_threads, brian2.prefs.codegen.cpp.extra_compile_args_gcc
    preferences.openmp_threads = threads if threads > 1 else 0
    if "clang" not in collect.compiler_version(compiler() or "c++"):
        brian2.prefs.codegen.cpp.extra_compile_args_gcc = [*flags, *_GCC_FLAGS]
    gc.collect()  # objects of an earlier run would keep their names, and ours get others: a new build
    brian2.set_device("cpp_standalone", build_on_run=False)
    get_device().reinit()
    get_device().activate(build_on_run=False)
    brian2.start_scope()
    try:
        yield
    finally:
        get_device().reinit()
        reset_device()
        brian2.set_device("runtime")
        preferences.openmp_threads = before
        brian2.prefs.codegen.cpp.extra_compile_args_gcc = flags


def _generate(request: Request, folder: Path) -> Network:
    """Write the C++ project; the same model always gives the same files."""
    device = get_device()
    device.insert_code("after_start", _SEED)

    def apply(network: Network) -> None:
        device.apply_run_args()

    network = build(request.model, request.images, request.seed, apply)
    simulation = brian2.Network(network.objects(), name="network")
    simulation.run(
        request.model.duration * SECOND, namespace={}, report=_REPORT, report_period=0.2 * SECOND
    )
    device.build(directory=str(folder), compile=False, run=False, with_output=False)
    return network


def _digest(folder: Path) -> str:
    """Hash of all generated files, the compiler and the processor (the code is made for it)."""
    content = hashlib.sha256(collect.compiler_version(compiler() or "c++").encode())
    content.update(_processor().encode())
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content.update(str(path.relative_to(folder)).encode() + b"\0")
        content.update(_canonical(path.read_bytes()))
    return content.hexdigest()[:32]


def _processor() -> str:
    """What the processor can do, as Linux tells it; its name elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x for x in lines if x.startswith(("flags", "Features"))), platform.machine())


def _canonical(text: bytes) -> bytes:
    """Generated code with the lines that Brian2 writes in arbitrary order (it loops over a set of
    clocks to reset them) in a fixed one."""
    lines = text.split(b"\n")
    resets = [n for n, line in enumerate(lines) if _CLOCK_RESET.search(line)]
    ordered = sorted(lines[n].strip() for n in resets)
    for n, line in zip(resets, ordered, strict=True):
        lines[n] = line
    return b"\n".join(lines)


def _compile(code: Path, announce: bool) -> tuple[Path, bool]:
    """Folder with the compiled program for this code, and whether it had to be compiled."""
    cache = cache_folder()
    folder = cache / _digest(code)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(
            f"{cache}: the build cache cannot be written ({error.strerror})"
        ) from None
    with FileLock(f"{folder}.lock"):
        if folder.exists():
            return folder, False
        if announce:
            print("compiling...", end="", file=sys.stderr, flush=True)
        jobs = str(os.cpu_count() or 1)
        done = subprocess.run(
            ["make", "-j", jobs], cwd=code, capture_output=True, text=True, check=False
        )
        if announce:
            print("\r" + " " * 12 + "\r", end="", file=sys.stderr, flush=True)
        if done.returncode:
            first = next((x for x in done.stderr.splitlines() if "error" in x), done.stderr[-300:])
            raise BackendError(f"the C++ compiler failed: {first.strip()}")
        for waste in (*code.rglob("*.o"), *code.rglob("*.d")):
            waste.unlink()
        partial = folder.with_suffix(".partial")  # a build that is cut off never counts as one
        for stale in (partial, folder):
            shutil.rmtree(stale, ignore_errors=True)
        shutil.move(code, partial)
        partial.rename(folder)
        return folder, True


def _arguments(network: Network, results: Path) -> list[str]:
    """Parameters, seed and images as command-line arguments of the program."""
    arguments = []
    for (group, variable), value in network.settings.items():
        if isinstance(value, np.ndarray):
            path = results / f"{group}.{variable}.bin"
            value.tofile(path)
            arguments.append(f"{group}.{variable}={path}")
        else:
            arguments.append(f"{group}.{variable}={float(value)!r}")
    return arguments


def _execute(folder: Path, results: Path, arguments: list[str], request: Request) -> None:
    command = [str(folder / "main"), "--results_dir", os.path.join(results, ""), *arguments]
    environment = {**os.environ, "NEUROGLIA_SEED": str(request.seed)}
    environment["OMP_NUM_THREADS"] = str(request.threads)
    environment.setdefault("GOMP_SPINCOUNT", "20000")  # waiting threads sleep soon on shared cores
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as program:
        try:
            said = _watch(program, request.progress)
        except BaseException:
            program.kill()
            raise
    if program.returncode == 0:
        return
    bad = re.search(rf"{NONFINITE} (\d+) (\d+) (\S+)", said)
    if bad:
        population = list(request.model.populations)[int(bad[1])]
        raise NumericalError(nonfinite_message(population, int(bad[2]), float(bad[3])))
    raise BackendError(
        f"the program stopped with status {program.returncode}: {said[-500:].strip()}"
    )


def _watch(program: subprocess.Popen, progress: Progress | None) -> str:
    """Read the program's stderr to its end; progress lines go to ``progress``, the rest returns."""
    said = []
    assert program.stderr is not None
    for line in program.stderr:
        if line.startswith(_PROGRESS):
            if progress:
                fraction, model_time = map(float, line.split()[1:3])
                progress(fraction, model_time)
        else:
            said.append(line)
    return "".join(said)
