"""`benchmarks/gpu.py` without a GPU: no part that fails or hangs costs the results of the others."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"


@pytest.fixture(scope="module")
def gpu():
    spec = importlib.util.spec_from_file_location("gpu_benchmark", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # for its dataclass
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def fail() -> dict:
    raise ValueError("broken")


def test_parts_that_fail_or_hang_do_not_cost_the_others(gpu):
    written: list[dict] = []
    work = {
        "first": (60, lambda: {"us": 1.5, "good": True}),
        "broken": (60, fail),
        "hangs": (0.2, lambda: subprocess.run(["sleep", "60"])),
        "last": (60, lambda: {"good": True}),
    }
    begin = time.monotonic()
    gpu.SHORTEST = 0.0
    rows = gpu.carry_out(work, 1, lambda rows: written.append(json.loads(json.dumps(rows))))
    assert time.monotonic() - begin < 30
    assert [len(rows) for rows in written] == [1, 2, 3, 4]
    assert rows["first"]["us"] == 1.5 and rows["last"]["good"]
    assert rows["broken"]["failed"] == "ValueError: broken" and not rows["broken"]["good"]
    assert rows["hangs"]["failed"].startswith("TimeoutError: took more than")


def test_what_does_not_fit_into_the_time_is_left_out_and_said(gpu):
    rows = gpu.carry_out({"late": (60, dict)}, 0, lambda rows: None)
    assert rows["late"]["failed"] == "TimeoutError: left out: no time was left"


def test_the_table_names_the_best_way_to_launch(gpu):
    times = {"step, us": 3.0, "graph, us": 2.0, "best": "graph", "of the bandwidth": 0.625}
    text = gpu.table({"GPU": "any"}, {"1 x 130": times, "copy": {"bytes": 3, "good": True}})
    assert "| 1 x 130 | 3.0 | 2.0 |  | graph | 62% |" in text
    assert "- copy: as it should be: bytes 3" in text


def test_brian2cuda_is_timed_by_its_own_loop(gpu, monkeypatch, tmp_path):
    """Whatever the program takes beside it."""
    loops = iter([0.30, 0.10, 0.20])

    class Fake:
        def run(self, request):
            steps = round(request.model.duration / request.model.dt)
            assert steps == 5000
            return SimpleNamespace(loop_seconds=next(loops), run_seconds=1000.0)

    monkeypatch.setattr(gpu.backends, "get", lambda name: Fake())
    row = gpu.Bench(tmp_path, None, "sm_90", False).brian2cuda()
    assert row == {"steps": 5000, "us": 40.0, "range": [20.0, 60.0]}


def test_without_a_gpu_it_says_so(tmp_path):
    done = subprocess.run(
        [sys.executable, str(FILE), "--out", str(tmp_path / "out")],
        env={"PATH": "/bin", "PYTHONPATH": str(FILE.parents[1]), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.startswith("gpu.py: no NVIDIA driver found")
    assert not (tmp_path / "out").exists()
