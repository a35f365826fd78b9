"""The graph of a network: populations, and what they send each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from neuroglia_snn.program.tree import Array

#: Why a population is not placed: its spikes come from outside.
LISTED, POISSON = "listed spikes", "Poisson spikes"


@dataclass(frozen=True, eq=False)
class Variable:
    """A value that each unit or synapse keeps, by its name; ``array`` is only there while its network is.

    ``kind`` is NumPy's letter for its type; ``distinct`` says how many different values there are.
    """

    name: str
    kind: str
    distinct: int
    array: Array


@dataclass(eq=False)
class Population:
    """Units that are placed together.

    Attributes
    ----------
    state, constants : what kernels write of each unit, and what they only read
    received : names of what spikes or sums add to, with the longest delay in steps of each
    functions : that its equations need, as `functions.functions` names them
    beyond_lif : what of its equations no current-based leaky integrate-and-fire neuron does, or None
    operations : statements of all units and of sums over their synapses in a step
    period : base steps from one state update to the next, 0 where it has none
    outside : `LISTED` or `POISSON` where its spikes come from outside, otherwise empty
    """

    name: str
    size: int
    shape: tuple[int, ...]
    state: list[Variable] = field(default_factory=list)
    constants: list[Variable] = field(default_factory=list)
    received: dict[str, int] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    beyond_lif: str | None = None
    operations: int = 0
    period: int = 0
    outside: str = ""


@dataclass(frozen=True, eq=False)
class Stream:
    """What a unit sends: at its events, where synapses are reached, or its values every ``period`` steps.

    ``carried`` are the values in a message; ``events`` is the name of the event space of events, ``path`` the
    number of the pathway of synapses that send when a spike reaches them, and ``lie`` the unit at which each
    of these is. ``kept`` says whether what is sent is a variable of the sender.
    """

    name: str
    source: Population
    carried: tuple[Variable, ...]
    events: str | None = None
    path: int | None = None
    period: int = 1
    kept: bool = True
    lie: np.ndarray | None = None

    @property
    def of_values(self) -> bool:
        """Whether it is due at fixed steps, whatever happens."""
        return self.events is None and self.path is None


@dataclass(frozen=True, eq=False)
class Connection:
    """Units that send to units, in pairs: unit ``sources[k]`` to unit ``targets[k]``.

    Attributes
    ----------
    streams : what is sent
    constants : what each pair keeps that nothing writes: weights
    learnt : what each pair keeps that kernels write
    delay, delays : the longest delay in steps, and how many different ones there are
    updates : pathways at whose spikes the learnt values are written
    """

    name: str
    source: Population
    target: Population
    sources: np.ndarray
    targets: np.ndarray
    streams: tuple[Stream, ...]
    constants: tuple[Variable, ...] = ()
    learnt: tuple[Variable, ...] = ()
    delay: int = 0
    delays: int = 1
    updates: tuple[int, ...] = ()


@dataclass(frozen=True)
class External:
    """Poisson inputs that are drawn for each unit: ``per_step`` events a unit and base step."""

    name: str
    target: Population
    variable: str
    per_step: float


@dataclass(eq=False)
class Graph:
    """All of it; ``dt`` is the base step in s, ``python`` names what runs in Python.

    ``populations`` are by their names in a report.
    """

    dt: float
    populations: dict[str, Population] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    externals: list[External] = field(default_factory=list)
    python: list[str] = field(default_factory=list)

    def streams(self) -> list[Stream]:
        """Each stream once."""
        return list({id(s): s for c in self.connections for s in c.streams}.values())
