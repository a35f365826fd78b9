"""Sums over connections: their expressions, their order, and which of them a step computes again.

Every backend asks here, so that what a network does follows from what it is: neither the rule that
makes its connections nor the spelling of its expressions decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neuroglia_snn import spec
from neuroglia_snn.language import algebra, stages
from neuroglia_snn.language import equations as eqs

#: What a population's own expressions may name beside its variables, a value for each unit.
_OF_UNITS = ("i", "N", "lastspike", "not_refractory")


@dataclass(frozen=True)
class Sum:
    """A variable of a population that is the sum of an expression over a projection's connections.

    The expression is written out: the variables in it end in ``_pre`` and ``_post``, or are those of
    single connections, and none is a subexpression that is worked out where it stands.
    """

    projection: spec.Projection
    variable: str
    text: str

    def __str__(self) -> str:
        return f"{self.variable}_post = '{self.text}'"

    @property
    def place(self) -> tuple[str, str]:
        """Where it comes among all sums of a step: in order of the projections' names, as in Brian2."""
        return (self.projection.name, self.variable)

    @property
    def within(self) -> bool:
        """Whether it couples a population to itself."""
        return self.projection.source.name == self.projection.target.name


def sums(model: spec.Model, projection: spec.Projection) -> list[Sum]:
    """The sums of a projection, in their order; written out if it joins two populations.

    Raises
    ------
    EquationError
        For a sum that is too long with its definitions written out.
    """
    own = eqs.parse(projection.equations)
    source = eqs.endpoint_variables(model, projection.source)
    target = eqs.endpoint_variables(model, projection.target)
    bare = {n: f"{n}_post" for n in target if n not in own}  # as Brian2 takes it
    definitions = {n: algebra.substituted(t, bare) for n, t in _definitions(own).items()}
    for side, variables in (("pre", source), ("post", target)):
        names = {n: f"{n}_{side}" for n in (*variables, *_OF_UNITS)}
        for name, text in _definitions(variables).items():
            definitions[names[name]] = algebra.substituted(text, names)
    result = []
    for name, equation in own.items():
        if "summed" not in equation.flags:
            continue
        text = algebra.substituted(equation.expression or "0", bare)
        try:
            for _ in range(len(definitions) + 1):  # each pass resolves at least one level
                text = algebra.substituted(text, definitions)
        except algebra.TooLong as error:
            message = f"'{name}', with its definitions written out, has {error}"
            raise eqs.EquationError(name, message) from None
        result.append(Sum(projection, name.removesuffix("_post"), text))
    return sorted(result, key=lambda s: s.place)


def _definitions(own: Mapping[str, eqs.Equation]) -> dict[str, str]:
    return {
        n: e.expression or "0"
        for n, e in own.items()
        if e.kind == "subexpression" and not {"summed", "constant over dt"} & set(e.flags)
    }


def all_sums(model: spec.Model) -> list[Sum]:
    """All sums, in the order in which a step takes them."""
    found = [one for p in model.projections.values() for one in sums(model, p)]
    return sorted(found, key=lambda one: one.place)


def recomputed(model: spec.Model, population: str) -> list[Sum]:
    """The sums that belong to the state which a step of two stages advances.

    A population with the Heun scheme computes them again from its predicted state: sums over
    connections of the population to itself, on its own clock, that depend on its differential
    variables, directly or through each other. All other sums are held over a step.
    """
    owner = model.populations.get(population)
    if owner is None or owner.integrator != "heun":
        return []
    own = eqs.parse(owner.equations)
    moving = {n for n, e in own.items() if e.kind == "differential"}
    candidates = [
        one
        for p in model.projections.values()
        if p.source.name == p.target.name == population and p.dt == owner.dt
        for one in sums(model, p)
    ]
    found: list[Sum] = []
    while True:
        new = [s for s in candidates if s not in found and _reads(s) & moving]
        if not new:
            return sorted(found, key=lambda s: s.place)
        found += new
        moving |= {s.variable for s in new}


def later(model: spec.Model, population: str) -> dict[str, str]:
    """What the sums that are recomputed read and fill then, by its names at the step's beginning."""
    own = eqs.parse(model.populations[population].equations)
    moving = [n for n, e in own.items() if e.kind == "differential"]
    moving += sorted(inputs(recomputed(model, population)))
    return {n: stages.predicted(n) for n in moving} | {"t": "(t + dt)"}


def _reads(one: Sum) -> set[str]:
    """Variables that it reads of a population that it couples to itself."""
    names = algebra.names(one.text)
    return {n.rpartition("_")[0] for n in names if n.endswith(("_pre", "_post"))}


def held(model: spec.Model) -> list[Sum]:
    """The sums that are taken once, at the beginning of a step, in their order."""
    again = [one.place for name in model.populations for one in recomputed(model, name)]
    return [one for one in all_sums(model) if one.place not in again]


def inputs(found: Iterable[Sum]) -> set[str]:
    """The variables that these sums fill."""
    return {s.variable for s in found}
