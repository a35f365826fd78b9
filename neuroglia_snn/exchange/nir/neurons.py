"""Which of NIR's neurons a population is, up to names and algebra of its equations."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import sympy
from brian2.parsing.sympytools import str_to_sympy, sympy_to_str

from neuroglia_snn import spec
from neuroglia_snn.backends.brian.network import Network
from neuroglia_snn.errors import shown
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language import equations as eqs


class Unsayable(Exception):
    """What NIR has no node for, as a sentence."""


@dataclass
class Neuron:
    """A population as a node.

    Attributes
    ----------
    kind : name of the node's class
    arrays : its parameters, a number for each unit
    output : the variable that an integrator without spikes puts out
    events, sums : variables of the population that synapses add to, or that are sums over them, with the
        number that makes a synapse's weight one of NIR's, for each unit
    bias : what is added to the weighted input of NIR, for each unit
    metadata : what NIR leaves open, for whoever knows these words
    """

    kind: str
    arrays: dict[str, np.ndarray]
    output: str
    events: dict[str, np.ndarray]
    sums: dict[str, np.ndarray]
    bias: np.ndarray
    metadata: dict[str, object] = field(default_factory=dict)


def neuron(model: spec.Model, network: Network, population: spec.Population) -> Neuron:
    """The node that a population is.

    Raises
    ------
    Unsayable
    """
    own = eqs.parse(population.equations)
    if noisy := next((e for e in own.values() if e.noise_terms), None):
        raise Unsayable(f"has noise in d{noisy.name}/dt, and NIR has none")
    parts = _Parts(model, network, population)
    _require_plain(model, population)
    if len(parts.states) == 1:
        return _one_state(parts, parts.states[0])
    if len(parts.states) == 2:
        return _with_current(parts, *parts.voltage_and_current())
    raise Unsayable(
        f"has {len(parts.states)} differential equations, and NIR's neurons have one or two (a membrane"
        " and a synaptic current)"
    )


def _require_plain(model: spec.Model, population: spec.Population) -> None:
    """Refuse what no node of NIR has, whatever the equations are."""
    stimulated = any(s.population == population.name for s in model.stimuli.values())
    for there, reason in (
        (population.refractory, "has a refractory period, and NIR has none"),
        (population.events, "has events of its own, and NIR has spikes alone"),
        (population.linked, "reads variables of others, and NIR's neurons read their input alone"),
        (stimulated, "has a stimulus, and what drives a NIR graph is no part of it"),
        (population.dt != model.dt, "has a time step of its own, and NIR has none"),
    ):
        if there:
            raise Unsayable(reason)


def values(model: spec.Model, network: Network, population: spec.Population) -> dict[str, object]:
    """Everything about a population that is a number for each unit, or for all, throughout a run."""
    known: dict[str, object] = {n: p.value.si for n, p in model.parameters.items()}
    known |= {"i": np.arange(population.size), "N": population.size, "dt": population.dt}
    if population.spikes is not None:
        return known
    own = eqs.parse(population.equations)
    fixed = [n for n, e in own.items() if e.settable and n not in changed(model, population.name)]
    variables = network.groups[population.name].variables
    return known | {n: np.asarray(variables[n].get_value()) for n in fixed}


def changed(model: spec.Model, name: str) -> set[str]:
    """Variables of a population that something changes during a run."""
    population = model.populations[name]
    own = eqs.parse(population.equations)
    found = {n for n, e in own.items() if e.kind == "differential"}
    codes = [population.reset or "", *(entry.code for entry in population.regularly)]
    found |= set(targets([*codes, *(event.action for event in population.events.values())]))
    found |= {s.variable for s in model.stimuli.values() if s.population == name}
    for projection in model.projections.values():
        set_there = set(targets([*projection.on_pre.values(), *projection.on_post.values()]))
        set_there |= {n for n, e in eqs.parse(projection.equations).items() if "summed" in e.flags}
        if projection.source.name == name:
            found |= {n.removesuffix("_pre") for n in set_there if n.endswith("_pre")}
        if projection.target.name == name:
            found |= {n.removesuffix("_post") for n in set_there}
    return found & own.keys()


def targets(codes: Iterable[str]) -> list[str]:
    """What blocks of statements assign to."""
    return [target for code in codes for target, _, _ in expressions.statements(code)]


class _Parts:
    """The rates of a population as numbers: what stands before each of its variables, and the rest."""

    def __init__(self, model: spec.Model, network: Network, population: spec.Population) -> None:
        self.model, self.network, self.population = model, network, population
        self.own = eqs.parse(population.equations)
        self.states = [n for n, e in self.own.items() if e.kind == "differential"]
        self.known = values(model, network, population)
        self.arriving = self._arriving()
        moving = changed(model, population.name)
        passing = {*self.arriving} | {*self.arriving.values()}
        added = {
            target.removesuffix("_post")
            for p in model.projections.values()
            if p.target.name == population.name
            for target in targets(p.on_pre.values())
        }
        self.summed = sorted(moving - {*self.states} - passing - added)
        self.inputs = [*self.arriving, *self.summed]
        self.rates = {name: self._rate(name) for name in self.states}

    def _arriving(self) -> dict[str, str]:
        """The input that holds for a step, with the variable in which the next one's is gathered.

        ``I = arriving``, ``arriving = 0`` at each step's start; the second may be a bias.
        """
        self.offset: str = "0"
        if not self.population.regularly:
            return {}
        (entry, *more) = self.population.regularly
        match [*expressions.statements(entry.code)] if not more else []:
            case [(held, "=", gathered), (again, "=", offset)] if gathered == again:
                if entry.dt == self.population.dt:
                    self.offset = offset
                    return {held: gathered}
        raise Unsayable("has statements that run regularly, and NIR has none")

    def _rate(self, name: str) -> dict[str, np.ndarray]:
        """The numbers of a rate by what they stand before; those of "" stand alone."""
        label = f"d{name}/dt"
        text = self._written_out(self.own[name].expression or "0")
        unknowns = {*self.states, *self.inputs}
        try:
            parts = _linear(text, unknowns)
        except algebra.NotLinear as error:
            raise Unsayable(
                f"{label} is not linear ('{shown(error)}'), as NIR's neurons are"
            ) from None
        return {n: self.numbers(t, label) for n, t in {**parts.factors, "": parts.rest}.items()}

    def _written_out(self, text: str) -> str:
        definitions = {
            n: e.expression or "0" for n, e in self.own.items() if e.kind == "subexpression"
        }
        for _ in definitions:
            text = algebra.substituted(text, definitions)
        return text

    def numbers(self, text: str, where: str) -> np.ndarray:
        """The value of a text for each unit."""
        found = expressions.of_arrays(text, self.known)
        if found is None:
            moving = sorted(algebra.names(text) - {*self.known, *expressions.FUNCTIONS, *eqs.UNITS})
            raise Unsayable(
                f"{where} reads {', '.join(map(repr, moving))}, which is no constant of NIR's"
            )
        return np.broadcast_to(np.asarray(found, float), (self.population.size,)).copy()

    def factor(self, rate: str, name: str) -> np.ndarray:
        """What stands before a variable in a rate."""
        return self.rates[rate].get(name, np.zeros(self.population.size))

    def voltage_and_current(self) -> tuple[str, str]:
        """The state that follows the other one, and that other one."""
        a, b = self.states
        if self.factor(a, b).any() == self.factor(b, a).any():
            raise Unsayable(
                f"d{a}/dt and d{b}/dt are no membrane with a synaptic current, which alone NIR has"
            )
        return (a, b) if self.factor(a, b).any() else (b, a)

    def threshold(self, voltage: str) -> dict[str, np.ndarray]:
        """The threshold and the value after a spike; nothing of a population without spikes."""
        population = self.population
        if population.threshold is None:
            return {}
        match ast.parse(self._written_out(population.threshold), mode="eval").body:
            case ast.Compare(left, [ast.Gt()], [right]) | ast.Compare(right, [ast.Lt()], [left]):
                text = f"({ast.unparse(left)}) - ({ast.unparse(right)})"
            case _:
                text = "0"
        parts = _linear(text, {voltage})
        slope = self.numbers(parts.factors.get(voltage, "0"), "its threshold")
        if not (slope > 0).all():
            raise Unsayable(
                f"has the threshold '{population.threshold}', and NIR's is {voltage} > a constant"
            )
        at = -self.numbers(parts.rest, "its threshold") / slope
        match [*expressions.statements(population.reset or "")]:
            case [(name, "=", text)] if name == voltage:
                after = self.numbers(text, "its reset")
            case _:
                raise Unsayable(
                    f"has the reset '{shown(population.reset or 'none')}', and NIR's is {voltage} = a constant"
                )
        return {"v_threshold": at, "v_reset": after}

    def direct(self, rate: str) -> np.ndarray | None:
        """What stands before the first input in a rate; None without one."""
        found = [self.factor(rate, name) for name in self.inputs]
        found = [one for one in found if one.all()]
        return found[0] if found else None

    def metadata(self, **names: str) -> dict[str, object]:
        """What NIR leaves open: the method of integration, and the values of variables at the start."""
        variables = self.network.groups[self.population.name].variables
        names |= {"arriving": name for name in self.arriving.values()}  # noqa: B035 - one at most
        start = {key: np.asarray(variables[name].get_value(), float) for key, name in names.items()}
        kept: dict[str, object] = {
            f"initial_{n}": value for n, value in start.items() if value.any()
        }
        if self.population.integrator != "euler":
            kept["integrator"] = self.population.integrator
        return kept

    def weights(self, rate: str, scale: np.ndarray) -> tuple[dict, dict]:
        """Numbers that make weights onto the inputs of a rate those of NIR, by who brings them."""
        events = {g: self.factor(rate, h) * scale for h, g in self.arriving.items()}
        return events, {name: self.factor(rate, name) * scale for name in self.summed}


def _linear(text: str, unknowns: Iterable[str]) -> algebra.Linear:
    """An expression taken apart as `algebra.linear` does, after some algebra where it needs it."""
    unknowns = {*unknowns}
    try:
        return algebra.linear(text, unknowns)
    except algebra.NotLinear:
        whole = str_to_sympy(text)
        symbols = {n: s for s in whole.free_symbols if (n := str(s)) in unknowns}
        factors = {n: sympy.simplify(sympy.diff(whole, s)) for n, s in symbols.items()}
        if any(f.free_symbols & {*symbols.values()} for f in factors.values()):
            raise
        rest = whole.subs(dict.fromkeys(symbols.values(), 0))
        if rest.has(sympy.nan, sympy.zoo):
            raise
        return algebra.Linear(
            sympy_to_str(rest), {n: sympy_to_str(f) for n, f in factors.items() if f != 0}
        )


def _one_state(parts: _Parts, v: str) -> Neuron:
    """LIF, LI, IF or I."""
    threshold = parts.threshold(v)
    decay, rest = parts.factor(v, v), parts.factor(v, "")
    before, dt = parts.direct(v), parts.population.dt
    if not decay.any():
        r = np.full_like(decay, 1 / dt) if before is None else before
        kind, arrays, scale = ("IF" if threshold else "I"), {"r": r}, 1 / r
        bias = rest / r
    elif (decay < 0).all():
        tau = -1 / decay
        r = tau / dt if before is None else before * tau
        kind, arrays = ("LIF" if threshold else "LI"), {"tau": tau, "r": r, "v_leak": rest * tau}
        scale, bias = tau / r, np.zeros_like(tau)
    else:
        raise Unsayable(f"d{v}/dt grows with {v}, and NIR's neurons decay or keep their value")
    events, sums = parts.weights(v, scale)
    for held in parts.arriving:
        bias = bias + parts.numbers(parts.offset, "its input") * parts.factor(v, held) * scale
    metadata = parts.metadata(v=v)
    if _adds(parts, v):
        if parts.arriving:
            raise Unsayable(
                f"has synapses that add to {v} and others that do not, and NIR one input"
            )
        metadata["spikes_add_to"] = "v"
        events[v] = scale / dt if before is not None else np.ones_like(scale)
    return Neuron(kind, {**arrays, **threshold}, v, events, sums, bias, metadata)


def _with_current(parts: _Parts, v: str, current: str) -> Neuron:
    """CubaLIF or CubaLI."""
    threshold = parts.threshold(v)
    for name in (v, current):
        if not (parts.factor(name, name) < 0).all():
            raise Unsayable(f"d{name}/dt does not decay, as both equations of CubaLIF do")
    if _adds(parts, v) or parts.arriving or any(parts.factor(v, n).any() for n in parts.inputs):
        raise Unsayable(f"has other inputs than d{current}/dt and synapses that add to {current}")
    tau_mem, tau_syn = -1 / parts.factor(v, v), -1 / parts.factor(current, current)
    before, dt = parts.direct(current), parts.population.dt
    r = parts.factor(v, current) * tau_mem
    if before is None:  # what readers take: a spike's weight is what it adds to the membrane
        ratio, r, w_in = r * dt / tau_mem, tau_mem / dt, tau_syn / dt
    else:
        ratio, w_in = np.ones_like(r), before * tau_syn
    scale = ratio * tau_syn / w_in
    events, sums = parts.weights(current, scale)
    events[current] = scale / dt if before is not None else ratio
    arrays = {"tau_mem": tau_mem, "tau_syn": tau_syn, "r": r, "w_in": w_in}
    arrays["v_leak"] = parts.factor(v, "") * tau_mem
    metadata = parts.metadata(v=v, I=current)
    if "initial_I" in metadata:
        metadata["initial_I"] = np.asarray(metadata["initial_I"]) * ratio
    kind = "CubaLIF" if threshold else "CubaLI"
    bias = parts.factor(current, "") * scale
    return Neuron(kind, {**arrays, **threshold}, v, events, sums, bias, metadata)


def _adds(parts: _Parts, variable: str) -> bool:
    """Whether a projection adds to a variable of the population."""
    return any(
        target.removesuffix("_post") == variable
        for p in parts.model.projections.values()
        if p.target.name == parts.population.name
        for target in targets(p.on_pre.values())
    )
