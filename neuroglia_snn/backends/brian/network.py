"""A model as Brian2 objects, the same for the runtime and for standalone devices."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import brian2
import numpy as np
from brian2.equations.equations import INTEGER, PARAMETER, SUBEXPRESSION, Equations, SingleEquation
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension, Quantity

from neuroglia_snn import lanes, noise, spec
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian import coupling, gate, third_factor
from neuroglia_snn.catalog import inputs
from neuroglia_snn.catalog.connections import MULTIPLICITY
from neuroglia_snn.errors import BackendError, NumericalError, UserError
from neuroglia_snn.language import algebra, arithmetic, couplings, geometry, stages
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.integrators import INTEGRATORS
from neuroglia_snn.language.names import made
from neuroglia_snn.language.pathways import in_full
from neuroglia_snn.language.quantities import UNITS, parse_quantity, unit_name

#: Steps of a population between two checks for NaN.
CHECK_EVERY = 500
#: Order of records among what happens at the start of a step: before statements on slower clocks.
_FIRST = -1

SECOND = brian2.second

#: (group name, variable) to value in SI units.
Settings = Mapping[tuple[str, str], "float | np.ndarray"]


@dataclass
class Network:
    """Brian2 objects of one model, and the values to assign before a run.

    ``groups`` are by the names of populations and projections, ``monitors`` by those of records.
    ``pairings`` are by the names of projections of rule ``third-in``. ``settings`` maps (such a name,
    variable) to a value in SI units: parameters, images and the seed. They are kept apart from the objects so that a standalone build does not hold them.
    """

    model: spec.Model
    groups: dict[str, brian2.Group] = field(default_factory=dict)
    monitors: dict[str, object] = field(default_factory=dict)
    extra: list[object] = field(default_factory=list)
    pairings: dict[str, third_factor.Pairing] = field(default_factory=dict)
    settings: dict[tuple[str, str], float | np.ndarray] = field(default_factory=dict)
    namespace: dict[str, object] = field(default_factory=dict)

    def objects(self) -> list[object]:
        """Everything that a `brian2.Network` needs."""
        return [*self.groups.values(), *self.extra, *self.monitors.values()]


def build(
    model: spec.Model,
    images: Mapping[str, np.ndarray],
    seed: int,
    apply_settings: Callable[[Network], None],
) -> Network:
    """Create all objects of a model.

    ``apply_settings`` is called once, after the groups exist and before connections and initial
    values are made, because those may depend on parameters.
    """
    FIRST_NONFINITE[:] = 0  # of an earlier network that ended otherwise
    images = {**model.patterns(), **images}
    model = arithmetic.settle(inputs.separate(model.within_run()))
    network = Network(model, namespace=_namespace(model))
    for population in model.populations.values():
        _population(network, population, images, seed)
    for population in model.populations.values():
        _linked(network, population)
    synaptic = []
    for projection in model.projections.values():
        if coupling.is_gather(model, projection):
            _gather(network, projection)
        else:
            synaptic.append(_synapses(network, projection))
    apply_settings(network)
    for population in model.populations.values():
        _initial(network.groups[population.name], population)
    for projection in synaptic:
        _connect(network, projection, seed)
        _initial(network.groups[projection.name], projection)
        _delays(network.groups[projection.name], projection)
    for record in model.records.values():
        _record(network, record)
    return network


def apply_settings(network: Network) -> None:
    """Give the objects of this process the network's settings."""
    for (group, variable), value in network.settings.items():
        network.groups[group].variables[variable].set_value(value)


def settings_of(network: Network, request: Request) -> Settings:
    """The network's settings with the values of a replica: its parameters, images and seed."""
    shown = {**network.model.patterns(), **request.images}
    images = {_image(s): s.image for s in network.model.stimuli.values() if s.image}

    def value(owner: str, variable: str) -> float | np.ndarray:
        if variable == eqs.NOISE_SEED:
            return request.seed
        if variable in images:
            return shown[images[variable]].astype(float).ravel()
        if owner in network.model.projections:
            names = {_in_projection(owner, n): n for n in request.model.parameters}
            variable = names[variable]
        return request.model.parameters[variable].value.si

    return {key: value(*key) for key in network.settings}


