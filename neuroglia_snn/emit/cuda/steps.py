"""Each step of a program as kernels, and as the function of the host that launches them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import singledispatch

from neuroglia_snn.emit import steps as loop
from neuroglia_snn.emit.cuda.text import CudaText, only_adds
from neuroglia_snn.emit.expressions import stored, type_of
from neuroglia_snn.emit.kernels import Text
from neuroglia_snn.program.fuse import touched
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
from neuroglia_snn.program.regular import BLOCK, Regular
from neuroglia_snn.program.sharing import reached
from neuroglia_snn.program.targets import ByTarget
from neuroglia_snn.program.totals import Total
from neuroglia_snn.program.tree import Array, Cell, Expression


@dataclass(frozen=True)
class Place:
    """Where a step stands: its number, that of its record, and whether sums are to be in Brian2's order."""

    number: int
    record: int
    ordered: bool


@dataclass
class Made:
    """A step's kernels, and the lines of the host's function."""

    kernels: list[str] = field(default_factory=list)
    host: list[str] = field(default_factory=list)

    def kernel(self, name: str, lines: Sequence[str], *parameters: str) -> None:
        """Add a kernel."""
        head = f"static __global__ void {name}({', '.join(parameters)})"
        own = "const Device& run = runs[blockIdx.y]; (void)run;"
        self.kernels += [head, "{", own, *lines, "}"]

    def launch(self, name: str, blocks: str, threads: str, *values: str) -> None:
        """Launch one."""
        self.host.append(f"gpu.launch({', '.join((name, blocks, threads, *values))});")

    def launch_once(self, name: str, blocks: str, threads: str, *values: str) -> None:
        """Launch one in a way that does not come again."""
        self.launch(name, blocks, threads, *values)
        self.host[-1] = self.host[-1].replace("gpu.launch(", "gpu.launch_once(")


@singledispatch
def made(step: Step, place: Place) -> Made:
    """The kernels of a step and what the host does."""
    raise AssertionError(f"no text for {type(step).__name__}")


_UNIT = "const int64_t d = u; (void)d;"
_UNITS = "for (int64_t u = thread(); u < count; u += threads())"


def counted(step: Step, count: Expression, *others: Expression | Array) -> list[str]:
    """How many units there are, on the host and on the device; ``others`` are values that are needed, too."""
    text = Text(Kernel((), ()), step.clock, (count, *others))
    return [*text.head(), f"const int64_t count = {text.value(count)}; (void)count;"]


def over(count: str) -> tuple[str, str]:
    """Blocks and threads for so many units, one a thread."""
    return f"blocks_for({count})", f"threads_for({count})"


def _grid(text: CudaText, count: str = "count") -> tuple[str, str]:
    """Blocks and threads for a kernel over units."""
    if text.alone:
        return "1", "1"
    return ("1", "THREADS") if text.one_block else over(count)


@made.register
def _(step: Update, place: Place) -> Made:
    atomic = not place.ordered and step.kernel.in_order and only_adds(step.kernel)
    text = CudaText(step.kernel, step.clock, atomic=atomic)
    count = counted(step, step.count)
    done = Made(host=[*count, *text.copies()])
    units = [_UNITS, "{", _UNIT, *text.each(), "}"]
    done.kernel(f"k{place.number}", [*count, "{", *text.once(), *units, "}"])
    done.launch(f"k{place.number}", *_grid(text))
    return done


@made.register
def _(step: Threshold, place: Place) -> Made:
    text = CudaText(step.kernel, step.clock)
    count, name = counted(step, step.count), f"k{place.number}"
    one = text.alone or text.one_block
    whole = "true" if one else "false"
    blocks, threads = ("1", "THREADS") if one else ("chunks_of(count)", "threads_for(count)")
    free, last, time = (-1, -1, -1)
    if step.refractory:
        free, last = (a.number for a in step.refractory[:2])
        time = step.refractory[2].array.number
    done = Made(host=[*count, "gpu.flags(count);", *text.copies()])
    lines = [
        *count,
        f"const Chunk chunk(count, {whole});",
        "if (chunk.is_none()) return;",
        "int32_t found = 0;",
        "{",
        *text.once(),
        "for (int64_t u = chunk.first + threadIdx.x; u < chunk.last; u += blockDim.x)",
        "{",
        _UNIT,
        *text.each(),
        f"const bool above = {text.result('_cond')};",
        "run.flags[u] = above;",
        "found += above;",
        "}",
        "}",
        "found = sum_of_block(found);",
        "if (threadIdx.x == 0) run.counts[blockIdx.x] = found;",
    ]
    done.kernel(name, lines)
    done.launch(name, blocks, "1" if text.alone else threads)
    done.host.append(f"const Events events{{{step.events.number}, {free}, {last}, {time}}};")
    done.launch("list_events", blocks, threads, "events", whole)
    return done


