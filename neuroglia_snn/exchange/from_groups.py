"""Groups of a Brian2 network as populations."""

from __future__ import annotations

from typing import Any

import brian2
import numpy as np
from brian2.core.variables import Subexpression
from brian2.groups.group import CodeRunner
from brian2.groups.neurongroup import Resetter, StateUpdater, SubexpressionUpdater, Thresholder
from brian2.groups.subgroup import Subgroup
from brian2.units.allunits import hertz, second

from neuroglia_snn.catalog.toml import Inline
from neuroglia_snn.exchange import methods
from neuroglia_snn.exchange.reading import (
    Reader,
    amount,
    time,
)


def population(reader: Reader, group: Any) -> dict[str, Any]:
    """The table of a group."""
    label = f"'{group.name}'"
    scheme = reader.scheme(group, group.equations)
    second_part = _contained(reader, group, scheme)
    own = [*group.user_equations.values()]
    without = scheme.helpers(group) if scheme and second_part else set()
    table: dict[str, Any] = {"size": int(group.N)}
    if group.name in reader.shapes:
        table = {"shape": reader.shapes[group.name]}
    table["equations"] = reader.equations(group, own, without)
    linked = reader.linked(group, own)
    if linked:
        table["linked"] = linked
    if "spike" in group.events:
        table["threshold"] = reader.code(group, group.events["spike"])
    if group.event_codes.get("spike", "").strip():
        table["reset"] = reader.code(group, group.event_codes["spike"])
    table |= _refractory(reader, group)
    if scheme:
        table["integrator"] = scheme.name
    if float(group.clock.dt) != reader.captured.dt:
        table["dt"] = time(float(group.clock.dt))
    regular = [
        Inline(code=reader.code(group, one.abstract_code), dt=time(float(one.clock.dt)))
        for one in regularly(group)
        if one is not second_part
    ]
    if regular:
        table["regularly"] = regular
    events = {}
    for event, condition in group.events.items():
        if event != "spike":
            action = reader.code(group, group.event_codes.get(event, ""))
            events[event] = {"condition": reader.code(group, condition), "action": action}
    if events:
        table["events"] = events
    settable = [e for e in own if e.type != "subexpression" and e.varname not in without]
    settable = [e for e in settable if "linked" not in e.flags]
    initial = reader.initial(group, settable)
    for name in ("lastspike", "not_refractory"):
        if name in group.variables and name not in {e.varname for e in own}:
            value = group.variables[name].get_value()
            if np.any(value != (-1e4 if name == "lastspike" else True)):
                reader.refuse(label, f"that '{name}' was set before the run")
    return table | ({"initial": initial} if initial else {})


def given(reader: Reader, group: Any) -> dict[str, Any]:
    """The table of a group that only gives spikes: of Poisson processes, or given ones."""
    table: dict[str, Any] = {"size": int(group.N)}
    if float(group.clock.dt) != reader.captured.dt:
        table["dt"] = time(float(group.clock.dt))
    name, key = reader.names[group.name], "rates"
    if isinstance(group, brian2.PoissonGroup):
        (thresholder,) = group.contained_objects
        if (thresholder.when, thresholder.order) != ("thresholds", 0):
            reader.refuse(f"'{group.name}'", "another turn in a time step than 'thresholds'")
        rates = group.variables[key]
        if isinstance(rates, Subexpression):
            return table | {key: reader.code(group, rates.expr)}
        values = np.asarray(rates.get_value()).ravel()
        if (values == values[0]).all():
            return table | {key: amount(float(values[0]), hertz.dim)}
        reader.made.arrays[f"{name}.{key}"] = values
        return table | {key: Inline(file=reader.data, array=f"{name}.{key}")}
    if (group.when, group.order) != ("thresholds", 0):
        reader.refuse(f"'{group.name}'", "another turn in a time step than 'thresholds'")
    if np.any(np.asarray(group.variables["period"].get_value()) > 0):
        reader.refuse(f"'{group.name}'", "spikes that come again with a period")
    keys = {"i": f"{name}.i", "t": f"{name}.t"}
    for one, variable in (("i", "neuron_index"), ("t", "spike_time")):
        reader.made.arrays[keys[one]] = np.array(group.variables[variable].get_value())
    return table | {"spikes": Inline(file=reader.data, **keys)}


def _refractory(reader: Reader, group: Any) -> dict[str, str]:
    given = group._refractory
    if given is False:
        return {}
    if isinstance(given, str):
        return {"refractory": reader.code(group, given)}
    return {"refractory": amount(float(given), second.dim)}


def regularly(group: Any) -> list[Any]:
    """The statements of `run_regularly`, in their turns."""
    found = [one for one in group.contained_objects if type(one) is CodeRunner]
    return sorted(found, key=lambda one: (one.order, one.name))


def _contained(reader: Reader, group: Any, scheme: methods.Scheme | None) -> Any:
    """Refuse what stands elsewhere in the schedule; gives the second part of a step of two parts."""
    places = {StateUpdater: "groups", Thresholder: "thresholds", Resetter: "resets"}
    places[SubexpressionUpdater] = "before_start"
    found = None
    for one in group.contained_objects:
        label = f"'{one.name}'"
        when = places.get(type(one), "start")
        if getattr(one, "event", "spike") != "spike":
            when = f"after_{when}"
        if isinstance(one, Subgroup) or (type(one) not in places and type(one) is not CodeRunner):
            reader.refuse(label, "what a part of a group does by itself")
        elif scheme and scheme.is_second_part(group, one):
            found = one
            reader.noises.add("stratonovich")
        elif one.when != when or (type(one) in places and one.order != 0):
            reader.refuse(label, f"another turn in a time step than '{when}', order 0")
        elif not one.active:
            reader.refuse(label, "that it is not active")
        elif type(one) in places and one.clock is not group.clock:
            reader.refuse(label, "a clock of its own")
    if scheme and scheme.two_parts and found is None:
        reader.refuse(f"'{group.name}'", "a step of which the second part is missing")
    return found
