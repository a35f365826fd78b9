"""``--replicas``: many seeds from one build, as one result."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "neuroglia_snn", "run", "noise_induced_excitability"]
    return subprocess.run(
        [*command, *map(str, arguments), "--quiet"], capture_output=True, text=True, check=False
    )


def data(folder) -> xr.Dataset:
    with xr.open_dataset(folder / "data.nc", engine="h5netcdf") as dataset:
        return dataset.load()


@pytest.mark.thorough
def test_replicas_are_summed_up_and_are_the_single_runs(tmp_path):
    many = run("--replicas", 3, "--workers", 2, "--seed", 5, "--out", tmp_path / "many")
    assert many.returncode == 0, many.stderr
    assert "mean_field_spikes" in many.stdout and "+-" in many.stdout
    summary = json.loads((tmp_path / "many" / "summary.json").read_text())
    assert [r["seed"] for r in summary["replicas"]] == [5, 6, 7]
    maxima = [r["mean_field_maximum"] for r in summary["replicas"]]
    assert np.isclose(summary["results"]["mean_field_maximum"], np.mean(maxima))
    assert np.isclose(summary["standard_deviations"]["mean_field_maximum"], np.std(maxima, ddof=1))
    assert run("--seed", 6, "--out", tmp_path / "one").returncode == 0
    together = data(tmp_path / "many")
    assert together["replica"].values.tolist() == [5, 6, 7]
    one = data(tmp_path / "one")["mean_field_U"]
    np.testing.assert_array_equal(together["mean_field_U"].sel(replica=6).values, one.values)


def test_replicas_with_a_control_are_refused(tmp_path):
    done = run("--replicas", 2, "--resume", "--out", tmp_path / "x")
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()
