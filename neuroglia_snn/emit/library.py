"""A program's C++: one text, compiled once by the system's compiler and kept by its content."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from filelock import FileLock

from neuroglia_snn import noise
from neuroglia_snn.backends.brian import project
from neuroglia_snn.emit import foreign, steps
from neuroglia_snn.errors import BackendError
from neuroglia_snn.program.program import Program

_FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fwrapv",  # whole numbers, as in NumPy
    "-fPIC",
    "-shared",
)
_FOLDER = Path(__file__).parent


def source(program: Program) -> str:
    """The C++ of a program. It holds no name and no value of the network."""
    parts = [(_FOLDER / "runtime.hpp").read_text(encoding="utf-8")]
    if program.draws:
        parts += [noise.CPP, (_FOLDER / "draws.hpp").read_text(encoding="utf-8")]
    parts += foreign.text(program)
    return "\n".join([*parts, *steps.functions(program), *steps.loop(program), ""])


def missing() -> str | None:
    """What compiling needs and this machine lacks, or None."""
    return None if project.compiler() else "no C++ compiler found (on Debian: apt-get install g++)"


def library(text: str, flags: Sequence[str] = ()) -> ctypes.CDLL:
    """The library of some C++, compiled if it is not kept yet.

    ``flags`` are the compiler's beside ours, and more files to compile.

    Raises
    ------
    BackendError
        Where there is no compiler, or with its first error.
    """
    compiler = project.compiler()
    if compiler is None:
        raise BackendError(f"{missing()}; set_device('neuroglia', target='numpy') needs none")
    folder = project.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(
            f"{folder}: the build cache cannot be written ({error.strerror})"
        ) from None
    path = folder / f"{_digest(text, flags)}.so"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            _compile(compiler, text, flags, path)
    return ctypes.CDLL(str(path))


def _digest(text: str, flags: Sequence[str]) -> str:
    sources = [p.read_text(errors="replace") for f in flags if (p := Path(f)).is_file()]
    identity = "\n".join((text, *_machine(), *_FLAGS, *flags, *sources))
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


@lru_cache(1)
def _machine() -> tuple[str, str]:
    return project.compiler_line(), project.processor()


def _compile(compiler: str, text: str, flags: Sequence[str], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="program-") as scratch:
        code, made = Path(scratch) / "program.cpp", Path(scratch) / "program.so"
        code.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [compiler, *_FLAGS, str(code), *flags, "-o", str(made)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise project.compiler_error(done.stderr)
        made.rename(path)
