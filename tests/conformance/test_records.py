"""Records of chosen units and of synapses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import backends, results
from neuroglia_snn.backends.base import Request
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import BackendError

MODEL = """
[model]
dt = "0.1 ms"
duration = "5 ms"
integrator = "euler"
[population.n]
shape = [3, 4]
equations = "dv/dt = (1.2 + 0.1*i - v)/ms : 1"
threshold = "v > 1"
reset = "v = 0"
[projection.c]
from = "n"
to = "n"
connect = {{ {connect} }}
equations = '''
w : volt
twice = 2*w : volt
'''
on_pre = "w += 0.1*mV"
initial = {{ w = "i*mV" }}
[record.all]
population = "n"
variables = ["v"]
[record.few]
population = "n"
variables = ["v"]
units = [5, 0]
[record.part]
population = "n"
variables = ["v"]
units = "6::2"
[record.spikes]
population = "n"
events = true
[record.links]
projection = "c"
variables = ["w", "twice"]
every = "1 ms"
[record.some]
projection = "c"
variables = ["w"]
units = [3, 0]
every = "1 ms"
"""
LISTED = 'rule = "pairs", pairs = [[0, 1], [7, 2], [11, 3], [11, 4], [2, 2]]'
CHOSEN = 'rule = "condition", condition = "i == j + 7"'


def model(folder: Path, connect: str):
    (folder / "m.toml").write_text(MODEL.format(connect=connect), encoding="utf-8")
    return load(folder / "m.toml")


@pytest.mark.parametrize(
    "backend, connect",
    [
        ("numpy", LISTED),
        ("fused", LISTED),
        pytest.param("cpp", LISTED, marks=pytest.mark.thorough),
        ("numpy", CHOSEN),
        ("fused", CHOSEN),
    ],
)
def test_what_is_chosen_is_what_all_of_it_is(tmp_path, backend, connect):
    one = model(tmp_path, connect)
    outcome = backends.get(backend).run(Request(one))
    data = results.dataset(one, outcome)
    flat = outcome.records["all"].values["v"]
    np.testing.assert_array_equal(data["few_v"], flat[:, [5, 0]])
    np.testing.assert_array_equal(data["part_v"], flat[:, 6::2])
    assert data["few_v"].dims == ("time_few", "unit_few") and list(data["unit_few"]) == [5, 0]
    source, target = data["source_links"].values, data["target_links"].values
    assert data["links_w"].dims == ("time_links", "synapse_links")
    if connect == LISTED:
        assert source.tolist() == [0, 7, 11, 11, 2] and target.tolist() == [1, 2, 3, 4, 2]
    else:
        assert (source == target + 7).all() and len(source) == 5
    times, units = outcome.events["spikes"]
    for n, at in enumerate(data["time_links"].values * 1e-3):
        counts = np.bincount(units[times < at - 1e-9], minlength=12)[source]
        np.testing.assert_allclose(data["links_w"][n], source + 0.1 * counts)  # in mV
        np.testing.assert_allclose(data["links_twice"][n], 2 * data["links_w"][n])
    np.testing.assert_array_equal(data["some_w"], data["links_w"][:, [3, 0]])
    assert data["some_w"].attrs == {"units": "mV", "population": "c"}


def test_a_synapse_that_is_not_there(tmp_path):
    one = model(tmp_path, CHOSEN.replace("+ 7", "+ 9"))
    with pytest.raises(BackendError, match="names synapse 3, and 'c' has the synapses 0 to 2"):
        backends.get("numpy").run(Request(one))
    assert "is known in a run alone" in str(backends.get("cpp").unsupported(one))


AT_EVENTS = """
[model]
dt = "0.1 ms"
duration = "5 ms"
integrator = "euler"
[parameters]
strength = "3"
[population.n]
size = 2
equations = '''
dv/dt = (I + 0.5*i - v)/ms : 1
I : 1
twice = 2*I*strength : 1
'''
threshold = "v > 1"
reset = "v = 0"
[stimulus.pulse]
to = "n"
variable = "I"
amplitude = "strength"
start = "1 ms"
duration = "2 ms"
[record.spikes]
population = "n"
events = true
variables = ["I", "twice"]
"""


@pytest.mark.parametrize(
    "backend", ["numpy", "fused", pytest.param("cpp", marks=pytest.mark.thorough)]
)
def test_a_stimulated_variable_at_events(tmp_path, backend):
    (tmp_path / "m.toml").write_text(AT_EVENTS, encoding="utf-8")
    outcome = backends.get(backend).run(Request(load(tmp_path / "m.toml")))
    times, _ = outcome.events["spikes"]
    found = outcome.event_values["spikes"]
    assert len(times) > 4
    np.testing.assert_array_equal(found["I"], np.full(len(times), 3.0))
    np.testing.assert_array_equal(found["twice"], 6 * found["I"])
