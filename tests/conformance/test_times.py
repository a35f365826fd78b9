"""When things happen, and from which values they start: the same on every backend, and right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import backends, checks
from neuroglia_snn.backends.base import Outcome, Request

#: Steps of 0.3 ms, of which 2 ms hold no whole number; initial values in no order; stimuli that add.
STEPS = """
[model]
integrator = "euler"
dt = "0.3 ms"
duration = "2 ms"
[table.s]
values = [0.0, 1.0, -1.0, 2.0, 0.5]
dt = "0.7 ms"
[population.a]
size = 40
equations = '''
dx/dt = 1/ms : 1
u : 1
w : 1
b : 1 (constant)
c = 3*b : 1
I : 1
J : 1
S : 1
P : 1
lag : second (constant)
now = s(t - lag) : 1
'''
regularly = [{ code = "J = 10*i", dt = "0.6 ms" }]
initial = { u = "b*w", w = "2 + c", b = "i + 1", I = "5*b", lag = "0.015*ms*i" }
[population.clock]
size = 40
equations = '''
dx/dt = 1/ms : 1
R : 1
'''
threshold = "x > 0.5"
reset = '''
x = 0
R = 2*R + 1
'''
[projection.sum]
from = "clock"
to = "a"
connect = { rule = "one-to-one" }
equations = "S_post = x_pre : 1 (summed)"
@STIMULI@
[record.a]
population = "a"
variables = ["x", "I", "J", "S", "P", "now"]
[record.seldom]
population = "a"
variables = ["now"]
every = "0.6 ms"
[record.clock]
population = "clock"
variables = ["R"]
"""
#: On between steps 3 and 6: TimedArrays of Brian2 round its start, 0.91 ms, to the step at 0.9 ms.
WINDOW = 'amplitude = "100"\nstart = "0.91 ms"\nduration = "0.7 ms"'
STIMULI = "\n".join(
    f'[stimulus.into_{variable}]\nto = "{to}"\nvariable = "{variable}"\n{WINDOW}'
    for to, variable in (*(("a", v) for v in "IJSP"), ("clock", "R"))
)

#: Delays by initial values of synapses, events with what variables are there, names of a pathway.
EVENTS = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "10 ms"
[parameters]
speed = "0.1 meter/second"
[population.a]
size = 5
equations = '''
x : meter
v : 1
'''
threshold = "v > 1"
reset = "v = 0"
initial = { x = "100*umeter*i", v = "2*int(i == 0)" }
[population.b]
size = 5
equations = '''
x : meter
arrived : second
count : 1
again : 1
G : 1 (shared)
H : 1 (shared)
seen = G + H : 1 (shared)
'''
initial = { x = "100*umeter*i", H = "3" }
[population.one]
size = 1
equations = "dv/dt = 1/(0.5*ms) : 1"
threshold = "v > 1"
reset = "v = -99"
[population.cells]
size = 3
equations = '''
dv/dt = (1.2 + 0.1*i - v)/(5*ms) : 1
twice = 2*v : 1
crossed : 1
'''
threshold = "v > 1"
reset = "v = 0"
[population.cells.events.half]
condition = "v > 0.5 and crossed < 0.5"
action = "crossed = 1"
[projection.far]
from = "a"
to = "b"
connect = { rule = "all" }
equations = '''
there : second (constant)
dist : meter (constant)
'''
on_pre = "arrived = t"
delay = "there"
[projection.far.initial]
there = "dist/speed"
dist = "abs(x_pre - x_post)"
[projection.alias]
from = "one"
to = "b"
connect = { rule = "all" }
on_pre = '''
count += 1
again_post = count_post
'''
[stimulus.into_G]
to = "b"
variable = "G"
amplitude = "1"
start = "1 ms"
duration = "2 ms"
[stimulus.into_H]
to = "b"
variable = "H"
amplitude = "10"
duration = "0.1 ms"
period = "1 ms"
count = 3
[record.shared]
population = "b"
variables = ["seen"]
[record.spikes]
population = "cells"
events = true
variables = ["v", "twice"]
[record.half]
population = "cells"
events = "half"
variables = ["crossed", "v"]
"""


def outcome(text: str, folder: Path, backend: str) -> Outcome:
    """Of a model that passes its checks, on a backend that runs it."""
    file = folder / "m.toml"
    file.write_text(text)
    model, _ = checks.load_checked(str(file))
    assert backends.get(backend).unsupported(model) is None
    return backends.get(backend).run(Request(model))


@pytest.fixture(
    scope="module", params=["numpy", "fused", pytest.param("cpp", marks=pytest.mark.thorough)]
)
def steps(request, tmp_path_factory) -> Outcome:
    text = STEPS.replace("@STIMULI@", STIMULI)
    return outcome(text, tmp_path_factory.mktemp("steps"), request.param)


@pytest.fixture(scope="module", params=["numpy", pytest.param("cpp", marks=pytest.mark.thorough)])
def events(request, tmp_path_factory) -> Outcome:
    return outcome(EVENTS, tmp_path_factory.mktemp("events"), request.param)


TIMES = 0.3 * np.arange(7)
#: 100 in the steps of the window.
ON = 100.0 * ((TIMES >= 0.91) & (TIMES < 1.61))


