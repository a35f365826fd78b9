"""Sums over connections as gathers: each unit reads its few sources itself.

Brian2 sums over synapses one by one, in one thread. Where every target has at most eight sources
by a named rule, the sum is written out over linked variables instead; it then runs in parallel and
vectorised, with the same value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn import spec
from neuroglia_snn.backends.brian import symbolic
from neuroglia_snn.language import algebra, couplings, expressions, geometry
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.names import made
from neuroglia_snn.language.quantities import UNITS

_GATHERED_RULES = ("lattice", "first-footprint", "one-to-one")
_MOST_SOURCES = 8


@dataclass(frozen=True)
class Gather:
    """A sum written out: a statement for the target population and what it reads.

    ``links`` maps a new linked variable to (source variable, its dimensions, index of each unit's
    source); ``constants`` are new per-unit numbers.
    """

    code: str
    links: Mapping[str, tuple[str, Dimension, np.ndarray]]
    constants: Mapping[str, np.ndarray]


def is_gather(model: spec.Model, projection: spec.Projection) -> bool:
    """Whether the sums of a projection can be written as gathers."""
    own = eqs.parse(projection.equations)
    plain = not (projection.on_pre or projection.on_post or projection.initial)
    plain = plain and all(r.population != projection.name for r in model.records.values())
    only_sums = all("summed" in e.flags or e.kind == "subexpression" for e in own.values())
    whole = projection.source.start is None and not _has_parts(model, projection.target.name)
    populations = {projection.source.name, projection.target.name} <= set(model.populations)
    rule = projection.connect["rule"] in _GATHERED_RULES
    rule = rule and projection.connect.get("neighbours", 0) <= _MOST_SOURCES
    if not (plain and only_sums and whole and populations and rule):
        return False
    clock = projection.dt == model.populations[projection.target.name].dt
    return not any(
        of_connections(model, one)
        or _shared(model, one)
        or _singular(one.text)
        or (not clock and "t" in algebra.names(one.text))  # `t` would be the target's
        for one in couplings.sums(model, projection)
    )


def _has_parts(model: spec.Model, population: str) -> bool:
    """Whether any projection joins a part of a population, which Brian2 lets have no linked variables."""
    ends = [end for p in model.projections.values() for end in (p.source, p.target)]
    return any(end.name == population and end.start is not None for end in ends)


def of_connections(model: spec.Model, one: couplings.Sum) -> frozenset[str]:
    """Names in a sum that mean nothing outside of a synapse, or another thing."""
    known = {*model.parameters, *model.tables, *UNITS, *expressions.CONSTANTS, "t", "N_incoming"}
    known |= expressions.FUNCTIONS.keys() - expressions.RANDOM
    for side, endpoint in (("pre", one.projection.source), ("post", one.projection.target)):
        known |= {f"{n}_{side}" for n in eqs.endpoint_variables(model, endpoint)}
    return algebra.names(one.text) - known


def _shared(model: spec.Model, one: couplings.Sum) -> set[str]:
    """Names in a sum of what all units of the source share: it has no links by unit."""
    source = eqs.endpoint_variables(model, one.projection.source)
    shared = {f"{n}_pre" for n, e in source.items() if "shared" in e.flags}
    return shared & algebra.names(one.text)


def sources(model: spec.Model, projection: spec.Projection) -> np.ndarray:
    """Index of each target's sources, (slots, targets), -1 where there is none."""
    source = model.populations[projection.source.name]
    target = model.populations[projection.target.name]
    connect = projection.connect
    if connect["rule"] == "lattice":
        return geometry.lattice(source.shape, connect)
    if connect["rule"] == "first-footprint":
        first = geometry.first_footprint(
            target.shape, source.shape, connect["size"], connect["step"]
        )
        return first[None, :]
    return np.arange(target.size)[None, :]


def gather(
    model: spec.Model, one: couplings.Sum, renamed: Mapping[str, str] | None = None
) -> Gather:
    """Write a sum out over its sources.

    ``renamed`` gives other names to read and write in the place of some: those of predicted values.
    """
    renamed = renamed or {}
    projection = one.projection
    index = sources(model, projection)
    missing = index < 0
    resting = np.arange(index.shape[1]) if one.within else np.zeros(index.shape[1], int)
    index = np.where(missing, resting, index)
    constants: dict[str, np.ndarray] = {}
    source = eqs.parse(model.populations[projection.source.name].equations)
    target = eqs.parse(model.populations[projection.target.name].equations)
    names = {f"{n}_post": renamed.get(n, n) for n in target} | {"t": renamed.get("t", "t")}
    used = algebra.names(one.text)
    count = (~missing).sum(axis=0)
    uniform = (count == count[0]).all()
    if "N_incoming" in used and not uniform:
        constants[made("count", projection.name)] = np.maximum(count, 1)
    number = f"int({max(count[0], 1)})"  # no number of Python's, which does not divide by 0
    names["N_incoming"] = number if uniform else made("count", projection.name)
    needs_mask = missing.any() and not (one.within and vanishes(one.text))
    links: dict[str, tuple[str, Dimension, np.ndarray]] = {}
    terms = []
    for slot in range(len(index)):
        for variable in source:
            if f"{variable}_pre" in used:
                read = renamed.get(variable, variable)
                link = made("from", projection.name, slot, read)
                links[link] = (read, source[variable].dimensions, index[slot])
                names[f"{variable}_pre"] = link
        term = algebra.substituted(one.text, names)
        if needs_mask:
            mask = made("mask", projection.name, slot)
            constants[mask] = (~missing[slot]).astype(float)
            term = f"{mask}*({term})"
        terms.append(f"({term})")
    filled = renamed.get(one.variable, one.variable)
    return Gather(f"{filled} = {' + '.join(terms)}", links, constants)


def _singular(text: str) -> bool:
    """Whether a coupling has no value between equal states (0/0): no mask could hide that."""
    return symbolic.parsed(_between_equals(text)) is None


def vanishes(text: str) -> bool:
    """Whether a coupling is zero between equal states (``x_pre - x_post``): no mask needed."""
    value = symbolic.parsed(_between_equals(text))
    return value is not None and value.expand() == 0


def _between_equals(text: str) -> str:
    """A coupling whose two sides are in one state."""
    sources = (name for name in algebra.names(text) if name.endswith("_pre"))
    return algebra.substituted(text, {n: f"{n.removesuffix('_pre')}_post" for n in sources})
