"""What the experiment of a model refers to, and whether it can be carried out."""

from __future__ import annotations

import math

from neuroglia_snn import algebra, expressions, spec
from neuroglia_snn import equations as eqs
from neuroglia_snn.catalog import inputs
from neuroglia_snn.catalog.load import load
from neuroglia_snn.catalog.schema import CANONICAL, TEST_PATTERNS, nearest
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.quantities import unit_name

#: Whole numbers of an experiment, which count something.
_COUNTS = ("trials", "samples", "base_epochs", "epochs")


def check(reporter: Reporter) -> None:
    """The model's experiment, once every equation is known to parse."""
    if not _named(reporter):
        return
    e = reporter.model.experiment
    for key in _COUNTS:
        if key in e and int(e[key]) < 1:
            reporter.error(
                f"[experiment] {key} is a whole number from 1 on, not {e[key]}", "experiment", key
            )
    _variables(reporter)
    if reporter.has_errors:
        return
    if e.get("kind") == "associative-memory":
        _times(reporter)
    if e.get("kind") == "classifier":
        _classifier(reporter)
    if e.get("kind") == "canonical-network":
        _canonical(reporter)
    if "trials" in e:
        _sessions(reporter)


def _named(reporter: Reporter) -> bool:
    """Everything that [experiment] names is there; False if not."""
    model, good = reporter.model, True
    known = {
        "train": model.stimuli,
        "test": model.stimuli,
        "population": model.populations,
        "glia": model.populations,
        **dict.fromkeys(("record", "sources", "stimuli", "responses"), model.records),
        "spike": model.parameters,
    }
    for key, value in model.experiment.items():
        if key in known and value not in known[key]:
            good = False
            reporter.error(
                f"[experiment] {key} = '{value}' is not in the model"
                f"{nearest(str(value), known[key])}",
                "experiment",
                key,
            )
    return good


def _variables(reporter: Reporter) -> None:
    """The variables that an experiment reads exist, and are recorded where it looks."""
    model, e = reporter.model, reporter.model.experiment
    wanted: list[tuple[str, str, str]] = []
    if e.get("kind") == "associative-memory":
        keys = (("population", "last_spike"), ("population", "spikes"))
        wanted = [(key, e[owner], e[key]) for owner, key in keys]
        wanted += [("potential", e["population"], e["potential"])]
        wanted += [("calcium", e["glia"], e["calcium"])]
        if len(model.populations[e["population"]].shape) != 2:
            reporter.error("the memory experiment needs a population on a lattice", "experiment")
        if model.stimuli[e["train"]].image == model.stimuli[e["test"]].image:
            reporter.error("train and test need an image of their own each", "experiment")
        _drawn_images(reporter)
    for key, population, variable in wanted:
        own = eqs.parse(model.populations[population].equations)
        if variable not in own:
            reporter.error(
                f"[experiment] {key} = '{variable}' is not a variable of '{population}'"
                f"{nearest(variable, own)}",
                "experiment",
                key,
            )
        elif key in ("potential", "calcium") and not any(
            r.population == population and variable in r.variables and r.reduce is None
            for r in model.records.values()
        ):
            reporter.error(
                f"[experiment] reads '{variable}' of '{population}': record it", "experiment", key
            )
    for key in ("sources", "stimuli", "responses") if e.get("kind") == "self-organisation" else ():
        if not model.records[e[key]].events:
            reporter.error(
                f"[experiment] reads spikes from record '{e[key]}': events = true",
                "experiment",
                key,
            )
    if e.get("kind") == "mean-field":
        _mean(reporter)


def _mean(reporter: Reporter) -> None:
    """The mean is recorded, and its spikes are counted by a threshold in its unit."""
    model, e = reporter.model, reporter.model.experiment
    record = model.records[e["record"]]
    if e["variable"] not in record.variables or record.reduce != "mean":
        reporter.error(
            f"[experiment] needs '{e['variable']}' in record '{record.name}' with reduce = 'mean'",
            "experiment",
            "variable",
        )
        return
    found = eqs.parse(model.populations[record.population].equations)[e["variable"]].dimensions
    threshold = model.parameters[e["spike"]].value
    if threshold.dimensions is not found or threshold.si < 0:
        reporter.error(
            f"[experiment] spike = '{e['spike']}' is a threshold from 0 on in '{unit_name(found)}', the"
            f" unit of '{e['variable']}'",
            "experiment",
            "spike",
        )


