"""Paper 1's figures: the boundary, what is asked for, what a command repeats, what a section says."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroglia_snn import cli, studies
from neuroglia_snn.errors import UserError
from neuroglia_snn.options import overrides
from neuroglia_snn.studies import noise_memory
from neuroglia_snn.studies.base import Work
from neuroglia_snn.studies.noise_memory import phase, recall
from neuroglia_snn.studies.noise_memory.forms import FULL, QUICK
from neuroglia_snn.studies.noise_memory.jobs import Job, RunJob, Setting, SweepJob
from neuroglia_snn.sweep import Grid, axis

STUDY = studies.of_paper("noise-memory")


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
        read = cli._parser().parse_args(shlex.split(job.command(setting))[1:])
        assert read.model == job.model and read.seed == 3
        assert overrides(read.set) == dict(job.settings)
        if isinstance(job, SweepJob):
            assert read.no_astrocytes == job.no_astrocytes
            assert Grid(tuple(map(axis, read.over)), read.seeds, read.seed) == job.grid(3)
        else:
            assert (read.control, read.replicas) == (job.control, job.replicas)


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


@pytest.mark.parametrize(("at_009", "explains"), [(0.78, True), (0.84, False)])
def test_what_is_lower_than_the_trial_is_explained_only_then(measured, at_009, explains):
    values = {"0.08": 0.65, "0.09": at_009, "0.1": 0.91, "0.12": 0.98, "0.14": 0.58}
    setting = measured(
        lambda job, at: recalls(0.5 if job.no_astrocytes else values.get(at["sigma2"], 0.5))
    )
    section = recall.accuracy_by_noise(QUICK, setting)
    assert (
        "Here the largest recall is 0.980, at 0.12; without astrocytes it is 0.500" in section.text
    )
    assert ("At 0.09 it is lower than the trial's" in section.text) == explains
    assert "it is higher" not in section.text
    assert next(r for r in section.table[1] if r[0] == "0.12")[1:3] == ["0.980", "0.98"]
    assert section.values["recall_accuracy_at_0.09"] == at_009


def test_what_is_higher_than_the_trial_is_said(measured):
    setting = measured(lambda job, at: recalls(0.7 if at["sigma2"] == "0.14" else 0.5))
    assert "At 0.14 it is higher" in recall.accuracy_by_noise(QUICK, setting).text


@pytest.mark.parametrize(("slow", "explains"), [(0.81, True), (0.5, False)])
def test_the_printed_feedback_is_explained_only_where_it_recalls(measured, slow, explains):
    def measure(job, at):
        return recalls(slow if "tonic" in job.model and at["k"] == "1" else 0.55)

    section = recall.compare_readings(QUICK, measured(measure))
    assert len(section.table[1]) == 5
    assert ("is no memory" in section.text) == explains


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

    def run(model, out, options, force, progress):
        calls.append((options.resume, force))
        out.mkdir(parents=True, exist_ok=True)
        (out / "summary.json").write_text('{"results": {"a": 1}}')
        return {"results": {"a": 1}}

    monkeypatch.setattr("neuroglia_snn.studies.noise_memory.jobs.run", run)
    job = RunJob("figure-3/x", "noise_induced_memory")
    job.carry_out(Setting(Work(tmp_path), 0))
    job.carry_out(Setting(Work(tmp_path), 0, resume=True))
    assert calls == [(False, False)]
    job.give_up(
        Setting(Work(tmp_path), 0)
    )  # --force: another study's result is not taken for this one's
    job.carry_out(Setting(Work(tmp_path), 0, resume=True))
    assert len(calls) == 2
