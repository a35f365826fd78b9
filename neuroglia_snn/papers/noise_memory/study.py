"""Noise-induced memory of a neuron-astrocyte lattice: every figure of the paper.

Paper: Zhao et al., "Noise-induced artificial intelligence", Phys. Rev. Research 4, 043069 (2022).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from neuroglia_snn import backends, checks
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian import collect
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments.work import Section, Work
from neuroglia_snn.noise import MAX_SEED
from neuroglia_snn.options import command
from neuroglia_snn.papers.jobs import Job, Setting, SweepJob, unit_steps
from neuroglia_snn.papers.noise_memory import memory, phase, recall
from neuroglia_snn.papers.noise_memory.forms import FULL, LATTICE, MEMORY, QUICK, Form

__all__ = ["identity", "reproduce"]


@dataclass(frozen=True)
class Figure:
    """What a figure takes, and what makes a section of it."""

    jobs: Iterable[Job]
    draw: Callable[[Setting], Section]


def figures(form: Form) -> dict[str, Figure]:
    """All of the paper's, in its order; then what lies beyond."""
    by_noise, by_training = recall.by_noise(form), recall.by_training(form)
    return {
        "2a": _diagram(
            phase.over_u(form),
            "Fig. 2 a: D_u against noise",
            "400 neurons, D_v = 100. The paper finds self-sustained oscillation at weak noise and none beyond"
            " a boundary, and gives no numbers in its text.",
        ),
        "2b-d": Figure(phase.series(), phase.over_time),
        "2e": _diagram(
            phase.over_v(form), "Fig. 2 e: D_v against noise", "400 neurons, D_u = 100; as 2 a."
        ),
        "2f": _diagram(
            phase.over_size(form),
            "Fig. 2 f: number of neurons against noise",
            "D_u = D_v = 300. In the paper the range of noise with excitability grows with N, from about 100"
            " neurons on.",
        ),
        "3": Figure([recall.SILENT, recall.NOISY], recall.images_and_responses),
        "4": Figure([recall.NOISY], recall.time_courses),
        "5a": Figure(by_noise, partial(recall.accuracy_by_noise, form)),
        "5b": Figure(by_training, partial(recall.accuracy_by_training, form)),
        "novel": Figure([recall.novel(form)], partial(recall.novel_pattern, form)),
        "readings": Figure(recall.readings(form), partial(recall.compare_readings, form)),
    }


def _diagram(job: SweepJob, title: str, paper: str) -> Figure:
    return Figure([job], partial(phase.diagram, job, title, paper))


#: Other names of figures.
_ALSO = {"2b": "2b-d", "2c": "2b-d", "2d": "2b-d"}
#: A short run of each model, for its pace.
_TRIALS: Mapping[str, Mapping[str, str]] = {
    LATTICE: {},
    MEMORY: {
        "model.duration": "20 ms",
        "experiment.cue": "2 ms",
        "experiment.recall": "10 ms",
        "experiment.window": "18 ms",
    },
}


