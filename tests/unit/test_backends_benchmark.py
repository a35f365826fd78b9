"""`benchmarks/backends.py`: what it times, and which ratios it refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "backends.py"


@pytest.fixture(scope="module")
def benchmark():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FILE.parent)  # as for `python benchmarks/backends.py`
        yield _loaded()


def _loaded():
    spec = importlib.util.spec_from_file_location("benchmark_of_backends", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("over", "under", "said"),
    [
        ([300, 330, 360], [100, 100, 100], "x 3.30 (3.00 to 3.60)"),
        ([30, 33, 36], [100, 100, 100], "x 0.33 (0.30 to 0.36)"),
        # a machine whose speed drifts: every round gives the same ratio
        ([200, 400], [100, 200], "x 2.00 (2.00 to 2.00)"),
        ([90, 120], [100, 100], "no ratio: the rounds give 0.90 to 1.20"),
        ([150, 200, 900], [100, 100, 100], "no ratio: the rounds give 1.50 to 9.00"),
        ([300], [100], "no ratio: one round has no spread"),
    ],
)
def test_a_ratio_that_its_spread_swallows_is_refused(benchmark, over, under, said):
    assert benchmark.ratio(over, under) == said


def test_a_step_is_of_the_loop_alone(benchmark, monkeypatch):
    seen = []
    backend = benchmark.backends.get("numpy")

    class Watched:
        def run(self, request):
            seen.append(backend.run(request))
            return seen[-1]

    monkeypatch.setattr(benchmark.backends, "get", lambda _: Watched())
    step = benchmark.backend_step("numpy", 1, "float64", 0.2)(16)
    [outcome] = seen
    assert step == pytest.approx(outcome.loop_seconds / 100 * 1e6)
