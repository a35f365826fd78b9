"""Model files as torch layers: the same numbers as Brian2, snnTorch's conventions, gradients."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="layers need torch")
pytest.importorskip("snntorch", reason="layers need snntorch")

import snntorch  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from snntorch import surrogate, utils  # noqa: E402

from neuroglia_snn import backends  # noqa: E402
from neuroglia_snn.backends.base import Request  # noqa: E402
from neuroglia_snn.backends.torch import Neuron, System, reset  # noqa: E402
from neuroglia_snn.backends.torch.code import translate  # noqa: E402
from neuroglia_snn.catalog.load import load  # noqa: E402
from neuroglia_snn.errors import BackendError, UserError  # noqa: E402
from neuroglia_snn.language import expressions  # noqa: E402

IZHIKEVICH = '''
[model]
title = "Izhikevich units"
integrator = "euler"
dt = "0.1 ms"
duration = "60 ms"

[parameters]
a = "0.02"
b = "0.2"
c = "-65"
d = "8"

[population.cell]
size = 5
equations = """
dv/dt = (0.04*v**2 + 5*v + 140 - u + I)/ms : 1
du/dt = a*(b*v - u)/ms : 1
I : 1
"""
threshold = "v > 30"
reset = "v = c; u += d"

[population.cell.initial]
v = "-65"
u = "b*(-65)"
I = "4*i"

[record.state]
population = "cell"
variables = ["v", "u"]
every = "0.1 ms"

[record.spikes]
population = "cell"
events = true
'''

LEAKY = '''
[model]
title = "Leaky integrator"
integrator = "{integrator}"
dt = "0.5 ms"
duration = "40 ms"

[parameters]
tau = "10 ms"

[population.cell]
size = 5
equations = """
dv/dt = (drive - v)/tau : 1
drive = gain*I : 1
gain = 1 + 0.7*int(v > 0.5 and not (I < 0)) : 1
I : 1
"""

[population.cell.initial]
I = "0.3*i - 0.4"

[record.state]
population = "cell"
variables = ["v"]
every = "0.5 ms"
'''


CLOCKED = '''
[model]
title = "Units that read the time"
integrator = "{integrator}"
dt = "0.5 ms"
duration = "40 ms"

[population.cell]
size = 3
equations = """
dv/dt = (1.5 + sin(t/(3*ms)) + I - v)/(5*ms) : 1
last : second
I : 1
"""
threshold = "v > 1 + 0.3*int(t > 20*ms)"
reset = "v = 0.01*(t + last)/ms; last = t"

[population.cell.initial]
I = "0.2*i"

[record.state]
population = "cell"
variables = ["v"]
every = "0.5 ms"

[record.spikes]
population = "cell"
events = true
'''


def model(tmp_path, text, name="m.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return load(str(path))


def by_brian(spec_model, record="state"):
    """Recorded variables (times, units) by Brian2's runtime, and events (times, units)."""
    outcome = backends.get("numpy").run(Request(spec_model, {}, 0))
    return outcome.records[record].values, outcome.events


def by_layer(spec_model, steps, inputs):
    layer = Neuron(spec_model).double()
    state, found, spikes = (), [], []
    for _ in range(steps):
        spk, *state = layer(inputs, *state)
        found.append(torch.stack(list(state)))
        spikes.append(spk)
    return torch.stack(found, 1), torch.stack(spikes)


# ------------------------------------------------------------------- against Brian2


@pytest.mark.parametrize("integrator", ["euler", "rk2", "rk4", "heun"])
def test_one_variable_follows_brian2(tmp_path, integrator):
    m = model(tmp_path, LEAKY.format(integrator=integrator))
    if integrator == "heun":
        m = model(
            tmp_path,
            LEAKY.format(integrator=integrator).replace(
                "[model]", "[model]\nnoise = 'stratonovich'"
            ),
        )
    values, _ = by_brian(m)
    inputs = torch.arange(5, dtype=torch.float64) * 0.3 - 0.4
    (found,), _ = by_layer(m, len(values["v"]) - 1, inputs)
    assert np.allclose(found, values["v"][1:], rtol=1e-12, atol=1e-12)


