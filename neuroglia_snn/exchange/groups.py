"""Populations, stimuli and records of a model as lines of a Brian2 script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from brian2.units.allunits import second
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn import spec
from neuroglia_snn.errors import UserError
from neuroglia_snn.exchange import schemes, text
from neuroglia_snn.exchange.names import Names, variable
from neuroglia_snn.exchange.plain import free, spelled
from neuroglia_snn.language import couplings, expressions, stages
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.names import made

#: Where the two parts of a step stand among what Brian2 does with its groups: sums come before state updates.
AGAIN = 1


@dataclass
class Context:
    """A plain model with the names of a script, and what the script needs beside its lines.

    ``data`` are arrays for a file beside the script; ``definitions`` are those of integration schemes;
    ``seed`` is that of random numbers.
    """

    model: spec.Model
    names: Names
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    data: dict[str, np.ndarray] = field(default_factory=dict)
    definitions: dict[str, None] = field(default_factory=dict)
    seed: int = 0

    def clock(self, dt: float) -> list[str]:
        """The ``dt`` argument of what is not on the default clock."""
        return [] if dt == self.model.dt else [f"dt={text.time(dt)}"]

    def array(self, key: str, numbers: np.ndarray, dimensions: Dimension) -> str:
        """An array of the file beside the script, with its unit."""
        self.data[key] = numbers
        return f"data[{key!r}]{text.times(dimensions)}"

    def method(self, scheme: schemes.Scheme) -> list[str]:
        """The ``method`` argument; the script then has the scheme's definition."""
        if scheme.lines:
            self.definitions[scheme.lines] = None
        return [f"method={scheme.method}"] if scheme.method else []


def population(context: Context, p: spec.Population) -> list[str]:
    """A group with its statements and initial values."""
    name = context.names.groups[p.name]
    if p.spikes is not None:
        return [_given(context, p, p.spikes)]
    again = couplings.recomputed(context.model, p.name)
    stimulated = _stimulated(context, p)
    rows = " x ".join(map(str, p.shape))
    return [
        *([f"# {rows} units, row by row"] if len(p.shape) > 1 else []),
        text.call("NeuronGroup", _arguments(context, p, again, stimulated), to=name),
        *(f"{variable(name, image)} = {values}" for image, values in stimulated.images.items()),
        *_statements(name, p, again),
        *initial(context, name, p),
    ]


#: As many spikes stand in the script; more are in the file beside it.
MAX_SPIKES = 50


def _given(context: Context, p: spec.Population, spikes: spec.Spikes) -> str:
    """A group with given spikes."""
    units, times = spikes.units.numbers, spikes.times.numbers
    if len(units) <= MAX_SPIKES:
        given = [text.integers(units), f"[{', '.join(map(text.number, times.tolist()))}]*second"]
    else:
        context.data[f"spikes.{p.name}.i"] = units
        given = [
            f"data['spikes.{p.name}.i']",
            context.array(f"spikes.{p.name}.t", times, second.dim),
        ]
    arguments = [str(p.size), *given, *context.clock(p.dt)]
    arguments.append(f"name={context.names.label(p.name)!r}")
    return text.call("SpikeGeneratorGroup", arguments, to=context.names.groups[p.name])


def _arguments(
    context: Context, p: spec.Population, again: list[couplings.Sum], stimulated: _Stimulated
) -> list[str]:
    """What a group is made of."""
    own = eqs.parse(p.equations)
    shared_first = sorted(own.values(), key=lambda e: "shared" not in e.flags)
    equations = [text.equation(e) for e in shared_first if e.name not in stimulated.variables]
    equations += stimulated.equations + _between_stages(context.model, p, again)
    arguments = [str(p.size), text.code("\n".join(equations))]
    if p.threshold is not None:
        arguments.append(f"threshold={text.code(p.threshold)}")
    if p.reset is not None:
        arguments.append(f"reset={text.code(p.reset)}")
    if p.refractory is not None:
        arguments.append(f"refractory={text.value(p.refractory)}")
    if p.events:
        events = (f"{event!r}: {text.code(e.condition)}" for event, e in p.events.items())
        arguments.append(f"events={{{', '.join(events)}}}")
    arguments += context.method(schemes.scheme(p, bool(again))) + context.clock(p.dt)
    return [*arguments, f"name={context.names.label(p.name)!r}"]


