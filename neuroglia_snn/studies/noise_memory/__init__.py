"""Noise-induced memory of a neuron-astrocyte lattice: every figure of the paper.

Paper: Zhao et al., "Noise-induced artificial intelligence", Phys. Rev. Research 4, 043069 (2022).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from neuroglia_snn import backends, checks
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian import collect
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments import memory
from neuroglia_snn.noise import MAX_SEED
from neuroglia_snn.studies.base import Section, Work
from neuroglia_snn.studies.noise_memory import phase, recall
from neuroglia_snn.studies.noise_memory.jobs import LATTICE, MEMORY, Run, Setting, Sweep

__all__ = ["TITLE", "add_options", "identity", "reproduce"]

TITLE = "noise-induced memory in a neuron-astrocyte lattice: phase diagrams, recall, controls"

Job = Run | Sweep
#: Each figure: the jobs that it takes, and what makes a section of them.
_FIGURES: dict[str, Callable[[bool], tuple[list[Job], Callable[[Setting], Section]]]] = {
    "2a": lambda quick: _phase(
        phase.by_coupling("a", quick),
        "Fig. 2 a: D_u against noise",
        "400 neurons, D_v = 100. The paper finds self-sustained oscillation at weak noise and none beyond a"
        " boundary.",
    ),
    "2b": lambda quick: ([*phase.series()], phase.over_time),
    "2e": lambda quick: _phase(
        phase.by_coupling("e", quick), "Fig. 2 e: D_v against noise", "400 neurons, D_u = 100."
    ),
    "2f": lambda quick: _phase(
        phase.by_size(quick),
        "Fig. 2 f: number of neurons against noise",
        "D_u = D_v = 300. In the paper the range of noise with excitability grows with N, from about 100 neurons"
        " on.",
    ),
    "3": lambda quick: ([recall.SILENT, recall.NOISY], recall.images_and_responses),
    "4": lambda quick: ([recall.NOISY], recall.time_courses),
    "5a": lambda quick: (
        [*recall.by_noise(quick)],
        partial(recall.accuracy_by_noise, quick),
    ),
    "5b": lambda quick: (
        [*recall.by_training(quick)],
        partial(recall.accuracy_by_training, quick),
    ),
    "novel": lambda quick: ([recall.novel(quick)], partial(recall.novel_pattern, quick)),
    "readings": lambda quick: (
        [*recall.readings(quick)],
        partial(recall.compare_readings, quick),
    ),
}
#: Steps of the run whose pace the estimate takes, and seconds that every run takes beside its steps.
_TRIAL, _OVERHEAD = "20 ms", {MEMORY: 3.0, LATTICE: 0.5}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Flags of ``neuroglia reproduce noise-memory``."""
    parser.add_argument(
        "--figure",
        action="append",
        default=[],
        metavar="FIGURE",
        help=f"{', '.join(_FIGURES)} or all (default); may be repeated",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the points: minutes instead of hours"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="runs side by side (default: the number of processors)",
    )


def identity(options: argparse.Namespace) -> dict:
    """See `neuroglia_snn.studies.base.Study`."""
    if options.workers < 1:
        raise UserError(f"--workers must be at least 1, not {options.workers}")
    if not 0 <= options.seed <= MAX_SEED - 10:
        raise UserError(f"--seed must be 0 to {MAX_SEED - 10}, not {options.seed}")
    wanted = _wanted(options)
    jobs = [job for name in wanted for job in _FIGURES[name](options.quick)[0]]
    models = {job.model: checks.load_checked(job.model)[0] for job in jobs}
    chosen = {name: backends.choose("auto", model)[0].name for name, model in models.items()}
    return {
        "seed": options.seed,
        "figures_of_paper": wanted,
        "quick": options.quick,
        "backends": chosen,
        "models": {name: model.digest for name, model in models.items()},
    }


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """See `neuroglia_snn.studies.base.Study`."""
    setting = Setting(work, options.seed, options.workers, options.resume)
    figures = {name: _FIGURES[name](options.quick) for name in _wanted(options)}
    _announce({job.name: job for jobs, _ in figures.values() for job in jobs}, setting)
    work.part("begun", dict)  # from here on there is something to go on with
    found = replace(setting, work=Work(work.folder), resume=True)
    sections: dict[str, Section] = {}
    done: set[str] = set()
    for name, (jobs, draw) in figures.items():
        for job in jobs:
            if job.name not in done:  # Figs 3 and 4 share a run
                job.carry_out(setting)
                done.add(job.name)
        sections[name] = draw(found)
    return {
        "workers": options.workers,
        "versions": collect.versions(),
        "results": {
            f"{name}_{key}": value
            for name, s in sections.items()
            for key, value in s.values.items()
        },
        "figures": [str(path) for s in sections.values() for path in s.figures],
        "sections": [s.describe() for s in sections.values()],
    }


def _wanted(options: argparse.Namespace) -> list[str]:
    """Names of figures, in the paper's order.

    Raises
    ------
    UserError
    """
    asked = set(options.figure or ["all"])
    unknown = asked - {*_FIGURES, "all"}
    if unknown:
        raise UserError(
            f"--figure {min(unknown)}: there is none (there are {', '.join(_FIGURES)}, all)"
        )
    return [name for name in _FIGURES if "all" in asked or name in asked]


def _phase(job: Sweep, title: str, paper: str) -> tuple[list[Job], Callable[[Setting], Section]]:
    return [job], lambda setting: phase.diagram(job, setting, title, paper)


def _announce(jobs: Mapping[str, Job], setting: Setting) -> None:
    """Say on stderr how long it will take, from a short trial on this machine."""
    if setting.work.progress is None:
        return
    counts = {LATTICE: 0, MEMORY: 0}
    for job in jobs.values():
        counts[LATTICE if job.model == LATTICE else MEMORY] += job.runs
    pace = _seconds_a_unit_step()
    seconds = 0.0
    for name, count in counts.items():
        model, _ = checks.load_checked(name)
        work = model.duration / model.dt * model.populations["neuron"].size
        seconds += count * (work * pace + _OVERHEAD[name]) / setting.workers
    print(
        f"{counts[MEMORY]} runs of the memory experiment and {counts[LATTICE]} of lattices alone: about"
        f" {_duration(seconds)} with {setting.workers} at a time, if nothing else runs",
        file=sys.stderr,
    )


def _seconds_a_unit_step() -> float:
    settings = {"model.duration": _TRIAL, "experiment.cue": "2 ms"}
    settings |= {"experiment.recall": "10 ms", "experiment.window": "18 ms"}
    model, _ = checks.load_checked(MEMORY, settings)
    images = memory.prepare_images(model, None, None, None, False, 0)
    backend, _ = backends.choose("auto", model)
    precision = model.precision if model.precision in backend.precisions else "float64"
    outcome = backend.run(Request(model, images.stimuli(model), precision=precision))
    seconds = outcome.loop_seconds or outcome.run_seconds
    return seconds / (model.duration / model.dt * model.populations["neuron"].size)


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{max(1, seconds / 60):.0f} min"
