"""A compiled program on Brian2's arrays: what its loop is given, and what it gives back."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterable
from ctypes import POINTER, Structure, byref, c_double, c_int, c_int32, c_int64, c_void_p
from dataclasses import replace

import numpy as np
from brian2.utils.logger import get_logger

from neuroglia_snn.emit import foreign
from neuroglia_snn.emit.expressions import TABLED
from neuroglia_snn.emit.library import is_kept, library, options, source
from neuroglia_snn.errors import BackendError
from neuroglia_snn.program import clocks as brian2_clocks
from neuroglia_snn.program.beside import rows, stride
from neuroglia_snn.program.code import Code
from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.fuse import may_be_single
from neuroglia_snn.program.machine import Made, Setting, Status
from neuroglia_snn.program.narrow import twins
from neuroglia_snn.program.passes import Pass, simplified
from neuroglia_snn.program.program import Deliver, Program
from neuroglia_snn.program.regular import told as told_of_sums
from neuroglia_snn.program.sharing import among_synapses, dealt, told
from neuroglia_snn.program.tree import Array, Parameter

logger = get_logger("brian2.devices.neuroglia")


class _Clock(Structure):
    _fields_ = [
        ("timestep", c_void_p),
        ("t", c_void_p),
        ("dt", c_void_p),
        ("times", c_void_p),
        ("end", c_int64),
        ("shift", c_int64),
    ]


class _Table(Structure):
    _fields_ = [
        ("values", c_void_p),
        ("rows", c_int64),
        ("columns", c_int64),
        ("step", c_double),
        ("refinement", c_double),
    ]


class _Alias(Structure):
    _fields_ = [("bound", c_void_p), ("other", c_void_p), ("columns", c_double), ("least", c_int64)]


class _Row(Structure):
    _fields_ = [
        ("groups", POINTER(c_int32)),
        *((name, c_int64) for name in ("count", "capacity", "synapses")),
    ]


class _Pathway(Structure):
    _fields_ = [
        *((name, c_int64) for name in ("start", "stop")),
        *((name, c_void_p) for name in ("first", "delay", "begin", "order")),
        ("ring", POINTER(_Row)),
        *((name, c_int64) for name in ("rows", "now")),
        *((name, c_void_p) for name in ("late_due", "late")),
        *((name, c_int64) for name in ("late_count", "late_next", "age", "again", "parts")),
        ("ordered", c_void_p),
        ("repeats", c_int64),
    ]


class _Run(Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("arrays", "sizes", "f", "n", "keys", "aliases", "tables")),
        ("pathways", POINTER(_Pathway)),
        *((name, c_void_p) for name in ("capacity", "clocks", "current", "seconds", "states")),
        *((name, c_int64) for name in ("clock_count", "position", "stop", "profile", "leaving")),
        ("pause", c_double),
        ("threads", c_int64),
        *((name, c_void_p) for name in ("team", "rows", "homes", "hashes")),
    ]


def _address(array: np.ndarray | None) -> int | None:
    return None if array is None else array.ctypes.data


def _room(row: tuple[Array, ...]) -> np.ndarray:
    """Room for the values of arrays beside each other, from the beginning of a line of the cache on."""
    made = np.empty(len(row[0].values()) * stride(row) + 8)
    return made[-made.ctypes.data % 64 // 8 :]


def _by_place(pending: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Spikes under way, with the place of each synapse in an order instead of its number."""
    if not len(pending):
        return pending
    place = np.empty_like(order)
    place[order] = np.arange(len(order), dtype=order.dtype)
    return np.column_stack((pending[:, 0], place[pending[:, 1]]))


