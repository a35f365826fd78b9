"""Inputs: Poisson processes, given spikes, currents from files, by their statistics or to the number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Request
from neuroglia_snn.catalog.load import load

HEAD = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "20 ms"
"""

BACKENDS = ["numpy", "fused", pytest.param("cpp", marks=pytest.mark.exhaustive)]


def outcome(folder: Path, text: str, backend: str, seed: int = 3):
    path = folder / "m.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return backends.get(backend).run(Request(load(path), seed=seed))


RATES = """
[parameters]
r = "100 Hz"
[population.p]
size = 3000
{more}
[record.p]
population = "p"
events = true
"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("source", ["expression", "file"])
def test_a_poisson_population(tmp_path, backend, source):
    """Counts are within 5 standard deviations, of units with half the rate and with all of it."""
    rates = 'rates = "r*(1 + int(i >= N/2))/2"'
    if source == "file":
        np.savetxt(tmp_path / "r.csv", np.repeat([0.05, 0.1], 1500), header="rate", comments="")
        rates = 'rates = { file = "r.csv", array = "rate", unit = "kHz" }'
    _, units = outcome(tmp_path, RATES.format(more=rates), backend).events["p"]
    for part, rate in ((units < 1500, 50), (units >= 1500, 100)):
        mean = 1500 * 0.02 * rate
        assert abs(part.sum() - mean) < 5 * np.sqrt(mean)


def test_rates_may_follow_time_and_equations(tmp_path):
    text = RATES.format(
        more="equations = '''\ng = int(t < 10*ms) : 1\nh = 2*g : 1\n'''\nrates = \"h*r\""
    )
    times, _ = outcome(tmp_path, text, "numpy").events["p"]
    assert len(times) and times.max() < 0.01
    assert abs(len(times) - 6000) < 5 * np.sqrt(6000)


INPUT = """
[population.n]
size = 2000
equations = '''
dv/dt = -v/second : volt
'''
[stimulus.background]
to = "n"
variable = "v"
rate = "10 Hz"
weight = "0.1 mV"
inputs = 800
[record.n]
population = "n"
variables = ["v"]
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_poisson_input(tmp_path, backend):
    """800 trains of 10 Hz: 160 events in 20 ms, with that variance; each unit has its own."""
    v = outcome(tmp_path, INPUT, backend).final["n"]["v"] / 1e-4 / np.exp(-0.01)
    assert abs(v.mean() - 160) < 5 * np.sqrt(160 / 2000)
    assert 0.85 < v.var() / 160 < 1.15


GIVEN = """
[population.g]
size = 3
spikes = {spikes}
[population.n]
size = 3
equations = '''
n : 1
last : second
'''
[population.n.initial]
last = "-1*second"
[projection.s]
from = "g"
to = "n"
connect = {{ rule = "one-to-one" }}
on_pre = '''
n_post += 1
last_post = t
'''
delay = "1 ms"
[record.g]
population = "g"
events = true
"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["listed", "npz", "csv"])
def test_spikes_that_are_given(tmp_path, backend, kind):
    spikes = '[[2, "2.5 ms"], [0, "1 ms"], [1, "2.5 ms"], [0, "7 ms"]]'
    i, t = np.array([2, 0, 1, 0]), np.array([2.5, 1, 2.5, 7])
    if kind == "npz":
        np.savez(tmp_path / "s.npz", i=i, t=t)
        spikes = '{ file = "s.npz", i = "i", t = "t", unit = "ms" }'
    elif kind == "csv":
        rows = "\n".join(f"{a},{b}" for a, b in zip(i, t * 1e-3, strict=True))
        (tmp_path / "s.csv").write_text(f"neuron,time\n{rows}\n")
        spikes = '{ file = "s.csv", i = "neuron", t = "time" }'
    found = outcome(tmp_path, GIVEN.format(spikes=spikes), backend)
    times, units = found.events["g"]
    np.testing.assert_allclose(times, [1e-3, 2.5e-3, 2.5e-3, 7e-3])
    np.testing.assert_array_equal(units, [0, 1, 2, 0])
    np.testing.assert_array_equal(found.final["n"]["n"], [2, 1, 1])
    np.testing.assert_allclose(found.final["n"]["last"], [8e-3, 3.5e-3, 3.5e-3])


CURRENT = """
[table.drive]
{values}
dt = "5 ms"
[population.n]
size = 3
equations = '''
v = drive(t, {column}) : amp
dw/dt = drive(t, {column})/ms : amp
'''
[record.n]
population = "n"
variables = ["v", "w"]
"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "kind, column",
    [("listed", "i"), ("npy", "i"), ("csv", "i"), ("listed", "2 - i"), ("listed", "i//2")],
)
def test_a_table_of_columns(tmp_path, kind, column, backend):
    numbers = np.array([[1, 2, 3], [4, 5, 6.5]])
    values = 'values = [["1 nA", "2 nA", "3 nA"], ["4 nA", "5 nA", "6.5 nA"]]'
    if kind == "npy":
        np.save(tmp_path / "c.npy", numbers)
        values = 'file = "c.npy"\nunit = "nA"'
    elif kind == "csv":
        (tmp_path / "c.csv").write_text("a,b,c\n1,2,3\n4,5,6.5\n")
        values = 'file = "c.csv"\nunit = "nA"'
    found = outcome(tmp_path, CURRENT.format(values=values, column=column), backend)
    chosen = {"i": [0, 1, 2], "2 - i": [2, 1, 0], "i//2": [0, 0, 1]}[column]
    right = numbers[:, chosen][(np.arange(200) >= 50).astype(int)] * 1e-9
    record = found.records["n"].values
    np.testing.assert_allclose(record["v"], right, rtol=1e-12)
    np.testing.assert_allclose(record["w"], (np.cumsum(right, 0) - right) * 0.1, rtol=1e-9)


SOMETIMES = """
[population.n]
size = 400
equations = '''
n : 1
'''
[stimulus.background]
to = "n"
variable = "n"
rate = "500*Hz*(1 - 2*int(t >= 10*ms))"
weight = 1
inputs = 100
[population.p]
size = 400
rates = "500*Hz*(1 - 2*int(t >= 10*ms))"
[record.p]
population = "p"
events = true
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_run_finds_below_0_is_no_rate(tmp_path, backend):
    """100 trains of 500 Hz for 10 ms are 500 events a unit, and 400 units have 2000 spikes."""
    found = outcome(tmp_path, SOMETIMES, backend)
    assert abs(found.final["n"]["n"].mean() - 500) < 5 * np.sqrt(500 / 400)
    times, _ = found.events["p"]
    assert times.max() < 0.01 and abs(len(times) - 2000) < 5 * np.sqrt(2000)
