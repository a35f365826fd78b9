"""Keys and values that tables of a model file share: names, types, quantities, code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from brian2.units.allunits import second
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn import spec
from neuroglia_snn.catalog import data
from neuroglia_snn.catalog.schema import QUANTITY, TABLES, is_of, nearest, type_names
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import ModelError, UserError, shown
from neuroglia_snn.language import algebra, equations, expressions
from neuroglia_snn.language.names import refusal
from neuroglia_snn.language.quantities import Amount, parse_quantity, unit_name

#: Whole number of a model file: generated programs count in 32 bits.
_LARGEST = 2**31 - 1


def check_keys(document: Document) -> None:
    """Refuse a key that no table of its kind has, a value of another type, a bad name.

    Raises
    ------
    ModelError
        With all of them, one line each.
    """

    def attempt(check: Callable[..., None], *arguments: Any) -> None:
        try:
            check(document, *arguments)
        except ModelError as error:
            document.problems.append(error)

    for path, table in _walk(document.tables, ()):
        pattern = _pattern(path)
        if pattern is not None:
            for key in table:
                attempt(_check_key, TABLES[pattern], table, key, *path)
    for kind in ("parameters", "table", "population", "projection", "stimulus", "record"):
        named = document.tables.get(kind)
        for name, value in named.items() if isinstance(named, dict) else ():
            attempt(check_name, name, kind, name)
            if not isinstance(value, dict) and kind != "parameters":
                attempt(_refuse_no_table, value, kind, name)
    document.require_sound()


def _refuse_no_table(document: Document, value: object, kind: str, name: str) -> None:
    raise document.error(
        f"'{name}' must be a table [{kind}.{name}], not {shown(repr(value))}", kind, name
    )


def check_name(document: Document, name: str, *path: str) -> None:
    """Refuse what cannot be a name in a generated program."""
    reason = refusal(name)
    if reason:
        raise document.error(f"'{shown(name)}' is {reason}", *path)


def _check_key(
    document: Document, known: dict[str, tuple[type, ...]], table: dict, key: str, *path: str
) -> None:
    if key not in known:
        place = f"[{'.'.join(path)}]" if path else "a model file"
        raise document.error(
            f"unknown key '{key}' in {place}{nearest(key, known)} (known: {', '.join(known)})",
            *path,
            key,
        )
    value, kinds = table[key], known[key]
    if not is_of(value, kinds):
        raise document.error(
            f"'{key}' must be {type_names(kinds)}, not {shown(repr(value))}", *path, key
        )
    check_size(document, value, kinds, *path, key)


def check_known(
    document: Document,
    key: str,
    value: object,
    known: Mapping[str, tuple[type, ...]],
    owner: str,
    *path: str,
) -> None:
    """Refuse a key that ``owner`` does not take, or a value of another type than it takes."""
    if key not in known:
        raise document.error(
            f"unknown key '{shown(key)}' in {owner}{nearest(key, known)}"
            f" (it takes: {', '.join(known) or 'nothing'})",
            *path,
        )
    if not is_of(value, known[key]):
        raise document.error(
            f"'{key}' in {owner} must be {type_names(known[key])}, not {shown(repr(value))}", *path
        )


def check_size(document: Document, value: object, kinds: tuple[type, ...], *path: str) -> None:
    """Refuse a whole number that 32 bits do not hold, where no other number may stand."""
    if isinstance(value, int) and float not in kinds and abs(value) > _LARGEST:
        raise document.error(
            f"'{path[-1]}' is a number up to {_LARGEST}, not {shown(value)}", *path
        )


def _walk(table: dict, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict]]:
    yield path, table
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _walk(value, (*path, key))


def _pattern(path: tuple[str, ...]) -> str | None:
    for pattern in TABLES:
        parts = tuple(pattern.split(".")) if pattern else ()
        if len(parts) == len(path) and all(p in ("*", q) for p, q in zip(parts, path, strict=True)):
            return pattern
    return None


def amount(document: Document, value: Any, dimensions: Dimension | None, *path: str) -> Amount:
    """A quantity, in the given dimensions unless they are None."""
    try:
        result = parse_quantity(value)
    except UserError as error:
        raise document.error(str(error), *path) from None
    if dimensions is not None and result.dimensions is not dimensions:
        bare = result.dimensions.is_dimensionless
        found = "has no unit" if bare else f"is in '{unit_name(result.dimensions)}'"
        raise document.error(
            f"'{path[-1]}' = {shown(value)} {found} but must be in '{unit_name(dimensions)}'", *path
        )
    return result


#: Of all times of a model file, in seconds: further apart, they are no steps of each other any more.
_SHORTEST, _LONGEST = 1e-12, 1e8


def time(
    document: Document, *path: str, default: float | None = None, positive: bool = True
) -> float:
    """Seconds at the key ``path``, which must be there if there is no default."""
    table: Any = document.tables
    for key in path[:-1]:
        table = table.get(key, {})
    if path[-1] not in table:
        if default is None:
            raise document.error(
                f"'{path[-1]}' is missing in [{'.'.join(path[:-1])}] (a time such as '0.1 ms')",
                *path,
            )
        return default
    return seconds(document, table[path[-1]], *path, positive=positive)


def seconds(document: Document, given: Any, *path: str, positive: bool = True) -> float:
    """A time at the key ``path``, in seconds."""
    value = amount(document, given, second.dim, *path).si
    if value < 0 or (positive and value == 0):
        raise document.error(f"'{path[-1]}' must be positive, not {shown(repr(given))}", *path)
    if value and not _SHORTEST <= value <= _LONGEST:
        raise document.error(
            f"'{path[-1]}' is a time from {_SHORTEST:g} to {_LONGEST:g} seconds, not {shown(given)}",
            *path,
        )
    return value


#: How a text of each kind is written anew from its parsed tree.
_CANONICAL: dict[str, Callable[[str], str]] = {
    "equations": equations.canonical,
    "expression": expressions.canonical,
    "value": expressions.canonical_value,
    "statements": expressions.canonical_statements,
}


def code(
    document: Document, kind: str, text: str, label: str, *path: str, needle: str | None = None
) -> str:
    """A text that runs, written anew from its parsed tree: the author's own goes no further.

    Parameters
    ----------
    kind : {"equations", "expression", "value", "statements"}
        A value is an expression, or a quantity such as ``2 mV``.
    label : str
        What a message calls it.

    Returns
    -------
    str
        Empty where the text cannot be parsed; the document then has the problem.
    """
    try:
        written = _CANONICAL[kind](text)
        _check_names(kind, written)
        return written
    except UserError as error:
        named = getattr(error, "name", None) or needle
        document.problems.append(document.error(f"{label}: {error}", *path, needle=named))
        return ""


def _check_names(kind: str, code: str) -> None:
    """Refuse names that only generated programs have, and values of a block's own that hide others."""
    for name, _, _ in expressions.statements(code) if kind == "statements" else ():
        reason = refusal(name)
        if reason:
            raise UserError(f"'{name}' is {reason}")
    pieces = [code]
    if kind == "equations":
        pieces = [equation.expression or "" for equation in equations.parse(code).values()]
    for name in sorted(frozenset().union(*map(algebra.names, pieces))):
        if name.startswith("_"):
            raise UserError(f"'{name}' is not a name (a letter comes first)")


