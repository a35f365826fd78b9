"""Carrying a sweep out: one build, many runs, spread over processes by Dask."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroglia_snn import __version__, checks, guard, results, spec
from neuroglia_snn.backends import BACKENDS
from neuroglia_snn.backends.brian import collect
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.experiments import registry
from neuroglia_snn.measures import spread_over_seeds
from neuroglia_snn.options import Options, command
from neuroglia_snn.results import style
from neuroglia_snn.runs import Source, Warn, choose, named
from neuroglia_snn.sweeps import figures as drawings
from neuroglia_snn.sweeps.grid import Grid, Point
from neuroglia_snn.sweeps.store import DATA, Store, discard
from neuroglia_snn.sweeps.worker import Found, Job, Own, digest, keeper, measured, measured_apart

if TYPE_CHECKING:
    from distributed import Client

#: Seconds between two writings of the dataset while points come in.
WRITE_EVERY = 10.0

#: Called with (points done, points in all, the best so far in words).
Watch = Callable[[int, int, str], None]


def sweep(
    source: Source,
    grid: Grid,
    out: Path | str,
    options: Options | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    best: str | None = None,
    force: bool = False,
    watch: Watch | None = None,
    records: Sequence[str] = (),
    figures: str = "png",
) -> dict:
    """Run a model at every point of a grid; ``sweep.nc``, figures and ``summary.json`` in ``out``.

    A sweep that was cut off goes on where it was; points that failed are tried again.

    Parameters
    ----------
    source : str, path or Document
        Catalogue name or path of a model file, or what one holds.
    grid : Grid
    out : path
    options : Options
        Of every run; the grid's settings come on top, and its seeds instead.
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler to use instead, as ``tcp://host:8786``.
    best : str, optional
        The measure that the figure shows and of which ``watch`` hears the largest value.
    force : bool
        Give up what the folder holds.
    watch : callable, optional
    records : names
        Variables of each run's data (``RECORD_VARIABLE``) that are kept.
    figures : {"png", "svg", "pdf"}
        The format of the figure.

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`; in particular if ``out`` holds another sweep.
    """
    start = time.perf_counter()
    style.require_format(figures)
    options, out = options or Options(), Path(out)
    if workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers}")
    _require_one_value(options.overrides, grid)
    plain, _ = checks.load_checked(source, dict(options.overrides))
    experiment = registry.of_kind(plain.experiment.get("kind"))
    options = _with_whole_paths(options.fitted(experiment, f"model '{plain.name}'"))
    warn = _once()
    identity = _identity(plain, source, grid, options, warn)
    identity |= {"records": list(records)} if records else {}
    own = Own.of_session()
    identity |= own.identity()
    job = Job(_whole(source), identity["model_digest"], tuple(records))
    parameters = {n: p.text for n, p in plain.parameters.items() if n not in identity["over"]}
    options = dataclasses.replace(options, backend=identity["backend"])
    if force:
        discard(out, (results.SUMMARY, results.REPORT, *drawings.FILES))
    shown = [word for path, _ in own.files for word in ("--experiment", str(path))]
    shown += ["--best", best] if best else []
    shown += [word for name in records for word in ("--record", name)]
    with Store(out, grid, identity) as store:
        _require_measure(best, store.found.values())
        points = store.missing()
        already = grid.size - len(points)
        interrupted = False
        if points:
            try:
                batches = _batches(points, options.backend, grid)
                with _computing(job, own, batches, options, workers, scheduler) as finished:
                    _spread(finished, len(points), store, best, watch, warn)
            except KeyboardInterrupt:
                interrupted = True
        store.write(records=not interrupted)
        data = store.dataset()
        defined = registry.definitions(experiment, map(str, data.data_vars))
        drawn = drawings.draw(data, best, out, figures)
        summary = {
            **identity,
            "command": command("sweep", named(source), *grid.flags(), *options.flags(), *shown),
            "versions": collect.versions(),
            "parameters": parameters,
            "workers": workers,
            "scheduler": scheduler,
            "data": str(out / DATA),
            "points": {"all": grid.size, "failed": len(store.failed), "found_earlier": already},
            "results": _results(store, best),
            "failed": {
                str(p): store.failed[p.place] for p in grid.points() if p.place in store.failed
            },
            "figures": [str(path) for path in drawn],
            "captions": {path.name: drawings.caption(data, best, defined) for path in drawn},
            "definitions": defined,
            "wall_seconds": {"total": round(time.perf_counter() - start, 3)},
        }
    if interrupted:
        return summary | {"interrupted": True}
    results.write_summary(summary, out)
    return summary


def _require_one_value(overrides: Iterable[str], grid: Grid) -> None:
    """Refuse a setting that is both fixed and swept."""
    fixed = {name.removeprefix("parameters.") for name in overrides}
    twice = next((a.name for a in grid.axes if a.name.removeprefix("parameters.") in fixed), None)
    if twice:
        raise UserError(f"'{twice}' is given to --set and to --over: leave one of them out")


def _once() -> Warn:
    """Writes what it is given on stderr, the same only once."""
    said: set[str] = set()

    def say(sentences: Iterable[object]) -> None:
        for text in map(str, sentences):
            if text not in said:
                said.add(text)
                print(text, file=sys.stderr)

    return say


def _identity(plain: spec.Model, source: Source, grid: Grid, options: Options, warn: Warn) -> dict:
    """What the numbers depend on; the first point is checked, so that a sweep fails before it begins."""
    first = next(grid.points())
    chosen = choose(source, _options_of(options, first), warn)
    chosen_options = dataclasses.asdict(options)
    for name in ("resume", "workers", "seeds", "seed", "overrides", "threads", "images", "own"):
        chosen_options.pop(name)
    chosen_options |= options.own
    return {
        "model": plain.name,
        "title": plain.title,
        "model_digest": plain.digest,
        "set": dict(options.overrides),
        **grid.describe(),
        "backend": chosen,
        "options": {k: str(v) for k, v in chosen_options.items() if v},
        "images": {name: _digest(image) for name, image in options.images.items()},
        "version": __version__,
    }


def _digest(image: Path | np.ndarray) -> str:
    """Hash of an image's file, or of its array."""
    if isinstance(image, Path):
        return digest(image)
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def _with_whole_paths(options: Options) -> Options:
    """As workers in other folders need them."""

    def whole(values: Mapping[str, Any]) -> dict[str, Any]:
        return {n: v.resolve() if isinstance(v, Path) else v for n, v in values.items()}

    return dataclasses.replace(options, images=whole(options.images), own=whole(options.own))


def _whole(source: Source) -> Source:
    """A model as a worker in another folder finds it."""
    is_file = isinstance(source, os.PathLike) or (
        isinstance(source, str) and source.endswith(".toml")
    )
    return str(Path(source).resolve()) if is_file else source  # type: ignore[arg-type]


def _options_of(options: Options, point: Point) -> Options:
    return dataclasses.replace(
        options, overrides={**options.overrides, **point.settings}, seed=point.seed
    )


#: Points that were computed together, and the measures of each, or None and why.
Finished = tuple[list[Point], list[Found]]


def _spread(
    finished: Iterable[Finished],
    left: int,
    store: Store,
    best: str | None,
    watch: Watch | None,
    warn: Warn,
) -> None:
    """Keep each result as it comes; ``left`` points are still to come."""
    written = time.monotonic()
    if watch:
        watch(store.grid.size - left, store.grid.size, "")
    for some, outcomes in finished:
        for point, found in zip(some, outcomes, strict=True):
            warn(found.warnings)
            store.add(point, found.measures, found.error, found.records)
            _require_measure(best, [found.measures] if found.measures else [])
        if watch:
            done = len(store.found) + len(store.failed)
            watch(done, store.grid.size, _best_in_words(store, best))
        if time.monotonic() - written > WRITE_EVERY:
            store.write()
            written = time.monotonic()


def _here(
    job: Job, batches: Iterable[list[Point]], options: Options
) -> Generator[Finished, None, None]:
    """Points one after the other, in this process."""
    try:
        for some in batches:
            yield some, measured(job, [_options_of(options, p) for p in some], options)
    finally:
        keeper.close()


def _on_workers(
    client: Client, job: Job, own: Own, batches: Iterable[list[Point]], options: Options
) -> Generator[Finished, None, None]:
    """Points handed out to a cluster's workers, as they are finished."""
    from distributed import as_completed

    futures = {}
    for some in batches:
        runs = [_options_of(options, point) for point in some]
        future = client.submit(measured_apart, job, own, runs, options, pure=False, retries=2)
        futures[future] = some
    try:
        for future in as_completed(futures):
            some = futures.pop(future)
            try:
                outcomes = future.result()
            except CancelledError:
                raise BackendError("the Dask scheduler is gone; the same command goes on") from None
            except Exception as error:  # a worker that died, again and again
                outcomes = [Found(None, f"{type(error).__name__}: {error}")] * len(some)
            future.release()  # or a worker that dies would have it computed again
            yield some, outcomes
    except BaseException:
        client.cancel(list(futures), force=True)
        raise


def _require_measure(best: str | None, found: Iterable[Mapping]) -> None:
    """Refuse to look for the largest value of what is not measured."""
    for measures in found:
        if best is not None and best not in measures:
            raise UserError(
                f"--best {best}: no such measure{nearest(best, measures)}"
                f" (there are {', '.join(measures)})"
            )


def _batches(points: list[Point], backend: str, grid: Grid) -> Iterator[list[Point]]:
    """Points to hand out together; those that need builds of their own come after one another."""
    structural = [
        n
        for n, a in enumerate(grid.axes)
        if "." in a.name and not a.name.startswith(("parameters.", "experiment."))
    ]

    def build(point: Point) -> tuple[int, ...]:
        return tuple(point.place[n] for n in structural)

    size = BACKENDS[backend].batch if backend in BACKENDS else 1
    for _, group in itertools.groupby(sorted(points, key=build), build):
        some = list(group)
        for start in range(0, len(some), size):
            yield some[start : start + size]


@contextlib.contextmanager
def _computing(
    job: Job,
    own: Own,
    batches: Iterable[list[Point]],
    options: Options,
    workers: int,
    scheduler: str | None,
) -> Iterator[Iterable[Finished]]:
    """Finished points, from this process where one worker is wanted, else from a cluster."""
    with contextlib.ExitStack() as stack:
        if workers == 1 and scheduler is None:
            yield stack.enter_context(contextlib.closing(_here(job, batches, options)))
        else:
            client = stack.enter_context(_client(workers, scheduler))
            finished = _on_workers(client, job, own, batches, options)
            yield stack.enter_context(contextlib.closing(finished))


@contextlib.contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Client]:
    """A Dask cluster of this machine's own, or the one of an address."""
    try:
        import dask
        from distributed import Client, LocalCluster
        from distributed.utils import silence_logging_cmgr
    except ImportError:
        raise BackendError("Dask is not installed: pip install 'neuroglia_snn[sweep]'") from None
    quiet = {"logging.distributed": "critical", "distributed.admin.log-format": "%(message)s"}
    # the first is for worker processes, the second for this one
    with dask.config.set(quiet), silence_logging_cmgr("CRITICAL"):
        if scheduler is not None:
            try:
                client = Client(scheduler, timeout=10)
            except (OSError, TimeoutError, ValueError) as error:
                raise BackendError(f"no Dask scheduler answers at {scheduler} ({error})") from None
            with client:
                yield client
            return
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        guard.leave_if_imported()
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # None would take Dask's own port
                silence_logs=50,
            )
        except RuntimeError:
            raise BackendError(f"the workers do not start: {guard.SENTENCE}") from None
        with cluster, Client(cluster) as client:
            yield client


def _results(store: Store, best: str | None) -> dict:
    """Where the measure is largest, on average over seeds."""
    data = store.dataset()
    name = drawings.shown(data, best)
    if name is None:
        return {}
    mean = data[name].mean("seed", skipna=True)
    if not np.isfinite(mean.values).any():
        return {}
    place = np.unravel_index(np.nanargmax(mean.values), mean.shape)
    settings = {str(d): mean[d].values[k].item() for d, k in zip(mean.dims, place, strict=True)}
    spread = spread_over_seeds(data[name]).values[place]
    return {
        f"largest_{name}": float(mean.values[place]),
        "standard_deviation": None if np.isnan(spread) else float(spread),
        **{f"at_{k}": v for k, v in settings.items()},
    }


def _best_in_words(store: Store, best: str | None) -> str:
    names = next(iter(store.found.values()), {})
    name = best or next(iter(names), None)
    values = (
        [(f[name], p) for p, f in store.found.items() if f.get(name) is not None] if name else []
    )
    if not values:
        return ""
    value, place = max(values)
    parts = zip(store.grid.axes, place, strict=False)
    return f"{name} {value:.4g} at " + ", ".join(f"{a.name} = {a.values[k]}" for a, k in parts)
