"""Names that a model file may give: each means one thing, whatever else is called by other names."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest
from helpers import zoo

from neuroglia_snn import backends, checks, results, toolchain
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian import project, standalone
from neuroglia_snn.errors import ModelError
from neuroglia_snn.language import equations, names

MODEL = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "1 ms"
[parameters]
PARAMETER = "1 mV"
[population.POPULATION]
size = 1
equations = "dVARIABLE/dt = (PARAMETER - VARIABLE)/ms : volt"
threshold = "VARIABLE > 2*mV"
events = { EVENT = { condition = "VARIABLE > 1*mV", action = "VARIABLE = 0*mV" } }
[projection.PROJECTION]
from = "POPULATION"
to = "POPULATION"
connect = { rule = "all" }
on_pre = { PATHWAY = "VARIABLE_post += 1*mV" }
[record.RECORD]
population = "POPULATION"
variables = ["VARIABLE"]
"""
PLACES = ("PARAMETER", "POPULATION", "VARIABLE", "EVENT", "PROJECTION", "PATHWAY", "RECORD")
USUAL = {place: place.lower().replace("variable", "v") for place in PLACES}
USUAL |= {"EVENT": "burst", "PATHWAY": "up"}


def model(path, **given):
    text = MODEL
    for place, name in (USUAL | given).items():
        text = text.replace(place, name)
    path.write_text(text)
    return checks.check_file(str(path))


def test_the_usual_names_are_right(tmp_path):
    assert model(tmp_path / "m.toml") == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "name",
    [
        "and_eq",
        "xor",
        "int",
        "lambda",
        "main",
        "NULL",
        "M_PI",
        "linux",
        "a__b",
        "a_",
        "size_t",
        "pow",
    ],
)
def test_no_place_takes_a_name_that_means_something(place, name, tmp_path):
    found = model(tmp_path / "m.toml", **{place: name})
    assert [f.severity for f in found] == ["error"] and f"'{name}'" in found[0].message
    with pytest.raises(ModelError):
        checks.load_checked(str(tmp_path / "m.toml"))


@pytest.mark.parametrize("name", ["active", "clock", "when", "thresholder", "state", "delay"])
def test_a_variable_may_be_called_as_an_attribute_of_brian2s_groups(name, tmp_path):
    path = tmp_path / "m.toml"
    assert model(path, VARIABLE=name) == []
    initial = f'[population.population.initial]\n{name} = "1.5 mV"\n'
    path.write_text(path.read_text().replace("[projection", initial + "[projection"))
    outcome = backends.get("numpy").run(Request(checks.load_checked(str(path))[0]))
    first = outcome.records["record"].values[name][0, 0]
    assert first == pytest.approx(1.5e-3)


@pytest.mark.parametrize("place", ["VARIABLE", "PARAMETER"])
@pytest.mark.parametrize("name", ["t", "dt", "xi", "xi_1", "exp", "mV", "pi", "lastspike"])
def test_a_symbol_has_one_meaning(place, name, tmp_path):
    assert any(f"'{name}'" in f.message for f in model(tmp_path / "m.toml", **{place: name}))


def test_no_macro_of_a_generated_program_can_be_a_name(tmp_path):
    """`names` lists the macros of all headers that generated programs include."""
    request = zoo.zoo(tmp_path)
    code = tmp_path / "code"
    with project.device(2):
        standalone.generate(request, code, project.SEED)
    sources = [*code.glob("*.cpp"), *code.glob("code_objects/*.cpp")]
    headers = {
        line for p in sources for line in re.findall(r"#include\s*<[^>]+>", p.read_text("utf-8"))
    }
    assert len(headers) > 5
    done = subprocess.run(
        [toolchain.compiler(), "-fopenmp", "-x", "c++", "-dM", "-E", "-I", str(code), "-"],
        input="\n".join(h for h in sorted(headers) if "brianlib" not in h),
        capture_output=True,
        text=True,
        check=True,
    )
    macros = re.findall(r"#define (\w+)", done.stdout)
    assert len(macros) > 500
    assert [m for m in macros if names.refusal(m) is None] == []


# ------------------------------------------------------- names that meet other names

