"""Sums over synapses that connect all with all: one total, and no list of synapses.

Where the value of a synapse is a value of its source times one of its target, and every source is connected
once to every target, the values of the sources are added up once for all targets. (Of all but itself, a
target's sum would be a difference of large numbers.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neuroglia_snn.program.gathers import inlined, placed
from neuroglia_snn.program.operations import OPERATIONS
from neuroglia_snn.program.program import Kernel, Program, Sum
from neuroglia_snn.program.tree import (
    INT64,
    Apply,
    Array,
    Cell,
    Expression,
    Local,
    Parameter,
    Statement,
    walk,
)

#: What a target's value does to the total: ``*`` or ``/``.
Factor = tuple[str, Expression]


@dataclass(frozen=True, eq=False, kw_only=True)
class Total(Sum):
    """The total of sources ``sources`` (first and last + 1), for targets ``targets``; others have 0.

    ``kernel`` has the value of a source, ``after`` sets a target from the total, its local ``total``.
    """

    sources: tuple[Parameter, Parameter]
    targets: tuple[Parameter, Parameter]
    total: Local
    after: Kernel


def totalled(program: Program) -> Program:
    """The program with totals in the place of the sums that can be."""
    parameters = list(program.parameters)
    steps = [
        _total(step, parameters) or step if isinstance(step, Sum) else step
        for step in program.steps
    ]
    return replace(program, steps=steps, parameters=parameters)


def _total(step: Sum, parameters: list[float | int | bool]) -> Total | None:
    value = inlined(step) if step.target.dtype.kind == "f" else None
    found = None if value is None else _factors(value, step.index)
    if value is None or found is None:
        return None
    of_source, factors = found
    source = _source(of_source, step.index)
    if source is None or any(isinstance(e, Cell) and e.array is step.target for e in walk(value)):
        return None
    ends = all_with_all(source.values(), step.index.values())
    if ends is None:
        return None
    sources, targets = ends
    own = placed(of_source, source, None)
    free = step.kernel.first_free()
    first, total = Local(free, own.dtype, False), Local(free + 1, step.target.dtype, False)
    result: Expression = total
    for operation, factor in factors:
        result = _applied(operation, result, placed(factor, step.index, None))
    bounds = [_added(parameters, n) for n in (*sources, *targets)]
    return Total(
        step.owner,
        step.clock,
        Kernel(step.kernel.before, (Statement(first, None, own),), {"_synaptic_var": first}),
        step.count,
        step.target,
        step.index,
        step.start,
        step.stop,
        sources=(bounds[0], bounds[1]),
        targets=(bounds[2], bounds[3]),
        total=total,
        after=Kernel((), (Statement(Cell(step.target, None), None, result),)),
    )


def all_with_all(
    sources: np.ndarray, targets: np.ndarray
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The sources and the targets (first, last + 1) that are all connected, in Brian2's order, or None."""
    if len(sources) < 2:
        return None
    low, high = int(sources[0]), int(sources[-1]) + 1
    first, last = int(targets.min()), int(targets.max()) + 1
    rows, columns = high - low, last - first
    if len(sources) != rows * columns:
        return None
    pre, post = sources.reshape(rows, columns), targets.reshape(rows, columns)
    whole = (pre == np.arange(low, high)[:, None]).all() and (post == np.arange(first, last)).all()
    return ((low, high), (first, last)) if whole else None


def _factors(value: Expression, target: Array) -> tuple[Expression, list[Factor]] | None:
    """A synapse's value as one of its source, and factors of its target; None if it is no product."""
    if not any(isinstance(e, Cell) and _is_of(e, target) for e in walk(value)):
        return value, []
    if not (isinstance(value, Apply) and value.operation in ("*", "/") and value.dtype.kind == "f"):
        return None
    one, other = value.arguments
    for left, right in ((one, other), (other, one)):
        if all(_is_of(c, target) for c in _units(right)):
            inner = _factors(left, target)
            if inner is not None:
                return inner[0], [*inner[1], (value.operation, right)]
        if value.operation == "/":
            break
    return None


def _cells(e: Expression) -> list[Cell]:
    """Cells that are read for their values, not as an index."""
    if isinstance(e, Cell):
        return [e]
    return [c for a in getattr(e, "arguments", ()) for c in _cells(a)]


def _units(e: Expression) -> list[Cell]:
    """Of its cells, those of units."""
    return [c for c in _cells(e) if not c.array.scalar]


def _is_of(cell: Cell, index: Array) -> bool:
    """Whether it is a value of the unit that an array of indices names."""
    return isinstance(cell.index, Cell) and cell.index.array is index and cell.index.index is None


def _source(value: Expression, target: Array) -> Array | None:
    """The array of indices by which a value reads units, where there is one alone."""
    found = set()
    for cell in _units(value):
        if not isinstance(cell.index, Cell) or cell.index.index is not None:
            return None
        found.add(cell.index.array)
    return found.pop() if len(found) == 1 and target not in found else None


def _applied(operation: str, one: Expression, other: Expression) -> Apply:
    return Apply(operation, (one, other), OPERATIONS[operation](one.dtype, other.dtype))


def _added(parameters: list[float | int | bool], value: int) -> Parameter:
    parameters.append(value)
    return Parameter(len(parameters) - 1, INT64)
