"""A program for a GPU, generated and compiled without running it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from neuroglia_snn import checks, results
from neuroglia_snn.backends import BUILDERS
from neuroglia_snn.backends.base import Request, blank_images
from neuroglia_snn.errors import ResultError


def build(
    name_or_path: str,
    out: Path,
    backend: str = "cuda",
    overrides: Mapping[str, str] | None = None,
    architecture: str | None = None,
    fast_math: bool = False,
    announce: bool = False,
) -> dict:
    """Write and compile the CUDA project of a model, and ``summary.json``, in ``out``.

    Parameters
    ----------
    backend : {"cuda", "fused-cuda"}
    architecture : str, optional
        As ``sm_90``; of this machine's GPU if none is given.
    fast_math : bool
        nvcc's ``-use_fast_math``.

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`; also if ``out`` exists and is not empty.
    """
    model, _ = checks.load_checked(name_or_path, dict(overrides or {}))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ResultError(f"{out} exists and is not an empty folder; choose another --out")
    builder = BUILDERS[backend](fast_math)
    precision = model.precision if model.precision in builder.precisions else "float64"
    watched = (lambda *_: None) if announce else None
    request = Request(model, blank_images(model), precision=precision, progress=watched)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f"{out.name}-") as partial:
            code = Path(partial) / "code"  # `out` appears only when complete
            built = builder.build(request, code, architecture)
            if out.exists():
                out.rmdir()
            code.rename(out)
    except OSError as error:
        raise ResultError(f"{out} cannot be written ({error.strerror})") from None
    summary = {
        "model": model.name,
        "title": model.title,
        "model_digest": model.digest,
        "backend": backend,
        "precision": precision,
        "fast_math": fast_math,
        "set": dict(overrides or {}),
        **built,
        "program": str(out / "main"),
    }
    results.write_summary(summary, out)
    return summary
