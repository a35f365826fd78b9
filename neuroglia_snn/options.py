"""What a user can ask of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neuroglia_snn.errors import UserError


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
    weights: Path | None = None
    images: int | None = None


def overrides(settings: Sequence[str]) -> dict[str, str]:
    """``["a=1", "model.dt=2 ms"]`` as a mapping.

    Raises
    ------
    UserError
        For an entry without ``=``.
    """
    result = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise UserError(f"--set takes NAME=VALUE, not '{setting}'")
        result[name.strip()] = value.strip()
    return result
