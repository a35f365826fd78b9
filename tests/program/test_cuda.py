"""CUDA: its text, compiled for the host, equals the loop in C++; nvcc compiles it; what is refused.

There may be no GPU where this runs. What a GPU's own runs give is compared by ``benchmarks/gpu.py``.
"""

from __future__ import annotations

from ctypes import byref, c_int64, c_void_p
from dataclasses import replace
from functools import partial

import brian2
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, ms
from helpers import spiking
from helpers.catalogue import SMALL
from helpers.machine_code import BOTH, architectures
from program import lattices, zoo
from program.test_zoo import different, states

from neuroglia_snn import backends
from neuroglia_snn import brian as neuroglia
from neuroglia_snn.backends import fused, fused_cuda, toolkit
from neuroglia_snn.backends.base import Outcome, Request, blank_images
from neuroglia_snn.backends.brian import network as brian
from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.load import load
from neuroglia_snn.emit.cuda import library, memory
from neuroglia_snn.emit.cuda import machine as cuda
from neuroglia_snn.emit.cuda.steps import way_of
from neuroglia_snn.emit.machine import CppMachine
from neuroglia_snn.errors import BackendError, DeviceLost
from neuroglia_snn.program import tiles
from neuroglia_snn.program.code import Code, CudaCode
from neuroglia_snn.program.operations import OPERATIONS
from neuroglia_snn.program.passes import on_gpu, simplified
from neuroglia_snn.program.program import Deliver
from neuroglia_snn.program.refusal import Refused
from neuroglia_snn.program.tiles import Tiles
from neuroglia_snn.program.tree import Apply, Literal

#: Networks on the host: in Brian2's order, and as on a GPU; and the loop in C++ after the same passes.
TARGETS = {
    "ordered": {"target": "emulated", "deterministic": True},
    "plain": {"target": "emulated"},
    "loop": {"target": "loop"},
    "single": {"target": "emulated", "precision": "float32"},
    "loop in float32": {"target": "loop in float32", "precision": "float32"},
}
#: Functions of the C library, whose forms for vectors round otherwise than those for a number.
LIBRARY = {
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "log", "log10"),
    *("log1p", "**"),
}


@pytest.fixture(autouse=True)
def emulated(monkeypatch):
    """The device of scripts, and that of the backend, with a GPU on the processor; programs that ran there."""
    programs = []

    def made(program, setting):
        machine = cuda.CudaMachine(program, setting, emulated=True)
        programs.append(machine)
        return machine

    for device in (neuroglia.device, fused.device):
        monkeypatch.setitem(device._targets, "emulated", (CudaCode, made))
        for name, single in (("loop", False), ("loop in float32", True)):
            loop = partial(CppMachine, passes=on_gpu(single, tiled=False))
            monkeypatch.setitem(device._targets, name, (Code, loop))
    return programs


def require_equal(make, emulated) -> None:
    """The same bits in Brian2's order; to rounding otherwise, and where C has functions of vectors."""
    expected = states(make, TARGETS["loop"])
    ordered, plain = states(make, TARGETS["ordered"]), states(make, TARGETS["plain"])
    assert different(ordered, expected) == []
    assert different(plain, expected) == []
    if not any(map(_rounds, emulated)):
        for name, values in expected.items():
            np.testing.assert_array_equal(ordered[name], values, name)


def _rounds(machine) -> bool:
    """Whether a program has a function of the C library."""
    return any(
        isinstance(e, Apply)
        and e.operation in LIBRARY
        and not (isinstance(e.arguments[-1], Literal) and e.operation == "**")
        for kernel in machine.program.kernels()
        for e in kernel.expressions()
    )


NETWORKS = zoo.DETERMINISTIC | zoo.RANDOM
#: One of each kind.
QUICK = ("delays_apart", "plastic", "gap_junctions", "drawn")


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", QUICK)
def test_networks_equal_those_of_the_loop(name, emulated):
    require_equal(NETWORKS[name], emulated)


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - set(QUICK) - {"function_of_the_script"}))
def test_all_networks_equal_those_of_the_loop(name, emulated):
    require_equal(NETWORKS[name], emulated)


