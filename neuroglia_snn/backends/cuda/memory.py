"""How much of a GPU's memory a program of brian2cuda takes."""

from __future__ import annotations

import brian2
import numpy as np
from brian2.core.variables import ArrayVariable, DynamicArrayVariable
from brian2.devices.device import get_device

from neuroglia_snn import spec
from neuroglia_snn.backends.brian.network import LISTED, Network, pairs
from neuroglia_snn.errors import UserError
from neuroglia_snn.language.quantities import parse_quantity

#: Memory is given out in pieces of this many bytes: every recorded unit has a vector of its own.
PIECE = 512


def needed(network: Network) -> int:
    """Bytes of all arrays of the project that the current device has just written.

    Random connections count with their expected number, events and the buffers of Brian2's own
    random numbers not at all.
    """
    arrays = (v for v in get_device().arrays if not isinstance(v, DynamicArrayVariable))
    fixed = sum(v.size * _bytes(v) for v in arrays)
    fixed += sum(a.nbytes for a in get_device().static_arrays.values())
    model, groups = network.model, network.groups
    made = [(p, groups[n]) for n, p in model.projections.items() if n in groups]
    return fixed + sum(_connections(model, p, s) for p, s in made) + _records(network)


def _bytes(variable: ArrayVariable) -> int:
    return np.dtype(variable.dtype).itemsize


def _connections(model: spec.Model, projection: spec.Projection, synapses: brian2.Synapses) -> int:
    """Bytes of all vectors that hold a number for every connection."""
    vectors = {  # by their own names: some have several, as i and _synaptic_pre
        v.name: _bytes(v)
        for v in synapses.variables.values()
        if isinstance(v, DynamicArrayVariable)
        and v.owner.name == synapses.name
        and v.name not in ("N_incoming", "N_outgoing")  # of units
    }
    return _count(model, projection) * sum(vectors.values())


def _count(model: spec.Model, projection: spec.Projection) -> int:
    """Number of connections; of random ones the expected, of conditions the largest that can be."""
    connect = projection.connect
    if connect["rule"] in LISTED:
        return len(pairs(model, projection)[0])
    possible = _units(model, projection.source) * _units(model, projection.target)
    return round(possible * _number(connect.get("p", 1)) * _number(connect.get("n", 1)))


def _units(model: spec.Model, end: spec.Endpoint) -> int:
    """Number of units at one end of a projection, which may be the synapses of another."""
    if end.start is not None and end.stop is not None:
        return end.stop - end.start
    if end.name in model.populations:
        return model.populations[end.name].size
    return _count(model, model.projections[end.name])


def _number(text: object) -> float:
    """A number; 1 for what differs between connections."""
    try:
        return float(parse_quantity(str(text)).si)
    except UserError:
        return 1.0


def _records(network: Network) -> int:
    total = 0
    for monitor in network.monitors.values():
        if isinstance(monitor, brian2.StateMonitor):
            samples = spec.steps(network.model.duration, float(monitor.clock.dt)) + 1
            values = [monitor.variables[name] for name in monitor.record_variables]
            pieces = [-(-samples * _bytes(v) // PIECE) * PIECE for v in values]
            total += len(monitor.record) * sum(pieces)
    return total
