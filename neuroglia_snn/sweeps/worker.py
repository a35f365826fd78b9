"""What a process of a sweep does: points to measures, with the last build kept for the next of them."""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import xarray as xr

from neuroglia_snn import checks
from neuroglia_snn.backends.base import Backend, Builds, Outcome, Request, structure
from neuroglia_snn.backends.brian.quiet import hush
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments import Experiment, registry
from neuroglia_snn.options import Options
from neuroglia_snn.results import Result
from neuroglia_snn.runs import Measures, Source, measure, named


class Keeper:
    """Runs requests on a backend; a build stays open for the requests that can share it."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._kept: tuple = ()
        self._run: Callable[[Request], Outcome] | None = None

    def simulate(self, backend: Backend, requests: Sequence[Request]) -> list[Outcome | UserError]:
        """The outcome of every request, or why there is none."""
        if backend.batch == 1 or any(structure(r) != structure(requests[0]) for r in requests):
            return [self._alone(backend, request) for request in requests]
        self.close()
        try:
            return [*backend.run_many(requests)]
        except UserError as error:
            if len(requests) == 1:
                return [error]
            return [o for request in requests for o in self.simulate(backend, [request])]

    def _alone(self, backend: Backend, request: Request) -> Outcome | UserError:
        try:
            return self._runner(backend, request)(request)
        except UserError as error:
            return error

    def _runner(self, backend: Backend, request: Request) -> Callable[[Request], Outcome]:
        key = (backend.name, request.threads, structure(request))
        if self._run is None or key != self._kept:
            self.close()  # Brian2 has one device
            if not isinstance(backend, Builds):
                return backend.run
            self._run = self._open.enter_context(backend.built(request))
            self._kept = key
        return self._run

    def close(self) -> None:
        """Close the build that is open, if one is."""
        self._run = None
        self._open.close()


keeper = Keeper()
atexit.register(keeper.close)  # while Brian2 can still be imported
#: Brian2's device is one for a whole process; a worker of another's cluster may have many threads.
_one_at_a_time = threading.RLock()


@dataclass(frozen=True)
class Job:
    """What all points of a sweep have in common: the model and its digest.

    ``records`` are names of the variables of a result that are kept.
    """

    source: Source
    digest: str
    records: tuple[str, ...] = ()


@dataclass(frozen=True)
class Own:
    """What the user's session has of its own, for another process.

    ``files`` are paths with the digests of their contents; ``measures`` are functions, and ``experiments``
    classes, that are in no file.
    """

    files: tuple[tuple[Path, str], ...] = ()
    measures: Mapping[str, Callable] = field(default_factory=dict)
    experiments: Mapping[str, type[Experiment]] = field(default_factory=dict)

    @classmethod
    def of_session(cls) -> Own:
        """What this session has."""
        files = tuple((path, digest(path)) for path in registry.FILES)
        return cls(files, registry.own_measures(), registry.own_experiments())

    def identity(self) -> dict[str, list[str]]:
        """What the numbers of a sweep depend on, where there is any."""
        found = {
            "own_files": [f"{path.name} {content}" for path, content in self.files],
            "own_measures": sorted(self.measures),
            "own_experiments": sorted(self.experiments),
        }
        return {key: names for key, names in found.items() if names}

    def session(self) -> registry.Session:
        """A session that has this and nothing else.

        Raises
        ------
        UserError
            If a file is not here, or has changed.
        """
        for path, content in self.files:
            if path.is_file() and digest(path) != content:
                raise UserError(f"{path} has changed since the sweep began")
        given = _given_by(self.files)
        return replace(
            given,
            measures={**given.measures, **self.measures},
            experiments={**given.experiments, **self.experiments},
        )


def digest(path: Path) -> str:
    """Hash of a file's content; of one that cannot be read, empty."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


@functools.lru_cache(maxsize=8)
def _given_by(files: tuple[tuple[Path, str], ...]) -> registry.Session:
    """What files of the user's own give to a session; they are run once for each content."""
    with registry.within(registry.Session()):
        for path, _ in files:
            registry.load_file(path)
        return registry.session()


@dataclass(frozen=True)
class Found:
    """What a point gave: its measures, or why it has none, and the records that are kept.

    The first of points that were computed together has the ``warnings`` about all of them.
    """

    measures: Measures | None
    error: str = ""
    records: xr.Dataset | None = None
    warnings: tuple[str, ...] = ()


def measured_apart(job: Job, own: Own, runs: Sequence[Options], shared: Options) -> list[Found]:
    """What each run gives, in a process that is not the user's, with what the user's session has."""
    hush()
    with _one_at_a_time:
        try:
            session = own.session()
        except UserError as error:
            return [Found(None, str(error))] * len(runs)
        with registry.within(session):
            return measured(job, runs, shared)


def measured(job: Job, runs: Sequence[Options], shared: Options) -> list[Found]:
    """What each run gives; ``shared`` is what was the same for all runs."""
    try:
        plain, _ = checks.load_checked(job.source, dict(shared.overrides))
        if plain.digest != job.digest:
            raise UserError(f"{named(job.source)} has changed since the sweep began")
    except UserError as error:
        return [Found(None, str(error))] * len(runs)
    warnings: list[object] = []
    with _one_at_a_time:
        outcomes = measure(job.source, runs, keeper.simulate, warnings.extend)
    first, *rest = (_found(one, job.records) for one in outcomes)
    return [replace(first, warnings=tuple(dict.fromkeys(map(str, warnings)))), *rest]


def _found(result: Result | UserError, records: tuple[str, ...]) -> Found:
    if isinstance(result, UserError):
        return Found(None, str(result))
    known = [str(name) for name in result.data.data_vars]
    for name in records:
        if name not in known:
            said = f"no record '{name}'{nearest(name, known)} (there are {', '.join(known)})"
            return Found(None, said)
    numbers = {k: v for k, v in result.measures.items() if v is None or isinstance(v, (int, float))}
    return Found(numbers, records=result.data[list(records)] if records else None)
