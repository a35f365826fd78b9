"""The CUDA toolkit and GPU as they are found, and what is said where something is missing."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import brian2
import pytest
from helpers.machine_code import architectures, for_both

from neuroglia_snn import backends
from neuroglia_snn.backends import cuda, toolkit
from neuroglia_snn.backends.base import Request, blank_images
from neuroglia_snn.backends.brian import project, standalone
from neuroglia_snn.backends.cuda import _too_much_recorded, counted_in_a_run, memory
from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.load import load
from neuroglia_snn.emit.cuda import library
from neuroglia_snn.errors import BackendError
from neuroglia_snn.options import Options
from neuroglia_snn.runs import run

NVCC = """#!/bin/sh
case "$1" in
--version) echo "Cuda compilation tools, release 13.0, V13.0.88";;
--list-gpu-arch) echo compute_80; echo compute_90; echo compute_103;;
esac
"""
SMI = """#!/bin/sh
case "$1" in
--query-gpu*) echo "NVIDIA H100 80GB HBM3, 9.0, 70000"; echo "other, 8.0, 10";;
*) echo "Driver Version: 580.1   CUDA Version: 13.0";;
esac
"""


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def fill(root: Path, libraries: str, names: tuple[str, ...], nvcc: str = NVCC) -> Path:
    script(root / "bin" / "nvcc", nvcc)
    headers = [name for name in toolkit.BRIAN2CUDA if name.endswith(".h")]
    for name in (*(f"include/{h}" for h in headers), *(f"{libraries}/{n}" for n in names)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "nvvm").mkdir()
    return root


def blank(name: str) -> Request:
    """A model with nothing in its images."""
    model = load(name)
    return Request(model, blank_images(model))


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without CUDA."""
    toolkit._toolkit.cache_clear()
    monkeypatch.setattr(toolkit, "_system", lambda: [])
    monkeypatch.setattr(toolkit, "_wheels", lambda: None)
    monkeypatch.setenv("NEUROGLIA_CACHE", str(tmp_path / "cache"))
    return monkeypatch


def test_a_complete_toolkit_of_the_system_is_taken(bare, tmp_path):
    root = fill(tmp_path / "cuda", "lib64", ("libcudart_static.a", "libcurand.so"))
    bare.setattr(toolkit, "_system", lambda: [root])
    found = toolkit.find(toolkit.BRIAN2CUDA)
    assert (found.path, found.version, found.line) == (root, (13, 0), "nvcc V13.0.88")
    assert found.architectures() == ["sm_80", "sm_90", "sm_103"]
    assert found.require("sm_90") == 9.0 and found.require("sm_103") == 10.3
    for unknown in ("sm_12", "90", "compute_90", ""):
        with pytest.raises(BackendError, match=r"CUDA 13.0 .*'.*it does for sm_80, sm_90, sm_103"):
            found.require(unknown)


def test_an_incomplete_one_is_passed_over_for_the_wheels(bare, tmp_path):
    system = fill(tmp_path / "cuda", "lib64", ("libcudart_static.a",))
    wheels = fill(
        tmp_path / "site" / "nvidia" / "cu13", "lib", ("libcudart_static.a", "libcurand.so.10")
    )
    bare.setattr(toolkit, "_system", lambda: [system])
    with pytest.raises(BackendError, match=r"cuda lacks libcurand.so; .*pip install"):
        toolkit.find(toolkit.BRIAN2CUDA)
    bare.setattr(toolkit, "_wheels", lambda: wheels)
    found = toolkit.find(toolkit.BRIAN2CUDA)
    assert (found.libraries / "libcurand.so").resolve() == wheels / "lib" / "libcurand.so.10"
    assert found.nvcc.exists()
    assert toolkit.find(toolkit.BRIAN2CUDA) == found  # the links are there already


def test_the_fused_kernel_needs_no_curand(bare, tmp_path):
    root = fill(tmp_path / "cuda", "lib64", ("libcudart_static.a",))
    bare.setattr(toolkit, "_system", lambda: [root])
    assert toolkit.find().path == root


@pytest.mark.parametrize(("needs", "extra"), [("PLAIN", "nvcc"), ("BRIAN2CUDA", "cuda")])
def test_no_toolkit_at_all_says_how_to_get_one(bare, needs, extra):
    with pytest.raises(
        BackendError, match=rf"not installed: pip install 'neuroglia_snn\[{extra}\]'"
    ):
        toolkit.find(getattr(toolkit, needs))


