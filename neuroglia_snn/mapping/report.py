"""A network on a chip: the numbers as one summary, and as text."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.mapping import fit
from neuroglia_snn.mapping.graph import Connection, Graph, Stream
from neuroglia_snn.mapping.memory import Bits, delayed_bytes, format_of, payload_bits
from neuroglia_snn.mapping.observe import DELTA, Observed
from neuroglia_snn.mapping.place import (
    CORES,
    NOWHERE,
    OUTSIDE,
    PROCESSORS,
    Layout,
    Placement,
    fan,
    routes,
)

Summary = dict[str, Any]


def summarise(observed: Observed, layout: Layout, hardware: spec.Hardware, bits: Bits) -> Summary:
    """What a network takes of a chip, what does not fit, and what is assumed and unknown."""
    graph = observed.graph
    misfits = fit.misfits(graph, layout, hardware, bits)
    traffic = {id(s): _traffic(s, observed, layout) for s in graph.streams()}
    return {
        "hardware": hardware.name,
        "dt_ms": graph.dt * 1e3,
        "steps_observed": observed.steps,
        "cores": len(layout.cores),
        "chips": fit.chips(layout, hardware),
        "fits": not misfits,
        "does_not_fit": misfits,
        "would_fit": fit.remedies(graph, layout, hardware, bits) if misfits else [],
        "populations": {
            p.population.name: _population(p, layout, hardware, bits, observed)
            for p in layout.placements
        },
        "connections": {
            c.name: _connection(c, layout, hardware, bits, observed, traffic)
            for c in graph.connections
        },
        "messages": {
            s.name: {**traffic[id(s)], "payload_bits": payload_bits(s, bits)}
            for s in graph.streams()
        },
        **{
            name: round(sum(t[name] for t in traffic.values()), 1)
            for name in ("messages_per_step", "messages_per_step_on_change", "packets_per_step")
        },
        "inputs": {
            e.name: {
                "to": f"{e.target.name}.{e.variable}",
                "events_per_step": round(e.per_step * e.target.size, 3),
            }
            for e in graph.externals
        },
        "in_python": graph.python,
        "assumptions": _assumptions(graph, observed, layout),
        "unknown": [name for name, entry in hardware.entries.items() if entry.value is None],
        "sources": {
            name: f"{entry.source} ({entry.confidence} confidence)"
            for name, entry in hardware.entries.items()
            if entry.value is not None
        },
    }


def _traffic(stream: Stream, observed: Observed, layout: Layout) -> dict[str, float]:
    """Messages a base step: of units that are due, of those that changed, and to each core that they reach."""
    connections = [c for c in observed.graph.connections if stream in c.streams]
    units, _ = routes(connections, layout)
    counts = observed.counts(stream)
    senders = np.unique(units)
    every = float(counts[senders].sum())
    changed = observed.changed(stream, senders.size)
    return {
        "messages_per_step": round(every, 4),
        "messages_per_step_on_change": round(every if changed is None else changed, 4),
        "packets_per_step": round(float(counts[units].sum()), 4),
        "messages_in_the_busiest_step": observed.most(stream, senders),
    }


def _connection(
    connection: Connection,
    layout: Layout,
    hardware: spec.Hardware,
    bits: Bits,
    observed: Observed,
    traffic: dict[int, dict[str, float]],
) -> Summary:
    """What a connection joins, keeps and sends."""
    fan_in, fan_out = fan(connection)
    kept = format_of(connection, hardware, bits)
    counts = sum(observed.counts(s)[connection.sources].sum() for s in connection.streams)
    formats = Counter(
        part.formats[connection.name] for _, part in layout.cores_of(connection.target)
    )
    made: Summary = {
        "from": connection.source.name,
        "to": connection.target.name,
        "synapses": int(connection.sources.size),
        "fan_in": fan_in,
        "fan_out": fan_out,
        "sends": [s.name for s in connection.streams],
        "payload_bits": max(payload_bits(s, bits) for s in connection.streams),
        "messages_per_step": round(
            sum(traffic[id(s)]["messages_per_step"] for s in connection.streams), 4
        ),
        "synaptic_events_per_step": round(float(counts), 4),
        "weights": _weights(connection),
        "bits_a_synapse": kept.own,
        "cores_by_format": dict(formats),
        "delay_steps": connection.delay,
        "different_delays": connection.delays,
    }
    if connection.learnt:
        made["learnt"] = [v.name for v in connection.learnt]
        made["learnt_bits_a_synapse"] = kept.learnt
        made["updates_per_step"] = round(observed.updates(connection), 4)
    return made


def _weights(connection: Connection) -> dict[str, int]:
    """How many different values each constant of the synapses has."""
    return {v.name: v.distinct for v in connection.constants}


def _population(
    placement: Placement,
    layout: Layout,
    hardware: spec.Hardware,
    bits: Bits,
    observed: Observed,
) -> Summary:
    population, on = placement.population, layout.cores_of(placement.population)
    made: Summary = {
        "units": population.size,
        "placed_on": placement.where,
        "cores": len(on),
        "steps_between_updates": population.period,
        "events_per_step": _events(population.name, observed),
    }
    if placement.reason:
        made["because"] = placement.reason
    if on:
        parts = [part for _, part in on]
        made |= {
            "units_per_core": max(p.units.size for p in parts),
            "shares_cores_with": sorted(
                {p.population.name for c, _ in on for p in c.parts} - {population.name}
            ),
            "synapse_memory_bytes": sum(int(p.needs["synapse_bits_per_core"]) for p in parts) // 8,
            "state_memory_bytes": sum(int(p.needs["state_bytes"]) for p in parts),
            "delayed_input_bytes": population.size * delayed_bytes(population, bits),
            "dendritic_inputs": sorted(population.received),
            "in_axons_per_core": max(int(p.needs["in_axons_per_core"]) for p in parts),
            "out_axons_per_core": max(int(p.needs["out_axons_per_core"]) for p in parts),
            "fullest_core": round(max(c.used for c, _ in on), 3),
            "emptiest_core": round(min(c.used for c, _ in on), 3),
        }
    if placement.where == PROCESSORS:
        made["processors"] = hardware.number("embedded_processors")
        made["operations_per_step"] = population.operations
    return made


def _events(name: str, observed: Observed) -> float:
    """Events of a population in a base step, of all kinds."""
    spaces = {s.events for s in observed.graph.streams() if s.events and s.source.name == name}
    return round(sum(len(observed.events[space][0]) for space in spaces) / observed.steps, 4)


def _assumptions(graph: Graph, observed: Observed, layout: Layout) -> list[str]:
    said = [
        "synapses lie at the units that they reach, each connection in the format that takes the fewest bits of a"
        " core: 'sparse' (what a synapse holds, or a weight, and the index of its target), 'dense' (what a"
        " synapse holds, for every source and unit of the core) or 'shared' (no weight of its own)",
        "every value takes 24 bits where the model's file says nothing else, and a truth value one bit",
        "a message carries one spike or one value; what synapses or equations read of the unit of a spike goes with it",
        f"spikes are those of the first {observed.steps} steps of {graph.dt * 1e3:g} ms",
    ]
    if any(s.of_values for s in graph.streams()):
        said.append(
            f"only changes above 1/{round(1 / DELTA)} of the range of a variable are sent 'on change', seen in the"
            f" first {observed.looked} steps"
        )
    if any(len(core.parts) > 1 for core in layout.cores):
        said.append("a core runs the equations of several populations")
    if any(p.where == PROCESSORS for p in layout.placements):
        said.append("the memory and the speed of embedded processors are not checked")
    if graph.python:
        names = ", ".join(f"'{name}'" for name in graph.python)
        said.append(f"what runs in Python is on the host: {names}")
    return said


def text(summary: Summary) -> str:
    """The summary for reading."""
    chips = summary["chips"]
    lines = [
        f"{summary['title']} on {summary['hardware']}",
        f"cores {summary['cores']}, chips {chips}"
        + ("" if summary["fits"] else "; not all of it fits"),
        "",
    ]
    for name, p in summary["populations"].items():
        lines += _of_population(name, p)
    if summary["connections"]:
        lines += [
            "",
            f"{'connection':44} {'synapses':>9} {'fan-in':>7} {'fan-out':>8} {'bits':>5} {'delay':>6} {'messages':>9}  format",
        ]
    for name, c in summary["connections"].items():
        lines.append(
            f"{name:44} {c['synapses']:9} {c['fan_in']:7} {c['fan_out']:8} {c['payload_bits']:5}"
            f" {c['delay_steps']:6} {c['messages_per_step']:9.1f}  {', '.join(c['cores_by_format'])}"
        )
        if "learnt" in c:
            lines.append(
                f"    learnt: {c['learnt_bits_a_synapse']} bits a synapse ({', '.join(c['learnt'])}),"
                f" {c['updates_per_step']:.1f} updates a step"
            )
    lines += [
        "",
        f"messages a step: {summary['messages_per_step']:.1f}, on change"
        f" {summary['messages_per_step_on_change']:.1f}; to each core that they reach:"
        f" {summary['packets_per_step']:.1f}",
    ]
    lines += _of_variables(summary)
    lines += _of_energy(summary.get("energy"))
    if "no_energy" in summary:
        lines += ["", f"no energy and time: {summary['no_energy']}"]
    for title, entries in (
        ("does not fit", summary["does_not_fit"]),
        ("would make it fit", summary["would_fit"]),
        ("assumed", summary["assumptions"]),
        ("in no public document, so not checked", summary["unknown"]),
    ):
        if entries:
            lines += ["", f"{title}:", *(f"    {entry}" for entry in entries)]
    return "\n".join(lines)


def _of_population(name: str, p: Summary) -> list[str]:
    where = {
        CORES: f"{p['cores']} core{'s' * (p['cores'] != 1)}",
        PROCESSORS: f"the {p.get('processors')} embedded processors",
        OUTSIDE: "outside",
        NOWHERE: "no cores",
    }[p["placed_on"]]
    lines = [f"{name}: {p['units']} units on {where}"]
    if p["placed_on"] == OUTSIDE:
        lines = [f"{name}: {p['units']} units, {p['because']}"]
    elif "because" in p:
        lines.append(f"    {p['because']}")
    if p["cores"]:
        lines.append(
            f"    up to {p['units_per_core']} a core; synapses {p['synapse_memory_bytes']} bytes,"
            f" states {p['state_memory_bytes']} bytes; axons in {p['in_axons_per_core']},"
            f" out {p['out_axons_per_core']} a core; fullest core {p['fullest_core']:.0%}"
        )
    return lines


def _of_variables(summary: Summary) -> list[str]:
    if not summary["variables"]:
        why = summary.get("no_formats")
        return ["", f"no formats of variables in integers: {why}"] if why else []
    lines = [
        "",
        f"{'variable':24} {'format':22} {'step':>10} {'unit':4} {'rms rounding over the run':>26}"
        f" {'rms error seen':>16}",
    ]
    for name, v in summary["variables"].items():
        error = v.get("rounding_rms_over_the_run")
        unit = "" if v["unit"] == "1" else v["unit"]
        seen = "" if error is None else f"{v['error_rms_seen']:.3g}"
        lines.append(
            f"{name:24} {v['format']:22} {v['step']:10.3g} {unit:4} {_number(error):>26} {seen:>16}"
        )
    return lines


def _number(value: float | None) -> str:
    return "exact or counted" if value is None else f"{value:.3g}"


def _of_energy(energy: Summary | None) -> list[str]:
    if energy is None:
        return []
    return [
        "",
        f"energy and time of {energy['steps']} steps, by SANA-FE {energy['sanafe']}, priced by {energy['priced_by']}:",
        f"    a step: {energy['energy_per_step_J'] * 1e9:.4g} nJ, {energy['time_per_step_s'] * 1e6:.4g} us",
        *(
            f"        of which {name}: {value * 1e9:.4g} nJ"
            for name, value in energy["energy_per_step_by_part_J"].items()
        ),
        *(
            f"    all of it, divided by the number of {name}s: {value * 1e12:.4g} pJ"
            for name, value in energy["energy_per_event_J"].items()
        ),
        f"    busiest core: {energy['busiest_core']}",
        f"    busiest link: {energy['busiest_link']}",
        *(f"    {note}" for note in energy["notes"]),
    ]
