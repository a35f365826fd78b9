"""A model as a NIR graph."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import brian2
import nir
import numpy as np

from neuroglia_snn import __version__, spec
from neuroglia_snn.backends.brian import network as brian_network
from neuroglia_snn.backends.brian.apart import apart
from neuroglia_snn.backends.brian.network import Network
from neuroglia_snn.catalog import data, toml
from neuroglia_snn.errors import UserError
from neuroglia_snn.exchange.nir.neurons import Neuron, Unsayable, neuron
from neuroglia_snn.exchange.nir.nodes import NeurogliaPopulation, NeurogliaProjection
from neuroglia_snn.exchange.nir.wiring import Wiring, convolution, kernel, matrix, sides, wiring
from neuroglia_snn.exchange.tables import lined
from neuroglia_snn.language import algebra
from neuroglia_snn.language import equations as eqs


@dataclass
class Plan:
    """What becomes of each part of a model.

    ``extended`` are the populations and projections that NIR has no node for, with the reasons.
    """

    model: spec.Model
    tables: Mapping[str, Any]
    neurons: dict[str, Neuron] = field(default_factory=dict)
    wires: dict[str, Wiring] = field(default_factory=dict)
    extended: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def is_input(self, name: str) -> bool:
        """Whether a population is given its spikes: an input of the graph."""
        table = self.tables["population"].get(name, {})
        return "rates" in table or "spikes" in table


def graph(
    model: spec.Model, tables: Mapping[str, Any], seed: int, extension: bool
) -> tuple[nir.NIRGraph, list[str]]:
    """A model as a graph, with sentences on what is not in it.

    Parameters
    ----------
    model : spec.Model
    tables : mapping
        Those of its model file.
    seed : int
        Of connections and values that are drawn.
    extension : bool
        Write what NIR has no node for as our extension nodes.

    Raises
    ------
    UserError
        With a line for each thing that NIR has no node for.
    """
    plan = Plan(model, tables)
    if model.phases:
        raise UserError("the run has phases, and NIR has none: export the model without [[phase]]")
    with _at_start(model, seed) as built:
        _sort(plan, built)
    said = _said(plan)
    notes = [f"{one}: written as an extension node" for one in said]
    if said and not extension:
        hint = "(--extension writes what NIR cannot say as nodes of ours)"
        raise UserError("\n".join([*said, hint]))
    try:
        return _graph(plan), notes + _notes(plan)
    except Unsayable as error:
        raise UserError(f"the graph {error}") from None


@contextmanager
def _at_start(model: spec.Model, seed: int) -> Iterator[Network]:
    """The network with its connections and initial values, as `neuroglia run --backend numpy` draws them."""
    target, brian2.prefs.codegen.target = brian2.prefs.codegen.target, "numpy"
    try:
        with apart("runtime"):
            brian2.seed(seed)
            built = brian_network.build(model, _blank(model), seed, brian_network.apply_settings)
            yield built
            for one in built.objects():
                for part in (one, *one.contained_objects):  # type: ignore[attr-defined]
                    part._network = "none"  # else Brian2 warns of each that never ran
    finally:
        brian2.prefs.codegen.target = target


def _blank(model: spec.Model) -> dict[str, np.ndarray]:
    """Images without a pixel, for stimuli that no graph has."""
    return {name: np.zeros(shape, bool) for name, shape in model.images().items()}


def _said(plan: Plan) -> list[str]:
    """A sentence on each population and projection that NIR has no node for."""
    kinds = dict.fromkeys(plan.model.projections, "projection")
    return [f"{kinds.get(n, 'population')} '{n}' {why}" for n, why in plan.extended.items()]


def _notes(plan: Plan) -> list[str]:
    """What a NIR graph leaves to its reader."""
    notes = [
        f"'{name}' is an input of the graph: readers but this package bring its spikes themselves"
        for name in plan.model.populations
        if plan.is_input(name)
    ]
    if any(key.startswith("initial_") for n in plan.neurons.values() for key in n.metadata):
        notes.append("values at the start are metadata, which other readers do not know")
    if any("spikes_add_to" in n.metadata for n in plan.neurons.values()):
        notes.append(
            f"a synapse that adds to the membrane at once is one that gives current for a step of"
            f" {plan.model.dt * 1e3:g} ms"
        )
    if plan.model.experiment:
        notes.append(f"the experiment '{plan.model.experiment['kind']}' is no part of the graph")
    return notes


def _sort(plan: Plan, built: Network) -> None:
    """Find what NIR has a node for."""
    model = plan.model
    for name, population in model.populations.items():
        if plan.is_input(name):
            continue
        try:
            plan.neurons[name] = neuron(model, built, population)
        except Unsayable as error:
            plan.extended[name] = str(error)
    for name, projection in model.projections.items():
        reason = _between(plan, projection)
        try:
            if reason is None:
                plan.wires[name] = wiring(model, built, projection, plan.neurons)
                _require_sayable(plan, projection, plan.wires[name])
        except Unsayable as error:
            reason = str(error)
        if reason:
            plan.extended[name] = reason
    _spread(plan)


def _between(plan: Plan, projection: spec.Projection) -> str | None:
    """Why a projection between what it joins can be no linear node, if that decides."""
    for end in (projection.source, projection.target):
        if end.name not in plan.model.populations:
            return (
                f"has the synapses of '{end.name}' at one side, and NIR has none that others act on"
            )
    if projection.target.name not in plan.neurons:
        return f"acts on '{projection.target.name}', which is none of NIR's neurons"
    return None


def _require_sayable(plan: Plan, projection: spec.Projection, wires: Wiring) -> None:
    """Refuse delays and sizes that no node has."""
    populations = plan.model.populations
    source, target = populations[projection.source.name], populations[projection.target.name]
    sides(wires, target.size, source.size)
    if kernel(wires, source, target) is None:
        matrix(wires, target.size, source.size)


def _spread(plan: Plan) -> None:
    """What is written as the file has it reads variables by name, so that their populations are, too."""
    before = -1
    while len(plan.extended) > before:
        before = len(plan.extended)
        for name, projection in plan.model.projections.items():
            if name not in plan.extended and projection.target.name in plan.extended:
                plan.extended[name] = _between(plan, projection) or ""
                del plan.wires[name]
            if name in plan.extended:
                _extend_ends(plan, projection)


def _extend_ends(plan: Plan, projection: spec.Projection) -> None:
    """Write the populations that a written projection changes or reads as the file has them."""
    read = frozenset().union(*map(algebra.names, eqs.texts(projection)))
    ends = {projection.target.name}
    if any(name.endswith("_pre") for name in read):
        ends.add(projection.source.name)
    for end in ends & plan.neurons.keys():
        del plan.neurons[end]
        plan.extended[end] = f"is read and changed by '{projection.name}', which no node of NIR is"


# ------------------------------------------------------------------------------------ the graph


def _graph(plan: Plan) -> nir.NIRGraph:
    """The graph of a plan."""
    nodes: dict[str, nir.NIRNode] = {}
    edges: list[tuple[str, str]] = []
    lattices = _lattices(plan)
    for name, population in plan.model.populations.items():
        shape = _shape(population, name in lattices)
        if plan.is_input(name):
            nodes[name] = nir.Input({"input": np.array(shape)}, metadata=_driven(plan, population))
        elif name in plan.neurons:
            nodes[name] = _neuron(plan.neurons[name], shape)
        else:
            text = _fragment(plan, "population", name)
            nodes[name] = NeurogliaPopulation(text, np.array(shape))
    for name, projection in plan.model.projections.items():
        if name in plan.extended:
            nodes[name], more = _written(plan, name, projection)
        else:
            more = _linear(plan, nodes, name, projection, lattices)
        edges += more
    _open_ends(plan, nodes, edges)
    metadata: dict[str, Any] = {
        "neuroglia_snn": __version__,
        "title": plan.model.title,
        "dt": plan.model.dt,
        "duration": plan.model.duration,
        "order": " ".join(nodes),  # which a file forgets, and in which values are drawn
    }
    if plan.texts:
        metadata["toml"] = _common(plan)
    return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=not plan.extended)


def _shape(population: spec.Population, is_lattice: bool) -> tuple[int, ...]:
    return (1, *population.shape) if is_lattice else (population.size,)


def _neuron(one: Neuron, shape: tuple[int, ...]) -> nir.NIRNode:
    arrays = {name: array.reshape(shape) for name, array in one.arrays.items()}
    return getattr(nir, one.kind)(**arrays, metadata=one.metadata)


def _lattices(plan: Plan) -> set[str]:
    """Populations that are images to NIR: all that reaches them are convolutions of such ones."""
    populations, projections = plan.model.populations, plan.model.projections
    found = {n for n, p in populations.items() if len(p.shape) == 2 and n not in plan.extended}
    while True:
        wrong = set()
        for name, wires in plan.wires.items():
            source, target = projections[name].source.name, projections[name].target.name
            fits = source in found and np.ptp(plan.neurons[target].bias) == 0
            if not fits or kernel(wires, populations[source], populations[target]) is None:
                wrong.add(target)
        reached = {projections[name].target.name for name in plan.wires}
        left = {*(found & reached), *(n for n in found if plan.is_input(n))} - wrong
        if left == found:
            return found
        found = left


def _linear(
    plan: Plan,
    nodes: dict[str, nir.NIRNode],
    name: str,
    projection: spec.Projection,
    lattices: set[str],
) -> list[tuple[str, str]]:
    """Add the nodes of a projection, and give its edges."""
    source = plan.model.populations[projection.source.name]
    target = plan.model.populations[projection.target.name]
    wires, bias = plan.wires[name], plan.neurons[target.name].bias
    before, behind = sides(wires, target.size, source.size)
    first = next(n for n in plan.wires if plan.model.projections[n].target.name == target.name)
    bias = bias if first == name else np.zeros_like(bias)
    chain: list[tuple[str, nir.NIRNode]] = []
    if before is not None:
        delay = before.reshape(_shape(source, source.name in lattices))
        chain.append((f"{name}_delay", nir.Delay(delay)))
    if target.name in lattices:
        weights = kernel(wires, source, target)
        assert weights is not None
        chain.append((name, convolution(weights, target.shape, float(bias[0]))))
    else:
        if source.name in lattices:
            image = {"input": np.array(_shape(source, True))}
            chain.append((f"{name}_flat", nir.Flatten(image, start_dim=0, end_dim=-1)))
        weights = matrix(wires, target.size, source.size)
        chain.append((name, nir.Affine(weights, bias) if bias.any() else nir.Linear(weights)))
    if behind is not None:
        shape = _shape(target, target.name in lattices)
        chain.append((f"{name}_delay", nir.Delay(behind.reshape(shape))))
    labels = [_free(nodes, label, node) for label, node in chain]
    return [*itertools.pairwise([source.name, *labels, target.name])]


def _free(nodes: dict[str, nir.NIRNode], label: str, node: nir.NIRNode) -> str:
    """Add a node under a name that no other one has."""
    taken = itertools.chain([label], (f"{label}_{n}" for n in itertools.count(2)))
    free = next(one for one in taken if one not in nodes)
    nodes[free] = node
    return free


def _open_ends(plan: Plan, nodes: dict[str, nir.NIRNode], edges: list[tuple[str, str]]) -> None:
    """Inputs of neurons that nothing reaches, outputs of those that reach no other."""
    model = plan.model
    joined = {
        (p.source.name, p.target.name)
        for p in model.projections.values()
        if p.source.name != p.target.name
    }
    for name, one in plan.neurons.items():
        if not any(target == name for _, target in joined):
            shape = {"input": np.array(nodes[name].input_type["input"])}
            label = _free(nodes, f"{name}_input", nir.Input(shape, metadata={"silent": 1}))
            before = label
            if one.bias.any() and not any(w == name for _, w in edges):
                eye = np.eye(len(one.bias))
                before = _free(nodes, f"{name}_bias", nir.Affine(eye, one.bias))
                edges.append((label, before))
            edges.append((before, name))
    ends = [n for n in plan.neurons if not any(source == n for source, _ in joined)]
    recorded = [n for n in plan.neurons if any(r.population == n for r in model.records.values())]
    for name in ends or recorded or [*plan.neurons]:
        shape = {"output": np.array(nodes[name].output_type["output"])}
        edges.append((name, _free(nodes, f"{name}_output", nir.Output(shape))))


# ----------------------------------------------------------------------------- parts of the file


def _written(
    plan: Plan, name: str, projection: spec.Projection
) -> tuple[nir.NIRNode, list[tuple[str, str]]]:
    """A projection as an extension node, and its edges."""
    ends = (projection.source.name, projection.target.name)
    sizes = [plan.model.populations[n].size if n in plan.model.populations else 0 for n in ends]
    text = _fragment(plan, "projection", name)
    node = NeurogliaProjection(text, *(np.array([size]) for size in sizes))
    return node, [(ends[0], name), (name, ends[1])]


def _fragment(plan: Plan, kind: str, name: str) -> str:
    """A table of the model file, with what the file says of it elsewhere: stimuli and records."""
    about = {"stimulus": "to", "record": kind} if name in plan.extended else {}
    tables = {kind: {name: plan.tables[kind][name]}}
    for table, key in about.items():
        found = {n: one for n, one in plan.tables.get(table, {}).items() if one.get(key) == name}
        if found:
            tables[table] = found
    if files := data.files(tables):
        raise UserError(
            f"{kind} '{name}' names the data file {files[0]}, which no NIR file can hold"
        )
    text = toml.document(lined(tables))
    plan.texts.append(text)
    return text


def _driven(plan: Plan, population: spec.Population) -> dict[str, Any]:
    """What an input is given: for whoever knows these words."""
    table = plan.tables["population"][population.name]
    if population.spikes is not None:
        units, times = population.spikes.units.numbers, population.spikes.times.numbers
        return {"units": units, "times": times} if len(units) else {"silent": 1}
    if isinstance(table["rates"], dict):
        return {"rates": np.asarray(population.initial["rates"].numbers, float).ravel()}  # type: ignore[union-attr]
    return {"toml": _fragment(plan, "population", population.name)}


def _common(plan: Plan) -> str:
    """Parameters and functions of time that the written parts name, and how they are integrated."""
    words = set(re.findall(r"\w+", " ".join(plan.texts)))
    parameters, tables = plan.tables.get("parameters", {}), plan.tables.get("table", {})
    while True:
        kept = {n: p for n, p in parameters.items() if n in words}
        more = set(re.findall(r"\w+", " ".join(map(str, kept.values())))) - words
        if not more:
            break
        words |= more
    model = {
        k: plan.tables["model"][k] for k in ("noise", "integrator") if k in plan.tables["model"]
    }
    found = {
        "model": model,
        "parameters": kept,
        "table": {n: t for n, t in tables.items() if n in words},
    }
    if files := data.files(found):
        raise UserError(f"a table names the data file {files[0]}, which no NIR file can hold")
    return toml.document(lined({k: v for k, v in found.items() if v}))
