"""Experiments, measures and figures of a user's own file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import neuroglia_snn as ng
from neuroglia_snn import cli, experiments
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments import registry

MINE = '''
import neuroglia_snn as ng
from neuroglia_snn.experiments import Experiment, Option


def draw(result):
    return result.plot.records()


class Peak(Experiment):
    """How high a unit gets."""

    kind = "peak"
    keys = {"record": (str,), "scale": (int, float)}
    defaults = {"scale": 1.0}
    options = (Option("twice", bool, "count it twice"),)
    figures = {"peak": draw}
    measures_itself = True

    def check(self, reporter):
        name = reporter.model.experiment["record"]
        if name not in reporter.model.records:
            reporter.error(f"no record '{name}'", "experiment", "record")

    def measure(self, result):
        scale = result.spec.experiment["scale"] * (2 if result.summary["options"].get("twice") else 1)
        return {"peak": scale * float(result.data["cell_v"].max())}


@ng.measure
def lowest(result):
    return float(result.data["cell_v"].min())
'''
MODEL = """
[model]
title = "Decay"
dt = "0.1 ms"
duration = "2 ms"

[population.cell]
size = 2
equations = "dv/dt = -v/(5*ms) : 1"
integrator = "exact"
initial = { v = "2" }

[record.cell]
population = "cell"
variables = ["v"]

[experiment]
kind = "peak"
record = "cell"
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in (("_OWN", {}), ("MEASURES", {}), ("FIGURES", {}), ("FILES", [])):
        monkeypatch.setattr(registry, name, value)
    Path("mine.py").write_text(MINE)
    Path("model.toml").write_text(MODEL)
    return tmp_path


def test_a_file_of_ones_own_works_in_run_and_sweep_and_report(place):
    command = ["run", "model.toml", "--experiment", "mine.py", "--twice", "--out", "out", "--quiet"]
    assert cli.main(command) == 0
    summary = json.loads(Path("out/summary.json").read_text())
    assert summary["results"]["peak"] == 4.0 and 0 < summary["results"]["lowest"] < 2
    assert Path("out/peak.png").exists() and not Path("out/records.png").exists()
    assert cli.main(["report", "out"]) == 0
    over = ["--over", "experiment.scale=1,3", "--workers", "2", "--out", "scan", "--quiet"]
    assert cli.main(["sweep", "model.toml", "--experiment", "mine.py", *over]) == 0
    summary = json.loads(Path("scan/summary.json").read_text())
    assert summary["results"]["largest_peak"] == 6.0


def test_several_seeds_have_the_options_too(place):
    command = ["run", "model.toml", "--experiment", "mine.py", "--twice", "--seeds", "2", "--quiet"]
    assert cli.main([*command, "--out", "out"]) == 0
    summary = json.loads(Path("out/summary.json").read_text())
    assert summary["results"]["peak"] == 4.0 and summary["options"] == {"twice": True}
    assert "--experiment" in summary["command"]


PROTOCOL = """
from neuroglia_snn.experiments import Option, OwnProtocol


class Sum(OwnProtocol):
    kind = "sum"
    options = (Option("size", int, "how much"),)

    def identity(self, model, options):
        return {}

    def carry_out(self, model, options, work):
        import numpy as np

        size = options.own.get("size", 1)
        parts = [work.part(f"{n}", lambda: {"a": np.array(size)})["a"] for n in range(2)]
        if options.seed == 5 and not options.resume:
            raise KeyboardInterrupt
        return {"results": {"sum": int(sum(parts))}}
"""


def test_an_own_protocol_heeds_its_options_or_refuses_them(place, capsys):
    Path("mine.py").write_text(PROTOCOL)
    text = MODEL.replace('kind = "peak"', 'kind = "sum"').replace('record = "cell"\n', "")
    Path("model.toml").write_text(text.replace("[experiment]\n", "[experiment]\n"))
    command = ["run", "model.toml", "--experiment", "mine.py", "--out", "out", "--quiet"]
    for flags in (["--threads", "2"], ["--seeds", "2"], ["--backend", "cpp"], ["--control"]):
        assert cli.main([*command, *flags]) == 2
        assert f"takes no {flags[0]}" in capsys.readouterr().err
    assert cli.main([*command, "--size", "3", "--seed", "5"]) == 130
    assert cli.main([*command, "--size", "5", "--seed", "5", "--resume"]) == 2
    assert "another options" in capsys.readouterr().err
    assert cli.main([*command, "--size", "3", "--seed", "5", "--resume"]) == 0
    assert json.loads(Path("out/summary.json").read_text())["results"] == {"sum": 6}


