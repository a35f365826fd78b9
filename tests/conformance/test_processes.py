"""Replicas in processes: what goes wrong is said as it happens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.backends import FAILS, REPORTS, SLEEPS, Scripted

from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.fused.processes import side_by_side
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import BackendError

SCRIPT = """
from helpers.backends import Scripted
from neuroglia_snn.catalog.load import load
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.fused.processes import side_by_side
from neuroglia_snn.errors import BackendError
try:
    side_by_side(Scripted(), [Request(load("noise_induced_excitability"))]*2, 2)
except BackendError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def request_of():
    plain = Request(load("noise_induced_excitability"))
    return lambda seed, progress=None: replace(plain, seed=seed, progress=progress)


def test_a_failure_is_seen_while_an_earlier_run_goes_on(request_of):
    began = time.monotonic()
    with pytest.raises(BackendError, match="seed 1 fails"):
        side_by_side(Scripted(), [request_of(SLEEPS), request_of(FAILS)], 2)
    assert time.monotonic() - began < 120


def test_a_watcher_that_fails_ends_all_runs_at_once(request_of):
    def watcher(fraction: float, model_time: float) -> None:
        raise RuntimeError(f"watched at {fraction}")

    began = time.monotonic()
    with pytest.raises(RuntimeError, match=r"watched at 0\.5"):
        side_by_side(Scripted(), [request_of(SLEEPS), request_of(REPORTS, watcher)], 2)
    assert time.monotonic() - began < 120


@pytest.mark.thorough
def test_a_script_whose_workers_would_start_workers_is_told_what_it_lacks(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(SCRIPT)
    root = Path(__file__).resolve().parents[2]
    paths = {"PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])}
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the workers do not start" in done.stdout
    assert "below `if __name__ == '__main__':`" in done.stdout
