"""Every network of the zoo is placed: all units, and what they send."""

from __future__ import annotations

import brian2
import numpy as np
import pytest
from program import zoo

import neuroglia_snn as ng
from neuroglia_snn.catalog import hardware
from neuroglia_snn.mapping.memory import default_bits
from neuroglia_snn.mapping.observe import of_network
from neuroglia_snn.mapping.place import CORES, place

#: Names that the equations of a network have from its run alone.
NAMES = {
    "timed_arrays": {
        "ta": brian2.TimedArray(np.arange(7.0), dt=0.7 * brian2.ms),
        "tb": brian2.TimedArray(np.arange(12).reshape(4, 3) * brian2.mV, dt=1 * brian2.ms),
    }
}
NETWORKS = {**zoo.DETERMINISTIC, **zoo.RANDOM}
#: Every fourth network is placed in a quick test.
PLACED = [
    pytest.param(name, marks=[pytest.mark.exhaustive] if n % 4 else [])
    for n, name in enumerate(NETWORKS)
]


@pytest.fixture(autouse=True)
def numpy_alone():
    before = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    brian2.start_scope()
    yield
    brian2.prefs.codegen.target = before


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", PLACED)
def test_every_unit_has_a_place(name):
    network = NETWORKS[name]()
    observed = of_network(network, 0.001, namespace=NAMES.get(name))
    layout = place(observed.graph, hardware.load("loihi2"), default_bits)
    groups = {g.name: g for g in network.objects if hasattr(g, "N") and hasattr(g, "variables")}
    for placement in layout.placements:
        population = placement.population
        assert population.size == len(groups[population.name])
        on = [part.units for _, part in layout.cores_of(population)]
        units = np.sort(np.concatenate(on)) if placement.where == CORES else []
        assert placement.where != CORES or np.array_equal(units, np.arange(population.size))
    for connection in observed.graph.connections:
        assert len(connection.sources) == len(connection.targets) > 0
        assert connection.sources.max() < connection.source.size
        assert connection.targets.max() < connection.target.size


@pytest.mark.thorough
def test_synapses_that_write_to_their_sources_send_to_them():
    observed = of_network(zoo.post_pathway(), 0.001)
    ends = {
        c.name.partition(" -> ")[2]: (c.source.name, c.target.name)
        for c in observed.graph.connections
    }
    assert ends["ramp.slope"] == ("h", "ramp")


@pytest.mark.thorough
def test_parts_of_a_group_are_units_of_it():
    """Synapses between parts of groups name units of the whole groups."""
    network = zoo.subgroups()
    observed = of_network(network, 0.001)
    (connection,) = observed.graph.connections
    synapses = next(o for o in network.objects if isinstance(o, brian2.Synapses))
    start, stop = synapses.source.start, synapses.source.stop
    assert set(connection.sources) <= set(range(start, stop))
    offset = getattr(synapses.target, "start", 0)
    assert np.array_equal(connection.targets, np.asarray(synapses.j) + offset)


def test_what_a_script_gets_wrong_is_one_sentence():
    with pytest.raises(ng.UserError, match="could not be resolved"):
        of_network(zoo.timed_arrays(), 0.001)
