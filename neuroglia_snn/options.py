"""What a user can ask of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What a user can ask of a run; the command line's flags by the same names."""

    backend: str = "auto"
    precision: str | None = None
    seed: int = 0
    threads: int = 1
    replicas: int = 1
    workers: int = 1
    resume: bool = False
    overrides: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    no_astrocytes: bool = False
    control: bool = False
    train: Path | None = None
    test: Path | None = None
    clean: Path | None = None
    resize: bool = False
    data: Path | None = None