def test_a_measure_that_fails_loses_no_run(place, capsys):
    Path("mine.py").write_text(
        MINE + "\n\n@ng.measure\ndef broken(result):\n    return result.nosuch\n"
    )
    assert (
        cli.main(["run", "model.toml", "--experiment", "mine.py", "--out", "out", "--quiet"]) == 0
    )
    assert "the measure 'broken' fails (AttributeError" in capsys.readouterr().err
    summary = json.loads(Path("out/summary.json").read_text())
    assert summary["results"]["peak"] == 2.0 and summary["results"]["broken"] is None
    assert "broken" in summary["failed_measures"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ('Option("seed", int, "x")', "an option cannot be called 'seed'"),
        ('Option("data", str, "x")', "option 'data' has another type in the experiment"),
        ('Option("gain", complex, "x")', "option 'gain' is of type"),
    ],
)
def test_options_that_cannot_be_are_refused(place, option, said):
    text = MINE.replace('Option("twice", bool, "count it twice")', option)
    Path("mine.py").write_text(text)
    with pytest.raises(UserError, match=re.escape(said)):
        experiments.load_file("mine.py")


def test_an_abbreviation_is_no_flag(place, capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", "model.toml", "--exp", "mine.py"])


def test_a_sweep_takes_the_experiments_options_by_keyword(place):
    experiments.load_file("mine.py")
    model = ng.load("model.toml")
    once = model.sweep({"experiment.scale": [1, 3]}, progress=False)
    twice = model.sweep({"experiment.scale": [1, 3]}, twice=True, progress=False)
    assert twice["peak"].values.tolist() == (2 * once["peak"]).values.tolist()


def test_a_sweep_in_this_process_runs_a_file_once_and_knows_its_content(place, capsys):
    Path("mine.py").write_text(MINE + "\nopen('runs', 'a').write('run ')\n")
    command = ["sweep", "model.toml", "--experiment", "mine.py", "--over", "experiment.scale=1,3"]
    assert cli.main([*command, "--out", "scan", "--quiet"]) == 0
    assert Path("runs").read_text() == "run "
    assert [*registry.MEASURES] == ["lowest"]
    Path("mine.py").write_text(MINE)
    assert cli.main([*command, "--out", "scan", "--quiet"]) == 2
    assert "holds another sweep (own files mine.py" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_class_of_the_session_is_an_experiment(place):
    @ng.experiment
    class Peak(experiments.Experiment):
        kind = "peak"
        keys = {"record": (str,)}  # noqa: RUF012
        measures_itself = True

        def measure(self, result):
            return {"peak": float(result.data["cell_v"].max())}

    model = ng.load("model.toml")
    assert model.run(progress=False).measures == {"peak": 2.0}
    scan = model.sweep({"population.cell.initial.v": [1, 3]}, workers=2, progress=False)
    assert scan["peak"].values.tolist() == [[1.0], [3.0]]
    with pytest.raises(UserError, match="there is an experiment 'classifier' already"):
        ng.experiment(type("Other", (experiments.Experiment,), {"kind": "classifier"}))
    with pytest.raises(UserError, match="is a class of"):
        ng.experiment(3)


def test_without_its_file_a_kind_is_unknown(place, capsys):
    assert cli.main(["run", "model.toml", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "model.toml:18" in said and "associative-memory" in said


def test_its_checks_and_options_are_used(place, capsys):
    text = MODEL.replace('record = "cell"', 'record = "other"')
    Path("model.toml").write_text(text)
    assert cli.main(["run", "model.toml", "--experiment", "mine.py", "--quiet"]) == 2
    assert "no record 'other'" in capsys.readouterr().err
    assert cli.main(["run", "fhn_excitable", "--experiment", "mine.py", "--twice", "--quiet"]) == 2
    assert "takes no --twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1/0", "mine.py:1: ZeroDivisionError"),
        ("x = (", "mine.py:1: SyntaxError"),
        (
            "from neuroglia_snn import Experiment\nclass A(Experiment): pass",
            "class A states no kind",
        ),
    ],
)
def test_a_file_that_is_wrong_costs_a_sentence(place, text, said):
    Path("mine.py").write_text(text)
    with pytest.raises(UserError, match=re.escape(said)):
        experiments.load_file("mine.py")
    with pytest.raises(UserError, match="takes a Python file"):
        experiments.load_file("nosuch.py")


def test_a_model_file_names_no_code(place, capsys):
    Path("model.toml").write_text(MODEL.replace('kind = "peak"', 'kind = "mine.py"'))
    Path("mine.py").write_text("raise SystemExit('ran')")
    assert cli.main(["check", "model.toml"]) == 2
    assert "ran" not in capsys.readouterr().err


def test_the_core_has_no_word_of_a_paper():
    """But names of catalogue models in examples, and what issues of their own will move."""
    words = (
        "mnist|retina|anan|associative|recall|cue|free.energy|culture|canonical.network|classifier"
        "|mean.field"
    )
    core = Path(ng.__file__).parent
    found = []
    for path in core.rglob("*.py"):
        inside = path.relative_to(core).as_posix()
        if inside.startswith("papers/") or inside == "datasets.py":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            plain = re.sub(r"fhn_classifier|fep_culture|noise_induced_\w+", "", line)
            if re.search(rf"\b({words})\b", plain, re.IGNORECASE):
                found.append(f"{inside}:{number}: {line.strip()}")
    assert not found
