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
from brian2.core.functions import Function, FunctionImplementation
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


Kind = type[Code]


def symbol(foreign: Foreign, kind: Kind = Code) -> str:
    """The C++ name of a function."""
    return f"f{foreign.number}::{_name(foreign, foreign.name, foreign.function, kind)}"


def _implementation(foreign: Foreign, function: Function, kind: Kind) -> FunctionImplementation:
    """The code of a function that a kind of target can call."""
    if not kind.implementations:
        return function.implementations[kind]
    for name in kind.implementations:
        if name in function.implementations._implementations:
            return function.implementations._implementations[name]
    raise refuse(
        foreign.name,
        f"a function without an implementation in {kind.language}",
        f"brian2.implementation('{kind.implementations[-1]}', ...) gives it one",
    )


def _name(foreign: Foreign, name: str, function: Function, kind: Kind) -> str:
    return _identifier(foreign, _implementation(foreign, function, kind).name or name)


def _identifier(foreign: Foreign, name: str) -> str:
    if not _IDENTIFIER.match(name):
        raise refuse(foreign.name, "a C++ name that is no identifier")
    return name


#: What Brian2's own C++ includes before the functions of a script.
_HEADERS = ("<algorithm>", "<climits>", "<iostream>", "<limits>", "<string>", "<vector>")


#: How a function is told where an array of its namespace is.
_BOUND = "{symbol} = ({element}*)where;"


def text(
    program: Program, kind: Kind = Code, qualifier: str = "", bound: str = _BOUND
) -> list[str]:
    """All functions, and what tells them where the arrays of their namespaces are.

    ``qualifier`` is what stands before the addresses of these, ``bound`` sets one.
    """
    headers = (*_HEADERS, *prefs.codegen.cpp.headers) if _of_scripts(program, kind) else ()
    lines = [f"#include {header}" for header in headers]
    for foreign in program.foreign:
        above, inside = _parts(foreign, kind, qualifier)
        lines += [*above, f"namespace f{foreign.number} {{", *inside, "}"]
    cases = []
    for k, (foreign, name, values) in enumerate(arrays(program, kind)):
        where = f"f{foreign.number}::_namespace{name}"
        cases.append(f"case {k}: {bound.format(symbol=where, element=stored(values.dtype))} break;")
    if cases or qualifier:
        head = (
            'extern "C" void place_space(const int64_t which, void* const where) { switch (which) {'
        )
        lines += [head, *cases, "} }"]
    return lines


def _of_scripts(program: Program, kind: Kind) -> bool:
    """Whether some function was not written for our loops: to compile those headers takes half a second."""
    own = kind.implementations[0] if kind.implementations else kind.class_name
    return any(
        own not in function.implementations._implementations
        for foreign in program.foreign
        for _, function in _with_dependencies(foreign, foreign.name, foreign.function, kind)
    )


def arrays(program: Program, kind: Kind = Code) -> Iterator[tuple[Foreign, str, np.ndarray]]:
    """The arrays that functions read, by their name in the function."""
    for foreign in program.foreign:
        for function in _with_dependencies(foreign, foreign.name, foreign.function, kind):
            for name, values in (_namespace(foreign, function[1], kind) or {}).items():
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


def _with_dependencies(
    foreign: Foreign, name: str, function: Function, kind: Kind
) -> Iterator[tuple[str, Function]]:
    """A function after those that it calls."""
    implementation = _implementation(foreign, function, kind)
    for below, dependency in (implementation.dependencies or {}).items():
        yield from _with_dependencies(foreign, below, dependency, kind)
    yield name, function


def _namespace(foreign: Foreign, function: Function, kind: Kind) -> dict[str, Any] | None:
    return _implementation(foreign, function, kind).get_namespace(foreign.owner)


def _parts(foreign: Foreign, kind: Kind, qualifier: str) -> tuple[list[str], list[str]]:
    """Lines for the preprocessor, and the rest."""
    above = [f"#include {h}" for h in options_of(foreign, kind).get("headers", [])]
    inside: list[str] = []
    done: set[int] = set()
    for name, function in _with_dependencies(foreign, foreign.name, foreign.function, kind):
        if id(function) in done:
            continue
        done.add(id(function))
        if STANDARD.get(id(function)) in DRAWS:
            raise refuse(foreign.name, f"a C++ function that calls '{name}'")
        for array, values in (_namespace(foreign, function, kind) or {}).items():
            element = stored(np.asarray(values).dtype)
            inside.append(f"static {qualifier}{element}* _namespace{array};")
        inside += _code(foreign, function, kind)
    moved = [line for line in inside if line.lstrip().startswith("#include")]
    return above + moved, [line for line in inside if line not in moved]


def options_of(foreign: Foreign, kind: Kind = Code) -> dict[str, list[Any]]:
    """What one function asks of the compiler."""
    return dict(_gather_compiler_kwds(foreign.function, kind))


def _code(foreign: Foreign, function: Function, kind: Kind) -> list[str]:
    """The code of a function, with its dependencies called as they are defined."""
    implementation = _implementation(foreign, function, kind)
    code = implementation.get_code(foreign.owner)
    if code is None:
        return []
    if isinstance(code, str):
        for name, dependency in (implementation.dependencies or {}).items():
            own = _implementation(foreign, dependency, kind).name
            below = own or dependency.pyfunc.__name__
            code = word_substitute(code, {name: below}) if name != below else code
        code = {"support_code": code}
    parts = (code.get("hashdefine_code", ""), code.get("support_code", ""))
    return [line for part in parts for line in deindent(part).splitlines()]
