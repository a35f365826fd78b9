"""What a process of a sweep does: points to measures, with the last build kept for the next of them."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable, Sequence

from neuroglia_snn import checks
from neuroglia_snn.backends.base import Backend, Builds, Outcome, Request, structure
from neuroglia_snn.backends.brian.quiet import hush
from neuroglia_snn.errors import UserError
from neuroglia_snn.options import Options
from neuroglia_snn.runs import Measures, measure


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


_keeper = Keeper()
atexit.register(_keeper.close)  # while Brian2 can still be imported
#: Brian2's device is one for a whole process; a worker of another's cluster may have many threads.
_one_at_a_time = threading.Lock()


def measured(
    name_or_path: str, digest: str, runs: Sequence[Options], shared: Options
) -> list[tuple[Measures | None, str]]:
    """Each run's measures, or None and why; ``shared`` is what was the same for all runs."""
    hush()
    try:
        plain, _ = checks.load_checked(name_or_path, dict(shared.overrides))
        if plain.digest != digest:
            raise UserError(f"{name_or_path} has changed since the sweep began")
    except UserError as error:
        return [(None, str(error))] * len(runs)
    with _one_at_a_time:
        found = measure(name_or_path, runs, _keeper.simulate)
    return [(None, str(f)) if isinstance(f, UserError) else (f, "") for f in found]
