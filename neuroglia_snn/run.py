"""One run from model to results folder: load, simulate, measure, draw, write."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from neuroglia_snn import backends, checks, equations, plots, results, spec
from neuroglia_snn.backends.base import Backend, Outcome, Progress, Request
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.experiments import mean_field, memory


@dataclass(frozen=True)
class Options:
    """What a user can ask of a run; the command line's flags by the same names."""

    backend: str = "cpp"
    seed: int = 0
    threads: int = 1
    overrides: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    no_astrocytes: bool = False
    control: bool = False
    train: Path | None = None
    test: Path | None = None
    clean: Path | None = None
    resize: bool = False


def run(
    name_or_path: str,
    out: Path | str,
    options: Options | None = None,
    force: bool = False,
    progress: Callable[[str], Progress] | None = None,
) -> dict:
    """Run a model and write ``summary.json``, ``data.nc`` and figures to ``out``.

    Parameters
    ----------
    name_or_path : str
        Catalogue name or path of a model file.
    out : path
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
    """
    start = time.perf_counter()
    plan = _plan(name_or_path, options or Options())
    folder = results.prepare(Path(out), force)
    try:
        summary = _carry_out(plan, folder, progress)
    except BaseException:
        if not any(folder.iterdir()):
            folder.rmdir()
        raise
    summary["wall_seconds"] |= {"total": round(time.perf_counter() - start, 3)}
    results.write_summary(summary, folder)
    return summary


@dataclass(frozen=True)
class _Plan:
    """A run whose every input has been read and checked."""

    model: spec.Model
    control: spec.Model | None
    images: memory.Images | None
    options: Options
    backend: Backend

    def request(self, model: spec.Model, progress: Progress | None = None) -> Request:
        images = self.images.stimuli(model) if self.images else {}
        return Request(model, images, self.options.seed, self.options.threads, progress)


def _plan(name_or_path: str, options: Options) -> _Plan:
    """Read and check everything that a user can get wrong, before anything is written or built."""
    model, warnings = checks.load_checked(name_or_path, dict(options.overrides))
    for warning in warnings:
        print(warning, file=sys.stderr)
    glia = model.experiment.get("glia")
    if options.no_astrocytes and glia is None:
        raise UserError(f"model '{model.name}' names no glia in [experiment] to leave out")
    gone = [*options.without, *([str(glia)] if options.no_astrocytes else [])]
    for population in dict.fromkeys(gone):
        model = model.without(population)
    _require_experiment(model)
    backend = backends.get(options.backend)
    reason = backend.unsupported(model)
    if reason:
        raise BackendError(f"backend '{backend.name}' cannot run '{model.name}': {reason}")
    control = None
    if options.control:
        if glia not in model.populations:
            raise UserError(f"model '{model.name}' has no glia to leave out for a control")
        control = model.without(str(glia))
    images = None
    if model.experiment.get("kind") == "associative-memory":
        memory.check_times(model)
        images = memory.prepare_images(
            model, options.train, options.test, options.clean, options.resize, options.seed
        )
    elif options.train or options.test or options.clean:
        raise UserError(f"model '{model.name}' takes no images (its experiment is not a memory)")
    plan = _Plan(model, control, images, options, backend)
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

    def simulate(model: spec.Model, label: str) -> tuple[Outcome, xr.Dataset]:
        outcome = plan.backend.run(plan.request(model, progress(label) if progress else None))
        return outcome, results.dataset(model, outcome)

    model, images = plan.model, plan.images
    outcome, data = simulate(model, model.name)
    results.write_dataset(data, folder / results.DATA)
    summary = _summary(model, outcome, plan.options)
    summary["data"] = str(folder / results.DATA)
    control = None
    if plan.control:
        control = (plan.control, simulate(plan.control, "control")[1])
        results.write_dataset(control[1], folder / results.CONTROL)
    if images is not None:
        summary["images"] = memory.parameters(images)
        summary["results"] = memory.analyse(model, data, images)
        figures = plots.memory_figures(model, data, images, folder, control)
        if control is not None:
            summary["control"] = memory.analyse(*control, images)
    else:
        kind = model.experiment.get("kind")
        summary["results"] = mean_field.analyse(model, data) if kind == "mean-field" else {}
        summary["results"] |= _event_rates(model, data)
        figure = plots.record_figure(model, data, folder / "records.png")
        figures = [figure] if figure else []
    summary["figures"] = [str(path) for path in figures]
    return summary


def _summary(model: spec.Model, outcome: Outcome, options: Options) -> dict:
    return {
        "model": model.name,
        "title": model.title,
        "model_digest": model.digest,
        "backend": options.backend,
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
        },
        "compiled": outcome.compiled,
    }


def _event_rates(model: spec.Model, data: xr.Dataset) -> dict[str, float]:
    """Events per unit and second of every population whose events are recorded."""
    rates = {}
    for name, record in model.records.items():
        if record.events:
            size = model.populations[record.population].size
            rates[f"{name}_rate_Hz"] = data.sizes[f"event_{name}"] / size / model.duration
    return rates
