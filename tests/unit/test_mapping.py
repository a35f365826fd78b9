"""Placing models on cores; hardware files."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from neuroglia_snn import mapping
from neuroglia_snn.catalog import files, hardware
from neuroglia_snn.errors import BackendError, CatalogError, ModelError, ResultError

SMALL = {
    "population.neuron.shape": "[40, 40]",
    "population.astrocyte.shape": "[13, 13]",
    "model.duration": "1500 ms",
}


@pytest.fixture(scope="module")
def loihi2():
    return mapping.map_to("noise_induced_memory", "loihi2", SMALL)


def chip(tmp_path, **changes):
    """A hardware file like Loihi 2's with other entries."""
    text = files.find("hardware", "loihi2").read_text(encoding="utf-8")
    for key, value in changes.items():
        lines = text.splitlines()
        line = next(n for n, x in enumerate(lines) if x.startswith(f"{key} ="))
        lines[line] = f"{key} = {value}"
        text = "\n".join(lines)
    path = tmp_path / "chip.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def known(value: int) -> str:
    return f'{{ value = {value}, source = "a test", confidence = "low" }}'


def test_every_number_of_the_catalogue_has_a_source_or_is_unknown():
    for name in files.names("hardware"):
        loaded = hardware.load(name)
        assert set(loaded.entries) == set(hardware.KEYS)
        for entry in loaded.entries.values():
            assert entry.value is None or (
                entry.source and entry.confidence in hardware.CONFIDENCES
            )


def test_the_memory_model_on_loihi_2(loihi2):
    neuron = loihi2["populations"]["neuron"]
    assert loihi2["cores"] == neuron["cores"] >= 1 and loihi2["chips"] == 1
    assert neuron["fullest_core"] <= 1
    assert loihi2["populations"]["astrocyte"]["placed_on"] == "embedded processors"
    laplacian = loihi2["couplings"]["neuron_L_U"]
    assert (laplacian["fan_in"], laplacian["fan_out"], laplacian["payload_bits"]) == (5, 5, 24)
    assert loihi2["couplings"]["neuron_to_astrocyte_n_active"]["fan_in"] == 16
    per_step = 2 * 1600 + (2 * 1600 + 169) / 50  # astrocytes exchange every 50 steps
    assert loihi2["messages_per_step"] == pytest.approx(per_step, abs=0.05)
    assert loihi2["messages_per_step_on_change"] < loihi2["messages_per_step"]
    assert loihi2["variables"]["neuron.U"]["format"] == "Q3.20"
    assert "in_axons_per_core" in loihi2["unknown"]
    assert loihi2["fits"] and not loihi2["does_not_fit"]


def test_synapses_are_counted(loihi2):
    """4 n - 4 sqrt(n) neighbours, n own values, twice; and one astrocyte for each neuron it covers."""
    n = 1600
    synapses = 2 * (4 * n - 4 * 40 + n) + n
    bits = 8 + int(np.log2(8192))
    expected = synapses * bits // 8
    assert loihi2["populations"]["neuron"]["synapse_memory_bytes"] == pytest.approx(expected, abs=8)


def test_loihi_1_says_why_it_cannot():
    summary = mapping.map_to("noise_induced_memory", "loihi1", SMALL)
    assert not summary["fits"] and summary["cores"] == 0
    said = "\n".join(summary["does_not_fit"])
    assert "population 'neuron'" in said and "leaky integrate-and-fire" in said
    assert "sends 24 bits a message, a spike carries 0" in said


@pytest.mark.parametrize(
    ("key", "limit"),
    [("neurons_per_core", 100), ("in_axons_per_core", 400), ("core_memory_bytes", 9000)],
)
def test_no_core_exceeds_a_limit_and_all_units_are_placed(tmp_path, key, limit):
    from neuroglia_snn.catalog.load import load
    from neuroglia_snn.mapping.report import map_model

    target = hardware.load(chip(tmp_path, **{key: known(limit)}))
    _, placements = map_model(load("noise_induced_memory", SMALL), target)
    cores = next(p for p in placements if p.population == "neuron").cores
    assert len(cores) > 1
    units = np.concatenate([c.units for c in cores])
    assert sorted(units) == list(range(1600))
    for core in cores:
        used = {
            "neurons_per_core": core.units.size,
            "in_axons_per_core": core.in_axons,
            "core_memory_bytes": core.state_bytes + core.synapse_bits / 8,
        }
        assert used[key] <= limit


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weight_bits": "8"}, "'weight_bits' must be { value"),
        ({"weight_bits": "{ value = 8 }"}, "needs a source and a confidence"),
        ({"weight_bits": '{ value = "eight", source = "x", confidence = "low" }'}, "whole number"),
        ({"cores_per_chip": '{ value = "unknown" }'}, "'cores_per_chip' must be known"),
        (
            {"cores_per_chip": known(10**6)},
            "whole number of at least 1 and at most 10000, not 1000",
        ),
        (
            {"payload_bits": known(-1)},
            "'payload_bits' must be a whole number of at least 0 and .* or",
        ),
        *(
            ({key: known(0)}, f"'{key}' must be a whole number of at least 1.*, not 0")
            for key in hardware.NUMBERS
            if key not in hardware.MAY_BE_ZERO
        ),
    ],
)
def test_a_bad_hardware_file_is_one_sentence(tmp_path, changes, said):
    with pytest.raises(CatalogError, match=said):
        hardware.load(chip(tmp_path, **changes))


