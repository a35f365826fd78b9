"""What the fused backend runs, in one place; everything else is refused before a build.

- any differential equations, subexpressions, thresholds and resets that Brian2 parses;
- several populations, each on a clock that is a whole multiple of the fastest;
- couplings that are sums over named connections: a stencil (``lattice`` within a population), a
  pooling (``footprint``), a broadcast (``first-footprint``), ``one-to-one`` or ``pairs``;
- stimuli, images, tables, ``regularly``, and records of states, means and events.
"""

from __future__ import annotations

import re

from neuroglia_snn import equations as eqs
from neuroglia_snn import expressions, spec
from neuroglia_snn.backends.brian import coupling

#: Connection rules that reduce to index lists known before the run.
RULES = ("lattice", "footprint", "first-footprint", "one-to-one", "pairs")
_RANDOM = {"rand", "randn", "poisson"}
_FLAGS = {"shared", "constant over dt", "unless refractory", "linked"}


def reason(model: spec.Model) -> str | None:
    """The first thing in a model that the fused loop cannot do, naming its equation; or None."""
    fastest = min((p.dt for p in model.populations.values()), default=model.dt)
    for population in model.populations.values():
        said = _population(population, fastest)
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


def _population(population: spec.Population, fastest: float) -> str | None:
    if not _multiple(population.dt, fastest):
        return f"its dt is no whole multiple of the fastest, {fastest * 1e3:g} ms"
    if population.refractory:
        return f"a refractory period ('{population.refractory}')"
    if population.events:
        return f"the custom event '{next(iter(population.events))}'"
    for equation in eqs.parse(population.equations).values():
        flags = _FLAGS & set(equation.flags)
        if flags:
            return f"the flag '{flags.pop()}' of {equation.label}"
    code = [population.equations, population.threshold, population.reset]
    code += [entry.code for entry in population.regularly]
    for entry in population.regularly:
        if not _multiple(entry.dt, fastest):
            return f"regularly '{entry.code.strip()}' is not on the clock of {fastest * 1e3:g} ms"
    return _random([text for text in code if text])


def _random(texts: list[str]) -> str | None:
    for text in texts:
        for line in text.splitlines():
            drawn = _RANDOM & set(re.findall(r"\w+", line.split("#", 1)[0]))
            if drawn:
                return f"'{line.strip()}' draws {drawn.pop()}() in every step"
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
    source = eqs.parse(model.populations[projection.source.name].equations)
    for name, text in coupling.inlined(projection, source).items():
        strange = expressions.names(text) & coupling.SYNAPTIC
        if strange:
            return f"{name} uses '{strange.pop()}'"
    return None


def _record(model: spec.Model, record: spec.Record, fastest: float) -> str | None:
    if record.events:
        return None
    if not _multiple(record.every, fastest):
        return f"its interval is no whole multiple of {fastest * 1e3:g} ms"
    inputs = coupling.recomputed_inputs(model, record.population) & set(record.variables)
    if inputs:
        return f"'{inputs.pop()}' exists only within a step"
    return None


def _multiple(interval: float, fastest: float) -> bool:
    count = interval / fastest
    return abs(count - round(count)) < 1e-6 and round(count) >= 1
