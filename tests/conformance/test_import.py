"""Imported scripts: our run of the model file is the script's own run, to rounding."""

from __future__ import annotations

import contextlib
import re
import runpy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import brian2
import numpy as np
import pytest
from helpers.catalogue import SMALL, quick
from program import zoo

from neuroglia_snn import UserError, backends, checks, noise, spec
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.backends.brian.apart import apart
from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.load import load
from neuroglia_snn.emit import library, machine
from neuroglia_snn.exchange import capture, reading, tables, to_brian2, toml, write, write_model
from neuroglia_snn.program.program import Program

START = "from brian2 import *\nseed(7)\n"
#: Every script has a network whose run nothing random decides, but initial values and connections.
SCRIPTS = {
    "exact": """
tau = 10*ms; rest = -65*mV
cell = NeuronGroup(5, 'dv/dt = (rest - v + drive)/tau : volt\\ndrive : volt (constant)',
                   threshold='v > -50*mV', reset='v = rest', method='exact')
cell.v = rest
cell.drive = 'i*6*mV'
spikes = SpikeMonitor(cell, variables='v')
trace = StateMonitor(cell, 'v', record=True)
run(60*ms)
""",
    "no method": """
cell = NeuronGroup(3, 'dv/dt = (1.5 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0')
spikes = SpikeMonitor(cell)
run(40*ms)
""",
    "rk4": """
cell = NeuronGroup(2, '''dx/dt = (x - x**3/3 - y)/(0.1*ms) : 1
                          dy/dt = (x + a)/(1*ms) : 1
                          a : 1''', method='rk4')
cell.a = [0.5, 0.7]
cell.x = -1
defaultclock.dt = 0.01*ms
trace = StateMonitor(cell, ['x', 'y'], record=[1], dt=0.1*ms)
run(5*ms)
""",
    "euler and clocks": """
fast = NeuronGroup(3, 'dv/dt = (2 - v)/(5*ms) : 1', threshold='v > 1', reset='v = 0', method='euler')
slow = NeuronGroup(2, 'dc/dt = -c/(20*ms) : 1', method='euler', dt=0.5*ms)
link = Synapses(fast, slow, on_pre='c_post += 0.3')
link.connect(i=[0, 1, 2], j=[0, 0, 1])
trace = StateMonitor(slow, 'c', record=True)
run(30*ms)
""",
    "refractory": """
hold = 3*ms
cell = NeuronGroup(4, '''dv/dt = (2 + 0.1*i - v)/(5*ms) : 1 (unless refractory)
                          period : second''',
                   threshold='v > 1', reset='v = 0', refractory='period', method='exact')
cell.period = 'hold + i*ms'
spikes = SpikeMonitor(cell)
run(40*ms)
""",
    "a condition as refractoriness": """
cell = NeuronGroup(2, 'dv/dt = (2 - v)/(5*ms) : 1', threshold='v > 1', refractory='v > 0.5',
                   reset='v = -1*i', method='euler')
spikes = SpikeMonitor(cell)
run(40*ms)
""",
    "Poisson groups": """
a_fast = PoissonGroup(40, rates='(100 + 10*i)*Hz')
b_steady = PoissonGroup(40, rates=80*Hz)
c_other = PoissonGroup(3, rates=[10, 2000, 500]*Hz)
cell = NeuronGroup(3, 'dv/dt = -v/(5*ms) : 1', threshold='v > 1', reset='v = 0', method='exact')
one = Synapses(a_fast, cell, on_pre='v_post += 0.05')
one.connect(p=0.3)
two = Synapses(c_other, cell, on_pre='v_post += 0.5')
two.connect(j='i')
a, b, c = SpikeMonitor(a_fast), SpikeMonitor(c_other), SpikeMonitor(b_steady)
trace = StateMonitor(cell, 'v', record=[2, 0])
run(40*ms)
""",
    "given spikes and synapses recorded": """
given = SpikeGeneratorGroup(4, [3, 0, 1, 3], [1, 2, 2, 5]*ms)
drive = TimedArray([[1, 2, 3], [3, 2, 1]]*mV, dt=3*ms)
cell = NeuronGroup(3, 'dv/dt = (drive(t, i) - v)/(5*ms) : volt', method='euler')
link = Synapses(given, cell, 'w : volt', on_pre='v_post += w; w += 0.1*mV')
link.connect(condition='(i + j) % 2 == 0')
link.w = '(i + j)*mV'
spikes = SpikeMonitor(given)
weights = StateMonitor(link, 'w', record=True, dt=1*ms)
some = StateMonitor(link, 'w', record=[4, 1])
part = StateMonitor(cell[1:], 'v', record=True)
run(10*ms)
""",
    "random connections": """
cell = NeuronGroup(20, 'dv/dt = (1.2 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0', method='exact')
cell.v = 'rand()'
link = Synapses(cell, cell, 'w : 1', on_pre='v_post += w', delay=1.5*ms)
link.connect(condition='i != j', p=0.3)
link.w = '0.05*rand()'
spikes = SpikeMonitor(cell)
run(40*ms)
""",
    "weights and delays from arrays": """
cell = NeuronGroup(6, 'dv/dt = (1.2 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0', method='exact')
cell.v = np.linspace(0, 0.9, 6)
link = Synapses(cell, cell, 'w : 1', on_pre='v_post += w')
link.connect(condition='i < j')
link.w = np.linspace(0, 0.2, len(link.w))
link.delay = np.linspace(0.2, 3, len(link.w))*ms
spikes = SpikeMonitor(cell)
run(40*ms)
""",
    "delays by an expression": """
cell = NeuronGroup(6, 'dv/dt = (1.2 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0', method='exact')
cell.v = 'i/6.0'
link = Synapses(cell, cell, on_pre='v_post += 0.1')
link.connect(j='k for k in range(i - 1, i + 2) if k != i', skip_if_invalid=True)
link.delay = '(i + 1)*ms'
spikes = SpikeMonitor(cell)
run(40*ms)
""",
    "connections that are sampled": """
inner, some = 4, 0.5
cell = NeuronGroup(8, 'dv/dt = (1.2 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0', method='exact')
cell.v = 'rand()'
link = Synapses(cell[:inner], cell, 'w : 1', on_pre='v_post += w')
link.connect(i='k for k in sample(N_pre, size=inner - 1) if k != j')
link.w = '0.05*rand()'
other = Synapses(cell, cell, on_pre='v_post += 0.01')
other.connect(j='n for n in sample(1, N_post, p=some)')
spikes = SpikeMonitor(cell)
run(40*ms)
""",
    "plasticity": """
taupre = taupost = 20*ms
top = 0.3
cell = NeuronGroup(8, 'dv/dt = (1.1 + 0.05*i - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0',
                   method='exact')
link = Synapses(cell, cell, '''w : 1
    dapre/dt = -apre/taupre : 1 (event-driven)
    dapost/dt = -apost/taupost : 1 (event-driven)''',
    on_pre='''v_post += w
              apre += 0.01
              w = clip(w + apost, 0, top)''',
    on_post='''apost -= 0.012
               w = clip(w + apre, 0, top)''')
link.connect(condition='i != j')
link.w = 0.1
spikes = SpikeMonitor(cell)
run(60*ms)
""",
    "sums": """
cell = NeuronGroup(4, '''dv/dt = (drive + total - v)/(10*ms) : 1
                          total : 1
                          drive : 1''', method='rk2')
cell.drive = 'i'
link = Synapses(cell, cell, '''w : 1
                               total_post = w*(v_pre - v_post) : 1 (summed)''')
link.connect(condition='abs(i - j) == 1')
link.w = '0.2 + 0.1*i'
trace = StateMonitor(cell, 'v', record=True)
run(20*ms)
""",
    "a conductance that moves": """
cell = NeuronGroup(3, 'dv/dt = (1.5 + g - v)/(10*ms) : 1\\ng : 1', threshold='v > 1', reset='v = 0',
                   method='euler')
link = Synapses(cell, cell, '''ds/dt = -s/(5*ms) : 1 (clock-driven)
                               g_post = s : 1 (summed)''', on_pre='s += 0.2', method='euler')
link.connect(condition='i != j')
cell.v = '0.2*i'
trace = StateMonitor(cell, 'v', record=True)
run(30*ms)
""",
    "parts of a group": """
cell = NeuronGroup(10, 'dv/dt = (1.2 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0', method='exact')
first, last = cell[:6], cell[6:]
first.v = '0.1*i'
out = Synapses(first, last, on_pre='v_post += 0.02')
out.connect()
back = Synapses(last, first, on_pre='v_post -= 0.1')
back.connect(i=[0, 1, 2, 3], j=[5, 4, 3, 2])
back.v_pre = '0.03*j'
spikes = SpikeMonitor(cell)
run(40*ms)
""",
    "custom events": """
cell = NeuronGroup(3, 'dv/dt = (2 - v)/(10*ms) : 1\\nn : integer', events={'high': 'v > 1 + 0.1*i'},
                   method='euler')
cell.run_on_event('high', '''v = 0
                             n += 1''')
other = NeuronGroup(3, 'got : 1')
link = Synapses(cell, other, on_pre='got_post += 1', on_event='high')
link.connect(j='i')
watched = NeuronGroup(2, 'dv/dt = 1/ms : 1', events={'unheard': 'v > 3 + i'}, method='euler')
heard = EventMonitor(watched, 'unheard')
seen = EventMonitor(cell, 'high')
run(40*ms)
""",
    "pathways": """
cell = NeuronGroup(3, 'dv/dt = (1.3 - v)/(10*ms) : 1\\na : 1\\nb : 1', threshold='v > 1', reset='v = 0',
                   method='exact')
cell.v = 'i*0.3'
link = Synapses(cell, cell, on_pre={'now': 'a_post += 1', 'later': 'b_post += 1'},
                delay={'later': 4*ms})
link.connect()
trace = StateMonitor(cell, ['a', 'b'], record=True)
run(40*ms)
""",
    "tables": """
drive = TimedArray([0, 2, 1, 3]*nA, dt=5*ms)
cell = NeuronGroup(2, 'dv/dt = (100*Mohm*drive(t) - v)/(10*ms) : volt', method='euler')
trace = StateMonitor(cell, 'v', record=0)
run(25*ms)
""",
    "statements now and then": """
cell = NeuronGroup(3, 'dv/dt = -v/(10*ms) : 1\\nkick : 1 (constant)', method='exact')
cell.kick = [0.5, 1, 2]
cell.run_regularly('v += kick', dt=5*ms)
trace = StateMonitor(cell, 'v', record=True, order=-1)
run(22*ms)
""",
    "shared and constant over dt": """
cell = NeuronGroup(3, '''dv/dt = (level + w - v)/(5*ms) : 1
                          level = 0.5*v : 1 (constant over dt)
                          w : 1 (shared)
                          flag : boolean''', method='euler')
cell.w = 2
cell.flag = 'i > 0'
trace = StateMonitor(cell, ['v', 'level'], record=True)
run(10*ms)
""",
    "names that mean two things": """
def build(strength, count):
    group = NeuronGroup(count, 'dv/dt = (strength - v)/(5*ms) : 1', method='euler',
                        namespace={'strength': strength})
    return group
one, two = build(1.0, 2), build(3.0, 2)
strength = 5.0
three = NeuronGroup(2, 'dv/dt = (strength + w - v)/(5*ms) : 1\\nw : 1', method='euler')
w = 0.3
three.v = 'w'
link = Synapses(one, two, 'u : 1', on_pre='')
traces = StateMonitor(two, 'v', record=True)
network = Network(one, two, three, traces)
network.run(10*ms)
""",
    "values that changed": """
v0 = 1.0
cell = NeuronGroup(4, 'dv/dt = (v0 - v)/(5*ms) : 1\\nw : 1', method='euler')
cell.w = '2*i'
cell.v = 'v0 + w'
cell.w = '3*i'
cell.v[2:] = 0
cell.v['i == 1'] = 5
v0 = 2.0
x0 = NeuronGroup(4, 'x : 1', threshold='t < 1*ms')
link = Synapses(x0, cell, on_pre='v_post += 0.25')
link.connect('x_pre < 1 + j - j')
x0.x = 'i'
trace = StateMonitor(cell, 'v', record=True)
run(10*ms)
""",
    "lattice": """
rows, columns = 4, 5
site = np.arange(rows*columns).reshape(rows, columns)
a = np.concatenate([site[:-1].ravel(), site[:, :-1].ravel()])
b = np.concatenate([site[1:].ravel(), site[:, 1:].ravel()])
cell = NeuronGroup(20, 'dv/dt = (total - v)/(10*ms) : 1\\ntotal : 1', method='euler')
link = Synapses(cell, cell, 'total_post = v_pre - v_post : 1 (summed)')
link.connect(i=np.concatenate([a, b]), j=np.concatenate([b, a]))
cell.v[7] = 1
trace = StateMonitor(cell, 'v', record=True)
run(10*ms)
""",
    "another device": """
set_device('cpp_standalone', directory=None, build_on_run=False)
cell = NeuronGroup(4, 'dv/dt = -v/(5*ms) : 1', method='exact')
cell.v = 'i'
run(10*ms)
device.build()
""",
    "a model of the scheme": """
from neuroglia_snn import state_updater
cell = NeuronGroup(4, 'dv/dt = (1 - v**2)/(5*ms) : 1', method=state_updater('heun'))
cell.v = '0.1*i'
run(10*ms)
""",
}
#: What is to be seen in the model file.
WORDS = {
    "lattice": ['rule = "lattice", neighbours = 4', "shape = [4, 5]"],
    "custom events": ['connect = { rule = "one-to-one" }'],
    "parts of a group": ['from = "cell[0:6]"', 'connect = { rule = "all" }'],
    "random connections": ['condition = "i != j", p = 0.3', 'w = "0.05*rand()"'],
    "connections that are sampled": [
        'i = "k for k in sample(N_pre, size=int(inner - 1)) if k != j"',
        "p=some",
    ],
    "weights and delays from arrays": ['{ file = "model.npz", array = "link.w" }'],
    "delays by an expression": ['delay = { pre = "(i + 1)*ms" }', 'v = "i/6.0"'],
    "names that mean two things": ['strength_2 = "3.0"', 'strength_3 = "5.0"'],
    "a model of the scheme": ['integrator = "heun"'],
    "no method": ['integrator = "exact"'],
    "values that changed": ['connect = { rule = "all" }', "v = { file"],
    "tables": ['values = ["0 nA", "2 nA", "1 nA", "3 nA"]'],
}


