"""Fewer files to compile: reading headers is most of what a compiler does for brian2cuda's programs.

Every object of Brian2 is a file or two, each of which reads all of Thrust, and nvcc has no precompiled
headers. Here several are compiled together, each in a namespace of its own, since they give the same
names to their functions. (https://github.com/brian-team/brian2cuda/issues/179: Thrust is apart since
its pull request 333, which no release has yet.)
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

#: Code objects that are compiled together: that takes about as long as ``objects.cu`` does.
MOST = 20
#: What holds a program together, in an order in which it can be compiled together.
_FRAME = ("network.cu", "rand.cu", "run.cu", "synapses_classes.cu", "main.cu")
_SOURCES = re.compile(r"^SRCS = (.*)$", re.MULTILINE)
_INCLUDE = re.compile(r"^\s*(#\s*include\s*\S+)", re.MULTILINE)
_DEFINE = re.compile(r"^\s*#\s*define\s+(\w+)", re.MULTILINE)
#: In the header of a code object, what other files call.
_FUNCTION = re.compile(r"^void (\w+)\(\);", re.MULTILINE)
_KERNEL = re.compile(r"^__global__ void (\w+)\(", re.MULTILINE)
#: How the files begin that hold what a code object does before and after a run.
_PART = re.compile(r"^(?:before|after)_run_")


def together(folder: Path) -> None:
    """Let a project's makefile compile its files in a few units."""
    makefile = folder / "makefile"
    text = makefile.read_text(encoding="utf-8")
    found = _SOURCES.search(text)
    files = found[1].split() if found else []
    objects = [f for f in files if f.startswith("code_objects/")]
    units = {"unit_frame.cu": "".join(f'#include "{f}"\n' for f in _FRAME if f in files)}
    for number, some in enumerate(_shared_out(objects)):
        units[f"unit_{number}.cu"] = _unit(folder, some)
    for name, unit in units.items():
        (folder / name).write_text(unit, encoding="utf-8")
    sources = [f for f in files if f not in (*objects, *_FRAME)] + list(units)
    makefile.write_text(_SOURCES.sub(f"SRCS = {' '.join(sources)}", text), encoding="utf-8")


def _shared_out(files: list[str]) -> Iterator[list[str]]:
    """Units of files, each code object in one with what it does before and after a run."""
    unit: list[str] = []
    for _, parts in itertools.groupby(sorted(files, key=_place), lambda f: _place(f)[0]):
        unit += parts
        if len(unit) >= MOST:
            yield unit
            unit = []
    if unit:
        yield unit


def _place(file: str) -> tuple[str, bool]:
    """The code object of a file, and whether it is but a part of it: that comes after it."""
    stem = Path(file).stem
    return _PART.sub("", stem), bool(_PART.match(stem))


def _unit(folder: Path, files: list[str]) -> str:
    """All headers, and then each file in its namespace."""
    texts = {file: (folder / file).read_text(encoding="utf-8") for file in files}
    lines = list(dict.fromkeys(i for text in texts.values() for i in _INCLUDE.findall(text)))
    spaces = {file: f"neuroglia_{number}" for number, file in enumerate(files)}
    for file, text in texts.items():
        space, whole = spaces[file], f"code_objects/{_place(file)[0]}.cu"
        lines.append(f"namespace {space} {{")
        if whole != file and whole in spaces:  # a part starts the kernels of the whole
            lines += [
                f"using {spaces[whole]}::{k};" for k in _KERNEL.findall(_header(folder, whole))
            ]
        lines += [f'#include "{file}"', "}"]
        lines += [f"#undef {name}" for name in dict.fromkeys(_DEFINE.findall(text))]
        called = _FUNCTION.findall(_header(folder, file))
        lines += [f"void {name}() {{ {space}::{name}(); }}" for name in called]
    return "\n".join(lines) + "\n"


def _header(folder: Path, file: str) -> str:
    return (folder / file).with_suffix(".h").read_text(encoding="utf-8")
