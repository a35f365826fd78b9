"""What a user can ask of a run."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
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
    fast_math: bool = False
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

    def flags(self) -> list[str]:
        """These options as the command line takes them; what is as usual is left out."""
        usual = Options()
        changed = {f.name: getattr(self, f.name) for f in fields(self)}
        changed = {n: v for n, v in changed.items() if v != getattr(usual, n) and n != "resume"}
        changed["set"] = [f"{n}={v}" for n, v in changed.pop("overrides", {}).items()]
        return as_flags(changed)


def require_used(options: Options, used: Collection[str], who: str) -> None:
    """Refuse options that were given and that a run of ``who`` does not use.

    Raises
    ------
    UserError
    """
    usual = Options()
    for field_ in fields(Options):
        name = field_.name
        if name not in used and getattr(options, name) != getattr(usual, name):
            raise UserError(f"{who} takes no --{name.replace('_', '-')}")


def as_flags(values: Mapping[str, object]) -> list[str]:
    """``{"no_astrocytes": True, "set": ["a=1"]}`` as ``--no-astrocytes --set a=1``."""
    words = []
    for name, value in values.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, (list, tuple)):
            words += [word for entry in value for word in (flag, str(entry))]
        elif value is True:
            words.append(flag)
        elif value is not None and value is not False:
            words += [flag, str(value)]
    return words


def command(*words: str) -> str:
    """A command line of ours, for summaries."""
    return shlex.join(["neuroglia", *words])


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
