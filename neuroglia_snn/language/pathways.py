"""Whether the statements of a pathway have one outcome, in whatever order synapses carry them out.

Events that arrive in one step may reach a unit through several synapses. Brian2's C++ carries out all
statements of a synapse, then those of the next one; its NumPy carries out a statement for all synapses,
then the next one. What adds to a unit, and reads nothing that changes, is the same either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from brian2.codegen.permutation_analysis import OrderDependenceError, check_for_order_independence

from neuroglia_snn import spec
from neuroglia_snn.errors import shown
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language import equations as eqs


@dataclass(frozen=True)
class Statement:
    """A statement with every name of a unit's variable in full, and all that it reads."""

    var: str
    op: str
    reads: frozenset[str]
    text: str

    @property
    def expr(self) -> str:
        """What it reads, for Brian2's analysis, which looks at names alone."""
        return " ".join(sorted(self.reads))


def in_full(model: spec.Model, projection: spec.Projection) -> dict[str, str]:
    """The target's variables by their short names: ``x`` is ``x_post`` but where synapses have an x."""
    own = {n for n, e in eqs.parse(projection.equations).items() if "summed" not in e.flags}
    target = eqs.endpoint_variables(model, projection.target)
    return {name: f"{name}_post" for name in target if name not in own}


def order_problem(model: spec.Model, projection: spec.Projection, code: str) -> str | None:
    """Why the outcome of a pathway depends on the order of its synapses, or None."""
    found = list(_statements(model, projection, code))
    twice = _by_both_names(projection, found)
    if twice:
        return twice
    indices = _indices(model, projection, found)
    units = {side: SimpleNamespace(unique=_is_unique(model, projection, side)) for side in _SIDES}
    variables = {name: SimpleNamespace() for name in indices} | units
    for count in range(1, len(found) + 1):
        try:
            check_for_order_independence(found[:count], variables, indices)
        except OrderDependenceError:
            return (
                f"'{shown(found[count - 1].text)}' depends on which of the synapses that share a unit"
                " comes last: add to what they share ('+='), set it to what is the same for all of"
                " them, or keep it in a variable of the projection"
            )
    return None


def reads_what_it_changes(model: spec.Model, projection: spec.Projection) -> str | None:
    """A statement that changes what several synapses share by its own value, or None.

    Synapse by synapse it is ``s += a*(1 - s)`` twice, with another s; all at once it is not.
    """
    for code in (*projection.on_pre.values(), *projection.on_post.values()):
        for statement in _statements(model, projection, code):
            for side in _SIDES.values():
                shared = statement.var.endswith(side) and statement.var in statement.reads
                if shared and not _is_unique(model, projection, side):
                    return statement.text
    return None


#: Brian2's names of a synapse's two units, and how names of their variables end.
_SIDES = {"_presynaptic_idx": "_pre", "_postsynaptic_idx": "_post"}


def _statements(model: spec.Model, projection: spec.Projection, code: str) -> Iterator[Statement]:
    full, local = in_full(model, projection), set()
    definitions = _definitions(model, projection, full)
    known = eqs.projection_symbols(model, projection)
    for target, operator, text in expressions.statements(code):
        if target not in known and target not in local:
            local.add(target)
            operator = ":="
        reads = _read(text, full, definitions)
        var = full.get(target, target)
        yield Statement(
            var, operator, frozenset(reads), f"{target} {operator} {text}".replace(":=", "=")
        )


def _definitions(
    model: spec.Model, projection: spec.Projection, full: Mapping[str, str]
) -> dict[str, set[str]]:
    """What every subexpression of the projection and of its two sides reads, in full names."""
    found = {}
    for name, e in eqs.parse(projection.equations).items():
        if e.kind == "subexpression" and "summed" not in e.flags:
            found[name] = {full.get(n, n) for n in algebra.names(e.expression or "0")}
    for side, endpoint in (("pre", projection.source), ("post", projection.target)):
        own = eqs.endpoint_variables(model, endpoint)
        for name, e in own.items():
            if e.kind == "subexpression":
                used = algebra.names(e.expression or "0")
                found[f"{name}_{side}"] = {f"{n}_{side}" if n in own else n for n in used}
    return found


def _read(text: str, full: Mapping[str, str], definitions: Mapping[str, set[str]]) -> set[str]:
    reads: set[str] = set()
    pending = {full.get(n, n) for n in algebra.names(text)}
    while pending:
        reads |= pending
        pending = set().union(*(definitions.get(n, set()) for n in pending)) - reads
    return reads - definitions.keys()


def _indices(
    model: spec.Model, projection: spec.Projection, found: list[Statement]
) -> dict[str, str]:
    """Which of Brian2's indices each variable has; names that are the same for all have none."""
    known = eqs.projection_symbols(model, projection)
    own = eqs.parse(projection.equations)
    indices = dict.fromkeys(_SIDES, "_idx")
    for name in set().union(*({s.var, *s.reads} for s in found)):
        symbol = known.get(name)
        if symbol is None or getattr(symbol, "scalar", True):
            continue
        sides = [index for index, end in _SIDES.items() if name.endswith(end) and name not in own]
        indices[name] = sides[0] if sides else "_idx"
    return indices


def _is_unique(model: spec.Model, projection: spec.Projection, side: str) -> bool:
    """Whether every unit of one side has one synapse at most."""
    rule = projection.connect["rule"]
    post = side in ("_post", "_postsynaptic_idx")
    if rule == "one-to-one" or (rule == "first-footprint" and post):
        return True
    other = projection.source if post else projection.target
    if rule == "pairs":
        units = np.asarray(projection.connect["pairs"]).reshape(-1, 2)[:, 1 if post else 0]
        return len(np.unique(units)) == len(units)
    alone = other.name in model.populations and model.populations[other.name].size == 1
    return alone and "n" not in projection.connect


def _by_both_names(projection: spec.Projection, found: list[Statement]) -> str | None:
    """What a population that projects to itself changes by one name and reads by the other."""
    if projection.source.name != projection.target.name:
        return None
    ends = {"_pre": "_post", "_post": "_pre"}
    named = set().union(*({s.var, *s.reads} for s in found))
    for statement in found:
        for end, other in ends.items():
            name = statement.var.removesuffix(end)
            if statement.var.endswith(end) and f"{name}{other}" in named:
                return (
                    f"'{shown(statement.text)}' changes '{name}' of '{projection.target}', which the"
                    f" pathway also names '{name}{other}': the order of the synapses would count; keep"
                    " one of the two in another variable"
                )
    return None
