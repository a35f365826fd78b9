"""Lowering: expressions keep their value, and what has no operation is named."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroglia_snn import backends, expressions, lowering
from neuroglia_snn.backends.base import Request
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import BackendError
from neuroglia_snn.lowering.arithmetic import Builder
from neuroglia_snn.lowering.execute import Floats, evaluate, in_floats
from neuroglia_snn.lowering.messages import with_messages
from neuroglia_snn.lowering.operations import FUNCTIONS, Block, Function, Linear, Product
from neuroglia_snn.native import build, generate
from neuroglia_snn.native.run import native

CONSTANTS = {"p": 0.7, "q": -1.3}
VALUES = {"x": np.array([0.3, 1.1]), "y": np.array([-0.4, 2.0]), "z": np.array([0.9, 0.2])}


def lowered(text: str, definitions=None) -> tuple[np.ndarray, Builder]:
    """Value of an expression through its operations."""
    builder = Builder(CONSTANTS, definitions or {}, {n: n for n in VALUES})
    builder.value(builder.sum(text), "result")
    values = evaluate(Block(tuple(builder.operations)), dict(VALUES), Floats.__new__(Floats))
    return np.broadcast_to(values["result"], 2), builder


atoms = st.sampled_from(["x", "y", "z", "p", "q", "2.5", "0.1"])


def combined(inner):
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(pair, st.sampled_from("+-*")).map(lambda a: f"({a[0][0]} {a[1]} {a[0][1]})"),
        inner.map(lambda a: f"({a})/(3 + ({a})**2)"),
        inner.map(lambda a: f"clip({a}, -0.5, 0.8)"),
        inner.map(lambda a: f"tanh({a})"),
        inner.map(lambda a: f"({a})**3"),
        pair.map(lambda a: f"int({a[0]} > {a[1]})"),
        pair.map(lambda a: f"int({a[0]} > 0.2 and not {a[1]} <= 1)"),
        pair.map(lambda a: f"int({a[0]} > 0.2 or {a[1]} < 0)"),
        pair.map(lambda a: f"({a[0]})/(2 + tanh({a[1]}))"),
    )


@settings(max_examples=120, deadline=None)
@given(st.recursive(atoms, combined, max_leaves=5))
def test_an_expression_keeps_its_value(text):
    found, _ = lowered(text)
    for n in range(2):
        scope = {**CONSTANTS, **{name: v[n] for name, v in VALUES.items()}}
        assert found[n] == pytest.approx(expressions.evaluate(text, scope), rel=1e-9, abs=1e-9)


def test_a_negative_constant_keeps_its_sign_under_a_power():
    found, _ = lowered("x/(3 + q**2 + x**2)")
    np.testing.assert_allclose(found, VALUES["x"] / (3 + 1.3**2 + VALUES["x"] ** 2))


def test_constants_fold_and_sums_are_collected():
    _, builder = lowered("p*(x - y)/0.5 + 2*(y + 1)*p")
    assert [type(o) for o in builder.operations] == [Linear]
    (made,) = builder.operations
    assert dict(made.sum.terms) == {"x": pytest.approx(1.4)}  # y cancels
    assert made.sum.constant == pytest.approx(1.4)


def test_a_function_of_one_variable_is_one_operation_and_shared():
    _, builder = lowered("f*y + f", {"f": "(x/(x + p))**3"})
    kinds = [type(o) for o in builder.operations]
    assert kinds.count(Function) == 1
    assert kinds == [Function, Product, Linear]


def test_a_time_constant_that_is_a_reciprocal_needs_no_division():
    """(H - h)/tau with tau = 1/(a (Q + c)): a product."""
    _, builder = lowered("(x - y)/tau", {"tau": "1/(0.5*(y + z))"})
    assert sum(isinstance(o, Function) for o in builder.operations) <= 1
    found, _ = lowered("(x - y)/tau", {"tau": "1/(0.5*(y + z))"})
    expected = (VALUES["x"] - VALUES["y"]) * 0.5 * (VALUES["y"] + VALUES["z"])
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x**y", "several variables"),
        ("clip(x, y, 1)", "not constant"),
        ("x % y", "no operation"),
        ("rand()*x", "no operation"),
        ("sign(x)*y", "no operation"),
        ("x/0", "divides by 0"),
        ("unknown*x", "'unknown' cannot be read"),
    ],
)
def test_what_has_no_operation_is_named(text, said):
    with pytest.raises(BackendError, match=said.replace("(", r"\(")):
        lowered(text)


WHOLE = """
[model]
integrator = "heun"
dt = "0.1 ms"
duration = "10 ms"
[parameters]
thr = "0.4"
[population.a]
size = 7
equations = '''
dT/dt = (n - T)/(5*ms) : 1
dn/dt = (size*word - n)/(3*ms) : 1
dv/dt = (-50*mV - v)/(5*ms) : volt
size : 1
word : 1
count : 1
beyond : 1
value_0 : 1
value_1 : 1
term : 1
last : second
'''
threshold = "n > thr"
reset = '''
since = t - last
step = 0.5*n*value_0*value_1
last = t
n -= 0.2 + step
count += int(since > 0.25*ms) + term
beyond = count*step
'''
[population.a.initial]
size = "1 + 0.3*i"
word = "1.5"
v = "-70 mV"
value_0 = "0.5"
value_1 = "0.1*i"
term = "2"
[population.b]
size = 7
equations = "x : 1"
[projection.f]
from = "a"
to = "b"
connect = { rule = "one-to-one" }
equations = "x_post = 2*term_pre + T_pre : 1 (summed)"
[record.a]
population = "a"
variables = ["n"]
"""


@pytest.fixture
def whole(tmp_path):
    """A model with local variables, an initial value with a unit and names like those of the loops."""
    path = tmp_path / "m.toml"
    path.write_text(WHOLE.replace('"heun"', '"heun"\nnoise = "stratonovich"'), encoding="utf-8")
    return load(str(path))


@pytest.mark.parametrize("generated", [False, True])
def test_a_whole_model_has_brian2s_numbers(whole, generated):
    if generated and build.missing():
        pytest.skip(str(build.missing()))
    program = lowering.lower(whole, {})
    run = native(program, 0, False) if generated else in_floats(program, 0)
    while run.step < program.steps:
        run.advance()
    final = backends.get("numpy").run(Request(whole)).final
    assert final["a"]["count"].max() > 4
    for population, variables in final.items():
        for name, expected in variables.items():
            found = run.populations[population].arrays[name]
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("name", sorted(FUNCTIONS - {"clip"}))
def test_every_function_has_a_value_in_numpy_and_in_c(name):
    assert name in expressions.NUMERIC and name in generate.FUNCTIONS


MODEL = """
[model]
noise = "stratonovich"
integrator = "heun"
dt = "0.1 ms"
duration = "2 ms"
[parameters]
tau = "2 ms"
[population.a]
shape = [3, 4]
equations = '''
dx/dt = (-x + L)/tau + 0.1*x*xi/sqrt(tau) : 1
L : 1
'''
threshold = "x > 0.5"
reset = "x = 0"
initial = { x = "0.3 + 0.02*i" }
[projection.near]
from = "a"
to = "a"
connect = { rule = "lattice", neighbours = 4 }
equations = "L_post = x_pre - x_post : 1 (summed)"
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('integrator = "heun"\ndt', 'integrator = "rk4"\ndt', "'rk4' has no lowering"),
        ("0.3 + 0.02*i", "rand()", "draws random numbers"),
        (
            'reset = "x = 0"',
            'reset = "x = 0"\nregularly = [{ code = "x = 0", dt = "1 ms" }]',
            "regular",
        ),
        ("neighbours = 4", "neighbours = 8", "8 neighbours"),
        ("x_pre - x_post :", "tanh(x_pre - x_post) :", "not linear"),
        ('reset = "x = 0"', 'reset = "x = 0"\nrefractory = "1 ms"', "refractory"),
    ],
)
def test_models_without_a_lowering_say_which_equation(tmp_path, old, new, said):
    text = MODEL.replace(old, new)
    if "rk4" in new:
        text = text.replace(" + 0.1*x*xi/sqrt(tau)", "").replace('noise = "stratonovich"\n', "")
        text = text.replace("neighbours = 4", "neighbours = 4")
    assert text != MODEL
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    assert said in lowering.reason(load(str(path)))


