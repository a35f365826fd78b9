"""What a run of a program needs from any target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

import numpy as np

from neuroglia_snn.program.draws import Keys
from neuroglia_snn.program.edges import Edges
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.tree import Array

#: More threads than any machine has cores for.
MOST_THREADS = 256


class Status(IntEnum):
    """Why a machine came back; the same numbers stand in ``emit/run.hpp``."""

    DONE = 0
    PAUSED = 1
    PYTHON = 2
    GROW = 3
    STOPPED = 4
    EXCHANGE = 5


@dataclass(frozen=True)
class Setting:
    """What differs between runs of one program.

    Attributes
    ----------
    edges, pending : of each pathway, its synapses, and the spikes under way as the run starts
    keys : of each draw
    shifts : what is added to each clock's time step, to count random numbers
    profile : whether to take the time of each step
    single : whether lattices are computed in single precision
    threads : that may share the work of a step; results do not depend on it
    deterministic : whether sums are in Brian2's order where a target is faster without (a GPU)
    fast_math : whether functions may be less exact where a target has such
    """

    edges: list[Edges]
    pending: list[np.ndarray]
    keys: list[Keys]
    shifts: list[int]
    profile: bool
    single: bool = False
    threads: int = 1
    deterministic: bool = False
    fast_math: bool = False


@dataclass(frozen=True)
class Made:
    """What is to be told of a machine.

    Attributes
    ----------
    digest : of all that it runs; two with the same can go on with each other's arrays
    compiled : whether something had to be compiled
    single : whether something is computed in single precision
    details : what else a user may want to know, in words and numbers
    """

    digest: str = ""
    compiled: bool = False
    single: bool = False
    details: dict[str, object] = field(default_factory=dict)


class Machine(Protocol):
    """A program that can be run: in C++, or the reference."""

    #: What runs: steps may be others, in another order, than those of the program that was given.
    program: Program
    #: How long the arrays of each record are.
    capacity: np.ndarray
    made: Made

    @property
    def position(self) -> int:
        """Number of the step that comes next."""

    @property
    def seconds(self) -> np.ndarray:
        """Time that each step took, where profiling."""

    def refresh(self, arrays: Iterable[Array] | None = None) -> None:
        """Take note of where arrays are now, and how long; of all, and of when clocks end, if none are given."""

    def prepare(self) -> None:
        """Have values where they are needed, before the loop's time begins."""

    def advance(self, pause: float) -> Status:
        """Go on for about ``pause`` seconds, or to where Python is needed."""

    def settle(self) -> None:
        """Have all values in Brian2's arrays, where Python is to look at them after a pause; that may end a time step."""

    def stop(self) -> None:
        """Stop before the next time step."""

    def pending(self, number: int) -> np.ndarray:
        """Spikes of a pathway that are under way, as `edges.pending` gives them."""

    def close(self) -> None:
        """Give memory back."""
