"""Runs and sweeps from Python: results in memory, and in a folder where one is asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image

import neuroglia_snn as ng

SHEET = {
    "model": {"title": "Sheet", "dt": "0.1 ms", "duration": "5 ms"},
    "parameters": {"tau": "5 ms", "strength": 1},
    "population": {
        "sheet": {
            "shape": [4, 5],
            "equations": "dv/dt = (-v + strength*I)/tau : 1\nI : 1",
            "initial": {"v": "rand()"},
            "integrator": "exact",
            "threshold": "v > 0.9",
            "reset": "v = 0",
        }
    },
    "stimulus": {
        "spot": {
            "to": "sheet",
            "variable": "I",
            "amplitude": "2",
            "start": "1 ms",
            "duration": "3 ms",
            "image": "spot",
        }
    },
    "record": {
        "sheet": {"population": "sheet", "variables": ["v"], "every": "1 ms"},
        "spikes": {"population": "sheet", "events": True},
    },
}
SPOT = np.zeros((4, 5), bool)
SPOT[1:3, 2:4] = True


@pytest.fixture(scope="module")
def sheet():
    return ng.Model(SHEET, name="sheet")


@pytest.fixture(scope="module")
def result(sheet):
    return sheet.run(seed=3, images={"spot": SPOT}, progress=False)


def test_a_result_is_in_memory_and_nothing_is_written(sheet, result, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    again = sheet.run(seed=3, images={"spot": SPOT.astype(float)}, progress=False)
    assert not [*tmp_path.iterdir()]
    xr.testing.assert_identical(again.data, result.data)
    assert again.model.name == "sheet" and again.summary["seed"] == 3
    assert again.measures["spikes_rate_Hz"] > 0
    assert again.data["sheet_v"].dims == ("time_sheet", "row_sheet", "column_sheet")
    assert "spikes_rate_Hz" in again._repr_html_() and "spikes_rate_Hz=" in repr(again)


def test_a_result_is_saved_and_not_over_another(result, tmp_path):
    folder = result.save(tmp_path / "out", figures="svg")
    assert sorted(p.name for p in folder.iterdir()) == ["data.nc", "records.svg", "summary.json"]
    with xr.open_dataset(folder / "data.nc") as kept:
        np.testing.assert_array_equal(kept["sheet_v"], result.data["sheet_v"])
    with pytest.raises(ng.UserError, match="holds a result already"):
        result.save(folder)
    result.save(folder, force=True)
    assert not (folder / "records.svg").exists() and (folder / "records.png").exists()
    with pytest.raises(ng.UserError, match="png, svg, pdf"):
        result.save(tmp_path / "other", figures="gif")
    assert ng.report(folder).exists()
    page = ng.report(result.save(tmp_path / "vector", figures="svg"))
    assert "data:image/svg+xml;base64," in page.read_text(encoding="utf-8")
    with pytest.raises(ng.UserError, match=r"end in .png or .svg: the figure records.pdf does not"):
        ng.report(result.save(tmp_path / "print", figures="pdf"))


def test_a_run_may_write_as_it_goes(sheet, result, tmp_path):
    kept = ng.run(sheet, tmp_path / "out", seed=3, images={"spot": SPOT}, progress=False)
    xr.testing.assert_identical(kept.data, result.data)
    assert (tmp_path / "out" / "summary.json").exists()


def test_images_are_asked_for_and_fit(sheet):
    with pytest.raises(
        ng.UserError, match=r"shows the image 'spot' of 4 x 5 pixels: .*--image spot"
    ):
        sheet.run(progress=False)
    with pytest.raises(ng.UserError, match=r"takes no image 'other' \(it shows spot"):
        sheet.run(images={"spot": SPOT, "other": SPOT}, progress=False)
    with pytest.raises(ng.UserError, match="3 x 3 pixels"):
        sheet.run(images={"spot": np.eye(3)}, progress=False)
    with pytest.raises(ng.UserError, match="not binary"):
        sheet.run(images={"spot": SPOT * 0.5}, progress=False)
    large = np.kron(SPOT, np.ones((2, 2)))
    fitted = sheet.run(images={"spot": large}, resize=True, progress=False)
    assert fitted.shown.images["spot"].tolist() == SPOT.tolist()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nosuch": 1}, "takes no --nosuch"),
        ({"control": True}, "no glia to leave out"),
        ({"seed": -1}, "seed must be"),
        ({"backend": "nosuch"}, "no backend 'nosuch'"),
        ({"seeds": 0}, "--seeds"),
        ({"workers": 2}, "add --seeds"),
        ({"resume": True}, "folder"),
        ({"seed": "1"}, "a whole number, not a value of type str"),
        ({"images": [SPOT]}, "a mapping of values by name"),
    ],
)
def test_options_that_mean_nothing_are_refused(sheet, options, said):
    given = {"images": {"spot": SPOT}, "progress": False} | options
    with pytest.raises(ng.UserError, match=said):
        sheet.run(**given)


def test_several_seeds_are_one_result(sheet):
    several = sheet.run(seed=2, seeds=3, images={"spot": SPOT}, progress=False)
    assert several.data["replica"].values.tolist() == [2, 3, 4]
    alone = [
        sheet.run(seed=seed, images={"spot": SPOT}, progress=False).measures["spikes_rate_Hz"]
        for seed in (2, 3, 4)
    ]
    assert several.measures["spikes_rate_Hz"] == pytest.approx(np.mean(alone))
    assert several.summary["standard_deviations"]["spikes_rate_Hz"] == pytest.approx(
        np.std(alone, ddof=1)
    )


def test_a_sweep_is_a_dataset(sheet):
    scan = sheet.sweep(
        {"model.dt": ["0.1 ms", "0.2 ms"]},
        strength=np.linspace(0.5, 1, 3),
        seeds=2,
        images={"spot": SPOT},
        progress=False,
    )
    assert scan["spikes_rate_Hz"].dims == ("model.dt", "strength", "seed")
    one = sheet.with_parameters(strength=0.75).run(seed=1, images={"spot": SPOT}, progress=False)
    found = scan["spikes_rate_Hz"].sel({"model.dt": 0.1, "strength": 0.75, "seed": 1})
    assert float(found) == one.measures["spikes_rate_Hz"]
    with pytest.raises(ng.UserError, match="several values"):
        sheet.sweep(strength=1)


def test_a_measure_and_a_figure_of_ones_own(sheet, monkeypatch, tmp_path):
    from neuroglia_snn.experiments import registry

    monkeypatch.setattr(registry, "MEASURES", {})
    monkeypatch.setattr(registry, "FIGURES", {})

    @ng.measure
    def top(result):
        return result.data["sheet_v"].max()

    @ng.figure
    def mean(result):
        figure = result.plot.records()
        figure.suptitle("mean")
        return figure

    found = sheet.run(images={"spot": SPOT}, progress=False)
    assert found.measures["top"] == float(found.data["sheet_v"].max())
    assert {"mean", "movie", "records"} <= {*dir(found.plot)}
    assert (found.save(tmp_path / "out") / "mean.png").exists()
    assert "top" in sheet.sweep(strength=[1, 2], images={"spot": SPOT}, progress=False)

    @ng.measure
    def broken(result):
        return result.nosuch

    assert sheet.run(images={"spot": SPOT}, progress=False).measures["broken"] is None


def test_a_movie_has_a_frame_for_each_time(result, tmp_path):
    path = result.plot.movie("sheet_v", tmp_path / "sheet.gif")
    with Image.open(path) as movie:
        assert movie.n_frames == result.data.sizes["time_sheet"]
    with pytest.raises(ng.UserError, match="no record of a lattice"):
        result.plot.movie("spikes_time", path)
    with pytest.raises(ng.UserError, match=r"ends in .gif or .mp4"):
        result.plot.movie("sheet_v", tmp_path / "sheet.avi")
    with pytest.raises(AttributeError, match="no figure 'nosuch'"):
        result.plot.nosuch()


@pytest.mark.parametrize(
    ("paper", "options", "said"),
    [
        ("noise-memory", {"nosuch": 1}, "no option 'nosuch'"),
        ("nosuch", {}, "no paper 'nosuch'"),
        ("anan", {"data": "/nosuch"}, "/nosuch is neither a folder"),
        ("anan", {"seed": "a"}, "--seed: invalid int value: 'a'"),
        ("anan", {"folds": "b"}, "--folds: invalid int value: 'b'"),
        ("anan", {"folds": [2, 3]}, "folds is one value"),
        ("anan", {"multiclass": "x"}, "unrecognized arguments: x"),
    ],
)
def test_a_reproduction_reads_its_options_as_its_command_does(paper, options, said, tmp_path):
    with pytest.raises(ng.UserError, match=re.escape(said)):
        ng.reproduce(paper, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_reproduction_is_written_where_it_is_asked_to():
    with pytest.raises(ng.UserError, match="out is the path of a file or folder"):
        ng.reproduce("anan", None)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "call",
    [
        "load('fhn_excitable').with_settings({'model.duration': '1 ms'}).run(seeds=2, workers=2)",
        pytest.param(
            "load('fhn_excitable').sweep({'model.duration': ['1 ms', '2 ms']}, workers=2)",
            id="sweep",
        ),
    ],
)
def test_a_script_without_a_guard_is_told_so_once(tmp_path, call):
    script = tmp_path / "script.py"
    script.write_text(f"import neuroglia_snn as ng\nng.{call}\n")
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(ng.__file__).parents[1])},
    )
    assert done.returncode == 1
    assert "if __name__ == '__main__':" in done.stderr.strip().splitlines()[-1]
    assert done.stderr.count("Traceback") == 1, done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strength": np.array(3.0)}, "several values"),
        ({"over": ["strength"]}, "over is a mapping of values by setting"),
        ({"seeds": "2"}, "whole number"),
        ({"workers": "2"}, "whole number"),
        ({"out": 5}, "out is the path of a file or folder, not a value of type int"),
        ({"records": 5}, "records are names"),
        ({"best": 5}, "best is a text"),
        ({"images": [SPOT]}, "a mapping of values by name"),
        ({"over": {"strength": [1, 2]}}, "'strength' is swept twice"),
        ({"over": {"parameters.strength": [3, 4]}}, "'strength' is swept twice"),
    ],
)
def test_a_sweep_refuses_what_it_cannot_mean(sheet, given, said):
    given = {"strength": [1, 2], "images": {"spot": SPOT}, "progress": False} | given
    with pytest.raises(ng.UserError, match=said):
        sheet.sweep(given.pop("over", None), **given)


@pytest.mark.parametrize(
    "call",
    [
        lambda model: ng.report(3),
        lambda model: ng.report(model),
        lambda model: ng.map(model, 3),
        lambda model: ng.map(model, "loihi2", out=3),
        lambda model: ng.run(model, 3),
        lambda model: ng.run(model, model),
    ],
)
def test_what_is_no_path_is_refused(sheet, call):
    with pytest.raises(ng.UserError, match="is the path of a file or folder, not a value of type"):
        call(sheet)


def test_a_sweep_leaves_the_users_session_as_it_is(sheet, monkeypatch):
    def hook(*_):
        pass

    monkeypatch.setattr(sys, "excepthook", hook)
    sheet.sweep(strength=[1, 2], images={"spot": SPOT}, progress=False)
    assert sys.excepthook is hook


def test_what_is_to_note_of_a_sweeps_model_is_said_once(capfd):
    model = ng.Model(SHEET | {"parameters": SHEET["parameters"] | {"unused": 1}})
    model.sweep(strength=[1, 2], seeds=2, images={"spot": SPOT}, progress=False)
    assert capfd.readouterr().err.count("'unused' is never used") == 1


def test_a_sweep_is_another_with_other_measures(sheet, tmp_path, monkeypatch):
    from neuroglia_snn.experiments import registry

    given = {"strength": [1, 2], "images": {"spot": SPOT}, "progress": False}
    monkeypatch.setattr(registry, "MEASURES", {})
    sheet.sweep(out=tmp_path / "plain", **given)
    assert "own" not in (tmp_path / "plain" / "sweep.json").read_text()
    ng.measure(_first)
    found = sheet.sweep(out=tmp_path / "measured", **given)
    assert "_first" in found
    sheet.sweep(out=tmp_path / "measured", **given)
    with pytest.raises(ng.UserError, match=r"another sweep .*own measures none, not _first"):
        sheet.sweep(out=tmp_path / "plain", **given)


def _first(result):
    return 1.0


def test_an_image_of_the_experiment_is_a_keyword_of_a_sweep():
    given = {"sigma2": [0, 0.1], "progress": False, "train": "nosuch.png", "test": "nosuch.png"}
    with pytest.raises(ng.UserError, match=r"nosuch\.png"):
        ng.sweep("noise_induced_memory", **given)
    with pytest.raises(ng.UserError, match="the image 'train' is given twice"):
        ng.sweep("noise_induced_memory", images={"train": "nosuch.png"}, **given)


@pytest.mark.thorough
def test_a_sweep_keeps_records_where_it_is_asked_to(sheet, tmp_path):
    given = {"images": {"spot": SPOT}, "progress": False, "records": ["sheet_v"]}
    scan = sheet.sweep(strength=[0.5, 1], seeds=2, out=tmp_path / "scan", **given)
    assert scan["sheet_v"].dims == ("strength", "seed", "time_sheet", "row_sheet", "column_sheet")
    one = sheet.with_parameters(strength=1).run(seed=1, images={"spot": SPOT}, progress=False)
    np.testing.assert_array_equal(scan["sheet_v"].sel(strength=1, seed=1), one.data["sheet_v"])
    with xr.open_dataset(tmp_path / "scan" / "sweep.nc") as kept:
        np.testing.assert_array_equal(kept["sheet_v"], scan["sheet_v"])
    with pytest.raises(ng.UserError, match=r"no record 'sheet_w', did you mean 'sheet_v'"):
        sheet.sweep(strength=[0.5, 1], **{**given, "records": ["sheet_w"]})
    one = sheet.sweep(strength=[0.5, 1], **{**given, "records": "sheet_v"})
    np.testing.assert_array_equal(one["sheet_v"][:, 0], scan["sheet_v"][:, 0])
