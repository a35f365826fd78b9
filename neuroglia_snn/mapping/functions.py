"""What the equations of a population need of a core: functions, or more than a leaky integrate-and-fire."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from neuroglia_snn.program.passes import where_it_counts
from neuroglia_snn.program.program import Kernel, Program, Reset, Step, Sum, Threshold, Update
from neuroglia_snn.program.tree import (
    Apply,
    Array,
    Call,
    Cell,
    Draw,
    Expression,
    Literal,
    Local,
    Look,
    Parameter,
    Statement,
    walk,
)

#: Operations that adders, multipliers and comparisons do.
_PLAIN = frozenset(
    ["+", "-", "*", "neg", "<", "<=", ">", ">=", "==", "!=", "and", "or", "not", "select", "clip"]
).union(("abs", "sign", "int", "float", "floor", "ceil", "timestep", "first_time", "gaussian"))
#: Powers up to this are products.
_MOST_POWER = 8


def functions(
    kernel: Kernel, program: Program, written: Collection[Array], traces: bool = False
) -> list[str]:
    """Names of the functions of values of single units that a kernel works out, each as often as it does.

    What all units share, and what is a function of arrays that nothing writes, is worked out before a run.
    With ``traces``, the exponential decay of a value since the last spike is none: that is what a trace is.
    """
    found: dict[Expression, str] = {}
    kernel = where_it_counts(kernel)
    known = _Known(kernel, written)
    for e in _single(kernel, known):
        if isinstance(e, Call) and e.foreign.name.removeprefix("neuroglia_") not in _PLAIN:
            found[e] = e.foreign.name
        elif isinstance(e, Draw) and e.kind not in ("rand", "randn"):
            found[e] = e.kind
        elif isinstance(e, Look) and len(e.arguments) > 1:
            found[e] = "a table"
        elif isinstance(e, Apply) and not (
            _is_plain(e, known, program) or (traces and _is_decay(e, known))
        ):
            found[e] = _spoken(e.operation)
    return list(found.values())


def _single(kernel: Kernel, known: Callable[[Expression], bool]) -> Iterator[Expression]:
    """Expressions of a kernel that have to be worked out for each unit."""
    for statement in kernel.each:
        for expression in statement.expressions():
            yield from (e for e in walk(expression) if not known(e))


class _Known:
    """Says of expressions whether their values are known before a unit is: all units share them.

    So are those of arrays that are not among ``written``, if these are given.
    """

    def __init__(self, kernel: Kernel, written: Collection[Array] | None = None) -> None:
        self._written = written
        self._locals = {s.target for s in kernel.before if isinstance(s.target, Local)}
        for statement in kernel.each:
            plain = statement.operation is None and statement.condition is None
            if isinstance(statement.target, Local) and plain and self(statement.value):
                self._locals.add(statement.target)

    def __call__(self, e: Expression) -> bool:
        if isinstance(e, (Literal, Parameter)):
            return True
        if isinstance(e, Local):
            return e.scalar or e in self._locals
        if isinstance(e, Cell):
            return e.array.scalar or (self._written is not None and e.array not in self._written)
        return isinstance(e, (Apply, Look)) and all(map(self, e.arguments))


def _is_plain(e: Apply, known: Callable[[Expression], bool], program: Program) -> bool:
    if e.operation in _PLAIN:
        return True
    if e.operation == "/":
        return known(e.arguments[1])
    if e.operation == "**":
        power = e.arguments[1]
        value = None
        if isinstance(power, Literal):
            value = power.value
        elif isinstance(power, Parameter):
            value = program.parameters[power.number]
        return value is not None and value == int(value) and 0 <= value <= _MOST_POWER
    return False


def _is_decay(e: Apply, known: Callable[[Expression], bool]) -> bool:
    """Whether an expression is the exponential of the time since a synapse was last updated."""
    if e.operation != "exp":
        return False
    single = [c for c in walk(e) if isinstance(c, Cell) and not known(c)]
    plain = all(
        part.operation in ("+", "-", "*", "neg", "exp") or known(part) or _over_known(part, known)
        for part in walk(e)
        if isinstance(part, Apply)
    )
    return plain and bool(single) and all(c.array.variable.name == "lastupdate" for c in single)


def _over_known(e: Apply, known: Callable[[Expression], bool]) -> bool:
    return e.operation == "/" and known(e.arguments[1])


def _spoken(operation: str) -> str:
    return {"/": "division", "**": "powers"}.get(operation, operation)


def sets_others(kernel: Kernel, written: Collection[Array]) -> bool:
    """Whether a synapse does more to other units than to add what does not depend on their changing values."""
    for statement, read in _dependencies(kernel):
        target = statement.target
        if not isinstance(target, Cell) or target.index is None or target.array.scalar:
            continue
        if statement.operation not in ("+", "-"):
            return True
        if any(cell.index == target.index and cell.array in written for cell in read):
            return True
    return False


def _dependencies(kernel: Kernel) -> Iterator[tuple[Statement, set[Cell]]]:
    """Each statement of a kernel, and all cells that its value is worked out from."""
    of: dict[Local, set[Cell]] = {}
    for statement in kernel.each:
        read: set[Cell] = set()
        for e in walk(statement.value):
            if isinstance(e, Cell):
                read.add(e)
            elif isinstance(e, Local):
                read |= of.get(e, set())
        if isinstance(statement.target, Local):
            of[statement.target] = of.get(statement.target, set()) | read
        yield statement, read


def has_draws(kernel: Kernel) -> bool:
    """Whether a kernel draws random numbers."""
    return any(isinstance(e, Draw) for e in kernel.expressions())


# --------------------------------------------------------- current-based leaky integrate-and-fire


def beyond_lif(steps: list[Step]) -> str | None:
    """What of a population's steps a current-based leaky integrate-and-fire neuron does not do, if anything.

    Such a neuron has a potential and one current; both decay, the potential adds the current, it spikes above
    a constant threshold and is set to a constant.
    """
    for step in steps:
        if isinstance(step, Sum):
            return "values are summed over its synapses in every step"
        if isinstance(step, Update):
            reason = _beyond_leak(where_it_counts(step.kernel))
        elif isinstance(step, Threshold):
            reason = _beyond_threshold(step.kernel)
        elif isinstance(step, Reset):
            reason = _beyond_reset(step.kernel)
        else:
            reason = None
        if reason:
            return reason
    if sum(isinstance(step, Update) for step in steps) > 1:
        return "more than its state update runs in every step"
    return None


def _beyond_leak(kernel: Kernel) -> str | None:
    degrees: dict[Local | Cell, int] = {}
    shared = _Known(kernel)
    states = {c.array for c in kernel.writes() if c.array.dtype.kind == "f"}
    if len(states) > 2:
        return f"it has {len(states)} variables of state, and there are a potential and one current"
    for statement in kernel.each:
        if any(isinstance(e, Draw) for x in statement.expressions() for e in walk(x)):
            return "it draws random numbers"
        degree = _degree(statement.value, degrees, shared)
        if degree > 1 and statement.target.dtype.kind == "f":
            return "its state update is not linear"
        if isinstance(statement.target, Local):
            degrees[statement.target] = degree
    if all(_reads(kernel, a) >= states for a in states) and len(states) == 2:
        return "its two variables depend on each other, and the current depends on itself alone"
    return None


def _reads(kernel: Kernel, array: Array) -> set[Array]:
    """The arrays that the new value of one is worked out from."""
    found: set[Array] = set()
    for statement, read in _dependencies(kernel):
        if isinstance(statement.target, Cell) and statement.target.array is array:
            found |= {cell.array for cell in read} | ({array} if statement.operation else set())
    return found


def _degree(e: Expression, degrees: dict, shared: Callable[[Expression], bool]) -> int:
    """Degree of an expression in values of a unit; 2 stands for anything that is not linear."""
    if shared(e):
        return 0
    if isinstance(e, Local):
        return degrees.get(e, 2)
    if isinstance(e, Cell):
        return 1 if e.index is None else 2
    if not isinstance(e, Apply):
        return 2
    below = [_degree(a, degrees, shared) for a in e.arguments]
    if e.operation in ("+", "-", "neg"):
        return max(below)
    if e.operation == "*":
        return min(2, sum(below))
    if e.operation == "/" and not below[1]:
        return below[0]
    return 2


def _beyond_threshold(kernel: Kernel) -> str | None:
    shared = _Known(kernel)
    for e in _single(kernel, shared):
        if isinstance(e, Draw):
            return "its threshold is random"
        if isinstance(e, Apply) and e.operation not in (">", ">=", "<", "<=", "and"):
            return "its threshold is no comparison of a variable with a constant"
        if isinstance(e, Apply) and e.operation != "and" and not any(map(shared, e.arguments)):
            return "its threshold is no comparison of a variable with a constant"
    return None


def _beyond_reset(kernel: Kernel) -> str | None:
    shared = _Known(kernel)
    writes = [s for s in kernel.each if isinstance(s.target, Cell)]
    if len(writes) > 1 or any(s.operation or not shared(s.value) for s in writes):
        return "its reset does more than set a variable to a constant"
    return None
