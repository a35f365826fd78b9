"""Expressions and statements of model files: what they name, their units, their value.

Text is parsed to a tree and checked node by node against the arithmetic that Brian2 accepts, so
nothing else (attribute access, indexing, strings, lambdas, calls of unknown functions) gets past. When
a file is loaded its texts are written anew from their trees (`canonical`, `canonical_statements`):
no comment and no character of the author's own reaches Brian2, a compiler or a file.
"""

from __future__ import annotations

import ast
import copy
import functools
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.variables import Variable
from brian2.parsing.bast import brian_ast, brian_dtype_from_dtype
from brian2.parsing.expressions import parse_expression_dimensions
from brian2.parsing.rendering import NumpyNodeRenderer
from brian2.units.fundamentalunits import Dimension, DimensionMismatchError

from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.language import algebra
from neuroglia_snn.language.quantities import UNITS, as_expression, parse_unit, unit_name, written

_ALLOWED = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name),
    *(ast.Constant, ast.Load, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod),
    *(ast.Pow, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or),
    *(ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
)

#: Functions and constants that every expression may use.
FUNCTIONS: Mapping[str, Function] = dict(DEFAULT_FUNCTIONS)
CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e, "inf": math.inf}

_ASSIGNMENT = re.compile(
    r"\s*([A-Za-z_]\w*)\s*(%|\*\*|//|[-+*/]?)=(?!=)\s*(.+)", re.ASCII | re.DOTALL
)


#: Deepest nesting and largest constant exponent of an expression: parsers and compilers recurse,
#: and ``9**9**9`` would be worked out digit by digit.
MAX_DEPTH, MAX_EXPONENT = 100, 100


class ExpressionError(UserError):
    """An expression cannot be parsed, or its units do not fit."""


def without_comments(text: str) -> str:
    """Code of a model file without its comments, which go from ``#`` to the end of a line.

    Raises
    ------
    ExpressionError
        For a character of code that is not printable ASCII, by its number.
    """
    code = "\n".join(line.split("#", 1)[0] for line in text.split("\n"))
    for character in code:
        if not (" " <= character <= "~" or character in "\n\t"):
            raise ExpressionError(
                f"'{shown(code)}' holds the character U+{ord(character):04X}: code is written in ASCII"
            )
    return code


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> ast.Expression:
    """Parse an expression and refuse everything that is not plain arithmetic.

    Raises
    ------
    ExpressionError
        With the offending piece of text.
    """
    flat = " ".join(without_comments(str(text)).split())
    try:
        with warnings.catch_warnings():  # Python has its say on "1if" and the like; we have ours
            warnings.simplefilter("ignore")
            tree = ast.parse(flat, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"'{shown(flat)}' is not an expression") from None
    _check_depth(tree, flat)
    for node in ast.walk(tree):
        number = not isinstance(node, ast.Constant) or type(node.value) in (int, float, bool)
        plain_call = not isinstance(node, ast.Call) or (
            isinstance(node.func, ast.Name) and not node.keywords
        )
        if not (isinstance(node, _ALLOWED) and number and plain_call):
            piece = written(node) if hasattr(node, "lineno") else flat
            raise ExpressionError(f"'{shown(piece)}' is not allowed in an expression")
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            raise ExpressionError(f"'{_shown(node)}' compares twice; write {_pairs(node)}")
        if isinstance(node, ast.Constant) and not _is_writable(node.value):
            raise ExpressionError(f"'{shown(flat)}' holds a number that is too large")
        for operand in _numbers(node):
            _check_number(operand)
    for node in ast.walk(tree):  # nothing is worked out before all of it is known to be arithmetic
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not _is_moderate(node):
            raise ExpressionError(
                f"'{_shown(node)}' is too large (an exponent is up to {MAX_EXPONENT})"
            )
    return tree


def _is_writable(number: object) -> bool:
    """Whether a constant's digits are read alike by every program."""
    return not isinstance(number, (int, float)) or abs(number) < (
        2**63 if type(number) is int else math.inf
    )


def canonical(text: str) -> str:
    """An expression, written anew from its parsed tree.

    Raises
    ------
    ExpressionError
    """
    return written(parse(text))


