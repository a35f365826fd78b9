"""Noise-induced memory of a neuron-astrocyte lattice: every figure of the paper.

Paper: Zhao et al., "Noise-induced artificial intelligence", Phys. Rev. Research 4, 043069 (2022).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from functools import partial

from neuroglia_snn import backends, checks
from neuroglia_snn.backends.base import Request
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.papers import figures as shared
from neuroglia_snn.papers.figures import Figure
from neuroglia_snn.papers.jobs import Job, Setting, SweepJob, unit_steps
from neuroglia_snn.papers.noise_memory import memory, phase, recall
from neuroglia_snn.papers.noise_memory.forms import FULL, LATTICE, MEMORY, QUICK, Form

__all__ = ["identity", "reproduce"]


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
    shared.require_numbers(options.workers, options.seeds)
    form = _form(options)
    seeds = max(form.seeds, form.phase_seeds, phase.REPLICAS)
    return {
        **shared.identity(_wanted(options), options, seeds),
        "seeds": f"{form.seeds} a point (fig. 2: {form.phase_seeds})",
    }


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    setting = Setting(work, options.seed, options.workers, options.resume, options.force)
    wanted = _wanted(options)
    jobs = {job.name: job for figure in wanted.values() for job in figure.jobs}
    _announce(jobs.values(), setting)

    def flags(name: str) -> list[str]:
        """Of one figure; ``--seeds`` is nothing to single runs."""
        sweeps = any(isinstance(job, SweepJob) for job in wanted[name].jobs)
        return [
            *("--seed", str(options.seed)),
            *(["--quick"] if options.quick else []),
            *(["--seeds", str(options.seeds)] if options.seeds and sweeps else []),
        ]

    return shared.carry_out("noise-memory", wanted, setting, flags)


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
    return shared.wanted(figures(_form(options)), options.figure, _ALSO)


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
