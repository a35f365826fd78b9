"""A population's equations as a step on tensors."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from neuroglia_snn import spec
from neuroglia_snn.backends.torch.code import RANDOM, Code, Value, integer, translate
from neuroglia_snn.catalog.load import load
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.language import algebra, couplings, expressions, stages
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.integrators import INTEGRATORS
from neuroglia_snn.language.quantities import as_expression, parse_quantity

State = dict[str, torch.Tensor]


class System:
    """The equations of one population on tensors of any shape, every element a unit.

    Parameters
    ----------
    model : `neuroglia_snn.spec.Model`, or name or path of a model file
    population : str, optional
        Needed where the model has several.

    Attributes
    ----------
    variables : tuple of str
        Differential variables, then those that the reset sets, in the order of the file.
    inputs : tuple of str
        Variables that are given from outside (``I : 1``).
    parameters : dict
        Numbers in SI units; may be replaced by tensors, which then learn.
    dt : float
        Step in seconds.

    Raises
    ------
    BackendError
        If the population does what a layer cannot: events, code at regular times, a refractory period
        other than "once a crossing".
    """

    def __init__(self, model: spec.Model | str, population: str | None = None):
        self.model = load(model) if isinstance(model, str) else model
        self.population = _population(self.model, population)
        own = eqs.parse(self.population.equations)
        integrated = tuple(n for n, e in own.items() if e.kind == "differential")
        given = tuple(n for n, e in own.items() if e.kind == "parameter")
        written = {name for name, _, _ in expressions.statements(self.population.reset or "")}
        self.variables = (*integrated, *(n for n in given if n in written))
        self.inputs = tuple(n for n in given if n not in written)
        if not integrated:
            raise BackendError(f"{self._who} has no differential equation, so it is no layer")
        self.dt = self.population.dt
        used = eqs.used_parameters(self.model, eqs.texts(self.population))
        self.parameters: dict[str, Value] = {n: p.value.si for n, p in used.items()}
        self.threshold = _threshold(self.population, self._who)
        self._subexpressions = [
            f"{n} = {own[n].expression}" for n in _in_order(own) if own[n].kind == "subexpression"
        ]
        self._step = self._translate(_scheme(self.population, own, self._who))
        self._derived = self._translate(self._subexpressions)
        self._margin = self._reset = None
        if self.threshold:
            self._margin = self._translate([*self._subexpressions, f"margin_ = {self.threshold}"])
        if self.population.reset:
            self._reset = self._translate([*self._subexpressions, self.population.reset])

    @property
    def _who(self) -> str:
        return f"population '{self.population.name}' of '{self.model.name}'"

    @property
    def once_a_crossing(self) -> bool:
        """Whether a unit spikes only as it crosses its threshold, not while above it."""
        return self.population.refractory is not None

    @property
    def reads_time(self) -> bool:
        """Whether what a population does depends on the time ``t``."""
        used = (self._step, self._margin, self._reset)
        return any("t" in code.reads for code in used if code is not None)

    @property
    def resets(self) -> bool:
        """Whether a spike changes the state."""
        return self._reset is not None

    def initial(
        self,
        shape: Sequence[int],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        generator: torch.Generator | None = None,
    ) -> State:
        """State and inputs at the start, by name; zero where the file says nothing.

        The last axis of ``shape`` counts the population's units (``i`` in an initial value).
        """
        state = {n: torch.zeros(tuple(shape), dtype=dtype, device=device) for n in self._names}
        unit = torch.arange(shape[-1] if shape else 1, dtype=dtype, device=device)
        unit = unit.reshape(tuple(shape[-1:]))
        initial = self.population.initial
        for name in eqs.initial_order(eqs.parse(self.population.equations), initial):
            text = initial[name]
            if name not in state:
                continue
            if isinstance(text, spec.Values):
                state[name] = torch.as_tensor(text.flat, dtype=dtype, device=device)
                state[name] = state[name].expand(tuple(shape)).clone()
                continue
            values = self._scope(state, generator) | {"i": unit, "N": unit.numel()}
            self._translate([f"value_ = {_as_number(text)}"], "i", "N").run(values)
            filled = torch.as_tensor(values["value_"], dtype=dtype, device=device)
            state[name] = filled.expand(tuple(shape)).clone()
        return state

    def step(
        self,
        state: State,
        generator: torch.Generator | None = None,
        t: float = 0.0,
        dt: float | None = None,
    ) -> State:
        """The state and inputs one ``dt`` (the model's, if not given) later; differentiable.

        Noise (``xi``) is drawn from torch, so that its paths are not those of other backends.
        """
        values = self._scope(state, generator, t)
        if dt is not None:
            values["dt"] = dt
        self._step.run(values)
        return {name: values[name] for name in state}

    def margin(self, state: State, t: float = 0.0) -> torch.Tensor | None:
        """How far above threshold every unit is at time t, in seconds.

        None where the model has no threshold.
        """
        if self._margin is None:
            return None
        values = self._scope(state, None, t)
        self._margin.run(values)
        return values["margin_"]

    def reset(self, state: State, t: float = 0.0) -> State:
        """What the state is after a spike at time t, in seconds."""
        values = self._scope(state, None, t)
        if self._reset is not None:
            self._reset.run(values)
        return {name: values[name] for name in state}

    def value(self, name: str, state: State, t: float = 0.0) -> torch.Tensor:
        """A variable or subexpression of the population in a state at time t, in seconds."""
        values = self._scope(state, None, t)
        self._derived.run(values)
        if name not in values:
            raise BackendError(f"{self._who} has no '{name}'{nearest(name, values)}")
        return values[name]

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self.variables, *self.inputs)

    def _scope(self, state: State, generator: torch.Generator | None, t: float = 0.0) -> dict:
        some = next(iter(state.values()))
        like: dict[str, Any] = {"dtype": some.dtype, "device": some.device, "generator": generator}
        return {
            **self.parameters,
            **state,
            "t": t,
            "dt": self.dt,
            "rand": lambda: torch.rand(some.shape, **like),
            "randn": lambda: torch.randn(some.shape, **like),
            "int": functools.partial(integer, dtype=some.dtype),
        }

    def _translate(self, statements: Sequence[str], *more: str) -> Code:
        try:
            code = translate(statements)
        except UserError as error:
            raise BackendError(f"{self._who}: {error}") from None
        known = {*self.parameters, *self._names, "t", "dt", *RANDOM, *more}
        for name in sorted(code.reads - known):
            raise BackendError(
                f"{self._who}: '{name}' has no value in a layer{nearest(name, known)}"
            )
        return code


def _population(model: spec.Model, name: str | None) -> spec.Population:
    if name is None and len(model.populations) > 1:
        raise BackendError(
            f"'{model.name}' has several populations: say which ({', '.join(model.populations)})"
        )
    name = name or next(iter(model.populations))
    if name not in model.populations:
        raise BackendError(
            f"'{model.name}' has no population '{name}'{nearest(name, model.populations)}"
        )
    population = model.populations[name]
    set_by_phases = any(phase.values for phase in model.phases)
    for what, there in (
        ("parameters that phases set", set_by_phases),
        ("linked variables", population.linked),
        ("events", population.events),
        ("'regularly'", population.regularly),
    ):
        if there:
            raise BackendError(f"population '{name}' of '{model.name}' has {what}: not in a layer")
    for one in couplings.recomputed(model, name):
        raise BackendError(
            f"population '{name}' of '{model.name}' is coupled to itself within a step by"
            f" '{one.projection.name}': not in a layer (a file without this projection can be one)"
        )
    return population


def _as_number(text: str) -> str:
    """An initial value as an expression in SI units."""
    try:
        return repr(parse_quantity(text).si)
    except UserError:
        return as_expression(text)


def _in_order(own: Mapping[str, eqs.Equation]) -> list[str]:
    """Names of equations so that each stands after those that it reads."""
    done: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if own[name].kind == "subexpression":
            for other in sorted(algebra.names(own[name].expression or "0") & set(own)):
                visit(other)
        done.append(name)

    for name in own:
        visit(name)
    return done


def _scheme(population: spec.Population, own: Mapping[str, eqs.Equation], who: str) -> list[str]:
    """Statements of one step, by the population's integrator."""
    scheme = INTEGRATORS.get(population.integrator)
    if scheme is None or not scheme.own:
        known = ", ".join(n for n, s in INTEGRATORS.items() if s.own)
        raise BackendError(
            f"{who}: the integrator '{population.integrator}' has no layer"
            f" (set model.integrator to one of {known})"
        )
    step = stages.step(scheme.name, eqs.to_brian(own), lambda xi: "randn()")
    return [*step.noise, *step.predict, *step.correct]


def _threshold(population: spec.Population, who: str) -> str | None:
    """``left - right`` of the threshold ``left > right``: positive above it."""
    if population.threshold is None:
        return None
    tree = expressions.parse(population.threshold).body
    plain = isinstance(tree, ast.Compare) and len(tree.ops) == 1
    if not (plain and isinstance(tree.ops[0], (ast.Gt, ast.GtE))):  # type: ignore[attr-defined]
        raise BackendError(
            f"{who}: a layer's threshold is 'left > right', not '{population.threshold}'"
        )
    if population.refractory is not None and _flat(population.refractory) != _flat(
        population.threshold
    ):
        raise BackendError(
            f"{who}: a layer's refractory condition is its threshold (one spike a crossing) or none,"
            f" not '{population.refractory}'"
        )
    left, right = ast.unparse(tree.left), ast.unparse(tree.comparators[0])  # type: ignore[attr-defined]
    return f"{left} - ({right})"


def _flat(text: str) -> str:
    return ast.unparse(expressions.parse(text))
