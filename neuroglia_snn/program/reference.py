"""The reference: a program in NumPy, as short as it can be and right; every other target agrees with it.

Units are done all at once where they do not depend on each other. Where they may write to the same
cell, sums and products are accumulated; what depends on the order is done unit by unit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import singledispatchmethod
from typing import Any

import numpy as np

from neuroglia_snn import noise
from neuroglia_snn.program import clocks, draws
from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.machine import Made, Setting, Status
from neuroglia_snn.program.operations import OPERATIONS, number
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
from neuroglia_snn.program.tree import (
    BOOL,
    FLOAT64,
    Apply,
    Array,
    Call,
    Cell,
    Draw,
    Entry,
    Expression,
    Literal,
    Local,
    Look,
    Parameter,
    Statement,
    Type,
)


def _power(a: Any, b: Any) -> Any:
    if np.result_type(a).kind == "f" or np.min(b, initial=0) >= 0:
        return np.power(a, b)
    negative = np.where(np.abs(a) == 1, np.where(b % 2 == 0, 1, a), 0)
    return np.where(b < 0, negative, np.power(a, np.maximum(b, 0)))


def _exprel(x: Any) -> Any:
    x = np.asarray(x, float)
    near, far = np.abs(x) < 1e-16, x > 717
    return np.where(far, np.inf, np.where(near, 1.0, np.expm1(x) / np.where(near | far, 1.0, x)))


def _first_time(k: Any, dt: Any) -> Any:
    """The least x for which timestep(x, dt) >= k; the function rises with x."""
    k, dt = float(np.ravel(k)[0]), float(np.ravel(dt)[0])
    x = (k - (k <= 0) - 1e-3) * dt
    while np.trunc((x + 1e-3 * dt) / dt) >= k:
        x = np.nextafter(x, -np.inf)
    while not np.trunc((x + 1e-3 * dt) / dt) >= k:
        x = np.nextafter(x, np.inf)
    return np.array([x])


def _gaussian(seed: Any, stream: Any, place: Any, step: Any) -> np.ndarray:
    place = np.asarray(place)
    if not place.size:
        return np.zeros(place.shape)
    seed, stream, step = (int(np.ravel(a)[0]) for a in (seed, stream, step))
    return noise.gaussian(seed, stream, place.astype(np.int64), step)


def _encoded(x: Any, limit: Any) -> Any:
    return np.clip(np.rint(np.nan_to_num(np.asarray(x, float))), -limit - 1, limit).astype(np.int64)


def _xorshift(word: Any) -> Any:
    word = np.asarray(word, np.uint32)
    for shift in (13, -17, 5):
        moved = word << np.uint32(shift) if shift > 0 else word >> np.uint32(-shift)
        word = word ^ moved
    return word


def _byte_sum(word: Any) -> Any:
    word = np.asarray(word, np.int64)
    return sum((word >> shift) & 0xFF for shift in (0, 8, 16, 24))


def _leading(word: Any, bits: Any) -> Any:
    """As many leading bits of a 32-bit word, filled up with 0 where more are asked for."""
    wide = np.asarray(word, np.int64)
    return wide >> (32 - bits) if bits <= 32 else wide << (bits - 32)


#: Of all `operations.OPERATIONS`.
NUMPY: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.mod,
    "**": _power,
    "neg": np.negative,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    **{f: getattr(np, f) for f in ("sin", "cos", "tan", "arcsin", "arccos", "arctan")},
    **{f: getattr(np, f) for f in ("sinh", "cosh", "tanh", "exp", "expm1")},
    **{f: getattr(np, f) for f in ("log", "log10", "log1p", "sqrt", "ceil", "floor")},
    "exprel": _exprel,
    "abs": np.abs,
    "sign": np.sign,
    "clip": np.clip,
    "select": np.where,
    "int": lambda a: np.trunc(a).astype(np.int32),
    "inverse_exprel": lambda x: 1 / _exprel(x),
    "first_time": _first_time,
    "gaussian": _gaussian,
    "timestep": lambda t, dt: np.trunc((t + 1e-3 * dt) / dt).astype(np.int64),
    "wide": lambda x: np.asarray(x).astype(np.int64),
    "<<": lambda x, bits: np.left_shift(np.asarray(x, np.int64), bits),
    ">>": lambda x, bits: np.right_shift(np.asarray(x, np.int64), bits),
    "encoded": _encoded,
    "xorshift": _xorshift,
    "byte_sum": _byte_sum,
    "leading": _leading,
}
_COMPUTED = {"+", "-", "*", "/", "//", "%", "**", "neg", "abs", "sign", "clip"}


class Evaluation:
    """Statements for some units: what they read, their locals, and what they write."""

    def __init__(self, machine: NumpyMachine, clock: int, units: np.ndarray, late: int = 0) -> None:
        self._machine, self._clock, self._units, self._late = machine, clock, units, late
        self.locals: dict[int, Any] = {}
        self._cells: dict[Cell, Any] = {}

    def run(self, kernel: Kernel) -> Evaluation:
        """What is done once, and then what is done for every unit."""
        once = Evaluation(self._machine, self._clock, np.zeros(1, np.int64))
        once._all(kernel.before)
        self.locals.update({n: v[0] for n, v in once.locals.items()})
        if not len(self._units):
            return self
        if kernel.accumulates:
            self._accumulated(kernel.each)
        elif kernel.in_order:
            for unit in self._units:
                one = Evaluation(self._machine, self._clock, np.array([unit]), self._late)
                one.locals.update(self.locals)
                one._all(kernel.each)
        else:
            self._all(kernel.each)
        return self

    def know(self, arrays: dict[Array, np.ndarray]) -> None:
        """Let scalars have a value for each unit, as a time of its own."""
        self._cells |= {Cell(array, None): values for array, values in arrays.items()}

    def only(self, kernel: Kernel) -> None:
        """Work out a kernel's values, and write none of them."""
        once = Evaluation(self._machine, self._clock, np.zeros(1, np.int64))
        for statement in kernel.before:
            once._do(statement)
        self.locals.update({n: v[0] for n, v in once.locals.items()})
        for statement in kernel.each:
            self._do(statement)

    def value(self, local: Local | None, otherwise: Any) -> np.ndarray:
        """A result, for each unit."""
        found = otherwise if local is None else self.locals.get(local.number, otherwise)
        return np.broadcast_to(found, self._units.shape)

    def _all(self, statements: tuple[Statement, ...]) -> None:
        """All reads see the values before; all writes follow."""
        for statement in statements:
            self._do(statement)
        for cell in dict.fromkeys(s.target for s in statements if isinstance(s.target, Cell)):
            values = cell.array.values()
            values[self._place(cell)] = self._cells[cell]

    def _accumulated(self, statements: tuple[Statement, ...]) -> None:
        """One statement after the other for all units, where several write to one cell."""
        for statement in statements:
            target = statement.target
            ufunc = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}.get(
                statement.operation or ""
            )
            if isinstance(target, Cell) and target.index is not None and ufunc is not None:
                place = self._place(target)
                value = np.broadcast_to(self.of(statement.value), self._units.shape)
                if statement.condition is not None:
                    holds = np.broadcast_to(self.of(statement.condition), self._units.shape)
                    place, value = place[holds], value[holds]
                ufunc.at(target.array.values(), place, value)
            else:
                self._all((statement,))
            self._cells.clear()

    def _do(self, s: Statement) -> None:
        value = s.value
        if s.operation is not None:
            types = (s.target.dtype, value.dtype)
            value = Apply(s.operation, (s.target, value), OPERATIONS[s.operation](*types))
        result = np.asarray(self.of(value))
        if s.condition is not None:
            result = np.where(self.of(s.condition), result, self.of(s.target))
        result = np.broadcast_to(_cast(result, s.target.dtype), self._units.shape)
        if isinstance(s.target, Local):
            self.locals[s.target.number] = result
        else:
            self._cells[s.target] = result

    def _place(self, cell: Cell) -> Any:
        if cell.array.scalar:
            return np.zeros(len(self._units), np.int64)
        if cell.index is None:
            return self._units
        return np.broadcast_to(self.of(cell.index), self._units.shape)

    def of(self, e: Expression) -> Any:
        """The value of an expression."""
        if isinstance(e, Literal):
            return e.dtype.type(e.value)
        if isinstance(e, Parameter):
            return e.dtype.type(self._machine.program.parameters[e.number])
        if isinstance(e, Local):
            return self.locals[e.number]
        if isinstance(e, Cell):
            if e not in self._cells:
                self._cells[e] = e.array.values()[self._place(e)]
            return self._cells[e]
        arguments = [self.of(a) for a in e.arguments]
        if isinstance(e, Apply):
            return applied(e, arguments)
        if isinstance(e, Draw):
            clock = self._machine.program.clocks[self._clock]
            step = int(clock.variables["timestep"].get_value()[0])
            step += self._machine.setting.shifts[self._clock]
            units = self._units + self._late
            return draws.draw(
                e.kind, self._machine.setting.keys[e.number], units, step, tuple(arguments)
            )
        if isinstance(e, Look):
            return _look(e, arguments)
        if isinstance(e, Entry):
            return _entry(e, *arguments)
        assert isinstance(e, Call)
        return self._machine.called(e, arguments, self._units)