def links(context: Context, p: spec.Population) -> list[str]:
    """Variables of other groups, once all groups are there."""
    name, lines = context.names.groups[p.name], []
    for n, link in p.linked.items():
        arguments = [context.names.groups[link.population], repr(link.variable)]
        if link.units is not None:
            key = f"linked.{p.name}.{n}"
            context.data[key] = np.array(link.units)
            arguments.append(f"index=data[{key!r}]")
        lines.append(text.call("linked_var", arguments, to=f"{name}.{n}"))
    return lines


def _statements(name: str, p: spec.Population, again: list[couplings.Sum]) -> list[str]:
    """What a group does at events and now and then, and the second part of its step."""
    lines = []
    for event, e in p.events.items():
        lines.append(text.call(f"{name}.run_on_event", [repr(event), text.code(e.action)]))
    for regular in p.regularly:
        every = f"dt={text.time(regular.dt)}"
        lines.append(text.call(f"{name}.run_regularly", [text.code(regular.code), every]))
    if again:
        sums = text.strings(sorted(couplings.inputs(again)))
        second = [f"corrector({name}, sums={sums})", "when='groups'", f"order={AGAIN + len(again)}"]
        lines.append(text.call(f"{name}.run_regularly", second))
    return lines


def initial(context: Context, name: str, owner: spec.Population | spec.Projection) -> list[str]:
    """Initial values, each after those that it reads."""
    own, lines = eqs.parse(owner.equations), []
    for n in eqs.initial_order(own, owner.initial):
        given = owner.initial[n]
        if isinstance(given, spec.Values):
            values = context.array(f"initial.{owner.name}.{n}", given.flat, own[n].dimensions)
            if own[n].type != eqs.FLOAT:
                values += f".astype({'bool' if own[n].type == eqs.BOOLEAN else 'int'})"
        else:
            values = text.value(given)
        lines.append(f"{variable(name, n)} = {values}")
    return lines


def _between_stages(model: spec.Model, p: spec.Population, again: list[couplings.Sum]) -> list[str]:
    """What is kept between the two parts of a step: predicted values and the noise."""
    if not again:
        return []
    own = eqs.parse(p.equations)
    noises = [f"drawn_{xi}" for xi in eqs.noises(own)]
    for drawn in noises:
        if drawn in own or drawn in model.parameters or drawn in model.tables:
            raise UserError(
                f"'{drawn}' in population '{p.name}': the scheme 'heun' of a Brian2 script needs this"
                " name for something else; give it another one"
            )
    later = couplings.later(model, p.name)
    kept = [replace(own[n], name=stages.predicted(n), kind="parameter") for n in later if n in own]
    kept = [replace(e, expression=None, flags=()) for e in kept]
    return [text.equation(e) for e in kept] + [f"{drawn} : second**-0.5" for drawn in noises]


# ---------------------------------------------------------------------------- stimuli


@dataclass
class _Stimulated:
    """The equations of stimulated variables, and the values of the images in them."""

    variables: set[str] = field(default_factory=set)
    equations: list[str] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)


#: Most terms beside each other: a sum of many would be nested more deeply than a model file may be.
_TERMS = 30


def _sum(terms: list[str]) -> str:
    """The sum of terms, in parentheses part by part where there are many."""
    if len(terms) > _TERMS:
        parts = [terms[n : n + _TERMS] for n in range(0, len(terms), _TERMS)]
        terms = [f"({' + '.join(part)})" for part in parts]
    return " + ".join(terms)


