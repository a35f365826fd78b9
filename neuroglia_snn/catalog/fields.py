"""Keys and values that tables of a model file share: names, types, quantities, code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from brian2.units.allunits import second
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn.catalog.schema import QUANTITY, TABLES, nearest, type_names
from neuroglia_snn.catalog.source import Document, split_equations
from neuroglia_snn.errors import ModelError, UserError, shown
from neuroglia_snn.quantities import Amount, parse_quantity, unit_name

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def check_keys(document: Document) -> None:
    """Refuse a key that no table of its kind has, a value of another type, a bad name."""
    for path, table in _walk(document.tables, ()):
        pattern = _pattern(path)
        if pattern is not None:
            for key in table:
                _check_key(document, TABLES[pattern], table, key, *path)
    for kind in ("parameters", "table", "population", "projection", "stimulus", "record"):
        for name, value in document.tables.get(kind, {}).items():
            if not _NAME.fullmatch(name):
                raise document.error(
                    f"'{name}' is not a name (a letter, then letters, digits and _)", kind, name
                )
            if not isinstance(value, dict) and kind != "parameters":
                raise document.error(
                    f"'{name}' must be a table [{kind}.{name}], not {shown(repr(value))}",
                    kind,
                    name,
                )


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
    good = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
    if not good:
        raise document.error(
            f"'{key}' must be {type_names(kinds)}, not {shown(repr(value))}", *path, key
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
    value = amount(document, table[path[-1]], second.dim, *path).si
    if value < 0 or (positive and value == 0):
        raise document.error(f"'{path[-1]}' must be positive, not {table[path[-1]]!r}", *path)
    return value


def codes(document: Document, table: dict, key: str, *where: str) -> dict[str, str]:
    """``on_pre = "code"`` or ``on_pre = {name = "code"}``; the plain form is named by its key."""
    value = table.get(key, {})
    if isinstance(value, str):
        return {{"on_pre": "pre", "on_post": "post"}.get(key, key): value}
    for name, code in value.items():
        if not isinstance(code, str):
            raise document.error(f"'{key}.{name}' must be text, not {code!r}", *where, key)
    return dict(value)


def texts(document: Document, table: dict, key: str, *where: str) -> dict[str, str]:
    """Quantities or expressions by name, as text (``initial``, ``delay``)."""
    entries = table.get(key, {})
    for name, value in entries.items():
        if not isinstance(value, QUANTITY) or isinstance(value, bool):
            raise document.error(f"'{key}.{name}' must be text, not {value!r}", *where, key, name)
    return {name: str(value) for name, value in entries.items()}


def equations(document: Document, table: dict, *where: str) -> str:
    """The equations block, one statement a line."""
    try:
        return "\n".join(split_equations(table.get("equations", "")).values())
    except ModelError as error:
        needle = re.search(r"'(?:d(\w+)\s*/\s*dt|(\w+))", str(error))
        raise document.error(
            str(error), *where, "equations", needle=(needle[1] or needle[2]) if needle else None
        ) from None