def _cast(value: np.ndarray, dtype: Type) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return value.astype(bool) if dtype == BOOL else value.astype(dtype)


def applied(e: Apply, arguments: list[Any]) -> Any:
    """In the type of the result; booleans count as integers, and nothing is said of 1/0."""
    if e.operation in _COMPUTED:
        arguments = [np.asarray(a).astype(e.dtype) for a in arguments]
    elif e.dtype == FLOAT64:
        arguments = [np.asarray(a).astype(float) for a in arguments]
    elif e.operation not in ("and", "or", "not"):
        arguments = [np.asarray(a).astype(number(np.asarray(a).dtype)) for a in arguments]
    with np.errstate(all="ignore"):
        return NUMPY[e.operation](*arguments)


def _look(e: Look, arguments: list[Any]) -> Any:
    table = e.table
    steps = np.asarray(arguments[0]) / (table.dt / table.refinement) + 0.5
    row = np.clip((steps / table.refinement).astype(np.int64), 0, len(table.values) - 1)
    if len(arguments) == 1:
        return table.values[row]
    column = np.asarray(arguments[1])
    inside = (column >= 0) & (column < table.values.shape[1])
    return np.where(inside, table.values[row, np.where(inside, column, 0)], np.nan)


def _entry(e: Entry, x: Any, origin: Any, step: Any) -> Any:
    entries = e.array.values().astype(np.int64)
    offset = np.clip(x - origin, 0, (len(entries) - 1) << step)
    if e.exact:
        return entries[offset >> step]
    place = np.minimum(offset >> step, len(entries) - 2)
    rise = (entries[place + 1] - entries[place]) * (offset - (place << step))
    return entries[place] + ((rise + (1 << step >> 1)) >> step)


