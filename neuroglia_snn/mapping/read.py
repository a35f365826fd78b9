"""Reads the graph of a network from its Program.

A population is a group's units. Synapses lie in the memory of the units that they reach, unless they do more
than a core's synapses do (equations that are integrated in every step, sums into them, functions at a
spike): such synapses are a population of their own. Whatever a kernel reads of another unit is sent.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from brian2.groups.subgroup import Subgroup
from brian2.input.poissoninput import PoissonInput

from neuroglia_snn.language.equations import NOISE_PLACE
from neuroglia_snn.mapping.functions import beyond_lif, functions, has_draws, sets_others
from neuroglia_snn.mapping.graph import (
    LISTED,
    POISSON,
    Connection,
    External,
    Graph,
    Population,
    Stream,
    Variable,
)
from neuroglia_snn.mapping.steps import (
    acts,
    cells,
    expressions,
    group_of,
    hidden,
    is_synapses,
    kernel_of,
    learns,
    owner_of,
    units_named,
    values,
    whole,
    writes,
)
from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.program import (
    Deliver,
    Generate,
    Program,
    Python,
    Record,
    Step,
    Sum,
    Threshold,
    Update,
)
from neuroglia_snn.program.tree import Array, Cell, walk

#: A population, and its units that items of something are.
Place = tuple[Population, np.ndarray]

#: Arrays that say which unit a unit is.
_NO_VALUES = frozenset(("i", "j", "N", NOISE_PLACE))


def read(
    program: Program,
    edges: list[Edges],
    shapes: Mapping[str, tuple[int, ...]],
    shown: Callable[[str], str],
    ignored: Callable[[str], bool] = lambda name: False,
) -> Graph:
    """The graph of a program whose arrays are as its run begins.

    Parameters
    ----------
    edges : of each pathway
    shapes : of groups that are lattices, by Brian2's names
    shown : from Brian2's name of an object to the one in a report
    ignored : whether an object of this name is none of the network's
    """
    return _Reader(program, edges, shapes, shown, ignored).graph()


class _Reader:
    def __init__(
        self,
        program: Program,
        edges: list[Edges],
        shapes: Mapping[str, tuple[int, ...]],
        shown: Callable[[str], str],
        ignored: Callable[[str], bool],
    ) -> None:
        self._program, self._edges, self._shapes, self._shown = program, edges, shapes, shown
        self._steps = [s for s in program.steps if not isinstance(s, Record) and acts(s)]
        self._steps = [s for s in self._steps if not ignored(s.owner.name)]
        self._written = {c.array for s in self._steps for c in writes(s)}
        self._indices = {
            part.array
            for s in self._steps
            for e in expressions(s)
            if isinstance(e, Cell) and isinstance(e.index, Cell)
            for part in walk(e.index)
            if isinstance(part, Cell)
        }
        self._graph = Graph(self._base())
        self._streams: dict[tuple, Stream] = {}
        self._variables: dict[Array, Variable] = {}
        self._kernels: dict[str, list[Step]] = {}
        self._own = self._synapses_with_units()
        self._changes: dict[Array, int] = {}
        for s in self._steps:
            for cell in writes(s):
                period = self._period(s)
                self._changes[cell.array] = min(period, self._changes.get(cell.array, period))
        self._places: dict[str, Place] = {}

    def _base(self) -> float:
        steps = [self._dt(s) for s in self._steps if not isinstance(s, Python)]
        return min(steps, default=float("inf"))

    def _dt(self, step: Step) -> float:
        return float(self._program.clocks[step.clock].dt_)

    def _period(self, step: Step) -> int:
        return max(1, round(self._dt(step) / self._graph.dt))

    # ------------------------------------------------------------------------- populations

    def graph(self) -> Graph:
        for step in self._steps:
            if isinstance(step, Python):
                self._graph.python.append(self._shown(step.owner.name))
            else:
                self._describe(step)
        for step in self._steps:
            if isinstance(step, (Deliver, Sum)):
                continue
            if not isinstance(step, (Python, Generate)):
                self._gathers(step)
        for synapses, steps in self._synaptic().values():
            if synapses.name in self._own:
                self._of_units(synapses, steps)
            else:
                self._in_memory(synapses, steps)
        for name, population in self._graph.populations.items():
            self._characterise(population, self._kernels.get(name, []))
        self._graph.populations = {p.name: p for p in self._graph.populations.values()}
        return self._graph

    def _synapses_with_units(self) -> set[str]:
        """Names of the synapses that are populations of their own."""
        found = set()
        for step in self._steps:
            if isinstance(step, Update) and is_synapses(group_of(step)):
                found.add(group_of(step).name)
            elif isinstance(step, Sum):
                owner = owner_of(step.target)
                if is_synapses(owner):
                    found.add(owner.name)
            elif isinstance(step, Deliver) and (
                functions(step.kernel, self._program, self._written, traces=True)
                or sets_others(step.kernel, self._written)
            ):
                found.add(group_of(step).name)
        return found

    def _population(self, group: Any) -> Population:
        """The population of a group, or of synapses with units of their own."""
        group = group.source if isinstance(group, Subgroup) else group
        if group.name not in self._graph.populations:
            size = len(group)
            made = Population(self._shown(group.name), size, self._shapes.get(group.name, (size,)))
            self._graph.populations[group.name] = made
        return self._graph.populations[group.name]

    def _place(self, group: Any) -> Place:
        """Where each item of a group, a part of one, or synapses is."""
        if isinstance(group, Subgroup):
            return self._population(group), np.arange(group.start, group.stop)
        if not is_synapses(group) or group.name in self._own:
            return self._population(group), np.arange(len(group))
        if group.name not in self._places:
            population, units = self._place(whole(group.target))
            self._places[group.name] = population, units[values(group, "_synaptic_post")]
        return self._places[group.name]

    def _describe(self, step: Step) -> None:
        """Take note of what a step says of the population that it belongs to."""
        if isinstance(step.owner, PoissonInput):
            self._external(step)
            return
        if isinstance(step, Generate):
            self._population(owner_of(step.events)).outside = LISTED
            return
        group = group_of(step)
        population, _ = self._place(group)
        if isinstance(step, Sum) and group.name not in self._own:
            population = self._place(owner_of(step.target))[0]
        if not (isinstance(step, Deliver) and group.name not in self._own):
            name = next(n for n, p in self._graph.populations.items() if p is population)
            self._kernels.setdefault(name, []).append(step)
        if isinstance(step, Update) and population.name == self._shown(group.name):
            population.period = min(population.period or self._period(step), self._period(step))
        for cell in cells(step):
            self._array(cell)
        for array in hidden(step):
            self._array(Cell(array, None))

    def _array(self, cell: Cell) -> None:
        """Take note of an array of a population's units."""
        array, owner = cell.array, owner_of(cell.array)
        if array.scalar or owner is None or array in self._indices:
            return
        if array.variable.name in _NO_VALUES or not hasattr(owner, "variables"):
            return
        if is_synapses(owner) and owner.name not in self._own:
            return
        population = self._population(owner)
        kept = population.state if array in self._written else population.constants
        if self._variable(array) not in kept:
            kept.append(self._variable(array))

    def _variable(self, array: Array) -> Variable:
        if array not in self._variables:
            distinct = len(np.unique(array.values()))
            made = Variable(self._label(array), array.dtype.kind, distinct, array)
            self._variables[array] = made
        return self._variables[array]

    def _external(self, step: Step) -> None:
        target = self._population(group_of(step))
        each = float(step.owner._N * step.owner._rate) * self._graph.dt
        variable = step.owner._target_var
        made = External(self._shown(step.owner.name), target, variable, each)
        self._graph.externals.append(made)
        for cell in cells(step):
            self._array(cell)

    def _characterise(self, population: Population, steps: list[Any]) -> None:
        """What a population's equations need; groups whose only equation is a random threshold are inputs."""
        reached = any(c.target is population for c in self._graph.connections)
        only_threshold = {type(step) for step in steps} == {Threshold}
        if only_threshold and not reached and all(has_draws(step.kernel) for step in steps):
            population.outside = POISSON
        for step in steps:
            traces = isinstance(step, Deliver)
            population.functions += functions(step.kernel, self._program, self._written, traces)
            if not isinstance(step, Deliver):
                population.operations += len(group_of(step)) * len(step.kernel.each)
        population.beyond_lif = beyond_lif(steps)

    # ------------------------------------------------------------------------- connections

    def _stream(
        self,
        name: str,
        source: Population,
        arrays: Iterable[Array],
        lie: np.ndarray | None = None,
        **what: Any,
    ) -> Stream:
        """A stream; the same one for whatever sends the same."""
        carried = tuple(self._variable(a) for a in dict.fromkeys(arrays))
        key = (id(source), carried, *sorted(what.items()))
        if key not in self._streams:
            name = _another(name, (s.name for s in self._streams.values()))
            self._streams[key] = Stream(name, source, carried, lie=lie, **what)
        return self._streams[key]

    def _connect(
        self,
        name: str,
        source: Place,
        target: Place,
        streams: Iterable[Stream],
        to_itself: bool = False,
        **more: Any,
    ) -> None:
        """A connection of units with other units; a value that a unit reads of its own is sent nowhere."""
        sources, targets = source[1], target[1]
        if source[0] is target[0] and not to_itself:
            other = sources != targets
            sources, targets = sources[other], targets[other]
        if len(sources):
            ends = (source[0], target[0], sources.astype(np.int64), targets.astype(np.int64))
            name = _another(name, (c.name for c in self._graph.connections))
            made = Connection(name, *ends, tuple(streams), **more)
            if not any(_same(made, other) for other in self._graph.connections):
                self._graph.connections.append(made)

    def _read(self, step: Step, count: int) -> Iterator[tuple[Array, Any, np.ndarray]]:
        """What a kernel reads by an index and something writes: array, its owner, the unit of each item."""
        read = {e for e in expressions(step, own_targets=False) if isinstance(e, Cell)}
        for cell in sorted(read, key=lambda c: c.array.number):
            if cell.index is None or cell.array.scalar or cell.array in self._indices:
                continue
            if cell.array in self._written:
                yield cell.array, owner_of(cell.array), units_named(cell.index, count)

    def _values_read(
        self, step: Step, here: Place, name: str, chosen: Collection[Array] | None = None
    ) -> None:
        """Connections for the values that a step reads of other units: all, or those of chosen arrays."""
        found: dict[Array, list[np.ndarray]] = {}
        for array, _, units in self._read(step, len(here[1])):
            if chosen is None or array in chosen:
                found.setdefault(array, []).append(units)
        for array, lists in found.items():
            population, units = self._place(owner_of(array))
            sources = np.concatenate([units[read] for read in lists])
            label = self._label(array)
            stream = self._sent(array, population, step)
            targets = np.tile(here[1], len(lists))
            self._connect(f"{label} -> {name}", (population, sources), (here[0], targets), [stream])

    def _sent(self, array: Array, source: Population, step: Step) -> Stream:
        """The stream of a variable's values for a step that reads them, sent as often as they may change."""
        period = max(self._period(step), self._changes.get(array, 1))
        return self._stream(self._label(array), source, (array,), period=period)

    def _label(self, array: Array) -> str:
        return f"{self._shown(owner_of(array).name)}.{array.variable.name}"

    def _gathers(self, step: Step) -> None:
        """What a group's kernel reads of other units."""
        if isinstance(step.owner, PoissonInput):
            return
        group = group_of(step)
        here = self._place(group)
        written = [c.array for c in kernel_of(step).writes()]
        self._values_read(step, here, self._label(written[0]) if written else here[0].name)

    def _synaptic(self) -> dict[str, tuple[Any, list[Step]]]:
        found: dict[str, tuple[Any, list[Step]]] = {}
        for step in self._steps:
            if isinstance(step, (Deliver, Sum)):
                synapses = group_of(step)
                found.setdefault(synapses.name, (synapses, []))[1].append(step)
        return found

    def _in_memory(self, synapses: Any, steps: list[Step]) -> None:
        """Synapses in the memory of the units that they reach."""
        here, count = self._place(synapses), len(synapses)
        name = self._shown(synapses.name)
        before = self._place(whole(synapses.source))
        source = before[0], before[1][values(synapses, "_synaptic_pre")]
        streams: list[Stream] = []
        updates, delay, delays = [], 0, 1
        for step in steps:
            if isinstance(step, Sum):
                self._sum_in_memory(step, here, source, streams)
                continue
            assert isinstance(step, Deliver)
            layout = self._edges[step.pathway.number]
            if learns(step):
                updates.append(step.pathway.number)
            if step.pathway.path.prepost == "post":  # of the units at which they lie
                self._write_back(step, here, name)
                continue
            carried: list[Array] = []
            far: list[Array] = []
            for array, owner, units in self._read(step, count):
                population, places = self._place(owner)
                there = population, places[units]
                if _are_one(there, source):
                    carried.append(array)
                elif not _are_one(there, here):
                    far.append(array)
            if far:
                self._values_read(step, here, name, far)
            streams.append(self._events(step, carried))
            delay = max(delay, layout.rows - 1)
            delays = max(delays, len(np.unique(layout.delay)))
            self._receive(step, here, delay)
            self._write_back(step, here, name)
        arrays = self._arrays_of(synapses, steps) + self._copied(steps, here)
        constants = tuple(self._variable(a) for a in arrays if a not in self._written)
        learnt = tuple(self._variable(a) for a in arrays if a in self._written)
        if streams:
            self._connect(
                name,
                source,
                here,
                dict.fromkeys(streams),
                constants=constants,
                learnt=learnt,
                delay=delay,
                delays=delays,
                updates=tuple(updates),
                to_itself=any(not s.of_values for s in streams),
            )

    def _sum_in_memory(self, step: Sum, here: Place, source: Place, streams: list[Stream]) -> None:
        """What a sum reads of its sources goes through the synapses; anything else it is sent beside them."""
        others = []
        for array, owner, units in self._read(step, len(here[1])):
            population, places = self._place(owner)
            there = population, places[units]
            if _are_one(there, source):
                streams.append(self._sent(array, population, step))
            elif not _are_one(there, here):
                others.append(array)
        if others:
            self._values_read(step, here, self._label(step.target), others)
        self._take_in(step.target, 0)

    def _events(self, step: Deliver, carried: list[Array]) -> Stream:
        events = step.pathway.events
        population = self._population(owner_of(events))
        kind = str(events.variable.name).strip("_").removesuffix("space")
        return self._stream(f"{population.name} {kind}s", population, carried, events=events.name)

    def _written_elsewhere(self, step: Deliver, count: int) -> Iterator[tuple[Array, Place]]:
        """What a pathway's kernel writes by an index, and where."""
        for cell in dict.fromkeys(step.kernel.writes()):
            if cell.index is not None and not cell.array.scalar:
                population, units = self._place(owner_of(cell.array))
                yield cell.array, (population, units[units_named(cell.index, count)])

    def _receive(self, step: Deliver, here: Place, delay: int) -> None:
        """Take note of what spikes add to, after their delays, where synapses lie."""
        for array, there in self._written_elsewhere(step, len(here[1])):
            if _are_one(there, here):
                self._take_in(array, delay)

    def _take_in(self, array: Array, delay: int) -> None:
        owner = owner_of(array)
        if is_synapses(owner) and owner.name not in self._own:
            return
        received, name = self._population(owner).received, str(array.variable.name)
        received[name] = max(delay, received.get(name, 0))

    def _write_back(self, step: Deliver, here: Place, name: str) -> None:
        """What synapses write at units that they do not lie at, sent when a spike reaches them."""
        for array, there in self._written_elsewhere(step, len(here[1])):
            if _are_one(there, here):
                continue
            number = step.pathway.number
            stream = self._stream(f"{name} at spikes", here[0], (array,), path=number, lie=here[1])
            self._take_in(array, 0)
            label = self._label(array)
            self._connect(f"{name} -> {label}", here, there, [stream], to_itself=True)

    def _of_units(self, synapses: Any, steps: list[Step]) -> None:
        """Synapses that are a population of their own."""
        here, name = self._place(synapses), self._shown(synapses.name)
        for step in steps:
            if isinstance(step, Sum):
                self._values_read(step, here, name)
                self._send_sum(step, here, name)
                continue
            assert isinstance(step, Deliver)
            population = self._population(owner_of(step.pathway.events))
            units = np.asarray(step.pathway.path.synapse_sources.get_value()).astype(np.int64)
            layout = self._edges[step.pathway.number]
            carried: list[Array] = []
            far: list[Array] = []
            for array, owner, read in self._read(step, len(synapses)):
                same = self._place(owner)[0] is population and np.array_equal(read, units)
                (carried if same else far).append(array)
            if far:
                self._values_read(step, here, name, far)
            self._connect(
                f"{population.name} -> {name}",
                (population, units),
                here,
                [self._events(step, carried)],
                delay=layout.rows - 1,
                delays=len(np.unique(layout.delay)),
            )
            self._write_back(step, here, name)

    def _send_sum(self, step: Sum, here: Place, name: str) -> None:
        population, units = self._place(owner_of(step.target))
        there = population, units[step.index.values()[: len(here[1])]]
        label = self._label(step.target)
        period = self._period(step)
        stream = self._stream(f"{name} values", here[0], (step.target,), period=period, kept=False)
        self._take_in(step.target, 0)
        self._connect(f"{name} -> {label}", here, there, [stream])

    def _arrays_of(self, synapses: Any, steps: list[Step]) -> list[Array]:
        """Arrays with a value for each synapse that their kernels read or write."""
        found: dict[Array, None] = {}
        for step in steps:
            for cell in cells(step):
                array = cell.array
                own = getattr(owner_of(array), "name", None) == synapses.name
                if own and cell.index is None and not array.scalar:
                    found[array] = None
        names = (a for a in found if a not in self._indices)
        return [a for a in names if a.variable.name not in _NO_VALUES]

    def _copied(self, steps: list[Step], here: Place) -> list[Array]:
        """Arrays that nothing writes, of units that synapses do not lie at: each synapse keeps its value."""
        found: dict[Array, None] = {}
        for cell in (c for step in steps for c in cells(step) if isinstance(c.index, Cell)):
            array, owner = cell.array, owner_of(cell.array)
            if array in self._written or array in self._indices or is_synapses(owner):
                continue
            population, units = self._place(owner)
            there = population, units[units_named(cell.index, len(here[1]))]
            if array.variable.name not in _NO_VALUES and not _are_one(there, here):
                found[array] = None
        return list(found)


def _are_one(one: Place, other: Place) -> bool:
    """Whether items are at the same units."""
    return one[0] is other[0] and np.array_equal(one[1], other[1])


def _another(name: str, taken: Iterable[str]) -> str:
    """The name, with a number where it is taken."""
    names = {*taken}
    numbered = (f"{name} ({n})" for n in itertools.count(2))
    return name if name not in names else next(n for n in numbered if n not in names)


def _same(one: Connection, other: Connection) -> bool:
    """Whether a connection sends what another one sends already."""
    return (
        one.target is other.target
        and set(one.streams) <= set(other.streams)
        and not (one.constants or one.learnt)
        and np.array_equal(one.sources, other.sources)
        and np.array_equal(one.targets, other.targets)
    )
