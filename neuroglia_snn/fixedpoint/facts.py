"""What is known of a program's values before it runs: numbers, constants of each unit, and times."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from neuroglia_snn.fixedpoint.rehearsal import written
from neuroglia_snn.program import clocks
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.operations import is_noise
from neuroglia_snn.program.program import Program, Sum, Threshold
from neuroglia_snn.program.reference import applied
from neuroglia_snn.program.tree import (
    Apply,
    Array,
    Cell,
    Draw,
    Expression,
    Literal,
    Local,
    Parameter,
    walk,
)

Read = Callable[[Cell], Any]


class Facts:
    """A program's arrays: which of them change, and which hold times.

    Attributes
    ----------
    written : arrays that a step writes
    clock : of each array that is a clock's time, the clock's number
    times : of each array that takes nothing but the time of a clock, that clock's step in s
    made : constant arrays that were worked out here, beside the program's own
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.written = written(program)
        self.clock = {
            array: number
            for array in program.arrays
            for number, one in enumerate(program.clocks)
            if array.variable is one.variables.get("t")
        }
        self._of_clocks = {
            array
            for array in program.arrays
            for one in program.clocks
            if any(
                array.variable is one.variables.get(n) for n in ("t", "timestep", "t_in_timesteps")
            )
        }
        self.times = self._times()
        self.made: list[Array] = []
        self._folded: dict[object, Array] = {}

    def step_of(self, array: Array) -> float:
        """The step, in s, of the clock whose time an array is."""
        return float(clocks.values(self.program.clocks[self.clock[array]], "dt")[0])  # type: ignore[index]

    def grid(self, value: Expression) -> float | None:
        """The step in s of which a value is a whole multiple because it is a time."""
        if not isinstance(value, Cell):
            return None
        return (
            self.step_of(value.array) if value.array in self.clock else self.times.get(value.array)
        )

    def constant(self, array: Array) -> bool:
        """Whether no step changes an array, nor the passing of time."""
        return array not in self.written and array not in self._of_clocks

    def number(self, e: Expression, known: dict[int, Any]) -> Any | None:
        """The value of an expression that is the same for all units, always; None of any other."""
        for part in walk(e):
            if isinstance(part, Local):
                if part.number not in known:
                    return None
            elif isinstance(part, Cell):
                if not (part.array.scalar and self.constant(part.array)):
                    return None
            elif not isinstance(part, (Literal, Parameter, Apply)) or is_noise(part):
                return None
        return np.ravel(self._value(e, known, lambda cell: cell.array.values()[0]))[0]

    def shared(self, e: Expression) -> bool:
        """Whether an expression is the same for all units, though not always."""
        return all(
            part.array.scalar
            if isinstance(part, Cell)
            else part.scalar
            if isinstance(part, Local)
            else not (is_noise(part) or isinstance(part, Draw))
            for part in walk(e)
        )

    def unit_constant(self, e: Expression, known: dict[int, Any]) -> Cell | None:
        """A cell that always holds the value of an expression of constants of the unit; None if it changes."""
        if not isinstance(e, (Apply, Cell)):
            return None
        cells = {part for part in self._parts(e) if isinstance(part, Cell)}
        own = {c for c in cells if not c.array.scalar}
        fits = own and all(
            part.number in known
            if isinstance(part, Local)
            else self.constant(part.array)
            if isinstance(part, Cell)
            else isinstance(part, (Literal, Parameter, Apply)) and not is_noise(part)
            for part in self._parts(e)
        )
        if not fits or len({c.index for c in own}) > 1 or not all(map(self._stays, own)):
            return None
        if isinstance(e, Cell):
            return e
        if len({len(c.array.values()) for c in own}) > 1:
            return None
        index = next(iter(own)).index
        key = (e, tuple(sorted((n, str(v)) for n, v in known.items())))
        if key not in self._folded:
            values = self._value(e, known, lambda c: c.array.values()[0 if c.array.scalar else ...])
            self._folded[key] = self.array(np.array(values), next(iter(own)).array.variable.owner)
        return Cell(self._folded[key], index)

    def array(self, values: np.ndarray, owner: Any = None) -> Array:
        """A constant array of our own."""
        name = getattr(owner, "name", "")
        given = Given(f"constant_{len(self.made)}", values, SimpleNamespace(name=name))
        made = Array(len(self.program.arrays) + len(self.made), given, False)
        self.made.append(made)
        return made

    def _stays(self, cell: Cell) -> bool:
        index = cell.index
        return index is None or (isinstance(index, Cell) and self.constant(index.array))

    def _parts(self, e: Expression):
        """Its parts, without what its indices are made of."""
        yield e
        for part in getattr(e, "arguments", ()):
            yield from self._parts(part)

    def _value(self, e: Expression, known: dict[int, Any], read: Read) -> Any:
        if isinstance(e, Literal):
            return e.dtype.type(e.value)
        if isinstance(e, Parameter):
            return e.dtype.type(self.program.parameters[e.number])
        if isinstance(e, Local):
            return known[e.number]
        if isinstance(e, Cell):
            return read(e)
        assert isinstance(e, Apply)
        return applied(e, [self._value(a, known, read) for a in e.arguments])

    def _times(self) -> dict[Array, float]:
        """Arrays of times, with the step of the one clock that they take the time of."""
        found: dict[Array, set[float]] = {}
        other: set[Array] = set()
        for step in self.program.steps:
            if isinstance(step, Threshold) and step.refractory:
                _, last, t = step.refractory
                found.setdefault(last, set()).add(self.step_of(t.array))
            if isinstance(step, Sum):
                other.add(step.target)
            kernel = getattr(step, "kernel", None)
            for statement in () if kernel is None else (*kernel.before, *kernel.each):
                if not isinstance(statement.target, Cell):
                    continue
                array, value = statement.target.array, statement.value
                is_time = isinstance(value, Cell) and value.array in self.clock
                if is_time and statement.operation is None and not array.scalar:
                    found.setdefault(array, set()).add(self.step_of(value.array))  # type: ignore[union-attr]
                else:
                    other.add(array)
        return {
            array: next(iter(steps))
            for array, steps in found.items()
            if array not in other and len(steps) == 1 and array.dtype.kind == "f"
        }
