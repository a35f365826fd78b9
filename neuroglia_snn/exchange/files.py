"""Files that an export or an import writes: checked before, and there only when complete."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from neuroglia_snn import checks
from neuroglia_snn.errors import ResultError, UserError
from neuroglia_snn.exchange.to_brian2 import Script


def require_right(written: Script, path: Path) -> None:
    """Refuse a model file in which `check` would find something wrong.

    Raises
    ------
    UserError
        With a line for each finding.
    """
    with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch:
        tried = Path(scratch) / path.name
        write(written, tried)
        findings = [f for f in checks.check_file(tried) if f.severity == "error"]
    if findings:
        raise UserError("\n".join(f"a model file cannot say this: {f.message}" for f in findings))


def require_free(path: Path, force: bool, *beside: Path) -> None:
    """Refuse the path of a file that may not be written, or of one that comes ``beside`` it.

    Raises
    ------
    ResultError
    """
    for file in (path, *beside):
        if file.is_dir():
            raise ResultError(f"{file} is a folder; choose another --out")
        if file.exists() and not force:
            raise ResultError(f"{file} exists already; choose another --out, or add --force")
    if not path.parent.is_dir():
        raise ResultError(f"{path}: there is no folder {path.parent}")


def write(written: Script, path: Path) -> None:
    """Write a file and its data; each appears only when complete, the data first."""
    data, partial = path.with_suffix(".npz"), path.with_suffix(".partial")
    try:
        if written.data:
            with partial.open("wb") as file:
                np.savez_compressed(file, **dict(written.data))  # type: ignore[arg-type]
            partial.replace(data)
        else:
            data.unlink(missing_ok=True)  # of an earlier script, which --force gives up
        partial.write_text(written.text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ResultError(f"{path} cannot be written ({error.strerror})") from None
