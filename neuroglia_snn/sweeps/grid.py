"""The points of a sweep."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.noise import MAX_SEED

_RANGE = re.compile(r"([^:\s]+):([^:\s]+):(\d+)(?:\s+(\S.*))?")
#: What can only be meant as a range: no value of a setting is a number and a colon.
_MEANT_AS_RANGE = re.compile(r"[-+.\d][^:,]*:.*")
_NUMBER = re.compile(r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)")

#: Points of a grid at most, seeds included.
MAX_POINTS = 1_000_000


@dataclass(frozen=True)
class Axis:
    """A setting that is swept: its name as ``--set`` takes it, and the text of every value."""

    name: str
    values: tuple[str, ...]

    @property
    def dimension(self) -> str:
        """Name of the dimension in the results."""
        return self.name

    @property
    def coordinates(self) -> tuple[np.ndarray, str]:
        """Values as numbers, with their unit; as text where they are no numbers of one unit."""
        parts = [_NUMBER.fullmatch(v) for v in self.values]
        units = {m[2].strip() for m in parts if m}
        if not all(parts) or len(units) != 1:
            return np.array(self.values), ""
        return np.array([float(m[1]) for m in parts if m]), units.pop()


@dataclass(frozen=True)
class Grid:
    """Every combination of the axes' values, with ``seeds`` seeds from ``seed`` on."""

    axes: tuple[Axis, ...]
    seeds: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        names = [a.name for a in self.axes]
        plain = [name.removeprefix("parameters.") for name in names]
        if not names:
            raise UserError("a sweep needs --over NAME=VALUES at least once")
        double = next((n for n in plain if plain.count(n) > 1), None)
        if double:
            raise UserError(f"'{double}' is swept twice: leave one of them out")
        if "seed" in names:
            raise UserError("seeds are swept with --seeds N, not with --over")
        if self.seeds < 1 or not 0 <= self.seed <= MAX_SEED - self.seeds + 1:
            raise UserError(
                f"--seeds must be at least 1, and seeds lie between 0 and {MAX_SEED}:"
                f" not {self.seeds} from {self.seed} on"
            )
        _require_few(self.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis, seeds last."""
        return (*(len(a.values) for a in self.axes), self.seeds)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    def points(self) -> Iterator[Point]:
        """All points, seeds first, so that the picture of the whole grid grows everywhere."""
        combinations = list(itertools.product(*(range(len(a.values)) for a in self.axes)))
        for n in range(self.seeds):
            for place in combinations:
                settings = {a.name: a.values[k] for a, k in zip(self.axes, place, strict=True)}
                yield Point((*place, n), settings, self.seed + n)

    def flags(self) -> list[str]:
        """As the command line takes them."""
        over = [word for a in self.axes for word in ("--over", f"{a.name}={','.join(a.values)}")]
        return [*over, "--seeds", str(self.seeds), "--seed", str(self.seed)]

    def describe(self) -> dict[str, object]:
        """As the summary has it."""
        return {
            "over": {a.name: list(a.values) for a in self.axes},
            "seeds": self.seeds,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Point:
    """One run: its place in the grid, its settings and its seed."""

    place: tuple[int, ...]
    settings: Mapping[str, str]
    seed: int

    def __str__(self) -> str:
        return ", ".join([*(f"{k} = {v}" for k, v in self.settings.items()), f"seed {self.seed}"])


def axis(text: str) -> Axis:
    """``NAME=A,B,C`` or ``NAME=START:STOP:COUNT`` (both ends included), either with a unit at its end.

    Raises
    ------
    UserError
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    span = _RANGE.fullmatch(values)
    if not equals or not name or not values or (not span and _MEANT_AS_RANGE.fullmatch(values)):
        raise _malformed(text)
    found = _listed(values) if span is None else _spaced(text, *span.groups())
    if not all(found) or len(set(found)) < len(found):
        raise UserError(f"--over {name}: values are empty or the same ('{values}')")
    return Axis(name, tuple(found))


def _listed(values: str) -> list[str]:
    """Values between commas that no bracket holds; a unit after the last is that of all without one."""
    depth, parts = 0, [""]
    for character in values:
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    parts = [p.strip() for p in parts]
    last = _NUMBER.fullmatch(parts[-1])
    unit = last[2].strip() if last else ""
    bare = [_NUMBER.fullmatch(p) for p in parts[:-1]]
    if unit and all(m and not m[2].strip() for m in bare):
        return [*(f"{p} {unit}" for p in parts[:-1]), parts[-1]]
    return parts


def _spaced(text: str, start: str, stop: str, count: str, unit: str | None) -> list[str]:
    try:
        first, last, number = float(start), float(stop), int(count)
    except ValueError:
        raise _malformed(text) from None
    if number < 2 or not math.isfinite(last - first):
        raise _malformed(text)
    _require_few(number)
    numbers = np.linspace(first, last, number)
    step = abs(last - first) / (number - 1)
    digits = max(0, 12 - math.floor(math.log10(step))) if step > 0 else 12
    tidy = [float(round(n, digits)) for n in numbers]
    return [f"{n!r}{' ' + unit if unit else ''}" for n in tidy]


def _malformed(text: str) -> UserError:
    return UserError(
        "--over takes NAME=VALUE,... or NAME=START:STOP:COUNT with numbers and a count of 2 or more,"
        f" not '{shown(text)}'"
    )


def _require_few(points: int) -> None:
    """Refuse a grid that would take all memory."""
    if points > MAX_POINTS:
        raise UserError(
            f"a sweep has {MAX_POINTS:,} points at most, seeds included, not {points:,}:"
            " give --over fewer values, or fewer --seeds"
        )
