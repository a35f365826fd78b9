"""A `Fused` step as C++: copies of arrays in the order of vectors' lanes, and one pass over their rows a step.

A namespace holds all that belongs to one step. Its ``State`` has, of each array, a copy in rows; ``newer`` says of
each array whether Brian2's values are newer than the copy (1), or the copy is (2).
"""

from __future__ import annotations

from neuroglia_snn import lanes
from neuroglia_snn.emit.expressions import stored
from neuroglia_snn.emit.rows import Stages
from neuroglia_snn.program.fuse import Fused
from neuroglia_snn.program.tree import Apply, Cell


class FusedText:
    """The text of one fused step, whose namespace has a ``number``."""

    def __init__(self, step: Fused, number: int, single: bool) -> None:
        self._step, self._number = step, number
        self._arrays = step.arrays()
        self._stages = Stages(step, single)
        self._sums = self._stages.sums

    def lines(self) -> list[str]:
        """All of the step, from its state to the function that the loop calls."""
        return [
            f"namespace w{self._number} {{",
            *self._state(),
            *self._moves(),
            *self._stages.text(),
            *self._pass(),
            *self._step_text(),
            "}",
        ]

    def _state(self) -> list[str]:
        order, step, real = self._step.order, self._step, self._stages.real
        width = order.width * lanes.LANES
        flags = ", ".join(str(p).lower() for p in step.lattice.periodic)
        numbers = f"{order.height}, {order.cols}, {order.blocks}, {width}, {self._sums.stride}"
        lines = [
            f"constexpr Layout at{{{numbers}, {step.lattice.rows * step.lattice.cols}, {flags}}};",
            f"constexpr int stages = {len(step.stages)};",
            'static_assert(predictions >= together + stages, "rows that are kept between the stages");',
            "struct Shared {",
            *(f"{kind} {name};" for name, (kind, _) in self._sums.numbers.items()),
            "};",
            "struct State {",
            "Arena arena;",
            "int32_t* const place = allocate<int32_t>(at.size, arena);",
        ]
        for a in self._arrays:
            kind = self._stages.work(a)
            lines.append(f"{kind}* const a{a.number} = allocate<{kind}>(at.length(), arena);")
            if a in self._stages.ringed:
                size = "(size_t)predictions*at.stride"
                lines.append(f"{kind}* const r{a.number} = allocate<{kind}>({size}, arena);")
        for k in step.carried:
            kind = real if k.dtype.kind == "f" else stored(k.dtype)
            size = "(size_t)predictions*at.stride"
            lines.append(f"{kind}* const c{k.number} = allocate<{kind}>({size}, arena);")
        for name in self._sums.coefficients.values():
            lines.append(f"{real}* const {name} = allocate<{real}>(at.length(), arena);")
            lines.append(f"double {name}_of = NAN; {real} {name}_inside = 0;")
        if any(isinstance(e, Apply) for e in self._sums.noises):
            lines.append(
                "const uint32_t* const scrambled = NoiseRows<double>::scrambled(at, arena);"
            )
        for e, name in self._sums.noises.items():
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

    def _moves(self) -> list[str]:
        """Between Brian2's arrays and the copies: to here, and back."""
        lines = ["static void bring(State& s, Run& run)", "{"]
        for n, a in enumerate(self._arrays):
            if a in self._step.private:
                continue
            lines.append(
                f"if (s.newer[{n}] == 1)\n{{\nbring_units(s.a{a.number}, (const {stored(a.dtype)}*)run.arrays[{a.number}], s.place, s.filled, at);"
            )
            if a in self._stages.beside:
                lines.append(f"fill_edges(s.a{a.number}, at);")
            lines.append(f"s.newer[{n}] = 0;\n}}")
        lines += [
            "s.filled = true;",
            "}",
            "static void hand_back(State& s, Run& run, const int n)",
            "{",
        ]
        for n, a in enumerate(self._arrays):
            if a in self._stages.written:
                lines.append(
                    f"if (n == {n} && s.newer[{n}] == 2) {{ hand_back_units(s.a{a.number}, ({stored(a.dtype)}*)run.arrays[{a.number}], s.place, at); s.newer[{n}] = 0; }}"
                )
        return [*lines, "(void)s; (void)run; (void)n;", "}"]

    def _pass(self) -> list[str]:
        """One pass over the rows: a few rows of a stage, then of the next one, a row behind."""
        made = [
            f"s.{name}.make(std::max(first - (stages - 1), 0), std::min(first + together, at.rows));"
            for name in self._sums.noises.values()
        ]
        calls = [
            f"stage{n}<keep, all>(s, shared, run, std::max(first - {n}, 0), std::min(first + together - {n}, at.rows));"
            for n in range(len(self._step.stages))
        ]
        return [
            "template <bool keep, bool all> static void pass(State& s, const Shared& shared, Run& run)",
            "{",
            "for (int first = 0; first < at.rows + stages - 1; first += together)",
            "{",
            *made,
            *calls,
            "}",
            "}",
        ]

    def _step_text(self) -> list[str]:
        """The function of a step: what is worked out once, the pass, and what it leaves."""
        step, sums = self._step, self._sums
        numbers = [
            f"shared.{name} = ({kind})({text});" for name, (kind, text) in sums.numbers.items()
        ]
        noises = [f"s.{z}.begin({sums.words_of_step(e)});" for e, z in sums.noises.items()]
        once = [
            *self._stages.before,
            "bool alike = s.stale || s.alike;",
            *self._coefficients(),
            "s.alike = alike;",
            "s.stale = false;",
            "Shared shared;",
            *numbers,
            *noises,
        ]
        gates = " || ".join(f"shared.{g} != 0" for g in sums.gates) or "true"
        return [
            "static bool step(State& s, Run& run)",
            "{",
            "bring(s, run);",
            *self._stages.heads(once),
            *once,
            f"const Clock& clock = run.clocks[{step.clock}];",
            "const bool keep = run.leaving || *clock.timestep + 1 >= clock.end;",
            f"const bool all = {gates};",
            "if (keep) pass<true, true>(s, shared, run);",
            "else if (all) pass<false, true>(s, shared, run);",
            *(["else pass<false, false>(s, shared, run);"] if sums.gates else []),
            *self._left(),
            "return true;",
            "}",
        ]

    def _coefficients(self) -> list[str]:
        """Rows of coefficients, made again where what units share in them has changed."""
        lines = []
        for (factor, multiple), name in self._sums.coefficients.items():
            own, arrays = "1.0", {}
            for e, divides in factor.own:
                assert isinstance(e, Cell)
                arrays[e.array.number] = stored(e.array.dtype)
                own = f"{own} {'/' if divides else '*'} (double)own{e.array.number}[unit]"
            lines += [
                "{",
                f"const double product = {self._sums.product(factor, multiple)};",
                f"if (s.stale || !(product == s.{name}_of))",
                "{",
                *(
                    f"const {kind}* const own{n} = (const {kind}*)run.arrays[{n}];"
                    for n, kind in arrays.items()
                ),
                "if (s.stale)",
                "{",
                f"fill_units(s.{name}, [&](const int unit) {{ return {own}; }}, at);",
                f"alike = alike && same_inside(s.{name}, at);",
                "}",
                f"fill_units(s.{name}, [&](const int unit) {{ return product*({own}); }}, at);",
                f"s.{name}_inside = s.{name}[inside(at)];",
                f"s.{name}_of = product;",
                "}",
                "}",
            ]
        return lines

    def _left(self) -> list[str]:
        """Which copies are newer now, and the events, in the order of units."""
        lines = []
        for n, a in enumerate(self._arrays):
            if a in self._stages.written:
                condition = "if (keep) " if a in self._step.private else ""
                lines.append(f"{condition}s.newer[{n}] = 2;")
        if self._step.threshold and self._step.listed:
            number = self._step.threshold.events.number
            lines += [
                "std::sort(s.events.begin(), s.events.end());",
                f"int32_t* const events = (int32_t*)run.arrays[{number}];",
                "std::copy(s.events.begin(), s.events.end(), events);",
                f"events[run.sizes[{number}] - 1] = (int32_t)s.events.size();",
                "s.events.clear();",
            ]
        return lines
