"""Names that a model file may give: none that means something in a generated program."""

from __future__ import annotations

import re
import subprocess

import pytest
from helpers import zoo

from neuroglia_snn import backends, checks, names
from neuroglia_snn.backends import fused
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian import project, standalone
from neuroglia_snn.errors import ModelError

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


@pytest.mark.parametrize("backend", ["cpp", "fused"])
def test_no_macro_of_a_generated_program_can_be_a_name(backend, tmp_path):
    """`names` lists the macros of all headers that generated programs include."""
    request = zoo.zoo(tmp_path)
    code = tmp_path / "code"
    with project.device(2):
        if backend == "cpp":
            standalone.generate(request, code, project.SEED)
        else:
            fused.generate(request, code)
    sources = [*code.glob("*.cpp"), *code.glob("code_objects/*.cpp")]
    headers = {
        line for p in sources for line in re.findall(r"#include\s*<[^>]+>", p.read_text("utf-8"))
    }
    assert len(headers) > 5
    done = subprocess.run(
        [project.compiler(), "-fopenmp", "-x", "c++", "-dM", "-E", "-I", str(code), "-"],
        input="\n".join(h for h in sorted(headers) if "brianlib" not in h),
        capture_output=True,
        text=True,
        check=True,
    )
    macros = re.findall(r"#define (\w+)", done.stdout)
    assert len(macros) > 500
    assert [m for m in macros if names.refusal(m) is None] == []
