"""A kernel as C++: what is done once, what a loop needs before it starts, and the body for a unit."""

from __future__ import annotations

from collections import Counter

from neuroglia_snn.emit import foreign
from neuroglia_snn.emit.expressions import TABLED, Printer, stored, type_of
from neuroglia_snn.program.beside import stride
from neuroglia_snn.program.operations import combined
from neuroglia_snn.program.program import Kernel
from neuroglia_snn.program.sharing import independent
from neuroglia_snn.program.tree import (
    BOOL,
    Array,
    Cell,
    Draw,
    Entry,
    Expression,
    Literal,
    Local,
    Parameter,
    Statement,
    walk,
)


class Text:
    """The parts of a function that runs a kernel; every name in them is made here.

    ``a`` is an array, ``c`` a cell's value, ``p`` a parameter, ``x`` a local, ``w`` what a draw's
    random bits of a step have in common, ``l`` its table, ``z`` booleans of a block of units, ``u`` the unit and ``d`` its number for random bits,
    ``r`` values beside each other and ``v`` the unit's place among them.
    """

    #: The name of a script's function.
    symbol = staticmethod(foreign.symbol)

    def __init__(
        self,
        kernel: Kernel,
        clock: int,
        also: tuple[Expression | Array, ...] = (),
        row: tuple[Array, ...] = (),
        ordered: tuple[Array, ...] = (),
    ) -> None:
        """``also`` are values and arrays that the step itself reads, ``row`` those beside each other.

        ``ordered`` are arrays that a ``path`` may have in another order.
        """
        self._row, self._ordered = row, ordered
        self._kernel, self._clock = kernel, clock
        self._names: dict[Cell, str] = {}
        self._arrays = {a.number: a for a in also if isinstance(a, Array)}
        self._parameters: dict[int, Parameter] = {}
        self._tables: set[int] = set()
        extra = [part for e in also if not isinstance(e, Array) for part in walk(e)]
        for e in (*kernel.expressions(), *kernel.writes(), *extra):
            if isinstance(e, Cell):
                self._arrays[e.array.number] = e.array
                self._names.setdefault(e, f"c{len(self._names)}")
            elif isinstance(e, Parameter):
                self._parameters[e.number] = e
            elif isinstance(e, Entry):
                self._arrays[e.array.number] = e.array
                self._tables.add(e.array.number)
        self._staged: set[Cell] = set()
        self._direct, self._old = self._aliased()
        for cell in self._direct:
            self._names[cell] = self._place(cell)

    def _aliased(self) -> tuple[set[Cell], set[Cell]]:
        """Cells of arrays that are written and reached in several ways: they may be one and the same.

        The first are read and written in place, because units follow each other, or because several of
        them are written. The second are only read, in a copy of before: all happens at once.
        """
        written = {c for c in self._kernel.writes() if not c.array.scalar}
        writes = Counter(c.array.number for c in written)
        ways = Counter(c.array.number for c in self._names)
        aliased = {c for c in self._names if writes[c.array.number] and ways[c.array.number] > 1}
        direct = {c for c in aliased if self._kernel.in_order or writes[c.array.number] > 1}
        return direct, aliased - direct - written

    def head(self) -> list[str]:
        """Pointers, numbers, and the random bits of the step."""
        lines = [
            f"{stored(a.dtype)}* const a{n} = ({stored(a.dtype)}*){self._home(a)};"
            for n, a in sorted(self._arrays.items())
            if a not in self._row[1:]
        ]
        lines += [f"const int64_t entries{n} = run.sizes[{n}];" for n in sorted(self._tables)]
        for n, p in sorted(self._parameters.items()):
            table = "f" if p.dtype.kind == "f" else "n"
            lines.append(f"const {type_of(p.dtype)} p{n} = ({type_of(p.dtype)})run.{table}[{n}];")
        for n in sorted({c.array.number for c in self._old}):
            kind = stored(self._arrays[n].dtype)
            lines.append(self._copy(kind, n))
        lines += [
            f"const Words w{d.number} = words_of(run.keys + 2*{d.number}, *run.clocks[{self._clock}].timestep + run.clocks[{self._clock}].shift);"
            for d in self._kernel.draws()
        ]
        lines += [
            f"const Alias l{d.number} = run.aliases[{d.number}];"
            for d in self._kernel.draws()
            if d.kind in TABLED
        ]
        return lines

    def _copy(self, kind: str, number: int) -> str:
        """An array as it is before the step."""
        return f"const Copy<{kind}> b{number}(a{number}, run.sizes[{number}]);"

    def _home(self, array: Array) -> str:
        """Where an array is."""
        home = f"run.arrays[{array.number}]"
        if array not in self._ordered:
            return home
        return f"(path.ordered ? path.ordered[{self._ordered.index(array)}] : {home})"

    def value(self, e: Expression) -> str:
        """A value of the step itself, outside of the loop: a parameter, or a scalar's element."""
        if isinstance(e, Cell):
            return f"a{e.array.number}[0]"
        return Printer({}, "0", self.symbol).text(e)

    def before(self) -> list[str]:
        """What is done once."""
        return self._block(self._kernel.before, "0", shared=set())

    def shared(self) -> list[str]:
        """Scalars that every unit reads, and that nothing has read or written before."""
        known = {*self._read(self._kernel.before), *(s.target for s in self._kernel.before)}
        return self._loads(
            c for c in self._read(self._kernel.each) if c.array.scalar and c not in known
        )

    def once(self) -> list[str]:
        """All that comes before the loop."""
        return [*self.head(), *self.before(), *self.shared()]

    def each(self) -> list[str]:
        """The body for unit ``u``."""
        shared = {c for c in self._read(self._kernel.each) if c.array.scalar}
        return self._block(self._kernel.each, "d", shared)

    def part(self, statements: tuple[Statement, ...]) -> list[str]:
        """Some of the statements of the body, for unit ``u``."""
        scalars = {c for c in self._read(self._kernel.each) if c.array.scalar}
        return self._block(statements, "d", scalars)

    def result(self, name: str, otherwise: str = "false") -> str:
        local = self._kernel.results.get(name)
        return otherwise if local is None else f"x{local.number}"

    def independent(self) -> bool:
        """Whether units may be done in any order, and many at once."""
        return independent(self._kernel)

    def stage(self) -> list[Cell]:
        """Let `each` find booleans of the units themselves in arrays ``z`` of a block of units.

        Their elements are as wide as numbers: a loop with bytes among numbers would do 64 units at once,
        whose values no registers hold.
        """
        if self.independent():
            own = set(self.own())
            alone = own - self._direct - self._old
            if any(c.dtype.kind == "f" for c in own):
                self._staged = {c for c in alone if c.dtype == BOOL}
        return sorted(self._staged, key=lambda c: c.array.number)

    def own(self) -> list[Cell]:
        """Cells of the unit itself, in order."""
        own = (c for c in self._names if c.index is None and not c.array.scalar)
        return sorted(own, key=lambda c: c.array.number)

    def own_arrays(self) -> list[tuple[str, int]]:
        """Arrays of the unit itself, by name and by how many numbers a unit has in each."""
        found = {
            (f"a{self._row[0].number}", stride(self._row))
            if c.array in self._row
            else (f"a{c.array.number}", 1)
            for c in self.own()
        }
        return sorted(found)

    def drawn(self) -> list[Draw]:
        """Random numbers whose bits are the unit's words as they are."""
        return [d for d in self._kernel.draws() if d.kind in ("rand", "binomial")]

    def reads(self, cell: Cell) -> bool:
        """Whether `each` reads a cell before it has written it."""
        return cell in self._kernel.read_first()

    def writes(self, cell: Cell) -> bool:
        """Whether `each` writes a cell."""
        return any(s.target == cell for s in self._kernel.each)

    def _read(self, statements: tuple[Statement, ...]) -> list[Cell]:
        """Cells that statements read before they write them, an index before what it leads to."""
        found: dict[Cell, None] = {}
        written: set[Local | Cell] = set()
        for statement in statements:
            for expression in statement.expressions():
                for part in reversed(list(walk(expression))):
                    if isinstance(part, Cell) and part not in written:
                        found[part] = None
            written.add(statement.target)
        return list(found)

    def _place(self, cell: Cell) -> str:
        if cell.array.scalar:
            return f"a{cell.array.number}[0]"
        index = "u"
        if cell.index is not None:
            index = self._index(cell.index)
        if cell in self._staged:
            return f"z{cell.array.number}[u - from]"
        if cell.array in self._row:
            return f"r[{stride(self._row)}*v + {self._row.index(cell.array)}]"
        array = "b" if cell in self._old else "a"
        return f"{array}{cell.array.number}[{index}]"

    def _index(self, index: Cell | Literal | Local) -> str:
        if isinstance(index, Local):
            return f"x{index.number}"
        return "0" if isinstance(index, Literal) else self._names[index]

    def _loads(self, cells) -> list[str]:
        return [
            f"{type_of(c.dtype)} {self._names[c]} = {self._place(c)};"
            for c in cells
            if c not in self._direct
        ]

    def _block(self, statements: tuple[Statement, ...], unit: str, shared: set[Cell]) -> list[str]:
        """Loads, statements and stores."""
        read = [c for c in self._read(statements) if c not in shared]
        lines = self._loads(read)
        written = list(dict.fromkeys(s.target for s in statements if isinstance(s.target, Cell)))
        lines += [
            f"{type_of(c.dtype)} {self._names[c]};"
            for c in written
            if c not in read and c not in shared and c not in self._direct
        ]
        declared: set[int] = set()
        printer = Printer(self._names, unit, self.symbol)
        for statement in statements:
            lines.append(self._statement(statement, printer, declared))
        return lines + self._stores([c for c in written if c not in self._direct])

    def _stores(self, cells: list[Cell]) -> list[str]:
        return [f"{self._place(c)} = {self._stored(c)};" for c in cells]

    def _stored(self, cell: Cell) -> str:
        name = self._names[cell]
        return f"{name} ? 1.0 : 0.0" if cell in self._staged else name

    def _statement(self, s: Statement, printer: Printer, declared: set[int]) -> str:
        value = combined(s.operation, s.target, s.value)
        kind, text = type_of(s.target.dtype), printer.text(value)
        text = f"({kind})({text})"
        name = printer.text(s.target)
        if (
            s.condition is not None
        ):  # a branch around what reads tables would keep the loop from vectors
            condition = printer.text(s.condition)
            return f"{{ const {kind} y = {text}; {name} = {condition} ? y : {name}; }}"
        if isinstance(s.target, Local) and s.target.number not in declared:
            declared.add(s.target.number)
            return f"{kind} {name} = {text};"
        return f"{name} = {text};"


__all__ = ["Draw", "Text"]
