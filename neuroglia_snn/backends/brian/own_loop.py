"""What kernels that do not take a Program yet run (`fused-cuda`, `lava`, `map`); else they refuse.

- any differential equations, subexpressions, thresholds and resets that Brian2 parses;
- several populations, each on a clock that is a whole multiple of the fastest;
- couplings that are sums over named connections: one stencil a population (``lattice`` within it), a
  pooling (``footprint``), a broadcast (``first-footprint``), ``one-to-one`` or ``pairs``;
- stimuli, images, tables, ``regularly``, and records of states, means and events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from neuroglia_snn import algebra, couplings, expressions, spec
from neuroglia_snn import equations as eqs
from neuroglia_snn.backends.brian import coupling
from neuroglia_snn.catalog import inputs

#: Connection rules that reduce to index lists known before the run.
RULES = ("lattice", "footprint", "first-footprint", "one-to-one", "pairs")
#: Names of per-unit values that the loop itself makes.
_TAKEN = re.compile(r"normal(_xi\w*)?|(weight|mask)_\d+|\w+_predicted|\w+_\d+_neighbour|bad|events")
_FLAGS = {"shared", "constant over dt", "unless refractory"}


def reason(model: spec.Model) -> str | None:
    """The first thing in a model that they cannot do, naming its equation; or None."""
    said = _reason(inputs.separate(model))
    return said and inputs.in_the_files_words(said)


def _reason(model: spec.Model) -> str | None:
    fastest = min((p.dt for p in model.populations.values()), default=model.dt)
    for kind in ("parameters", "tables"):
        taken = _taken(getattr(model, kind))
        if taken:
            return f"{kind}: {taken}"
    for population in model.populations.values():
        said = _population(population, set(model.parameters), fastest) or _stencil(
            model, population
        )
        if said:
            return f"population '{population.name}': {said}"
    for projection in model.projections.values():
        said = _projection(model, projection, fastest)
        if said:
            return f"projection '{projection.name}': {said}"
    for record in model.records.values():
        said = _record(model, record, fastest)
        if said:
            return f"record '{record.name}': {said}"
    return None


def _population(population: spec.Population, parameters: set[str], fastest: float) -> str | None:
    if not _multiple(population.dt, fastest):
        return f"its dt is no whole multiple of the fastest, {fastest * 1e3:g} ms"
    if population.refractory:
        return f"a refractory period ('{population.refractory}')"
    if population.events:
        return f"the custom event '{next(iter(population.events))}'"
    own = eqs.parse(population.equations)
    taken = _taken(own)
    if taken:
        return taken
    noises = eqs.noises(own)
    if len(noises) > 1:
        return f"{len(noises)} noises ({', '.join(noises)}), where it makes one for each unit"
    for equation in own.values():
        flags = _FLAGS & set(equation.flags)
        if flags:
            return f"the flag '{flags.pop()}' of {equation.label}"
    fixed = parameters | eqs.RESERVED
    for written in (population.reset, *(entry.code for entry in population.regularly)):
        for target, operator, text in expressions.statements(written or ""):
            if target in fixed:
                return f"'{target} {operator} {text}' sets '{target}', which a run does not change"
    for entry in population.regularly:
        if not _multiple(entry.dt, fastest):
            return f"regularly '{entry.code.strip()}' is not on the clock of {fastest * 1e3:g} ms"
    lines = [(e.code, e.expression or "0") for e in own.values()]
    code = [population.threshold, population.reset, *(r.code for r in population.regularly)]
    lines += [(line, line) for text in code for line in (text or "").splitlines()]
    return _random(lines)


def _taken(names: Iterable[str]) -> str | None:
    name = next((n for n in names if _TAKEN.fullmatch(n)), None)
    if name is None:
        return None
    return f"the name '{name}' is one that our kernels give to a value of their own: rename it"


def _within(population: spec.Population, within: list[couplings.Sum]) -> str | None:
    """What makes sums that are recomputed within a step more than one stencil."""
    own = eqs.parse(population.equations)
    names = list(dict.fromkeys(one.projection.name for one in within))
    for one in within:
        rule = one.projection.connect["rule"]
        if rule != "lattice":
            return f"'{one.projection.name}' couples it to itself by '{rule}' within a step"
        for name in sorted(algebra.names(one.text)):
            source = own.get(name.removesuffix("_pre")) if name.endswith("_pre") else None
            if source and source.kind != "differential" and "constant" not in source.flags:
                return (
                    f"{one.variable}_post of projection '{one.projection.name}' reads '{name}' within a"
                    f" step, which is neither differential nor flagged '(constant)'"
                )
    if len(names) > 1:
        return f"it has {len(names)} lattice couplings, {' and '.join(names)}"
    return None


def _stencil(model: spec.Model, population: spec.Population) -> str | None:
    """What a coupling that is recomputed within a step does not allow."""
    own = eqs.parse(population.equations)
    within = couplings.recomputed(model, population.name)
    said = _within(population, within)
    if said:
        return said
    inputs = couplings.inputs(within)
    code: dict[str, str | None] = {
        f"the threshold '{population.threshold}'": population.threshold,
        f"the reset '{' '.join((population.reset or '').split())}'": population.reset,
        **{f"regularly '{r.code.strip()}'": r.code for r in population.regularly},
    }
    for one in couplings.all_sums(model):
        read = algebra.names(one.text)
        ends = {"pre": one.projection.source.name, "post": one.projection.target.name}
        sides = [
            f"{n}_{side}" for n in inputs for side, end in ends.items() if end == population.name
        ]
        for name in read.intersection(sides):
            where = f"{one.variable}_post of projection '{one.projection.name}'"
            code[where] = name.rpartition("_")[0]
    for record in model.records.values():
        if record.population == population.name:
            for variable in record.variables:
                code[f"'{variable}' in record '{record.name}'"] = variable
    for where, written in code.items():
        missing = eqs.reads(own, written or "") & inputs
        if missing:
            return f"{where} reads '{min(missing)}', which exists only within a step"
    return None


def _random(lines: Iterable[tuple[str, str]]) -> str | None:
    """The first of these lines, each with its code, that draws random numbers."""
    for line, code in lines:
        drawn = expressions.RANDOM & algebra.names(code)
        if drawn:
            return f"'{line}' draws {min(drawn)}() in every step"
    return None


def _projection(model: spec.Model, projection: spec.Projection, fastest: float) -> str | None:
    if projection.on_pre or projection.on_post:
        code = next(iter((projection.on_pre or projection.on_post).values()))
        return f"event-driven code '{code.strip().splitlines()[0]}'"
    for endpoint in (projection.source, projection.target):
        if endpoint.name not in model.populations:
            return f"it connects the synapses of '{endpoint.name}'"
        if endpoint.start is not None:
            return f"it connects a part, {endpoint}"
    rule = projection.connect["rule"]
    if rule not in RULES:
        return f"connections by '{rule}' (not {', '.join(RULES)})"
    if not _multiple(projection.dt, fastest):
        return f"its dt is no whole multiple of the fastest, {fastest * 1e3:g} ms"
    for equation in eqs.parse(projection.equations).values():
        if equation.kind != "subexpression":
            return f"{equation.label} is a variable of every synapse"
    sides = ((projection.source.name, "_pre"), (projection.target.name, "_post"))
    stimulated = {
        f"{s.variable}{end}": s.name
        for s in model.stimuli.values()
        for name, end in sides
        if s.population == name
    }
    for one in couplings.sums(model, projection):
        strange = coupling.of_connections(model, one)
        if strange:
            return f"{one.variable}_post uses '{min(strange)}'"
        for read in sorted(algebra.names(one.text) & stimulated.keys()):
            return f"{one.variable}_post reads '{read}', which stimulus '{stimulated[read]}' fills"
    return None


def _record(model: spec.Model, record: spec.Record, fastest: float) -> str | None:
    if record.events:
        return f"'{record.variables[0]}' at each event" if record.variables else None
    if not _multiple(record.every, fastest):
        return f"its interval is no whole multiple of {fastest * 1e3:g} ms"
    return None


def _multiple(interval: float, fastest: float) -> bool:
    count = interval / fastest
    return abs(count - round(count)) < 1e-6 and round(count) >= 1
