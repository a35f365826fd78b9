"""A program's C++: one text, compiled once by the system's compiler and kept by its content."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path

from filelock import FileLock

from neuroglia_snn import noise, toolchain
from neuroglia_snn.emit import foreign, steps
from neuroglia_snn.errors import BackendError
from neuroglia_snn.program.beside import rows
from neuroglia_snn.program.fuse import Fused
from neuroglia_snn.program.operations import is_noise
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.tree import Apply, Entry, Expression

_FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fwrapv",  # whole numbers, as in NumPy
    "-fPIC",
    "-pthread",
    "-shared",
)
#: For rows of lattices the widest vectors pay.
_WIDEST = ("-mprefer-vector-width=512",) if platform.machine() in ("x86_64", "AMD64") else ()
#: g++ would make branches of a value that two comparisons choose, and loops with branches stay scalar.
_WITHOUT_BRANCHES = ("-fno-thread-jumps",)
_FOLDER = Path(__file__).parent
#: Units of lattices in rows of vectors.
LATTICE = _FOLDER / "lattice.hpp"
#: Operations that are functions of integers.hpp.
_INTEGERS = frozenset(["encoded", "xorshift", "byte_sum", "leading"])


def source(program: Program, single: bool = False) -> str:
    """The C++ of a program. It holds no name and no value of the network."""
    parts = [header("run.hpp"), *functions(program), header("spikes.hpp"), header("team.hpp")]
    parts += [header("beside.hpp")] if rows(program.steps) else []
    parts += [header("hashes.hpp")] if draws(program) else []
    if any(isinstance(step, Fused) for step in program.steps):
        parts += [noise.CPP_BLOCKS, LATTICE.read_text(encoding="utf-8")]
    parts += foreign.text(program)
    return "\n".join([*parts, *steps.functions(program, single), *steps.loop(program), ""])


def header(name: str) -> str:
    """The text of a header of ours."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def functions(program: Program) -> list[str]:
    """Headers of the functions that a program's expressions call."""
    parts = [header("functions.hpp")]
    parts += [noise.CPP, header("draws.hpp")] if draws(program) else []
    expressions = chain(*(k.expressions() for k in program.kernels()))
    return parts + ([header("integers.hpp")] if any(map(_is_integer, expressions)) else [])


def draws(program: Program) -> bool:
    """Whether a program may draw random numbers."""
    fused = any(isinstance(step, Fused) for step in program.steps)
    expressions = chain(*(k.expressions() for k in program.kernels()))
    return bool(program.draws) or fused or any(map(is_noise, expressions))


def _is_integer(e: Expression) -> bool:
    return isinstance(e, Entry) or (isinstance(e, Apply) and e.operation in _INTEGERS)


def options(program: Program) -> list[str]:
    """The compiler's options for a program, beside those of all."""
    fused = any(isinstance(step, Fused) for step in program.steps)
    of_gcc = () if "clang" in _machine()[0] else _WITHOUT_BRANCHES
    return [*(_WIDEST if fused else ()), *of_gcc, *foreign.flags(foreign.options(program))]


def missing() -> str | None:
    """What compiling needs and this machine lacks, or None."""
    return (
        None if toolchain.compiler() else "no C++ compiler found (on Debian: apt-get install g++)"
    )


def library(text: str, flags: Sequence[str] = ()) -> ctypes.CDLL:
    """The library of some C++, compiled if it is not kept yet.

    ``flags`` are the compiler's beside ours, and more files to compile.

    Raises
    ------
    BackendError
        Where there is no compiler, or with its first error.
    """
    compiler = toolchain.compiler()
    if compiler is None:
        raise BackendError(f"{missing()}; set_device('neuroglia', target='numpy') needs none")
    folder = toolchain.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(
            f"{folder}: the build cache cannot be written ({error.strerror})"
        ) from None
    path = _path(text, flags)
    with FileLock(f"{path}.lock"):
        if not path.exists():
            _compile(compiler, text, flags, path)
    return ctypes.CDLL(str(path))


def is_kept(text: str, flags: Sequence[str] = ()) -> bool:
    """Whether `library` would find this compiled."""
    return _path(text, flags).exists()


def _path(text: str, flags: Sequence[str]) -> Path:
    return toolchain.cache_folder() / f"{_digest(text, flags)}.so"


def _digest(text: str, flags: Sequence[str]) -> str:
    sources = [p.read_text(errors="replace") for f in flags if (p := Path(f)).is_file()]
    identity = "\n".join((text, *_machine(), *_FLAGS, *flags, *sources))
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


@lru_cache(1)
def _machine() -> tuple[str, str]:
    return toolchain.compiler_line(), toolchain.processor()


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
            raise toolchain.compiler_error(done.stderr)
        made.rename(path)
