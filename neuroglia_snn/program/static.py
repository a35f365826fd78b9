"""Connections whose spikes add constant weights to a variable: what a matrix does with a vector of spikes.

Lava has processes for these, `Sparse` and `DelaySparse`. Spikes of a Lava step leave them in the next one at the earliest.
Brian2's synapses act in the time step of the spike, so a Lava step ends within a time step: after the spikes
were made, and before what they add arrives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neuroglia_snn.program import clocks
from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.fuse import touched
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.operations import is_noise
from neuroglia_snn.program.program import Deliver, Pathway, Program
from neuroglia_snn.program.reference import Evaluation, NumpyMachine
from neuroglia_snn.program.tree import Array, Call, Cell, Draw, Look

#: Most steps of a delay beyond the shortest one: those of 6 bits, as on Loihi 2.
MOST_DELAYS = 63
#: Most synapses with delays that differ: Lava makes their matrices anew in every step, 0.15 us a synapse.
MOST_DELAYED = 50_000
#: Bits of a whole number that a double holds.
_WHOLE = 53


class _NotStatic(Exception):
    """Why a pathway is not static."""


@dataclass(frozen=True, eq=False)
class Static:
    """What a pathway's spikes add to one variable.

    Attributes
    ----------
    pathway : whose spikes they are
    arriving, target : what is added up for the units, and the variable to which that is added
    sources, targets, weights : units and weight of each synapse
    delays : steps of the fastest clock that each synapse has beyond the shortest delay
    held : steps of the pathway's clock that all have: that of the shortest delay
    clock, every : number of the pathway's clock, and steps of the fastest clock in one of its steps
    """

    pathway: Pathway
    arriving: Array
    target: Array
    sources: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    delays: np.ndarray
    held: int
    clock: int
    every: int

    @property
    def units(self) -> int:
        """Of the population whose spikes they are."""
        return len(self.pathway.events.values()) - 1

    @property
    def longest(self) -> int:
        """Steps of the longest delay, on the pathway's clock."""
        return self.held + int(self.delays.max(initial=0)) // self.every

    @property
    def name(self) -> str:
        """Of the pathway and the variable."""
        return f"{self.pathway.path.name} to {self.target.name}"


@dataclass(frozen=True, eq=False)
class Statics:
    """A program without its static connections.

    Attributes
    ----------
    program : without the steps of these connections; what arrives comes from without
    found : the static ones
    place : the step of the program before which a Lava step ends
    others : why the spikes of other pathways go another way
    """

    program: Program
    found: list[Static]
    place: int
    others: dict[str, str]


def static(program: Program, arriving: dict[Array, Array], setting: Setting) -> Statics:
    """The static connections of a separated program, in which ``arriving`` is added to variables."""
    finder = _Finder(program, arriving, setting)
    ends: dict[int, tuple[int, int]] = {}
    found: dict[int, list[Static]] = {}
    others: dict[str, str] = {}
    for n, step in enumerate(program.steps):
        if isinstance(step, Deliver) and finder.is_apart(step):
            try:
                ends[n], found[n] = finder.ends(n, step), finder.of(step)
            except _NotStatic as why:
                others[step.pathway.path.name] = str(why)
    place = _place([ends[n] for n in found])
    for n in list(found):
        if not ends[n][0] <= place <= ends[n][1]:
            pathway = found.pop(n)[0].pathway
            others[pathway.path.name] = "its spikes come at another place of a time step than most"
    gone = {s.arriving for group in found.values() for s in group}
    kept = [n for n, step in enumerate(program.steps) if not touched(step)[1] & gone]
    return Statics(
        replace(program, steps=[program.steps[n] for n in kept]),
        [s for group in found.values() for s in group],
        sum(n < place for n in kept),
        others,
    )


def _place(ends: list[tuple[int, int]]) -> int:
    """The first place that most of these ranges have in common."""
    places = sorted({last for _, last in ends})
    return max(
        places, key=lambda place: sum(first <= place <= last for first, last in ends), default=0
    )


