"""How noise is read, which integrator takes it, and whether the time step is stable."""

from __future__ import annotations

import math
from collections.abc import Mapping

from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language import stability
from neuroglia_snn.language.integrators import INTEGRATORS
from neuroglia_snn.language.names import refusal

#: Most steps of a run: an integer of 32 bits counts them; a processor takes minutes for one unit's.
MOST_STEPS = 2**31 - 1
#: Most steps to which the interval of a table is divided: times within are rounded to eighths of a step.
MOST_PARTS = 2**40
#: Most numbers that all records of a run keep, which are read into memory (8 bytes each).
MOST_RECORDED = 2**33
_READINGS = ("stratonovich", "ito")


def check_reading(reporter: Reporter) -> None:
    """The model's reading of noise, if it states one, is one that we know."""
    noise = reporter.model.noise
    if noise is not None and noise not in _READINGS:
        reporter.error(f"noise must be 'stratonovich' or 'ito', not '{noise}'", "model", "noise")


def check_steps(reporter: Reporter) -> None:
    """No time step of the model, or of a population, is longer than the run."""
    model, tables = reporter.model, reporter.document.tables
    steps: dict[tuple[str, ...], float] = {("model",): model.dt}
    own = {("population", n): p.dt for n, p in model.populations.items()}
    own |= {("projection", n): p.dt for n, p in model.projections.items()}
    steps |= {(table, name): dt for (table, name), dt in own.items() if "dt" in tables[table][name]}
    for path, dt in steps.items():
        if _too_many(reporter, f"steps of {dt * 1e3:g} ms", dt, *path, "dt"):
            continue
        if dt > model.duration * (1 + 1e-9):
            reporter.error(
                f"dt = {dt * 1e3:g} ms is longer than the run ({model.duration * 1e3:g} ms):"
                " lower it or raise model.duration",
                *path,
                "dt",
            )
        elif abs(round(model.duration / dt) * dt - model.duration) > 1e-4 * dt:
            count = spec.steps(model.duration, dt)
            whose = f" of '{path[1]}'" if len(path) > 1 else ""
            reporter.warn(
                f"duration = {model.duration * 1e3:g} ms is no whole multiple of dt{whose}"
                f" ({dt * 1e3:g} ms): {count} steps are made, to {count * dt * 1e3:g} ms",
                "model",
                "duration",
            )


