"""The classifier: the table against direct integration, training that resumes, who holds longest."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the classifier learns with torch")
pytest.importorskip("snntorch", reason="its layers need snntorch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from neuroglia_snn import backends  # noqa: E402
from neuroglia_snn.backends.base import Request  # noqa: E402
from neuroglia_snn.backends.torch import Neuron, System  # noqa: E402
from neuroglia_snn.catalog.load import load  # noqa: E402
from neuroglia_snn.datasets import Digits, Split  # noqa: E402
from neuroglia_snn.errors import NumericalError, ResultError, UserError  # noqa: E402
from neuroglia_snn.papers.fhn_classifier import evaluation, setup, variants  # noqa: E402
from neuroglia_snn.papers.fhn_classifier.networks import Network, Response  # noqa: E402
from neuroglia_snn.papers.fhn_classifier.response import (  # noqa: E402
    Protocol,
    Table,
    integrate,
    tabulate,
)
from neuroglia_snn.papers.fhn_classifier.training import Data, Recipe, fit  # noqa: E402

#: A unit whose jumps are ten times softer, so that steps are ten times longer.
SOFT = {"eps": "0.1", "model.dt": "0.02 ms"}
SHORT = Protocol("I", "x", 1e-3, 2e-3, 20)


@pytest.fixture(scope="module")
def system() -> System:
    return System(load("fhn_classifier", SOFT))


@pytest.fixture(scope="module")
def table(system) -> Table:
    return tabulate(system, SHORT, -2.0, 2.0, tolerance=0.01)


# ------------------------------------------------------------------------ the table


def test_the_table_is_direct_integration_to_its_tolerance(system, table):
    generator = torch.Generator().manual_seed(3)
    inputs = 4 * torch.rand(2000, generator=generator, dtype=torch.float64) - 2
    difference = (table.outputs(inputs) - integrate(system, SHORT, inputs, 2)).abs().amax(1)
    assert table.unresolved < 1e-3
    assert float(difference.quantile(0.99)) < table.tolerance
    # beyond it only at the edges of oscillation, where x jumps with the input
    wrong = inputs[difference > 2 * table.tolerance]
    assert len(wrong) <= 4 and (((wrong + 0.5).abs() - 1).abs() < 0.1).all()


def test_the_table_spends_its_points_where_the_output_changes(table):
    spacing = torch.diff(table.inputs)
    assert (spacing > 0).all()
    assert spacing.max() / spacing.min() >= 4


def test_a_rest_state_is_the_papers():
    """|a + I| > 1 rests at x = -(a + I), section 2."""
    m = load("fhn_classifier", SOFT)
    rest = Protocol("I", "x", 60e-3, 1e-3, 1)
    inputs = torch.tensor([-2.0, -1.7, 0.7, 1.5], dtype=torch.float64)
    x = integrate(System(m), rest, inputs)[:, 0]
    assert torch.allclose(x, -(0.5 + inputs), atol=1e-6)


@pytest.mark.parametrize("inside", [True, False])
def test_it_oscillates_where_the_paper_says(inside):
    late = Protocol("I", "x", 60e-3, 10e-3, 100)
    inputs = torch.tensor([-1.4, -0.5, 0.4] if inside else [-1.6, 0.6], dtype=torch.float64)
    x = integrate(System(load("fhn_classifier", SOFT)), late, inputs)
    swing = x.amax(1) - x.amin(1)
    assert (swing > 1).all() if inside else (swing < 0.2).all()


def test_time_steps_are_halved_where_a_unit_is_stiff():
    stiff = System(load("fhn_classifier", {"eps": "0.1", "model.dt": "0.1 ms"}))
    table = tabulate(stiff, Protocol("I", "x", 1e-3, 1e-3, 5), -8.0, 8.0, tolerance=0.05)
    fine = System(load("fhn_classifier", {"eps": "0.1", "model.dt": "0.005 ms"}))
    inputs = torch.linspace(-8, 8, 33, dtype=torch.float64)
    expected = integrate(fine, Protocol("I", "x", 1e-3, 1e-3, 5), inputs)
    assert (table.outputs(inputs) - expected).abs().max() < 0.1


def test_a_unit_that_blows_up_is_refused():
    hopeless = System(load("fhn_classifier", {"eps": "0.00001", "model.dt": "0.02 ms"}))
    with pytest.raises(NumericalError, match="smaller amplitude"):
        tabulate(hopeless, Protocol("I", "x", 2e-4, 2e-4, 1), -2.0, 2.0)


def test_times_must_fit_the_step(system):
    with pytest.raises(UserError, match="transient"):
        Protocol("I", "x", 1.01e-3, 2e-3, 20).steps(system.dt)
    with pytest.raises(UserError, match="between two samples"):
        Protocol("I", "x", 1e-3, 2e-3, 33).steps(system.dt)


# ------------------------------------------------------------------------ gradients


def test_the_tables_slope_is_backpropagation_through_time(system):
    """Response's exact gradient against autograd through every step of a Neuron layer."""
    fine = tabulate(system, SHORT, -2.0, 2.0, tolerance=1e-4)
    z = torch.tensor([-0.9, -0.2, 0.15, 0.4, 1.1], dtype=torch.float64, requires_grad=True)
    (by_table,) = torch.autograd.grad(Response(fine, -2.0, "exact")(z).sum(), z)
    layer, state, total = Neuron(system.model), (), 0.0
    transient, between = SHORT.steps(system.dt)
    for step in range(1, transient + SHORT.samples * between + 1):
        _, *state = layer(-2.0 * torch.tanh(z), *state)
        if step > transient and (step - transient) % between == 0:
            total = total + torch.sigmoid(state[-1])
    (through_time,) = torch.autograd.grad((total / SHORT.samples).sum(), z)
    assert torch.allclose(by_table, through_time, rtol=0.02, atol=2e-3)


