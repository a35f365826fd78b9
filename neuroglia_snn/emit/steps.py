"""Each step of a program as a C++ function, and the loop that calls them when their clocks are due.

A step returns false where it has to wait for an array to grow; it has done nothing then.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

from neuroglia_snn.emit import deliver
from neuroglia_snn.emit.expressions import stored, type_of
from neuroglia_snn.emit.fused import FusedText
from neuroglia_snn.emit.kernels import Text
from neuroglia_snn.program.beside import rows, stride
from neuroglia_snn.program.fuse import Fused, may_be_single, touched
from neuroglia_snn.program.pools import Pool
from neuroglia_snn.program.program import (
    Deliver,
    Exchange,
    Generate,
    Kernel,
    Program,
    Python,
    Record,
    RecordEvents,
    RecordRate,
    RecordState,
    Reset,
    Step,
    Sum,
    Threshold,
    Update,
)
from neuroglia_snn.program.regular import Regular
from neuroglia_snn.program.sharing import least, may_share
from neuroglia_snn.program.spread import Spread
from neuroglia_snn.program.totals import Total
from neuroglia_snn.program.tree import Array, Expression
from neuroglia_snn.program.windows import Windowed


@singledispatch
def body(step: Step, number: int) -> list[str]:
    """The lines of a step's function; ``number`` counts records, whose arrays grow."""
    raise AssertionError(f"no text for {type(step).__name__}")


@body.register
def _(step: Update, number: int) -> list[str]:
    text = Text(step.kernel, step.clock)
    return [
        *_count(step),
        *_hashed(text),
        f"share(run, count, {_least(step)}, {_PART}",
        "{",
        *text.once(),
        *_blocks(text),
        "});",
    ]


@body.register
def _(step: Windowed, number: int) -> list[str]:
    text = Text(step.kernel, step.clock, (step.table,))
    table, width = f"a{step.table.number}", 2 + len(step.sources)
    names = [f"x{local.number}" for local in step.sources]
    return [
        *_count(step, step.table),
        *_hashed(text),
        f"const int64_t runs = run.sizes[{step.table.number}]/{width};",
        f"share(run, runs, 1 + ({_least(step)} - 1)/(1 + count/runs), {_PART}",
        "{",
        *text.once(),
        "for (int64_t k = first; k < last; k++)",
        "{",
        f"const int64_t* const one = {table} + {width}*k;",
        "const int64_t from = one[0], to = one[1];",
        *(f"const int64_t ahead{n} = one[{n + 2}];" for n in range(len(names))),
        "#pragma GCC ivdep",
        "for (int64_t u = from; u < to; u++)",
        "{",
        "const int64_t d = u; (void)d;",
        *(f"const int64_t {name} = u + ahead{n};" for n, name in enumerate(names)),
        *text.each(),
        "}",
        "}",
        "});",
    ]


@body.register
def _(step: Spread, number: int) -> list[str]:
    text = Text(step.kernel, step.clock, (step.table,))
    target, table = f"a{step.kernel.each[0].target.array.number}", f"a{step.table.number}"  # type: ignore[union-attr]
    return [
        *text.once(),
        f"for (int64_t k = 0; k < run.sizes[{step.table.number}]; k += 3)",
        "{",
        f"const int64_t first = {table}[k], last = {table}[k + 1], back = {table}[k + 2];",
        f"if (back) std::memcpy({target} + first, {target} + first - back, (last - first)*sizeof *{target});",
        "else",
        "{",
        *_loop(text, text.each()),
        "}",
        "}",
    ]


#: What threads call, compiled once; it reads all that it needs itself, so that values stay in registers.
_PART = "[&run](const int64_t first, const int64_t last) __attribute__((noinline))"
_LISTING = _PART.replace("last)", "last, int32_t* const events)")


def _least(step: Update | Threshold | Sum) -> str:
    """From how many units for each thread on they share them."""
    return str(least(step.kernel)) if may_share(step) else "INT64_MAX"


