"""Backend ``cuda``: Brian2's CUDA standalone device, from the package brian2cuda.

A program is generated and compiled on any machine that has a toolkit (see `toolkit`); only running it
takes a GPU. Everything is in double precision, as in ``cpp``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import brian2
from brian2.devices.device import get_device

from neuroglia_snn import noise, spec, toolchain
from neuroglia_snn.backends import toolkit
from neuroglia_snn.backends.base import Outcome, Request, require_replicas, require_supported
from neuroglia_snn.backends.brian import project, runtime, standalone
from neuroglia_snn.backends.brian.network import Network, counted_in_a_run, recorded_indices
from neuroglia_snn.backends.cuda import memory, patches, units
from neuroglia_snn.errors import BackendError
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language import equations as eqs

#: Units that a record may keep: brian2cuda holds a vector in the GPU's memory for each.
MAX_RECORDED = 20_000
#: The loop is over when the GPU is through with what it was given.
WAIT = "CUDA_SAFE_CALL(cudaDeviceSynchronize());"
#: Flags of every build; brian2cuda's own have -use_fast_math.
_FLAGS = ["-w", "-O3"]
_SEED = (
    'brian::random_number_buffer.set_seed(std::strtoull(std::getenv("NEUROGLIA_SEED"), NULL, 10));'
)
#: Overflow is found at the end of a run: a kernel cannot stop the program in words.
_CHECK = """
static __device__ __forceinline__ double neuroglia_check(const double, const double, const int, const double)
{ return 0.0; }
"""
#: Local variables of brian2cuda's kernels, beside ours.
LOCAL = frozenset(
    [
        "THREADS_PER_BLOCK",
        "bid",
        "bid_offset",
        "bundle_id",
        "bundle_idx",
        "bundle_size",
        "current_iteration",
        "eventspace",
        "getThreadsPerBundle",
        "min_num_threads",
        "multiple",
        "neuron",
        "neuron_id",
        "neurongroup_size",
        "num_events",
        "num_iterations",
        "num_loops",
        "num_parallel_blocks",
        "num_spiking_neurons",
        "num_synapses",
        "num_threads",
        "num_threads_per_bundle",
        "post_block_idx",
        "pre_post_block_id",
        "propagating_synapses",
        "queue_size",
        "remainder",
        "spike_index",
        "spikes_start",
        "spikes_stop",
        "spiking_neuron",
        "spiking_neuron_idx",
        "start_offset",
        "syn_in_bundle_idx",
        "synapse_bundle",
        "synapse_ids",
        "synapses_offset",
        "threads_per_bundle",
        "tid",
        "timestep",
    ]
)
#: How the names of its lists of events end: it takes every array of such a name for one.
EVENTS = "space"


class CudaBackend:
    """Brian2 CUDA standalone, on the first GPU."""

    name = "cuda"
    precisions: tuple[str, ...] = ("float64",)
    threaded = False
    resumes = False
    batch = 1

    def __init__(self, fast_math: bool = False):
        self._flags = [*_FLAGS, *(["-use_fast_math"] if fast_math else [])]

    def unsupported(self, model: spec.Model) -> str | None:
        """What is missing here, or a record that a GPU cannot keep."""
        if importlib.util.find_spec("brian2cuda") is None:
            return f"brian2cuda is not installed: {toolkit.INSTALL[toolkit.BRIAN2CUDA]}"
        try:
            toolkit.find(toolkit.BRIAN2CUDA)
        except BackendError as error:
            return str(error)
        return counted_in_a_run(model) or (
            project.missing()
            or _too_much_recorded(model)
            or _taken(model)
            or runtime.at_once(model)
        )

    def run_many(self, requests: Sequence[Request], workers: int = 1) -> list[Outcome]:
        """Run replicas one after the other."""
        require_replicas(requests)
        return [self.run(request) for request in requests]

    def run(self, request: Request) -> Outcome:
        """Build (or take from the cache) for the GPU of this machine, and run.

        Raises
        ------
        BackendError
            Before anything is built, if something is missing or the GPU is too small.
        """
        require_supported(self, request.model)
        gpu = toolkit.gpu()
        tools = toolkit.find(toolkit.BRIAN2CUDA)
        toolkit.require_driver(gpu, tools)
        start = time.perf_counter()
        with (
            tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch,
            device(tools, gpu.architecture, self._flags),
        ):
            code = Path(scratch) / "code"
            network = _generate(request, code)
            toolkit.require_memory(gpu, memory.needed(network), request.model.name)
            announce = bool(request.progress)
            folder, compiled = project.compiled(code, announce, environment(tools), tools.line)
            versions = {"compiler": tools.line, "gpu": gpu.name}
            seconds = time.perf_counter() - start
            return standalone.run_program(request, network, folder, compiled, seconds, versions)

    def build(self, request: Request, folder: Path, architecture: str | None) -> dict[str, object]:
        """Generate and compile into a folder, for an architecture such as ``sm_90``.

        ``None`` is the architecture of this machine's GPU. Gives what a summary says of the build.
        """
        require_supported(self, request.model)
        tools = toolkit.find(toolkit.BRIAN2CUDA)
        chosen = toolkit.architecture(architecture)
        start = time.perf_counter()
        with device(tools, chosen, self._flags):
            _generate(request, folder)
            project.make(folder, bool(request.progress), environment(tools))
        return toolkit.described(chosen, tools, start)


def _too_much_recorded(model: spec.Model) -> str | None:
    for record in model.records.values():
        if record.events or record.reduce:
            continue
        owner = model.recorded(record)
        if isinstance(owner, spec.Projection):
            continue
        units = recorded_indices(owner, record).size
        if units > MAX_RECORDED:
            return (
                f"record '{record.name}' keeps {units} units, a GPU at most {MAX_RECORDED}:"
                " give it a stride or reduce = 'mean'"
            )
    return None


def _taken(model: spec.Model) -> str | None:
    """A name that means something in brian2cuda's programs."""
    owners: list[spec.Population | spec.Projection] = [*model.populations.values()]
    owners += model.projections.values()
    used = {*model.projections, *(s.name for s in model.stimuli.values() if s.image)}
    for owner in owners:
        used |= {*eqs.parse(owner.equations)}.union(*map(algebra.names, eqs.texts(owner)))
    for name in sorted(used - expressions.FUNCTIONS.keys()):
        if name in LOCAL or name.endswith(EVENTS):
            return (
                f"the name '{name}' is one that brian2cuda gives to a value of its own: rename it"
            )
    return None


