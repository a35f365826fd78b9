"""Papers that are runs of catalogue models: what is asked for, what a command repeats, what is compared and how."""

from __future__ import annotations

import argparse
import json
import shlex
from importlib import import_module

import numpy as np
import pytest

from neuroglia_snn import cli
from neuroglia_snn.checks import load_checked
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments.work import Section, Work
from neuroglia_snn.options import overrides
from neuroglia_snn.papers import (
    figures,
    loihi2_izhikevich,
    network_benchmarks,
    spiral_waves,
    stimberg_2019,
)
from neuroglia_snn.papers.jobs import RunJob, Setting
from neuroglia_snn.papers.loihi2_izhikevich.study import interval_error
from neuroglia_snn.papers.network_benchmarks import brunel
from neuroglia_snn.papers.network_benchmarks.study import STATES
from neuroglia_snn.papers.samples import Sample

PAPERS = [p.PAPER for p in (loihi2_izhikevich, network_benchmarks, spiral_waves, stimberg_2019)]


def asked(paper, *flags: str, seed: int = 0, resume: bool = False) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    paper.add_options(parser)
    return argparse.Namespace(
        **vars(parser.parse_args(flags)), seed=seed, resume=resume, force=False
    )


def known(paper, quick: bool) -> dict[str, figures.Figure]:
    return import_module(f"{paper.package}.study").figures(quick)


@pytest.mark.parametrize("paper", PAPERS, ids=lambda p: p.name)
def test_the_help_lists_every_figure_and_the_models_are_sound(paper):
    assert tuple(known(paper, True)) == tuple(known(paper, False)) == paper.figures
    some = asked(paper, "--quick", "--figure", paper.figures[-1])
    identity = paper.identity(some)
    assert identity["paper_figures"] == paper.figures[-1] and identity["quick"] is True
    assert identity["model_digests"] and identity["seed"] == 0
    with pytest.raises(UserError, match="--figure none: there is none"):
        paper.identity(asked(paper, "--figure", "none"))
    with pytest.raises(UserError, match="--seed must be 0 to 4294967295, not -1"):
        paper.identity(asked(paper, seed=-1))


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("paper", PAPERS, ids=lambda p: p.name)
def test_every_job_can_be_repeated_from_the_command_line(paper, quick, tmp_path):
    """The command that a report gives is one that the command line reads as the same job."""
    setting = Setting(Work(tmp_path), 3)
    jobs = [job for figure in known(paper, quick).values() for job in figure.jobs]
    assert len({job.name for job in jobs}) == len(
        {(job.name, job.command(setting)) for job in jobs}
    )
    for job in jobs:
        words = shlex.split(job.command(setting))[1:]
        read = cli._parser(words).parse_args(words)
        assert (read.model, read.seed, read.seeds) == (job.model, 3, job.replicas)
        assert (read.backend, read.precision) == (job.backend, job.precision)
        assert overrides(read.set) == dict(job.settings)


TINY = """
[model]
title = "Decay"
dt = "0.1 ms"
duration = "1 ms"
[population.cell]
size = 2
equations = "dv/dt = -v/(5*ms) : 1"
integrator = "exact"
initial = { v = "2" }
[record.cell]
population = "cell"
variables = ["v"]
"""


def test_what_is_done_is_not_done_again(tmp_path, monkeypatch):
    """An interrupted study goes on with the runs that it has; with --force it gives them up."""
    path = tmp_path / "decay.toml"
    path.write_text(TINY)
    jobs = [RunJob(name, str(path), backend="numpy") for name in ("one", "two")]

    def draw(setting: Setting) -> Section:
        ends = [float(job.data(setting)["final_cell_v"][0]) for job in jobs]
        return Section("Decay", "", [], None, {"v": ends[0], "difference": ends[1] - ends[0]})

    made = {"decay": figures.Figure(jobs, draw)}
    usual, done = RunJob.carry_out, []

    def carried(self, setting):
        if self.name == "two" and len(done) == 1:
            raise KeyboardInterrupt
        usual(self, setting)
        done.append(self.name)

    monkeypatch.setattr(RunJob, "carry_out", carried)
    work = Work(tmp_path / "out")
    work.folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        figures.carry_out("mine", made, Setting(work, 0), lambda name: [])
    first = work.folder / "one" / "summary.json"
    before = first.stat().st_mtime_ns
    done.append("interrupted")
    found = figures.carry_out("mine", made, Setting(work, 0, resume=True), lambda name: ["--quick"])
    assert first.stat().st_mtime_ns == before
    assert found["results"]["decay_v"] == pytest.approx(2 * np.exp(-0.2))
    assert found["results"]["decay_difference"] == 0
    assert found["sections"][0]["commands"][0] == "neuroglia reproduce mine --figure decay --quick"
    figures.carry_out("mine", made, Setting(work, 0, force=True), lambda name: [])
    assert first.stat().st_mtime_ns != before