def _count(step: Update | Threshold | Sum | Pool, *others: Expression | Array) -> list[str]:
    """How many units there are; ``others`` are values that the text around needs, too."""
    text = Text(Kernel((), ()), step.clock, (step.count, *others))
    return [*text.head(), f"const int64_t count = {text.value(step.count)};"]


def _hashed(text: Text) -> list[str]:
    """Have what `_blocks` needs for random numbers of all units."""
    return ["run.hashes->make(count);"] if text.drawn() else []


def _blocks(
    text: Text, above: str | None = None, private: frozenset[Array] = frozenset()
) -> list[str]:
    """A loop over units, in blocks where booleans or random bits among numbers would keep it from short vectors.

    Units for which ``above`` holds are added to the list ``events``, of which there are ``found``. Of
    ``private`` arrays, booleans are written where ``keep`` holds.
    """
    staged, drawn = text.stage(), text.drawn()
    each = text.each()
    if not (staged or drawn or above):
        return _loop(text, each)
    units = "for (int64_t u = from; u < to; u++)"
    listed = [] if above is None else [f"above[u - from] = {above} ? 1.0 : 0.0;"]
    return [
        *(f"const Words of_step{d.number} = w{d.number};" for d in drawn),
        "for (int64_t from = first; from < last; from += BLOCK)",
        "{",
        "const int64_t to = last < from + BLOCK ? last : from + BLOCK;",
        *(f"double z{c.array.number}[BLOCK];" for c in staged),
        *(["double above[BLOCK];"] if listed else []),
        *(
            f"const WordsOfBlock w{n}(of_step{n}, *run.hashes, from, to);"
            for d in drawn
            for n in [d.number]
        ),
        *(
            f"{units} z{n}[u - from] = a{n}[u];"
            for c in staged
            for n in [c.array.number]
            if text.reads(c)
        ),
        *_loop(text, [*each, *listed], units),
        *(
            f"{'if (keep) ' * (c.array in private)}unstage(z{n}, to - from, a{n} + from);"
            for c in staged
            for n in [c.array.number]
            if text.writes(c)
        ),
        *(["found += list_units(above, to - from, from, events + found);"] if listed else []),
        "}",
    ]


def _loop(
    text: Text, lines: list[str], units: str = "for (int64_t u = first; u < last; u++)"
) -> list[str]:
    """A loop over units; vectors where they do not depend on each other."""
    return [
        *(["#pragma GCC ivdep"] if text.independent() else []),
        units,
        "{",
        "const int64_t d = u; (void)d;",
        *lines,
        "}",
    ]


@body.register
def _(step: Threshold, number: int) -> list[str]:
    text = Text(step.kernel, step.clock)
    events = f"a{step.events.number}"
    lines = [
        *_count(step, step.events, *(step.refractory or ())),
        *_hashed(text),
        f"const int64_t found = share_and_list(run, count, {_least(step)}, {events}, {_LISTING}",
        "{",
        "int64_t found = 0;",
        *([f"const bool keep = may_leave(run, {step.clock});"] if step.private else []),
        *text.once(),
        *_blocks(text, text.result("_cond"), step.private),
        "return found;",
        "});",
        f"{events}[count] = (int32_t)found;",
    ]
    if step.refractory:
        free, last, time = step.refractory
        now = f"a{time.array.number}[0]"
        lines += [
            f"for (int64_t k = 0; k < found; k++) a{free.number}[{events}[k]] = 0;",
            f"for (int64_t k = 0; k < found; k++) a{last.number}[{events}[k]] = {now};",
        ]
    return lines


@body.register
def _(step: Reset, number: int) -> list[str]:
    text = Text(step.kernel, step.clock, (step.events,))
    events = f"a{step.events.number}"
    return [
        *text.once(),
        f"const int64_t found = {events}[run.sizes[{step.events.number}] - 1];",
        "for (int64_t k = 0; k < found; k++)",
        "{",
        f"const int64_t u = {events}[k], d = u; (void)d;",
        *text.each(),
        "}",
    ]


