"""Names, and what records and the experiment refer to; parameters that nothing uses."""

from __future__ import annotations

from neuroglia_snn import equations as eqs
from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import experiments, stimuli
from neuroglia_snn.checks.findings import Reporter


def check_names(reporter: Reporter) -> None:
    """No parameter or table has a name that means something already."""
    model = reporter.model
    ours = {f"{s}_on": f"the time course of stimulus '{s}'" for s in model.stimuli}
    ours |= {f"{s}_image": f"the image of stimulus '{s}'" for s in model.stimuli}
    for name in (*model.parameters, *model.tables):
        meaning = eqs.taken(name) or ours.get(name)
        if not meaning and name.endswith(("_pre", "_post")):
            meaning = "a variable of one side of a projection, by its ending,"
        if meaning:
            reporter.error(
                f"'{name}' is {meaning} already; choose another name",
                "parameters" if name in model.parameters else "table",
                name,
            )


def check(reporter: Reporter) -> None:
    """Stimuli, records and experiment, once every equation is known to parse."""
    stimuli.check(reporter)
    for record in reporter.model.records.values():
        _record(reporter, record)
    _inputs(reporter)
    _results(reporter)
    experiments.check(reporter)
    _unused(reporter)


def _results(reporter: Reporter) -> None:
    """No two variables have one name in the results, ``OWNER_VARIABLE``."""
    model = reporter.model
    populations = {n: tuple(eqs.parse(p.equations)) for n, p in model.populations.items()}
    records = {n: r.variables for n, r in model.records.items()}
    for table, owners in (("population", populations), ("record", records)):
        taken: dict[str, tuple[str, str]] = {}
        for owner, variables in owners.items():
            for variable in variables:
                other = taken.setdefault(f"{owner}_{variable}", (owner, variable))
                if other != (owner, variable):
                    reporter.error(
                        f"'{variable}' of '{owner}' and '{other[1]}' of '{other[0]}' would both be"
                        f" '{owner}_{variable}' in the results: rename one",
                        table,
                        owner,
                    )


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