# ---------------------------------------------------------------------------- names


def brian_name(owner: str) -> str:
    """Brian2's name of a population or projection, which it begins the names of many objects with.

    No name of a model file ends in an underscore or holds two in a row, so that none of these objects,
    and none of their arrays, has the name of another one.
    """
    return f"{owner}_"


def _object(kind: str, *names: object) -> str:
    """Brian2's name of an object of ours, as `brian_name`."""
    return made(kind, *names) + "_"


def _image(stimulus: spec.Stimulus) -> str:
    """Name of the variable of a population that is a stimulus's image."""
    return made("image", stimulus.name)


def _in_projection(projection: str, parameter: str) -> str:
    """A parameter's name in a projection: Brian2 lets synapses share none with their two sides."""
    return made("in", projection, parameter)


def _pathway(name: str) -> str:
    """Brian2's name of a pathway, which is an attribute of the synapses."""
    return made("pathway", name)


# --------------------------------------------------------------------- populations


def _shared(name: str, dimensions=DIMENSIONLESS) -> SingleEquation:
    return SingleEquation(PARAMETER, name, dimensions, flags=["shared", "constant"])


def _parameters(network: Network, owner: str, texts: list[str]) -> list[SingleEquation]:
    """Model parameters as shared variables of one group, so that a run can set them."""
    used = eqs.used_parameters(network.model, texts)
    for name, parameter in used.items():
        network.settings[owner, name] = parameter.value.si
    return [_shared(n, p.value.dimensions) for n, p in used.items()]


def _namespace(model: spec.Model) -> dict[str, object]:
    space: dict[str, object] = {"neuroglia_gaussian": _gaussian_function()}
    space |= arithmetic.functions()
    space["neuroglia_check"] = _check_function(tuple(model.populations))
    for name, table in model.tables.items():
        values, dims = table.values.numbers, table.dimensions
        quantity = values if dims.is_dimensionless else Quantity(values, dim=dims)
        space[name] = brian2.TimedArray(quantity, dt=table.dt * SECOND, name=_object("table", name))
    for stimulus in model.stimuli.values():
        space[gate.name_of(stimulus)] = gate.Gate(stimulus)
    return space | dict(UNITS)


def _linked(network: Network, population: spec.Population) -> None:
    group = network.groups[population.name]
    for name, link in population.linked.items():
        source = network.groups[link.population]
        index = None if link.units is None else np.array(link.units)
        setattr(group, name, brian2.linked_var(source, link.variable, index=index))


def _given_spikes(network: Network, population: spec.Population, spikes: spec.Spikes) -> None:
    network.groups[population.name] = brian2.SpikeGeneratorGroup(
        population.size,
        spikes.units.numbers,
        spikes.times.numbers * SECOND,
        dt=population.dt * SECOND,
        name=brian_name(population.name),
    )


