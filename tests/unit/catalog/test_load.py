"""From TOML tables to a model."""

from __future__ import annotations

import json

import pytest

from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import ModelError, UserError
from neuroglia_snn.spec import Endpoint


def test_the_memory_model():
    model = load("noise_induced_memory")
    assert (model.noise, model.dt, model.duration) == ("stratonovich", 2e-6, 1.5)
    neuron, astrocyte = model.populations.values()
    assert (neuron.shape, neuron.size, neuron.dt, neuron.integrator) == (
        (130, 130),
        16900,
        2e-6,
        "heun",
    )
    assert (astrocyte.shape, astrocyte.dt, astrocyte.integrator) == ((43, 43), 1e-4, "heun")
    assert model.projections["neuron_to_astrocyte"].dt == 1e-4  # its target's
    assert model.stimuli["train"].end == pytest.approx(0.406)
    assert model.images() == {"train": (130, 130), "test": (130, 130)}
    assert model.parameters["tau_r"].value.si == pytest.approx(1 / 0.14)


@pytest.mark.parametrize("name", files.names("models"))
def test_loading_twice_gives_the_same(name):
    assert load(name) == load(name)


def test_a_digest_follows_the_content(write):
    path = str(write())
    assert load(path).digest == load(path).digest != load(path, {"tau": "9 ms"}).digest


def test_overrides(write):
    path = str(write())
    assert load(path, {"tau": "5 ms"}).parameters["tau"].value.si == 5e-3
    with pytest.raises(ModelError, match="'tau' = -5 ms is below its minimum"):  # which stays
        load(path, {"parameters.tau": "-5 ms"})
    assert load(path, {"model.dt": "0.2 ms"}).dt == 2e-4
    assert load(path, {"population.cell.shape": "[5, 6]"}).populations["cell"].shape == (5, 6)
    assert load(path, {"stimulus.pulse.count": "2"}).stimuli["pulse"].count == 2


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("tua", "1", "did you mean 'tau'"),
        ("tau", "-5 ms", "below its minimum 0 ms"),
        ("parameters.tau", "-5 ms", "below its minimum 0 ms"),
        ("tau", "x", "not a number with units"),
        ("population.sell.shape", "[1]", "no table 'population.sell'"),
        ("population.cell.shap", "[1]", "did you mean 'shape'"),
        ("population.cell.shape", "[1", "not a list such as"),
        ("model.dt", "0.1", "'dt' = 0.1 has no unit"),
        ("model.extends", "x", "only be set in the file"),
    ],
)
def test_wrong_overrides(key, value, said, write):
    with pytest.raises(UserError, match=said) as error:
        load(str(write()), {key: value})
    assert "\n" not in str(error.value)


def test_parts_of_populations(write):
    edit = ('from = "cell"\nto = "glia"\nconnect = { rule = "footprint", size = [4, 4], step = [3, 3] }',
            'from = "cell[0:8]"\nto = "glia"\nconnect = { rule = "all" }')  # fmt: skip
    source = load(str(write(edit))).projections["watch"].source
    assert source == Endpoint("cell", 0, 8) and str(source) == "cell[0:8]"
    for part in ("cell[8:0]", "cell[0:17]", "cell[-1:3]", "cell[0:8"):
        with pytest.raises(ModelError, match=r"watch|part of population"):
            load(str(write((edit[0], edit[1].replace("cell[0:8]", part)))))


def test_one_event_for_every_pathway(write):
    text = 'equations = "n_post = v_pre : 1 (summed)"'
    code = 'on_pre = { a = "n_post += 1", b = "n_post += 2" }\non_event = "rise"'
    assert load(str(write((text, code)))).projections["watch"].on_event == {
        "a": "rise",
        "b": "rise",
    }


def test_an_amplitude_becomes_an_expression(write):
    assert (
        load(str(write(('amplitude = "2"', 'amplitude = "2 mV"')))).stimuli["pulse"].amplitude
        == "2*mV"
    )


def test_without_a_population():
    model = load("noise_induced_memory").without("astrocyte")
    assert list(model.populations) == ["neuron"] and list(model.projections) == ["neighbours"]
    assert "calcium" not in model.records and set(model.stimuli) == {"train", "test"}
    assert "without" in model.digest
    with pytest.raises(UserError, match="no population 'glia' to leave out"):
        model.without("glia")
    with pytest.raises(UserError, match="a model needs at least one"):
        model.without("neuron")
    coba = load("tripartite_coba").without("astrocyte")  # synapses onto synapses go, too
    assert set(coba.projections) == {"excitation", "inhibition"}


def test_only_what_was_parsed_is_left_of_a_text(tmp_path):
    """A lone carriage return ends a line for Python and C++: no comment may reach them."""
    file = tmp_path / "m.toml"
    file.write_text(
        """[model]
dt = "0.1 ms"
duration = "1 ms"
integrator = "euler"
[population.cell]
size = 2
equations = '''
dv/dt = -v /   tau  # decay; of v
  + 0x10*Hz : 1     # β
tau : s (constant)
'''
threshold = '''v>1 # spikes; often
 and v<3'''
reset = "v=1_0; w = v  # local; really"
refractory = "2 ms"
initial = { v = "3 # three", tau = "20 ms" }
"""
    )
    cell = load(str(file)).populations["cell"]
    assert cell.equations == "dv/dt = -v/tau + 16*Hz : 1\ntau : s (constant)"
    assert (cell.threshold, cell.reset) == ("v > 1 and v < 3", "v = 10\nw = v")
    assert (cell.refractory, cell.initial) == ("2*ms", {"v": "3", "tau": "20*ms"})


@pytest.mark.parametrize(
    "text",
    [
        "1 # x\rif(1)",
        "1\v+ 1",
        "\uff45xp(1)",
        "1 + \u2028 1",
        "1\x00",
        "x\\\n",
        "`1`",
        "1 ?? 2",
        "'a'",
    ],
)
@pytest.mark.parametrize("key", ["threshold", "reset", "refractory", "equations"])
def test_characters_of_other_languages_are_refused(key, text, tmp_path):
    form = {"threshold": "v > {}", "reset": "v = {}", "equations": "dv/dt = {}\n*Hz : 1"}
    file = tmp_path / "m.toml"
    given = {"equations": "dv/dt = -v*Hz : 1", "threshold": "v > 1"}
    given |= {key: form.get(key, "{}").format(text)}
    lines = [f"{k} = {json.dumps(v)}" for k, v in given.items()]
    file.write_text(
        '[model]\ndt = "0.1 ms"\nduration = "1 ms"\nintegrator = "euler"\n[population.cell]\nsize = 2\n'
        + "\n".join(lines)
    )
    if text.startswith("1 # x"):  # what is after the sign is a comment, and is gone
        cell = load(str(file)).populations["cell"]
        assert "if" not in f"{cell.threshold}{cell.reset}{cell.refractory}{cell.equations}"
        return
    with pytest.raises(ModelError) as error:
        load(str(file))
    assert str(error.value).startswith(f"{file}:") and str(error.value).isprintable()
