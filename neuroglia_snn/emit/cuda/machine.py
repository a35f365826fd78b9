"""A program on a GPU: the loop is the host's, its kernels and all that they work on are the device's."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64

import numpy as np

from neuroglia_snn.backends import toolkit
from neuroglia_snn.emit.cuda import library
from neuroglia_snn.emit.cuda.memory import laid_out, memory
from neuroglia_snn.emit.cuda.steps import way_of
from neuroglia_snn.emit.machine import Loop, _address, _Run
from neuroglia_snn.errors import BackendError, DeviceLost
from neuroglia_snn.program import clocks
from neuroglia_snn.program.code import CudaCode
from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.machine import Made, Setting, Status
from neuroglia_snn.program.narrow import twins
from neuroglia_snn.program.passes import on_gpu, simplified
from neuroglia_snn.program.program import Deliver, Exchange, Program, Python
from neuroglia_snn.program.sharing import reached
from neuroglia_snn.program.tree import Array

#: Of one program, runs that can go on together, as in device.hpp.
MOST_RUNS = 256
#: The GPU, while nobody has to look for it again.
_looked_up: list[toolkit.Gpu] = []


class _Counts(Structure):
    _fields_ = [
        *((n, c_int64) for n in ("arrays", "parameters", "draws", "tables", "pathways", "records")),
        ("bytes", ctypes.c_void_p),
        ("events", ctypes.c_void_p),
    ]


class CudaMachine(Loop):
    """The loop on a GPU; ``emulated`` on the processor, for tests."""

    kind = CudaCode

    def __init__(self, program: Program, setting: Setting, emulated: bool = False) -> None:
        program = simplified(program, on_gpu(setting.single))
        self._emulated, self._flags = emulated, None
        self._lost: DeviceLost | None = None
        self._laid_out = laid_out(program, setting)
        needed = memory(program, setting, self._laid_out)
        if not emulated:
            gpu = usable()
            self._flags = library.flags(gpu.architecture, setting.fast_math)
            _require_memory(gpu, needed)
        super().__init__(program, setting)
        self.made.details["gpu_memory_bytes"] = sum(needed.values())

    def _prepared(self, setting: Setting) -> ctypes.CDLL:
        text = library.source(self._program, setting.deterministic, self._emulated)
        self.made = Made(
            hashlib.sha256(text.encode()).hexdigest(),
            not library.is_kept(text, self._flags),
            bool(twins(self._program)),
        )
        made = library.library(text, self._flags)
        made.begin.argtypes = [POINTER(_Run), POINTER(_Counts)]
        made.failure.restype = c_char_p
        made.join.argtypes = [POINTER(_Run), POINTER(_Run)]
        made.allocated.restype = made.replays.restype = c_int64
        made.under_way.argtypes = [
            *(POINTER(_Run), c_int64),
            *(POINTER(c_int32), POINTER(c_int32), POINTER(c_int64)),
        ]
        return made

    def _begin(self) -> None:
        program = self._program
        self._bytes = np.zeros(len(program.arrays), np.int64)
        most = [len(p.events.values()) - 1 for p in program.pathways]
        self._events = np.array(most, np.int64)
        counts = _Counts(
            arrays=len(program.arrays),
            parameters=len(program.parameters),
            draws=len(program.draws),
            tables=len(program.tables),
            pathways=len(program.pathways),
            records=len(program.records()),
            bytes=_address(self._bytes),
            events=_address(self._events),
        )
        status = self._library.begin(byref(self._run), byref(counts))
        try:
            self._require(status)
        except BackendError:
            self.close()
            raise

    def _require(self, status: int) -> int:
        """Refuse to go on where the GPU has failed: what it had is lost.

        Raises
        ------
        DeviceLost
        """
        if status < 0 and self._lost is None:
            why = self._library.failure(byref(self._run)).decode()
            self._lost = DeviceLost(
                f"the GPU: {why}; arrays are as they were when Python last looked at them"
            )
        if self._lost is not None:
            raise self._lost
        return status

    def may_join(self, other: CudaMachine) -> bool:
        """Whether another run can go on with this one: the same program, on clocks that stand the same.

        Python may not be in it, which is called for one run, and functions must have their arrays in common.
        """
        return (
            not any(isinstance(step, (Python, Exchange)) for step in self.program.steps)
            and self.made.digest == other.made.digest
            and list(map(_address, self.namespaces)) == list(map(_address, other.namespaces))
            and self._times() == other._times()
        )

    def _times(self) -> list[tuple]:
        """Of each clock: its step, its time, its times if they are listed, and its end."""
        found: list[tuple] = []
        for made, clock in zip(self._clocks, self.program.clocks, strict=False):
            values = [clocks.values(clock, name) for name in ("timestep", "t", "dt", "times")]
            known = [None if v is None else v.tobytes() for v in values]
            found.append((*known, made.end))
        return found

    def join(self, others: Sequence[CudaMachine]) -> None:
        """Have other runs go on with this one, at most `MOST_RUNS` with it."""
        for other in others:
            self._library.join(byref(self._run), byref(other._run))

    @property
    def short_of_room(self) -> bool:
        """Whether it is this run that needs a longer record."""
        return bool(self._library.short_of_room(byref(self._run)))

    def _dealt(self, setting: Setting) -> list[Edges]:
        return self._laid_out

    def _filled(self, setting: Setting) -> _Run:
        run = super()._filled(setting)
        for step in self._program.steps:
            if isinstance(step, Deliver) and way_of(step.kernel, setting.deterministic) == "parts":
                number = step.pathway.number
                self._pathways[number].repeats = _repeats(self._edges[number], step)
        return run

    def close(self) -> None:
        #: Bytes on the device, and time steps whose kernels were launched all at once.
        self.allocated = self._library.allocated(byref(self._run))
        self.replays = self._library.replays(byref(self._run))
        super().close()

    def refresh(self, arrays: Iterable[Array] | None = None) -> None:
        arrays = None if arrays is None else list(arrays)
        super().refresh(arrays)
        for array in self._program.arrays if arrays is None else arrays:
            self._bytes[array.number] = array.values().nbytes
        if arrays is None:
            self._library.changed(byref(self._run))

    def prepare(self) -> None:
        self._require(self._library.prepare(byref(self._run)))

    def advance(self, pause: float) -> Status:
        self._run.pause = pause
        for number, values in enumerate(self.namespaces):  # another run may have set its own
            where = ctypes.c_void_p(_address(values))
            self._library.space(byref(self._run), c_int64(number), where, c_int64(values.nbytes))
        return Status(self._require(self._library.advance(byref(self._run))))

    def settle(self) -> None:
        self._require(self._library.settle(byref(self._run)))
        for twin in self._twins:
            twin.give()

    def _under_way(self, number: int, edges: Edges) -> list[np.ndarray]:
        width = int(self._events[number])
        units = np.zeros((edges.rows, width), np.int32)
        counts = np.zeros(edges.rows, np.int32)
        pointers = (a.ctypes.data_as(POINTER(c_int32)) for a in (units, counts))
        now = c_int64()
        self._require(self._library.under_way(byref(self._run), number, *pointers, byref(now)))
        due: list[list[int]] = [[] for _ in range(edges.rows)]
        for age in range(edges.rows - 1, -1, -1):  # the oldest are first
            row = (now.value - age) % edges.rows
            for unit in units[row, : counts[row]]:
                for group in range(edges.first[unit], edges.first[unit + 1]):
                    if edges.delay[group] > age:
                        due[edges.delay[group] - age - 1].append(group)
        return [edges.pairs(ahead, np.array(g, np.int64)) for ahead, g in enumerate(due) if g]


@contextmanager
def looked_up(gpu: toolkit.Gpu) -> Iterator[None]:
    """Take a GPU, and what is free of its memory now, for known as long as this lasts."""
    _looked_up.append(gpu)
    try:
        yield
    finally:
        _looked_up.pop()


def usable() -> toolkit.Gpu:
    """The GPU that runs it.

    Raises
    ------
    BackendError
        Where there is none that can.
    """
    if _looked_up:
        return _looked_up[-1]
    try:
        gpu = toolkit.gpu()
        toolkit.require_driver(gpu, toolkit.find())
    except BackendError as error:
        raise BackendError(f"target='cuda': {error}; target='cpp' needs no GPU") from None
    return gpu


def _require_memory(gpu: toolkit.Gpu, needed: dict[str, int]) -> None:
    """Refuse a GPU with too little free memory.

    Raises
    ------
    BackendError
    """
    try:
        toolkit.require_memory(gpu, sum(needed.values()), "the network")
    except BackendError as error:
        most = max(needed, key=needed.__getitem__)
        own = needed["synapses"] + needed["values"] + needed["records"]
        raise BackendError(
            f"{error}, most of it for {most}; target='cpp' takes about {own >> 20} MiB of this machine's"
        ) from None


def _repeats(edges: Edges, step: Deliver) -> bool:
    """Whether several synapses of a group write to one and the same target."""
    way = reached(step.kernel)
    if way is None or way.index is None:
        return False
    begin = edges.begin[:: edges.parts]
    group = np.repeat(np.arange(len(begin) - 1), np.diff(begin))
    targets = way.index.values()
    targets = targets if edges.order is None else targets[edges.order]
    both = group.astype(np.int64) * (int(targets.max(initial=0)) + 1) + targets
    both.sort()
    return bool((both[1:] == both[:-1]).any())
