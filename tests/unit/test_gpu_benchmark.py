"""`benchmarks/gpu.py` without a GPU: every part runs small on the processor, and none costs the others theirs."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import brian2
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPT = FOLDER / "gpu.py"


def module(name: str):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # for its dataclasses
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def gpu():
    return module("gpu")


@pytest.fixture
def bench(gpu, tmp_path):
    return gpu.Bench(tmp_path, "cpp", {"GPU": None, "target": "cpp", "dry": True})


def later() -> float:
    return time.monotonic() + 600


def script(*given: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *given],
        env={**os.environ, "PYTHONPATH": str(FOLDER.parent), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


FAKE = """
import json, os, subprocess, sys, time
do, given, target = sys.argv[1:]
given = json.loads(given)
open(given["log"], "a").write(do + "\\n")
if do == "hangs":
    subprocess.Popen(["sleep", "300"])
    time.sleep(300)
if do == "crashes":
    os.abort()
if do == "refuses":
    sys.exit("set_device('neuroglia', target='cuda'): the targets are 'cpp', 'numpy'")
print("a program's own words")
print(json.dumps({"us": 1.5, "range": [1.0, 2.0], "steps": 10, "neurons": 3, "target": target}))
"""


@pytest.fixture
def faked(gpu, bench, monkeypatch, tmp_path):
    """Parts that a script plays, and what was run of them."""
    child, log = tmp_path / "child.py", tmp_path / "log"
    child.write_text(FAKE)
    monkeypatch.setattr(gpu, "CHILD", child)
    monkeypatch.setattr(gpu, "SHORTEST", 0.0)
    given = {"log": str(log)}

    def part(do: str, seconds: float = 30, **more: object):
        return gpu.Part(do, do, {**given, **more}, seconds)

    return part, lambda: log.read_text().split() if log.exists() else []


def test_a_part_that_hangs_or_crashes_costs_itself_alone(bench, faked):
    part, _ = faked
    began = time.monotonic()
    work = [part("hangs", 1.0), part("crashes"), part("refuses"), part("works")]
    bench.carry_out(work, later())
    assert time.monotonic() - began < 30
    rows = json.loads((bench.folder / "gpu.json").read_text())["parts"]
    assert rows["hangs"]["failed"] == "took more than 1 s"
    assert rows["crashes"]["failed"].startswith("ended with -6")
    assert rows["refuses"]["failed"] == (
        "ended with 1: set_device('neuroglia', target='cuda'): the targets are 'cpp', 'numpy'"
    )
    assert rows["works"]["us"] == 1.5 and rows["works"]["target"] == "cpp"


def test_the_same_command_goes_on_where_it_was(gpu, bench, faked):
    part, ran = faked
    work = [part("works"), part("refuses"), part("last")]
    bench.carry_out(work, later())
    again = gpu.Bench(bench.folder, "cpp", bench.head)
    again.resume()
    assert list(again.rows) == ["works", "last"]  # what failed is done again, the rest is kept
    again.carry_out(work, later())
    assert ran() == ["works", "refuses", "last", "refuses"]
    assert set(again.rows) == {"works", "refuses", "last"}


def test_what_is_of_another_machine_is_not_gone_on_with(gpu, bench, faked):
    part, _ = faked
    bench.carry_out([part("works")], later())
    other = gpu.Bench(bench.folder, "cuda", {**bench.head, "GPU": "H200", "target": "cuda"})
    with pytest.raises(SystemExit, match=r"gpu.json is of GPU None, this is H200: .*--out DIR"):
        other.resume()


def test_what_does_not_fit_into_the_time_is_left_out_and_said(gpu, bench, faked, monkeypatch):
    part, ran = faked
    monkeypatch.setattr(gpu, "SHORTEST", 5.0)
    bench.carry_out([part("works")], time.monotonic() + 1)
    assert bench.rows["works"]["failed"] == "left out: no time was left" and ran() == []


def test_what_can_be_is_compiled_beforehand_once(gpu, bench, faked):
    part, ran = faked
    work = [replace(part("works"), compiling={"count": 0}), part("last")]
    for _ in range(2):
        bench.compile(work, 2, later())
    assert ran() == ["works"] and bench.compiled == {"works": {"at a time": 2}}


def test_the_table_says_shares_and_ratios(gpu, bench):
    ours = {"us": 100.0, "range": [90.0, 110.0], "neurons": 4096**2, "bytes": 335e6, "GPU MiB": 700}
    coba = {"us": 10.0, "range": [9.0, 11.0], "neurons": 4000, "synapses": 320_000, "Hz": 20.0}
    bench.rows = {
        "copy": {"bytes a second": 4e12, "seconds": 1.0},
        "lattice 4,096 x 4,096": ours,
        "COBA, 4,000": coba,
        "COBA, 4,000, brian2cuda": {"us": 40.0, "range": [39.0, 41.0], "neurons": 4000, "Hz": 21.0},
        "STDP": {**coba, "neurons": 1},
        "STDP, brian2cuda": {"us": 40.0, "range": [39.0, 41.0], "neurons": 1, "Hz": 60.0},
        "agreement, COBA": {"largest difference": 1e-3, "good": False},
    }
    bench.compiled = {
        "COBA, 4,000": {"before s": 12.5},
        "COBA, 4,000, brian2cuda": {"before s": 40},
    }
    text = bench.table()
    assert (
        "| lattice 4,096 x 4,096 | 16,777,216 |  | 100.0 (90.0 to 110.0) | 0.00596 | 84% | 700 |"
        in text
    )
    line = "| COBA, 4,000 | 4,000 | 320,000 | 10.0 (9.0 to 11.0) | 2.5 |  |  | 20.0 | 12.5 |"
    assert f"{line} 40.0 (39.0 to 41.0) | 40 | x 4.00 |" in text
    assert "none: 60.0 Hz are not 20.0 Hz" in text
    assert "- agreement, COBA: NOT as it should be: largest difference 0.001" in text


def test_every_part_can_be_given_what_it_is_given(gpu):
    """By name, in the real run, the dry one and where it is compiled."""
    child = module("on_gpu")
    names = [part.name for part in gpu.parts()]
    assert len(set(names)) == len(names)
    for part in [*gpu.parts(), *map(gpu.dry, gpu.parts())]:
        for given in (part.given, {**part.given, **(part.compiling or {})}):
            more = {"folder": "x"} if part.do == "peer" else {}
            bound = child.bound(part.do, "cpp", {**given, **more})
            assert bound.arguments["target"] == "cpp"
        assert part.beside is None or part.beside in names
    for name in ("COBA, 10^6", "COBAHH, 10^6", "Brunel, 10^8 synapses", "mushroom body"):
        assert name in names


@pytest.fixture
def as_it_was():
    """A test that sets the device leaves Brian2's own."""
    yield
    brian2.set_device("runtime")
    brian2.defaultclock.dt = 0.1 * brian2.ms


