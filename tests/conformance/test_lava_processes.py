"""The processes for Lava users, in networks built by hand, equal the references."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.fused import FusedBackend
from neuroglia_snn.backends.lava import alone
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import UserError
from neuroglia_snn.lava import compat
from neuroglia_snn.program.reference import NumpyMachine

pytestmark = pytest.mark.skipif(compat.missing() is not None, reason=str(compat.missing()))

STEPS = 150
SHAPE = (6, 5)
#: The same lattice as one model: a scheme of one stage holds what a unit receives over its step, as messages do.
SETTINGS = {
    "population.neuron.shape": str(list(SHAPE)),
    "population.astrocyte.shape": "[1, 1]",
    "sigma2": "0.1",
    "model.integrator": "euler-maruyama",
    "model.noise": "ito",
}


def reference() -> np.ndarray:
    """U of the lattice after the same steps, of the whole model in floating point."""
    model = load("noise_induced_memory", SETTINGS).without("astrocyte")
    model = replace(model, duration=STEPS * model.dt)
    images = {name: np.zeros(shape, bool) for name, shape in model.images().items()}
    return FusedBackend().run(Request(model, images=images, seed=3)).final["neuron"]["U"]


def after(process, tag: str) -> np.ndarray:
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    try:
        process.run(condition=RunSteps(num_steps=STEPS), run_cfg=Loihi2SimCfg(select_tag=tag))
        return process.U.get()
    finally:
        process.stop()


def lattice_by_hand():
    from neuroglia_snn.backends.lava import laplacian, process

    neurons = process("noise_induced_memory", "neuron", seed=3, **SETTINGS)
    for out, into in ((neurons.s_U, neurons.a_L_U), (neurons.s_V, neurons.a_L_V)):
        coupling = laplacian(SHAPE)
        out.connect(coupling.s_in)
        coupling.a_out.connect(into)
    return neurons


def oracle(process, weights) -> np.ndarray:
    """U of the integers of a process on the reference, with the neighbours' differences of the step before."""
    recipe = process.proc_params["recipe"]
    sent = {"U": np.zeros(process.U.shape, int), "V": np.zeros(process.U.shape, int)}

    def send(port, values):
        if port[2:] in sent:
            sent[port[2:]] = values

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alone, "missing", lambda: "no compiler")
        running = recipe.running(True)
        assert isinstance(running._machine, NumpyMachine)
        for step in range(STEPS):
            arriving = {f"L_{n}": weights @ sent[n] for n in sent} if step else {}
            running.step(arriving.get, send)
    return running.states["U"]


def test_neurons_and_laplacians_by_hand_equal_the_whole_model():
    np.testing.assert_allclose(
        after(lattice_by_hand(), "floating_pt"), reference(), rtol=0, atol=1e-12
    )


@pytest.mark.thorough
def test_in_fixed_point_they_equal_the_oracle_bit_for_bit():
    from neuroglia_snn.backends.lava import laplacian

    neurons = lattice_by_hand()
    found = after(neurons, "fixed_pt")
    assert str(neurons.formats["U"]) == "Q3.20"
    weights = laplacian(SHAPE).proc_params["weights"]
    np.testing.assert_array_equal(found, oracle(neurons, weights))
    assert found.std() > 100


@pytest.mark.thorough
def test_the_hierarchical_lattice_is_the_same_network():
    from neuroglia_snn.backends.lava import FHN, FHNLattice, laplacian

    neurons = FHN(shape=SHAPE, sigma2=0.1, seed=3)
    for out, into in ((neurons.s_U, neurons.a_L_U), (neurons.s_V, neurons.a_L_V)):
        coupling = laplacian(SHAPE)
        out.connect(coupling.s_in)
        coupling.a_out.connect(into)
    by_hand = after(neurons, "fixed_pt")
    found = after(FHNLattice(shape=SHAPE, sigma2=0.1, seed=3), "fixed_pt")
    np.testing.assert_array_equal(found, by_hand)


@pytest.mark.thorough
def test_astrocytes_alone_keep_their_resting_calcium():
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    from neuroglia_snn.backends.lava import LiRinzel

    calcium = {}
    for tag in ("floating_pt", "fixed_pt"):
        glia = LiRinzel(shape=(2, 3))
        glia.run(condition=RunSteps(num_steps=40), run_cfg=Loihi2SimCfg(select_tag=tag))
        calcium[tag] = glia.Ca.get()
        glia.stop()
    found = glia.formats["Ca"].decode(calcium["fixed_pt"])
    assert calcium["floating_pt"] != pytest.approx(0.0697115e-3, rel=1e-6)  # it moves
    np.testing.assert_allclose(found, calcium["floating_pt"], atol=1e-8)  # 1e-5 uM


def driven(tag: str, sent: float, units=None, variable: str = "I_app", steps: int = 100):
    """U of 4 x 4 neurons that receive a number in every step, and of what format it is."""
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    from neuroglia_snn.backends.lava import FHN, Connection, Frames

    source = Frames(frames=np.ones((1, 16)), interval=1)
    weights = Connection(weights=np.eye(16) * sent)
    neurons = FHN(shape=(4, 4), sigma2=0.0, units=units)
    source.s_out.connect(weights.s_in)
    weights.a_out.connect(getattr(neurons, f"a_{variable}"))
    try:
        neurons.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag=tag))
        found = neurons.U.get()
    finally:
        neurons.stop()
    return neurons.formats["U"].decode(found) if tag == "fixed_pt" else found