@contextlib.contextmanager
def device(tools: toolkit.Toolkit, architecture: str, flags: list[str]) -> Iterator[None]:
    """The CUDA device with its preferences, and all as it was afterwards."""
    import brian2cuda  # registers the device and its preferences  # noqa: F401
    from brian2cuda.utils import gputools

    cuda, cpp = "devices.cuda_standalone.cuda_backend", "codegen.cpp"
    settings = {
        f"{cuda}.detect_gpus": False,
        f"{cuda}.gpu_id": 0,
        f"{cuda}.compute_capability": tools.require(architecture),
        f"{cuda}.detect_cuda": False,
        f"{cuda}.cuda_path": str(tools.path),
        f"{cuda}.cuda_runtime_version": tools.version[0] + tools.version[1] / 10,
        f"{cuda}.extra_compile_args_nvcc": list(flags),
        f"{cpp}.extra_compile_args_gcc": ["-w", "-O3", "-std=c++17"],
        f"{cpp}.library_dirs": [str(tools.libraries)],
        f"{cpp}.runtime_library_dirs": [str(tools.libraries)],
    }
    before = {name: brian2.prefs[name] for name in settings}
    for name, value in settings.items():
        brian2.prefs[name] = value
    gputools.reset_cuda_installation()
    gputools.reset_gpu_selection()
    try:
        with project.device(1, name="cuda_standalone"):
            yield
    finally:
        for name, value in before.items():
            brian2.prefs[name] = value


def _generate(request: Request, folder: Path) -> Network:
    """The project in a folder, mended, in units that compile soon."""
    get_device().insert_code("before_network_run", project.LOOP_BEGINS)
    get_device().insert_code("after_network_run", WAIT + project.LOOP_ENDS)
    network = standalone.generate(request, folder, _SEED, _implement)
    patches.apply(folder)
    units.together(folder)
    return network


def _implement(network: Network) -> None:
    """Our functions for the GPU, and records of events whose text does not depend on the order of a set."""
    for monitor in network.monitors.values():
        if isinstance(monitor, brian2.EventMonitor):
            kept = monitor.template_kwds["record_variables"]
            monitor.template_kwds["record_variables"] = dict(sorted(kept.items()))
    functions = [network.namespace[f"neuroglia_{name}"] for name in ("gaussian", "check")]
    gaussian, check = (f for f in functions if isinstance(f, brian2.Function))
    gaussian.implementations.add_implementation(
        "cuda", noise.CPP, compiler_kwds={"headers": list(noise.CPP_HEADERS)}
    )
    check.implementations.add_implementation("cuda", _CHECK)


def environment(tools: toolkit.Toolkit) -> dict[str, str]:
    return {"CUDA_PATH": str(tools.path), "CXX": toolchain.compiler() or "g++", **os.environ}
