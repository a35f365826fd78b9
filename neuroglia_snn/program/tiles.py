"""A fused step over a lattice tile by tile: a block of threads does all stages of its tile, and what they need beside.

Threads of a block wait for each other between stages. What is at the tile's edge needs the neighbours' values of the
stage before, so each stage is done for a border around the tile as well, as wide as the later stages read: blocks never
wait for each other. Arrays that other blocks read as they were before the step are written to a second place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from neuroglia_snn.program.fuse import Fused, cells_of_units, changed
from neuroglia_snn.program.lattice import Lattice, Offset
from neuroglia_snn.program.operations import OPERATIONS
from neuroglia_snn.program.program import Kernel, Program, Step, Threshold
from neuroglia_snn.program.tree import (
    Apply,
    Array,
    Cell,
    Expression,
    Local,
    Statement,
    walk,
)

#: Rows and columns of a tile, as in gpu.hpp, and of one in a chain of units; bytes that a block may share.
ROWS, COLS, SHARED = 8, 32, 48 << 10


@dataclass(frozen=True, eq=False)
class Tiles(Step):
    """A step over a lattice that is done tile by tile.

    Attributes
    ----------
    kernel : all statements
    count : how many units there are
    threshold : of the units, if there is one; its events are the units where ``above`` holds in the last stage
    offsets : where each index array leads
    stages : the statements of each, with an array for each value that a later one reads
    reach : how far beyond the tile each stage is done
    halo : how far beyond it values are read
    shared : arrays whose values a block keeps, and those of them whose values before the step it loads
    alone : those of ``shared`` that are nowhere else
    last : of each array that is written, the last stage that does it
    doubled : arrays that are written to a second place
    private : arrays that only this step reads and writes, which have their values only where somebody may look
    listed : whether another step reads which units were above the threshold
    """

    kernel: Kernel
    count: Expression
    threshold: Threshold | None
    above: Local | None
    lattice: Lattice
    offsets: dict[Array, Offset]
    stages: tuple[Kernel, ...]
    reach: tuple[int, ...]
    halo: int
    shared: tuple[Array, ...]
    loaded: tuple[Array, ...]
    alone: frozenset[Array]
    last: dict[Array, int]
    doubled: tuple[Array, ...]
    private: frozenset[Array]
    listed: bool

    def is_read_after(self, array: Array, stage: int) -> bool:
        """Whether a later stage than one reads an array."""
        later = (e for kernel in self.stages[stage + 1 :] for e in kernel.expressions())
        return any(isinstance(e, Cell) and e.array is array for e in later)

    def size(self, rows: int = ROWS, cols: int = COLS) -> int:
        """Units of a tile with its border."""
        if self.lattice.rows == 1:
            return rows * cols + 2 * self.halo
        return (rows + 2 * self.halo) * (cols + 2 * self.halo)


def tiles(
    step: Fused,
    stages: Iterable[tuple[Statement, ...]],
    carried: Iterable[Array],
    count: Expression,
    program: Program,
) -> Tiles | None:
    """The step tile by tile, None where it cannot be.

    ``stages`` have arrays ``carried`` for values of one that another reads.
    """
    whole = Kernel(step.before, tuple(s for stage in step.stages for s in stage.statements))
    before, after = _of_reset(step, whole.first_free())
    before, given = (*step.before, *before), list(stages)
    given[-1] = (*given[-1], *after)
    kernel = Kernel(before, (*whole.each, *after))
    found = _plan(step, kernel, given, frozenset(carried), count)
    bytes_ = sum(a.dtype.itemsize for a in found.shared) * found.size()
    if bytes_ > SHARED or _is_elsewhere(found, program, step):
        return None
    return found


def _of_reset(step: Fused, free: int) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """What a reset does once, and for the units above the threshold; its local values are those from a number on."""
    if step.reset is None or step.above is None:
        return (), ()

    def renamed(e: Expression) -> Expression:
        return replace(e, number=e.number + free) if isinstance(e, Local) else e

    before = tuple(changed(s, renamed) for s in step.reset.kernel.before)
    each = (changed(s, renamed) for s in step.reset.kernel.each)
    return before, tuple(_where(s, step.above) for s in each)


def _where(s: Statement, above: Local) -> Statement:
    """A statement for units above the threshold alone."""
    if isinstance(s.target, Local):
        return s
    if s.condition is None:
        return replace(s, condition=above)
    both = OPERATIONS["and"](above.dtype, s.condition.dtype)
    return replace(s, condition=Apply("and", (above, s.condition), both))


def _plan(
    step: Fused,
    kernel: Kernel,
    stages: list[tuple[Statement, ...]],
    carried: frozenset[Array],
    count: Expression,
) -> Tiles:
    read = [_read(s) for s in stages]
    wide = [any(c.index is not None for c in cells) for cells in read]
    reach = [0] * len(stages)
    for n in range(len(stages) - 2, -1, -1):
        reach[n] = reach[n + 1] + wide[n + 1]
    last = {
        s.target.array: n
        for n, part in enumerate(stages)
        for s in part
        if isinstance(s.target, Cell)
    }
    first: dict[Array, int] = {}
    shared, loaded, outside = set(carried), set(), set()
    for n, part in enumerate(stages):
        for cell in _read_first(part):
            array = cell.array
            later = any(array in _written(p) for p in stages[:n])
            if cell.index is not None or later:
                shared.add(array)
            if not later:
                first.setdefault(array, n)
                outside |= {array} if cell.index is not None or reach[n] else set()
    loaded = {a for a in shared - carried if a in first}
    outside |= {a for a in loaded if reach[0] + wide[0]}
    by_number = sorted(shared, key=lambda a: a.number)
    return Tiles(
        step.owner,
        step.clock,
        kernel,
        count,
        step.threshold,
        step.above,
        step.lattice,
        step.offsets,
        tuple(Kernel(kernel.before, part) for part in stages),
        tuple(reach),
        reach[0] + wide[0],
        tuple(by_number),
        tuple(a for a in by_number if a in loaded),
        carried,
        {a: n for a, n in last.items() if a not in carried},
        tuple(sorted((outside & set(last)) - carried, key=lambda a: a.number)),
        step.private,
        step.listed,
    )


def _read(statements: Iterable[Statement]) -> list[Cell]:
    return [e for s in statements for e in cells_of_units(s)]


def _read_first(statements: Iterable[Statement]) -> list[Cell]:
    """Cells of units that a stage reads before it has written them; places of noise, too, but for indices."""
    found: list[Cell] = []
    written: set[Local | Cell] = set()
    for s in statements:
        found += [e for e in cells_of_units(s) if e not in written]
        written.add(s.target)
    return found


def _written(statements: Iterable[Statement]) -> set[Array]:
    return {s.target.array for s in statements if isinstance(s.target, Cell)}


def _is_elsewhere(made: Tiles, program: Program, step: Fused) -> bool:
    """Whether an array that moves is another array, too, or one that another step needs a copy of."""
    places = [a.values().ctypes.data for a in program.arrays if a.values().nbytes]
    if any(places.count(a.values().ctypes.data) > 1 for a in made.doubled):
        return True
    for other in program.steps:
        kernel = getattr(other, "kernel", None)
        if kernel is None or other is step:
            continue
        written = {c.array for c in kernel.writes()}
        cells = {
            e
            for x in (*kernel.expressions(), *kernel.writes())
            for e in walk(x)
            if isinstance(e, Cell) and e.array in made.doubled and e.array in written
        }
        if len({c.array for c in cells}) < len(cells):
            return True
    return False
