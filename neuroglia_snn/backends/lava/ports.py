"""A population of a model cut out of it: what arrives there from elsewhere, and what it gives to others."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from neuroglia_snn import spec
from neuroglia_snn.backends.brian import coupling
from neuroglia_snn.catalog import inputs
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.errors import UserError
from neuroglia_snn.language import algebra, couplings, expressions
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.names import made

#: The unit of a count from `laplacian`, as a part of the step of the variable that it is made of.
LAPLACIAN = 24


@dataclass(frozen=True)
class Input:
    """A variable that is filled from outside.

    Attributes
    ----------
    variable : its name in the group, which may be that of a part of it
    adds : whether what arrives is added to what is there
    unit : what a count is worth in the fixed-point model, in SI units
    coupled : the variable whose differences between neighbours it holds, in counts of `laplacian`
    amplitudes : expressions of what stimuli make of it
    """

    variable: str
    adds: bool = False
    unit: float = 1.0
    coupled: str | None = None
    amplitudes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cut:
    """A population by itself.

    Attributes
    ----------
    model : with this population alone
    whole : the model that it is of
    name : of the population
    inputs : by the variable's name in the model file
    gives : what each unit gives to the sum of another population, by the name of its port: the variable that
        holds it, and what it is a whole multiple of, if it is
    """

    model: spec.Model
    whole: spec.Model
    name: str
    inputs: Mapping[str, Input]
    gives: Mapping[str, tuple[str, float | None]]


def cut(
    model: spec.Model, name: str, shape: tuple[int, ...] | None = None, dt: float | None = None
) -> Cut:
    """Cut a population out of a model.

    Raises
    ------
    UserError
        Where there is no such population, or it cannot have that shape.
    """
    if name not in model.populations:
        known = ", ".join(model.populations)
        raise UserError(
            f"{model.name}: no population '{name}'{nearest(name, model.populations)} (has {known})"
        )
    whole = inputs.separate(model.within_run())
    own = whole.populations[name]
    if shape is not None and shape != own.shape:
        _require_any_shape(own, shape)
        own = replace(own, shape=shape)
    if dt is not None:
        own = replace(own, dt=dt)
    arriving = _inputs(whole, own)
    gives = dict(_gives(whole, own))
    lines = [_own(e).code for e in eqs.parse(own.equations).values()]
    lines += [f"{give.variable} : {give.unit}" for give in gives.values()]
    regularly = [r for r in own.regularly if r.stimulus is None]
    regularly += [spec.Regularly(f"{g.variable} = {g.text}", own.dt) for g in gives.values()]
    own = replace(own, equations="\n".join(lines), regularly=tuple(regularly), linked={})
    alone = replace(
        whole,
        dt=own.dt,
        populations={name: own},
        projections={},
        stimuli={},
        records={},
        phases=(),
        experiment={},
    )
    counts = {port: (give.variable, _multiple(whole, give.text)) for port, give in gives.items()}
    return Cut(alone, whole, name, arriving, counts)


def _require_any_shape(own: spec.Population, shape: tuple[int, ...]) -> None:
    given = [n for n, value in own.initial.items() if isinstance(value, spec.Values)]
    if own.spikes is not None:
        given.append("spikes")
    if given:
        raise UserError(
            f"population '{own.name}' has {given[0]} for each of its units, {own.shape}: it cannot have"
            f" the shape {shape}"
        )


def _own(equation: eqs.Equation) -> eqs.Equation:
    """An equation of a variable that is no longer linked to another one."""
    return replace(equation, flags=tuple(flag for flag in equation.flags if flag != "linked"))


# ------------------------------------------------------------------------------------ inputs


def _inputs(model: spec.Model, own: spec.Population) -> dict[str, Input]:
    """What arrives, by the name that it has in the model file."""
    found: dict[str, Input] = {}
    variables = eqs.parse(own.equations)
    stimuli = [s for s in model.stimuli.values() if s.population == own.name]
    for s in stimuli:
        alike = tuple(o.amplitude for o in stimuli if o.variable == s.variable)
        found[_in_the_file(s.variable)] = Input(s.variable, amplitudes=alike)
    for name in own.linked:
        found[name] = Input(name)
    for projection in model.projections.values():
        if projection.target.name == own.name:
            for one in couplings.sums(model, projection):
                found[_free(found, one.variable)] = _of_sum(model, one)
    for name in dict.fromkeys(_added(model, own)):
        equation = variables.get(name)
        if equation is not None and equation.settable:
            found.setdefault(_in_the_file(name), Input(name, adds=True))
    taken = {one.variable for one in found.values()}
    for name, equation in variables.items():
        if name in taken or equation.type != "float" or {"shared", "constant"} & {*equation.flags}:
            continue
        if equation.kind == "differential":
            found.setdefault(_in_the_file(name), Input(name, adds=True))
        elif equation.settable and name not in inputs._targets(inputs._codes(own)):
            found.setdefault(_in_the_file(name), Input(name))
    return found


def _in_the_file(variable: str) -> str:
    return inputs.in_the_files_words(variable)


def _free(found: Mapping[str, Input], variable: str) -> str:
    """The name of a sum's port; a stimulus may add to the same variable."""
    name = _in_the_file(variable)
    return f"{name}_sum" if name in found and found[name].variable != variable else name