class Loop:
    """A compiled loop on Brian2's arrays: what a program's library is given, whatever it runs on."""

    made: Made
    #: Of code, whose functions it can call.
    kind: type[Code] = Code

    def __init__(self, program: Program, setting: Setting) -> None:
        """The program is one that passes have made simpler."""
        self.program = self._program = program
        self._library = self._prepared(setting)
        self._library.advance.argtypes = [POINTER(_Run)]
        self._library.advance.restype = c_int
        self._kept: list[np.ndarray] = []
        #: Arrays that functions of the script read, and may write.
        self.namespaces = [values for _, _, values in foreign.arrays(program, self.kind)]
        self._arrays = np.zeros(len(program.arrays), np.uintp)
        self._sizes = np.zeros(len(program.arrays), np.int64)
        self.capacity = np.zeros(len(program.records()), np.int64)
        self._seconds = np.zeros(len(program.steps))
        self._twins = twins(program)
        self._edges, self._late = self._dealt(setting), setting.pending
        self._run = self._filled(setting)
        self._begin()
        if sums := told_of_sums(program):
            logger.debug(sums, "sums", once=True)

    def _prepared(self, setting: Setting) -> ctypes.CDLL:
        """The library of the program; ``made`` says what it is."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Let the library prepare for the run."""
        raise NotImplementedError

    def _dealt(self, setting: Setting) -> list[Edges]:
        """Synapses of each pathway, in parts where several may be done at the same time."""
        return list(setting.edges)

    def _filled(self, setting: Setting) -> _Run:
        numbers = [float(p) for p in self._program.parameters]
        whole = [int(p) if abs(p) < 2**63 else 0 for p in self._program.parameters]
        tables = (_Table * max(1, len(self._program.tables)))(
            *map(self._table, self._program.tables)
        )
        self._pathways = (_Pathway * max(1, len(setting.edges)))(
            *map(self._pathway, self._edges, setting.pending, self._ordered())
        )
        self._aliases = self._tabled()
        clocks = self._program.clocks
        self._clocks = (_Clock * max(1, len(clocks)))()
        for number, (made, clock) in enumerate(zip(self._clocks, clocks, strict=False)):
            arrays = [brian2_clocks.values(clock, n) for n in ("timestep", "t", "dt", "times")]
            self._kept += [a for a in arrays if a is not None]
            made.timestep, made.t, made.dt, made.times = map(_address, arrays)
            made.end = int(clock._i_end)
            made.shift = setting.shifts[number]
        self._tables = tables
        made = [self._held(_room(row)) for row in rows(self._program.steps)]
        return _Run(
            arrays=self._arrays.ctypes.data,
            sizes=self._sizes.ctypes.data,
            f=_address(self._held(np.array(numbers, float))),
            n=_address(self._held(np.array(whole, np.int64))),
            keys=_address(self._held(np.array(setting.keys, np.uint32).ravel())),
            aliases=ctypes.addressof(self._aliases),
            tables=ctypes.addressof(tables),
            pathways=ctypes.cast(self._pathways, POINTER(_Pathway)),
            capacity=self.capacity.ctypes.data,
            clocks=ctypes.addressof(self._clocks),
            current=_address(self._held(np.zeros(max(1, len(clocks)), np.uint8))),
            seconds=self._seconds.ctypes.data,
            clock_count=len(clocks),
            profile=setting.profile,
            threads=setting.threads,
            rows=_address(self._held(np.array([r.ctypes.data for r in made], np.uintp))),
            homes=_address(self._held(np.zeros(len(made), np.uintp))),
        )

    def _tabled(self) -> ctypes.Array[_Alias]:
        """Of draws that look their numbers up; their arguments are numbers of the program."""
        found = (_Alias * max(1, len(self._program.draws)))()
        parameters = self._program.parameters
        for draw in (d for kernel in self._program.kernels() for d in kernel.draws()):
            if draw.kind in TABLED:
                given = [parameters[a.number] for a in draw.arguments if isinstance(a, Parameter)]
                alias = TABLED[draw.kind](*given)
                bound, other = self._held(alias.bound), self._held(alias.other)
                columns = 2.0**alias.bits
                found[draw.number] = _Alias(_address(bound), _address(other), columns, alias.least)
        return found

    def _held(self, array: np.ndarray) -> np.ndarray:
        self._kept.append(array)
        return array

    def _table(self, table) -> _Table:
        rows, columns = table.values.shape[0], table.values.size // max(1, table.values.shape[0])
        step = table.dt / table.refinement
        return _Table(_address(table.values), rows, columns, step, table.refinement)

    def _ordered(self) -> list[tuple[Array, ...]]:
        """Of each pathway, the arrays of its synapses that it may have in the order of its groups."""
        return [()] * len(self._program.pathways)

    def _pathway(self, edges: Edges, pending: np.ndarray, ordered: tuple[Array, ...]) -> _Pathway:
        copies = None
        if ordered and edges.order is not None:
            found = [self._held(array.values()[edges.order]).ctypes.data for array in ordered]
            copies = self._held(np.array(found, np.uintp))
            pending = _by_place(pending, edges.order)
            edges = replace(edges, order=None)
        due = self._held(np.ascontiguousarray(pending[:, 0], np.int64))
        late = self._held(np.ascontiguousarray(pending[:, 1], np.int32))
        ring = (_Row * edges.rows)()
        self._kept.append(ring)  # type: ignore[arg-type]
        arrays = (edges.first, edges.delay, edges.begin, edges.order)
        kinds = (np.int64, np.int32, np.int64, np.int32)
        first, delay, begin, order = (
            _address(None if a is None else self._held(np.ascontiguousarray(a, k)))
            for a, k in zip(arrays, kinds, strict=True)
        )
        return _Pathway(
            start=edges.start,
            stop=edges.stop,
            first=first,
            delay=delay,
            begin=begin,
            order=order,
            ring=ctypes.cast(ring, POINTER(_Row)),
            rows=edges.rows,
            late_due=_address(due),
            late=_address(late),
            late_count=len(due),
            again=edges.again,
            parts=edges.parts,
            ordered=_address(copies),
        )

    def refresh(self, arrays: Iterable[Array] | None = None) -> None:
        """Take note of where arrays are now, and how long; all of them if none are given."""
        if arrays is None:
            self.settle()
            for twin in self._twins:
                twin.take()
            for made, clock in zip(self._clocks, self._program.clocks, strict=False):
                made.end = int(clock._i_end)
        for array in self._program.arrays if arrays is None else arrays:
            values = array.values()
            self._arrays[array.number] = values.ctypes.data
            self._sizes[array.number] = len(values) if values.ndim else 1

    def settle(self) -> None:
        """Have all values in Brian2's arrays, where Python is to look at them after a pause."""
        self._library.settle(byref(self._run))
        for twin in self._twins:
            twin.give()

    def prepare(self) -> None:
        """Nothing: all values are where the loop finds them."""

    def advance(self, pause: float) -> Status:
        """Go on for about ``pause`` seconds, or to where Python is needed."""
        self._run.pause = pause
        for number, values in enumerate(self.namespaces):  # another run may have set its own
            self._library.place_space(c_int64(number), c_void_p(_address(values)))
        return Status(self._library.advance(byref(self._run)))

    def until(self, ends: Iterable[int]) -> None:
        """Come back, done, where each clock has reached a time step: for now, or for good."""
        for made, end in zip(self._clocks, ends, strict=False):
            made.end = end

    @property
    def position(self) -> int:
        """Number of the step that comes next."""
        return self._run.position

    @property
    def seconds(self) -> np.ndarray:
        """Time that each step took, where profiling."""
        return self._seconds

    def stop(self) -> None:
        """Stop before the next time step."""
        self._run.stop = 1

    def pending(self, number: int) -> np.ndarray:
        """Spikes of a pathway that are under way, as `edges.pending` gives them."""
        path, edges = self._pathways[number], self._edges[number]
        late = self._late[number][path.late_next :] - np.array([path.age, 0])
        return np.concatenate([late, *self._under_way(number, edges)])

    def _under_way(self, number: int, edges: Edges) -> list[np.ndarray]:
        """Those that began within the run."""
        raise NotImplementedError

    def close(self) -> None:
        """Give memory back."""
        self._library.end(byref(self._run))


