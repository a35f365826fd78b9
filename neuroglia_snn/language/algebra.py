"""Algebra on parsed trees: names are read and substituted, and linear parts are taken.

This is the one place where names in code are read and changed. Nothing here works on text, where a
name can hide in another one, and nothing is simplified: what has no value (``1/(x - x)``) has none on
any backend. Code is an expression or a block of statements that has been parsed and checked before
(`neuroglia_snn.language.expressions`), or that we have made.
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

#: Characters of an expression with its definitions written out.
MAX_LENGTH = 200_000


class TooLong(ValueError):
    """An expression is too long with what its names stand for written out."""


class NotLinear(ValueError):
    """An expression is not linear in the names asked for; the message is the offending piece."""


@dataclass(frozen=True)
class Linear:
    """An expression as ``rest`` plus the sum of ``factors[name] * name``."""

    rest: str
    factors: Mapping[str, str]


class _Substitution(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]):
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self._values.get(node.id, node))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        arguments = [self.visit(argument) for argument in node.args]
        return ast.Call(node.func, arguments, [])  # names of functions are no variables


class _Hiding(ast.NodeTransformer):
    """Names for all that is no sum, product or whole power of names ``own``, and is of one of them."""

    def __init__(self, own: Collection[str]):
        self._own = frozenset(own)
        self.hidden: dict[str, str] = {}

    def visit(self, node: ast.AST) -> ast.AST:
        match node:
            case ast.Name() | ast.Constant():
                return node
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult()) | ast.UnaryOp(op=ast.USub()):
                return self.generic_visit(node)
            case ast.BinOp(op=ast.Div(), right=divisor) if not _names(divisor) & self._own:
                return self.generic_visit(node)
            case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=int(power))) if power > 0:
                return self.generic_visit(node)
            case ast.expr() if _names(node) & self._own:
                text = ast.unparse(node)
                known = {value: name for name, value in self.hidden.items()}
                name = known.get(text, f"hidden_{len(self.hidden)}_")
                self.hidden[name] = text
                return ast.Name(name)
        return node


def hidden(text: str, own: Collection[str]) -> tuple[str, dict[str, str]]:
    """An expression as a polynomial in some names, and what the new names in it stand for."""
    hiding = _Hiding(own)
    tree = hiding.visit(_tree(text))
    return (ast.unparse(tree) if hiding.hidden else text), hiding.hidden


def _tree(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


def substituted(code: str, values: Mapping[str, str]) -> str:
    """Code in which each name stands for an expression, all at once; functions keep their names.

    A variable that a statement assigns to takes its other name as well. Code without any of the
    names comes back as it is.

    Raises
    ------
    TooLong
    """
    named = names(code) & values.keys()
    if not named:
        return code
    trees = {name: _tree(values[name]) for name in named}
    result = ast.unparse(_Substitution(trees).visit(ast.parse(code.strip())))
    if len(result) > MAX_LENGTH:
        raise TooLong(f"over {MAX_LENGTH} characters")
    return result


@functools.lru_cache(maxsize=4096)
def names(code: str) -> frozenset[str]:
    """All names in code, those of functions and of what it assigns to among them."""
    return frozenset(_names(ast.parse(code.strip())))


def called(code: str) -> list[str]:
    """Names of the functions that code calls, once for each call."""
    calls = (node.func for node in ast.walk(ast.parse(code.strip())) if isinstance(node, ast.Call))
    return [function.id for function in calls if isinstance(function, ast.Name)]


def linear(text: str, unknowns: Collection[str]) -> Linear:
    """Take an expression apart that is linear in some names.

    Raises
    ------
    NotLinear
        If it is not written as a sum of products that hold one of the names each.
    """
    rest, factors = _parts(_tree(text), frozenset(unknowns))
    return Linear(
        "0" if rest is None else ast.unparse(rest),
        {name: ast.unparse(factor) for name, factor in factors.items()},
    )


_Parts = tuple["ast.expr | None", "dict[str, ast.expr]"]


def _parts(node: ast.expr, names: frozenset[str]) -> _Parts:
    """The rest (None: 0) and the factors of a tree."""
    if not _names(node) & names:
        return node, {}
    match node:
        case ast.Name(id=name):
            return None, {name: ast.Constant(1)}
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            return _each(_parts(operand, names), lambda part: ast.UnaryOp(sign, part))
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=right):
            return _sum(_parts(left, names), sign, _parts(right, names))
        case ast.BinOp(left=left, op=ast.Mult() as times, right=right):
            if not _names(left) & names:
                return _each(_parts(right, names), lambda part: ast.BinOp(left, times, part))
            if not _names(right) & names:
                return _each(_parts(left, names), lambda part: ast.BinOp(part, times, right))
        case ast.BinOp(left=left, op=ast.Div() as over, right=right):
            if not _names(right) & names:
                return _each(_parts(left, names), lambda part: ast.BinOp(part, over, right))
    raise NotLinear(ast.unparse(node))


def _each(parts: _Parts, change) -> _Parts:
    rest, factors = parts
    return rest and change(rest), {name: change(factor) for name, factor in factors.items()}


def _sum(left: _Parts, sign: ast.operator, right: _Parts) -> _Parts:
    def total(a: ast.expr | None, b: ast.expr | None) -> ast.expr | None:
        if b is None:
            return a
        if a is None:
            return ast.UnaryOp(ast.USub(), b) if isinstance(sign, ast.Sub) else b
        return ast.BinOp(a, sign, b)

    names = dict.fromkeys((*left[1], *right[1]))
    factors = {name: total(left[1].get(name), right[1].get(name)) for name in names}
    return total(left[0], right[0]), {n: f for n, f in factors.items() if f is not None}


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
