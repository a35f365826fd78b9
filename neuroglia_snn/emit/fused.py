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

#: Bytes of what a step writes from which on several are made in one pass; with less, all is in the second-level cache.
LARGE = 2**20
#: How many at most, and bytes of what they write, and keep between their stages, at a time: it stays in the second-level cache.
MOST_STEPS, AT_A_TIME = 8, 5 * 2**17
#: Vectors of a row from which on two rows are stepped together, and not four: so that those of all steps of a pass
#: stay in the second-level cache.
LONG = 32
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
        units, stages = step.lattice.rows * step.lattice.cols, len(step.stages)
        together = 4 if order.width <= LONG else 2
        kept = 2 ** (together + stages - 1).bit_length()
        numbers = f"{order.height}, {order.cols}, {order.blocks}, {width}, {self._sums.stride}, {units}, {kept}"
        words = [f"NeurogliaWords {z};" for z in self._sums.noises.values()]
        return [
            f"static constexpr Layout at{{{numbers}, {flags}}};",
            f"constexpr int reach = {stages - 1}, together = {together};  // stages after the first one, rows of a stage",
            "struct Shared {",
            *(f"{kind} {name};" for name, (kind, _) in self._sums.numbers.items()),
            *words,
            "int64_t step;",
            "bool keep, all;  // whether values are kept that only the last step leaves, and whether stimuli are on",
            "};",
            *self._clocks(),
        ]

    def _several(self) -> list[str]:
        """How many steps a pass makes."""
        written = [a for a in self._arrays if a in self._stages.written - self._step.private]
        of_a_unit = "+".join(f"sizeof({self._stages.work(a)})" for a in written) or "0"
        noise = len(self._sums.noises)
        return [
            "// How far a step of a pass is behind the one before, and how many there are.",
            "constexpr int behind = (reach/together + 1)*together;",
            f"constexpr size_t of_a_unit = {of_a_unit};",
            f"constexpr size_t at_a_time = at.kept*(sizeof(Kept) + {noise}*at.width*sizeof({self._stages.real})) + behind*at.stride*of_a_unit;",
            f"constexpr bool large = {str(not self._varying()).lower()} && at.length()*of_a_unit > {LARGE};",
            f"constexpr int several = large ? std::clamp((int)({AT_A_TIME}/at_a_time), 1, {MOST_STEPS}) : 1;",
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
            *self._several(),
            "struct Counts {",
            *counters,
            "};",
            "struct Worker {",
            "Part<Kept, reach, at.kept> part;",
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
            "struct State : InLargePages {",
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
            "int parts = 1, steps = 1;  // of threads, and steps of one pass by one thread: a worker for each",
            "explicit State(const int threads) : borders(4*reach*std::max(threads, several))",
            "{",
            "const int most = at.rows/std::max(2*reach, 1);  // or their borders would meet",
            f"parts = std::max(std::min({{threads, most, at.size/{LEAST_UNITS}}}), 1);",
            "if (parts == 1) steps = several;",
            "const int apart = steps > 1 ? 4*reach : 2*reach;  // steps have no borders in common",
            "fill_units(units, [](const int unit) { return unit; }, at);",
            "for (int id = 0; id < parts*steps; id++)",
            "{",
            "Kept* const before = borders.data() + apart*id;",
            "const int part = id/steps, first = at.rows*part/parts, last = at.rows*(part + 1)/parts;",
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
        stage = "stage{0}<keep.value, all.value>(s, w, shared, run, {1});"
        calls = [stage.format(n, span.format(n, *(p.format(n) for p in part))) for n in numbers]
        given = "State& s, Worker& w, const Shared& shared, Run& run"
        return [
            *self._chosen(),
            f"static void rows({given}, const int first)",
            "{",
            *(f"w.{z}.make({made});" for z in noises),
            "chosen(shared, [&](const auto keep, const auto all) {",
            *calls,
            "});",
            "}",
            "// Steps in one pass, each a few rows behind the one before: rows come from memory once for all.",
            "static void sweep(State& s, const int id, const Shared* const steps, const int count, Run& run)",
            "{",
            "const auto& part = s.workers[id]->part;",
            *(
                f"for (int k = 0; k < count; k++) s.workers[id + k]->{z}.begin(steps[k].{z});"
                for z in noises
            ),
            "for (int first = part.first; first < part.last + reach + (count - 1)*behind; first += together)",
            "for (int k = 0; k < count && first - k*behind >= part.first; k++)",
            "{",
            "if (count > 1) set_clocks(run, steps[k].step);",
            "rows(s, *s.workers[id + k], steps[k], run, first - k*behind);",
            "}",
            "}",
            "// Rows that another thread reads, or that have to be read before another thread writes, before the sweep.",
            f"static void border({given}, const int stage)",
            "{",
            "const auto made = [&](const int first, const int last)",
            "{",
            "if (first == last) return;",
            *begun,
            *(f"w.{z}.make(first, last);" for z in noises),
            "chosen(shared, [&](const auto keep, const auto all) {",
            *(f"if (stage == {n}) {stage.format(n, 'first, last')}" for n in numbers[:-1]),
            "(void)keep; (void)all;",
            "});",
            "};",
            "made(w.part.first, w.part.from(stage));",
            "made(w.part.to(stage), w.part.last);",
            "}",
            "static void make(State& s, const Shared* const steps, const int count, Run& run)",
            "{",
            "for (auto& w : s.workers) w->events.clear();",
            "for (int stage = 0; s.parts > 1 && stage < reach; stage++)",
            "each(run, s.parts, [&](const int id) { border(s, *s.workers[id], steps[0], run, stage); });",
            "each(run, s.parts, [&](const int id) { sweep(s, id, steps, count, run); });",
            "for (int k = 0; k < count - 1; k++) s.workers[k]->events.clear();  // of the last step are kept",
            "}",
        ]

    def _chosen(self) -> list[str]:
        """Whether values are kept, and stimuli are on, as types that stages have forms for."""
        call = "f(std::{}_type(), std::{}_type());"
        quiet = [f"if (!shared.all) return {call.format('false', 'false')}"]
        return [
            "template <class F> static void chosen(const Shared& shared, const F& f)",
            "{",
            f"if (shared.keep) return {call.format('true', 'true')}",
            *(quiet if self._sums.gates else []),
            call.format("false", "true"),
            "}",
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
            f"shared.keep = may_leave(run, {step.clock});",
            f"shared.all = {gates};",
            "};",
            "const auto next = [&] { set_clocks(run, *clock.timestep + 1); };",
            "for (int64_t left = s.ahead;; next())",
            "{",
            "Shared steps[several];",
            "int count = 0;",
            "for (;; next())",
            "{",
            "prepare();",
            "steps[count++] = shared;",
            "if (--left <= 0 || count == s.steps) break;",
            "}",
            "make(s, steps, count, run);",
            "if (left <= 0 || run.stop || now_in_seconds() > s.until) break;",
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
                "for (const auto& w : s.workers) end = std::copy(w->events.begin(), w->events.end(), end);",
                "std::sort(events, end);",
                f"events[run.sizes[{number}] - 1] = (int32_t)(end - events);",
            ]
        return lines