#: A network with everything that we make objects, variables and functions for; NAMES stand in capitals.
NETWORK = """
[model]
integrator = "heun"
noise = "stratonovich"
dt = "0.1 ms"
duration = "1 ms"
[parameters]
GAIN = "2"
OTHER = "3"
[table.TABLE]
values = ["1", "2"]
dt = "0.5 ms"
[population.CELL]
size = 3
equations = '''
dv/dt = (GAIN - v)/ms + 0.1*v*xi/sqrt(ms) + 0.2*NOISE/sqrt(ms) + L/ms : 1
dr/dt = -r/ms + 0.1*xi/sqrt(ms) : 1
DRIVEN : 1
SPARE : 1
L : 1
q = TABLE(t) : 1
'''
threshold = "v > 0.5"
reset = '''
LOCAL = v
v = LOCAL - 0.5
'''
initial = { v = "0.3*i", DRIVEN = "1", SPARE = "i" }
[population.BESIDE]
size = 3
integrator = "euler"
equations = '''
du/dt = -OTHER*u/ms : 1
J : 1
SPARE = 3*J : 1
'''
regularly = [{ code = "LOCAL = 0.1; u = u + LOCAL", dt = "0.2 ms" }]
[projection.SYNAPSES]
from = "CELL"
to = "BESIDE"
connect = { rule = "pairs", pairs = [[0, 1], [1, 1], [2, 0]] }
equations = "w : 1"
initial = { w = "0.5" }
on_pre = { PATHWAY = "LOCAL = w*GAIN; u_post += LOCAL" }
[projection.GATHER]
from = "CELL"
to = "BESIDE"
connect = { rule = "one-to-one" }
equations = "J_post = GAIN*v_pre : 1 (summed)"
[projection.WITHIN]
from = "CELL"
to = "CELL"
connect = { rule = "pairs", pairs = [[0, 1], [1, 0]] }
equations = "L_post = GAIN*(r_pre - r_post) : 1 (summed)"
[stimulus.STIMULUS]
to = "CELL"
variable = "DRIVEN"
amplitude = "GAIN"
duration = "0.5 ms"
[record.STATES]
population = "CELL"
variables = ["v", "r", "DRIVEN"]
[record.MEAN]
population = "CELL"
variables = ["v"]
reduce = "mean"
[record.OTHERS]
population = "BESIDE"
variables = ["u"]
[record.SPIKES]
population = "CELL"
events = true
"""
PLAIN = {
    **{
        name: name.lower() for name in ("CELL", "BESIDE", "SYNAPSES", "GATHER", "WITHIN", "PATHWAY")
    },
    **{name: name.lower() for name in ("GAIN", "OTHER", "DRIVEN", "SPARE", "LOCAL", "STIMULUS")},
    **{"TABLE": "lookup", "NOISE": "xi_1", "STATES": "states", "MEAN": "whole"},
    **{"OTHERS": "others", "SPIKES": "spikes"},
}


def network(path, **given):
    """A file of the network, with other names for some things."""
    text = NETWORK
    for place, name in (PLAIN | given).items():
        text = re.sub(rf"(?<![a-z]){place}(?![A-Za-z])", name, text)
    path.write_text(text)
    return path


def refused(path):
    return [f.message for f in checks.check_file(str(path)) if f.severity == "error"]


def results_of(path, backend):
    model = checks.load_checked(str(path))[0]
    return model, backends.get(backend).run(Request(model, seed=3))


