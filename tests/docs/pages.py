"""Pages of the documentation as the blocks of code that they hold; as a program, runs those of one page.

    python tests/docs/pages.py PAGE.md

Blocks are run in their order, in the working directory. What a block is follows from its language:

``python``
    Executed, with the names of the page's earlier blocks.
``sh``
    Commands of a shell.
``console``
    Commands behind ``$``, each with what it prints, if that is shown; ``...`` stands for any text, and on a
    line of its own for any lines.

A block whose first line is the name of a file (``# mine.toml``) is written to that file and not executed. An HTML comment right
before a block says what cannot be seen: ``<!-- not run: WHY -->`` or ``<!-- exit status: 2 -->``.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
LANGUAGES = ("console", "ini", "python", "sh", "text", "toml", "yaml")

_FENCE = re.compile(r"^```(.*)$")
_NOTE = re.compile(r"<!-- (not run|exit status): (.+?) -->")
_FILE = re.compile(r"# ([\w./-]+\.(?:csv|ini|py|toml))[ \t]*$", re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block: the line where it begins, its language, its text, and the notes before it."""

    line: int
    language: str
    text: str
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str | None:
        """The name of the file that it is."""
        named = _FILE.match(self.text)
        return named[1] if named else None

    @property
    def runs(self) -> bool:
        """Whether it is code that is executed."""
        executed = self.language in ("console", "python", "sh") and self.file is None
        return executed and "not run" not in self.notes

    def commands(self) -> list[tuple[str, str]]:
        """Commands of a shell, each with what it is said to print."""
        if self.language == "sh":
            return [(self.text, "")]
        found: list[list[str]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append([line[2:], ""])
            else:
                found[-1][1] += line + "\n"
        return [(command, printed) for command, printed in found]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found: list[Block] = []
    notes: dict[str, str] = {}
    inside: list[str] | None = None
    start, language = 0, ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if inside is not None:
            if fence and not fence[1]:
                found.append(Block(start, language, "\n".join([*inside, ""]), notes))
                inside, notes = None, {}
            else:
                inside.append(line)
        elif fence:
            start, language, inside = number, fence[1].strip(), []
        elif note := _NOTE.match(line):
            notes[note[1]] = note[2]
        elif line.strip():
            notes = {}
    return found


def seen(output: str) -> str:
    """What a command printed, as a reader sees it in the end: without progress bars and empty lines."""
    lines = [line.rpartition("\r")[2].rstrip() for line in output.splitlines()]
    return "".join(f"{line}\n" for line in lines if line and "%|" not in line)


def pattern(printed: str) -> str:
    """What a page says is printed, as a regular expression."""
    lines = []
    for line in filter(str.strip, printed.splitlines()):
        if line.strip() == "...":
            lines.append(r"(?:.*\n)*")
        else:
            lines.append(r".*".join(map(re.escape, line.rstrip().split("..."))) + r"\n")
    return "".join(lines)


def run(page: Path) -> None:
    """Run the blocks of a page in the working directory."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        if block.file is not None and "not run" not in block.notes:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.runs and block.language == "python":
            print(f"--- {where}", flush=True)
            exec(compile("\n" * block.line + block.text, str(page), "exec"), names)
        elif block.runs:
            for command, printed in block.commands():
                print(f"--- {where}: {command}", flush=True)
                _command(command, printed, int(block.notes.get("exit status", 0)), where)


def _command(command: str, printed: str, status: int, where: str) -> None:
    """Run a shell's commands, and require their exit status and what they print."""
    output, found = "", 0
    for line in command.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if found == 0 and words:
            found, text = _neuroglia(words) if words[0] == "neuroglia" else _shell(line)
            output += seen(text)
    print(output, flush=True)
    if found != status:
        sys.exit(f"{where}: exit status {found}, not {status}: {command}")
    if printed.strip() and not re.fullmatch(pattern(printed), output):
        sys.exit(f"{where}: {command} does not print\n{printed}")


def _neuroglia(words: list[str]) -> tuple[int, str]:
    """Our own command in this process, which has imported what it needs: seconds less for each."""
    from neuroglia_snn import cli

    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            return cli.main(words[1:]), output.getvalue()
        except SystemExit as end:
            return int(end.code or 0), output.getvalue()


def _shell(line: str) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-ec", line],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    return done.returncode, done.stdout


if __name__ == "__main__":
    run(Path(sys.argv[1]).resolve())
