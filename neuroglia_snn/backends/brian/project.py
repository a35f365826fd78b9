"""Brian2 standalone projects: generated, compiled once, kept, run.

A build holds no parameter value, seed or image: they are given to the program when it starts. Builds
are cached by the content of their generated sources, so another value never compiles again.
"""

from __future__ import annotations

import gc
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import brian2
import numpy as np
from brian2.devices.device import get_device
from filelock import FileLock

from neuroglia_snn import toolchain
from neuroglia_snn.backends.base import Progress, Request
from neuroglia_snn.backends.brian.apart import apart
from neuroglia_snn.backends.brian.as_written import as_written
from neuroglia_snn.backends.brian.network import NONFINITE, Settings, brian_name, nonfinite_message
from neuroglia_snn.errors import BackendError, NumericalError

_ANY_ORDER = re.compile(
    rb"^\s*(_array_\w+_(timestep|t)\[0\] = 0|network\.add\(&\w+, (NULL|_run_random_number_buffer)\);"
    rb"|extern \w*Clock \w+;)"
)
PROGRESS = "neuroglia-progress"
#: C++ that reports progress, one line each, for `execute`.
REPORT = f'fprintf(stderr, "\\n{PROGRESS} %.6f %.9g\\n", completed, start + completed*duration);'
#: Followed by the wall time of the time loop in seconds.
LOOP = "neuroglia-loop"
#: C++ around the time loop that tells it (Brian2's own measure is processor time on one thread).
LOOP_BEGINS = """
timespec neuroglia_begins, neuroglia_ends;
clock_gettime(CLOCK_MONOTONIC, &neuroglia_begins);
"""
LOOP_ENDS = f"""
clock_gettime(CLOCK_MONOTONIC, &neuroglia_ends);
fprintf(stderr, "\\n{LOOP} %.9f\\n", double(neuroglia_ends.tv_sec - neuroglia_begins.tv_sec)
        + 1e-9*double(neuroglia_ends.tv_nsec - neuroglia_begins.tv_nsec));
"""
#: C++ that seeds Brian2's generators (initial values, connections, ``rand()``) when the program starts.
SEED = """
for (size_t n = 0; n < brian::_random_generators.size(); n++)
    brian::_random_generators[n].seed(std::strtoul(std::getenv("NEUROGLIA_SEED"), NULL, 10) + n);
"""

#: What all files of a project include, its own headers first.
_HEADERS = """
#include "objects.h"
#include "network.h"
#include "synapses_classes.h"
#include "brianlib/common_math.h"
#include "brianlib/stdint_compat.h"
#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
"""
#: Rules of a makefile; Brian2's compiles each file with these flags.
_PRECOMPILED = """

neuroglia_headers.h.gch: neuroglia_headers.h makefile
	$(CXX) $(CXXFLAGS) -x c++-header $< -o $@
$(OBJS): neuroglia_headers.h.gch
$(OBJS): private CXXFLAGS += -include neuroglia_headers.h
"""


def missing() -> str | None:
    """What a build needs and this machine lacks, or None."""
    if toolchain.compiler() is None or shutil.which("make") is None:
        return "no C++ compiler and make found (on Debian: apt-get install g++ make)"
    return None


@contextmanager
def device(
    threads: int, flags: list[str] | None = None, name: str = "cpp_standalone"
) -> Iterator[None]:
    """A standalone device, from a clean start, and the runtime device again afterwards.

    ``flags`` are added to those of the C++ compiler.
    """
    preferences = brian2.prefs.devices.cpp_standalone
    before, usual = preferences.openmp_threads, brian2.prefs.codegen.cpp.extra_compile_args_gcc
    preferences.openmp_threads = threads if threads > 1 else 0
    if "clang" not in toolchain.compiler_line():
        brian2.prefs.codegen.cpp.extra_compile_args_gcc = [*usual, *(flags or [])]
    gc.collect()  # objects of an earlier run would keep their names, and ours get others: a new build
    try:
        with apart(name, build_on_run=False), as_written():
            get_device().reinit()
            get_device().activate(build_on_run=False)
            try:
                yield
            finally:
                get_device().reinit()
    finally:
        preferences.openmp_threads = before
        brian2.prefs.codegen.cpp.extra_compile_args_gcc = usual


def adopt(results: Path) -> None:
    """Let the device read its arrays from the results of a program that has run."""
    current = get_device()
    current.results_dir = os.path.join(results, "")
    current.has_been_run = True
    current.array_cache.clear()


def _digest(folder: Path, tools: str) -> str:
    """Hash of all generated files, the compilers and the processor (the code is made for it)."""
    content = hashlib.sha256((toolchain.compiler_line() + tools).encode())
    content.update(toolchain.processor().encode())
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content.update(str(path.relative_to(folder)).encode() + b"\0")
        content.update(_canonical(path.read_bytes()))
    return content.hexdigest()[:32]