#: Names of Brian2's objects and arrays for some of the network's, and of what we made once.
MET = [
    *({"BESIDE": f"cell_{end}"} for end in ("stateupdater", "check", "spike_thresholder")),
    *(
        {"BESIDE": f"cell_{end}"}
        for end in ("spike_resetter", "codeobject", "second_stage", "clock")
    ),
    *({"BESIDE": name} for name in ("record_states", "mean_whole", "sum_whole", "record_spikes")),
    *({"CELL": name} for name in ("beside_regularly_0", "gather_gather_J", "table_lookup")),
    *({"CELL": f"synapses_{end}"} for end in ("pathway", "pre", "summed_variable_J_post")),
    *({place: "gain_in_synapses"} for place in ("SPARE", "LOCAL")),
    *(
        {place: name}
        for name in ("v_from_gather_0", "count_of_gather")
        for place in ("SPARE", "LOCAL")
    ),
    *(
        {place: f"stimulus_{end}"}
        for end in ("on", "image")
        for place in ("SPARE", "LOCAL", "GAIN")
    ),
    *({place: "driven_stimulus"} for place in ("SPARE", "LOCAL", "GAIN")),
    *({place: "driven_unstimulated"} for place in ("SPARE", "LOCAL", "GAIN")),
    *(
        {place: name}
        for name in ("noise_seed", "noise_place")
        for place in ("SPARE", "LOCAL", "GAIN")
    ),
    *({"NOISE": f"xi_{end}"} for end in ("shared", "step", "stored")),
    *(
        {"PATHWAY": name}
        for name in ("connect", "source", "delay", "w", "u", "stateupdater", "pre")
    ),
    {"STIMULUS": "cell", "STATES": "gather", "MEAN": "within", "LOCAL": "synapses"},
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return results_of(network(tmp_path_factory.mktemp("plain") / "m.toml"), "numpy")[1]


def same(plain, outcome, given):
    names = PLAIN | given
    kept = {place: outcome.records[names[place]] for place in ("STATES", "MEAN", "OTHERS")}
    for place, recorded in kept.items():
        usual = plain.records[PLAIN[place]].values
        values = dict(zip(usual, recorded.values.values(), strict=True))
        for variable in usual:
            np.testing.assert_allclose(
                values[variable], usual[variable], rtol=1e-12, err_msg=variable
            )
    np.testing.assert_array_equal(
        outcome.events[names["SPIKES"]][1], plain.events[PLAIN["SPIKES"]][1]
    )


@pytest.mark.one_in(8)
@pytest.mark.parametrize(
    "given", MET, ids=lambda given: "-".join(f"{k}={v}" for k, v in given.items())
)
def test_whatever_things_are_called_the_numbers_are_the_same(given, plain, tmp_path):
    path = network(tmp_path / "m.toml", **given)
    assert refused(path) == []
    model, outcome = results_of(path, "numpy")
    if not given.keys() & {"CELL", "NOISE"}:  # by whose names noise is drawn
        same(plain, outcome, given)
    results.dataset(model, outcome)


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["cpp", "fused"])
def test_compiled_programs_can_tell_all_names_apart(backend, plain, tmp_path):
    given = {"BESIDE": "cell_stateupdater", "SPARE": "driven_stimulus", "LOCAL": "gain_in_synapses"}
    given |= {"GAIN": "stateupdater_other", "OTHER": "other", "PATHWAY": "connect"}
    given |= {"GATHER": "record_states", "STIMULUS": "a", "TABLE": "a_on", "STATES": "cell_clock"}
    path = network(tmp_path / "m.toml", **given)
    assert refused(path) == []
    same(plain, results_of(path, backend)[1], given)


