"""The CUDA toolkit and the GPU of this machine: which, and what is missing.

A toolkit of the system is used where it is complete; otherwise the one that the extra ``nvcc``
installs from PyPI (NVIDIA's wheels, one folder ``nvidia/cu13``). The wheels have neither ``lib64`` nor
the name that a linker looks for (``libcurand.so``): both are links in a folder beside the builds.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from neuroglia_snn.backends.brian import collect
from neuroglia_snn.errors import BackendError
from neuroglia_snn.toolchain import cache_folder

#: What every build needs of a toolkit.
PLAIN = ("cuda_runtime.h", "cooperative_groups.h", "libcudart_static.a")
#: And what one of brian2cuda's needs.
BRIAN2CUDA = (
    *PLAIN,
    "curand_kernel.h",
    "cuda_profiler_api.h",
    "thrust/device_vector.h",
    "libcurand.so",
)
#: What brings each.
INSTALL = {
    PLAIN: "pip install 'neuroglia_snn[nvcc]'",
    BRIAN2CUDA: "pip install 'neuroglia_snn[cuda]'",
}
#: What a program takes of a GPU's memory before its first array: about half a gigabyte on large cards.
CONTEXT = 512 << 20


@dataclass(frozen=True)
class Toolkit:
    """A complete toolkit: ``path`` holds bin/nvcc, include and lib64; version as (major, minor)."""

    path: Path
    version: tuple[int, int]
    line: str

    @property
    def nvcc(self) -> Path:
        """The compiler."""
        return self.path / "bin" / "nvcc"

    @property
    def libraries(self) -> Path:
        """The folder that a linker and a program look in."""
        return self.path / "lib64"

    def architectures(self) -> list[str]:
        """Those it compiles for, as ``sm_90``."""
        output = _said([str(self.nvcc), "--list-gpu-arch"])
        return [f"sm_{number}" for number in re.findall(r"compute_(\w+)", output)]

    def require(self, architecture: str) -> float:
        """The compute capability of an architecture such as ``sm_90``: 9.0.

        Raises
        ------
        BackendError
            If the toolkit does not know it.
        """
        known = self.architectures()
        if architecture not in known or not architecture[3:].isdigit():
            plain = [a for a in known if a[3:].isdigit()]
            raise BackendError(
                f"CUDA {self.version[0]}.{self.version[1]} in {self.path} does not compile for"
                f" '{architecture}' (it does for {', '.join(plain)})"
            )
        digits = architecture[3:]
        return float(f"{digits[:-1]}.{digits[-1]}")


@dataclass(frozen=True)
class Gpu:
    """The GPU that a program would run on; memory in bytes, ``cuda`` is the driver's newest."""

    name: str
    capability: float
    free_memory: int
    cuda: tuple[int, int] | None

    @property
    def architecture(self) -> str:
        """As ``sm_90``."""
        return f"sm_{round(self.capability * 10)}"


def find(needs: tuple[str, ...] = PLAIN) -> Toolkit:
    """The toolkit to use: the first with the headers and libraries that a build needs.

    Raises
    ------
    BackendError
        If there is no complete one; says what is missing where.
    """
    reasons = []
    for path in _system():
        lacks = _lacking(path, needs)
        if not lacks:
            return _toolkit(path)
        reasons.append(f"{path} lacks {', '.join(lacks)}")
    wheels = _wheels()
    if wheels is None:
        reasons.append("NVIDIA's wheels are not installed")
    else:
        path = _linked(wheels)
        lacks = _lacking(path, needs)
        if not lacks:
            return _toolkit(path)
        reasons.append(f"{wheels} lacks {', '.join(lacks)}")
    raise BackendError(f"no complete CUDA toolkit: {'; '.join(reasons)}: {INSTALL[needs]}")


def gpu() -> Gpu:
    """The first GPU, or the first of ``CUDA_VISIBLE_DEVICES``.

    CUDA counts them as nvidia-smi does from here on, unless ``CUDA_DEVICE_ORDER`` says otherwise: its own first is the
    fastest.

    Raises
    ------
    BackendError
        If there is no driver or no GPU.
    """
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    program = shutil.which("nvidia-smi")
    if program is None:
        raise BackendError("no NVIDIA driver found (nvidia-smi is missing)")
    query = [program, "--query-gpu=name,compute_cap,memory.free", "--format=csv,noheader,nounits"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    query += [f"--id={visible}"] if visible else []
    try:
        first = _said(query).splitlines()[0]
        name, capability, free = (part.strip() for part in first.split(","))
        found = re.search(r"CUDA Version:\s*(\d+)\.(\d+)", _said([program]))
        newest = (int(found[1]), int(found[2])) if found else None
        return Gpu(name, float(capability), int(float(free)) << 20, newest)
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError) as error:
        raise BackendError(f"nvidia-smi finds no usable GPU: {_first_line(error)}") from None