@pytest.mark.thorough
@pytest.mark.parametrize("name", lattices.LATTICES | lattices.NOISY)
def test_lattices_equal_those_of_the_loop(name, emulated):
    require_equal((lattices.LATTICES | lattices.NOISY)[name], emulated)


def tiles_of(machine) -> list[Tiles]:
    return [step for step in machine.program.steps if isinstance(step, Tiles)]


@pytest.mark.thorough
def test_steps_over_a_lattice_are_done_in_tiles_that_share_memory(emulated, monkeypatch):
    """Heun's needs the states of the neighbours' neighbours; without memory for it, each stage is a kernel."""
    make = lattices.LATTICES["two_stages"]
    tiled = states(make, TARGETS["ordered"])
    (step,) = tiles_of(emulated[-1])
    assert (step.halo, step.reach[-1]) == (2, 0) and step.doubled
    monkeypatch.setattr(tiles, "SHARED", 8 * step.size() * len(step.shared) - 1)
    staged = states(make, TARGETS["ordered"])
    assert tiles_of(emulated[-1]) == []
    for name, values in tiled.items():
        np.testing.assert_array_equal(staged[name], values, name)


SINGLE = ("no_flux", "two_stages", "periodic", "four_stages", "events_in_order")


@pytest.mark.thorough
@pytest.mark.parametrize("name", SINGLE)
def test_lattices_in_single_precision_equal_those_of_the_loop(name, emulated):
    """Those of the same statements to the bit, those of the loop's own sums to rounding."""
    make = lattices.LATTICES[name]
    found, stages = states(make, TARGETS["single"]), states(make, TARGETS["loop in float32"])
    assert emulated[-1].made.single and tiles_of(emulated[-1])
    double = states(make, TARGETS["loop"])
    loop = states(make, {"target": "cpp", "precision": "float32"})
    for variable, values in found.items():
        np.testing.assert_array_equal(stages[variable], values, variable)
        if variable.endswith(".v"):
            assert 0 < np.abs(values - double[variable]).max() < 1e-3
            assert np.abs(values - loop[variable]).max() < 1e-4, variable


#: Units of each, and model time in ms, that take some seconds.
SPIKING = {
    "coba": (partial(spiking.coba, 500), 40),
    "cobahh": (partial(spiking.cobahh, 200), 10),
    "stdp": (spiking.stdp, 40),
    "mushroom_body": (spiking.mushroom_body, 40),
}


def run_for(make, duration):
    """A network that has run, with records of its spikes."""

    def made():
        network = make()
        groups = [g for g in network.objects if hasattr(g, "thresholder") or hasattr(g, "rates")]
        network.add([SpikeMonitor(g) for g in sorted(groups, key=lambda g: g.name)])
        network.run(duration * ms)
        return network

    return made


@pytest.mark.thorough
@pytest.mark.parametrize("name", SPIKING)
def test_spiking_networks_equal_those_of_the_loop(name, emulated):
    make, duration = SPIKING[name]
    require_equal(run_for(make, duration), emulated)


@pytest.mark.thorough
def test_synapses_of_a_spike_are_shared_out_without_a_change_of_order(emulated):
    """Blocks do parts of them, threads do those of a part: also where some have one target."""

    def make():
        source = NeuronGroup(30, "v : 1", threshold="(i + int(t/dt)) % 7 < 3", reset="")
        target = NeuronGroup(300, "x : 1")
        several = Synapses(source, target, "w : 1", on_pre="x_post += w", name="a", delay=0.3 * ms)
        several.connect(n=3, p=0.9)
        several.w = "1/(1 + i + 0.1*j)"
        one = Synapses(source, target, "w : 1", on_pre="x_post = x_post*0.9 + w", name="b")
        one.connect()
        one.w = "0.1/(1 + i + j)"
        network = Network(source, target, several, one)
        network.run(3 * ms)
        return network

    require_equal(make, emulated)
    ordered = emulated[0]
    assert [e.parts > 1 for e in ordered._edges] == [True, True]
    assert [bool(p.repeats) for p in ordered._pathways] == [True, False]


