"""Lattices in single precision: arrays in float32 in the place of Brian2's, and statements that compute with them.

What Brian2 sees stays float64: a `Twin` takes its values from Brian2's array, and gives them back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from brian2.units.allunits import second

from neuroglia_snn.program.fuse import Fused, Stage, cells_of_units, may_be_single
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.linear import shared
from neuroglia_snn.program.program import Kernel, Program, Step
from neuroglia_snn.program.tree import (
    FLOAT32,
    FLOAT64,
    Apply,
    Array,
    Call,
    Cell,
    Draw,
    Entry,
    Expression,
    Literal,
    Local,
    Look,
    Statement,
)


@dataclass(eq=False)
class Twin(Given):
    """The values of an array of Brian2's in float32."""

    original: Array | None = None

    def __post_init__(self) -> None:
        self._given = self.values.copy()

    def take(self) -> None:
        """Have Brian2's values."""
        assert self.original is not None
        self.values[:] = self.original.values()
        self._given = self.values.copy()

    def give(self) -> None:
        """Let Brian2 have the values, if they have changed since it had them."""
        assert self.original is not None
        if not np.array_equal(self.values, self._given, equal_nan=True):
            self.original.values()[:] = self.values
            self._given = self.values.copy()


def twins(program: Program) -> list[Twin]:
    """All that a program has."""
    return [a.variable for a in program.arrays if isinstance(a.variable, Twin)]


def narrowed(program: Program) -> Program:
    """The program whose lattices are in single precision, where they may be."""
    found = [s for s in program.steps if isinstance(s, Fused) and may_be_single(program, s)]
    found = [s for s in found if not needs_double(s)]
    halves: dict[Array, Array] = {}
    for array in (a for step in found for a in step.arrays()):
        if array.dtype == FLOAT64 and not is_time(array) and array not in halves:
            halves[array] = Array(array.number, _twin(array), False)
    steps: list[Step] = []
    for step in program.steps:
        changed = _swapped(step, halves)
        if step in found:
            changed = _Narrow(changed).step()
        steps.append(changed)
    arrays = [halves.get(a, a) for a in program.arrays]
    return replace(program, steps=steps, arrays=arrays)


def _twin(array: Array) -> Twin:
    v = array.variable
    values = np.array(array.values(), np.float32)
    return Twin(v.name, values, v.owner, bool(v.constant), False, v.dim, array)


def needs_double(step: Fused) -> bool:
    """Whether a step computes with times, which single precision would round."""
    statements = [s for stage in step.stages for s in stage.statements]
    if any(is_time(e.array) for s in statements for e in cells_of_units(s)):
        return True
    definitions: dict[Expression, Expression] = {s.target: s.value for s in step.before}
    return any(_computes_with_time(x, definitions) for s in statements for x in s.expressions())


def is_time(array: Array) -> bool:
    """Whether an array holds times."""
    return array.dtype == FLOAT64 and array.variable.dim == second.dim


def _computes_with_time(e: Expression, definitions: Mapping[Expression, Expression]) -> bool:
    """Whether the time itself is a number in an expression."""
    if isinstance(e, (Call, Look)) or (shared(e) and e.dtype.kind != "f"):
        return False
    if isinstance(e, Local):
        return e in definitions and _computes_with_time(definitions[e], definitions)
    if isinstance(e, Cell):
        return e.array.scalar and e.array.variable.name == "t"
    return any(_computes_with_time(a, definitions) for a in getattr(e, "arguments", ()))


#: Parts of a step in which arrays are exchanged.
_PARTS = (Step, Kernel, Stage, Statement, Cell, Apply, Draw, Look, Call, Entry)


def _swapped(part: Any, arrays: Mapping[Array, Array]) -> Any:
    """A step, or a part of one, with other arrays."""
    if isinstance(part, Array):
        return arrays.get(part, part)
    if isinstance(part, dict):
        return {_swapped(k, arrays): _swapped(v, arrays) for k, v in part.items()}
    if isinstance(part, (tuple, list, frozenset, set)):
        return type(part)(_swapped(one, arrays) for one in part)
    if isinstance(part, _PARTS) and is_dataclass(part):
        old = {f.name: getattr(part, f.name) for f in fields(part) if f.name != "owner"}
        new = {name: _swapped(value, arrays) for name, value in old.items()}
        return replace(part, **new)  # type: ignore[type-var]
    return part


class _Narrow:
    """The statements of a step's stages in float32."""

    def __init__(self, step: Fused) -> None:
        self._step = step
        statements = [*step.before, *(s for stage in step.stages for s in stage.statements)]
        self._free = Kernel((), tuple(statements)).first_free()
        self._shared: dict[Expression, Local] = {}

    def step(self) -> Fused:
        """The step."""
        stages = tuple(Stage(tuple(self._statements(s))) for s in self._step.stages)
        more = tuple(Statement(local, None, e) for e, local in self._shared.items())
        carried = frozenset(_single(k) for k in self._step.carried)
        before = (*self._step.before, *more)
        return replace(self._step, before=before, stages=stages, carried=carried)  # type: ignore[arg-type]

    def _statements(self, stage: Stage) -> Iterator[Statement]:
        for s in stage.statements:
            condition = None if s.condition is None else self._expression(s.condition)
            target = _single(s.target)
            yield Statement(target, s.operation, self._expression(s.value), condition)  # type: ignore[arg-type]

    def _expression(self, e: Expression) -> Expression:
        real = e.dtype == FLOAT64
        if isinstance(e, Literal):
            return replace(e, dtype=FLOAT32) if real else e
        if shared(e):
            return self._once(e) if real else e
        if isinstance(e, (Local, Draw)) or (isinstance(e, Apply) and e.operation == "gaussian"):
            return _single(e)
        if isinstance(e, Apply):
            return _single(replace(e, arguments=tuple(map(self._expression, e.arguments))))
        return e

    def _once(self, e: Expression) -> Local:
        """A value that units share, which is worked out in double precision."""
        if e not in self._shared:
            self._shared[e] = Local(self._free + len(self._shared), FLOAT32, True)
        return self._shared[e]


def _single(e: Expression) -> Expression:
    """A value in float32 that was in float64, where it is not an array's."""
    return e if isinstance(e, Cell) or e.dtype != FLOAT64 else replace(e, dtype=FLOAT32)  # type: ignore[type-var]