def _population(
    network: Network,
    population: spec.Population,
    images: Mapping[str, np.ndarray],
    seed: int,
) -> None:
    model, name = network.model, population.name
    if population.spikes is not None:
        return _given_spikes(network, population, population.spikes)
    own = eqs.parse(population.equations)
    incoming = [p for p in model.projections.values() if p.target.name == name]
    stimuli = [s for s in model.stimuli.values() if s.population == name]
    texts = eqs.texts(population) + [s.amplitude for s in stimuli]
    added = []
    exchanged = _Exchange.of(model, population)
    gathered = [p for p in incoming if coupling.is_gather(model, p)]
    plans = [coupling.gather(model, s) for p in gathered for s in couplings.sums(model, p)]
    plans += exchanged.gathers.values() if exchanged else ()
    links: dict[str, Dimension] = {}
    for plan in plans:
        texts.append(plan.code)
        links |= {link: dimensions for link, (_, dimensions, _) in plan.links.items()}
    added += [SingleEquation(PARAMETER, n, d, flags=["linked"]) for n, d in links.items()]
    for constant in dict.fromkeys(c for plan in plans for c in plan.constants):
        added.append(SingleEquation(PARAMETER, constant, DIMENSIONLESS, flags=["constant"]))
    for variable in {s.variable for s in stimuli}:
        added.append(_stimulated(network, population, variable, images))
        for s in stimuli:
            if s.image and s.variable == variable:
                added.append(
                    SingleEquation(PARAMETER, _image(s), DIMENSIONLESS, flags=["constant"])
                )
    declared = {n: e for n, e in own.items() if n not in {s.variable for s in stimuli}}
    noisy = any(e.noise_terms for e in own.values())
    if noisy:
        added.append(_shared(eqs.NOISE_SEED))
        network.settings[name, eqs.NOISE_SEED] = seed
        added.append(
            SingleEquation(PARAMETER, eqs.NOISE_PLACE, DIMENSIONLESS, INTEGER, flags=["constant"])
        )
    equations = eqs.to_brian(declared) + Equations(
        added + (exchanged.variables() if exchanged else []) + _parameters(network, name, texts)
    )
    step = exchanged.first_stage(equations) if exchanged else None
    events = {n: e.condition for n, e in population.events.items()}
    group = brian2.NeuronGroup(
        population.size,
        equations,
        threshold=population.threshold,
        reset=population.reset,
        refractory=_refractory(population.refractory),
        events=events,
        method=_method(population.integrator, _normal(population), step),
        dt=population.dt * SECOND,
        name=brian_name(name),
        namespace=network.namespace,
    )
    if noisy:
        setattr(group, eqs.NOISE_PLACE, lanes.places(population.shape))
    if exchanged:
        exchanged.second_stage(group, equations)
    for event, entry in population.events.items():
        group.run_on_event(event, entry.action)
    for n, regular in enumerate(population.regularly):
        label = _object("regularly", name, f"{n:06}")  # by whose order Brian2 runs them
        group.run_regularly(regular.code, dt=regular.dt * SECOND, name=label)
    _guard(network, group, population, own)
    network.groups[name] = group


def _refractory(text: str | None):
    if text is None:
        return False
    number = _number(text)
    return text if number is None else number


def _stimulated(
    network: Network, population: spec.Population, variable: str, images: Mapping[str, np.ndarray]
) -> SingleEquation:
    """The stimulated variable as the sum of its stimuli."""
    terms = []
    for s in network.model.stimuli.values():
        if (s.population, s.variable) != (population.name, variable):
            continue
        image = f"*{_image(s)}" if s.image else ""
        terms.append(f"({s.amplitude})*{gate.name_of(s)}(t){image}")
        if s.image:
            network.settings[population.name, _image(s)] = images[s.image].astype(float).ravel()
    declared = eqs.parse(population.equations)[variable]
    shared = [flag for flag in declared.flags if flag == "shared"]
    total = eqs.Code(" + ".join(terms))
    return SingleEquation(SUBEXPRESSION, variable, declared.dimensions, expr=total, flags=shared)


def _gather(network: Network, projection: spec.Projection) -> None:
    """The sums of a projection as statements of the target, one after the other."""
    source = network.groups[projection.source.name]
    target = network.groups[projection.target.name]
    for one in couplings.sums(network.model, projection):
        plan = coupling.gather(network.model, one)
        _link(plan, source, target)
        target.run_regularly(
            plan.code,
            dt=projection.dt * SECOND,
            when="groups",
            order=_turn(network.model, one),
            name=_object("gather", projection.name, one.variable),
        )


def _link(plan: coupling.Gather, source: brian2.NeuronGroup, target: brian2.NeuronGroup) -> None:
    for link, (variable, _, index) in plan.links.items():
        if link not in target.variables:  # sums of a projection share what they read
            setattr(target, link, brian2.linked_var(source, variable, index=index))
    for constant, values in plan.constants.items():
        setattr(target, constant, values)


def _turn(model: spec.Model, one: couplings.Sum, again: bool = False) -> int:
    """Order of a sum among all sums of a step, and before the populations' state updates.

    ``again`` for a sum of predicted states, which comes after the first stage.
    """
    places = [other.place for other in couplings.all_sums(model)]
    return places.index(one.place) + (1 if again else -len(places))


