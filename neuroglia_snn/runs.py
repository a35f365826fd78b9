"""One run from model to result: load, simulate, measure; in memory or in a folder."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neuroglia_snn import (
    __version__,
    backends,
    checkpoint,
    checks,
    experiments,
    images,
    results,
    spec,
)
from neuroglia_snn.backends.base import PRECISIONS, Backend, Outcome, Progress, Request
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import BackendError, UserError, shown
from neuroglia_snn.experiments import carry_out, registry
from neuroglia_snn.experiments.base import Experiment, OwnProtocol, Shown
from neuroglia_snn.language import equations, labels, stability
from neuroglia_snn.model import Model
from neuroglia_snn.options import Options, command
from neuroglia_snn.results import Result
from neuroglia_snn.results.result import drawn, figure_files, refuse_format

#: Characters of a setting that a command repeats.
_LONGEST = 200
#: Where a model comes from: its name in the catalogue, the path of its file, or its tables.
Source = str | os.PathLike[str] | Document
Measures = dict[str, float | int | None]
Watch = Callable[[str], Progress]
#: Runs requests on a backend; an error stands for the outcome of one that fails.
Simulate = Callable[[Backend, Sequence[Request]], list[Outcome | UserError]]
#: Takes what is to be noted about a model; written on stderr where none is given.
Warn = Callable[[Iterable[object]], None]


def run(
    source: Source,
    out: os.PathLike[str] | str | None = None,
    options: Options | None = None,
    force: bool = False,
    progress: Watch | None = None,
    figures: str = "png",
) -> Result:
    """Run a model; with a folder, write ``summary.json``, ``data.nc`` and figures there.

    Parameters
    ----------
    source : str, path or Document
        Catalogue name or path of a model file, or what one holds.
    out : str or path, optional
        Folder for the results.
    options : Options
    force : bool
        Write over an earlier result.
    progress : callable, optional
        Called with a label for each simulation; gives the callback that follows it.
    figures : {"png", "svg", "pdf"}

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.

    Notes
    -----
    A run that is interrupted (Ctrl-C) on a backend that can stop readably gives a result whose summary
    has ``interrupted_at_ms``; ``data.nc`` then holds what was recorded, and the same call with
    ``resume`` goes on from there, to the same bits as without the interruption.
    """
    start = time.perf_counter()
    options = options or Options()
    if not isinstance(options, Options):
        kind = type(options).__name__
        raise UserError(f"options are Options(seed=1, ...), not a value of type {kind}")
    if not isinstance(out, (str, os.PathLike, type(None))):
        kind = type(out).__name__
        raise UserError(f"out is the path of a folder for the results, not a value of type {kind}")
    folder = None if out is None else Path(out)
    if folder is None and options.resume:
        raise UserError("only a run with a folder for its results (out) can be resumed")
    model, experiment, options = _read(source, options)
    again = _command(source, options)
    if isinstance(experiment, OwnProtocol):
        refuse_format(model.name, figures)
        return _own_protocol(experiment, source, model, folder, options, again, force, progress)
    plan = _plan(source, model, experiment, options)
    if folder is None:
        result = _simulated(plan, progress)
    else:
        result = _in_folder(plan, folder, force, progress, figures)
    result.summary["command"] = again
    result.summary["wall_seconds"]["total"] = round(time.perf_counter() - start, 3)
    if folder is not None:
        result.summary.update(result.write(folder, figures))
        if result.interrupted_at is None:
            checkpoint.discard(folder)
    return result


def _command(source: Source, options: Options) -> str | None:
    """The command that repeats a run; None where none can, as of a model or an image made in Python."""
    arrays = any(not isinstance(image, Path) for image in options.images.values())
    long = any(len(text) > _LONGEST for text in options.overrides.values())
    if isinstance(source, Document) or arrays or long:
        return None
    files = [word for path in registry.FILES for word in ("--experiment", str(path))]
    return command("run", named(source), *options.flags(), *files)


def named(source: Source) -> str:
    """A model as a command names it."""
    return source.path.name if isinstance(source, Document) else os.fspath(source)


def _in_folder(
    plan: Plan, folder: Path, force: bool, progress: Watch | None, figures: str
) -> Result:
    """Simulate with checkpoints in a results folder, and write the data there."""
    names = figure_files(drawn(plan.experiment, several=plan.options.seeds > 1), figures)
    if plan.options.resume:
        checkpoint.require_same(folder, _identity(plan))
    else:
        folder = results.prepare(folder, force, names)
    try:
        if plan.backend.resumes and plan.options.seeds == 1:
            checkpoint.begin(folder, _identity(plan))
        result = _simulated(plan, progress, folder)
    except BaseException:
        checkpoint.discard_empty(folder)
        raise
    return result


def _own_protocol(
    experiment: OwnProtocol,
    source: Source,
    model: spec.Model,
    folder: Path | None,
    options: Options,
    again: str | None,
    force: bool,
    progress: Watch | None,
) -> Result:
    made = results.Temporary() if folder is None else None
    where = made.path if made is not None else folder
    assert where is not None
    summary = carry_out.own_protocol(experiment, model, where, options, again, force, progress)
    path = where / results.DATA
    data = xr.load_dataset(path) if path.exists() else xr.Dataset()
    own = Model.of(source, options.overrides)
    written = results.Written.by(summary, where, made)
    return Result(own, model, data, summary, experiment, _written=written)


def choose(source: Source, options: Options, warn: Warn | None = None) -> str:
    """The backend's name of a run that is to measure, checked as far as it can be without running.

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.
    """
    model, experiment, options = _read(source, options, warn)
    if isinstance(experiment, OwnProtocol):
        options.require_used(experiment.uses, f"model '{model.name}'")
        experiment.identity(model, options)
        return options.backend
    return _measuring_plan(source, model, experiment, options).backend.name


def measure(
    source: Source,
    runs: Sequence[Options],
    simulate: Simulate | None = None,
    warn: Warn | None = None,
) -> list[Result | UserError]:
    """Results of several runs of a model, of which nothing is written; or why there are none.

    Parameters
    ----------
    source : str, path or Document
    runs : sequence of Options
    simulate : callable, optional
        Runs a backend's requests; one after the other if not given.
    warn : callable, optional
    """
    found: dict[int, Result | UserError] = {}
    plans: dict[int, Plan] = {}
    for number, options in enumerate(runs):
        try:
            model, experiment, options = _read(source, options, warn)
            if isinstance(experiment, OwnProtocol):
                found[number] = _own_protocol(
                    experiment, source, model, None, options, "", False, None
                )
            else:
                plans[number] = _measuring_plan(source, model, experiment, options)
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
            if isinstance(outcome, UserError):
                found[number] = outcome
                continue
            if outcome.reached is not None:  # Ctrl-C, in this very process
                raise KeyboardInterrupt
            found[number] = _result(plan, outcome, results.dataset(plan.model, outcome))
    return [found[number] for number in range(len(runs))]


def _one_by_one(backend: Backend, requests: Sequence[Request]) -> list[Outcome | UserError]:
    outcomes: list[Outcome | UserError] = []
    for request in requests:
        try:
            outcomes.append(backend.run(request))
        except UserError as error:
            outcomes.append(error)
    return outcomes


def _measuring_plan(
    source: Source, model: spec.Model, experiment: Experiment, options: Options
) -> Plan:
    """The plan of a run that gives numbers."""
    plan = _plan(source, model, experiment, options)
    events = any(record.events for record in plan.model.records.values())
    if not (events or experiment.measures_itself or registry.MEASURES):
        raise UserError(f"model '{model.name}' measures nothing: record events of a population")
    return plan


@dataclass(frozen=True)
class Plan:
    """A run whose every input has been read and checked."""

    source: Source
    whole: spec.Model
    model: spec.Model
    control: spec.Model | None
    experiment: Experiment
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
        shown = self.shown(replica)
        return Request(
            model,
            shown.stimuli(model) if shown else {},
            self.options.seed + replica,
            self.options.threads,
            self.precision,
            folder if self.backend.resumes else None,
            progress,
        )

    def made(self) -> Model:
        """The model that runs, as a user holds it."""
        return Model.of(self.source, self.options.overrides, self.left_out)

    @property
    def left_out(self) -> list[str]:
        """Populations of the file that do not run."""
        return [name for name in self.whole.populations if name not in self.model.populations]

    @property
    def precision(self) -> str:
        """The user's choice, or the model's where the backend can."""
        if self.options.precision is not None:
            return self.options.precision
        chosen = self.model.precision
        return chosen if chosen in self.backend.precisions else self.backend.precisions[0]

    def shown(self, replica: int = 0) -> Shown | None:
        """What a replica is shown: images that are drawn have its own noise."""
        o = self.options
        return self.experiment.prepare(self.model, o.images, o.resize, o.seed + replica)


def _read(
    source: Source, options: Options, warn: Warn | None = None
) -> tuple[spec.Model, Experiment, Options]:
    """The model, checked, its experiment, and the options as that takes them."""
    model, warnings = checks.load_checked(source, dict(options.overrides))
    (warn or _warn)(warnings)
    experiment = experiments.of_kind(model.experiment.get("kind"))
    return model, experiment, options.fitted(experiment, f"model '{model.name}'")


def _require_fast(model: spec.Model) -> None:
    """Refuse single precision for variables too slow for it (as `check` does for a model's own)."""
    fastest = min(population.dt for population in model.populations.values())
    for population in model.populations.values():
        if population.dt == fastest:
            for _, message in stability.lost_in_float32(model, population):
                raise BackendError(f"precision float32 in '{population.name}': {message}")


def _plan(source: Source, model: spec.Model, experiment: Experiment, options: Options) -> Plan:
    """Check everything that a user can get wrong, before anything is written or built."""
    whole = model
    for population in dict.fromkeys(options.without):
        model = model.without(population)
    model = experiment.adapted(model, options.own)
    backend = backends.choose(options.backend, model, options.fast_math)
    _require_possible(model, backend, options)
    control = None
    if options.control:
        control = experiment.control(model)
        if control is None:
            raise UserError(f"model '{model.name}' has no glia to leave out for a control")
    images.require_known(options.images, experiment.image_names(model), model.name)
    if options.resize and not options.images:
        raise UserError("--resize is for images that you give: add --image NAME=FILE")
    plan = Plan(source, whole, model, control, experiment, options, backend)
    plan.request(model, replica=options.seeds - 1)
    plan.request(model)  # refuses a bad seed, number of threads or image
    return plan


def _require_possible(model: spec.Model, backend: Backend, options: Options) -> None:
    """Refuse options that do not go with a backend, or with each other."""
    if options.precision in PRECISIONS and options.precision not in backend.precisions:
        can = " or ".join(backend.precisions)
        raise BackendError(f"backend '{backend.name}' computes in {can} only")
    if options.precision == "float32":
        _require_fast(model)
    if options.resume and not backend.resumes:
        raise BackendError(f"backend '{backend.name}' cannot resume a run")
    if options.seeds < 1 or options.workers < 1:
        raise UserError("--seeds and --workers must be at least 1")
    if options.seeds > 1 and (options.control or options.resume):
        raise UserError("a run of several seeds cannot have a control or be resumed")
    if options.workers > 1 and options.seeds == 1:
        raise UserError("--workers run several seeds side by side: add --seeds")
    if options.threads > 1 and not backend.threaded:
        raise UserError(f"backend '{backend.name}' runs without --threads")


def _simulated(plan: Plan, progress: Watch | None, folder: Path | None = None) -> Result:
    """Simulate and measure; ``folder`` is where checkpoints and data are kept, the data first."""
    if plan.options.seeds > 1:
        return _several(plan, progress, folder)

    def simulate(model: spec.Model, label: str) -> Outcome:
        part = "model" if model is plan.model else "control"
        kept = None if folder is None else folder / checkpoint.FOLDER / part
        shown = progress(label) if progress else None
        outcome = plan.backend.run(plan.request(model, shown, kept))
        _warn(outcome.warnings)
        return outcome

    outcome = simulate(plan.model, plan.model.name)
    data = results.dataset(plan.model, outcome)
    if folder is not None:
        results.write_dataset(data, folder / results.DATA)
    if plan.control is None or outcome.reached is not None:
        return _result(plan, outcome, data)
    silent = simulate(plan.control, "control")
    if silent.reached is not None:
        interrupted = {"interrupted_at_ms": silent.reached * 1e3, "results": {}}
        result = _result(plan, outcome, data)
        result.summary.update(interrupted)
        return result
    without = replace(plan, model=plan.control)
    control = _result(without, silent, results.dataset(plan.control, silent))
    return _result(plan, outcome, data, control)


def _result(
    plan: Plan, outcome: Outcome, data: xr.Dataset, control: Result | None = None
) -> Result:
    """A simulation's result, with its measures."""
    shown = plan.shown()
    summary = _summary(plan, outcome)
    result = Result(plan.made(), plan.model, data, summary, plan.experiment, control, shown)
    if outcome.reached is not None:
        summary |= {"interrupted_at_ms": outcome.reached * 1e3, "results": {}, "figures": []}
        return result
    summary["results"] = _measure(result)
    summary["definitions"] = registry.definitions(plan.experiment, summary["results"])
    if shown is not None:
        summary["images"] = dict(shown.describe())
    if control is not None:
        summary["control"] = control.measures
    return result


def _warn(sentences: Iterable[object]) -> None:
    for sentence in sentences:
        print(sentence, file=sys.stderr)


def _measure(result: Result) -> Measures:
    """What the model's experiment asks of one simulation, and what the user adds.

    A measure of the user's that fails is None, with a warning.
    """
    found = dict(_measured(result)) | _event_rates(result.spec, result.data)
    for name, function in registry.MEASURES.items():
        try:
            found |= _numbers(name, function(result))
        except Exception as error:
            reason = (
                str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            )
            print(f"the measure '{name}' fails ({reason})", file=sys.stderr)
            result.summary.setdefault("failed_measures", {})[name] = reason
            found[name] = None
    return found


def _measured(result: Result) -> Mapping[str, float | int | None]:
    """What the experiment measures; one of the user's may raise anything."""
    try:
        return result.experiment.measure(result)
    except UserError:
        raise
    except Exception as error:
        kind = type(result.experiment).__name__
        raise UserError(f"{kind}.measure fails ({type(error).__name__}: {error})") from error


def _numbers(name: str, value: Any) -> Measures:
    """A measure's numbers by name.

    Raises
    ------
    UserError
        For what is no number.
    """
    given = value if isinstance(value, Mapping) else {name: value}
    found: Measures = {}
    for key, one in given.items():
        plain = _plain(one)
        if not isinstance(key, str) or not isinstance(plain, (int, float, type(None))):
            raise UserError("it gives a number, None, or a mapping of these by name")
        found[key] = plain
    return found


def _plain(number: Any) -> Any:
    """A number of NumPy's or xarray's as one of Python's."""
    is_array = isinstance(number, (np.generic, np.ndarray, xr.DataArray))
    return number.item() if is_array and np.ndim(number) == 0 else number


def _several(plan: Plan, progress: Watch | None, folder: Path | None) -> Result:
    """Many seeds from one build: every run's measures, their mean and standard deviation."""
    model, count = plan.model, plan.options.seeds
    shown = progress(f"{model.name}, {count} seeds") if progress else None
    pace = _Pace(shown, count)
    requests = [plan.request(model, pace.of(n), replica=n) for n in range(count)]
    outcomes = plan.backend.run_many(requests, plan.options.workers)
    _warn(dict.fromkeys(said for outcome in outcomes for said in outcome.warnings))
    whole = [results.dataset(model, outcome) for outcome in outcomes]
    sets = [d.drop_dims([n for n in d.dims if str(n).startswith("event_")]) for d in whole]
    seeds = xr.Variable("replica", [r.seed for r in requests], {"about": "seed"})
    data = xr.concat(sets, seeds)
    if folder is not None:
        results.write_dataset(data, folder / results.DATA)
    runs = []
    for n, (outcome, one) in enumerate(zip(outcomes, whole, strict=True)):
        alone = _summary(plan, outcome) | {"seed": requests[n].seed}
        result = Result(plan.made(), model, one, alone, plan.experiment, shown=plan.shown(n))
        runs.append({"seed": requests[n].seed} | _measure(result))
    summary = _summary(plan, outcomes[0])
    summary["results"], summary["standard_deviations"] = _over_seeds(runs)
    summary["definitions"] = registry.definitions(plan.experiment, summary["results"])
    summary["replicas"] = runs
    summary["wall_seconds"]["run"] = round(sum(o.run_seconds for o in outcomes), 3)
    return Result(plan.made(), model, data, summary, plan.experiment)


def _over_seeds(runs: Sequence[Mapping[str, Any]]) -> tuple[Measures, Measures]:
    """Mean and standard deviation (n - 1) of every measure, of the runs that have one."""
    means: Measures = {}
    spreads: Measures = {}
    for name in sorted({name for run in runs for name in run} - {"seed"}):
        values = np.array([run[name] for run in runs if run.get(name) is not None], float)
        if len(values):
            means[name] = float(values.mean())
        if len(values) > 1:
            spreads[name] = float(values.std(ddof=1))
    return means, spreads


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


def exported(
    source: Source, options: Options
) -> tuple[spec.Model, Mapping[str, np.ndarray], str | None]:
    """The network of a run that is written elsewhere, its images, and what they are.

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.
    """
    model, experiment, options = _read(source, options)
    plan = _plan(source, model, experiment, options)
    shown = plan.shown()
    images = dict(plan.request(plan.model).images)
    return plan.model, images, None if shown is None else str(shown.describe()["origin"])


def _identity(plan: Plan) -> dict:
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


def _summary(plan: Plan, outcome: Outcome) -> dict:
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
        "without": plan.left_out,
        "options": {name: str(v) if isinstance(v, Path) else v for name, v in options.own.items()},
        "set": {name: shown(text, _LONGEST) for name, text in options.overrides.items()},
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


def _event_rates(model: spec.Model, data: xr.Dataset) -> Measures:
    """Events per unit and second of every population whose events are recorded."""
    rates: Measures = {}
    for name, record in model.records.items():
        if record.events:
            population = model.populations[record.population]
            time = spec.steps(model.duration, population.dt) * population.dt
            rates[f"{name}_rate_Hz"] = (
                data.sizes[labels.axis("event", name)] / population.size / time
            )
    return rates