def own_run(script: Path) -> dict:
    """What a script holds after its run on Brian2's runtime."""
    target, brian2.prefs.codegen.target = brian2.prefs.codegen.target, "numpy"
    try:
        with apart("runtime"):
            brian2.defaultclock.dt = 0.1 * brian2.ms
            return runpy.run_path(str(script), run_name="__main__")
    finally:
        brian2.prefs.codegen.target = target


def require_equal(ours: Outcome, theirs: Mapping[str, object]) -> None:
    """Every group of the script, and all that it recorded."""
    compared = 0
    for name, one in theirs.items():
        if isinstance(one, brian2.NeuronGroup) and name in ours.final:
            for variable, values in ours.final[name].items():
                expected = one.variables[variable].get_value()
                np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12, err_msg=name)
                compared += 1
        elif isinstance(one, brian2.EventMonitor):
            times, units = ours.events[name]
            np.testing.assert_allclose(times, one.t_, rtol=1e-12)
            np.testing.assert_array_equal(units, one.i)
            for variable in set(one.record_variables) - {"i", "t"}:
                values = ours.event_values[name][variable]
                np.testing.assert_allclose(values, getattr(one, f"{variable}_"), rtol=1e-9)
            compared += 1
        elif isinstance(one, brian2.StateMonitor):
            record = ours.records[name]
            np.testing.assert_allclose(record.times, one.t_, rtol=1e-12)
            units = np.asarray(one.record) + getattr(one.source, "start", 0)
            kept = [record.indices.tolist().index(unit) for unit in units]
            for variable, values in record.values.items():
                expected = getattr(one, f"{variable}_").T
                np.testing.assert_allclose(values[:, kept], expected, rtol=1e-9, atol=1e-12)
                compared += 1
    assert compared


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_run_of_the_model_file_is_that_of_the_script(name, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(START + SCRIPTS[name])
    summary = write_model(script, tmp_path / "model.toml")
    written = (tmp_path / "model.toml").read_text()
    for words in WORDS.get(name, []):
        assert words in written
    assert summary["seed"] == 7
    if "set_device" in SCRIPTS[name]:
        script.write_text(START + "\n".join(SCRIPTS[name].split("\n")[2:-2]))
    ours = backends.get("numpy").run(Request(load(tmp_path / "model.toml"), seed=7))
    assert all(len(units) > 2 for _, units in ours.events.values())
    require_equal(ours, own_run(script))


#: Models of the catalogue, with so many seconds of their runs as have a step of all their clocks.
CATALOGUE = {
    "astrocyte_ring": 0.5,
    "astrocyte_situation_memory": 5e-3,
    "astrocyte_working_memory": 5e-3,
    "astrocyte_brunel": 5e-3,
    "brunel_2000": 5e-3,
    "coba": 5e-3,
    "cobahh": 5e-3,
    "cuba": 5e-3,
    "diehl_cook": 0.5,
    "fep_canonical": 2.0,
    "fep_culture": 0.06,
    "fhn_astrocytes": 2e-3,
    "fhn_classifier": 2e-3,
    "fhn_excitable": 2e-2,
    "gchi_astrocyte": 2e-2,
    "gliotransmitter_loop": 2e-2,
    "gliotransmitter_loop_rates": 2e-2,
    "gliotransmitter_release": 2e-2,
    "noise_induced_excitability": 5e-4,
    "noise_induced_memory": 2e-4,
    "noise_induced_memory_long_drive": 2e-4,
    "noise_induced_memory_program": 2e-4,
    "izhikevich": 2e-2,
    "noise_induced_memory_tonic": 2e-4,
    "noise_induced_spirals": 2e-4,
    "spiral_waves": 1e-3,
    "stimberg_coba": 5e-3,
    "tripartite_coba": 2e-2,
    "vogels_2011": 5e-3,
}


def test_the_catalogue_is_all_there():
    assert files.names("models") == sorted(CATALOGUE)


def there_and_back(model: spec.Model, folder: Path) -> tuple[Outcome, Outcome]:
    """Our runs of a model, and of the import of its exported script."""
    images = {n: np.indices(shape).sum(0) % 2 > 0 for n, shape in model.images().items()}
    write(to_brian2.script(model, images, seed=3), folder / "script.py")
    write_model(folder / "script.py", folder / "model.toml")
    again, _ = checks.load_checked(folder / "model.toml")
    numpy = backends.get("numpy")
    return numpy.run(Request(model, images, seed=3)), numpy.run(Request(again, seed=3))


def test_links_there_and_back(tmp_path):
    model = load(Path(__file__).with_name("linked.toml"))
    require_same(*there_and_back(model, tmp_path))
    again = load(tmp_path / "model.toml")
    for name in ("b", "c"):
        assert again.populations[name].linked == model.populations[name].linked


SCRIPT_WITH_LINKS = """
prefs.codegen.target = 'numpy'  # which moves all units of a group at once
a = NeuronGroup(4, 'dx/dt = -x/(10*ms) : 1', method='exact', name='a')
b = NeuronGroup(3, 'y : 1 (linked)\\ndz/dt = (y + w - z)/(3*ms) : 1\\nw : 1 (linked)', method='euler', name='b')
a.x = [1, 2, 3, 4]
b.y = linked_var(a, 'x', index=[3, 0, 0])
b.w = linked_var(b, 'z', index=[1, 2, 0])
trace = StateMonitor(b, ['z', 'y'], record=True)
run(3*ms)
"""


def test_links_of_a_script(tmp_path):
    (tmp_path / "script.py").write_text(START + SCRIPT_WITH_LINKS)
    write_model(tmp_path / "script.py", tmp_path / "model.toml")
    found = backends.get("numpy").run(Request(load(tmp_path / "model.toml"))).records["trace"]
    space: dict = {}
    with apart("runtime"):
        exec(START + SCRIPT_WITH_LINKS, space)
    np.testing.assert_allclose(found.values["z"], space["trace"].z.T, rtol=1e-12)
    np.testing.assert_allclose(found.values["y"], space["trace"].y.T, rtol=1e-12)


def _renamed(name: str, records: Mapping[str, object]) -> str:
    """A record's name in a script, which has one name for one thing."""
    return name if name in records else f"{name}_monitor"


def require_same(ours: Outcome, again: Outcome) -> None:
    for population, variables in ours.final.items():
        for variable, values in variables.items():
            found = again.final[population][variable]
            np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-300, err_msg=variable)
    for name, (times, units) in ours.events.items():
        found_times, found_units = again.events[_renamed(name, again.events)]
        np.testing.assert_array_equal(found_times, times)
        np.testing.assert_array_equal(found_units, units)
    for name, record in ours.records.items():
        for variable, values in record.values.items():
            found = again.records[_renamed(name, again.records)].values[variable]
            np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-300, err_msg=variable)