def test_two_variables_with_reset_follow_brian2(tmp_path):
    m = model(tmp_path, IZHIKEVICH)
    values, events = by_brian(m)
    inputs = 4 * torch.arange(5, dtype=torch.float64)
    (u, v), spikes = by_layer(m, len(values["v"]) - 1, inputs)
    assert spikes.sum() == len(events["spikes"][0]) > 5
    assert np.allclose(v, values["v"][1:], rtol=1e-9, atol=1e-9)
    assert np.allclose(u, values["u"][1:], rtol=1e-9, atol=1e-9)


def test_the_fhn_unit_follows_brian2():
    always = {"stimulus.pulse.start": "0 ms", "stimulus.pulse.duration": "20 ms"}
    m = load("fhn_excitable", always | {"model.duration": "3 ms", "record.state.every": "0.002 ms"})
    values, events = by_brian(m)
    (y, x), spikes = by_layer(m, len(values["x"]), torch.tensor([-0.5], dtype=torch.float64))
    assert spikes.sum() == len(events["spikes"][0]) > 0
    assert np.allclose(x[:-1], values["x"][1:], rtol=1e-8, atol=1e-8)
    assert np.allclose(y[:-1], values["y"][1:], rtol=1e-8, atol=1e-8)


def test_float32_stays_float32_and_near(tmp_path):
    m = model(tmp_path, IZHIKEVICH)
    layer = Neuron(m, steps=20, init_hidden=True)
    single = torch.full((3,), 5.0)
    layer(single)
    assert layer.mem.dtype == torch.float32
    low = layer.mem
    layer.reset_mem()
    layer(single.double())
    assert layer.mem.dtype == torch.float64
    assert torch.allclose(low.double(), layer.mem, rtol=1e-5)


# ------------------------------------------------------------------------ the code


@given(
    st.sampled_from(
        [
            *(
                "x**3/3 - y",
                "exp(-x)*sin(y) + tanh(x)",
                "clip(x, -1, y)",
                "abs(x) // 1 + (y + 4) % 3",
            ),
            *("int(x > y)*2 + int(x > 0 or y > 0)", "int(not (x > y)) - -x", "exprel(x)"),
            *("sqrt(x**2 + 1) + log1p(x**2)", "sign(x)*ceil(y) - floor(x)", "x*mV/(2*mV) + pi"),
        ]
    ),
    st.floats(-3, 3),
    st.floats(-3, 3),
)
@settings(max_examples=150, deadline=None)
def test_expressions_have_the_same_value_as_numbers(text, x, y):
    values = {
        "x": torch.tensor([x], dtype=torch.float64),
        "y": torch.tensor([y], dtype=torch.float64),
    }
    translate([f"z = {text}"]).run(values)
    expected = expressions.evaluate(text, {"x": x, "y": y})
    if text == "clip(x, -1, y)" and y < -1:
        return  # bounds crossed: no value to agree on
    assert float(values["z"][0]) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    "text", ["__import__('os')", "x.real", "x[0]", "(lambda: 1)()", "'a'", "open(x)", "poisson(x)"]
)
def test_nothing_but_arithmetic_is_compiled(text):
    with pytest.raises(Exception) as error:
        translate([f"z = {text}"])
    assert isinstance(error.value, BackendError.__mro__[1])  # a UserError


# ------------------------------------------------------------- snnTorch's conventions


def test_in_a_sequential_and_reset_by_snntorchs_utils():
    layer = Neuron("fhn_excitable", steps=200, init_hidden=True)
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), layer, torch.nn.Linear(4, 2))
    x = torch.randn(5, 3)
    first, second = network(x), network(x)
    assert first.shape == (5, 2) and layer.mem.shape == (5, 4)
    before = layer.mem.clone()
    utils.reset(network)
    assert layer.mem.numel() == 0
    assert torch.equal(network(x), first)
    assert torch.equal(network(x), second)
    assert torch.equal(layer.mem, before)


