"""Runs that can go on after an interruption: what was running, in the results folder.

The files of the simulation itself are the backend's; here is only what tells that a run that wants to
go on is the one that was interrupted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from neuroglia_snn.errors import ResultError

FOLDER = "checkpoint"
_IDENTITY = "run.json"


def begin(folder: Path, identity: Mapping[str, object]) -> None:
    """Note which run this folder belongs to."""
    kept = folder / FOLDER
    kept.mkdir(exist_ok=True)
    (kept / _IDENTITY).write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")


def require_same(folder: Path, identity: Mapping[str, object]) -> None:
    """Refuse to go on with another run than the interrupted one.

    Raises
    ------
    ResultError
        If there is none, or something that its numbers depend on has changed.
    """
    try:
        before = json.loads((folder / FOLDER / _IDENTITY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ResultError(f"{folder} holds no interrupted run to resume") from None
    changed = [k for k, v in identity.items() if before.get(k) != json.loads(json.dumps(v))]
    if changed:
        raise ResultError(
            f"{folder} holds an interrupted run with another {', '.join(changed)}: resume it with"
            " what it was started with, or start anew with another --out or --force"
        )


def exists(folder: Path) -> bool:
    """Whether the folder holds an interrupted run."""
    return (folder / FOLDER / _IDENTITY).exists()


def ours(folder: Path) -> bool:
    """Whether the folder for checkpoints is ours to use and remove: there is none, or we made it."""
    return not (folder / FOLDER).exists() or exists(folder)


def discard(folder: Path) -> None:
    """Remove what a complete run no longer needs."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def discard_empty(folder: Path) -> None:
    """Remove what a run left that failed before it had computed anything."""
    kept = folder / FOLDER
    if kept.is_dir() and not any(kept.glob("*/*")):
        discard(folder)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
