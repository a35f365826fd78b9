"""Placing populations on the cores of a chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.mapping.graph import Connection, Graph, Population
from neuroglia_snn.mapping.memory import NAMES, Bits, SynapseMemory, state_bytes

#: Where a population ends up.
CORES, PROCESSORS, OUTSIDE, NOWHERE = "cores", "embedded processors", "outside", "nowhere"
#: The neuron model of cores that run any equations, and of those that integrate and fire.
PROGRAMMABLE = "programmable"
LIF = "current-based leaky integrate-and-fire"

#: Needs of a core that add up, by the limits that hold them.
_LIMITS = (
    "neurons_per_core",
    "in_axons_per_core",
    "out_axons_per_core",
    "synapse_bits_per_core",
    "core_memory_bytes",
)
_PER_UNIT = "state_bytes_per_neuron"
#: How often populations are cut anew because the cores of others made a core's out-axons too many.
_ROUNDS = 12


@dataclass(frozen=True)
class Part:
    """Units of one population on a core, and what they need of it."""

    population: Population
    units: np.ndarray
    needs: dict[str, float]
    formats: dict[str, str]


@dataclass(frozen=True)
class Core:
    """One core, and its largest share of a known limit."""

    parts: tuple[Part, ...]
    used: float

    def need(self, name: str) -> float:
        """What all of its parts need of something."""
        return sum(part.needs[name] for part in self.parts)

    @property
    def size(self) -> int:
        """How many units it holds."""
        return sum(part.units.size for part in self.parts)


@dataclass(frozen=True)
class Placement:
    """Where a population is, and why it is not on cores."""

    population: Population
    where: str
    reason: str


@dataclass
class Layout:
    """Cores and what is on them; ``core_of`` has the core of each unit of each population, by name.

    A population that is not on cores has one place for all of its units, a negative number.
    """

    placements: list[Placement]
    cores: list[Core] = field(default_factory=list)
    core_of: dict[str, np.ndarray] = field(default_factory=dict)

    def cores_of(self, population: Population) -> list[tuple[Core, Part]]:
        """The cores that a population is on, with its part of each."""
        return [(c, p) for c in self.cores for p in c.parts if p.population is population]


class TooLarge(Exception):
    """A single unit exceeds a limit of a core."""


def place(graph: Graph, hardware: spec.Hardware, bits: Bits) -> Layout:
    """Place every population of a network.

    A lattice is cut into rectangles, so that few connections cross cores; other populations into runs of
    units. Parts of several populations share a core where no known limit is exceeded.
    """
    placer = _Placer(graph, hardware, bits)
    layout = placer.layout()
    for _ in range(_ROUNDS):
        if not placer.shrink(layout):
            break
        layout = placer.layout()
    return placer.finished(layout)


def destination(population: Population, hardware: spec.Hardware) -> tuple[str, str]:
    """Where a population's equations can be worked out, and why that is not on cores."""
    if population.outside:
        return OUTSIDE, f"{population.outside}, which are sent to the chip"
    model = str(hardware.entries["neuron_model"].value)
    if population.functions:
        many = len(population.functions)
        why = (
            f"its equations need {many} function{'s' * (many > 1)} of a unit's values such as"
            f" {population.functions[0]}, and that a neuron program can look up a table is in no public"
            " document"
        )
        if hardware.number("embedded_processors"):
            return PROCESSORS, why
        return NOWHERE, f"{why}; the chip has no embedded processors"
    if model == PROGRAMMABLE or (model == LIF and population.beyond_lif is None):
        return CORES, ""
    fixed = f"the neuron model of its cores is fixed ({model}): it runs no other equations"
    return NOWHERE, f"{fixed}, and {population.beyond_lif}" if model == LIF else fixed


