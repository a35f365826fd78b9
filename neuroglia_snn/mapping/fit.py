"""What of a network cannot be on a chip, and what would make it fit."""

from __future__ import annotations

from neuroglia_snn import spec
from neuroglia_snn.catalog import files
from neuroglia_snn.catalog import hardware as hardware_files
from neuroglia_snn.mapping.graph import Graph
from neuroglia_snn.mapping.memory import Bits, payload_bits, state_bytes
from neuroglia_snn.mapping.place import CORES, NOWHERE, PROCESSORS, Layout, place


def chips(layout: Layout, hardware: spec.Hardware) -> int:
    """How many chips a layout takes."""
    found = -(-len(layout.cores) // (hardware.number("cores_per_chip") or 1))
    return found or int(any(p.where == PROCESSORS for p in layout.placements))


def misfits(graph: Graph, layout: Layout, hardware: spec.Hardware, bits: Bits) -> list[str]:
    """What cannot be on this chip, and why, one sentence each."""
    said = [
        f"population '{p.population.name}': {p.reason}"
        for p in layout.placements
        if p.where == NOWHERE
    ]
    said += _of_messages(graph, hardware, bits)
    said += _of_variables(layout, hardware, bits)
    for connection in graph.connections:
        limit = hardware.number("max_delay_steps")
        if limit is not None and connection.delay > limit:
            said.append(
                f"connection '{connection.name}': a delay of {connection.delay} steps, the chip has"
                f" {limit}"
            )
        if connection.learnt and hardware.entries["learning"].value == "none":
            names = ", ".join(v.name for v in connection.learnt)
            said.append(f"connection '{connection.name}': learns {names}, the chip learns nothing")
    needed, there = chips(layout, hardware), hardware.number("chips")
    if there is not None and needed > there:
        said.append(f"it takes {needed} chips, and there {'are' if there > 1 else 'is'} {there}")
    return said


def _of_messages(graph: Graph, hardware: spec.Hardware, bits: Bits) -> list[str]:
    limit = hardware.number("payload_bits")
    if limit is None:
        return []
    return [
        f"message '{s.name}': sends {payload_bits(s, bits)} bits a message, a spike carries {limit}"
        for s in graph.streams()
        if payload_bits(s, bits) > limit
    ]


def _of_variables(layout: Layout, hardware: spec.Hardware, bits: Bits) -> list[str]:
    limit = hardware.number("state_bits")
    if limit is None:
        return []
    return [
        f"variable '{v.name}': {bits(v)} bits, the chip has {limit}"
        for p in layout.placements
        if p.where == CORES
        for v in p.population.state
        if bits(v) > limit
    ]


def remedies(graph: Graph, layout: Layout, hardware: spec.Hardware, bits: Bits) -> list[str]:
    """What would make a network fit that does not, one sentence each."""
    said = []
    limit = hardware.number("payload_bits")
    carried = max((payload_bits(s, bits) for s in graph.streams()), default=0)
    if limit is not None and carried > limit:
        said.append(
            f"fewer bits: what is sent fits a message with {limit} bits or fewer"
            if limit
            else "a chip whose messages carry values, or populations that exchange spikes alone"
        )
    state = hardware.number("state_bits")
    if state is not None and _of_variables(layout, hardware, bits):
        said.append(
            f"fewer bits: variables of at most {state} bits (the 'range' of a model's file)"
        )
    steps = hardware.number("max_delay_steps")
    longest = max((c.delay for c in graph.connections), default=0)
    if steps is not None and longest > steps:
        said.append(
            f"a longer time step: delays fit at a dt of {graph.dt * longest / max(1, steps) * 1e3:.4g} ms or"
            f" more, or shorter delays, of at most {steps * graph.dt * 1e3:.4g} ms"
        )
    if hardware.entries["learning"].value == "none" and any(c.learnt for c in graph.connections):
        said.append("a chip that learns, or synapses whose values nothing writes")
    said += _of_chips(layout, hardware)
    said += _of_equations(layout)
    said += _of_units(graph, layout, hardware, bits)
    said += _of_others(graph, hardware, bits)
    return said


def _of_chips(layout: Layout, hardware: spec.Hardware) -> list[str]:
    needed, there = chips(layout, hardware), hardware.number("chips")
    if there is None or needed <= there:
        return []
    room = there * (hardware.number("cores_per_chip") or 1)
    share = room / len(layout.cores)
    return [
        f"more chips: {needed} of them",
        f"fewer units: about {share:.0%} of them fit on {room} cores, if connections shrink with them",
    ]


def _of_equations(layout: Layout) -> list[str]:
    """Equations that a chip does not run."""
    said = []
    for placement in layout.placements:
        population = placement.population
        if placement.where != NOWHERE or "a core has" in placement.reason:
            continue
        if population.functions:
            names = ", ".join(dict.fromkeys(population.functions))
            said.append(
                f"population '{population.name}': a chip with embedded processors, or equations without"
                f" {names} of a unit's values"
            )
        else:
            said.append(
                f"population '{population.name}': a chip whose neurons are programmable, or leaky"
                " integrate-and-fire units with one current"
            )
    return said


def _of_units(graph: Graph, layout: Layout, hardware: spec.Hardware, bits: Bits) -> list[str]:
    """How much smaller what a single unit needs must be."""
    said = []
    for placement in layout.placements:
        population = placement.population
        if placement.where != NOWHERE or "a core has" not in placement.reason:
            continue
        room = hardware.number("state_bytes_per_neuron")
        each = state_bytes(population, bits)
        if room and each > room:
            said.append(
                f"population '{population.name}': fewer bits or variables, {room} bytes a unit"
            )
        else:
            said.append(
                f"population '{population.name}': fewer synapses a unit, as from a smaller source"
                " population or a sparser connection, or fewer bits of what they learn"
            )
    return said


def _of_others(graph: Graph, hardware: spec.Hardware, bits: Bits) -> list[str]:
    """Targets of the catalogue that the network fits on."""
    said = []
    for name in files.names("hardware"):
        if name == hardware.name:
            continue
        other = hardware_files.load(name)
        layout = place(graph, other, bits)
        if not misfits(graph, layout, other, bits):
            said.append(f"another chip: it fits on '{name}' ({len(layout.cores)} cores)")
    return said
