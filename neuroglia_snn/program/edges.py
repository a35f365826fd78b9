"""A pathway's synapses sorted by source and delay, and the spikes that are under way between runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from neuroglia_snn.errors import UserError


@dataclass(frozen=True, eq=False)
class Edges:
    """Groups of synapses that share a source and a delay, in the order in which Brian2 delivers them.

    Attributes
    ----------
    start, stop : the source's units that count, as events number them
    first : group of each of these units, (stop - start + 1,): unit n has groups first[n] to first[n+1]
    delay : steps of each group
    begin : of each part of each group in ``order``, (groups * parts + 1,)
    order : the synapses, or None where they stand in this order already
    rows : steps that a spike can be under way, and one more
    parts : of each group: threads each do one
    again : what is added to the number of a synapse for the random bits of a spike that is under way as
        the run starts: with other delays than before, a second spike may reach it in the same step
    """

    start: int
    stop: int
    first: np.ndarray
    delay: np.ndarray
    begin: np.ndarray
    order: np.ndarray | None
    rows: int
    again: int = 0
    parts: int = 1

    def synapses(self, groups: np.ndarray) -> np.ndarray:
        """The synapses of some groups, one group after the other."""
        begin = self.begin[:: self.parts]
        counts = begin[groups + 1] - begin[groups]
        before = np.cumsum(counts) - counts
        places = np.repeat(begin[groups] - before, counts) + np.arange(counts.sum())
        return places if self.order is None else self.order[places]

    def pairs(self, due: int, groups: np.ndarray) -> np.ndarray:
        """Spikes under way, as `pending` gives them: all that reach these groups then."""
        synapses = self.synapses(groups)
        return np.column_stack((np.full(len(synapses), due), synapses)).astype(np.int64)


def edges(path: Any, under_way: np.ndarray) -> Edges:
    """The layout of a `SynapticPathway` as its synapses and delays are now, with these spikes under way.

    Raises
    ------
    UserError
        For delays that no queue can hold.
    """
    layout = _layout(path)
    return replace(layout, again=2**31) if len(under_way) and _mixed(path) else layout


def _layout(path: Any) -> Edges:
    start, stop = int(path.spikes_start), int(path.spikes_stop)
    sources = np.asarray(path.synapse_sources.get_value())
    delays = _delays(path)
    count, units = len(sources), stop - start
    if len(delays) != count or not len(delays) or (delays == delays[0]).all():
        delay = int(delays[0]) if len(delays) else 0
        by_source, order = _in_order(sources)
        begin = np.searchsorted(by_source, np.arange(start, stop + 1, dtype=by_source.dtype))
        steps = np.full(units, delay, np.int32)
        return Edges(start, stop, np.arange(units + 1), steps, begin, order, delay + 1)
    rows = int(delays.max()) + 1
    delays += (sources.astype(np.int64) - start) * rows
    groups, order = _in_order(delays)
    heads = np.flatnonzero(np.diff(groups, prepend=-1))
    first = np.searchsorted(groups[heads], np.arange(units + 1) * rows)
    steps = (groups[heads] % rows).astype(np.int32)
    return Edges(start, stop, first, steps, np.append(heads, count), order, rows)


def _in_order(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Keys from 0 on in ascending order, and the place where each was, or None if in order already."""
    if (keys[1:] >= keys[:-1]).all():
        return keys, None
    bits = len(keys).bit_length()
    if int(keys.max()).bit_length() + bits < 64:  # NumPy sorts numbers faster than places
        both = keys.astype(np.int64) << bits
        both |= np.arange(len(keys))
        both.sort()
        order = (both & (2**bits - 1)).astype(np.int32)
        both >>= bits
        return both, order
    order = np.argsort(keys, kind="stable")
    return keys[order], order.astype(np.int32)


def _delays(path: Any) -> np.ndarray:
    times = np.asarray(path.variables["delay"].get_value(), float)
    dt = path.source.clock.dt_
    wrong = times[~((times >= 0) & (times < _LONGEST * dt))]
    if len(wrong):
        raise UserError(
            f"'{path.name}': a delay of {wrong[0]:g} s cannot be: it must be from 0 s to "
            f"{_LONGEST * dt:g} s, {_LONGEST} steps"
        )
    return _steps(times, dt)


def _steps(times: np.ndarray, dt: float) -> np.ndarray:
    """Times in steps; halves are rounded up, as in Brian2's compiled queue."""
    steps = times / dt
    steps += 0.5
    return np.floor(steps, out=steps).astype(np.int64)


#: Steps that a spike may be under way: the ring has a row for each.
_LONGEST = 2**24


@dataclass(frozen=True)
class _Kept:
    """Of what is in a pathway's queue: the step in s in which it counts, and the delays it came with.

    ``delays`` is a hash of them, or None where spikes of several are under way. Brian2's queue does not
    tell either.
    """

    dt: float
    delays: int | None


_KEPT: WeakKeyDictionary[Any, _Kept] = WeakKeyDictionary()


def _now(path: Any) -> _Kept:
    """What spikes that come now would be kept with."""
    delays = np.asarray(path.variables["delay"].get_value())
    return _Kept(path.source.clock.dt_, hash(delays.tobytes()))


def _mixed(path: Any) -> bool:
    """Whether spikes may be under way that came with other delays or steps than those of now."""
    now = _now(path)
    return _KEPT.get(path, now) != now


def pending(path: Any) -> np.ndarray:
    """Spikes under way in Brian2's queue: (steps until it is due, synapse) of each, in order.

    A run takes them out and `keep` puts them back, so that ``store`` and ``restore`` are Brian2's, and
    so that the network can go on on Brian2's runtime.
    """
    state, dt = path.queue._full_state(), path.source.clock.dt_
    if len(state) == 3:  # of Brian2's queue in Python: (dt, spikes, shape)
        before, spikes = state[0], np.asarray(state[1], np.int64).reshape(-1, 2)
    else:  # in C++: (offset, rows)
        kept = _KEPT.get(path)
        before, spikes = kept and kept.dt, _listed(*state)
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
    if len(spikes):
        now = _now(path)
        _KEPT[path] = replace(now, delays=None) if _KEPT.get(path, now) != now else now
    else:
        _KEPT.pop(path, None)
    if len(path.queue._full_state()) == 3:
        most = np.bincount(spikes[:, 0], minlength=1).max(initial=0) + 1
        path.queue._restore_from_full_state((dt, spikes, (count, int(most))))
        return
    spikes = spikes[np.argsort(spikes[:, 0], kind="stable")]
    ends = np.searchsorted(spikes[:, 0], np.arange(1, count))
    rows = [part.tolist() for part in np.split(spikes[:, 1], ends)]
    path.queue._restore_from_full_state((0, rows))