# ---------------------------------------------------------------------- projections


def _endpoint(network: Network, endpoint: spec.Endpoint):
    group = network.groups[endpoint.name]
    return group if endpoint.start is None else group[endpoint.start : endpoint.stop]


def _synapses(network: Network, projection: spec.Projection) -> spec.Projection:
    """Create the synapses; gives the projection with its parameters under names of its own."""
    projection = _with_sums_again(network.model, projection)
    used = eqs.used_parameters(network.model, eqs.texts(projection))
    names = {name: _in_projection(projection.name, name) for name in used}
    for name, parameter in used.items():
        network.settings[projection.name, names[name]] = parameter.value.si
    added = Equations([_shared(names[n], p.value.dimensions) for n, p in used.items()])
    full = in_full(network.model, projection)
    projection = _renamed(projection, names)
    on_pre, on_post = (
        {_pathway(n): algebra.substituted(code, full) for n, code in codes.items()}
        for codes in (projection.on_pre, projection.on_post)
    )
    delay = {}
    for pathway, text in projection.delay.items():
        number = _number(text)
        if number is not None:  # an expression is set after the synapses' initial values
            delay[_pathway(pathway)] = number
    synapses = brian2.Synapses(
        _endpoint(network, projection.source),
        _endpoint(network, projection.target),
        model=eqs.to_brian(eqs.parse(projection.equations)) + added,
        on_pre=on_pre or None,
        on_post=on_post or None,
        delay=delay or None,
        on_event={
            _pathway(p): projection.on_event.get(p, "spike")
            for p in (*projection.on_pre, *projection.on_post)
        }
        or "spike",
        method=_method(projection.integrator, _randn),
        dt=projection.dt * SECOND,
        name=brian_name(projection.name),
        namespace=network.namespace,
    )
    _order_sums(network.model, projection, synapses)
    network.groups[projection.name] = synapses
    return projection


def _with_sums_again(model: spec.Model, projection: spec.Projection) -> spec.Projection:
    """The projection with sums of predicted states, for those that are recomputed within a step."""
    lines = [projection.equations]
    for one in couplings.recomputed(model, projection.target.name):
        if one.projection.name == projection.name:
            own = eqs.endpoint_variables(model, projection.target)
            later = couplings.later(model, projection.target.name)
            sides = {f"{n}_{side}": f"{later[n]}_{side}" for n in later for side in ("pre", "post")}
            text = algebra.substituted(one.text, sides | {"t": later["t"]})
            unit = unit_name(own[one.variable].dimensions)
            lines.append(f"{later[one.variable]}_post = {text} : {unit} (summed)")
    return dataclasses.replace(projection, equations="\n".join(lines))


def _order_sums(model: spec.Model, projection: spec.Projection, made: brian2.Synapses) -> None:
    """Let sums over synapses take their turns, on the projection's clock.

    Brian2 has them on the target's clock, whatever that of the synapses.
    """
    for one in couplings.sums(model, model.projections[projection.name]):
        for variable, again in ((one.variable, False), (stages.predicted(one.variable), True)):
            updater = made.summed_updaters.get(f"{variable}_post")
            if updater is not None:
                updater.order, updater._clock = _turn(model, one, again), made.clock


def _renamed(projection: spec.Projection, names: Mapping[str, str]) -> spec.Projection:
    return eqs.with_changed(projection, lambda text, _: algebra.substituted(text, names))


