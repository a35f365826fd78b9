"""The C++ compiler of this machine, what it makes programs for, and where they are kept."""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import platformdirs

from neuroglia_snn.errors import BackendError


def cache_folder() -> Path:
    """Where builds are kept: ``$NEUROGLIA_CACHE`` or the user's cache folder."""
    given = os.environ.get("NEUROGLIA_CACHE")
    return (
        Path(given).resolve()
        if given
        else Path(platformdirs.user_cache_dir("neuroglia_snn")) / "builds"
    )


def compiler() -> str | None:
    """The C++ compiler that Brian2 would use, or None."""
    return shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")


@functools.cache
def compiler_version(compiler: str) -> str:
    """First line of ``compiler --version``."""
    output = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    return re.sub(r"\s+", " ", output.stdout.splitlines()[0])


def compiler_line() -> str:
    """The compiler with its version."""
    return compiler_version(compiler() or "c++")


def compiler_error(said: str) -> BackendError:
    """The first error among all that a compiler said."""
    first = next((x for x in said.splitlines() if "error" in x), said[-300:])
    return BackendError(f"the compiler failed: {first.strip()}")


def processor() -> str:
    """What the processor can do, as Linux tells it; its name elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x for x in lines if x.startswith(("flags", "Features"))), platform.machine())
