"""What Python passes to a run: taken as it is meant, or refused in a sentence that says what to write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import brian2
import numpy as np
import pytest

import neuroglia_snn
from neuroglia_snn import UserError
from neuroglia_snn.catalog.load import load
from neuroglia_snn.options import Options
from neuroglia_snn.runs import run

MODEL = "noise_induced_memory"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1, "1"),
        (np.float64(0.1), "0.1"),
        ("0.1", "0.1"),
        (np.array(0.1), "0.1"),
        (0.1 * brian2.mV / brian2.mV, "0.1"),
    ],
)
def test_a_parameter_may_be_any_number(value, text):
    assert Options(overrides={"sigma2": value}).flags() == ["--set", f"sigma2={text}"]
    assert load(MODEL, {"sigma2": value}).parameters["sigma2"].value.si == 0.1 if value != 1 else 1


def test_quantities_lists_and_truth_values_are_settings():
    settings = {"model.dt": 0.001 * brian2.ms, "population.neuron.shape": np.array([20, 22])}
    model = load(MODEL, settings | {"model.duration": 2 * brian2.second})
    assert model.dt == pytest.approx(1e-6) and model.duration == 2.0
    assert model.populations["neuron"].shape == (20, 22)
    assert Options(overrides={"some.key": np.True_}).overrides == {"some.key": "true"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"sigma2": None}, "'sigma2' cannot be set to a value of type NoneType: give a text"),
        ({"sigma2": np.array([0.1 + 1j])}, "cannot be set to a value of type ndarray"),
        ({"sigma2": 1 + 1j}, "cannot be set to a value of type complex"),
        ({1: 2}, "a setting has a name"),
        (["sigma2=0.1"], "settings by name"),
        ("sigma2=0.1", "settings by name"),
        (np.zeros(3), "settings by name"),
    ],
)
def test_a_setting_that_is_none_is_one_sentence(overrides, said):
    for ask in (lambda: Options(overrides=overrides), lambda: load(MODEL, overrides)):
        with pytest.raises(UserError, match=said) as error:
            ask()
        assert "\n" not in str(error.value)


def test_an_array_as_a_parameter_is_one_sentence():
    with pytest.raises(UserError, match="not a number"):
        load(MODEL, {"sigma2": np.zeros(3)})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"images": np.zeros((3, 3))}, "Options.images is a mapping of values by name"),
        ({"seed": "3"}, "Options.seed is a whole number"),
        ({"seed": 1.5}, "Options.seed is a whole number"),
        ({"seed": True}, "Options.seed is a whole number"),
        ({"threads": None}, "Options.threads is a whole number"),
        ({"without": "astrocyte"}, "Options.without is a list of populations"),
        ({"without": 5}, "Options.without is a list of populations"),
        ({"resume": 1}, "Options.resume is True or False"),
        ({"backend": None}, "Options.backend is a name"),
        ({"own": 5}, "Options.own is a mapping of values by name"),
    ],
)
def test_an_option_of_another_type_is_one_sentence(options, said):
    with pytest.raises(UserError, match=said):
        Options(**options)


def test_paths_may_be_texts_and_whole_numbers_numpys():
    images = {"train": "a.png", "test": Path("b.png")}
    options = Options(images=images, seed=np.int64(3), without=["astrocyte"])
    assert options.images["train"] == Path("a.png") and type(options.seed) is int
    assert options.without == ("astrocyte",)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            lambda: (load("fhn_excitable"), "out"),
            "not by a value of type Model; write what changes",
        ),
        (lambda: (3, "out"), "not by a value of type int"),
        (lambda: ("fhn_excitable", 5), "out is the path of a folder"),
        (lambda: ("fhn_excitable", "out", {"seed": 1}), "options are Options"),
    ],
)
def test_run_says_what_it_takes(arguments, said):
    with pytest.raises(UserError, match=said):
        run(*arguments())


def test_a_model_may_be_a_path_object(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text('[model]\nextends = "fhn_excitable"\n', encoding="utf-8")
    assert load(path).name == "m"
    assert not neuroglia_snn.check(path)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    ("first", "error", "brians"),
    [
        ("pass", "ng.run('nosuch', 'out')", False),
        ("pass", "1/0", False),
        ("import brian2", "ng.run('nosuch', 'out')", False),
        ("import brian2", "1/0", True),  # whoever imports Brian2 before us keeps its hook
    ],
)
def test_uncaught_errors_are_not_reported_to_brian2(tmp_path, first, error, brians):
    script, folder = tmp_path / "script.py", tmp_path / "temporary"
    folder.mkdir()
    script.write_text(f"{first}\nimport neuroglia_snn as ng\n{error}\n", encoding="utf-8")
    environment = {
        "TMPDIR": str(folder),
        "PYTHONPATH": str(Path(neuroglia_snn.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env=environment | {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 1 and "Traceback" in done.stderr
    assert ("report this issue" in done.stderr) == brians
    assert bool(list(folder.iterdir())) == brians
