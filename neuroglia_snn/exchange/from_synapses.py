"""Synapses of a Brian2 network as projections."""

from __future__ import annotations

import ast
from typing import Any

import brian2
import numpy as np
from brian2.groups.group import CodeRunner
from brian2.synapses.synapses import (
    StateUpdater as SynapticStateUpdater,
)
from brian2.synapses.synapses import (
    SummedVariableUpdater,
    SynapticPathway,
)
from brian2.utils.stringtools import get_identifiers

from neuroglia_snn.catalog import connections
from neuroglia_snn.catalog.toml import Inline
from neuroglia_snn.exchange import methods, text, wiring
from neuroglia_snn.exchange.reading import (
    Reader,
    owner_of,
    plain,
    time,
    unchanged,
)
from neuroglia_snn.language import algebra
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.names import refusal

#: Pairs that stand in the model file itself.
MAX_PAIRS = 50


def projection(reader: Reader, synapses: Any) -> dict[str, Any]:
    """The table of synapses."""
    own = [*synapses.equations.values()]
    own += [
        e
        for e in (synapses.event_driven.values() if synapses.event_driven else [])
        if e.type == "differential equation"
    ]
    clock = _turns(reader, synapses, own)
    table: dict[str, Any] = {
        "from": _endpoint(reader, synapses.source),
        "to": _endpoint(reader, synapses.target),
    }
    equations = reader.equations(synapses, own, set())
    sums = [
        f"{n} = {reader.code(synapses, ' '.join(u.expression.code.split()))} :"
        f" {text.base_unit(u.target_var.dim)} (summed)"
        for n, u in synapses.summed_updaters.items()
        if not _is_again(reader, u)
    ]
    if equations or sums:
        table["equations"] = "\n".join([*([equations] if equations else []), *sums])
    scheme = reader.scheme(synapses, synapses.equations)
    if scheme:
        table["integrator"] = scheme.name
    if clock is not None and clock != float(owner_of(synapses.target).clock.dt):
        table["dt"] = time(clock)
    table |= _pathways(reader, synapses)
    settable = [e for e in own if e.type != "subexpression"]
    initial = reader.initial(synapses, settable)
    delays = _delays(reader, synapses)
    if delays:
        table["delay"] = Inline(delays)
    values = (*initial.values(), *delays.values())
    arrays = any(isinstance(v, dict) for v in values)
    table["connect"] = _connect(reader, synapses, arrays)
    if synapses.multisynaptic_index is not None:
        reader.refuse(f"'{synapses.name}'", "a multisynaptic index")
    return table | ({"initial": initial} if initial else {})


def _endpoint(reader: Reader, side: Any) -> str:
    owner = owner_of(side)
    name = reader.names.get(owner.name, owner.name)
    if side is owner:
        return name
    if not hasattr(side, "start") or len(side) != side.stop - side.start:
        reader.refuse(f"'{side.name}'", "a part of a group that is not one range of it")
        return name
    return f"{name}[{side.start}:{side.stop}]"


def _is_again(reader: Reader, updater: Any) -> bool:
    """Whether a sum is one of predicted states, which our scheme takes by itself."""
    name = updater.target_varname.removesuffix("_post")
    owner = owner_of(updater.target)
    in_parts = owner in reader.groups and methods.is_two_parts(owner.method_choice)
    return in_parts and name.endswith("_predicted")


def _turns(reader: Reader, synapses: Any, own: list[Any]) -> float | None:
    """Refuse what stands elsewhere in the schedule; gives the step of what is on a clock of the synapses."""
    clocks = set()
    for one in synapses.contained_objects:
        label = f"'{one.name}'"
        if isinstance(one, SynapticPathway):
            order = -1 if one.prepost == "pre" else 1
            if (one.when, one.order) != ("synapses", order) or not one.active:
                reader.refuse(label, "another turn of a pathway in a time step")
        elif isinstance(one, SummedVariableUpdater):
            clocks.add(float(one.clock.dt))
            if not _is_again(reader, one) and (
                one.when != "groups" or not _sum_in_turn(reader, one)
            ):
                reader.refuse(label, "another turn of a sum in a time step")
        elif type(one) is CodeRunner:
            reader.refuse(label, "what synapses do by run_regularly")
        elif isinstance(one, SynapticStateUpdater):
            clocks.add(float(one.clock.dt))
            if (one.when, one.order) != ("groups", 0):
                reader.refuse(label, "another turn in a time step than 'groups', order 0")
    named = get_identifiers(" ".join(str(e.expr.code) for e in own if e.expr))
    named |= get_identifiers(" ".join(str(p.code) for p in synapses._pathways))
    if {"t", "dt", "t_in_timesteps"} & named:
        clocks.add(float(synapses.clock.dt))
    if len(clocks) > 1:
        reader.refuse(f"'{synapses.name}'", "sums and equations on different clocks")
    return next(iter(clocks), None)


def _sum_in_turn(reader: Reader, updater: Any) -> bool:
    """Whether a sum takes its turn by the names of projections and variables."""
    every = [
        (u.order, u.name, (reader.names[s.name], n))
        for s in reader.synapses
        for n, u in s.summed_updaters.items()
        if not _is_again(reader, u)
    ]
    turns = [place for _, _, place in sorted(every)]
    return updater.order < 0 and turns == sorted(turns)


