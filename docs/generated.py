"""Parts of the site that are made from the code and the catalogue, as Markdown."""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from unittest import mock

from neuroglia_snn import cli
from neuroglia_snn.catalog import files, hardware, schema
from neuroglia_snn.catalog.load import load
from neuroglia_snn.language.integrators import INTEGRATORS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
SUITE = HERE.parent / "tests" / "program"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; a bar within a cell is kept."""
    head = [*head]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    )


def quoted(text: str) -> str:
    """Prose of the code as Markdown: what could be read as HTML is not."""
    return " ".join(text.split()).replace("<", "&lt;").replace("*", r"\*")


# ------------------------------------------------------------------------------------- command line


def command_line() -> str:
    """Every command with its arguments, as the parser has them."""
    parts = []
    with mock.patch.dict(os.environ, COLUMNS="78"):
        for name in cli._COMMANDS:
            parts.append(_command(_subparser(cli._parser([name]), name), 2))
    return "\n\n".join(parts)


def _subparsers(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def _subparser(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    return _subparsers(parser)[name]


def _command(parser: argparse.ArgumentParser, level: int) -> str:
    usage = parser.format_usage().removeprefix("usage: ").rstrip()
    parts = [f"{'#' * level} {parser.prog}", quoted(parser.description or ""), _fence(usage)]
    rows = [
        (f"`{_flags(action)}`", quoted(action.help or ""))
        for action in parser._actions
        if action.help is not argparse.SUPPRESS
        and not isinstance(action, (argparse._HelpAction, argparse._SubParsersAction))
    ]
    if rows:
        parts.append(table(("argument", "meaning"), rows))
    if parser.epilog:
        parts.append("Example:\n\n" + _fence(parser.epilog.removeprefix("example: ")))
    parts += [_command(sub, level + 1) for sub in _subparsers(parser).values()]
    return "\n\n".join(parts)


def _fence(text: str) -> str:
    return f"```text\n{text}\n```"


def _flags(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    if not action.option_strings:
        return str(value)
    several = " ..." if action.nargs in ("*", "+") else ""
    shown = f"[{value}]" if action.nargs == "?" else f"{value}{several}"
    return ", ".join(action.option_strings) + (f" {shown}" if value and action.nargs != 0 else "")


# --------------------------------------------------------------------------------------- model file

#: How the tables of a model file are written there.
HEADS = {"": "Top level", "phase": "[[phase]]", "model": "[model]"}


def tables() -> dict[str, dict[str, tuple[type, ...]]]:
    """Every table of a model file with its keys and their types, as the schema has them."""
    rules = {f"connect.{rule}": keys for rule, keys in schema.CONNECT.items()}
    return {**schema.TABLES, "phase": schema.PHASE, **rules}


def sentences() -> dict[str, dict[str, str]]:
    """What each key of each table says."""
    return tomllib.loads((HERE / "reference" / "keys.toml").read_text(encoding="utf-8"))


def model_keys() -> str:
    """Every key of every table: its type, from the schema, and what it says."""
    said, parts = sentences(), []
    for name, keys in tables().items():
        rule = name.removeprefix("connect.")
        title = f"`[{name.replace('*', 'NAME')}]`"
        if name in HEADS:
            title = HEADS[name] if not name else f"`{HEADS[name]}`"
        elif rule != name:
            title = f"Rule `{rule}`"
        parts.append(f"## {title}")
        rows = [
            (f"`{key}`", schema.type_names(types), said[name or "top"][key])
            for key, types in keys.items()
        ]
        parts.append(table(("key", "type", "meaning"), rows) if rows else "It has no keys.")
    return "\n\n".join(parts)


def integrators() -> str:
    """The integration schemes with their orders and limits."""
    orders = {float("inf"): "exact", None: "none"}
    noises = {"stratonovich": "Stratonovich", "ito": "Ito", None: "none"}
    rows = [
        (
            f"`{one.name}`",
            noises[one.noise],
            orders.get(one.order, f"{one.order:g}"),
            orders.get(one.strong_order) or f"{one.strong_order:g}",
            "any" if one.limit == float("inf") else f"{one.limit:g}",
        )
        for one in INTEGRATORS.values()
    ]
    head = ("name", "noise", "order without noise", "strong order", "largest stable rate x dt")
    return table(head, rows)


def catalogue() -> str:
    """The models of the catalogue."""
    rows = []
    for name in files.names("models"):
        model = load(name)
        of = ", ".join(f"{p.size:,} {p.name}" for p in model.populations.values())
        rows.append((f"`{name}`", quoted(model.title), of))
    return table(("name", "title", "populations"), rows)


def chips() -> str:
    """The hardware files: each number with where it comes from."""
    parts = []
    for name in files.names("hardware"):
        chip = hardware.load(name)
        entries = {**chip.entries, **chip.costs}
        rows = [
            (f"`{key}`", "unknown", "", "")
            if one.value is None
            else (f"`{key}`", quoted(str(one.value)), one.confidence, quoted(one.source))
            for key, one in entries.items()
        ]
        head = ("entry", "value", "confidence", "source")
        parts.append(f"## {name}: {chip.title}\n\n{table(head, rows)}")
    return "\n\n".join(parts)


# ----------------------------------------------------------------------------------------- features


def networks() -> dict[str, list[str]]:
    """The conformance suite's networks, one a feature, by the headings that they stand under."""
    text = (SUITE / "zoo.py").read_text(encoding="utf-8")
    heads = {
        number: line.strip("# -")
        for number, line in enumerate(text.splitlines(), 1)
        if line.startswith("# ----")
    }
    found: dict[str, list[str]] = {}
    for node in ast.parse(text).body:
        head = [title for number, title in heads.items() if number < node.lineno][-1:]
        if isinstance(node, ast.FunctionDef) and {"network", "random"} & {
            one.id for one in node.decorator_list if isinstance(one, ast.Name)
        }:
            found.setdefault(head[0], []).append(node.name)
        elif isinstance(node, ast.For) and ast.unparse(node.target) == "_method":
            found.setdefault(head[0], []).extend(ast.literal_eval(node.iter))
    return found


def refused(module: str) -> set[str]:
    """The networks that a target's tests hold to be refused."""
    for node in ast.parse((SUITE / f"{module}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "REFUSED":
            return set(ast.literal_eval(node.value))
    raise LookupError(f"{module} has no list REFUSED")


#: Target, and the test that runs all networks but those of its list on it.
TARGETS = {
    "`cpp`, `numpy`": None,
    "`cuda`": None,
    'precision `"fixed"`': "test_fixed",
    "`lava`": "test_lava",
    "`lava-messages`": "test_messages",
}


def features() -> str:
    """Which networks of the conformance suite each target of the device ``neuroglia`` runs."""
    without: dict[str, set[str]] = {
        target: refused(module) if module else set() for target, module in TARGETS.items()
    }
    rows = []
    for head, names in networks().items():
        rows.append((f"**{head}**", *[""] * len(without)))
        for name in names:
            marks = ("refused" if name in gone else "yes" for gone in without.values())
            rows.append((name.replace("_", " "), *marks))
    return table(("network", *without), rows)


#: What a page may ask for by ``<!-- generated: NAME -->``.
PARTS: dict[str, Callable[[], str]] = {
    "command_line": command_line,
    "model_keys": model_keys,
    "integrators": integrators,
    "catalogue": catalogue,
    "chips": chips,
    "features": features,
}
