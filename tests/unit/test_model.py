"""Models as Python users hold them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from brian2 import ms, mV, second

import neuroglia_snn as ng
from neuroglia_snn.catalog.load import load as loaded

DECAY = {
    "model": {"title": "Decay", "dt": 0.1 * ms, "duration": "10 ms"},
    "parameters": {"tau": 5 * ms},
    "population": {
        "cell": {
            "size": 3,
            "equations": "dv/dt = -v/tau : 1",
            "initial": {"v": 1},
            "integrator": "exact",
        }
    },
    "record": {"cell": {"population": "cell", "variables": ["v"]}},
}


def test_a_model_made_in_python_runs_and_is_a_file(tmp_path):
    decay = ng.Model(DECAY, name="decay")
    result = decay.run(progress=False)
    times = result.data["time_cell"].values
    np.testing.assert_allclose(result.data["cell_v"][:, 0], np.exp(-times / 5), rtol=1e-12)
    path = tmp_path / "decay.toml"
    path.write_text(decay.to_toml(), encoding="utf-8")
    again = ng.load(path)
    assert again.spec == decay.spec and not again.check()
    np.testing.assert_array_equal(again.run(progress=False).data["cell_v"], result.data["cell_v"])


def test_a_model_made_in_python_is_checked_like_a_file():
    wrong = {**DECAY, "population": {"cell": {**DECAY["population"]["cell"], "threshold": "w > 1"}}}
    with pytest.raises(ng.UserError, match=r"decay.toml:\d+: .*'w'"):
        ng.Model(wrong, name="decay")
    with pytest.raises(ng.UserError, match="cannot hold a value of type object"):
        ng.Model(model={"title": object()})


def test_parameters_are_numbers_quantities_and_texts():
    model = ng.load("noise_induced_memory")
    changed = model.with_parameters(sigma2=np.float32(0.5), tau_r=7 * second)
    assert changed.parameters["sigma2"] == 0.5 and changed.parameters["tau_r"] == 7 * second
    assert model.parameters["sigma2"] != 0.5  # a model does not change
    assert changed.spec == loaded("noise_induced_memory", {"sigma2": "0.5", "tau_r": "7.0 second"})
    with pytest.raises(ng.UserError, match="sigma3"):
        model.with_parameters(sigma3=1)
    with pytest.raises(ng.UserError, match="tau_r"):
        model.with_parameters(tau_r=7 * mV)


def test_a_population_is_left_out_of_a_model():
    model = ng.load("noise_induced_memory").without("astrocyte")
    assert [*model.spec.populations] == ["neuron"]
    with pytest.raises(ng.UserError, match="no population 'nosuch'"):
        model.without("nosuch")
    assert "[population.astrocyte]" not in model.to_toml()
    assert not [f for f in model.check() if f.severity == "error"]
    whole = ng.load("noise_induced_memory")
    assert any("astrocyte" in line for line in ng.diff(whole, model))


@pytest.mark.thorough
def test_without_astrocytes_a_network_takes_other_cores():
    whole = ng.load("noise_induced_memory")
    assert ng.map(whole.without("astrocyte"), "loihi2") != ng.map(whole, "loihi2")


def test_a_model_is_saved_with_its_data_files(tmp_path):
    (tmp_path / "first").mkdir()
    np.save(tmp_path / "first" / "v.npy", np.arange(3.0))
    tables = {**DECAY, "population": {"cell": {**DECAY["population"]["cell"]}}}
    tables["population"]["cell"]["initial"] = {"v": {"file": "v.npy"}}
    model = ng.Model(tables, name="decay", folder=tmp_path / "first")
    with pytest.raises(ng.UserError, match=r"names data files .v.npy.: save"):
        model.to_toml()
    (tmp_path / "second").mkdir()
    path = model.save(tmp_path / "second" / "decay.toml")
    found = ng.load(path).run(progress=False).data["final_cell_v"]
    np.testing.assert_allclose(found, np.exp(-2) * np.arange(3), rtol=1e-12)
    with pytest.raises(ng.UserError, match="exists already"):
        model.save(path)


def test_units_may_have_values_of_their_own(tmp_path):
    np.savetxt(tmp_path / "v.csv", [1, 2, 3], header="v", comments="")
    key = "population.cell.initial.v"
    model = ng.Model(DECAY)
    for given in ([1, 2, 3], np.array([1.0, 2, 3]), str(tmp_path / "v.csv")):
        found = model.with_settings({key: given}).run(progress=False).data["final_cell_v"]
        np.testing.assert_allclose(found, np.exp(-2) * np.arange(1, 4), rtol=1e-12)
    named = model.with_settings({key: str(tmp_path / "v.csv")})
    with pytest.raises(ng.UserError, match=r"a setting names the data file .*v\.csv"):
        named.save(tmp_path / "named.toml")
    assert not (tmp_path / "named.toml").exists()
    for given, said in (([1, 2], "each of the 3 units"), ([1, 2, 3] * mV, "'volt' found")):
        with pytest.raises(ng.UserError, match=rf"--set {key}=.*{said}"):
            model.with_settings({key: given}).run(progress=False)


def test_models_are_compared_shown_and_pickled():
    model = ng.load("noise_induced_memory")
    changed = model.with_parameters(sigma2=0.5)
    lines = changed.diff(model)
    assert lines == ng.diff(changed, "noise_induced_memory") and len(lines) == 2
    assert "sigma2" in lines[0] and "0.5" in lines[0]
    assert "sigma2=0.5" in repr(changed) and "dU/dt" in str(changed)
    assert "Noise-induced memory" in changed._repr_html_()
    assert pickle.loads(pickle.dumps(changed)).spec == changed.spec


def test_html_holds_no_markup_of_the_users():
    model = ng.Model({**DECAY, "model": {**DECAY["model"], "title": "<script>x</script>"}})
    assert "<script>" not in model._repr_html_()
    assert "<script>" not in model.run(progress=False)._repr_html_()


def test_what_is_no_model_is_refused():
    with pytest.raises(ng.UserError, match="name in the catalogue"):
        ng.load(3)
