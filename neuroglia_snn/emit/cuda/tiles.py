"""A step over a lattice as one kernel: a block of threads does the stages of a tile in memory that its threads share."""

from __future__ import annotations

from neuroglia_snn.emit.cuda.steps import Made, Place, counted, made
from neuroglia_snn.emit.cuda.text import CudaText
from neuroglia_snn.emit.expressions import stored
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.tiles import Tiles
from neuroglia_snn.program.tree import Array, Cell


def has_tiles(program: Program) -> bool:
    """Whether a program needs tiles.hpp."""
    return any(isinstance(step, Tiles) for step in program.steps)


class _Stage(CudaText):
    """The text of a stage; shared values are ``s``, and the second place of an array ``n``."""

    def __init__(self, tiles: Tiles, stage: int) -> None:
        self._tiles, self._stage = tiles, stage
        super().__init__(tiles.stages[stage], tiles.clock, tuple(tiles.loaded))

    def _aliased(self) -> tuple[set[Cell], set[Cell]]:
        return set(), set()  # neighbours' values are those of the stage before

    def head(self) -> list[str]:
        given = self._arrays
        self._arrays = {n: a for n, a in given.items() if a not in self._tiles.alone}
        lines = super().head()
        self._arrays = given
        for a in self._tiles.doubled:
            lines.append(
                f"{stored(a.dtype)}* const n{a.number} = ({stored(a.dtype)}*)run.copies[{a.number}];"
            )
        return lines

    def _read(self, statements) -> list[Cell]:  # type: ignore[no-untyped-def]
        return [c for c in super()._read(statements) if c.array not in self._tiles.offsets]

    def _place(self, cell: Cell) -> str:
        if cell.index is not None and isinstance(cell.index, Cell):
            row, col = self._tiles.offsets[cell.index.array]
            return f"s{cell.array.number}[tile.template beside<{row}, {col}>(unit)]"
        if cell.array in self._tiles.shared:
            return f"s{cell.array.number}[unit.here]"
        return super()._place(cell)

    def _stores(self, cells: list[Cell]) -> list[str]:
        tiles = self._tiles
        lines = [
            f"{self._place(c)} = {self._stored(c)};"
            for c in cells
            if c.array in tiles.shared and tiles.is_read_after(c.array, self._stage)
        ]
        for c in cells:
            if tiles.last.get(c.array) == self._stage:
                home = "n" if c.array in tiles.doubled else "a"
                where = "keep && unit.inside" if c.array in tiles.private else "unit.inside"
                lines.append(f"if ({where}) {home}{c.array.number}[u] = {self._stored(c)};")
        return lines

    def loaded(self) -> list[str]:
        """All values from before the step."""
        lines = [f"s{a.number}[unit.here] = a{a.number}[unit.number];" for a in self._tiles.loaded]
        return _each(self._tiles.halo, lines) if lines else []

    def text(self) -> list[str]:
        """The stage for all its units."""
        body = ["const int64_t u = unit.number, d = u; (void)d;", *self.each()]
        if self._is_last() and self._tiles.threshold is not None and self._tiles.listed:
            above = self._tiles.above
            body.append(
                f"if (unit.inside) run.flags[u] = {'false' if above is None else f'x{above.number}'};"
            )
        return _each(self._tiles.reach[self._stage], body)

    def _is_last(self) -> bool:
        return self._stage + 1 == len(self._tiles.stages)


def _each(border: int, body: list[str]) -> list[str]:
    return [f"tile.template each<{border}>([&](const Unit& unit)", "{", *body, "});"]


@made.register
def _(step: Tiles, place: Place) -> Made:
    name, lattice = f"k{place.number}", step.lattice
    around = ", ".join(str(p).lower() for p in lattice.periodic)
    kind = f"Tile<{lattice.rows}, {lattice.cols}, {around}, {step.halo}>"
    lines = [f"const {kind} tile;", *(_shared(a, kind) for a in step.shared)]
    first = _Stage(step, 0)
    lines += [*first.head(), *first.loaded(), *first.before()]
    for number in range(len(step.stages)):
        text = _Stage(step, number)
        head = text.head() if number else []
        lines += ["__syncthreads();", "{", *head, *text.shared(), *text.text(), "}"]
    if step.doubled:
        moves = (f"exchange(run, {a.number});" for a in step.doubled)
        lines += ["if (ends(run))", "{", *moves, "}"]
    keep = f"may_leave(run, {step.clock})"
    done = Made(host=[f"gpu.doubled({a.number});" for a in step.doubled])
    done.kernel(name, lines, "const bool keep")
    if step.threshold is None or not step.listed:
        done.launch(name, f"{kind}::count", "THREADS", keep)
        return done
    done.host += [*counted(step, step.count), "gpu.flags(count);"]
    done.launch(name, f"{kind}::count", "THREADS", keep)
    events = step.threshold.events.number
    done.launch("count_flags", "chunks_of(count)", "threads_for(count)", str(events))
    done.host.append(f"const Events events{{{events}, -1, -1, -1}};")
    done.launch("list_events", "chunks_of(count)", "threads_for(count)", "events", "false")
    return done


def _shared(array: Array, kind: str) -> str:
    return f"__shared__ {stored(array.dtype)} s{array.number}[{kind}::size];"