class _Placer:
    def __init__(self, graph: Graph, hardware: spec.Hardware, bits: Bits) -> None:
        self._graph, self._hardware, self._bits = graph, hardware, bits
        most = hardware.number("neurons_per_core") or 1
        self._capacity = {id(p): min(most, p.size) for p in graph.populations.values()}
        self._memory = {id(c): SynapseMemory(c, hardware, bits) for c in graph.connections}
        self._limits = {n: limit for n in _LIMITS if (limit := hardware.number(n))}
        self._too_large: dict[int, str] = {}

    def layout(self) -> Layout:
        """Populations cut by their capacities, and parts packed on cores."""
        placements, parts = [], []
        for population in self._graph.populations.values():
            where, reason = destination(population, self._hardware)
            if where == CORES:
                try:
                    if id(population) in self._too_large:
                        raise TooLarge(self._too_large[id(population)])
                    parts += self._cut(population)
                except TooLarge as error:
                    where, reason = NOWHERE, str(error)
            placements.append(Placement(population, where, reason))
        layout = Layout(placements, self._packed(parts))
        places = {PROCESSORS: -2, OUTSIDE: -3, NOWHERE: -4}
        for placement in placements:
            population = placement.population
            layout.core_of[population.name] = np.full(
                population.size, places.get(placement.where, -1), np.int64
            )
        for number, core in enumerate(layout.cores):
            for part in core.parts:
                layout.core_of[part.population.name][part.units] = number
        return layout

    # ------------------------------------------------------------------------ cutting

    def _cut(self, population: Population) -> list[Part]:
        """The fewest parts that no limit is exceeded on."""
        while True:
            capacity = self._capacity[id(population)]
            blocks = list(_blocks(population, capacity))
            parts = self._parts(population, blocks)
            worst = max(self._used(part.needs, [part]) for part in parts)
            if worst <= 1:
                return parts
            if capacity == 1:
                raise TooLarge(self._excess(max(parts, key=lambda p: self._used(p.needs, [p]))))
            self._capacity[id(population)] = min(capacity - 1, max(1, int(capacity / worst)))

    def _parts(self, population: Population, blocks: list[np.ndarray]) -> list[Part]:
        """What each block of units needs of a core, but for out-axons."""
        block = np.empty(population.size, np.int64)
        for number, units in enumerate(blocks):
            block[units] = number
        count = len(blocks)
        synapses, axons = np.zeros(count), np.zeros(count)
        formats: list[dict[str, str]] = [{} for _ in blocks]
        arriving = [c for c in self._graph.connections if c.target is population]
        for connection in arriving:
            bits, chosen = self._memory[id(connection)].bits(block, count)
            synapses += bits
            for number in range(count):
                formats[number][connection.name] = NAMES[chosen[number]]
        for stream in {id(s): s for c in arriving for s in c.streams}.values():
            keys = [
                np.unique(block[c.targets] * stream.source.size + c.sources)
                for c in arriving
                if stream in c.streams
            ]
            united = np.unique(np.concatenate(keys))
            axons += np.bincount(united // stream.source.size, minlength=count)
        each = state_bytes(population, self._bits)
        return [
            Part(population, units, _needs(units.size, each, synapses[n], axons[n]), formats[n])
            for n, units in enumerate(blocks)
        ]

    def _used(self, needs: dict[str, float], parts: list[Part]) -> float:
        """The largest share of a known limit."""
        shares = [needs[name] / limit for name, limit in self._limits.items()]
        per_unit = self._hardware.number(_PER_UNIT)
        if per_unit:
            shares += [part.needs["state_bytes"] / part.units.size / per_unit for part in parts]
        return max(shares, default=0.0)

    def _excess(self, part: Part) -> str:
        """What a single unit needs too much of."""
        for name, limit in self._limits.items():
            if part.needs[name] > limit:
                what = _SPOKEN[name]
                return f"a single unit needs {part.needs[name]:,.0f} {what}, a core has {limit:,}"
        state = part.needs["state_bytes"]
        limit = self._hardware.number(_PER_UNIT) or 0
        return f"a unit keeps {state:,.0f} bytes, a core has room for {limit:,} of each"

    # ------------------------------------------------------------------------ packing

    def _packed(self, parts: list[Part]) -> list[Core]:
        """Parts on cores: each on the first that has room for it and no part of its population."""
        groups: list[list[Part]] = []
        for part in parts:
            for group in groups:
                if any(other.population is part.population for other in group):
                    continue
                if self._used(_sum([*group, part]), [*group, part]) <= 1:
                    group.append(part)
                    break
            else:
                groups.append([part])
        return [self._core(group) for group in groups]

    def _core(self, parts: list[Part]) -> Core:
        return Core(tuple(parts), self._used(_sum(parts), parts))

    # ---------------------------------------------------------------------- out-axons

    def shrink(self, layout: Layout) -> bool:
        """Make parts smaller whose core has too many out-axons; whether any had to be."""
        limit = self._hardware.number("out_axons_per_core")
        if not limit:
            return False
        out = out_axons(self._graph, layout)
        found = False
        for number, core in enumerate(layout.cores):
            needed = sum(out[number].values())
            if needed <= limit:
                continue
            part = max(core.parts, key=lambda p: out[number].get(p.population.name, 0))
            key, capacity = id(part.population), part.units.size
            found = True
            if capacity == 1:
                text = f"a single unit needs {needed:,} out-axons, a core has {limit:,}"
                self._too_large[key] = text
            self._capacity[key] = min(
                self._capacity[key], max(1, min(capacity - 1, int(capacity * limit / needed)))
            )
        return found

    def finished(self, layout: Layout) -> Layout:
        """The layout with out-axons counted; populations whose cores still have too many are nowhere."""
        out = out_axons(self._graph, layout)
        limit = self._hardware.number("out_axons_per_core")
        for number, core in enumerate(layout.cores):
            needed = sum(out[number].values())
            if limit and needed > limit:
                for part in core.parts:
                    text = f"a core of it needs {needed:,} out-axons however it is cut, a core has {limit:,}"
                    self._too_large.setdefault(id(part.population), text)
        if any(p.where == CORES and id(p.population) in self._too_large for p in layout.placements):
            return self.finished(self.layout())
        cores = []
        for number, core in enumerate(layout.cores):
            parts = [
                replace(
                    p,
                    needs={**p.needs, "out_axons_per_core": out[number].get(p.population.name, 0)},
                )
                for p in core.parts
            ]
            cores.append(self._core(parts))
        return replace(layout, cores=cores)


_SPOKEN = {
    "neurons_per_core": "units",
    "in_axons_per_core": "in-axons",
    "out_axons_per_core": "out-axons",
    "synapse_bits_per_core": "bits of synapses",
    "core_memory_bytes": "bytes of states and synapses",
}


def _needs(units: int, each: int, synapses: float, axons: float) -> dict[str, float]:
    return {
        "neurons_per_core": units,
        "in_axons_per_core": int(axons),
        "out_axons_per_core": 0,
        "synapse_bits_per_core": int(synapses),
        "core_memory_bytes": units * each + synapses / 8,
        "state_bytes": units * each,
    }


def _sum(parts: list[Part]) -> dict[str, float]:
    return {name: sum(part.needs[name] for part in parts) for name in parts[0].needs}


def _blocks(population: Population, capacity: int) -> Iterator[np.ndarray]:
    units = np.arange(population.size)
    if len(population.shape) == 1:
        yield from np.array_split(units, -(-population.size // capacity))
        return
    rows = population.shape[0]
    columns = population.size // rows  # of a lattice in space, its planes are rows

    def count(height: int) -> tuple[int, int]:
        width = min(columns, capacity // height)
        down, across = -(-rows // height), -(-columns // width)
        return down * across, down + across  # few cores, then short borders

    height = min(range(1, min(rows, capacity) + 1), key=count)
    across = -(-columns // min(columns, capacity // height))
    lattice = units.reshape(rows, columns)
    for band in np.array_split(lattice, -(-rows // height)):
        for block in np.array_split(band, across, axis=1):
            yield block.ravel()


def routes(connections: list[Connection], layout: Layout) -> np.ndarray:
    """Pairs (unit, place) of what a stream's connections reach: one message each; (2, routes)."""
    found = []
    for connection in connections:
        places = layout.core_of[connection.target.name][connection.targets] + _SHIFT
        found.append(np.unique(connection.sources * _MOST_PLACES + places))
    keys = np.unique(np.concatenate(found))
    return np.stack((keys // _MOST_PLACES, keys % _MOST_PLACES - _SHIFT))


#: Places are numbers from -4 on.
_SHIFT, _MOST_PLACES = 4, 2**31


def out_axons(graph: Graph, layout: Layout) -> list[dict[str, int]]:
    """For each core and each population on it, the pairs of a unit and a core that it sends to."""
    found: list[dict[str, int]] = [{} for _ in layout.cores]
    for stream in graph.streams():
        reached = routes([c for c in graph.connections if stream in c.streams], layout)
        sending = layout.core_of[stream.source.name][reached[0]]
        counts = np.bincount(sending[sending >= 0], minlength=len(layout.cores))
        for number in np.flatnonzero(counts):
            name = stream.source.name
            found[number][name] = found[number].get(name, 0) + int(counts[number])
    return found


def fan(connection: Connection) -> tuple[int, int]:
    """Largest numbers of connections into one target unit, and out of one source unit."""
    into = np.bincount(connection.targets, minlength=1)
    out = np.bincount(connection.sources, minlength=1)
    return int(into.max()), int(out.max())
