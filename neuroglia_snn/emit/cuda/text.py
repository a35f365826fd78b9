"""A kernel of a program as CUDA: the statements are those of the C++ loop, a thread does a unit."""

from __future__ import annotations

from functools import partial

from neuroglia_snn.emit import foreign
from neuroglia_snn.emit.expressions import Printer, type_of
from neuroglia_snn.emit.kernels import Text
from neuroglia_snn.program.code import CudaCode
from neuroglia_snn.program.program import Kernel
from neuroglia_snn.program.tree import Array, Cell, Expression, Statement, walk


class CudaText(Text):
    """The parts of a kernel.

    Attributes
    ----------
    alone : whether one thread does all units, one after the other
    one_block : whether what is done once writes what units read, so that threads must wait for it
    """

    symbol = staticmethod(partial(foreign.symbol, kind=CudaCode))

    def __init__(
        self,
        kernel: Kernel,
        clock: int,
        also: tuple[Expression | Array, ...] = (),
        atomic: bool = False,
    ) -> None:
        """``atomic``: whether units add to what others add to, at the same time."""
        super().__init__(kernel, clock, also)
        added = {c for c in kernel.writes() if c.index is not None} if atomic else set()
        for cell in added:
            self._names[cell] = self._place(cell)
        self._direct |= added
        self._added = added
        self.alone = not atomic and (
            kernel.in_order or bool(self._direct) or _writes_shared(kernel)
        )
        self.one_block = any(isinstance(s.target, Cell) for s in kernel.before)

    def copied(self) -> list[int]:
        """Arrays of which the step needs a copy."""
        return sorted({c.array.number for c in self._old})

    def copies(self) -> list[str]:
        """What the host has copied before the step."""
        return [f"gpu.copy({n});" for n in self.copied()]

    def before(self) -> list[str]:
        lines = super().before()
        return ["__syncthreads();", *lines, "__syncthreads();"] if self.one_block else lines

    def _copy(self, kind: str, number: int) -> str:
        return f"const {kind}* const b{number} = (const {kind}*)run.copies[{number}];"

    def _stores(self, cells: list[Cell]) -> list[str]:
        own = [c for c in cells if not c.array.scalar]
        shared = super()._stores([c for c in cells if c.array.scalar])
        lines = super()._stores(own)
        if not shared or self.alone:
            return lines + shared
        return [*lines, "__syncthreads();", "if (threadIdx.x == 0)", "{", *shared, "}"]

    def _statement(self, s: Statement, printer: Printer, declared: set[int]) -> str:
        if s.target not in self._added:
            return super()._statement(s, printer, declared)
        kind, value = type_of(s.target.dtype), printer.text(s.value)
        text = f"add(&{printer.text(s.target)}, ({kind})({'-' if s.operation == '-' else ''}({value})));"
        return text if s.condition is None else f"if ({printer.text(s.condition)}) {text}"


def _writes_shared(kernel: Kernel) -> bool:
    """Whether units write a value that all of them share."""
    return any(isinstance(s.target, Cell) and s.target.array.scalar for s in kernel.each)


def only_adds(kernel: Kernel) -> bool:
    """Whether all that units write beside their own values is sums, of which no unit reads any."""
    reached = [s for s in kernel.each if isinstance(s.target, Cell) and s.target.index is not None]
    arrays = {s.target.array for s in reached}  # type: ignore[union-attr]
    if _writes_shared(kernel) or not all(s.operation in ("+", "-") for s in reached):
        return False
    if any(s.target.dtype.kind == "b" or s.target.dtype.itemsize < 4 for s in reached):
        return False
    read = [
        part
        for s in (*kernel.before, *kernel.each)
        for e in (s.value, s.condition, getattr(s.target, "index", None))
        if e is not None
        for part in walk(e)
    ]
    own = {c.array for c in kernel.writes() if c.index is None}
    return not (arrays & (own | {e.array for e in read if isinstance(e, Cell)}))
