"""A program as one in integers, which runs on the same machines.

Every array of numbers gets a twin of integers with a format; whole numbers and conditions stay what they
are. What all units share is worked out in floating point, once a step, and encoded: it is what a host
sends to a chip. Records decode into Brian2's own arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from neuroglia_snn.fixedpoint import intervals
from neuroglia_snn.fixedpoint.choice import Choice
from neuroglia_snn.fixedpoint.compare import Comparison, compare, size_of
from neuroglia_snn.fixedpoint.facts import Facts
from neuroglia_snn.fixedpoint.formats import Format
from neuroglia_snn.fixedpoint.intervals import Range
from neuroglia_snn.fixedpoint.lower import lowered
from neuroglia_snn.fixedpoint.observe import observed
from neuroglia_snn.fixedpoint.operations import Block, Linear, Store, Value
from neuroglia_snn.fixedpoint.operations import Sum as Total
from neuroglia_snn.fixedpoint.rehearsal import Make
from neuroglia_snn.fixedpoint.rounded import WHOLE, Rounded, rounded
from neuroglia_snn.fixedpoint.statements import Integers
from neuroglia_snn.fixedpoint.twins import KernelHome, Twins
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.prescribed import Prescriptions
from neuroglia_snn.program.program import (
    Deliver,
    Exchange,
    Kernel,
    Message,
    Program,
    Python,
    Record,
    Step,
    Sum,
    Threshold,
    Update,
)
from neuroglia_snn.program.reference import NumpyMachine
from neuroglia_snn.program.refusal import refuse
from neuroglia_snn.program.tree import (
    BOOL,
    FLOAT64,
    Apply,
    Array,
    Cell,
    Local,
    Statement,
)

#: Change in a time step, in counts of the format, below which rounding takes a tenth of it and more.
LEAST_CHANGE = 5.0


@dataclass(eq=False)
class FixedProgram:
    """A program in integers.

    Attributes
    ----------
    program : whose arrays of numbers are integers
    formats : of each array of numbers of the program in floating point
    twins : the integers that stand for it
    ranges : of each such array, in SI units
    blocks : the integers of each step's kernel, by the step's place in the program in floating point
    counts : how often a result of a unit did not fit, by the object whose step it was
    standing : a sentence for every variable whose steps are lost, or nearly so, in rounding
    comparison : with a run in floating point
    names : of the arrays that have twins, whose owners Brian2 may have let go of
    """

    program: Program
    formats: dict[Array, Format] = field(default_factory=dict)
    twins: dict[Array, Array] = field(default_factory=dict)
    ranges: dict[Array, Range] = field(default_factory=dict)
    blocks: dict[int, Rounded] = field(default_factory=dict)
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    standing: list[str] = field(default_factory=list)
    comparison: Comparison | None = None
    names: dict[str, Array] = field(init=False)

    def __post_init__(self) -> None:
        self.names = {array.name: array for array in self.twins}

    def decode(self) -> None:
        """Put the values of the integers into the arrays that they stand for."""
        for array, twin in self.twins.items():
            values = array.values()
            if values.flags.writeable and not twin.variable.constant:
                values[...] = self.formats[array].decode(twin.values())

    def details(self) -> dict[str, object]:
        """Formats, and what did not fit, for a summary."""
        return {
            "formats": {name: str(self.formats[array]) for name, array in self.names.items()},
            "saturated": self.saturated(),
            "against_float": self.comparison.details() if self.comparison else None,
        }

    def warnings(self) -> tuple[str, ...]:
        """Where integers do not do what floating point does."""
        return (*self.standing, *(self.comparison.warnings() if self.comparison else ()))

    def saturated(self) -> dict[str, int]:
        """How many results did not fit, by the object whose step they belong to."""
        return {name: int(count.sum()) for name, count in self.counts.items() if count.any()}


def in_integers(
    program: Program,
    setting: Setting,
    make: Make,
    prescribed: Prescriptions | None = None,
    comparing: bool = True,
) -> FixedProgram:
    """A program in integers, with formats from what is prescribed and from a run in floating point.

    Parameters
    ----------
    program, setting : in floating point, at the beginning of the run
    make : makes the machine for the run in floating point
    prescribed : what a user says of variables
    comparing : whether to run both, to see how far they are apart

    Raises
    ------
    Refused
        For what has no integers.
    RangeError
        Where a range leads to a value that is not finite.
    """
    return _Fixing(program, setting, make, prescribed or {}).made(comparing)


class _Fixing:
    def __init__(
        self, program: Program, setting: Setting, make: Make, prescribed: Prescriptions
    ) -> None:
        self._program, self._setting, self._make = program, setting, make
        self._facts = Facts(program)
        self._blocks: dict[int, Block] = {}
        for number, step in enumerate(program.steps):
            if isinstance(step, Python):
                raise refuse(step.owner.name, "Python within a run, in fixed point,")
            kernel: Kernel | None = getattr(step, "kernel", None)
            if kernel is not None and not _only_checks(step):
                plain = isinstance(step, Record)
                self._blocks[number] = lowered(kernel, self._facts, step.owner.name, plain)
        program = self._program = replace(program, arrays=[*program.arrays, *self._facts.made])
        self._seen = observed(program, setting, self._blocks, make)
        self._choice = Choice(program, self._facts, self._blocks, self._seen, prescribed)
        whole = replace(
            program, steps=[], parameters=[*program.parameters], tables=[*program.tables]
        )
        added = {
            item.cell.array
            for block in self._blocks.values()
            for item in block.items
            if isinstance(item, Store) and item.add
        }
        self._twins = Twins(whole, self._facts, self._choice, setting, added)
        self._numbers = NumpyMachine(program, setting)
        self._rounded_blocks: dict[int, Rounded] = {}
        self._standing: list[str] = []

    def made(self, comparing: bool) -> FixedProgram:
        whole = self._twins.program
        for number, step in enumerate(self._program.steps):
            made = self._step(number, step)
            if made is not None:
                whole.steps.append(made)
        choice, twins = self._choice, self._twins.arrays
        return FixedProgram(
            whole,
            choice.formats,
            twins,
            choice.ranges,
            self._rounded_blocks,
            self._twins.counts,
            self._standing,
            self._comparison() if comparing else None,
        )

    def _comparison(self) -> Comparison:
        choice, twins = self._choice, self._twins.arrays
        compared = {a: t for a, t in twins.items() if self._is_compared(a)}
        pairs = {a.name: (a, t, choice.formats[a], choice.ranges[a]) for a, t in compared.items()}
        return compare(
            self._program,
            self._twins.program,
            pairs,
            self._blocks,
            self._twins,
            self._setting,
            self._make,
        )

    def _is_compared(self, array: Array) -> bool:
        """Whether an array is a state that a user knows."""
        name = array.variable.name
        made = name.startswith("neuroglia_") or name.endswith("_predicted")
        return array in self._facts.written and array not in self._facts.times and not made

    def _step(self, number: int, step: Step) -> Step | None:
        if _only_checks(step):
            return None
        if isinstance(step, Record):
            return self._record(number, step)
        if isinstance(step, Exchange):
            return self._exchange(step)
        if number not in self._blocks:
            return step
        made = self._rounded(number, step)
        self._rounded_blocks[number] = made
        if type(step) is Update:
            self._look_for_standing(number, made)
        size = size_of(step, self._numbers)
        home = KernelHome(self._twins, self._choice, size, step.owner.name, step.clock)
        integers = Integers(made, home)
        kernel: Kernel = step.kernel  # type: ignore[attr-defined]
        results = {
            name: integers.result(value) for name, value in self._blocks[number].results.items()
        }
        alone = isinstance(step, Deliver) and not all(
            item.add
            for item in made.block.items
            if isinstance(item, Store) and item.cell.index is not None
        )
        kernel = Kernel(
            (*kernel.before, *integers.once),
            tuple(integers.each),
            results,
            kernel.in_order,
            kernel.accumulates and not alone,
        )
        change: dict[str, Any] = {"kernel": kernel}
        if isinstance(step, Threshold) and step.refractory:
            free, last, t = step.refractory
            change["refractory"] = (
                free,
                self._twins.of(last),
                Cell(self._twins.timestep(t.array), None),
            )
        if isinstance(step, Sum) and step.target.dtype.kind == "f":
            change["target"] = self._twins.of(step.target)
        return replace(step, **change)

    def _rounded(self, number: int, step: Step) -> Rounded:
        block, formats = self._blocks[number], self._choice.formats
        wanted: dict[Value, Format] = {}
        random: list[Value] = []
        for item in block.items:
            if isinstance(item, Store) and item.value.dtype != BOOL:
                wanted[item.value] = self._choice.format(item.cell)
                if self._choice.given(item.cell.array).stochastic:
                    random.append(item.value)
        if isinstance(step, Sum):
            target = formats.get(step.target, WHOLE)
            wanted[block.results["_synaptic_var"]] = target
        seen = self._seen.values.get(number, {})
        return rounded(block, self._choice.format, self._choice.range, dict(seen), wanted, random)

    def _look_for_standing(self, number: int, made: Rounded) -> None:
        """Variables whose largest change in a step is a few counts: rounded to nearest, less is nothing."""
        block = self._blocks[number]
        sums = {o.out: o.sum for o in block.operations() if isinstance(o, Linear)}
        for item in block.items:
            if not (isinstance(item, Store) and item.value in sums and item.cell.dtype.kind == "f"):
                continue
            array = item.cell.array
            total = sums[item.value]  # type: ignore[index]
            if self._choice.given(array).stochastic or item.cell not in {v for v, _ in total.terms}:
                continue
            change = total.plus(Total(((item.cell, -1.0),)))
            low, high = intervals.of_sum(change, made.ranges)
            scale = self._choice.formats[array].scale
            counts = max(abs(low), abs(high)) / scale
            if 0 < counts < LEAST_CHANGE:
                self._standing.append(
                    f"fixed point: '{array.name}' changes by at most {counts:.2g} counts of {scale:.3g}"
                    " (SI units) in a time step, and less than half a count is nothing; give it a"
                    ' narrower range, a longer dt or "stochastic" rounding'
                )

    def _exchange(self, step: Exchange) -> Step:
        """Messages hold integers."""

        def whole(messages: tuple[Message, ...]) -> tuple[Message, ...]:
            return tuple(
                replace(
                    m, content=tuple(replace(s, array=self._twins.of(s.array)) for s in m.content)
                )
                for m in messages
            )

        return replace(step, sends=whole(step.sends), receives=whole(step.receives))

    def _record(self, number: int, step: Record) -> Step:
        """Records hold numbers: their values are decoded."""
        kernel: Kernel | None = getattr(step, "kernel", None)
        if kernel is None:
            return step
        block = self._blocks[number]
        made = rounded(block, self._choice.format, self._choice.range, {}, {})
        integers = Integers(
            made, KernelHome(self._twins, self._choice, 0, step.owner.name, step.clock)
        )
        results: dict[str, Local] = {}
        each = list(integers.each)
        free = max(integers.first_free(), kernel.first_free())
        for name, local in kernel.results.items():
            e = block.plain.get(name)
            if e is None:
                value = block.results[name]
                found = made.formats.get(value) or self._choice.format(value)  # type: ignore[arg-type]
                scale = self._twins.parameter(float(found.scale))
                e = Apply("*", (integers.value(value), scale), FLOAT64)
            results[name] = Local(free, local.dtype, False)
            each.append(Statement(results[name], None, e))
            free += 1
        made_kernel = Kernel((*kernel.before, *integers.once), tuple(each), results)
        return replace(step, kernel=made_kernel)  # type: ignore[call-arg]


def _only_checks(step: Step) -> bool:
    """Whether a step only looks for values that are not finite, which integers always are."""
    return type(step) is Update and not any(True for _ in step.kernel.writes())
