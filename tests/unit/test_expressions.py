"""Expressions: what passes, their units, their values."""

from __future__ import annotations

import contextlib
import math
import time
import warnings

import numpy as np
import pytest
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.variables import Variable
from brian2.units.allunits import second, volt
from hypothesis import given
from hypothesis import strategies as st

from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language.expressions import ExpressionError
from neuroglia_snn.language.quantities import UNITS

SYMBOLS = {
    **DEFAULT_FUNCTIONS,
    "v": Variable("v", dimensions=volt.dim),
    "tau": Variable("tau", dimensions=second.dim),
    "x": Variable("x"),
    "mV": Variable("mV", dimensions=UNITS["mV"].dim),
}

FORBIDDEN = [
    "__import__('os').system('true')", "().__class__.__bases__", "x.real", "lambda: 1", "f'{x}'",
    "f'{1}' + 1", "[x for x in (1, 2)]", "x[0]", "(x, y)", "{1: 2}", "'text'", "b'x'", "1j", "...",
    "None", "x if y else z", "(x := 1)", "x @ y", "x | y", "~x", "x is y", "x in y", "f(a=1)",
    "f(*a)", "exp(x)(y)", "await x", "yield", "*x", "1; system(\"true\")", "x = 1", "x ==", "", "#",
    "import os", "x\0", "exec", "x y", "$x",
]  # fmt: skip


@pytest.mark.parametrize("text", [t for t in FORBIDDEN if t != "exec"])
def test_nothing_but_arithmetic_passes(text):
    with pytest.raises(ExpressionError) as error:
        expressions.parse(text)
    assert "\n" not in str(error.value)


def test_every_function_works_on_arrays_as_on_numbers():
    points = np.array([-0.9, -1e-12, 0.0, 1e-12, 0.3, 0.9])
    for name, function in expressions.NUMERIC.items():
        if name in (*expressions.RANDOM, "clip", "timestep"):
            continue
        with np.errstate(all="ignore"):
            found = np.asarray(function(points))
            expected = [function(np.float64(x)) for x in points]
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_exprel_has_its_limit_at_0():
    for x in (0.0, 1e-300, -1e-9):
        assert expressions.evaluate(f"exprel({x})", {}) == pytest.approx(1.0, abs=1e-8)
    assert expressions.evaluate("exprel(1)", {}) == pytest.approx(math.e - 1)


@given(st.text(max_size=40) | st.text("xy01.+-*/()<>=!&|~%'\"#;, \\[]{}", max_size=25))
def test_no_text_does_more_than_raise(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(ExpressionError, TypeError):  # TypeError: a number is called, x(1)
            names = algebra.names(expressions.canonical(text))
            expressions.evaluate(text, dict.fromkeys(names, 1.0))


@pytest.mark.parametrize(
    "text", ["9**9**9**9", "10**10**10", "(((10**100)**100)**100)", "x**1000", "2**-(9**9**9)"]
)
def test_huge_powers_are_refused_at_once(text):
    start = time.perf_counter()
    with pytest.raises(ExpressionError, match="too large"):
        expressions.parse(text)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "text", ["+".join("x" * 300), "(" * 150 + "x" + ")" * 150, "-" * 150 + "x"]
)
def test_nesting_has_a_limit(text):
    if text.startswith("("):  # brackets alone are no depth, up to what Python reads
        expressions.parse(text)
    else:
        with pytest.raises(ExpressionError, match="nested too deeply"):
            expressions.parse(text)


@pytest.mark.parametrize("text", ["(x > 1)*2", "1 + (x > 1 and x < 2)", "x*(not x)"])
def test_a_truth_value_is_no_number(text):
    with pytest.raises(ExpressionError, match=r"write int\("):
        expressions.parse(text)


def test_names_and_functions():
    assert algebra.names("sqrt(sigma2/ms)*V*xi") == {"sqrt", "sigma2", "ms", "V", "xi"}


def test_statements():
    code = "a = 1; b += (c +\n d)  # note\n\nx -= 2*y\ny %= a + b\n"
    assert list(expressions.statements(code)) == [
        ("a", "=", "1"), ("b", "+=", "c + d"), ("x", "-=", "2*y"), ("y", "=", "y%(a + b)")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "code", ["v == 0", "system(1)", "1 = x", "x =", "x = (1", "x.y = 1", "a, b = 1"]
)
def test_what_is_no_statement(code):
    with pytest.raises(ExpressionError) as error:
        list(expressions.statements(code))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("v/tau", volt.dim / second.dim), ("exp(v/mV)*v", volt.dim), ("sqrt(v**2)", volt.dim)],
)
def test_units_of_an_expression(text, unit):
    assert expressions.dimensions_of(text, SYMBOLS) is unit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("v + tau", "'v' is in 'volt' but 'tau' is in 'second'"),
        ("x*v + 1/tau", "'x * v' is in 'volt' but '1 / tau' is in 'hertz'"),
        ("exp(v)", "'v' is in 'volt' but must be in '1'"),
        ("v > tau", "'v' is in 'volt' but 'tau' is in 'second'"),
        ("clip(v, x, tau)", "'x' is in '1' but 'v' is in 'volt'"),
    ],
)
def test_units_that_do_not_fit_are_both_named(text, said):
    with pytest.raises(ExpressionError) as error:
        expressions.dimensions_of(text, SYMBOLS)
    assert said in str(error.value)


def test_every_function_of_brian2_has_a_value():
    for name, function in DEFAULT_FUNCTIONS.items():
        arguments = ", ".join(["0.5"] * len(function._arg_units))
        assert math.isfinite(expressions.evaluate(f"{name}({arguments})", {})), name


@given(st.floats(-3, 3), st.floats(0.1, 3))
def test_values_agree_with_python(x, y):
    got = expressions.evaluate(
        "x**2 - clip(x/y, 0, 1) + int(x < y)*exp(-x) + 5*ms/second", {"x": x, "y": y}
    )
    expected = x**2 - np.clip(x / y, 0, 1) + (x < y) * np.exp(-x) + 5e-3
    assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("text", ["sqrt(-1)", "0/0", "log(-1)", "(-1)**0.5", "1 % 0"])
def test_what_has_no_real_value_is_nan(text):
    assert math.isnan(expressions.evaluate(text, {}))
