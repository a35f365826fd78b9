"""Names in code: read, and replaced on the parsed tree."""

from __future__ import annotations

import pytest

from neuroglia_snn.language import algebra


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("a*x", "(b + c) * x"),
        ("2 - a", "2 - (b + c)"),
        ("a_pre - aa", "a_pre - aa"),
        ("exp(a) + a(t)", "exp(b + c) + a(t)"),
        ("x += a", "x += b + c"),
        ("y = 1\nx = y*a", "y = 1\nx = y * (b + c)"),
        ("", ""),
    ],
)
def test_a_name_stands_for_an_expression_and_is_no_piece_of_text(code, said):
    assert algebra.substituted(code, {"a": "b + c"}) == said


def test_names_are_replaced_all_at_once_and_where_a_statement_assigns():
    swapped = algebra.substituted("x = y\ny -= x", {"x": "y", "y": "x"})
    assert swapped == "y = x\nx -= y"


def test_names_of_code_are_those_that_it_reads_sets_and_calls():
    assert algebra.names("u = exp(v)/mV\nw += u") == {"u", "exp", "v", "mV", "w"}
    assert algebra.called("exp(v) + exp(table(t))") == ["exp", "exp", "table"]
