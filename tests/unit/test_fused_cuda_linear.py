"""Statements as linear combinations: the same values, in fewer operations."""

from __future__ import annotations

import numpy as np
import pytest

from neuroglia_snn import algebra
from neuroglia_snn.backends.fused_cuda import kernel
from neuroglia_snn.backends.fused_cuda.linear import combine

LAPLACIAN = "L = w*((a + b + c + d) + (-4*x))"
PER_UNIT = {"x", "y", "z", "a", "b", "c", "d", "w", "u", "L"}
CASES = {
    "linear": ["new = x + dt*k*((F - x - y)/eps + 0.1*y)"],
    "stencil": [LAPLACIAN, "new = x + dt*(k*(D*L + y + (-x - y)/eps))"],
    "of its own coefficient": [LAPLACIAN, "new = x + dt*D*(L - x)"],
    "with noise": [LAPLACIAN, "new = x + dt*D*L + sqrt(dt)*k*x*z"],
    "clipped": ["new = x + dt*k*clip(x + 1/2, 0, 1/eps)"],
    "clipped between units": ["new = x + dt*k*clip(x + 1/2, y, 1/eps)"],
    "clipped constant": ["new = x + dt*k*clip(1/2, 0, 1/eps)*y"],
    "at a time": [LAPLACIAN, "new = x + dt*D*t*(L + y)"],
    "since a time": ["new = x + dt*(t - u)*k"],
    "a place and a time": [LAPLACIAN, "new = x + dt*(D*L - t*x)"],
    "a time within a place": ["L = w*(t*y + z)", "new = x + dt*D*L"],
    "cancelled": ["new = x + dt*(k*(u - x) - k*u + y)"],
    "nothing left": ["new = x + dt*k*(x - y) + dt*k*(y - x)"],
    "squares": ["new = x + dt*k*(x*y - x**2 + x)"],
    "nothing plain": ["new = dt*k*(x - y)"],
    "a function of time": [
        LAPLACIAN,
        "new = 0.5*(x + y + dt*(k*(L + f(t)*y) + clip(x + 1/2, 0, 1/D)))",
    ],
    "powers": ["L = dt**0.5*z", "new = y + L*(sqrt(k*D)*y) + dt*(-x**3/3 + x*y*exp(-k*x) + D)"],
    "itself": ["new = x - x"],
    "constant": ["new = k*D"],
    "a product": ["new = (x + k)*(y + D)"],
    "several": [LAPLACIAN, "first = x + dt*L", "new = first - w*y/eps + w*w*x"],
}


FUNCTIONS = {"clip": np.clip, "f": lambda t: 0.5 * t, "exp": np.exp, "sqrt": np.sqrt}


def value_of(statements, numbers):
    names = dict(numbers)
    for statement in statements:
        name, text = statement.split(" = ", 1)
        names[name] = eval(text, FUNCTIONS, names)
    return names["new"]


@pytest.mark.parametrize("lines", CASES.values(), ids=CASES)
def test_values_stay_the_same(lines):
    random = np.random.default_rng(1)
    constants = {"D", "k", "eps", "dt", "F"}
    combined = combine(lines, PER_UNIT | {"first"}, {"L"})
    for _ in range(20):
        numbers = {n: random.uniform(0.2, 2) for n in (*PER_UNIT - {"L"}, *constants, "t")}
        expected = value_of(lines, numbers)
        assert value_of(combined, numbers) == pytest.approx(expected, rel=1e-12)


def test_equals_cancel_beside_a_slow_leak():
    """What one factor multiplies is summed first, what counts once before the rest: 0 after rounding."""
    lines = ["L = w*((a + b + c + d) + (-4*U))", "new = U + dt*(D*L - U/eps)"]
    step, _ = combine(lines, {*"abcdUw"}, {"L"})
    state = np.linspace(0.1, 1, 1001, dtype=np.float32)
    numbers = dict.fromkeys("Uabcd", state) | {"dt": np.float32(0.1), "D": np.float32(1.7)}
    value = eval(step.split(" = ")[1], {}, numbers | {"w": np.float32(0.1), "eps": np.float32(1e9)})
    np.testing.assert_allclose(value, -0.1 * state.astype(float) / 1e9, rtol=1e-5)


@pytest.mark.parametrize("text", ["k*(u - x) + k*(x - u)", "x - u + (u - x)", "u*k - k*u"])
def test_what_cancels_leaves_nothing(text):
    (line,) = combine([f"new = {text}"], PER_UNIT, set())
    assert line == "new = 0"


def test_shared_numbers_become_one_factor():
    lines = ["L = w*(a - 4*x)", "new = x + dt*((k - x)/eps + D*L)"]
    assert combine(lines, PER_UNIT, {"L"}) == [
        "neuroglia_step_of_new = dt*k/eps + (-dt/eps)*(x) + (D*dt)*(w*(a - 4*x))",
        "new = x + neuroglia_step_of_new",
    ]


def test_equal_neighbours_of_an_unweighted_coupling_cancel():
    lines = ["L = a + b - 2*x", "new = x + dt*(-x/eps + D*L)"]
    (line, _) = combine(lines, PER_UNIT, {"L"})
    assert "(D*dt)*(a + b - 2*x)" in line


def test_a_difference_of_times_stays():
    lines = combine(["new = x + dt*((t - y)/eps - x)"], PER_UNIT, set())
    assert "(dt/eps)*(t - y)" in lines[0]


#: What sympy finds to be no number, cannot compare, or writes as a name of its own.
STRANGE = [
    "log(x - x)",
    "1/(x - x)",
    "(x - x)**-1*D",
    "(x*0)/(x*0)",
    "int(1/(x - x) > 0)",
    "sqrt(-x**2)",
    "log(-abs(x))",
    "(-2)**0.5*x",
    "e*x",
    "inf*x",
    "(1e200*x)**2",
    "1e-200*1e-200*x",
    "log(D - D)*x",
    "arctan(1/(D - D))*x",
]


@pytest.mark.parametrize("text", STRANGE)
def test_what_sympy_does_not_know_stays_as_it_is_written(text):
    for lines in ([f"new = {text}"], [LAPLACIAN, f"new = x + dt*(D*L + {text})"]):
        made = combine(lines, PER_UNIT, {"L"})
        given = {"neuroglia_step_of_new"}.union(*(algebra.names(x.split(" = ")[1]) for x in lines))
        assert not set().union(*(algebra.names(x.split(" = ")[1]) for x in made)) - given
    coupling = f"({text.replace('x', 'x_pre')})/N_incoming"
    weight, rest = kernel._split_weight(coupling, {"D"})
    assert algebra.names(f"{weight} + {rest}") <= algebra.names(coupling) | {"None"}
    total = kernel._summed(rest, {"x": ["a", "b"]}, {"x"})
    assert total is None or "zoo" not in total


def test_functions_of_units_are_not_simplified():
    """Where log(x) has no value, exp(log(x)) has none."""
    (line,) = combine(["new = exp(log(x)) + x/(x*y) + sqrt(x)*sqrt(x)"], PER_UNIT, set())
    for piece in ("exp(log(x))", "x / (x * y)", "sqrt(x)"):
        assert piece in line
