"""Stages of a fused step as C++: loops over a few rows, and over the columns of a row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from neuroglia_snn import lanes
from neuroglia_snn.emit.expressions import stored, type_of
from neuroglia_snn.emit.sums import SIDES, Sums, is_drawn
from neuroglia_snn.program.fuse import Fused, Stage, cells_of_units
from neuroglia_snn.program.linear import Linearizer
from neuroglia_snn.program.narrow import is_time, needs_double
from neuroglia_snn.program.operations import combined
from neuroglia_snn.program.tree import (
    FLOAT64,
    Apply,
    Array,
    Cell,
    Expression,
    Local,
    Parameter,
    Statement,
    Type,
    rewritten,
    walk,
)

#: Most vectors of a part of a row that are written out, where there are registers for it.
_UNROLLED = 10


class Stages:
    """The stages of a fused step.

    Attributes
    ----------
    real : the C++ type in which units are computed
    sums : its expressions
    written : arrays that are written
    beside : arrays whose neighbours are read
    ringed : private arrays of which a few rows are kept, for later stages
    before : what is done before the units: once while nothing but this step is due, and in every step (True)
    """

    def __init__(self, step: Fused, single: bool) -> None:
        self._step = step
        self.written = step.written()
        read = [e for stage in step.stages for e in _read(stage.statements)]
        self.real = "float" if single and not needs_double(step) else "double"
        self.beside = {e.array for e in read if e.index is not None}
        self._redrawn = self._drawn_once()
        self.ringed = self._later()
        self.sums = Sums(step, self.real, self.ringed)
        self._drawn: dict[Array, Expression] = {}
        self._locals = 1 + max(
            (e.number for s in _all(step) for e in _parts(s) if isinstance(e, Local)), default=-1
        )
        timely = [self.sums.is_timely(s.value) for s in step.before]
        self.before = {
            when: [self._assigned(s) for s, t in zip(step.before, timely, strict=True) if t == when]
            for when in (False, True)
        }
        self._stages = [self._stage(stage, n) for n, stage in enumerate(step.stages)]

    def _assigned(self, s: Statement) -> str:
        """A statement about what units share."""
        kind, name = type_of(s.target.dtype), self.sums.once(s.target)
        value = combined(s.operation, s.target, s.value)
        return f"const {kind} {name} = ({kind})({self.sums.once(value)});"

    def work(self, array: Array) -> str:
        """The type of an array's copy: single precision but for times."""
        if array.dtype != FLOAT64:
            return stored(array.dtype)
        return "double" if is_time(array) else self.real

    def heads(self, texts: Iterable[str]) -> list[str]:
        """Pointers and parameters that some lines read."""
        whole = "\n".join(texts)
        lines = []
        for cell in self.sums.scalars:
            a = cell.array
            if re.search(rf"\ba{a.number}\[0\]", whole):
                line = f"const {stored(a.dtype)}* const a{a.number} = (const {stored(a.dtype)}*)run.arrays[{a.number}];"
                if line not in lines:
                    lines.append(line)
        for n in sorted({int(p) for p in re.findall(r"\bp(\d+)\b", whole)}):
            lines.append(f"const auto p{n} = {self._parameter(n)};")
        return lines

    def _parameter(self, number: int) -> str:
        found = next(
            e
            for s in (*_all(self._step), *_of_reset(self._step))
            for e in _parts(s)
            if isinstance(e, Parameter) and e.number == number
        )
        table = "f" if found.dtype.kind == "f" else "n"
        return f"({type_of(found.dtype)})run.{table}[{number}]"

    def of_threshold(self) -> list[Cell]:
        """Cells of units that the threshold reads."""
        return _read(self._step.threshold.kernel.each) if self._step.threshold else []

    def constant(self, cell: Cell) -> bool:
        """Whether a unit's value is the same in all steps."""
        variable = cell.array.variable
        return bool(variable.constant) and cell.array not in self.written | self._step.changed

    def _stage(self, stage: Stage, number: int) -> list[str]:
        """The lines for a unit in column ``c``."""
        values, stores, carried = self._assignments(stage)
        used = Counter(e for v in values.values() for e in walk(v) if isinstance(e, Local))
        private, ringed = self._step.private, self.ringed
        needed = {
            local for array, local in stores.items() if array not in private or array in ringed
        }
        needed |= {*carried.values(), self._step.above}  # type: ignore[arg-type]
        inlined: dict[Expression, Expression] = {
            name: value
            for name, value in values.items()
            if name.dtype.kind == "f"
            and name not in needed
            and (used[name] <= 1 or is_drawn(value))
        }
        linearizer = Linearizer(self.constant, inlined)
        lines = []
        for name, value in values.items():
            if name not in inlined:
                kind = self.real if name.dtype.kind == "f" else type_of(name.dtype)
                text = self.sums.text(linearizer.term(value))
                lines.append(f"const {kind} x{name.number} = ({kind})({text});")
        texts = {a: self.sums.text(linearizer.term(local)) for a, local in stores.items()}
        for array, text in texts.items():  # which may read what is written below
            if array in private:
                lines.append(f"if (keep) kept{array.number}[c] = {text};")
        for array, text in texts.items():
            if array not in private or array in ringed:
                lines.append(f"A{array.number}[c] = {text};")
        lines += [f"C{k.number}[c] = {self.sums.text(local)};" for k, local in carried.items()]
        if self._step.above in values:
            lines.append(f"any[lane] |= -(int)x{self._step.above.number};")  # type: ignore[union-attr]
        return lines

    def _assignments(
        self, stage: Stage
    ) -> tuple[dict[Local, Expression], dict[Array, Local], dict[Local, Local]]:
        """Each statement as the value of a new name, and the names of what is left.

        In arrays, and in local values that a later stage reads.
        """
        names: dict[Local, Local] = {}
        cells: dict[Array, Local] = {}
        values: dict[Local, Expression] = {}

        def current(e: Expression) -> Expression:
            if isinstance(e, Local):
                return names.get(e, e)
            if isinstance(e, Cell) and e.index is None:
                return cells.get(e.array) or self._drawn.get(e.array) or e
            return e

        for s in stage.statements:
            value = combined(s.operation, current(s.target), rewritten(s.value, current))
            if s.condition is not None:
                parts = (rewritten(s.condition, current), value, current(s.target))
                value = Apply("select", parts, s.target.dtype)
            new = s.target if s.target == self._step.above else self._new(s.target.dtype)
            assert isinstance(new, Local)
            values[new] = value
            if isinstance(s.target, Local):
                names[s.target] = new
            else:
                cells[s.target.array] = new
                if s.target.array in self._redrawn:
                    self._drawn[s.target.array] = value
        carried = {k: names[k] for k in self._step.carried if k in names}
        return values, cells, carried

    def _new(self, dtype: Type) -> Local:
        self._locals += 1
        return Local(self._locals - 1, dtype, False)

    def _later(self) -> set[Array]:
        """Private arrays that a later stage, or neighbours, read: rows of them are kept for a while."""
        found: set[Array] = set()
        written: set[Array] = set()
        for stage in self._step.stages:
            found |= written & {e.array for e in _read(stage.statements)}
            written |= {s.target.array for s in stage.statements if isinstance(s.target, Cell)}
        return (found & self._step.private) - self._redrawn

    def _drawn_once(self) -> set[Array]:
        """Private arrays of random numbers alone, which a later stage can draw again."""
        statements = [s for stage in self._step.stages for s in stage.statements]
        times = Counter(s.target.array for s in statements if isinstance(s.target, Cell))
        return {
            s.target.array
            for s in statements
            if isinstance(s.target, Cell)
            and s.target.array in self._step.private - self.beside
            and times[s.target.array] == 1
            and is_drawn(s.value)
        }

    def row(self, array: Array, row: str = "r") -> str:
        """Where a row of an array begins."""
        if array in self.ringed:
            return f"w.part.at({row}).r{array.number} + Layout::pad"
        return f"s.a{array.number} + at.row({row})"

    def _rows(self, stage: int) -> list[str]:
        """Pointers to the rows that a stage reads and writes."""
        statements = self._step.stages[stage].statements
        offsets: dict[Array, set[int]] = {}
        for e in _read(statements):
            row = 0 if e.index is None else self._step.offsets[e.index.array][0]  # type: ignore[union-attr]
            offsets.setdefault(e.array, set()).add(row)
        written = {s.target.array for s in statements if isinstance(s.target, Cell)}
        for array in written:
            offsets.setdefault(array, set()).add(0)
        lines = []
        for a, rows in sorted(offsets.items(), key=lambda pair: pair[0].number):
            kind = self.work(a)
            for row in sorted(rows if a in self.ringed else {0}):
                const = "" if a in written and row == 0 else "const "
                where = self.row(a, f"r + {row}" if row else "r")
                if a not in self._step.private or a in self.ringed:
                    lines.append(
                        f"{const}{kind}* __restrict const A{a.number}{SIDES[row]} = {where};"
                    )
            if a in written and a in self._step.private:
                lines.append(
                    f"{kind}* __restrict const kept{a.number} = s.a{a.number} + at.row(r);"
                )
        real = self.real
        lines += [
            f"const {real}* __restrict const {z} = w.{z}.row(r);" for z in self.sums.noises.values()
        ]
        lines += [
            f"const {real}* __restrict const {k} = s.{k} + at.row(r);"
            for k in self.sums.coefficients.values()
        ]
        lines.append("const uint32_t* __restrict const U = s.units + at.row(r); (void)U;")
        for k in self._step.carried:
            lines.append(
                f"auto* __restrict const C{k.number} = w.part.at(r).c{k.number} + Layout::pad;"
            )
        return lines

    def text(self) -> list[str]:
        """A function for some rows of each stage."""
        lines: list[str] = []
        for n, body in enumerate(self._stages):
            used = set(re.findall(r"\bh\d+\b", "\n".join(body)))
            names = [h for h in self.sums.numbers if h in used]
            fires = self._step.reset is not None and n == len(self._stages) - 1
            lines += [
                f"template <bool keep, bool all> NEUROGLIA_ONCE static void stage{n}(State& s, Worker& w, const Shared& shared, Run& run, const int first, const int last)",
                "{",
                *(f"const {self.sums.numbers[h][0]} {h} = shared.{h};" for h in names),
                *(["int above[together][Layout::lanes] = {};"] if fires else []),
                "for (int r = first; r < last; r++)",
                "{",
                *self._rows(n),
                *(["int* const any = above[r - first];"] if fires else []),
                *self._columns(body),
                "}",
                # all that calls functions, or has other constants, by itself
                "for (int r = first; r < last; r++)",
                "{",
                *(["if (is_any(above[r - first])) fire(s, w, shared, run, r);"] if fires else []),
                *self._edges(n, fires),
                "}",
                "(void)run; (void)w;",
                "}",
            ]
        return lines

    def _edges(self, stage: int, fires: bool) -> list[str]:
        """Copies of what is beyond the edges, where neighbours read what a stage has written."""
        written = {s.target for s in self._step.stages[stage].statements}
        if fires and self._step.reset:
            written |= set(self._step.reset.kernel.writes())
        beside = {c.array for c in written if isinstance(c, Cell)} & self.beside
        lines = []
        for a in sorted(beside, key=lambda a: a.number):
            first, last, row = self.row(a, "-1"), self.row(a, "at.rows"), self.row(a)
            lines += [
                f"fill_sides({row}, at);",
                f"if (r == 0) fill_beyond({first}, {row}, true, at);",
                f"if (r == at.rows - 1) fill_beyond({last}, {row}, false, at);",
            ]
        return lines

    def _columns(self, body: list[str]) -> list[str]:
        """The loop over a row: units with no edge beside them share their constants, in most lattices."""
        used = [
            k
            for k in self.sums.coefficients.values()
            if re.search(rf"\b{k.lower()}\b", "\n".join(body))
        ]
        real, width = self.real, self._step.order.width * lanes.LANES
        sections = self._sections()
        longest = max((last - first) // lanes.LANES for _, first, last in sections)
        unrolled = ["#if defined(__AVX512F__)", f"#pragma GCC unroll {longest}", "#endif"]
        loop = [
            *(unrolled if used and longest <= _UNROLLED else []),
            "for (int vector = from; vector < to; vector += Layout::lanes)",
            "#pragma GCC ivdep",
            "for (int lane = 0; lane < Layout::lanes; lane++)",
            "{",
            "const int c = vector + lane;",
            *(f"const {real} {k.lower()} = alike.value ? {k}_inside : {k}[c];" for k in used),
            *body,
            "}",
        ]
        whole = f"columns(std::false_type(), 0, {width});"
        parts = [f"columns(std::{str(a).lower()}_type(), {f}, {t});" for a, f, t in sections]
        return [
            *(f"const {real} {k}_inside = s.{k}_inside;" for k in used),
            "const auto columns = [&](const auto alike, const int from, const int to) __attribute__((always_inline))",
            "{",
            "(void)alike;",
            *loop,
            "};",
            *(
                ["if (!s.alike || r == 0 || r == at.rows - 1)", whole, "else", "{", *parts, "}"]
                if used
                else [whole]
            ),
        ]

    def _sections(self) -> list[tuple[bool, int, int]]:
        """Parts of a row of vectors: whether all units have neighbours at both sides, and where it is."""
        width = self._step.order.width
        edges = sorted({0, (self._step.order.cols - 1) % width})  # with a first or a last column
        parts = []
        for n, edge in enumerate(edges):
            after = (edges[n + 1 :] or [width])[0]
            parts += [(False, edge, edge + 1), (True, edge + 1, after)]
        size = lanes.LANES
        return [(alike, size * f, size * t) for alike, f, t in parts if t > f]


def _parts(s: Statement) -> list[Expression]:
    return [e for x in (*s.expressions(), s.target) for e in walk(x)]


def _all(step: Fused) -> list[Statement]:
    return [*step.before, *(s for stage in step.stages for s in stage.statements)]


def _of_reset(step: Fused) -> list[Statement]:
    return [*step.reset.kernel.before, *step.reset.kernel.each] if step.reset else []


def cells_of_reset(step: Fused) -> list[Cell]:
    return [e for s in _of_reset(step) for e in _parts(s) if isinstance(e, Cell)]


def _read(statements: Iterable[Statement]) -> list[Cell]:
    """Cells of units that statements read."""
    return [e for s in statements for e in cells_of_units(s)]
