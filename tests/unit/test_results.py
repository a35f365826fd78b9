"""What a result saves, draws and says: files that are whole, figures that are right, valid JSON."""

from __future__ import annotations

import ast
import builtins
import copy
import gc
import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from subprocess import CalledProcessError

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import neuroglia_snn as ng
from neuroglia_snn import experiments
from neuroglia_snn.experiments import registry
from neuroglia_snn.results import dumps, movie

SHEET = {
    "model": {"title": "Sheet", "dt": "0.1 ms", "duration": "5 ms"},
    "population": {
        "sheet": {
            "shape": [4, 5],
            "equations": "dv/dt = -v/(5*ms) : 1",
            "initial": {"v": "rand()"},
            "integrator": "exact",
        }
    },
    "record": {"sheet": {"population": "sheet", "variables": ["v"], "every": "1 ms"}},
}


@pytest.fixture(scope="module")
def sheet():
    return ng.Model(SHEET, name="sheet")


@pytest.fixture(scope="module")
def result(sheet):
    return sheet.run(progress=False)


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def kept_in(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


# ------------------------------------------------------------------ experiments of their own protocol


class Twice(experiments.OwnProtocol):
    """Writes two files itself, one in a folder below."""

    kind = "twice"

    def identity(self, model, options):
        return {}

    def carry_out(self, model, options, work):
        kept = work.folder / "part" / "curve.png"
        kept.parent.mkdir()
        Figure().savefig(kept)
        xr.Dataset({"x": ("trial", [1.0, np.nan])}).to_netcdf(work.folder / "data.nc")
        return {
            "results": {"x": np.nan},
            "data": str(work.folder / "data.nc"),
            "figures": [str(kept)],
        }


@pytest.fixture
def twice(monkeypatch):
    monkeypatch.setattr(registry, "_OWN", {"twice": Twice})
    return ng.Model({**SHEET, "experiment": {"kind": "twice"}}, name="twice")


OWN_FILES = ["data.nc", "part/curve.png", "summary.json"]


def test_an_own_protocols_result_is_saved_whole_and_over_nothing(twice, tmp_path):
    made = twice.run(progress=False)
    before = copy.deepcopy(made.summary)
    mine = tmp_path / "out" / "run" / "data.nc"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    for name in ("out", "again"):
        folder = made.save(tmp_path / name)
        assert [n for n in files_in(folder) if n != "run/data.nc"] == OWN_FILES
        kept = kept_in(folder)
        assert kept["data"] == str(folder / "data.nc")
        assert kept["figures"] == [str(folder / "part" / "curve.png")]
        assert ng.report(folder).exists()
    assert mine.read_text() == "mine" and made.summary == before
    with pytest.raises(ng.UserError, match="takes no --figures"):
        made.save(tmp_path / "vector", figures="svg")
    assert not (tmp_path / "vector").exists()
    mine = tmp_path / "third" / "part" / "curve.png"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(ng.UserError, match=r"holds a result already \(part/curve.png\)"):
        made.save(tmp_path / "third")
    assert mine.read_text() == "mine" and not (tmp_path / "third" / "data.nc").exists()
    made.save(tmp_path / "third", force=True)
    assert files_in(tmp_path / "third") == OWN_FILES
    (tmp_path / "fourth").mkdir()
    (tmp_path / "fourth" / "part").write_text("mine")
    with pytest.raises(ng.UserError, match="cannot be written"):
        made.save(tmp_path / "fourth")


def test_an_own_protocols_folder_is_saved_elsewhere_without_what_else_is_there(
    twice, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    Path("out", "notes.txt").write_text("mine")
    made = twice.run("out", progress=False)
    monkeypatch.chdir(tmp_path / "out")  # its path was relative
    assert files_in(made.save(tmp_path / "copy")) == OWN_FILES
    with pytest.raises(ng.UserError, match="holds a result already"):
        made.save(tmp_path / "out")
    made.save(tmp_path / "out", force=True)
    assert files_in(tmp_path / "out") == sorted([*OWN_FILES, "notes.txt"])
    (tmp_path / "out" / "data.nc").write_bytes(b"another run's")
    with pytest.raises(ng.UserError, match=r"data.nc is no longer as this run wrote it"):
        made.save(tmp_path / "late")
    assert not (tmp_path / "late").exists()


def test_an_own_protocols_result_has_no_figure_of_records(twice):
    made = twice.run(progress=False)
    assert dir(made.plot) == ["movie"]
    with pytest.raises(AttributeError, match=r"no figure 'records' \(it has: movie\)"):
        made.plot.records()


def test_what_was_written_for_a_result_in_memory_goes_with_it(twice):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = twice.run(progress=False)
        folder = Path(made.summary["data"]).parent
        assert files_in(folder) == OWN_FILES
        del made
        gc.collect()
    assert not folder.exists()
    assert not [w for w in said if issubclass(w.category, ResourceWarning)]


# ------------------------------------------------------------------------------------------- figures


def test_saving_changes_no_summary(result, tmp_path):
    before = copy.deepcopy(result.summary)
    result.save(tmp_path / "out")
    assert result.summary == before


def test_a_figure_that_fails_is_left_out(sheet, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(registry, "FIGURES", {})

    @ng.figure
    def absent(result):
        return result.data["nosuch"]

    @ng.figure
    def number(result):
        return 3

    found = sheet.run(tmp_path / "out", progress=False)
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("the figure 'absent' fails (KeyError: ") and len(said) == 2
    assert all(line.endswith("): left out") for line in said)
    kept = kept_in(tmp_path / "out")
    assert [*kept["failed_figures"]] == [*found.summary["failed_figures"]] == ["absent", "number"]
    assert files_in(tmp_path / "out") == ["data.nc", "records.png", "summary.json"]
    with pytest.raises(KeyError):
        found.plot.absent()
    registry.FIGURES.clear()
    kept = kept_in(found.save(tmp_path / "good"))
    assert "failed_figures" not in kept


def test_a_figure_has_a_name_that_can_be_called(monkeypatch):
    monkeypatch.setattr(registry, "FIGURES", {})

    def movie(result):
        return None

    def _hidden(result):
        return None

    for function in (movie, _hidden, lambda result: None):
        with pytest.raises(ng.UserError, match=r"cannot be had as result.plot.*: rename it"):
            ng.figure(function)
    assert not registry.FIGURES


def test_records_of_several_seeds_are_means_over_time(sheet):
    several = sheet.run(seed=2, seeds=3, progress=False)
    (axis,) = several.plot.records().axes
    *each, mean = axis.lines
    values = several.data["sheet_v"]
    assert len(each) == 3
    for line, seed in zip(each, (2, 3, 4), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), values["time_sheet"])
        of_seed = values.sel(replica=seed).mean(("row_sheet", "column_sheet"))
        np.testing.assert_allclose(line.get_ydata(), of_seed, rtol=1e-12)
    over_all = values.mean(("replica", "row_sheet", "column_sheet"))
    np.testing.assert_allclose(mean.get_ydata(), over_all, rtol=1e-12)
    with pytest.raises(ng.UserError, match=r"one run, not 3: run the model with one seed.*seed=2"):
        several.plot.movie("sheet_v", "never.gif")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fps": "a"}, "frames a second from 1 on, not 'a'"),
        ({"fps": np.nan}, "frames a second from 1 on, not nan"),
        ({"fps": 0}, "frames a second from 1 on, not 0"),
        ({"cmap": "nope"}, "colour map of matplotlib, not 'nope'"),
    ],
)
def test_a_movie_that_cannot_be_shown_costs_a_sentence(result, tmp_path, options, said):
    with pytest.raises(ng.UserError, match=said):
        result.plot.movie("sheet_v", tmp_path / "sheet.gif", **options)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("error", [OSError(28, "no space"), CalledProcessError(1, "ffmpeg")])
