"""Spikes on their way through Lava's own connections: what the parts at both ends of one do."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from neuroglia_snn.program import clocks
from neuroglia_snn.program.batches import under_way
from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.static import Static


class _Beat:
    """When a connection's spikes come: in one of so many steps of the fastest clock."""

    def __init__(self, static: Static, clocks_: list[Any]) -> None:
        fastest = clocks.fastest(clocks_)
        assert fastest is not None
        self._clocks = clocks_[static.clock], clocks_[fastest]
        self._every = static.every

    @property
    def now(self) -> int:
        """The present step of the connection's clock, or its next one."""
        return _timestep(self._clocks[0])

    def is_due(self) -> bool:
        """Whether its clock is due in this step of the fastest one."""
        return self.now * self._every == _timestep(self._clocks[1])


class Leaving:
    """The spikes of a population: those that are due to leave for a connection, and all that may be under way."""

    def __init__(self, static: Static, clocks_: list[Any]) -> None:
        self._beat, self._held = _Beat(static, clocks_), static.held
        self._events = static.pathway.events
        self._none = np.zeros(static.units, bool)
        self._past: deque[tuple[int, np.ndarray]] = deque(maxlen=static.longest + 1)

    def spikes(self, within: bool) -> np.ndarray:
        """Who has spiked, as Lava is told it: nobody where that is not ``within`` a time step."""
        spikes = self._none.copy()
        if within and self._beat.is_due():
            events = self._events.values()
            self._past.append((self._beat.now, events[: events[-1]].copy()))
            if len(self._past) > self._held:
                spikes[self._past[-1 - self._held][1]] = True
        return spikes

    def past(self) -> tuple[np.ndarray, np.ndarray]:
        """Time steps and units of the spikes that may be under way."""
        steps = np.repeat([step for step, _ in self._past], [len(u) for _, u in self._past])
        return steps.astype(np.int64), np.concatenate([np.zeros(0, np.int32), *self._units()])

    def _units(self) -> list[np.ndarray]:
        return [units for _, units in self._past]


class Arriving:
    """What a connection has added up for the units of a population, with the spikes of the run before."""

    def __init__(self, static: Static, clocks_: list[Any], pending: np.ndarray) -> None:
        self._static, self._beat = static, _Beat(static, clocks_)
        self._pending, self._first = pending, self._beat.now

    def receive(self, added_up: np.ndarray) -> None:
        """Take it for what arrives in this time step."""
        values = self._static.arriving.values()
        values[...] = added_up
        late = self._pending[:, 0] == self._beat.now - self._first
        if late.any() and self._beat.is_due():
            synapses = self._pending[late, 1]
            np.add.at(values, self._static.targets[synapses], self._static.weights[synapses])


def still_pending(
    edges: Edges,
    pending: np.ndarray,
    passed: int,
    now: int,
    spikes: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Spikes under way as `edges.pending` gives them, ``passed`` steps after those were that are given."""
    found = under_way(edges, now, *spikes)
    left = pending - np.array([passed, 0])
    return np.concatenate([some[some[:, 0] >= 0] for some in (left, found)])


def _timestep(clock: Any) -> int:
    return int(clock.variables["timestep"].get_value()[0])


__all__ = ["Arriving", "Leaving", "still_pending"]
