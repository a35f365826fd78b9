"""Sums over synapses as gathers, where the synapses are the neighbours of a lattice.

Brian2 adds the value of each synapse to its target. Where the list of synapses turns out to be a lattice,
each unit can add up the values of its neighbours itself, at places that need no list.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, TypeGuard

import numpy as np
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from neuroglia_snn.program.lattice import Lattice, Offset, explained
from neuroglia_snn.program.linear import Linear, Linearizer
from neuroglia_snn.program.operations import OPERATIONS
from neuroglia_snn.program.program import Kernel, Program, Step, Sum, Update
from neuroglia_snn.program.tree import (
    BOOL,
    FLOAT64,
    Apply,
    Array,
    Call,
    Cell,
    Draw,
    Expression,
    Literal,
    Local,
    Parameter,
    Statement,
    rewritten,
    walk,
)


@dataclass(eq=False)
class Given:
    """Constant values of a group's units that Brian2 does not hold, in the form of its variables."""

    name: str
    values: np.ndarray
    owner: Any
    constant: bool = True
    unique: bool = False
    dim: Dimension = field(default=DIMENSIONLESS)

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    def get_value(self) -> np.ndarray:
        return self.values


@dataclass(frozen=True, eq=False)
class Gather(Update):
    """What each unit of a group adds up; ``group`` is its name and size."""

    group: tuple[str, int]


class Gathers:
    """Turns sums of a program into gathers; the arrays of indices that this takes join the program's."""

    def __init__(self, program: Program) -> None:
        self.arrays = list(program.arrays)
        self._parameters = program.parameters
        self._made: dict[tuple[int, Offset, str], Array] = {}

    def of(self, step: Sum, group: str) -> Gather | str:
        """The gather of a sum into the group, or why there is none."""
        value, size = inlined(step), len(step.target.values())
        if value is None:
            return (
                "a synapse draws random numbers, calls a function of the script or has conditions"
            )
        if any(isinstance(e, Cell) and e.array is step.target for e in walk(value)):
            return "it reads its own result"
        if not self._whole(step, size):
            return "it is of a part of its group"
        source = _source(value, step.index, group)
        if source is None:
            return "a synapse reads more than values of two units of its group"
        found = explained(source.values(), step.index.values(), size)
        if found is None:
            return "its synapses are not those of a lattice with 4 or 8 neighbours, nor of a chain"
        terms = [
            self._term(value, step.index, source, found[0], offset, group) for offset in found[1]
        ]
        total = terms[0]
        for term in terms[1:]:
            total = Apply("+", (total, term), OPERATIONS["+"](total.dtype, term.dtype))
        kernel = Kernel(step.kernel.before, (Statement(Cell(step.target, None), None, total),))
        return Gather(step.owner, step.clock, kernel, step.count, (group, size))

    def _whole(self, step: Sum, size: int) -> bool:
        """Whether the sum fills its target from the first unit to the last."""

        def number(e: Expression) -> int | None:
            if isinstance(e, Parameter):
                return int(self._parameters[e.number])
            return int(e.array.values()[0]) if isinstance(e, Cell) else None

        return (number(step.start), number(step.stop)) == (0, size)

    def _term(
        self,
        value: Expression,
        target: Array,
        source: Array,
        lattice: Lattice,
        offset: Offset,
        group: str,
    ) -> Expression:
        """The value of the synapse from the unit at an offset, 0 where there is none."""
        index = self._given(source, offset, "index", group, lattice.neighbours(offset))
        there = lattice.present(offset)
        own = placed(value, target, None)
        term = placed(own, source, Cell(index, None))
        straight = not all(offset)  # a missing unit at a corner is not the unit itself
        if there.all() or (straight and _vanishes(placed(own, source, None))):
            return term
        mask = self._given(source, offset, "mask", group, there.astype(float))
        present = Apply("!=", (Cell(mask, None), Literal(0, FLOAT64)), BOOL)
        return Apply("select", (present, term, Literal(0, term.dtype)), term.dtype)

    def _given(
        self, source: Array, offset: Offset, kind: str, group: str, values: np.ndarray
    ) -> Array:
        key = (source.number, offset, kind)
        if key not in self._made:
            name = f"{kind} {offset[0]:+d} {offset[1]:+d}"
            values = values.astype(np.int32) if kind == "index" else values
            variable = Given(name, values, SimpleNamespace(name=group))
            self._made[key] = Array(len(self.arrays), variable, False)
            self.arrays.append(self._made[key])
        return self._made[key]


def inlined(step: Sum) -> Expression | None:
    """The value of a synapse as one expression; None where it draws, calls or writes."""
    defined: dict[Local, Expression] = {}

    def written_out(e: Expression) -> Expression:
        return defined.get(e, e) if isinstance(e, Local) else e

    for s in step.kernel.each:
        if not isinstance(s.target, Local) or s.operation or s.condition:
            return None
        defined[s.target] = rewritten(s.value, written_out)
    value = defined.get(step.kernel.results.get("_synaptic_var"))  # type: ignore[arg-type]
    if value is None or any(isinstance(e, (Call, Draw)) for e in walk(value)):
        return None
    return value


def _source(value: Expression, target: Array, group: str) -> Array | None:
    """The indices of the sources, where all that a synapse reads are values of units of one group."""
    found: set[Array] = set()

    def allowed(e: Expression) -> bool:
        if not isinstance(e, Cell):
            return all(map(allowed, getattr(e, "arguments", ())))
        if e.array.scalar:
            return True
        if not isinstance(e.index, Cell) or e.index.index is not None:
            return False
        if e.index.array is target:
            return True
        found.add(e.index.array)
        return getattr(e.array.variable.owner, "name", None) == group

    return found.pop() if allowed(value) and len(found) == 1 else None


def placed(value: Expression, indices: Array, index: Cell | None) -> Expression:
    """The value with what ``indices`` lead to at another index; None is the unit itself."""

    def change(e: Expression) -> Expression:
        if isinstance(e, Cell) and isinstance(e.index, Cell) and e.index.array is indices:
            return Cell(e.array, index)
        return e

    return rewritten(value, change)


def _vanishes(value: Expression) -> bool:
    """Whether a sum is zero whatever the values in it."""
    if value.dtype.kind != "f":
        return False
    terms = Linearizer(lambda cell: bool(cell.array.variable.constant), {}).of(value)
    return isinstance(terms, Linear) and all(m == 0 for _, group in terms.groups for _, m in group)


def gathered(program: Program, group: str) -> Program:
    """The program with gathers in the place of the sums into a group that can be; others say why not."""
    gathers = Gathers(program)
    steps: list[Step] = []
    for step in program.steps:
        if is_into(step, group):
            made = gathers.of(step, group)
            step = replace(step, alone=made) if isinstance(made, str) else made
        steps.append(step)
    return replace(program, steps=steps, arrays=gathers.arrays)


def is_into(step: Step, group: str) -> TypeGuard[Sum]:
    """Whether a step is a sum over synapses into a group."""
    if type(step) is not Sum:
        return False
    return getattr(step.target.variable.owner, "name", None) == group
