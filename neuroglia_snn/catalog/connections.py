"""The ``connect`` of a projection: rules and their keys; kernels and generators as what they stand for."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.catalog import data, fields
from neuroglia_snn.catalog.parameters import Parameters
from neuroglia_snn.catalog.schema import CONNECT, EDGES, POOLS, nearest
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.quantities import unit_name, written

#: What code of a projection with a kernel calls the distance between the two sides of a connection.
DISTANCE = "distance"
#: Variable of a third factor's output: how many synapses, all onto its target, a connection stands for.
MULTIPLICITY = "multiplicity"
_ITERATORS = {"range": (), "sample": ("p", "size")}


def connect(document: Document, name: str, given: Any, *where: str) -> dict[str, Any]:
    """``connect = { rule = "...", ... }`` of projection ``name``, which stands at ``where``."""
    rule = given.get("rule") if isinstance(given, dict) else None
    if not isinstance(rule, str) or rule not in CONNECT:
        raise document.error(
            f"'connect' of projection '{name}' needs rule = one of {', '.join(CONNECT)}"
            f"{nearest(str(rule), CONNECT)}",
            *where,
        )
    known = CONNECT[rule]
    for key, value in given.items():
        if key != "rule":
            fields.check_known(document, key, value, known, f"rule '{rule}'", *where)
        fields.check_size(document, value, known.get(key, ()), *where, key)
    for pair in given.get("pairs", []):
        if not (isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)):
            raise document.error(
                f"{shown(repr(pair))} is not a pair [source, target] of whole numbers", *where
            )
    if rule == "pairs":
        return data.pairs(document, given, *where)
    if rule == "generator":
        return _generator(document, given, *where)
    kinds = {"condition": "expression", "p": "value", "n": "value", "cutoff": "value"}
    return given | {
        key: fields.code(document, kind, str(given[key]), f"connect {key}", *where)
        for key, kind in kinds.items()
        if isinstance(given.get(key), str) or (key in given and rule == "kernel")
    }


# ------------------------------------------------------------------------- generators


def _generator(document: Document, given: dict[str, Any], *where: str) -> dict[str, Any]:
    """Brian2's ``j = "k for k in range(i - 3, i + 4) if k != i"``, as its parts; ``i = "..."`` from the targets."""
    if {"i", "j"} <= given.keys():
        raise document.error(
            "a generator chooses targets of each source (j = ...) or sources of each target (i = ...),"
            " not both",
            *where,
        )
    chosen = "i" if "i" in given else "j"
    text = given.get(chosen, "")
    problem = document.error(
        f"connect {chosen} = '{shown(text)}' is not 'ELEMENT for NAME in range(...)' or"
        " '... in sample(..., p=...)', with an 'if CONDITION' after it or none",
        *where,
    )
    found = parsed(text)
    if found is None:
        raise problem
    variable, iterator, parts = found
    fields.check_name(document, variable, *where)
    return {"rule": "generator", "iterator": (variable, iterator, chosen)} | {
        key: fields.code(document, "expression", written(part), f"connect {key}", *where)
        for key, part in parts.items()
    }


