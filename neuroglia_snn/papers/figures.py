"""Figures of a paper, each made of jobs: which are asked for, what they depend on, how they are made."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from neuroglia_snn import backends, checks
from neuroglia_snn.backends.brian import collect
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments.work import Section
from neuroglia_snn.noise import MAX_SEED
from neuroglia_snn.options import command
from neuroglia_snn.papers.jobs import Job, Setting


@dataclass(frozen=True)
class Figure:
    """What a figure takes, and what makes a section of it."""

    jobs: Sequence[Job]
    draw: Callable[[Setting], Section]


def wanted(
    known: Mapping[str, Figure], asked: Sequence[str], also: Mapping[str, str] | None = None
) -> dict[str, Figure]:
    """The figures that ``--figure`` asks for, in the paper's order; all where it is not given.

    ``also`` are other names of figures.

    Raises
    ------
    UserError
    """
    names = {(also or {}).get(name, name) for name in asked} or {"all"}
    unknown = names - {*known, "all"}
    if unknown:
        raise UserError(
            f"--figure {min(unknown)}: there is none (there are {', '.join(known)}, all)"
        )
    return {name: figure for name, figure in known.items() if "all" in names or name in names}


def require_numbers(workers: int, seeds: int | None) -> None:
    """``--workers`` and ``--seeds`` are numbers that a study can have.

    Raises
    ------
    UserError
    """
    if workers < 1:
        raise UserError(f"--workers must be at least 1, not {workers}")
    if seeds is not None and not 1 <= seeds <= MAX_SEED + 1:
        raise UserError(f"--seeds must be 1 to {MAX_SEED + 1}, not {seeds}")


def identity(figures: Mapping[str, Figure], options: argparse.Namespace, seeds: int = 1) -> dict:
    """All that the numbers of these figures depend on; ``seeds`` are those that a job may take.

    Raises
    ------
    UserError
        For a seed or a backend that cannot be.
    """
    if not 0 <= options.seed <= MAX_SEED + 1 - seeds:
        raise UserError(f"--seed must be 0 to {MAX_SEED + 1 - seeds}, not {options.seed}")
    jobs = [job for figure in figures.values() for job in figure.jobs]
    models = {name: checks.load_checked(name)[0] for name in {job.model: None for job in jobs}}
    pairs = {(job.backend, job.model) for job in jobs}
    chosen = {backends.choose(backend, models[name]).name for backend, name in pairs}
    return {
        "seed": options.seed,
        "paper_figures": ", ".join(figures),
        "quick": options.quick,
        "backend": ", ".join(sorted(chosen)),
        "model_digests": {name: model.digest for name, model in models.items()},
    }


def carry_out(
    paper: str,
    figures: Mapping[str, Figure],
    setting: Setting,
    flags: Callable[[str], Sequence[str]] | None = None,
) -> dict:
    """Carry out every job that no earlier run of the study has, and draw; give what the summary shall hold.

    ``flags`` are those that make one figure again; None where a study makes all or none.

    Raises
    ------
    UserError
    KeyboardInterrupt
    """

    def again(name: str) -> list[str]:
        return [command("reproduce", paper, "--figure", name, *flags(name))] if flags else []

    jobs = {job.name: job for figure in figures.values() for job in figure.jobs}
    if setting.force and not setting.resume:
        for job in jobs.values():
            job.give_up(setting)
    setting.work.part("begun", dict)  # from here on there is something to go on with
    sections, done = {}, set()
    for name, figure in figures.items():
        for job in figure.jobs:
            if job.name not in done:  # figures may share a run
                job.carry_out(setting)
                done.add(job.name)
        sections[name] = figure.draw(setting)
    return {
        "workers": setting.workers,
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
            s.describe([*again(name), *(job.command(setting) for job in figures[name].jobs)])
            for name, s in sections.items()
        ],
    }
