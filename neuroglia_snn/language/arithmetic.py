"""A model in the arithmetic that all backends share.

Brian2's targets do not work every operation out alike: whole numbers have 32 bits in NumPy and in
C++, C++ divides them in single precision, its remainders and whole quotients follow from a rounded
division, and a division of whole numbers by 0 ends a C++ program. ``floor`` and ``ceil`` give whole numbers of 32
bits in NumPy alone. Where the bounds of ``clip`` cross NumPy
gives the upper one and C++ the lower; the sign of NaN is NaN in one and 0 in the other. So before Brian2
sees a model, each of these is written as a function with one meaning, which is NumPy's. Whole numbers are
worked out in floating point wherever 32 bits might not hold them; what an integer variable is set to
wraps round, as 32 bits do.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import brian2
import numpy as np
from brian2.core.variables import Variable

from neuroglia_snn import spec
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.quantities import UNITS

#: A whole number as a floating-point one, and a number as a whole one: cut, in floating point, and in
#: the 32 bits of an integer variable.
FLOAT, CUT, WHOLE = "neuroglia_float", "neuroglia_cut", "neuroglia_whole"
#: Floating-point operations; those of whole numbers are 0 where the divisor is, as in NumPy.
REMAINDER, QUOTIENT = "neuroglia_remainder", "neuroglia_quotient"
OF_WHOLE = {REMAINDER: "neuroglia_whole_remainder", QUOTIENT: "neuroglia_whole_quotient"}
CLIP, SIGN = "neuroglia_clip", "neuroglia_sign"
FLOOR, CEIL = "neuroglia_floor", "neuroglia_ceil"
#: Largest number that an integer of a model holds.
MAX_INTEGER = 2**31 - 1

_REMAINDER = """
    const double rest = std::fmod(x, y);
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;"""
_QUOTIENT = """
    const double rest = std::fmod(x, y);
    return std::round((x - rest)/y - (rest != 0 && (rest < 0) != (y < 0) ? 1 : 0));"""


def _cpp(name: str, arguments: str, body: str, result: str = "double") -> str:
    given = ", ".join(f"const double {x}" for x in arguments.split())
    return f"static inline {result} {name}({given})\n{{{body}\n}}\n"


#: C++ of the functions; none of it depends on how a compiler rounds a quotient.
CPP: Mapping[str, str] = {
    FLOAT: _cpp(FLOAT, "x", " return x;"),
    CUT: _cpp(CUT, "x", " return std::trunc(x);"),
    WHOLE: _cpp(
        WHOLE,
        "x",
        " return std::isfinite(x) ? (int32_t)(int64_t)std::fmod(std::trunc(x), 4294967296.0) : 0;",
        "int32_t",
    ),
    REMAINDER: _cpp(REMAINDER, "x y", _REMAINDER),
    QUOTIENT: _cpp(QUOTIENT, "x y", "\n    if (y == 0) return x/y;" + _QUOTIENT),
    OF_WHOLE[REMAINDER]: _cpp(
        OF_WHOLE[REMAINDER], "x y", "\n    if (y == 0) return 0;" + _REMAINDER
    ),
    OF_WHOLE[QUOTIENT]: _cpp(OF_WHOLE[QUOTIENT], "x y", "\n    if (y == 0) return 0;" + _QUOTIENT),
    FLOOR: _cpp(FLOOR, "x", " return std::floor(x);"),
    CEIL: _cpp(CEIL, "x", " return std::ceil(x);"),
    SIGN: _cpp(SIGN, "x", " return (x > 0) - (x < 0);"),
    CLIP: _cpp(
        CLIP,
        "x low high",
        """
    if (std::isnan(x) || std::isnan(low) || std::isnan(high)) return NAN;
    return std::min(std::max(x, low), high);""",
    ),
}


def _whole(x: Any) -> np.ndarray:
    x = np.asarray(x, float)
    rest = np.fmod(np.trunc(np.where(np.isfinite(x), x, 0)), 2.0**32)
    return rest.astype(np.int64).astype(np.int32)


def _unless_zero(function: Callable) -> Callable:
    """An operation that gives 0 where its divisor is 0."""

    def result(x: Any, y: Any) -> np.ndarray:
        y = np.asarray(y, float)
        return np.where(y == 0, 0.0, function(x, np.where(y == 0, 1.0, y)))

    return result


_NUMPY: Mapping[str, Callable] = {
    FLOAT: lambda x: np.asarray(x, float),
    CUT: np.trunc,
    FLOOR: np.floor,
    CEIL: np.ceil,
    WHOLE: _whole,
    REMAINDER: np.mod,
    QUOTIENT: np.floor_divide,
    OF_WHOLE[REMAINDER]: _unless_zero(np.mod),
    OF_WHOLE[QUOTIENT]: _unless_zero(np.floor_divide),
    SIGN: lambda x: np.subtract(np.greater(x, 0), np.less(x, 0), dtype=float),
    CLIP: lambda x, low, high: np.minimum(np.maximum(x, low), high),
}
_UNITS: Mapping[str, Callable] = {
    **dict.fromkeys((FLOAT, CUT, WHOLE, FLOOR, CEIL), lambda x: x),
    **dict.fromkeys((REMAINDER, OF_WHOLE[REMAINDER]), lambda x, y: x),
    **dict.fromkeys((QUOTIENT, OF_WHOLE[QUOTIENT]), lambda x, y: x / y),
    SIGN: lambda x: x / x,
    CLIP: lambda x, low, high: x,
}


def functions() -> dict[str, brian2.Function]:
    """The functions, for a namespace of Brian2."""
    result = {}
    for name, numpy_code in _NUMPY.items():
        count = _UNITS[name].__code__.co_argcount
        function = brian2.Function(
            numpy_code,
            arg_units=[None] * count,
            arg_names=["x", "y", "z"][:count],
            return_unit=_UNITS[name],
            return_type=eqs.INTEGER if name == WHOLE else eqs.FLOAT,
            stateless=True,
        )
        function.implementations.add_implementation("numpy", numpy_code)
        function.implementations.add_implementation(
            "cpp", CPP[name], compiler_kwds={"headers": ["<algorithm>", "<cmath>", "<cstdint>"]}
        )
        function.implementations.add_implementation(
            "cuda", CPP[name].replace("static inline", "static __host__ __device__ inline")
        )
        result[name] = function
    return result


# --------------------------------------------------------------------------- bounds

Bounds = tuple[float, float]


def bounds(node: ast.expr, symbols: eqs.Symbols, bits: bool = False) -> Bounds | None:
    """Between which numbers an expression of indices, counts and constants lies, if it is one.

    ``bits``: other integers lie where 32 bits have them.
    """
    match node:
        case ast.Constant(value=bool()):
            return 0, 1
        case ast.Constant(value=int() | float() as value):
            return value, value
        case ast.Name(id=name):
            symbol = symbols.get(name)
            whole = isinstance(symbol, Variable) and expressions.type_of(symbol) == eqs.INTEGER
            return eqs.reach(symbol) or (
                (-MAX_INTEGER - 1, MAX_INTEGER) if whole and bits else None
            )
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return 0, 1
        case ast.UnaryOp(op=sign, operand=operand):
            inner = bounds(operand, symbols, bits)
            return inner and ((-inner[1], -inner[0]) if isinstance(sign, ast.USub) else inner)
        case ast.BinOp(left=left, op=operator, right=right):
            a, b = bounds(left, symbols, bits), bounds(right, symbols, bits)
            whole = getattr(node, "dtype", None) == eqs.INTEGER
            return a and b and _of_operation(a, operator, b, whole)
        case ast.Call(func=ast.Name(id="int" | "floor" | "ceil"), args=[argument]):
            return bounds(argument, symbols, bits)
    return None


def _of_operation(a: Bounds, operator: ast.operator, b: Bounds, whole: bool) -> Bounds | None:
    if isinstance(operator, (ast.Div, ast.FloorDiv, ast.Mod)) and b[0] <= 0 <= b[1]:
        return None
    if isinstance(operator, ast.Pow) and not (a[0] >= 0 and b[0] == b[1] >= 0):
        return None
    if isinstance(operator, ast.Mod):  # a whole remainder is one less than its divisor at most
        return min(0, b[0] + whole), max(0, b[1] - whole)
    work = {
        ast.Add: lambda x, y: x + y,
        ast.Sub: lambda x, y: x - y,
        ast.Mult: lambda x, y: x * y,
        ast.Div: lambda x, y: x / y,
        ast.FloorDiv: lambda x, y: x // y,
        ast.Pow: lambda x, y: x**y,
    }.get(type(operator))
    if work is None:
        return None
    try:
        ends = [float(work(x, y)) for x in a for y in b]
    except (ArithmeticError, ValueError):
        return None
    return min(ends), max(ends)


def too_large_for_integer(text: str, symbols: eqs.Symbols) -> float | None:
    """The size that the value of an expression reaches, if 32 bits cannot hold it."""
    return _too_large(bounds(expressions.parse(text).body, symbols))


def _too_large(known: Bounds | None) -> float | None:
    size = max(map(abs, known)) if known else 0
    return size if size > MAX_INTEGER else None


# ----------------------------------------------------------------------- expressions


def settled(text: str, symbols: eqs.Symbols, type_: str | None = None) -> str:
    """An expression with operations that all backends work out alike.

    Parameters
    ----------
    text : str
    symbols : what the expression may name
    type_ : {"integer", "float", None}
        What the value is to be: an integer variable takes the 32 bits of what is worked out in floating
        point, and a definition that is a number, as others read it, is no integer.
    """
    tree = expressions.annotated(text, symbols)
    whole = tree.dtype == eqs.INTEGER
    rewriting = _Settling(symbols)
    tree = rewriting.visit(tree)
    result = ast.unparse(tree) if rewriting.changed else text
    if type_ == eqs.FLOAT and (whole or _is_of_python(text)):
        return f"{FLOAT}({result})"
    if type_ == eqs.INTEGER and (rewriting.changed or not whole):
        return f"{WHOLE}({result})"
    return result


_OF_PYTHON = {*UNITS, *expressions.CONSTANTS, *expressions.FUNCTIONS, "N", "N_pre", "N_post"}


def _is_of_python(text: str) -> bool:
    """Whether NumPy code would work a value out in Python's own numbers, which do not divide by 0."""
    return algebra.names(text) <= _OF_PYTHON


