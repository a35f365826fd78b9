"""From TOML tables to a model."""

from __future__ import annotations

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
