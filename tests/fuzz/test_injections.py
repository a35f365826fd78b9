"""No text of a model file, setting, hardware file or sweep reaches a shell, a compiler or a page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fuzz import injections, sources, whole
from fuzz.contract import BrokenError, check, untouched
from neuroglia_snn import spec

MODELS = whole.models()
#: Read by people alone.
SHOWN = {"title", "description", "doi", "source", "about"}
#: Tables whose keys the author chooses.
NAMING = {"parameters", "table", "population", "projection", "stimulus", "record"}
NAMING |= {"events", "initial", "range", "on_pre", "on_post", "on_event", "delay", "linked", "set"}
#: How many of the strings each field is fed in a quick test; thorough: all.
QUICK = 5


def fields() -> dict[tuple[str, ...], tuple[str, whole.Path]]:
    """Every place of the format, with a model and the path in it that has one.

    The places of the models that every backend runs are fed for each of them.
    """
    found: dict[tuple[str, ...], tuple[str, whole.Path]] = {}
    for model, tables in MODELS.items():
        apart = model if model in ("whole", "looped", "lowered") else "more"
        for path, _ in whole.walk(tables):
            named = len(path) > 1 and path[-2] in NAMING and isinstance(path[-1], str)
            place = tuple("*" if _chosen(path, n) else str(key) for n, key in enumerate(path))
            rule = _rule(tables, path)
            for kind in ("value", *(["name"] if named else [])):
                here = (kind, *place, rule)
                if apart != "more" or ("looped", *here) not in found:
                    found.setdefault((apart, *here), (model, path))
    return found


def _chosen(path: whole.Path, n: int) -> bool:
    return isinstance(path[n], int) or (n > 0 and path[n - 1] in NAMING)


def _rule(tables: whole.Tables, path: whole.Path) -> str:
    if "connect" in path:
        return str(tables["projection"][path[1]]["connect"].get("rule"))
    return str(tables["experiment"]["kind"]) if path[0] == "experiment" else ""


def strings(old: object, mark: Path) -> Iterator[tuple[object, bool]]:
    """What to feed in the place of a value, and whether it must be refused."""
    for text in injections.CODE:
        yield text.replace("{mark}", str(mark)), True
    for text in (*injections.AFTER, *injections.CODE):
        if isinstance(old, str):
            yield old + text.replace("{mark}", str(mark)), False
    for value in (*injections.ODD, *injections.VALUES):
        yield value, False


FIELDS = fields()


def test_the_models_hold_every_key_of_the_format(tmp_path):
    found = set().union(*(whole.present(tables) for tables in MODELS.values()))
    assert whole.keys() == found & whole.keys(), whole.keys() - found
    for name, tables in MODELS.items():
        assert check(_written(tmp_path, tables)), name


def _written(folder: Path, tables: whole.Tables) -> Path:
    """A model file in a folder of its own, beside the one that a variant extends, and a data file."""
    np.savez(folder / whole.DATA, **{n: np.array(v) for n, v in whole.ARRAYS.items()})
    (folder / "base.toml").write_text(whole.WHOLE)
    path = folder / "model.toml"
    path.write_text(whole.dumps(tables), encoding="utf-8")
    return path


_generated: dict[str, dict[str, str]] = {}


def _require_clean(model: spec.Model) -> None:
    """None of its sources holds what was injected."""
    plain = sources.plain(model)
    key = repr(plain)
    if key not in _generated:
        _generated[key] = sources.of(plain)
    for backend, text in _generated[key].items():
        if injections.TOKEN in text or "touch " in text:
            line = next(x for x in text.splitlines() if injections.TOKEN in x or "touch " in x)
            raise BrokenError(f"injected into what '{backend}' generates", line)


def _feed(
    place: tuple[str, ...], value: object, refused: bool, folder: Path, generated: bool = True
) -> None:
    name, path = FIELDS[place]
    if place[1] == "name":
        tables = whole.renamed(MODELS[name], str(path[-1]), str(value))
    else:
        tables = whole.changed(MODELS[name], path, value)
    with untouched(folder, ("model.toml", "base.toml", whole.DATA)):
        file = _written(folder, tables)
        model = check(file)
        if model is not None:
            if refused and path[-1] not in SHOWN:
                raise BrokenError("code that passes `check`", repr(value))
            if generated and (path[-1] not in SHOWN or place[1] == "name"):
                _require_clean(model)


@pytest.mark.one_in(6)
@pytest.mark.parametrize("place", FIELDS, ids=".".join)
def test_no_field_of_a_model_file_runs_code(place, tmp_path):
    name, path = FIELDS[place]
    old = MODELS[name]
    for key in path:
        old = old[key]
    fed = list(strings(path[-1] if place[1] == "name" else old, tmp_path / "mark"))
    start = sorted(FIELDS).index(place) * QUICK
    generated = place[0] != "more"  # those of the other models are the same, and take time
    for value, refused in itertools.islice(itertools.cycle(fed), start, start + QUICK):
        _feed(place, value, refused, tmp_path, generated)


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", FIELDS, ids=".".join)
def test_no_field_takes_any_of_them(place, tmp_path):
    name, path = FIELDS[place]
    old = MODELS[name]
    for key in path:
        old = old[key]
    for value, refused in strings(path[-1] if place[1] == "name" else old, tmp_path / "mark"):
        _feed(place, value, refused, tmp_path)
