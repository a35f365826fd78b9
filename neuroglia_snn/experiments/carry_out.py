"""Work in a results folder, from its preparation to its summary: papers, and experiments of their own protocol."""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path

from neuroglia_snn import __version__, checkpoint, spec
from neuroglia_snn.backends.base import Progress
from neuroglia_snn.experiments import registry
from neuroglia_snn.experiments.base import OwnProtocol
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.options import Options, as_flags, command
from neuroglia_snn.results import folder as files
from neuroglia_snn.results import style


def in_folder(
    name: str,
    identity: dict,
    work: Callable[[Work], dict],
    out: Path,
    again: str | None,
    resume: bool = False,
    force: bool = False,
    progress: Callable[[str], Progress] | None = None,
    figures: str = "png",
) -> dict:
    """Prepare the folder, let some work be done in it, write its summary.

    Parameters
    ----------
    name : str
        Of the paper or model, for the summary.
    identity : dict
        Everything that the study's numbers depend on (options, seed, digest of the data); goes into
        the summary, and a resumed study must have the same.
    work : callable
        Computes, writes data and figures into `Work.folder`; gives what it adds to the summary, with
        ``results`` and ``figures`` (paths) at least.
    out : path
    again : str
        The command that repeats it, for the summary.
    resume, force : bool
        Go on with an interrupted study; write over an earlier result.
    progress : callable, optional
        Called with a label for each stage; gives the callback that follows it.
    figures : {"png", "svg", "pdf"}
        The format of the figures that `style.save` writes.

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.
    """
    start = time.perf_counter()
    identity = identity | {"version": __version__}
    style.require_format(figures)
    if resume:
        checkpoint.require_same(out, identity)
    else:
        files.prepare(out, force)
    try:
        if not resume:
            checkpoint.begin(out, identity)
        with style.applied(figures):
            found = {"results": {}, "figures": []} | work(Work(out, progress))
    except BaseException:
        checkpoint.discard_empty(out)
        raise
    summary = {"study": name} | identity | found | {"command": again}
    summary["versions"] = {
        "neuroglia_snn": __version__,
        "python": platform.python_version(),
        **summary.get("versions", {}),
    }
    summary["wall_seconds"] = {
        **summary.get("wall_seconds", {}),
        "total": round(time.perf_counter() - start, 3),
    }
    files.write_summary(summary, out)
    checkpoint.discard(out)
    return summary


def reproduce(
    paper: str,
    out: Path,
    options: argparse.Namespace,
    force: bool = False,
    progress: Callable[[str], Progress] | None = None,
) -> dict:
    """Reproduce a paper into a folder; the summary as written.

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.
    """
    study = registry.paper(paper)
    beside = ("command", "paper", "out", "resume", "force", "json", "quiet")
    figures = getattr(options, "figures", style.FORMATS[0])
    given = {name: value for name, value in vars(options).items() if name not in beside}
    return in_folder(
        paper,
        {"title": study.TITLE, "format_of_figures": figures} | study.identity(options),
        lambda work: study.reproduce(options, work),
        out,
        command("reproduce", paper, *as_flags(given)),
        options.resume,
        force,
        progress,
        figures,
    )


#: Options that an identity has under names of their own, or that change no number.
_NOTED = {"seed", "overrides", "resume", "own", "threads", "workers"}


def own_protocol(
    experiment: OwnProtocol,
    model: spec.Model,
    out: Path,
    options: Options,
    again: str | None,
    force: bool = False,
    progress: Callable[[str], Progress] | None = None,
) -> dict:
    """Carry out a model's experiment in a folder; the summary as written.

    ``again`` is the command that repeats it.

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.
    """
    options.require_used(experiment.uses, f"model '{model.name}'")
    heeded = {name: getattr(options, name) for name in sorted(experiment.uses - _NOTED)}
    identity = {
        "options": {name: str(value) for name, value in {**heeded, **options.own}.items()},
        "model": model.name,
        "title": model.title,
        "model_digest": model.digest,
        "seed": options.seed,
        "set": dict(options.overrides),
        **experiment.identity(model, options),
    }
    return in_folder(
        model.name,
        identity,
        lambda work: experiment.carry_out(model, options, work),
        out,
        again,
        options.resume,
        force,
        progress,
    )
