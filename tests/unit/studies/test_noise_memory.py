"""Paper 1's figures: the boundary, what is asked for, what a command repeats."""

from __future__ import annotations

import argparse
import shlex

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroglia_snn import cli, studies
from neuroglia_snn.errors import UserError
from neuroglia_snn.studies.base import Work
from neuroglia_snn.studies.noise_memory import phase, recall
from neuroglia_snn.studies.noise_memory.jobs import Run, Setting, Sweep
from neuroglia_snn.sweep import Grid, axis

STUDY = studies.of_paper("noise-memory")


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


@pytest.mark.parametrize("quick", [True, False])
def test_every_job_can_be_repeated_from_the_command_line(tmp_path, quick):
    """The command that a report gives is one that the command line reads as the same job."""
    setting = Setting(Work(tmp_path), 3, 2, False)
    jobs = [phase.by_coupling("a", quick), phase.by_coupling("e", quick), phase.by_size(quick)]
    jobs += [*phase.series(), recall.SILENT, recall.NOISY, recall.novel(quick)]
    jobs += [*recall.by_noise(quick), *recall.by_training(quick), *recall.readings(quick)]
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names)
    for job in jobs:
        words = shlex.split(job.command(setting))
        read = cli._parser().parse_args(words[1:])
        assert read.model == job.model and read.seed == 3
        assert dict(entry.split("=", 1) for entry in read.set) == dict(job.settings)
        if isinstance(job, Sweep):
            assert read.over == list(job.over) and read.no_astrocytes == job.no_astrocytes
            assert Grid(tuple(map(axis, read.over)), read.seeds).size == job.runs
        else:
            assert isinstance(job, Run) and (read.control, read.replicas) == (
                job.control,
                job.replicas,
            )


def test_figures_are_asked_for_by_name():
    assert STUDY.identity(asked("--figure", "novel", "--figure", "2b"))["figures_of_paper"] == [
        "2b",
        "novel",
    ]
    assert len(STUDY.identity(asked())["figures_of_paper"]) == 10
    with pytest.raises(UserError, match="--figure 6: there is none"):
        STUDY.identity(asked("--figure", "6"))
    with pytest.raises(UserError, match="--workers must be at least 1"):
        STUDY.identity(asked("--workers", "0"))


def test_quick_is_a_tenth():
    def runs(quick: bool) -> int:
        jobs = [*recall.by_noise(quick), *recall.by_training(quick), *recall.readings(quick)]
        return sum(j.runs for j in jobs)

    assert runs(True) <= runs(False) / 10
