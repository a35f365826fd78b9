"""The text of model files: reading, `extends`, and which line a key stands on."""

from __future__ import annotations

import copy
import itertools
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from neuroglia_snn.catalog import files
from neuroglia_snn.errors import CatalogError, ModelError, UserError, shown
from neuroglia_snn.language.equations import split_equations

#: Largest model file that is read, in bytes.
MAX_BYTES = 4_000_000
#: Deepest nesting of its tables and lists; a model needs five.
MAX_DEPTH = 20

#: Longest key or name that is looked for; its table's line does for a longer one.
_LONGEST = 200
_HEADER = re.compile(r"^\s*\[+\s*[A-Za-z_\"'][^\]]*\]+\s*(?:#.*)?$")

#: Tables whose other keys depend on one of them: a variant with another kind states all of them anew.
_KINDS = {"connect": "rule", "experiment": "kind"}
#: Keys of a population of which one says what the other would.
_INSTEAD = {"size": ("shape",), "shape": ("size",)}


@dataclass(frozen=True)
class Source:
    """One file's text and parsed tables."""

    path: Path
    text: str
    tables: dict

    def line_of(self, path: tuple[str, ...], *needles: str) -> int | None:
        """Line (from 1) where a key stands; with ``needles``, the line inside its text.

        ``path`` is e.g. ``("population", "neuron", "equations")``, or ``("phase", "1", "set")`` in the
        second of the tables ``[[phase]]``; the deepest part that is found wins, so that a missing key points at its table. Each needle is a name and is looked for from
        the line of the one before: first as what a statement defines, then anywhere.
        """
        lines = self.text.split("\n")  # as TOML counts them
        first, last = 0, len(lines)
        if len(path) > 1 and path[1].isdecimal():
            first, last = _entry(lines, path[0], int(path[1]))
            path = (path[0], *path[2:])
        best, inside = None, 0
        for depth in range(1, len(path) + 1):
            keys = r"\s*\.\s*".join(rf"[\"']?{re.escape(key)}[\"']?" for key in path[:depth])
            header = re.compile(rf"^\s*\[+\s*{keys}\s*\]")
            found = next((n for n in range(first, last) if header.match(lines[n])), None)
            if found is not None:
                best, inside = found, depth
        start = first if best is None else best + 1
        end = last
        if best is not None:  # a table ends at the next one's header
            end = next((n for n in range(start, end) if _HEADER.match(lines[n])), end)
        for key in path[inside:]:
            pattern = re.compile(rf"^\s*(?:\{{|.*[{{,])?\s*\"?{re.escape(str(key))}\"?\s*=")
            found = next((n for n in range(start, end) if pattern.match(lines[n])), None)
            if found is None:
                break
            best = start = found
        code = [line.split("#", 1)[0] for line in lines]
        if best is None:
            return None
        for needle in needles:
            best = _line_with(code, best, end, needle)
        return best + 1


def _entry(lines: list[str], key: str, number: int) -> tuple[int, int]:
    """The lines of one of the tables ``[[key]]``; all lines where they are not written so."""
    header = re.compile(rf"^\s*\[\[\s*[\"']?{re.escape(key)}[\"']?\s*\]\]")
    found = [n for n, line in enumerate(lines) if header.match(line)]
    if number >= len(found):
        return 0, len(lines)
    return found[number], [*found, len(lines)][number + 1]


def _line_with(lines: list[str], start: int, end: int, needle: str) -> int:
    """The line that defines a name, else one that holds it, else ``start``."""
    for pattern in (_defines(needle), _word(needle)):
        for n in range(start, end):
            if pattern.search(lines[n]):
                return n
    return start


def _defines(name: str) -> re.Pattern[str]:
    left = rf"{re.escape(name)}|d{re.escape(name)}\s*/\s*dt"
    return re.compile(rf"(?:^|[\"';])\s*(?:{left})\s*(?:[-+*/]?[=:](?!=)|$)")


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")


def _inner(value: object, key: str) -> object:
    """What stands at a key of a table, or at a number of a list; None for nothing."""
    if isinstance(value, list) and key.isdecimal():
        return dict(enumerate(value)).get(int(key))
    return value.get(key) if isinstance(value, dict) else None


