"""What a model of this paper's experiments must have; checked once every equation is known to parse."""

from __future__ import annotations

from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.experiments.names import require_named
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.quantities import unit_name

#: What the cue of a memory experiment may show.
TEST_PATTERNS = ("trained", "disjoint")


def check_memory(reporter: Reporter) -> None:
    """The variables that the memory reads exist, and are recorded where and when it looks."""
    stimuli, populations = reporter.model.stimuli, reporter.model.populations
    known = {"train": stimuli, "test": stimuli, "population": populations, "glia": populations}
    if not require_named(reporter, known):
        return
    model, e = reporter.model, reporter.model.experiment
    if len(model.populations[str(e["population"])].shape) != 2:
        reporter.error("the memory experiment needs a population on a lattice", "experiment")
    if model.stimuli[str(e["train"])].image == model.stimuli[str(e["test"])].image:
        reporter.error("train and test need an image of their own each", "experiment")
    _drawn_images(reporter)
    wanted = [
        (key, str(e["population"]), str(e[key])) for key in ("last_spike", "spikes", "potential")
    ]
    wanted.append(("calcium", str(e["glia"]), str(e["calcium"])))
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
    if not reporter.has_errors:
        _times(reporter)


def check_mean_field(reporter: Reporter) -> None:
    """The mean is recorded, and its spikes are counted by a threshold in its unit."""
    known = {"record": reporter.model.records, "spike": reporter.model.parameters}
    if require_named(reporter, known):
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
