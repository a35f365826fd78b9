"""Brian2's abstract code as C++ statements, for loops of our own.

Brian2 parses, checks and optimises (loop invariants come out of the loop); only the last step, from
its statements to text, is done here, because our loops read neighbours and predicted values that no
Brian2 variable stands for, and in single precision.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import brian2
import numpy as np
from brian2.codegen.translation import make_statements
from brian2.core.functions import Function
from brian2.core.variables import ArrayVariable, AuxiliaryVariable, Constant, Variable
from brian2.parsing.rendering import CPPNodeRenderer
from brian2.units.allunits import second
from brian2.utils.stringtools import get_identifiers

from neuroglia_snn import arithmetic

#: Functions of model equations; all are defined in runtime.hpp.
_FUNCTIONS = {
    **{n: n for n in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "log10", "sqrt")},
    **{n: n for n in ("ceil", "floor", "expm1", "log1p", "exprel", "clip", "sign", "timestep")},
    **{"arcsin": "asin", "arccos": "acos", "arctan": "atan", "abs": "absolute", "int": "integer"},
    **{n: n.removeprefix("neuroglia_") for n in arithmetic.CPP},
    arithmetic.CLIP: "within",
}
#: Those whose arguments have one type.
_OF_ONE_TYPE = {"clip", "exprel", "timestep", *arithmetic.CPP}


#: Names of what a block computes for the loop around it begin so.
RESULT = "neuroglia_"
#: Ends the name of a shared number in double precision (``x_`` is the one that the loop uses).
_DOUBLE = "_in_double"


@dataclass(frozen=True)
class Block:
    """C++ of some abstract code.

    ``prelude`` stands before a loop over units: one line for each number that is the same for all
    of them. ``body`` stands in the loop. ``reads`` and ``writes`` are per-unit arrays of the group,
    ``given`` the per-unit values that the loop must provide.
    """

    prelude: tuple[str, ...]
    body: tuple[str, ...]
    reads: frozenset[str]
    writes: frozenset[str]
    given: frozenset[str]


class _Renderer(CPPNodeRenderer):
    """Expressions as C++ in which every literal has the type ``number``.

    Names of the model get a ``suffix`` with an underscore, so that they are never ours.
    """

    def __init__(
        self,
        number: str,
        suffix: str = "_",
        shared: Collection[str] = (),
        parts: Mapping[str, int] | None = None,
        hoists: bool = False,
    ):
        super().__init__()
        self._number, self._suffix, self._shared = number, suffix, shared
        self._parts, self._hoists = parts or {}, hoists
        #: Names of the bounds of ``clip`` that are numbers, which ``hoists`` takes out.
        self.bounds: dict[str, str] = {}

    def render_Constant(self, node):
        if isinstance(node.value, bool):
            return "true" if node.value else "false"
        return f"{self._number}({float(node.value)!r})"

    def render_Name(self, node):
        known = {"inf": "HUGE_VAL", "nan": "NAN", "True": "true", "False": "false"}
        if node.id in known:
            return known[node.id]
        return f"{node.id}{self._suffix}"

    def render_BinOp(self, node):
        node = self._shared_first(node)
        kind = type(node.op).__name__
        if kind not in ("Pow", "Mod", "FloorDiv", "Div"):
            return super().render_BinOp(node)
        left, right = self.render_node(node.left), self.render_node(node.right)
        if kind == "Pow":
            sign, power = "", node.right
            if isinstance(power, ast.UnaryOp) and isinstance(power.op, ast.USub):
                sign, power = f"{self._number}(1)/", power.operand
            exponent = getattr(power, "value", None)
            if isinstance(exponent, int) and 0 < exponent <= 64:
                return f"({sign}fn::power<{exponent}>({self._number}({left})))"
            return f"std::pow({self._number}({left}), {self._number}({right}))"
        if kind in ("Mod", "FloorDiv"):  # of integers: others are functions
            name = "remainder" if kind == "Mod" else "quotient"
            return f"fn::{name}(int64_t({left}), int64_t({right}))"
        return f"({self._number}({left})/({right}))"

    def _shared_first(self, node):
        """``c + (x + y)``, of which units share c, as ``(c + x) + y``: one operation less where x is a product."""
        terms = [node.right]
        while _is_sum(terms[0]):
            terms[:1] = [terms[0].left, terms[0].right]
        first = getattr(node.left, "id", None)
        if not _is_sum(node) or first not in self._shared or len(terms) == 1:
            return node
        return functools.reduce(lambda a, b: ast.BinOp(a, ast.Add(), b), terms, node.left)

    def render_BoolOp(self, node):  # without short cuts: branches would keep loops from vectorising
        sign = " & " if type(node.op).__name__ == "And" else " | "
        return "(" + sign.join(f"bool({self.render_node(v)})" for v in node.values) + ")"

    def render_Call(self, node):
        arguments = [self.render_node(a) for a in node.args]
        name = node.func.id
        if name == arithmetic.FLOAT:
            return f"{self._number}({arguments[0]})"
        if name in _OF_ONE_TYPE:
            arguments = [f"{self._number}({a})" for a in arguments]
        if name == "clip" and self._hoists:
            arguments[1:] = [self._bound(a) for a in arguments[1:]]
        if name in self._parts:
            arguments.append(f"{self._parts[name]}.0")
        known = _FUNCTIONS.get(name)
        return f"{f'fn::{known}' if known else f'user::{name}'}({', '.join(arguments)})"

    def _bound(self, text: str) -> str:
        """A variable for a number: with one, gcc finds the processor's minimum and maximum."""
        if get_identifiers(text) - {self._number}:
            return text
        name = f"{RESULT}bound_{len(self.bounds)}_"
        return self.bounds.setdefault(text, name)


