"""A `Fused` step as C++: copies of arrays in the order of vectors' lanes, and one pass over their rows a step.

A namespace holds all that belongs to one step. Its ``State`` has, of each array, a copy in rows; ``newer`` says of
each array whether Brian2's values are newer than the copy (1), or the copy is (2). A ``Worker`` has what a thread
needs for its rows.
"""

from __future__ import annotations

from neuroglia_snn import lanes
from neuroglia_snn.emit import resets
from neuroglia_snn.emit.expressions import stored
from neuroglia_snn.emit.rows import Stages
from neuroglia_snn.program.fuse import Fused
from neuroglia_snn.program.linear import Factor
from neuroglia_snn.program.tree import Apply, Cell

#: Bytes of what a step writes from which on two steps are made in one pass: with less, it is in the second-level cache.
LARGE = 2**20


class FusedText:
    """The text of one fused step, whose namespace has a ``number``."""

    def __init__(self, step: Fused, number: int, single: bool) -> None:
        self._step, self._number = step, number
        self._arrays = step.arrays()
        self._stages = Stages(step, single)
        self._sums = self._stages.sums
        self._fire = resets.text(step, self._stages)

    def lines(self) -> list[str]:
        """All of the step, from its state to the function that the loop calls."""
        return [
            f"namespace w{self._number} {{",
            *self._constants(),
            *self._worker(),
            *self._state(),
            *self._moves(),
            *self._fire,
            *self._stages.text(),
            *self._pass(),
            *self._step_text(),
            "}",
        ]

    def _constants(self) -> list[str]:
        """The layout, and numbers that units share."""
        order, step = self._step.order, self._step
        width = order.width * lanes.LANES
        flags = ", ".join(str(p).lower() for p in step.lattice.periodic)
        numbers = f"{order.height}, {order.cols}, {order.blocks}, {width}, {self._sums.stride}"
        words = [f"NeurogliaWords {z};" for z in self._sums.noises.values()]
        return [
            f"static constexpr Layout at{{{numbers}, {step.lattice.rows * step.lattice.cols}, {flags}}};",
            f"constexpr int stages = {len(step.stages)}, reach = stages - 1;",
            'static_assert(kept_rows >= together + stages, "rows that are kept between the stages");',
            "struct Shared {",
            *(f"{kind} {name};" for name, (kind, _) in self._sums.numbers.items()),
            *words,
            "};",
        ]

    def _worker(self) -> list[str]:
        """What a thread keeps between the stages: rows, noise, events."""
        real = self._stages.real
        rows = [(self._stages.work(a), f"r{a.number}") for a in self._arrays if a in self._stages.ringed]
        rows += [
            (real if k.dtype.kind == "f" else stored(k.dtype), f"c{k.number}")
            for k in self._step.carried
        ]
        noises = [(self._by_unit(e), z) for e, z in self._sums.noises.items()]
        counters = [f"{c}<at> counters{n};" for n, c in self._counters().items()]
        return [
            "struct Kept {",
            *(f"alignas(64) {kind} {name}[at.stride];" for kind, name in rows),
            "};",
            "struct Counts {",
            *counters,
            "};",
            "struct Worker {",
            "Part<Kept, reach> part;",
            *(f"{'Unit' * u}NoiseRows<{real}, at> {z};" for u, z in noises),
            "std::vector<int32_t> events;",
            "Worker(const Counts& counts, const int first, const int last, Kept* const before, Kept* const after)",
            "    : part{first, last, at.rows, before, after}"
            + "".join(f", {z}(counts.counters{int(u)})" for u, z in noises),
            "{ (void)counts; }",
            "};",
        ]

    def _by_unit(self, e: object) -> bool:
        """Whether noise is numbered by unit, not by place."""
        return not isinstance(e, Apply)

    def _counters(self) -> dict[int, str]:
        """Tables of the noises, by their kind."""
        kinds = {self._by_unit(e) for e in self._sums.noises}
        return {int(u): "UnitCounters" if u else "Counters" for u in sorted(kinds)}

    def _state(self) -> list[str]:
        real = self._stages.real
        arrays = [(self._stages.work(a), f"a{a.number}") for a in self._arrays]
        arrays += [(real, name) for name in self._sums.coefficients.values()]
        arrays += [("uint32_t", "units")]
        return [
            "struct State {",
            *(f"alignas(64) {kind} {name}[spaced<{kind}>(at.length())] = {{}};" for kind, name in arrays),
            *(
                f"double {name}_of = NAN; {real} {name}_inside = 0;"
                for name in self._sums.coefficients.values()
            ),
            "int32_t place[at.size];",
            "bool filled = false, stale = true, alike = false;",
            f"uint8_t newer[{max(1, len(self._arrays))}];",
            "int64_t ahead = 1;  // steps that may be made before anything else is due",
            "double until = 0;",
            "Counts counts;",
            "std::vector<Kept> borders;",
            "std::vector<std::unique_ptr<Worker>> workers;",
            "explicit State(const int threads) : borders(2*reach*(threads + 1))",
            "{",
            "const int parts = std::max(std::min(threads, at.rows/least_rows), 1);",
            "for (int unit = 0; unit < at.size; unit++) place[unit] = (int32_t)at.position(unit);",
            "fill_units(units, [](const int unit) { return unit; }, at);",
            "for (int id = 0; id < parts; id++)",
            "{",
            "Kept* const before = borders.data() + 2*reach*id;",
            "const int first = at.rows*id/parts, last = at.rows*(id + 1)/parts;",
            "workers.push_back(std::make_unique<Worker>(counts, first, last, before, before + 2*reach));",
            "}",
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
        """One pass over the rows of a thread: a few rows of a stage, then of the next one, a row behind."""
        noises = self._sums.noises.values()
        begun = [f"w.{z}.begin(shared.{z});" for z in noises]
        made = [
            f"w.{z}.make(std::max(first - reach, w.part.first), std::min(first + together, w.part.last));"
            for z in noises
        ]
        numbers = range(len(self._step.stages))
        calls = [
            f"stage{n}<keep, all>(s, w, shared, run, std::max(first - {n}, w.part.from({n})), std::min(first + together - {n}, w.part.to({n})));"
            for n in numbers
        ]
        given = "State& s, Worker& w, const Shared& shared, Run& run"
        return [
            f"template <bool keep, bool all> static void rows({given}, const int first)",
            "{",
            *made,
            *calls,
            "}",
            f"template <bool keep, bool all> static void sweep({given})",
            "{",
            *begun,
            "for (int first = w.part.first; first < w.part.last + reach; first += together) rows<keep, all>(s, w, shared, run, first);",
            "}",
            "// Those that another thread needs, or has to have done, before the sweep.",
            f"template <bool keep, bool all> static void border({given}, const int stage)",
            "{",
            "const auto made = [&](const int first, const int last)",
            "{",
            "if (first == last) return;",
            *begun,
            *(f"w.{z}.make(first, last);" for z in noises),
            *(
                f"if (stage == {n}) stage{n}<keep, all>(s, w, shared, run, first, last);"
                for n in numbers[:-1]
            ),
            "};",
            "made(w.part.first, w.part.from(stage));",
            "made(w.part.to(stage), w.part.last);",
            "}",
            "template <bool keep, bool all> static void pass(State& s, const Shared& shared, Run& run)",
            "{",
            "const auto each = [&](const auto& f) { for (auto& w : s.workers) f(*w); };",
            "for (int stage = 0; s.workers.size() > 1 && stage < reach; stage++)",
            "each([&](Worker& w) { border<keep, all>(s, w, shared, run, stage); });",
            "each([&](Worker& w) { sweep<keep, all>(s, w, shared, run); });",
            "}",
        ]

    def _step_text(self) -> list[str]:
        """The function of a step: what is worked out once, passes until something else is due, and what they leave."""
        step, sums = self._step, self._sums
        numbers: dict[bool, list[str]] = {False: [], True: []}
        for name, (kind, text) in sums.numbers.items():
            numbers[name in sums.timely].append(f"shared.{name} = ({kind})({text});")
        factors = [factor for factor, _ in sums.coefficients]
        timely = any(sums.is_timely(e) for factor in factors for e, _ in factor.shared)
        once = [
            *self._stages.before[False],
            *([] if timely else self._coefficients()),
            "Shared shared;",
            *numbers[False],
        ]
        always = [
            *self._stages.before[True],
            *(self._coefficients() if timely else []),
            *numbers[True],
            *(f"shared.{z} = {sums.words_of_step(e)};" for e, z in sums.noises.items()),
        ]
        gates = " || ".join(f"shared.{g} != 0" for g in sums.gates) or "true"
        return [
            "static bool step(State& s, Run& run)",
            "{",
            "bring(s, run);",
            *self._stages.heads([*once, *always]),
            *once,
            f"Clock& clock = run.clocks[{step.clock}];",
            "bool keep = false;",
            "for (;; tick(clock))",
            "{",
            *always,
            "keep = run.leaving || *clock.timestep + 1 >= clock.end;",
            f"const bool all = {gates};",
            "for (auto& w : s.workers) w->events.clear();",
            "if (keep) pass<true, true>(s, shared, run);",
            "else if (all) pass<false, true>(s, shared, run);",
            *(["else pass<false, false>(s, shared, run);"] if sums.gates else []),
            "if (--s.ahead <= 0 || run.stop || now_in_seconds() > s.until) break;",
            "}",
            *self._left(),
            "return true;",
            "}",
        ]

    def _coefficients(self) -> list[str]:
        """Rows of coefficients, made again where what units share in them has changed."""
        rows = [line for key in self._sums.coefficients for line in self._coefficient(*key)]
        return ["bool alike = s.stale || s.alike;", *rows, "s.alike = alike;", "s.stale = false;"]

    def _coefficient(self, factor: Factor, multiple: float) -> list[str]:
        name = self._sums.coefficients[factor, multiple]
        own, arrays = "1.0", {}
        for e, divides in factor.own:
            assert isinstance(e, Cell)
            arrays[e.array.number] = stored(e.array.dtype)
            own = f"{own} {'/' if divides else '*'} (double)own{e.array.number}[unit]"
        return [
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
                f"int32_t* const events = (int32_t*)run.arrays[{number}];",
                "int32_t* end = events;",
                "for (auto& w : s.workers) end = std::copy(w->events.begin(), w->events.end(), end);",
                "std::sort(events, end);",
                f"events[run.sizes[{number}] - 1] = (int32_t)(end - events);",
            ]
        return lines
