"""Runs the first steps of a network, and counts what its units would send."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import brian2
import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.backends.brian.apart import apart
from neuroglia_snn.backends.brian.as_written import as_written
from neuroglia_snn.backends.brian.failures import root_cause
from neuroglia_snn.backends.brian.network import (
    SECOND,
    apply_settings,
    brian_name,
    build,
    require_finite,
)
from neuroglia_snn.brian import TARGETS
from neuroglia_snn.emit.library import missing
from neuroglia_snn.errors import UserError
from neuroglia_snn.mapping.graph import Connection, Graph, Stream
from neuroglia_snn.mapping.read import read
from neuroglia_snn.program.device import NeurogliaDevice
from neuroglia_snn.program.machine import Machine, Setting
from neuroglia_snn.program.program import Program

#: Steps that are looked at, and the change that a message is worth: a part of the range of what is sent.
STEPS = 10_000
DELTA = 2.0**-8
#: Values that are looked at, of all units and steps; and how often those of every stream are, at least.
MOST_VALUES, LEAST_LOOKS = 1e8, 5
#: Looks in all steps that find the range of what is sent.
RANGE_LOOKS = 200

_OURS = "neuroglia_map_"
_START = f"{_OURS}start"


@dataclass
class Sent:
    """How often a stream's values were due, and how many units had changed by then."""

    exchanges: int = 0
    changed: int = 0


@dataclass
class Observed:
    """A network's graph, and what its first steps sent.

    ``events`` has, for each event space by its array's name, the base step and the unit of each event, in
    order of time; ``sent`` what streams of values sent in the first ``looked`` steps.
    """

    graph: Graph
    steps: int
    looked: int = 0
    events: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    sent: dict[int, Sent] = field(default_factory=dict)
    pathways: dict[int, tuple[str, np.ndarray]] = field(default_factory=dict)

    def of(self, stream: Stream) -> tuple[np.ndarray, np.ndarray]:
        """Base step and unit of each message of a stream of events."""
        if stream.events is not None:
            return self.events[stream.events]
        assert stream.path is not None  # at spikes, each of the synapses that they reach
        name, sources = self.pathways[stream.path]
        steps, units = self.events[name]
        order = np.argsort(sources, kind="stable")
        first = np.searchsorted(sources[order], units)
        last = np.searchsorted(sources[order], units, side="right")
        counts = last - first
        places = np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        assert stream.lie is not None
        return np.repeat(steps, counts), stream.lie[order[places]]

    def counts(self, stream: Stream) -> np.ndarray:
        """Messages of each unit of a stream's source, per base step: all that are due."""
        if stream.of_values:
            return np.full(stream.source.size, 1 / stream.period)
        _, units = self.of(stream)
        return np.bincount(units, minlength=stream.source.size) / max(1, self.steps)

    def most(self, stream: Stream, senders: np.ndarray) -> int:
        """Messages of the step with most of them."""
        if stream.of_values:
            return int(senders.size)
        steps, units = self.of(stream)
        steps = steps[np.isin(units, senders)]
        return int(np.bincount(steps, minlength=1).max())

    def changed(self, stream: Stream, senders: int) -> float | None:
        """Messages a base step where only changes are sent; None where that makes no difference."""
        if id(stream) not in self.sent:
            return None
        sent = self.sent[id(stream)]
        return min(senders, sent.changed / max(1, sent.exchanges)) / stream.period

    def updates(self, connection: Connection) -> float:
        """Synapses of a connection whose learnt values are written, per base step."""
        total = 0.0
        for number in connection.updates:
            name, sources = self.pathways[number]
            _, units = self.events[name]
            size = int(max(sources.max(initial=0), units.max(initial=0))) + 1
            total += float(np.bincount(sources, minlength=size)[units].sum())
        return total / max(1, self.steps)


class _Captured(Exception):
    """The program of a network that is ready to run, and its setting."""

    def __init__(self, program: Program, setting: Setting) -> None:
        self.program, self.setting = program, setting


class _Target:
    """Makes the machines of a device; the first run is captured, and nothing is made of it."""

    def __init__(self) -> None:
        name = "numpy" if missing() else "cpp"
        kind, self._machine = TARGETS[name]
        self._captured = False
        self.device = NeurogliaDevice({name: (kind, self)})

    def __call__(self, program: Program, setting: Setting) -> Machine:
        if self._captured:
            return self._machine(program, setting)
        self._captured = True
        raise _Captured(program, setting)


def of_model(
    model: spec.Model, seed: int = 0, ranges: Mapping[str, spec.Range] | None = None
) -> Observed:
    """Observe a model file's network; images that it needs show all of their pixels.

    Parameters
    ----------
    ranges : of variables by their names, of which changes are parts; others are those that are seen

    Raises
    ------
    UserError
        For what Brian2 or our loop refuses, and for a run that does not stay finite.
    """
    model = replace(model, records={}, experiment={})
    shapes = {brian_name(p.name): p.shape for p in model.populations.values()}
    images = {name: np.ones(shape, bool) for name, shape in model.images().items()}
    with apart(_Target().device), as_written():
        brian2.seed(seed)
        try:
            built = build(model, images, seed, apply_settings)
            network = brian2.Network(built.objects())
            observed = _observed(network, shapes, _shown, model.duration, {}, ranges or {})
            require_finite(model)
        except Exception as error:
            raise root_cause(error) from error
    return observed