def test_messages_arrive_one_step_late_and_keep_the_laplacian(tmp_path):
    path = tmp_path / "m.toml"
    path.write_text(MODEL, encoding="utf-8")
    program = with_messages(lowering.lower(load(str(path)), {}))
    run = in_floats(program, 0, buffered=True)
    x = run.populations["a"].arrays["x"].copy()
    run.advance()
    assert not run.populations["a"].arrays["L"].any()
    run.advance()
    lattice = x.reshape(3, 4)
    inner = sum(
        lattice[1 + r, 1 + c] - lattice[1, 1] for r, c in ((-1, 0), (1, 0), (0, -1), (0, 1))
    )
    assert run.populations["a"].arrays["L"].reshape(3, 4)[1, 1] == pytest.approx(inner)
    corner = lattice[0, 1] + lattice[1, 0] - 2 * lattice[0, 0]
    assert run.populations["a"].arrays["L"][0] == pytest.approx(corner)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[8, 8]", "[10000, 10000]", "has 100000000 units, and up to 4000000 are lowered"),
        ("(v_pre - v_post)", "(v_pre - v_post)*log(v_pre - v_pre)", "not linear in one variable"),
        ("(v_pre - v_post)", "(v_pre - v_post)/log(N_incoming - N_incoming)", "not linear in one"),
    ],
)
def test_what_cannot_be_lowered_is_said_at_once(tmp_path, old, new, said):
    text = '''
[model]
integrator = "heun"
dt = "0.1 ms"
duration = "1 ms"
[population.a]
shape = [8, 8]
equations = """
dv/dt = (L - v)/ms : 1
L : 1
"""
initial = { v = "i/N" }
[projection.p]
from = "a"
to = "a"
connect = { rule = "lattice" }
equations = "L_post = (v_pre - v_post) : 1 (summed)"
'''
    path = tmp_path / "m.toml"
    path.write_text(text)
    assert lowering.reason(load(str(path))) is None
    path.write_text(text.replace(old, new))
    began = time.monotonic()
    assert said in str(lowering.reason(load(str(path))))
    assert time.monotonic() - began < 10
