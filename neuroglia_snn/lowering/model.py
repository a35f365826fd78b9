"""A model as a `Program`: the same equations that the other backends run, as plain operations."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import sympy
from brian2.units.allunits import second

from neuroglia_snn import algebra, couplings, expressions, geometry, spec, stages
from neuroglia_snn import equations as eqs
from neuroglia_snn.backends.base import blank_images
from neuroglia_snn.backends.brian import own_loop, symbolic
from neuroglia_snn.catalog.inputs import in_the_files_words, separate
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.lowering.arithmetic import Builder, added, scaled
from neuroglia_snn.lowering.operations import (
    Block,
    Coupling,
    Population,
    Program,
    Stencil,
    Stimulated,
    Sum,
    by_name,
)
from neuroglia_snn.quantities import as_expression

#: Schemes with a lowering.
SCHEMES = ("heun", "euler-maruyama", "euler")
#: Most units of a population: each has its place in a core's memory.
MAX_UNITS = 4_000_000
#: Largest common denominator of a stencil's weights.
MAX_DENOMINATOR = 1000


def reason(model: spec.Model) -> str | None:
    """Why a model has no lowering, naming its equation; None where it has."""
    said = own_loop.reason(model)
    if said:
        return said
    try:
        lower(model, blank_images(model))
    except BackendError as error:
        return in_the_files_words(str(error))
    return None


def lower(model: spec.Model, images: Mapping[str, np.ndarray]) -> Program:
    """Lower a model; parameter values become part of the program.

    Parameters
    ----------
    model : spec.Model
    images : bool arrays by name, as a `Request` has them

    Raises
    ------
    BackendError
        For an equation that the operations cannot express.
    """
    said = own_loop.reason(model)
    if said:
        raise BackendError(said)
    model = separate(model)
    base = min(p.dt for p in model.populations.values())
    populations = {p.name: _population(model, p, base, images) for p in model.populations.values()}
    held = by_name(_held(model, one, base) for one in couplings.held(model))
    _require_one_exchange(held)
    return Program(model.name, base, spec.steps(model.duration, base), populations, held)


def _require_one_exchange(held: Mapping[str, Coupling]) -> None:
    """All couplings of a step are given before any is taken, as messages are."""
    filled: set[tuple[str, str]] = set()
    for made in held.values():
        for variable in made.give.reads():
            if (made.source, variable) in filled:
                raise BackendError(
                    f"coupling '{made.name}' reads '{variable}', which another coupling fills in the"
                    " same step"
                )
        filled.add((made.target, made.variable))


class _Scope:
    """What the names of one population mean."""

    def __init__(self, model: spec.Model, population: spec.Population):
        self.own = eqs.parse(population.equations)
        self.constants = {n: p.value.si for n, p in model.parameters.items()}
        self.constants["dt"] = population.dt
        self.definitions = {
            n: str(e.expression) for n, e in self.own.items() if e.kind == "subexpression"
        }
        self.plain = {n: n for n, e in self.own.items() if e.kind != "subexpression"} | {"t": "t"}

    def builder(self, renamed: Mapping[str, str] | None = None) -> Builder:
        """A builder for a block in which some variables are read under other names."""
        return Builder(self.constants, self.definitions, self.plain | dict(renamed or {}))


def _population(
    model: spec.Model, population: spec.Population, base: float, images: Mapping[str, np.ndarray]
) -> Population:
    name = population.name
    if population.size > MAX_UNITS:
        raise BackendError(
            f"population '{name}' has {population.size} units, and up to {MAX_UNITS} are lowered"
        )
    scope = _Scope(model, population)
    if population.regularly:
        code = population.regularly[0].code.strip()
        raise BackendError(f"population '{name}': the regular code '{code}' has no lowering")
    state = tuple(n for n, e in scope.own.items() if e.kind == "differential")
    if state and population.integrator not in SCHEMES:
        known = ", ".join(SCHEMES)
        raise BackendError(
            f"population '{name}': the scheme '{population.integrator}' has no lowering (not {known})"
        )
    try:
        predict, correct, normal = _step(model, population, scope, state)
        fire, event = _fire(population, scope)
    except BackendError as error:
        raise BackendError(f"population '{name}': {error}") from None
    stimulated = _stimulated(model, population, scope, images)
    stencils = couplings.inputs(couplings.recomputed(model, name))
    held = couplings.inputs(s for s in couplings.held(model) if s.projection.target.name == name)
    return Population(
        name=name,
        shape=tuple(population.shape),
        period=round(population.dt / base),
        dt=population.dt,
        state=state,
        initial=_initial(population, scope, stencils | {s.variable for s in stimulated}),
        times=frozenset(
            {n for n, e in scope.own.items() if e.dimensions is second.dim} | {"t", "t_later_"}
        ),
        predict=predict,
        correct=correct,
        fire=fire,
        noise=normal,
        stream=eqs.noise_stream(name, next(iter(eqs.noises(scope.own)), "xi")),
        stimulated=stimulated,
        inputs=tuple(sorted(held)),
        event=event,
    )


def _initial(
    population: spec.Population, scope: _Scope, without: set[str]
) -> dict[str, np.ndarray]:
    values: dict[str, np.ndarray] = {}
    for name, equation in scope.own.items():
        if equation.kind == "subexpression" or name in without:
            continue
        given = population.initial.get(name, "0")
        if isinstance(given, spec.Values):
            values[name] = given.flat.copy()
            continue
        text = as_expression(given)
        used = algebra.names(text)
        if used & expressions.RANDOM:
            raise BackendError(
                f"population '{population.name}': the initial {name} = '{text}' draws random numbers"
            )
        if used & set(scope.own):
            raise BackendError(
                f"population '{population.name}': the initial {name} = '{text}' reads a variable"
            )
        units = {"i": np.arange(population.size) * 1.0, "N": float(population.size), "t": 0.0}
        found = expressions.of_arrays(text, {**scope.constants, **units})
        if found is None:
            raise BackendError(
                f"population '{population.name}': the initial {name} = '{text}' has no lowering"
            )
        values[name] = np.broadcast_to(np.asarray(found, float), population.size).copy()
    return values


# ------------------------------------------------------------------------ the scheme


def _step(
    model: spec.Model, population: spec.Population, scope: _Scope, state: tuple[str, ...]
) -> tuple[Block, Block, str | None]:
    """The stages of a step, and the name of the normal number that they read."""
    if not state:
        return Block(), Block(), None
    terms = {n: _terms(scope.own[n]) for n in state}
    noises = {xi for term in terms.values() for xi in term.diffusion}
    if len(noises) > 1:
        raise BackendError("several independent noises in a population have no lowering")
    inputs = couplings.inputs(couplings.recomputed(model, population.name))
    heun = population.integrator == "heun"
    first = scope.builder()
    _stencils(model, population, scope, first, {})
    later = {n: stages.predicted(n) for n in (*state, *inputs)} | {"t": "t_later_"}
    later |= {s.variable: f"{s.variable}_later_" for s in _stimuli(model, population)}
    second_stage = scope.builder(later)
    if heun:
        _stencils(model, population, scope, second_stage, later)
    assign, corrected = {}, {}
    for x in state:
        out = stages.predicted(x)
        first.value(added(Sum(((x, 1.0),)), _increment(first, terms[x], population.dt)), out)
        if not heun:
            assign[x] = out
            continue
        half = Sum(((x, 0.5), (out, 0.5)))
        increment = scaled(_increment(second_stage, terms[x], population.dt), 0.5)
        second_stage.value(added(half, increment), f"{x}_new_")
        corrected[x] = f"{x}_new_"
    predict = Block(tuple(first.operations), assign)
    correct = Block(tuple(second_stage.operations), corrected) if heun else Block()
    return predict, correct, "normal" if noises else None


def _stimuli(model: spec.Model, population: spec.Population) -> list[spec.Stimulus]:
    return [s for s in model.stimuli.values() if s.population == population.name]


def _terms(equation: eqs.Equation) -> stages.Terms:
    return stages.split(equation.name, equation.expression or "0")


def _increment(builder: Builder, term: stages.Terms, dt: float) -> Sum:
    total = scaled(builder.sum(term.drift), dt)
    for factor in term.diffusion.values():
        normal = Sum((("normal", math.sqrt(dt)),))
        total = added(total, builder.product(builder.sum(factor), normal))
    return total


def _fire(population: spec.Population, scope: _Scope) -> tuple[Block, str | None]:
    """Threshold and reset; what the reset has written is read so by what follows.

    Its local variables are values of the block, which nothing keeps.
    """
    if not population.threshold:
        return Block(), None
    builder = scope.builder()
    condition = builder.value(builder.condition(expressions.parse(population.threshold).body))
    written: dict[str, str] = {}
    for target, operator, text in expressions.statements(population.reset or ""):
        if operator != "=":
            text = f"{target} {operator[0]} ({text})"
        inner = scope.builder(written)
        inner.operations = builder.operations
        then = inner.sum(text)
        out = f"{target}_reset_{len(builder.operations)}_"
        if target in scope.own:
            inner.select(condition, then, written.get(target, target), out)
        else:
            inner.value(then, out)
        written[target] = out
    assign = {name: value for name, value in written.items() if name in scope.own}
    return Block(tuple(builder.operations), assign), condition


# ------------------------------------------------------------------------ stimuli


def _stimulated(
    model: spec.Model,
    population: spec.Population,
    scope: _Scope,
    images: Mapping[str, np.ndarray],
) -> tuple[Stimulated, ...]:
    result = []
    stimuli = _stimuli(model, population)
    for variable in dict.fromkeys(s.variable for s in stimuli):
        values: list[np.ndarray] = []
        windows: list[tuple[int, int, int, int]] = []
        for s in stimuli:
            if s.variable != variable:
                continue
            amplitude = scope.builder().sum(s.amplitude)
            if amplitude.terms:
                raise BackendError(
                    f"stimulus '{s.name}': the amplitude '{s.amplitude}' is not constant"
                )
            where = images[s.image].astype(float).ravel() if s.image else np.ones(population.size)
            values.append(amplitude.constant * where)
            start, duration, period = (round(t * 1e9) for t in (s.start, s.duration, s.period))
            windows.append((start, duration, period, s.count))
        result.append(Stimulated(variable, tuple(values), tuple(windows)))
    return tuple(result)


# ------------------------------------------------------------------------ couplings


def _stencils(
    model: spec.Model,
    population: spec.Population,
    scope: _Scope,
    builder: Builder,
    renamed: Mapping[str, str],
) -> None:
    """Sums over the neighbours within a step."""
    for one in couplings.recomputed(model, population.name):
        count = one.projection.connect.get("neighbours", 4)
        if count != 4:
            raise BackendError(
                f"'{one.projection.name}' couples {count} neighbours; only 4 are lowered"
            )
        neighbours = (geometry.lattice_neighbours(population.shape, count) >= 0).sum(axis=0)
        variable, pre, post = _weights(one, neighbours, scope)
        whole, denominator = _whole(np.stack([pre, post]), one)
        builder.operations.append(
            Stencil(
                renamed.get(one.variable, one.variable),
                renamed.get(variable, variable),
                (population.shape[0], population.shape[1]),
                whole[0],
                whole[1],
                denominator,
            )
        )


def _weights(
    one: couplings.Sum, neighbours: np.ndarray, scope: _Scope
) -> tuple[str, np.ndarray, np.ndarray]:
    """The variable of a coupling that is linear in it, and the weights of neighbours and of itself."""
    no_weights = BackendError(f"the lattice coupling {one} is not linear in one variable")
    whole = symbolic.parsed(one.text)
    if whole is None:
        raise no_weights
    symbols = {s.name: s for s in whole.free_symbols}
    variables = {n[:-4] for n in symbols if n.endswith("_pre")} | {
        n[:-5] for n in symbols if n.endswith("_post")
    }
    slopes = [
        whole.diff(symbols[n]) if n in symbols else sympy.Integer(0)
        for n in (f"{v}{end}" for v in variables for end in ("_pre", "_post"))
    ]
    known = {symbols[n]: v for n, v in scope.constants.items() if n in symbols}
    rest = whole.subs({symbols[n]: 0 for n in symbols if re.search(r"_(pre|post)$", n)})
    constant = all(s.free_symbols <= {symbols.get("N_incoming"), *known} for s in slopes)
    if len(variables) != 1 or not constant or rest.subs(known) != 0:
        raise no_weights
    count = symbols.get("N_incoming", sympy.Symbol("N_incoming"))
    exact = [[slope.subs(known).subs(count, max(n, 1)) for n in range(9)] for slope in slopes]
    if not all(value.is_finite and value.is_real for values in exact for value in values):
        raise no_weights
    pre, post = (np.array(values, float)[neighbours] for values in exact)
    return variables.pop(), pre, post * neighbours


def _whole(weights: np.ndarray, one: couplings.Sum) -> tuple[np.ndarray, int]:
    """Weights as whole numbers over a common denominator."""
    found = {Fraction(float(w)).limit_denominator(MAX_DENOMINATOR) for w in np.unique(weights)}
    denominator = math.lcm(*(f.denominator for f in found))
    whole = np.rint(weights * denominator)
    if denominator > MAX_DENOMINATOR or not np.allclose(whole, weights * denominator, atol=1e-9):
        raise BackendError(f"the weights of {one} have no small common denominator")
    return whole.astype(np.int64), denominator


def _held(model: spec.Model, one: couplings.Sum, base: float) -> Coupling:
    """A sum that is held over a step."""
    projection, text = one.projection, one.text
    source = model.populations[projection.source.name]
    target = model.populations[projection.target.name]
    sources, targets = _pairs(projection, source, target)
    counts = np.unique(np.bincount(targets, minlength=target.size))
    used = algebra.names(text)
    if "N_incoming" in used and counts.size > 1:
        raise BackendError(
            f"projection '{projection.name}': {one} reads N_incoming, which differs between units"
        )
    if any(name.endswith("_post") for name in used):
        raise BackendError(f"projection '{projection.name}': {one} reads its target")
    names = {n: n.removesuffix("_pre") for n in used} | {"N_incoming": str(max(counts[0], 1))}
    builder = _Scope(model, source).builder()
    try:
        total = builder.sum(algebra.substituted(text, names))
    except UserError as error:
        raise BackendError(f"projection '{projection.name}': {error}") from None
    return Coupling(
        term=builder.value(total, "term_"),
        name=f"{projection.name}_{one.variable}",
        source=source.name,
        target=target.name,
        variable=one.variable,
        period=round(projection.dt / base),
        dt=projection.dt,
        give=Block(tuple(builder.operations)),
        source_size=source.size,
        sources=sources,
        targets=targets,
        weights=np.ones(sources.size, np.int64),
    )


def _pairs(
    projection: spec.Projection, source: spec.Population, target: spec.Population
) -> tuple[np.ndarray, np.ndarray]:
    connect = projection.connect
    match connect["rule"]:
        case "footprint":
            return geometry.footprint_pairs(
                source.shape, target.shape, connect["size"], connect["step"]
            )
        case "first-footprint":
            first = geometry.first_footprint(
                target.shape, source.shape, connect["size"], connect["step"]
            )
            return first[first >= 0], np.flatnonzero(first >= 0)
        case "one-to-one":
            return np.arange(source.size), np.arange(source.size)
        case "pairs":
            pairs = np.array(connect["pairs"], int).reshape(-1, 2)
            return pairs[:, 0], pairs[:, 1]
        case "lattice":
            index = geometry.lattice_neighbours(source.shape, connect.get("neighbours", 4))
            slot, unit = np.nonzero(index >= 0)
            return index[slot, unit], unit
    raise BackendError(f"projection '{projection.name}': connections by '{connect['rule']}'")