def canonical_value(text: str) -> str:
    """A quantity (``2 mV``) or an expression, written anew as an expression (``2*mV``).

    Raises
    ------
    ExpressionError
    """
    return canonical(as_expression(without_comments(text)))


def canonical_statements(code: str) -> str:
    """Statements, each on a line of its own, written anew from their parsed trees.

    Raises
    ------
    ExpressionError
    """
    return "\n".join(" ".join(statement) for statement in statements(code))


def check_constants(text: str, parameters: Mapping[str, float] | None = None) -> None:
    """Refuse what has no finite real value, divisions by 0 and crossed bounds of ``clip``.

    Parameters
    ----------
    text : str
    parameters : values of names that are constant, in SI units

    Raises
    ------
    ExpressionError
    """
    known = {**_UNIT_VALUES, **(parameters or {})}
    for node in ast.walk(parse(text)):
        value = _constant(node, known) if isinstance(node, (ast.BinOp, ast.Call)) else None
        if value is not None and not math.isfinite(value):
            root = ": a root of a negative number" if math.isnan(value) and _is_root(node) else ""
            raise ExpressionError(
                f"'{_shown(node)}' has no finite real value{root}{_where(node, parameters)}"
            )
        match node:
            case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod(), right=divisor):
                if _constant(divisor, known) == 0:
                    raise ExpressionError(
                        f"'{_shown(node)}' divides by 0{_where(divisor, parameters)}"
                    )
            case ast.Call(func=ast.Name(id="clip"), args=[_, low, high]):
                bounds = _constant(low, known), _constant(high, known)
                if None not in bounds and bounds[0] > bounds[1]:  # type: ignore[operator]
                    raise ExpressionError(
                        f"the bounds of '{_shown(node)}' cross: {bounds[0]:g} is above"
                        f" {bounds[1]:g}{_where(node, parameters)}"
                    )


def _is_root(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "sqrt"
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def _where(node: ast.AST, parameters: Mapping[str, float] | None) -> str:
    """The values of the parameters in a piece, in brackets."""
    used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    named = [f"{n} = {v:g}" for n, v in (parameters or {}).items() if n in used]
    return f" ({', '.join(named)})" if named else ""


def _check_depth(tree: ast.Expression, flat: str) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise ExpressionError(
        f"'{shown(flat)}' is nested too deeply (over {MAX_DEPTH} levels);"
        " write a part of it as an equation of its own"
    )


def _shown(node: ast.AST) -> str:
    return shown(written(node))


def _pairs(node: ast.Compare) -> str:
    """A chained comparison as Brian2 reads it: ``0 < x and x < 1``."""
    values = [node.left, *node.comparators]
    pairs = [
        ast.Compare(left, [op], [right])
        for left, op, right in zip(values, node.ops, node.comparators, strict=False)
    ]
    return shown(" and ".join(written(pair) for pair in pairs))


def _numbers(node: ast.AST) -> list[ast.expr]:
    """The operands of a node that have to be numbers; ``int`` and ``==`` also take conditions."""
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
        return [node.operand]
    if isinstance(node, ast.Compare) and not isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call) and written(node.func) != "int":
        return node.args
    return []


def _check_number(operand: ast.expr) -> None:
    logical = isinstance(operand, (ast.Compare, ast.BoolOp))
    if logical or (isinstance(operand, ast.UnaryOp) and isinstance(operand.op, ast.Not)):
        piece = _shown(operand)
        raise ExpressionError(f"'{piece}' is true or false, not a number; write int({piece})")


def _check_types(operation: Any) -> None:
    """What Brian2's Python and its C++ work out differently, or one of them not at all."""
    sides = (operation.left, operation.right)
    types = {side.dtype for side in sides}
    if types == {"boolean"}:
        whole: list[ast.expr] = [ast.Call(ast.Name("int"), [side], []) for side in sides]
        written = _shown(ast.BinOp(whole[0], operation.op, whole[1]))
        raise ExpressionError(
            f"'{_shown(operation)}' works out truth values; write {written}, or 'and' and 'or'"
        )
    negative = isinstance(operation.right, ast.UnaryOp) and isinstance(operation.op, ast.Pow)
    if negative and types == {"integer"}:
        left, right = sides
        written = f"(1.0*{_shown(left)})**({_shown(right)})"
        raise ExpressionError(f"'{_shown(operation)}' divides integers; write {written}")


