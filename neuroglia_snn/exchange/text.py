"""Pieces of a Python script: each is made of parsed parts, or is a string that Python itself has quoted."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Iterable, Sequence

import brian2
from brian2.core.namespace import DEFAULT_UNITS
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn.errors import UserError, printable
from neuroglia_snn.language import expressions
from neuroglia_snn.language.equations import Equation
from neuroglia_snn.language.quantities import UNITS, Amount, parse_quantity, unit_name

WIDTH = 100
#: What equations and statements are made of: no quote, no backslash, nothing that ends a string.
_CODE = re.compile(r"[A-Za-z0-9_ .,:()<>=!+\-*/%\n]*", re.ASCII)


def comment(text: str) -> list[str]:
    """A text as lines of comment."""
    lines: list[str] = []
    for paragraph in printable(text).split("\n\n"):
        lines += ["", *textwrap.wrap(paragraph, WIDTH - 2)]
    return [f"# {line}".rstrip() for line in lines[1:]]


def code(text: str) -> str:
    """Equations or statements as a string: within quotes if it is one line, or as a block."""
    if not _CODE.fullmatch(text):
        raise ValueError(f"no parsed code: {text!r}")
    if "\n" not in text:
        return repr(text)
    return "\n    ".join(("'''", *text.split("\n"), "'''"))


def call(function: str, arguments: Iterable[str], to: str = "") -> str:
    """A call, perhaps assigned ``to`` a name: on one line if it fits, else an argument a line."""
    arguments = list(arguments)
    start = f"{to} = {function}(" if to else f"{function}("
    line = f"{start}{', '.join(arguments)})"
    if "\n" not in line and len(line) <= WIDTH:
        return line
    return "\n".join((start, *(f"    {argument}," for argument in arguments), ")"))


def assigned(name: str, value: str, note: str = "") -> str:
    """An assignment, with a comment at its end if there is room for it, else before it."""
    line = f"{name} = {value}"
    if not note:
        return line
    note = " ".join(printable(note).split())
    whole = f"{line}  # {note}"
    return whole if len(whole) <= WIDTH else "\n".join((*comment(note), line))


def quantity(text: str) -> str | None:
    """A number with its units as Python; None for an expression of anything else."""
    try:
        si, _ = parse_quantity(text)
    except UserError:
        return None
    written = expressions.canonical_value(text)
    parts = list(ast.walk(ast.parse(written, mode="eval")))
    plain = not any(isinstance(part, (ast.Name, ast.Div)) for part in parts)
    return repr(si) if plain else written  # no whole number, which Brian2 divides in another way


def amount(value: Amount, text: str) -> str:
    """A number with its units, as it is written in ``text`` if that is what it is."""
    written = quantity(text)
    if written is not None and parse_quantity(text) == value:
        return written
    unit = base_unit(value.dimensions)
    return repr(value.si) if unit == "1" else f"{value.si!r}*({unit})"


def value(text: str) -> str:
    """A quantity as Python, an expression as a string."""
    return quantity(text) or code(text)


def number(value: float) -> str:
    """A number in few digits, if they are the same to rounding."""
    short = float(f"{value:.12g}")
    return repr(short if abs(short - value) <= 1e-15 * abs(value) else value)


def time(seconds: float, tolerance: float = 0.0) -> str:
    """A time with a unit, which gives the same number again, or nearly so."""
    for unit in ("second", "ms") if seconds >= 1 else ("ms", "us", "second"):
        scale = float(UNITS[unit])
        number = float(f"{seconds / scale:.12g}")
        if abs(number * scale - seconds) <= tolerance and 1e-3 <= abs(number) < 1e6:
            return f"{number:.12g}*{unit}"
    return f"{seconds!r}*second"


def equation(e: Equation) -> str:
    """An equation as Brian2 reads it, which takes no units but those of the SI; long ones on several lines."""
    unit = e.unit if _is_base(e.unit, e.dimensions) else base_unit(e.dimensions)
    end = f" : {unit}" + (f" ({', '.join(e.flags)})" if e.flags else "")
    left = f"{e.label} = {e.expression}" if e.expression else e.label
    return wrapped(left, end)


def wrapped(left: str, end: str) -> str:
    """An equation on as many lines as it takes, each but the first of which begins with a summand."""
    lines = [""]
    for summand in _summands(left):
        if lines[-1] and len(lines[-1]) + len(summand) + len(end) > WIDTH - 4:
            lines.append("    ")
        lines[-1] += summand.lstrip() if lines[-1].isspace() else summand
    return "\n".join(lines) + end


def _summands(expression: str) -> list[str]:
    """The pieces of an expression before each sign that is in no bracket."""
    depth, starts = 0, [0]
    for place, character in enumerate(expression):
        depth += (character == "(") - (character == ")")
        if depth == 0 and expression[place : place + 3] in (" + ", " - "):
            starts.append(place)
    return [expression[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


def base_unit(dimensions: Dimension) -> str:
    """The unit of SI as Brian2 takes it behind the colon of an equation."""
    usual = unit_name(dimensions).replace("molar", "mmolar")  # a mole in a cubic metre
    if _is_base(usual, dimensions):
        return usual
    powers = {name: dimensions.get_dimension(of) for name, of in _SI.items()}
    return "*".join(f"{n}**{p:g}" if p != 1 else n for n, p in powers.items() if p)


def times(dimensions: Dimension) -> str:
    """What makes numbers in SI units a quantity: ``*volt``."""
    unit = base_unit(dimensions)
    if unit == "1":
        return ""
    return f"*{unit}" if unit.isalpha() else f"*({unit})"


#: Units of the SI, with what Brian2 calls their dimensions.
_SI = {
    **{"metre": "length", "kilogram": "mass", "second": "time", "amp": "current"},
    **{"kelvin": "temperature", "mole": "substance", "candle": "luminosity"},
}


def _is_base(name: str, dimensions: Dimension) -> bool:
    try:
        return brian2.Equations(f"x : {name}")["x"].dim is dimensions
    except Exception:  # of Brian2, of several kinds
        return False


def strings(names: Sequence[str]) -> str:
    """Names as a list of strings."""
    return f"[{', '.join(map(repr, names))}]"


def integers(numbers: Iterable[int]) -> str:
    """Whole numbers as a list."""
    return f"[{', '.join(str(int(number)) for number in numbers)}]"


def units_to_import(script: str, in_code: Collection[str]) -> list[str]:
    """Lines that import units which ``from brian2 import *`` or Brian2's own code does not have.

    Parameters
    ----------
    script : str
    in_code : collection of str
        Names in its equations, conditions and statements.
    """
    names = [n for n in ast.walk(ast.parse(script)) if isinstance(n, ast.Name)]
    named = {n.id for n in names} - {n.id for n in names if isinstance(n.ctx, ast.Store)}
    offered: dict[str, object] = {}
    exec("from brian2 import *", offered)
    missing = {n for n in named & UNITS.keys() if offered.get(n) is not UNITS[n]}
    missing |= (UNITS.keys() & in_code) - DEFAULT_UNITS.keys()
    lines = []
    for module in (brian2.units.allunits, brian2.units.stdunits):
        found = sorted(n for n in missing if getattr(module, n, None) is UNITS[n])
        missing -= {*found}
        if found:
            lines.append(f"from {module.__name__} import {', '.join(found)}")
    return lines
