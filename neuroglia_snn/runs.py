"""One run from model to results folder: load, simulate, measure, draw, write."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import xarray as xr

from neuroglia_snn import (
    __version__,
    backends,
    checkpoint,
    checks,
    equations,
    labels,
    plots,
    results,
    spec,
    stability,
    studies,
)
from neuroglia_snn.backends.base import PRECISIONS, Backend, Outcome, Progress, Request
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.experiments import mean_field, memory
from neuroglia_snn.options import Options, command, require_used

#: Options that are for the images of a memory, and those that every simulation takes.
_IMAGES = {"train", "test", "clean", "resize"}
_USED = {f.name for f in fields(Options)} - _IMAGES - {"data", "weights", "images"}
Measures = dict[str, float | int | None]
#: Runs requests on a backend; an error stands for the outcome of one that fails.
Simulate = Callable[[Backend, Sequence[Request]], list[Outcome | UserError]]


def run(
    name_or_path: str | os.PathLike[str],
    out: os.PathLike[str] | str,
    options: Options | None = None,
    force: bool = False,
    progress: Callable[[str], Progress] | None = None,
) -> dict:
    """Run a model and write ``summary.json``, ``data.nc`` and figures to ``out``.

    Parameters
    ----------
    name_or_path : str or path
        Catalogue name or path of a model file.
    out : str or path
        Folder for the results.
    options : Options
    force : bool
        Write over an earlier result.
    progress : callable, optional
        Called with a label for each simulation; gives the callback that follows it.

    Returns
    -------
    dict
        The summary as written.

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.

    Notes
    -----
    A run that is interrupted (Ctrl-C) on a backend that can stop readably returns a summary with
    ``interrupted_at_ms``; ``data.nc`` then holds what was recorded, and the same call with
    ``resume`` goes on from there, to the same bits as without the interruption.
    """
    start = time.perf_counter()
    options = options or Options()
    if not isinstance(options, Options):
        kind = type(options).__name__
        raise UserError(f"options are Options(seed=1, ...), not a value of type {kind}")
    if not isinstance(out, (str, os.PathLike)):
        kind = type(out).__name__
        raise UserError(f"out is the path of a folder for the results, not a value of type {kind}")
    folder = Path(out)
    model, study = _read(name_or_path, options)
    again = command("run", str(name_or_path), *options.flags())
    if study is not None:
        return studies.run(study, model, folder, options, again, force, progress)
    plan = _plan(model, options)
    if plan.options.resume:
        checkpoint.require_same(folder, _identity(plan))
    else:
        folder = results.prepare(folder, force)
    try:
        if plan.backend.resumes and plan.options.replicas == 1:
            checkpoint.begin(folder, _identity(plan))
        summary = _carry_out(plan, folder, progress) | {"command": again}
    except BaseException:
        checkpoint.discard_empty(folder)
        raise
    summary["wall_seconds"] |= {"total": round(time.perf_counter() - start, 3)}
    results.write_summary(summary, folder)
    if "interrupted_at_ms" not in summary:
        checkpoint.discard(folder)
    return summary


def choose(name_or_path: str, options: Options) -> str:
    """The backend's name of a run that is to measure, checked as far as it can be without running.

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.
    """
    model, study = _read(name_or_path, options)
    if study is not None:
        study.model_identity(model, options)
        return options.backend
    return _measuring_plan(model, options).backend.name


def measure(
    name_or_path: str, runs: Sequence[Options], simulate: Simulate | None = None
) -> list[Measures | UserError]:
    """The measures of several runs of a model, of which nothing is written; or why there are none.

    Parameters
    ----------
    name_or_path : str
        Catalogue name or path of a model file.
    runs : sequence of Options
    simulate : callable, optional
        Runs a backend's requests; one after the other if not given.
    """
    found: dict[int, Measures | UserError] = {}
    plans: dict[int, _Plan] = {}
    for number, options in enumerate(runs):
        try:
            model, study = _read(name_or_path, options)
            if study is None:
                plans[number] = _measuring_plan(model, options)
            else:
                found[number] = _measure_study(study, model, options)
        except UserError as error:
            found[number] = error
    by_backend: dict[str, list[int]] = {}
    for number, plan in plans.items():
        by_backend.setdefault(plan.backend.name, []).append(number)
    for numbers in by_backend.values():
        several = [plans[n] for n in numbers]
        requests = [plan.request(plan.model) for plan in several]
        outcomes = (simulate or _one_by_one)(several[0].backend, requests)
        for number, plan, outcome in zip(numbers, several, outcomes, strict=True):
            found[number] = _measures(plan, outcome)
    return [found[number] for number in range(len(runs))]


def _one_by_one(backend: Backend, requests: Sequence[Request]) -> list[Outcome | UserError]:
    outcomes: list[Outcome | UserError] = []
    for request in requests:
        try:
            outcomes.append(backend.run(request))
        except UserError as error:
            outcomes.append(error)
    return outcomes


def _measures(plan: _Plan, outcome: Outcome | UserError) -> Measures | UserError:
    if isinstance(outcome, UserError):
        return outcome
    return _measure(plan.model, results.dataset(plan.model, outcome), plan.images_of(0))


def _measuring_plan(model: spec.Model, options: Options) -> _Plan:
    """The plan of a run that gives numbers."""
    plan = _plan(model, options)
    events = any(record.events for record in plan.model.records.values())
    if not events and not plan.model.experiment:
        raise UserError(f"model '{model.name}' measures nothing: record events of a population")
    return plan


def _measure_study(study: studies.Study, model: spec.Model, options: Options) -> Measures:
    with tempfile.TemporaryDirectory(prefix="neuroglia-") as scratch:
        found = studies.run(study, model, Path(scratch) / "run", options, "")["results"]
    return {k: v for k, v in found.items() if isinstance(v, (int, float))}


@dataclass(frozen=True)
class _Plan:
    """A run whose every input has been read and checked."""

    model: spec.Model
    control: spec.Model | None
    images: Callable[[int], memory.Images] | None
    options: Options
    backend: Backend

    def request(
        self,
        model: spec.Model,
        progress: Progress | None = None,
        folder: Path | None = None,
        replica: int = 0,
    ) -> Request:
        """One simulation; with a folder, one that can go on later."""
        images = self.images_of(replica)
        return Request(
            model,
            images.stimuli(model) if images else {},
            self.options.seed + replica,
            self.options.threads,
            self.precision,
            folder if self.backend.resumes else None,
            progress,
        )

    @property
    def precision(self) -> str:
        """The user's choice, or the model's where the backend can."""
        if self.options.precision is not None:
            return self.options.precision
        chosen = self.model.precision
        return chosen if chosen in self.backend.precisions else self.backend.precisions[0]

    def images_of(self, replica: int) -> memory.Images | None:
        """What a replica is shown: with images of our own, each has its own noise."""
        return self.images(self.options.seed + replica) if self.images else None


def _read(
    name_or_path: str | os.PathLike[str], options: Options
) -> tuple[spec.Model, studies.Study | None]:
    """The model, checked, and the study that carries out its experiment, if there is one."""
    model, warnings = checks.load_checked(name_or_path, dict(options.overrides))
    for warning in warnings:
        print(warning, file=sys.stderr)
    return model, studies.of_kind(model)


def _require_fast(model: spec.Model) -> None:
    """Refuse single precision for variables too slow for it (as `check` does for a model's own)."""
    fastest = min(population.dt for population in model.populations.values())
    for population in model.populations.values():
        if population.dt == fastest:
            for _, message in stability.lost_in_float32(model, population):
                raise BackendError(f"precision float32 in '{population.name}': {message}")


def _plan(model: spec.Model, options: Options) -> _Plan:
    """Check everything that a user can get wrong, before anything is written or built."""
    glia = model.experiment.get("glia")
    if options.no_astrocytes and glia is None:
        raise UserError(f"model '{model.name}' names no glia in [experiment] to leave out")
    gone = [*options.without, *([str(glia)] if options.no_astrocytes else [])]
    for population in dict.fromkeys(gone):
        model = model.without(population)
    _require_experiment(model)
    backend = backends.choose(options.backend, model, options.fast_math)
    if options.precision in PRECISIONS and options.precision not in backend.precisions:
        can = " or ".join(backend.precisions)
        raise BackendError(f"backend '{backend.name}' computes in {can} only")
    if options.precision == "float32":
        _require_fast(model)
    if options.resume and not backend.resumes:
        raise BackendError(f"backend '{backend.name}' cannot resume a run")
    if options.replicas < 1 or options.workers < 1:
        raise UserError("--replicas and --workers must be at least 1")
    if options.replicas > 1 and (options.control or options.resume):
        raise UserError("replicas cannot be combined with a control or resumed")
    control = None
    if options.control:
        if glia not in model.populations:
            raise UserError(f"model '{model.name}' has no glia to leave out for a control")
        control = model.without(str(glia))
    recalls = model.experiment.get("kind") == "associative-memory"
    used = _USED | (_IMAGES if recalls else set())
    require_used(options, used, f"model '{model.name}'")
    if options.resize and options.train is None:
        raise UserError("--resize is for images that you give: add --train and --test")
    if options.workers > 1 and options.replicas == 1:
        raise UserError("--workers run replicas side by side: add --replicas")
    if options.threads > 1 and not backend.threaded:
        raise UserError(f"backend '{backend.name}' runs without --threads")
    images = None
    if recalls:
        images = functools.partial(
            memory.prepare_images,
            model,
            options.train,
            options.test,
            options.clean,
            options.resize,
        )
    plan = _Plan(model, control, images, options, backend)
    plan.request(model, replica=options.replicas - 1)
    plan.request(model)  # refuses a bad seed, number of threads or image
    return plan


def _require_experiment(model: spec.Model) -> None:
    """What is left of a model must still hold what its experiment is about."""
    e = model.experiment
    parts = {"population": model.populations, "record": model.records}
    for key, left in parts.items():
        if key in e and e[key] not in left:
            raise UserError(f"the experiment of '{model.name}' needs {key} '{e[key]}'")


def _carry_out(plan: _Plan, folder: Path, progress: Callable[[str], Progress] | None) -> dict:
    """Simulate, measure, draw; everything but the summary file."""
    if plan.options.replicas > 1:
        return _carry_out_replicas(plan, folder, progress)

    def simulate(model: spec.Model, label: str) -> tuple[Outcome, xr.Dataset]:
        kept = folder / checkpoint.FOLDER / ("model" if model is plan.model else "control")
        shown = progress(label) if progress else None
        outcome = plan.backend.run(plan.request(model, shown, kept))
        _warn(outcome.warnings)
        return outcome, results.dataset(model, outcome)

    model, images = plan.model, plan.images_of(0)
    outcome, data = simulate(model, model.name)
    results.write_dataset(data, folder / results.DATA)
    summary = _summary(plan, outcome)
    summary["data"] = str(folder / results.DATA)
    if outcome.reached is not None:
        return summary | _interrupted(outcome)
    control = None
    if plan.control:
        outcome, silent = simulate(plan.control, "control")
        if outcome.reached is not None:
            return summary | _interrupted(outcome)
        control = (plan.control, silent)
        results.write_dataset(silent, folder / results.CONTROL)
    summary["results"] = _measure(model, data, images)
    if images is not None:
        summary["images"] = memory.parameters(images)
        figures = plots.memory_figures(model, data, images, folder, control)
        if control is not None:
            summary["control"] = memory.analyse(*control, images)
    else:
        figure = plots.record_figure(model, data, folder / "records.png")
        figures = [figure] if figure else []
    summary["figures"] = [str(path) for path in figures]
    return summary


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        print(sentence, file=sys.stderr)


def _interrupted(outcome: Outcome) -> dict:
    assert outcome.reached is not None
    return {"interrupted_at_ms": outcome.reached * 1e3, "results": {}, "figures": []}


def _measure(model: spec.Model, data: xr.Dataset, images: memory.Images | None) -> dict:
    """What the model's experiment asks of one simulation."""
    if images is not None:
        return memory.analyse(model, data, images)
    kind = model.experiment.get("kind")
    found = mean_field.analyse(model, data) if kind == "mean-field" else {}
    return {**found, **_event_rates(model, data)}


def _carry_out_replicas(
    plan: _Plan, folder: Path, progress: Callable[[str], Progress] | None
) -> dict:
    """Many seeds from one build: every replica's results, their mean and standard deviation."""
    model, count = plan.model, plan.options.replicas
    shown = progress(f"{model.name}, {count} replicas") if progress else None
    pace = _Pace(shown, count)
    requests = [plan.request(model, pace.of(n), replica=n) for n in range(count)]
    outcomes = plan.backend.run_many(requests, plan.options.workers)
    _warn(dict.fromkeys(said for outcome in outcomes for said in outcome.warnings))
    summary = _summary(plan, outcomes[0])
    runs, sets = [], []
    for n, outcome in enumerate(outcomes):
        data = results.dataset(model, outcome)
        runs.append({"seed": requests[n].seed} | _measure(model, data, plan.images_of(n)))
        sets.append(data.drop_dims([d for d in data.dims if str(d).startswith("event_")]))
    seeds = xr.Variable("replica", [r.seed for r in requests], {"about": "seed"})
    results.write_dataset(xr.concat(sets, seeds), folder / results.DATA)
    numbers = {k for k, v in runs[0].items() if k != "seed" and isinstance(v, (int, float))}
    columns = {k: np.array([run[k] for run in runs], float) for k in sorted(numbers)}
    summary["data"] = str(folder / results.DATA)
    summary["results"] = {k: float(v.mean()) for k, v in columns.items()}
    summary["standard_deviations"] = {k: float(v.std(ddof=1)) for k, v in columns.items()}
    summary["replicas"] = runs
    summary["wall_seconds"]["run"] = round(sum(o.run_seconds for o in outcomes), 3)
    summary["figures"] = []
    return summary


class _Pace:
    """Progress of several runs as one."""

    def __init__(self, shown: Progress | None, count: int):
        self._shown, self._done, self._lock = shown, [0.0] * count, threading.Lock()

    def of(self, replica: int) -> Progress | None:
        """The callback of one run."""
        if self._shown is None:
            return None

        def update(fraction: float, model_time: float) -> None:
            with self._lock:
                self._done[replica] = fraction
                assert self._shown is not None
                self._shown(sum(self._done) / len(self._done), model_time)

        return update


def _identity(plan: _Plan) -> dict:
    """What must be the same for a run to go on: everything that its numbers depend on."""
    options = plan.options
    shown = plan.request(plan.model).images
    return {
        "model": plan.model.digest,
        "set": dict(options.overrides),
        "seed": options.seed,
        "precision": plan.precision,
        "backend": plan.backend.name,
        "fast_math": options.fast_math,
        "control": options.control,
        "images": {k: hashlib.sha256(v.tobytes()).hexdigest() for k, v in shown.items()},
        "version": __version__,
    }


def _summary(plan: _Plan, outcome: Outcome) -> dict:
    model, options = plan.model, plan.options
    return {
        "model": model.name,
        "title": model.title,
        "model_digest": model.digest,
        "backend": plan.backend.name,
        "precision": plan.precision,
        "fast_math": options.fast_math,
        "threads": options.threads,
        "versions": dict(outcome.versions),
        "seed": options.seed,
        "without": list(options.without),
        "no_astrocytes": options.no_astrocytes,
        "set": dict(options.overrides),
        "parameters": {name: p.text for name, p in equations.model_parameters(model).items()},
        "dt_ms": model.dt * 1e3,
        "duration_ms": model.duration * 1e3,
        "wall_seconds": {
            "build": round(outcome.build_seconds, 3),
            "run": round(outcome.run_seconds, 3),
            **({} if outcome.loop_seconds is None else {"loop": round(outcome.loop_seconds, 3)}),
        },
        "compiled": outcome.compiled,
        **outcome.details,
    }


def _event_rates(model: spec.Model, data: xr.Dataset) -> dict[str, float]:
    """Events per unit and second of every population whose events are recorded."""
    rates = {}
    for name, record in model.records.items():
        if record.events:
            population = model.populations[record.population]
            time = spec.steps(model.duration, population.dt) * population.dt
            rates[f"{name}_rate_Hz"] = (
                data.sizes[labels.axis("event", name)] / population.size / time
            )
    return rates
