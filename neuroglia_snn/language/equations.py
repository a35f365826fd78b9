"""Brian2 equations of a population or projection, and every symbol that may stand in them.

The only module that builds Brian2's `Equations`.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from brian2.core.functions import Function
from brian2.core.variables import Variable
from brian2.equations.codestrings import CodeString, Expression
from brian2.equations.equations import (
    BOOLEAN,
    DIFFERENTIAL_EQUATION,
    FLOAT,
    INTEGER,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
)
from brian2.units.allunits import second
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension, get_unit

from neuroglia_snn import experiments, noise, spec
from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language.names import made, refusal
from neuroglia_snn.language.quantities import (
    UNITS,
    as_expression,
    canonical_unit,
    parse_quantity,
    parse_unit,
)

#: Names with a meaning of their own; no variable or parameter may take them.
RESERVED = {"t", "dt", "i", "j", "N", "xi", "t_in_timesteps", "lastspike", "not_refractory"}
RESERVED |= {"lastupdate", "N_incoming", "N_outgoing", "N_pre", "N_post", "i_pre", "i_post"}
#: What a population with noise has for Brian2: its seed, and the places of its units in the noise.
NOISE_SEED, NOISE_PLACE = made("seed"), made("place")


def taken(name: str) -> str | None:
    """What a name means already, so that no variable or parameter may take it; else None."""
    if name in UNITS:
        return "a unit"
    if name in expressions.FUNCTIONS or name in expressions.CONSTANTS:
        return "a function or constant"
    if name in RESERVED or name.startswith("xi_"):
        return "reserved"
    return refusal(name)


class EquationError(UserError):
    """One equation is wrong; ``name`` is the variable on its left-hand side."""

    def __init__(self, name: str, message: str):
        super().__init__(message)
        self.name = name


_STATEMENT = re.compile(
    r"(?:d(?P<diff>\w+)\s*/\s*dt|(?P<name>\w+))\s*(?:=(?P<expr>[^:]*))?:(?P<unit>[^()]*(?:\([^()]*\)[^()]*)*?)"
    r"(?:\((?P<flags>[a-z][a-z ,-]*)\))?\s*",
    re.ASCII | re.DOTALL,
)
_LEFT = re.compile(r"(?:d([A-Za-z_]\w*)\s*/\s*dt|([A-Za-z_]\w*))\s*(?:=(?!=)|:)", re.ASCII)
_BEGINS = re.compile(r"(?:d[A-Za-z]\w*\s*/\s*dt|[A-Za-z]\w*)\s*=(?!=)", re.ASCII)
_FLAGS = {"constant", "shared", "summed", "event-driven", "clock-driven"}
_FLAGS |= {"unless refractory", "constant over dt", "linked"}


@dataclass(frozen=True)
class Equation:
    """One statement, written anew: ``kind`` is "differential", "subexpression" or "parameter"."""

    name: str
    kind: str
    expression: str | None
    dimensions: Dimension
    type: str
    flags: tuple[str, ...]
    unit: str

    @property
    def label(self) -> str:
        """Left-hand side as written."""
        return f"d{self.name}/dt" if self.kind == "differential" else self.name

    @property
    def noise_terms(self) -> set[str]:
        """Names of the white noises in it (``xi``, ``xi_1``...)."""
        used = algebra.names(self.expression) if self.expression else set()
        return {n for n in used if is_noise(n)}

    @property
    def settable(self) -> bool:
        """Whether it holds a value of its own, which code may set."""
        return self.kind != "subexpression" and "linked" not in self.flags

    @property
    def code(self) -> str:
        """The whole statement, ``dx/dt = expression : unit (flags)``."""
        value = f" = {self.expression}" if self.expression else ""
        flags = f" ({', '.join(self.flags)})" if self.flags else ""
        return f"{self.label}{value} : {self.unit}{flags}"


def is_noise(name: str) -> bool:
    """Whether a name is one of a white noise."""
    return name == "xi" or name.startswith("xi_")


def parse(text: str) -> dict[str, Equation]:
    """Parse an equations block, keyed by variable.

    Raises
    ------
    EquationError
        For a statement that is not an equation, an unknown unit or flag.
    """
    return {name: _parse_one(name, line) for name, line in split_equations(text).items()}


def canonical(text: str) -> str:
    """An equations block of a model file, one statement a line, written anew from its parsed trees.

    Raises
    ------
    EquationError
        As `parse`, and for a variable whose name means something already.
    """
    for name in split_equations(text):
        if taken(name):
            raise EquationError(name, f"'{name}' cannot be a variable: the name is {taken(name)}")
    return "\n".join(equation.code for equation in parse(text).values())


def split_equations(text: str) -> dict[str, str]:
    """Split an equations block into statements, keyed by the variable on the left.

    A statement ends with the line that holds its ``: unit``. Comments are dropped.

    Raises
    ------
    EquationError
        For a statement without a left-hand side or without a unit.
    """
    result: dict[str, str] = {}
    pending = ""
    try:
        lines = expressions.without_comments(text).split("\n")
    except UserError as error:
        raise EquationError("", str(error)) from None
    for line in map(str.strip, lines):
        if pending and line and (_BEGINS.match(line) or "=" not in pending):
            break  # a new statement: the one before has no unit
        pending = f"{pending} {line}".strip()
        if ":" not in pending:
            continue
        name = _defined(pending)
        if not name:
            raise EquationError(
                "",
                f"'{shown(pending)}' is not 'dx/dt = expression : unit', 'x = ... : unit' or 'x : unit'",
            )
        if name in result:
            raise EquationError(name, f"'{name}' is defined twice")
        result[name] = pending
        pending = ""
    if pending:
        raise EquationError(
            _defined(f"{pending}:"),
            f"'{shown(pending)}' has no unit (write ': 1' or ': volt' after it)",
        )
    return result


def _defined(statement: str) -> str:
    """The variable on the left of a statement, or nothing."""
    match = _LEFT.match(statement)
    return (match[1] or match[2]) if match else ""


@functools.lru_cache(maxsize=4096)
def _parse_one(name: str, line: str) -> Equation:
    match = _STATEMENT.fullmatch(line)
    if not match:
        raise EquationError(
            name, f"'{shown(line)}' is not an equation such as 'dx/dt = -x/tau : 1'"
        )
    unit = match["unit"].strip()
    try:
        dimensions = parse_unit(unit)
    except UserError as error:
        raise EquationError(name, f"unit of '{name}': {error}") from None
    flags = tuple(f.strip() for f in (match["flags"] or "").split(",") if f.strip())
    for flag in flags:
        if flag not in _FLAGS:
            raise EquationError(
                name, f"'{name}' has the unknown flag '{flag}' (known: {', '.join(sorted(_FLAGS))})"
            )
    expression = match["expr"]
    if expression is not None:
        try:
            expression = expressions.canonical(expression)
        except UserError as error:
            label = f"d{name}/dt" if match["diff"] else name
            raise EquationError(name, f"{label}: {error}") from None
    elif match["diff"]:
        raise EquationError(name, f"d{name}/dt has no right-hand side")
    kind = "differential" if match["diff"] else "subexpression" if expression else "parameter"
    type_ = {"integer": INTEGER, "boolean": BOOLEAN}.get(unit, FLOAT)
    if match["diff"] and type_ != FLOAT:
        raise EquationError(name, f"d{name}/dt: what has a rate is no {type_} (write ': 1')")
    return Equation(name, kind, expression, dimensions, type_, flags, canonical_unit(unit))


def reads(own: Mapping[str, Equation], code: str) -> set[str]:
    """Names in some code, and in the subexpressions that it names, to any depth."""
    found: set[str] = set()
    pending = [code]
    while pending:
        new = algebra.names(pending.pop()) - found
        found |= new
        named = [own[n] for n in new if n in own]
        pending += [e.expression or "" for e in named if e.kind == "subexpression"]
    return found


def initial_order(own: Mapping[str, Equation], initial: Mapping[str, spec.Value]) -> list[str]:
    """Names of initial values so that each stands after those that it reads, else as in the file.

    Raises
    ------
    EquationError
        For initial values that go in a circle.
    """
    needed = {
        name: reads(own, text) & set(initial) if isinstance(text, str) else set()
        for name, text in initial.items()
    }
    order: list[str] = []
    while len(order) < len(needed):
        left = [name for name in needed if name not in order]
        ready = next((name for name in left if needed[name] <= set(order)), None)
        if ready is None:
            raise _circle(needed, left)
        order.append(ready)
    return order


def _circle(needed: Mapping[str, set[str]], left: Sequence[str]) -> EquationError:
    """The error for initial values each of which waits for another one; it names a circle."""
    path = [left[0]]
    while len(set(path)) == len(path):
        path.append(min(needed[path[-1]] & set(left)))
    circle = path[path.index(path[-1]) :]
    said = ", ".join(f"'{a}' reads '{b}'" for a, b in itertools.pairwise(circle))
    return EquationError(
        circle[0], f"initial values go in a circle: {said}; give one of them without the others"
    )


def with_expressions(text: str, changed: Mapping[str, str]) -> str:
    """An equations block, one statement a line, with other right-hand sides for some variables."""
    own = parse(text)
    return "\n".join(
        replace(e, expression=changed.get(n, e.expression)).code for n, e in own.items()
    )


_BRIAN_KIND = {
    "differential": DIFFERENTIAL_EQUATION,
    "subexpression": SUBEXPRESSION,
    "parameter": PARAMETER,
}


class Code(Expression):
    """An expression for Brian2, which would have sympy try it: not every right one survives that."""

    def __init__(self, code: str):
        CodeString.__init__(self, code)


#: Name that Brian2 sees for the noise ``xi``, which it lets no two equations share.
SHARED_NOISE = "xi__shared"


def noise_stream(population: str, name: str) -> int:
    """Stream number of a population's noise: each name is one noise, in whatever equations."""
    plain = name in ("xi", SHARED_NOISE)
    return noise.stream_of(population if plain else f"{population}.{name}")


