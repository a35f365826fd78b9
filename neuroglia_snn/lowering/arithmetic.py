"""Expressions of a model as operations: constants folded, sums collected, the rest made explicit."""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Mapping

from neuroglia_snn import expressions
from neuroglia_snn.errors import BackendError, shown
from neuroglia_snn.lowering.operations import (
    COMPARE,
    FUNCTIONS,
    Clip,
    Function,
    Linear,
    Operation,
    Product,
    Select,
    Sum,
    Test,
)
from neuroglia_snn.quantities import UNITS

#: Whole powers up to this one are products; higher ones are functions.
MAX_PRODUCTS = 4

_RELATIONS = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "=="}


class Builder:
    """Collects the operations of one block.

    Parameters
    ----------
    constants : values of parameters, in SI units
    definitions : subexpressions by name
    variables : name in an expression to name of the value that it means in this block
    """

    def __init__(
        self,
        constants: Mapping[str, float],
        definitions: Mapping[str, str],
        variables: Mapping[str, str],
    ):
        self.operations: list[Operation] = []
        self._constants = {
            **{n: float(u) for n, u in UNITS.items()},
            **expressions.CONSTANTS,
            **constants,
        }
        self._definitions, self._variables = definitions, variables
        self._sums: dict[str, Sum] = {}
        self._known: dict[object, str] = {}
        self._reciprocals: dict[str, str] = {}

    # ------------------------------------------------------------------ sums

    def sum(self, text: str) -> Sum:
        """An expression as a sum of values that this block has."""
        return self._sum(expressions.parse(text).body)

    def value(self, total: Sum, out: str | None = None) -> str:
        """The name of a value that holds a sum (named ``out`` if given)."""
        if out is None and len(total.terms) == 1 and total.constant == 0:
            name, factor = total.terms[0]
            if factor == 1:
                return name
        if out is None and total in self._known:
            return self._known[total]
        name = out or self._new()
        self.operations.append(Linear(name, total))
        self._known.setdefault(total, name)
        return name

    def product(self, a: Sum, b: Sum) -> Sum:
        """The product of two sums; operations only where neither is constant."""
        for one, other in ((a, b), (b, a)):
            if not one.terms:
                return scaled(other, one.constant)
        (left, p), (right, q) = self._scaled_value(a), self._scaled_value(b)
        key = (Product, *sorted((left, right)))
        if key not in self._known:
            self._known[key] = self._new()
            self.operations.append(Product(self._known[key], left, right))
        return Sum(((self._known[key], p * q),))

    def select(self, condition: str, then: Sum, otherwise: str, out: str) -> None:
        """``out = then`` where the condition holds, else ``otherwise``."""
        self.operations.append(Select(out, condition, self.value(then), otherwise))

    def _scaled_value(self, total: Sum) -> tuple[str, float]:
        """A value and a factor: a sum of one term needs no operation, others begin with factor 1."""
        if len(total.terms) == 1 and total.constant == 0:
            return total.terms[0]
        factor = total.terms[0][1]
        return self.value(scaled(total, 1 / factor)), factor

    def _new(self) -> str:
        return f"value_{len(self.operations)}_"

    # ------------------------------------------------------------------ nodes

    def _sum(self, node: ast.expr) -> Sum:
        match node:
            case ast.Constant(value=int() | float() as value):
                return Sum((), float(value))
            case ast.Name(id=name):
                return self._name(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return scaled(self._sum(operand), -1)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._sum(operand)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return added(self._sum(left), self._sum(right))
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return added(self._sum(left), scaled(self._sum(right), -1))
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return self.product(self._sum(left), self._sum(right))
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._division(node, left, right)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self._power(node, left, right)
            case ast.Call(func=ast.Name(id="int"), args=[argument]) if _is_condition(argument):
                return self.condition(argument)
            case ast.Call(func=ast.Name(id="clip"), args=[x, low, high]):
                return self._clip(x, low, high)
            case ast.Call(args=[argument]):
                return self._call(node, argument)
        raise BackendError(f"'{shown(ast.unparse(node))}' has no operation in this lowering")

    def _name(self, name: str) -> Sum:
        if name in self._variables:
            return Sum(((self._variables[name], 1.0),))
        if name in self._constants:
            return Sum((), self._constants[name])
        if name in self._definitions:
            if name not in self._sums:
                self._sums[name] = self.sum(self._definitions[name])
            return self._sums[name]
        raise BackendError(f"'{name}' cannot be read here")

    def _division(self, node: ast.expr, left: ast.expr, right: ast.expr) -> Sum:
        variable = self._univariate(node)
        if variable and self._free(right):
            return self._function(node, variable)
        below = self._sum(right)
        if not below.terms:
            if below.constant == 0:
                raise BackendError(f"'{shown(ast.unparse(node))}' divides by 0")
            return scaled(self._sum(left), 1 / below.constant)
        name, factor = self._scaled_value(below)
        above = scaled(self._sum(left), 1 / factor)
        if name in self._reciprocals:  # x/(1/y) = x y
            return self.product(above, Sum(((self._reciprocals[name], 1.0),)))
        inverse = self._apply(name, "1/x")
        self._reciprocals[inverse] = name
        return self.product(above, Sum(((inverse, 1.0),)))

    def _power(self, node: ast.expr, left: ast.expr, right: ast.expr) -> Sum:
        exponent = self._sum(right)
        if not self._free(node):
            base = self._sum(left)
            return Sum((), base.constant**exponent.constant)
        whole = not exponent.terms and float(exponent.constant).is_integer()
        count = int(exponent.constant) if whole else 0
        if 1 <= count <= MAX_PRODUCTS and not any(
            isinstance(part, (ast.Div, ast.Call)) for part in ast.walk(left)
        ):
            base = self._sum(left)
            result = base
            for _ in range(count - 1):
                result = self.product(result, base)
            return result
        variable = self._univariate(node)
        if variable:
            return self._function(node, variable)
        if exponent.terms:
            raise BackendError(f"'{shown(ast.unparse(node))}' is a function of several variables")
        base, power = self._sum(left), exponent.constant
        if not base.terms:
            return Sum((), base.constant**power)
        name, factor = self._scaled_value(base)
        return scaled(Sum(((self._apply(name, f"x**({power!r})"), 1.0),)), factor**power)

    def _call(self, node: ast.expr, argument: ast.expr) -> Sum:
        variables = self._free(node)
        text = ast.unparse(node)
        if not variables:
            try:
                return Sum((), expressions.evaluate(text, self._constants))
            except NameError:  # a table
                raise BackendError(f"'{shown(text)}' has no operation") from None
        function = node.func.id  # type: ignore[attr-defined]
        if function not in FUNCTIONS:
            raise BackendError(f"the function '{function}' of '{shown(text)}' has no operation")
        variable = self._univariate(node)
        if variable:
            return self._function(node, variable)
        name = self.value(self._sum(argument))
        return Sum(((self._apply(name, f"{function}(x)"), 1.0),))

    def _clip(self, x: ast.expr, low: ast.expr, high: ast.expr) -> Sum:
        bounds = (self._sum(low), self._sum(high))
        if bounds[0].terms or bounds[1].terms:
            raise BackendError(
                f"the bounds of 'clip({shown(ast.unparse(x))}, ...)' are not constant"
            )
        total = self._sum(x)
        if not total.terms:
            return Sum((), min(max(total.constant, bounds[0].constant), bounds[1].constant))
        key = (Clip, total, bounds)
        if key not in self._known:
            inner = self.value(total)
            self._known[key] = self._new()
            self.operations.append(
                Clip(self._known[key], inner, bounds[0].constant, bounds[1].constant)
            )
        return Sum(((self._known[key], 1.0),))

    def condition(self, node: ast.expr) -> Sum:
        """A condition as 0 or 1."""
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                result = self.condition(values[0])
                for value in values[1:]:
                    result = self.product(result, self.condition(value))
                return result
            case ast.BoolOp(op=ast.Or(), values=values):
                result = self.condition(values[0])
                for value in values[1:]:
                    other = self.condition(value)
                    both = self.product(result, other)
                    result = added(added(result, other), scaled(both, -1))
                return result
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return added(Sum((), 1.0), scaled(self.condition(operand), -1))
            case ast.Compare(left=left, ops=[relation], comparators=[right]):
                sign = _RELATIONS.get(type(relation))
                if sign is None:
                    said = shown(ast.unparse(node))
                    raise BackendError(f"the comparison '{said}' has no operation")
                sides = (self._sum(left), self._sum(right))
                if not (sides[0].terms or sides[1].terms):
                    met = COMPARE[sign](sides[0].constant, sides[1].constant)
                    return Sum((), float(met))
                key = (Test, sign, *sides)
                if key not in self._known:
                    self._known[key] = self._new()
                    self.operations.append(Test(self._known[key], sign, *sides))
                return Sum(((self._known[key], 1.0),))
        raise BackendError(f"'{shown(ast.unparse(node))}' is not a condition")

    # ------------------------------------------------------------------ functions

    def _free(self, node: ast.expr) -> set[str]:
        """Variables that an expression depends on; a subexpression counts by its own variables."""
        found: set[str] = set()
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                name = part.id
                if name in self._variables:
                    found.add(name)
                elif name in self._definitions and name not in self._constants:
                    found |= self._free(expressions.parse(self._definitions[name]).body)
        return found

    def _univariate(self, node: ast.expr) -> str | None:
        """The variable of a smooth expression of one variable; None of any other."""
        variables = self._free(node)
        return variables.pop() if len(variables) == 1 and self._smooth(node) else None

    def _smooth(self, node: ast.expr) -> bool:
        """Whether an expression has no condition and nothing else that a table could not hold."""
        for part in ast.walk(node):
            if isinstance(part, (ast.Compare, ast.BoolOp, ast.Not, ast.Mod, ast.FloorDiv)):
                return False
            if isinstance(part, ast.Call) and part.func.id not in FUNCTIONS:  # type: ignore[attr-defined]
                return False
            if isinstance(part, ast.Name) and part.id in self._definitions:
                inner = expressions.parse(self._definitions[part.id]).body
                if not self._smooth(inner):
                    return False
        return True

    def _function(self, node: ast.expr, variable: str) -> Sum:
        """An expression of one variable alone."""
        numbers = _Substituted(self._constants, self._definitions, variable)
        text = ast.unparse(numbers.visit(copy.deepcopy(node)))
        return Sum(((self._apply(self._variables[variable], text), 1.0),))

    def _apply(self, name: str, text: str) -> str:
        key = (Function, name, text)
        if key not in self._known:
            self._known[key] = self._new()
            self.operations.append(Function(self._known[key], name, text))
        return self._known[key]


class _Substituted(ast.NodeTransformer):
    """An expression with numbers for its constants and ``x`` for its variable."""

    def __init__(
        self, constants: Mapping[str, float], definitions: Mapping[str, str], variable: str
    ):
        self._constants, self._definitions, self._variable = constants, definitions, variable

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id == self._variable:
            return ast.Name("x", ast.Load())
        if node.id in self._constants:
            value = self._constants[node.id]
            number = ast.Constant(abs(value))  # '-1.3 ** 2' is read as -(1.3 ** 2)
            return ast.UnaryOp(ast.USub(), number) if value < 0 else number
        if node.id in self._definitions:
            return self.visit(ast.parse(self._definitions[node.id], mode="eval").body)
        return node


def _is_condition(node: ast.expr) -> bool:
    negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    return isinstance(node, (ast.Compare, ast.BoolOp)) or negated


def scaled(total: Sum, factor: float) -> Sum:
    """A sum times a number."""
    if factor == 0:
        return Sum()
    return Sum(tuple((n, c * factor) for n, c in total.terms), total.constant * factor)


def added(a: Sum, b: Sum) -> Sum:
    """Two sums as one; terms that cancel vanish."""
    terms = dict(a.terms)
    for name, factor in b.terms:
        terms[name] = terms.get(name, 0.0) + factor
    kept = tuple((n, c) for n, c in terms.items() if c != 0 and math.isfinite(c))
    return Sum(kept, a.constant + b.constant)
