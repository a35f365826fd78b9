"""Kernels over one lattice as few passes: tiles, or where they do not fit one kernel for each stage.

`fuse` says which statements can be done for all units before neighbours have to be waited for.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from neuroglia_snn.program.fuse import Fused, changed, fused
from neuroglia_snn.program.gathers import Given
from neuroglia_snn.program.narrow import narrowed
from neuroglia_snn.program.program import Kernel, Program, Step, Threshold, Update
from neuroglia_snn.program.tiles import tiles
from neuroglia_snn.program.tree import (
    INT64,
    Array,
    Cell,
    Expression,
    Local,
    Parameter,
    Statement,
)


def staged(program: Program, single: bool = False, tiled: bool = False) -> Program:
    """The program with what a GPU does in the place of the kernels over a lattice.

    ``single``: in single precision where that may be; ``tiled``: tile by tile where that fits.
    """
    program = fused(program)
    if single:
        program = narrowed(program)
    steps: list[Step] = []
    arrays, parameters = list(program.arrays), list(program.parameters)
    for step in program.steps:
        if not isinstance(step, Fused):
            steps.append(step)
            continue
        parameters.append(step.order.rows * step.order.cols)
        count = Parameter(len(parameters) - 1, INT64)
        made = _Stages(step, len(arrays))
        one = tiles(step, made.stages, made.kept, count, program) if tiled else None
        if one is not None:
            steps.append(one)
        else:
            steps += made.steps(count)
            arrays += made.kept
    return replace(program, steps=steps, arrays=arrays, parameters=parameters)


class _Stages:
    """The stages of one step.

    Attributes
    ----------
    stages : statements of each
    kept : arrays of what later stages read, which may join the program's as the next ones
    """

    def __init__(self, step: Fused, number: int) -> None:
        self._step, self._number = step, number
        self._of: dict[Local, Array] = {}
        self.stages = [self._stage(s.statements) for s in step.stages]
        self.kept = list(self._of.values())

    def steps(self, count: Parameter) -> list[Step]:
        """An update of so many units for each stage, the last one with the threshold, and the reset."""
        step = self._step
        kernels = [Kernel(step.before, statements) for statements in self.stages]
        made: list[Step] = [Update(step.owner, step.clock, k, count) for k in kernels]
        if step.threshold is not None:
            results = {} if step.above is None else {"_cond": step.above}
            kernel = replace(kernels[-1], results=results)
            events = step.threshold.events
            made[-1] = Threshold(step.owner, step.clock, kernel, count, events, None)
        return made if step.reset is None else [*made, step.reset]

    def _stage(self, statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        own: set[Local] = set()
        found: list[Statement] = []

        def read(e: Expression) -> Expression:
            kept = isinstance(e, Local) and e in self._of and e not in own
            return Cell(self._of[e], None) if kept else e  # type: ignore[index]

        for s in statements:
            if isinstance(s.target, Local):
                own.add(s.target)
            found.append(changed(s, read))
        for local in sorted(own & self._step.carried, key=lambda k: k.number):
            found.append(Statement(Cell(self._array(local), None), None, local))
        return tuple(found)

    def _array(self, local: Local) -> Array:
        if local not in self._of:
            values = np.zeros(self._step.order.rows * self._step.order.cols, local.dtype)
            owner = SimpleNamespace(name=self._step.owner.name)
            variable = Given("carried", values, owner, constant=False)
            self._of[local] = Array(self._number + len(self._of), variable, False)
        return self._of[local]