def _connect(network: Network, projection: spec.Projection, seed: int) -> None:
    synapses, connect = network.groups[projection.name], projection.connect
    rule = connect["rule"]
    if rule == "condition":
        arguments = {k: connect[k] for k in ("p", "n") if k in connect}
        synapses.connect(condition=connect.get("condition", True), **arguments)
    elif rule == "all":
        synapses.connect()
    elif rule == "generator":  # pairs beyond the populations are none
        chosen = {connect["iterator"][2]: eqs.generator(connect)}
        synapses.connect(**chosen, skip_if_invalid=True)
    elif rule == "third-in":
        primary = network.groups[connect["of"].name]
        sizes = len(primary.target), len(synapses.target)
        pairing = third_factor.paired(primary.j[:], sizes, connect, seed, projection.name)
        network.pairings[projection.name] = pairing
        _connect_pairs(synapses, primary.i[:][pairing.synapses], pairing.thirds)
    elif rule == "third-out":
        pairing = network.pairings[connect["of"].name]
        of = network.model.projections[connect["of"].name].connect["of"]
        i, j, multiplicity = third_factor.output(pairing, network.groups[of.name].j[:])
        _connect_pairs(synapses, i, j)
        synapses.state(MULTIPLICITY)[:] = multiplicity
    else:
        _connect_pairs(synapses, *pairs(network.model, projection))


def _connect_pairs(synapses: brian2.Synapses, i: np.ndarray, j: np.ndarray) -> None:
    if len(i):
        synapses.connect(i=i, j=j)
    else:  # arrays without an element are of no type that Brian2 takes
        synapses.connect(condition=False)


def _delays(synapses: brian2.Synapses, projection: spec.Projection) -> None:
    """Delays by an expression, which may read the initial values of synapses."""
    for pathway, text in projection.delay.items():
        if isinstance(text, spec.Values):
            getattr(synapses, _pathway(pathway)).delay = text.flat * SECOND
        elif _number(text) is None:
            getattr(synapses, _pathway(pathway)).delay = text


def pairs(model: spec.Model, projection: spec.Projection) -> tuple[np.ndarray, np.ndarray]:
    """Source and target index of every connection, for rules that are known before a run."""
    connect = projection.connect
    if connect["rule"] == "pairs":
        pairs = np.asarray(connect["pairs"], dtype=int)
        return pairs[:, 0], pairs[:, 1]
    if connect["rule"] == "footprint":
        return geometry.footprint_pairs(
            model.populations[projection.source.name].shape,
            model.populations[projection.target.name].shape,
            connect["size"],
            connect["step"],
        )
    if connect["rule"] == "one-to-one":
        start, stop = projection.source.start, projection.source.stop
        size = (
            stop - start
            if start is not None and stop is not None
            else model.populations[projection.source.name].size
        )
        return np.arange(size), np.arange(size)
    index = coupling.sources(model, projection)
    slot, target = np.nonzero(index >= 0)
    return index[slot, target], target


def _number(text: spec.Value) -> float | Quantity | None:
    """A number with its units; None for an expression, or for an array."""
    if isinstance(text, spec.Values):
        return None
    try:
        amount = parse_quantity(text)
    except UserError:
        return None
    bare = amount.dimensions.is_dimensionless
    return amount.si if bare else Quantity(amount.si, dim=amount.dimensions)


def _initial(group: brian2.Group, owner: spec.Population | spec.Projection) -> None:
    for name in eqs.initial_order(eqs.parse(owner.equations), owner.initial):
        text = owner.initial[name]
        if isinstance(text, spec.Values):
            variable = group.variables[name]
            group.state(name)[:] = Quantity(text.flat.astype(variable.dtype), dim=variable.dim)
            continue
        number = _number(text)
        group.state(name)[:] = text if number is None else number  # whatever the variable is called


# ------------------------------------------------------------------------ recording


def recorded_indices(population: spec.Population, record: spec.Record) -> np.ndarray:
    """Units that a record keeps: those that it names, or each stride-th row and column."""
    if record.units is not None:
        return np.array(record.units)
    stride = record.stride
    index = np.arange(population.size).reshape(population.shape)
    return index[tuple(slice(None, None, stride) for _ in population.shape)].ravel()


#: Rules whose connections are known before a run, also to a program that makes them itself.
LISTED = ("pairs", "lattice", "footprint", "first-footprint", "one-to-one")


def _synapses_of(record: spec.Record, synapses: brian2.Synapses) -> np.ndarray:
    """The synapses that a record names."""
    chosen = np.array(record.units)
    if chosen.max() >= len(synapses):
        raise BackendError(
            f"record '{record.name}' names synapse {chosen.max()}, and '{record.population}' has the"
            f" synapses 0 to {len(synapses) - 1}"
        )
    return chosen


