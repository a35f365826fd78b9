"""Expressions as sums of terms: what all units share is multiplied once, not for every unit.

``U + a*((b*U - V)/c + d*L)`` becomes ``U + (a*b/c)*U - (a/c)*V + (a*d)*L``. Terms with the same factor are added
before they are multiplied, so that differences of equal values stay exactly zero, and an increment is
summed by itself before it is added to a state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from neuroglia_snn.program.tree import (
    FLOAT64,
    Apply,
    Call,
    Cell,
    Draw,
    Expression,
    Literal,
    Local,
    Look,
    Parameter,
    Type,
)

#: The value 1, as a term of what all units share.
ONE = Literal(1.0, FLOAT64)


@dataclass(frozen=True)
class Factor:
    """A product: values to multiply and to divide by, of what units share and of their constants."""

    shared: tuple[tuple[Expression, bool], ...] = ()  # (value, whether it divides)
    own: tuple[tuple[Expression, bool], ...] = ()

    def times(self, other: Factor) -> Factor:
        return Factor(self.shared + other.shared, self.own + other.own)

    def inverted(self) -> Factor:
        return Factor(*(tuple((e, not d) for e, d in part) for part in (self.shared, self.own)))


Term: TypeAlias = "Expression | Linear"
Groups = dict[Factor, dict[Term, float]]


@dataclass(frozen=True)
class Linear:
    """A sum over factors of each factor times a sum of multiples of terms."""

    groups: tuple[tuple[Factor, tuple[tuple[Term, float], ...]], ...]
    dtype: Type = FLOAT64

    @property
    def arguments(self) -> tuple[Term, ...]:
        return tuple(term for _, terms in self.groups for term, _ in terms)

    def single(self) -> tuple[Factor, Term, float] | None:
        """The only term, with its factor and multiplicity, where there is one that is not 1."""
        if len(self.groups) == 1 and len(self.groups[0][1]) == 1:
            factor, ((term, multiple),) = self.groups[0]
            return None if term == ONE else (factor, term, multiple)
        return None


def canonical(e: Term) -> Any:
    """The same for two expressions that are the same sums in any order."""
    if isinstance(e, Linear):
        return frozenset(
            (factor, frozenset((canonical(term), multiple) for term, multiple in terms))
            for factor, terms in e.groups
        )
    if isinstance(e, Apply):
        arguments = tuple(map(canonical, e.arguments))
        return e.operation, frozenset(arguments) if e.operation == "*" else arguments
    return e


def shared(e: Expression) -> bool:
    """Whether a value is the same for all units."""
    if isinstance(e, Cell):
        return e.array.scalar
    if isinstance(e, Local):
        return e.scalar
    if isinstance(e, (Literal, Parameter)):
        return True
    if isinstance(e, (Draw, Linear)):
        return False
    return isinstance(e, (Apply, Look, Call)) and all(map(shared, e.arguments))


class Linearizer:
    """Rewrites expressions of floating-point numbers as `Linear`.

    ``constant`` says of a cell whether it is a unit's own constant; ``defined`` gives the definitions of
    values that are to be written out where they are used.
    """

    def __init__(
        self, constant: Callable[[Cell], bool], defined: Mapping[Expression, Expression]
    ) -> None:
        self._constant, self._defined = constant, defined

    def of(self, e: Expression) -> Linear:
        """The sum that a floating-point expression is."""
        return _frozen(self._groups(e))

    def term(self, e: Expression) -> Term:
        """The expression with sums below it."""
        if e in self._defined:
            return self.term(self._defined[e])
        if e.dtype.kind == "f" and not shared(e) and not isinstance(e, (Cell, Local)):
            found = self.of(e)
            single = found.single()
            return single[1] if single and single[0] == Factor() and single[2] == 1 else found
        return self._below(e)

    def _below(self, e: Expression) -> Term:
        if isinstance(e, Apply) and not shared(e):
            return Apply(e.operation, tuple(map(self.term, e.arguments)), e.dtype)  # type: ignore[arg-type]
        return e

    def _groups(self, e: Expression) -> Groups:
        if e in self._defined:
            return self._groups(self._defined[e])
        if isinstance(e, Literal) and e.dtype.kind in "if":
            return {Factor(): {ONE: float(e.value)}}
        if shared(e):
            return {Factor(((e, False),)): {ONE: 1.0}}
        if isinstance(e, Apply) and e.dtype.kind == "f":
            first, *others = e.arguments
            if e.operation == "neg":
                return _scaled(self._groups(first), -1.0)
            if e.operation in ("+", "-"):
                sign = 1.0 if e.operation == "+" else -1.0
                return _added(self._groups(first), _scaled(self._groups(others[0]), sign))
            if e.operation == "*":
                return self._product(first, others[0])
            if e.operation == "/":
                return self._quotient(first, others[0], e)
        return {Factor(): {self._below(e): 1.0}}

    def _product(self, a: Expression, b: Expression) -> Groups:
        for one, other in ((a, b), (b, a)):
            found = self._factor(one)
            if found is not None:
                return _scaled(self._groups(other), found[1], found[0])
        factor, multiple, terms = Factor(), 1.0, []
        for whole in (_frozen(self._groups(x)) for x in (a, b)):
            single = whole.single()
            if single:
                factor, multiple = factor.times(single[0]), multiple * single[2]
            terms.append(single[1] if single else whole)
        product = Apply("*", tuple(terms), FLOAT64)  # type: ignore[arg-type]
        return {factor: {product: multiple}}

    def _quotient(self, a: Expression, b: Expression, e: Apply) -> Groups:
        found = self._factor(b)
        if found is None or found[1] == 0:
            return {Factor(): {self._below(e): 1.0}}
        return _scaled(self._groups(a), 1 / found[1], found[0].inverted())

    def _factor(self, e: Expression) -> tuple[Factor, float] | None:
        """A value that terms can be multiplied by, and a number."""
        if e in self._defined:
            return self._factor(self._defined[e])
        if isinstance(e, Literal):
            return Factor(), float(e.value)
        if shared(e):
            return Factor(((e, False),)), 1.0
        if isinstance(e, Cell) and e.index is None and self._constant(e):
            return Factor((), ((e, False),)), 1.0
        if isinstance(e, Apply) and e.operation in ("*", "/") and e.dtype.kind == "f":
            one, two = map(self._factor, e.arguments)
            if one is None or two is None or (e.operation == "/" and two[1] == 0):
                return None
            if e.operation == "*":
                return one[0].times(two[0]), one[1] * two[1]
            return one[0].times(two[0].inverted()), one[1] / two[1]
        return None


def _scaled(groups: Groups, number: float, factor: Factor = Factor()) -> Groups:
    return {
        own.times(factor): {term: number * multiple for term, multiple in terms.items()}
        for own, terms in groups.items()
    }


def _added(one: Groups, two: Groups) -> Groups:
    result = {factor: dict(terms) for factor, terms in one.items()}
    for factor, terms in two.items():
        group = result.setdefault(factor, {})
        for term, multiple in terms.items():
            group[term] = group.get(term, 0.0) + multiple
    return result


def _frozen(groups: Groups) -> Linear:
    return Linear(tuple((factor, tuple(terms.items())) for factor, terms in groups.items()))