def _is_moderate(power: ast.BinOp) -> bool:
    exponent = _constant(power.right)
    if exponent is None or math.isnan(exponent):
        return True
    base = _constant(power.left)
    try:
        return abs(exponent) <= MAX_EXPONENT and math.isfinite(abs((base or 1.0) ** exponent))
    except (ArithmeticError, ValueError):
        return False


def _constant(node: ast.expr, values: Mapping[str, float] | None = None) -> float | None:
    """Value of a subtree without variables (NaN: not real, inf: it overflows), or None."""
    values = values or {}
    known = (NUMERIC.keys() - RANDOM) | values.keys()
    if any(isinstance(part, ast.Name) and part.id not in known for part in ast.walk(node)):
        return None
    floats = _Floats().visit(ast.Expression(copy.deepcopy(node)))
    try:
        with np.errstate(all="ignore"):
            value = eval(
                compile(floats, "<model>", "eval"), {"__builtins__": {}, **NUMERIC, **values}
            )
        return math.nan if isinstance(value, complex) else float(value)
    except TypeError:  # the wrong number of arguments
        return None
    except ZeroDivisionError:
        return math.nan
    except (ArithmeticError, ValueError):
        return math.inf


class _Floats(ast.NodeTransformer):
    """Whole numbers as floats, which overflow where whole numbers would grow without end."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if type(node.value) is int:
            value = float(node.value) if abs(node.value) < 1e300 else math.inf
            return ast.copy_location(ast.Constant(value), node)
        return node


def statements(code: str) -> Iterator[tuple[str, str, str]]:
    """Split abstract code into ``(target, operator, expression)``.

    Statements end at a line's end or at ``;``; a bracket left open continues on the next line.

    Raises
    ------
    ExpressionError
        For a line that is not an assignment.
    """
    pending = ""
    for line in without_comments(code).replace(";", "\n").split("\n"):
        pending += " " + line.strip()
        if not pending.strip() or pending.count("(") > pending.count(")"):
            continue
        match = _ASSIGNMENT.fullmatch(pending)
        if not match:
            raise ExpressionError(f"'{shown(pending)}' is not an assignment such as 'x = y + 1'")
        target, operator, value = match.groups()
        value = canonical(value)
        if operator in ("%", "**", "//"):  # C++ has none of them with '='
            operator, value = "", canonical(f"{target} {operator} ({value})")
        yield target, f"{operator}=", value
        pending = ""
    if pending.strip():
        raise ExpressionError(f"'{shown(pending)}' has a bracket that is not closed")


def dimensions_of(text: str, variables: Mapping[str, Variable | Function]) -> Dimension:
    """Dimensions of an expression.

    Raises
    ------
    ExpressionError
        If units inside the expression do not fit; the message names both.
    """
    flat = " ".join(str(text).split())
    try:
        return parse_expression_dimensions(flat, variables)
    except DimensionMismatchError as error:
        raise ExpressionError(
            f"inconsistent units: {_mismatch(str(error.desc), variables) or shown(error, 200)}"
        ) from None
    except (SyntaxError, TypeError, ValueError, KeyError, NotImplementedError) as error:
        raise _unreadable(flat, error) from None
    except (RecursionError, OverflowError):
        raise ExpressionError(f"'{shown(flat)}' is too large") from None


def type_of(variable: Variable) -> str:
    """``boolean``, ``integer`` or ``float``."""
    return brian_dtype_from_dtype(variable.dtype)


def annotated(text: str, variables: Mapping[str, Variable | Function]) -> Any:
    """An expression's tree (an `ast.expr`) as Brian2 reads it.

    Its ``dtype`` is "boolean", "integer" or "float"; it is ``scalar`` if it is the same for all units.

    Raises
    ------
    ExpressionError
        For truth values where numbers must be, or the other way round; for integers to negative powers.
    """
    try:
        tree = brian_ast(" ".join(str(text).split()), variables)
    except (SyntaxError, TypeError) as error:
        raise _unreadable(text, error) from None
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            _check_types(node)
    return tree


def _unreadable(text: str, error: Exception) -> ExpressionError:
    reason = shown(error.args[0] if error.args else type(error).__name__).rstrip(".")
    return ExpressionError(f"'{shown(text)}' cannot be read: {reason}")


def _mismatch(reason: str, variables: Mapping[str, Variable | Function]) -> str:
    """Brian2's reason with the units as they stand in model files: ``'v' is in 'volt'...``."""
    said = []
    for piece in re.findall(r"'([^']+)' has units? ", reason):
        unit = unit_name(parse_expression_dimensions(piece, variables))
        said.append(f"'{shown(piece, 60)}' is in '{unit}'")
    due = re.search(r"should be \(([^)]*)\)", reason)
    if due:
        unit = parse_unit(due[1].replace("^", "**").replace(" ", "*"))
        said.append(f"must be in '{unit_name(unit)}'")
    return " but ".join(said)


