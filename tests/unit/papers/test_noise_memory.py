"""Paper 1's figures: the boundary, what is asked for, what a command repeats, what a section says."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from neuroglia_snn import cli, experiments
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.options import overrides
from neuroglia_snn.papers.jobs import Job, RunJob, Setting, SweepJob, spread
from neuroglia_snn.papers.noise_memory import phase, recall
from neuroglia_snn.papers.noise_memory import study as noise_memory
from neuroglia_snn.papers.noise_memory.forms import FULL, QUICK
from neuroglia_snn.papers.noise_memory.paper import FIGURES
from neuroglia_snn.sweeps import Grid, axis
from neuroglia_snn.sweeps import figures as sweep_figures

STUDY = experiments.paper("noise-memory")


def jobs_of(form) -> dict[str, Job]:
    return {j.name: j for figure in noise_memory.figures(form).values() for j in figure.jobs}


def asked(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    STUDY.add_options(parser)
    return argparse.Namespace(**vars(parser.parse_args(flags)), seed=0)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=1, max_size=5))
def test_the_boundary_is_where_silence_begins_and_stays(counts):
    noise = np.array([0.0, 0.1, 0.2, 0.3])
    spikes = xr.DataArray(counts, dims=("seed", "sigma2"), coords={"sigma2": noise})
    for row, edge in zip(counts, phase.boundary(spikes).values, strict=True):
        later = [s for n, s in enumerate(noise) if not any(row[n:])]
        np.testing.assert_equal(edge, min(later, default=np.nan))


def test_a_point_that_failed_is_not_silent():
    spikes = xr.DataArray([[1, 0, np.nan, 0]], dims=("seed", "sigma2"))
    spikes = spikes.assign_coords(sigma2=[0, 1, 2, 3])
    assert phase.boundary(spikes).values == [3]


@pytest.mark.parametrize("form", [QUICK, FULL])
def test_every_job_can_be_repeated_from_the_command_line(tmp_path, form):
    """The command that a report gives is one that the command line reads as the same job."""
    setting = Setting(Work(tmp_path), 3)
    for job in jobs_of(form).values():
        words = shlex.split(job.command(setting))[1:]
        read = cli._parser(words).parse_args(words)
        assert read.model == job.model and read.seed == 3
        assert overrides(read.set) == dict(job.settings)
        if isinstance(job, SweepJob):
            assert cli._own(read) == ({}, {"no_astrocytes": True} if job.no_astrocytes else {})
            assert Grid(tuple(map(axis, read.over)), read.seeds, read.seed) == job.grid(3)
        else:
            assert (read.control, read.seeds) == (job.control, job.replicas)


def test_the_help_lists_every_figure():
    assert tuple(noise_memory.figures(FULL)) == FIGURES


def test_figures_are_asked_for_by_name():
    assert (
        STUDY.identity(asked("--figure", "novel", "--figure", "2c"))["paper_figures"]
        == "2b-d, novel"
    )
    assert STUDY.identity(asked())["paper_figures"].count(",") == 9
    with pytest.raises(UserError, match="--figure 6: there is none"):
        STUDY.identity(asked("--figure", "6"))
    with pytest.raises(UserError, match="--workers must be at least 1"):
        STUDY.identity(asked("--workers", "0"))


@pytest.mark.thorough
def test_quick_is_a_tenth():
    quick, full = (sum(j.unit_steps() for j in jobs_of(form).values()) for form in (QUICK, FULL))
    assert quick <= full / 10


def test_steps_are_counted_with_every_shape():
    job = phase.over_size(replace(QUICK, sides=(2, 4), phase_noises="0,0.1", phase_seeds=3))
    assert job.unit_steps() == 2 * 3 * (4 + 16) * 24_000


# ------------------------------------------------------------------------- what sections say


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Sections of made-up measures: given as a function of (job, coordinates of a point)."""

    def give(measure) -> Setting:
        def data(self, setting):
            grid = self.grid(setting.seed)
            arrays = {}
            for point in grid.points():
                for name, value in measure(self, point.settings).items():
                    arrays.setdefault(name, np.full(grid.shape, np.nan))[point.place] = value
            dimensions = [a.name for a in grid.axes]
            coordinates = {a.name: a.coordinates[0] for a in grid.axes}
            return xr.Dataset(
                {n: ([*dimensions, "seed"], v) for n, v in arrays.items()}, coordinates
            )

        monkeypatch.setattr(SweepJob, "data", data)
        return Setting(Work(tmp_path), 0)

    return give


