"""Lava runs leave nothing behind: not after success, failure, a killed process or an interrupt."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import load
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.lava import LavaBackend, _compat
from neuroglia_snn.errors import BackendError, NumericalError

pytestmark = pytest.mark.skipif(_compat.missing() is not None, reason=str(_compat.missing()))

TINY = {
    "population.neuron.shape": "[4, 4]",
    "population.astrocyte.shape": "[1, 1]",
    "model.duration": "1 ms",
    "record.frames.every": "1 ms",
    "record.calcium.every": "1 ms",
}


def request(**settings) -> Request:
    model = load("noise_induced_memory", {**TINY, **settings})
    image = np.ones((4, 4), bool)
    return Request(model, {"train": image, "test": image}, precision="float")


def children() -> list[int]:
    """Processes whose parent is this one, the resource tracker of multiprocessing left out."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) != os.getpid():
                continue
            if b"resource_tracker" not in (stat.parent / "cmdline").read_bytes():
                found.append(int(stat.parent.name))
        except OSError:  # it has just ended
            continue
    return found


def shared_memory() -> set[str]:
    return {p.name for p in Path("/dev/shm").glob("psm_*")}


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.slow
def test_fifty_runs_leave_no_process_descriptor_or_shared_memory():
    backend = LavaBackend()
    backend.run(request())  # what is opened once stays open
    before = (children(), shared_memory(), descriptors(), threading.active_count())
    for _ in range(50):
        backend.run(request())
    after = (children(), shared_memory(), descriptors(), threading.active_count())
    assert after[0] == before[0]
    assert after[1] <= before[1]
    assert after[2] <= before[2] + 2
    assert after[3] <= before[3]


def assert_clean(before: set[str]) -> None:
    end = time.monotonic() + 5
    while (children() or shared_memory() - before) and time.monotonic() < end:
        time.sleep(0.05)
    assert not children()
    assert not shared_memory() - before


def test_an_exception_in_a_process_is_said_and_ends_the_run(monkeypatch):
    from neuroglia_snn.backends.lava.population import PopulationModel

    before = shared_memory()

    def fail(self, step):
        raise RuntimeError("the reason")

    monkeypatch.setattr(PopulationModel, "_advance", fail)
    start = time.monotonic()
    with pytest.raises(BackendError, match="a Lava process failed: RuntimeError: the reason") as e:
        LavaBackend().run(request())
    assert "in fail" in e.value.traceback
    assert time.monotonic() - start < 20
    assert_clean(before)


def test_an_exception_while_a_process_is_built_is_said(monkeypatch):
    from neuroglia_snn.backends.lava import backend

    before = shared_memory()

    def make(population):
        raise RuntimeError("cannot be built")

    monkeypatch.setattr(backend, "maker", lambda *_: make)
    with pytest.raises(BackendError, match="cannot be built"):
        LavaBackend().run(request())
    assert_clean(before)


def test_overflow_is_a_numerical_error():
    with pytest.raises(NumericalError, match=r"'neuron', unit \d+: NaN or overflow by t = .* ms"):
        LavaBackend().run(request(**{"model.dt": "0.02 ms", "model.duration": "20 ms"}))


@pytest.mark.parametrize("number", [0, 1])
def test_a_killed_process_ends_in_a_clear_error_within_seconds(number):
    before = shared_memory()
    long = request(**{"model.duration": "60000 ms", "record.traces.every": "100 ms"})
    killed = []

    def kill(fraction: float, model_time: float) -> None:
        running = [p for p in multiprocessing.active_children() if "SystemProcess" in str(type(p))]
        if fraction > 0 and not killed:
            killed.append(time.monotonic())
            os.kill(running[number].pid, signal.SIGKILL)

    with pytest.raises(BackendError, match=r"a Lava process died \(killed by SIGKILL\)"):
        LavaBackend().run(replace(long, progress=kill))
    assert time.monotonic() - killed[0] < 10
    assert_clean(before)


@pytest.mark.slow
def test_ctrl_c_at_the_command_line_cleans_up(tmp_path):
    before = shared_memory()
    command = [sys.executable, "-m", "neuroglia_snn", "run", "noise_induced_memory"]
    command += ["--backend", "lava", "--out", str(tmp_path / "run"), "--quiet"]
    command += ["--set", "population.neuron.shape=[10, 10]"]
    command += ["--set", "population.astrocyte.shape=[3, 3]"]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: len(group(program.pid)) >= 4)
    time.sleep(1)
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to every process
    said = program.communicate(timeout=30)[1]
    assert program.returncode == 130
    assert said.strip() == "neuroglia: interrupted"
    wait_for(lambda: not group(program.pid))
    assert not shared_memory() - before
    assert not (tmp_path / "run" / "summary.json").exists()


def group(leader: int) -> list[int]:
    """Living processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
