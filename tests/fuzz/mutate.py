"""Model files that are nearly right: the whole ones, changed in a few places, from a seed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

from fuzz import grammar, injections, whole
from neuroglia_snn.catalog.schema import TABLES

MODELS = {n: tables for n, tables in whole.models().items() if n not in ("variant", "listed")}
#: Keys that stand somewhere in the format, to be put where they do not belong.
KEYS = sorted({key for known in TABLES.values() for key in known})


def model(seed: int) -> str:
    """The text of the model file of a seed."""
    rng = random.Random(seed)
    tables = copy.deepcopy(MODELS[rng.choice(sorted(MODELS))])
    if rng.random() < 0.05:
        tables = _variant(rng, tables)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(_CHANGES)(rng, tables)
    text = whole.dumps(tables)
    return _scratched(rng, text) if rng.random() < 0.1 else text


def settings(seed: int) -> dict[str, str]:
    """Settings as ``--set`` takes them, some of keys that are there."""
    rng = random.Random(f"settings {seed}")
    found = {}
    for _ in range(rng.choice((1, 1, 2))):
        path = rng.choice([p for p, _ in whole.walk(MODELS[rng.choice(sorted(MODELS))])])
        key = ".".join(map(str, path)) if rng.random() < 0.9 else grammar.hostile(rng)
        if path[0] == "parameters" and len(path) > 1 and rng.random() < 0.5:
            key = str(path[1])
        value = whole.value(_value(rng, None)) if rng.random() < 0.3 else grammar.hostile(rng)
        found[key] = grammar.expression(rng, 2) if rng.random() < 0.3 else value
    return found


def _variant(rng: random.Random, tables: whole.Tables) -> whole.Tables:
    """A file that extends another and states some of its tables again."""
    kept = {k: v for k, v in tables.items() if rng.random() < 0.3}
    parent = rng.choice(("base.toml", "base.toml", "noise_induced_memory", "nowhere.toml"))
    return kept | {"model": {"extends": parent, **kept.get("model", {})}}


def _place(rng: random.Random, tables: whole.Tables) -> tuple[Any, Any]:
    """A table or list, and a key or index in it."""
    paths = [path for path, _ in whole.walk(tables)]
    owner: Any = tables
    *parents, key = rng.choice(paths or [("model",)])
    for step in parents:
        owner = owner[step]
    return owner, key


def _value(rng: random.Random, old: Any) -> Any:
    """Another value: of its kind, or of another."""
    kind = rng.random()
    if isinstance(old, str) and kind < 0.6:
        return grammar.changed(rng, old)
    if isinstance(old, bool) and kind < 0.6:
        return not old
    if isinstance(old, int) and kind < 0.7:
        return rng.choice((0, -1, 1, old + 1, old * 7, 2**31, 2**63, 10**18, 10**30))
    if isinstance(old, list) and kind < 0.6:
        return [*old, *old] if rng.random() < 0.5 else old[: rng.randrange(len(old) + 1)]
    if kind < 0.8:
        return grammar.hostile(rng)
    if kind < 0.9:
        return grammar.expression(rng, 3)
    return copy.deepcopy(rng.choice(injections.VALUES))


def _another_value(rng: random.Random, tables: whole.Tables) -> None:
    owner, key = _place(rng, tables)
    if isinstance(owner, (dict, list)) and (isinstance(owner, list) or key in owner):
        owner[key] = _value(rng, owner[key])


def _gone(rng: random.Random, tables: whole.Tables) -> None:
    owner, key = _place(rng, tables)
    if isinstance(owner, list) or key in owner:
        del owner[key]


def _another_key(rng: random.Random, tables: whole.Tables) -> None:
    owner, key = _place(rng, tables)
    if isinstance(owner, dict) and key in owner:
        new = rng.choice((rng.choice(KEYS), grammar.hostile(rng), grammar.name(rng), f"{key}_"))
        owner[new] = owner.pop(key)


def _added(rng: random.Random, tables: whole.Tables) -> None:
    owner, _ = _place(rng, tables)
    if isinstance(owner, dict):
        other, key = _place(rng, MODELS[rng.choice(sorted(MODELS))])
        owner[str(key) if rng.random() < 0.7 else rng.choice(KEYS)] = copy.deepcopy(other[key])
    else:
        owner.append(_value(rng, owner[0] if owner else None))


def _renamed(rng: random.Random, tables: whole.Tables) -> None:
    """Another name wherever it stands as a whole: references stay whole."""
    names = [p[-1] for p, _ in whole.walk(tables) if len(p) == 2 and isinstance(p[-1], str)]
    if names:
        new = grammar.name(rng) if rng.random() < 0.7 else grammar.hostile(rng)
        old = rng.choice(names)
        tables |= whole.renamed({k: tables.pop(k) for k in list(tables)}, old, new)


def _swapped(rng: random.Random, tables: whole.Tables) -> None:
    (a, key), (b, other) = _place(rng, tables), _place(rng, tables)
    if (isinstance(a, list) or key in a) and (isinstance(b, list) or other in b):
        a[key], b[other] = copy.deepcopy(b[other]), copy.deepcopy(a[key])


def _code(rng: random.Random, tables: whole.Tables) -> None:
    """An equation, condition or statement with a part of it made anew."""
    places = []
    for path, value in whole.walk(tables):
        if isinstance(value, str) and any(c in value for c in "=<>*+-/("):
            places.append(path)
    if places:
        owner: Any = tables
        *parents, key = rng.choice(places)
        for step in parents:
            owner = owner[step]
        owner[key] = grammar.rewritten(rng, owner[key])


_CHANGES: tuple[Callable[[random.Random, whole.Tables], None], ...] = (
    *(_another_value,) * 3,
    *(_code,) * 4,
    _gone,
    _another_key,
    _added,
    _renamed,
    _swapped,
)


def _scratched(rng: random.Random, text: str) -> str:
    """A few characters changed, as an editor's accident would."""
    for _ in range(rng.choice((1, 2, 5))):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice((0, 0, 1, 3, 40)))
        text = text[:at] + rng.choice(("", *grammar.SCRAPS)) + text[end:]
    return text


def hardware(seed: int, known: str) -> str:
    """The text of a hardware file, changed in a few places."""
    rng = random.Random(f"hardware {seed}")
    tables = whole.tables(known)
    for _ in range(rng.choice((1, 1, 2))):
        rng.choice((_another_value, _gone, _another_key, _added, _swapped))(rng, tables)
    text = whole.dumps(tables)
    return _scratched(rng, text) if rng.random() < 0.1 else text