@made.register
def _(step: Reset, place: Place) -> Made:
    atomic = not place.ordered and step.kernel.in_order and only_adds(step.kernel)
    text = CudaText(step.kernel, step.clock, (step.events,), atomic)
    events = f"a{step.events.number}"
    done = Made(host=text.copies())
    lines = [
        *text.once(),
        f"const int64_t found = {events}[run.sizes[{step.events.number}] - 1];",
        "for (int64_t k = thread(); k < found; k += threads())",
        "{",
        f"const int64_t u = {events}[k], d = u; (void)d;",
        *text.each(),
        "}",
    ]
    done.kernel(f"k{place.number}", lines)
    done.launch(f"k{place.number}", *_grid(text, f"run.sizes[{step.events.number}]/32"))
    return done


@made.register
def _(step: Deliver, place: Place) -> Made:
    number, name = step.pathway.number, f"k{place.number}"
    way = way_of(step.kernel, place.ordered)
    text = CudaText(step.kernel, step.clock, atomic=way == "warps")
    head = [
        f"const Pathway& path = run.pathways[{number}];",
        *text.once(),
        "const auto synapse = [&](const int64_t u, const int64_t d)",
        "{",
        "(void)d;",
        *text.each(),
        "};",
    ]
    done = Made(host=[f"Pathway& path = run.pathways[{number}];", *text.copies()])
    done.kernel(f"{name}_late", [*head, "each_late(path, age, synapse);"], "const int64_t age")
    each = f"each_due<{'false' if way == 'warps' else 'true'}>(path, run.rings[{number}], synapse);"
    done.kernel(name, [*head, each])
    done.launch("take_up", "1", "THREADS", str(number), str(step.pathway.events.number))
    done.host += [
        "const bool late = path.is_late();",
        "while (path.is_late()) path.late_next++;",
        "if (late)",
    ]
    done.launch_once(f"{name}_late", "1", "1", "path.age")
    done.host.append(f"gpu.aged({number});")
    grid = {
        "warps": ("gpu.blocks", "THREADS"),
        "parts": ("path.parts", "path.repeats ? 1 : THREADS"),
        "alone": ("1", "1"),
    }
    done.launch(name, *grid[way])
    return done


def way_of(kernel: Kernel, ordered: bool) -> str:
    """How the synapses that spikes reach are shared out.

    ``"warps"`` do groups of synapses of one source and delay at the same time, ``"parts"`` do their own part of
    each, one group after the other, and ``"alone"`` one thread does all.
    """
    found = reached(kernel)
    if found is not None and found.index is None:
        return "warps"
    if (
        not ordered
        and only_adds(kernel)
        and not any(isinstance(s.target, Cell) for s in kernel.before)
    ):
        return "warps"
    return "alone" if found is None else "parts"


@made.register
def _(step: Sum, place: Place) -> Made:
    """One synapse after the other: what they read or write, others write."""
    text = CudaText(step.kernel, step.clock, (step.target, step.index))
    target, index = f"a{step.target.number}", f"a{step.index.number}"
    count = counted(step, step.count, step.target, step.start, step.stop)
    start, stop = text.value(step.start), text.value(step.stop)
    done = Made(host=text.copies())
    lines = [
        *count,
        f"for (int64_t k = {start}; k < {stop}; k++) {target}[k] = 0;",
        "{",
        *text.once(),
        "for (int64_t u = 0; u < count; u++)",
        "{",
        _UNIT,
        *text.each(),
        f"{target}[{index}[u]] += {text.result('_synaptic_var')};",
        "}",
        "}",
    ]
    done.kernel(f"k{place.number}", lines)
    done.launch(f"k{place.number}", "1", "1")
    return done


@made.register
def _(step: ByTarget, place: Place) -> Made:
    also = (step.target, step.begin, *([] if step.order is None else [step.order]))
    text = CudaText(step.kernel, step.clock, also)
    begin, target = f"a{step.begin.number}", f"a{step.target.number}"
    synapse = "e" if step.order is None else f"a{step.order.number}[e]"
    head = counted(step, step.start, step.stop)
    stop = f"const int64_t stop = {text.value(step.stop)};"
    done = Made(host=[*head, stop, *text.copies()])
    lines = [
        *head,
        stop,
        "{",
        *text.once(),
        "for (int64_t k = thread(); k < stop - count; k += threads())",
        "{",
        f"{type_of(step.target.dtype)} sum = 0;",
        f"for (int64_t e = {begin}[k]; e < {begin}[k + 1]; e++)",
        "{",
        f"const int64_t u = {synapse}, d = u; (void)d;",
        *text.each(),
        f"sum += {text.result('_synaptic_var')};",
        "}",
        f"{target}[count + k] = sum;",
        "}",
        "}",
    ]
    done.kernel(f"k{place.number}", lines)
    done.launch(f"k{place.number}", *_grid(text, "stop - count"))
    return done