@pytest.mark.one_in(9)
@pytest.mark.parametrize("name", quick(CATALOGUE))
def test_a_model_comes_back_from_its_script(name, tmp_path):
    """With its noise, which follows from names, and from shapes that a script has only where it has a lattice."""
    model = load(name, {"sigma": "0"} if name == "fep_culture" else SMALL.get(name, {}))
    model = replace(model, experiment={}, duration=CATALOGUE[name])
    require_same(*there_and_back(model, tmp_path))


def test_everything_of_the_format_comes_back(tmp_path, monkeypatch):
    """Without chance in the noise: a script calls one that two equations share by another name."""
    monkeypatch.setattr(noise, "gaussian", lambda seed, stream, place, step: np.cos(place + step))
    model = replace(load(Path(__file__).with_name("everything.toml")), experiment={})
    require_same(*there_and_back(model, tmp_path))


def test_kernels_phases_and_inputs_come_back(tmp_path, monkeypatch):
    """A kernel leaves no shape in a script, by which the noise would have its places."""

    def gaussian(seed, stream, place, step):
        return np.cos(np.arange(np.size(place)) + step)

    monkeypatch.setattr(noise, "gaussian", gaussian)
    require_same(*there_and_back(load(Path(__file__).with_name("language.toml")), tmp_path))