def identity(options: argparse.Namespace) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    if options.workers < 1:
        raise UserError(f"--workers must be at least 1, not {options.workers}")
    if options.seeds is not None and not 1 <= options.seeds <= MAX_SEED + 1:
        raise UserError(f"--seeds must be 1 to {MAX_SEED + 1}, not {options.seeds}")
    form = _form(options)
    most = MAX_SEED + 1 - max(form.seeds, form.phase_seeds, phase.REPLICAS)
    if not 0 <= options.seed <= most:
        raise UserError(f"--seed must be 0 to {most}, not {options.seed}")
    wanted = _wanted(options)
    models = {
        job.model: checks.load_checked(job.model)[0] for f in wanted.values() for job in f.jobs
    }
    chosen = {name: backends.choose("auto", model).name for name, model in models.items()}
    return {
        "seed": options.seed,
        "paper_figures": ", ".join(wanted),
        "quick": options.quick,
        "seeds": f"{form.seeds} a point (fig. 2: {form.phase_seeds})",
        "backend": ", ".join(sorted(set(chosen.values()))),
        "model_digests": {name: model.digest for name, model in models.items()},
    }


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    setting = Setting(work, options.seed, options.workers, options.resume, options.force)
    wanted = _wanted(options)
    jobs = {job.name: job for figure in wanted.values() for job in figure.jobs}
    if options.force and not options.resume:
        for job in jobs.values():
            job.give_up(setting)
    _announce(jobs.values(), setting)
    work.part("begun", dict)  # from here on there is something to go on with
    sections, done = {}, set()
    for name, figure in wanted.items():
        for job in figure.jobs:
            if job.name not in done:  # Figs 3 and 4 share a run
                job.carry_out(setting)
                done.add(job.name)
        sections[name] = figure.draw(setting)
    return {
        "workers": options.workers,
        "versions": collect.versions(),
        "results": {
            f"{name}_{key}": value
            for name, s in sections.items()
            for key, value in s.values.items()
        },
        "failed": {
            f"{job.name}: {point}": why
            for job in jobs.values()
            for point, why in job.summary(setting).get("failed", {}).items()
        },
        "figures": [str(path) for s in sections.values() for path in s.figures],
        "sections": [
            s.describe(
                [
                    _again(options, name, wanted[name].jobs),
                    *(job.command(setting) for job in wanted[name].jobs),
                ]
            )
            for name, s in sections.items()
        ],
    }


def _again(options: argparse.Namespace, name: str, jobs: Iterable[Job]) -> str:
    """The command that makes one figure again; ``--seeds`` is nothing to single runs."""
    flags = ["--seed", str(options.seed)]
    if options.quick:
        flags += ["--quick"]
    if options.seeds and any(isinstance(job, SweepJob) for job in jobs):
        flags += ["--seeds", str(options.seeds)]
    return command("reproduce", "noise-memory", "--figure", name, *flags)


def _form(options: argparse.Namespace) -> Form:
    """The one that is asked for, with the number of seeds that is asked for."""
    form = QUICK if options.quick else FULL
    return form if options.seeds is None else form.with_seeds(options.seeds)


def _wanted(options: argparse.Namespace) -> dict[str, Figure]:
    """The figures that are asked for, in the paper's order.

    Raises
    ------
    UserError
    """
    known = figures(_form(options))
    asked = {_ALSO.get(name, name) for name in options.figure} or {"all"}
    unknown = asked - {*known, "all"}
    if unknown:
        raise UserError(
            f"--figure {min(unknown)}: there is none (there are {', '.join(known)}, all)"
        )
    return {name: figure for name, figure in known.items() if "all" in asked or name in asked}


# ------------------------------------------------------------------------------- the estimate


def _announce(jobs: Iterable[Job], setting: Setting) -> None:
    """Say on stderr how long it will take, from short trials on this machine."""
    if setting.work.progress is None:
        return
    pace: dict[str, tuple[float, float]] = {}
    seconds, runs = 0.0, 0
    for job in jobs:
        trial = LATTICE if job.model == LATTICE else MEMORY
        if trial not in pace:
            pace[trial] = _pace(trial)
        a_step, beside = pace[trial]
        together = setting.workers if isinstance(job, SweepJob) else 1
        seconds += (job.unit_steps() * a_step + job.runs * beside) / together
        runs += job.runs
    print(
        f"{runs} runs, {setting.workers} at a time: about {_duration(seconds)} in all, if nothing else runs",
        file=sys.stderr,
    )


def _pace(name: str) -> tuple[float, float]:
    """Seconds that a step of one unit takes here, and that a run takes beside its steps."""
    start = time.perf_counter()
    model, _ = checks.load_checked(name, dict(_TRIALS[name]))
    backend = backends.choose("auto", model)
    images = {}
    if name == MEMORY:
        images = memory.prepare_images(model, {}, False, 0).stimuli(model)
    precision = model.precision if model.precision in backend.precisions else backend.precisions[0]
    request = Request(model, images, precision=precision)
    outcome = backend.run(request)
    beside = time.perf_counter() - start - outcome.build_seconds
    steps = unit_steps(model)
    loop = outcome.loop_seconds if outcome.loop_seconds is not None else outcome.run_seconds
    return loop / steps, max(0.0, beside - loop)


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{max(1, seconds / 60):.0f} min"
