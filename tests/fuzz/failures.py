"""What a fuzzer found: each kind of failure once, with its seed and its smallest file."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path

from fuzz import contract, whole
from neuroglia_snn.catalog.source import tomllib

#: Kinds of failures after which a search ends.
ENOUGH = 5


def kind_of(call: Callable[[], object]) -> str:
    """The kind of failure that a call ends in, or nothing."""
    try:
        call()
    except contract.BrokenError as error:
        return error.kind
    return ""


def smallest(path: Path, fails: Callable[[], str], budget: int = 400) -> str:
    """The file at a path with all taken away that its failure does not need; text that is no TOML stays."""
    text = path.read_text(encoding="utf-8")
    kind = fails()
    try:
        tables = tomllib.loads(text)
    except ValueError:
        return text
    if not _same(path, whole.dumps(tables), kind, fails):
        path.write_text(text, encoding="utf-8")
        return text
    smaller = True
    while smaller and budget > 0:
        smaller = False
        for place, value in sorted(whole.walk(tables), key=lambda found: len(found[0])):
            for less in _less(tables, place, value):
                budget -= 1
                if budget > 0 and _same(path, whole.dumps(less), kind, fails):
                    tables, smaller = less, True
                    break
            if smaller:
                break
    path.write_text(whole.dumps(tables), encoding="utf-8")
    return whole.dumps(tables)


def _same(path: Path, text: str, kind: str, fails: Callable[[], str]) -> bool:
    path.write_text(text, encoding="utf-8")
    return fails() == kind


def _less(tables: whole.Tables, place: whole.Path, value: object) -> list[whole.Tables]:
    """Tables without a key, or with fewer lines of its text."""
    without = copy.deepcopy(tables)
    owner: object = without
    for key in place[:-1]:
        owner = owner[key]  # type: ignore[index]
    del owner[place[-1]]  # type: ignore[attr-defined]
    found = [without]
    if isinstance(value, str) and "\n" in value.strip():
        lines = value.split("\n")
        for n in range(len(lines)):
            found.append(whole.changed(tables, place, "\n".join(lines[:n] + lines[n + 1 :])))
    return found


def require_none(
    kind: str, seeds: Iterable[int], call: Callable[[int], object], folder: Path
) -> None:
    """Fail with each kind of failure among the seeds: its seed, its smallest file, how to see it again."""
    found: dict[str, tuple[int, str]] = {}
    for seed in seeds:
        try:
            call(seed)
        except contract.BrokenError as error:
            found.setdefault(error.kind, (seed, str(error)))
            if len(found) == ENOUGH:
                break
    if found:
        texts = [_described(kind, seed, text) for seed, text in found.values()]
        raise AssertionError("\n\n".join(texts))


def _described(kind: str, seed: int, text: str) -> str:
    return f"{text}\nagain, and as small as it gets: python tests/fuzz {kind} {seed}"