def noises(equations: Mapping[str, Equation]) -> list[str]:
    """Names that Brian2 sees for the noises of a population or projection."""
    plain = [e for e in equations.values() if "xi" in e.noise_terms]
    found = sorted({name for e in equations.values() for name in e.noise_terms})
    return [SHARED_NOISE if name == "xi" and len(plain) > 1 else name for name in found]


def to_brian(equations: Mapping[str, Equation]) -> Equations:
    """Brian2's own equations object; shared ones come first, as Brian2 sets them first."""
    if SHARED_NOISE in noises(equations):
        names = {"xi": SHARED_NOISE}
        equations = {
            name: replace(e, expression=e.expression and algebra.substituted(e.expression, names))
            for name, e in equations.items()
        }
    return Equations(
        [
            SingleEquation(
                _BRIAN_KIND[e.kind],
                e.name,
                e.dimensions,
                var_type=e.type,
                expr=Code(e.expression) if e.expression else None,
                flags=list(e.flags),
            )
            for e in sorted(equations.values(), key=lambda e: "shared" not in e.flags)
        ]
    )


# ------------------------------------------------------------------------- symbols

Owner = TypeVar("Owner", spec.Population, spec.Projection)

Symbols = dict[str, "Variable | Function"]


_NUMBERS = {FLOAT: float, INTEGER: int, BOOLEAN: bool}


