"""What a model is: frozen records, free of Brian2, files and backends.

Equations, conditions and expressions stay text (Brian2's syntax); numbers with units are parsed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil, prod
from typing import Any

import numpy as np

from neuroglia_snn.errors import UserError
from neuroglia_snn.quantities import Amount

#: Of the numbers of populations on the fastest clock; slower ones are always float64.
PRECISIONS = ("float64", "float32")


def steps(duration: float, dt: float) -> int:
    """Number of steps of ``dt`` in a run, as Brian2 counts them: what is left over is one step more."""
    whole = round(duration / dt)
    return whole if abs(whole * dt - duration) <= 1e-4 * dt else ceil(duration / dt)


@dataclass(frozen=True, eq=False)
class Values:
    """Numbers of a data file: one for each unit or connection, in SI units, or a row for each pair of indices.

    ``origin`` says where they stand. Two are equal if their numbers are.
    """

    numbers: np.ndarray
    origin: str

    @property
    def flat(self) -> np.ndarray:
        """The numbers of a lattice's units row by row."""
        return self.numbers.ravel()

    @cached_property
    def digest(self) -> str:
        """Hash of type, shape and numbers."""
        array = np.ascontiguousarray(self.numbers)
        content = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
        content.update(array.data if array.size else b"")
        return content.hexdigest()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numbers, dtype)

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.numbers.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Values) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return f"{self.origin} ({' x '.join(map(str, self.numbers.shape))})"


#: A quantity or an expression, or numbers of a data file.
Value = str | Values


@dataclass(frozen=True)
class Parameter:
    """A named constant of the model, shared by every population and projection that names it."""

    value: Amount
    text: str
    source: str = ""
    about: str = ""


@dataclass(frozen=True)
class Table:
    """A function of time given by samples (Brian2's TimedArray): constant for ``dt`` each."""

    values: tuple[Amount, ...]
    dt: float


@dataclass(frozen=True)
class Population:
    """A group of identical units. ``shape`` is (rows, columns) of a lattice or (size,)."""

    name: str
    shape: tuple[int, ...]
    equations: str
    threshold: str | None
    reset: str | None
    refractory: str | None
    integrator: str
    dt: float
    initial: Mapping[str, Value]
    regularly: tuple[Regularly, ...] = ()
    events: Mapping[str, Event] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of units."""
        return prod(self.shape)


@dataclass(frozen=True)
class Range:
    """Between which values a variable stays, in SI units, and its fixed-point format.

    ``stochastic`` says whether its steps are rounded up or down at random, so that they are right in
    the mean, instead of to nearest.
    """

    low: float
    high: float
    bits: int | None = None
    stochastic: bool = False


@dataclass(frozen=True)
class Regularly:
    """Statements that a population executes every ``dt`` seconds."""

    code: str
    dt: float


@dataclass(frozen=True)
class Event:
    """A custom event: ``action`` runs for the units that meet ``condition``."""

    condition: str
    action: str


@dataclass(frozen=True)
class Endpoint:
    """One side of a projection: a population, a slice of it, or another projection's synapses."""

    name: str
    start: int | None = None
    stop: int | None = None

    def __str__(self) -> str:
        return self.name if self.start is None else f"{self.name}[{self.start}:{self.stop}]"


@dataclass(frozen=True)
class Projection:
    """Synapses in Brian2's sense: equations for each connection and code for each event."""

    name: str
    source: Endpoint
    target: Endpoint
    equations: str
    on_pre: Mapping[str, str]
    on_post: Mapping[str, str]
    on_event: Mapping[str, str]
    delay: Mapping[str, Value]
    connect: Mapping[str, Any]
    integrator: str
    dt: float
    initial: Mapping[str, Value]


@dataclass(frozen=True)
class Stimulus:
    """An input added to one variable of a population during ``count`` windows.

    The windows are [start + n period, start + n period + duration), n = 0..count-1, in seconds.
    With ``image`` set, only units where that image is 1 receive it.
    """

    name: str
    population: str
    variable: str
    amplitude: str
    image: str | None
    start: float
    duration: float
    period: float
    count: int

    @property
    def end(self) -> float:
        """Time at which the last window closes, in seconds."""
        return self.start + (self.count - 1) * self.period + self.duration


@dataclass(frozen=True)
class Record:
    """What is kept during a run: variables of a population every ``every`` seconds.

    ``stride`` keeps each stride-th row and column; ``reduce = "mean"`` keeps the population mean;
    ``events`` keeps the times of the population's ``event`` instead, with the variables at each.
    """

    name: str
    population: str
    variables: tuple[str, ...]
    every: float
    stride: int = 1
    reduce: str | None = None
    events: bool = False
    event: str = "spike"


@dataclass(frozen=True)
class Model:
    """A whole model file, `extends` resolved. Times in seconds."""

    name: str
    title: str
    description: str
    doi: str
    noise: str | None
    dt: float
    duration: float
    parameters: Mapping[str, Parameter]
    tables: Mapping[str, Table]
    populations: Mapping[str, Population]
    projections: Mapping[str, Projection]
    stimuli: Mapping[str, Stimulus]
    records: Mapping[str, Record]
    experiment: Mapping[str, Any]
    digest: str
    precision: str = PRECISIONS[0]

    def images(self) -> dict[str, tuple[int, ...]]:
        """Names of the images that the stimuli need, with the shape of each."""
        return {
            s.image: self.populations[s.population].shape for s in self.stimuli.values() if s.image
        }

    def within_run(self) -> Model:
        """The model with no interval of records and statements longer than the run.

        What is due but once is due at the start, however long its interval; clocks far slower than
        the run would have no step at all in Brian2.
        """
        fastest = min(p.dt for p in self.populations.values())
        end = steps(self.duration, fastest) * fastest
        return replace(
            self,
            records={n: replace(r, every=min(r.every, end)) for n, r in self.records.items()},
            populations={
                n: replace(p, regularly=tuple(replace(r, dt=min(r.dt, end)) for r in p.regularly))
                for n, p in self.populations.items()
            },
        )

    def without(self, population: str) -> Model:
        """The model with one population removed, and every projection that touched it.

        Raises
        ------
        UserError
            If there is no such population, or no other.
        """
        if population not in self.populations:
            known = ", ".join(self.populations)
            raise UserError(f"{self.name}: no population '{population}' to leave out (has {known})")
        if len(self.populations) == 1:
            raise UserError(f"{self.name}: no [population.NAME] table: a model needs at least one")
        gone = {population}
        while True:
            touched = {
                p.name
                for p in self.projections.values()
                if gone & {p.source.name, p.target.name} and p.name not in gone
            }
            if not touched:
                break
            gone |= touched
        return replace(
            self,
            populations={k: v for k, v in self.populations.items() if k not in gone},
            projections={k: v for k, v in self.projections.items() if k not in gone},
            stimuli={k: v for k, v in self.stimuli.items() if v.population not in gone},
            records={k: v for k, v in self.records.items() if v.population not in gone},
            digest=f"{self.digest} without {population}",
        )


@dataclass(frozen=True)
class Entry:
    """One fact about a piece of hardware; ``value`` is None where no public document states it."""

    value: int | str | None
    source: str = ""
    confidence: str = ""


@dataclass(frozen=True)
class Hardware:
    """A target that models are mapped to."""

    name: str
    title: str
    entries: Mapping[str, Entry]

    def number(self, name: str) -> int | None:
        """A number of the target, or None where it is unknown."""
        value = self.entries[name].value
        return value if isinstance(value, int) else None