def recalls(value: float, inside: float = 1.0) -> dict[str, float]:
    found = dict.fromkeys(("accuracy", "recall_accuracy"), value)
    return found | {"recalled_in_pattern": inside, "recalled_outside": 0.1, "calcium_peak_uM": 0.5}


def test_a_diagram_has_its_boundary_and_the_theory(measured):
    setting = measured(lambda job, at: {"mean_field_spikes": float(at["sigma2"]) < 0.055})
    section = noise_memory.figures(QUICK)["2e"].draw(setting)
    columns, rows = section.table
    assert columns[:2] == ["D_v", "boundary"] and rows[0][:2] == ["20", "0.0600 ± 0.0000"]
    assert rows[-1][:2] == ["strong coupling (theory)", "0.0333"]
    assert section.values["boundary_at_D_v_100"] == 0.06
    assert all(path.is_file() for path in section.figures)
    never = measured(lambda job, at: {"mean_field_spikes": 1.0})
    section = noise_memory.figures(QUICK)["2f"].draw(never)
    assert section.table[1][0][:2] == ["16", "none for 2 of 2 seeds"]
    assert section.values["boundary_at_N_16"] is None


def test_recall_is_compared_with_the_papers_best_and_with_other_programs(measured):
    values = {"0.08": [0.62, 0.64], "0.12": [0.974, 0.976]}  # of two seeds

    def measure(job, at):
        left = [] if job.no_astrocytes else values.get(at["sigma2"], [])
        return recalls(left.pop() if left else 0.5) | {"recalled_outside": 0.04}

    section = recall.accuracy_by_noise(replace(QUICK, seeds=2), measured(measure))
    assert "Here the largest recall is 0.975, at 0.12, 0.019 below that. Of what" in section.text
    assert "Of what it lacks to 1, 80 % is firing outside the digit" in section.text
    assert "Without astrocytes it is 0.500 at most" in section.text
    # 0.63 of 0.62 and 0.64 less 0.64: a spread of 0.01414, times sqrt(3/2)
    assert "less the independent loop's: -0.010 (-0.6) at 0.08, -0.324 at 0.09" in section.text
    assert "less the earlier trial's: +0.000 at 0, -0.020 (-1.2) at 0.08" in section.text
    assert "In brackets in standard errors" in section.text
    assert next(r for r in section.table[1] if r[0] == "0.12")[1:4] == [
        "0.975 ± 0.001",
        "0.982",
        "0.98",
    ]
    assert section.values["recall_accuracy_at_0.12"] == pytest.approx(0.975)


def test_one_seed_has_no_standard_error(measured):
    setting = measured(lambda job, at: recalls(1.0 if at["sigma2"] == "0.12" else 0.5))
    text = recall.accuracy_by_noise(QUICK, setting).text
    assert "at 0.12, 0.006 above that. Without" in text
    assert "+0.018 at 0.12" in text and "standard errors" not in text


def bars(figure) -> dict[str, list[float]]:
    """Half the length of every error bar of a figure's only axes, by label."""
    [axes] = figure.axes
    found = {}
    for container in axes.containers:
        segments = container.lines[2][0].get_segments()
        found[str(container.get_label())] = [float(np.ptp(s[:, 1])) / 2 for s in segments if len(s)]
    return found