def test_a_gpu_is_described(tmp_path, monkeypatch):
    script(tmp_path / "nvidia-smi", SMI)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "")  # put back afterwards
    monkeypatch.delenv("CUDA_DEVICE_ORDER")
    found = toolkit.gpu()
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert found == toolkit.Gpu("NVIDIA H100 80GB HBM3", 9.0, 70000 << 20, (13, 0))
    assert found.architecture == "sm_90"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no NVIDIA driver found"),
        ("#!/bin/sh\necho 'No devices were found'\nexit 6\n", "No devices were found"),
        ("#!/bin/sh\n", "finds no usable GPU"),
    ],
    ids=["driver", "device", "silent"],
)
def test_no_gpu_is_said_in_one_sentence(tmp_path, monkeypatch, text, said):
    if text:
        script(tmp_path / "nvidia-smi", text)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(BackendError, match=said) as error:
        toolkit.gpu()
    assert "\n" not in str(error.value)


def test_records_too_large_for_a_gpu_are_refused():
    assert _too_much_recorded(load("noise_induced_memory")) is None
    wide = {
        "population.neuron.shape": "[400, 400]",
        "population.astrocyte.shape": "[133, 133]",
    }
    said = _too_much_recorded(load("noise_induced_memory", wide))
    assert said is not None and "record 'frames' keeps 160000 units" in said


def test_fast_mathematics_is_a_switch_of_nvcc_alone(monkeypatch):
    """It is off, unless a run asks for it; a run of another backend that asks is refused."""
    compilers = []

    def refuse(text, flags):
        compilers.append(flags)
        raise BackendError("no GPU")

    tools = toolkit.Toolkit(Path("/cuda"), (13, 0), "nvcc V13.0.88")
    monkeypatch.setattr(toolkit.Toolkit, "architectures", lambda _: ["sm_90"])
    monkeypatch.setattr(toolkit, "find", lambda *_: tools)
    monkeypatch.setattr(toolkit, "gpu", lambda: toolkit.Gpu("H100", 9.0, 1 << 30, None))
    monkeypatch.setattr(library, "compiled", refuse)
    for fast in (False, True):
        with pytest.raises(BackendError, match="no GPU"):
            run(
                "noise_induced_excitability", "never", Options(backend="fused-cuda", fast_math=fast)
            )
        assert ("-use_fast_math" in compilers[-1]) == fast
    for name in ("auto", "fused", "cpp", "numpy", "lava"):
        with pytest.raises(BackendError, match=r"has no --fast-math, .* \(cuda, fused-cuda\)$"):
            run("noise_induced_excitability", "never", Options(backend=name, fast_math=True))
    assert len(compilers) == 2 and not Path("never").exists()


