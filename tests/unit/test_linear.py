"""Statements as linear combinations: the same values, and shared numbers worked out apart."""

import numpy as np
import pytest

from neuroglia_snn.backends.fused.linear import combine

NAMES = {"U": 0.3, "V": -1.2, "w": 0.25, "n": 4.1, "a": 0.7, "b": 2.0, "dt": 2e-3, "eps": 0.01}
FUNCTIONS = {"clip": np.clip, "gate": lambda t: 0.5 * t, "exp": np.exp, "sqrt": np.sqrt, "t": 3.0}
PER_UNIT = {"U", "V", "w", "n"}


def value(statements, name):
    names = NAMES | FUNCTIONS
    for statement in statements:
        target, text = statement.split(" = ", 1)
        names[target] = eval(text, {}, names)
    return names[name]


@pytest.mark.parametrize(
    "statements",
    [
        ["L = w*(n - 4*U)", "x = U + dt*((b - U - V)/eps + a*L)"],
        ["L = w*(n - 4*U)", "x = 0.5*(U + V + dt*(a*(L + gate(t)*V) + clip(U + 1/2, 0, 1/b)))"],
        ["L = dt**0.5*n", "x = V + L*(sqrt(a*b)*V) + dt*(-U**3/3 + U*V*exp(-a*U) + b)"],
        ["x = U - U"],
        ["x = a*b"],
        ["x = (U + a)*(V + b)"],
    ],
)
def test_values_stay(statements):
    """Products of what differs between units are not expanded, all else may be."""
    result = combine(statements, PER_UNIT, {"L"})
    assert value(result, "x") == pytest.approx(value(statements, "x"), rel=1e-12, abs=1e-12)


def test_shared_numbers_become_one_factor():
    lines = combine(["L = w*(n - 4*U)", "x = U + dt*((b - U)/eps + a*L)"], PER_UNIT, {"L"})
    assert lines == [
        "neuroglia_step_of_x = b*dt/eps + (-dt/eps)*(U) + (a*dt)*(w*(-4*U + n))",
        "x = U + neuroglia_step_of_x",
    ]


def test_equal_neighbours_of_an_unweighted_coupling_cancel():
    (line, _) = combine(["L = n + V - 2*U", "x = U + dt*(-U/eps + a*L)"], PER_UNIT, {"L"})
    assert "(a*dt)*(-2*U + V + n)" in line


def test_a_difference_of_times_stays():
    lines = combine(["x = U + dt*((t - V)/eps - U)"], PER_UNIT, set())
    assert "(dt/eps)*(-V + t)" in lines[0]
