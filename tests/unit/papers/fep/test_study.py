"""The study itself, with cultures that are made up in place of simulated ones."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
import xarray as xr

from neuroglia_snn.experiments import carry_out
from neuroglia_snn.papers.fep import paper, recordings, stimulus
from neuroglia_snn.papers.fep import study as fep
from neuroglia_snn.papers.fep.ensembles import Culture
from neuroglia_snn.results import write_dataset

SESSIONS = 12


def made_up(name: str, condition: str, seed: int) -> Culture:
    """Half of the electrodes follow each source; in mix50 all follow both."""
    shown = stimulus.draw(0.0, seed, SESSIONS)
    on = np.linspace(1, 4, SESSIONS)[:, None, None] * shown.sources
    if condition == "mix50":
        on[:] = on.mean(axis=-1, keepdims=True)
    rate = 2 + np.repeat(on, 32, axis=-1)
    counts = np.random.default_rng(seed).poisson(rate)
    return Culture(name, condition, shown.sources, shown.electrodes, counts)


@pytest.fixture
def simulated(monkeypatch):
    """What was simulated, as (condition, seed); ``stop`` interrupts before so many are done."""
    done: list[tuple[str, int]] = []
    stop: list[int] = []

    def simulate(backend, request, name, condition, watch):
        if stop and len(done) == stop[0]:
            stop.clear()
            raise KeyboardInterrupt
        done.append((condition, request.seed))
        return made_up(name, condition, request.seed), None

    monkeypatch.setattr(fep, "simulate", simulate)
    monkeypatch.setattr(fep.figures, "draw", lambda *_: [])  # the command line's tests draw them
    return done, stop


def options(**changed) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    paper.add_options(parser)
    given = {"seed": 5, "resume": False, "sessions": SESSIONS, "cultures": 1, "backend": "numpy"}
    return argparse.Namespace(**vars(parser.parse_args([])) | given | changed)


@pytest.mark.thorough
def test_an_interrupted_study_goes_on_where_it_was(tmp_path, simulated):
    done, stop = simulated
    whole = carry_out.reproduce("fep", tmp_path / "whole", options())
    assert done == [(condition, 5) for condition in fep.CONDITIONS]
    done.clear()
    stop.append(2)
    with pytest.raises(KeyboardInterrupt):
        carry_out.reproduce("fep", tmp_path / "cut", options())
    assert len(done) == 2
    resumed = carry_out.reproduce("fep", tmp_path / "cut", options(resume=True))
    assert len(done) == 5
    assert resumed["results"] == whole["results"]
    with (
        xr.open_dataset(tmp_path / "cut" / "data.nc", engine="h5netcdf") as one,
        xr.open_dataset(tmp_path / "whole" / "data.nc", engine="h5netcdf") as other,
    ):
        assert one.identical(other)


def test_the_study_reads_its_own_results_as_recordings(tmp_path, simulated):
    first = carry_out.reproduce("fep", tmp_path / "a", options())
    assert first["recordings"].endswith("simulated cultures only")
    (note,) = first["not_analysed"]
    assert note.startswith("culture 1 of condition mix50: no electrode is selective")
    able = [c for c in recordings.load(tmp_path / "a") if c.condition != "mix50"]
    kept = tmp_path / "kept"
    kept.mkdir()
    write_dataset(recordings.dataset(able), kept / "data.nc")
    second = carry_out.reproduce("fep", tmp_path / "b", options(data=kept, cultures=0))
    for name, value in second["results"].items():
        if name.startswith("recorded"):
            assert value == pytest.approx(first["results"][name.replace("recorded", "simulated")])
    assert second["recordings"] == ["lowered", "mix0", "mix25", "raised"]