def optional_code(document: Document, kind: str, table: dict, key: str, *where: str) -> str | None:
    """As `code`, for a key that a table may lack."""
    return code(document, kind, table[key], key, *where, key) if key in table else None


def pathways(document: Document, table: dict, key: str, *where: str) -> dict[str, str]:
    """``on_pre = "code"`` or ``on_pre = {name = "code"}``; the plain form is named by its key."""
    return {
        name: code(document, "statements", text, key, *where, key)
        for name, text in _by_name(document, table, key, *where).items()
    }


def event_names(document: Document, table: dict, key: str, *where: str) -> dict[str, str]:
    """``on_event = {pathway = "event"}``."""
    return {
        pathway: name(document, event, *where, key)
        for pathway, event in _by_name(document, table, key, *where).items()
    }


def _by_name(document: Document, table: dict, key: str, *where: str) -> dict[str, str]:
    value = table.get(key, {})
    if isinstance(value, str):
        return {{"on_pre": "pre", "on_post": "post"}.get(key, key): value}
    for given, text in value.items():
        check_name(document, given, *where, key)
        if not isinstance(text, str):
            raise document.error(f"'{key}.{given}' must be text, not {text!r}", *where, key)
    return dict(value)


def values(document: Document, table: dict, key: str, *where: str) -> dict[str, spec.Value]:
    """Quantities, expressions, lists or arrays of data files by name (``initial``, ``delay``)."""
    entries = table.get(key, {})
    if isinstance(entries, str):  # one delay, of the pathway 'pre'
        entries = {"pre": entries}
    result: dict[str, spec.Value] = {}
    for given, value in entries.items():
        check_name(document, given, *where, key)
        if isinstance(value, (dict, list)):
            stated = {"values": value} if isinstance(value, list) else value
            result[given] = data.values(document, stated, *where, key, given)
            continue
        if not is_of(value, QUANTITY):
            raise document.error(f"'{key}.{given}' must be text, not {value!r}", *where, key, given)
        result[given] = code(document, "value", str(value), f"{key} {given}", *where, key, given)
    return result


def name(document: Document, value: object, *path: str) -> str:
    """A name that refers to something."""
    if not isinstance(value, str):
        raise document.error(f"'{path[-1]}' must be text, not {shown(repr(value))}", *path)
    check_name(document, value, *path)
    return value


def own_equations(document: Document, table: dict, *where: str) -> str:
    """The equations block of a population or projection, one statement a line."""
    label = f"{where[0]} '{where[1]}'"
    return code(document, "equations", table.get("equations", ""), label, *where, "equations")
