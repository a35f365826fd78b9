"""A model on a chip: the numbers as one summary, and as text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuroglia_snn import couplings as couplings_of
from neuroglia_snn import equations as eqs
from neuroglia_snn import spec
from neuroglia_snn.errors import BackendError
from neuroglia_snn.fixedpoint import recorded
from neuroglia_snn.fixedpoint.quantise import FixedProgram
from neuroglia_snn.lowering import lower
from neuroglia_snn.lowering.messages import with_messages
from neuroglia_snn.lowering.operations import Coupling, Program
from neuroglia_snn.mapping import messages
from neuroglia_snn.mapping.place import (
    CORES,
    NOWHERE,
    PROCESSORS,
    Placement,
    bits_per_synapse,
    fan,
    place,
)
from neuroglia_snn.native import deviation
from neuroglia_snn.results import display_unit

Summary = dict[str, Any]


def map_model(
    model: spec.Model, hardware: spec.Hardware, seed: int = 0
) -> tuple[Summary, list[Placement]]:
    """Place a model on a chip.

    Returns
    -------
    summary : cores, chips, populations, couplings, variables, what does not fit and what is unknown
    placements : for the drawing

    Raises
    ------
    BackendError, RangeError
        Where the model has no lowering or no fixed-point formats.
    """
    images = {n: np.ones(shape, bool) for n, shape in model.images().items()}
    try:
        plain = lower(model, images)
    except BackendError as error:
        raise BackendError(
            f"'{model.name}' cannot be mapped, as backend 'lava' cannot run it: {error}"
        ) from None
    program = with_messages(plain)
    fixed = recorded.formats(model, program, seed)
    placements = place(fixed.program, fixed, hardware)
    cores = sum(len(p.cores) for p in placements)
    chips = -(-cores // (hardware.number("cores_per_chip") or 1))
    if not cores and any(p.where == PROCESSORS for p in placements):
        chips = 1
    traffic = messages.count(plain, program.couplings, fixed, seed)
    sent = {
        name: {
            "from": c.source,
            "to": c.target,
            "connections": int(c.sources.size),
            "fan_in": fan(c, program.populations[c.target].size)[0],
            "fan_out": fan(c, program.populations[c.target].size)[1],
            "steps_between_messages": c.period,
            "messages_per_step": round(traffic[name].every, 1),
            "messages_per_step_on_change": round(traffic[name].changed, 1),
            "payload_bits": _payload(fixed, c),
        }
        for name, c in program.couplings.items()
    }
    summary: Summary = {
        "model": model.name,
        "title": model.title,
        "model_digest": model.digest,
        "hardware": hardware.name,
        "cores": cores,
        "chips": chips,
        "fits": not _misfits(program, fixed, hardware, placements),
        "does_not_fit": _misfits(program, fixed, hardware, placements),
        "populations": {p.population: _population(program, p, hardware) for p in placements},
        "couplings": sent,
        "messages_per_step": round(sum(t.every for t in traffic.values()), 1),
        "messages_per_step_on_change": round(sum(t.changed for t in traffic.values()), 1),
        "variables": _variables(program, fixed, model),
        "assumptions": _assumptions(hardware, program),
        "unknown": [name for name, entry in hardware.entries.items() if entry.value is None],
        "sources": {
            name: f"{entry.source} ({entry.confidence} confidence)"
            for name, entry in hardware.entries.items()
            if entry.value is not None
        },
    }
    return summary, placements


def _payload(fixed: FixedProgram, coupling: Coupling) -> int:
    """Bits that a message needs; an event whose only other value is 0 needs none."""
    bits = fixed.values[coupling.source, f"give {coupling.name}"][coupling.term].bits
    return 0 if bits == 2 else bits


def _population(program: Program, placement: Placement, hardware: spec.Hardware) -> Summary:
    population = program.populations[placement.population]
    found: Summary = {
        "units": population.size,
        "placed_on": placement.where,
        "cores": len(placement.cores),
    }
    if placement.reason:
        found["because"] = placement.reason
    if placement.cores:
        used = [c.used for c in placement.cores]
        found |= {
            "units_per_core": max(c.units.size for c in placement.cores),
            "synapse_memory_bytes": sum(c.synapse_bits for c in placement.cores) // 8,
            "state_memory_bytes": sum(c.state_bytes for c in placement.cores),
            "in_axons_per_core": max(c.in_axons for c in placement.cores),
            "out_axons_per_core": max(c.out_axons for c in placement.cores),
            "fullest_core": round(max(used), 3),
            "emptiest_core": round(min(used), 3),
        }
    if placement.where == PROCESSORS:
        found["processors"] = hardware.number("embedded_processors")
        found["operations_per_step"] = population.size * sum(
            len(b.operations) for b in population.blocks().values()
        )
    return found


def _misfits(
    program: Program, fixed: FixedProgram, hardware: spec.Hardware, placements: list[Placement]
) -> list[str]:
    """What cannot be on this chip, and why, one sentence each."""
    said = [f"population '{p.population}': {p.reason}" for p in placements if p.where == NOWHERE]
    payload, state = hardware.number("payload_bits"), hardware.number("state_bits")
    for coupling in program.couplings.values():
        needed = _payload(fixed, coupling)
        if payload is not None and needed > payload:
            said.append(
                f"coupling '{coupling.name}': sends {needed} bits a message, a spike carries {payload}"
            )
    on_cores = {p.population for p in placements if p.where == CORES}
    for name in sorted(on_cores):
        for variable in program.populations[name].initial:
            bits = fixed.formats[name][variable].bits
            summed = variable in program.populations[name].inputs
            if state is not None and bits > state and not summed:
                said.append(f"variable '{variable}' of '{name}': {bits} bits, the chip has {state}")
    return said


def _variables(program: Program, fixed: FixedProgram, model: spec.Model) -> Summary:
    """Formats, what rounding alone does to a variable over the run, and how far integers really are off.

    The prediction takes the roundings of steps as independent: each has a variance of 1/12 of a squared
    step of the format (1/6 if it is at random), and the first stage of a two-stage scheme counts half.
    """
    off = deviation.measure(program, fixed)
    result: Summary = {}
    for name, population in program.populations.items():
        inputs = couplings_of.inputs(couplings_of.recomputed(model, name))
        own = eqs.parse(model.populations[name].equations)
        for variable in population.initial:
            if variable in inputs or variable in population.inputs:
                continue
            made = fixed.formats[name][variable]
            unit, scale = display_unit(own[variable].dimensions)
            step = made.scale * scale
            entry: Summary = {
                "format": str(made),
                "bits": made.bits,
                "unit": unit,
                "step": step,
                "range": [end * scale for end in made.range],
            }
            if variable in population.state:
                stochastic = variable in model.populations[name].ranges and (
                    model.populations[name].ranges[variable].stochastic
                )
                stages = 1.25 if population.correct.operations else 1.0
                each = step * math.sqrt(stages / (6 if stochastic else 12))
                entry["rounding_rms_per_step"] = each
                entry["rounding_rms_over_the_run"] = each * math.sqrt(
                    program.steps / population.period
                )
                entry["error_rms_seen"] = off[name][variable] * scale
            result[f"{name}.{variable}"] = entry
    return result


def _assumptions(hardware: spec.Hardware, program: Program) -> list[str]:
    return [
        f"a synapse takes {bits_per_synapse(hardware)} bits: its weight and the index of its target",
        "a message takes one step, each coupling's messages are counted apart, and one that its target"
        " reads every n steps is sent every n steps",
        "predicted rounding errors are independent of each other, and the dynamics neither shrink nor"
        f" grow them; errors 'seen' are the integers' against float64 after {deviation.steps(program)}"
        " steps without noise",
        f"only changes above 1/{round(1 / messages.DELTA)} of the range of a message's format are sent 'on"
        f" change', seen in the first {messages.STEPS} steps",
    ]


def text(summary: Summary) -> str:
    """The summary for reading."""
    lines = [
        f"{summary['title']} on {summary['hardware']}",
        f"cores {summary['cores']}, chips {summary['chips']}"
        + ("" if summary["fits"] else "; not all of it fits"),
        "",
    ]
    for name, p in summary["populations"].items():
        place_ = f"{p['cores'] or 'no'} cores"
        if p["placed_on"] == PROCESSORS:
            place_ = f"the {p['processors']} embedded processors"
        lines.append(f"{name}: {p['units']} units on {place_}")
        if "because" in p:
            lines.append(f"    {p['because']}")
        if p["cores"]:
            lines.append(
                f"    up to {p['units_per_core']} a core; synapses {p['synapse_memory_bytes']} bytes,"
                f" states {p['state_memory_bytes']} bytes; axons in {p['in_axons_per_core']},"
                f" out {p['out_axons_per_core']} a core; fullest core {p['fullest_core']:.0%}"
            )
    lines += [
        "",
        f"{'coupling':36} {'fan-in':>7} {'fan-out':>8} {'bits':>5} {'messages':>9} {'on change':>10}",
    ]
    for name, c in summary["couplings"].items():
        lines.append(
            f"{name:36} {c['fan_in']:7} {c['fan_out']:8} {c['payload_bits']:5}"
            f" {c['messages_per_step']:9.1f} {c['messages_per_step_on_change']:10.1f}"
        )
    lines += [
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
    for title, entries in (
        ("does not fit", summary["does_not_fit"]),
        ("assumed", summary["assumptions"]),
        ("in no public document, so not checked", summary["unknown"]),
    ):
        if entries:
            lines += ["", f"{title}:", *(f"    {entry}" for entry in entries)]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "exact or counted" if value is None else f"{value:.3g}"