@pytest.mark.thorough
def test_records_of_events_grow_as_they_fill():
    def make():
        group = NeuronGroup(40, "v : 1", threshold="True", reset="v += 1")
        spikes = SpikeMonitor(group[3:33], "v")
        network = Network(group, spikes)
        network.run(10 * ms)
        assert spikes.num_spikes == 3000
        return network

    assert different(states(make, TARGETS["plain"]), states(make, TARGETS["loop"])) == []


def test_arrays_are_on_the_device_before_the_loop_begins(emulated):
    """Its first step finds no array without a place there."""
    allocated = []

    def advance(machine, pause):
        allocated.append(machine._library.allocated(byref(machine._run)))
        return advanced(machine, pause)

    def make():
        network = Network(NeuronGroup(1000, "dv/dt = -v/ms : 1", method="euler"))
        network.run(1 * ms)
        return network

    advanced = cuda.CudaMachine.advance
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda.CudaMachine, "advance", advance)
        states(make, TARGETS["plain"])
    assert allocated[0] == emulated[-1].allocated > 8000


def test_a_value_that_is_not_finite_is_told_by_one_thread():
    def make():
        check = brian._check_function(("some",))
        group = NeuronGroup(9, "x : 1\ny : 1", namespace={"check": check})
        group.x = [0, 1, 2, np.inf, 4, np.inf, np.inf, 7, 8]
        group.run_regularly("y = check(x, 2, i, t)")
        network = Network(group)
        network.run(0.3 * ms)
        return network

    try:
        states(make, TARGETS["plain"])
        found = brian.FIRST_NONFINITE.tolist()
    finally:
        brian.FIRST_NONFINITE[:] = 0
    assert found[:2] == [1, 2] and found[2] in (3, 5, 6) and found[3] == 0


@pytest.mark.thorough
def test_records_that_only_count_ask_the_device_for_nothing():
    def make():
        group = NeuronGroup(40, "v : 1", threshold="True", reset="v += 1")
        listed, counted = SpikeMonitor(group), SpikeMonitor(group, record=False)
        network = Network(group, listed, counted)
        network.run(10 * ms)
        assert counted.num_spikes == 4000
        return network

    assert different(states(make, TARGETS["plain"]), states(make, TARGETS["loop"])) == []
    text = library.source(program_of(make), False)
    assert text.count("!gpu.has_room(") == 1


@pytest.mark.thorough
def test_time_steps_that_are_alike_are_launched_at_once(emulated):
    """But for those with something that does not come again: spikes of an earlier run, records that grow."""
    replays = []

    def make():
        fast = NeuronGroup(
            5, "dv/dt = 1/ms : 1", threshold="v > 0.35", reset="v = 0", method="euler"
        )
        slow = NeuronGroup(2, "dx/dt = -x/ms : 1", method="euler", dt=0.3 * ms)
        synapses = Synapses(fast, slow, on_pre="x_post += 0.1")
        synapses.connect()
        synapses.delay = "i*0.3*ms"
        network = Network(fast, slow, synapses, StateMonitor(slow, "x", record=True))
        for _ in range(2):
            network.run(6 * ms)
            replays.append(emulated[-1].replays if emulated else 0)
        return network

    expected = states(make, TARGETS["loop"])
    del replays[:]
    assert different(states(make, TARGETS["plain"]), expected) == []
    assert all(40 < n < 60 for n in replays), replays