def counted_in_a_run(model: spec.Model) -> str | None:
    """What follows from synapses that only a run knows, as a reason not to write a model as a program."""
    for one in model.projections.values():
        if one.rule in ("third-in", "third-out"):
            return (
                f"projection '{one.name}': rule '{one.rule}' follows synapses that a program"
                " makes as it runs (backends 'fused' and 'numpy' follow them)"
            )
    for record in model.records.values():
        projection = model.projections.get(record.population)
        if projection is not None and projection.connect["rule"] not in LISTED:
            return (
                f"record '{record.name}': how many synapses '{projection.name}' has is known in a run"
                " alone (backends 'fused' and 'numpy' record them)"
            )
    return None


def _record(network: Network, record: spec.Record) -> None:
    group = network.groups[record.population]
    name = _object("record", record.name)
    if record.events:
        monitor = brian2.EventMonitor(group, record.event, list(record.variables), name=name)
        monitor.namespace = network.namespace  # its own, in which it resolves definitions
        network.monitors[record.name] = monitor
        return
    every = record.every * SECOND
    if record.reduce is None:
        owner = network.model.recorded(record)
        if isinstance(owner, spec.Projection):
            kept: object = True if record.units is None else _synapses_of(record, group)
        else:
            kept = recorded_indices(owner, record)
        network.monitors[record.name] = brian2.StateMonitor(
            group,
            list(record.variables),
            dt=every,
            order=_FIRST,
            name=name,
            record=kept,
        )
        return
    own = eqs.parse(network.model.populations[record.population].equations)
    mean = brian2.NeuronGroup(
        1,
        Equations([SingleEquation(PARAMETER, v, own[v].dimensions) for v in record.variables]),
        dt=every,
        name=_object("mean", record.name),
    )
    sums = Equations(
        [
            SingleEquation(
                SUBEXPRESSION,
                f"{v}_post",
                own[v].dimensions,
                expr=eqs.Code(f"1.0*{v}_pre/N_incoming"),  # an integer would be a float32
                flags=["summed"],
            )
            for v in record.variables
        ]
    )
    synapses = brian2.Synapses(
        group,
        mean,
        model=sums,
        dt=every,
        name=_object("sum", record.name),
        namespace=network.namespace,
    )
    synapses.connect()
    for updater in synapses.summed_updaters.values():
        updater.when, updater.order = "start", _FIRST
    network.extra += [mean, synapses]
    network.monitors[record.name] = brian2.StateMonitor(
        mean, list(record.variables), dt=every, record=True, when="end", name=name
    )


# ------------------------------------------------------- integration, noise, guards


