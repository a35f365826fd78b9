"""Numbers with units as text."""

from __future__ import annotations

import pytest
from brian2 import molar, ms, mV, second, uM, volt
from brian2.units.fundamentalunits import DIMENSIONLESS
from hypothesis import given
from hypothesis import strategies as st

from neuroglia_snn.errors import UserError
from neuroglia_snn.language.quantities import as_expression, parse_quantity, parse_unit, unit_name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.002 ms", 0.002 * ms),
        ("2.5 mV", 2.5 * mV),
        ("2.5*mV", 2.5 * mV),
        ("-60 mV", -60 * mV),
        ("0.14 / s", 0.14 / second),
        ("1/0.14 second", 1 / 0.14 * second),
        ("0.9 umolar/second", 0.9 * uM / second),
        ("0.14 / (uM*second)", 0.14 / (uM * second)),
        ("1e-3 volt", 1e-3 * volt),
        (".5 mV", 0.5 * mV),
        ("2 ms**2", 2 * ms**2),
    ],
)
def test_numbers_with_units(text, value):
    amount = parse_quantity(text)
    assert amount.si == pytest.approx(float(value))
    assert amount.dimensions is value.dim


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300))
def test_plain_numbers_have_no_unit(number):
    for given_ in (number, repr(number)):
        assert parse_quantity(given_) == (float(number), DIMENSIONLESS)


@pytest.mark.parametrize(
    "text",
    ["", " ", "mV mV", "2 foo", "1 +", "1 + 1", "1/0", "1e999", "9**9**9**9", "2 mV**1000", "f(1)",
     "mV.dim", "'a'", "[1]", "1 if 1 else 2", "lambda: 1", "(" * 500, "-" * 9000 + "1", "1j", "a\0b",
     "2**mV", "10**10**10", True, None, [1], float("nan"), float("inf"), 10**400],
)  # fmt: skip
def test_everything_else_is_refused_in_one_line(text):
    with pytest.raises(UserError) as error:
        parse_quantity(text)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@given(st.text(max_size=30) | st.text("0123456789.eE+-*/() msV", max_size=20))
def test_no_text_does_more_than_raise_a_user_error(text):
    try:
        parse_quantity(text)
    except UserError as error:
        assert "\n" not in str(error)


def test_the_message_names_what_is_not_a_unit():
    with pytest.raises(UserError, match="'mv' is not a unit"):
        parse_quantity("2 mv")


def test_a_number_with_a_unit_becomes_an_expression():
    assert as_expression("2 mV") == "2*mV"
    assert as_expression("1/2 ms") == "1/2*ms"
    assert as_expression("2*x + y") == "2*x + y"
    assert as_expression("import os") == "import os"


@pytest.mark.parametrize("name", ["volt", "molar/second", "second**-0.5", "1", "siemens"])
def test_names_of_units_can_be_read_back(name):
    assert parse_unit(unit_name(parse_unit(name))) is parse_unit(name)


def test_units_behind_a_colon():
    assert parse_unit("molar") is molar.dim
    assert parse_unit("integer") is parse_unit("boolean") is parse_unit("1") is DIMENSIONLESS


@pytest.mark.parametrize(
    ("text", "si"),
    [
        ("0.01ms", 1e-5),
        ("2e3ms", 2.0),
        ("1e-3", 1e-3),
        ("12", 12.0),
        ("1.5e2", 150.0),
        (".5mV", 5e-4),
    ],
)
def test_a_unit_may_follow_its_number_at_once(text, si):
    assert parse_quantity(text).si == pytest.approx(si, rel=1e-12)


@pytest.mark.parametrize("text", ["1e5x", "0x10", "2emV", "1e"])
def test_what_looks_like_an_exponent_is_no_unit(text):
    with pytest.raises(UserError, match="is not a number with units"):
        parse_quantity(text)