class _Way:
    """A pathway's ring of groups that are due in each coming step."""

    def __init__(self, edges: Edges, late: np.ndarray) -> None:
        self.edges, self.late, self.age = edges, late, 0
        self.ring: list[list[int]] = [[] for _ in range(edges.rows)]
        self.now = 0

    def take_up(self, events: np.ndarray) -> None:
        edges = self.edges
        for event in events[(events >= edges.start) & (events < edges.stop)] - edges.start:
            for group in range(edges.first[event], edges.first[event + 1]):
                row = (self.now + edges.delay[group]) % edges.rows
                self.ring[row].append(group)

    def due(self) -> Iterator[tuple[np.ndarray, int]]:
        """Synapses that spikes reach now, and what is added to their numbers for random bits."""
        late = self.late[self.late[:, 0] == self.age, 1]
        if len(late):
            yield late, self.edges.again
        synapses = self.edges.synapses(np.array(self.ring[self.now], np.int64))
        if len(synapses):
            yield synapses, 0

    def pass_on(self) -> None:
        self.ring[self.now] = []
        self.now = (self.now + 1) % self.edges.rows
        self.age += 1

    def pending(self) -> np.ndarray:
        rows = [(n, self.ring[(self.now + n) % len(self.ring)]) for n in range(len(self.ring))]
        found = [self.edges.pairs(n, np.array(r, np.int64)) for n, r in rows if r]
        late = self.late[self.late[:, 0] >= self.age] - np.array([self.age, 0])
        return np.concatenate([late, *found]) if found else late


