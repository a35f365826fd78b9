"""Passes: a program with the same results that does less for each unit."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from neuroglia_snn.program.beside import with_order, with_rows
from neuroglia_snn.program.fuse import fused
from neuroglia_snn.program.join import joined
from neuroglia_snn.program.operations import OPERATIONS
from neuroglia_snn.program.pools import pooled
from neuroglia_snn.program.program import Kernel, Program, Sum
from neuroglia_snn.program.regular import regular
from neuroglia_snn.program.spread import spread
from neuroglia_snn.program.staged import staged
from neuroglia_snn.program.targets import by_target
from neuroglia_snn.program.terms import termed
from neuroglia_snn.program.totals import totalled
from neuroglia_snn.program.tree import (
    BOOL,
    FLOAT64,
    Apply,
    Cell,
    Expression,
    Literal,
    Local,
    Parameter,
    Statement,
    rewritten,
    walk,
)
from neuroglia_snn.program.windows import windowed

Pass = Callable[[Program], Program]

#: Of our loop on a processor.
LOOP: tuple[Pass, ...] = (
    totalled,
    fused,
    pooled,
    termed,
    spread,
    regular,
    joined,
    windowed,
    with_rows,
    with_order,
)


def on_gpu(single: bool = False, tiled: bool = True) -> tuple[Pass, ...]:
    """Of a GPU, which does many units at once wherever they lie; see `staged`."""
    return (totalled, partial(staged, single=single, tiled=tiled), regular, by_target, joined)


def simplified(program: Program, passes: tuple[Pass, ...] | None = None) -> Program:
    """A program with simpler kernels, and after all passes of a target; of our loop without."""
    steps = []
    for step in program.steps:
        kernel = getattr(step, "kernel", None)
        change: dict[str, Any] = {} if kernel is None else {"kernel": _simpler(kernel)}
        if isinstance(step, Sum):
            read = {e.array for e in step.kernel.expressions() if isinstance(e, Cell)}
            change["grouped"] = step.target not in read and _is_grouped(step.index.values())
        steps.append(replace(step, **change))
    program = replace(program, steps=steps)
    for made in LOOP if passes is None else passes:
        program = made(program)
    return program


def _is_grouped(targets: np.ndarray) -> bool:
    """Whether synapses lie in the order of their targets, and most targets have several."""
    changes = np.count_nonzero(np.diff(targets))
    return bool((targets[1:] >= targets[:-1]).all()) and 4 * changes < len(targets)


def _simpler(kernel: Kernel) -> Kernel:
    for change in (where_it_counts, powers_of_exp, quotients_of_exp, steps_as_times, hoisted):
        kernel = change(kernel)
    return kernel


def where_it_counts(kernel: Kernel) -> Kernel:
    """A value that only writes under a condition use is worked out as if the condition holds.

    So ``int(not_refractory)`` is 1 in the equations of what does not change within a refractory period.
    """
    last = {s.target: k for k, s in enumerate(kernel.each) if isinstance(s.target, Cell)}
    guards: dict[Local, set[Expression | None]] = {}
    for local in kernel.results.values():
        guards.setdefault(local, set()).add(None)
    found: list[Statement] = []
    for k, statement in reversed(list(enumerate(kernel.each))):
        guard = statement.condition
        if isinstance(statement.target, Local):
            wanted = guards.get(statement.target, set())
            guard = next(iter(wanted)) if len(wanted) == 1 else None
        if not isinstance(guard, Cell) or last.get(guard, -1) >= k:
            guard = None
        value = statement.value if guard is None else _folded(_given(statement.value, guard))
        for part in walk(value):
            if isinstance(part, Local):
                guards.setdefault(part, set()).add(guard)
        if statement.operation is not None and isinstance(statement.target, Local):
            guards.setdefault(statement.target, set()).add(None)
        found.append(replace(statement, value=value))
    return replace(kernel, each=tuple(found[::-1]))


def _given(e: Expression, guard: Cell) -> Expression:
    """The expression where a condition holds."""
    return rewritten(e, lambda part: Literal(True, BOOL) if part == guard else part)


def _folded(e: Expression) -> Expression:
    """Without operations on whole numbers that are known, and without products with 1."""

    def simpler(part: Expression) -> Expression:
        if not isinstance(part, Apply):
            return part
        known = [a.value for a in part.arguments if isinstance(a, Literal)]
        if (
            part.operation in _WHOLE
            and part.dtype.kind == "i"
            and len(known) == len(part.arguments)
        ):
            return Literal(_WHOLE[part.operation](*map(int, known)), part.dtype)
        if part.operation == "*":
            one, other = part.arguments
            for a, b in ((one, other), (other, one)):
                if isinstance(a, Literal) and a.value == 1 and b.dtype == part.dtype:
                    return b
        return part

    return rewritten(e, simpler)


_WHOLE: dict[str, Callable[..., int]] = {
    "int": int,
    "neg": operator.neg,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def quotients_of_exp(kernel: Kernel) -> Kernel:
    """``x/exp(y)`` as ``x*exp(-y)``, and ``x/exprel(y)`` as a product: fewer divisions."""

    def product(e: Expression) -> Expression:
        if not (isinstance(e, Apply) and e.operation == "/" and e.dtype == FLOAT64):
            return e
        over, under = e.arguments
        if not (isinstance(under, Apply) and under.dtype == FLOAT64):
            return e
        if under.operation == "exp":
            minus = Apply("neg", under.arguments, FLOAT64)
            return Apply("*", (over, Apply("exp", (minus,), FLOAT64)), FLOAT64)
        if under.operation == "exprel":
            inverse = Apply("inverse_exprel", under.arguments, FLOAT64)
            return Apply("*", (over, inverse), FLOAT64)
        if under.operation == "*":
            first, second = under.arguments
            if isinstance(second, Apply) and second.operation == "exprel":
                less = product(Apply("/", (over, second), FLOAT64))
                return Apply("/", (less, first), FLOAT64)
        return e

    each = tuple(replace(s, value=rewritten(s.value, product)) for s in kernel.each)
    return replace(kernel, each=each)


def hoisted(kernel: Kernel) -> Kernel:
    """What all units share is worked out before the loop."""
    written = {s.target for s in kernel.each}
    free = kernel.first_free()
    added: dict[Expression, Local] = {}

    def invariant(e: Expression) -> bool:
        if isinstance(e, Apply):
            return all(map(invariant, e.arguments))
        return shared(e) and e not in written

    def named(e: Expression) -> Expression:
        if not isinstance(e, Apply):
            return e
        if not invariant(e):
            return replace(e, arguments=tuple(map(named, e.arguments)))
        if e not in added:
            added[e] = Local(free + len(added), e.dtype, True)
        return added[e]

    each = tuple(replace(s, value=named(s.value)) for s in kernel.each)
    more = tuple(Statement(local, None, e) for e, local in added.items())
    return replace(kernel, before=(*kernel.before, *more), each=each)


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
    free = kernel.first_free()
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
