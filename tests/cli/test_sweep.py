"""Sweeps as a user runs them: killed at any moment, gone on with, refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("distributed", reason="needs the extra 'sweep'")

MODEL = """
[model]
title = "Noise that decays"
noise = "ito"
dt = "0.1 ms"
duration = "2 ms"
[parameters]
tau = { value = "1 ms", min = "0.1 ms" }
[population.unit]
size = 3
integrator = "euler-maruyama"
equations = "dx/dt = -x/tau + 0.5*xi/sqrt(tau) : 1"
threshold = "x > 0.3"
reset = "x = 0"
[record.spikes]
population = "unit"
events = true
"""
#: 3 x 2 points
SWEEP = ("--over", "tau=1,2,4 ms", "--seeds", "2", "--backend", "numpy", "--quiet")


def command(folder: Path, *more: str) -> list[str]:
    model = folder / "decay.toml"
    model.write_text(MODEL)
    return [sys.executable, "-m", "neuroglia_snn", "sweep", str(model), *more]


def done(folder: Path, *more: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(folder, *more), capture_output=True, text=True, check=False)


def test_a_killed_sweep_ends_like_an_undisturbed_one(tmp_path):
    """SIGKILL at random moments: nothing that was finished is run again or lost."""
    whole = done(tmp_path, *SWEEP, "--out", str(tmp_path / "whole"), "--json")
    assert whole.returncode == 0, whole.stderr
    summary = json.loads(whole.stdout)
    assert summary["points"] == {"all": 6, "failed": 0, "found_earlier": 0}
    out, journal = tmp_path / "killed", tmp_path / "killed" / "points.jsonl"
    moments = random.Random(1)
    lines: list[bytes] = []
    for _ in range(2):
        program = subprocess.Popen(
            command(tmp_path, *SWEEP, "--out", str(out)), start_new_session=True
        )
        begun = len(lines)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and program.poll() is None:
            now = journal.read_bytes().count(b"\n") if journal.exists() else 0
            if now > begun:
                time.sleep(moments.uniform(0, 0.5))
                break
            time.sleep(0.02)
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        kept = journal.read_bytes().splitlines(keepends=True)
        assert kept[: len(lines)] == lines
        lines = [line for line in kept if line.endswith(b"\n")]
    assert lines
    last = done(tmp_path, *SWEEP, "--out", str(out), "--json")
    assert last.returncode == 0, last.stderr
    assert json.loads(last.stdout)["points"]["found_earlier"] == len(lines)
    places = [tuple(json.loads(x)["place"]) for x in journal.read_bytes().splitlines()]
    assert sorted(places) == sorted(set(places)) and len(places) == 6
    xr.testing.assert_identical(
        xr.load_dataset(out / "sweep.nc"), xr.load_dataset(tmp_path / "whole" / "sweep.nc")
    )


@pytest.mark.thorough
def test_failed_points_are_named_and_the_rest_is_there(tmp_path):
    over = ("--over", "tau=0.001,1 ms", "--backend", "numpy", "--quiet")
    found = done(tmp_path, *over, "--out", str(tmp_path / "out"))
    assert found.returncode == 2 and "tau" in found.stderr  # the first point is checked beforehand
    over = ("--over", "tau=1,0.001 ms", "--backend", "numpy", "--quiet", "--json")
    found = done(tmp_path, *over, "--out", str(tmp_path / "out"))
    assert found.returncode == 0, found.stderr
    assert "tau = 0.001 ms, seed 0 failed: " in found.stderr
    data = xr.load_dataset(tmp_path / "out" / "sweep.nc")
    assert np.isfinite(data["spikes_rate_Hz"].values).tolist() == [[True], [False]]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--over", "tua=1,2 ms"), "did you mean 'tau'"),
        ((), "needs --over"),
        (("--over", "tau=1,2 ms", "--set", "tau=3 ms"), "'tau' is given to --set and to --over"),
        (("--over", "tau=1,2 ms", "--set", "parameters.tau=3 ms"), "to --set and to --over"),
        pytest.param(
            ("--over", "tau=1,2 ms", "--scheduler", "tcp://127.0.0.1:9"),
            "no Dask scheduler answers",
            marks=pytest.mark.thorough,  # it waits for an answer
        ),
        (("--over", "tau=1,2 ms", "--workers", "0"), "--workers must be at least 1"),
        (("--over", "tau=1,2 ms", "--resume"), "holds no sweep to go on with"),
        (("--over", "tau=1,2 ms", "--record", "nosuch"), "no record 'nosuch'"),
    ],
)
def test_mistakes_cost_one_sentence(tmp_path, flags, said):
    found = done(tmp_path, *flags, "--backend", "numpy", "--out", str(tmp_path / "out"))
    assert found.returncode == 2 and said in found.stderr, found.stderr
    assert "Traceback" not in found.stderr


def test_a_model_that_measures_nothing_is_refused_before_it_begins(tmp_path):
    silent = ("--set", "record.spikes.events=false", "--set", 'record.spikes.variables=["x"]')
    found = done(tmp_path, *SWEEP, *silent, "--out", str(tmp_path / "out"))
    assert found.returncode == 2 and found.stderr.count("measures nothing") == 1, found.stderr
    assert not (tmp_path / "out").exists()
