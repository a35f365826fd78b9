"""Steps and expressions give the right number, and the same one, on every backend that runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import backends, checks, noise
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.lanes import places

#: A small input of each kind that once went wrong, one population each.
MODEL = """
[model]
title = "Steps"
integrator = "exponential_euler"
dt = "0.1 ms"
duration = "300 ms"
[parameters]
tau = "10 ms"
half = "0.5"
dx = "0.1"
[population.vanishing]
size = 1
equations = '''
dv/dt = (1 - g*v)/tau : 1
dg/dt = -g/(5*ms) : 1
'''
initial = { g = "0.001" }
[population.without]
size = 2
equations = '''
dv/dt = (1 - g*v)/tau : 1
dg/dt = 0/ms : 1
'''
initial = { g = "i" }
[population.wide]
size = 100000
integrator = "euler"
equations = '''
dv/dt = index*index/(300*ms) : 1
du/dt = i*i/(300*ms)*(index + 1)**-1*(index + 1) : 1
q : 1
w : 1
third : 1
index = i : 1
k : integer
of_zero : integer
squared : 1
'''
initial = { q = "i*30000", w = "i**2", third = "i/3", k = "i", squared = "k*k", of_zero = "(i + 7) % int(i < 5) + (i + 7)//int(i < 5)" }
[population.exact]
size = 1
integrator = "exact"
equations = '''
dv/dt = (g - v)/tau : 1
dg/dt = -g/(5*ms) : 1
'''
initial = { g = "1" }
[population.pieces]
size = 5
integrator = "rk2"
equations = '''
dx/dt = (-x + tanh(rest + whole/100 + crossed + 0*up))/(100*ms) : 1
dy/dt = int(floor(y - int(x > 9)) < (5*x - int(y < x))*(3 - int(x < y)))/(300*ms) : 1
rest = (x + 2) % 0.1 : 1
whole = (x - 2) // 0.1 : 1
crossed = clip(x, low, high) + clip(0, 0, half) : 1
up = sign(arccos(x + 2)) : 1
low : 1
high : 1
'''
threshold = "x > 5"
reset = "x = log(half)"
initial = { x = "0.1*i/N", low = "0.7", high = "0.2", y = "1" }
[record.pieces]
population = "pieces"
variables = ["rest", "whole", "crossed", "up"]
every = "10 ms"
"""


def run(text: str, backend: str, folder: Path, seed: int = 0) -> Outcome:
    path = folder / "m.toml"
    path.write_text(text, encoding="utf-8")
    model, _ = checks.load_checked(str(path))
    return backends.get(backend).run(Request(model, seed=seed))


@pytest.fixture(
    scope="module", params=["numpy", pytest.param("cpp", marks=pytest.mark.thorough), "fused"]
)
def outcome(request, tmp_path_factory) -> Outcome:
    return run(MODEL, request.param, tmp_path_factory.mktemp("steps"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Outcome:
    return run(MODEL, "numpy", tmp_path_factory.mktemp("steps"))


def test_exponential_euler_goes_on_where_the_rate_decays_to_nothing(outcome):
    """v' = (1 - g v)/tau with a g that vanishes: 29.99975 at 300 ms by the fourth-order scheme."""
    assert outcome.final["vanishing"]["v"][0] == pytest.approx(29.99975, abs=1e-5)


def test_exponential_euler_takes_a_rate_of_nothing(outcome):
    v = outcome.final["without"]["v"]
    np.testing.assert_allclose(v, [30, 1 - np.exp(-30)], rtol=1e-12)


def test_exact_is_exact_where_time_constants_differ(outcome):
    expected = np.exp(-300 / 10) - np.exp(-300 / 5)
    assert outcome.final["exact"]["v"][0] == pytest.approx(expected, rel=1e-9)


def test_whole_numbers_do_not_wrap(outcome):
    final, i = outcome.final["wide"], np.arange(100000.0)
    np.testing.assert_allclose(final["v"], i**2, rtol=1e-12)
    np.testing.assert_allclose(final["u"], i**2, rtol=1e-12)
    np.testing.assert_array_equal(final["q"], i * 30000)
    np.testing.assert_array_equal(final["w"], i**2)
    np.testing.assert_array_equal(final["squared"], i**2)
    np.testing.assert_allclose(final["third"], i / 3, rtol=1e-15)
    np.testing.assert_array_equal(final["of_zero"], np.where(i < 5, i + 7, 0))