@pytest.mark.skipif(
    importlib.util.find_spec("brian2cuda") is not None, reason="brian2cuda is installed"
)
@pytest.mark.parametrize("command", [["run", "--backend", "cuda"], ["build", "--arch", "sm_90"]])
def test_without_brian2cuda_the_command_line_says_what_to_install(tmp_path, command):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "neuroglia_snn", command[0], "noise_induced_excitability"),
            *(*command[1:], "--out", str(tmp_path / "out")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "brian2cuda is not installed: pip install 'neuroglia_snn[cuda]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("architecture", "fast"), [("sm_80", False), ("sm_90", True)])
@pytest.mark.parametrize("name", files.names("models"))
def test_models_generate_a_project_without_a_gpu(tmp_path, monkeypatch, name, architecture, fast):
    pytest.importorskip("brian2cuda", reason="needs the extra 'cuda'")
    monkeypatch.setattr(project, "make", lambda *_, **__: None)
    request = blank(name)
    if reason := counted_in_a_run(request.model):
        pytest.skip(reason)
    made = backends.BUILDERS["cuda"](fast).build(request, tmp_path / "code", architecture)
    assert made["architecture"] == architecture
    main = (tmp_path / "code" / "main.cu").read_text()
    begins, ends = main.index("neuroglia_begins);"), main.index("neuroglia_ends);")
    assert "cudaDeviceSynchronize()" in main[begins:ends] and "network.run(" in main[begins:ends]
    flags = (tmp_path / "code" / "makefile").read_text()
    assert f"-arch={architecture}" in flags and "-std=c++17" in flags
    assert ("-use_fast_math" in flags) == fast
    assert (tmp_path / "code" / "main.cu").exists()
    objects = (tmp_path / "code" / "objects.cu").read_text()
    code = [file.read_text() for file in (tmp_path / "code" / "code_objects").glob("*.cu")]
    clocks = {name for text in code for name in re.findall(r"\b(\w+)\.timestep\[0\]", text)}
    assert clocks <= set(re.findall(r"Clock brian::(\w+);", objects))


_MALLOC = re.compile(r"cudaMalloc\(\(void\*\*\)&\w+,\s*sizeof\(([\w ]+)\)\*(\w+)\)")
_BYTES = {"double": 8, "float": 4, "int32_t": 4, "int64_t": 8, "char": 1, "bool": 1}


@pytest.mark.parametrize("name", ["noise_induced_memory", "tripartite_coba"])
def test_the_memory_that_a_project_needs_is_that_of_its_arrays(tmp_path, name):
    pytest.importorskip("brian2cuda", reason="needs the extra 'cuda'")
    request = blank(name)
    with cuda.device(toolkit.find(toolkit.BRIAN2CUDA), "sm_90", []):
        network = standalone.generate(request, tmp_path / "code", cuda._SEED, cuda._implement)
        needed = memory.needed(network)
        connections = sum(
            memory._connections(request.model, projection, network.groups[name])
            for name, projection in request.model.projections.items()
            if isinstance(network.groups.get(name), brian2.Synapses)
        )
    text = (tmp_path / "code" / "objects.cu").read_text()

    def number(count: str) -> int:
        found = re.search(rf"\b{count} = (\d+);", text)
        return int(count) if count.isdigit() else int(found[1]) if found else 0

    fixed = sum(_BYTES[kind] * number(count) for kind, count in _MALLOC.findall(text))
    vectors = 0
    for record in request.model.records.values():
        monitor = network.monitors[record.name].name
        own = re.findall(rf"device_vector<double>\* brian::_dynamic_array_{monitor}_", text)
        samples = 8 * round(request.model.duration / record.every + 1)
        units = number(f"_num__array_{monitor}__indices")
        vectors += len(own) * units * -(-samples // memory.PIECE) * memory.PIECE
    assert vectors > 0 and connections > 0
    assert needed == pytest.approx(fixed + vectors + connections, rel=1e-3)
    if name == "noise_induced_memory":
        assert connections == 29584 * (4 + 4)  # source and target of each


@pytest.mark.parametrize("name", ["tid", "neuron_id", "own_space"])
def test_names_of_brian2cudas_own_are_refused(tmp_path, name):
    path = tmp_path / "m.toml"
    path.write_text(
        '[model]\nintegrator = "euler"\ndt = "1 ms"\nduration = "1 ms"\n[population.a]\nsize = 1\n'
        f'equations = "d{name}/dt = -{name}/ms : 1"\n'
    )
    assert f"'{name}' is one that brian2cuda gives" in str(cuda._taken(load(str(path))))


def test_the_list_of_brian2cudas_own_names_is_that_of_its_kernels():
    pytest.importorskip("brian2cuda", reason="needs the extra 'cuda'")
    folder = Path(str(importlib.util.find_spec("brian2cuda").origin)).parent / "templates"
    kinds = "common_group stateupdate threshold reset synapses summed_variable statemonitor spikemonitor"
    found = set()
    for kind in kinds.split():
        text = (folder / f"{kind}.cu").read_text("utf-8")
        kernel = text.partition("__global__")[2].partition("{% block prepare_kernel")[0]
        found |= set(
            re.findall(r"\b(?:int|int32_t|size_t|bool)[ *&]+(?:const )?([A-Za-z]\w*)", kernel)
        )
    assert found - cuda.LOCAL - {"i", "j", "operator"} == set()


@pytest.mark.slow
def test_a_project_compiles_without_a_gpu(tmp_path):
    """Minutes: every Brian2 object is a file of its own."""
    pytest.importorskip("brian2cuda", reason="needs the extra 'cuda'")
    request = Request(load("noise_induced_excitability"))
    backends.get("cuda").build(request, tmp_path / "code", "sm_90")
    assert architectures(tmp_path / "code" / "main") == {90}


compiles_all = pytest.mark.skipif(
    "NEUROGLIA_COMPILE_ALL" not in os.environ, reason="hours: NEUROGLIA_COMPILE_ALL=1"
)


@compiles_all
@pytest.mark.parametrize("name", files.names("models"))
def test_every_model_compiles(tmp_path, monkeypatch, name):
    """With brian2cuda; one compiler at a time, which compiles every file for both architectures."""
    pytest.importorskip("brian2cuda", reason="needs the extra 'cuda'")
    make = project.make

    def make_both(folder, *rest):
        for_both(folder)
        make(folder, *rest)

    monkeypatch.setattr(project, "make", make_both)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    request = blank(name)
    if reason := counted_in_a_run(request.model):
        pytest.skip(reason)
    backends.BUILDERS["cuda"]().build(request, tmp_path / "code", "sm_90")
    assert architectures(tmp_path / "code" / "main") == {80, 90}