class CppMachine(Loop):
    """The loop in C++."""

    def __init__(
        self, program: Program, setting: Setting, passes: tuple[Pass, ...] | None = None
    ) -> None:
        super().__init__(simplified(program, passes), setting)
        if setting.threads > 1:
            logger.info(told(self.program, setting.threads), "threads", once=True)

    def _prepared(self, setting: Setting) -> ctypes.CDLL:
        program = self._program
        text, flags = source(program, setting.single), options(program)
        self.made = Made(
            hashlib.sha256(text.encode()).hexdigest(),
            not is_kept(text, flags),
            setting.single and any(may_be_single(program, step) for step in program.steps),
        )
        made = self._compiled(text, flags)
        made.release.argtypes = [POINTER(_Pathway)]
        made.release.restype = None
        return made

    def _compiled(self, text: str, flags: list[str]) -> ctypes.CDLL:
        functions = ", ".join(f"'{f.name}'" for f in self._program.foreign)
        try:
            return library(text, flags)
        except BackendError as error:
            if not functions:
                raise
            raise BackendError(f"{error} (it compiles the script's {functions}, too)") from None

    def _begin(self) -> None:
        wanted = self._run.threads
        self._library.begin(byref(self._run))
        if self._run.threads < wanted:
            started = self._run.threads
            self.close()
            raise BackendError(f"{wanted} threads: this system starts no more than {started}")

    def _dealt(self, setting: Setting) -> list[Edges]:
        """Synapses with a part for each thread, where threads may share them."""
        found = list(setting.edges)
        for step in self._program.steps:
            if setting.threads == 1 or not isinstance(step, Deliver):
                continue
            reached = among_synapses(step.kernel)
            if reached is not None:
                number = step.pathway.number
                found[number] = dealt(found[number], reached, setting.threads)
        return found

    def _ordered(self) -> list[tuple[Array, ...]]:
        """Of each pathway, the arrays of its synapses that it may have in the order of its groups."""
        steps = [step for step in self._program.steps if isinstance(step, Deliver)]
        return [step.ordered for step in sorted(steps, key=lambda step: step.pathway.number)]

    def _under_way(self, number: int, edges: Edges) -> list[np.ndarray]:
        path = self._pathways[number]
        found = [np.zeros((0, 2), np.int64)]
        for ahead in range(edges.rows):
            row = path.ring[(path.now + ahead) % edges.rows]
            if row.count:
                groups = np.ctypeslib.as_array(row.groups, (row.count,))
                found.append(edges.pairs(ahead, groups))
        return found

    def close(self) -> None:
        for k in range(len(self._edges)):
            self._library.release(byref(self._pathways[k]))
        super().close()
