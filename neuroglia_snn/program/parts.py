"""What a spike does at each synapse, in two parts: what is the synapse's own, and what reaches others.

Synapses of one source and delay are all different, so what each does to itself may be done for many at
once; only what they add to targets, which they share, has to be done one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from neuroglia_snn.program.passes import shared
from neuroglia_snn.program.program import Kernel
from neuroglia_snn.program.tree import Call, Cell, Expression, Local, Statement, walk


@dataclass(frozen=True)
class Parts:
    """Statements of a kernel, and the locals by which the first part tells the second what to write."""

    own: tuple[Statement, ...]
    reaching: tuple[Statement, ...]
    told: tuple[Local, ...]


def parts(kernel: Kernel) -> Parts | None:
    """The two parts, or None where the kernel cannot be parted, or where one of them is empty."""
    reaching = {s.target.array for s in kernel.each if _reaches(s)}  # type: ignore[union-attr]
    if not reaching or not _separate(kernel):
        return None
    free = kernel.first_free()
    own: list[Statement] = []
    others: list[Statement] = []
    told: list[Local] = []
    for s in kernel.each:
        if not _reaches(s):
            if reaching & _arrays(*s.expressions()):
                return None
            own.append(s)
        elif reaching & _arrays(s.value, *_index(s.target)):  # type: ignore[arg-type]
            return None
        elif shared(s.value):
            others.append(s)
        else:
            told.append(Local(free + len(told), s.value.dtype, False))
            own.append(Statement(told[-1], None, s.value))
            others.append(replace(s, value=told[-1]))
    return Parts(tuple(own), tuple(others), tuple(told)) if own else None


def _reaches(s: Statement) -> bool:
    return isinstance(s.target, Cell) and s.target.index is not None


def _separate(kernel: Kernel) -> bool:
    """Whether what is written is reached in one way each, and by no condition, index or function."""
    written = {c.array: c for c in kernel.writes()}
    if any(isinstance(e, Call) for e in kernel.expressions()):
        return False
    for s in kernel.each:
        if isinstance(s.target, Cell) and s.target.array.scalar:
            return False
        beside = () if s.condition is None else (s.condition,)
        if set(written) & _arrays(*beside, *_index(s.target)):
            return False
    cells = [*kernel.writes(), *(e for e in kernel.expressions() if isinstance(e, Cell))]
    return all(written.get(c.array, c) == c for c in cells)


def _index(target: Expression) -> tuple[Expression, ...]:
    return (target.index,) if isinstance(target, Cell) and target.index is not None else ()


def _arrays(*expressions: Expression) -> set:
    return {part.array for e in expressions for part in walk(e) if isinstance(part, Cell)}
