"""A `Fused` step as C++: copies of arrays in the order of vectors' lanes, and one pass over their rows a step.

A namespace holds all that belongs to one step. Its ``State`` has, of each array, a copy in rows; ``newer`` says of
each array whether Brian2's values are newer than the copy (1), or the copy is (2). A ``Worker`` has what a thread
needs for its rows.
"""

from __future__ import annotations

import re

from neuroglia_snn import lanes
from neuroglia_snn.emit import resets
from neuroglia_snn.emit.expressions import stored
from neuroglia_snn.emit.rows import Stages
from neuroglia_snn.program.fuse import Fused
from neuroglia_snn.program.linear import Factor
from neuroglia_snn.program.tree import Apply, Cell

#: Bytes of what a step writes from which on two are made in one pass; with less, all is in the second-level cache.
LARGE = 2**20
#: Units of a thread from which on it pays.
LEAST_UNITS = 2048


class FusedText:
    """The text of one fused step, whose namespace has a ``number``."""

    def __init__(self, step: Fused, number: int, single: bool, own: list[bool]) -> None:
        """``own`` says of each clock whether this step is all that happens on it."""
        self._step, self._number, self._own_clocks = step, number, own
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
            *self._enter(),
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
        written = " + ".join(
            f"at.length()*sizeof({self._stages.work(a)})"
            for a in self._arrays
            if a in self._stages.written - step.private
        )
        return [
            f"static constexpr Layout at{{{numbers}, {step.lattice.rows * step.lattice.cols}, {flags}}};",
            f"constexpr int stages = {len(step.stages)}, reach = stages - 1;",
            'static_assert(kept_rows >= together + stages, "rows that are kept between the stages");',
            "struct Shared {",
            *(f"{kind} {name};" for name, (kind, _) in self._sums.numbers.items()),
            *words,
            "int64_t step;",
            "bool keep, all;  // whether values are kept that only the last step leaves, and whether stimuli are on",
            "};",
            *self._clocks(),
            f"constexpr bool large = {'false' if self._varying() else f'{written} > {LARGE}'};",
        ]

    def _clocks(self) -> list[str]:
        """Clocks that this step moves on where it makes several steps in one call."""
        own = self._own_clocks
        numbers = [k for k, is_own in enumerate(own) if is_own] or [self._step.clock]
        return [
            f"static constexpr bool own_clocks[] = {{{', '.join(str(o).lower() for o in own)}}};",
            "static void set_clocks(Run& run, const int64_t step)",
            "{",
            f"for (const int k : {{{', '.join(map(str, numbers))}}}) set(run.clocks[k], step);",
            "}",
        ]

    def _worker(self) -> list[str]:
        """What a thread keeps between the stages: rows, noise, events."""
        real = self._stages.real
        rows = [
            (self._stages.work(a), f"r{a.number}") for a in self._arrays if a in self._stages.ringed
        ]
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
            *(
                f"alignas(64) {kind} {name}[spaced<{kind}>(at.length())] = {{}};"
                for kind, name in arrays
            ),
            *(
                f"double {name}_of = NAN; {real} {name}_inside = 0; bool {name}_alike = false;"
                for name in self._sums.coefficients.values()
            ),
            *(f"{kind} own{n}[at.size] = {{}};" for n, kind in self._own().items()),
            "bool filled = false, stale = true, alike = false, settled = true;",
            f"uint8_t newer[{max(1, len(self._arrays))}] = {{}};",
            "int64_t ahead = 1;  // steps that may be made before anything else is due",
            "double until = 0;",
            "Counts counts;",
            "std::vector<Kept> borders;",
            "std::vector<std::unique_ptr<Worker>> workers;",
            "std::unique_ptr<Worker> other;  // of the second one of two steps",
            "explicit State(const int threads) : borders(2*reach*(threads + 3))",
            "{",
            "const int most = at.rows/std::max(2*reach, 1);  // or their borders would meet",
            f"const int parts = std::max(std::min({{threads, most, at.size/{LEAST_UNITS}}}), 1);",
            "fill_units(units, [](const int unit) { return unit; }, at);",
            "for (int id = 0; id < parts; id++)",
            "{",
            "Kept* const before = borders.data() + 2*reach*id;",
            "const int first = at.rows*id/parts, last = at.rows*(id + 1)/parts;",
            "workers.push_back(std::make_unique<Worker>(counts, first, last, before, before + 2*reach));",
            "}",
            "Kept* const more = borders.data() + 2*reach*(threads + 1);",
            "if (large && parts == 1) other = std::make_unique<Worker>(counts, 0, at.rows, more, more + 2*reach);",
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
                f"if (s.newer[{n}] == 1)\n{{\nbring_units(s.a{a.number}, (const {stored(a.dtype)}*)run.arrays[{a.number}], s.filled, at);"
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
                    f"if (n == {n} && s.newer[{n}] == 2) {{ hand_back_units(s.a{a.number}, ({stored(a.dtype)}*)run.arrays[{a.number}], at); s.newer[{n}] = 0; }}"
                )
        return [*lines, "(void)s; (void)run; (void)n;", "}"]

    def _pass(self) -> list[str]:
        """One pass over the rows of each thread: a few rows of a stage, then of the next one, a row behind."""
        noises, numbers = self._sums.noises.values(), range(len(self._step.stages))
        begun = [f"w.{z}.begin(shared.{z});" for z in noises]
        first, last = "std::max(first - {0}, {1})", "std::min(first + together - {0}, {2})"
        span = f"{first}, {last}"
        part = ("w.part.from({0})", "w.part.to({0})")
        made = span.format("reach", "w.part.first", "w.part.last").replace(
            " - reach, w.part.last", ", w.part.last"
        )
        calls = [
            f"stage{n}<keep, all>(s, w, shared, run, {span.format(n, *(p.format(n) for p in part))});"
            for n in numbers
        ]
        given = "State& s, Worker& w, const Shared& shared, Run& run"
        return [
            f"template <bool keep, bool all> static void rows({given}, const int first)",
            "{",
            *(f"w.{z}.make({made});" for z in noises),
            *calls,
            "}",
            f"template <bool keep, bool all> static void sweep({given})",
            "{",
            *begun,
            "for (int first = w.part.first; first < w.part.last + reach; first += together) rows<keep, all>(s, w, shared, run, first);",
            "}",
            "// Rows that another thread reads, or that have to be read before another thread writes, before the sweep.",
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
            "template <bool keep, bool all> static void make(State& s, const Shared& shared, Run& run)",
            "{",
            "for (auto& w : s.workers) w->events.clear();",
            "for (int stage = 0; s.workers.size() > 1 && stage < reach; stage++)",
            "each(run, s.workers, [&](Worker& w) { border<keep, all>(s, w, shared, run, stage); });",
            "each(run, s.workers, [&](Worker& w) { sweep<keep, all>(s, w, shared, run); });",
            "}",
            *self._chosen("make", "const Shared& shared", "shared"),
            *self._twice(),
        ]

    def _chosen(self, name: str, given: str, first: str) -> list[str]:
        """A function with its form for a step in which values are kept, and for one without stimuli."""
        names = re.findall(r"(\w+)(?:,|$)", given)
        call = f"(s, {', '.join(names)}, run);"
        return [
            f"static void {name}(State& s, {given}, Run& run)",
            "{",
            *([f"if ({first}.keep) return {name}<true, true>{call}"] if name == "make" else []),
            *([f"if (!{first}.all) return {name}<false, false>{call}"] if self._sums.gates else []),
            f"{name}<false, true>{call}",
            "}",
        ]

    def _twice(self) -> list[str]:
        """Two steps in one pass."""
        noises = self._sums.noises.values()
        return [
            "// Two steps, the second a few rows behind the first: rows come from memory once for both.",
            "template <bool keep, bool all> static void twice(State& s, const Shared& one, const Shared& two, Run& run)",
            "{",
            "Worker &w = *s.workers[0], &v = *s.other;",
            "v.events.clear();",
            *(f"w.{z}.begin(one.{z}); v.{z}.begin(two.{z});" for z in noises),
            "constexpr int behind = (reach/together + 1)*together;",
            "for (int first = 0; first < at.rows + reach + behind; first += together)",
            "{",
            "set_clocks(run, one.step);",
            "rows<keep, all>(s, w, one, run, first);",
            "set_clocks(run, two.step);",
            "if (first >= behind) rows<keep, all>(s, v, two, run, first - behind);",
            "}",
            "std::swap(s.workers[0], s.other);",
            "}",
            *self._chosen("twice", "const Shared& one, const Shared& two", "one"),
        ]

    def _varying(self) -> bool:
        """Whether rows of coefficients follow the time."""
        factors = [factor for factor, _ in self._sums.coefficients]
        return any(self._sums.is_timely(e) for factor in factors for e, _ in factor.shared)

    def _step_text(self) -> list[str]:
        """The function of a step: what is worked out once, passes until something else is due, and what they leave."""
        step, sums = self._step, self._sums
        numbers: dict[bool, list[str]] = {False: [], True: []}
        for name, (kind, text) in sums.numbers.items():
            numbers[name in sums.timely].append(f"shared.{name} = ({kind})({text});")
        timely = self._varying()
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
            "// Steps that may be made in one call, as nothing else is due, and until when.",
            "static void go_on(State& s, const Run& run, const double until)",
            "{",
            f"s.ahead = run.leaving || !run.current[{step.clock}] ? 1 : ahead(run, {step.clock}, own_clocks);",
            "s.until = until;",
            "}",
            "static bool step(State& s, Run& run)",
            "{",
            "bring(s, run);",
            *self._stages.heads([*once, *always]),
            *once,
            f"const Clock& clock = run.clocks[{step.clock}];",
            "const auto prepare = [&]",
            "{",
            *always,
            "shared.step = *clock.timestep;",
            "shared.keep = run.leaving || *clock.timestep + 1 >= clock.end;",
            f"shared.all = {gates};",
            "};",
            "for (;; set_clocks(run, *clock.timestep + 1), s.ahead--)",
            "{",
            "prepare();",
            "if (s.other && s.ahead > 1 && !shared.keep)",
            "{",
            "const Shared one = shared;",
            "set_clocks(run, one.step + 1);",
            "s.ahead--;",
            "prepare();",
            "if (!shared.keep && one.all == shared.all) twice(s, one, shared, run);",
            "else",
            "{",
            "set_clocks(run, one.step);",
            "make(s, one, run);",
            "set_clocks(run, shared.step);",
            "make(s, shared, run);",
            "}",
            "}",
            "else make(s, shared, run);",
            "if (s.ahead <= 1 || run.stop || now_in_seconds() > s.until) break;",
            "}",
            "const bool keep = shared.keep;",
            "(void)keep;",
            *self._left(),
            "return true;",
            "}",
        ]

    def _own(self) -> dict[int, str]:
        """Constants of units that rows of coefficients are made of: numbers of their arrays, and types."""
        cells = [e for factor, _ in self._sums.coefficients for e, _ in factor.own]
        return {e.array.number: stored(e.array.dtype) for e in cells if isinstance(e, Cell)}

    def _enter(self) -> list[str]:
        """What is done before the loop goes on, where Python may have changed anything, and before it looks."""
        compared = [
            f"s.stale |= is_changed(s.own{n}, (const {kind}*)run.arrays[{n}], at.size);"
            for n, kind in self._own().items()
        ]
        return [
            "static void enter(State& s, Run& run)",
            "{",
            "if (!s.settled) return;",
            "s.settled = false;",
            "std::memset(s.newer, 1, sizeof s.newer);",
            *compared,
            "bring(s, run);",
            "}",
            "static void settle(State& s, Run& run)",
            "{",
            f"for (int n = 0; n < {len(self._arrays)}; n++) hand_back(s, run, n);",
            "s.settled = true;",
            "}",
        ]

    def _coefficients(self) -> list[str]:
        """Rows of coefficients, made again where what units share in them has changed."""
        rows = [line for key in self._sums.coefficients for line in self._coefficient(*key)]
        alike = " && ".join(f"s.{name}_alike" for name in self._sums.coefficients.values())
        return [*rows, f"s.alike = {alike or 'true'};", "s.stale = false;"]

    def _coefficient(self, factor: Factor, multiple: float) -> list[str]:
        name, own = self._sums.coefficients[factor, multiple], "1.0"
        for e, divides in factor.own:
            assert isinstance(e, Cell)
            own = f"{own} {'/' if divides else '*'} (double)s.own{e.array.number}[unit]"
        return [
            "{",
            f"const double product = {self._sums.product(factor, multiple)};",
            f"if (s.stale || !(product == s.{name}_of))",
            "{",
            f"fill_units(s.{name}, [&](const int unit) {{ return product*({own}); }}, at);",
            f"s.{name}_alike = same_inside(s.{name}, at);",
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