def _pathways(reader: Reader, synapses: Any) -> dict[str, Any]:
    table: dict[str, Any] = {}
    events: dict[str, str] = {}
    for side in ("pre", "post"):
        found = [one for one in synapses._pathways if one.prepost == side]
        codes = {plain(one.objname): reader.code(synapses, one.code) for one in found}
        if len(codes) < len(found):
            reader.refuse(f"'{synapses.name}'", "pathways of these names")
        if list(codes) == [side]:
            table[f"on_{side}"] = codes[side]
        elif codes:
            table[f"on_{side}"] = codes
        events |= {plain(one.objname): one.event for one in found if one.event != "spike"}
    if events:
        table["on_event"] = Inline(events)
    return table


def _delays(reader: Reader, synapses: Any) -> dict[str, Any]:
    delays = {}
    for one in synapses._pathways:
        key = f"{reader.names[synapses.name]}.delay.{plain(one.objname)}"
        value = reader.value(one, one.variables["delay"], None, key)
        if value is not None:
            delays[plain(one.objname)] = value
    return delays


def _connect(reader: Reader, synapses: Any, arrays: bool) -> dict[str, Any]:
    """The rule that a script gave if it is one of ours, else the pairs, or a rule that makes them."""
    i, j = np.asarray(synapses.i[:]), np.asarray(synapses.j[:])
    if not len(i):
        reader.refuse(f"'{synapses.name}'", "synapses that connect nothing")
        return {"rule": "all"}
    calls = reader.captured.log.connected.get(synapses.name, [])
    if not arrays and len(calls) == 1:
        rule = _by_condition(reader, synapses, calls[0]) or _by_sample(reader, synapses, calls[0])
        if rule is not None:
            return rule
    recorded = any(  # by their numbers, which go by the order
        isinstance(one, brian2.StateMonitor) and one.source is synapses for one in reader.objects
    )
    sides = [owner_of(synapses.source), owner_of(synapses.target)]
    whole = all(isinstance(s, brian2.NeuronGroup) for s in sides)
    sizes = (len(synapses.source), len(synapses.target))
    if whole and not arrays and not recorded:
        same = synapses.source is synapses.target or synapses.source == synapses.target
        rule, shape = wiring.recognised(i, j, sizes, same and sides[0] is synapses.source)
        known = reader.shapes.get(sides[0].name, shape)
        if rule is not None and (shape is None or shape == known):
            if shape is not None:
                reader.shapes[sides[0].name] = shape
            return Inline(rule)
    if len(i) <= MAX_PAIRS:
        return Inline(rule="pairs", pairs=np.stack([i, j], 1).tolist())
    name = reader.names[synapses.name]
    keys = {"i": f"{name}.i", "j": f"{name}.j"}
    reader.made.arrays |= {keys["i"]: i.astype(np.int32), keys["j"]: j.astype(np.int32)}
    return Inline(rule="pairs", file=reader.data, **keys)


def _by_condition(reader: Reader, synapses: Any, call: Any) -> dict[str, Any] | None:
    given, external = call.arguments, call.external
    by_index = given["i"] is not None or given["j"] is not None or given["skip_if_invalid"]
    if by_index or not unchanged(call.read):
        return None
    condition = given["condition"]
    rule: dict[str, Any] = {"rule": "condition"}
    if condition not in (None, True, "True"):
        rule["condition"] = reader.code(synapses, condition, external)
    for key in ("p", "n"):
        value = given[key]
        if isinstance(value, str):
            rule[key] = reader.code(synapses, value, external)
        elif value != 1:
            rule[key] = float(value) if key == "p" else int(value)
    return Inline(rule) if len(rule) > 1 else Inline(rule="all")


def _by_sample(reader: Reader, synapses: Any, call: Any) -> dict[str, Any] | None:
    """A generator that draws units, from numbers and sizes alone, in the script's words."""
    given, external = call.arguments, call.external
    chosen, other = ("i", "j") if given["j"] is None else ("j", "i")
    alone = given[other] is None and given["condition"] is None and given["p"] == given["n"] == 1
    if not (isinstance(given[chosen], str) and alone and unchanged(call.read)):
        return None
    found = connections.parsed(given[chosen])
    if found is None:
        return None
    variable, iterator, parts = found
    if iterator != "sample" or variable in external or refusal(variable):
        return None
    known = {variable, other, "N_pre", "N_post", *external}
    if any(algebra.names(ast.unparse(part)) - known for part in parts.values()):
        return None
    texts = {key: ast.unparse(part) for key, part in parts.items()}
    for key in texts.keys() & {*eqs.GENERATED}:  # parameters of a file are no integers
        if algebra.names(texts[key]) & {*external} and not _is_int(parts[key]):
            texts[key] = f"int({texts[key]})"
    generator = eqs.generator({"iterator": (variable, iterator, chosen), **texts})
    return Inline({"rule": "generator", chosen: reader.code(synapses, generator, external)})


def _is_int(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "int"
