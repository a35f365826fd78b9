"""Expressions as people read them, for messages."""

from __future__ import annotations

from neuroglia_snn import errors
from neuroglia_snn.program.tree import (
    Apply,
    Call,
    Cell,
    Draw,
    Entry,
    Expression,
    Literal,
    Local,
    Look,
    Parameter,
)

_INFIX = frozenset(["+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!="])


def text(e: Expression) -> str:
    """An expression with the names of its arrays; local values are ``x`` and a number."""
    if isinstance(e, Literal):
        return f"{e.value:g}" if isinstance(e.value, float) else str(e.value)
    if isinstance(e, Parameter):
        return f"p{e.number}"
    if isinstance(e, Local):
        return "x" if e.number < 0 else f"x{e.number}"
    if isinstance(e, Cell):
        return e.array.name
    arguments = [text(a) for a in e.arguments]
    if isinstance(e, Apply) and e.operation in (*_INFIX, "and", "or"):
        return f"({arguments[0]} {e.operation} {arguments[1]})"
    if isinstance(e, Apply):
        name = {"neg": "-", "not": "not "}.get(e.operation, e.operation)
    elif isinstance(e, Draw):
        name = e.kind
    elif isinstance(e, (Look, Entry)):
        name = "table"
    else:
        assert isinstance(e, Call)
        name = e.foreign.name
    return f"{name}({', '.join(arguments)})"


def shown(e: Expression) -> str:
    """An expression as a message may quote it."""
    return errors.shown(text(e).removeprefix("(").removesuffix(")") if _bare(e) else text(e))


def _bare(e: Expression) -> bool:
    return isinstance(e, Apply) and e.operation in (*_INFIX, "and", "or")
