"""What a backend is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.noise import MAX_SEED

#: All that a backend may compute in; those of a model file, and of simulated hardware.
PRECISIONS = (*spec.PRECISIONS, "float", "fixed")

#: Called with (fraction done, model time in s) now and then; the time is 0 where there is none.
Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Request:
    """One run: a model and everything that may change without a new build.

    Attributes
    ----------
    images : mapping from image name to bool array, (rows, columns) of the stimulated population
    seed : int
        Of the noise and of random initial values; 0 to 2**32 - 1.
    threads : int
        Used where a backend can.
    precision : {"float64", "float32", "float", "fixed"}
        One of the backend's ``precisions``; of the populations on the fastest clock.
    checkpoint : folder or None
        Where a backend that can keeps what it needs to go on later; if it holds a checkpoint, the
        run goes on from there.
    progress : callable or None
    """

    model: spec.Model
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    seed: int = 0
    threads: int = 1
    precision: str = "float64"
    checkpoint: Path | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MAX_SEED:
            raise UserError(f"seed must be 0 to {MAX_SEED}, not {self.seed}")
        if self.precision not in PRECISIONS:
            raise UserError(f"precision must be {', '.join(PRECISIONS)}, not '{self.precision}'")
        if self.threads < 1:
            raise UserError(f"threads must be at least 1, not {self.threads}")
        for name, shape in self.model.images().items():
            if name not in self.images:
                raise UserError(f"model '{self.model.name}' needs an image '{name}' of {shape}")
            if self.images[name].shape != shape:
                raise UserError(
                    f"image '{name}' is {self.images[name].shape}, the population is {shape}"
                )


def blank_images(model: spec.Model) -> dict[str, np.ndarray]:
    """Images with nothing on them: for a build, whose runs bring their own, or where none matters."""
    return {name: np.zeros(shape, bool) for name, shape in model.images().items()}


@dataclass(frozen=True)
class Recorded:
    """Values of one ``[record.NAME]``: ``times`` in s, each array (time, unit), SI units.

    ``ends`` are the units at the "source" and "target" of each synapse that is recorded.
    """

    times: np.ndarray
    indices: np.ndarray
    values: Mapping[str, np.ndarray]
    ends: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a run gives.

    Attributes
    ----------
    records : the model's records by name
    events : event times in s and unit indices of records of events
    event_values : variables of such records by name, at each event, SI units, (event,)
    final : state variables at the end, per population, SI units, (unit,)
    build_seconds, run_seconds : wall time
    compiled : False where a cached build was used or nothing is compiled
    versions : of the packages and compilers that made the result
    loop_seconds : wall time of the time loop alone, of all replicas that ran together; None where a
        backend does not take it
    reached : model time in s at which an interrupted run stopped; None for a complete one
    details : what else the backend has to say, for the summary
    warnings : sentences for the user
    """

    records: Mapping[str, Recorded]
    events: Mapping[str, tuple[np.ndarray, np.ndarray]]
    final: Mapping[str, Mapping[str, np.ndarray]]
    build_seconds: float
    run_seconds: float
    compiled: bool
    versions: Mapping[str, str]
    loop_seconds: float | None = None
    reached: float | None = None
    event_values: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    details: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Backend(Protocol):
    """A way to run models.

    ``precisions`` are those it can compute in; ``threaded`` says whether it uses the threads of a
    request, ``resumes`` whether it heeds a request's checkpoint and stops readably when interrupted,
    ``batch`` how many replicas it runs in the time of one (1 where they run one by one).
    """

    name: str
    precisions: tuple[str, ...]
    threaded: bool
    resumes: bool
    batch: int

    def unsupported(self, model: spec.Model) -> str | None:
        """Why this backend cannot run the model (naming the equation), or None."""

    def run(self, request: Request) -> Outcome:
        """Run it.

        Raises
        ------
        BackendError, NumericalError
        """

    def run_many(self, requests: Sequence[Request], workers: int = 1) -> list[Outcome]:
        """Run replicas: requests that differ in seeds, parameter values and images alone.

        ``workers`` of them run side by side where the backend can.

        Raises
        ------
        BackendError, NumericalError
        """


@runtime_checkable
class Builds(Protocol):
    """A backend whose build can be kept, to run one replica after the other."""

    def built(self, request: Request) -> AbstractContextManager[Callable[[Request], Outcome]]:
        """A context with a function that runs the request, or a replica of it.

        Brian2's device is taken for as long as it lasts.

        Raises
        ------
        BackendError
        """


def require_supported(backend: Backend, model: spec.Model) -> None:
    """Refuse a model that a backend cannot run.

    Raises
    ------
    BackendError
    """
    reason = backend.unsupported(model)
    if reason:
        raise BackendError(f"backend '{backend.name}' cannot run '{model.name}': {reason}")


def structure(request: Request) -> tuple:
    """What replicas have in common: all but parameter values, seed, images and what is measured."""
    model = replace(request.model, parameters={}, experiment={}, digest="")
    return model, tuple(request.model.parameters), request.precision


def require_replicas(requests: Sequence[Request]) -> None:
    """Refuse requests that are not replicas of each other.

    Raises
    ------
    BackendError
        If their equations, connections, records or precisions differ.
    """
    if not requests:
        raise BackendError("there are no replicas to run")
    if any(structure(r) != structure(requests[0]) for r in requests[1:]):
        raise BackendError("replicas may differ in seeds, parameter values and images alone")
