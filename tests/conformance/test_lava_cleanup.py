"""Lava runs leave nothing behind: not after success, failure, a killed process or an interrupt."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import brian2
import numpy as np
import pytest
from brian2 import ms

import neuroglia_snn.brian  # noqa: F401
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.lava import LavaBackend
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import BackendError, NumericalError
from neuroglia_snn.lava import compat, shared
from neuroglia_snn.lava.work import Work

pytestmark = pytest.mark.skipif(compat.missing() is not None, reason=str(compat.missing()))

TINY = {
    "population.neuron.shape": "[4, 4]",
    "population.astrocyte.shape": "[1, 1]",
    "model.duration": "1 ms",
    "record.frames.every": "1 ms",
    "record.calcium.every": "1 ms",
}


def request(precision: str = "float64", **settings) -> Request:
    model = load("noise_induced_memory", {**TINY, **settings})
    image = np.ones((4, 4), bool)
    return Request(model, {"train": image, "test": image}, precision=precision)


def spiking(with_messages: bool = False) -> tuple[brian2.Network, brian2.NeuronGroup]:
    """Two populations of Brian2's that send each other spikes in every step.

    With messages, one connection is plastic, and ours; the weights of the other one do not change, and it is Lava's own.
    """
    changes = None if with_messages else "w *= 0.99"
    made = [
        brian2.NeuronGroup(
            20, "dv/dt = 200*Hz : 1", threshold="v > 1", reset="v = 0", method="euler"
        )
        for _ in range(2)
    ]
    synapses = [
        brian2.Synapses(a, b, "w : 1", on_pre="v_post += w", on_post=on_post)
        for (a, b), on_post in zip((made, made[::-1]), ("w *= 0.99", changes), strict=True)
    ]
    for one in synapses:
        one.connect()
        one.w = 0.01
        one.pre.delay = "1*ms + 0.1*ms*(i % 3)" if with_messages else "1*ms"
    return brian2.Network(made, synapses, [brian2.SpikeMonitor(g) for g in made]), made[0]


def device(target: str):
    brian2.start_scope()
    brian2.set_device("neuroglia", target=target)
    yield target == "lava-messages"
    brian2.set_device("runtime")


@pytest.fixture
def with_messages():
    yield from device("lava-messages")


@pytest.fixture(params=["lava", "lava-messages"])
def on_either(request):
    """Whether every connection is a process."""
    yield from device(request.param)


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


def left() -> tuple:
    return children(), shared_memory(), descriptors(), threading.active_count()


def lasting(segments: set[str], seconds: float = 60) -> set[str]:
    """Those that are not gone soon: a test that runs beside this one has segments for a while."""
    end = time.monotonic() + seconds
    while (segments := segments & shared_memory()) and time.monotonic() < end:
        time.sleep(0.1)
    return segments


def require_nothing_left(run, runs: int) -> None:
    run()  # what is opened once stays open
    before = left()
    for _ in range(runs):
        run()
    after = left()
    assert after[0] == before[0]
    assert not lasting(after[1] - before[1])
    assert after[2] <= before[2] + 2
    assert after[3] <= before[3]


RUNS = [10, pytest.param(50, marks=pytest.mark.thorough)]


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("runs", RUNS)
@pytest.mark.parametrize("precision", ["float64", "fixed"])
def test_runs_leave_no_process_descriptor_or_shared_memory(precision, runs):
    require_nothing_left(lambda: LavaBackend().run(request(precision)), runs)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("runs", RUNS)
def test_nor_do_those_of_a_spiking_network(runs, on_either):
    network, _ = spiking(on_either)
    require_nothing_left(lambda: network.run(10 * ms), runs)
    assert float(network.t) == pytest.approx((runs + 1) * 0.01)


def assert_clean(before: set[str]) -> None:
    end = time.monotonic() + 5
    while children() and time.monotonic() < end:
        time.sleep(0.05)
    assert not children()
    assert not lasting(shared_memory() - before)


def test_an_exception_in_a_process_is_said_and_ends_the_run(monkeypatch):
    before = shared_memory()

    def fail(self, send, receive):
        raise RuntimeError("the reason")

    monkeypatch.setattr(Work, "step", fail)
    start = time.monotonic()
    with pytest.raises(BackendError, match="a Lava process failed: RuntimeError: the reason") as e:
        LavaBackend().run(request())
    assert "in fail" in e.value.traceback
    assert time.monotonic() - start < 20
    assert_clean(before)


def test_an_exception_while_a_process_is_built_is_said(monkeypatch):
    from neuroglia_snn.lava.process import PartModel

    before = shared_memory()

    def fail(self, proc_params):
        raise RuntimeError("cannot be built")

    monkeypatch.setattr(PartModel, "__init__", fail)
    with pytest.raises(BackendError, match="cannot be built"):
        LavaBackend().run(request())
    assert_clean(before)


def test_overflow_is_a_numerical_error():
    with pytest.raises(NumericalError, match=r"'neuron', unit \d+: NaN or overflow by t = .* ms"):
        LavaBackend().run(request(**{"model.dt": "0.02 ms", "model.duration": "20 ms"}))


def running() -> list:
    """Lava's processes: those of parts in their order, then its own."""
    return [p for p in multiprocessing.active_children() if "SystemProcess" in str(type(p))]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("number", "precision"), [(0, "float64"), (1, "float64"), (1, "fixed")])
