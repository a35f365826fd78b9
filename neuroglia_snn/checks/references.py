"""What records and the experiment refer to; parameters that nothing uses."""

from __future__ import annotations

from neuroglia_snn import experiments, spec
from neuroglia_snn.catalog import phases
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import pairs, stimuli
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.language import algebra
from neuroglia_snn.language import equations as eqs


def check(reporter: Reporter) -> None:
    """Stimuli, records and experiment, once every equation is known to parse."""
    stimuli.check(reporter)
    for record in reporter.model.records.values():
        _record(reporter, record)
    _inputs(reporter)
    experiments.of_kind(reporter.model.experiment.get("kind")).check(reporter)
    _phases(reporter)
    _unused(reporter)


def _record(reporter: Reporter, record: spec.Record) -> None:
    name, path = record.name, ("record", record.name)
    population = reporter.model.recorded(record)
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
        elif "summed" in own[variable].flags:
            reporter.error(
                f"record '{name}' wants '{variable}', a sum, which is the target's: record it there",
                *path,
                "variables",
            )
    if isinstance(population, spec.Projection) and record.units is not None:
        count = pairs.count(reporter.model, population)
        if count is not None and max(record.units) >= count:
            reporter.error(
                f"record '{name}' names synapse {max(record.units)}, and '{population.name}' has"
                + (f" the synapses 0 to {count - 1}" if count else " none"),
                *path,
                "units",
            )
    if record.events and isinstance(population, spec.Population):
        _recorded_event(reporter, record, population, *path)


def _recorded_event(
    reporter: Reporter, record: spec.Record, population: spec.Population, *path: str
) -> None:
    known = [*(["spike"] if population.fires else []), *population.events]
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


def _phases(reporter: Reporter) -> None:
    """What phases set is read in a run, and each of them has a step."""
    model = reporter.model
    read = frozenset().union(*map(algebra.names, phases.texts(model)))
    for n, phase in enumerate(model.phases):
        if phase.duration < model.dt * (1 - 1e-9):
            reporter.error(
                f"phase '{phase.name}' lasts {phase.duration * 1e3:.9g} ms, less than a step",
                "phase",
                str(n),
            )
        for name in sorted(phase.values.keys() - read):
            reporter.error(
                f"phase '{phase.name}' sets '{name}', which nothing reads in a run (connections, delays"
                " and initial values are made before)",
                "phase",
                str(n),
                "set",
                name,
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