class NumpyMachine:
    """The loop in Python."""

    made = Made()

    def __init__(self, program: Program, setting: Setting) -> None:
        self.program, self.setting = program, setting
        self._records = program.records()
        self.capacity = np.zeros(len(self._records), np.int64)
        self._ways = [_Way(e, p) for e, p in zip(setting.edges, setting.pending, strict=True)]
        self.position = 0
        self.seconds = np.zeros(len(program.steps))
        self._stopping = False
        self._current: list[bool] = []
        self._functions: dict[int, Callable] = {}

    def refresh(self, arrays: Iterable[Array] | None = None) -> None:
        """Nothing: the arrays are looked up when they are read."""

    def prepare(self) -> None:
        """Nothing."""

    def settle(self) -> None:
        """Nothing: they always are."""

    def stop(self) -> None:
        self._stopping = True

    def pending(self, number: int) -> np.ndarray:
        return self._ways[number].pending()

    def close(self) -> None:
        """Nothing to give back."""

    def advance(self, pause: float) -> Status:
        until = time.monotonic() + pause
        while True:
            if self.position == 0:
                if self._stopping:
                    return Status.STOPPED
                if not self._choose():
                    return Status.DONE
                if time.monotonic() > until:
                    return Status.PAUSED
            while self.position < len(self.program.steps):
                step = self.program.steps[self.position]
                if self._current[step.clock]:
                    if isinstance(step, (Python, Exchange)):
                        self.position += 1
                        return Status.PYTHON if isinstance(step, Python) else Status.EXCHANGE
                    if isinstance(step, Record) and not self._room(step):
                        return Status.GROW
                    began = time.monotonic()
                    self.do(step)
                    self.seconds[self.position] += time.monotonic() - began
                self.position += 1
            self._tick()
            self.position = 0

    def until(self, ends: Iterable[int]) -> None:
        """Come back, done, where each clock has reached a time step: for now, or for good."""
        for clock, end in zip(self.program.clocks, ends, strict=True):
            clock._i_end = end

    def _choose(self) -> bool:
        least, self._current = clocks.due(self.program.clocks)
        clock = self.program.clocks[least]
        return clock.variables["timestep"].get_value()[0] < clock._i_end

    def _tick(self) -> None:
        for clock, due in zip(self.program.clocks, self._current, strict=True):
            if due:
                clocks.tick(clock)

    def called(self, e: Call, arguments: list[Any], units: np.ndarray) -> Any:
        """A function of the script, by its NumPy implementation."""
        foreign = e.foreign
        if foreign.number not in self._functions:
            found = foreign.function.implementations._implementations.get("numpy")
            if found is None:
                foreign.function.implementations.add_numpy_implementation(foreign.function.pyfunc)
                found = foreign.function.implementations._implementations["numpy"]
            self._functions[foreign.number] = found.get_code(foreign.owner)
        vectors = (units,) if foreign.function.auto_vectorise else ()
        return self._functions[foreign.number](*arguments, *vectors)

    # -------------------------------------------------------------------------------------- steps

    def _block(self, step: Any, units: np.ndarray, late: int = 0) -> Evaluation:
        return Evaluation(self, step.clock, units, late).run(step.kernel)

    def number(self, e: Expression) -> int:
        """A size: a parameter, or a scalar's element."""
        return int(np.ravel(Evaluation(self, 0, np.zeros(1, np.int64)).of(e))[0])

    def _time(self, cell: Cell) -> float:
        return float(cell.array.values()[0])

    def _units(self, count: Expression) -> np.ndarray:
        return np.arange(self.number(count))

    @singledispatchmethod
    def do(self, step: Step) -> None:
        """One step, which has room for what it records."""
        raise AssertionError(type(step).__name__)

    @do.register
    def _(self, step: Update) -> None:
        self._block(step, self._units(step.count))

    @do.register
    def _(self, step: Threshold) -> None:
        block = self._block(step, self._units(step.count))
        (found,) = np.nonzero(block.value(step.kernel.results.get("_cond"), False))
        space = step.events.values()
        space[: len(found)] = found
        space[-1] = len(found)
        if step.refractory:
            free, last, t = step.refractory
            free.values()[found] = False
            last.values()[found] = self._time(t)

    def _now(self, step: Any) -> np.ndarray:
        space = step.events.values()
        return space[: space[-1]].astype(np.int64)

    @do.register
    def _(self, step: Reset) -> None:
        self._block(step, self._now(step))

    @do.register
    def _(self, step: Deliver) -> None:
        way = self._ways[step.pathway.number]
        way.take_up(self._now(step.pathway))
        for synapses, late in way.due():
            self._block(step, synapses.astype(np.int64), late)
        way.pass_on()

    @do.register
    def _(self, step: Sum) -> None:
        target = step.target.values()
        target[self.number(step.start) : self.number(step.stop)] = 0
        units = self._units(step.count)
        value = self._block(step, units).value(step.kernel.results.get("_synaptic_var"), 0)
        np.add.at(target, step.index.values()[: len(units)], value)

    @do.register
    def _(self, step: Generate) -> None:
        bins, position = step.bins.values(), step.position.values()
        now, period = int(step.timestep.values()[0]), int(step.period.values()[0])
        if period > 0:
            now %= period
            if position[0] > 0 and bins[position[0] - 1] >= now:
                position[0] = 0
        last = int(np.searchsorted(bins, now, side="right"))
        found = step.indices.values()[position[0] : max(last, position[0])]
        space = step.events.values()
        space[: len(found)] = found
        space[-1] = len(found)
        position[0] += len(found)

    def _room(self, step: Record) -> bool:
        more = len(self._between(step)) if isinstance(step, RecordEvents) else 1
        return int(step.length.values()[0]) + more <= self.capacity[self._records.index(step)]

    def _between(self, step: RecordEvents | RecordRate) -> np.ndarray:
        events = self._now(step)
        return events[(events >= self.number(step.start)) & (events < self.number(step.stop))]

    @do.register
    def _(self, step: RecordState) -> None:
        block = self._block(step, step.units.values().astype(np.int64))
        length = step.length.values()
        for name, array in step.growing.items():
            value = (
                self._time(step.time) if name == "t" else block.value(step.kernel.results[name], 0)
            )
            array.values()[length[0]] = value
        length[0] += 1

    @do.register
    def _(self, step: RecordEvents) -> None:
        events = self._between(step)
        if not len(events):
            return
        block, length = self._block(step, events), step.length.values()
        for name, array in step.growing.items():
            end = length[0] + len(events)
            array.values()[length[0] : end] = block.value(step.kernel.results[name], 0)
        step.counts.values()[events - self.number(step.start)] += 1
        length[0] += len(events)

    @do.register
    def _(self, step: RecordRate) -> None:
        length, found = step.length.values(), len(self._between(step))
        step.growing["t"].values()[length[0]] = self._time(step.time)
        rate = 1.0 * found / self._time(step.dt) / self.number(step.size)
        step.growing["rate"].values()[length[0]] = rate
        length[0] += 1
