"""Expressions as C++: one table of functions and operators, and the text of each kind of leaf."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from neuroglia_snn.program import draws
from neuroglia_snn.program.tree import (
    BOOL,
    FLOAT32,
    Apply,
    Call,
    Cell,
    Draw,
    Entry,
    Expression,
    Foreign,
    Literal,
    Local,
    Look,
    Parameter,
    Type,
)

#: A result's type is ``T``; overloads of functions.hpp choose by it.
CPP: dict[str, str] = {
    **{o: f"({{0}} {o} {{1}})" for o in ("+", "-", "*", "<", "<=", ">", ">=", "==", "!=")},
    "/": "((T){0} / (T){1})",
    "//": "floor_quotient((T){0}, (T){1})",
    "%": "rest((T){0}, (T){1})",
    "**": "power((T){0}, (T){1})",
    "neg": "(-{0})",
    "and": "({0} & {1})",
    "or": "({0} | {1})",
    "not": "(!{0})",
    **{f: f"lib_{f}((double){{0}})" for f in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"arc{f}": f"lib_a{f}((double){{0}})" for f in ("sin", "cos", "tan")},
    **{f: f"lib_{f}((double){{0}})" for f in ("log", "log10", "log1p")},
    **{f: f"std::{f}((T){{0}})" for f in ("sqrt", "ceil", "floor")},
    **{f: f"(T)v{f}((double){{0}})" for f in ("exp", "expm1", "exprel")},
    "inverse_exprel": "(T)inverse_exprel((double){0})",
    "abs": "absolute((T){0})",
    "sign": "signum((T){0})",
    "clip": "clipped((T){0}, (T){1}, (T){2})",
    "int": "whole((double){0})",
    "select": "({0} ? {1} : {2})",
    "gaussian": "neuroglia_gaussian((double){0}, (double){1}, (int){2}, {3})",
    "first_time": "first_time((double){0}, {1})",
    "timestep": "((int64_t)steps_of({0}, {1}))",
    "wide": "((int64_t){0})",
    "<<": "((int64_t){0} << {1})",
    ">>": "((int64_t){0} >> {1})",
    "encoded": "encoded({0}, {1})",
    "xorshift": "xorshift({0})",
    "byte_sum": "byte_sum({0})",
    "leading": "leading({0}, {1})",
}
DRAWS = {"rand": "uniform", "randn": "normal", "poisson": "poisson", "binomial": "binomial"}
#: Those whose distribution is a table of the run (`program.draws.Alias`), as all units share it.
TABLED = {"binomial": draws.binomial}

_TYPES = {"float64": "double", "float32": "float", "bool": "bool"}


def type_of(dtype: Type) -> str:
    """The C++ type of a value."""
    return _TYPES.get(dtype.name, f"{dtype.name}_t")


def stored(dtype: Type) -> str:
    """The C++ type of an array's elements."""
    return "uint8_t" if dtype == BOOL else type_of(dtype)


def literal(value: bool | int | float) -> str:
    """A number of the structure."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise AssertionError("numbers that are not finite are parameters")
    return f"({value!r})" if value < 0 else repr(value)


class Printer:
    """Text of expressions where cells, and the unit, have names."""

    def __init__(
        self, cells: Mapping[Cell, str], unit: str, symbols: Callable[[Foreign], str]
    ) -> None:
        self._cells, self._unit, self._symbols = cells, unit, symbols

    def text(self, e: Expression) -> str:
        if isinstance(e, Literal):
            return f"(float){literal(e.value)}" if e.dtype == FLOAT32 else literal(e.value)
        if isinstance(e, Parameter):
            return f"p{e.number}"
        if isinstance(e, Local):
            return f"x{e.number}"
        if isinstance(e, Cell):
            return self._cells[e]
        arguments = [self.text(a) for a in e.arguments]
        if isinstance(e, Apply):
            return self._applied(e, arguments)
        if isinstance(e, Draw):
            given = [f"l{e.number}"] if e.kind in TABLED else arguments
            text = f"{DRAWS[e.kind]}({', '.join([f'w{e.number}', self._unit, *given])})"
            return f"((float){text})" if e.dtype == FLOAT32 else text
        if isinstance(e, Look):
            return f"look({', '.join([f'run.tables[{e.table.number}]', *arguments])})"
        if isinstance(e, Entry):
            return self._entry(e, arguments)
        assert isinstance(e, Call)
        unit = [f"(int){self._unit}"] if e.foreign.function.auto_vectorise else []
        return f"({type_of(e.dtype)}){self._symbols(e.foreign)}({', '.join([*arguments, *unit])})"

    def _entry(self, e: Entry, arguments: list[str]) -> str:
        table, count = f"a{e.array.number}", f"entries{e.array.number}"
        function = "entry" if e.exact else "interpolated"
        return f"{function}({', '.join([table, count, *arguments])})"

    def _applied(self, e: Apply, arguments: list[str]) -> str:
        form = CPP[e.operation]
        if e.operation == "**" and isinstance(e.arguments[1], Literal) and e.dtype.kind == "f":
            form = _power(float(e.arguments[1].value))
        if e.operation in ("<", "<=", ">", ">=", "==", "!="):
            arguments = self._compared(e, arguments)
        text = form.replace("(T)", f"({type_of(e.dtype)})").format(*arguments)
        return f"((float){text})" if e.dtype == FLOAT32 else text

    def _compared(self, e: Apply, arguments: list[str]) -> list[str]:
        """Steps are compared as the floating-point integers that they are: that stays a vector."""
        if not any(_is_timestep(a) for a in e.arguments):
            return arguments
        return [
            f"steps_of({self.text(a.arguments[0])}, {self.text(a.arguments[1])})"
            if isinstance(a, Apply) and _is_timestep(a)
            else f"((double){text})"
            for a, text in zip(e.arguments, arguments, strict=True)
        ]


def _power(exponent: float) -> str:
    """A power that is known: products, and roots."""
    whole = int(exponent // 1)
    product = f"whole_power<{whole}>((T){{0}})"
    if exponent == whole:
        return product
    return {0.5: "std::sqrt((T){0})", -0.5: "((T)1.0 / std::sqrt((T){0}))"}.get(exponent, CPP["**"])


def _is_timestep(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation == "timestep"