def _times(reporter: Reporter) -> None:
    """A memory is measured before the run ends, at times that are recorded."""
    model, e = reporter.model, reporter.model.experiment
    recall, end = float(e["recall"]), float(e["cue"]) + float(e["window"])
    if end > model.duration * (1 + 1e-9):
        reporter.error(
            f"the run ends at {model.duration * 1e3:g} ms but the experiment measures until"
            f" {end * 1e3:g} ms: raise model.duration or lower experiment.cue, recall and window",
            "experiment",
            "window",
        )
        return
    read = [(str(e[key]), time) for key in ("spikes", "last_spike") for time in (recall, end)]
    missing = [(variable, time) for variable, time in read if not _recorded(model, variable, time)]
    for variable, time in missing[:1]:
        reporter.error(
            f"the experiment reads '{variable}' of '{e['population']}' at {time * 1e3:g} ms: record"
            " it, without stride, at an interval that meets this time",
            "experiment",
            "window",
        )


def _recorded(model: spec.Model, variable: str, time: float) -> bool:
    """Whether a variable of the experiment's population is recorded at a time, or final there."""
    population = model.experiment["population"]
    grids = [
        r.every
        for r in model.records.values()
        if (r.population, r.stride, r.reduce) == (population, 1, None) and variable in r.variables
    ]
    on_grid = any(abs(time - round(time / every) * every) < model.dt / 2 for every in grids)
    return on_grid or abs(time - model.duration) <= model.dt / 2


def _drawn_images(reporter: Reporter) -> None:
    """The images that the memory experiment draws itself can be drawn."""
    e = reporter.model.experiment
    for key in ("train_noise", "test_noise"):
        if not 0 <= float(str(e[key])) <= 1:
            reporter.error(f"[experiment] {key} is a fraction, not {e[key]}", "experiment", key)
    if e["test_pattern"] not in TEST_PATTERNS:
        reporter.error(
            f"[experiment] test_pattern is {' or '.join(TEST_PATTERNS)}, not '{e['test_pattern']}'",
            "experiment",
            "test_pattern",
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


def _classifier(reporter: Reporter) -> None:
    """A unit has the input and the output, and its answers fall on steps."""
    model, e = reporter.model, reporter.model.experiment
    population = model.populations[e["population"]]
    own = eqs.parse(population.equations)
    written = {name for name, _, _ in expressions.statements(population.reset or "")}
    inputs = [n for n, q in own.items() if q.kind == "parameter" and n not in written]
    outputs = [n for n, q in own.items() if q.kind == "differential" or n in written]
    for key, known in (("input", inputs), ("output", outputs)):
        if e[key] not in known:
            reporter.error(
                f"[experiment] {key} = '{e[key]}' is no {key} of '{population.name}'"
                f"{nearest(e[key], known)} (it has: {', '.join(known) or 'none'})",
                "experiment",
                key,
            )
    for key, time in (("transient", e["transient"]), ("control", e["control"] / e["samples"])):
        count = round(time / population.dt)
        if count < 1 or abs(count * population.dt - time) > 1e-6 * time:
            what = "control/samples" if key == "control" else key
            reporter.error(
                f"[experiment] {what} = {time * 1e3:g} ms is no multiple of the step of"
                f" '{population.name}', {population.dt * 1e3:g} ms",
                "experiment",
                key,
            )
    _amplitude(reporter)


def _amplitude(reporter: Reporter) -> None:
    text = str(reporter.model.experiment["amplitude"])
    values = {name: p.value.si for name, p in reporter.model.parameters.items()}
    try:
        unknown = algebra.names(text) - set(values)
        size = math.nan if unknown else expressions.evaluate(text, values)
    except expressions.ExpressionError as error:
        reporter.error(f"[experiment] amplitude: {error}", "experiment", "amplitude")
        return
    if unknown or not math.isfinite(size) or size == 0:
        said = f"'{min(unknown)}' is no parameter" if unknown else f"'{shown(text)}' is {size:g}"
        reporter.error(
            f"[experiment] amplitude is a number of parameters, finite and not 0: {said}",
            "experiment",
            "amplitude",
        )
