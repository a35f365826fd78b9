"""A `Fused` step as C++: one pass over the rows of a lattice, on copies in the order of vectors' lanes.

Names in the text: ``A`` is the row of an array (``A3_m1`` the row before it), ``K`` a row of constant
coefficients, ``z`` one of normal numbers; ``h`` is a number that all units share, worked out once a step in
double precision; ``x`` a local value. A namespace holds all that belongs to one step.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from brian2.units.allunits import second

from neuroglia_snn import lanes
from neuroglia_snn.emit import foreign
from neuroglia_snn.emit.expressions import CPP, Printer, literal, stored, type_of
from neuroglia_snn.program.fuse import Fused, Stage, cells_of_units
from neuroglia_snn.program.linear import ONE, Factor, Linear, Linearizer, Term, shared
from neuroglia_snn.program.operations import OPERATIONS
from neuroglia_snn.program.tree import (
    FLOAT64,
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
    Type,
    rewritten,
    walk,
)

#: Most vectors of a part of a row that are written out.
_UNROLLED = 10
_SIDES = {-1: "_m1", 0: "", 1: "_p1"}


@dataclass
class _Shared:
    """What is worked out once a step: text of each number, and its C++ type."""

    names: dict[object, str] = field(default_factory=dict)
    texts: dict[str, tuple[str, str]] = field(default_factory=dict)

    def name(self, key: object, kind: str, text: str) -> str:
        if key not in self.names:
            self.names[key] = f"h{len(self.names)}"
            self.texts[self.names[key]] = (kind, text)
        return self.names[key]


class Rows:
    """The text of one fused step."""

    def __init__(self, step: Fused, number: int, single: bool) -> None:
        self._step, self._number = step, number
        self._arrays = step.arrays()
        self._written = step.written()
        exact = any(_is_time(e.array) for stage in step.stages for e in _read(stage.statements))
        self._real = "float" if single and not exact else "double"
        self._beside = {
            e.array for stage in step.stages for e in _read(stage.statements) if e.index is not None
        }
        self._shared = _Shared()
        self._coefficients: dict[tuple[Factor, float], str] = {}
        self._noises: dict[Expression, str] = {}
        self._gates: dict[str, None] = {}
        self._drawn: dict[Array, Expression] = {}
        self._scalars: dict[Cell, str] = {}
        self._locals = 1 + max(
            (e.number for s in _all(step) for e in _parts(s) if isinstance(e, Local)), default=-1
        )
        self._ringed = self._later()
        self._before = [self._assigned(s) for s in step.before]
        self._stages = [self._stage(stage, n) for n, stage in enumerate(step.stages)]
        self._fire = self._firing()

    def _assigned(self, s: Statement) -> str:
        """A statement that is done once a step."""
        kind, name = type_of(s.target.dtype), self._once(s.target)
        value: Expression = s.value
        if s.operation is not None:
            value = Apply(
                s.operation, (s.target, value), OPERATIONS[s.operation](s.target.dtype, value.dtype)
            )
        return f"const {kind} {name} = ({kind})({self._once(value)});"

    # ---------------------------------------------------------------------------------- numbers

    def _once(self, e: Expression) -> str:
        """An expression of what units share, in double precision."""
        for part in walk(e):
            if isinstance(part, Cell):
                self._scalars[part] = f"a{part.array.number}[0]"
        return Printer(self._scalars, "0", foreign.symbol).text(e)

    def _hoisted(self, e: Expression) -> str:
        kind = self._real if e.dtype.kind == "f" else type_of(e.dtype)
        return self._shared.name(e, kind, self._once(e))

    def _product(self, factor: Factor, multiple: float) -> str:
        """The shared part of a factor, as text in double precision."""
        text = repr(multiple)
        for e, divides in factor.shared:
            text = f"{text} {'/' if divides else '*'} (double)({self._once(e)})"
        return f"({text})"

    def _factor(self, factor: Factor, multiple: float) -> str:
        """The name of a factor: a number that units share, or a row of their constants."""
        if factor.own:
            key = (factor, multiple)
            name = self._coefficients.setdefault(key, f"K{len(self._coefficients)}")
            return name.lower()
        name = self._shared.name((factor, multiple), self._real, self._product(factor, multiple))
        if any(isinstance(p, (Call, Look)) for e in factor.shared for p in self._deep(e[0])):
            self._gates[name] = None
        return name

    def _deep(self, e: Expression) -> Iterable[Expression]:
        """The parts of an expression, and of the values that are worked out before it."""
        for part in walk(e):
            yield part
            if isinstance(part, Local):
                for s in self._step.before:
                    if s.target == part:
                        yield from self._deep(s.value)

    # ------------------------------------------------------------------------------ expressions

    def _text(self, e: Term) -> str:
        if isinstance(e, Linear):
            return self._sum(e)
        if isinstance(e, Literal):
            return f"({self._real}){literal(e.value)}" if e.dtype.kind == "f" else literal(e.value)
        if shared(e):
            return self._hoisted(e)
        if isinstance(e, Local):
            return f"C{e.number}[c]" if e in self._step.carried else f"x{e.number}"
        if isinstance(e, Cell):
            return self._place(e)
        if isinstance(e, Draw) and e.kind == "rand":
            return self._uniform(e)
        if _is_normal(e):
            return f"{self._noises.setdefault(e, f'z{len(self._noises)}')}[c]"  # type: ignore[arg-type]
        assert isinstance(e, Apply)
        return self._applied(e)

    def _uniform(self, e: Draw) -> str:
        """A uniform number of the unit in column ``c``, which is counted as Brian2 counts units."""
        words = self._shared.name(e, "Words", self._words(e))
        return f"(({self._real})uniform_of(words({words}, U[c])))"

    def _words_of_step(self, e: Expression) -> str:
        if isinstance(e, Draw):
            return self._words(e)
        assert isinstance(e, Apply)
        seed, stream, _, count = (self._once(a) if shared(a) else "" for a in e.arguments)
        keys = f"(uint32_t)(int64_t){seed}, (uint32_t)(int64_t){stream}"
        return f"neuroglia_of_step({keys}, {count})"

    def _words(self, e: Draw) -> str:
        clock = f"run.clocks[{self._step.clock}]"
        return f"words_of(run.keys + 2*{e.number}, *{clock}.timestep + {clock}.shift)"

    def _applied(self, e: Apply) -> str:
        arguments = [self._text(a) for a in e.arguments]
        if e.operation == "select":
            return "({} ? {} : {})".format(*arguments)
        form, real = CPP[e.operation], e.dtype.kind == "f"
        if e.operation == "**" and isinstance(e.arguments[1], Literal) and real:
            exponent = float(e.arguments[1].value)
            if exponent == exponent // 1:
                form = f"whole_power<{int(exponent)}>((T){{0}})"
        text = form.replace("(T)", f"({self._real if real else type_of(e.dtype)})")
        text = text.format(*arguments)
        return f"(({self._real}){text})" if real else text

    def _place(self, e: Cell) -> str:
        row, column = (0, 0) if e.index is None else self._step.offsets[e.index.array]  # type: ignore[union-attr]
        shift, side = column * lanes.LANES, _SIDES[row]
        if e.array not in self._ringed:  # at a fixed distance, which takes no register
            shift, side = shift + row * self._stride, ""
        return f"A{e.array.number}{side}[c{f' + {shift}' if shift else ''}]"

    @property
    def _stride(self) -> int:
        return (self._step.order.width + 2) * lanes.LANES

    def _sum(self, e: Linear) -> str:
        """The sum: what is multiplied by 1 first, then the increment, which is summed by itself."""
        base, increment = "", ""
        for factor, terms in e.groups:
            constants = [m for t, m in terms if t == ONE]
            rest = [(t, m) for t, m in terms if t != ONE and m]
            if factor == Factor():
                number = sum(constants)
                base = self._group(rest) if rest else ""
                if number or not rest:
                    text = f"({self._real}){literal(number)}"
                    base = f"({base} + {text})" if base else text
                continue
            if constants and sum(constants):
                text = self._factor(factor, sum(constants))
                increment = f"({text} + {increment})" if increment else text
            if rest:
                scale = rest[0][1]
                group = self._group([(t, m / scale) for t, m in rest])
                name = self._factor(factor, scale)
                increment = self._plus_product(name, group, increment)
        if base and increment:
            return f"({base} + {increment})"
        return base or increment or f"({self._real})0.0"

    def _plus_product(self, name: str, group: str, increment: str) -> str:
        text = f"multiplied_added<{self._real}>({name}, {group}, {increment})"
        if not increment:
            text = f"({name}*{group})"
        if name in self._gates:
            return f"(all ? {text} : {increment or f'({self._real})0.0'})"
        return text

    def _group(self, terms: list[tuple[Term, float]]) -> str:
        """Multiples of terms: equal values in pairs, so that four of them make exactly four times one."""
        scale = abs(terms[0][1])
        if scale != 1:
            inner = self._group([(t, m / scale) for t, m in terms])
            return f"(({self._real}){scale!r}*{inner})"
        plus = [self._text(t) for t, m in terms if m == 1]
        while len(plus) > 1:
            pairs = [f"({a} + {b})" for a, b in zip(plus[::2], plus[1::2], strict=False)]
            plus = pairs + plus[2 * len(pairs) :]
        text = plus[0] if plus else ""
        for t, m in terms:
            if m == -1:
                text = f"({text} - {self._text(t)})" if text else f"(-{self._text(t)})"
            elif m != 1:
                number = f"({self._real}){literal(m)}"
                text = (
                    f"multiplied_added<{self._real}>({number}, {self._text(t)}, {text})"
                    if text
                    else f"({number}*{self._text(t)})"
                )
        return text

    # ---------------------------------------------------------------------------------- stages

    def _constant(self, cell: Cell) -> bool:
        variable = cell.array.variable
        return bool(variable.constant) and cell.array not in self._written

    def _stage(self, stage: Stage, number: int) -> list[str]:
        """The lines for a unit in column ``c``."""
        values, stores, carried = self._assignments(stage)
        used = Counter(e for v in values.values() for e in walk(v) if isinstance(e, Local))
        private, ringed = self._step.private, self._ringed
        needed = {
            local for array, local in stores.items() if array not in private or array in ringed
        }
        needed |= {*carried.values(), self._step.above}  # type: ignore[arg-type]
        inlined: dict[Expression, Expression] = {
            name: value
            for name, value in values.items()
            if name.dtype.kind == "f"
            and name not in needed
            and (used[name] <= 1 or _is_drawn(value))
        }
        linearizer = Linearizer(self._constant, inlined)
        lines = []
        for name, value in values.items():
            if name not in inlined:
                kind = self._real if name.dtype.kind == "f" else type_of(name.dtype)
                text = self._text(linearizer.term(value))
                lines.append(f"const {kind} x{name.number} = ({kind})({text});")
        for array, local in stores.items():
            text = self._text(linearizer.term(local))
            if array not in private or array in ringed:
                lines.append(f"A{array.number}[c] = {text};")
            if array in private:
                lines.append(f"if (keep) kept{array.number}[c] = {text};")
        lines += [f"C{k.number}[c] = {self._text(local)};" for k, local in carried.items()]
        if self._step.above in values:
            lines.append(f"any |= (int)x{self._step.above.number};")  # type: ignore[union-attr]
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
            value = rewritten(s.value, current)
            if s.operation is not None:
                types = (s.target.dtype, value.dtype)
                value = Apply(
                    s.operation, (current(s.target), value), OPERATIONS[s.operation](*types)
                )
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
                if s.target.array in self._step.private and _is_drawn(value):
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
        drawn = {
            s.target.array
            for stage in self._step.stages
            for s in stage.statements
            if isinstance(s.target, Cell) and s.operation is None and _is_drawn(s.value)
        }
        return (found & self._step.private) - drawn

    def _firing(self) -> list[str]:
        """Threshold and reset of the unit in column ``c``."""
        step = self._step
        if step.reset is None:
            return []
        kernel = step.reset.kernel
        cells = {
            e: f"c{n}"
            for n, e in enumerate(
                dict.fromkeys(
                    e for e in (*kernel.expressions(), *kernel.writes()) if isinstance(e, Cell)
                )
            )
        }
        lines = []
        for cell, name in cells.items():
            where = f"a{cell.array.number}[0]" if cell.array.scalar else f"A{cell.array.number}[c]"
            if cell.array.scalar:
                self._scalars[cell] = where
            lines.append(f"{type_of(cell.dtype)} {name} = {where}; (void){name};")
        printer = Printer(cells, "0", foreign.symbol)
        for s in (*kernel.before, *kernel.each):
            value = s.value
            if s.operation is not None:
                types = (s.target.dtype, value.dtype)
                value = Apply(s.operation, (s.target, value), OPERATIONS[s.operation](*types))
            kind, text = type_of(s.target.dtype), printer.text(value)
            text = f"({kind})({text})"
            if s.condition is not None:
                text = f"{printer.text(s.condition)} ? {text} : {printer.text(s.target)}"
            declared = kind + " " if isinstance(s.target, Local) else ""
            lines.append(f"{declared}{printer.text(s.target)} = {text};")
        lines += [f"A{c.array.number}[c] = {cells[c]};" for c in dict.fromkeys(kernel.writes())]
        return lines

    # ----------------------------------------------------------------------------------- text

    def _work(self, array: Array) -> str:
        """The type of an array's copy: single precision but for times."""
        if array.dtype != FLOAT64:
            return stored(array.dtype)
        return "double" if _is_time(array) else self._real

    def text(self) -> list[str]:
        """All of the step, from its state to the function that the loop calls."""
        return [
            f"namespace w{self._number} {{",
            *self._state(),
            *self._moves(),
            *self._stages_text(),
            *self._step_text(),
            "}",
        ]

    def _state(self) -> list[str]:
        order, step, real = self._step.order, self._step, self._real
        width = order.width * lanes.LANES
        flags = ", ".join(str(p).lower() for p in step.lattice.periodic)
        numbers = f"{order.height}, {order.cols}, {order.blocks}, {width}, {self._stride}"
        lines = [
            f"constexpr Layout at{{{numbers}, {step.lattice.rows * step.lattice.cols}, {flags}}};",
            f"constexpr int stages = {len(step.stages)};",
            'static_assert(predictions >= together + stages, "rows that are kept between the stages");',
            "struct Shared {",
            *(f"{kind} {name};" for name, (kind, _) in self._shared.texts.items()),
            "};",
            "struct State {",
            "Arena arena;",
            "int32_t* const place = allocate<int32_t>(at.size, arena);",
        ]
        for a in self._arrays:
            kind = self._work(a)
            lines.append(f"{kind}* const a{a.number} = allocate<{kind}>(at.length(), arena);")
            if a in self._ringed:
                size = "(size_t)predictions*at.stride"
                lines.append(f"{kind}* const r{a.number} = allocate<{kind}>({size}, arena);")
        for k in step.carried:
            kind = real if k.dtype.kind == "f" else stored(k.dtype)
            size = "(size_t)predictions*at.stride"
            lines.append(f"{kind}* const c{k.number} = allocate<{kind}>({size}, arena);")
        for name in self._coefficients.values():
            lines.append(f"{real}* const {name} = allocate<{real}>(at.length(), arena);")
            lines.append(f"double {name}_of = NAN; {real} {name}_inside = 0;")
        if any(isinstance(e, Apply) for e in self._noises):
            lines.append(
                "const uint32_t* const scrambled = NoiseRows<double>::scrambled(at, arena);"
            )
        for e, name in self._noises.items():
            kind, given = ("", ", scrambled") if isinstance(e, Apply) else ("Unit", "")
            lines.append(f"{kind}NoiseRows<{real}> {name}{{at{given}, arena}};")
        return [
            *lines,
            "uint32_t* const units = allocate<uint32_t>(at.length(), arena);",
            "bool filled = false, stale = true, alike = false;",
            f"uint8_t newer[{max(1, len(self._arrays))}];",
            "std::vector<int32_t> events;",
            "State()",
            "{",
            "for (int unit = 0; unit < at.size; unit++) place[unit] = (int32_t)at.position(unit);",
            "fill_units(units, [](const int unit) { return unit; }, at);",
            "}",
            "};",
        ]

    def _held(self) -> list[Array]:
        """Arrays whose copies last from step to step."""
        return [a for a in self._arrays if a not in self._step.private]

    def _moves(self) -> list[str]:
        """Between Brian2's arrays and the copies: to here, and back."""
        lines = ["static void bring(State& s, Run& run)", "{"]
        for n, a in enumerate(self._arrays):
            if a in self._step.private:
                continue
            lines.append(
                f"if (s.newer[{n}] == 1)\n{{\nbring_units(s.a{a.number}, (const {stored(a.dtype)}*)run.arrays[{a.number}], s.place, s.filled, at);"
            )
            if a in self._beside:
                lines.append(f"fill_edges(s.a{a.number}, at);")
            lines.append(f"s.newer[{n}] = 0;\n}}")
        lines += [
            "s.filled = true;",
            "}",
            "static void hand_back(State& s, Run& run, const int n)",
            "{",
        ]
        for n, a in enumerate(self._arrays):
            if a in self._written:
                lines.append(
                    f"if (n == {n} && s.newer[{n}] == 2) {{ hand_back_units(s.a{a.number}, ({stored(a.dtype)}*)run.arrays[{a.number}], s.place, at); s.newer[{n}] = 0; }}"
                )
        return [*lines, "(void)s; (void)run; (void)n;", "}"]

    def _rows(self, stage: int) -> list[str]:
        """Pointers to the rows that a stage reads and writes."""
        statements = self._step.stages[stage].statements
        last = stage == len(self._step.stages) - 1
        offsets: dict[Array, set[int]] = {}
        for e in _read(statements):
            row = 0 if e.index is None else self._step.offsets[e.index.array][0]  # type: ignore[union-attr]
            offsets.setdefault(e.array, set()).add(row)
        for s in statements:
            if isinstance(s.target, Cell):
                offsets.setdefault(s.target.array, set()).add(0)
        lines = []
        written = {s.target.array for s in statements if isinstance(s.target, Cell)}
        for a, rows in sorted(offsets.items(), key=lambda pair: pair[0].number):
            n, kind = a.number, self._work(a)
            for row in sorted(rows if a in self._ringed else {0}):
                const = "" if a in written and row == 0 else "const "
                where = f"r + {row}" if row else "r"
                from_ = (
                    f"ring_row(s.r{n}, {where}, at)"
                    if a in self._ringed
                    else f"s.a{n} + at.row({where})"
                )
                if a in self._step.private and a not in self._ringed:
                    continue
                lines.append(f"{const}{kind}* __restrict const A{n}{_SIDES[row]} = {from_};")
            if a in written and a in self._step.private:
                lines.append(f"{kind}* __restrict const kept{n} = s.a{n} + at.row(r);")
        lines += [
            f"const {self._real}* __restrict const {z} = s.{z}.row(r);"
            for z in self._noises.values()
        ]
        lines += [
            f"const {self._real}* __restrict const {k} = s.{k} + at.row(r);"
            for k in self._coefficients.values()
        ]
        lines.append("const uint32_t* __restrict const U = s.units + at.row(r); (void)U;")
        for k in self._step.carried:
            lines.append(f"auto* __restrict const C{k.number} = ring_row(s.c{k.number}, r, at);")
        return [*lines, *(["int any = 0;"] if last and self._fire else [])]

    def _stages_text(self) -> list[str]:
        lines: list[str] = []
        if self._fire:
            lines += self._fire_text()
        for n, body in enumerate(self._stages):
            used = set(re.findall(r"\bh\d+\b", "\n".join(body)))
            names = [h for h in self._shared.texts if h in used]
            last = n == len(self._stages) - 1
            beside = {
                s.target.array
                for s in self._step.stages[n].statements
                if isinstance(s.target, Cell) and s.target.array in self._beside
            }
            if last and self._step.reset:
                beside |= {
                    c.array for c in self._step.reset.kernel.writes() if c.array in self._beside
                }
            edges = []
            for a in sorted(beside, key=lambda a: a.number):
                get = (
                    f"ring_row(s.r{a.number}, {{}}, at)"
                    if a in self._ringed
                    else f"s.a{a.number} + at.row({{}})"
                )
                edges += [
                    f"fill_sides({get.format('r')}, at);",
                    f"if (r == 0) fill_beyond({get.format('-1')}, {get.format('0')}, true, at);",
                    f"if (r == at.rows - 1) fill_beyond({get.format('at.rows')}, {get.format('r')}, false, at);",
                ]
            lines += [
                f"template <bool keep, bool all> NEUROGLIA_ONCE static void stage{n}(State& s, const Shared& shared, Run& run, const int from, const int to)",
                "{",
                *(f"const {self._shared.texts[h][0]} {h} = shared.{h};" for h in names),
                "(void)run;",
                "for (int r = from; r < to; r++)",
                "{",
                *self._rows(n),
                *self._columns(body),
                *(["if (any) fire(s, shared, run, r);"] if last and self._fire else []),
                *edges,
                "}",
                "}",
            ]
        return lines

    def _columns(self, body: list[str]) -> list[str]:
        """The loop over a row: units with no edge beside them share their constants, in most lattices."""
        used = [
            k
            for k in self._coefficients.values()
            if re.search(rf"\b{k.lower()}\b", "\n".join(body))
        ]
        real, width = self._real, self._step.order.width * lanes.LANES
        sections = self._sections()
        longest = max((last - first) // lanes.LANES for _, first, last in sections)
        loop = [
            *([f"#pragma GCC unroll {longest}"] if used and longest <= _UNROLLED else []),
            "#pragma GCC ivdep",
            "for (int c = from; c < to; c++)",
            "{",
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

    def _heads(self, texts: Iterable[str]) -> list[str]:
        """Pointers and parameters that some lines read."""
        whole = "\n".join(texts)
        lines = []
        for cell in self._scalars:
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

    def _fire_text(self) -> list[str]:
        """Threshold and reset of a row: what the threshold says is worked out again."""
        step = self._step
        assert step.reset is not None and step.threshold is not None and step.above is not None
        above = self._threshold_alone()
        arrays = sorted(
            {c.array for c in _reset_cells(step)}
            | {e.array for e in _read(step.threshold.kernel.each)},
            key=lambda a: a.number,
        )
        rows = []
        for a in arrays:
            if a.scalar:
                continue
            where = (
                f"ring_row(s.r{a.number}, r, at)"
                if a in self._ringed
                else f"s.a{a.number} + at.row(r)"
            )
            rows.append(f"{self._work(a)}* const A{a.number} = {where};")
        used = sorted(set(re.findall(r"\bh\d+\b", "\n".join(above))))
        return [
            "static __attribute__((noinline)) void fire(State& s, const Shared& shared, Run& run, const int r)",
            "{",
            "(void)shared; (void)run;",
            *self._heads(self._fire),
            *(f"const {self._shared.texts[h][0]} {h} = shared.{h};" for h in used),
            *rows,
            "const auto above = [&](const int c) -> bool",
            "{",
            *above,
            f"return x{step.above.number};",
            "};",
            "for (int first = 0; first < at.width; first += Layout::lanes)",
            "{",
            "int any = 0;",
            "for (int lane = 0; lane < Layout::lanes; lane++) any |= (int)above(first + lane);",
            "for (int c = first; any && c < first + Layout::lanes; c++)",
            "{",
            "if (!above(c)) continue;",
            *(
                ["if (at.unit(r, c) >= 0) s.events.push_back(at.unit(r, c));"]
                if step.listed
                else []
            ),
            *self._fire,
            "}",
            "}",
            "}",
        ]

    def _threshold_alone(self) -> list[str]:
        """The statements of the threshold, on the values that the step has left."""
        linearizer = Linearizer(self._constant, {})
        threshold = self._step.threshold
        assert threshold is not None
        count = len(threshold.kernel.each)
        lines = []
        for s in self._step.stages[-1].statements[-count:]:
            kind = self._real if s.target.dtype.kind == "f" else type_of(s.target.dtype)
            text = self._text(linearizer.term(s.value))
            lines.append(f"const {kind} x{s.target.number} = ({kind})({text});")  # type: ignore[union-attr]
        return lines

    def _step_text(self) -> list[str]:
        step = self._step
        lines = ["static bool step(State& s, Run& run)", "{", "bring(s, run);"]
        shared_texts = [text for _, text in self._shared.texts.values()]
        products, coefficients = [], []
        for (factor, multiple), name in self._coefficients.items():
            text = self._product(factor, multiple)
            products.append(text)
            own = "1.0"
            for e, divides in factor.own:
                own = f"{own} {'/' if divides else '*'} (double)k{e.array.number}[unit]"  # type: ignore[union-attr]
            arrays = sorted({e.array.number: e.array for e, _ in factor.own}.items())  # type: ignore[union-attr]
            coefficients += [
                "{",
                f"const double product = {text};",
                f"if (s.stale || !(product == s.{name}_of))",
                "{",
                *(
                    f"const {stored(a.dtype)}* const k{n} = (const {stored(a.dtype)}*)run.arrays[{n}];"
                    for n, a in arrays
                ),
                f"fill_units(s.{name}, [&](const int unit) {{ return product*({own}); }}, at);",
                f"if (s.stale) alike = alike && same_inside(s.{name}, at);",
                f"s.{name}_inside = s.{name}[inside(at)];",
                f"s.{name}_of = product;",
                "}",
                "}",
            ]
        noise = []
        for e, name in self._noises.items():
            noise.append(f"s.{name}.begin({self._words_of_step(e)});")
        lines += self._heads([*self._before, *shared_texts, *products, *noise])
        lines += [*self._before, "bool alike = s.stale || s.alike;", *coefficients]
        lines += ["s.alike = alike;", "s.stale = false;", "Shared shared;"]
        lines += [
            f"shared.{name} = ({kind})({text});"
            for name, (kind, text) in self._shared.texts.items()
        ]
        lines += noise
        gates = " || ".join(f"shared.{g} != 0" for g in self._gates) or "true"
        lines += [
            f"const Clock& clock = run.clocks[{step.clock}];",
            "const bool keep = run.leaving || *clock.timestep + 1 >= clock.end;",
            f"const bool all = {gates};",
            "if (keep) pass<true, true>(s, shared, run);",
            "else if (all) pass<false, true>(s, shared, run);",
            *(["else pass<false, false>(s, shared, run);"] if self._gates else []),
        ]
        for n, a in enumerate(self._arrays):
            if a in self._written:
                lines.append(f"{'if (keep) ' if a in step.private else ''}s.newer[{n}] = 2;")
        if step.threshold:
            events = step.threshold.events.number
        if step.threshold and step.listed:
            lines += [
                "std::sort(s.events.begin(), s.events.end());",
                f"int32_t* const events = (int32_t*)run.arrays[{events}];",
                "std::copy(s.events.begin(), s.events.end(), events);",
                f"events[run.sizes[{events}] - 1] = (int32_t)s.events.size();",
                "s.events.clear();",
            ]
        made = [
            f"s.{name}.make(std::max(first - (stages - 1), 0), std::min(first + together, at.rows));"
            for name in self._noises.values()
        ]
        calls = [
            f"stage{n}<keep, all>(s, shared, run, std::max(first - {n}, 0), std::min(first + together - {n}, at.rows));"
            for n in range(len(step.stages))
        ]
        head = [
            "template <bool keep, bool all> static void pass(State& s, const Shared& shared, Run& run)",
            "{",
            "for (int first = 0; first < at.rows + stages - 1; first += together)",
            "{",
            *made,
            *calls,
            "}",
            "}",
        ]
        return [*head, *lines, "return true;", "}"]


def _is_time(array: Array) -> bool:
    return array.dtype == FLOAT64 and array.variable.dim == second.dim


def _parts(s: Statement) -> list[Expression]:
    return [e for x in (*s.expressions(), s.target) for e in walk(x)]


def _all(step: Fused) -> list[Statement]:
    return [*step.before, *(s for stage in step.stages for s in stage.statements)]


def _of_reset(step: Fused) -> list[Statement]:
    return [*step.reset.kernel.before, *step.reset.kernel.each] if step.reset else []


def _reset_cells(step: Fused) -> list[Cell]:
    return [e for s in _of_reset(step) for e in _parts(s) if isinstance(e, Cell)]


def _read(statements: Iterable[Statement]) -> list[Cell]:
    """Cells of units that statements read."""
    return [e for s in statements for e in cells_of_units(s)]


def _is_normal(e: Term) -> bool:
    by_place = isinstance(e, Apply) and e.operation == "gaussian"
    return by_place or (isinstance(e, Draw) and e.kind == "randn")


def _is_drawn(e: Expression) -> bool:
    """Whether a value is made of random numbers and of what units share alone."""
    if isinstance(e, Draw) or (isinstance(e, Apply) and e.operation == "gaussian"):
        return True
    if shared(e):
        return False
    return isinstance(e, Apply) and all(shared(a) or _is_drawn(a) for a in e.arguments)
