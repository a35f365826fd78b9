"""Runs of one program that go together, in one launch of each kernel: each gives the bits that it gives alone."""

from __future__ import annotations

import gc
import signal
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial

import brian2
import numpy as np
import pytest
from brian2 import NetworkOperation, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, ms
from helpers import spiking

from neuroglia_snn import brian as neuroglia
from neuroglia_snn.backends import fused, fused_cuda
from neuroglia_snn.backends.base import Request, blank_images
from neuroglia_snn.catalog.load import load
from neuroglia_snn.emit.cuda import machine as cuda
from neuroglia_snn.errors import BackendError
from neuroglia_snn.program.code import CudaCode
from neuroglia_snn.program.drive import Report, go_together

SEEDS = (3, 4, 5)


@pytest.fixture(autouse=True)
def emulated(monkeypatch):
    """The devices with a GPU on the processor; programs that ran there."""
    programs = []

    def made(program, setting):
        programs.append(cuda.CudaMachine(program, setting, emulated=True))
        return programs[-1]

    for device in (neuroglia.device, fused.device):
        monkeypatch.setitem(device._targets, "emulated", (CudaCode, made))
    return programs


@contextmanager
def ordered():
    """The device of scripts, on which sums are in Brian2's order."""
    gc.collect()
    before = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    brian2.start_scope()
    brian2.set_device("neuroglia", target="emulated", deterministic=True)
    brian2.defaultclock.dt = 0.1 * ms
    try:
        yield
    finally:
        brian2.set_device("runtime")
        brian2.prefs.codegen.target = before


def states(network) -> list[np.ndarray]:
    """All that a network holds, whatever its objects are called."""
    held = network.get_states(units=False, subexpressions=False, read_only_variables=True)
    return [np.array(group[name]) for _, group in sorted(held.items()) for name in sorted(group)]


def advance(networks, seeds, duration, report=None) -> list:
    """Run them together; of each machine, how it was at the end."""
    with ExitStack() as stack:
        drives = []
        for network, seed in zip(networks, seeds, strict=True):
            brian2.seed(seed)
            drives.append(neuroglia.device.begun(network, duration * ms, {}))
            stack.callback(drives[-1].close)
        assert all(drives[0].machine.may_join(d.machine) for d in drives)
        told = Report(report, 1e-9, 0.0, duration * 1e-3)
        go_together(drives, told)
        return [d.machine.position for d in drives]


def require_equal_to_those_alone(make, duration: float) -> None:
    """Two runs, one after the other, of networks whose seeds and connections differ."""
    with ordered():
        alone = []
        for seed in SEEDS:
            network = make(seed)
            for add in range(2):
                brian2.seed(seed + add)
                network.run(duration * ms, namespace={})
            alone.append(states(network))
    with ordered():
        networks = [make(seed) for seed in SEEDS]
        for add in range(2):
            advance(networks, [seed + add for seed in SEEDS], duration)
        together = [states(network) for network in networks]
    for ours, theirs in zip(together, alone, strict=True):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    assert any(not np.array_equal(a, b) for a, b in zip(alone[0], alone[1], strict=True))


def recorded(make, names, states_of=None):
    """A network with records of spikes, and of states of one group."""

    def made(seed):
        network = make(seed=seed)
        network.add([SpikeMonitor(network[name], name=f"spikes_{name}") for name in names])
        if states_of:
            group, variable = states_of
            network.add(StateMonitor(network[group], variable, record=[0, 1], name="states"))
        return network

    return made


@pytest.mark.thorough
def test_coba_with_synapses_of_its_own_in_each():
    make = recorded(partial(spiking.coba, 200), ["cells"], ("cells", "v"))
    require_equal_to_those_alone(make, 15)


@pytest.mark.thorough
def test_stdp_with_records():
    make = recorded(partial(spiking.stdp, 60), ["inputs", "cell"], ("plastic", "w"))
    require_equal_to_those_alone(make, 25)