def _canonical(text: bytes) -> bytes:
    """Generated code with the lines that Brian2 writes in arbitrary order (it loops over sets of
    clocks, to reset them and to add those that step nothing) in a fixed one."""
    lines = text.split(b"\n")
    resets = [n for n, line in enumerate(lines) if _ANY_ORDER.search(line)]
    ordered = sorted(lines[n].strip() for n in resets)
    for n, line in zip(resets, ordered, strict=True):
        lines[n] = line
    return b"\n".join(lines)


def make(folder: Path, announce: bool, environment: Mapping[str, str] | None = None) -> None:
    """Compile a generated project where it is.

    Raises
    ------
    BackendError
        With the compiler's first error.
    """
    if announce:
        print("compiling...", end="", file=sys.stderr, flush=True)
    done = subprocess.run(
        ["make", "-j", str(os.cpu_count() or 1)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if announce:
        print("\r" + " " * 12 + "\r", end="", file=sys.stderr, flush=True)
    if done.returncode:
        raise toolchain.compiler_error(done.stderr)
    for waste in (*folder.rglob("*.o"), *folder.rglob("*.d"), *folder.rglob("*.gch")):
        waste.unlink()


def compiled(
    code: Path, announce: bool, environment: Mapping[str, str] | None = None, tools: str = ""
) -> tuple[Path, bool]:
    """Folder with the compiled program for this code, and whether it had to be compiled.

    ``tools`` names compilers beside the C++ compiler.
    """
    cache = toolchain.cache_folder()
    folder = cache / _digest(code, tools)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(
            f"{cache}: the build cache cannot be written ({error.strerror})"
        ) from None
    with FileLock(f"{folder}.lock"):
        if folder.exists():
            return folder, False
        make(code, announce, environment)
        partial = folder.with_suffix(".partial")  # a build that is cut off never counts as one
        for stale in (partial, folder):
            shutil.rmtree(stale, ignore_errors=True)
        shutil.move(code, partial)
        partial.rename(folder)
        return folder, True


def divide_in_double(folder: Path) -> None:
    """Let generated code divide integers in double precision.

    Brian2 writes their quotient as ``1.0f*a/b``: 24 bits, where Python has 53.
    """
    for path in (*folder.rglob("*.cpp"), *folder.rglob("*.cu")):
        code = path.read_bytes()
        if b"1.0f*" in code:
            path.write_bytes(code.replace(b"1.0f*", b"1.0*"))


def parse_headers_once(folder: Path) -> None:
    """Let g++ read a project's headers once, not in each of its many files: that halves the time it takes."""
    if "clang" in toolchain.compiler_line():
        return
    (folder / "neuroglia_headers.h").write_text(_HEADERS, encoding="utf-8")
    makefile = folder / "makefile"
    makefile.write_text(makefile.read_text(encoding="utf-8") + _PRECOMPILED, encoding="utf-8")
    (folder / "make.deps").touch()  # what depends on what matters to a second build alone


def arguments(settings: Settings, results: Path) -> list[str]:
    """Parameters, seed and images as command-line arguments of the program."""
    given = []
    for (group, variable), value in settings.items():
        key = f"{brian_name(group)}.{variable}"
        if isinstance(value, np.ndarray):
            path = results / f"{key}.bin"
            value.tofile(path)
            given.append(f"{key}={path}")
        else:
            given.append(f"{key}={float(value)!r}")
    return given


def execute(
    folder: Path,
    results: Path,
    given: list[str],
    request: Request,
) -> str:
    """Run a compiled program to its end.

    Parameters
    ----------
    folder, results : of the program, and for what it writes
    given : command-line arguments

    Returns
    -------
    str
        What it said on stderr, progress left out.

    Raises
    ------
    NumericalError, BackendError
    """
    command = [str(folder / "main"), "--results_dir", os.path.join(results, ""), *given]
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
        start_new_session=True,  # an interrupt reaches it through us, once
    ) as program:
        try:
            said = _watch(program, request.progress)
        except BaseException:
            program.kill()
            raise
    if program.returncode:
        raise _failure(program.returncode, said, request)
    return said


def _failure(status: int, said: str, request: Request) -> BackendError | NumericalError:
    """Why a program ended, from what it said."""
    bad = re.search(rf"{NONFINITE} (\d+) (\d+) (\S+)", said)
    if bad:
        population = list(request.model.populations)[int(bad[1])]
        return NumericalError(nonfinite_message(population, int(bad[2]), float(bad[3])))
    return BackendError(f"the program stopped with status {status}: {said[-500:].strip()}")


def loop_seconds(said: str) -> float | None:
    """Wall time of the time loop, from what a program said; None where it does not take it."""
    found = re.search(rf"{LOOP} (\S+)", said)
    return float(found[1]) if found else None


def _watch(program: subprocess.Popen, progress: Progress | None) -> str:
    """Read the program's stderr to its end; progress lines go to ``progress``, the rest returns."""
    said = []
    assert program.stderr is not None
    for line in program.stderr:
        if line.startswith(PROGRESS):
            if progress:
                fraction, model_time = map(float, line.split()[1:3])
                progress(fraction, model_time)
        else:
            said.append(line)
    return "".join(said)
