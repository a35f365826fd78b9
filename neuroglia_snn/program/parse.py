"""From Brian2's statements to typed kernels.

Brian2 turns abstract code into statements (it inserts subexpressions, takes out of the loop what all
units share, and folds constants); each statement's text is parsed here, once.
"""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.variables import ArrayVariable, Constant
from brian2.input.binomial import BinomialFunction
from brian2.input.timedarray import TimedArray, _find_K

from neuroglia_snn.program.code import Code
from neuroglia_snn.program.operations import DRAWS, OPERATIONS
from neuroglia_snn.program.program import Kernel, Program
from neuroglia_snn.program.refusal import refuse
from neuroglia_snn.program.tree import (
    BOOL,
    FLOAT64,
    INT32,
    INT64,
    Apply,
    Array,
    Call,
    Cell,
    Draw,
    Expression,
    Foreign,
    Literal,
    Local,
    Look,
    Parameter,
    Statement,
    Table,
    Type,
)

_BINARY: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_COMPARED: dict[type, str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_IN_PLACE = {f"{operator}=": operator for operator in _BINARY.values()}
_NAMED = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
#: Numbers up to here stay in the structure; others are parameters, whose values compile nothing.
_SMALL = 16
#: The names of Brian2's own functions, by identity: a script may give them others.
STANDARD = {id(function): name for name, function in DEFAULT_FUNCTIONS.items()}


class Names:
    """Arrays, numbers, tables and functions of a program, each once, by their identity."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._arrays: dict[int, Array] = {}
        self._tables: dict[tuple[int, int], Table] = {}
        self._foreign: dict[tuple[int, int], Foreign] = {}

    def array(self, variable: ArrayVariable) -> Array:
        """The array of one of Brian2's variables."""
        if id(variable) not in self._arrays:
            made = Array(len(self.program.arrays), variable, bool(variable.scalar))
            self.program.arrays.append(made)
            self._arrays[id(variable)] = made
        return self._arrays[id(variable)]

    def parameter(self, value: Any) -> Parameter:
        """A number that may change without another structure."""
        value = np.asarray(value).item()
        self.program.parameters.append(value)
        return Parameter(len(self.program.parameters) - 1, _type_of(value))

    def table(self, timed: TimedArray, dt: float) -> Table:
        """A timed array as a group on a clock of step ``dt`` reads it."""
        refinement = _find_K(dt, timed.dt)
        key = (id(timed), refinement)
        if key not in self._tables:
            values = np.ascontiguousarray(timed.values, float)
            made = Table(len(self.program.tables), values, timed.dt, refinement)
            self.program.tables.append(made)
            self._tables[key] = made
        return self._tables[key]

    def foreign(self, name: str, function: Function, owner: Any) -> Foreign:
        """A function of the script."""
        key = (id(function), id(owner))
        if key not in self._foreign:
            made = Foreign(len(self.program.foreign), name, function, owner)
            self.program.foreign.append(made)
            self._foreign[key] = made
        return self._foreign[key]

    def draw(self, kind: str, owner: Any, place: int, arguments: tuple[Expression, ...]) -> Draw:
        """A random number: the ``place``-th of its object."""
        self.program.draws.append((owner, place))
        return Draw(kind, len(self.program.draws) - 1, arguments, DRAWS[kind][1])

    def size(self, variable: Any) -> Expression:
        """How many units a domain has: a constant's number, or the element of a scalar."""
        if isinstance(variable, ArrayVariable):
            return Cell(self.array(variable), None)
        return self.parameter(int(variable.get_value()))


def _type_of(value: bool | int | float) -> Type:
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT32 if -(2**31) <= value < 2**31 else INT64
    return FLOAT64


class Parser:
    """The statements of one code object."""

    def __init__(self, names: Names, code: Code, owner: Any) -> None:
        """``owner`` is the object that runs the code, in the context of the code's own group."""
        self._names, self._owner, self._group = names, owner, code.owner
        self._code = code
        self._variables, self._indices = code.variables, code.variable_indices
        self._locals: dict[str, Local] = {}
        self._parameters: dict[str, Parameter] = {}
        self._numbers: dict[tuple[type, float | int], Parameter] = {}
        self._places = 0

    def kernel(self, *results: str) -> Kernel:
        """The kernel of the code; ``results`` are the names that its step reads."""
        before = tuple(self._statement(s) for s in self._code.scalar)
        each = tuple(self._statement(s) for s in self._code.vector)
        found = {name: self._locals[name] for name in results if name in self._locals}
        shared = any(
            isinstance(s.target, Cell) and s.target.index is not None and not self._unique(s.target)
            for s in each
        )
        return Kernel(before, each, found, shared, shared and self._code.any_order)

    def cell(self, name: str) -> Cell:
        """The element of an array that a name stands for."""
        array = self._names.array(self._variables[name])
        index = self._indices[name]
        if array.scalar or index == "_idx":
            return Cell(array, None)
        if index == "0":  # linked to a group of one unit
            return Cell(array, Literal(0, INT32))
        return Cell(array, self.cell(index))

    def _unique(self, cell: Cell) -> bool:
        if isinstance(cell.index, Cell):
            return bool(cell.index.array.variable.unique)
        return cell.index is None

    def _statement(self, statement: Any) -> Statement:
        name, operator = statement.var, statement.op
        value = self._expression(ast.parse(statement.expr.strip(), mode="eval").body)
        if operator == ":=":
            dtype = np.dtype(statement.dtype)
            self._locals[name] = Local(len(self._locals), dtype, bool(statement.scalar))
        operation = _IN_PLACE.get(operator)
        if name in self._locals:
            return Statement(self._locals[name], operation, value)
        if not isinstance(self._variables.get(name), ArrayVariable):
            raise refuse(self._owner.name, f"writing to '{name}'")
        return Statement(self.cell(name), operation, value, self._condition(name))

    def _condition(self, name: str) -> Expression | None:
        """The variable that must hold for a write to another (units that are not refractory)."""
        condition = getattr(self._variables[name], "conditional_write", None)
        if condition is None or condition.name in self._code.unconditional:
            return None
        return self.cell(condition.name)

    def _expression(self, node: ast.expr) -> Expression:
        if isinstance(node, ast.Constant):
            return self._number(node.value)
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.BinOp):
            return _apply(_BINARY[type(node.op)], *map(self._expression, (node.left, node.right)))
        if isinstance(node, ast.UnaryOp):
            value = self._expression(node.operand)
            if isinstance(node.op, ast.UAdd):
                return value
            return _apply("not" if isinstance(node.op, ast.Not) else "neg", value)
        if isinstance(node, ast.BoolOp):
            operation = "and" if isinstance(node.op, ast.And) else "or"
            first, *others = map(self._expression, node.values)
            for other in others:
                first = _apply(operation, first, other)
            return first
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            sides = map(self._expression, (node.left, node.comparators[0]))
            return _apply(_COMPARED[type(node.ops[0])], *sides)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, tuple(map(self._expression, node.args)))
        raise refuse(self._owner.name, f"the expression '{ast.unparse(node)}'")

    def _number(self, value: Any) -> Expression:
        if isinstance(value, bool):
            return Literal(value, BOOL)
        if not isinstance(value, (int, float)):
            raise refuse(self._owner.name, f"the value {value!r}")
        if abs(value) <= _SMALL and 2 * value == int(2 * value):
            return Literal(value, _type_of(value))
        key = (type(value), value)  # one for all its places, so that what is equal is done once
        if key not in self._numbers:
            self._numbers[key] = self._names.parameter(value)
        return self._numbers[key]

    def _name(self, name: str) -> Expression:
        if name in self._locals:
            return self._locals[name]
        variable = self._variables.get(name)
        if isinstance(variable, ArrayVariable):
            return self.cell(name)
        if name in ("True", "False"):
            return Literal(name == "True", BOOL)
        if isinstance(variable, Constant):
            if name not in self._parameters:
                self._parameters[name] = self._names.parameter(variable.get_value())
            return self._parameters[name]
        if name in _NAMED:
            return self._names.parameter(_NAMED[name])
        raise refuse(self._owner.name, f"the name '{name}'")

    def _call(self, name: str, arguments: tuple[Expression, ...]) -> Expression:
        function = self._variables.get(name, DEFAULT_FUNCTIONS.get(name))
        standard = STANDARD.get(id(function), getattr(function, "neuroglia_operation", None))
        if standard in OPERATIONS:
            return _apply(standard, *arguments)
        if standard in DRAWS:
            return self._draw(standard, arguments)
        if isinstance(function, BinomialFunction):
            return self._binomial(function)
        if isinstance(function, TimedArray):
            return Look(self._names.table(function, self._group.clock.dt_), arguments)
        if isinstance(function, Function) and standard is None:
            dtype = {"integer": INT32, "boolean": BOOL}.get(function._return_type, FLOAT64)
            return Call(self._names.foreign(name, function, self._group), arguments, dtype)
        raise refuse(self._owner.name, f"the function '{name}'")

    def _draw(self, kind: str, arguments: tuple[Expression, ...] = ()) -> Draw:
        self._places += 1
        return self._names.draw(kind, self._owner, self._places - 1, arguments)

    def _binomial(self, function: BinomialFunction) -> Expression:
        """Of n and p, as `remembered` keeps them; by a normal number where Brian2 approximates."""
        implementation = function.implementations._implementations.get("neuroglia")
        if implementation is None:
            raise refuse(
                self._owner.name,
                f"the function '{function.name}', made before neuroglia_snn.brian was imported,",
            )
        n, p, normal = implementation.get_code(None)
        if not normal:
            count, probability = self._names.parameter(int(n)), self._names.parameter(float(p))
            return self._draw("binomial", (count, probability))
        scale = self._names.parameter(math.sqrt(n * p * (1 - p)))
        middle = self._names.parameter(float(n * p))
        return _apply("+", _apply("*", self._draw("randn"), scale), middle)


def _apply(operation: str, *arguments: Expression) -> Apply:
    return Apply(operation, arguments, OPERATIONS[operation](*(a.dtype for a in arguments)))
