"""Astrocytes at a layer: the paper's equations, per-image weights, and a network left as it was."""

from __future__ import annotations

import copy
import gc
import pickle
import signal
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from neuroglia_snn import UserError  # noqa: E402
from neuroglia_snn.papers.anan import (  # noqa: E402
    AstrocyteModulated,
    networks,
    reference,
)
from neuroglia_snn.papers.anan.astrocytes import Counter  # noqa: E402

nn = torch.nn


@pytest.fixture(autouse=True)
def torchs_settings():
    """One thread; what a failing test leaves off is on for the next."""
    torch.set_num_threads(1)
    yield
    torch.set_grad_enabled(True)


def convolution(dimensions: int, channels: int, kernels: int, **options) -> nn.Module:
    return (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1](channels, kernels, 3, **options)


def network(dimensions: int, seed: int, classes: int = 3, **options) -> nn.Sequential:
    """A trained network's shape, in float64: a plain convolution, the one of interest, linear layers."""
    torch.manual_seed(seed)
    pooled = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
    return nn.Sequential(
        convolution(dimensions, 2, 4, padding=1),
        nn.ReLU(),
        convolution(dimensions, 4, 6, **options),
        nn.ReLU(),
        pooled[dimensions - 1](2),
        nn.Flatten(),
        nn.Linear(6 * 2**dimensions, 5, bias=options.get("bias", True)),
        nn.Tanh(),
        nn.Linear(5, classes),
    ).double()


def images(dimensions: int, seed: int, count: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 2, *[8] * dimensions, generator=generator, dtype=torch.float64)


SMALL = {
    "k": st.integers(1, 8),
    "mu": st.integers(1, 4),
    "a": st.floats(1.0, 1.5),
    "b": st.floats(0.0, 0.5),
    "change": st.sampled_from(["percentage", "literal"]),
    "activity": st.sampled_from(["mean", "max"]),
}


@settings(max_examples=60, deadline=None)
@given(
    dimensions=st.sampled_from([1, 2, 2, 3]),
    layer=st.sampled_from(["0", "2", "6", "8"]),
    seed=st.integers(0, 10**6),
    stride=st.integers(1, 2),
    groups=st.sampled_from([1, 2]),
    padding_mode=st.sampled_from(["zeros", "circular"]),
    bias=st.booleans(),
    **SMALL,
)
def test_a_batch_equals_one_image_at_a_time(
    dimensions, layer, seed, stride, groups, padding_mode, bias, **astrocytes
):
    model = network(
        dimensions,
        seed,
        stride=stride,
        groups=groups,
        bias=bias,
        padding=1,
        padding_mode=padding_mode,
    )
    shown = images(dimensions, seed)
    expected = reference.answer(model, layer, shown, **astrocytes)
    found = AstrocyteModulated(model, layer, **astrocytes)(shown)
    scale = max(1.0, float(expected.abs().max()))  # the literal reading doubles weights
    assert float((found - expected).detach().abs().max()) < 1e-12 * scale


@pytest.mark.parametrize("activity", ["mean", "max"])
def test_sequences_through_a_linear_layer(activity):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    shown = torch.randn(5, 7, 4, dtype=torch.float64)
    expected = reference.answer(model, "0", shown, 6, 2, 1.2, 0.3, activity=activity)
    found = AstrocyteModulated(model, "0", 6, 2, 1.2, 0.3, activity=activity)(shown)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(found, model(shown))


def test_an_image_without_a_batch_dimension():
    model = nn.Sequential(convolution(2, 2, 3), nn.ReLU()).double()
    shown = images(2, 1)
    modulated = AstrocyteModulated(model, "0", 6, 2, 1.3, 0.4)
    torch.testing.assert_close(modulated(shown[0]), modulated(shown)[0])