def check_samples(reporter: Reporter) -> None:
    """What is done now and then is not done too often, nor too much recorded."""
    model = reporter.model
    for population in model.populations.values():
        for entry in population.regularly:
            path = ("population", population.name, "regularly")
            _too_many(reporter, f"executions each {entry.dt * 1e3:g} ms", entry.dt, *path)
    total = 0
    for record in model.records.values():
        path = ("record", record.name, "every")
        if record.events:
            continue
        if _too_many(reporter, f"samples each {record.every * 1e3:g} ms", record.every, *path):
            return
        owner = model.recorded(record)
        if record.units is not None or isinstance(owner, spec.Projection):
            units = len(record.units or ())  # how many synapses there are is not known
        else:
            units = 1 if record.reduce else math.prod(-(-n // record.stride) for n in owner.shape)
        count = spec.steps(model.duration, record.every) * units * len(record.variables)
        total += count
        if total > MOST_RECORDED:
            reporter.error(
                f"record '{record.name}' would keep {count:.3g} numbers, and all records together hold up"
                f" to {MOST_RECORDED:.3g}: raise 'every' or 'stride', or keep the mean",
                *path,
            )
            return


def check_tables(reporter: Reporter) -> None:
    """Every place in a table can be counted, by each clock that it may be read on."""
    model = reporter.model
    intervals = [owner.dt for owner in model.populations.values()]
    intervals += [owner.dt for owner in model.projections.values()]
    shortest = min([*intervals, *(record.every for record in model.records.values())])
    for name, table in model.tables.items():
        path = ("table", name, "dt")
        _too_many(reporter, f"values each {table.dt * 1e3:g} ms", table.dt, *path)
        if table.dt / shortest > MOST_PARTS:
            reporter.error(
                f"table '{name}' has a value each {table.dt:g} s, which is {table.dt / shortest:.3g} steps of"
                f" {shortest * 1e3:g} ms: lower its dt (repeat values)",
                *path,
            )


def _too_many(reporter: Reporter, what: str, interval: float, *path: str) -> bool:
    """Whether something would happen more often in a run than steps can be counted; says so."""
    count = spec.steps(reporter.model.duration, interval)
    if count <= MOST_STEPS:
        return False
    duration = reporter.model.duration
    reporter.error(
        f"{count:.3g} {what} to {duration:g} s are more than a run can have ({MOST_STEPS}): raise"
        f" '{path[-1] if path[-1] == 'every' else 'dt'}' or lower model.duration",
        *path,
    )
    return True


def check_integrator(
    reporter: Reporter, own: Mapping[str, eqs.Equation], integrator: str, *path: str
) -> None:
    """Noise stands in rates only, and the integrator converges to the model's reading of it."""
    for equation in own.values():
        if equation.noise_terms and equation.kind != "differential":
            reporter.error(
                f"noise in '{equation.name}', which is not a differential equation",
                *path,
                "equations",
                needle=equation.name,
            )
    differential = [e for e in own.values() if e.kind == "differential"]
    stated = "integrator" in reporter.document.tables[path[0]][path[1]]
    if all("event-driven" in e.flags for e in differential) and not stated:
        return
    if integrator not in INTEGRATORS:
        given = f"'{integrator}' is not an integrator" if integrator else "no integrator given"
        reporter.error(
            f"{given} for '{path[-1]}'{nearest(integrator, INTEGRATORS)}"
            f" (known: {', '.join(INTEGRATORS)})",
            *_integrator_path(reporter, *path),
        )
        return
    noises = sorted(set().union(*(e.noise_terms for e in own.values())))
    if noises:
        _noise(reporter, noises, integrator, *path)


def _noise(reporter: Reporter, noises: list[str], integrator: str, *path: str) -> None:
    reading = reporter.model.noise
    if reading is None:
        reporter.error(
            "the equations hold noise (xi) but [model] does not say how to read it:"
            " add noise = 'stratonovich' or noise = 'ito'",
            *path,
            "equations",
            needle="xi",
        )
        return
    if reading not in _READINGS:
        return
    for name in noises:
        wrong = refusal(name)
        if wrong:
            reporter.error(
                f"the noise '{name}' is {wrong}: rename it (xi_1)", *path, "equations", needle=name
            )
    if INTEGRATORS[integrator].noise != reading:
        right = [s.name for s in INTEGRATORS.values() if s.noise == reading]
        reporter.error(
            f"integrator '{integrator}' does not converge to the {reading} solution;"
            f" use {', '.join(right)}",
            *_integrator_path(reporter, *path),
        )


def _integrator_path(reporter: Reporter, *path: str) -> tuple[str, ...]:
    """Where the integrator is given: for the population or projection, or for the model."""
    tables = reporter.document.tables
    own = "integrator" in tables[path[0]][path[1]]
    inherited = not own and "integrator" in tables.get("model", {})
    return ("model", "integrator") if inherited else (*path, "integrator")


def check_start(reporter: Reporter) -> None:
    """Evaluated at the initial state: noise has a real amplitude, the time step is stable."""
    fastest = min((p.dt for p in reporter.model.populations.values()), default=0.0)
    settings = {"": reporter.model} | {
        f"in phase '{phase.name}': ": reporter.model.in_phase(phase)
        for phase in reporter.model.phases
        if phase.values
    }
    for population in reporter.model.populations.values():
        path = ("population", population.name)
        for when, model in settings.items():
            for name, message in stability.noise_problems(model, population):
                reporter.error(when + message, *path, "equations", needle=name)
        if reporter.model.precision == "float32" and population.dt == fastest:
            for name, message in stability.lost_in_float32(reporter.model, population):
                reporter.error(message, *path, "equations", needle=name)
        if not math.isinf(getattr(INTEGRATORS.get(population.integrator), "limit", math.inf)):
            for one in stability.unknown_links(reporter.model, population):
                reporter.warn(
                    f"how many connections '{one.projection.name}' makes to a unit is not known before a"
                    f" run: whether dt is stable in '{population.name}' was judged without"
                    f" '{one.variable}'",
                    "projection",
                    one.projection.name,
                    "connect",
                )
        said = set()
        for when, model in settings.items():
            warning = stability.unstable_step(model, population)
            if warning and warning not in said:
                said.add(warning)
                own = "dt" in reporter.document.tables["population"][population.name]
                reporter.warn(when + warning, *(path if own else ("model",)), "dt")
