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
from brian2.units.fundamentalunits import Dimension

from neuroglia_snn.errors import UserError
from neuroglia_snn.language.names import is_made, made
from neuroglia_snn.language.quantities import Amount

#: Of the numbers of populations on the fastest clock; slower ones are always float64.
PRECISIONS = ("float64", "float32")


def steps(duration: float, dt: float) -> int:
    """Number of steps of ``dt`` in a run, as Brian2 counts them: what is left over is one step more."""
    whole = round(duration / dt)
    return whole if abs(whole * dt - duration) <= 1e-4 * dt else ceil(duration / dt)


@dataclass(frozen=True, eq=False)
class Values:
    """Numbers of a data file: one for each unit or connection, in SI units, or a row for each pair of indices.

    ``origin`` says where they stand, ``dimensions`` what unit is stated there, if one is. Two are
    equal if their numbers are.
    """

    numbers: np.ndarray
    origin: str
    dimensions: Dimension | None = None

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
    """A function of time given by samples (Brian2's TimedArray): constant for ``dt`` each.

    ``values`` are in SI units, (time,) or (time, column); a table of columns is read as ``NAME(t, i)``.
    """

    values: Values
    dimensions: Dimension
    dt: float

    @property
    def columns(self) -> int | None:
        """Number of columns; None for a function of time alone."""
        return self.values.numbers.shape[1] if self.values.numbers.ndim > 1 else None


@dataclass(frozen=True)
class Link:
    """A variable of another population, or of the same, which one reads under a name of its own.

    ``units`` are the units that each unit reads; each its own, or all the only one, if None.
    """

    population: str
    variable: str
    units: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.population}.{self.variable}"


@dataclass(frozen=True)
class Spikes:
    """Spikes that a population is given: number of the unit and time in seconds of each."""

    units: Values
    times: Values


@dataclass(frozen=True)
class Population:
    """A group of identical units.

    ``shape`` is (planes, rows, columns) or (rows, columns) of a lattice, or (size,). With ``spikes``
    it has no equations, and spikes at these times.
    """

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
    #: Distance between neighbouring sites of its lattice.
    spacing: str = "1"
    spikes: Spikes | None = None
    linked: Mapping[str, Link] = field(default_factory=dict)

    @property
    def fires(self) -> bool:
        """Whether it has spikes."""
        return self.threshold is not None or self.spikes is not None

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
    """Statements that a population executes every ``dt`` seconds; ``stimulus`` is the input that they are."""

    code: str
    dt: float
    stimulus: str | None = None


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

    def size_in(self, population: Population) -> int:
        """Number of units, of the population that it names."""
        start, stop = self.start or 0, self.stop
        return (population.size if stop is None else stop) - start

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
    #: What the file says of connections, where ``connect`` is what that stands for.
    stated: Mapping[str, Any] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)

    @property
    def rule(self) -> str:
        """The connection rule by the name that it has in the file."""
        return str((self.stated or self.connect)["rule"])


@dataclass(frozen=True)
class Stimulus:
    """An input added to one variable of a population during ``count`` windows.

    The windows are [start + n period, start + n period + duration), n = 0..count-1, in seconds.
    With ``image`` set, only units where that image is 1 receive it; a run brings the image, unless
    ``pattern`` is what it is, a factor for each unit.
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
    pattern: Values | None = None

    @property
    def stated(self) -> str:
        """Its name in the file; in other phases than the first that it is on in, it has another."""
        again = made("again") + "_"
        return self.name.removeprefix(again).split("__")[0] if is_made(self.name) else self.name

    @property
    def end(self) -> float:
        """Time at which the last window closes, in seconds."""
        return self.start + (self.count - 1) * self.period + self.duration


@dataclass(frozen=True)
class Record:
    """What is kept during a run: variables of a population, or of a projection, every ``every`` seconds.

    ``units`` are the units or synapses that are kept; all of them if None. ``stride`` keeps each stride-th row and column; ``reduce = "mean"`` keeps the population mean;
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
    units: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Phase:
    """A part of a run: from ``start`` for ``duration``, in seconds.

    ``values`` are those of parameters in it, ``stimuli`` the names of those that are on in it alone.
    """

    name: str
    start: float
    duration: float
    values: Mapping[str, Parameter]
    stimuli: frozenset[str]

    @property
    def end(self) -> float:
        """Time at which the next phase begins, in seconds."""
        return round(self.start + self.duration, 12)


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
    #: Names of parameters that other parameters, sizes and parts of populations are made of.
    structural: frozenset[str] = frozenset()
    phases: tuple[Phase, ...] = ()

    def images(self) -> dict[str, tuple[int, ...]]:
        """Names of the images that the stimuli need of a run, with the shape of each."""
        return {
            s.image: self.populations[s.population].shape
            for s in self.stimuli.values()
            if s.image and s.pattern is None
        }

    def patterns(self) -> dict[str, np.ndarray]:
        """The images of the model's own, by name, in the shape of their populations."""
        return {
            s.image: s.pattern.numbers.reshape(self.populations[s.population].shape)
            for s in self.stimuli.values()
            if s.image and s.pattern is not None
        }

    def recorded(self, record: Record) -> Population | Projection:
        """What a record is of: a population, or a projection's synapses."""
        name = record.population
        return self.populations[name] if name in self.populations else self.projections[name]

    def in_phase(self, phase: Phase) -> Model:
        """The model with the parameters that a phase sets."""
        return replace(self, parameters={**self.parameters, **phase.values})

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
        for other in self.populations.values():
            links = [n for n, link in other.linked.items() if link.population == population]
            if links and other.name != population:
                raise UserError(
                    f"{self.name}: population '{population}' cannot be left out: '{other.name}' reads"
                    f" '{links[0]}' of it"
                )
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

    value: int | float | str | None
    source: str = ""
    confidence: str = ""


@dataclass(frozen=True)
class Hardware:
    """A target that models are mapped to.

    ``costs`` are what events cost, by names such as ``energy.synaptic_event`` (pJ) and
    ``time.synaptic_event`` (ns).
    """

    name: str
    title: str
    entries: Mapping[str, Entry]
    costs: Mapping[str, Entry] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        """A whole number of the target, or None where it is unknown."""
        entry = self.entries.get(name)
        return entry.value if entry is not None and isinstance(entry.value, int) else None