def test_samples_are_compared_as_welch_does():
    ours, theirs = Sample.of([1.0, 2.0, 3.0]), Sample.of([4.0, 6.0])
    assert ours.apart(theirs) == pytest.approx(-3 / np.sqrt(1 / 3 + 2 / 2))
    assert Sample.of([5.0]).apart(theirs) == 0
    assert Sample.of([7.0]).apart(theirs) == pytest.approx(2 / np.sqrt(2 + 2 / 2))
    assert Sample.of([7.0]).apart(Sample.of([5.0])) is None
    assert [str(s) for s in (ours, theirs, Sample.of([7.0]))] == [
        "2.0 ± 1.0 (3)",
        "5.0 ± 1.4 (2)",
        "7",
    ]


def test_the_error_of_intervals():
    reference = np.array([10.0, 20.0, 40.0])
    assert interval_error(reference, reference) == 0
    assert interval_error(reference + 5, reference) == 0  # a delay is no error of intervals
    assert interval_error(np.array([10.0, 21.0, 41.0, 61.0]), reference) == pytest.approx(5)
    assert interval_error(np.array([10.0]), reference) is None


def simulated_rate(mean: float, deviation: float) -> float:
    """Of leaky neurons with Gaussian white noise, mean and deviation in mV, by small steps."""
    generator, dt, count = np.random.default_rng(1), 5e-6, 400
    v, free, spikes, steps = np.full(count, 10.0), np.zeros(count), 0, 40_000
    for step in range(steps):
        moves = free <= step * dt
        kick = deviation * np.sqrt(dt / 20e-3) * generator.standard_normal(count)
        v = np.where(moves, v + dt / 20e-3 * (mean - v) + kick, v)
        above = v > 20
        v[above], free[above] = 10.0, step * dt + 2e-3
        spikes += above.sum()
    return spikes / count / (steps * dt)


def test_the_rate_of_a_neuron_in_noise_is_that_of_a_simulation():
    """Within 5 %: of 400 neurons for 0.2 s, whose steps miss some crossings."""
    values = {"V_r": 10.0, "theta": 20.0, "tau": 20e-3, "tau_rp": 2e-3}
    for mean, deviation in ((25.0, 5.0), (18.0, 6.0)):
        assert brunel._rate(mean, deviation, values) == pytest.approx(
            simulated_rate(mean, deviation), rel=0.05
        )


def test_stationary_rates_are_their_own_input():
    for state, settings in STATES.items():
        model, _ = load_checked("brunel_2000", dict(settings))
        rate = brunel.stationary_rate(model)
        assert 0 < rate < 500, state
    assert rate < 10  # D, the slow one


@pytest.mark.thorough
@pytest.mark.parametrize("paper", PAPERS, ids=lambda p: p.name)
def test_the_quick_study_runs_and_is_reported(paper, tmp_path, capsys):
    out = tmp_path / "study"
    assert (
        cli.main(["reproduce", paper.name, "--quick", "--quiet", "--json", "--out", str(out)]) == 0
    )
    summary = json.loads(capsys.readouterr().out)
    assert len(summary["sections"]) == len(paper.figures) and not summary["failed"]
    for path in summary["figures"]:
        assert (out / path.rpartition("/")[2]).stat().st_size > 10_000
    assert cli.main(["report", str(out)]) == 0
    assert (out / "report.html").read_text().count("data:image/png") == len(summary["figures"])
