"""A pathway's synapses sorted by source and delay, and the spikes that are under way between runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.synapses.spikequeue import SpikeQueue


@dataclass(frozen=True, eq=False)
class Edges:
    """Groups of synapses that share a source and a delay, in the order in which Brian2 delivers them.

    Attributes
    ----------
    start, stop : the source's units that count, as events number them
    first : group of each of these units, (stop - start + 1,): unit n has groups first[n] to first[n+1]
    delay : steps of each group
    begin : of each group in ``order``, (groups + 1,)
    order : the synapses, or None where they stand in this order already
    rows : steps that a spike can be under way, and one more
    """

    start: int
    stop: int
    first: np.ndarray
    delay: np.ndarray
    begin: np.ndarray
    order: np.ndarray | None
    rows: int

    def synapses(self, groups: np.ndarray) -> np.ndarray:
        """The synapses of some groups, one group after the other."""
        parts = [np.arange(self.begin[g], self.begin[g + 1]) for g in groups]
        places = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        return places if self.order is None else self.order[places]

    def pairs(self, due: int, groups: np.ndarray) -> np.ndarray:
        """Spikes under way, as `Queue.pending` gives them: all that reach these groups then."""
        synapses = self.synapses(groups)
        return np.column_stack((np.full(len(synapses), due), synapses)).astype(np.int64)


def edges(path: Any) -> Edges:
    """The layout of a `SynapticPathway` as its synapses and delays are now."""
    start, stop = int(path.spikes_start), int(path.spikes_stop)
    sources = np.asarray(path.synapse_sources.get_value(), np.int64) - start
    delays = _steps(np.asarray(path.variables["delay"].get_value()), path.source.clock.dt_)
    count, units = len(sources), stop - start
    if len(delays) != count or not len(delays) or (delays == delays[0]).all():
        delay = int(delays[0]) if len(delays) else 0
        order = None if _sorted(sources) else np.argsort(sources, kind="stable")
        begin = np.zeros(units + 1, np.int64)
        np.cumsum(np.bincount(sources, minlength=units)[:units], out=begin[1:])
        steps = np.full(units, delay, np.int32)
        return Edges(start, stop, np.arange(units + 1), steps, begin, _narrow(order), delay + 1)
    order = np.lexsort((delays, sources))
    by_source, by_delay = sources[order], delays[order]
    new = np.ones(count, bool)
    new[1:] = (np.diff(by_source) != 0) | (np.diff(by_delay) != 0)
    (heads,) = np.nonzero(new)
    first = np.searchsorted(by_source[heads], np.arange(units + 1))
    begin = np.append(heads, count)
    identity = (order == np.arange(count)).all()
    steps = by_delay[heads].astype(np.int32)
    rows = int(by_delay.max()) + 1
    return Edges(start, stop, first, steps, begin, None if identity else _narrow(order), rows)


def _steps(times: np.ndarray, dt: float) -> np.ndarray:
    """Times in steps; halves are rounded up, as in Brian2's compiled queue."""
    return np.floor(times / dt + 0.5).astype(np.int64)


def _sorted(values: np.ndarray) -> bool:
    return bool((values[1:] >= values[:-1]).all())


def _narrow(order: np.ndarray | None) -> np.ndarray | None:
    return None if order is None else order.astype(np.int32)


class Queue(SpikeQueue):
    """Brian2's queue, which holds the spikes that are under way while nothing runs.

    A run takes them out and puts them back, so that ``store`` and ``restore`` are Brian2's, and so
    that the network can go on on Brian2's runtime.
    """

    def pending(self, dt: float) -> np.ndarray:
        """Spikes under way: (steps until it is due, synapse) of each, in order, for a step ``dt``."""
        if self._dt is None:
            return np.zeros((0, 2), np.int64)
        spikes = self._extract_spikes()
        if self._dt != dt:
            spikes[:, 0] = _steps(spikes[:, 0] * self._dt, dt)
        return spikes[np.argsort(spikes[:, 0], kind="stable")]

    def keep(self, spikes: np.ndarray, dt: float) -> None:
        """Hold these spikes, given as `pending` gives them."""
        rows = int(spikes[:, 0].max(initial=0)) + 1
        counts = np.bincount(spikes[:, 0], minlength=rows)
        self._shape(rows, int(counts.max(initial=0)) + 1)
        self._store_spikes(spikes)
        self._dt = dt

    def _shape(self, rows: int, columns: int) -> None:
        self.X = np.zeros((rows, columns), self.dtype)
        self.X_flat = self.X.reshape(rows * columns)
        self.n = np.zeros(rows, int)
        self.currenttime = 0

    def _extract_spikes(self) -> np.ndarray:
        due = (np.arange(len(self.n)) - self.currenttime) % len(self.n)
        targets = [row[:n] for row, n in zip(self.X, self.n, strict=True)]
        return np.column_stack((np.repeat(due, self.n), np.concatenate(targets))).astype(int)

    def _store_spikes(self, spikes: np.ndarray) -> None:
        self.n[:] = 0
        for due in np.unique(spikes[:, 0]):
            targets = spikes[spikes[:, 0] == due, 1]
            row = (int(due) + self.currenttime) % len(self.n)
            if len(targets) > self.X.shape[1]:
                self._resize(len(targets))
            self.X[row, : len(targets)] = targets
            self.n[row] = len(targets)
