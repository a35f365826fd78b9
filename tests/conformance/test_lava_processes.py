"""The processes for Lava users, in networks built by hand, equal the references."""

from __future__ import annotations

import numpy as np
import pytest

from neuroglia_snn import load
from neuroglia_snn.backends.base import blank_images
from neuroglia_snn.backends.lava import _compat
from neuroglia_snn.errors import UserError
from neuroglia_snn.fixedpoint import recorded
from neuroglia_snn.fixedpoint.integers import in_integers
from neuroglia_snn.lowering import lower
from neuroglia_snn.lowering.execute import in_floats
from neuroglia_snn.lowering.messages import with_messages

pytestmark = pytest.mark.skipif(_compat.missing() is not None, reason=str(_compat.missing()))

STEPS = 150
SHAPE = (6, 5)


def reference(tag: str) -> np.ndarray:
    """U of the same lattice after the same steps: as it is, or as integers."""
    settings = {"population.neuron.shape": str(list(SHAPE)), "sigma2": "0.1"}
    settings["population.astrocyte.shape"] = "[1, 1]"
    model = load("noise_induced_memory", settings).without("astrocyte")
    program = with_messages(lower(model, blank_images(model)))
    if tag == "fixed_pt":
        run = in_integers(recorded.formats(model, program, 3).program, 3, True)
    else:
        run = in_floats(program, 3, True)
    while run.step < STEPS:
        run.advance()
    return run.populations["neuron"].arrays["U"]


def after(process, tag: str) -> np.ndarray:
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    try:
        process.run(condition=RunSteps(num_steps=STEPS), run_cfg=Loihi2SimCfg(select_tag=tag))
        return process.U.get()
    finally:
        process.stop()


@pytest.mark.parametrize("tag", ["floating_pt", "fixed_pt"])
def test_neurons_and_laplacians_by_hand(tag):
    from neuroglia_snn.backends.lava import FHN, laplacian

    neurons = FHN(shape=SHAPE, sigma2=0.1, seed=3)
    for out, into in ((neurons.s_U, neurons.a_L_U), (neurons.s_V, neurons.a_L_V)):
        coupling = laplacian(SHAPE)
        out.connect(coupling.s_in)
        coupling.a_out.connect(into)
    found = after(neurons, tag)
    np.testing.assert_allclose(
        found, reference(tag), rtol=0, atol=0 if tag == "fixed_pt" else 1e-12
    )
    assert str(neurons.formats["U"]) == "Q3.20"


def test_the_hierarchical_lattice_is_the_same_network():
    from neuroglia_snn.backends.lava import FHNLattice

    found = after(FHNLattice(shape=SHAPE, sigma2=0.1, seed=3), "fixed_pt")
    np.testing.assert_array_equal(found, reference("fixed_pt"))


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


def test_a_lattice_too_small_is_refused():
    from neuroglia_snn.backends.lava import FHN

    with pytest.raises(UserError, match="at least 4 x 4"):
        FHN(shape=(3, 9))


def test_laplacian_weights_are_even_and_pass_nothing_at_the_edges():
    from neuroglia_snn.backends.lava import laplacian

    weights = laplacian((4, 5)).proc_params["weights"]
    assert not (weights.data & 1).any()
    assert not weights.sum(axis=1).any()
