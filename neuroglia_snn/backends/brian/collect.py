"""From Brian2 monitors and groups, after a run, to plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brian2
import numpy as np

from neuroglia_snn import __version__
from neuroglia_snn.backends.base import Outcome, Recorded
from neuroglia_snn.backends.brian.network import Network, nonfinite_message
from neuroglia_snn.errors import NumericalError
from neuroglia_snn.language import couplings
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.names import is_made


def outcome(
    network: Network, *, compilers: Mapping[str, str] | None = None, **measured: Any
) -> Outcome:
    """What a run gives, with what was measured of it; ``compilers`` are versions beside the packages'."""
    return Outcome(
        records=records(network),
        events=events(network),
        event_values=event_values(network),
        final=final(network),
        versions={**versions(), **(compilers or {})},
        **measured,
    )


def records(network: Network) -> dict[str, Recorded]:
    """All state records; values as (time, unit)."""
    result = {}
    for name, monitor in network.monitors.items():
        if isinstance(monitor, brian2.StateMonitor):
            record = network.model.records[name]
            values = {v: np.array(getattr(monitor, f"{v}_")).T for v in record.variables}
            kept, ends = np.array(monitor.record), {}
            if record.population in network.model.projections:
                synapses = network.groups[record.population].variables
                for kind, side in (("source", "_synaptic_pre"), ("target", "_synaptic_post")):
                    ends[kind] = np.array(synapses[side].get_value())[kept]
            result[name] = Recorded(np.array(monitor.t_), kept, values, ends)
    return result


def events(network: Network) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Event times in s and unit indices, per record."""
    return {
        name: (np.array(monitor.t_), np.array(monitor.i))
        for name, monitor in network.monitors.items()
        if isinstance(monitor, brian2.EventMonitor)
    }


def event_values(network: Network) -> dict[str, dict[str, np.ndarray]]:
    """The variables of records of events, at each event."""
    return {
        name: {
            v: np.array(getattr(monitor, f"{v}_")) for v in network.model.records[name].variables
        }
        for name, monitor in network.monitors.items()
        if isinstance(monitor, brian2.EventMonitor)
    }


def final(network: Network) -> dict[str, dict[str, np.ndarray]]:
    """State of every population at the end.

    Raises
    ------
    NumericalError
        If a variable of a differential equation is not finite.
    """
    result: dict[str, dict[str, np.ndarray]] = {}
    stimulated = {(s.population, s.variable) for s in network.model.stimuli.values()}
    for population in network.model.populations.values():
        group = network.groups[population.name]
        inputs = couplings.inputs(couplings.recomputed(network.model, population.name))
        values = {}
        for name, equation in eqs.parse(population.equations).items():
            if not equation.settable or (population.name, name) in stimulated:
                continue
            if is_made(name):  # no variable of the model file, but a part of one
                continue
            if name in inputs:  # an intermediate value, whatever its name in the model
                continue
            value = np.array(group.variables[name].get_value())
            if equation.kind == "differential" and not np.isfinite(value).all():
                unit = int(np.argmin(np.isfinite(value)))
                raise NumericalError(
                    nonfinite_message(population.name, unit, network.model.duration)
                )
            values[name] = value
        result[population.name] = values
    return result


def versions() -> dict[str, str]:
    """Of the packages that computed the result."""
    return {
        "neuroglia_snn": __version__,
        "brian2": brian2.__version__,
        "numpy": np.__version__,
    }