def test_a_launch_that_fails_ends_the_run_at_once(emulated, monkeypatch):
    """Also one of a step that was launched before: the device counts down to it."""
    began = cuda.CudaMachine._begin
    left = []

    def begin(machine):
        began(machine)
        left.append(c_int64.in_dll(machine._library, "launches_left"))
        left[0].value = 100

    found = []

    def make():
        group = NeuronGroup(5, "dv/dt = 1/ms : 1", threshold="v > 0.35", reset="v = 0")
        group.v = 0.25
        spikes = SpikeMonitor(group)
        network = Network(group, spikes)
        with pytest.raises(DeviceLost, match=r"^the GPU: a launch failed; .* when Python last"):
            network.run(1000 * ms)
        found.extend(group.v)
        assert len(spikes.t) == 0
        return network

    monkeypatch.setattr(cuda.CudaMachine, "_begin", begin)
    said = []
    logger = "neuroglia_snn.program.device.logger.warn"
    monkeypatch.setattr(logger, lambda text, *_, **__: said.append(text))
    try:
        states(make, TARGETS["plain"])
    finally:
        left[0].value = -1
    assert found == [0.25] * 5 and said == []
    assert emulated[-1].replays < 100


@pytest.mark.one_in(3)
@pytest.mark.parametrize("called", ["begin", "settle", "under_way"])
def test_a_device_that_fails_beside_the_loop_is_seen(emulated, monkeypatch, called):
    """Where it is given arrays, and where they and spikes under way are taken from it."""
    name = {"begin": "_begin", "settle": "settle", "under_way": "_under_way"}[called]
    method, left = getattr(cuda.CudaMachine, name), []

    def failing(machine, *given):
        if called == "begin" or emulated:
            left.append(c_int64.in_dll(machine._library, "launches_left"))
            left[0].value = 0
        return method(machine, *given)

    def make():
        group = NeuronGroup(2, "x : 1", threshold="x > 1", reset="")
        synapses = Synapses(group, group, on_pre="x_post += 1", delay=1 * ms)
        synapses.connect()
        network = Network(group, synapses)
        with pytest.raises(DeviceLost):
            network.run(1 * ms)
        return network

    monkeypatch.setattr(cuda.CudaMachine, name, failing)
    try:
        states(make, TARGETS["plain"])
    finally:
        left[0].value = -1


def test_synapses_that_others_write_to_are_done_in_turn_or_added_up_at_once():
    """What adds may come in any order; what reads what others write may not."""
    codes = ("x_post += w", "w += 1", "x_post = x_post/2 + w", "y_post += x_post; x_post += w")
    with brian2_device():
        group = NeuronGroup(3, "x : 1\ny : 1", threshold="x > 1", reset="", name="g")
        objects = [
            Synapses(group, group, "w : 1", on_pre=code, name=name)
            for name, code in zip("abcd", codes, strict=True)
        ]
        for synapses in objects:
            synapses.connect()
        program, _ = neuroglia.device.prepared(Network(group, *objects), 1 * ms, {})
    kernels = [s.kernel for s in program.steps if isinstance(s, Deliver)]
    assert [way_of(k, False) for k in kernels] == ["warps", "warps", "parts", "parts"]
    assert [way_of(k, True) for k in kernels] == ["parts", "warps", "parts", "parts"]


class brian2_device:
    """The device, for as long as this lasts."""

    def __enter__(self):
        brian2.set_device("neuroglia", target="emulated")

    def __exit__(self, *_):
        brian2.set_device("runtime")


@pytest.mark.thorough
def test_functions_of_a_script_need_an_implementation_for_cuda():
    def network(**implementations):
        @brian2.check_units(x=1, result=1)
        def bent(x):
            return x * x

        for target, code in implementations.items():
            bent = brian2.implementation(target, code)(bent)
        group = NeuronGroup(3, "v : 1\nu : 1", namespace={"bent": bent})
        group.v = [1, 2, 3]
        group.run_regularly("u = bent(v)")
        made = Network(group)
        made.run(0.1 * ms)
        assert list(group.u) == [1, 4, 9]
        return made

    code = "double bent(double x) { return x*x; }"
    states(lambda: network(cuda=f"__host__ __device__ {code}"), TARGETS["plain"])
    with pytest.raises(
        Refused, match=r"^'bent': .* implementation in CUDA does not run .* gives it one$"
    ):
        states(lambda: network(cpp=code), TARGETS["plain"])


