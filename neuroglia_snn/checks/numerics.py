"""How noise is read, which integrator takes it, and whether the time step is stable."""

from __future__ import annotations

from collections.abc import Mapping

from neuroglia_snn import equations as eqs
from neuroglia_snn import spec, stability
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.integrators import INTEGRATORS
from neuroglia_snn.names import refusal

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
    for name, population in model.populations.items():
        if "dt" in tables["population"][name]:
            steps["population", name] = population.dt
    for path, dt in steps.items():
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
    for population in reporter.model.populations.values():
        path = ("population", population.name)
        for name, message in stability.noise_problems(reporter.model, population):
            reporter.error(message, *path, "equations", needle=name)
        if reporter.model.precision == "float32" and population.dt == fastest:
            for name, message in stability.lost_in_float32(reporter.model, population):
                reporter.error(message, *path, "equations", needle=name)
        warning = stability.unstable_step(reporter.model, population)
        if warning:
            own = "dt" in reporter.document.tables["population"][population.name]
            reporter.warn(warning, *(path if own else ("model",)), "dt")
