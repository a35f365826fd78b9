"""Passes: a program with the same results that does less for each unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neuroglia_snn.program.fuse import fused
from neuroglia_snn.program.operations import OPERATIONS
from neuroglia_snn.program.program import Kernel, Program, Sum
from neuroglia_snn.program.tree import (
    FLOAT64,
    Apply,
    Cell,
    Expression,
    Literal,
    Local,
    Parameter,
    Statement,
    rewritten,
)


def simplified(program: Program) -> Program:
    """All passes over a program."""
    steps = []
    for step in program.steps:
        kernel = getattr(step, "kernel", None)
        change: dict[str, Any] = {} if kernel is None else {"kernel": _simpler(kernel)}
        if isinstance(step, Sum):
            read = {e.array for e in step.kernel.expressions() if isinstance(e, Cell)}
            change["grouped"] = step.target not in read and _is_grouped(step.index.values())
        steps.append(replace(step, **change))
    return fused(replace(program, steps=steps))


def _is_grouped(targets: np.ndarray) -> bool:
    """Whether synapses lie in the order of their targets, and most targets have several."""
    changes = np.count_nonzero(np.diff(targets))
    return bool((targets[1:] >= targets[:-1]).all()) and 4 * changes < len(targets)


def _simpler(kernel: Kernel) -> Kernel:
    return powers_of_exp(steps_as_times(kernel))


def powers_of_exp(kernel: Kernel) -> Kernel:
    """``exp(x)**y`` as ``exp(x*y)``."""

    def one_exp(e: Expression) -> Expression:
        if not (isinstance(e, Apply) and e.operation == "**"):
            return e
        base, exponent = e.arguments
        if not (isinstance(base, Apply) and base.operation == "exp"):
            return e
        product = Apply("*", (*base.arguments, exponent), FLOAT64)
        return Apply("exp", (product,), FLOAT64)

    each = tuple(replace(s, value=rewritten(s.value, one_exp)) for s in kernel.each)
    return replace(kernel, each=each)


def shared(e: Expression) -> bool:
    """Whether a value is the same for all units, and known before the loop."""
    if isinstance(e, Cell):
        return e.array.scalar
    return isinstance(e, (Literal, Parameter)) or (isinstance(e, Local) and e.scalar)


def steps_as_times(kernel: Kernel) -> Kernel:
    """``timestep(x, dt) >= k`` without a division for each unit: x has to reach the first time of step k."""
    numbers = [e.number for e in kernel.expressions() if isinstance(e, Local)]
    numbers += [
        s.target.number for s in (*kernel.before, *kernel.each) if isinstance(s.target, Local)
    ]
    free = max(numbers, default=-1) + 1
    added: list[Statement] = []

    def compared_as_time(e: Expression) -> Expression:
        if not (isinstance(e, Apply) and e.operation == ">="):
            return e
        step, count = e.arguments
        if not (isinstance(step, Apply) and step.operation == "timestep" and shared(count)):
            return e
        x, dt = step.arguments
        if not shared(dt):
            return e
        first = Local(free + len(added), FLOAT64, True)
        value = Apply("first_time", (count, dt), OPERATIONS["first_time"](count.dtype, dt.dtype))
        added.append(Statement(first, None, value))
        return Apply(">=", (x, first), e.dtype)

    each = tuple(replace(s, value=rewritten(s.value, compared_as_time)) for s in kernel.each)
    return replace(kernel, before=(*kernel.before, *added), each=each)