#: Scripts that a quick run takes there and back; a thorough one takes all.
QUICK = ("weights and delays from arrays", "plasticity", "pathways", "parts of a group", "tables")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.thorough) for n in SCRIPTS]
)
def test_a_script_comes_back_from_its_model_file(name, tmp_path):
    (tmp_path / "first.py").write_text(START + SCRIPTS[name])
    write_model(tmp_path / "first.py", tmp_path / "first.toml")
    require_same(*there_and_back(load(tmp_path / "first.toml"), tmp_path))


class Prepared(BaseException):
    """Raised where a program would be compiled."""


@pytest.fixture
def program(monkeypatch) -> Callable[[Callable[[], object]], str]:
    """The C++ of the program that a call makes first. It holds no name and no value of its network."""
    texts: list[str] = []

    def prepared(one: Program, single: bool = False) -> str:
        texts.append(library.source(one, single))
        raise Prepared

    monkeypatch.setattr(machine, "source", prepared)

    def made_by(call: Callable[[], object]) -> str:
        texts.clear()
        with contextlib.suppress(Prepared):
            call()
        return texts[0]

    return made_by


def checkered(model: spec.Model) -> dict[str, np.ndarray]:
    return {n: np.indices(shape).sum(0) % 2 > 0 for n, shape in model.images().items()}