def test_functions_of_a_script_have_arrays_on_the_device():
    listed = np.array([1.0, 4.0, 2.0, 8.0])
    code = "__host__ __device__ double listed(int i) { return _namespacevalues[i]; }"

    def network():
        @brian2.implementation("cpp", code, namespace={"values": listed})
        @brian2.implementation("cuda", code, namespace={"values": listed})
        @brian2.check_units(i=1, result=1)
        def listed_(i):
            return listed[i]

        group = NeuronGroup(4, "v : 1", namespace={"listed": listed_})
        group.run_regularly("v = listed(i)")
        made = Network(group)
        made.run(0.1 * ms)
        assert np.array_equal(group.v, listed)
        return made

    states(network, TARGETS["plain"])


@pytest.mark.thorough
def test_arrays_of_functions_that_have_grown_get_more_room(emulated):
    """The GPU on the processor stops where something is written beyond what was allocated."""

    def network():
        group = NeuronGroup(2, "v : 1")
        made = Network(group)
        made.run(0.1 * ms)
        return made

    def advance(machine, pause):
        arrays = [np.zeros(2), np.ones(200)]  # held until the device has given them back
        for values in arrays:
            where = c_void_p(values.ctypes.data)
            machine._library.space(byref(machine._run), c_int64(0), where, c_int64(values.nbytes))
        assert machine._library.allocated(byref(machine._run)) >= 1600
        return advanced(machine, pause)

    advanced = cuda.CudaMachine.advance
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda.CudaMachine, "advance", advance)
        states(network, TARGETS["plain"])


# ------------------------------------------------------------------------------------ the backend


class OnTheHost(fused_cuda.FusedCudaBackend):
    """Without a GPU."""

    target = "emulated"

    def compilers(self):
        return {}


def require_same(found: Outcome, expected: Outcome, tolerance: float) -> None:
    """Records, events and final states, to a fraction of the largest value of each variable."""
    pairs = [(found.final[p][v], x) for p, s in expected.final.items() for v, x in s.items()]
    for name, record in expected.records.items():
        pairs += [(found.records[name].values[v], x) for v, x in record.values.items()]
    for name, (times, units) in expected.events.items():
        np.testing.assert_array_equal(found.events[name][0], times)
        np.testing.assert_array_equal(found.events[name][1], units)
    for ours, theirs in pairs:
        theirs = np.asarray(theirs, float)
        atol = tolerance * np.abs(theirs).max(initial=0)
        np.testing.assert_allclose(np.asarray(ours, float), theirs, 0, atol)


def short(name: str, steps: int = 60) -> Request:
    """A model for a few steps of its fastest clock, and at least one of its slowest."""
    model = load(name, SMALL.get(name, {}))
    times = [p.dt for p in model.populations.values()]
    duration = max(steps * min(times), max(times))
    return Request(replace(model, duration=duration), blank_images(model), seed=3)


@pytest.mark.thorough
@pytest.mark.parametrize("name", files.names("models"))
def test_every_model_of_the_catalogue_equals_the_loops(name):
    request = short(name)
    require_same(OnTheHost().run(request), backends.get("fused").run(request), 1e-11)


@pytest.mark.thorough
def test_a_model_in_single_precision_equals_the_loops_but_for_rounding():
    request = replace(short("noise_induced_memory"), precision="float32")
    require_same(OnTheHost().run(request), backends.get("fused").run(request), 16 * 2.0**-24)


