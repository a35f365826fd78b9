"""What a model of this paper's experiments must have; checked once every equation is known to parse."""

from __future__ import annotations

from neuroglia_snn.catalog import inputs
from neuroglia_snn.catalog.load import load
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.experiments.names import require_counts, require_named
from neuroglia_snn.papers.fep.experiment import CANONICAL


def check_canonical(reporter: Reporter) -> None:
    """The equations are those that are carried out, and the run holds a session."""
    if require_counts(reporter, ["trials"]):
        _canonical(reporter)
        _sessions(reporter)


def check_culture(reporter: Reporter) -> None:
    """Spikes are recorded where they are read, and the run holds a session."""
    read = ("sources", "stimuli", "responses")
    counts = require_counts(reporter, ["trials"])
    if not require_named(reporter, dict.fromkeys(read, reporter.model.records)) or not counts:
        return
    model, e = reporter.model, reporter.model.experiment
    for key in read:
        if not model.records[str(e[key])].events:
            reporter.error(
                f"[experiment] reads spikes from record '{e[key]}': events = true",
                "experiment",
                key,
            )
    if not reporter.has_errors:
        _sessions(reporter)


def _canonical(reporter: Reporter) -> None:
    """The equations are those of the catalogue's canonical network, which alone are carried out."""
    model, known = inputs.separate(reporter.model), load("fep_canonical")
    changed = [
        name
        for table in ("populations", "projections")
        for name in {**getattr(known, table), **getattr(model, table)}
        if getattr(known, table).get(name) != getattr(model, table).get(name)
    ]
    absent = [name for name in CANONICAL if name not in model.parameters]
    if changed or absent:
        reporter.error(
            f"model '{model.name}' is not the canonical network that its [experiment] asks for:"
            f" '{(changed + absent)[0]}' differs from fep_canonical; to run its equations as they"
            " stand, leave [experiment] out (remove = ['experiment'])",
            "experiment",
            "kind",
        )


def _sessions(reporter: Reporter) -> None:
    """The run holds a session; a trial lasts a step where ``trial`` does not say."""
    model, e = reporter.model, reporter.model.experiment
    session = float(e.get("trial", model.dt)) * int(e["trials"])
    if model.duration * (1 + 1e-6) < session:
        reporter.error(
            f"the run lasts {model.duration:g} s, less than one session of {session:g} s: raise"
            " model.duration or lower experiment.trials",
            "experiment",
            "trials",
        )