def sizes(seed: int):
    """A network whose number of neurons, of synapses and of spikes is another for each seed, with delays."""
    brian2.seed(seed)
    units = 9 * (seed - 1)
    source = NeuronGroup(
        units,
        "dv/dt = (1.2 + 0.1*xi*sqrt(1*ms) - v)/(2*ms) : 1",
        threshold="v > 0.7",
        reset="v = 0",
        refractory=0.5 * ms,
        method="euler",
        name="source",
    )
    source.v = "rand()"
    target = NeuronGroup(units + 3, "dx/dt = -x/(3*ms) : 1\ny : 1", method="exact", name="target")
    several = Synapses(source, target, "w : 1", on_pre="x_post += w", name="several")
    several.connect(n=2 if seed % 2 else 1, p=0.4)
    several.w, several.delay = "rand()", "rand()*2*ms"
    mean = Synapses(source, target, "y_post = v_pre : 1 (summed)", name="mean")
    mean.connect(p=0.5)
    spikes = SpikeMonitor(source, name="spikes")
    rate = brian2.PopulationRateMonitor(source, name="rate")
    values = StateMonitor(target, ["x", "y"], record=True, name="values", dt=0.3 * ms)
    return brian2.Network(source, target, several, mean, spikes, rate, values)


@pytest.mark.thorough
def test_networks_of_several_sizes_with_spikes_under_way_between_runs():
    """A grid is the largest that one asks for: blocks that others have too many do nothing."""
    require_equal_to_those_alone(sizes, 8)


def shared_out(seed: int):
    """Spikes whose synapses blocks share, fewer blocks and more of them, with several for one target or one."""
    brian2.seed(seed)
    source = NeuronGroup(9, "v : 1", threshold="(i + int(t/dt)) % 7 < 3", reset="", name="source")
    target = NeuronGroup(100 * (seed - 2), "x : 1", name="target")
    synapses = Synapses(source, target, "w : 1", on_pre="x_post = x_post*0.9 + w", name="all")
    synapses.connect(n=1 + seed % 2)
    synapses.w = "rand()"
    return brian2.Network(source, target, synapses)


def test_synapses_that_more_blocks_share_in_one_than_in_another(emulated):
    require_equal_to_those_alone(shared_out, 1)
    assert len({edges.parts for machine in emulated for edges in machine._edges}) > 1


def test_steps_are_launched_at_once(emulated):
    with ordered():
        networks = [spiking.coba(100, seed) for seed in SEEDS]
        advance(networks, SEEDS, 6)
    assert emulated[0].replays > 50


def test_all_stop_at_one_step():
    with ordered():
        networks = [spiking.coba(100, seed) for seed in SEEDS]

        def report(elapsed, completed, start, duration):
            networks[0].stop()

        positions = advance(networks, SEEDS, 10_000, report)
        assert len({float(n.t) for n in networks}) == 1 and 0 < networks[0].t_ < 10
        assert positions == [0, 0, 0]


@pytest.mark.thorough
def test_what_cannot_go_together():
    with ordered(), ExitStack() as stack:

        def begun(network, duration=1):
            found = neuroglia.device.begun(network, duration * ms, {})
            stack.callback(found.close)
            return found.machine

        first = begun(spiking.coba(50))
        assert first.may_join(begun(spiking.coba(60, 2)))
        assert not first.may_join(begun(spiking.stdp(50)))
        assert not first.may_join(begun(spiking.coba(50), duration=2))
        python = spiking.coba(50)
        python.add(NetworkOperation(lambda: None))
        called = begun(python)
        assert not called.may_join(called)


# ------------------------------------------------------------------------------------ the backend