def of_network(
    network: brian2.Network,
    duration: float,
    seed: int | None = None,
    namespace: Mapping[str, Any] | None = None,
) -> Observed:
    """Observe a Brian2 network of a script, which is left as it was.

    Parameters
    ----------
    duration : seconds that are run, or fewer

    Raises
    ------
    UserError
        For what our loop refuses.
    """
    with apart(_Target().device):
        if seed is not None:
            brian2.seed(seed)
        network.store(_OURS)
        try:
            return _observed(network, {}, str, duration, dict(namespace or {}), {})
        except Exception as error:
            raise root_cause(error) from error
        finally:
            network.restore(_OURS)
            for name in (_OURS, _START):
                network._stored_state.pop(name, None)


def _shown(name: str) -> str:
    """The name of a population or projection in the model's file."""
    return name.removesuffix("_")


def _observed(
    network: brian2.Network,
    shapes: Mapping[str, tuple[int, ...]],
    shown: Callable[[str], str],
    duration: float,
    namespace: dict[str, Any],
    ranges: Mapping[str, spec.Range],
) -> Observed:
    try:
        network.run(0 * SECOND, namespace=namespace)
    except _Captured as found:
        program, setting = found.program, found.setting
    else:
        raise UserError("the network has no objects: there is nothing to place")
    graph = read(program, setting.edges, shapes, shown, lambda name: name.startswith(_OURS))
    if not graph.populations:
        raise UserError("the network has no populations: there is nothing to place")
    steps = max(1, min(STEPS, round(duration / graph.dt)))
    observed = Observed(graph, steps)
    observed.pathways = {
        p.number: (p.events.name, np.asarray(p.path.synapse_sources.get_value()).astype(np.int64))
        for p in program.pathways
    }
    _run(network, observed, namespace, ranges)
    return observed


def _run(
    network: brian2.Network,
    observed: Observed,
    namespace: dict[str, Any],
    stated: Mapping[str, spec.Range],
) -> None:
    """Run the steps for their events and the ranges of values, and the first of them again for changes."""
    graph, start = observed.graph, network.t_
    values = [s for s in graph.streams() if s.of_values and s.kept]
    network.store(_START)
    ranges, every = _Ranges(values, stated), max(1, observed.steps // RANGE_LOOKS)
    looks = [_look("range", ranges, values, every * graph.dt)] if values else []
    with _added(network, [*looks, *_monitors(network)]) as added:
        network.run(observed.steps * graph.dt * SECOND, namespace=namespace)
        for monitor in added[len(looks) :]:
            times = np.asarray(monitor.t_) - start
            steps = np.floor(times / graph.dt + 0.5).astype(np.int64)
            name = f"{monitor.source.name}._{monitor.event}space"
            observed.events[name] = steps, np.asarray(monitor.i).astype(np.int64)
    if not values:
        return
    each = sum(s.source.size / s.period for s in values)
    longest = max(s.period for s in values)
    observed.looked = min(observed.steps, max(int(MOST_VALUES / each), LEAST_LOOKS * longest))
    network.restore(_START)
    changes = _Changes(values, ranges, observed)
    with _added(network, _looks(changes, values, graph.dt)):
        network.run(observed.looked * graph.dt * SECOND, namespace=namespace)


@contextmanager
def _added(network: brian2.Network, objects: list[Any]) -> Iterator[list[Any]]:
    network.add(objects)
    try:
        yield objects
    finally:
        network.remove(objects)


def _monitors(network: brian2.Network) -> list[Any]:
    """A monitor for every kind of event of the network."""
    sources = [
        o for o in network.sorted_objects if getattr(o, "events", None) and hasattr(o, "spikes")
    ]
    sources = [s for s in sources if not isinstance(s, brian2.Subgroup)]
    found = []
    for source in sources:
        for event in source.events:
            found.append(brian2.EventMonitor(source, event, name=f"{_OURS}events_*"))
    return found


def _looks(look: Callable[[Stream], None], streams: list[Stream], dt: float) -> list[Any]:
    """Objects that look at streams of values whenever they are due."""
    return [
        _look(f"{period}", look, [s for s in streams if s.period == period], period * dt)
        for period in sorted({s.period for s in streams})
    ]


def _look(name: str, look: Callable[[Stream], None], streams: list[Stream], dt: float) -> Any:
    def at_all() -> None:
        for stream in streams:
            look(stream)

    return brian2.NetworkOperation(at_all, dt=dt * SECOND, when="end", name=f"{_OURS}look_{name}")


class _Ranges:
    """Finds the range of what each stream sends, where none is stated."""

    def __init__(self, streams: list[Stream], stated: Mapping[str, spec.Range]) -> None:
        self.of = {id(s): [np.inf, -np.inf] for s in streams}
        self._stated = {}
        for stream in streams:
            if found := stated.get(stream.carried[0].name):
                self._stated[id(stream)] = [found.low, found.high]
        self.of |= self._stated

    def __call__(self, stream: Stream) -> None:
        now, ends = stream.carried[0].array.values(), self.of[id(stream)]
        if len(now) and id(stream) not in self._stated:
            ends[:] = min(ends[0], float(now.min())), max(ends[1], float(now.max()))


class _Changes:
    """Counts the units that differ from what they last sent by `DELTA` of the range of what is sent."""

    def __init__(self, streams: list[Stream], ranges: _Ranges, observed: Observed) -> None:
        self._ranges = ranges
        self._last: dict[int, np.ndarray] = {}
        self._sent = observed.sent
        for stream in streams:
            observed.sent[id(stream)] = Sent()

    def __call__(self, stream: Stream) -> None:
        now, key = np.asarray(stream.carried[0].array.values(), float), id(stream)
        if key not in self._last:
            self._last[key] = now.copy()
            return
        last, sent = self._last[key], self._sent[key]
        low, high = self._ranges.of[key]
        changed = np.abs(now - last) > DELTA * (high - low)
        last[changed] = now[changed]
        sent.exchanges += 1
        sent.changed += int(changed.sum())