class _Settling(ast.NodeTransformer):
    """Rewrites a tree that Brian2 has annotated; ``floating`` nodes are no integers any more."""

    def __init__(self, symbols: eqs.Symbols):
        self._symbols = symbols
        self.changed = False

    def visit_BinOp(self, node: Any) -> ast.expr:
        whole = node.dtype == eqs.INTEGER
        wide = whole and self._is_wide(node)
        left, right = self.visit(node.left), self.visit(node.right)
        floating = not whole or wide or self._is_floating(left) or self._is_floating(right)
        match node.op:
            case ast.FloorDiv() | ast.Mod() if floating:
                name = QUOTIENT if isinstance(node.op, ast.FloorDiv) else REMAINDER
                return self._call(OF_WHOLE[name] if whole else name, left, right)
            case ast.Div() if node.left.dtype == eqs.INTEGER and not _is_number(node.left):
                left = self._float(left)
            case ast.Add() | ast.Sub() | ast.Mult() | ast.Pow() if wide:
                left = self._float(left)
        result: Any = ast.BinOp(left, node.op, right)
        result.floating = floating
        return result

    def visit_UnaryOp(self, node: Any) -> ast.expr:
        operand = self.visit(node.operand)
        if node.dtype == eqs.INTEGER and self._is_wide(node):
            operand = self._float(operand)
        result: Any = ast.UnaryOp(node.op, operand)
        result.floating = self._is_floating(operand)
        return result

    def visit_Call(self, node: Any) -> ast.expr:
        arguments = [self.visit(argument) for argument in node.args]
        whole = bool(node.args) and node.args[0].dtype == eqs.INTEGER
        match node.func.id:
            case "clip" if not self._has_fixed_bounds(node):
                return self._call(CLIP, *arguments)
            case "sign":
                return self._call(SIGN, *arguments)
            case "floor" | "ceil":
                return self._call(FLOOR if node.func.id == "floor" else CEIL, *arguments)
            case "int" if node.args[0].dtype == eqs.FLOAT and self._is_wide(node.args[0]):
                return self._call(CUT, *arguments)
            case "int" if whole and self._is_floating(arguments[0]):
                return arguments[0]  # a whole number already
            case "abs" if whole and self._is_wide(node.args[0]):
                arguments = [self._float(*arguments)]
        table = self._symbols.get(node.func.id)
        if isinstance(table, eqs.TableFunction) and ast.unparse(node.args[0]) != "t":
            # places in a table are counted in 32 bits or in 64
            within = [ast.parse(f"{end!r}*second", mode="eval").body for end in (0.0, table.end)]
            if not _is_clipped(node.args[0], within):
                arguments = [self._call(CLIP, arguments[0], *within), *arguments[1:]]
        if isinstance(table, eqs.TableFunction) and any(map(self._is_floating, arguments[1:])):
            arguments = [arguments[0], self._call(WHOLE, arguments[1])]  # of a column
        result: Any = ast.Call(node.func, arguments, [])
        result.floating = node.func.id != "int" and any(map(self._is_floating, arguments))
        return result

    def _is_wide(self, node: ast.expr) -> bool:
        """Whether 32 bits may not hold the value."""
        known = bounds(node, self._symbols, bits=True)
        return known is None or bool(_too_large(known))

    def _has_fixed_bounds(self, node: ast.Call) -> bool:
        """Whether the bounds are numbers and parameters, whose order `check` knows."""
        used = {n.id for bound in node.args[1:] for n in ast.walk(bound) if isinstance(n, ast.Name)}
        return all(eqs.is_fixed(self._symbols.get(name)) for name in used)

    @staticmethod
    def _is_floating(node: ast.expr) -> bool:
        return getattr(node, "floating", False)

    def _float(self, node: ast.expr) -> ast.expr:
        return node if self._is_floating(node) else self._call(FLOAT, node)

    def _call(self, name: str, *arguments: ast.expr) -> ast.expr:
        self.changed = True
        call: Any = ast.Call(ast.Name(name), list(arguments), [])
        call.floating = True
        return call


