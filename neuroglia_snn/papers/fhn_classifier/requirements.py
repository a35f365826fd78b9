"""What a model of this paper's experiment must have; checked once every equation is known to parse."""

from __future__ import annotations

import math

from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.experiments.names import require_counts, require_named
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language import equations as eqs


def check(reporter: Reporter) -> None:
    """A unit has the input and the output, and its answers fall on steps."""
    counts = require_counts(reporter, ("samples", "base_epochs", "epochs"))
    if require_named(reporter, {"population": reporter.model.populations}) and counts:
        _unit(reporter)


def _unit(reporter: Reporter) -> None:
    """A unit has the input and the output, and its answers fall on steps."""
    model, e = reporter.model, reporter.model.experiment
    population = model.populations[str(e["population"])]
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