@pytest.mark.parametrize("slope", ["mean", "sigmoid"])
def test_other_slopes_leave_the_forward_pass_alone(table, slope):
    z = torch.linspace(-2, 2, 41, requires_grad=True)
    exact, other = Response(table, -2.0, "exact")(z), Response(table, -2.0, slope)(z)
    assert torch.allclose(exact, other, atol=1e-6)
    (gradient,) = torch.autograd.grad(other.sum(), z)
    assert (gradient > 0).float().mean() > 0.9  # x rises with z for alpha < 0


def test_the_papers_slope_is_a_sigmoids(table):
    z = torch.tensor([0.3], requires_grad=True)
    (gradient,) = torch.autograd.grad(Response(table, -2.0, "sigmoid")(z).sum(), z)
    u = torch.tanh(torch.tensor(0.3))
    s = torch.sigmoid(u)
    assert float(gradient) == pytest.approx(float(s * (1 - s) * (1 - u**2)), rel=1e-5)


# ------------------------------------------------------------------------- training


def toy(count=200, seed=0) -> Data:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    images = 0.3 * torch.rand(count, 20, generator=generator)
    images[torch.arange(count), labels] += 1
    return Data(images, labels)


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@pytest.mark.parametrize("optimiser, loss", [("adam", "cross-entropy"), ("sgd", "squared-error")])
def test_training_goes_on_to_the_same_bits(tmp_path, optimiser, loss):
    recipe = Recipe(6, 0.01, 20, optimiser, loss)

    def start() -> Network:
        return Network(torch.sigmoid, 20, 12, 10, seed=1)

    whole = start()
    curves = fit(whole, toy(), recipe, seed=5)

    class Interrupt(Exception):
        pass

    def stop(fraction, _):
        if fraction >= 0.5:
            raise Interrupt

    kept = tmp_path / "kept" / "a.pt"
    with pytest.raises(Interrupt):
        fit(start(), toy(), recipe, 5, kept, progress=stop)
    resumed = start()
    assert fit(resumed, toy(), recipe, 5, kept) == curves
    assert torch.equal(weights(resumed), weights(whole))
    with pytest.raises(ResultError, match="no checkpoint of this training"):
        fit(start(), toy(), recipe, 6, kept)
    kept.write_bytes(b"damaged")
    with pytest.raises(ResultError, match="no checkpoint of this training"):
        fit(start(), toy(), recipe, 5, kept)


def test_training_learns_and_repeats_by_its_seed(table):
    found = []
    for seed in (1, 1, 2):
        network = Network(Response(table, -2.0), 20, 12, 10, seed)
        curves = fit(network, toy(), Recipe(30, 0.02, 20), seed)
        found.append(weights(network))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert curves[-1]["loss"] < 0.5 * curves[0]["loss"]
    fresh = toy(seed=9)
    assert evaluation.accuracy(evaluation.predict(network, fresh.images), fresh.labels) > 0.9


# ----------------------------------------------------------------------- evaluation


@given(st.lists(st.lists(st.integers(0, 4), min_size=7, max_size=7), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_the_class_that_holds_longest(won):
    found = evaluation.longest(torch.tensor(won), 5).tolist()
    for answer, row in zip(found, won, strict=True):
        assert row.count(answer) == max(map(row.count, row))


def test_table_and_direct_integration_give_the_same_classes(system, table):
    network = Network(torch.sigmoid, 20, 12, 10, seed=2)
    fit(network, toy(), Recipe(20, 0.02, 20), 2)
    images = toy(100, seed=4).images
    by_table = evaluation.classify(network, images, table.outputs, -2.0)
    direct = evaluation.classify(network, images, evaluation.directly(system, SHORT), -2.0)
    assert evaluation.accuracy(by_table, direct) >= 0.98
    whole = evaluation.classify(network, images, table.outputs, -2.0, batch=7)
    assert torch.equal(whole, by_table)  # whatever the batch


def test_scores_of_classes():
    labels, found = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 1, 0])
    assert evaluation.accuracy(found, labels) == 0.5
    by_class = evaluation.per_class(found, labels, 4)
    assert by_class[:3].tolist() == [0.5, 1.0, 0.0] and np.isnan(by_class[3])
    assert evaluation.confusion(found, labels, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


# ---------------------------------------------------------------------------- setup


def test_the_model_files_experiment():
    asked = setup.read(load("fhn_classifier", {"alpha": "-3"}))
    assert (asked.alpha, asked.units, asked.protocol.output) == (-3.0, 100, "x")


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"experiment.input": "J"}, "no 'J'"),
        ({"experiment.output": "z"}, "no 'z'"),
        ({"experiment.amplitude": "beta"}, "no parameter"),
        ({"alpha": "0"}, "not zero"),
        ({"experiment.samples": "0"}, "from 1 on"),
        ({"experiment.samples": "99"}, "not a multiple"),
    ],
)
def test_a_wrong_experiment_is_refused(settings, said):
    with pytest.raises(UserError, match=said):
        setup.read(load("fhn_classifier", settings))