def test_a_run_has_a_step_more_where_its_duration_is_no_multiple(steps):
    np.testing.assert_allclose(steps.records["a"].times * 1e3, TIMES, atol=1e-9)
    np.testing.assert_allclose(steps.final["a"]["x"], 2.1, rtol=1e-12)


def test_initial_values_follow_those_that_they_read(steps):
    b = np.arange(40) + 1.0
    np.testing.assert_array_equal(steps.final["a"]["b"], b)
    np.testing.assert_array_equal(steps.final["a"]["w"], 2 + 3 * b)
    np.testing.assert_array_equal(steps.final["a"]["u"], b * (2 + 3 * b))


def test_stimuli_add_to_what_is_there(steps):
    units = np.arange(40)
    values = steps.records["a"].values
    np.testing.assert_array_equal(values["P"], np.tile(ON[:, None], 40))  # alone
    np.testing.assert_array_equal(values["I"], ON[:, None] + 5 * (units + 1))  # an initial value
    after = (np.arange(7) > 0)[:, None]  # records come before what happens in a step
    np.testing.assert_array_equal(values["J"], ON[:, None] + after * 10 * units)  # statements


def test_what_a_statement_sets_is_the_part_without_stimuli(steps):
    set_ = np.array([0, 0, 1, 1, 3, 3, 7])  # a reset in every second step
    found = steps.records["clock"].values["R"]
    np.testing.assert_array_equal(found, np.tile((set_ + ON)[:, None], 40))


def test_stimuli_add_to_sums(steps):
    summed = 0.3 * np.array([0, 0, 1, 0, 1, 0, 1])  # of the step before, as sums are held
    found = steps.records["a"].values["S"]
    np.testing.assert_allclose(found, np.tile((summed + ON)[:, None], 40), rtol=1e-12)


@pytest.mark.parametrize(("record", "dt"), [("a", 0.3), ("seldom", 0.6)])
def test_tables_are_read_as_brian2s_timed_arrays(steps, record, dt):
    """Times are rounded to parts of the table's interval, 16 of 0.7 ms for steps of 0.6 ms."""
    table, interval = np.array([0.0, 1.0, -1.0, 2.0, 0.5]), 0.7
    parts = 2 ** np.ceil(np.log2(8 / dt * interval))
    times = dt * np.arange(np.ceil(2 / dt))[:, None] - 0.015 * np.arange(40)
    index = np.floor(np.round(times / (interval / parts)) / parts).clip(0, 4).astype(int)
    found = steps.records[record].values["now"]
    np.testing.assert_array_equal(found, table[index])
    exact = np.floor(times / interval + 1e-9).clip(0, 4).astype(int)
    assert (table[exact] != found).any()  # rounding counts here


def test_delays_by_an_expression_follow_initial_values(events):
    np.testing.assert_allclose(events.final["b"]["arrived"] * 1e3, np.arange(5), atol=1e-9)


def test_stimuli_add_to_what_all_units_share(events):
    seen = events.records["shared"].values["seen"].reshape(100, -1)
    step = np.arange(100)
    expected = 3 + ((step >= 10) & (step < 30)) + 10 * np.isin(step, (0, 10, 20))
    np.testing.assert_array_equal(seen, np.tile(expected[:, None], seen.shape[1]))


def test_a_variable_has_one_value_whatever_its_name_in_a_pathway(events):
    np.testing.assert_array_equal(events.final["b"]["count"], 1)
    np.testing.assert_array_equal(events.final["b"]["again"], 1)


def test_events_are_recorded_with_variables_before_the_reset(events):
    times, units = events.events["spikes"]
    v = events.event_values["spikes"]["v"]
    drive = 1.2 + 0.1 * units
    steps = np.rint(times / 1e-4) + 1  # what the threshold sees is the end of its step
    once = steps <= np.ceil(np.log(1 - 1 / drive) / np.log(1 - 0.02))  # first spikes of each unit
    expected = drive * (1 - (1 - 0.02) ** steps)
    assert once.sum() == 3
    np.testing.assert_allclose(v[once], expected[once], rtol=1e-9)
    assert (v > 1).all() and (events.event_values["spikes"]["twice"] == 2 * v).all()


def test_custom_events_are_recorded(events):
    _, units = events.events["half"]
    assert sorted(units) == [0, 1, 2]
    values = events.event_values["half"]
    assert (values["crossed"] == 0).all()  # before its action
    assert (values["v"] > 0.5).all() and (values["v"] < 0.52).all()


@pytest.mark.parametrize("backend", ["numpy", "fused"])
def test_the_exact_scheme_holds_a_stimulus_over_a_step(tmp_path, backend):
    """Also where its window opens and closes between two steps."""
    text = f"""
[model]
integrator = "exact"
dt = "0.3 ms"
duration = "2.1 ms"
[population.a]
size = 1
equations = '''
dx/dt = (I - x)/ms : 1
I : 1
'''
[stimulus.p]
to = "a"
variable = "I"
{WINDOW}
[record.a]
population = "a"
variables = ["x"]
"""
    found = outcome(text, tmp_path, backend).records["a"].values["x"][:, 0]
    x = [0.0]
    for on in ON[:-1]:
        x.append(on + (x[-1] - on) * np.exp(-0.3))
    np.testing.assert_allclose(found, x, rtol=1e-12)