@body.register
def _(step: Deliver, number: int) -> list[str]:
    return deliver.lines(step)


@body.register
def _(step: Sum, number: int) -> list[str]:
    text = Text(step.kernel, step.clock, (step.target, step.index))
    target, index = f"a{step.target.number}", f"a{step.index.number}"
    start, stop = text.value(step.start), text.value(step.stop)
    value = text.result("_synaptic_var")
    summed = _summed_in_runs if step.grouped else _summed
    return [
        *_count(step, step.target, step.start, step.stop),
        f"for (int64_t k = {start}; k < {stop}; k++) {target}[k] = 0;",
        f"share(run, count, {_least(step)}, [&run, count](const int64_t first, const int64_t last) __attribute__((noinline))",
        "{",
        *text.once(),
        *summed(target, index, value, text.each()),
        "});",
    ]


def _summed(target: str, index: str, value: str, each: list[str]) -> list[str]:
    return [
        "for (int64_t u = first; u < last; u++)",
        "{",
        "const int64_t d = u; (void)d;",
        *each,
        f"{target}[{index}[u]] += {value};",
        "}",
    ]


def _summed_in_runs(target: str, index: str, value: str, each: list[str]) -> list[str]:
    """A target's synapses are added up before the target is written; they belong to the part where they begin."""
    return [
        "int64_t u = first;",
        f"if (first) while (u < last && {index}[u] == {index}[u - 1]) u++;",
        "while (u < last)",
        "{",
        f"const int32_t to = {index}[u];",
        f"auto sum = {target}[to];",
        f"for (; u < count && {index}[u] == to; u++)",
        "{",
        "const int64_t d = u; (void)d;",
        *each,
        f"sum += {value};",
        "}",
        f"{target}[to] = sum;",
        "}",
    ]


@body.register
def _(step: Regular, number: int) -> list[str]:
    text = Text(step.kernel, step.clock, (step.target, step.table, step.blocks, step.moves))
    target, table, blocks = (f"a{a.number}" for a in (step.target, step.table, step.blocks))
    source, own = f"x{step.source.number}", f"x{step.own.number}"
    start, stop = text.value(step.start), text.value(step.stop)
    return [
        *_count(step, step.target, step.start, step.stop),
        f"for (int64_t k = {start}; k < {stop}; k++) {target}[k] = 0;",
        f"const int64_t blocks = run.sizes[{step.blocks.number}] - 1;",
        f"share(run, blocks, 1 + ({_least(step)} - 1)/(1 + count/blocks), [&run](const int64_t first, const int64_t last) __attribute__((noinline))",
        "{",
        *text.once(),
        "const auto runs = [&](const auto moves) __attribute__((always_inline))",
        "{",
        f"for (int64_t k = {blocks}[first]; k < {blocks}[last]; k++)",
        "{",
        f"const int32_t* const one = {table} + 4*k;",
        "const int64_t from = one[0], to = one[1], source = one[2], place = one[3]; (void)place;",
        "#pragma GCC ivdep",
        "for (int64_t u = from; u < to; u++)",
        "{",
        f"const int64_t d = u, {source} = source + {step.apart}*(u - from); (void)d;",
        f"const int64_t {own} = place + moves.value*(u - from); (void){own};",
        *text.each(),
        f"{target}[u] += {text.result('_synaptic_var')};",
        "}",
        "}",
        "};",
        f"if ({text.value(step.moves)}) runs(std::integral_constant<int64_t, 1>());",
        "else runs(std::integral_constant<int64_t, 0>());",
        "});",
    ]


