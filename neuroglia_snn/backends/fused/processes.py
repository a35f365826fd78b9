"""Replicas side by side, each in a process of its own: Brian2 has one device in a process."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

from neuroglia_snn import guard
from neuroglia_snn.backends.base import Backend, Outcome, Request
from neuroglia_snn.errors import BackendError

#: Of a worker: where it says how far its run is.
_said: Any = None


def side_by_side(backend: Backend, requests: Sequence[Request], workers: int) -> list[Outcome]:
    """The outcomes of all requests, ``workers`` at a time; a failure, or an interrupt, ends all.

    Raises
    ------
    UserError
        The first of a run, as soon as it fails.
    BackendError
        If a worker ended, as the operating system ends a process that takes too much memory; or if none
        could begin.
    """
    guard.leave_if_imported()
    context = multiprocessing.get_context("spawn")  # a fork would not take threads along
    said, begun = context.SimpleQueue(), context.Event()
    before = set(multiprocessing.active_children())
    watching: Future[None] = Future()
    listener = threading.Thread(target=_listen, args=(said, requests, watching), daemon=True)
    listener.start()
    pool = ProcessPoolExecutor(workers, context, _begin, (said, begun))
    jobs: list[Future[Outcome]] = []
    try:
        for number, request in enumerate(requests):
            jobs.append(pool.submit(_run, backend, replace(request, progress=None), number))
        outcomes = _all(jobs, watching)
    except BrokenProcessPool:
        raise BackendError(
            f"one of {workers} worker processes ended; fewer --workers need less memory"
            if begun.is_set()
            else f"the workers do not start: {guard.SENTENCE}"
        ) from None
    finally:
        unfinished = [job for job in jobs if not job.done()]
        if unfinished:
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
        pool.shutdown(cancel_futures=True)
        if not unfinished:  # a worker that was ended may hold the queue
            said.put(None)
            listener.join()
    if watching.done():
        watching.result()
    return outcomes


def _all(jobs: list[Future[Outcome]], watching: Future[None]) -> list[Outcome]:
    """What all jobs give, or the error of whichever fails first, the watchers' among them."""
    waiting: set[Future] = {*jobs, watching}
    while not all(job.done() for job in jobs):
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for job in done:
            job.result()
    return [job.result() for job in jobs]


def _begin(said: Any, begun: Any) -> None:
    global _said
    _said = said
    begun.set()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that began us ends us


def _run(backend: Backend, request: Request, number: int) -> Outcome:
    def progress(fraction: float, model_time: float) -> None:
        _said.put((number, fraction, model_time))

    return backend.run(replace(request, progress=progress))


def _listen(said: Any, requests: Sequence[Request], watching: Future[None]) -> None:
    """Pass on what the workers say, until there is no more, also if a watcher fails: they would wait."""
    while (message := said.get()) is not None:
        number, fraction, model_time = message
        if watcher := requests[number].progress:
            try:
                watcher(fraction, model_time)
            except Exception as error:
                if not watching.done():
                    watching.set_exception(error)