def test_networks_of_other_sizes_keep_the_synapses_of_a_neuron(as_it_was):
    child = module("on_gpu")
    for size in (400, 1200):
        network = child.Network("coba", size, "numpy")
        assert network.synapses() / size == pytest.approx(80, rel=0.05)
        assert len(network.neurons) == size


def dry(out: Path, only: str) -> dict:
    """The parts of a dry run whose names hold a text."""
    cache = os.environ.get("NEUROGLIA_CACHE", str(out / "cache"))
    done = script("--dry", "--out", str(out), "--only", only, NEUROGLIA_CACHE=cache)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((out / "gpu.json").read_text())
    assert found["target"] == "cpp" and found["dry"]
    return found["parts"]


def test_the_script_compares_a_small_network_without_a_gpu(tmp_path):
    rows = dry(tmp_path, "agreement, STDP")
    assert list(rows) == ["agreement, STDP"]
    assert rows["agreement, STDP"]["good"] and rows["agreement, STDP"]["largest difference"] == 0


@pytest.mark.thorough
def test_the_script_times_small_networks_without_a_gpu(tmp_path):
    """Beside Brian2's C++, on the target ``cpp``; a lattice and a model with astrocytes."""
    rows = dry(tmp_path, "STDP")
    assert list(rows) == ["agreement, STDP", "STDP", "STDP, brian2cuda"]
    assert rows["STDP"]["us"] > 0 and rows["STDP"]["synapses"] == 200
    assert rows["STDP, brian2cuda"]["us"] > 0
    assert "| STDP | 1 | 200 |" in (tmp_path / "gpu.md").read_text()
    for only in ("agreement, lattice", "1,024", "100,000"):
        rows = dry(tmp_path / only, only)
        assert rows and all(row.get("good", row.get("us")) for row in rows.values())


@pytest.mark.thorough
def test_the_checks_of_memory_run_a_part_under_the_tool(tmp_path, monkeypatch):
    child = module("on_gpu")
    tool = tmp_path / "compute-sanitizer"
    tool.write_text(
        '#!/bin/sh\n[ "$2" = racecheck ] && n=1 || n=0\n'
        'echo "========= ERROR SUMMARY: $n errors" > "$8"\nshift 8\n"$@"\nexit $((9*n))\n'
    )
    tool.chmod(0o755)
    monkeypatch.setattr(child.shutil, "which", lambda name: None)
    absent = child.sanitise("cpp", "memcheck", "copy", {"size": 1000})
    assert absent == {"not offered": "compute-sanitizer is not installed"}
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    good = child.sanitise("cpp", "memcheck", "copy", {"size": 1000})
    assert good == {"said": "ERROR SUMMARY: 0 errors", "good": True}
    bad = child.sanitise("cpp", "racecheck", "copy", {"size": 1000})
    assert bad["said"] == "ERROR SUMMARY: 1 errors" and bad["good"] is False


def test_the_most_memory_is_what_nvidia_smi_says_beside_what_was_held(tmp_path, monkeypatch):
    child = module("on_gpu")
    smi = tmp_path / "nvidia-smi"
    smi.write_text(
        '#!/bin/sh\ncase "$*" in *-lms*) echo 300; echo 900; echo 500; exec sleep 60;; *) echo 100;; esac\n'
    )
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with child.memory("cuda") as used:
        until = time.monotonic() + 20
        while used() < 800 and time.monotonic() < until:
            time.sleep(0.01)
        assert used() == 800
    with child.memory("cpp") as used:
        assert used() is None


def test_without_a_gpu_it_says_so(tmp_path):
    done = script("--out", str(tmp_path / "out"), PATH="/bin", HOME=str(tmp_path))
    assert done.returncode == 2 and done.stderr.startswith("gpu.py: no NVIDIA driver found")
    assert not (tmp_path / "out").exists()


def test_a_part_fails_with_the_sentence_of_the_device(tmp_path):
    """Where the device has no such target, or no GPU."""
    given = json.dumps({"name": "stdp", "size": 10, "steps": 10})
    done = subprocess.run(
        [sys.executable, str(FOLDER / "on_gpu.py"), "step", given, "nowhere"],
        env={**os.environ, "PYTHONPATH": str(FOLDER.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (said,) = done.stderr.strip().splitlines()
    assert said.startswith("set_device('neuroglia', target='nowhere'): the targets are ")
