"""What the steps of a Program say of whose they are, and what they read and write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from brian2.groups.subgroup import Subgroup
from brian2.synapses.synapses import Synapses

from neuroglia_snn.program.program import Deliver, Kernel, Step, Sum, Threshold, Update
from neuroglia_snn.program.tree import Array, Cell, Expression, Literal, walk


def kernel_of(step: Any) -> Kernel:
    """The kernel of a step that has one."""
    return step.kernel


def acts(step: Step) -> bool:
    """Whether a step does anything to the network: a check of values does not."""
    return not isinstance(step, Update) or any(True for _ in step.kernel.writes())


def group_of(step: Any) -> Any:
    """The group, or part of one, or the synapses, whose items a step's kernel is for."""
    return step.pathway.path.synapses if isinstance(step, Deliver) else step.owner.group


def owner_of(array: Array) -> Any:
    """The object that an array belongs to."""
    return array.variable.owner


def whole(group: Any) -> Any:
    """The group whose units indices of synapses count: they count those of a part as units of the whole."""
    return group.source if isinstance(group, Subgroup) else group


def is_synapses(owner: Any) -> bool:
    """Whether an object that arrays belong to is a `brian2.Synapses`."""
    return isinstance(owner, Synapses)


def values(group: Any, name: str) -> np.ndarray:
    """Whole numbers that an object keeps under a name."""
    return np.asarray(group.variables[name].get_value()).astype(np.int64)


def expressions(step: Any, own_targets: bool = True) -> Iterator[Expression]:
    """All that a step's kernel reads; without ``own_targets``, not what a statement only adds to."""
    kernel = getattr(step, "kernel", None)
    if kernel is None:
        return
    for statement in (*kernel.before, *kernel.each):
        read = statement.expressions()
        if not own_targets and isinstance(statement.target, Cell):
            read = (e for e in read if e is not statement.target)
        for expression in read:
            yield from walk(expression)


def writes(step: Any) -> Iterator[Cell]:
    """Cells that a step writes."""
    kernel = getattr(step, "kernel", None)
    if kernel is not None:
        yield from kernel.writes()
    for array in hidden(step):
        yield Cell(array, None)


def hidden(step: Any) -> list[Array]:
    """Arrays that a step writes beside its kernel."""
    if isinstance(step, Sum):
        return [step.target]
    if isinstance(step, Threshold) and step.refractory is not None:
        return list(step.refractory[:2])
    return []


def cells(step: Any) -> Iterator[Cell]:
    """Cells that a step's kernel reads or writes."""
    yield from (e for e in expressions(step) if isinstance(e, Cell))
    if getattr(step, "kernel", None) is not None:
        yield from step.kernel.writes()


def learns(step: Deliver) -> bool:
    """Whether a pathway writes values of its synapses."""
    return any(c.index is None and not c.array.scalar for c in step.kernel.writes())


def units_named(index: Any, count: int) -> np.ndarray:
    """The unit that an index names for each item."""
    if isinstance(index, Literal):
        return np.full(count, int(index.value))
    assert isinstance(index, Cell)
    values = np.asarray(index.array.values()).astype(np.int64)
    return values[:count] if index.index is None else values[units_named(index.index, count)]