def variable(
    name: str,
    dimensions: Dimension,
    type_: str = FLOAT,
    shared: bool = False,
    constant: bool = False,
) -> Variable:
    """A Brian2 variable for checks, without a value; a shared one is the same for all units."""
    number = _NUMBERS[type_]
    return Variable(name, dimensions=dimensions, dtype=number, scalar=shared, constant=constant)


def local(name: str, text: str, symbols: Symbols) -> Variable:
    """A variable of a block of statements, as its first assignment makes it."""
    tree, dims = expressions.annotated(text, symbols), expressions.dimensions_of(text, symbols)
    return variable(name, dims, tree.dtype, tree.scalar)


def is_fixed(symbol: Variable | Function | None) -> bool:
    """Whether a symbol is one number for all units and all of a run: a constant or a parameter."""
    return isinstance(symbol, Variable) and symbol.scalar and symbol.constant


class _Count(Variable):
    """An index or a number of units; ``reach`` is its least and its greatest value, if known."""

    def __init__(self, name: str, reach: tuple[int, int] | None):
        shared = name in ("N", "t_in_timesteps")
        super().__init__(name, dimensions=DIMENSIONLESS, dtype=int, scalar=shared)
        self.reach = reach


def reach(symbol: Variable | Function | None) -> tuple[int, int] | None:
    """Least and greatest value of an index or a number of units, where they are known."""
    return symbol.reach if isinstance(symbol, _Count) else None