@pytest.mark.parametrize("backend", ["numpy", "fused", "lava"])
def test_couplings_of_names_that_run_together_are_told_apart_or_refused(backend, tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(COUPLED)
    assert refused(path) == []
    model = checks.load_checked(str(path))[0]
    if reason := backends.get(backend).unsupported(model):
        pytest.skip(reason)
    values = backends.get(backend).run(Request(model)).records["r"].values
    np.testing.assert_allclose([values["r"][-1, 0], values["q_r"][-1, 0]], [3, 5])


COUPLED = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "1 ms"
[population.a]
size = 1
equations = "dx/dt = 0*x/ms : 1"
initial = { x = "1" }
[population.b]
size = 1
equations = "dy/dt = (r + q_r)/ms : 1\\nr : 1\\nq_r : 1"
[projection.p]
from = "a"
to = "b"
connect = { rule = "one-to-one" }
equations = "q_r_post = 5*x_pre : 1 (summed)"
[projection.p_q]
from = "a"
to = "b"
connect = { rule = "one-to-one" }
equations = "r_post = 3*x_pre : 1 (summed)"
[record.r]
population = "b"
variables = ["r", "q_r"]
"""


def test_results_hold_the_variables_of_the_model_alone(tmp_path):
    model, outcome = results_of(network(tmp_path / "m.toml"), "numpy")
    assert "neuroglia_" not in repr(model)
    data = results.dataset(model, outcome)
    assert {str(name) for name in data.data_vars if str(name).startswith("final_")} == {
        *(f"final_cell_{variable}" for variable in ("v", "r", "spare")),
        *(f"final_beside_{variable}" for variable in ("u", "J")),
    }


def test_a_layers_inputs_are_the_variables_of_the_model(tmp_path):
    pytest.importorskip("torch")
    path = tmp_path / "m.toml"
    drive = '[stimulus.s]\nto = "b"\nvariable = "r"\namplitude = "1"\nduration = "1 ms"\n'
    path.write_text(COUPLED + '[population.b.initial]\nr = "2"\n' + drive)
    assert refused(path) == []
    from neuroglia_snn.backends.torch.system import System

    assert System(str(path), "b").inputs == ("r", "q_r")


@pytest.mark.parametrize("name", [*sorted(equations.RESERVED), "xi_1", "x_pre", "x_post", "gain"])
@pytest.mark.parametrize("code", ["v = LOCAL - 0.5", "u = u + LOCAL", "u_post += LOCAL"])
def test_statements_give_no_value_of_their_own_a_name_that_means_something(name, code, tmp_path):
    path = network(tmp_path / "m.toml")
    path.write_text(path.read_text().replace(code.replace("LOCAL", "local"), f"{name} = 1"))
    said = refused(path)
    assert len(said) == 1 and f"'{name}'" in said[0], said
    assert "rename it" in said[0] or "is not a variable" in said[0]


#: Names that are taken: what is called by them, and what the one error says.
TAKEN = {
    "the delay of synapses": ({}, ('"w : 1"', '"w : 1\\ndelay : 1"'), "'delay' cannot be a variable of 'synapses'"),
    "a value called delay": ({}, ("u_post += local", "delay = 1"), "'delay' to a value of its own, but it is the"),
    "a variable of the source": ({}, ('"w : 1"', '"w : 1\\nr : 1"'), "where it is a variable of 'cell'"),
    "a variable of the target": ({}, ('"w : 1"', '"w : 1\\nu : 1"'), "where it is a variable of 'beside'"),
    "a definition of the source": ({}, ('"w : 1"', '"w : 1\\nq = 1 : 1"'), "where it is a variable of 'cell'"),
    "a parameter": ({"SPARE": "gain"}, None, "'gain' cannot be a variable of"),
    "a table": ({"SPARE": "lookup"}, None, "'lookup' cannot be a variable of"),
    "a parameter and a table": ({"GAIN": "lookup"}, None, "'lookup' is a parameter and a table: rename it"),
    "a value within a step": ({"SPARE": "v_new"}, None, "what 'heun' works out of 'v' within a step"),
    "the event of the threshold": (
        {}, ("[projection.synapses]", "[population.cell.events]\nspike = { condition = 'v > 1', action = 'v = 0' }\n"
             "[projection.synapses]"), "'spike' is the event of the threshold"),
    "last values": ({"STATES": "final_cell"}, None, "would both be 'final_cell_v' in the results: rename one"),
    "the times of events": (
        {"STATES": "x", "SPIKES": "x_spare", "SPARE": "spare_time"}, ('"v", "r"', '"v", "spare_time"'),
        "'spare_time' of record 'x' and the time of the events of record 'x_spare' would both be 'x_spare_time'"),
    "units": ({"OTHERS": "unit"}, ("[record.whole]", "[record.u]\npopulation = 'cell'\nvariables = ['v']\n"
              "[record.whole]"), "would both be 'unit_u'"),
    "the mean": ({"OTHERS": "mean", "MEAN": "u"}, None, "would both be 'mean_u'"),
    "the events": ({"OTHERS": "event", "SPIKES": "u"}, None, "would both be 'event_u'"),
    "units of two populations": ({"STATES": "beside"}, None, "would both be 'unit_beside'"),
    "units at two strides": (
        {"STATES": "cell"}, ('"driven"]', '"driven"]\nstride = 2'), "'cell' at the stride 2 and the units of 'cell'"),
    "two records": (
        {"STATES": "x", "OTHERS": "x_spare", "SPARE": "spare_u"}, ('"v", "r"', '"spare_u", "r"'),
        "'spare_u' of record 'x' and 'u' of record 'x_spare' would both be 'x_spare_u'"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "edit", "words"), TAKEN.values(), ids=TAKEN.keys())
def test_a_name_that_is_taken_is_one_sentence(given, edit, words, tmp_path):
    path = network(tmp_path / "m.toml", **given)
    text = path.read_text()
    if edit:
        assert edit[0] in text
        path.write_text(text.replace(*edit, 1))
    said = refused(path)
    assert any(words in line for line in said), said