def exported(model: spec.Model, path: Path) -> Path:
    """A model's script, in a folder of its own."""
    path.parent.mkdir()
    write(to_brian2.script(model, checkered(model), seed=3), path)
    return path


def imported(script: Path) -> spec.Model:
    path = script.with_name("model.toml")  # a script's data file has the script's name
    write_model(script, path)
    return load(path)


#: Models that come back as another program, and what a script says otherwise.
OTHERWISE = {
    "astrocyte_ring": "its stimuli are tables of the script",
    "astrocyte_situation_memory": "its stimuli are tables of the script",
    "astrocyte_working_memory": "its stimuli are tables of the script",
    "diehl_cook": "places in its table are bounded by clip",
    "fep_canonical": "a reset that does nothing is left out",
    "fep_culture": "a reset that does nothing is left out",
    "fhn_astrocytes": "its stimuli are tables of the script",
    "fhn_excitable": "its stimuli are tables of the script",
    "gliotransmitter_release": "columns of a table are counted otherwise",
    "izhikevich": "its stimuli are tables of the script",
    "noise_induced_memory": "its stimuli are tables of the script",
    "noise_induced_memory_long_drive": "its stimuli are tables of the script",
    "noise_induced_memory_program": "its stimuli are tables of the script",
    "noise_induced_memory_tonic": "its stimuli are tables of the script",
}