@dataclass
class Document:
    """A model file with everything that it extends: merged tables and their origins.

    ``settings`` holds what was set on the command line, by the path of its key.
    """

    sources: list[Source] = field(default_factory=list)  # nearest first
    tables: dict = field(default_factory=dict)
    #: What a reader of the tables found wrong and read past, so that all is said at once.
    problems: list[ModelError] = field(default_factory=list)
    settings: dict[tuple[str, ...], str] = field(default_factory=dict)
    #: Digests of what was read from data files, by the places that name it.
    data: dict[str, str] = field(default_factory=dict)

    def require_sound(self) -> None:
        """Refuse a document with problems.

        Raises
        ------
        ModelError
            With all of them, one line each.
        """
        if self.problems:
            raise ModelError("\n".join(map(str, self.problems)))

    @property
    def path(self) -> Path:
        """The file that was asked for."""
        return self.sources[0].path

    def where(self, *path: str, needle: str | tuple[str, ...] | None = None) -> str:
        """``file:line`` of a key, in the nearest file that states it (and defines ``needle``).

        For what was set on the command line it is the setting.
        """
        for depth in range(1, len(path) + 1):
            if path[:depth] in self.settings:
                return shown(self.settings[path[:depth]])
        needles = (needle,) if isinstance(needle, str) else needle or ()
        needles = tuple(n for n in needles if len(n) <= _LONGEST)
        path = tuple(itertools.takewhile(lambda key: len(key) <= _LONGEST, path))
        source = self._stating(path, needles)
        line = source.line_of(path, *needles)
        return f"{source.path}:{line}" if line else f"{source.path}"

    def is_set(self, *path: str) -> bool:
        """Whether a key was set on the command line, or what it stands in."""
        return any(path[:depth] in self.settings for depth in range(1, len(path) + 1))

    def stating(self, *path: str) -> Source:
        """The nearest file that states a key; the one that was asked for where none does."""
        return self._stating(path, ())

    def _stating(self, path: tuple[str, ...], needles: tuple[str, ...]) -> Source:
        stating = []
        for source in self.sources:
            value: object = source.tables
            for key in path:
                value = _inner(value, key)
            if value is not None:
                stating.append((source, value))
        for find in (_defines, _word):
            for source, value in stating:
                if isinstance(value, str) and needles:
                    code = "\n".join(line.split("#", 1)[0] for line in value.splitlines())
                    if re.search(find(needles[0]).pattern, code, re.MULTILINE):
                        return source
        return stating[0][0] if stating else self.sources[0]

    def error(
        self, message: str, *path: str, needle: str | tuple[str, ...] | None = None
    ) -> ModelError:
        """A ModelError that starts with where ``path`` stands."""
        return ModelError(f"{self.where(*path, needle=needle)}: {shown(message, 600)}")


def read(path: Path, kind: str = "model") -> Source:
    """Read one TOML file; ``kind`` is what a message calls it.

    Raises
    ------
    ModelError
        If it cannot be read, is not text, or is not TOML (with the line).
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # a device may have no end
        if len(data) > MAX_BYTES:
            raise ModelError(f"{path}: too large for a {kind} file (over {MAX_BYTES} bytes)")
        text = data.decode("utf-8-sig").replace("\r\n", "\n")  # as some editors save it
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path}: not a text file (a {kind} file is TOML in UTF-8)") from None
    return parsed(path, text)


def parsed(path: Path, text: str) -> Source:
    """The text of a TOML file, parsed.

    Raises
    ------
    ModelError
        If it is not TOML (with the line), or nested too deeply.
    """
    try:
        source = Source(path, text, tomllib.loads(text))
    except RecursionError:
        raise ModelError(f"{path}: tables or lists nested too deeply (over {MAX_DEPTH})") from None
    except (tomllib.TOMLDecodeError, ValueError) as error:
        position = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = f":{position[1]}" if position else ""
        if "(at end of document)" in str(error):
            line = f":{len(text.rstrip().splitlines())}"
        reason = re.sub(r"\s*\(at .*\)", "", str(error))
        raise ModelError(f"{path}{line}: not valid TOML: {shown(reason)}") from None
    _check_depth(source)
    return source


def _check_depth(source: Source) -> None:
    level: list[tuple[tuple[str, ...], object]] = [((), source.tables)]
    for _ in range(MAX_DEPTH):
        inner: list[tuple[tuple[str, ...], object]] = []
        for path, value in level:
            if isinstance(value, dict):
                inner += [((*path, key), child) for key, child in value.items()]
            elif isinstance(value, list):
                inner += [(path, child) for child in value]
        level = inner
    if level:
        path = level[0][0]
        raise Document([source]).error(
            f"'{path[0]}' is nested too deeply (over {MAX_DEPTH} levels)", *path
        )


def locate(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a catalogue name (``noise_induced_memory``) or of a path (``mine.toml``).

    Raises
    ------
    UserError
        For what is neither.
    """
    if isinstance(name_or_path, os.PathLike):
        return Path(name_or_path)
    if not isinstance(name_or_path, str):
        kind = type(name_or_path).__name__
        raise ModelError(
            "a model is given by its name in the catalogue or the path of its file, not by a value of"
            f" type {kind}; write what changes as overrides, such as {{'sigma2': '0.1'}}"
        )
    if "\0" in name_or_path:
        raise ModelError(f"'{shown(name_or_path)}' is not the name of a file")
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return Path(name_or_path)
    return files.find("models", name_or_path)


