"""What a program takes of a GPU's memory: what device.hpp allocates, added up."""

from __future__ import annotations

from ctypes import sizeof

import numpy as np

from neuroglia_snn.emit import foreign
from neuroglia_snn.emit.cuda.steps import way_of
from neuroglia_snn.emit.cuda.text import CudaText
from neuroglia_snn.emit.expressions import TABLED
from neuroglia_snn.emit.machine import _Alias, _Clock, _Pathway, _Table
from neuroglia_snn.program import clocks
from neuroglia_snn.program.code import CudaCode
from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.program import (
    Deliver,
    Program,
    RecordEvents,
    RecordRate,
    RecordState,
    Threshold,
    Update,
)
from neuroglia_snn.program.sharing import LINE, dealt, reached
from neuroglia_snn.program.tiles import Tiles
from neuroglia_snn.program.tree import Parameter

#: Units that one block of threads looks through for events, at most, and how many blocks do where each looks through
#: fewer; as in gpu.hpp.
CHUNK, MOST_CHUNKS = 1024, 512
#: Most blocks that share the synapses of a pathway whose sums are ordered; synapses of a spike, and targets, that
#: make one worth it.
PARTS, SYNAPSES, TARGETS = 128, 32, 2 * LINE
#: Of a pathway on the device: three addresses and two numbers.
_RING = 40


def laid_out(program: Program, setting: Setting) -> list[Edges]:
    """The synapses of each pathway: in parts, where several blocks do those of one spike in Brian2's order."""
    found = list(setting.edges)
    for step in program.steps:
        if not isinstance(step, Deliver) or way_of(step.kernel, setting.deterministic) != "parts":
            continue
        way, edges = reached(step.kernel), found[step.pathway.number]
        assert way is not None
        parts = int(edges.begin[-1]) // (SYNAPSES * max(1, len(edges.delay)))
        if way.index is not None and len(way.index.values()):
            parts = min(parts, int(np.ptp(way.index.values())) // TARGETS)
        if parts > 1:
            found[step.pathway.number] = dealt(edges, way, min(parts, PARTS))
    return found


def memory(program: Program, setting: Setting, edges: list[Edges]) -> dict[str, int]:
    """Bytes on the device of a program that passes have made simpler, by what they are for; ``edges`` are `laid_out`.

    Those of records are what they take at the end of the run: of events, which nobody can tell, room for the first.
    """
    return {
        "values": _values(program),
        "synapses": sum(map(_synapses, edges)),
        "spikes under way": _under_way(program, setting),
        "tables": _tables(program),
        "work": _work(program),
        "records": _records(program),
    }


def _values(program: Program) -> int:
    """Arrays that stand at one place are one."""
    grown = {a.number for r in program.records() for a in r.growing.values()}
    arrays = [a.values() for a in program.arrays if a.number not in grown]
    for clock in program.clocks:
        found = (clocks.values(clock, name) for name in ("timestep", "t", "dt"))
        arrays += [values for values in found if values is not None]
    places = {(a.ctypes.data, a.nbytes) for a in arrays}
    functions = sum(values.nbytes for _, _, values in foreign.arrays(program, CudaCode))
    return sum(size for _, size in places) + functions


def _synapses(edges: Edges) -> int:
    units, groups = edges.stop - edges.start, len(edges.delay)
    listed = 0 if edges.order is None else 4 * len(edges.order)
    return 8 * (units + 1) + 4 * groups + 8 * (groups * edges.parts + 1) + listed


def _under_way(program: Program, setting: Setting) -> int:
    total = 0
    for pathway, edges, late in zip(program.pathways, setting.edges, setting.pending, strict=True):
        most = len(pathway.events.values()) - 1
        total += 4 * edges.rows * (most + 1) + 8 + 12 * len(late) + sizeof(_Pathway) + _RING
    return total


def _tables(program: Program) -> int:
    total = 16 * len(program.parameters) + 8 * len(program.draws)
    total += sum(t.values.nbytes + sizeof(_Table) for t in program.tables)
    total += sizeof(_Alias) * len(program.draws) + sizeof(_Clock) * len(program.clocks)
    for clock in program.clocks:
        if clocks.values(clock, "times") is not None:
            total += 8 * (int(clock._i_end) + 1)
    for draw in (d for kernel in program.kernels() for d in kernel.draws()):
        if draw.kind in TABLED:
            values = [
                program.parameters[a.number] for a in draw.arguments if isinstance(a, Parameter)
            ]
            total += 12 * 2 ** TABLED[draw.kind](*values).bits
    return total + 32 * len(program.arrays) + 12


def _work(program: Program) -> int:
    """Flags of units above a threshold, and copies of what steps write and read as it was before."""
    counts = [
        program.number(s.count)
        for s in program.steps
        if isinstance(s, Threshold) or (isinstance(s, Tiles) and s.threshold and s.listed)
    ]
    most = max(counts, default=0)
    copied = {
        array
        for step in program.steps
        if isinstance(step, (Update, Threshold, Deliver))
        for array in CudaText(step.kernel, step.clock).copied()
    }
    copied |= {a.number for s in program.steps if isinstance(s, Tiles) for a in s.doubled}
    copies = sum(program.arrays[n].values().nbytes for n in copied)
    chunks = max(MOST_CHUNKS, -(-most // CHUNK)) if most else 0
    return most + 4 * chunks + copies


def _records(program: Program) -> int:
    total = 0
    for step in program.records():
        clock = program.clocks[step.clock]
        ahead = int(clock._i_end) - int(clock.variables["timestep"].get_value()[0])
        if isinstance(step, (RecordState, RecordRate)):
            rows = int(step.length.values()[0]) + ahead
        else:
            assert isinstance(step, RecordEvents)
            units = program.number(step.stop) - program.number(step.start)
            first = units * min(64, max(4, 2**24 // max(1, units)))
            rows = int(step.length.values()[0]) + max(1024, first)
        units = len(step.units.values()) if isinstance(step, RecordState) else 1
        for name, array in step.growing.items():
            total += rows * array.dtype.itemsize * (1 if name == "t" else units)
    return total