@pytest.mark.one_in(14)
@pytest.mark.parametrize("name", quick(CATALOGUE))
def test_a_model_comes_back_as_the_same_program(name, tmp_path, program):
    """Where a script says something otherwise, what comes back from it does so for good."""
    model = load(name, {"sigma": "0"} if name == "fep_culture" else SMALL.get(name, {}))
    model = replace(model, experiment={}, duration=CATALOGUE[name])
    again = imported(exported(model, tmp_path / "once" / "script.py"))
    if name in OTHERWISE:
        model, again = again, imported(exported(again, tmp_path / "twice" / "script.py"))
    texts = [
        program(lambda m=m: backends.get("fused").run(Request(m, checkered(m), seed=3)))
        for m in (model, again)
    ]
    assert texts[0] == texts[1]


@pytest.mark.one_in(10)
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_comes_back_as_the_same_program(name, tmp_path, program):
    """As we write it: in one's own script clocks and arrays may be made in another order."""
    (tmp_path / "script.py").write_text(START + SCRIPTS[name])
    script = exported(imported(tmp_path / "script.py"), tmp_path / "once" / "script.py")
    again = exported(imported(script), tmp_path / "twice" / "script.py")

    def run(path: Path) -> None:
        with apart("neuroglia"):
            brian2.defaultclock.dt = 0.1 * brian2.ms
            runpy.run_path(str(path), run_name="__main__")

    assert program(lambda: run(script)) == program(lambda: run(again))


