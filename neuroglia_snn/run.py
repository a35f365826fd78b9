"""One run from model to results folder: load, simulate, measure, draw, write."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import xarray as xr

from neuroglia_snn import backends, checks, plots, results, spec
from neuroglia_snn.backends.base import Outcome, Progress, Request
from neuroglia_snn.equations import model_parameters
from neuroglia_snn.errors import BackendError, UserError
from neuroglia_snn.experiments import mean_field, memory

#: Populations at least this large use every core by default; smaller ones wait more than they work.
PARALLEL_FROM = 4096


@dataclass(frozen=True)
class Options:
    """What a user can ask of a run; the command line's flags by the same names."""

    backend: str = "cpp"
    seed: int = 0
    threads: int | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    control: bool = False
    train: Path | None = None
    test: Path | None = None
    clean: Path | None = None
    resize: bool = False


def run(
    name_or_path: str, out: Path | str, options: Options | None = None, force: bool = False,
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
    options = options or Options()
    start = time.perf_counter()
    model, warnings = checks.load_checked(name_or_path, dict(options.overrides))
    for warning in warnings:
        print(warning, file=sys.stderr)
    folder = Path(out)
    for population in options.without:
        model = model.without(population)
    kind = model.experiment.get("kind")
    images = _images(model, options) if kind == "associative-memory" else None
    results.prepare(folder, force)
    options = replace(options, threads=options.threads or default_threads(model))
    outcome = _simulate(model, images, options, progress, model.name)
    data = results.dataset(model, outcome)
    control = None
    if options.control:
        without = _control_model(model)
        control = (without, results.dataset(without, _simulate(without, images, options, progress, "control")))
    results.write_dataset(data, folder / results.DATA)
    summary = _summary(model, outcome, options)
    figures: list[Path] = []
    if images is not None:
        summary["images"] = memory.parameters(images)
        summary["results"] = memory.analyse(model, data, images)
        figures = plots.memory_figures(model, data, images, folder, control)
        if control is not None:
            results.write_dataset(control[1], folder / "control.nc")
            summary["control"] = memory.analyse(*control, images)
    else:
        summary["results"] = mean_field.analyse(model, data) if kind == "mean-field" else {}
        summary["results"] |= _event_rates(model, data)
        figure = plots.record_figure(model, data, folder / "records.png")
        figures = [figure] if figure else []
    summary["figures"] = [str(path) for path in figures]
    summary["data"] = str(folder / results.DATA)
    summary["wall_seconds"] |= {"total": round(time.perf_counter() - start, 3)}
    results.write_summary(summary, folder)
    return summary


def default_threads(model: spec.Model) -> int:
    """The idle cores for a large network, one for a small one.

    Threads meet twice a step; where another program holds a core, each meeting waits for it, and two
    threads are slower than one. Results do not depend on the number.
    """
    largest = max(p.size for p in model.populations.values())
    if largest < PARALLEL_FROM:
        return 1
    return max(1, sum(busy < 50 for busy in psutil.cpu_percent(interval=0.2, percpu=True)))


def _images(model: spec.Model, options: Options) -> memory.Images:
    return memory.prepare_images(
        model, options.train, options.test, options.clean, options.resize, options.seed)


def _control_model(model: spec.Model) -> spec.Model:
    glia = model.experiment.get("glia")
    if not isinstance(glia, str):
        raise UserError(f"model '{model.name}' names no glia in [experiment], so has no control")
    return model.without(glia)


def _simulate(
    model: spec.Model, images: memory.Images | None, options: Options,
    progress: Callable[[str], Progress] | None, label: str,
) -> Outcome:
    backend = backends.get(options.backend)
    reason = backend.unsupported(model)
    if reason:
        raise BackendError(f"backend '{backend.name}' cannot run '{model.name}': {reason}")
    request = Request(
        model=model, images=images.stimuli(model) if images else {}, seed=options.seed,
        threads=options.threads or 1,
        progress=progress(label) if progress else None)
    return backend.run(request)


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
        "set": dict(options.overrides),
        "parameters": {name: p.text for name, p in model_parameters(model).items()},
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