def _is_clipped(node: ast.expr, within: list[ast.expr]) -> bool:
    """Whether a value is one of ``clip`` with these bounds, as in a script that we wrote."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "clip"
        and [*map(ast.unparse, node.args[1:])] == [*map(ast.unparse, within)]
    )


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant)


def _statements(code: str, symbols: eqs.Symbols) -> str:
    """Statements, a line each; names that are assigned first are local."""
    symbols, lines = symbols | functions(), []
    for target, operator, text in expressions.statements(code):
        known = symbols.get(target)
        if known is None:
            text = _of_numpy(text, symbols)
        whole = isinstance(known, Variable) and expressions.type_of(known) == eqs.INTEGER
        value = settled(text, symbols, eqs.INTEGER if whole else None)
        if known is None:
            symbols[target] = eqs.local(target, value, symbols)
        elif operator == "=":
            operator, value = _in_place(target, value)
        lines.append(f"{target} {operator} {value}")
    return "\n".join(lines)


def _of_numpy(text: str, symbols: eqs.Symbols) -> str:
    """A local variable's value, of its own type, as no number of Python's."""
    type_ = expressions.annotated(text, symbols).dtype
    if type_ == eqs.BOOLEAN or not _is_of_python(text):
        return text
    return f"int({text})" if type_ == eqs.INTEGER else f"{FLOAT}({text})"


def _in_place(target: str, value: str) -> tuple[str, str]:
    """``x = x + y`` as ``x += y``, which synapses that share an x may do in any order."""
    match ast.parse(value, mode="eval").body:
        case ast.BinOp(left=ast.Name(id=name), op=ast.Add(), right=added) if name == target:
            if target not in algebra.names(ast.unparse(added)):
                return "+=", ast.unparse(added)
    return "=", value


# ------------------------------------------------------------------------------ models


def settle(model: spec.Model) -> spec.Model:
    """The model with every expression settled."""
    return dataclasses.replace(
        model,
        populations={
            name: _owner(p, eqs.population_symbols(model, p))
            for name, p in model.populations.items()
        },
        projections={
            name: _owner(p, eqs.generator_symbols(p, eqs.projection_symbols(model, p)))
            for name, p in model.projections.items()
        },
        stimuli={n: _stimulus(model, s) for n, s in model.stimuli.items()},
    )


def _owner(owner: eqs.Owner, symbols: eqs.Symbols) -> eqs.Owner:
    types = {
        name: e.type
        for name, e in eqs.parse(owner.equations).items()
        if e.type == eqs.INTEGER or (e.kind == "subexpression" and "summed" not in e.flags)
    }
    types |= {f"connect {key}": eqs.INTEGER for key in eqs.GENERATED}
    return eqs.with_changed(
        owner,
        lambda text, name: settled(text, symbols, types.get(name or "")),
        lambda code: _statements(code, symbols),
    )


def _stimulus(model: spec.Model, s: spec.Stimulus) -> spec.Stimulus:
    symbols = eqs.population_symbols(model, model.populations[s.population])
    return dataclasses.replace(s, amplitude=settled(s.amplitude, symbols))
