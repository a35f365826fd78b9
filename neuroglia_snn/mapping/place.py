"""Placing populations on the cores of a chip."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.fixedpoint.quantise import FixedProgram
from neuroglia_snn.lowering.operations import Coupling, Function, Population, Program

#: Where a population ends up.
CORES, PROCESSORS, NOWHERE = "cores", "embedded processors", "nowhere"


@dataclass(frozen=True)
class Core:
    """One core and the block of a population that it holds; limits used, as fractions."""

    population: str
    units: np.ndarray
    synapse_bits: int
    state_bytes: int
    in_axons: int
    out_axons: int
    used: float


@dataclass(frozen=True)
class Placement:
    """Where a population is, and why it is not on cores."""

    population: str
    where: str
    reason: str
    cores: tuple[Core, ...]


def place(program: Program, fixed: FixedProgram, hardware: spec.Hardware) -> list[Placement]:
    """Place every population of a program with messages.

    A lattice is cut into rectangles, so that few connections cross cores; other populations into
    runs of units.
    """
    placed = []
    for population in program.populations.values():
        where, reason = _target(population, hardware)
        cores: tuple[Core, ...] = ()
        if where == CORES:
            try:
                cores = _cut(program, fixed, population, hardware)
            except _TooLarge as error:
                where, reason = NOWHERE, str(error)
        placed.append(Placement(population.name, where, reason, cores))
    return placed


class _TooLarge(Exception):
    """A single unit exceeds a limit of a core."""


def _target(population: Population, hardware: spec.Hardware) -> tuple[str, str]:
    model = str(hardware.entries["neuron_model"].value)
    tables = [
        o for b in population.blocks().values() for o in b.operations if isinstance(o, Function)
    ]
    if tables:
        processors = hardware.number("embedded_processors")
        why = (
            f"its equations need {len(tables)} functions such as {tables[0].text}, and that a neuron"
            " program can look up a table is in no public document"
        )
        if processors:
            return PROCESSORS, why
        return NOWHERE, f"{why}; the chip has no embedded processors"
    if model != "programmable":
        return (
            NOWHERE,
            f"the neuron model of its cores is fixed ({model}): it runs no other equations",
        )
    return CORES, ""


# ------------------------------------------------------------------------ cutting


def _cut(
    program: Program, fixed: FixedProgram, population: Population, hardware: spec.Hardware
) -> tuple[Core, ...]:
    """The fewest cores that no limit is exceeded on; equal rectangles of a lattice."""
    capacity = min(hardware.number("neurons_per_core") or 1, population.size)
    while True:
        cores = [
            _core(program, fixed, population, hardware, units)
            for units in _blocks(population, capacity)
        ]
        worst = max(core.used for core in cores)
        if worst <= 1:
            return tuple(cores)
        if capacity == 1:
            raise _TooLarge("a single unit exceeds a core")
        capacity = min(capacity - 1, max(1, int(capacity / worst)))


def _blocks(population: Population, capacity: int) -> Iterator[np.ndarray]:
    units = np.arange(population.size)
    if len(population.shape) == 1:
        yield from np.array_split(units, -(-population.size // capacity))
        return
    rows, columns = population.shape

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


def _core(
    program: Program,
    fixed: FixedProgram,
    population: Population,
    hardware: spec.Hardware,
    units: np.ndarray,
) -> Core:
    """What a block of units needs of a core."""
    here = np.zeros(population.size, bool)
    here[units] = True
    couplings = program.couplings.values()
    arriving = [c for c in couplings if c.target == population.name]
    synapses = sum(int(here[c.targets].sum()) for c in arriving)
    axons = sum(np.unique(c.sources[here[c.targets]]).size for c in arriving)
    leaving = sum(
        np.unique(c.sources[here[c.sources]]).size for c in couplings if c.source == population.name
    )
    synapse_bits = synapses * bits_per_synapse(hardware)
    state = units.size * state_bytes(population, fixed)
    core = Core(population.name, units, synapse_bits, state, axons, leaving, 0.0)
    return Core(**{**vars(core), "used": max(_fractions(core, hardware).values(), default=0.0)})


def bits_per_synapse(hardware: spec.Hardware) -> int:
    """Weight and index of the target unit; how a chip really packs them is not checked."""
    index = math.ceil(math.log2(hardware.number("neurons_per_core") or 2))
    return (hardware.number("weight_bits") or 8) + index


def state_bytes(population: Population, fixed: FixedProgram) -> int:
    """Of one unit: what it holds between steps, sums included, each value in whole bytes."""
    formats = fixed.formats[population.name]
    return sum(-(-formats[name].bits // 8) for name in population.initial)


def _fractions(core: Core, hardware: spec.Hardware) -> dict[str, float]:
    """How much of each known limit a core uses."""
    memory = core.state_bytes + core.synapse_bits / 8
    needs = {
        "neurons_per_core": core.units.size,
        "in_axons_per_core": core.in_axons,
        "out_axons_per_core": core.out_axons,
        "synapse_bits_per_core": core.synapse_bits,
        "core_memory_bytes": memory,
        "state_bytes_per_neuron": core.state_bytes / core.units.size,
    }
    limits = {name: hardware.number(name) for name in needs}
    return {name: needs[name] / limit for name, limit in limits.items() if limit}


def fan(coupling: Coupling, target: int) -> tuple[int, int]:
    """Largest numbers of connections into one target unit, and out of one source unit."""
    into = np.bincount(coupling.targets, minlength=target)
    out = np.bincount(coupling.sources, minlength=coupling.source_size)
    return int(into.max(initial=0)), int(out.max(initial=0))