def one_weight(weight: float) -> nn.Conv2d:
    layer = nn.Conv2d(1, 1, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.fill_(weight)
    return layer


@pytest.mark.parametrize(
    ("weight", "pixel", "change", "factor"),
    [
        # active: triggered by the second presentation, changed after that one and the third
        (2.0, 1.0, "percentage", 1.05**2),
        # y > 0 through a negative weight, which grows in the positive direction
        (-2.0, -1.0, "percentage", 0.95**2),
        # silent: weakened by 30 %
        (2.0, -1.0, "percentage", 0.7**2),
        (-2.0, 1.0, "percentage", 1.3**2),
        # as printed: doubled after the first presentation, not triggered yet, then + 105 % twice
        (2.0, 1.0, "literal", 2 * 2.05**2),
        (2.0, -1.0, "literal", 2 * 0.7**2),
    ],
)
def test_equations_worked_out_by_hand(weight, pixel, change, factor):
    model = nn.Sequential(one_weight(weight))
    shown = torch.full((1, 1, 3, 3), pixel, dtype=torch.float64)
    answer = AstrocyteModulated(model, "0", k=4, mu=2, a=1.05, b=0.30, change=change)(shown)
    torch.testing.assert_close(answer, weight * factor * shown, rtol=1e-14, atol=0)


def test_the_answer_is_of_the_kth_presentation():
    """An astrocyte triggered by the last presentation comes too late for the answer."""
    model, shown = nn.Sequential(one_weight(2.0)), torch.ones(1, 1, 2, 2, dtype=torch.float64)
    for k in range(1, 8):
        answer = AstrocyteModulated(model, "0", k=k, mu=4, a=1.1)(shown)
        torch.testing.assert_close(answer, 2 * 1.1 ** max(0, k - 4) * shown)


def test_readings_of_activity_differ_where_a_map_has_both_signs():
    model = nn.Sequential(one_weight(1.0))
    shown = torch.tensor([[[[1.0, -3.0]]]], dtype=torch.float64)
    by = {a: AstrocyteModulated(model, "0", 3, 2, 1.5, 0.5, activity=a) for a in ("mean", "max")}
    torch.testing.assert_close(by["mean"](shown), 0.5 * shown)
    torch.testing.assert_close(by["max"](shown), 1.5 * shown)


def test_a_count_that_has_reached_mu_stays():
    """Eq. 2: in {-mu, mu} it is kept, whatever comes; in between it goes up and down."""
    counter = Counter(2)
    said = [int(counter.observe(torch.tensor([[u > 0]]))) for u in (1, -1, 1, 1, 1, -1, -1, -1, -1)]
    assert said == [0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert int(Counter(1).observe(torch.tensor([[False]]))) == -1


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_every_image_has_weights_of_its_own(seed):
    model, shown = network(2, seed), images(2, seed, 6)
    modulated = AstrocyteModulated(model, "2", 6, 2, 1.4, 0.4)
    together = modulated(shown)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(modulated(shown[order]), together[order])
    torch.testing.assert_close(torch.cat([modulated(i) for i in shown.split(1)]), together)


def test_without_a_change_of_weights_the_answer_is_the_networks():
    model, shown = network(2, 3), images(2, 3)
    for options in ({"a": 1.0, "b": 0.0}, {"k": 1}, {"k": 3, "mu": 4}):
        assert torch.equal(AstrocyteModulated(model, "0", **options)(shown), model(shown))


def test_gradients_reach_the_image_and_single_precision_is_near():
    model, shown = network(2, 4), images(2, 4).requires_grad_()
    modulated = AstrocyteModulated(model, "2", 5, 2)
    modulated(shown).sum().backward()
    assert shown.grad is not None and bool(shown.grad.abs().sum() > 0)
    exact = modulated(shown).detach()
    single = AstrocyteModulated(copy.deepcopy(model).float(), "2", 5, 2)(shown.detach().float())
    torch.testing.assert_close(single.double(), exact, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------- the wrapped network is left as it was


class Fails(nn.Module):
    """Passes on what it gets, or does something else."""

    def __init__(self):
        super().__init__()
        self.act = lambda: None

    def forward(self, x):
        self.act()
        return x


def snapshot(model: nn.Module) -> tuple:
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    return {n: p.detach().clone() for n, p in model.named_parameters()}, hooks


def assert_as_before(model: nn.Module, before: tuple) -> None:
    weights, hooks = snapshot(model)
    assert hooks == before[1] == 0
    assert all(torch.equal(w, before[0][n]) for n, w in weights.items())


def failing() -> tuple[nn.Sequential, Fails]:
    last = Fails()
    return nn.Sequential(*network(2, 0), last), last


def test_a_network_is_left_as_it_was():
    model, _ = failing()
    before, plain = snapshot(model), model(images(2, 0))
    modulated = AstrocyteModulated(model, "2", 8, 2, 1.5, 0.5)
    assert not torch.allclose(modulated(images(2, 0)), plain)
    assert_as_before(model, before)
    assert torch.equal(model(images(2, 0)), plain)


@pytest.mark.parametrize("how", ["error", "sigint", "wrong shape"])
def test_a_network_is_left_as_it_was_when_something_goes_wrong(how):
    model, last = failing()
    before, plain = snapshot(model), model(images(2, 0))
    modulated = AstrocyteModulated(model, "2", 8, 2, 1.5, 0.5)

    def act():
        if how == "sigint":
            signal.raise_signal(signal.SIGINT)
        raise RuntimeError("in the middle")

    last.act = act
    shown = torch.ones(1, 3, 8, 8).double() if how == "wrong shape" else images(2, 0)
    with pytest.raises(KeyboardInterrupt if how == "sigint" else RuntimeError):
        modulated(shown)
    last.act = lambda: None
    assert_as_before(model, before)
    assert torch.equal(model(images(2, 0)), plain)


def test_ctrl_c_at_any_moment():
    """Interrupted after random times, the network's own answer is the same to the bit."""
    model, shown = network(2, 1), images(2, 1, 64)
    modulated = AstrocyteModulated(model, "2", 8, 2, 1.5, 0.5)
    before, plain = snapshot(model), model(shown)
    modulated(shown)
    started = time.perf_counter()
    modulated(shown)
    times = np.random.default_rng(0).uniform(0.01, 0.9, 60) * (time.perf_counter() - started)
    earlier = signal.signal(signal.SIGALRM, signal.default_int_handler)
    interrupted = 0
    try:
        for seconds in times:
            try:
                signal.setitimer(signal.ITIMER_REAL, seconds)
                modulated(shown)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            assert torch.is_grad_enabled()
            weights, _ = snapshot(model)
            assert all(torch.equal(w, before[0][n]) for n, w in weights.items())
            assert torch.equal(model(shown), plain)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    assert interrupted > 10


def interrupted(work, instruction: int) -> bool:
    """Whether Ctrl-C at the n-th instruction of Python, in any function, came before the work's end."""
    seen = 0

    def trace(frame, event, argument):
        nonlocal seen
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen += 1
            if seen == instruction:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    earlier = sys.gettrace()
    gc.disable()  # what is raised within a collection is lost
    try:
        sys.settrace(trace)
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(earlier)
        gc.enable()
    return False


@pytest.mark.parametrize(("spiking", "stride"), [(False, 3), (True, 61)])
def test_ctrl_c_at_every_few_instructions(spiking, stride):
    """Of torch's functions too, as where a hook is half registered or no_grad half entered."""
    torch.manual_seed(0)
    if spiking:
        pytest.importorskip("snntorch")
        model, names = (
            networks.SpikingNetwork(1, 4, 2, blocks=1, width=2, steps=2),
            ("conv1", "lif1"),
        )
    else:
        model, names = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)), ("0", None)
    shown = torch.rand(2, 1, 4, 4)
    modulated = AstrocyteModulated(model, names[0], 3, 2, spikes=names[1])
    before, plain = snapshot(model), model(shown)
    modulated(shown)  # imports and caches are not this test's
    at = 1
    while interrupted(lambda: modulated(shown), at):
        assert torch.is_grad_enabled()
        assert torch.equal(model(shown), plain)
        for module in model.modules():
            module._forward_hooks.clear()  # inert by now
        at += stride
    assert at > 1000
    assert_as_before(model, before)


def test_the_reference_puts_weights_back_too():
    model, last = failing()
    before = snapshot(model)
    reference.answer(model, "2", images(2, 0), 6, 2, 1.5, 0.5)
    assert_as_before(model, before)
    last.act = lambda: signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        reference.answer(model, "2", images(2, 0), 6, 2, 1.5, 0.5)
    assert_as_before(model, before)


def test_copies_and_pickles_answer_alike():
    modulated = AstrocyteModulated(network(2, 5), "2", 6, 2)
    shown = images(2, 5)
    for other in (copy.deepcopy(modulated), pickle.loads(pickle.dumps(modulated))):
        assert torch.equal(other(shown), modulated(shown))


# ---------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("layer", "options", "said"),
    [
        ("conv9", {}, "no layer 'conv9', did you mean 'conv1'"),
        ("", {}, "no layer ''"),
        ("pool", {}, "is a MaxPool2d; astrocytes watch a convolution or a linear layer"),
        ("conv1", {"k": 0}, "k is a whole number of presentations, at least 1, not 0"),
        ("conv1", {"k": 2.5}, "k is a whole number"),
        ("conv1", {"mu": True}, "mu is a whole number"),
        ("conv1", {"a": float("nan")}, "a is a number from 0 up, not nan"),
        ("conv1", {"b": -0.1}, "b is a number from 0 up, not -0.1"),
        ("conv1", {"change": "percent"}, "change is one of percentage, literal, not 'percent'"),
        ("conv1", {"activity": "median"}, "activity is one of mean, max"),
        ("conv1", {"spikes": "lif1"}, "no layer 'lif1'"),
    ],
)
def test_bad_input_is_one_sentence(layer, options, said):
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(1, 2, 3))
    model.add_module("pool", nn.MaxPool2d(2))
    with pytest.raises(UserError) as caught:
        AstrocyteModulated(model, layer, **options)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_network_whose_training_failed_is_refused(value):
    model = network(2, 0)
    with torch.no_grad():
        model[8].weight[0, 0] = value
    with pytest.raises(UserError, match=r"'8\.weight' has weights that are NaN or infinite"):
        AstrocyteModulated(model, "2")


