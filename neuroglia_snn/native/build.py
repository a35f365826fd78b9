"""Compile generated C++ to a shared library once, and keep it beside the other builds."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

from neuroglia_snn import toolchain
from neuroglia_snn.errors import BackendError

_FLAGS = [
    "-std=c++17",
    "-O3",
    "-march=native",
    "-mprefer-vector-width=512",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-shared",
]


def missing() -> str | None:
    """What compiling needs and this machine lacks, or None."""
    return (
        None if toolchain.compiler() else "no C++ compiler found (on Debian: apt-get install g++)"
    )


def library(source: str) -> ctypes.CDLL:
    """The library of some C++, compiled if it is not kept yet.

    Raises
    ------
    BackendError
        With the compiler's first error, or where there is no compiler.
    """
    said = missing()
    if said:
        raise BackendError(said)
    identity = f"{source}\n{toolchain.compiler_line()}\n{' '.join(_FLAGS)}\n{toolchain.processor()}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:32]
    folder = toolchain.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.so"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            _compile(source, path)
    return ctypes.CDLL(str(path))


def _compile(source: str, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="lava-") as scratch:
        code, made = Path(scratch) / "program.cpp", Path(scratch) / "program.so"
        code.write_text(source, encoding="utf-8")
        done = subprocess.run(
            [str(toolchain.compiler()), *_FLAGS, str(code), "-o", str(made)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise toolchain.compiler_error(done.stderr)
        made.rename(path)