class _Exchange:
    """A population whose units read each other's predicted states between the stages of a step.

    The first stage is its state update, which stores the predicted values; sums of these and the
    second stage come after the state updates of all groups. Gathers stand apart: compilers vectorise
    the stages, but not those.
    """

    def __init__(self, model: spec.Model, population: spec.Population, again: list[couplings.Sum]):
        self._model, self._population, self._again = model, population, again
        self._own = eqs.parse(population.equations)
        self._renamed = couplings.later(model, population.name)
        #: The gathers among the sums of predicted states.
        self.gathers = {
            s.place: coupling.gather(model, s, self._renamed)
            for s in again
            if coupling.is_gather(model, s.projection)
        }

    @classmethod
    def of(cls, model: spec.Model, population: spec.Population) -> _Exchange | None:
        """The exchange of a population, or None if nothing is computed again within its step."""
        again = couplings.recomputed(model, population.name)
        return cls(model, population, again) if again else None

    def variables(self) -> list[SingleEquation]:
        """What is stored between the stages: predicted values and Wiener increments."""
        noises = eqs.noises(self._own)
        return [
            SingleEquation(PARAMETER, new, self._own[old].dimensions)
            for old, new in sorted(self._renamed.items())
            if old in self._own
        ] + [SingleEquation(PARAMETER, _stored(xi), (SECOND**0.5).dim) for xi in noises]

    def _step(self, equations: Equations) -> stages.Step:
        """The stages, with the increments of the noise in variables."""
        filled = couplings.inputs(self._again)
        normal = _normal(self._population)
        step = stages.step(self._population.integrator, equations, normal, filled)
        names = {xi: _stored(xi) for xi in (line.split(" = ", 1)[0] for line in step.noise)}

        def stored(lines: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(algebra.substituted(line, names) for line in lines)

        return stages.Step(stored(step.noise), stored(step.predict), stored(step.correct))

    def first_stage(self, equations: Equations) -> stages.Step:
        """What the state updater does."""
        return dataclasses.replace(self._step(equations), correct=())

    def second_stage(self, group: brian2.NeuronGroup, equations: Equations) -> None:
        """Add the gathers of predicted states, and what follows all sums of these."""
        turn = 0
        for one in self._again:
            turn = _turn(self._model, one, again=True)
            plan = self.gathers.get(one.place)
            if plan is None:
                continue  # a sum of the synapses
            _link(plan, group, group)
            label = _object("gather", one.projection.name, stages.predicted(one.variable))
            self._run(group, plan.code, turn, label)
        code = "\n".join(self._step(equations).correct)
        self._run(group, code, turn + 1, _object("corrector", self._population.name))

    def _run(self, group: brian2.NeuronGroup, code: str, turn: int, name: str) -> None:
        dt = self._population.dt * SECOND
        group.run_regularly(code, dt=dt, when="groups", order=turn, name=name)


def _stored(xi: str) -> str:
    """Name of the variable that keeps a Wiener increment between the stages."""
    return made("increment", xi)


def _normal(population: spec.Population) -> Callable[[str], str]:
    """Expression of the counter-based noise: numbers of the population's seed, places and steps."""

    def normal(xi: str) -> str:
        stream = eqs.noise_stream(population.name, xi)
        return (
            f"neuroglia_gaussian({eqs.NOISE_SEED}, {stream}.0, {eqs.NOISE_PLACE}, t_in_timesteps)"
        )

    return normal


def _randn(xi: str) -> str:
    return "randn()"


def _method(integrator: str, normal: Callable[[str], str], step: stages.Step | None = None):
    scheme = INTEGRATORS.get(integrator)
    if scheme is None:
        return "exact"  # nothing to integrate, or only event-driven equations
    if not scheme.own:
        return scheme.name
    return state_updater(integrator, normal, step)


def state_updater(
    integrator: str, normal: Callable[[str], str] = _randn, step: stages.Step | None = None
) -> Callable:
    """Return one of our integration schemes as a state updater for Brian2.

    Any Brian2 script can use it: ``NeuronGroup(..., method=state_updater("heun"))``.

    Parameters
    ----------
    integrator : str
        The name of any integration scheme of a model file but ``exact``.
    normal : callable, optional
        A function from the name of a noise to the expression of a standard normal number. By default the
        expression is Brian2's ``randn()``.
    step : stages.Step, optional
        Code to use in place of the scheme's own.

    Returns
    -------
    callable
        A function that Brian2 takes as ``method``.
    """

    def update(equations: Equations, variables=None, method_options=None) -> str:
        code = step or stages.step(integrator, equations, normal)
        # for its messages alone Brian2 would have sympy write the rates out, which not all survive
        equations.get_substituted_expressions = lambda *_, **__: []
        return "\n".join((*code.noise, *code.predict, *code.correct))

    return update


@functools.lru_cache(maxsize=1)
def _gaussian_function() -> brian2.Function:
    def gaussian(seed, stream, place, step):
        seed, step = int(np.ravel(seed)[0]), int(np.ravel(step)[0])
        return noise.gaussian(seed, int(stream), place, step)

    function = brian2.Function(
        gaussian,
        arg_units=[1] * 4,
        return_unit=1,
        stateless=True,
        arg_names=["seed", "stream", "place", "step"],
    )
    function.neuroglia_operation = "gaussian"  # our own loop has it
    function.implementations.add_implementation("numpy", gaussian)
    function.implementations.add_implementation(
        "cpp", noise.CPP, compiler_kwds={"headers": list(noise.CPP_HEADERS)}
    )
    return function


#: Start of the line that a standalone program writes when it stops at a NaN.
NONFINITE = "neuroglia-nonfinite"

_CHECK_CPP = """
static inline double neuroglia_check(const double x, const double which, const int unit, const double t)
{
    int64_t bits;
    std::memcpy(&bits, &x, 8);
    if ((bits & 0x7ff0000000000000LL) == 0x7ff0000000000000LL)  // NaN or infinite, whatever the flags
    {
        fprintf(stderr, "\\n%MARK% %d %d %.9g\\n", (int)which, unit, t);
        _Exit(3);
    }
    return 0.0;
}
""".replace("%MARK%", NONFINITE)


#: What the check found in this process: whether anything, and where: population, unit, time in s.
FIRST_NONFINITE = np.zeros(4)
_CHECK_IN_PROCESS = """
static inline double neuroglia_check(const double x, const double which, const int unit, const double t)
{
    double* const first = _namespaceneuroglia_first;
    if (!(x - x == 0) && !first[0])  // NaN or infinite
    {
        first[0] = 1; first[1] = which; first[2] = unit; first[3] = t;
    }
    return 0.0;
}
"""
#: Of the threads that find something at the same time, one says it.
_CHECK_ON_GPU = _CHECK_IN_PROCESS.replace("static inline", "static __device__").replace(
    "!first[0])", "atomicCAS((unsigned long long*)first, 0ull, 0x3ff0000000000000ull) == 0)"
)


def require_finite(model: spec.Model) -> None:
    """Raise what the check of a run in this process found.

    Raises
    ------
    NumericalError
    """
    found, which, unit, t = FIRST_NONFINITE
    if found:
        FIRST_NONFINITE[:] = 0
        raise NumericalError(nonfinite_message(list(model.populations)[int(which)], int(unit), t))


@functools.lru_cache(maxsize=8)
def _check_function(populations: tuple[str, ...]) -> brian2.Function:
    def check(x, which, unit, t):
        bad = ~np.isfinite(x)
        if np.any(bad):
            name, when = populations[int(which)], float(np.ravel(t)[0])
            raise NumericalError(nonfinite_message(name, int(np.ravel(unit)[np.argmax(bad)]), when))
        return np.zeros_like(x)

    function = brian2.Function(
        check,
        arg_units=[None, 1, 1, SECOND],
        return_unit=1,
        stateless=False,
        arg_names=["x", "which", "unit", "t"],
    )
    function.implementations.add_implementation("numpy", check)
    function.implementations.add_implementation(
        "cpp",
        _CHECK_CPP,
        compiler_kwds={"headers": ["<cstring>", "<cstdint>", "<cstdio>", "<cstdlib>"]},
    )
    function.implementations.add_implementation(
        "neuroglia",
        _CHECK_IN_PROCESS,
        namespace={"neuroglia_first": FIRST_NONFINITE},
        name="neuroglia_check",
    )
    function.implementations.add_implementation(
        "neuroglia_cuda",
        _CHECK_ON_GPU,
        namespace={"neuroglia_first": FIRST_NONFINITE},
        name="neuroglia_check",
    )
    return function


def nonfinite_message(population: str, unit: int, t: float) -> str:
    """The sentence for a run that went to NaN."""
    return (
        f"population '{population}', unit {unit}: NaN or overflow by t = {t * 1e3:.6g} ms;"
        " a smaller dt or another parameter is needed"
    )


def _guard(
    network: Network, group: brian2.NeuronGroup, population: spec.Population, own: Mapping
) -> None:
    """Check the state for NaN every `CHECK_EVERY` steps, and stop the run there."""
    state = [n for n, e in own.items() if e.kind == "differential"]
    if not state:
        return
    which = list(network.model.populations).index(population.name)
    calls = " + ".join(f"neuroglia_check({v}, {which}, i, t)" for v in state)
    group.run_regularly(
        f"neuroglia_finite = {calls}",
        dt=CHECK_EVERY * population.dt * SECOND,
        when="end",
        name=_object("check", population.name),
    )
