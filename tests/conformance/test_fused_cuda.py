"""The CUDA kernel gives what the processor's gives: its file, compiled for the host, runs here.

Only launches, memory transfers and the waiting of blocks for each other need a GPU; a GPU's own runs are
compared by ``benchmarks/gpu.py``.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.machine_code import architectures
from helpers.zoo import in_pieces, zoo

from neuroglia_snn import backends, load
from neuroglia_snn.backends import fused_cuda as cuda
from neuroglia_snn.backends import toolkit
from neuroglia_snn.backends.base import Outcome, Request, blank_images
from neuroglia_snn.backends.brian import project
from neuroglia_snn.errors import BackendError, NumericalError

#: In place of nvcc: without ``__CUDACC__`` the kernel is C++. Noise sums as GPUs do where the
#: processor can.
HOST = "g++ -x c++ -std=c++17 -O1 -march=native -w"


def run(*requests: Request) -> list[Outcome]:
    return cuda.run_together(requests, HOST, [], {})


def blank(name: str, **changes) -> Request:
    model = load(name, changes.pop("set", {}))
    return Request(model, blank_images(model), **changes)


def require_same(found: Outcome, expected: Outcome, tolerance: float) -> None:
    """Records, events and final states, to a fraction of the largest value of each variable."""
    for name, record in expected.records.items():
        np.testing.assert_allclose(found.records[name].times, record.times, 0, 1e-12)
        np.testing.assert_array_equal(found.records[name].indices, record.indices)
        for variable, values in record.values.items():
            atol = tolerance * np.abs(values).max()
            np.testing.assert_allclose(
                found.records[name].values[variable], values, 0, atol, err_msg=f"{name} {variable}"
            )
    for name, (times, units) in expected.events.items():
        np.testing.assert_allclose(found.events[name][0], times, 0, 1e-12)
        np.testing.assert_array_equal(found.events[name][1], units)
    for name, state in expected.final.items():
        for variable, values in state.items():
            values = np.asarray(values, float)
            atol = tolerance * np.abs(values).max()
            np.testing.assert_allclose(
                np.asarray(found.final[name][variable], float), values, 0, atol, err_msg=variable
            )


@pytest.mark.parametrize("lateral", ["moore", "nonlinear"])
def test_every_feature_equals_the_processors_loop(tmp_path, lateral):
    request = zoo(tmp_path, lateral)
    expected = backends.get("fused").run(request)
    assert sum(len(times) for times, _ in expected.events.values()) > 10
    require_same(run(request)[0], expected, 1e-12)


def test_single_precision_equals_the_processors(tmp_path):
    request = zoo(tmp_path, precision="float32")
    require_same(run(request)[0], backends.get("fused").run(request), 2e-5)


def test_networks_of_one_program_equal_those_that_run_alone(tmp_path):
    requests = [zoo(tmp_path, seed=seed) for seed in (3, 4, 2**32 - 1)]
    together = run(*requests)
    for found, request in zip(together, requests, strict=True):
        require_same(found, run(request)[0], 0)
    assert not np.array_equal(together[0].final["sheet"]["x"], together[1].final["sheet"]["x"])


def test_networks_differ_in_parameters_and_images(tmp_path):
    weak = zoo(tmp_path)
    strong = zoo(tmp_path, change=('strength = { value = "0.3" }', 'strength = { value = "0.5" }'))
    strong = replace(strong, images={"spot": ~strong.images["spot"]}, seed=1)
    together = run(weak, strong)
    for found, request in zip(together, (weak, strong), strict=True):
        require_same(found, backends.get("fused").run(request), 1e-12)
    assert not np.array_equal(together[0].final["sheet"]["x"], together[1].final["sheet"]["x"])


def test_a_run_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path, monkeypatch):
    """An interrupted program and its continuation: as in the loop for processors."""
    request = zoo(tmp_path, change=('duration = "6 ms"', 'duration = "1 second"'))
    whole = run(request)[0]
    kept = replace(request, checkpoint=tmp_path / "kept")
    *stopped, resumed = in_pieces(monkeypatch, lambda: run(kept)[0])
    assert stopped and 0 < stopped[0].reached < 1
    require_same(resumed, whole, 0)


def test_trouble_names_the_unit_and_time():
    """Steps of 0.05 ms are ten times too long for the lattice."""
    request = blank("noise_induced_excitability", set={"model.dt": "0.05 ms"})
    with pytest.raises(NumericalError, match="population 'neuron'"):
        run(request)


LAUNCHES = ("step", "graph", "cooperative")


def test_all_ways_to_launch_give_the_same_bits(tmp_path, monkeypatch):
    """On the processor a graph is a list of launches, made once and gone through again and again."""
    steady = blank("noise_induced_excitability", set={"model.duration": "0.5 ms"})
    requests = {"zoo": [zoo(tmp_path)], "pair": [zoo(tmp_path, seed=n) for n in (1, 2)]}
    requests["250 steps in a row"] = [steady]
    for name, several in requests.items():
        found = []
        for launch in LAUNCHES:
            monkeypatch.setenv("NEUROGLIA_LAUNCH", launch)
            found.append(run(*several))
        for other in found[1:]:
            for a, b in zip(found[0], other, strict=True):
                require_same(a, b, 0)
        if name == "zoo":
            require_same(found[0][0], backends.get("fused").run(several[0]), 1e-12)


def test_an_unknown_way_to_launch_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROGLIA_LAUNCH", "fast")
    with pytest.raises(BackendError, match="is step, graph or cooperative, not fast"):
        run(zoo(tmp_path))


@pytest.mark.parametrize("networks", [1, 3])
def test_the_memory_that_is_asked_for_is_what_is_allocated(tmp_path, monkeypatch, networks):
    asked = []
    monkeypatch.setattr(toolkit, "require_memory", lambda _, arrays, __: asked.append(arrays))
    requests = [zoo(tmp_path, precision="float32", seed=n) for n in range(networks)]
    outcomes = cuda.run_together(requests, HOST, [], {}, gpu=toolkit.Gpu("any", 9.0, 0, None))
    allocated = outcomes[0].details["gpu_memory_bytes"]
    # shared numbers of less than 8 bytes count as 8
    assert 0 <= asked[0] - allocated < 1000 * networks


def test_too_little_memory_and_an_old_driver_are_said_before_a_build(tmp_path, monkeypatch):
    small = toolkit.Gpu("small", 9.0, 1 << 20, (12, 8))
    tools = toolkit.Toolkit(Path("/cuda"), (13, 0), "nvcc")
    monkeypatch.setattr(project, "compiled", lambda *_, **__: pytest.fail("compiled"))
    with pytest.raises(BackendError, match=r"small has 1 MiB free, 'zoo' needs about \d+ MiB"):
        cuda.run_together([zoo(tmp_path)], HOST, [], {}, gpu=small)
    with pytest.raises(BackendError, match=r"driver runs CUDA 12.8 at most.*a newer driver"):
        toolkit.require_driver(small, tools)


MANY = """
[model]
noise = "stratonovich"
integrator = "heun"
dt = "0.1 ms"
duration = "1 ms"
[population.sheet]
shape = [9, 11]
equations = '''
dx/dt = (L - x)/ms + 0.1*xi/sqrt(ms) : 1
L : 1
@MORE@
'''
[projection.lateral]
from = "sheet"
to = "sheet"
connect = { rule = "lattice" }
equations = "L_post = (x_pre - x_post)/N_incoming : 1 (summed)"
"""


def test_tiles_hold_as_many_state_variables_as_a_block_can_share(tmp_path, monkeypatch):
    """48 KiB of 340 units: 18 numbers of 8 bytes, of which noise is one."""

    def request(count: int, precision: str) -> Request:
        more = "\n".join(f"dy{n}/dt = (x - y{n})/ms : 1" for n in range(count - 1))
        file = tmp_path / "many.toml"
        file.write_text(MANY.replace("@MORE@", more))
        return Request(load(str(file)), precision=precision)

    run(request(17, "float64"))
    monkeypatch.setattr(project, "compiled", lambda *_, **__: pytest.fail("compiled"))
    with pytest.raises(BackendError, match=r"has 18 state variables.* 50 KiB.*48 at most: use"):
        run(request(18, "float64"))
    with pytest.raises(BackendError, match=r"has 36 state variables.* 49 KiB.*48 at most$"):
        run(request(36, "float32"))


@pytest.fixture(scope="module")
def compilers() -> toolkit.Toolkit:
    try:
        return toolkit.find()
    except BackendError as error:
        pytest.skip(str(error))


@pytest.mark.slow
def test_the_kernel_compiles_for_a_gpu(tmp_path, compilers):
    """All of the format's features, in single precision, for the H100."""
    request = zoo(tmp_path, "moore", precision="float32")
    built = cuda.FusedCudaBackend().build(request, tmp_path / "code", "sm_90")
    assert built["architecture"] == "sm_90"
    assert architectures(tmp_path / "code" / "main") == {90}


@pytest.mark.parametrize("architecture", ["sm_12", "90"])
def test_an_unknown_architecture_is_refused_before_anything_is_written(
    tmp_path, monkeypatch, compilers, architecture
):
    monkeypatch.setattr(project, "make", lambda *_, **__: pytest.fail("compiled"))
    with pytest.raises(BackendError, match=f"does not compile for '{architecture}'"):
        cuda.FusedCudaBackend().build(zoo(tmp_path), tmp_path / "code", architecture)
    assert not (tmp_path / "code").exists()


def test_what_the_loop_does_not_run_is_refused(compilers):
    with pytest.raises(BackendError, match="'fused-cuda' cannot run 'tripartite_coba': "):
        backends.get("fused-cuda").run(blank("tripartite_coba"))


def test_without_a_gpu_it_is_said_before_a_build(monkeypatch, compilers):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if subprocess.run(["which", "nvidia-smi"], capture_output=True).returncode == 0:
        pytest.skip("there is a GPU")
    monkeypatch.setattr(tempfile, "TemporaryDirectory", lambda **_: pytest.fail("began"))
    with pytest.raises(BackendError, match="no NVIDIA driver found"):
        backends.get("fused-cuda").run(blank("noise_induced_excitability"))