def parsed(text: str) -> tuple[str, str, dict[str, ast.expr]] | None:
    """The variable, the iterator and the other parts of a generator; None where a text is none that is known."""
    try:
        tree = ast.parse(f"({' '.join(expressions.without_comments(text).split())})", mode="eval")
    except (UserError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match tree.body:
        case ast.GeneratorExp(
            elt=element,
            generators=[
                ast.comprehension(
                    target=ast.Name(id=variable),
                    iter=ast.Call(func=ast.Name(id=iterator), args=arguments, keywords=keywords),
                    ifs=conditions,
                    is_async=0,
                )
            ],
        ) if iterator in _ITERATORS and 1 <= len(arguments) <= 3 and len(conditions) <= 1:
            named = [keyword.arg for keyword in keywords]
        case _:
            return None
    if len(named) != len(_ITERATORS[iterator][:1]) or not set(named) <= {*_ITERATORS[iterator]}:
        return None
    ends = dict(zip(("low", "high", "step"), arguments, strict=False))
    parts = {"high": ends["low"]} if len(ends) == 1 else ends
    parts |= {str(keyword.arg): keyword.value for keyword in keywords}
    parts |= {"element": element} | ({"condition": conditions[0]} if conditions else {})
    return variable, iterator, parts


def within(
    connect: Mapping[str, Any], parameters: Parameters, sources: int, targets: int
) -> dict[str, Any]:
    """A generator whose range ends at the last unit to choose, where its numbers are those of units.

    Numbers beyond are those of no unit, and make no connection. A range that is known to be no longer
    than the population stays as it is.
    """
    variable, _, chosen = connect["iterator"]
    size = sources if chosen == "i" else targets
    step = connect.get("step", "1")
    rising = step.isdecimal() and int(step) > 0
    if connect["element"] != variable or "size" in connect or not rising:
        return dict(connect)
    scope: dict[str, object] = {n: p.value.si for n, p in parameters.all().items()}
    scope |= eqs.outer(connect, sources, targets)
    low, high = (expressions.of_arrays(connect.get(key, "0"), scope) for key in ("low", "high"))
    known = low is not None and high is not None
    if known and np.max(np.subtract(high, low, dtype=float)) <= size:  # type: ignore[call-overload]
        return dict(connect)
    cut = {"high": f"int(clip({connect['high']}, 0, {size}))"}
    if step == "1" and "low" in connect:
        cut["low"] = f"int(clip({connect['low']}, 0, {size}))"
    return {**connect, **{key: expressions.canonical(text) for key, text in cut.items()}}


# ---------------------------------------------------------------------------- kernels


def with_kernel(
    document: Document,
    projection: spec.Projection,
    populations: Mapping[str, spec.Population],
    parameters: Parameters,
) -> spec.Projection:
    """A projection of rule ``kernel`` as one of rule ``condition``, with the distance as a definition.

    Units have the coordinates of their lattices, in the spacings of these, and both lattices have
    their centres in one place. Units within the cut-off are connected.
    """
    given, where = projection.connect, ("projection", projection.name, "connect")
    ends = [populations.get(e.name) for e in (projection.source, projection.target)]
    source, target = ends
    parts = any(e.start is not None for e in (projection.source, projection.target))
    if source is None or target is None or parts or len(source.shape) != len(target.shape):
        raise document.error(
            "rule 'kernel' needs two whole populations whose shapes have as many dimensions", *where
        )
    if "cutoff" not in given:
        raise document.error("rule 'kernel' needs a cutoff, the longest distance", *where)
    if DISTANCE in eqs.parse(projection.equations):
        raise document.error(
            "rule 'kernel' gives connections the variable 'distance': rename this one",
            "projection",
            projection.name,
            "equations",
            needle=DISTANCE,
        )
    dimensions = _checked(document, given, source, target, parameters, *where)
    periodic = given.get("edges") == "periodic"
    distance = f"({_distance(source, target, periodic)})"
    within = f"{distance} <= 1.000000001*({given['cutoff']})"  # whatever rounding makes of a sum
    if source is target and not given.get("self", False):
        within += " and i != j"
    chance = {"p": algebra.substituted(given["p"], {DISTANCE: distance})} if "p" in given else {}
    equations = f"{DISTANCE} = {distance} : {unit_name(dimensions)}"
    return replace(
        projection,
        equations=eqs.canonical("\n".join((projection.equations, equations)).strip()),
        connect={"rule": "condition", "condition": expressions.canonical(within)} | chance,
        stated=given,
    )


def _checked(
    document: Document,
    given: Mapping[str, Any],
    source: spec.Population,
    target: spec.Population,
    parameters: Parameters,
    *where: str,
):
    """The dimensions of a kernel's distances, where all of them are of one kind."""
    amounts = []
    for p in (source, target):
        spacing = parameters.amount(p.spacing, "population", p.name, "spacing")
        if not spacing.si > 0:
            raise document.error("'spacing' is more than 0", "population", p.name, "spacing")
        amounts.append(spacing)
    one, other = amounts
    if one.dimensions is not other.dimensions:
        raise document.error(
            f"the spacing of '{source.name}' is in '{unit_name(one.dimensions)}', that of"
            f" '{target.name}' in '{unit_name(other.dimensions)}'",
            *where,
        )
    cutoff = parameters.amount(given["cutoff"], *where, "cutoff")
    if cutoff.dimensions is not one.dimensions or not cutoff.si >= 0:
        raise document.error(
            f"'cutoff' = {shown(given['cutoff'])} is not a distance in '{unit_name(one.dimensions)}',"
            f" as the spacing of '{source.name}'",
            *where,
        )
    require_edges(document, given, *where)
    if given.get("edges") == "periodic":
        for m, n in zip(source.shape, target.shape, strict=True):
            if not math.isclose(m * one.si, n * other.si, rel_tol=1e-9):
                raise document.error(
                    f"with periodic edges both lattices are as long: {m} sites of '{source.name}' are"
                    f" {m * one.si:g}, {n} of '{target.name}' are {n * other.si:g} (SI units)",
                    *where,
                )
    return one.dimensions


def require_edges(document: Document, given: Mapping[str, Any], *where: str) -> None:
    """Refuse edges of no known kind."""
    edges = given.get("edges", EDGES[0])
    if edges not in EDGES:
        raise document.error(
            f"'edges' is {' or '.join(EDGES)}, not '{shown(edges)}'{nearest(edges, EDGES)}", *where
        )


def _distance(source: spec.Population, target: spec.Population, periodic: bool) -> str:
    """The distance of unit i of the source from unit j of the target."""
    alike = source.spacing == target.spacing
    along = []
    for axis, (m, n) in enumerate(zip(source.shape, target.shape, strict=True)):
        a, b = _place("i", source.shape, axis), _place("j", target.shape, axis)
        if alike:
            part, length = f"abs({a} - {b} + {(n - m) / 2})", f"{m / 2}"
        else:
            a, b = f"({a} - {(m - 1) / 2})", f"({b} - {(n - 1) / 2})"
            part = f"abs({a}*({source.spacing}) - {b}*({target.spacing}))"
            length = f"{m / 2}*({source.spacing})"
        along.append(f"({length} - abs({length} - {part}))" if periodic else part)
    whole = along[0] if len(along) == 1 else f"sqrt({' + '.join(f'{d}**2' for d in along)})"
    return f"{whole}*({source.spacing})" if alike and source.spacing != "1" else whole


def _place(index: str, shape: tuple[int, ...], axis: int) -> str:
    """A unit's number along an axis of its lattice."""
    stride = math.prod(shape[axis + 1 :])
    text = index if stride == 1 else f"{index}//{stride}"
    return f"({text}) % {shape[axis]}" if axis else text


# ----------------------------------------------------------------------- third factors


def with_third_factor(
    document: Document,
    projection: spec.Projection,
    populations: Mapping[str, spec.Population],
    projections: Mapping[str, spec.Projection],
    parameters: Parameters,
) -> spec.Projection:
    """A projection of rule ``third-in`` or ``third-out`` with the numbers of its pairing.

    Both follow the synapses of an earlier projection, whose sides theirs must be: the input of the third
    factor has the same source, its output goes from the third factor to the same target.
    """
    given, where = projection.connect, ("projection", projection.name, "connect")
    rule, named = given["rule"], str(given.get("of"))
    of = projections.get(named)
    if of is None or (rule == "third-out" and of.connect["rule"] != "third-in"):
        kind = "a projection of rule 'third-in'" if rule == "third-out" else "a projection"
        raise document.error(
            f"rule '{rule}' needs 'of', {kind} that stands before it{nearest(named, projections)}",
            *where,
        )
    if rule == "third-in":
        _require_side(document, projection, "from", projection.source, of.source)
        if of.target.name not in populations or projection.target.name not in populations:
            raise document.error("rule 'third-in' needs populations on all sides", *where)
        made = _pool(document, projection, populations, of, parameters)
        return replace(projection, connect=made, stated=given)
    primary = projections[of.connect["of"].name]
    _require_side(document, projection, "from", projection.source, of.target)
    _require_side(document, projection, "to", projection.target, primary.target)
    if MULTIPLICITY in eqs.parse(projection.equations):
        raise document.error(
            f"rule 'third-out' gives connections the variable '{MULTIPLICITY}': rename this one",
            "projection",
            projection.name,
            "equations",
            needle=MULTIPLICITY,
        )
    if MULTIPLICITY in projection.initial:
        raise document.error(
            f"rule 'third-out' sets '{MULTIPLICITY}'", "projection", projection.name, "initial"
        )
    equations = f"{projection.equations}\n{MULTIPLICITY} : 1 (constant)"
    return replace(
        projection,
        equations=eqs.canonical(equations.strip()),
        connect={"rule": rule, "of": spec.Endpoint(of.name)},
        stated=given,
    )


def _require_side(
    document: Document,
    projection: spec.Projection,
    key: str,
    found: spec.Endpoint,
    wanted: spec.Endpoint,
) -> None:
    if found != wanted:
        raise document.error(
            f"'{key}' = '{found}' is '{wanted}' where a third factor follows other synapses",
            "projection",
            projection.name,
            key,
        )


def _pool(
    document: Document,
    projection: spec.Projection,
    populations: Mapping[str, spec.Population],
    of: spec.Projection,
    parameters: Parameters,
) -> dict[str, Any]:
    """The probability of a pairing, and how many units of the third population a target has to choose from."""
    given, where = projection.connect, ("projection", projection.name, "connect")
    kind = given.get("pool_type", POOLS[0])
    if kind not in POOLS:
        raise document.error(
            f"'pool_type' is {' or '.join(POOLS)}, not '{shown(kind)}'{nearest(kind, POOLS)}",
            *where,
        )
    chance = parameters.amount(given.get("p", "1"), *where, "p")
    if not chance.dimensions.is_dimensionless or not 0 <= chance.si <= 1:
        raise document.error(f"connect p is a probability from 0 to 1, not {given['p']}", *where)
    ends = (of.target, projection.target)
    targets, thirds = (end.size_in(populations[end.name]) for end in ends)
    size = parameters.whole(
        given.get("pool_size", 1 if kind == "block" else thirds), *where, "pool_size"
    )
    if not 1 <= size <= thirds:
        raise document.error(
            f"connect pool_size is from 1 to {thirds}, the units of '{projection.target}', not {size}",
            *where,
        )
    if kind == "block" and targets * size != thirds and (size > 1 or targets % thirds):
        raise document.error(
            f"pools in blocks of {size} need {targets * size} units of '{projection.target}', or, of 1,"
            f" a whole share of the {targets} of '{of.target}', not {thirds}",
            *where,
        )
    return {
        "rule": given["rule"],
        "of": spec.Endpoint(of.name),
        "p": chance.si,
        "pool_size": size,
        "block": kind == "block",
    }