def test_what_a_call_returns():
    x = torch.zeros(2, 3)
    spk, y, mem = Neuron("fhn_excitable")(x)
    assert spk.shape == y.shape == mem.shape == x.shape
    assert torch.allclose(mem, torch.tensor(-1.05)) and torch.allclose(y, torch.tensor(-0.664125))
    spk, mem = Neuron("fhn_excitable", init_hidden=True, output=True)(x)
    assert torch.is_tensor(Neuron("fhn_excitable", init_hidden=True)(x))
    with pytest.raises(TypeError, match="init_hidden"):
        Neuron("fhn_excitable", init_hidden=True)(x, y, mem)
    with pytest.raises(TypeError, match="the state is"):
        Neuron("fhn_excitable")(x, mem)


def test_explicit_and_hidden_state_are_the_same_path():
    hidden = Neuron("fhn_excitable", steps=50, init_hidden=True)
    explicit = Neuron("fhn_excitable", steps=50)
    state = ()
    for n in range(6):
        x = torch.full((2, 2), -0.3 * n)
        spk, *state = explicit(x, *state)
        assert torch.equal(hidden(x), spk)
    assert torch.equal(hidden.mem, state[-1])


def test_steps_are_calls():
    x = torch.tensor([[-0.5, 0.0]])
    once = Neuron("fhn_excitable", steps=600)
    spk, *_, mem = once(x)
    many, state, total = Neuron("fhn_excitable"), (), torch.zeros_like(x)
    for _ in range(600):
        fired, *state = many(x, *state)
        total = total + fired
    assert torch.equal(mem, state[-1])
    assert torch.equal(spk, total.clamp(max=1))
    assert spk.tolist() == [[1.0, 0.0]]  # only the driven unit fires


def test_hidden_state_can_be_cut_off_the_graph():
    layer = Neuron("fhn_excitable", init_hidden=True)
    x = torch.zeros(1, 1, requires_grad=True)
    layer(x)
    assert layer.mem.requires_grad
    Neuron.detach_hidden()
    assert not layer.mem.requires_grad
    Neuron.reset_hidden()
    assert layer.mem.numel() == 0


# ------------------------------------------------------------------ the hidden state


def nested(layer):
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(3, 3), layer))


def test_copies_and_pickles_go_on_from_the_state_that_they_were_made_in():
    network, x = nested(Neuron("fhn_excitable", steps=50, init_hidden=True)), torch.ones(2, 3)
    network(x)
    copies = [copy.deepcopy(network), pickle.loads(pickle.dumps(network))]
    network(x)
    for other in copies:
        assert not torch.equal(other[0][1].mem, network[0][1].mem)  # it is its own
        other(x)
        assert torch.equal(other[0][1].mem, network[0][1].mem)


def test_a_reset_survives_layers_on_meta_and_those_that_could_not_be_made():
    away = nested(Neuron("fhn_excitable", init_hidden=True)).to("meta")
    away[0][1].mem = torch.ones(2, device="meta")
    with pytest.raises(BackendError):
        Neuron("fhn_excitable", steps=0)
    layer = Neuron("fhn_excitable", init_hidden=True)
    layer(torch.ones(1, 1))
    utils.reset(torch.nn.Sequential(layer))
    Neuron.detach_hidden()
    assert layer.mem.numel() == 0


def test_snntorchs_reset_finds_copied_layers():
    network, x = nested(Neuron("fhn_excitable", steps=50, init_hidden=True)), torch.ones(2, 3)
    network(x)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        utils.reset(other[0])
        assert other[0][1].mem.numel() == 0


def test_our_reset_finds_nested_layers_and_no_others():
    layers = [Neuron("fhn_excitable", init_hidden=True) for _ in range(2)]
    network = torch.nn.Sequential(nested(layers[0]), snntorch.Leaky(0.9, init_hidden=True))
    x = torch.ones(2, 3)
    network(x)
    layers[1](x)
    reset(network)
    assert layers[0].mem.numel() == 0 and layers[1].mem.numel() > 0
    assert not network[1].mem.any()


def test_the_hidden_state_goes_where_the_network_goes():
    network = nested(Neuron("fhn_excitable", init_hidden=True))
    network(torch.ones(2, 3))
    assert network.double()[0][1].mem.dtype == torch.float64
    assert network.to("meta")[0][1].mem.device.type == "meta"