@body.register
def _(step: Total, number: int) -> list[str]:
    also = (step.count, step.target, step.start, step.stop, *step.sources, *step.targets)
    text, after = Text(step.kernel, step.clock, also), Text(step.after, step.clock)
    target, total = f"a{step.target.number}", f"x{step.total.number}"
    unit = "const int64_t d = u; (void)d;"
    first, last = map(text.value, step.sources)
    low, high = map(text.value, step.targets)
    return [
        *text.head(),
        f"for (int64_t k = {text.value(step.start)}; k < {text.value(step.stop)}; k++) {target}[k] = 0;",
        *text.before(),
        *text.shared(),
        f"{type_of(step.total.dtype)} {total} = 0;",
        f"for (int64_t u = {first}; u < {last}; u++)",
        "{",
        unit,
        *text.each(),
        f"{total} += {text.result('_synaptic_var')};",
        "}",
        f"const int64_t low = {low}, high = {high};",
        "{",
        *after.head(),
        *after.shared(),
        "for (int64_t u = low; u < high; u++)",
        "{",
        unit,
        *after.each(),
        "}",
        "}",
    ]


@body.register
def _(step: Pool, number: int) -> list[str]:
    text = Text(step.kernel, step.clock, (step.target, step.index, step.first, step.terms))
    target, index = f"a{step.target.number}", f"a{step.index.number}"
    terms, first = f"a{step.terms.number}", f"a{step.first.number}"
    beside = " + ".join(f"{terms}[u + {k}]" for k in range(step.length))
    return [
        *_count(step, step.target, step.start, step.stop),
        f"for (int64_t k = {text.value(step.start)}; k < {text.value(step.stop)}; k++) {target}[k] = 0;",
        "const int64_t first = 0, last = count;",
        "{",
        *text.once(),
        *_loop(text, [*text.each(), f"{terms}[u] = {text.result('_synaptic_var')};"]),
        f"for (int64_t u = 0; u < count; u++) {terms}[u] = {beside};",
        f"const int64_t count = run.sizes[{step.index.number}], last = count;",
        *_summed_in_runs(target, index, f"{terms}[{first}[u]]", []),
        "}",
    ]


@body.register
def _(step: Generate, number: int) -> list[str]:
    names = {
        name: f"a{getattr(step, name).number}"
        for name in ("events", "indices", "bins", "period", "position", "timestep")
    }
    arrays = [getattr(step, name) for name in names]
    lines = [
        f"{stored(a.dtype)}* const a{a.number} = ({stored(a.dtype)}*)run.arrays[{a.number}];"
        for a in arrays
    ]
    n = names
    return [
        *lines,
        f"const int64_t count = run.sizes[{step.bins.number}], period = {n['period']}[0];",
        f"int64_t bin = {n['timestep']}[0], position = {n['position']}[0], found = 0;",
        "if (period > 0)",
        "{",
        "bin %= period;",
        f"if (position > 0 && {n['bins']}[position - 1] >= bin) position = 0;",
        "}",
        f"for (; position < count && {n['bins']}[position] <= bin; position++)",
        f"{n['events']}[found++] = {n['indices']}[position];",
        f"{n['events']}[run.sizes[{step.events.number}] - 1] = (int32_t)found;",
        f"{n['position']}[0] = (int32_t)position;",
    ]


def _room(step: Record, number: int, more: str) -> list[str]:
    """Leave where the arrays have no room for what comes."""
    return [
        f"const int64_t length = a{step.length.number}[0];",
        f"if (length + {more} > run.capacity[{number}]) return false;",
    ]


@body.register
def _(step: RecordState, number: int) -> list[str]:
    growing = tuple(step.growing.values())
    text = Text(step.kernel, step.clock, (step.length, step.units, step.time, *growing))
    values = {name: a for name, a in step.growing.items() if name != "t"}
    return [
        *text.head(),
        *_room(step, number, "1"),
        f"a{step.growing['t'].number}[length] = {text.value(step.time)};",
        *text.before(),
        *text.shared(),
        f"const int64_t count = run.sizes[{step.units.number}];",
        "for (int64_t k = 0; k < count; k++)",
        "{",
        f"const int64_t u = a{step.units.number}[k], d = u; (void)d;",
        *text.each(),
        *(f"a{a.number}[length*count + k] = {text.result(name)};" for name, a in values.items()),
        "}",
        f"a{step.length.number}[0] = (int32_t)(length + 1);",
    ]


