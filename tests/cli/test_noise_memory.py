"""``neuroglia reproduce noise-memory`` and ``neuroglia report``, on the figures that take seconds."""

from __future__ import annotations

import json
import os
import shlex

import numpy as np
import pytest
import xarray as xr

from neuroglia_snn.cli import main
from neuroglia_snn.studies.noise_memory import phase
from neuroglia_snn.studies.noise_memory.jobs import Sweep

pytest.importorskip("distributed", reason="needs the extra 'sweep'")


@pytest.fixture
def small(monkeypatch) -> None:
    """A phase diagram of six points."""
    monkeypatch.setattr(phase, "_COUPLING", {True: "60,100"})
    monkeypatch.setattr(phase, "_NOISE", {True: "0,0.03,0.12"})
    monkeypatch.setattr(phase, "_SEEDS", {True: 1})


def test_interrupted_and_gone_on_with(tmp_path, monkeypatch, capsys, small):
    out = tmp_path / "paper"
    asked = ["reproduce", "noise-memory", "--quick", "--figure", "2b", "--figure", "2e", "--quiet"]
    asked += ["--workers", "2", "--out", str(out)]
    usual = Sweep.carry_out

    def interrupted(self, setting):
        raise KeyboardInterrupt

    monkeypatch.setattr(Sweep, "carry_out", interrupted)
    assert main(asked) == 130
    first = out / "figure-2b-d" / "sigma2-0" / "summary.json"
    before = first.stat().st_mtime_ns
    monkeypatch.setattr(Sweep, "carry_out", usual)
    assert main(asked) == 2 and "go on with --resume" in capsys.readouterr().err
    assert main([*asked, "--resume", "--json"]) == 0
    assert first.stat().st_mtime_ns == before
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((out / "summary.json").read_text())
    found = summary["results"]
    assert found["2b_mean_field_spikes_at_0"] == 4 and found["2b_mean_field_spikes_at_0.09"] < 1
    assert found["2e_boundary_at_D_v_100"] == 0.12  # oscillates at 0.03, is silent at 0.12
    # the command that the section gives for its sweep makes the same numbers
    section = summary["sections"][1]
    again = [*shlex.split(section["commands"][0])[1:], "--quiet", "--out", str(tmp_path / "again")]
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


def test_the_estimate_comes_first(tmp_path, capsys, small):
    from neuroglia_snn.studies import noise_memory

    asked = ["reproduce", "noise-memory", "--quick", "--figure", "2e", "--out", str(tmp_path / "x")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noise_memory, "_seconds_a_unit_step", lambda: 1e-3)
        patch.setattr(
            Sweep, "carry_out", lambda self, setting: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        assert main(asked) == 130
    # 6 lattices of 400 neurons and 24,000 steps at 1 ms a neuron and step
    workers = os.cpu_count() or 1
    hours = 6 * (400 * 24_000 * 1e-3 + 0.5) / workers / 3600
    said = capsys.readouterr().err
    assert (
        f"0 runs of the memory experiment and 6 of lattices alone: about {hours:.1f} hours" in said
    )


def test_pace_is_of_this_machine():
    from neuroglia_snn.studies import noise_memory

    pace = noise_memory._seconds_a_unit_step()
    assert 1e-11 < pace < 1e-4 and np.isfinite(pace)