def test_operations_have_one_meaning(outcome, reference):
    """Remainders, whole quotients, crossed bounds, signs of what is no number."""
    ours, brians = outcome.records["pieces"].values, reference.records["pieces"].values
    x = 0.1 * np.arange(5) / 5
    np.testing.assert_allclose(brians["rest"][0], np.mod(x + 2, 0.1), atol=1e-15)
    np.testing.assert_array_equal(brians["whole"][0], np.floor_divide(x - 2, 0.1))
    np.testing.assert_array_equal(brians["crossed"], 0.2)
    np.testing.assert_array_equal(brians["up"], 0)
    for name, values in brians.items():
        np.testing.assert_allclose(ours[name], values, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(
        outcome.final["pieces"]["y"], reference.final["pieces"]["y"], rtol=1e-12
    )


#: What Brian2 simplifies, has sympy simplify, or works out in Python's numbers, which fail where others go on.
WRITTEN = """
[model]
title = "Written"
integrator = "euler"
dt = "0.1 ms"
duration = "0.5 ms"
[parameters]
half = "0.5"
zero = "0"
[population.p]
size = 4
equations = '''
dx/dt = (infinite + 0*by_truth + 0*nothing*b - x)/ms : 1
dy/dt = (1/s + tanh((x + 2)/int(b)))/(0.5*ms) : 1
s = half - 0.25 : 1
infinite = tanh(1/(low - 0.5)) + tanh(1.5/(count - 4)) : 1
low = 0.5 : 1
count = N : 1
by_truth = int(sign(i/N) <= half//half) : 1
lost = int(0*log(-1 - x*x) < 1) + int((s - 0.25)/(s - 0.25) > 0) : 1
large = floor(1e10 + x) + ceil(1 + zero)**-1 : 1
nothing : 1
b : boolean
k : integer
z : 1
q : 1
'''
threshold = "x > -1"
reset = '''
c = 0.5
n = 3
z = tanh(int(3 >= t/ms) - (i + N))
q = tanh(1/(c - 0.5)) + tanh(1.5/(n - 3)) + (n - 4)**2
k = k + 2
'''
initial = { z = "tanh(int(3 >= zero) - (i + N))" }
[record.p]
population = "p"
variables = ["lost", "large", "by_truth"]
"""


@pytest.mark.parametrize(
    "backend", ["numpy", pytest.param("cpp", marks=pytest.mark.thorough), "fused"]
)
def test_expressions_are_worked_out_as_written(backend, tmp_path):
    outcome = run(WRITTEN, backend, tmp_path)
    final, recorded, i = outcome.final["p"], outcome.records["p"].values, np.arange(4)
    np.testing.assert_allclose(final["x"], 2 * (1 - 0.9**5), rtol=1e-12)
    np.testing.assert_allclose(final["y"], 5 * 0.2 * (4 + 1), rtol=1e-12)
    np.testing.assert_allclose(final["z"], np.tanh(1 - (i + 4)), rtol=1e-12)
    np.testing.assert_array_equal(final["q"], 3)
    np.testing.assert_array_equal(final["k"], 10)
    np.testing.assert_array_equal(recorded["lost"], 0)
    np.testing.assert_array_equal(recorded["by_truth"], 1)
    np.testing.assert_array_equal(recorded["large"][0], 1e10 + 1)


NOISES = """
[model]
title = "Noises"
noise = "ito"
integrator = "euler-maruyama"
dt = "0.1 ms"
duration = "0.2 ms"
[population.a]
size = 300
equations = '''
dx/dt = xi_x/ms**0.5 : 1
dy/dt = (2*xi_x - xi_y)/ms**0.5 : 1
'''
[population.b]
size = 300
equations = '''
dx/dt = xi/ms**0.5 : 1
dy/dt = xi/ms**0.5*2 : 1
'''
[population.c]
size = 300
equations = "dx/dt = xi/ms**0.5 : 1"
"""


@pytest.mark.parametrize("backend", ["numpy", pytest.param("cpp", marks=pytest.mark.thorough)])
def test_each_name_is_one_noise(tmp_path, backend):
    final = run(NOISES, backend, tmp_path, seed=3).final

    def path(stream: str) -> np.ndarray:
        numbers = [noise.gaussian(3, noise.stream_of(stream), places((300,)), n) for n in (0, 1)]
        return np.sqrt(0.1) * np.sum(numbers, axis=0)

    one, two, plain = path("a.xi_x"), path("a.xi_y"), path("b")
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.2
    np.testing.assert_allclose(final["a"]["x"], one, atol=1e-12)
    np.testing.assert_allclose(final["a"]["y"], 2 * one - two, atol=1e-12)
    np.testing.assert_allclose(final["b"]["x"], plain, atol=1e-12)
    np.testing.assert_allclose(final["b"]["y"], 2 * plain, atol=1e-12)
    np.testing.assert_allclose(final["c"]["x"], path("c"), atol=1e-12)


PARAMETERS = """
[model]
title = "Parameters with the names of left-hand sides"
integrator = "euler"
dt = "0.1 ms"
duration = "50 ms"
[parameters]
tau = "20 ms"
dx = "0.1"
[population.source]
size = 20
equations = "du/dt = 1/(10*ms) : 1"
threshold = "u > 0.995"
reset = "u = 0"
[population.target]
size = 1
equations = "v : 1"
[projection.s]
from = "source"
to = "target"
connect = { rule = "all" }
equations = "dx/dt = -x/tau : 1 (event-driven)"
on_pre = '''
x += dx
v_post += x
'''
"""


def test_a_parameter_may_have_the_name_of_a_left_hand_side(tmp_path):
    """Every source fires each 10 ms: the n-th of its spikes finds what n - 1 have left."""
    v = run(PARAMETERS, "numpy", tmp_path).final["target"]["v"][0]
    renamed = PARAMETERS.replace("dx =", "step =").replace("+= dx", "+= step")
    other = run(renamed, "numpy", tmp_path).final["target"]["v"][0]
    decay = np.exp(-10 / 20)
    expected = 20 * 0.1 * sum((5 - n) * decay**n for n in range(5))
    assert v == other == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "fused"])
def test_many_statements_on_clocks_run_in_the_order_of_the_file(tmp_path, backend):
    entries = ", ".join(f'{{ code = "x = (3*x + {n}) % 1009", dt = "0.1 ms" }}' for n in range(13))
    file = tmp_path / "m.toml"
    file.write_text(f"""
[model]
dt = "0.1 ms"
duration = "0.2 ms"
[population.a]
size = 2
equations = "x : 1"
initial = {{ x = "i" }}
regularly = [{entries}]
""")
    model, _ = checks.load_checked(str(file))
    x = np.arange(2.0)
    for n in (*range(13), *range(13)):
        x = (3 * x + n) % 1009
    np.testing.assert_array_equal(backends.get(backend).run(Request(model)).final["a"]["x"], x)
