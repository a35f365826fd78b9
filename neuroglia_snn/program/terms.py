"""Values of sources, worked out once for each source and not for each of the units that read them.

Where synapses, or units with linked variables, are several for each source, what depends on the source alone
becomes a kernel over the sources; they read its result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from neuroglia_snn.program.fuse import touched
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.program import Kernel, Program, Step, Sum, Update
from neuroglia_snn.program.tree import (
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

#: From how many units a source on it pays.
_EACH = 2


def termed(program: Program) -> Program:
    """The program with kernels over sources before those over what reads them."""
    arrays, parameters = list(program.arrays), list(program.parameters)
    steps: list[Step] = []
    for step in program.steps:
        if type(step) in (Sum, Update):
            steps += _Terms(step, arrays, parameters).steps()  # type: ignore[arg-type]
        else:
            steps.append(step)
    return replace(program, steps=steps, arrays=arrays, parameters=parameters)


class _Terms:
    """A step on its way to read values of sources; new arrays and parameters join the program's."""

    def __init__(
        self, step: Sum | Update, arrays: list[Array], parameters: list[float | int | bool]
    ) -> None:
        self._step, self._arrays, self._parameters = step, arrays, parameters
        self._written = touched(step)[1]
        self._of_source: dict[Local, Expression] = {}
        self._indices: dict[Array, Array | None] = {}
        self._made: dict[tuple[Array, Expression], Array] = {}

    def steps(self) -> Iterator[Step]:
        """The kernels over sources, and the step."""
        kernel = self._step.kernel
        if any(isinstance(s.target, Cell) or _is_drawn(s.value) for s in kernel.before):
            yield self._step
            return
        each = _without_unread([self._changed(s) for s in kernel.each], kernel)
        indices = dict.fromkeys(index for index, _ in self._made)
        for index in indices:
            statements = [
                Statement(Cell(array, None), None, rewritten(value, _of_the_unit))
                for (found, value), array in self._made.items()
                if found is index
            ]
            self._parameters.append(_sources(index))
            count = Parameter(len(self._parameters) - 1, np.dtype(np.int64))
            of_source = Kernel(kernel.before, tuple(statements))
            yield Update(self._step.owner, self._step.clock, of_source, count)
        changed = replace(kernel, each=tuple(each))
        yield replace(self._step, kernel=changed) if self._made else self._step

    def _changed(self, s: Statement) -> Statement:
        index = self._index(s.value)
        plain = isinstance(s.target, Local) and s.operation is None and s.condition is None
        if index is not None and plain and self._assigned_once(s.target):  # type: ignore[arg-type]
            self._of_source[s.target] = self._whole(s.value)  # type: ignore[index]
        condition = None if s.condition is None else self._read(s.condition)
        return replace(s, value=self._read(s.value), condition=condition)

    def _assigned_once(self, local: Local) -> bool:
        return sum(s.target == local for s in self._step.kernel.each) == 1

    def _whole(self, e: Expression) -> Expression:
        """A value with the locals of its source written out."""
        return rewritten(e, lambda part: self._of_source.get(part, part))  # type: ignore[arg-type]

    def _read(self, e: Expression) -> Expression:
        """The value, with what depends on a source alone read from where it is worked out."""
        index, whole = self._index(e), self._whole(e)
        if index is not None and isinstance(whole, Apply):
            return Cell(self._terms(index, whole), Cell(index, None))
        if isinstance(e, Apply):
            return replace(e, arguments=tuple(map(self._read, e.arguments)))
        return e

    def _terms(self, index: Array, value: Expression) -> Array:
        if (index, value) not in self._made:
            owner = SimpleNamespace(name=self._step.owner.name)
            room = np.zeros(_sources(index), value.dtype)
            array = Array(len(self._arrays), Given("terms", room, owner, False), False)
            self._arrays.append(array)
            self._made[index, value] = array
        return self._made[index, value]

    def _index(self, e: Expression) -> Array | None:
        """The one index by which all units' values in an expression are read, if each source has several units."""
        found: set[Array] = set()
        return found.pop() if self._depends(e, found) and len(found) == 1 else None

    def _depends(self, e: Expression, found: set[Array]) -> bool:
        """Collect the indices of an expression; whether it reads nothing else of units."""
        if isinstance(e, Cell):
            if e.array in self._written:
                return False
            if e.array.scalar:
                return True
            index = self._known(e.index) if isinstance(e.index, Cell) else None
            if index is not None:
                found.add(index)
            return index is not None
        if isinstance(e, Local):
            known = self._of_source.get(e)
            return e.scalar if known is None else self._depends(known, found)
        if isinstance(e, Apply):
            trapping = e.operation in ("//", "%") and e.dtype.kind in "biu"
            return not trapping and all(self._depends(a, found) for a in e.arguments)
        return isinstance(e, (Literal, Parameter))

    def _known(self, cell: Cell) -> Array | None:
        """An array of indices, the first of those that are equal; None where sources have too few units."""
        array = cell.array
        if array not in self._indices:
            self._indices[array] = None
            values = array.values()
            if cell.index is None and array not in self._written and len(values):
                equal = (a for a in self._indices.values() if a and _equal(a.values(), values))
                if len(values) >= _EACH * _sources(array):
                    self._indices[array] = next(equal, array)
        return self._indices[array]


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one is other or np.array_equal(one, other)


def _sources(index: Array) -> int:
    return int(index.values().max()) + 1


def _is_drawn(e: Expression) -> bool:
    return any(isinstance(part, (Draw, Call)) for part in walk(e))


def _of_the_unit(e: Expression) -> Expression:
    return Cell(e.array, None) if isinstance(e, Cell) and isinstance(e.index, Cell) else e


def _without_unread(statements: list[Statement], kernel: Kernel) -> list[Statement]:
    """The statements without those whose local value nothing reads."""
    read: set[Expression] = set(kernel.results.values())
    kept = []
    for s in reversed(statements):
        if isinstance(s.target, Cell) or s.target in read:
            read |= {e for x in s.expressions() for e in walk(x) if isinstance(e, Local)}
            kept.append(s)
    return kept[::-1]
