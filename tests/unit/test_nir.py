"""What of a model NIR has a node for, what is refused, and how nodes are read."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import neuroglia_snn as ng
from neuroglia_snn import UserError
from neuroglia_snn.cli import main

nir = pytest.importorskip("nir", reason="the package nir is not installed")

CELL = {"size": 2, "threshold": "v > 1", "reset": "v = 0"}
SOURCE = {"size": 3, "spikes": [[0, "1 ms"]]}
ADD = {"from": "source", "to": "cell", "on_pre": "v_post += 0.5", "connect": {"rule": "all"}}


def model(cell, projection=None, **more) -> ng.Model:
    populations = {"source": SOURCE, "cell": {**CELL, **cell}}
    parameters = {"tau": "10 ms", "C": "200 pF", "g_L": "20 nS", "E_L": "-70 mV"}
    tables = {
        "model": {
            "title": "t",
            "dt": "0.1 ms",
            "duration": "5 ms",
            "integrator": "euler",
            "noise": "ito",
        },
        "parameters": parameters,
        "population": {**populations, **more.pop("populations", {})},
        "projection": {"p": {**ADD, **(projection or {})}, **more.pop("projections", {})},
    }
    return ng.Model({**tables, **more})


def nodes(one: ng.Model, tmp_path, extension: bool = False):
    ng.export(one, tmp_path / "one.nir", to="nir", extension=extension)
    return nir.read(tmp_path / "one.nir").nodes


VOLTS = {"threshold": "v > -50*mV", "reset": "v = E_L"}
SIGNAL = {"on_pre": "v_post += 1*mV"}


@pytest.mark.parametrize(
    ("equations", "kind", "expected"),
    [
        ("dv/dt = -v/tau : 1", "LIF", {"tau": 0.01, "v_leak": 0, "r": 100}),
        ("dv/dt = (0.5 - v)/tau : 1", "LIF", {"tau": 0.01, "v_leak": 0.5}),
        ("dv/dt = drift*2 : 1\ndrift = -(v - 2)*50*Hz : Hz", "LIF", {"tau": 0.01, "v_leak": 2}),
        ("dv/dt = (v**2 - 1)/((v + 1)*(-tau)) : 1", "LIF", {"tau": 0.01, "v_leak": 1}),
        ("dv/dt = (b - v)/(tau*(i + 1)) : 1\nb : 1 (constant)", "LIF", {"tau": [0.01, 0.02]}),
        ("dv/dt = 0*Hz : 1", "IF", {"r": 1e4, "v_threshold": 1, "v_reset": 0}),
    ],
)
def test_a_neuron_is_known_by_its_algebra(equations, kind, expected, tmp_path):
    found = nodes(model({"equations": equations}), tmp_path)
    assert type(found["cell"]).__name__ == kind
    for name, value in expected.items():
        assert np.allclose(getattr(found["cell"], name), value, rtol=1e-12)
    assert np.array_equal(found["p"].weight, np.full((2, 3), 0.5))


def test_units_are_those_of_the_si(tmp_path):
    equations = "dv/dt = (g_L*(E_L - v) + 400*pA)/C : volt"
    found = nodes(model({"equations": equations, **VOLTS}, SIGNAL), tmp_path)
    assert np.allclose(found["cell"].tau, 0.01) and np.allclose(found["cell"].v_leak, -0.05)
    assert np.allclose(found["cell"].v_threshold, -0.05) and np.allclose(found["p"].weight, 1e-3)


def test_a_synaptic_current_is_cuba(tmp_path):
    cell = {"equations": "dv/dt = (R*s - v)/tau : 1\nds/dt = -s/(2*ms) : amp\nR = 3/nA : 1/amp"}
    found = nodes(model(cell, {"on_pre": "s_post += 0.2*nA"}), tmp_path)
    node = found["cell"]
    assert isinstance(node, nir.CubaLIF)
    assert np.allclose((node.tau_mem[0], node.tau_syn[0], node.r[0]), (0.01, 0.002, 100))
    # a spike is 1 for a step: with r = tau/dt and w_in = tau_syn/dt, its weight is what reaches v in that step
    assert np.allclose(node.w_in, 20)
    assert np.allclose(found["p"].weight, 0.2e-9 * 3e9 * 1e-4 / 0.01)


def test_a_bias_is_affine(tmp_path):
    held = {"regularly": [{"code": "I = arriving\narriving = b", "dt": "0.1 ms"}]}
    equations = "dv/dt = (4*I - v)/tau : 1\nI : 1\narriving : 1\nb : 1 (constant)"
    cell = {"equations": equations, **held, "initial": {"b": "0.1*(i + 1)"}}
    found = nodes(model(cell, {"on_pre": "arriving_post += 0.5"}), tmp_path)
    assert isinstance(found["p"], nir.Affine)
    assert np.allclose(found["p"].bias, [0.1, 0.2]) and np.allclose(found["cell"].r, 4)
    assert np.allclose(found["p"].weight, 0.5)


LIF = {"equations": "dv/dt = -v/tau : 1"}
REFUSED = {
    "noise": (
        {"equations": "dv/dt = -v/tau + 0.1*xi*tau**-0.5 : 1", "integrator": "euler-maruyama"},
        {},
        "population 'cell' has noise in dv/dt",
    ),
    "a cubic": (
        {"equations": "dv/dt = (v - v**3)/tau : 1"},
        {},
        "population 'cell' dv/dt is not linear",
    ),
    "a refractory period": ({**LIF, "refractory": "2 ms"}, {}, "has a refractory period"),
    "a subtracted reset": ({**LIF, "reset": "v -= 1"}, {}, "has the reset 'v -= 1'"),
    "no reset": ({**LIF, "reset": "u = 1", "equations": "dv/dt = -v/tau : 1\nu : 1"}, {}, "reset"),
    "a threshold that includes its value": (
        {**LIF, "threshold": "v >= 1"},
        {},
        "threshold 'v >= 1'",
    ),
    "a function of time": (
        {"equations": "dv/dt = (sin(t/ms) - v)/tau : 1"},
        {},
        "dv/dt reads 't', which is no constant",
    ),
    "three states": (
        {"equations": "dv/dt = -v/tau : 1\ndu/dt = -u/tau : 1\ndw/dt = -w/tau : 1"},
        {},
        "has 3 differential equations",
    ),
    "two membranes": (
        {"equations": "dv/dt = (u - v)/tau : 1\ndu/dt = (v - u)/tau : 1"},
        {},
        "no membrane with a synaptic current",
    ),
    "two inputs": (
        {
            "equations": "dv/dt = (I - v)/tau : 1\nI : 1\narriving : 1",
            "regularly": [{"code": "I = arriving\narriving = 0", "dt": "0.1 ms"}],
        },
        {"on_pre": "v_post += 1"},
        "has synapses that add to v and others that do not",
    ),
    "a current and a jump": (
        {"equations": "dv/dt = (u - v)/tau : 1\ndu/dt = -u/tau : 1"},
        {"on_pre": "v_post += 1"},
        "has other inputs than du/dt and synapses that add to u",
    ),
    "statements": (
        {**LIF, "regularly": [{"code": "v *= 0.9", "dt": "0.1 ms"}]},
        {},
        "has statements that run regularly",
    ),
    "growth": ({"equations": "dv/dt = v/tau : 1"}, {}, "grows with v"),
    "a weight that depends on the state": (
        LIF,
        {"on_pre": "v_post += 0.1*(1 - v_post)"},
        "projection 'p' adds '0.1*(1 - v_post)', which is no constant weight",
    ),
    "plasticity": (
        LIF,
        {"equations": "w : 1", "on_pre": "v_post += w", "on_post": "w += 0.1"},
        "projection 'p' acts on spikes of its target",
    ),
    "a trace": (
        LIF,
        {"equations": "w : 1\ndx/dt = -x/tau : 1 (event-driven)", "on_pre": "v_post += w\nx += 1"},
        "projection 'p' has dx/dt, and NIR's weights do not change",
    ),
    "a delay for each synapse": (
        LIF,
        {"delay": "(i + 2*j + 1)*0.1*ms"},
        "projection 'p' has a delay for each synapse",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_nir_cannot_say_is_named(name, tmp_path):
    cell, projection, said = REFUSED[name]
    one = model(cell, projection)
    with pytest.raises(UserError) as error:
        nodes(one, tmp_path)
    assert said in str(error.value)
    assert not (tmp_path / "one.nir").exists()


@pytest.mark.parametrize("name", ["a cubic", "plasticity", "a refractory period"])
def test_extension_nodes_hold_what_nir_cannot_say(name, tmp_path):
    cell, projection, _ = REFUSED[name]
    one = model(cell, projection, record={"v": {"population": "cell", "variables": ["v"]}})
    ng.export(one, tmp_path / "one.nir", to="nir", extension=True)
    back = ng.from_nir(tmp_path / "one.nir")
    assert back.spec.populations["cell"] == one.spec.populations["cell"]
    assert back.spec.projections["p"] == one.spec.projections["p"]
    before, after = (m.run(backend="numpy", progress=False).data for m in (one, back))
    assert np.array_equal(before["v_v"], after["v_v"])


@pytest.mark.parametrize(
    "source",
    [
        {"size": 3, "rates": "high*(1 + i)"},
        {"size": 3, "rates": "r_0*10", "equations": "r_0 = 2*Hz + high : Hz"},
        SOURCE,
    ],
)
def test_what_drives_an_input_comes_back(source, tmp_path):
    one = model(LIF, populations={"source": source}, parameters={"tau": "10 ms", "high": "60 Hz"})
    ng.export(one, tmp_path / "one.nir", to="nir")
    back = ng.from_nir(tmp_path / "one.nir").spec
    before, after = (m.populations["source"] for m in (one.spec, back))
    assert (before.equations, before.threshold) == (after.equations, after.threshold)
    assert before.spikes == after.spikes
    assert [*back.populations] == ["source", "cell"]


def test_stimuli_and_phases_are_named(tmp_path):
    equations = "dv/dt = (I - v)/tau : 1\nI : 1"
    drive = {"to": "cell", "variable": "I", "amplitude": "2", "start": "1 ms", "duration": "1 ms"}
    one = model({"equations": equations}, stimulus={"drive": drive})
    with pytest.raises(UserError, match="population 'cell' has a stimulus"):
        nodes(one, tmp_path)
    ng.export(one, tmp_path / "one.nir", to="nir", extension=True)
    assert ng.from_nir(tmp_path / "one.nir").spec.stimuli == one.spec.stimuli


def test_a_sum_that_reads_its_target_is_named(tmp_path):
    cell = {"equations": "dv/dt = (s - v)/tau : 1\ns : 1"}
    other = {"size": 2, "equations": "du/dt = -u/tau : 1"}
    gap = {
        "from": "other",
        "to": "cell",
        "equations": "s_post = 0.1*(u_pre - v_post) : 1 (summed)",
        "connect": {"rule": "all"},
    }
    one = model(cell, populations={"other": other}, projections={"gap": gap})
    with pytest.raises(UserError, match="projection 'gap' "):
        nodes(one, tmp_path)


# ------------------------------------------------------------------------------------------- reading


def graph(*chain, size=2, inputs=3):
    made = {"input": nir.Input({"input": np.array([inputs])}), **dict(chain)}
    names = [*made]
    made["out"] = nir.Output({"output": np.array([size])})
    return nir.NIRGraph(made, [*zip(names, [*names[1:], "out"], strict=True)], type_check=False)


def lif(size=2, tau=1e-2):
    one = np.ones(size)
    return nir.LIF(one * tau, one, one * 0, one, one * 0)


def test_an_input_is_silent_units_until_something_is_said():
    one = ng.from_nir(graph(("w", nir.Linear(np.ones((2, 3)))), ("lif", lif())))
    assert one.notes == (
        "input 'input' is silent: --set input_rate='10 Hz' makes it 3 Poisson units",
    )
    data = (
        one.with_settings({"input_rate": "500 Hz", "model.duration": "20 ms"})
        .run(backend="numpy", progress=False)
        .data
    )
    assert data["out_time"].size >= 0 and one.spec.dt == 1e-4


def test_numbers_of_a_graphs_names_are_kept_apart():
    one = ng.from_nir(
        graph(
            ("0", nir.Linear(np.ones((2, 3)))),
            ("1", lif()),
            ("2.x", nir.Linear(np.eye(2))),
            ("3", lif()),
        )
    )
    assert [*one.spec.populations] == ["input", "lif_1", "lif_3"]


def test_the_step_and_the_duration_are_said_or_those_of_the_graph():
    one = graph(("w", nir.Linear(np.ones((2, 3)))), ("lif", lif()))
    one.metadata = {"dt": 1e-3, "duration": 0.2}
    assert (ng.from_nir(one).spec.dt, ng.from_nir(one).spec.duration) == (1e-3, 0.2)
    made = ng.from_nir(one, dt=2e-3, duration=0.1).spec
    assert (made.dt, made.duration) == (2e-3, 0.1)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: graph(("w", nir.Linear(np.ones((2, 4)))), ("lif", lif())), "takes 4 channels and is reached by 3"),
        (lambda: graph(("w", nir.Linear(np.ones((2, 3)))), ("lif", lif(4))), "node 'lif' has 4 units and is reached by 2 channels"),
        (lambda: nir.NIRGraph({"a": nir.Linear(np.eye(2)), "lif": lif()}, [("a", "a"), ("a", "lif")], type_check=False), "circle without a neuron"),
        (lambda: nir.NIRGraph({"lif": lif()}, [("lif", "nosuch")], type_check=False), "'nosuch', which is not there"),
        (lambda: graph(("conv", nir.Conv2d((3, 3), np.ones((1, 1, 2, 2)), 1, 0, 1, 1, np.zeros(1))), ("lif", lif())), "has the shape"),
    ],
)  # fmt: skip
def test_a_graph_that_makes_no_sense_is_named(made, said):
    with pytest.raises(UserError, match=said):
        ng.from_nir(made())


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"nosuch": np.zeros((3, 3))}, "has no input 'nosuch'"),
        ({"input": np.zeros((3, 4))}, "has 3 channels, and 4 are given"),
        ({"input": np.full((3, 3), np.nan)}, "finite|numbers"),
    ],
)
def test_inputs_that_do_not_fit_are_named(inputs, said):
    with pytest.raises(UserError, match=said):
        ng.from_nir(graph(("w", nir.Linear(np.ones((2, 3)))), ("lif", lif())), inputs=inputs)


@pytest.mark.parametrize("kind", ["Conv2d", "Conv1d", "SumPool2d", "AvgPool2d"])
def test_windows_are_torchs(kind):
    torch = pytest.importorskip("torch")
    from neuroglia_snn.exchange.nir.maps import _Window

    draw = np.random.default_rng(0)
    if kind == "Conv1d":
        weight, bias, shape = draw.normal(size=(4, 2, 3)), draw.normal(size=4), (4, 9)
        node = nir.Conv1d(9, weight, 2, 1, 2, 2, bias)
        theirs = torch.nn.functional.conv1d
        options = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
    elif kind == "Conv2d":
        weight, bias, shape = draw.normal(size=(6, 1, 3, 2)), draw.normal(size=6), (2, 8, 7)
        node = nir.Conv2d((8, 7), weight, (2, 1), (1, 0), (1, 2), 2, bias)
        theirs = torch.nn.functional.conv2d
        options = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}
    else:
        shape = (2, 6, 8)
        node = getattr(nir, kind)(np.array([2, 4]), np.array([2, 2]), np.array([1, 2]))
        factor = 8 if kind == "SumPool2d" else 1
        x = draw.normal(size=shape)
        expected = (
            torch.nn.functional.avg_pool2d(torch.tensor(x[None]), (2, 4), (2, 2), (1, 2)) * factor
        )
    matrix, offset = _Window("node", node, shape).matrix()
    if "Pool" not in kind:
        x = draw.normal(size=shape)
        expected = theirs(*map(torch.tensor, (x[None], weight, bias)), **options)
    assert np.allclose(matrix @ x.ravel() + offset, expected.numpy().ravel(), rtol=0, atol=1e-12)


def test_same_padding_keeps_the_size():
    from neuroglia_snn.exchange.nir.maps import _Window

    node = nir.Conv2d((5, 5), np.ones((1, 1, 3, 3)), 1, "same", 1, 1, np.zeros(1))
    assert _Window("node", node, (1, 5, 5)).out == (1, 5, 5)


# ------------------------------------------------------------------------------------ the command line


def test_the_commands_go_there_and_back(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model(LIF).save("mine.toml")
    assert main(["export", "mine.toml", "--to", "nir"]) == 0
    written, said = capsys.readouterr()
    assert written == "mine.nir\n" and "to note: 'source' is an input of the graph" in said
    assert main(["import", "mine.nir", "--out", "back.toml", "--dt", "0.2 ms"]) == 0
    assert capsys.readouterr().out == "back.toml\nback.npz\nneuroglia run back.toml\n"
    assert ng.load("back.toml").spec.dt == 2e-4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "mine.toml", "--to", "nir", "--out", "mine.txt"], "a NIR graph ends in .nir"),
        (["export", "mine.toml", "--to", "nir", "--device", "cpp_standalone"], "takes no device"),
        (["export", "mine.toml", "--to", "brian2", "--extension"], "extension nodes are NIR's"),
        (["import", "nosuch.nir", "--out", "back.toml"], "nosuch.nir: not a NIR file"),
        (["import", "mine.nir", "--out", "back.toml"], "mine.nir: not a NIR file"),
        (["import", "other.nir", "--out", "back.toml"], "node 'x' is no node of NIR 1.0 (type 'Odd')"),
        (["import", "mine.nir", "--out", "b.toml", "--inputs", "mine.toml"], "no .npz file of arrays"),
        (["import", "mine.py", "--out", "b.toml", "--dt", "1 ms"], "are for a NIR graph"),
        (["import", "other.nir", "--out", "b.toml", "--dt", "1 mV"], "--dt is a time"),
        (["import", "other.nir", "--out", "b.npz"], "a model file ends in .toml"),
    ],
)  # fmt: skip
def test_mistakes_cost_a_sentence(words, said, tmp_path, capsys, monkeypatch):
    h5py = pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)
    model(LIF).save("mine.toml")
    (tmp_path / "mine.nir").write_text("no graph")
    with h5py.File("other.nir", "w") as file:
        file["node/type"] = "NIRGraph"
        file["node/nodes/x/type"] = "Odd"
        file["node/edges"] = np.zeros((0, 2), "S1")
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error and len(error.splitlines()) == 1


def test_without_nir_one_sentence_says_what_to_type(tmp_path):
    code = (
        "import sys; sys.modules['nir'] = None\n"
        "from neuroglia_snn.cli import main\n"
        "sys.exit(main(['export', 'fhn_excitable', '--to', 'nir']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2 and "pip install 'neuroglia_snn[nir]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