def _index(name: str, size: int | None) -> _Count:
    return _Count(name, None if size is None else (0, size - 1))


def _number(name: str, size: int | None) -> _Count:
    return _Count(name, None if size is None else (size, size))


def _of(equation: Equation) -> Variable:
    shared, constant = ("shared" in equation.flags), ("constant" in equation.flags)
    return variable(equation.name, equation.dimensions, equation.type, shared, constant)


class TableFunction(Function):
    """A table for checks, without its values; at ``end``, in seconds, it has its last one for ever."""

    def __init__(self, table: spec.Table):
        unit, self.columns = get_unit(table.dimensions), table.columns
        names = ["t"] if table.columns is None else ["t", "i"]
        super().__init__(
            lambda *given: given[0],
            arg_units=[second, 1][: len(names)],
            return_unit=unit,
            arg_names=names,
        )
        self.end = len(table.values) * table.dt


@functools.lru_cache(maxsize=1)
def _usual_symbols() -> Symbols:
    """What every expression of every model may name (thousands of units: made once)."""
    symbols: Symbols = dict(expressions.FUNCTIONS)
    known = {n: u.dim for n, u in UNITS.items()}
    known |= dict.fromkeys(expressions.CONSTANTS, DIMENSIONLESS)
    known["dt"] = second.dim
    symbols |= {n: variable(n, d, shared=True, constant=True) for n, d in known.items()}
    return symbols | {"t": variable("t", second.dim, shared=True)}


def constant_symbols(parameters: Mapping[str, Dimension]) -> Symbols:
    """What every expression may name: functions, units, constants, time, and these parameters."""
    known = {n: variable(n, d, shared=True, constant=True) for n, d in parameters.items()}
    return {**_usual_symbols(), **known}


def base_symbols(model: spec.Model) -> Symbols:
    """What every expression may name: functions, units, constants, parameters, tables, time."""
    symbols = constant_symbols({n: p.value.dimensions for n, p in model.parameters.items()})
    for name, table in model.tables.items():
        symbols[name] = TableFunction(table)
    return symbols


def population_symbols(model: spec.Model, population: spec.Population) -> Symbols:
    """Everything an expression of a population may name."""
    own = parse(population.equations)
    symbols = base_symbols(model)
    size = population.size
    symbols |= {"i": _index("i", size), "N": _number("N", size)}
    symbols["t_in_timesteps"] = _Count("t_in_timesteps", None)
    if population.threshold and population.refractory:
        symbols["lastspike"] = variable("lastspike", second.dim)
        symbols["not_refractory"] = Variable("not_refractory", dtype=bool)
    symbols |= {n: _of(e) for n, e in own.items()}
    for equation in own.values():
        for xi in equation.noise_terms:
            symbols[xi] = variable(xi, (second**-0.5).dim)
    return symbols


