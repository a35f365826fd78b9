"""What a user can ask of a run."""

from __future__ import annotations

import numbers
import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments.base import Image

if TYPE_CHECKING:
    from neuroglia_snn.experiments import Experiment


@dataclass(frozen=True)
class Options:
    """What a user can ask of a run; the command line's flags by the same names.

    Attributes
    ----------
    backend, precision : str
    seed : int
        Of noise and initial values; with ``seeds``, of the first run.
    seeds : int
        Runs from one build, with seeds ``seed``, ``seed + 1``, ...; ``workers`` of them side by side.
    threads : int
        Of one run.
    resume, fast_math, control : bool
    overrides : mapping
        Parameters and keys to texts, numbers, quantities of Brian2 or lists of numbers, as
        `neuroglia_snn.load` takes them.
    without : names of populations to leave out
    images : mapping
        Images by the names that the model's stimuli use: paths, or arrays of 0 and 1.
    resize : bool
        Scale images to the lattice.
    own : mapping
        What the model's experiment takes beside these.

    Raises
    ------
    UserError
        For a value of another type.
    """

    backend: str = "auto"
    precision: str | None = None
    seed: int = 0
    threads: int = 1
    seeds: int = 1
    workers: int = 1
    resume: bool = False
    fast_math: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    control: bool = False
    images: Mapping[str, Any] = field(default_factory=dict)
    resize: bool = False
    own: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, _read(one.name, getattr(self, one.name)))

    def flags(self) -> list[str]:
        """These options as the command line takes them; what is as usual is left out."""
        usual = Options()
        changed = {f.name: getattr(self, f.name) for f in fields(self)}
        changed = {n: v for n, v in changed.items() if v != getattr(usual, n) and n != "resume"}
        images = changed.pop("images", {})
        changed["image"] = [f"{n}={v}" for n, v in images.items() if isinstance(v, Path)]
        changed |= {n: v for n, v in changed.pop("own", {}).items() if v is not False}
        changed["set"] = [f"{n}={v}" for n, v in changed.pop("overrides", {}).items()]
        return as_flags(changed)

    def fitted(self, experiment: Experiment, who: str) -> Options:
        """These options with what the experiment of ``who``, a model, takes read as its types; images among them.

        Raises
        ------
        UserError
            For what it does not take, or a value of another type.
        """
        known = {option.name: option for option in experiment.options}
        images, own = dict(self.images), {}
        for name, value in self.own.items():
            if name not in known:
                raise UserError(f"{who} takes no --{name.replace('_', '-')}")
            if known[name].type is Image:
                if name in images:
                    raise UserError(f"the image '{name}' is given twice")
                images[name] = value
            else:
                own[name] = known[name].read(value)
        return replace(self, images=images, own=own)

    def require_used(self, used: Collection[str], who: str) -> None:
        """Refuse options that were given and that a run of ``who`` does not use.

        Raises
        ------
        UserError
        """
        usual = Options()
        for field_ in fields(Options):
            name = field_.name
            if name not in used and getattr(self, name) != getattr(usual, name):
                raise UserError(f"{who} takes no --{_FLAGS.get(name, name.replace('_', '-'))}")


#: Flags of options that have another name there.
_FLAGS = {"images": "image", "overrides": "set"}


def _read(name: str, value: Any) -> Any:
    """An option's value in the type that it is used in."""
    if name == "overrides":
        from neuroglia_snn.language.quantities import as_settings

        return as_settings(value)
    if name in ("images", "own"):
        if not isinstance(value, Mapping) or not all(isinstance(n, str) for n in value):
            raise _wrong(name, "a mapping of values by name", value)
        paths = (str, os.PathLike)
        return {
            n: Path(v) if isinstance(v, paths) and name == "images" else v for n, v in value.items()
        }
    if name == "without":
        if not isinstance(value, (list, tuple)) or not all(isinstance(n, str) for n in value):
            raise _wrong(name, "a list of populations, such as ['astrocyte']", value)
        return tuple(value)
    if value is None and name == "precision":
        return None
    for names, kinds, made in _KINDS:
        if name in names:
            if not isinstance(value, kinds) or (isinstance(value, bool) and made is not bool):
                raise _wrong(name, _TYPES[made], value)
            return made(value)
    raise AssertionError(name)


#: Options, the types that they may have, and the one that they are used in.
_KINDS: tuple[tuple[tuple[str, ...], Any, Callable[[Any], Any]], ...] = (
    (("backend", "precision"), str, str),
    (("seed", "threads", "seeds", "workers"), numbers.Integral, int),
    (("resume", "fast_math", "control", "resize"), bool, bool),
)
_TYPES: dict[Any, str] = {
    str: "a name",
    int: "a whole number",
    bool: "True or False",
}


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