@made.register
def _(step: Regular, place: Place) -> Made:
    """A block of threads does a block of targets, each thread some of them, run after run."""
    also = (step.target, step.table, step.blocks, step.moves)
    text = CudaText(step.kernel, step.clock, also)
    target, table, blocks = (f"a{a.number}" for a in (step.target, step.table, step.blocks))
    source, own = f"x{step.source.number}", f"x{step.own.number}"
    head = counted(step, step.start, step.stop)
    stop = f"const int64_t stop = {text.value(step.stop)};"
    done = Made(host=[*head, stop])
    lines = [
        *head,
        stop,
        "{",
        *text.once(),
        f"const int64_t blocks = run.sizes[{step.blocks.number}] - 1;",
        f"const int64_t from_block = blockIdx.x*(int64_t){BLOCK};",
        f"const int64_t to_block = from_block + {BLOCK} < stop ? from_block + {BLOCK} : stop;",
        "for (int64_t u = from_block + threadIdx.x; u < to_block; u += blockDim.x)",
        "{",
        "if (u < count) continue;",
        f"{type_of(step.target.dtype)} sum = 0;",
        f"for (int64_t k = blockIdx.x < blocks ? {blocks}[blockIdx.x] : 0; blockIdx.x < blocks && k < {blocks}[blockIdx.x + 1]; k++)",
        "{",
        f"const int32_t* const one = {table} + 4*k;",
        "if (u < one[0] || u >= one[1]) continue;",
        f"const int64_t d = u, {source} = one[2] + {step.apart}*(u - one[0]); (void)d;",
        f"const int64_t {own} = one[3] + {text.value(step.moves)}*(u - one[0]); (void){own};",
        *text.each(),
        f"sum += {text.result('_synaptic_var')};",
        "}",
        f"{target}[u] = sum;",
        "}",
        "}",
    ]
    done.kernel(f"k{place.number}", lines)
    done.launch(f"k{place.number}", f"1 + (stop - 1)/{BLOCK}", "THREADS")
    return done


@made.register
def _(step: Total, place: Place) -> Made:
    bounds = (*step.sources, *step.targets, step.start, step.stop)
    text = CudaText(step.kernel, step.clock, (step.target, *bounds))
    after = CudaText(step.after, step.clock, (step.target, *bounds))
    total, name = f"x{step.total.number}", f"k{place.number}"
    first, last, low, high, start, stop = map(text.value, bounds)
    kind = type_of(step.total.dtype)
    done = Made()
    of_sources = [
        *text.once(),
        f"{kind} {total} = 0;",
        f"for (int64_t u = {first} + threadIdx.x; u < {last}; u += blockDim.x)",
        "{",
        _UNIT,
        *text.each(),
        f"{total} += {text.result('_synaptic_var')};",
        "}",
        f"{total} = sum_of_block({total});",
        f"if (threadIdx.x == 0) *run.total = {total};",
    ]
    done.kernel(name, of_sources)
    done.launch(name, "1", "1" if place.ordered else "THREADS")
    of_targets = [
        *after.head(),
        *after.shared(),
        f"const {kind} {total} = ({kind})*run.total;",
        f"for (int64_t u = {start} + thread(); u < {stop}; u += threads())",
        "{",
        f"if (u < {low} || u >= {high}) {{ a{step.target.number}[u] = 0; continue; }}",
        _UNIT,
        *after.each(),
        "}",
    ]
    done.kernel(f"{name}_after", of_targets)
    done.host += counted(step, step.start, step.stop)
    done.launch(f"{name}_after", *over(f"{stop} - {start}"))
    return done


@made.register
def _(step: Generate, place: Place) -> Made:
    done = Made()
    done.kernel(f"k{place.number}", loop.body(step, -1))
    done.launch(f"k{place.number}", "1", "1")
    return done


def _room(step: Record, place: Place, more: str) -> str:
    """Leave where the arrays may have no room for what comes; it is said how much would be good to have."""
    return f"if (!gpu.has_room({place.record}, {step.length.number}, {more})) return false;"