def test_a_killed_process_ends_in_a_clear_error_within_seconds(number, precision):
    before = shared_memory()
    settings = {"model.duration": "16000 ms", "record.traces.every": "100 ms"}
    killed = []

    def kill(fraction: float, model_time: float) -> None:
        if fraction > 0 and not killed:
            killed.append(time.monotonic())
            os.kill(running()[number].pid, signal.SIGKILL)

    with pytest.raises(BackendError, match=r"a Lava process died \(killed by SIGKILL\)"):
        LavaBackend().run(replace(request(precision, **settings), progress=kill))
    assert time.monotonic() - killed[0] < 10
    assert_clean(before)


@pytest.fixture
def lavas_own(monkeypatch):
    """The number of the process of Lava's own `DelaySparse`, once it has run."""
    from lava.proc.sparse.models import PyDelaySparseModelFloat as Model

    found, run_spk = shared.array((1,), np.int64), Model.run_spk

    def noted(self):
        found[0] = os.getpid()
        run_spk(self)

    monkeypatch.setattr(Model, "run_spk", noted)
    return found


def require_end_of_all(network, group, victim) -> None:
    """Kill a process of a run: it ends within seconds, with the network as it was last seen, and can go on."""
    before = shared_memory()
    seen = []

    def kill(elapsed, completed, start, duration):
        seen.append((float(network.t), np.array(group.v), time.monotonic()))
        if completed > 0:
            os.kill(victim(), signal.SIGKILL)

    with pytest.raises(BackendError, match="a Lava process died"):
        network.run(1000 * brian2.second, report=kill, report_period=0.3 * brian2.second)
    at, values, killed = seen[-1]
    assert time.monotonic() - killed < 10
    assert float(network.t) == at > 0
    np.testing.assert_array_equal(group.v, values)
    assert_clean(before)
    network.run(1 * ms)
    assert float(network.t) == pytest.approx(at + 1e-3)


@pytest.mark.thorough
def test_after_a_killed_process_a_script_has_its_network_as_it_was_last_seen(on_either):
    require_end_of_all(*spiking(on_either), lambda: running()[0].pid)


def test_and_so_after_lavas_own_connection_was_killed(with_messages, lavas_own):
    require_end_of_all(*spiking(True), lambda: int(lavas_own[0]))


def test_an_exception_in_lavas_own_connection_is_said_and_ends_the_run(with_messages, monkeypatch):
    from lava.proc.sparse.models import PyDelaySparseModelFloat as Model

    def fail(self):
        raise RuntimeError("the reason")

    before = shared_memory()
    monkeypatch.setattr(Model, "run_spk", fail)
    network, _ = spiking(True)
    with pytest.raises(BackendError, match="a Lava process failed: RuntimeError: the reason"):
        network.run(10 * ms)
    assert_clean(before)


SCRIPT = r"""
import brian2, signal, sys
import neuroglia_snn.brian
signal.signal(signal.SIGINT, signal.default_int_handler)
brian2.set_device("neuroglia", target="{target}")
{network}

def report(elapsed, completed, start, duration):
    if completed > 0:
        print("runs", flush=True)

try:
    network.run(100000*brian2.second, report=report, report_period=0.2*brian2.second)
except KeyboardInterrupt:
    print(float(network.t), {seconds})
"""
LINKED = r"""
group = brian2.NeuronGroup(3, "dv/dt = 1*Hz : 1", method="euler")
other = brian2.NeuronGroup(3, "dx/dt = (v - x)/second : 1\nv : 1 (linked)", method="euler")
other.v = brian2.linked_var(group, "v")
network = brian2.Network(group, other)
"""
SPIKES = r"""
group = brian2.NeuronGroup(3, "v : 1", threshold="v >= 0")
other = brian2.NeuronGroup(3, "count : 1")
synapses = brian2.Synapses(group, other, on_pre="count_post += 1")
synapses.connect(j="i")
synapses.delay = "(1 + i)*0.1*ms"
network = brian2.Network(group, other, synapses)
"""


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("target", "network", "seconds", "least"),
    [
        ("lava", LINKED, "group.v[0]", 0.0),
        # a spike of the first step is counted after three more
        pytest.param(
            "lava-messages", SPIKES, "(other.count[2] + 3)*1e-4", 3e-4, marks=pytest.mark.slow
        ),
    ],
)
def test_ctrl_c_in_a_script_leaves_the_network_as_it_was_last_seen(target, network, seconds, least):
    before = shared_memory()
    script = SCRIPT.format(target=target, network=network, seconds=seconds)
    command = [sys.executable, "-c", script]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert program.stdout is not None and program.stdout.readline() == "runs\n"
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to every process
    at, value = map(float, program.communicate(timeout=30)[0].split()[-2:])
    assert program.returncode == 0
    assert at > 0 and value == pytest.approx(max(at, least), rel=1e-9)
    wait_for(lambda: not group(program.pid))
    assert not lasting(shared_memory() - before)


@pytest.mark.thorough
@pytest.mark.slow
def test_ctrl_c_at_the_command_line_leaves_what_was_reached(tmp_path):
    before = shared_memory()
    command = [sys.executable, "-m", "neuroglia_snn", "run", "noise_induced_memory"]
    command += ["--backend", "lava", "--out", str(tmp_path / "run")]
    command += ["--set", "population.neuron.shape=[10, 10]"]
    command += ["--set", "population.astrocyte.shape=[3, 3]"]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert program.stderr is not None
    said = ""
    while not re.search(r" [1-9]\d*%", said):  # until it has come somewhere
        said += program.stderr.read(1)
    os.killpg(program.pid, signal.SIGINT)
    said += program.communicate(timeout=60)[1]
    assert program.returncode == 130
    assert "Traceback" not in said
    wait_for(lambda: not group(program.pid))
    assert not lasting(shared_memory() - before)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["interrupted_at_ms"] > 0


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