def architecture(wanted: str | None) -> str:
    """The architecture to compile for: the one that is wanted, or that of this machine's GPU.

    Raises
    ------
    BackendError
        If there is neither.
    """
    try:
        return wanted or gpu().architecture
    except BackendError as error:
        raise BackendError(f"{error}: name an architecture, --arch sm_90") from None


def described(chosen: str, tools: Toolkit, start: float) -> dict[str, object]:
    """What a summary says of a build for an architecture that began at ``start``."""
    return {
        "architecture": chosen,
        "versions": collect.versions() | {"compiler": tools.line},
        "build_seconds": round(time.perf_counter() - start, 3),
    }


def require_driver(gpu: Gpu, tools: Toolkit) -> None:
    """Refuse a driver that is too old for programs of a toolkit.

    Raises
    ------
    BackendError
    """
    if gpu.cuda is not None and gpu.cuda[0] < tools.version[0]:
        raise BackendError(
            f"the driver runs CUDA {gpu.cuda[0]}.{gpu.cuda[1]} at most, the toolkit in {tools.path}"
            f" is {tools.version[0]}.{tools.version[1]}: a newer driver is needed"
        )


def require_memory(gpu: Gpu, arrays: int, what: str) -> None:
    """Refuse a GPU with too little free memory for so many bytes of arrays, and for CUDA itself.

    Raises
    ------
    BackendError
    """
    needed = arrays + CONTEXT
    if needed > gpu.free_memory:
        raise BackendError(
            f"{gpu.name} has {gpu.free_memory >> 20} MiB free, '{what}' needs about"
            f" {needed >> 20} MiB"
        )


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _first_line(error: Exception) -> str:
    text = getattr(error, "stdout", "") or getattr(error, "stderr", "") or str(error)
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__


def _system() -> list[Path]:
    """Toolkits of the system, where CUDA's own tools look, each once."""
    nvcc = shutil.which("nvcc")
    named = [os.environ.get("CUDA_PATH"), os.environ.get("CUDA_HOME")]
    paths = [Path(p) for p in named if p]
    if nvcc:
        paths.append(Path(nvcc).resolve().parent.parent)
    paths.append(Path("/usr/local/cuda"))
    return list(dict.fromkeys(p.resolve() for p in paths if p.exists()))


def _lacking(path: Path, needs: tuple[str, ...]) -> list[str]:
    """What a build needs and a toolkit does not have."""
    places = [path / "include", path / "include" / "cccl", path / "lib64"]
    lacks = [] if (path / "bin" / "nvcc").exists() else ["bin/nvcc"]
    return lacks + [name for name in needs if not any((p / name).exists() for p in places)]


def _wheels() -> Path | None:
    """Folder of NVIDIA's wheels, ``nvidia/cu13``, if they are installed."""
    spec = importlib.util.find_spec("nvidia")
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / "cu13"
        if (path / "bin" / "nvcc").exists():
            return path
    return None


def _linked(wheels: Path) -> Path:
    """A folder like a system's toolkit, of links to the wheels' files."""
    folder = cache_folder() / "toolkits" / re.sub(r"\W+", "_", str(wheels)).strip("_").lower()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        libraries = folder / "lib64"
        libraries.mkdir(parents=True, exist_ok=True)
        links = {folder / name: wheels / name for name in ("bin", "include", "nvvm")}
        for file in (wheels / "lib").iterdir():
            links[libraries / file.name] = file
            links.setdefault(libraries / re.sub(r"\.so\.\d+$", ".so", file.name), file)
        for link, target in links.items():
            if not link.exists():
                link.unlink(missing_ok=True)  # a link to wheels that were removed since
                link.symlink_to(target)
    return folder


@functools.cache
def _toolkit(path: Path) -> Toolkit:
    line = _said([str(path / "bin" / "nvcc"), "--version"])
    found = re.search(r"release (\d+)\.(\d+), (V\S+)", line)
    if found is None:
        raise BackendError(f"{path / 'bin' / 'nvcc'} does not say its version")
    return Toolkit(path, (int(found[1]), int(found[2])), f"nvcc {found[3]}")
