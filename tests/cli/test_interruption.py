"""Ctrl-C and worse, as a user meets them: files that read, and a run that goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

MODEL = """
[model]
extends = "noise_induced_excitability"
duration = "15 second"
[record.mean_field]
every = "1 ms"
"""


#: The command line, with checkpoints three times a second.
NEUROGLIA = """
import sys
from neuroglia_snn.backends import fused
from neuroglia_snn.cli import main
fused.CHECKPOINT_EVERY = 0.3
sys.exit(main())
"""


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", NEUROGLIA, "run", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=0,
    )


def wait_for_checkpoint(folder: Path) -> None:
    """Until the simulation has kept something."""
    for _ in range(1200):
        if any(folder.glob("checkpoint/*/checkpoint.npz")):
            return
        time.sleep(0.1)
    raise AssertionError("no checkpoint appeared")


def result(folder: Path) -> xr.Dataset:
    with xr.open_dataset(folder / "data.nc", engine="h5netcdf") as data:
        return data.load()


@pytest.mark.thorough
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_is_readable_and_goes_on(tmp_path, blow):
    model = tmp_path / "long.toml"
    model.write_text(MODEL)
    options = [model, "--seed", 3, "--out"]
    program = start(*options, tmp_path / "cut")
    wait_for_checkpoint(tmp_path / "cut")
    program.send_signal(blow)
    said = program.communicate(timeout=60)[1]
    assert "Traceback" not in said
    if blow == signal.SIGINT:
        assert program.returncode == 130
        summary = json.loads((tmp_path / "cut" / "summary.json").read_text())
        assert f"t = {summary['interrupted_at_ms']:.6g} ms" in said and "--resume" in said
        assert summary["figures"] == [] and "figure" not in said
        part = result(tmp_path / "cut")
        assert 0 < part.sizes["time_mean_field"] < 15000
    again = start(*options, tmp_path / "cut")
    assert "--resume" in again.communicate(timeout=60)[1] and again.returncode == 2
    other = start(*options, tmp_path / "cut", "--resume", "--set", "sigma2=0.1")
    assert "another" in other.communicate(timeout=60)[1] and other.returncode == 2
    resumed = start(*options, tmp_path / "cut", "--resume")
    assert resumed.wait(timeout=120) == 0
    assert not (tmp_path / "cut" / "checkpoint").exists()
    assert start(*options, tmp_path / "whole").wait(timeout=120) == 0
    assert result(tmp_path / "cut").identical(result(tmp_path / "whole"))
