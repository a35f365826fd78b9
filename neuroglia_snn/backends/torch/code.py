"""Abstract code on tensors: the model's statements, checked node by node, as operations of torch."""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CodeType

import torch

from neuroglia_snn.errors import BackendError, shown
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language.quantities import UNITS

Value = torch.Tensor | float


def _tensor(x: Value) -> torch.Tensor:
    """A number as a tensor of no dimension, which leaves the precision of others as it is."""
    return x if isinstance(x, torch.Tensor) else torch.tensor(x, dtype=torch.float64)


def _of(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda *arguments: function(*map(_tensor, arguments))


def integer(x: Value, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """The whole part; of truth values in ``dtype``, as torch takes an integer times a number for float32."""
    x = _tensor(x)
    return torch.trunc(x) if x.is_floating_point() else x.to(dtype)


def _exprel(x: torch.Tensor) -> torch.Tensor:
    small = x.abs() < 1e-8
    safe = torch.where(small, torch.ones_like(x), x)
    return torch.where(small, 1 + x / 2, torch.expm1(safe) / safe)


#: Functions of model equations, and what the rewriting below puts in the place of operators.
FUNCTIONS: dict[str, Callable] = {
    **{n: _of(getattr(torch, n)) for n in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan")},
    **{n: _of(getattr(torch, n)) for n in ("exp", "log", "log10", "sqrt", "ceil", "floor", "abs")},
    **{n: _of(getattr(torch, n)) for n in ("arcsin", "arccos", "expm1", "log1p", "sign")},
    "exprel": _of(_exprel),
    "clip": _of(lambda x, low, high: torch.minimum(torch.maximum(x, low), high)),
    "int": integer,
}
_OPERATORS: dict[str, Callable] = {
    "_and": _of(torch.logical_and),
    "_or": _of(torch.logical_or),
    "_not": _of(torch.logical_not),
}
#: Random functions; whoever runs the code provides them.
RANDOM = ("rand", "randn")


class _Rewritten(ast.NodeTransformer):
    """Logic that works on tensors; only functions that there are."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        name = "_and" if isinstance(node.op, ast.And) else "_or"
        values = [self.visit(value) for value in node.values]
        return functools.reduce(lambda left, right: _call(name, left, right), values)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return _call("_not", operand)
        return ast.UnaryOp(node.op, operand)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        if len(node.ops) > 1:
            raise BackendError(
                f"'{shown(ast.unparse(node))}' compares more than two values; join with 'and'"
            )
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = node.func.id  # type: ignore[attr-defined]
        if name not in FUNCTIONS and name not in RANDOM:
            raise BackendError(
                f"the function '{name}' cannot be used in a layer"
                f" (there are {', '.join((*FUNCTIONS, *RANDOM))})"
            )
        node.args = [self.visit(a) for a in node.args]
        return node


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


@dataclass(frozen=True)
class Code:
    """Compiled statements; ``reads`` are the names that must have a value before.

    ``statements`` are those that it was made from, and is made from again where it is unpickled.
    """

    compiled: CodeType
    reads: frozenset[str]
    statements: tuple[str, ...]

    def __reduce__(self) -> tuple:
        return translate, (self.statements,)

    def run(self, values: dict) -> None:
        """Run the statements in ``values``: tensors and numbers in SI units, by name."""
        exec(self.compiled, _GLOBALS, values)


#: Units and constants in SI units.
CONSTANTS: dict[str, float] = {n: float(u) for n, u in UNITS.items()} | dict(expressions.CONSTANTS)
#: torch imports parts of itself on first use, through the builtins of whoever calls it; no checked
#: expression can call anything but FUNCTIONS.
_GLOBALS = {"__builtins__": {"__import__": __import__}, **FUNCTIONS, **_OPERATORS, **CONSTANTS}


def translate(statements: Iterable[str]) -> Code:
    """Compile statements ``name = expression`` (also ``+=``, ``-=``, ``*=``, ``/=``).

    Every expression is parsed and checked by `neuroglia_snn.language.expressions` before anything is compiled.

    Raises
    ------
    UserError
        For what is not plain arithmetic, or a function that has no tensor form.
    """
    body: list[ast.stmt] = []
    reads: set[str] = set()
    written: set[str] = set()
    statements = tuple(statements)
    for statement in statements:
        for target, operator, text in expressions.statements(statement):
            tree = copy.deepcopy(expressions.parse(text)).body
            used = algebra.names(text) - set(_GLOBALS) - {"True", "False"}
            if operator != "=":
                used |= {target}
                kind = {"+=": ast.Add, "-=": ast.Sub, "*=": ast.Mult, "/=": ast.Div}[operator]
                tree = ast.BinOp(ast.Name(target, ast.Load()), kind(), tree)
            reads |= used - written
            written.add(target)
            value = _Rewritten().visit(tree)
            body.append(ast.Assign([ast.Name(target, ast.Store())], value))
    module = ast.fix_missing_locations(ast.Module(body, []))
    return Code(compile(module, "<model>", "exec"), frozenset(reads), statements)