def _of_sum(model: spec.Model, one: couplings.Sum) -> Input:
    text = ast.unparse(ast.parse(one.text, mode="eval"))
    if one.projection.rule == "lattice":
        for x in eqs.parse(model.populations[one.projection.source.name].equations):
            if text == f"({x}_pre - {x}_post) / N_incoming":
                return Input(one.variable, coupled=x)
    return Input(one.variable, unit=_multiple(model, one.text) or 1.0)


def _added(model: spec.Model, own: spec.Population) -> Iterator[str]:
    """Variables that the code of synapses writes to, and rates of stimuli."""
    for regular in own.regularly:
        if regular.stimulus is not None:
            yield from (target for target, _, _ in expressions.statements(regular.code))
    for projection in model.projections.values():
        synaptic = eqs.parse(projection.equations)
        for code in (*projection.on_pre.values(), *projection.on_post.values()):
            for target, _, _ in expressions.statements(code):
                bare, _, side = target.rpartition("_")
                if projection.source.name == own.name and side == "pre":
                    yield bare
                if projection.target.name == own.name and target not in synaptic:
                    yield bare if side == "post" else target


# ------------------------------------------------------------------------------------ outputs


@dataclass(frozen=True)
class _Give:
    variable: str
    text: str
    unit: str


def _gives(model: spec.Model, own: spec.Population) -> Iterator[tuple[str, _Give]]:
    """What each unit gives to sums of other populations, where that depends on the unit alone.

    It is worked out at the end of a step for the next one, in which it arrives.
    """
    variables = eqs.parse(own.equations)
    names = {f"{n}_pre": n for n in (*variables, *couplings._OF_UNITS)} | {"t": "(t + dt)"}
    known: dict[str, str] = {}
    for projection in model.projections.values():
        if not projection.source.name == own.name != projection.target.name:
            continue
        for one in couplings.sums(model, projection):
            used = algebra.names(one.text)
            others = {n for n in used if n.endswith("_post")} | {"N_incoming"} & used
            if others or coupling.of_connections(model, one):
                continue
            text = algebra.substituted(one.text, names)
            port = f"s_{_in_the_file(one.variable)}"
            if known.setdefault(port, text) != text:
                port = f"{port}_{projection.name}"
            target = eqs.endpoint_variables(model, projection.target)[one.variable]
            yield port, _Give(made("give", port), text, target.unit)


def _multiple(model: spec.Model, text: str) -> float | None:
    """What the value of an expression is a whole multiple of: the factor of products of conditions."""

    def factor(e: ast.expr) -> float | None:
        match e:
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return 1.0
            case ast.Call(func=ast.Name("int")):
                return 1.0
            case ast.BinOp(op=ast.Mult(), left=left, right=right):
                for a, b in ((left, right), (right, left)):
                    if (whole := factor(a)) is not None and (number := _number(model, b)):
                        return whole * number
                both = factor(left), factor(right)
                return None if None in both else both[0] * both[1]  # type: ignore[operator]
            case ast.BinOp(op=ast.Div(), left=left, right=right):
                whole, number = factor(left), _number(model, right)
                return whole / number if whole and number else None
        return None

    found = factor(ast.parse(text, mode="eval").body)
    return abs(found) if found else None


def _number(model: spec.Model, e: ast.expr) -> float | None:
    """The value of a number or a parameter."""
    match e:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(name) if name in model.parameters:
            return model.parameters[name].value.si
    return None


__all__ = ["LAPLACIAN", "Cut", "Input", "cut"]