def _size(model: spec.Model, endpoint: spec.Endpoint) -> int | None:
    """Number of units at one side of a projection, if that is known before a run."""
    if endpoint.start is not None and endpoint.stop is not None:
        return endpoint.stop - endpoint.start
    owner = model.populations.get(endpoint.name)
    return owner.size if owner else None


def endpoint_variables(model: spec.Model, endpoint: spec.Endpoint) -> dict[str, Equation]:
    """Equations of the population or projection at one side of a projection."""
    owner = model.populations.get(endpoint.name) or model.projections[endpoint.name]
    return parse(owner.equations)


def projection_symbols(model: spec.Model, projection: spec.Projection) -> Symbols:
    """Everything an expression of a projection may name (``x_pre``, ``x_post``, own variables)."""
    symbols = base_symbols(model)
    counts = ("N", "N_incoming", "N_outgoing", "t_in_timesteps")
    symbols |= {n: _Count(n, None) for n in counts}
    sides = (("pre", "i", projection.source), ("post", "j", projection.target))
    for side, own_index, endpoint in sides:
        size = _size(model, endpoint)
        symbols |= {n: _index(n, size) for n in (own_index, f"i_{side}")}
        symbols[f"N_{side}"] = _number(f"N_{side}", size)
        for name, equation in endpoint_variables(model, endpoint).items():
            symbols[f"{name}_{side}"] = _of(equation)
            if side == "post":
                symbols.setdefault(name, symbols[f"{name}_post"])
    own = {n: e for n, e in parse(projection.equations).items() if "summed" not in e.flags}
    symbols |= {n: _of(e) for n, e in own.items()}
    if any("event-driven" in e.flags for e in own.values()):
        symbols["lastupdate"] = variable("lastupdate", second.dim)
    for equation in own.values():
        for xi in equation.noise_terms:
            symbols[xi] = variable(xi, (second**-0.5).dim)
    return symbols


#: Parts of a generator of connections that are whole numbers.
GENERATED = ("element", "low", "high", "step", "size")


def generator(connect: Mapping[str, Any]) -> str:
    """The text of a generator of connections as Brian2 reads it."""
    variable, iterator, _ = connect["iterator"]
    arguments = [connect[key] for key in ("low", "high", "step") if key in connect]
    arguments += [f"{key}={connect[key]}" for key in ("p", "size") if key in connect]
    condition = f" if {connect['condition']}" if "condition" in connect else ""
    return f"{connect['element']} for {variable} in {iterator}({', '.join(arguments)}){condition}"


def outer(
    connect: Mapping[str, Any], sources: int | None, targets: int | None
) -> dict[str, object]:
    """Values by name that are known where a generator chooses units: the other side's, one after the other."""
    index, size = ("j", targets) if connect["iterator"][2] == "i" else ("i", sources)
    sizes = {"N_pre": sources, "N_post": targets}
    known: dict[str, object] = {name: n for name, n in sizes.items() if n is not None}
    return known if size is None else known | {index: np.arange(size)}


def generator_symbols(projection: spec.Projection, symbols: Symbols) -> Symbols:
    """What the element and the condition of a generator may name: the iterator's number as well."""
    if projection.connect["rule"] != "generator":
        return symbols
    variable = projection.connect["iterator"][0]
    return {**symbols, variable: _Count(variable, None)}


def without_noise(symbols: Symbols) -> Symbols:
    """What may be named elsewhere than in equations: noise has a value in rates alone."""
    return {name: symbol for name, symbol in symbols.items() if not is_noise(name)}