def test_state_is_not_kept_in_the_state_dict_as_with_snntorchs_layers():
    layer = Neuron("fhn_excitable", init_hidden=True)
    before = set(layer.state_dict())
    layer(torch.ones(2, 3))
    assert set(layer.state_dict()) == before


# -------------------------------------------------------------- types, shapes and time


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_in_half_precision_the_state_stays_float32_and_spikes_have_the_inputs_type(kind):
    layer = Neuron("fhn_excitable", steps=600, init_hidden=True, output=True)
    x = torch.tensor([-0.5, 0.0])
    expected, mem = layer(x)
    layer.reset_mem()
    spk, found = layer.to(kind)(x.to(kind))
    assert spk.dtype == kind and found.dtype == torch.float32
    assert torch.equal(spk.float(), expected) and torch.equal(found, mem)  # -0.5 is exact in both


def test_under_autocast_the_state_stays_float32_as_that_of_leaky():
    layer = Neuron("fhn_excitable", steps=400, init_hidden=True, output=True)
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), layer)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        current = network[0](x)
        spk, mem = network(x)
        leaky = snntorch.Leaky(0.9)(current)[1]
    assert current.dtype == spk.dtype == torch.bfloat16
    assert mem.dtype == leaky.dtype == torch.float32
    layer.reset_mem()
    assert torch.equal(layer(current.float())[1], mem)


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8, torch.bool])
def test_whole_numbers_and_truth_values_are_currents_like_others(kind):
    layer = Neuron("fhn_excitable", steps=20)
    x = torch.tensor([0, 1])
    for found, expected in zip(layer(x.to(kind)), layer(x.float()), strict=True):
        assert found.dtype == torch.float32 and torch.equal(found, expected)


def test_complex_input_is_refused():
    with pytest.raises(BackendError, match="complex"):
        Neuron("fhn_excitable")(torch.ones(2, dtype=torch.complex64))


def test_a_state_broadcasts_to_the_input_or_is_refused():
    layer, x = Neuron("fhn_excitable"), torch.zeros(4, 1)
    one, all_of_it = torch.full((1, 1), 0.5), torch.full((4, 1), 0.5)
    for found, expected in zip(layer(x, one, one), layer(x, all_of_it, all_of_it), strict=True):
        assert torch.equal(found, expected)
    with pytest.raises(BackendError, match=r"'y' .* shape \(3, 1\), the input \(4, 1\)"):
        layer(x, torch.zeros(3, 1), torch.zeros(3, 1))
    with pytest.raises(BackendError, match="shape"):
        layer(x[:1], all_of_it, all_of_it)
    assert layer(torch.tensor(0.1))[-1].shape == ()


@pytest.mark.parametrize("integrator", ["euler", "rk2", "rk4", "heun"])
def test_the_time_goes_on_from_call_to_call(tmp_path, integrator):
    text = CLOCKED.format(integrator=integrator)
    if integrator == "heun":
        text = text.replace("[model]", "[model]\nnoise = 'stratonovich'")
    m = model(tmp_path, text)
    values, events = by_brian(m)
    inputs = 0.2 * torch.arange(3, dtype=torch.float64)
    layer = Neuron(m, init_hidden=True, output=True).double()
    calls = [layer(inputs) for _ in range(len(values["v"]))]
    found = torch.stack([mem for _, mem in calls])
    assert np.allclose(found[:-1], values["v"][1:], rtol=1e-12, atol=1e-12)
    assert sum(spk.sum() for spk, _ in calls) == len(events["spikes"][0]) > 10
    explicit, state = Neuron(m, steps=2).double(), ()
    for n in range(10):
        _, *state = explicit(inputs, *state, t=2 * n * m.dt)
    assert torch.allclose(state[-1], found[19], rtol=1e-12)
    with pytest.raises(BackendError, match="read t"):
        explicit(inputs, *state)


def test_the_time_begins_anew_with_the_state(tmp_path):
    layer = Neuron(model(tmp_path, CLOCKED.format(integrator="euler")), init_hidden=True)
    first = [layer(torch.zeros(3)) for _ in range(20)]
    layer.reset_mem()
    again = [layer(torch.zeros(3)) for _ in range(20)]
    assert torch.equal(torch.stack(first), torch.stack(again))
    other_batch = [layer(torch.zeros(2, 3)) for _ in range(20)]
    assert torch.equal(torch.stack(other_batch)[:, 0], torch.stack(first))


