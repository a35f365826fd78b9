"""Monitors of a Brian2 network as records."""

from __future__ import annotations

from typing import Any

import brian2
import numpy as np

from neuroglia_snn.exchange.from_groups import regularly
from neuroglia_snn.exchange.reading import (
    INPUTS,
    Reader,
    owner_of,
    time,
)

#: Monitors that are records.
KINDS = (brian2.StateMonitor, brian2.EventMonitor, brian2.PopulationRateMonitor)


def record(reader: Reader, monitor: Any, means: dict[str, Any]) -> dict[str, Any]:
    """The table of a monitor; it keeps no less than the monitor. ``means`` are those of `means`."""
    label, group = f"'{monitor.name}'", monitor.source
    table: dict[str, Any]
    if monitor.name in means:
        synapses = means[monitor.name]
        table = {"population": reader.names[synapses.source.name], "reduce": "mean"}
        table["variables"] = list(monitor.record_variables)
        return table | {"every": time(float(monitor.clock.dt))}
    owner: Any = owner_of(group)
    if isinstance(owner, brian2.Synapses) and isinstance(monitor, brian2.StateMonitor):
        table = {"projection": reader.names[owner.name]}
        return table | _of_values(reader, monitor, owner)
    inputs = () if isinstance(monitor, brian2.StateMonitor) else INPUTS
    kinds: Any = (brian2.NeuronGroup, *inputs)
    if not isinstance(owner, kinds):
        reader.refuse(label, f"a record of {type(owner).__name__} '{owner.name}'")
        return {}
    table = {"population": reader.names[owner.name]}
    name = reader.names[monitor.name]
    if owner is not group and not isinstance(monitor, brian2.StateMonitor):
        reader.note(
            name, f"keeps all of '{table['population']}', of which the script records a part"
        )
    if isinstance(monitor, brian2.PopulationRateMonitor):
        reader.note(name, "keeps spikes, of which the script keeps the rate")
        return table | {"events": True}
    if isinstance(monitor, brian2.EventMonitor):
        return table | _of_events(reader, monitor, owner)
    return table | _of_values(reader, monitor, owner)


def _of_events(reader: Reader, monitor: Any, owner: Any) -> dict[str, Any]:
    given = isinstance(owner, brian2.SpikeGeneratorGroup)
    when = owner.when if given else owner.thresholder[monitor.event].when
    if monitor.when != when or monitor.order < 1:
        label = f"'{monitor.name}'"
        reader.refuse(label, f"a record of events at another turn than after '{when}'")
    variables = sorted(set(monitor.record_variables) - {"i", "t"})
    events = True if monitor.event == "spike" else monitor.event
    return {"events": events} | ({"variables": variables} if variables else {})


def _of_values(reader: Reader, monitor: Any, owner: Any) -> dict[str, Any]:
    label, source = f"'{monitor.name}'", monitor.source
    if monitor.when != "start":
        reader.refuse(
            label, f"a record of values at '{monitor.when}' of a time step, but at 'start'"
        )
    for one in [] if isinstance(owner, brian2.Synapses) else regularly(owner):
        if one.when == "start" and (one.order, one.name) < (monitor.order, monitor.name):
            reader.refuse(
                label,
                "a record that is taken after the statements of run_regularly in the same step",
                "StateMonitor(..., order=-1) takes it before them",
            )
    recorded = np.asarray(monitor.record).ravel() + getattr(source, "start", 0)
    table: dict[str, Any] = {"variables": list(monitor.record_variables)}
    if not np.array_equal(recorded, np.arange(len(owner))):
        stride = int(recorded[1] - recorded[0]) if len(recorded) > 1 else 0
        shape = reader.shapes.get(owner.name, [len(owner)])
        if stride > 1 and np.array_equal(recorded, _every(shape, stride)):
            table["stride"] = stride
        else:
            table["units"] = recorded.tolist()
    if float(monitor.clock.dt) != reader.captured.dt:
        table["every"] = time(float(monitor.clock.dt))
    return table


def means(reader: Reader) -> dict[str, Any]:
    """Synapses that take the mean over a group for a monitor, by its name, as exported scripts do."""
    found = {}
    for monitor in reader.objects:
        if isinstance(monitor, brian2.StateMonitor) and monitor.when == "end":
            into = [s for s in reader.synapses if s.target is monitor.source]
            if len(into) == 1 and _is_mean(into[0], monitor):
                found[monitor.name] = into[0]
    return found


def _every(shape: list[int], stride: int) -> np.ndarray:
    """Units of each stride-th row and column."""
    units = np.arange(np.prod(shape)).reshape(shape)
    return units[tuple(slice(None, None, stride) for _ in shape)].ravel()


def _is_mean(synapses: Any, monitor: Any) -> bool:
    """Whether synapses give the mean over their source, taken at the start of a step, to a unit."""
    source, updaters = synapses.source, synapses.summed_updaters
    wanted = {f"{v}_post": f"1.0*{v}_pre/N_incoming" for v in monitor.record_variables}
    return (
        type(source) is brian2.NeuronGroup
        and len(synapses.target) == 1
        and len(synapses.equations) == 0
        and not (synapses._pathways or synapses.target.events)
        and not synapses.target.equations.diff_eq_names
        and {n: u.expression.code.replace(" ", "") for n, u in updaters.items()} == wanted
        and all((u.when, u.order) == ("start", -1) for u in updaters.values())
        and {float(u.clock.dt) for u in updaters.values()} == {float(monitor.clock.dt)}
        and np.array_equal(np.asarray(synapses.i[:]), np.arange(len(source)))
    )
