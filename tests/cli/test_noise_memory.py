"""``neuroglia reproduce noise-memory`` and ``neuroglia report``, on the figures that take seconds."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import replace

import pytest
import xarray as xr

from neuroglia_snn.cli import main
from neuroglia_snn.papers.jobs import RunJob, SweepJob
from neuroglia_snn.papers.noise_memory import study as noise_memory

pytest.importorskip("distributed", reason="needs the extra 'sweep'")


@pytest.fixture
def small(monkeypatch) -> None:
    """A phase diagram of six points."""
    form = replace(
        noise_memory.QUICK, couplings="60,100", phase_noises="0,0.03,0.12", phase_seeds=1
    )
    monkeypatch.setattr(noise_memory, "QUICK", form)


@pytest.mark.thorough
def test_interrupted_and_gone_on_with(tmp_path, monkeypatch, capsys, small):
    out = tmp_path / "paper"
    asked = ["reproduce", "noise-memory", "--quick", "--figure", "2b", "--figure", "2e", "--quiet"]
    asked += ["--workers", "2", "--out", str(out)]
    usual = SweepJob.carry_out

    def interrupted(self, setting):
        raise KeyboardInterrupt

    monkeypatch.setattr(SweepJob, "carry_out", interrupted)
    assert main(asked) == 130
    first = out / "figure-2b-d" / "sigma2-0" / "summary.json"
    before = first.stat().st_mtime_ns
    monkeypatch.setattr(SweepJob, "carry_out", usual)
    assert main(asked) == 2 and "go on with --resume" in capsys.readouterr().err
    assert main([*asked, "--resume", "--json"]) == 0
    assert first.stat().st_mtime_ns == before
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((out / "summary.json").read_text())
    found = summary["results"]
    assert found["2b-d_mean_field_spikes_at_0"] == 4 and found["2b-d_mean_field_spikes_at_0.09"] < 1
    assert found["2e_boundary_at_D_v_100"] == 0.12  # oscillates at 0.03, is silent at 0.12
    # the command that the section gives for its sweep makes the same numbers
    section = summary["sections"][1]
    again = [*shlex.split(section["commands"][1])[1:], "--quiet", "--out", str(tmp_path / "again")]
    assert main(again) == 0
    xr.testing.assert_identical(
        xr.load_dataset(tmp_path / "again" / "sweep.nc"),
        xr.load_dataset(out / "figure-2e" / "sweep.nc"),
    )
    capsys.readouterr()
    assert main(["report", str(out)]) == 0
    page = (out / "report.html").read_text()
    assert "Fig. 2 e" in page and page.count("data:image/png") == 2
    assert main(["report", str(tmp_path / "again")]) == 0
    assert "noise_induced_excitability" in (tmp_path / "again" / "report.html").read_text()


def test_the_estimate_comes_first(tmp_path, monkeypatch, capsys, small):
    """Sweeps go side by side, single runs one after the other; a second a run comes on top."""

    def interrupted(self, setting):
        raise KeyboardInterrupt

    monkeypatch.setattr(noise_memory, "_pace", lambda name: (1e-4, 1.0))
    monkeypatch.setattr(SweepJob, "carry_out", interrupted)
    monkeypatch.setattr(RunJob, "carry_out", interrupted)
    asked = ["reproduce", "noise-memory", "--quick", "--figure", "2e", "--figure", "2b"]
    assert main([*asked, "--workers", "3", "--out", str(tmp_path / "x")]) == 130
    step = 400 * 24_000 * 1e-4 + 1.0
    hours = (6 / 3 + 9) * step / 3600
    said = capsys.readouterr().err
    assert f"15 runs, 3 at a time: about {hours:.1f} hours in all" in said


@pytest.mark.thorough
def test_seeds_are_of_every_point(tmp_path, capsys, small):
    out = tmp_path / "paper"
    asked = ["reproduce", "noise-memory", "--quick", "--figure", "2e", "--quiet", "--out", str(out)]
    assert main([*asked, "--seeds", "2", "--workers", "2", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["seeds"] == "2 a point (fig. 2: 2)"
    assert "--seeds 2" in summary["sections"][0]["commands"][0]
    assert list(xr.load_dataset(out / "figure-2e" / "sweep.nc")["seed"].values) == [0, 1]
    assert main([*asked, "--resume"]) == 2  # another number of seeds
    assert "seeds" in capsys.readouterr().err
    assert main([*asked, "--force", "--seeds", "0"]) == 2
    assert "--seeds must be 1 to 4294967296, not 0" in capsys.readouterr().err
    last = ["--seed", "4294967294"]  # figs 2 b-d show three seeds
    assert main([*asked, "--force", "--seeds", "1", *last]) == 2
    assert "--seed must be 0 to 4294967293" in capsys.readouterr().err
    assert (out / "summary.json").exists()


def test_the_pace_of_a_lattice_is_that_of_its_run():
    """A trial's steps and what is beside them make up the time that a run takes."""
    start = time.perf_counter()
    a_step, beside = noise_memory._pace("noise_induced_excitability")
    seconds = time.perf_counter() - start
    assert 0 < a_step * 400 * 24_000 + beside <= seconds