def test_balanced_sets():
    labels = np.repeat(np.arange(10, dtype=np.uint8), np.arange(5, 15))
    split = Split(np.zeros((len(labels), 2, 2), np.uint8), labels)
    assert np.bincount(setup.balanced(split, 5, 0).labels).tolist() == [5] * 10
    assert np.bincount(setup.balanced(split, 7, 0).labels).tolist() == [5, 6] + [7] * 8
    other = Split(np.zeros((3, 3, 3), np.uint8), labels[:3])
    with pytest.raises(UserError, match="pixels"):
        setup.network(
            setup.read(load("fhn_classifier")), torch.sigmoid, Digits(split, other, "s"), 0
        )


# ------------------------------------------------------------------------- variants


def populations(**settings: str) -> tuple[System, System]:
    m = load("fhn_astrocytes", SOFT | settings)
    return System(m, "unit"), System(m, "astrocyte")


def test_without_noise_and_astrocytes_a_group_is_its_units():
    units, glia = populations(D="0", I_glio="0")
    inputs = torch.linspace(-2, 2, 20, dtype=torch.float64).view(1, 20)
    found = variants.integrate_groups(units, glia, SHORT, inputs)
    assert torch.allclose(found, integrate(units, SHORT, inputs), atol=1e-12)


def test_astrocytes_move_the_units_of_active_groups_only():
    inputs = torch.cat([torch.full((1, 10), -1.9), torch.full((1, 10), 1.9)], 1).double()
    plain, raised = (
        variants.integrate_groups(*populations(D="0", I_glio=g), SHORT, inputs)
        for g in ("0", "-0.3")
    )
    assert torch.equal(plain[:, 10:], raised[:, 10:])  # at rest below: no calcium
    assert (raised[:, :10, -1] > plain[:, :10, -1]).all()


def test_units_and_astrocytes_follow_brian2():
    """The coupling both ways, against Brian2's own run of the same model file."""
    changed = {"D": "0", "I_glio": "-0.6", "model.dt": "0.01 ms", "model.duration": "12 ms"}
    every = {"record.state.every": "0.1 ms", "record.calcium.every": "0.1 ms"}
    m = load("fhn_astrocytes", SOFT | changed | every)
    records = backends.get("numpy").run(Request(m, {}, 0)).records
    assert records["calcium"].values["Ca"].max() > 0.5
    expected = records["state"].values["x"][21:111].T  # units, times from 2.1 ms on
    units, glia = System(m, "unit"), System(m, "astrocyte")
    inputs, protocol = (
        units.initial((1, 100), torch.float64)["I"],
        Protocol("I", "x", 2e-3, 9e-3, 90),
    )
    (found,) = variants.integrate_groups(units, glia, protocol, inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    (alone,) = variants.integrate_groups(
        *populations(**changed | {"I_glio": "0"}), protocol, inputs
    )
    assert float((alone - found).abs().max()) > 1  # the coupling matters


def test_units_that_cannot_be_shared_are_refused():
    units, glia = populations()
    with pytest.raises(UserError, match="cannot be shared"):
        variants.integrate_groups(units, glia, SHORT, torch.zeros(1, 15))


def test_nir_holds_the_weights_and_names_what_it_cannot_say(tmp_path):
    nir = pytest.importorskip("nir", reason="NIR files need the package nir")
    from neuroglia_snn.papers.fhn_classifier.export import write_nir

    network = Network(torch.sigmoid, 20, 100, 10, seed=2)
    asked = setup.read(load("fhn_classifier"))
    graph = nir.read(write_nir(network, asked, tmp_path / "a.nir"))
    assert np.array_equal(graph.nodes["w_in"].weight, network.w_in.weight.detach())
    assert np.array_equal(graph.nodes["w_out"].weight, network.w_out.weight.detach())
    assert ("w_in", "to_units") in graph.edges and len(graph.edges) == 4
    said = str(graph.metadata)
    assert "-2*tanh" in said and "x**3/3" in said
