"""C++ functions of a script (`brian2.implementation`): its own code, in a namespace of its own.

The script's author wrote this code to be compiled, as on Brian2's own compiled targets; nothing else of
a script is. Names of such a function are checked to be identifiers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from brian2.codegen.codeobject import _gather_compiler_kwds
from brian2.core.functions import Function
from brian2.core.preferences import prefs
from brian2.utils.stringtools import deindent, word_substitute

from neuroglia_snn.emit.expressions import stored
from neuroglia_snn.program.code import Code
from neuroglia_snn.program.operations import DRAWS
from neuroglia_snn.program.parse import STANDARD
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.refusal import refuse
from neuroglia_snn.program.tree import Foreign

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z")


def symbol(foreign: Foreign) -> str:
    """The C++ name of a function."""
    return f"f{foreign.number}::{_name(foreign, foreign.name, foreign.function)}"


def _name(foreign: Foreign, name: str, function: Function) -> str:
    return _identifier(foreign, function.implementations[Code].name or name)


def _identifier(foreign: Foreign, name: str) -> str:
    if not _IDENTIFIER.match(name):
        raise refuse(foreign.name, "a C++ name that is no identifier")
    return name


#: What Brian2's own C++ includes before the functions of a script.
_HEADERS = ("<algorithm>", "<climits>", "<iostream>", "<limits>", "<string>", "<vector>")


def text(program: Program) -> list[str]:
    """All functions, and what tells them where the arrays of their namespaces are."""
    headers = (*_HEADERS, *prefs.codegen.cpp.headers) if program.foreign else ()
    lines = [f"#include {header}" for header in headers]
    for foreign in program.foreign:
        above, inside = _parts(foreign)
        lines += [*above, f"namespace f{foreign.number} {{", *inside, "}"]
    cases = [
        f"case {k}: f{foreign.number}::_namespace{name} = ({stored(values.dtype)}*)where; break;"
        for k, (foreign, name, values) in enumerate(arrays(program))
    ]
    if cases:
        head = 'extern "C" void bind(const int64_t which, void* const where) { switch (which) {'
        lines += [head, *cases, "} }"]
    return lines


def arrays(program: Program) -> Iterator[tuple[Foreign, str, np.ndarray]]:
    """The arrays that functions read, by their name in the function."""
    for foreign in program.foreign:
        for function in _with_dependencies(foreign.name, foreign.function):
            for name, values in (_namespace(foreign, function[1]) or {}).items():
                if not hasattr(values, "dtype") or np.shape(values) == ():
                    raise refuse(foreign.name, f"the value '{name}' in its namespace")
                yield foreign, _identifier(foreign, name), np.ascontiguousarray(values)


#: Preferences of Brian2 for the compiler that functions of a script may need.
_PREFERENCES = (
    "include_dirs",
    "library_dirs",
    "runtime_library_dirs",
    "libraries",
    "define_macros",
    "extra_link_args",
)


def options(program: Program) -> dict[str, list[Any]]:
    """What the functions, and the preferences for them, ask of the compiler, by Brian2's names for it."""
    if not program.foreign:
        return {}
    said = {name: list(prefs[f"codegen.cpp.{name}"]) for name in _PREFERENCES}
    for foreign in program.foreign:
        for key, values in _gather_compiler_kwds(foreign.function, Code).items():
            said.setdefault(key, []).extend(v for v in values if v not in said.get(key, []))
    return said


def flags(said: dict[str, list[Any]]) -> list[str]:
    """The compiler's arguments for what functions ask for."""
    prefixes = {"include_dirs": "-I", "library_dirs": "-L", "libraries": "-l"}
    found = [f"{prefix}{v}" for key, prefix in prefixes.items() for v in said.get(key, [])]
    found += [f"-Wl,-rpath,{v}" for v in said.get("runtime_library_dirs", [])]
    found += [f"-D{n}={v}" if v is not None else f"-D{n}" for n, v in said.get("define_macros", [])]
    found += said.get("extra_compile_args", []) + said.get("extra_link_args", [])
    return [str(Path(s).resolve()) for s in said.get("sources", [])] + found


def _with_dependencies(name: str, function: Function) -> Iterator[tuple[str, Function]]:
    """A function after those that it calls."""
    implementation = function.implementations[Code]
    for below, dependency in (implementation.dependencies or {}).items():
        yield from _with_dependencies(below, dependency)
    yield name, function


def _namespace(foreign: Foreign, function: Function) -> dict[str, Any] | None:
    return function.implementations[Code].get_namespace(foreign.owner)


def _parts(foreign: Foreign) -> tuple[list[str], list[str]]:
    """Lines for the preprocessor, and the rest."""
    above = [f"#include {h}" for h in options_of(foreign).get("headers", [])]
    inside: list[str] = []
    done: set[int] = set()
    for name, function in _with_dependencies(foreign.name, foreign.function):
        if id(function) in done:
            continue
        done.add(id(function))
        if STANDARD.get(id(function)) in DRAWS:
            raise refuse(foreign.name, f"a C++ function that calls '{name}'")
        for array in _namespace(foreign, function) or {}:
            inside.append(f"static {_element(foreign, function, array)}* _namespace{array};")
        inside += _code(foreign, function)
    moved = [line for line in inside if line.lstrip().startswith("#include")]
    return above + moved, [line for line in inside if line not in moved]


def options_of(foreign: Foreign) -> dict[str, list[Any]]:
    """What one function asks of the compiler."""
    return dict(_gather_compiler_kwds(foreign.function, Code))


def _element(foreign: Foreign, function: Function, name: str) -> str:
    return stored(np.asarray((_namespace(foreign, function) or {})[name]).dtype)


def _code(foreign: Foreign, function: Function) -> list[str]:
    """The code of a function, with its dependencies called as they are defined."""
    implementation = function.implementations[Code]
    code = implementation.get_code(foreign.owner)
    if code is None:
        return []
    if isinstance(code, str):
        for name, dependency in (implementation.dependencies or {}).items():
            below = dependency.implementations[Code].name or dependency.pyfunc.__name__
            code = word_substitute(code, {name: below}) if name != below else code
        code = {"support_code": code}
    parts = (code.get("hashdefine_code", ""), code.get("support_code", ""))
    return [line for part in parts for line in deindent(part).splitlines()]