def test_a_movie_that_fails_leaves_no_part_of_one(result, tmp_path, monkeypatch, error):
    class Failing(movie.PillowWriter):
        def grab_frame(self, **options):
            super().grab_frame(**options)
            if len(self._frames) == 2:
                raise error

    monkeypatch.setattr(movie, "PillowWriter", Failing)
    path = tmp_path / "sheet.gif"
    path.write_text("earlier")
    with pytest.raises(
        ng.UserError, match=r"sheet.gif cannot be written \((no space|ffmpeg fails)"
    ):
        result.plot.movie("sheet_v", path)
    assert files_in(tmp_path) == ["sheet.gif"] and path.read_text() == "earlier"


def test_html_of_a_result_holds_no_markup_of_a_measure(result):
    measures = {"<i>": "<script>x</script>"}
    shown = replace(result, summary={**result.summary, "results": measures})._repr_html_()
    assert "<script>x" not in shown and "&lt;script&gt;x" in shown and "<i>" not in shown


# ------------------------------------------------------------------------------------------ summaries


def test_a_summary_is_json_whatever_a_measure_gives(sheet, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "MEASURES", {})

    @ng.measure
    def several(result):
        return {"nothing": np.nan, "much": np.float32(np.inf), "some": np.float32(0.5)}

    def refuse(name):
        raise AssertionError(name)

    for number, seeds in enumerate((1, 2)):
        folder = tmp_path / str(number)
        sheet.run(folder, seeds=seeds, progress=False)
        kept = json.loads((folder / "summary.json").read_text(), parse_constant=refuse)
        found = {name: kept["results"][name] for name in ("nothing", "much", "some")}
        assert found == {"nothing": None, "much": None, "some": 0.5}
        assert ng.report(folder).exists()
    assert kept["standard_deviations"]["nothing"] is None
    assert '"a": [\n    null,\n    1' in dumps({"a": np.array([-np.inf, 1])})


def test_only_figures_of_an_earlier_result_are_given_up(result, tmp_path):
    folder = result.save(tmp_path / "out")
    (folder / "minepng").write_text("mine")
    summary = kept_in(folder)
    summary["figures"] += ["out/minepng"]
    (folder / "summary.json").write_text(json.dumps(summary))
    result.save(folder, force=True)
    assert (folder / "minepng").exists()


# -------------------------------------------------------------------------------------- documentation

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "python.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_examples_of_the_documentation_import_what_they_use():
    whole = ast.parse("\n".join(BLOCKS))
    names = [node for node in ast.walk(whole) if isinstance(node, ast.Name)]
    bound = {n.id for n in names if isinstance(n.ctx, ast.Store)} | {"result", *dir(builtins)}
    for node in ast.walk(whole):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {alias.asname or alias.name for alias in node.names}
    assert {n.id for n in names} <= bound


def test_the_documentations_measure_and_figure_do_for_any_model(
    sheet, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(registry, "MEASURES", {})
    monkeypatch.setattr(registry, "FIGURES", {})
    (example,) = [block for block in BLOCKS if "@ng.measure" in block]
    exec(example, {"ng": ng})
    assert {*registry.MEASURES} == {"calcium"} and {*registry.FIGURES} == {"last_frame"}
    found = sheet.run(tmp_path / "out", progress=False)
    assert found.measures["calcium"] is None and not capsys.readouterr().err
    data = xr.Dataset(
        {"calcium_Ca": ("u", [1.0, 2.0]), "frames_U": (("t", "y", "x"), np.eye(3)[None])}
    )
    other = replace(found, data=data)
    assert registry.MEASURES["calcium"](other) == 1.5 and other.plot.last_frame().axes
