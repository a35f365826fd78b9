"""A model in Brian2's own words: no function and no name of ours is left in it.

Before it is written out, a model is settled as for our own Brian2 backends (`neuroglia_snn.language.arithmetic`), so
that a script works out what we do. What is settled there by functions of ours is spelled here in
Brian2's: a whole number that must not be divided in single precision is ``1.0*n``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace

from neuroglia_snn import spec
from neuroglia_snn.catalog import inputs
from neuroglia_snn.language import algebra, arithmetic, expressions
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.quantities import written

_CALLS = {
    arithmetic.CUT: "int",
    arithmetic.WHOLE: "int",
    arithmetic.CLIP: "clip",
    arithmetic.SIGN: "sign",
    arithmetic.FLOOR: "floor",
    arithmetic.CEIL: "ceil",
}
_OPERATIONS: dict[str, ast.operator] = {
    arithmetic.REMAINDER: ast.Mod(),
    arithmetic.QUOTIENT: ast.FloorDiv(),
    arithmetic.OF_WHOLE[arithmetic.REMAINDER]: ast.Mod(),
    arithmetic.OF_WHOLE[arithmetic.QUOTIENT]: ast.FloorDiv(),
}


def plain(model: spec.Model) -> spec.Model:
    """The model that a script is written from."""
    model = arithmetic.settle(inputs.separate(model.within_run()))
    model = _with_stimuli_named(model)
    return replace(
        model,
        populations={
            n: eqs.with_changed(_with_noise_named(p), lambda text, _: expression(text), _statements)
            for n, p in model.populations.items()
        },
        projections={
            n: eqs.with_changed(_with_noise_named(p), lambda text, _: expression(text), _statements)
            for n, p in model.projections.items()
        },
        stimuli={
            n: replace(s, amplitude=expression(s.amplitude)) for n, s in model.stimuli.items()
        },
    )


def expression(text: str) -> str:
    """An expression in the functions of Brian2, in the usual spelling."""
    return written(_Plain().visit(ast.parse(text.strip(), mode="eval").body))


def _statements(code: str) -> str:
    lines = []
    for line in code.splitlines():
        target, operator, value = _STATEMENT.fullmatch(line.strip()).groups()  # type: ignore[union-attr]
        lines.append(f"{target} {operator} {expression(value)}")
    return "\n".join(lines)


_STATEMENT = re.compile(r"(\w+) ([-+*/]?=) (.+)", re.ASCII)


class _Plain(ast.NodeTransformer):
    """Brian2's functions in the place of ours."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        arguments = [self.visit(argument) for argument in node.args]
        if name == arithmetic.FLOAT:
            return _float(arguments[0])
        if name in _OPERATIONS:
            return ast.BinOp(arguments[0], _OPERATIONS[name], arguments[1])
        return ast.Call(ast.Name(_CALLS.get(name, name)), arguments, [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.Div) and _is_rounded(left):
            left = _float(left)
        return ast.BinOp(left, node.op, right)


def _float(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant):
        return ast.Constant(float(node.value))  # type: ignore[arg-type]
    return ast.BinOp(ast.Constant(1.0), ast.Mult(), node)


def _is_rounded(node: ast.expr) -> bool:
    """Whether Brian2 may take a value for a whole number because of ``floor`` or ``ceil`` in it."""
    match node:
        case ast.Call(func=ast.Name(id="floor" | "ceil")):
            return True
        case ast.UnaryOp(operand=operand):
            return _is_rounded(operand)
        case ast.BinOp(left=left, op=operator, right=right) if not isinstance(operator, ast.Div):
            sides = (left, right)
            whole = all(_is_rounded(side) or _may_be_whole(side) for side in sides)
            return whole and any(map(_is_rounded, sides))
    return False


def _may_be_whole(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return type(value) is int
        case ast.Name() | ast.Call(func=ast.Name(id="int")):
            return True
        case ast.UnaryOp(operand=operand):
            return _may_be_whole(operand)
        case ast.BinOp(left=left, op=operator, right=right):
            whole = _may_be_whole(left) and _may_be_whole(right)
            return whole and not isinstance(operator, ast.Div)
    return False


# ----------------------------------------------------------------------------- names


def _with_stimuli_named(model: spec.Model) -> spec.Model:
    """The two parts of a variable that stimuli add to, under names that a person would give."""
    names: dict[str, str] = {}
    used = {n for p in model.populations.values() for n in eqs.parse(p.equations)}
    used |= {*model.parameters, *model.tables}
    for variable in dict.fromkeys(s.variable for s in model.stimuli.values()):
        whole = variable.removeprefix(inputs.of_stimuli(""))
        if whole != variable:
            names[variable] = free(f"{whole}_stimulus", used)
            names[inputs.without_stimuli(whole)] = free(f"{whole}_set", used)
    if not names:
        return model
    full = {n + side: names[n] + side for n in names for side in ("", "_pre", "_post")}
    return replace(
        model,
        populations={n: _renamed(p, full) for n, p in model.populations.items()},
        projections={n: _renamed(p, full) for n, p in model.projections.items()},
        stimuli={
            n: replace(s, variable=full.get(s.variable, s.variable))
            for n, s in model.stimuli.items()
        },
    )


def free(name: str, used: set[str]) -> str:
    """The name, or one with a number after it that is not used; it is used from now on."""
    number, result = 2, name
    while result in used:
        number, result = number + 1, f"{name}_{number}"
    used.add(result)
    return result


def _renamed(owner: eqs.Owner, names: Mapping[str, str]) -> eqs.Owner:
    """A population or projection with variables of ours under other names, on both sides of ``=``."""

    def text(code: str) -> str:
        return re.sub(r"\bneuroglia_\w+", lambda match: names.get(match[0], match[0]), code)

    owner = replace(
        owner,
        equations=text(owner.equations),
        initial={names.get(n, n): value for n, value in owner.initial.items()},
    )
    return eqs.with_changed(owner, lambda value, _: text(value), text)


def _with_noise_named(owner: eqs.Owner) -> eqs.Owner:
    """The noise ``xi`` under a name that Brian2 lets several equations share, if they do."""
    own = eqs.parse(owner.equations)
    if eqs.SHARED_NOISE not in eqs.noises(own):
        return owner
    used = {n for e in own.values() for n in e.noise_terms}
    names = {"xi": free("xi_shared", used)}
    changed = {n: algebra.substituted(e.expression, names) for n, e in own.items() if e.expression}
    return replace(owner, equations=eqs.with_expressions(owner.equations, changed))


def spelled(text: str) -> str:
    """An expression of plain parts in the usual spelling."""
    return written(expressions.parse(text))
