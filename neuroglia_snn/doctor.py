"""What is installed here, which backends can run, and what the others need."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata

from neuroglia_snn import backends
from neuroglia_snn.backends import toolkit
from neuroglia_snn.backends.brian import collect, project
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
    """Versions, compilers, cores, the build cache, and a reason for each backend that cannot run."""
    compiler = project.compiler()
    cache = project.cache_folder()
    builds = [p for p in cache.glob("*/main")] if cache.is_dir() else []
    model = load(files.names("models")[0])
    reasons = {name: backends.get(name).unsupported(model) for name in backends.BACKENDS}
    gpu, lacking = _gpu()
    for name in backends.BUILDERS:
        if lacking and not reasons[name]:
            reasons[name] = f"{lacking} (it can build)"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "packages": {name: _version(name) for name in _PACKAGES},
        "compiler": f"{compiler}: {collect.compiler_version(compiler)}" if compiler else None,
        "make": shutil.which("make"),
        "build_cache": {"folder": str(cache), "builds": len(builds)},
        "gpu": gpu,
        "backends": reasons,
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
    lines.append(f"builds     {cache['builds']} in {cache['folder']}")
    for name, reason in findings["backends"].items():
        lines.append(
            f"backend {name:10} {'can run' if reason is None else 'cannot run: ' + reason}"
        )
    return "\n".join(lines)


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
