"""What is installed here, which backends can run, and what the others need."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections import Counter
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from neuroglia_snn import backends, toolchain
from neuroglia_snn.backends import toolkit
from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import BackendError

_PACKAGES = (
    "neuroglia_snn",
    "brian2",
    "numpy",
    "sympy",
    "matplotlib",
    "xarray",
    "h5netcdf",
    "pillow",
)


def examine() -> dict:
    """Versions, compilers, cores, the build cache, and for each backend the models it runs or why none."""
    compiler = toolchain.compiler()
    cache = toolchain.cache_folder()
    builds = [p for p in cache.glob("*/main")] if cache.is_dir() else []
    models = [load(name) for name in files.names("models")]
    supports = {model.name: backends.support(model) for model in models}
    runs, reasons = {}, {}
    for name in backends.BACKENDS:
        runs[name], reasons[name] = _of_models(name, supports)
    gpu, lacking = _gpu()
    for name in backends.BUILDERS:
        if lacking and not reasons[name]:
            runs[name], reasons[name] = [], f"{lacking} (it can build)"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "packages": {name: _version(name) for name in _PACKAGES},
        "compiler": f"{compiler}: {toolchain.compiler_version(compiler)}" if compiler else None,
        "make": shutil.which("make"),
        "build_cache": {"folder": str(cache), "builds": len(builds), "bytes": _size(cache)},
        "gpu": gpu,
        "backends": reasons,
        "models": runs,
        "catalogue": [model.name for model in models],
    }


def report(findings: dict) -> str:
    """The examination as text."""
    lines = [f"Python     {findings['python']} on {findings['system']}"]
    lines += [
        f"{name:14} {v or 'missing: pip install ' + name}"
        for name, v in findings["packages"].items()
    ]
    lines.append(f"compiler   {findings['compiler'] or 'none: apt-get install g++'}")
    lines.append(f"make       {findings['make'] or 'none: apt-get install make'}")
    lines.append(f"GPU        {findings['gpu'] or 'none'}")
    cache = findings["build_cache"]
    size = f"{cache['bytes'] >> 20} MiB"
    lines.append(f"builds     {cache['builds']}, {size} in {cache['folder']} (may be deleted)")
    models = len(findings["catalogue"])
    for name, reason in findings["backends"].items():
        of = f"can run {len(findings['models'][name])} of the catalogue's {models} models"
        lines.append(f"backend {name:13} {of if reason is None else 'cannot run: ' + reason}")
    return "\n".join(lines)


def _of_models(
    name: str, supports: Mapping[str, Mapping[str, str | None]]
) -> tuple[list[str], str | None]:
    """The models that a backend runs here; if none, why (what most of them are refused for)."""
    refused = {model: by_backend[name] for model, by_backend in supports.items()}
    runs = [model for model, reason in refused.items() if reason is None]
    ((reason, _),) = Counter(refused.values()).most_common(1)
    return runs, None if runs else reason


def _size(folder: Path) -> int:
    """Bytes of its files, of which some may go while we look."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(path, name)).st_size
    return total


def _gpu() -> tuple[str | None, str | None]:
    """The GPU, or why there is none."""
    try:
        found = toolkit.gpu()
    except BackendError as error:
        return None, str(error)
    return f"{found.name}, {found.architecture}, {found.free_memory >> 20} MiB free", None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