def _stimulated(context: Context, p: spec.Population) -> _Stimulated:
    """The variables of a population that are sums of stimuli."""
    result, own = _Stimulated(), eqs.parse(p.equations)
    stimuli = [s for s in context.model.stimuli.values() if s.population == p.name]
    symbols = eqs.population_symbols(context.model, p)
    used = {*own, *context.model.parameters, *context.model.tables}
    called = {s.image: s.image.removeprefix(made("pattern") + "_") for s in stimuli if s.image}
    images = {image: free(f"{name}_image", used) for image, name in called.items()}
    for image, name in images.items():
        values = np.asarray(context.images[image]).ravel()
        if not values.any():
            result.images[name] = "0.0  # a blank image: set it to 1 where the stimulus is seen"
            continue
        key = f"image.{called[image]}"
        context.data[key] = values.astype(float)
        result.images[name] = f"data[{key!r}]"
    for name in dict.fromkeys(s.variable for s in stimuli):
        terms = []
        for s in stimuli:
            if s.variable == name:
                shown = f"*{images[s.image]}" if s.image else ""
                whole = expressions.annotated(s.amplitude, symbols).dtype == eqs.INTEGER
                amplitude = f"1.0*({s.amplitude})" if whole and not shown else f"({s.amplitude})"
                terms.append(spelled(f"{amplitude}*{_window(s)}{shown}"))
        total = replace(own[name], kind="subexpression", expression=_sum(terms))
        flags = tuple(flag for flag in own[name].flags if flag == "shared")
        result.equations.append(text.equation(replace(total, flags=flags)))
        result.variables.add(name)
    result.equations += [f"{name} : 1 (constant)" for name in images.values()]
    return result


def _window(s: spec.Stimulus) -> str:
    """Whether a stimulus is on: 1 or 0. Half a nanosecond keeps rounding out of the comparisons."""
    start, duration, period, end = (
        text.time(t, tolerance=1e-13) for t in (s.start, s.duration, s.period, s.end)
    )
    parts = [f"int(t >= {start} - 0.5*nsecond)"] if s.start else []
    parts.append(f"int(t < {end} - 0.5*nsecond)")
    if s.count > 1:
        since = f"t - {start}" if s.start else "t"
        parts.append(f"int(({since} + 0.5*nsecond) % ({period}) < {duration})")
    return "*".join(parts)


# ---------------------------------------------------------------------------- records


def record(context: Context, r: spec.Record) -> list[str]:
    """A monitor."""
    group, name = context.names.groups[r.population], context.names.monitors[r.name]
    variables = text.strings(r.variables)
    if r.events:
        spikes = r.event == "spike"
        kind = "SpikeMonitor" if spikes else "EventMonitor"
        arguments = [group] + ([] if spikes else [repr(r.event)])
        arguments += [f"variables={variables}"] if r.variables else []
        return [text.call(kind, arguments, to=name)]
    if r.reduce:
        return _mean(context, r)
    population = context.model.recorded(r)
    recorded = "True" if r.units is None else text.integers(np.array(r.units))
    regularly = isinstance(population, spec.Population) and population.regularly
    if r.stride > 1 and isinstance(population, spec.Population):
        shape = ", ".join(map(str, population.shape))
        every = ", ".join(f"::{r.stride}" for _ in population.shape)
        whole = f"np.arange({population.size})"
        whole += f".reshape({shape})" if len(population.shape) > 1 else ""
        recorded = f"{whole}[{every}].ravel()"
    arguments = [group, variables, f"record={recorded}", f"dt={text.time(r.every)}"]
    arguments += ["order=-1"] if regularly else []  # before these statements
    return [text.call("StateMonitor", arguments, to=name)]


def _mean(context: Context, r: spec.Record) -> list[str]:
    """The mean over a population, as sums over synapses to one unit."""
    names, own = context.names, eqs.parse(context.model.populations[r.population].equations)
    mean, total = names.means[r.name]
    every = f"dt={text.time(r.every)}"
    units = {v: text.base_unit(own[v].dimensions) for v in r.variables}
    kept = "\n".join(f"{v} : {unit}" for v, unit in units.items())
    sums = "\n".join(
        f"{v}_post = 1.0*{v}_pre/N_incoming : {unit} (summed)" for v, unit in units.items()
    )
    group = ["1", text.code(kept), every, f"name={names.label(mean)!r}"]
    synapses = [names.groups[r.population], mean, text.code(sums), every]
    synapses.append(f"name={names.label(total)!r}")
    monitor = [mean, text.strings(r.variables), "record=True", every, "when='end'"]
    return [
        f"# the mean over {names.groups[r.population]}, taken at the start of a step",
        text.call("NeuronGroup", group, to=mean),
        text.call("Synapses", synapses, to=total),
        f"{total}.connect()",
        f"for updater in {total}.summed_updaters.values():",
        "    updater.when, updater.order = 'start', -1",
        text.call("StateMonitor", monitor, to=names.monitors[r.name]),
    ]
