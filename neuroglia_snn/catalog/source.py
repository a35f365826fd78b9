"""The text of model files: reading, `extends`, and which line a key stands on."""

from __future__ import annotations

import copy
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from neuroglia_snn.catalog import files
from neuroglia_snn.errors import ModelError

#: Largest model file that is read, in bytes.
MAX_BYTES = 4_000_000

_EQUATION = re.compile(r"^\s*(?:d([A-Za-z_]\w*)\s*/\s*dt|([A-Za-z_]\w*))\s*(?:=|:)")


@dataclass(frozen=True)
class Source:
    """One file's text and parsed tables."""

    path: Path
    text: str
    tables: dict

    def line_of(self, path: tuple[str, ...], needle: str | None = None) -> int | None:
        """Line (from 1) where a key stands; with ``needle``, the line inside its text.

        ``path`` is e.g. ``("population", "neuron", "equations")``; the deepest part that is found
        wins, so that a missing key points at its table.
        """
        lines = self.text.splitlines()
        best, inside = None, 0
        for depth in range(1, len(path) + 1):
            header = re.compile(r"^\s*\[+\s*" + r"\s*\.\s*".join(map(re.escape, path[:depth])) + r"\s*\]")
            found = next((n for n, line in enumerate(lines) if header.match(line)), None)
            if found is not None:
                best, inside = found, depth
        start = 0 if best is None else best + 1
        for key in path[inside:]:
            pattern = re.compile(rf"^\s*(?:\{{|.*[{{,])?\s*\"?{re.escape(str(key))}\"?\s*=")
            found = next((n for n in range(start, len(lines)) if pattern.match(lines[n])), None)
            if found is None:
                break
            best = start = found
        if best is not None and needle:
            word = re.compile(rf"(?<!\w){re.escape(needle)}(?!\w)")
            end = next(
                (n for n in range(best + 1, len(lines)) if re.match(r"^\s*\[", lines[n])), len(lines)
            )
            best = next((n for n in range(best, end) if word.search(lines[n])), best)
        return None if best is None else best + 1


@dataclass
class Document:
    """A model file with everything that it extends: merged tables and their origins."""

    sources: list[Source] = field(default_factory=list)  # nearest first
    tables: dict = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file that was asked for."""
        return self.sources[0].path

    def where(self, *path: str, needle: str | None = None) -> str:
        """``file:line`` of a key, in the nearest file that states it."""
        for source in self.sources:
            table: object = source.tables
            for key in path:
                table = table.get(key) if isinstance(table, dict) else None
            stated = table is not None and (needle is None or not isinstance(table, str)
                                            or re.search(rf"(?<!\w){re.escape(needle)}(?!\w)", table))
            if stated:
                line = source.line_of(path, needle)
                return f"{source.path}:{line}" if line else f"{source.path}"
        line = self.sources[0].line_of(path, needle)
        return f"{self.path}:{line}" if line else f"{self.path}"

    def error(self, message: str, *path: str, needle: str | None = None) -> ModelError:
        """A ModelError that starts with where ``path`` stands."""
        return ModelError(f"{self.where(*path, needle=needle)}: {message}")


def read(path: Path) -> Source:
    """Read one TOML file.

    Raises
    ------
    ModelError
        If it cannot be read, is not text, or is not TOML (with the line).
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path}: too large for a model file (over {MAX_BYTES} bytes)")
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path}: not a text file (a model file is TOML in UTF-8)") from None
    try:
        return Source(path, text, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        position = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = f":{position[1]}" if position else ""
        reason = re.sub(r"\s*\(at .*\)", "", str(error))
        raise ModelError(f"{path}{line}: not valid TOML: {reason}") from None


def locate(name_or_path: str) -> Path:
    """The file of a catalogue name (``noise_induced_memory``) or of a path (``mine.toml``)."""
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return Path(name_or_path)
    return files.find("models", name_or_path)


def read_document(name_or_path: str) -> Document:
    """Read a model file and what it extends, merged; the nearest file wins.

    Equations merge by left-hand side, so a variant states only the lines that differ.

    Raises
    ------
    ModelError
        For an unreadable file or an ``extends`` that comes back to a file already read.
    """
    document, path = Document(), locate(name_or_path)
    while True:
        if path.resolve() in {source.path.resolve() for source in document.sources}:
            chain = " -> ".join(s.path.name for s in document.sources)
            raise document.error(f"'extends' goes in a circle: {chain} -> {path.name}", "model", "extends")
        source = read(path)
        document.sources.append(source)
        model = source.tables.get("model")
        parent = model.get("extends") if isinstance(model, dict) else None
        if parent is None:
            break
        if not isinstance(parent, str):
            raise ModelError(f"{source.path}: 'extends' is a model's name or a path, not {parent!r}")
        is_path = "/" in parent or parent.endswith(".toml")
        path = path.parent / parent if is_path else locate(parent)
    for source in reversed(document.sources):
        document.tables = _merge(document, source)
    document.tables.get("model", {}).pop("extends", None)
    document.tables.get("model", {}).pop("remove", None)
    return document


def split_equations(text: str) -> dict[str, str]:
    """Split an equations block into statements, keyed by the variable on the left.

    A statement ends with the line that holds its ``: unit``. Comments are dropped.

    Raises
    ------
    ModelError
        For a statement without a left-hand side or without a unit.
    """
    result: dict[str, str] = {}
    pending = ""
    for line in text.splitlines():
        pending = f"{pending} {line.split('#', 1)[0].strip()}".strip()
        if ":" not in pending:
            continue
        match = _EQUATION.match(pending)
        if not match:
            raise ModelError(f"'{pending}' is not 'dx/dt = expression : unit', 'x = ... : unit' or 'x : unit'")
        name = match[1] or match[2]
        if name in result:
            raise ModelError(f"'{name}' is defined twice")
        result[name] = pending
        pending = ""
    if pending:
        raise ModelError(f"'{pending}' has no unit (write ': 1' or ': volt' after it)")
    return result


def _merge(document: Document, source: Source) -> dict:
    base = copy.deepcopy(document.tables)
    model = source.tables.get("model")
    removed = model.get("remove", []) if isinstance(model, dict) else []
    for path in removed if isinstance(removed, list) else [removed]:
        *parents, last = str(path).split(".")
        table = base
        for key in parents:
            table = table.get(key, {}) if isinstance(table, dict) else {}
        if not isinstance(table, dict) or last not in table:
            raise ModelError(f"{source.path}: 'remove' names '{path}', which the extended model does not have")
        del table[last]
    return _overlay(base, source.tables, ())


def _overlay(base: dict, over: dict, path: tuple[str, ...]) -> dict:
    for key, value in over.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and path != ("parameters",):
            base[key] = _overlay(old, value, (*path, key))
        elif key == "equations" and isinstance(old, str) and isinstance(value, str):
            try:
                merged = {**split_equations(old), **split_equations(value)}
            except ModelError:
                base[key] = value  # the loader reports it, with its line
            else:
                base[key] = "\n".join(merged.values())
        else:
            base[key] = copy.deepcopy(value)
    return base