# ------------------------------------------------------------------------ gradients


def test_gradient_through_time_is_that_of_differences():
    layer = Neuron("fhn_excitable", steps=150)
    x = torch.tensor([-0.6, -0.2, 0.3], dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda x: layer(x)[-1], x, eps=1e-6, atol=1e-6)


def test_a_surrogate_carries_gradients_through_spikes():
    layer = Neuron("fhn_excitable", steps=600, spike_grad=surrogate.fast_sigmoid(5))
    x = torch.tensor([-0.5], requires_grad=True)
    spk, *_ = layer(x)
    assert spk.tolist() == [1.0]
    (slope,) = torch.autograd.grad(spk, x)
    assert slope.isfinite() and slope != 0


def test_parameters_learn():
    layer = Neuron("fhn_excitable", steps=20, learn=["a"]).double()
    assert [n for n, _ in layer.named_parameters()] == ["a"]
    _, _, mem = layer(torch.zeros(1, dtype=torch.float64))
    (slope,) = torch.autograd.grad(mem.sum(), layer.a)
    ends = [
        Neuron.load("fhn_excitable", {"a": a}, steps=20)(torch.zeros(1, dtype=torch.float64))[-1]
        for a in ("1.04999", "1.05001")
    ]
    assert float(slope) == pytest.approx(float(ends[1] - ends[0]) / 2e-5, rel=1e-4)


# --------------------------------------------------------------------------- noise


def test_noise_has_the_variance_of_its_process(tmp_path):
    text = LEAKY.format(integrator="euler-maruyama").replace(
        "(drive - v)/tau", "-v/tau + sqrt(2/tau)*xi"
    )
    m = model(tmp_path, text.replace("[model]", "[model]\nnoise = 'ito'"))
    system, generator = System(m), torch.Generator().manual_seed(1)
    state = system.initial((40_000,), torch.float64)
    for _ in range(200):
        state = system.step(state, generator)
    variance = float(state["v"].var())
    h = 0.05  # dt/tau; the scheme's own stationary variance is 1/(1 - h/2)
    expected = 1 / (1 - h / 2)
    error = expected * (2 / 40_000) ** 0.5
    assert abs(variance - expected) < 4 * error  # 4 standard errors: p = 6e-5


# ----------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "name, options, said",
    [
        ("noise_induced_memory", {}, "several populations"),
        ("noise_induced_memory", {"population": "neurn"}, "did you mean 'neuron'"),
        ("fhn_excitable", {"input": "J"}, "no 'J'"),
        ("fhn_excitable", {"mem": "z"}, "no 'z'"),
        ("fhn_excitable", {"learn": ["b"]}, "no parameter 'b'"),
        ("fhn_excitable", {"steps": 0}, "from 1 on"),
        ("noise_induced_memory", {"population": "neuron"}, "within a step by 'neighbours'"),
        ("tripartite_coba", {"population": "neurons"}, "neurons"),
    ],
)
def test_what_cannot_be_a_layer_is_refused_in_a_sentence(name, options, said):
    with pytest.raises(BackendError, match=said):
        Neuron(name, **options)


def test_a_parameter_named_like_an_attribute_cannot_learn(tmp_path):
    text = LEAKY.format(integrator="euler").replace("tau", "threshold")
    with pytest.raises(BackendError, match="rename it"):
        Neuron(model(tmp_path, text), learn=["threshold"])


def test_an_integrator_without_a_layer_is_refused(tmp_path):
    with pytest.raises(BackendError, match="set model"):
        Neuron(model(tmp_path, LEAKY.format(integrator="exact")))
    with pytest.raises(UserError, match="not linear in v, as 'exponential_euler' needs"):
        Neuron(model(tmp_path, LEAKY.format(integrator="exponential_euler")))


def test_the_layer_is_no_lif_to_snntorch():
    """snnTorch's NIR export would write a Leaky's equation for it otherwise."""
    assert not isinstance(Neuron("fhn_excitable"), (snntorch.Leaky, snntorch.Synaptic))
