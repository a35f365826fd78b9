"""What records and the experiment refer to; parameters that nothing uses."""

from __future__ import annotations

from neuroglia_snn import equations as eqs
from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import TEST_PATTERNS, nearest
from neuroglia_snn.checks import stimuli
from neuroglia_snn.checks.findings import Reporter


def check(reporter: Reporter) -> None:
    """Stimuli, records and experiment, once every equation is known to parse."""
    stimuli.check(reporter)
    for record in reporter.model.records.values():
        _record(reporter, record)
    _inputs(reporter)
    if _experiment(reporter):
        _experiment_variables(reporter)
        _times(reporter)
    _unused(reporter)


def _record(reporter: Reporter, record: spec.Record) -> None:
    name, path = record.name, ("record", record.name)
    population = reporter.model.populations[record.population]
    own = eqs.parse(population.equations)
    for variable in record.variables:
        if variable not in own:
            reporter.error(
                f"record '{name}' wants '{variable}', which '{population.name}' does"
                f" not have{nearest(variable, own)} (known: {', '.join(own)})",
                *path,
                "variables",
            )
        elif record.variables.count(variable) > 1:
            reporter.error(f"record '{name}' names '{variable}' twice", *path, "variables")
    if record.events:
        _recorded_event(reporter, record, population, *path)


def _recorded_event(
    reporter: Reporter, record: spec.Record, population: spec.Population, *path: str
) -> None:
    known = [*(["spike"] if population.threshold else []), *population.events]
    if record.event == "spike" and "spike" not in known:
        reporter.error(
            f"record '{record.name}' wants events, but '{population.name}' has no threshold", *path
        )
    elif record.event not in known:
        reporter.error(
            f"record '{record.name}' wants the event '{record.event}', which '{population.name}' does"
            f" not have{nearest(record.event, known)} (known: {', '.join(known) or 'none'})",
            *path,
            "events",
        )
    if "count" in record.variables:
        reporter.error(
            f"record '{record.name}' wants 'count' at events, a name that Brian2 gives to the number"
            " of them: rename the variable",
            *path,
            "variables",
        )


def _experiment(reporter: Reporter) -> bool:
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


def _experiment_variables(reporter: Reporter) -> None:
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
        record = model.records[e["record"]]
        if e["variable"] not in record.variables or record.reduce != "mean":
            reporter.error(
                f"[experiment] needs '{e['variable']}' in record '{record.name}' with"
                " reduce = 'mean'",
                "experiment",
                "variable",
            )


def _times(reporter: Reporter) -> None:
    """A memory is measured before the run ends, at times that are recorded."""
    model, e = reporter.model, reporter.model.experiment
    if reporter.has_errors or e.get("kind") != "associative-memory":
        return
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


def _inputs(reporter: Reporter) -> None:
    """No variable is filled twice, by two couplings."""
    filled: dict[tuple[str, str], str] = {}
    for projection in reporter.model.projections.values():
        for name, equation in eqs.parse(projection.equations).items():
            if "summed" not in equation.flags:
                continue
            key = (projection.target.name, name.removesuffix("_post"))
            if key in filled:
                reporter.error(
                    f"'{key[1]}' of '{key[0]}' is filled by {filled[key]} already: give each input"
                    " a variable of its own and add them in the equation",
                    "projection",
                    projection.name,
                    "equations",
                    needle=name,
                )
            filled[key] = f"projection '{projection.name}'"


def _unused(reporter: Reporter) -> None:
    used = eqs.model_parameters(reporter.model)
    own = reporter.document.sources[0].tables.get("parameters", {})
    for name in reporter.model.parameters:
        if name not in used and name in own:
            reporter.warn(f"parameter '{name}' is never used", "parameters", name)


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
