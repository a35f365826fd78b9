"""The example for SLURM, with an `sbatch` that starts a job at once on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue")

EXAMPLE = Path(__file__).parents[2] / "examples" / "slurm_sweep.py"
SBATCH = """#!/bin/bash
cp "$1" {folder}/job.sh
bash {folder}/job.sh > {folder}/job.log 2>&1 &
echo $! >> {folder}/jobs
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
for job in "$@"; do pkill -P "$job"; kill "$job"; done 2> /dev/null
echo "$@" >> {folder}/cancelled
"""


@pytest.mark.thorough
def test_a_sweep_runs_in_jobs_that_are_cancelled_afterwards(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tools / name).write_text(text.format(folder=tmp_path))
        (tools / name).chmod(0o755)
    flags = [
        "noise_induced_excitability",
        "--over",
        "sigma2=0,0.09",
        "--set",
        "model.duration=1 ms",
    ]
    done = subprocess.run(
        [
            sys.executable,
            EXAMPLE,
            *flags,
            "--backend",
            "numpy",
            "--quiet",
            "--out",
            tmp_path / "grid",
        ],
        env={
            **os.environ,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "JOBS": "1",
            "DASK_JOBQUEUE__SLURM__INTERFACE": "lo",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
    )
    log = tmp_path / "job.log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "no job")
    assert xr.load_dataset(tmp_path / "grid" / "sweep.nc")["mean_field_spikes"].notnull().all()
    script = (tmp_path / "job.sh").read_text()
    assert "#SBATCH --cpus-per-task=1" in script and "#SBATCH -t 04:00:00" in script
    assert (tmp_path / "cancelled").read_text().split() == (tmp_path / "jobs").read_text().split()