def texts(owner: spec.Population | spec.Projection) -> list[str]:
    """Every expression and every block of statements of a population or projection."""
    found: list[spec.Value | None] = [e.expression for e in parse(owner.equations).values()]
    if isinstance(owner, spec.Population):
        found += [owner.threshold, owner.reset, owner.refractory]
        found += [*owner.initial.values(), *(entry.code for entry in owner.regularly)]
        found += [text for e in owner.events.values() for text in (e.condition, e.action)]
    else:
        found += [*owner.on_pre.values(), *owner.on_post.values()]
        found += [*owner.delay.values(), *owner.initial.values()]
        found += [v for k, v in owner.connect.items() if isinstance(v, str) and k != "rule"]
    return [text for text in found if text and isinstance(text, str)]


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except UserError:
        return False
    return True


#: Gives another expression for one, and for the name of the variable that takes its value.
Change = Callable[[str, "str | None"], str]


def with_changed(
    owner: Owner, change: Change, statements: Callable[[str], str] | None = None
) -> Owner:
    """A population or projection with every expression changed; quantities such as ``2 mV`` stay.

    ``statements`` changes blocks of code, otherwise ``change`` does so with every right-hand side.
    """

    def code(text: str) -> str:
        if statements is not None:
            return statements(text)
        parts = expressions.statements(text)
        return "\n".join(
            f"{target} {sign} {change(value, target)}" for target, sign, value in parts
        )

    def value(text: spec.Value, name: str | None = None) -> spec.Value:
        if isinstance(text, spec.Values) or _is_quantity(text):
            return text
        return change(text, name)

    def refractory(text: str) -> str:
        return text if _is_quantity(text) else change(text, None)

    own = parse(owner.equations)
    rates = {n: change(e.expression, n) for n, e in own.items() if e.expression is not None}
    equations = with_expressions(owner.equations, rates)
    initial = {name: value(text, name) for name, text in owner.initial.items()}
    if isinstance(owner, spec.Population):
        return replace(  # type: ignore[call-arg]
            owner,
            equations=equations,
            initial=initial,
            threshold=owner.threshold and change(owner.threshold, None),
            reset=owner.reset and code(owner.reset),
            refractory=owner.refractory and refractory(owner.refractory),
            regularly=tuple(replace(r, code=code(r.code)) for r in owner.regularly),
            events={
                name: spec.Event(change(e.condition, None), code(e.action))
                for name, e in owner.events.items()
            },
        )
    return replace(
        owner,
        equations=equations,
        initial=initial,
        on_pre={name: code(text) for name, text in owner.on_pre.items()},
        on_post={name: code(text) for name, text in owner.on_post.items()},
        delay={name: value(text) for name, text in owner.delay.items()},
        connect={
            key: change(text, f"connect {key}") if isinstance(text, str) and key != "rule" else text
            for key, text in owner.connect.items()
        },
    )


def used_parameters(model: spec.Model, texts: Iterable[str]) -> dict[str, spec.Parameter]:
    """Parameters of the model that any of these expressions or statements names."""
    used = frozenset().union(*map(algebra.names, texts))
    return {n: p for n, p in model.parameters.items() if n in used}


def constant_value(model: spec.Model, text: str) -> float | None:
    """Value of an expression of parameters and units alone, in SI units; None for any other."""
    text = as_expression(text)
    known = {*model.parameters, *UNITS, *expressions.CONSTANTS, *expressions.NUMERIC}
    if algebra.names(text) - (known - expressions.RANDOM):
        return None
    return expressions.evaluate(text, {n: p.value.si for n, p in model.parameters.items()})


def model_parameters(model: spec.Model) -> dict[str, spec.Parameter]:
    """Parameters that anything in the model names (a variant may inherit others)."""
    found = [text for population in model.populations.values() for text in texts(population)]
    found += [text for projection in model.projections.values() for text in texts(projection)]
    found += [s.amplitude for s in model.stimuli.values()]
    formulas = experiments.of_kind(model.experiment.get("kind")).expressions
    for key, value in model.experiment.items():
        if key in formulas or value in model.parameters:
            found.append(str(value))
    return used_parameters(model, [*found, *model.structural])