@pytest.mark.one_in(18)
@pytest.mark.parametrize("variable", ["I_app", "I_astro"])
def test_a_number_at_a_current_port_is_the_same_current_in_both_arithmetics(variable):
    units = None if variable == "I_app" else {"I_astro": 1}
    rest, expected = (driven("floating_pt", sent, variable=variable) for sent in (0, 60))
    assert expected[0] - rest[0] > 0.5
    found = driven("fixed_pt", 60, units, variable)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.thorough
def test_a_count_at_a_port_is_worth_what_units_say():
    whole, halves = driven("fixed_pt", 60), driven("fixed_pt", 120, {"I_app": 0.5})
    np.testing.assert_array_equal(whole, halves)


@pytest.mark.thorough
def test_what_arrives_at_a_port_saturates():
    largest = driven("fixed_pt", 2**23 - 1, steps=5)
    np.testing.assert_array_equal(driven("fixed_pt", 2**30, steps=5), largest)


def test_counts_of_neurons_arrive_as_counts():
    from neuroglia_snn.backends.lava import LiRinzel

    formats = LiRinzel(shape=(1, 1)).formats
    assert formats["n_active"].scale == formats["n_delayed"].scale == 1


@pytest.mark.parametrize(
    ("process", "arguments", "said"),
    [
        ("FHN", {"shape": ()}, r"shape is a whole number above 0, or some for a lattice such as"),
        ("FHN", {"shape": -1}, "shape is"),
        ("FHN", {"shape": (4.0, 4)}, "shape is"),
        ("LiRinzel", {"shape": (0, 1)}, "shape is"),
        ("LiRinzel", {"shape": "44"}, "shape is"),
        ("FHNLattice", {"shape": 16}, "shape is"),
        ("laplacian", {"shape": (4,)}, "shape is"),
        ("FHN", {"shape": (4, 4), "dt": 0.001}, "dt is a time with its unit, such as '0.001 ms'"),
        ("FHN", {"shape": (4, 4), "dt": "0.001"}, "has no unit"),
        ("LiRinzel", {"shape": (2, 2), "dt": 0.1}, "dt is a time"),
        ("FHN", {"shape": (4, 4), "seed": -1}, "seed is a whole number from 0 to"),
        ("FHN", {"shape": (4, 4), "seed": 1.5}, "seed is a whole number"),
        ("FHN", {"shape": (4, 4), "sigma": 1}, "did you mean 'sigma2'"),
        ("FHN", {"shape": (4, 4), "sigma2": -1}, "below its minimum"),
        ("FHN", {"shape": (4, 4), "sigma2": None}, "cannot be set to a value of type NoneType"),
        ("FHN", {"shape": (4, 4), "units": 3}, "units are numbers by input"),
        ("FHN", {"shape": (4, 4), "units": {"I": 1}}, "no input 'I'"),
        ("FHN", {"shape": (4, 4), "units": {"I_app": 0}}, "a number above 0"),
        ("Connection", {"weights": np.zeros(3)}, "weights is an array of finite numbers"),
        ("Connection", {"weights": "a"}, "weights is an array"),
        ("Connection", {"weights": np.eye(2), "denominator": 0}, "denominator is a number above 0"),
        ("Connection", {"weights": np.eye(2), "period": 0.5}, "period is a whole number from 1 up"),
        ("Frames", {"frames": np.zeros(3), "interval": 1}, "frames is an array"),
        ("Frames", {"frames": [[1, 2]], "interval": 0}, "interval is a whole number"),
        ("Winners", {"classes": 2.5, "frames": 1, "interval": 1}, "classes is a whole number"),
    ],
)
def test_a_wrong_argument_is_one_sentence(process, arguments, said):
    from neuroglia_snn.backends import lava

    with pytest.raises(UserError, match=said) as error:
        getattr(lava, process)(**arguments)
    assert "\n" not in str(error.value)


def test_fractions_are_refused_in_fixed_point():
    """By the models, as the processes do not know which arithmetic they will run in."""
    from neuroglia_snn.backends.lava.processes import connection, frames

    half = connection.Connection(weights=np.eye(2) / 2).proc_params
    with pytest.raises(UserError, match="weights are whole numbers in the fixed-point model"):
        connection.PyConnectionFixed(half)
    connection.PyConnectionFloat(half)
    shown = frames.Frames(frames=np.full((1, 2), 0.5), interval=1).proc_params
    with pytest.raises(UserError, match="frames are whole numbers"):
        frames.PyFramesFixed(shown)
    frames.PyFramesFloat(shown)


@pytest.mark.parametrize("shape", [(8,), 16, (3, 9), (2, 2, 2)])
def test_neurons_have_any_shape(shape):
    from neuroglia_snn.backends.lava import FHN

    neurons = FHN(shape=shape)
    assert neurons.U.shape == neurons.a_I_app.shape == neurons.s_out.shape == (np.prod(shape),)


def test_laplacian_weights_are_even_and_pass_nothing_at_the_edges():
    from neuroglia_snn.backends.lava import laplacian

    weights = laplacian((4, 5)).proc_params["weights"]
    assert not (weights.data & 1).any()
    assert not weights.sum(axis=1).any()
