"""TOML as text: every string is quoted and escaped, so that none of them ends a value or begins a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
#: Of a line of a list.
_WIDTH = 100


class Inline(dict):
    """A table that is written on one line, ``{ rule = "all" }``."""


def document(tables: Mapping[str, object]) -> str:
    """A document: tables within tables have headers of their own, unless they are `Inline`."""
    return "\n".join(_table(tables, ())).strip("\n") + "\n"


def _table(table: Mapping[str, object], path: tuple[str, ...]) -> list[str]:
    inner = {k: v for k, v in table.items() if isinstance(v, dict) and not isinstance(v, Inline)}
    own = [f"{key(k)} = {value(v)}" for k, v in table.items() if k not in inner]
    header = ["", f"[{'.'.join(map(key, path))}]"] if path and (own or not inner) else []
    lines = [*header, *own]
    for name, one in inner.items():
        lines += _table(one, (*path, name))
    return lines


def key(name: str) -> str:
    """A key, within quotes where it needs them."""
    return name if _BARE.fullmatch(name) else quoted(name)


def value(given: object) -> str:
    """A value: text, a number, true or false, a list, or a table on one line."""
    if isinstance(given, str):
        return block(given) if given.endswith("\n") else quoted(given)
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, (int, float)):
        return repr(given)
    if isinstance(given, Mapping):
        return f"{{ {', '.join(f'{key(k)} = {value(v)}' for k, v in given.items())} }}"
    if isinstance(given, Sequence):
        parts = [value(part) for part in given]
        line = f"[{', '.join(parts)}]"
        return line if len(line) <= _WIDTH else "[\n" + "".join(f"  {p},\n" for p in parts) + "]"
    raise TypeError(f"no value of a model file: {given!r}")


def quoted(text: str) -> str:
    """Text within quotes, on one line."""
    return f'"{_escaped(text)}"'


def block(text: str) -> str:
    """Text that ends with a line, a line each."""
    return '"""\n' + "\n".join(map(_escaped, text.split("\n"))) + '"""'


def _escaped(text: str) -> str:
    """Text without quotes, backslashes and whatever is not printable, which stand as escapes."""
    return "".join(
        c if c.isprintable() and c not in '"\\' else _escape(c)
        for c in text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def _escape(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
