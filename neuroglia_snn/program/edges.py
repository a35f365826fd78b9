"""A pathway's synapses sorted by source and delay, and the spikes that are under way between runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np


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
        """Spikes under way, as `pending` gives them: all that reach these groups then."""
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


#: The step, in s, in which a pathway's queue counts; Brian2's queue does not tell.
_STEPS: WeakKeyDictionary[Any, float] = WeakKeyDictionary()


def pending(path: Any) -> np.ndarray:
    """Spikes under way in Brian2's queue: (steps until it is due, synapse) of each, in order.

    A run takes them out and `keep` puts them back, so that ``store`` and ``restore`` are Brian2's, and
    so that the network can go on on Brian2's runtime.
    """
    state, dt = path.queue._full_state(), path.source.clock.dt_
    if len(state) == 3:  # of Brian2's queue in Python: (dt, spikes, shape)
        before, spikes = state[0], np.asarray(state[1], np.int64).reshape(-1, 2)
    else:  # in C++: (offset, rows)
        before, spikes = _STEPS.get(path), _listed(*state)
    if before is not None and before != dt:
        spikes[:, 0] = _steps(spikes[:, 0] * before, dt)
    return spikes[np.argsort(spikes[:, 0], kind="stable")]


def _listed(offset: int, rows: list[list[int]]) -> np.ndarray:
    due = [(number - offset) % len(rows) for number in range(len(rows))]
    counts = [len(row) for row in rows]
    synapses = [n for row in rows for n in row]
    return np.column_stack((np.repeat(due, counts), synapses)).astype(np.int64).reshape(-1, 2)


def keep(path: Any, spikes: np.ndarray) -> None:
    """Hold these spikes in the queue, given as `pending` gives them."""
    dt, count = path.source.clock.dt_, int(spikes[:, 0].max(initial=0)) + 1
    _STEPS[path] = dt
    if len(path.queue._full_state()) == 3:
        most = np.bincount(spikes[:, 0], minlength=1).max(initial=0) + 1
        path.queue._restore_from_full_state((dt, spikes, (count, int(most))))
        return
    rows: list[list[int]] = [[] for _ in range(count)]
    for due in np.unique(spikes[:, 0]):
        rows[due] = spikes[spikes[:, 0] == due, 1].tolist()
    path.queue._restore_from_full_state((0, rows))
