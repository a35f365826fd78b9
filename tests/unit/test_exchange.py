"""What gets into an exported script: parsed code, quoted strings and comments, under safe names."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import brian2
import pytest
from fuzz import injections

from neuroglia_snn import UserError, export
from neuroglia_snn.catalog.load import load
from neuroglia_snn.cli import main
from neuroglia_snn.exchange import text
from neuroglia_snn.exchange.plain import expression
from neuroglia_snn.exchange.to_brian2 import script
from neuroglia_snn.language.quantities import parse_unit


def exported(path, **options) -> str:
    out = path.with_suffix(".py")
    export(path, out, force=True, **options)
    return out.read_text(encoding="utf-8")


@pytest.mark.one_in(4)
@pytest.mark.parametrize("piece", [*injections.CODE, *injections.AFTER, *injections.ODD])
def test_no_prose_of_a_model_changes_the_code_of_its_script(piece, write):
    model = load(write())
    plain = ast.dump(ast.parse(script(model, {}).text))
    shown = {n: replace(p, about=piece, source=piece) for n, p in model.parameters.items()}
    hostile = replace(model, title=piece, description=piece, doi=piece, parameters=shown)
    written = script(hostile, {}, origin=piece).text
    assert ast.dump(ast.parse(written)) == plain
    assert ast.dump(ast.parse(written.encode())) == plain  # no encoding of its own
    first, second = written.split("\n")[:2]
    assert first == "# A Brian2 script, which needs Brian2 and NumPy alone." and second == "#"


def test_a_comment_is_a_comment_whatever_ends_a_line():
    for end in injections.BREAKS:
        lines = text.comment(f"a{end}import os{end}{end}b")
        assert all(line.startswith("#") for line in "\n".join(lines).splitlines())


@pytest.mark.parametrize(
    "piece", ["a'b", 'a"b', "a\\b", "a[0]", "a; b", "a\rb", "\u00e4", "@a", "a#b"]
)
def test_code_that_no_parser_has_written_is_an_error_of_ours(piece):
    with pytest.raises(ValueError, match="no parsed code"):
        text.code(piece)


@pytest.mark.parametrize("name", ["run", "data", "heun", "updater"])
def test_a_parameter_of_a_name_that_the_script_needs_is_refused(name, write, capsys):
    path = write(("tau", name), ("v)/tau", f"v)/{name}"), ("-c/tau", f"-c/{name}"))
    status = main(["export", str(path), "--to", "brian2", "--out", str(path.with_suffix(".py"))])
    said = capsys.readouterr().err
    assert status == 2 and len(said.strip().splitlines()) == 1
    assert f"parameter '{name}'" in said and "give it another one" in said
    assert not path.with_suffix(".py").exists()


def test_groups_and_records_get_out_of_the_way_of_names_that_mean_something(write):
    path = write(
        ("population.cell]", "population.run]"),
        ("population.cell.", "population.run."),
        ('from = "cell"', 'from = "run"'),
        ('to = "cell"', 'to = "run"'),
        ('from = "cell"', 'from = "run"'),
        ('to = "cell"', 'to = "run"'),
        ('population = "cell"', 'population = "run"'),
        ("record.trace", "record.seed"),
    )
    written = exported(path)
    assert "run_group = NeuronGroup(" in written and "seed_monitor = StateMonitor(" in written
    assert written.rstrip().endswith("run(10*ms, report='text')")


def test_a_population_called_as_a_unit_of_the_script_leaves_it_the_unit(write):
    path = write()
    path.write_text(path.read_text().replace("glia", "ms"))
    written = exported(path)
    assert "ms_group = NeuronGroup(" in written and "defaultclock.dt = 0.1*ms" in written


def test_variables_named_as_attributes_of_a_group_are_set_as_variables(write):
    path = write(("b : 1\n", "b : 1\nequations : 1\n"), ('v = "0.5"', 'v = "0.5"\nequations = "2"'))
    assert "cell.state('equations')[:] = 2.0" in exported(path)


@pytest.mark.parametrize(
    ("settled", "spelled"),
    [
        ("neuroglia_float(i)/3", "1.0*i/3"),
        ("neuroglia_remainder(x, neuroglia_float(n))", "x%(1.0*n)"),
        ("neuroglia_quotient(i, 2)", "i//2"),
        ("neuroglia_floor(x)/3", "1.0*floor(x)/3"),
        ("(neuroglia_floor(x) + 1)/n", "1.0*(floor(x) + 1)/n"),
        ("neuroglia_floor(x)*0.5/3", "floor(x)*0.5/3"),
        ("neuroglia_clip(x, a, b) + neuroglia_sign(y)", "clip(x, a, b) + sign(y)"),
        ("neuroglia_whole(neuroglia_cut(x))", "int(int(x))"),
    ],
)
def test_functions_of_ours_are_spelled_in_brian2s(settled, spelled):
    assert expression(settled) == spelled


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0001, "0.1*ms"),
        (2e-6, "0.002*ms"),
        (1.5, "1.5*second"),
        (1e-3 / 3, "0.0003333333333333333*second"),
    ],
)
def test_times_are_written_with_a_unit_that_gives_them_again(seconds, written):
    assert text.time(seconds) == written


@pytest.mark.parametrize("unit", ["newton", "gray"])
def test_units_that_brian2_does_not_offer_by_a_star_are_imported(unit, write):
    path = write(('v_th = "1"', f'v_th = "1"\nc0 = "2 {unit}"'), ("-c/tau", f"-c/tau*c0/{unit}"))
    assert f"from brian2.units.allunits import {unit}" in exported(path)


def test_a_summary_says_what_was_written(write, capsys):
    path = write()
    out = path.with_name("cell.py")
    command = ["export", str(path), "--to", "brian2", "--out", str(out)]
    assert main([*command, "--set", "tau=5 ms", "--seed", "3", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["script"] == str(out) and summary["data"] is None
    assert summary["set"] == {"tau": "5 ms"} and summary["device"] == "runtime"
    assert "tau = 5*ms" in out.read_text() and "seed(3)" in out.read_text()


def test_an_earlier_script_is_not_written_over(write, capsys):
    path = write()
    out = path.with_name("cell.py")
    out.write_text("mine")
    command = ["export", str(path), "--to", "brian2", "--out", str(out)]
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err and out.read_text() == "mine"
    assert main([*command, "--force"]) == 0
    assert out.read_text() != "mine"


@pytest.mark.parametrize("name", ["cell.txt", "no/cell.py", "numpy.py", "ast.py"])
def test_a_script_that_cannot_be_written_costs_a_sentence(name, write, capsys):
    path = write()
    command = [
        "export",
        str(path),
        "--to",
        "brian2",
        "--out",
        str(path.with_name("x").parent / name),
    ]
    assert main(command) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_options_that_a_model_does_not_use_are_refused(write):
    path = write()
    with pytest.raises(UserError, match="--resize is for images that you give"):
        export(path, path.with_suffix(".py"), resize=True)
    with pytest.raises(UserError, match="takes no image 'train'"):
        export(path, path.with_suffix(".py"), images={"train": "a.png"})
    with pytest.raises(UserError, match="takes no --nosuch"):
        export(path, path.with_suffix(".py"), own={"nosuch": 1})
    with pytest.raises(UserError, match="not to 'nosuch'"):
        export(path, path.with_suffix(".py"), to="nosuch")
    with pytest.raises(UserError, match="device is runtime"):
        export(path, path.with_suffix(".py"), device="gpu")
    assert not path.with_suffix(".py").exists()


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("1", "1"),
        ("molar/second", "mmolar/second"),
        ("newton", "metre*kilogram*second**-2"),
        ("1/(molar*second)", "metre**3*second**-1*mole**-1"),
        ("amp*kelvin*candle", "amp*kelvin*candle"),
        ("second**-0.5", "second**-0.5"),
    ],
)
def test_units_of_equations_are_those_that_brian2_takes(unit, written):
    dimensions = parse_unit(unit)
    assert text.base_unit(dimensions) == written
    assert brian2.Equations(f"x : {written}")["x"].dim is dimensions


def test_long_equations_are_broken_between_summands():
    long = "x = " + " + ".join(f"a{n}*(b - {n} + c)" for n in range(20))
    written = text.wrapped(long, " : volt (unless refractory)")
    lines = written.split("\n")
    assert max(map(len, lines)) <= 96 and len(lines) > 2
    assert all(line.startswith("    + a") for line in lines[1:])
    assert " ".join(written.split()) == f"{long} : volt (unless refractory)"
    assert brian2.Equations(written.replace("(unless refractory)", ""))["x"].expr.code == long[4:]


def test_the_example_of_the_documentation_is_what_is_written(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "howto" / "exchange.md"
    export("fhn_excitable", tmp_path / "unit.py")
    start = "from brian2 import *"
    _, _, shown = page.read_text().partition(f"```python\n{start}")
    _, _, written = (tmp_path / "unit.py").read_text().partition(start)
    assert shown.partition("```")[0] == written