def _within(step: RecordEvents | RecordRate, text: Text) -> list[str]:
    """How many events there are of the units from ``start`` to ``stop``."""
    events = f"a{step.events.number}"
    return [
        f"const int64_t start = {text.value(step.start)}, stop = {text.value(step.stop)};",
        f"const int64_t all = {events}[run.sizes[{step.events.number}] - 1];",
        "int64_t found = 0;",
        f"for (int64_t k = 0; k < all; k++) found += {events}[k] >= start && {events}[k] < stop;",
    ]


@body.register
def _(step: RecordEvents, number: int) -> list[str]:
    growing = tuple(step.growing.values())
    also = (step.length, step.events, step.counts, step.start, step.stop, *growing)
    text = Text(step.kernel, step.clock, also)
    return [
        *text.head(),
        *_within(step, text),
        "if (!found) return true;",
        *_room(step, number, "found"),
        *text.before(),
        *text.shared(),
        "int64_t place = length;",
        "for (int64_t k = 0; k < all; k++)",
        "{",
        f"const int64_t u = a{step.events.number}[k], d = u; (void)d;",
        "if (u < start || u >= stop) continue;",
        *text.each(),
        *(f"a{a.number}[place] = {text.result(name)};" for name, a in step.growing.items()),
        "place++;",
        f"a{step.counts.number}[u - start]++;",
        "}",
        f"a{step.length.number}[0] = (int32_t)place;",
    ]


@body.register
def _(step: RecordRate, number: int) -> list[str]:
    growing = tuple(step.growing.values())
    also = (
        step.length,
        step.events,
        step.start,
        step.stop,
        step.size,
        step.time,
        step.dt,
        *growing,
    )
    text = Text(Kernel((), ()), step.clock, also)
    rate = f"1.0*found/{text.value(step.dt)}/{text.value(step.size)}"
    return [
        *text.head(),
        *_room(step, number, "1"),
        *_within(step, text),
        f"a{step.growing['t'].number}[length] = {text.value(step.time)};",
        f"a{step.growing['rate'].number}[length] = {rate};",
        f"a{step.length.number}[0] = (int32_t)(length + 1);",
    ]


def functions(program: Program, single: bool) -> list[str]:
    """All steps' functions; ``single``: fused steps that may be compute in single precision."""
    lines: list[str] = []
    records = program.records()
    fused = _fused(program)
    for number, step in enumerate(program.steps):
        if isinstance(step, (Python, Exchange)):
            continue
        if isinstance(step, Fused):
            place = fused.index(step)
            lines += FusedText(
                step, place, single and may_be_single(program, step), step.own_clocks(program)
            ).lines()
            call = [f"return w{place}::step(*(w{place}::State*)run.states[{place}], run);"]
            lines += [f"static bool s{number}(Run& run)", "{", *call, "}"]
            continue
        record = records.index(step) if isinstance(step, Record) else -1
        lines += [f"static bool s{number}(Run& run)", "{", *body(step, record), "return true;", "}"]
    return lines


def _fused(program: Program) -> list[Fused]:
    return [s for s in program.steps if isinstance(s, Fused)]


def _copies(program: Program, step: Step) -> tuple[list[str], list[str]]:
    """What has to be done before and after a step that touches arrays of which a fused step has copies."""
    reads, writes = touched(step)
    before, after = [], []
    for place, fused in enumerate(_fused(program)):
        state = f"*(w{place}::State*)run.states[{place}]"
        for n, array in enumerate(fused.arrays()):
            if array in reads | writes:
                before.append(f"w{place}::hand_back({state}, run, {n});")
            if array in writes:
                after.append(f"({state}).newer[{n}] = 1;")
    return before, after


