"""Formats and ranges of a program's arrays: as prescribed, else as they follow, else as a run shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuroglia_snn.fixedpoint.facts import Facts
from neuroglia_snn.fixedpoint.formats import STATE_BITS, SUM_BITS, Format, fitting
from neuroglia_snn.fixedpoint.intervals import Range, RangeError
from neuroglia_snn.fixedpoint.observe import Seen
from neuroglia_snn.fixedpoint.operations import Block, Store, Value
from neuroglia_snn.fixedpoint.rounded import TRUTH, WHOLE, ranges_of, with_room
from neuroglia_snn.program.prescribed import Prescribed, Prescriptions
from neuroglia_snn.program.program import Program, Sum
from neuroglia_snn.program.tree import BOOL, Array, Cell


class Choice:
    """The format of every array of numbers, and between which values it stays.

    ``blocks`` are the kernels of the program's steps as operations, ``seen`` what a run of it has shown.

    Attributes
    ----------
    formats, ranges : of the arrays, ranges in SI units

    Raises
    ------
    RangeError
        Where an array has no finite range.
    """

    def __init__(
        self,
        program: Program,
        facts: Facts,
        blocks: Mapping[int, Block],
        seen: Seen,
        prescribed: Prescriptions,
    ) -> None:
        self._program, self._facts, self._blocks = program, facts, blocks
        self._seen, self._prescribed = seen, prescribed
        self.formats: dict[Array, Format] = {}
        self.ranges: dict[Array, Range] = {}
        self._choose()

    def _choose(self) -> None:
        formats, facts = self.formats, self._facts
        numbers = [a for a in self._program.arrays if a.dtype.kind == "f" and not a.scalar]
        for array in numbers:
            if array in facts.times:
                formats[array] = Format(SUM_BITS, 0, facts.times[array])
                self.ranges[array] = formats[array].range
        for array in numbers:
            given = self.given(array)
            if given.format is not None:
                formats[array] = given.format
                self.ranges[array] = given.range or given.format.range
        for array in numbers:
            if facts.constant(array) and array not in formats:
                self._take(array, self._seen.arrays.get(array, (0.0, 1.0)))
        for array in numbers:
            wanted = self.given(array).range
            if array not in formats and wanted is not None:
                self._take(array, wanted)
        self._follow({a for a in numbers if a not in formats})
        for array in numbers:
            if array not in formats:
                self._take(array, with_some_room(self._seen.arrays.get(array, (0.0, 1.0))))
        for number, step in enumerate(self._program.steps):
            prescribed = isinstance(step, Sum) and self.given(step.target).format
            if isinstance(step, Sum) and step.target in formats and not prescribed:
                self._summed(number, step)

    def _follow(self, open_: set[Array]) -> None:
        """Ranges of arrays that only ever hold what follows from other arrays."""
        writers = self._writers()
        following = {a: writers[a] for a in open_ if a in writers and not _recurs(a, writers[a])}
        while True:
            ready = [
                a
                for a, found in following.items()
                if all(
                    c.array not in following and self._is_known(c) for w in found for c in w.cone
                )
            ]
            if not ready:
                return
            for array in ready:
                found = [_of(array), self._seen.arrays.get(array, _of(array))]
                for writer in following.pop(array):
                    ranges = ranges_of(
                        self._blocks[writer.step],
                        self._range_or_seen,
                        self._seen.values.get(writer.step, {}),
                    )
                    low, high = ranges[writer.value]
                    found.append((low * writer.times, high * writer.times))
                self._take(array, (min(r[0] for r in found), max(r[1] for r in found)))

    def _writers(self) -> dict[Array, list[_Writer]]:
        """What is written to each array."""
        found: dict[Array, list[_Writer]] = {}
        for number, block in self._blocks.items():
            step = self._program.steps[number]
            for item in block.items:
                if isinstance(item, Store):
                    made = _Writer(number, item.value, block.cone(item.value), item.add, 1)
                    found.setdefault(item.cell.array, []).append(made)
            if isinstance(step, Sum):
                value = block.results["_synaptic_var"]
                index = step.index.values()
                times = int(np.bincount(index).max()) if len(index) else 1
                made = _Writer(number, value, block.cone(value), False, times)
                found.setdefault(step.target, []).append(made)
        return found

    def _is_known(self, cell: Cell) -> bool:
        array = cell.array
        return array.dtype.kind != "f" or array in self._facts.clock or array in self.formats

    def _range_or_seen(self, cell: Cell) -> Range:
        if self._is_known(cell):
            return self.range(cell)
        return with_some_room(self._seen.arrays.get(cell.array, (0.0, 1.0)))

    def given(self, array: Array) -> Prescribed:
        """What is prescribed of an array; of a predicted value, what is of the value itself."""
        owner = getattr(array.variable.owner, "name", "")
        name = array.variable.name.removesuffix("_predicted")
        return self._prescribed.get((owner, name), Prescribed())

    def _take(self, array: Array, found: Range) -> None:
        low, high = found
        if not (math.isfinite(low) and math.isfinite(high)):
            raise RangeError(f"fixed point: '{array.name}' has no finite range; give it one")
        self.ranges[array] = (low, high)
        bits = self.given(array).bits or STATE_BITS
        most = self._seen.arrays.get(array, (0.0, 0.0))[1]
        reached = (
            high * (1 + 2.0**-bits) if math.isclose(most, high) and high > 0 else high
        )  # 1 itself must fit
        self.formats[array] = fitting(low, reached, bits)

    def _summed(self, number: int, step: Sum) -> None:
        """The format of a sum over synapses: as fine as its terms, and wide enough."""
        result = self._blocks[number].results["_synaptic_var"]
        term = self._seen.values.get(number, {}).get(result)
        if term is None:
            return
        fine = fitting(*with_room(term)).fraction
        low, high = self.ranges[step.target]
        wide = fitting(
            low, high * (1 + 2.0**-SUM_BITS), SUM_BITS
        ).fraction  # nothing saturates here
        self.formats[step.target] = Format(SUM_BITS, min(fine, wide))

    def format(self, cell: Cell) -> Format:
        """The format of a cell's integer."""
        array = cell.array
        if array in self._facts.clock:
            return Format(SUM_BITS, 0, self._facts.step_of(array))
        if array.dtype == BOOL:
            return TRUTH
        if array.dtype.kind != "f":
            return WHOLE
        return self.formats[array]

    def range(self, cell: Cell) -> Range:
        """Between which values a cell stays."""
        array = cell.array
        if array in self._facts.clock:
            clock = self._program.clocks[self._facts.clock[array]]
            return 0.0, float(clock._i_end) * self._facts.step_of(array)
        if array.dtype == BOOL:
            return 0.0, 1.0
        if array.dtype.kind != "f":
            return WHOLE.range if array in self._facts.written else _of(array)
        if array in self._facts.times:
            clock_end = max(
                float(c._i_end) * self._facts.times[array] for c in self._program.clocks
            )
            return min(0.0, _of(array)[0]), clock_end
        return self.ranges[array]


@dataclass(frozen=True)
class _Writer:
    """A value that a step's kernel writes to an array, and the cells that it follows from.

    ``adds`` says whether it is added to what is there, ``times`` how many such values are summed up at most.
    """

    step: int
    value: Value
    cone: frozenset[Cell]
    adds: bool
    times: int


def _recurs(array: Array, writers: list[_Writer]) -> bool:
    return any(w.adds or any(c.array is array for c in w.cone) for w in writers)


def _of(array: Array) -> Range:
    values = np.asarray(array.values(), float)
    return float(values.min(initial=0.0)), float(values.max(initial=0.0))


def with_some_room(found: Range) -> Range:
    """What was seen of an array, with room; 0 and 1 as well where it was always the same."""
    low, high = with_room(found)
    return (min(low, 0.0), max(high, 1.0)) if low == high else (low, high)
