"""``neuroglia run fep_canonical`` and ``neuroglia reproduce fep`` as processes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from scipy.io import savemat

from neuroglia_snn.cli import main
from neuroglia_snn.papers.fep import recordings, stimulus

FIGURES = {"layout.png", "responses.png", "prediction.png", "landscape.png", "excitability.png"}
#: A study without simulated cultures.
QUICK = ["reproduce", "fep", "--cultures", 0, "--sessions", 11, "--quiet"]


def neuroglia(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "neuroglia_snn", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def assert_refused(capsys):
    """Exit status 2, one sentence on stderr, nothing on stdout (in this process, to be quick)."""

    def refused(arguments: list, *words: str) -> None:
        assert main([str(a) for a in arguments]) == 2
        said = capsys.readouterr()
        assert len(said.err.strip().splitlines()) == 1, said.err
        assert not said.out
        for word in words:
            assert word in said.err

    return refused


@pytest.fixture
def recorded(tmp_path):
    """Two cultures that learn, in the published layout."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    cultures = np.empty((2, 1), dtype=object)
    for n in range(2):
        shown = stimulus.draw(0.0, n, 12)
        rate = np.full((12, 256, 64), 2.0)
        gain = np.linspace(1, 4, 12)[:, None, None]
        rate[..., :32] += gain * shown.sources[..., :1]
        rate[..., 32:] += gain * shown.sources[..., 1:]
        counts = np.random.default_rng(n).poisson(rate)
        cultures[n, 0] = {
            "s": shown.sources.reshape(-1, 2),
            "o": shown.electrodes.reshape(-1, 32),
            "r": counts.reshape(-1, 64).astype(float),
        }
    savemat(folder / "response_data_mix0.mat", {"data_mix0": cultures})
    return folder, cultures


def test_the_canonical_network_runs(tmp_path, assert_refused):
    out = tmp_path / "out"
    done = neuroglia("run", "fep_canonical", "--out", out, "--quiet", "--json", "--seed", 4)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary == json.loads((out / "summary.json").read_text())
    found = summary["results"]
    assert found["discrimination_last"] > found["discrimination_first"] + 0.2
    assert found["cost_last"] < found["cost_first"] - 5
    with xr.open_dataset(out / "data.nc", engine="h5netcdf") as data:
        assert data["x"].shape == (100, 256, 2)
    assert (out / "landscape.png").stat().st_size > 10_000
    assert_refused(["run", "fep_canonical", "--out", out, "--quiet"], "holds a result already")


@pytest.mark.thorough
def test_a_spiking_culture_runs_and_is_read_back(tmp_path):
    """Neurons that hardly fire form no ensembles: said, and nothing lost."""
    out = tmp_path / "out"
    short = ["--set", "experiment.trials=8", "--set", "model.duration=2.88 second"]
    short += ["--set", "excitability=-10"]
    done = neuroglia(
        *("run", "fep_culture", "--backend", "numpy", *short, "--out", out, "--quiet", "--json")
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["results"]["spikes_per_trial"] < 1
    assert len(summary["not_analysed"]) == 1
    assert "culture 1 of condition fep_culture" in summary["not_analysed"][0]
    (culture,) = recordings.load(out)
    assert culture.counts.shape == (12, 8, 64)
    assert culture.counts.mean() == pytest.approx(summary["results"]["spikes_per_trial"])
    with xr.open_dataset(out / "data.nc", engine="h5netcdf") as data:
        assert data["glia_Ca"].dims == ("time_glia", "row_glia", "column_glia")


@pytest.mark.thorough
def test_the_study_runs_with_and_without_recordings(tmp_path, recorded):
    folder, _ = recorded
    done = neuroglia(*QUICK, "--out", tmp_path / "a", "--json")
    assert done.returncode == 0, done.stderr
    assert "simulated cultures only" in json.loads(done.stdout)["recordings"]
    done = neuroglia(*QUICK, "--out", tmp_path / "b", "--data", folder, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["recordings"] == ["mix0"]
    assert summary["results"]["recorded_mix0_cultures"] == 2
    assert 0 < summary["results"]["recorded_mix0_err_x"] < 0.3
    assert {p.name for p in (tmp_path / "b").glob("*.png")} == FIGURES


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: c.pop("r"), ["has no field 'r'"]),
        (lambda c: c.update(o=c["o"][:, :5]), ["'o' is (3072, 5), not (3072, 32)"]),
        (lambda c: c.update(r=np.full_like(c["r"], 4)), ["its responses are all 4"]),
        (lambda c: c["r"].__setitem__((7, 3), np.nan), ["'r' holds NaN"]),
        (lambda c: c["r"].sort(axis=0), ["selective for source"]),
    ],
)
def test_bad_recordings_are_refused_by_name_before_any_work(
    tmp_path, recorded, assert_refused, spoil, words
):
    folder, cultures = recorded
    spoil(cultures[1, 0])
    savemat(folder / "response_data_mix0.mat", {"data_mix0": cultures})
    arguments = [*QUICK, "--out", tmp_path / "out", "--data", folder]
    assert_refused(arguments, "culture 2 of condition mix0", *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "fep_canonical", "--replicas", "3"], ["'fep_canonical' takes no --seeds"]),
        (["run", "fep_canonical", "--backend", "cpp"], ["takes no --backend"]),
        (["run", "fep_culture", "--no-astrocytes"], ["takes no --no-astrocytes"]),
        (["run", "fep_culture", "--set", "model.duration=0.99 second"], ["less than one session"]),
        (["run", "fep_canonical", "--set", "model.duration=9 second"], ["less than one session"]),
        (["run", "fep_canonical", "--set", "mixing=2"], ["above its maximum"]),
        (["run", "fep_canonical", "--seed", "-1"], ["seed must be"]),
        (["reproduce", "fep", "--sessions", "10"], ["must be more than the 10"]),
        (["reproduce", "fep", "--cultures", "-1"], ["--cultures"]),
        (["reproduce", "fep", "--seed", "-1"], ["--seed must be"]),
        (["reproduce", "fep", "--backend", "nest"], ["no backend 'nest'"]),
        (["reproduce", "fep", "--data", "/nowhere/at/all"], ["no such file"]),
    ],
)
def test_what_means_nothing_is_refused(tmp_path, assert_refused, arguments, words):
    assert_refused([*arguments, "--out", tmp_path / "out"], *words)
    assert not (tmp_path / "out").exists()


def test_equations_that_the_run_would_not_heed_are_refused(tmp_path, assert_refused):
    changed = tmp_path / "mine.toml"
    text = """
[model]
extends = "fep_canonical"
[population.ensemble]
equations = "x = clip(0.5 + u, 0, 1) : 1"
"""
    changed.write_text(text)
    assert_refused(
        ["run", changed, "--out", tmp_path / "out"], "'ensemble' differs", "[experiment]"
    )
    changed.write_text(text.replace("[population", 'remove = ["experiment"]\n[population', 1))
    assert main(["check", str(changed)]) == 0