class OnTheHost(fused_cuda.FusedCudaBackend):
    """Without a GPU, whose memory has room for ``room`` networks."""

    target = "emulated"
    room = 100

    def compilers(self):
        return {}

    def unsupported(self, model):
        return None

    def options(self, request):
        return {**super().options(request), "deterministic": True}

    def looked_up(self):
        return nullcontext()

    def fitting(self, needed):
        assert needed > 1000
        return self.room


def lattices(**changes) -> list[Request]:
    """The memory model with noise on a small lattice, with other seeds, images and parameters."""
    settings = {
        "population.neuron.shape": "[13, 13]",
        "population.astrocyte.shape": "[4, 4]",
        "stimulus.train.start": "0 second",
    }
    made = []
    for seed in SEEDS:
        model = load("noise_induced_memory", {**settings, "parameters.sigma2": f"{0.02 * seed}"})
        model = replace(model, duration=60 * model.dt)
        images = blank_images(model)
        for image in images.values():
            image[: 2 * seed, :5] = True
        made.append(Request(model, images, seed=seed, **changes))
    return made


def require_same(found, expected) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        for group, values in theirs.final.items():
            for name, value in values.items():
                np.testing.assert_array_equal(ours.final[group][name], value)
        for name, record in theirs.records.items():
            for variable, value in record.values.items():
                np.testing.assert_array_equal(ours.records[name].values[variable], value)
        for name, events in theirs.events.items():
            np.testing.assert_array_equal(ours.events[name], events)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    ("room", "precision"), [(100, "float64"), (2, "float64"), (0, "float64"), (100, "float32")]
)
def test_lattices_with_noise_equal_those_alone(room, precision, monkeypatch, emulated):
    """As many together as the GPU has memory for."""
    backend, requests = OnTheHost(), lattices(precision=precision)
    monkeypatch.setattr(backend, "room", room, raising=False)
    found = backend.run_many(requests)
    sizes = [outcome.details["replicas_together"] for outcome in found]
    assert sizes == {100: [3, 3, 3], 2: [2, 2, 1], 0: [1, 1, 1]}[room]
    require_same(found, [backend.run(request) for request in requests])
    assert not np.array_equal(*(o.final["neuron"]["U"] for o in found[:2]))


def test_an_interrupt_ends_all():
    seen = []

    def progress(fraction, model_time):
        seen.append(fraction)
        if len(seen) > 3 and fraction > 0:
            signal.raise_signal(signal.SIGINT)

    requests = [
        replace(r, model=replace(r.model, duration=1000.0), progress=progress) for r in lattices()
    ]
    with pytest.raises(KeyboardInterrupt):
        OnTheHost().run_many(requests)
    assert 0 < seen[-1] < 1


@pytest.mark.thorough
def test_what_cannot_go_together_runs_one_after_the_other(monkeypatch):
    backend, requests = OnTheHost(), lattices()
    monkeypatch.setattr(cuda.CudaMachine, "may_join", lambda *_: False)
    found = backend.run_many(requests)
    assert not any("replicas_together" in outcome.details for outcome in found)
    require_same(found, [backend.run(request) for request in requests])


def test_all_hear_of_progress():
    seen = []
    requests = [
        replace(r, progress=lambda fraction, t, k=k: seen.append((k, fraction)))
        for k, r in enumerate(lattices())
    ]
    OnTheHost().run_many(requests)
    assert {k for k, fraction in seen if fraction == 1.0} == {0, 1, 2}


def test_what_is_too_large_alone_is_refused_before_anything_runs():
    gpu = cuda.toolkit.Gpu("small", 9.0, 1 << 20, None)
    with cuda.looked_up(gpu), pytest.raises(BackendError, match=r"^small has 1 MiB free"):
        cuda._require_memory(cuda.usable(), {"values": 8000, "synapses": 0, "records": 0})
    backend = fused_cuda.FusedCudaBackend()
    room = 10 << 30
    with cuda.looked_up(replace(gpu, free_memory=room + cuda.toolkit.CONTEXT)):
        assert backend.fitting(1 << 30) == 10