@pytest.fixture
def drawn(monkeypatch):
    """Every figure that is saved, before it is."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: figures.append(self))
    return figures


def test_the_bars_of_every_figure_are_the_spread_of_the_table(drawn, tmp_path):
    """Of a sample: two seeds at 0.4 and 0.6 have 0.1414 and not 0.1."""
    data = xr.Dataset({k: (("sigma2", "seed"), [[0.4, 0.6]]) for k in recalls(0)})
    data = data.assign_coords(sigma2=[0.1])
    assert spread(data["accuracy"][0]) == "0.500 ± 0.141"
    recall._draw_accuracy([(data, "a", "k")], "sigma2", "noise", tmp_path / "a.png")
    sweep_figures.draw(data, None, tmp_path)
    edges = data["accuracy"].rename(sigma2="D_u")
    phase._draw(data["accuracy"].expand_dims(D_u=[1.0]), edges, "D_u", tmp_path / "b.png")
    first, second, diagram = drawn
    diagram.axes[1].remove()  # the colour bar's
    for figure in (first, second, diagram):
        for lengths in bars(figure).values():
            assert lengths == [pytest.approx(0.02**0.5)]


@pytest.mark.parametrize(("peak", "explains"), [(0.1, True), (0.2, False)])
def test_it_is_said_where_calcium_does_not_reach_its_threshold(measured, peak, explains):
    def measure(job, at):
        return recalls(0.55) | {"calcium_peak_uM": peak if at["k"] == "1" else 0.6}

    section = recall.compare_readings(QUICK, measured(measure))
    assert len(section.table[1]) == 6
    said = "With k = 1 calcium reaches 0.100 uM at most, and the feedback needs 0.15 in either"
    assert (said in section.text) == explains
    assert "Here the longer drive recalls 0.550, the shorter 0.550" in section.text


def test_the_other_figures_of_recall(measured):
    def measure(job, at):
        noise = float(at.get("experiment.train_noise", 0))
        novel = at.get("experiment.test_pattern") == "disjoint"
        return recalls(0.5 if novel else 0.9 - noise / 2)

    setting = measured(measure)
    section = recall.accuracy_by_training(QUICK, setting)
    assert "goes from 0.900 at 0 to 0.600 at 0.6" in section.text and section.figures[0].is_file()
    section = recall.novel_pattern(QUICK, setting)
    assert section.table[1] == [
        ["trained", "0.900", "0.900", "0.994"],
        ["novel", "0.500", "0.500", "0.5"],
    ]


def test_a_seed_that_failed_leaves_no_mean(measured):
    class Count:
        calls = 0

    def measure(job, at):
        Count.calls += 1
        return {} if Count.calls == 1 else recalls(0.9)

    setting = measured(measure)
    section = recall.novel_pattern(replace(QUICK, seeds=2), setting)
    assert section.table[1][0][1].startswith("nan") and section.table[1][1][1] == "0.900 ± 0.000"


def test_an_interrupted_run_goes_on_and_a_finished_one_is_left_alone(tmp_path, monkeypatch):
    calls = []

    def run(model, out, options, force, progress, figures):
        calls.append((options.resume, force))
        out.mkdir(parents=True, exist_ok=True)
        (out / "summary.json").write_text('{"results": {"a": 1}}')
        return SimpleNamespace(interrupted_at=None)

    monkeypatch.setattr("neuroglia_snn.papers.jobs.run", run)
    job = RunJob("figure-3/x", "noise_induced_memory")
    job.carry_out(Setting(Work(tmp_path), 0))
    job.carry_out(Setting(Work(tmp_path), 0, resume=True))
    assert calls == [(False, False)]
    job.give_up(
        Setting(Work(tmp_path), 0)
    )  # --force: another study's result is not taken for this one's
    job.carry_out(Setting(Work(tmp_path), 0, resume=True))
    assert len(calls) == 2