def _exprel(x: np.ndarray | float) -> np.ndarray:
    """``(exp(x) - 1)/x``, and its limit at 0."""
    nonzero = np.where(x == 0, 1.0, x)
    return np.where(x == 0, 1.0, np.expm1(nonzero) / nonzero)[()]


#: Functions of expressions, for NumPy arrays.
NUMERIC: dict[str, object] = {
    **{name: getattr(np, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{name: getattr(np, name) for name in ("exp", "log", "log10", "sqrt", "ceil", "floor")},
    **{name: getattr(np, name) for name in ("arcsin", "arccos", "arctan", "clip", "sign")},
    **{"abs": np.abs, "expm1": np.expm1, "log1p": np.log1p},
    "exprel": _exprel,
    "int": lambda x: np.trunc(np.asarray(x, dtype=float)),
    "rand": lambda: 0.5,
    "randn": lambda: 0.0,
    "poisson": lambda rate: rate,
    "timestep": lambda t, dt: np.floor((t + 1e-3 * dt) / dt),
}


_UNIT_VALUES = {name: float(unit) for name, unit in UNITS.items()} | {"pi": math.pi, "e": math.e}

#: Those that draw random numbers.
RANDOM = {"rand", "randn", "poisson"}

#: What an expression may name beside a model's own symbols, with its value in SI units.
_KNOWN: dict[str, object] = {
    **{name: np.float64(unit) for name, unit in UNITS.items()},
    **CONSTANTS,
    **NUMERIC,
}


@functools.lru_cache(maxsize=4096)
def compiled(text: str) -> CodeType:
    """An expression as code, its whole numbers as floats; parsed first, so that it is arithmetic."""
    floats = ast.fix_missing_locations(_Floats().visit(copy.deepcopy(parse(text))))
    return compile(floats, "<model>", "eval")


def evaluate(text: str, values: Mapping[str, object]) -> float:
    """Value of an expression in SI units, for checks before a run.

    Random functions stand for their mean (``rand()`` is 0.5). ``values`` gives every variable in
    SI units and may give functions (timed arrays) too.

    Returns
    -------
    float
        NaN where the expression has no real value (a root of a negative number, 0/0).
    """
    code = compiled(text)
    scope: dict[str, object] = {"__builtins__": {}}
    for name in {*code.co_names} & {*values, *_KNOWN}:
        value = values[name] if name in values else _KNOWN[name]
        scope[name] = np.float64(value) if isinstance(value, (int, float)) else value
    with np.errstate(all="ignore"):
        try:
            result = eval(code, scope)
            return math.nan if isinstance(result, complex) else float(result)
        except (ZeroDivisionError, OverflowError, ValueError):
            return math.nan


def of_arrays(text: str, values: Mapping[str, object]) -> object | None:
    """Value of an expression of arrays, in SI units; None where a name has no value, or is drawn."""
    scope = {"__builtins__": {}, "logical_not": np.logical_not, **_KNOWN, **values}
    scope = {name: value for name, value in scope.items() if name not in RANDOM}
    if algebra.names(text) - scope.keys():
        return None
    code = compile(NumpyNodeRenderer().render_expr(written(parse(text))), "<model>", "eval")
    with np.errstate(all="ignore"):
        try:
            return eval(code, scope)
        except (ArithmeticError, ValueError):
            return None
