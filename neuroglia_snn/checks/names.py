"""Names: each means one thing where it stands, and in the results."""

from __future__ import annotations

from neuroglia_snn import spec
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language import labels, scopes


def check(reporter: Reporter) -> None:
    """The names of a model whose equations are known to parse."""
    model = reporter.model
    for name in (*model.parameters, *model.tables):
        meaning = scopes.of_parameter(model, name)
        if meaning:
            table = "parameters" if name in model.parameters else "table"
            reporter.error(f"'{name}' is {meaning}: rename it", table, name)
    for population in model.populations.values():
        _variables(reporter, population, "population", population.name)
        _events(reporter, population)
    for projection in model.projections.values():
        _variables(reporter, projection, "projection", projection.name)
    _results(reporter)


def _variables(reporter: Reporter, owner: spec.Population | spec.Projection, *path: str) -> None:
    for name, equation in eqs.parse(owner.equations).items():
        meaning = scopes.of_variable(reporter.model, owner, equation)
        if meaning:
            sum_ = path[0] == "projection" and name.endswith("_post")
            flag = ", or add the flag '(summed)'" if sum_ else ""
            reporter.error(
                f"'{name}' cannot be a variable of '{owner.name}', where it is {meaning}: rename"
                f" it{flag}",
                *path,
                "equations",
                needle=name,
            )


def _events(reporter: Reporter, population: spec.Population) -> None:
    if "spike" in population.events:
        reporter.error(
            "'spike' is the event of the threshold: rename this one",
            *("population", population.name, "events", "spike"),
        )


def _results(reporter: Reporter) -> None:
    seen: dict[str, labels.Label] = {}
    for label in labels.labels(reporter.model):
        other = seen.setdefault(label.name, label)
        if other.meaning != label.meaning:
            reporter.error(
                f"{other.meaning} and {label.meaning} would both be '{label.name}' in the results:"
                " rename one",
                label.table,
                label.owner,
            )
