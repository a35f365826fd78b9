"""The integers that stand for a program's numbers, and what else a program in integers holds."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import numpy as np

from neuroglia_snn.fixedpoint.choice import Choice
from neuroglia_snn.fixedpoint.facts import Facts
from neuroglia_snn.fixedpoint.formats import Format
from neuroglia_snn.fixedpoint.intervals import RangeError
from neuroglia_snn.fixedpoint.registers import ROUNDING, first
from neuroglia_snn.program import clocks, tree
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.tree import (
    FLOAT64,
    INT32,
    INT64,
    Apply,
    Array,
    Cell,
    Expression,
    Parameter,
    Table,
)


class Twins:
    """Arrays, numbers and tables of a program in integers, each made where it is first asked for.

    Attributes
    ----------
    program : in integers, so far
    arrays : the integers that stand for an array of numbers
    counts : how often a result of each unit did not fit, by the object whose step it was
    """

    def __init__(
        self,
        program: Program,
        facts: Facts,
        choice: Choice,
        setting: Setting,
        added: Collection[Array] = (),
    ) -> None:
        """``added`` are arrays that spikes add to, which have room for many at once: 64 bits."""
        self._added = added
        self.program = program
        self.arrays: dict[Array, Array] = {}
        self.counts: dict[str, np.ndarray] = {}
        self._facts, self._choice, self._setting = facts, choice, setting
        self._timesteps: dict[int, Array] = {}
        self._registers: dict[object, Array] = {}
        self._tables: dict[object, Any] = {}
        self._numbers: dict[tuple[type, int | float], Parameter] = {}
        self._counters: dict[str, Array] = {}

    def of(self, array: Array) -> Array:
        """The integers that stand for an array of numbers."""
        if array.dtype.kind != "f":
            return array
        if array not in self.arrays:
            values = array.values()
            if np.isnan(values).any():
                raise RangeError(f"fixed point: '{array.name}' holds a NaN, which no integer is")
            kind = np.int64 if array in self._added else np.int32
            values = self._choice.formats[array].encode(values).astype(kind)
            constant = self._facts.constant(array)
            made = self.add(array.variable.name, values, array.variable.owner, constant)
            self.arrays[array] = made
        return self.arrays[array]

    def add(self, name: str, values: np.ndarray, owner: Any = None, constant: bool = True) -> Array:
        """An array of our own."""
        group = SimpleNamespace(name=getattr(owner, "name", ""))
        given = Given(name, np.ascontiguousarray(values), group, constant)
        made = Array(len(self.program.arrays), given, False)
        self.program.arrays.append(made)
        return made

    def is_time(self, array: Array) -> bool:
        """Whether an array is the time of a clock."""
        return array in self._facts.clock

    def timestep(self, t: Array) -> Array:
        """The count of steps of the clock whose time an array is."""
        number = self._facts.clock[t]
        if number not in self._timesteps:
            variable = self.program.clocks[number].variables["timestep"]
            found = next((a for a in self.program.arrays if a.variable is variable), None)
            if found is None:
                found = Array(len(self.program.arrays), variable, True)
                self.program.arrays.append(found)
            self._timesteps[number] = found
        return self._timesteps[number]

    def parameter(self, value: int | float) -> Parameter:
        """A number that may change without another structure."""
        key = (type(value), value)
        if key not in self._numbers:
            self.program.parameters.append(value)
            kind = FLOAT64 if isinstance(value, float) else INT64
            number = len(self.program.parameters) - 1
            self._numbers[key] = Parameter(number, kind)
        return self._numbers[key]

    def table(self, entries: tuple[int, ...]) -> Array:
        """A look-up table."""
        if entries not in self._tables:
            self._tables[entries] = self.add(
                f"table_{len(self._tables)}", np.array(entries, np.int32)
            )
        return self._tables[entries]

    def register(self, key: object, size: int, use: int, clock: int) -> Array:
        """Shift registers for a draw (its number, or its two keys), or for the rounding of an object's steps."""
        if (key, use) not in self._registers:
            words = self.words(key, size, use, clock)
            self._registers[key, use] = self.add(
                f"register_{len(self._registers)}", words, None, False
            )
        return self._registers[key, use]

    def words(self, key: object, size: int, use: int, clock: int) -> np.ndarray:
        """What registers begin with, in a kernel on a clock."""
        step = int(clocks.values(self.program.clocks[clock], "timestep")[0])  # type: ignore[index]
        shifts = self._setting.shifts
        step += shifts[clock] if clock < len(shifts) else 0
        if isinstance(key, str):
            return first((zlib.crc32(key.encode()), size), size, use, step)
        keys = self._setting.keys[key] if isinstance(key, int) else key
        return first(keys, size, use, step)  # type: ignore[arg-type]

    def counter(self, owner: str, size: int) -> Array:
        """How often results of each unit did not fit."""
        if owner not in self._counters:
            made = self.add("saturated", np.zeros(size, np.int32), None, False)
            self._counters[owner] = made
            self.counts[owner] = made.values()
        return self._counters[owner]

    def look(self, e: tree.Look, made: Format) -> Expression:
        """The integer of a timed array."""
        key = (e.table, made)
        if key not in self._tables:
            values = made.encode(e.table.values).astype(float)
            table = Table(len(self.program.tables), values, e.table.dt, e.table.refinement)
            self.program.tables.append(table)
            self._tables[key] = table
        found = tree.Look(self._tables[key], e.arguments)
        return Apply("wide", (Apply("int", (found,), INT32),), INT64)


class KernelHome:
    """Where the integers of one kernel are kept."""

    def __init__(self, twins: Twins, choice: Choice, size: int, owner: str, clock: int) -> None:
        self._twins, self.size, self._owner, self._clock = twins, size, owner, clock
        self.format = choice.format
        self.parameter, self.table, self.look = twins.parameter, twins.table, twins.look

    def cell(self, cell: Cell) -> Expression:
        if self._twins.is_time(cell.array):
            return Cell(self._twins.timestep(cell.array), None)
        return Cell(self._twins.of(cell.array), cell.index)

    def register(self, key: object, use: int) -> Cell:
        return Cell(self._twins.register(key, self.size, use, self._clock), None)

    def rounding(self) -> Cell:
        return self.register(self._owner, ROUNDING)

    def saturated(self) -> Cell:
        return Cell(self._twins.counter(self._owner, self.size), None)