@made.register
def _(step: RecordState, place: Place) -> Made:
    growing = tuple(step.growing.values())
    text = CudaText(step.kernel, step.clock, (step.length, step.units, step.time, *growing))
    values = {name: a for name, a in step.growing.items() if name != "t"}
    units, length = step.units.number, f"a{step.length.number}[0]"
    done = Made(host=[_room(step, place, "1")])
    lines = [
        *text.once(),
        f"const int64_t length = {length}, count = run.sizes[{units}];",
        f"if (thread() == 0) a{step.growing['t'].number}[length] = {text.value(step.time)};",
        "for (int64_t k = thread(); k < count; k += threads())",
        "{",
        f"const int64_t u = a{units}[k], d = u; (void)d;",
        *text.each(),
        *(f"a{a.number}[length*count + k] = {text.result(name)};" for name, a in values.items()),
        "}",
    ]
    done.kernel(f"k{place.number}", lines)
    done.launch(f"k{place.number}", *over(f"run.sizes[{units}]"))
    done.launch("lengthen", "1", "1", str(step.length.number))
    return done


@made.register
def _(step: RecordEvents, place: Place) -> Made:
    growing = tuple(step.growing.values())
    also = (step.length, step.events, step.counts, step.start, step.stop, *growing)
    text = CudaText(step.kernel, step.clock, also)
    events = f"a{step.events.number}"
    bounds = f"const int64_t start = {text.value(step.start)}, stop = {text.value(step.stop)};"
    done = Made(host=[*counted(step, step.start, step.stop), bounds])
    if growing:
        done.host += [
            f"if (!gpu.has_room({place.record}, {step.length.number}, stop - start))",
            "{",
            f"((int32_t*)run.arrays[{step.events.number}])[run.sizes[{step.events.number}] - 1] = wanted(stop - start);",
            "return false;",
            "}",
        ]
    lines = [
        *text.once(),
        bounds,
        f"const int64_t all = {events}[run.sizes[{step.events.number}] - 1];",
        f"int64_t place = a{step.length.number}[0];",
        "for (int64_t from = 0; from < all; from += blockDim.x)",
        "{",
        "const int64_t k = from + threadIdx.x;",
        f"const bool own = k < all && {events}[k] >= start && {events}[k] < stop;",
        "int32_t found;",
        "const int64_t n = place + number_in_block(own, found);",
        "place += found;",
        "if (!own) continue;",
        f"const int64_t u = {events}[k], d = u; (void)d;",
        *text.each(),
        *(f"a{a.number}[n] = {text.result(name)};" for name, a in step.growing.items()),
        f"add(&a{step.counts.number}[u - start], ({stored(step.counts.dtype)})1);",
        "}",
        "__syncthreads();",
        f"if (threadIdx.x == 0) a{step.length.number}[0] = (int32_t)place;",
    ]
    done.kernel(f"k{place.number}", lines)
    done.launch(f"k{place.number}", "1", "THREADS")
    return done


@made.register
def _(step: RecordRate, place: Place) -> Made:
    growing = tuple(step.growing.values())
    also = (
        *(step.length, step.events, step.start, step.stop, step.size, step.time, step.dt),
        *growing,
    )
    text = CudaText(Kernel((), ()), step.clock, also)
    events, length = f"a{step.events.number}", f"a{step.length.number}[0]"
    done = Made(host=[_room(step, place, "1")])
    lines = [
        *text.head(),
        f"const int64_t start = {text.value(step.start)}, stop = {text.value(step.stop)};",
        f"const int64_t all = {events}[run.sizes[{step.events.number}] - 1];",
        "int32_t found = 0;",
        "for (int64_t k = threadIdx.x; k < all; k += blockDim.x)",
        f"found += {events}[k] >= start && {events}[k] < stop;",
        "found = sum_of_block(found);",
        "if (threadIdx.x) return;",
        f"const int64_t length = {length};",
        f"a{step.growing['t'].number}[length] = {text.value(step.time)};",
        f"a{step.growing['rate'].number}[length] = 1.0*found/{text.value(step.dt)}/{text.value(step.size)};",
        f"{length} = (int32_t)(length + 1);",
    ]
    done.kernel(f"k{place.number}", lines)
    done.launch(f"k{place.number}", "1", "THREADS")
    return done


def functions(program: Program, ordered: bool) -> list[str]:
    """All steps' kernels and functions; ``ordered``: sums of spikes are added up in Brian2's order."""
    lines: list[str] = []
    records = program.records()
    for number, step in enumerate(program.steps):
        if isinstance(step, (Python, Exchange)):
            continue
        record = records.index(step) if isinstance(step, Record) else -1
        found = made(step, Place(number, record, ordered))
        written = ", ".join(str(a.number) for a in sorted(touched(step)[1], key=lambda a: a.number))
        lines += [
            *found.kernels,
            f"static bool one{number}(Run& run)",
            "{",
            "Gpu& gpu = gpu_of(run);",
            *found.host,
            f"gpu.written({{{written}}});",
            "return true;",
            "}",
            f"static bool s{number}(Run& run) {{ return each<one{number}>(run); }}",
        ]
    return lines