def _lifetime(program: Program) -> list[str]:
    """The states of fused steps: made, brought in line with Brian2's arrays, and given back."""
    fused = _fused(program)
    make = [f"run->states[{k}] = new w{k}::State((int)run->threads);" for k in range(len(fused))]
    drop = [f"delete (w{k}::State*)run->states[{k}];" for k in range(len(fused))]
    states = [f"*(w{k}::State*)run.states[{k}]" for k in range(len(fused))]
    return [
        'extern "C" void begin(Run* const run) {',
        "run->team = run->threads > 1 ? new Team((int)run->threads) : nullptr;",
        "if (run->team) run->threads = run->team->threads();",
        f"run->states = new void*[{max(1, len(fused))}];",
        *(["run->hashes = new Hashes();"] if program.draws else []),
        *make,
        "}",
        'extern "C" void end(Run* const run) {',
        *drop,
        "delete[] run->states;",
        *(["delete run->hashes;"] if program.draws else []),
        "delete run->team;",
        "}",
        "static void enter(Run& run) {",
        "if (run.team && run.team->forked()) run.team = nullptr;",
        *(f"w{k}::enter({state}, run);" for k, state in enumerate(states)),
        *_rows(program, "bring"),
        "}",
        'extern "C" void settle(Run* const given) {',
        "Run& run = *given;",
        "(void)run;",
        *(f"w{k}::settle({state}, run);" for k, state in enumerate(states)),
        *_rows(program, "hand_back"),
        "}",
        "static Status leave(Run& run, const Status status) {",
        "if (status == PYTHON) settle(&run);",
        "return status;",
        "}",
    ]


def _rows(program: Program, move: str) -> list[str]:
    """Bring values beside each other, or hand them back."""
    return [
        f"{move}<{len(row)}, {stride(row)}>(run, {k}, {{{', '.join(str(a.number) for a in row)}}});"
        for k, row in enumerate(rows(program.steps))
    ]


def loop(program: Program) -> list[str]:
    """The time loop, and what begins and ends it."""
    return [*_lifetime(program), *advance(program)]


def advance(program: Program, tick: str = "tick(run);", begin: Sequence[str] = ()) -> list[str]:
    """The time loop: it returns to Python at a pause, for Python's objects, for exchanges and for arrays to grow.

    ``tick`` lets clocks go on, ``begin`` is what comes before each time step.
    """
    cases = []
    for number, step in enumerate(program.steps):
        due = f"run.current[{step.clock}]"
        if isinstance(step, Python):
            call = "run.position++; return leave(run, PYTHON);"
        elif isinstance(step, Exchange):
            before, after = _copies(program, step)
            call = " ".join([*before, *after, "run.position++; return leave(run, EXCHANGE);"])
        else:
            before, after = ([], []) if isinstance(step, Fused) else _copies(program, step)
            run = f"if (!timed<s{number}>(run, {number})) return leave(run, GROW);"
            call = " ".join([*before, run, *after])
        cases.append(f"case {number}: if ({due}) {{ {call} }} break;")
    clocks = [step.clock for step in program.steps]
    alone = [
        f"w{k}::go_on(*(w{k}::State*)run.states[{k}], run, until);"
        for k, step in enumerate(_fused(program))
        if clocks.count(step.clock) == 1
    ]
    return [
        'extern "C" int advance(Run* const given)',
        "{",
        "Run& run = *given;",
        "const FlushToZero flush;",
        "(void)flush;",
        "enter(run);",
        "const double until = now_in_seconds() + run.pause;",
        "for (;;)",
        "{",
        "if (run.position == 0)",
        "{",
        "if (run.leaving) { run.leaving = 0; return leave(run, PAUSED); }",
        "if (run.stop) return leave(run, STOPPED);",
        "if (!choose(run)) return leave(run, DONE);",
        "run.leaving = now_in_seconds() > until;",
        *alone,
        *begin,
        "}",
        f"for (; run.position < {len(program.steps)}; run.position++)",
        "switch (run.position)",
        "{",
        *cases,
        "}",
        tick,
        "run.position = 0;",
        "}",
        "}",
    ]
