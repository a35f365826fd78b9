"""A worker keeps its build: the same numbers as runs of their own, with fewer builds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from neuroglia_snn import backends, checks
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.errors import NumericalError
from neuroglia_snn.experiments import registry
from neuroglia_snn.options import Options
from neuroglia_snn.runs import measure
from neuroglia_snn.sweeps import worker
from neuroglia_snn.sweeps.worker import Job, Keeper, Own, digest, measured, measured_apart

MODEL = """
[model]
title = "Noise that decays, on a lattice"
noise = "stratonovich"
integrator = "heun"
dt = "0.1 ms"
duration = "3 ms"
[parameters]
tau = { value = "1 ms", min = "0.1 ms" }
[population.unit]
shape = [3, 4]
equations = '''
dx/dt = -x/tau + 0.5*L/ms + 0.5*x*xi/sqrt(ms) : 1
L : 1
'''
threshold = "x > 0.9"
reset = "x = 0.5"
[population.unit.initial]
x = "1"
[projection.neighbours]
from = "unit"
to = "unit"
connect = { rule = "lattice", neighbours = 4, edges = "zero-flux" }
equations = "L_post = (x_pre - x_post)/N_incoming : 1 (summed)"
[record.x]
population = "unit"
variables = ["x"]
every = "1 ms"
[record.spikes]
population = "unit"
events = true
"""


@pytest.fixture
def model(tmp_path) -> str:
    path = tmp_path / "decay.toml"
    path.write_text(MODEL)
    return str(path)


@pytest.fixture
def requests(model) -> list[Request]:
    """Three that share a build, one that does not, and one that does again."""
    chosen = [{}, {"tau": "2 ms"}, {"tau": "3 ms"}, {"population.unit.shape": "[4, 4]"}, {}]
    models = [checks.load_checked(model, s)[0] for s in chosen]
    return [Request(m, seed=n) for n, m in enumerate(models)]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["fused", "cpp", "numpy"])
def test_kept_builds_give_what_single_runs_give(requests, name):
    backend = backends.get(name)
    kept = Keeper().simulate(backend, requests)
    for request, outcome in zip(requests, kept, strict=True):
        alone = backend.run(request)
        for after, before in zip(
            outcome.final["unit"].items(), alone.final["unit"].items(), strict=True
        ):
            assert after[0] == before[0]
            np.testing.assert_array_equal(after[1], before[1])
        np.testing.assert_array_equal(
            outcome.records["x"].values["x"], alone.records["x"].values["x"]
        )
        np.testing.assert_array_equal(outcome.events["spikes"], alone.events["spikes"])


class Building:
    """A backend whose builds are kept, as `cpp`, and that counts them."""

    name, batch = "building", 1

    def __init__(self, usual):
        self.usual, self.built_for = usual, []

    @contextmanager
    def built(self, request: Request):
        self.built_for.append(request)
        yield self.usual.run


def test_a_build_serves_all_that_share_it(requests):
    backend = Building(backends.get("numpy"))
    keeper = Keeper()
    keeper.simulate(backend, requests[:2])
    keeper.simulate(backend, requests[2:3])
    assert len(backend.built_for) == 1
    keeper.simulate(backend, requests[3:])
    assert len(backend.built_for) == 3


class Batching:
    """A backend that runs many networks together, and fails where one of them does."""

    name, batch = "batching", 4

    def __init__(self, usual):
        self.usual, self.calls = usual, []

    def run_many(self, requests: Sequence[Request], workers: int = 1) -> list[Outcome]:
        self.calls.append(len(requests))
        if any(r.seed == 2 for r in requests):
            raise NumericalError("seed 2 overflows")
        return [self.usual.run(r) for r in requests]


def test_batches_run_together_and_a_failure_is_one_points_own(requests):
    backend = Batching(backends.get("numpy"))
    found = Keeper().simulate(backend, requests[:2])
    assert backend.calls == [2] and all(isinstance(f, Outcome) for f in found)
    found = Keeper().simulate(backend, requests[:3])
    assert backend.calls == [2, 3, 1, 1, 1]
    assert [isinstance(f, NumericalError) for f in found] == [False, False, True]


def test_measures_or_why_there_are_none(model):
    """A value out of bounds is refused on reading, a backend that is not there on planning."""
    runs = [Options(backend="numpy", overrides={"tau": t}) for t in ("1 ms", "0 ms", "2 ms")]
    runs.insert(2, Options(backend="nunpy"))
    found = measure(model, runs)
    assert "tau" in str(found[1]) and "did you mean 'numpy'" in str(found[2])
    assert found[0].measures.keys() == found[3].measures.keys() == {"spikes_rate_Hz"}
    digest = checks.load_checked(model)[0].digest
    failed = [f.measures is None for f in measured(Job(model, digest), runs, Options())]
    assert failed == [False, True, True, False]
    changed = measured(Job(model, "another"), runs, Options())
    assert all("has changed since the sweep began" in f.error for f in changed)


@pytest.fixture
def apart(model, monkeypatch):
    """Measures of a point in a process that is not the user's, which has a measure of its own."""
    monkeypatch.setattr(worker, "hush", lambda: None)
    monkeypatch.setattr(registry, "MEASURES", {"of_this_process": lambda result: 1.0})
    job = Job(model, checks.load_checked(model)[0].digest)

    def measures(own: Own):
        (found,) = measured_apart(job, own, [Options(backend="numpy")], Options())
        assert [*registry.MEASURES] == ["of_this_process"] and not registry.FILES
        return found

    return measures


def test_a_worker_has_the_measures_of_its_job_alone(apart):
    for name in ("a", "b"):
        own = Own(measures={name: lambda result: 2.0})
        assert apart(own).measures.keys() == {"spikes_rate_Hz", name}


def test_an_edited_file_is_run_again_and_an_unchanged_one_is_not(apart, tmp_path):
    file, runs = tmp_path / "mine.py", tmp_path / "runs"
    text = (
        "import neuroglia_snn as ng\n"
        f"open({str(runs)!r}, 'a').write('run ')\n"
        "@ng.measure\ndef mine(result): return VALUE\n"
    )
    for value in ("1.0", "1.0", "2.0"):
        file.write_text(text.replace("VALUE", value))
        found = apart(Own(((file, digest(file)),)))
        assert found.measures["mine"] == float(value)
    assert runs.read_text() == "run run "
    assert f"{file} has changed since the sweep began" in apart(Own(((file, "0"),))).error
