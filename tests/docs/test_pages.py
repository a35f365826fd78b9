"""The documentation: links lead somewhere, code is code, every command is one, and every block runs."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from docs import pages
from neuroglia_snn import cli
from neuroglia_snn.catalog import files, schema

ROOT = pages.ROOT
sys.path.append(str(ROOT / "docs"))
import generated  # noqa: E402  (a part of the site, which no package holds)

#: A page that `neuroglia report` wrote, whose commands take hours.
REPORT = ROOT / "docs" / "explanation" / "noise_memory.md"
HERE = [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in pages.PAGES]


def anchors(page: Path) -> set[str]:
    """The names by which links reach the headings of a page, as the site and code hosts make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    heads = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-") for head in heads}


def links(page: Path) -> list[str]:
    """The targets of a page's links and images that lie in the repository."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    found = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("page", HERE)
def test_links_lead_somewhere(page):
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), target


@pytest.mark.parametrize("page", HERE)
def test_blocks_say_their_language_and_are_written_in_it(page):
    for block in pages.blocks(page):
        if block.language.startswith("{"):
            continue  # a directive of the site
        assert block.language in pages.LANGUAGES or page == REPORT, f"line {block.line}"
        if block.language == "python":
            ast.parse(block.text)
        elif block.language == "toml":
            _require_known(files.tomllib.loads(block.text))


def _require_known(tables: dict) -> None:
    """Tables and keys of a piece of a model file are those of the schema."""
    if "project" in tables:
        return
    tables = {name: table for name, table in tables.items() if name not in ("dt", "duration")}
    assert tables.keys() <= schema.TABLES[""].keys()
    for name, table in tables.items():
        if f"{name}.*" in schema.TABLES and name != "parameters":
            for one in table.values():
                assert one.keys() <= schema.TABLES[f"{name}.*"].keys(), one
        elif name == "model":
            assert table.keys() <= schema.TABLES["model"].keys()


def commands(page: Path) -> list[list[str]]:
    """The words of every ``neuroglia`` command of a page, also of those that are not run."""
    found = []
    for block in pages.blocks(page):
        if block.language in ("console", "sh"):
            text = "\n".join(command for command, _ in block.commands()).replace("\\\n", " ")
            for line in re.split(r"\n|&&|;", text):
                words = shlex.split(line, comments=True)
                if words[:1] == ["neuroglia"]:
                    found.append(words[1:])
    return found


@pytest.mark.parametrize("page", [p for p in HERE if commands(p.values[0])])
def test_commands_are_commands(page, capsys):
    for words in commands(page):
        if "--experiment" in words or "--help" in words:
            continue  # an experiment of the reader's own brings flags
        try:
            cli._parser(words).parse_args(words)
        except SystemExit:
            pytest.fail(f"neuroglia {shlex.join(words)}: {capsys.readouterr().err}")


def test_every_key_of_a_model_file_has_a_sentence():
    said = generated.sentences()
    assert said.keys() == {name or "top" for name in generated.tables()}
    for name, keys in generated.tables().items():
        assert said[name or "top"].keys() == keys.keys(), name
        assert all(one.endswith((".", "`true`).")) for one in said[name or "top"].values()), name


@pytest.mark.parametrize("part", generated.PARTS)
def test_every_generated_part_is_made(part):
    text = generated.PARTS[part]()
    assert text.count("\n|") > 5
    rows = [re.findall(r"(?<!\\)\|", line) for line in text.splitlines() if line.startswith("|")]
    assert all(len(row) >= 3 for row in rows)


def test_every_page_asks_for_parts_that_there_are():
    asked = {
        name
        for page in pages.PAGES
        for name in re.findall(r"<!-- generated: (\w+) -->", page.read_text("utf-8"))
    }
    assert asked == {*generated.PARTS}


def test_what_a_page_says_is_printed_is_compared():
    assert re.fullmatch(pages.pattern("a ...\n...\nz"), "a b\nc\nd\nz\n")
    assert not re.fullmatch(pages.pattern("a 1"), "a 2\n")
    assert pages.seen("x:  1%|  \rx: 100%|##\nanswer 1\n") == "answer 1\n"


@pytest.mark.thorough
@pytest.mark.parametrize(
    "page", [p for p in HERE if any(block.runs for block in pages.blocks(p.values[0]))]
)
def test_every_block_runs(page, tmp_path):
    here = Path(sys.executable).parent
    done = subprocess.run(
        [sys.executable, pages.__file__, page],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{here}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "MPLBACKEND": "Agg",
        },
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