# ------------------------------------------------------------------------------------ spiking


def by_hand(model, image, k, mu, a, b) -> torch.Tensor:
    """A spiking network whose weights are really changed at every time step, one image."""
    original, count, steps = model.conv1.weight.detach().clone(), {}, []

    def change(layer, inputs, output):
        steps.append(1)
        if len(steps) > k:
            return
        for j, fired in enumerate(output[0][0].flatten(1).any(1).tolist()):
            r, u = count.get(j, 0), 1 if fired else -1
            count[j] = r if abs(r) == mu else r + u
            z = {mu: a - 1, -mu: -b}.get(count[j], 0.0)
            model.conv1.weight.data[j] += model.conv1.weight.data[j].abs() * z

    with torch.no_grad(), model.lif1.register_forward_hook(change):
        answer = model(image)
    model.conv1.weight.data.copy_(original)
    return answer


@pytest.mark.parametrize("k", [1, 4, 8])
def test_spiking_network_against_weights_changed_step_by_step(k):
    pytest.importorskip("snntorch")
    torch.manual_seed(2)
    model = networks.SpikingNetwork(1, 8, 2, blocks=2, width=6)
    shown = torch.rand(7, 1, 8, 8) * 2
    modulated = AstrocyteModulated(model, "conv1", k, 2, 1.3, 0.3, spikes="lif1")
    with torch.no_grad():
        found, plain = modulated(shown), model(shown)
    expected = torch.cat([by_hand(model, image, k, 2, 1.3, 0.3) for image in shown.split(1)])
    torch.testing.assert_close(found, expected)
    if k > 2:
        assert not torch.allclose(found, plain)
    else:
        torch.testing.assert_close(found, plain)


def test_spikes_of_another_layer_than_the_kernels_are_refused():
    pytest.importorskip("snntorch")
    model = networks.SpikingNetwork(1, 8, 2, blocks=2, width=6)
    with pytest.raises(UserError, match=r"'lif2' has \(12,\) channels of spikes but 'conv1' 6"):
        AstrocyteModulated(model, "conv1", spikes="lif2")(torch.rand(1, 1, 8, 8))