class _Finder:
    """Looks at the pathways of a program."""

    def __init__(self, program: Program, arriving: dict[Array, Array], setting: Setting) -> None:
        self._program, self._arriving, self._setting = program, arriving, setting
        self._machine = NumpyMachine(program, replace(setting, edges=[], pending=[]))
        self._access = [touched(step) for step in program.steps]
        self._written: set[Array] = set().union(*(writes for _, writes in self._access))
        names = ("t", "timestep")
        self._times = [id(clock.variables[name]) for clock in program.clocks for name in names]
        self._ratios = clocks.ratios(program.clocks)

    def is_apart(self, step: Deliver) -> bool:
        """Whether synapses are a part of their own, from which something arrives at units."""
        return any(cell.array in self._arriving for cell in step.kernel.writes())

    def ends(self, number: int, step: Deliver) -> tuple[int, int]:
        """The steps before the first and the last of which there are spikes, and nothing has arrived."""
        events = step.pathway.events
        writers = [n for n, (_, writes) in enumerate(self._access) if events in writes]
        if len(writers) != 1 or writers[0] > number:
            raise _NotStatic("its spikes are those of the time step before")
        gone = {cell.array for cell in step.kernel.writes()}
        readers = [n for n, (reads, _) in enumerate(self._access) if reads & gone and n != number]
        return writers[0] + 1, min(readers)

    def of(self, step: Deliver) -> list[Static]:
        """What a pathway adds to each variable."""
        self._require_constants(step)
        every = self._ratios[step.clock]
        if every is None:
            raise _NotStatic("its clock's steps are no multiple of the shortest one's")
        cells = dict.fromkeys(step.kernel.writes())
        if len({cell.array for cell in cells}) < len(cells):
            raise _NotStatic("a spike adds to one variable at both of its ends")
        sources = np.asarray(step.pathway.path.synapse_sources.get_value())
        delays = _delays(self._setting.edges[step.pathway.number])
        if not len(delays):
            raise _NotStatic("it has no synapses")
        held = int(delays.min())
        delays = (delays - held) * every
        _require_delays(delays)
        evaluation = Evaluation(self._machine, step.clock, np.arange(len(sources)))
        evaluation.only(step.kernel)
        made = []
        for cell in cells:
            assert isinstance(cell.index, Cell)
            targets, weights = evaluation.of(cell.index), evaluation.of(cell)
            _require_one_delay(sources, targets, delays)
            _require_exact(cell.array, targets, weights)
            given = (step.pathway, cell.array, self._arriving[cell.array])
            made.append(Static(*given, sources, targets, weights, delays, held, step.clock, every))
        return made

    def _require_constants(self, step: Deliver) -> None:
        """Refuse what does more than to add what never changes."""
        kernel = step.kernel
        for cell in kernel.writes():
            if cell.array not in self._arriving:
                raise _NotStatic(f"a spike changes {cell.array.name}")
        for e in kernel.expressions():
            if isinstance(e, Draw) or is_noise(e):
                raise _NotStatic("a spike draws random numbers")
            if isinstance(e, Call):
                raise _NotStatic(f"a spike calls {e.foreign.name}()")
            if isinstance(e, Look):
                raise _NotStatic("a spike reads values that are listed over time")
            if not isinstance(e, Cell) or e.array in self._arriving:
                continue
            if e.array in self._written or id(e.array.variable) in self._times:
                raise _NotStatic(f"a spike reads {e.array.name}, which changes")


def _delays(edges: Edges) -> np.ndarray:
    """Steps of each synapse."""
    synapses = edges.synapses(np.arange(len(edges.delay)))
    delays = np.zeros(len(synapses), np.int64)
    delays[synapses] = np.repeat(edges.delay, np.diff(edges.begin[:: edges.parts]))
    return delays


def _require_delays(delays: np.ndarray) -> None:
    longest = int(delays.max(initial=0))
    if longest > MOST_DELAYS:
        raise _NotStatic(f"its delays differ by {longest} steps, more than {MOST_DELAYS}")
    if longest and len(delays) > MOST_DELAYED:
        raise _NotStatic(
            f"its {len(delays)} synapses have delays that differ: with more than {MOST_DELAYED}, Lava's"
            " DelaySparse is slow"
        )


def _require_one_delay(sources: np.ndarray, targets: np.ndarray, delays: np.ndarray) -> None:
    """Refuse several delays between one source and one target, for which a matrix has no room."""
    order = np.lexsort((delays, targets, sources))
    places = np.stack((sources[order], targets[order], delays[order]))
    step = np.diff(places) != 0
    if (~step[0] & ~step[1] & step[2]).any():
        raise _NotStatic("two synapses of one source and target have different delays")


def _require_exact(array: Array, targets: np.ndarray, weights: np.ndarray) -> None:
    """Refuse numbers whose sums are others in double precision."""
    if array.dtype.kind == "f":
        if array.dtype.itemsize != 8:
            raise _NotStatic(f"what it adds is of type {array.dtype}")
        if not np.isfinite(weights).all():
            raise _NotStatic("a weight is not finite")
        return
    most = np.bincount(targets, np.abs(weights.astype(float))).max()
    if most >= min(2**_WHOLE, np.iinfo(array.dtype).max):
        raise _NotStatic(f"the sum of its weights does not fit into {_WHOLE} bits")


__all__ = ["Static", "Statics", "static"]