def read_document(name_or_path: str | os.PathLike[str] | Document) -> Document:
    """Read a model file and what it extends, merged; a document is copied.

    Raises
    ------
    ModelError
        For an unreadable file or an ``extends`` that comes back to a file already read.
    """
    if isinstance(name_or_path, Document):
        return copy.deepcopy(name_or_path)
    return merged(read(locate(name_or_path)))


def merged(source: Source) -> Document:
    """A file and what it extends, merged; the nearest file wins.

    Equations merge by left-hand side, so a variant states only the lines that differ.

    Raises
    ------
    ModelError
        For an unreadable file or an ``extends`` that comes back to a file already read.
    """
    document = Document()
    while True:
        document.sources.append(source)
        model = source.tables.get("model")
        parent = model.get("extends") if isinstance(model, dict) else None
        if parent is None:
            break
        if not isinstance(parent, str):
            raise document.error(
                f"'extends' is a model's name or a path, not {parent!r}", "model", "extends"
            )
        path = _parent(document, source, parent)
        if os.path.realpath(path) in {os.path.realpath(s.path) for s in document.sources}:
            chain = " -> ".join(s.path.name for s in document.sources)
            raise document.error(
                f"'extends' goes in a circle: {chain} -> {path.name}", "model", "extends"
            )
        source = read(path)
    for source in reversed(document.sources):
        document.tables = _merge(document, source)
    merged = document.tables.get("model")
    if isinstance(merged, dict):
        merged.pop("extends", None)
        merged.pop("remove", None)
    return document


def _parent(document: Document, source: Source, parent: str) -> Path:
    """The file that ``extends`` names: beside the source where it is a path."""
    one = Document([source])
    try:
        path = locate(parent)
    except (CatalogError, ModelError) as error:
        raise one.error(f"'extends': {error}", "model", "extends") from None
    path = source.path.parent / path
    if not os.path.isfile(path):
        raise one.error(f"'extends' names {shown(path)}, which is not a file", "model", "extends")
    return path


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
            raise Document([source]).error(
                f"'remove' names '{path}', which the extended model does not have",
                "model",
                "remove",
            )
        del table[last]
    return _overlay(base, source.tables, ())


def _is_another(key: str, old: dict, new: dict) -> bool:
    """Whether a table is of another kind than the one that it stands over, and so replaces it."""
    kind = _KINDS.get(key)
    return kind is not None and new.get(kind, old.get(kind)) != old.get(kind)


def _overlay(base: dict, over: dict, path: tuple[str, ...]) -> dict:
    for key, value in over.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and path != ("parameters",):
            another = _is_another(key, old, value)
            base[key] = copy.deepcopy(value) if another else _overlay(old, value, (*path, key))
        elif key == "equations" and isinstance(old, str) and isinstance(value, str):
            try:
                merged = {**split_equations(old), **split_equations(value)}
            except UserError:
                base[key] = value  # the loader reports it, with its line
            else:
                base[key] = "\n".join(merged.values())
        else:
            for instead in _INSTEAD.get(key, ()):
                if instead not in over and len(path) == 2 and path[0] == "population":
                    base.pop(instead, None)
            base[key] = copy.deepcopy(value)
    return base
