"""A program's CUDA: one text, compiled once by nvcc and kept by its content; or by the C++ compiler, for tests."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

from neuroglia_snn import toolchain
from neuroglia_snn.backends import toolkit
from neuroglia_snn.emit import foreign
from neuroglia_snn.emit import library as cpp
from neuroglia_snn.emit import steps as loop
from neuroglia_snn.emit.cuda import steps, tiles
from neuroglia_snn.program.code import CudaCode
from neuroglia_snn.program.program import Exchange, Program, Python

_FOLDER = Path(__file__).parent
#: Products and sums are rounded each, as on a processor, so that results can be compared bit by bit.
_FLAGS = ("-std=c++17", "-O3", "--fmad=false", "-w", "-shared", "-Xcompiler=-fPIC,-fwrapv")


def source(program: Program, ordered: bool, emulated: bool = False) -> str:
    """The CUDA of a program, which holds no name and no value of the network.

    ``ordered``: sums of spikes are added up in Brian2's order. ``emulated``: a C++ compiler compiles it, too.
    """
    graphs = not any(isinstance(step, (Python, Exchange)) for step in program.steps)
    replay = f"if (gpu_of(run).all->replayed()) run.position = {len(program.steps)};"
    failed = "if (gpu_of(run).all->has_failed()) return leave(run, FAILED);"
    parts = [
        _header("emulated.hpp" if emulated else "gpu.hpp"),
        cpp.header("run.hpp"),
        *cpp.functions(program),
        _header("device.hpp"),
        *([_header("tiles.hpp")] if tiles.has_tiles(program) else []),
        *foreign.text(program, CudaCode, "__device__ ", "BIND({symbol}, where);"),
        *steps.functions(program, ordered),
        *loop.advance(program, f"tick_all(run); {failed}", [replay] if graphs else []),
    ]
    return "\n".join([*parts, ""])


def _header(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def flags(architecture: str, fast_math: bool = False) -> list[str]:
    """nvcc's for an architecture such as ``sm_90``.

    Raises
    ------
    BackendError
        Where there is no complete toolkit, or it does not know the architecture.
    """
    toolkit.find().require(architecture)
    return [f"-arch={architecture}", *_FLAGS, *(["-use_fast_math"] if fast_math else [])]


def library(text: str, flags: list[str] | None) -> ctypes.CDLL:
    """The library of a text, compiled if it is not kept yet: by nvcc, or emulated where there are no flags."""
    return cpp.library(text, ["-O1"]) if flags is None else ctypes.CDLL(str(compiled(text, flags)))


def is_kept(text: str, flags: list[str] | None) -> bool:
    """Whether `library` would find this compiled."""
    return cpp.is_kept(text) if flags is None else _path(text, flags).exists()


def compiled(text: str, flags: list[str]) -> Path:
    """Where the library of a text is; no GPU is needed to compile.

    Raises
    ------
    BackendError
        With nvcc's first error.
    """
    path = _path(text, flags)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=path.parent, prefix="program-") as scratch:
                compile_in(Path(scratch), text, flags).rename(path)
    return path


def compile_in(folder: Path, text: str, flags: list[str]) -> Path:
    """Write a text, and compile it; the library's path."""
    code, made = folder / "program.cu", folder / "program.so"
    code.write_text(text, encoding="utf-8")
    command = [str(toolkit.find().nvcc), *flags, str(code), "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise toolchain.compiler_error(done.stderr + done.stdout)
    return made


def _path(text: str, flags: list[str]) -> Path:
    identity = "\n".join((text, toolkit.find().line, *flags))
    return toolchain.cache_folder() / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.so"
