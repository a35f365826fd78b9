"""Studies: each reproduces a published paper, or carries out a model's kind of experiment.

A study is a module (or package) of this folder, loaded when it is asked for. `reproduce` runs the one
of a paper; `run` hands over a model whose ``[experiment] kind`` a study carries out.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import time
from collections.abc import Callable
from pathlib import Path

from neuroglia_snn import __version__, checkpoint, results, spec
from neuroglia_snn.backends.base import Progress
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.errors import UserError
from neuroglia_snn.options import Options, as_flags, command
from neuroglia_snn.studies.base import Study, Work

#: Module of each paper's study; the command line lists them in this order.
PAPERS: dict[str, str] = {
    "noise-memory": "noise_memory",
    "fhn-classifier": "fhn_classifier",
    "anan": "anan",
    "fep": "fep",
}

#: Module of the study that carries out each ``[experiment] kind`` which is not a plain simulation.
KINDS: dict[str, str] = {
    "canonical-network": "fep",
    "classifier": "fhn_classifier",
    "self-organisation": "fep",
}


def load(module: str) -> Study:
    """A study by the name of its module in this folder."""
    return importlib.import_module(f"{__name__}.{module}")  # type: ignore[return-value]


def of_paper(name: str) -> Study:
    """The study that reproduces a paper.

    Raises
    ------
    UserError
        If there is none of this name.
    """
    if name not in PAPERS:
        raise UserError(
            f"no paper '{name}' to reproduce{nearest(name, PAPERS)} (there are {', '.join(PAPERS)})"
        )
    return load(PAPERS[name])


def of_kind(model: spec.Model) -> Study | None:
    """The study that carries out a model's experiment; None where a simulation is all of it."""
    kind = model.experiment.get("kind")
    return load(KINDS[str(kind)]) if kind in KINDS else None


def carry_out(
    name: str,
    identity: dict,
    work: Callable[[Work], dict],
    out: Path,
    again: str,
    resume: bool = False,
    force: bool = False,
    progress: Callable[[str], Progress] | None = None,
) -> dict:
    """Prepare the folder, let a study work in it, write its summary.

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

    Raises
    ------
    UserError
        See `neuroglia_snn.errors`.
    """
    start = time.perf_counter()
    identity = identity | {"version": __version__}
    if resume:
        checkpoint.require_same(out, identity)
    else:
        results.prepare(out, force)
    try:
        if not resume:
            checkpoint.begin(out, identity)
        found = work(Work(out, progress))
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
    results.write_summary(summary, out)
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
    study = of_paper(paper)
    beside = ("command", "paper", "out", "resume", "force", "json", "quiet")
    given = {name: value for name, value in vars(options).items() if name not in beside}
    return carry_out(
        paper,
        {"title": study.TITLE} | study.identity(options),
        lambda work: study.reproduce(options, work),
        out,
        command("reproduce", paper, *as_flags(given)),
        options.resume,
        force,
        progress,
    )


def run(
    study: Study,
    model: spec.Model,
    out: Path,
    options: Options,
    again: str,
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
    identity = {
        "model": model.name,
        "title": model.title,
        "model_digest": model.digest,
        "seed": options.seed,
        "set": dict(options.overrides),
        **study.model_identity(model, options),
    }
    return carry_out(
        model.name,
        identity,
        lambda work: study.run(model, options, work),
        out,
        again,
        options.resume,
        force,
        progress,
    )
