"""Expressions and statements of model files: what they name, their units, their value.

Text is parsed to a tree and checked node by node against the arithmetic that Brian2 accepts, so
nothing else (attribute access, indexing, strings, lambdas, calls of unknown functions) gets past.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.variables import Variable
from brian2.parsing.expressions import parse_expression_dimensions
from brian2.units.fundamentalunits import Dimension, DimensionMismatchError

from neuroglia_snn.errors import UserError
from neuroglia_snn.quantities import UNITS, unit_name

_ALLOWED = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name),
    *(ast.Constant, ast.Load, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod),
    *(ast.Pow, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or),
    *(ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
)

#: Functions and constants that every expression may use.
FUNCTIONS: Mapping[str, Function] = dict(DEFAULT_FUNCTIONS)
CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e, "inf": math.inf}

_ASSIGNMENT = re.compile(r"^\s*([A-Za-z_]\w*)\s*([-+*/]?=)(?!=)\s*(.+)$", re.DOTALL)


class ExpressionError(UserError):
    """An expression cannot be parsed, or its units do not fit."""


def parse(text: str) -> ast.Expression:
    """Parse an expression and refuse everything that is not plain arithmetic.

    Raises
    ------
    ExpressionError
        With the offending piece of text.
    """
    flat = " ".join(str(text).split())
    try:
        tree = ast.parse(flat, mode="eval")
        nodes = list(ast.walk(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"'{flat}' is not an expression") from None
    for node in nodes:
        number = not isinstance(node, ast.Constant) or type(node.value) in (int, float, bool)
        plain_call = not isinstance(node, ast.Call) or (
            isinstance(node.func, ast.Name) and not node.keywords
        )
        if not (isinstance(node, _ALLOWED) and number and plain_call):
            piece = ast.unparse(node) if hasattr(node, "lineno") else type(node).__name__
            raise ExpressionError(f"'{piece}' is not allowed in an expression")
    return tree


def names(text: str) -> set[str]:
    """All names that an expression uses, functions included."""
    return {node.id for node in ast.walk(parse(text)) if isinstance(node, ast.Name)}


def statements(code: str) -> Iterator[tuple[str, str, str]]:
    """Split abstract code into ``(target, operator, expression)``.

    Statements end at a line's end or at ``;``; a bracket left open continues on the next line.

    Raises
    ------
    ExpressionError
        For a line that is not an assignment.
    """
    pending = ""
    for line in code.replace(";", "\n").splitlines():
        pending += " " + line.split("#", 1)[0].strip()
        if not pending.strip() or pending.count("(") > pending.count(")"):
            continue
        match = _ASSIGNMENT.match(pending)
        if not match:
            raise ExpressionError(f"'{pending.strip()}' is not an assignment such as 'x = y + 1'")
        parse(match[3])
        yield match[1], match[2], match[3].strip()
        pending = ""
    if pending.strip():
        raise ExpressionError(f"'{pending.strip()}' has a bracket that is not closed")


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
        first, *rest = [unit_name(dim) for dim in error.dims] or ["?"]
        both = f"'{first}' and '{rest[0]}'" if rest else f"'{first}' where a pure number is due"
        piece = str(error.desc).rstrip(".")
        raise ExpressionError(f"inconsistent units in '{flat}': {both} ({piece})") from None
    except (SyntaxError, TypeError, ValueError, KeyError, NotImplementedError) as error:
        text = str(error.args[0]) if error.args else type(error).__name__
        raise ExpressionError(f"'{flat}' cannot be read: {text}") from None


_NUMERIC: dict[str, object] = {
    **{name: getattr(np, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{name: getattr(np, name) for name in ("exp", "log", "log10", "sqrt", "ceil", "floor")},
    **{name: getattr(np, name) for name in ("arcsin", "arccos", "arctan", "clip", "sign")},
    **{"abs": np.abs, "expm1": np.expm1, "log1p": np.log1p},
    "exprel": lambda x: np.expm1(x) / x if x else 1.0,
    "int": lambda x: np.trunc(np.asarray(x, dtype=float)),
    "rand": lambda: 0.5,
    "randn": lambda: 0.0,
    "poisson": lambda rate: rate,
    "timestep": lambda t, dt: np.floor((t + 1e-3 * dt) / dt),
}


def evaluate(text: str, values: Mapping[str, object]) -> float:
    """Value of an expression in SI units, for checks before a run.

    Random functions stand for their mean (``rand()`` is 0.5). ``values`` gives every variable in
    SI units and may give functions (timed arrays) too.

    Returns
    -------
    float
        NaN where the expression has no real value (a root of a negative number, 0/0).
    """
    code = compile(parse(text), "<model>", "eval")
    units = {name: float(unit) for name, unit in UNITS.items()}
    scope = {**units, **CONSTANTS, **_NUMERIC, **values, "__builtins__": {}}
    scope = {k: np.float64(v) if isinstance(v, (int, float)) else v for k, v in scope.items()}
    with np.errstate(all="ignore"):
        try:
            value = eval(code, scope)  # noqa: S307 - the tree holds arithmetic only, see parse()
            return math.nan if isinstance(value, complex) else float(value)
        except (ZeroDivisionError, OverflowError, ValueError):
            return math.nan
