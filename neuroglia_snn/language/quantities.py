"""Numbers with units as text: ``"0.002 ms"``, ``"0.14 / s"``, ``"0.9 umolar/second"``.

The text is parsed, never evaluated as code: numbers, unit names, ``* / **`` and brackets.
"""

from __future__ import annotations

import ast
import json
import math
import numbers
import re
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import brian2.units.allunits as _all_units
import brian2.units.stdunits as _std_units
import numpy as np
from brian2.units.fundamentalunits import (
    DIMENSIONLESS,
    Dimension,
    DimensionMismatchError,
    Quantity,
    Unit,
    get_dimensions,
    get_unit,
)

from neuroglia_snn.errors import UserError, shown

#: Every unit name that a model file may use (Brian2's own, and its usual abbreviations).
UNITS: dict[str, Unit] = {
    name: value
    for module in (_all_units, _std_units)
    for name, value in vars(module).items()
    if isinstance(value, Unit) and not name.startswith("_")
}

#: With or without a space between; the digits of an exponent are no unit.
_NUMBER_THEN_UNIT = re.compile(
    r"(?<![A-Za-z_0-9.])((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![eE][+-]?\d)\s*(?=[A-Za-z(])"
)


class Amount(NamedTuple):
    """A number in SI units and its dimensions."""

    si: float
    dimensions: Dimension


def parse_quantity(text: str | int | float) -> Amount:
    """Turn ``"2.5 mV"`` into a number in SI units with its dimensions.

    Parameters
    ----------
    text : str, int or float
        A number, optionally followed by units; a plain number is dimensionless.

    Raises
    ------
    UserError
        If the text is not a number with units; the message names what is not understood.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise UserError(f"'{shown(text)}' is not a number with units such as '2.5 mV'")
    try:
        value = _evaluate(_tree(text)) if isinstance(text, str) else text
        si = float(value)
    except UserError as error:
        raise UserError(f"'{shown(text)}' is not a number with units: {error}") from None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise UserError(f"'{shown(text)}' is not a number with units such as '2.5 mV'") from None
    except (ZeroDivisionError, OverflowError):
        raise UserError(f"'{shown(text)}' has no finite value") from None
    except DimensionMismatchError:
        raise UserError(f"'{shown(text)}' adds different units") from None
    if not math.isfinite(si):
        raise UserError(f"'{shown(text)}' has no finite value")
    return Amount(si, get_dimensions(value))


def as_settings(values: Mapping[str, object]) -> dict[str, str]:
    """Python values by name as the texts that ``--set NAME=VALUE`` would have.

    Parameters
    ----------
    values : texts, numbers, truth values, scalar quantities of Brian2, or lists of these

    Raises
    ------
    UserError
        For anything else.
    """
    if not isinstance(values, Mapping):
        kind = type(values).__name__
        raise UserError(
            f"overrides are settings by name, such as {{'sigma2': '0.1'}}, not a {kind}"
        )
    return {name: _setting(name, value) for name, value in values.items()}


def _setting(name: object, value: object) -> str:
    if not isinstance(name, str):
        raise UserError(f"a setting has a name such as 'sigma2' or 'model.dt', not {name!r}")
    try:
        plain = _plain(value)
    except TypeError:
        kind = type(value).__name__
        raise UserError(
            f"'{shown(name)}' cannot be set to a value of type {kind}: give a text such as '0.1 mV',"
            " a number, a quantity of Brian2 or a list of numbers"
        ) from None
    return plain if isinstance(plain, str) else json.dumps(plain)


def as_value(value: object) -> Any:
    """Python values as a TOML file holds them: quantities as text, arrays as lists; tables and lists within.

    Raises
    ------
    UserError
        For what a model file cannot hold.
    """
    if isinstance(value, Mapping):
        return {str(key): as_value(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_value(inner) for inner in value]
    try:
        return _plain(value)
    except TypeError:
        raise UserError(f"a model cannot hold a value of type {type(value).__name__}") from None


def _plain(value: object) -> object:
    """What JSON can write of a value; a quantity as text."""
    if isinstance(value, Quantity) and value.shape == ():
        unit = unit_name(value.dim)
        return _plain(float(value)) if unit == "1" else f"{float(value)!r} {unit}"
    if isinstance(value, Quantity):
        return {"values": np.asarray(value).tolist(), "unit": unit_name(value.dim)}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    for kind, written in ((str, str), ((bool, np.bool_), bool), (numbers.Integral, int)):
        if isinstance(value, kind):
            return written(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(value)


def as_expression(text: str) -> str:
    """``"2 mV"`` as ``"2*mV"``, for a place that holds an expression; an expression stays."""
    try:
        parse_quantity(text)
    except UserError:
        return text
    tree = _tree(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = _unit(node.id)
    return written(tree)


def canonical_unit(text: str) -> str:
    """The unit behind the colon of an equation, written anew from its parsed tree.

    Raises
    ------
    UserError
        If it is not a unit.
    """
    parse_unit(text)
    return written(_tree(text))


def written(tree: ast.AST) -> str:
    """A parsed expression as text, in the usual spelling: ``2*v + E``."""
    return re.sub(r" (\*\*|//|[*/%]) ", r"\1", ast.unparse(tree))


def _unit(name: str) -> str:
    """``s`` as a unit, not as a reserved name."""
    return "second" if name == "s" else name


def _tree(text: str) -> ast.expr:
    flat = text.replace("\n", " ").replace("\t", " ")
    if not (flat.isascii() and flat.isprintable()) or "#" in flat:
        raise UserError("it is written in ASCII, without comments")
    with warnings.catch_warnings():  # Python has its say on "1if" and the like; we have ours
        warnings.simplefilter("ignore")
        return ast.parse(_NUMBER_THEN_UNIT.sub(r"\1*", text.strip()), mode="eval").body


def parse_unit(text: str) -> Dimension:
    """Dimensions of a unit as it stands behind the colon of an equation (``1``, ``volt``...)."""
    if text.strip() in ("integer", "boolean"):
        return DIMENSIONLESS
    return parse_quantity(text).dimensions


def unit_name(dimensions: Dimension) -> str:
    """A name as it could stand in a model file: ``volt``, ``molar/second``, ``1`` (no unit)."""
    if dimensions.is_dimensionless:
        return "1"
    for name in _READABLE:
        if parse_unit(name) is dimensions:
            return name
    return str(get_unit(dimensions)).replace("^", "**")


_READABLE = (
    *("second", "volt", "amp", "siemens", "farad", "ohm", "meter", "hertz", "coulomb", "watt"),
    *("molar", "molar/second", "1/molar", "1/(molar*second)", "volt/second", "amp/second"),
    *("siemens/second", "second**2", "second**0.5", "second**-0.5", "1/second**2", "meter/second"),
)


def _evaluate(node: ast.expr) -> Quantity | float:
    number = node.value if isinstance(node, ast.Constant) else None
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        return float(number)  # whole numbers would grow without end in 9**9**9
    if isinstance(node, ast.Name):
        name = _unit(node.id)
        if name not in UNITS:
            raise UserError(f"'{node.id}' is not a unit")
        return UNITS[name]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        value = _evaluate(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left), _evaluate(node.right)
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
        if isinstance(node.op, ast.Pow):
            if get_dimensions(right) is not DIMENSIONLESS or abs(float(right)) > 100:
                raise UserError("an exponent is a plain number up to 100")
            return left ** float(right)
    raise UserError("only numbers, units, * / ** and brackets are allowed")
