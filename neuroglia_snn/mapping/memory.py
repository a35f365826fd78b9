"""What units and synapses take of a core's memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.catalog.hardware import formats_of
from neuroglia_snn.mapping.graph import Connection, Population, Stream, Variable

#: From a variable to the bits of its format.
Bits = Callable[[Variable], int]
#: Bits of a variable whose format nothing says: of a number; a truth value has one.
DEFAULT_BITS = 24

DENSE, SPARSE, SHARED = "dense", "sparse", "shared"
#: A connection repeats a pattern of offsets where its sources have this share of all of them at least: those at
#: the edges of a lattice miss some.
_LEAST_SHARE = 0.75


def default_bits(variable: Variable) -> int:
    """Bits of a variable whose format nothing says."""
    return 1 if variable.kind == "b" else DEFAULT_BITS


def state_bytes(population: Population, bits: Bits) -> int:
    """Bytes of one unit: what it keeps between steps, each value in whole bytes, and its delayed inputs."""
    kept = [*population.state, *(v for v in population.constants if v.distinct > 1)]
    return sum(-(-bits(v) // 8) for v in kept) + delayed_bytes(population, bits)


def delayed_bytes(population: Population, bits: Bits) -> int:
    """Bytes of one unit for inputs that are under way: an accumulator for each step of the longest delay."""
    of = {v.name.rpartition(".")[2]: -(-bits(v) // 8) for v in population.state}
    return sum(delay * of.get(name, 0) for name, delay in population.received.items())


def payload_bits(stream: Stream, bits: Bits) -> int:
    """Bits that a message carries; a spike alone needs none."""
    return sum(bits(v) for v in stream.carried)


@dataclass(frozen=True)
class Format:
    """Bits of what a synapse holds: its weights, learnt values, delay, and the index of its target."""

    weights: int
    learnt: int
    delay: int
    index: int
    weight: int

    @property
    def own(self) -> int:
        """Bits that differ from synapse to synapse."""
        return self.weights + self.learnt + self.delay


def format_of(connection: Connection, hardware: spec.Hardware, bits: Bits) -> Format:
    """What a synapse of a connection holds on a chip; the index is of a core's units."""
    weight = hardware.number("weight_bits") or 8
    different = [v for v in connection.constants if v.distinct > 1]
    delay = math.ceil(math.log2(connection.delay + 1)) if connection.delays > 1 else 0
    index = math.ceil(math.log2(hardware.number("neurons_per_core") or 2))
    learnt = sum(bits(v) for v in connection.learnt)
    return Format(len(different) * weight, learnt, delay, index, weight)


class SynapseMemory:
    """The bits that a connection's synapses take on cores, in the format that takes the fewest.

    - sparse: what each synapse holds (a weight, if all have the same) and the index of its target.
    - dense: what a synapse holds, for every pair of a source that reaches the core and a unit on it.
    - shared: where no synapse holds anything of its own, the index of each target, and the weight once; or, if
      the connection repeats one pattern of offsets, the weight and the index of each offset.
    """

    def __init__(self, connection: Connection, hardware: spec.Hardware, bits: Bits) -> None:
        self._connection = connection
        self._format = format_of(connection, hardware, bits)
        named = hardware.entries["synapse_formats"].value
        self._formats = formats_of(str(named)) if named else {SPARSE}
        self._lists = max(1, len({s for s in connection.streams if s.of_values}))
        self._pattern = self._repeated()

    def _repeated(self) -> float:
        """How many offsets the pattern has that the connection repeats; infinite where it does not."""
        c = self._connection
        offsets, sources = np.unique(c.targets - c.sources).size, np.unique(c.sources).size
        return offsets if c.sources.size >= _LEAST_SHARE * offsets * sources else np.inf

    def bits(self, block: np.ndarray, blocks: int) -> tuple[np.ndarray, np.ndarray]:
        """Bits of the synapses of each block of units, and the number of a format in `names`.

        ``block`` is the number of each target unit's block, -1 for none.
        """
        f, c = self._format, self._connection
        here = block[c.targets]
        inside = here >= 0
        here, sources = here[inside], c.sources[inside]
        synapses = np.bincount(here, minlength=blocks)
        units = np.bincount(block[block >= 0], minlength=blocks)
        pairs = np.unique(here * c.source.size + sources)
        rows = np.bincount(pairs // c.source.size, minlength=blocks)
        each = f.own if f.weights or f.learnt else f.own + f.weight
        sparse = synapses * (each + self._lists * f.index)
        dense = np.where(synapses <= rows * units, rows * units * each * self._lists, np.inf)
        if f.own:
            shared = np.full(blocks, np.inf)
        else:
            listed = self._lists * (synapses * f.index + f.weight)
            shared = np.minimum(listed, self._lists * self._pattern * (f.weight + f.index))
        costs = {SPARSE: sparse, DENSE: dense, SHARED: shared}
        table = np.array([costs[n] if n in self._formats else np.inf * sparse for n in NAMES])
        table = np.where(np.isnan(table), np.inf, table)  # no synapse at all
        table[:, synapses == 0] = 0
        chosen = table.argmin(axis=0)
        return table[chosen, np.arange(blocks)], chosen


NAMES = (SPARSE, DENSE, SHARED)
