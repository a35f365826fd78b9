"""What an import refuses, and what gets into a model file from a script."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import brian2
import numpy as np
import pytest
from brian2 import ms
from brian2.devices.device import all_devices, get_device, previous_devices, runtime_device
from fuzz import injections
from hypothesis import given
from hypothesis import strategies as st

from neuroglia_snn import UserError, from_brian2
from neuroglia_snn.catalog import toml
from neuroglia_snn.catalog.load import load
from neuroglia_snn.checks import check_file
from neuroglia_snn.cli import main
from neuroglia_snn.exchange import write_model

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CELL = """
from brian2 import *
cell = NeuronGroup(3, 'dv/dt = (1.5 - v)/(10*ms) : 1', threshold='v > 1', reset='v = 0', method='euler',
                   name='cell')
"""
RUN = "\nrun(1*ms)\n"

#: What a script adds to `CELL`, and the sentence on it.
REFUSED = {
    "periodic spikes": (
        "p = SpikeGeneratorGroup(1, [0], [0]*ms, period=5*ms, name='p')",
        "'p': a model file cannot say spikes that come again with a period",
    ),
    "Poisson input": (
        "p = PoissonInput(cell, 'v', 2, 5*Hz, 0.1)",
        "a model file cannot say a PoissonInput",
    ),
    "operation": (
        "@network_operation(name='op')\ndef op():\n    pass",
        "'op': a model file cannot say what a network_operation of Python does",
    ),
    "function": (
        "@check_units(x=1, result=1)\ndef f(x):\n    return x\n"
        "g = NeuronGroup(1, 'dv/dt = f(v)/ms : 1', method='euler', name='g')",
        "'g': a model file cannot say the function 'f' of the script",
    ),
    "linked to a definition": (
        "x = NeuronGroup(3, 'y = 1 + 0*i : 1', name='x')\n"
        "g = NeuronGroup(3, 'w : 1 (linked)', name='g')\ng.w = linked_var(x, 'y')",
        "'g': a model file cannot say the linked variable 'w'",
    ),
    "Brian2's Heun": (
        "g = NeuronGroup(1, 'dv/dt = v*xi*ms**-0.5 : 1', method='heun', name='g')",
        "'g': a model file cannot say Brian2's method 'heun'",
    ),
    "milstein": (
        "g = NeuronGroup(1, 'dv/dt = v*xi*ms**-0.5 : 1', method='milstein', name='g')",
        "'g': a model file cannot say Brian2's method 'milstein', which is of strong order 1/2",
    ),
    "a method of the script": (
        "def mine(equations, variables, method_options=None):\n    return 'v = v + dt/ms'\n"
        "g = NeuronGroup(1, 'dv/dt = 1/ms : 1', method=mine, name='g')",
        "'g': a model file cannot say the method 'mine', which writes the step of none",
    ),
    "a record at the end": (
        "m = StateMonitor(cell, 'v', record=True, when='end', name='m')",
        "'m': a model file cannot say a record of values at 'end' of a time step",
    ),
    "a record after statements": (
        "cell.run_regularly('v = 0', dt=1*ms)\nm = StateMonitor(cell, 'v', record=True, name='m')",
        "'m': a model file cannot say a record that is taken after the statements of run_regularly in the"
        " same step; StateMonitor(..., order=-1) takes it before them",
    ),
    "statements at the end": (
        "cell.run_regularly('v = 0', when='end')",
        "'cell_run_regularly': a model file cannot say another turn in a time step than 'start'",
    ),
    "statements of a part": (
        "part = cell[:2]\npart.run_regularly('v = 0')",
        "a model file cannot say what a part of a group does by itself",
    ),
    "statements of synapses": (
        "s = Synapses(cell, cell, 'w : 1')\ns.connect()\ns.run_regularly('w = 0')",
        "a model file cannot say what synapses do by run_regularly",
    ),
    "order": (
        "g = NeuronGroup(1, 'dv/dt = 1/ms : 1', method='euler', order=2, name='g')",
        "'g_stateupdater': a model file cannot say another turn in a time step",
    ),
    "inactive": (
        "cell.state_updater.active = False",
        "'cell_stateupdater': a model file cannot say that it is not active",
    ),
    "pathways' order": (
        "s = Synapses(cell, cell, on_pre='v_post += 0.1', name='s')\ns.connect()\ns.pre.order = 3",
        "'s_pre': a model file cannot say another turn of a pathway in a time step",
    ),
    "multisynaptic": (
        "s = Synapses(cell, cell, multisynaptic_index='k', name='s')\ns.connect(n=2)",
        "'s': a model file cannot say a multisynaptic index",
    ),
    "no synapse": (
        "s = Synapses(cell, cell, name='s')\ns.connect(condition='False and i == j')",
        "'s': a model file cannot say synapses that connect nothing",
    ),
    "two kinds of noise": (
        "from neuroglia_snn import state_updater\n"
        "g = NeuronGroup(1, 'dv/dt = v*xi*ms**-0.5 : 1', method=state_updater('heun'), name='g')\n"
        "h = NeuronGroup(1, 'dv/dt = xi*ms**-0.5 : 1', method='euler', name='h')",
        "the network: a model file cannot say both Ito and Stratonovich noise",
    ),
    "a compartment": (
        "m = SpatialNeuron(Soma(diameter=30*um), 'Im = 0*amp/meter**2 : amp/meter**2', name='m')",
        "'m': a model file cannot say a SpatialNeuron",
    ),
    "a constant": (
        "big = float('nan')\ng = NeuronGroup(1, 'dv/dt = big/ms : 1', method='euler', name='g')",
        "'g': a model file cannot say the constant 'big', which is not finite",
    ),
    "a name": (
        "g = NeuronGroup(1, 'double : 1', name='g')",
        "a model file cannot say this: ",
    ),
}


def imported(tmp_path, text: str, name: str = "script.py"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return write_model(tmp_path / name, tmp_path / "model.toml")


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_is_named(name, tmp_path, capsys):
    added, sentence = REFUSED[name]
    (tmp_path / "script.py").write_text(f"{CELL}{added}{RUN}")
    arguments = ["import", str(tmp_path / "script.py"), "--out", str(tmp_path / "model.toml")]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said and "Traceback" not in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["script.py"]


def test_all_that_cannot_be_said_is_named_at_once(tmp_path):
    added = "\n".join(
        REFUSED[n][0] for n in ("periodic spikes", "operation", "milstein", "a record at the end")
    )
    with pytest.raises(UserError) as error:
        imported(tmp_path, f"{CELL}{added}{RUN}")
    assert len(str(error.value).splitlines()) == 4


@pytest.mark.parametrize(
    "text, sentence",
    [
        (CELL, "script.py has no run()"),
        ("import sys\nsys.exit(3)", "script.py has no run()"),
        (CELL + "\n1/0" + RUN, "stops before its run(): line 6: ZeroDivisionError"),
        (CELL + "cell.v = 3*mV" + RUN, "stops before its run(): line 5: DimensionMismatchError"),
        ("def f(:\n", "not a Python script"),
        ("from brian2 import *" + RUN, "the network: a model file cannot say no NeuronGroup"),
    ],
)
def test_a_script_without_a_network_at_a_run(text, sentence, tmp_path):
    with pytest.raises(UserError) as error:
        imported(tmp_path, text)
    assert sentence in str(error.value).replace("\n", " ")


def test_a_script_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read \(No such file"):
        from_brian2(tmp_path / "none.py", tmp_path / "model.toml")


def test_a_script_that_catches_errors_stops_too(tmp_path):
    after = tmp_path / "after"
    caught = f"\ntry:\n    run(1*ms)\nexcept Exception:\n    pass\nopen({str(after)!r}, 'w')"
    imported(tmp_path, CELL + caught)
    assert not after.exists() and load(tmp_path / "model.toml").duration == 1e-3
    everything = f"\ntry:\n    run(1*ms)\nexcept BaseException:\n    cell.v = 3\nrun(5*ms)\nopen({str(after)!r}, 'w')"
    (tmp_path / "model.toml").unlink()
    imported(tmp_path, CELL + everything)
    assert not after.exists() and load(tmp_path / "model.toml").duration == 1e-3


def test_a_session_is_as_before(tmp_path):
    before = dict(all_devices), list(previous_devices), get_device(), sys.argv, sys.path[:]
    brian2.defaultclock.dt = 0.05 * ms
    imported(tmp_path, CELL + "set_device('cpp_standalone')\ndefaultclock.dt = 0.2*ms" + RUN)
    assert before == (all_devices, previous_devices, get_device(), sys.argv, sys.path)
    assert get_device() is runtime_device and float(brian2.defaultclock.dt) == 0.05e-3
    assert load(tmp_path / "model.toml").dt == 0.2e-3
    brian2.defaultclock.dt = 0.1 * ms


def test_only_the_summary_is_printed(tmp_path, capsys):
    (tmp_path / "script.py").write_text(CELL + "seed(5)\nprint('hello')" + RUN + RUN)
    out = str(tmp_path / "model.toml")
    assert main(["import", str(tmp_path / "script.py"), "--out", out, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["seed"] == 5 and summary["model"] == out and summary["data"] is None
    assert summary["notes"] == ["the script calls run() at 2 places: this is the first run"]
    assert main(["import", str(tmp_path / "script.py"), "--out", out]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "script.py"), "--out", out, "--force"]) == 0
    assert main(["import", str(tmp_path / "script.py"), "--out", "model.npz"]) == 2


def test_a_record_of_less_than_the_format_can_say_is_noted(tmp_path):
    added = "\n".join(
        (
            "m = StateMonitor(cell, 'v', record=[1])",
            "r = PopulationRateMonitor(cell)",
            "s = SpikeMonitor(cell[:2])",
        )
    )
    notes = imported(tmp_path, CELL + added + RUN)["notes"]
    assert notes == [
        "record 'r' keeps spikes, of which the script keeps the rate",
        "record 's' keeps all of 'cell', of which the script records a part",
    ]
    assert not check_file(tmp_path / "model.toml")
    assert load(tmp_path / "model.toml").records["m"].units == (1,)


def test_constants_of_any_name_get_one_that_a_file_may_have(tmp_path):
    names = ["_under", "a" * 70, "double", "v", "trailing_"]
    lines = [f"{n} = {k + 2}.5" for k, n in enumerate(names)]
    group = (
        "g = NeuronGroup(1, 'dx/dt = ("
        + " + ".join(n for n in names if n != "v")
        + ")/ms : 1', method='euler')"
    )
    imported(tmp_path, "\n".join((CELL, *lines, group, "run(1*ms)")))
    values = sorted(p.value.si for p in load(tmp_path / "model.toml").parameters.values())
    assert values == [2.5, 3.5, 4.5, 6.5]


def test_a_network_in_python(tmp_path):
    strength = 1.5
    cell = brian2.NeuronGroup(3, "dv/dt = (strength - v)/(10*ms) : 1", method="euler")
    cell.v = "i*0.1"
    network = brian2.Network(cell)
    with pytest.raises(UserError, match="needs the duration"):
        from_brian2(network, tmp_path / "model.toml")
    from_brian2(network, tmp_path / "model.toml", 5 * ms)
    model = load(tmp_path / "model.toml")
    assert model.parameters["strength"].value.si == strength and model.duration == 5e-3
    assert model.populations["cell"].initial["v"].flat.tolist() == [0, 0.1, 0.2]
    network.run(0.1 * ms)
    with pytest.raises(UserError, match=r"cannot say an earlier run\(\)"):
        from_brian2(network, tmp_path / "other.toml", 5 * ms)


# ------------------------------------------------------------------- what a file may hold


@pytest.mark.one_in(4)
@pytest.mark.parametrize("piece", [*injections.CODE, *injections.AFTER, *injections.ODD])
def test_no_prose_of_a_script_changes_a_model_file(piece, tmp_path):
    imported(tmp_path, CELL + RUN)
    plain = tomllib.loads((tmp_path / "model.toml").read_text(encoding="utf-8"))
    (tmp_path / "model.toml").unlink()
    imported(tmp_path, f"{piece!r}\n{CELL}{RUN}")
    hostile = tomllib.loads((tmp_path / "model.toml").read_text(encoding="utf-8"))
    for tables in (plain, hostile):
        del tables["model"]["title"]
        tables["model"].pop("description", None)
    assert hostile == plain
    load(tmp_path / "model.toml")


@pytest.mark.parametrize(
    "code",
    [
        "v = __import__('os').system('true')",
        "v = (lambda: 1)()",
        'v = 0 """\n[population.evil]\nsize = 1\nequations = """',
        "v = 0 # \\u0022",
    ],
)
def test_code_of_a_script_is_code_of_the_format_or_nothing(code, tmp_path):
    added = f"cell.run_regularly({code!r}, dt=1*ms)"
    try:
        imported(tmp_path, CELL + added + RUN)
    except UserError:
        assert not (tmp_path / "model.toml").exists()
    else:
        (regularly,) = load(tmp_path / "model.toml").populations["cell"].regularly
        assert regularly.code == "v = 0" and [*load(tmp_path / "model.toml").populations] == [
            "cell"
        ]


def test_a_hostile_name_of_a_script_is_a_comment(tmp_path):
    name = 'a"\n[population.evil]\nsize = 1 #\x1b.py'
    imported(tmp_path, CELL + RUN, name)
    assert [*load(tmp_path / "model.toml").populations] == ["cell"]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3).map(toml.Inline)
    ),
    max_leaves=6,
)


@given(st.dictionaries(TEXT, VALUES | st.dictionaries(TEXT, VALUES, max_size=3), max_size=4))
def test_every_text_comes_back_from_a_file_as_it_was(tables):
    assert tomllib.loads(toml.document(tables)) == tables


def test_the_example_of_the_documentation(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "howto" / "exchange.md").read_text(
        encoding="utf-8"
    )
    _, _, text = text.partition("# A Brian2 script as a model")
    script, shown = re.findall(r"\n```(?:python|toml)\n(.*?)```", text, re.DOTALL)[:2]
    imported(tmp_path, script)
    written = (tmp_path / "model.toml").read_text(encoding="utf-8")
    assert written.endswith(shown)


def test_a_network_is_a_model_in_memory():
    tau = 5 * ms
    cell = brian2.NeuronGroup(3, "dv/dt = -v/tau : 1", method="exact")
    cell.v = [1, 2, 3]
    network = brian2.Network(cell)
    model = from_brian2(network, duration=5 * ms)
    found = model.with_settings({"model.duration": 10 * ms}).run(progress=False)
    expected = np.exp(-2) * np.array([1, 2, 3])
    np.testing.assert_allclose(found.data["final_cell_v"], expected, rtol=1e-12)
    assert tau and isinstance(model.notes, tuple)