def parts_of(table: brian2.TimedArray, dt: float) -> int:
    """Parts of a table's interval to which Brian2 rounds a time, on a clock of ``dt`` seconds."""
    return max(int(2 ** np.ceil(np.log2(8 / dt * table.dt))), 1)


def _is_sum(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)


def translate(
    code: str,
    group: brian2.Group,
    namespace: Mapping[str, object],
    real: str,
    given: Mapping[str, np.dtype] | None = None,
    dt: float | None = None,
) -> Block:
    """Translate abstract code of a group.

    Parameters
    ----------
    code : statements in Brian2's abstract language
    group : whose variables the names mean
    namespace : functions and constants by name
    real : C++ type of the group's numbers in the loop
    given : per-unit values that are no variables of the group, with their types
    dt : of the clock that Brian2 would run the code on, in s; the group's if None
    """
    auxiliary = {
        name: AuxiliaryVariable(name, dtype=dtype) for name, dtype in (given or {}).items()
    }
    auxiliary["i"] = AuxiliaryVariable("i", dtype=np.int32)
    assigned = {line.split("=")[0].strip(" +-*/") for line in code.splitlines() if "=" in line}
    names = get_identifiers(code) | {"t", "dt"}
    known = {n for n in names if n in group.variables or n in auxiliary or n in namespace}
    variables = group.resolve_all(
        known | (names - assigned), namespace, set(), additional_variables=auxiliary
    )
    _add_read_by_subexpressions(variables, group, namespace, auxiliary)
    scalar, vector = make_statements(code, variables, np.float64, optimise=True)
    tables = {n: v for n, v in namespace.items() if isinstance(v, brian2.TimedArray)}
    parts = {n: parts_of(v, dt or group.clock.dt_) for n, v in tables.items()}
    return _render(scalar, vector, variables, auxiliary, real, parts)


def _add_read_by_subexpressions(variables, group, namespace, auxiliary) -> None:
    """Everything that subexpressions name, to any depth."""
    pending = list(variables.values())
    while pending:
        variable = pending.pop()
        for name in getattr(variable, "identifiers", ()):
            if name not in variables:
                found = group.resolve_all([name], namespace, set(), additional_variables=auxiliary)
                variables.update(found)
                pending += found.values()


def _is_array(variable: Variable | Function | None) -> bool:
    return isinstance(variable, ArrayVariable) and not variable.scalar


def _is_shared(variable: Variable | Function | None) -> bool:
    return isinstance(variable, Constant) or (
        isinstance(variable, ArrayVariable) and variable.scalar
    )


def _render(scalar, vector, variables, auxiliary, real: str, parts: Mapping[str, int]) -> Block:
    used_in_loop: set[str] = set()
    for statement in vector:
        used_in_loop |= get_identifiers(statement.expr) | {statement.var}
    used = set(used_in_loop)
    for statement in scalar:
        used |= get_identifiers(statement.expr)
    shared = sorted(n for n in used if _is_shared(variables.get(n)))
    prelude = [f"const double {n}{_DOUBLE} = {_source(n, variables[n])};" for n in shared]
    hoisted = {s.var: s for s in scalar}
    outer = _Renderer("double", _DOUBLE, parts=parts)
    prelude += [f"const double {s.var}{_DOUBLE} = {outer.render_expr(s.expr)};" for s in scalar]
    for name in (*shared, *hoisted):
        if name in used_in_loop or name.startswith(RESULT):
            keep = real == "double" or _is_time(name, variables, hoisted)
            prelude.append(f"const {'double' if keep else real} {name}_ = {name}{_DOUBLE};")
    inner = _Renderer(real, shared={*shared, *hoisted}, parts=parts, hoists=True)
    in_double = _Renderer("double", parts=parts)
    body, reads, writes, local = [], set(), set(), set()
    for statement in vector:
        for name in get_identifiers(statement.expr):
            if _is_array(variables.get(name)) and name not in writes:
                reads.add(name)
        target = statement.var
        whole = _is_array(variables.get(target)) and variables[target].dtype == np.int32
        text = (in_double if whole else inner).render_expr(statement.expr)
        if statement.op == ":=":
            body.append(f"{'const ' if statement.constant else ''}auto {target}_ = {text};")
            local.add(target)
            continue
        if _is_array(variables.get(target)):
            if statement.op != "=" and target not in writes:
                reads.add(target)
            writes.add(target)
        if whole and statement.op != "=":  # in 32 bits, whatever the type of the text
            text = f"fn::wrapped(int64_t({target}_) {statement.op[0]} int64_t({text}))"
        body.append(f"{target}_ {'=' if whole else statement.op} {text};")
    prelude += [f"const {real} {n} = fn::variable({text});" for text, n in inner.bounds.items()]
    return Block(
        tuple(prelude),
        tuple(body),
        frozenset(reads),
        frozenset(writes),
        frozenset(used_in_loop & set(auxiliary)),
    )


def _is_time(name: str, variables, hoisted) -> bool:
    """Whether a number is a time: single precision would blur it in long runs."""
    if name in hoisted:
        names = get_identifiers(hoisted[name].expr)
        return "t" in names and not any(isinstance(variables.get(n), Function) for n in names)
    return name != "dt" and variables[name].dim == second.dim


def _source(name: str, variable: Variable) -> str:
    """Where a shared number comes from."""
    if isinstance(variable, Constant):
        return repr(float(variable.get_value())).replace("inf", "HUGE_VAL")
    if name in ("t", "dt", "N", "t_in_timesteps"):
        return f"neuroglia_{name}"
    return f"brian::{brian2.device.get_array_name(variable)}[0]"