def test_a_chip_may_have_none_of_some_things(tmp_path):
    loaded = hardware.load(chip(tmp_path, **{key: known(0) for key in hardware.MAY_BE_ZERO}))
    assert all(loaded.number(key) == 0 for key in hardware.MAY_BE_ZERO)


def test_a_model_that_cannot_be_mapped_is_one_sentence():
    said = "^'fhn_excitable' cannot be mapped, .*'lava' cannot run it: population 'unit': a refrac"
    with pytest.raises(BackendError, match=said):
        mapping.map_to("fhn_excitable", "loihi2")


def test_an_unknown_name_or_entry_names_the_nearest(tmp_path):
    with pytest.raises(CatalogError, match="did you mean 'loihi"):
        hardware.load("loihi3")
    path = tmp_path / "h.toml"
    path.write_text("[hardware]\nneurons_percore = 3\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="did you mean 'neurons_per_core'"):
        hardware.load(str(path))
    with pytest.raises(ModelError, match="cannot be read"):
        hardware.load(str(tmp_path / "gone.toml"))


def test_results_are_not_written_over(tmp_path):
    mapping.map_to("noise_induced_excitability", "loihi2", {}, tmp_path / "a")
    with pytest.raises(ResultError, match="holds a result already"):
        mapping.map_to("noise_induced_excitability", "loihi2", {}, tmp_path / "a")
    (tmp_path / "b").write_text("mine")
    with pytest.raises(ResultError, match="b is a file; --out takes a folder"):
        mapping.map_to("noise_induced_excitability", "loihi2", {}, tmp_path / "b")


def test_the_command_line(tmp_path):
    command = [sys.executable, "-m", "neuroglia_snn", "map", "noise_induced_excitability"]
    out = tmp_path / "map"
    done = subprocess.run(
        [*command, "--hardware", "loihi2", "--out", str(out), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    summary = json.loads(done.stdout)
    assert summary == json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["cores"] == 1 and (out / "cores.png").stat().st_size > 1000
    bad = subprocess.run(
        [*command, "--hardware", "loihi7"], capture_output=True, text=True, check=False
    )
    assert bad.returncode == 2 and bad.stderr.startswith("neuroglia: no hardware target is called")


# ------------------------------------------------------------------------ errors

OSCILLATORS = """
[model]
dt = "1 ms"
integrator = "INTEGRATOR"
duration = "2000 ms"
[parameters]
k = { value = "1/(64*ms)" }  # a power of two: its coefficients are exact
[population.a]
size = 400
equations = '''
dx/dt = k*y : 1
dy/dt = -k*x : 1
'''
initial = { x = "cos(0.1*i)", y = "sin(0.1*i)" }
range = { x = ["-4", "4", 20, "ROUNDING"], y = ["-4", "4", 20, "ROUNDING"] }
"""


def mapped_oscillators(tmp_path, integrator: str, rounding: str) -> dict:
    path = tmp_path / "m.toml"
    text = OSCILLATORS.replace("INTEGRATOR", integrator).replace("ROUNDING", rounding)
    path.write_text(text, encoding="utf-8")
    return mapping.map_to(str(path), "loihi2")["variables"]


@pytest.mark.parametrize("integrator", ["euler", "heun"])
def test_the_predicted_error_is_the_simulated_one_where_roundings_are_independent(
    tmp_path, integrator
):
    """Oscillators neither shrink nor grow an error. 400 of them: the rms has a relative error of 4 %."""
    for variable in mapped_oscillators(tmp_path, integrator, "stochastic").values():
        ratio = variable["error_rms_seen"] / variable["rounding_rms_over_the_run"]
        assert 0.8 < ratio < 1.25


def test_roundings_to_nearest_are_not_independent_and_the_summary_shows_it(tmp_path):
    for variable in mapped_oscillators(tmp_path, "heun", "nearest").values():
        assert variable["error_rms_seen"] > 1.5 * variable["rounding_rms_over_the_run"]


def test_errors_are_seen_without_noise(loihi2):
    seen = loihi2["variables"]["neuron.V"]["error_rms_seen"]
    assert 0 < seen < 0.01
    assert any("without noise" in line for line in loihi2["assumptions"])
