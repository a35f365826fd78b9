"""What a user can ask of a run."""

from __future__ import annotations

import numbers
import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from neuroglia_snn.errors import UserError
from neuroglia_snn.quantities import as_settings


@dataclass(frozen=True)
class Options:
    """What a user can ask of a run; the command line's flags by the same names.

    ``overrides`` maps parameters and keys to texts, numbers, quantities of Brian2 or lists of numbers,
    as `neuroglia_snn.load` takes them; paths may be texts.

    Raises
    ------
    UserError
        For a value of another type.
    """

    backend: str = "auto"
    precision: str | None = None
    seed: int = 0
    threads: int = 1
    replicas: int = 1
    workers: int = 1
    resume: bool = False
    fast_math: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
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

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, _read(one.name, getattr(self, one.name)))

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


def _read(name: str, value: Any) -> Any:
    """An option's value in the type that it is used in."""
    if name == "overrides":
        return as_settings(value)
    if name == "without":
        if not isinstance(value, (list, tuple)) or not all(isinstance(n, str) for n in value):
            raise _wrong(name, "a list of populations, such as ['astrocyte']", value)
        return tuple(value)
    if value is None and name in _OPTIONAL:
        return None
    for names, kinds, made, what in _KINDS:
        if name in names:
            if not isinstance(value, kinds) or (isinstance(value, bool) and made is not bool):
                raise _wrong(name, what, value)
            return made(value)
    raise AssertionError(name)


_WORDS, _PATHS = ("backend", "precision"), ("train", "test", "clean", "data", "weights")
_NUMBERS = ("seed", "threads", "replicas", "workers", "images")
_SWITCHES = ("resume", "fast_math", "no_astrocytes", "control", "resize")
_OPTIONAL = {"precision", "images", *_PATHS}
#: Options, the types that they may have, the one that they are used in, and what they are.
_KINDS: tuple[tuple[tuple[str, ...], Any, Callable[[Any], Any], str], ...] = (
    (_WORDS, str, str, "a name"),
    (_PATHS, (str, os.PathLike), Path, "the path of a file (numpy.save writes one of an array)"),
    (_NUMBERS, numbers.Integral, int, "a whole number"),
    (_SWITCHES, bool, bool, "True or False"),
)


def _wrong(name: str, what: str, value: object) -> UserError:
    return UserError(f"Options.{name} is {what}, not a value of type {type(value).__name__}")


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
