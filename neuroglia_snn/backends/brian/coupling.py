"""Couplings as gathers: each unit reads its few sources itself.

Brian2 sums over synapses one by one, in one thread. Where every target has at most eight sources
by a named rule, the sum is written out over linked variables instead; it then runs in parallel and
vectorised, with the same value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy
from brian2.parsing.sympytools import str_to_sympy
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn import equations as eqs
from neuroglia_snn import expressions, geometry, spec

#: Names that mean another thing in a synapse, or in the source, than in the target.
SYNAPTIC = frozenset(
    [
        "i",
        "j",
        "i_pre",
        "i_post",
        "N",
        "N_pre",
        "N_post",
        "N_outgoing",
        "dt",
        "t_in_timesteps",
        "lastupdate",
        "lastspike",
        "not_refractory",
        "rand",
        "randn",
        "poisson",
    ]
)
_GATHERED_RULES = ("lattice", "first-footprint", "one-to-one")


@dataclass(frozen=True)
class Gather:
    """A projection written out: code for the target population and what the code reads.

    ``links`` maps a new linked variable to (source variable, its dimensions, index of each unit's
    source); ``constants`` are new per-unit numbers.
    """

    code: str
    links: Mapping[str, tuple[str, Dimension, np.ndarray]]
    constants: Mapping[str, np.ndarray]


def is_gather(model: spec.Model, projection: spec.Projection) -> bool:
    """Whether a projection can be written as a gather."""
    own = eqs.parse(projection.equations)
    plain = not (projection.on_pre or projection.on_post or projection.initial)
    sums = all("summed" in e.flags or e.kind == "subexpression" for e in own.values())
    whole = projection.source.start is None and projection.target.start is None
    populations = {projection.source.name, projection.target.name} <= set(model.populations)
    rule = projection.connect["rule"] in _GATHERED_RULES
    if not (plain and sums and whole and populations and rule):
        return False
    source = eqs.parse(model.populations[projection.source.name].equations)
    written_out = inlined(projection, source).values()
    return not any(expressions.names(text) & SYNAPTIC or _singular(text) for text in written_out)


def sources(model: spec.Model, projection: spec.Projection) -> np.ndarray:
    """Index of each target's sources, (slots, targets), -1 where there is none."""
    source = model.populations[projection.source.name]
    target = model.populations[projection.target.name]
    connect = projection.connect
    if connect["rule"] == "lattice":
        return geometry.lattice_neighbours(source.shape, connect.get("neighbours", 4))
    if connect["rule"] == "first-footprint":
        first = geometry.first_footprint(
            target.shape, source.shape, connect["size"], connect["step"]
        )
        return first[None, :]
    return np.arange(target.size)[None, :]


def is_recomputed(model: spec.Model, projection: spec.Projection) -> bool:
    """Whether a coupling is part of the state that a two-stage scheme advances.

    It is where a population with the Heun scheme couples to itself on its own clock through its
    differential variables; other couplings are held over a step.
    """
    population = model.populations.get(projection.target.name)
    if population is None or projection.source.name != population.name:
        return False
    if population.integrator != "heun" or projection.dt != population.dt:
        return False
    if not is_gather(model, projection):
        return False
    own = eqs.parse(population.equations)
    texts = " ".join(inlined(projection, own).values())
    read = {n for n in own if re.search(rf"\b{n}_(pre|post)\b", texts)}
    return all(own[n].kind == "differential" or "constant" in own[n].flags for n in read)


def recomputed_inputs(model: spec.Model, population: str) -> set[str]:
    """Variables of a population that recomputed couplings fill."""
    return {
        name.removesuffix("_post")
        for p in model.projections.values()
        if p.target.name == population and is_recomputed(model, p)
        for name in inlined(p, eqs.parse(model.populations[population].equations))
    }


def gather(
    model: spec.Model, projection: spec.Projection, renamed: Mapping[str, str] | None = None
) -> Gather:
    """Write a projection out over its sources.

    ``renamed`` gives other variables to read and write in the place of some: the predicted ones.
    """
    renamed = renamed or {}
    index = sources(model, projection)
    missing = index < 0
    itself = projection.source.name == projection.target.name
    resting = np.arange(index.shape[1]) if itself else np.zeros(index.shape[1], int)
    index = np.where(missing, resting, index)
    links: dict[str, tuple[str, Dimension, np.ndarray]] = {}
    constants: dict[str, np.ndarray] = {}
    source = eqs.parse(model.populations[projection.source.name].equations)
    target = eqs.parse(model.populations[projection.target.name].equations)
    count = (~missing).sum(axis=0)
    lines = []
    for name, text in inlined(projection, source).items():
        uniform = (count == count[0]).all()
        if "N_incoming" in text and not uniform:
            constants[f"count_of_{projection.name}"] = np.maximum(count, 1)
        number = str(max(count[0], 1)) if uniform else f"count_of_{projection.name}"
        text = re.sub(r"\bN_incoming\b", number, text)
        terms = []
        needs_mask = missing.any() and not (itself and vanishes(text))
        for slot in range(len(index)):
            term = text
            for variable in source:
                read = renamed.get(variable, variable)
                link = f"{read}_from_{projection.name}_{slot}"
                replaced = re.sub(rf"\b{variable}_pre\b", link, term)
                if replaced != term:
                    links[link] = (read, source[variable].dimensions, index[slot])
                    term = replaced
            for variable in target:
                term = re.sub(rf"\b{variable}_post\b", renamed.get(variable, variable), term)
            if needs_mask:
                mask = f"mask_of_{projection.name}_{slot}"
                constants[mask] = (~missing[slot]).astype(float)
                term = f"{mask}*({term})"
            terms.append(f"({term})")
        filled = name.removesuffix("_post")
        lines.append(f"{renamed.get(filled, filled)} = {' + '.join(terms)}")
    return Gather("\n".join(lines), links, constants)


def inlined(projection: spec.Projection, source: Mapping[str, eqs.Equation]) -> dict[str, str]:
    """The summed expressions of a projection, with all subexpressions written out."""
    own = eqs.parse(projection.equations)
    definitions = {
        n: e.expression
        for n, e in own.items()
        if e.kind == "subexpression" and "summed" not in e.flags
    }
    for name, equation in source.items():
        if equation.kind == "subexpression":
            text = equation.expression or ""
            for other in source:
                text = re.sub(rf"\b{other}\b", f"{other}_pre", text)
            definitions[f"{name}_pre"] = text
    result = {}
    for name, equation in own.items():
        if "summed" not in equation.flags:
            continue
        text = equation.expression or "0"
        for _ in range(len(definitions) + 1):  # each pass resolves at least one level
            for definition, expression in definitions.items():
                text = re.sub(rf"\b{definition}\b", f"({expression})", text)
        result[name] = text
    return result


def _singular(text: str) -> bool:
    """Whether a coupling has no value between equal states (0/0): no mask could hide that."""
    value = str_to_sympy(re.sub(r"\b(\w+)_pre\b", r"\1_post", text))
    return value.has(sympy.nan, sympy.zoo, sympy.oo)


def vanishes(text: str) -> bool:
    """Whether a coupling is zero between equal states (``x_pre - x_post``): no mask needed."""
    return str_to_sympy(re.sub(r"\b(\w+)_pre\b", r"\1_post", text)).expand() == 0