@pytest.mark.thorough
def test_the_memory_that_is_asked_for_is_what_is_allocated(emulated, monkeypatch):
    monkeypatch.setattr(memory, "MOST_CHUNKS", 4)  # as in emulated.hpp
    asked = []

    def make():
        group = NeuronGroup(7, "v : 1", threshold="v > 0.9", reset="v = 0", refractory=1 * ms)
        group.run_regularly("v = rand()")
        synapses = Synapses(group, group, "w : 1", on_pre="v_post += w", delay=0.4 * ms)
        synapses.connect(p=0.5)
        network = Network(group, synapses, StateMonitor(group, "v", record=[0, 3]))
        network.run(1 * ms)
        machine = emulated[-1]
        asked.append((machine.made.details["gpu_memory_bytes"], machine.allocated))
        return network

    states(make, TARGETS["plain"])
    ((needed, allocated),) = asked
    assert needed == allocated > 1000


def test_without_a_gpu_the_target_is_refused_and_with_too_little_memory(monkeypatch):
    def make():
        group = NeuronGroup(1000, "v : 1")
        network = Network(group)
        network.run(1 * ms)
        return network

    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        BackendError, match=r"^target='cuda': no NVIDIA driver found .*needs no GPU$"
    ):
        states(make, {"target": "cuda"})
    small = toolkit.Gpu("small", 9.0, 1 << 20, None)
    with pytest.raises(
        BackendError, match=r"^small has 1 MiB free, .*most of it for values; target='cpp'"
    ):
        cuda._require_memory(small, {"values": 8000, "synapses": 0, "records": 0})


# -------------------------------------------------------------------------------------- compilers


def compile_for_both(tmp_path, program, deterministic=False):
    """A program for two architectures."""
    flags = [f for f in library.flags("sm_90") if not f.startswith("-arch")]
    text = library.source(program, deterministic)
    made = library.compile_in(tmp_path, text, [BOTH, *flags])
    assert architectures(made) == {80, 90}


def program_of(network):
    """Its program, as a GPU runs it."""
    with brian2_device():
        made = network()
        program, _ = neuroglia.device.prepared(made, 1 * ms, {})
    return simplified(program, on_gpu())


@pytest.fixture
def nvcc():
    try:
        return toolkit.find()
    except BackendError as error:
        pytest.skip(str(error))


@pytest.mark.thorough
@pytest.mark.parametrize("deterministic", [False, True])
def test_a_network_that_learns_compiles(tmp_path, nvcc, deterministic):
    compile_for_both(tmp_path, program_of(spiking.mushroom_body), deterministic)


@pytest.mark.cuda
@pytest.mark.parametrize("name", SPIKING)
def test_spiking_networks_compile(tmp_path, nvcc, name):
    compile_for_both(tmp_path, program_of(SPIKING[name][0]))


@pytest.mark.cuda
@pytest.mark.parametrize("name", files.names("models"))
def test_every_model_of_the_catalogue_compiles(tmp_path, nvcc, name):
    built = fused_cuda.FusedCudaBackend().build(short(name), tmp_path / "code", "sm_90")
    assert built["architecture"] == "sm_90"
    assert built["gpu_memory_bytes"] > 1000
    assert architectures(tmp_path / "code" / "program.so") == {90}


@pytest.mark.cuda
def test_all_functions_compile(tmp_path, nvcc):
    assert set(OPERATIONS) > LIBRARY
    for name in ("functions", "integers", "drawn", "noise"):
        program = []

        def kept(given, setting, program=program):
            program.append(simplified(given, on_gpu()))
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(neuroglia.device._targets, "kept", (CudaCode, kept))
            with pytest.raises(KeyboardInterrupt):
                states(NETWORKS[name], {"target": "kept"})
        compile_for_both(tmp_path, program[0])


def test_an_architecture_that_the_toolkit_does_not_know_is_refused(tmp_path, nvcc):
    with pytest.raises(BackendError, match="does not compile for 'sm_1'"):
        fused_cuda.FusedCudaBackend().build(short("fep_canonical"), tmp_path / "code", "sm_1")
