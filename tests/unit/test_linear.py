"""Statements as linear combinations: the same values, in fewer operations."""

from __future__ import annotations

import numpy as np
import pytest

from neuroglia_snn.backends.fused.linear import Places, combine

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
    "several": [LAPLACIAN, "first = x + dt*L", "new = first - w*y/eps + w*w*x"],
}


def value_of(statements, numbers):
    names = dict(numbers)
    for statement in statements:
        name, text = statement.split(" = ", 1)
        names[name] = eval(
            text, {"clip": lambda x, a, b: min(max(x, a), b), "sqrt": np.sqrt}, names
        )
    return names["new"]


@pytest.mark.parametrize("lines", CASES.values(), ids=CASES)
@pytest.mark.parametrize("tabulated", [False, True])
def test_values_stay_the_same(lines, tabulated):
    random = np.random.default_rng(1)
    tables = {}

    def table(text):
        return tables.setdefault(text, f"table_{len(tables)}")

    constants = {"D", "k", "eps", "dt", "F"}
    places = Places({"w"}, constants, table) if tabulated else Places()
    combined = combine(lines, PER_UNIT | {"first"}, {"L"}, places)
    for _ in range(20):
        numbers = {n: random.uniform(0.2, 2) for n in (*PER_UNIT - {"L"}, *constants, "t")}
        filled = {name: eval(text, {}, numbers) for text, name in tables.items()}
        expected = value_of(lines, numbers)
        assert value_of(combined, numbers | filled) == pytest.approx(expected, rel=1e-12)


def test_a_place_is_part_of_the_factors():
    tables = []

    def table(text):
        tables.append(text)
        return f"table_{len(tables)}"

    places = Places({"w"}, {"dt", "D", "k", "eps"}, table)
    lines = [LAPLACIAN, "new = x + dt*(D*L - x/eps) + sqrt(dt)*k*x*z"]
    step, new = combine(lines, PER_UNIT, {"L"}, places)
    assert new == "new = x + neuroglia_step_of_new"
    assert step.split(" = ")[1] == ("(table_1 + (k*sqrt(dt))*(z))*(x) + (table_2)*(a + b + c + d)")
    assert tables == ["-4*D*dt*w - dt/eps", "D*dt*w"]


def test_what_changes_with_time_stays_out_of_tables():
    def table(text):
        raise AssertionError(text)

    places = Places({"w"}, {"dt", "D"}, table)
    step, _ = combine([LAPLACIAN, "new = x + dt*f(t)*L"], PER_UNIT, {"L"}, places)
    assert "(dt*f(t))*(w*(" in step
