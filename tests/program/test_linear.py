"""Expressions as sums with shared factors: the same values, differences of equals exactly zero."""

from __future__ import annotations

import numpy as np

from neuroglia_snn.program.linear import ONE, Factor, Linear, Linearizer, canonical
from neuroglia_snn.program.tree import FLOAT64, Apply, Expression, Literal, Local, Parameter

X, Y = Local(0, FLOAT64, False), Local(1, FLOAT64, False)
A, B = Parameter(0, FLOAT64), Parameter(1, FLOAT64)
VALUES = {X: 0.7, Y: -1.3, A: 2.5, B: 0.3}


def apply(operation: str, *arguments: Expression) -> Apply:
    return Apply(operation, arguments, FLOAT64)


def value(e) -> float:
    """What an expression, or a sum, comes to."""
    if isinstance(e, Linear):
        return sum(
            _product(factor) * sum(multiple * value(term) for term, multiple in terms)
            for factor, terms in e.groups
        )
    if isinstance(e, Literal):
        return float(e.value)
    if isinstance(e, Apply):
        a, *b = map(value, e.arguments)
        done = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
        return {"neg": lambda: -a, "exp": lambda: np.exp(a)}.get(
            e.operation, lambda: done[e.operation](a, *b)
        )()
    return VALUES[e]


def _product(factor: Factor) -> float:
    result = 1.0
    for e, divides in factor.shared + factor.own:
        result = result / value(e) if divides else result * value(e)
    return result


def linear(e: Expression, defined=None) -> Linear:
    return Linearizer(lambda cell: False, defined or {}).of(e)


RATE = apply(
    "+",
    X,
    apply(
        "*",
        A,
        apply("-", apply("/", apply("-", apply("*", B, X), Y), A), apply("neg", apply("*", X, Y))),
    ),
)


def test_a_sum_has_the_value_of_its_expression():
    assert np.isclose(value(linear(RATE)), value(RATE), rtol=1e-14)


def test_terms_of_one_factor_are_added_before_they_are_multiplied():
    difference = apply("*", A, apply("-", X, Y))
    ((factor, terms),) = linear(difference).groups
    assert factor == Factor(((A, False),))
    assert dict(terms) == {X: 1.0, Y: -1.0}


def test_numbers_are_multiples_and_not_factors():
    half = apply("*", Literal(0.5, FLOAT64), apply("+", X, Literal(3.0, FLOAT64)))
    ((factor, terms),) = linear(half).groups
    assert factor == Factor() and dict(terms) == {X: 0.5, ONE: 1.5}


def test_definitions_are_written_out_where_they_are_used():
    defined = {Y: apply("*", B, X)}
    groups = dict(linear(apply("+", X, Y), defined).groups)
    assert groups == {Factor(): ((X, 1.0),), Factor(((B, False),)): ((X, 1.0),)}


def test_functions_stay_and_hold_sums():
    term = linear(apply("exp", apply("*", A, X))).single()
    assert term is not None and isinstance(term[1], Apply) and term[1].operation == "exp"
    assert np.isclose(value(linear(apply("exp", apply("*", A, X)))), np.exp(2.5 * 0.7))


def test_the_order_of_terms_does_not_count():
    one, other = apply("+", X, apply("*", A, Y)), apply("+", apply("*", Y, A), X)
    assert canonical(linear(one)) == canonical(linear(other))
    assert canonical(linear(one)) != canonical(linear(apply("-", X, apply("*", A, Y))))