# --------------------------------------------------------------- networks of other tests

#: Networks of `program.zoo` that a model file cannot say, with words of the reason.
UNSAID = {
    "autapses": "the order of the synapses would count",
    "constant_over_dt": "'exact' finds no solution",
    "custom_events": "another turn in a time step",
    "function_of_the_script": "the function 'zoo_bent' of the script",
    "gap_junctions": "sums go into the target's variables",
    "heun": "Brian2's method 'heun'",
    "listed_spikes_out_of_order_within_a_step": "which of the synapses that share a unit comes last",
    "synaptic_values": "what synapses do by run_regularly",
    "milstein": "Brian2's method 'milstein'",
    "multisynapses": "a multisynaptic index",
    "no_delay_and_order": "another turn of a pathway",
    "nothing_happens": "'duration' must be positive",
    "operations": "a network_operation",
    "order_matters": "which of the synapses that share a unit comes last",
    "periodic_spikes": "spikes that come again with a period",
    "refractory_time": "'not_refractory'",
    "reset_reads_much": "a record of events at another turn",
    "schedule": "another turn in a time step",
    "shared_and_constant": "StateMonitor(..., order=-1) takes it before them",
    "stopped": "a network_operation",
    "subgroups": "what a part of a group does by itself",
    "summed_subgroups": "another turn of a sum",
    "whole_and_real_numbers": "is true or false, not a number",
}
#: Networks that run more than once, of which the model file has the first run.
LONGER = {"listed_spikes", "several_runs", "stored", "changed_step"}


def places(network: brian2.Network) -> list[str]:
    """Brian2's names of groups and monitors in the order in which they were made, type by type."""

    def key(one: object) -> tuple:
        name = one.name  # type: ignore[attr-defined]
        numbers = [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)]
        return (type(one).__name__, numbers)

    kinds = (brian2.NeuronGroup, brian2.EventMonitor, brian2.StateMonitor)
    return [one.name for one in sorted(network.objects, key=key) if isinstance(one, kinds)]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("name", zoo.DETERMINISTIC)
def test_networks_of_the_zoo_are_said_or_refused(name, tmp_path):
    (tmp_path / "script.py").write_text(
        f"from program import zoo\nfrom brian2 import seed\nseed(1)\nzoo.DETERMINISTIC[{name!r}]()\n"
    )
    named: list[str] = []

    def receive(captured: capture.Captured) -> None:
        made = tables.imported(captured, name, "", "model.npz")
        named.extend(made.names[n] for n in places(captured.network))
        reading.require_said(made)
        write(to_brian2.Script(toml.document(made.tables), made.arrays), tmp_path / "model.toml")
        checks.load_checked(tmp_path / "model.toml")

    if name in UNSAID:
        with pytest.raises(UserError, match=re.escape(UNSAID[name])):
            capture.first_run(tmp_path / "script.py", receive)
        return
    capture.first_run(tmp_path / "script.py", receive)
    if name in LONGER:
        return
    ours = backends.get("numpy").run(Request(load(tmp_path / "model.toml"), seed=1))
    target, brian2.prefs.codegen.target = brian2.prefs.codegen.target, "numpy"
    try:
        with apart("runtime"):
            brian2.seed(1)
            network = zoo.DETERMINISTIC[name]()
    finally:
        brian2.prefs.codegen.target = target
    objects = {one.name: one for one in network.objects}
    require_equal(
        ours, {n: objects[other] for n, other in zip(named, places(network), strict=True)}
    )
