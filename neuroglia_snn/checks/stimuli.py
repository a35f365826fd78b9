"""Stimuli: what they go into, when they are on, and what their images may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from brian2.units.fundamentalunits import DIMENSIONLESS

from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import data
from neuroglia_snn.checks.findings import Reporter
from neuroglia_snn.errors import shown
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language import equations as eqs

#: Most windows of a stimulus that are looked at.
_WINDOWS = 1_000_000


def check(reporter: Reporter) -> None:
    """Every stimulus of the model, once every equation is known to parse."""
    model = reporter.model
    for stimulus in model.stimuli.values():
        stimulus = replace(stimulus, name=stimulus.stated)
        own = eqs.parse(model.populations[stimulus.population].equations)
        _times(reporter, stimulus)
        if _fits(reporter, stimulus, own):
            _image(reporter, stimulus)


def _fits(reporter: Reporter, stimulus: spec.Stimulus, own: Mapping[str, eqs.Equation]) -> bool:
    """Whether the stimulus goes into an input of its population, with an amplitude in its units."""
    name, where, path = stimulus.name, stimulus.population, ("stimulus", stimulus.name)
    target = own.get(stimulus.variable)
    if target is None:
        inputs = [n for n, e in own.items() if e.kind == "parameter" and e.settable]
        reporter.error(
            f"stimulus '{name}' needs a variable '{stimulus.variable} : unit' in"
            f" '{where}'{nearest(stimulus.variable, inputs)}",
            *path,
            "variable",
        )
        return False
    if target.kind != "parameter" or not target.settable:
        reporter.error(
            f"stimulus '{name}' goes into '{stimulus.variable}', which has an equation of"
            f" its own; declare an input such as 'I_app : 1' in '{where}'",
            *path,
            "variable",
        )
        return False
    if target.type != eqs.FLOAT:
        reporter.error(
            f"stimulus '{name}' adds to '{stimulus.variable}', which is {target.type}: declare it with"
            " its unit, such as ': 1'",
            *path,
            "variable",
        )
        return False
    symbols, label = eqs.base_symbols(reporter.model), f"amplitude of {name}"
    place = (*path, "amplitude")
    if not reporter.expression(stimulus.amplitude, symbols, target.dimensions, label, *place):
        return False
    if algebra.names(stimulus.amplitude) & expressions.RANDOM:
        reporter.error(
            f"{label}: '{shown(stimulus.amplitude)}' would be drawn anew wherever"
            f" '{stimulus.variable}' stands; draw it by 'regularly' in '{where}'",
            *place,
        )
        return False
    return True


def _times(reporter: Reporter, stimulus: spec.Stimulus) -> None:
    """Every window of the stimulus holds a step of its population, so that it has an effect."""
    start, duration, period = (
        round(t * 1e9) for t in (stimulus.start, stimulus.duration, stimulus.period)
    )
    step = reporter.model.populations[stimulus.population].dt * 1e9
    windows = np.arange(min(stimulus.count, _WINDOWS))
    begins = start + period * windows
    first = np.ceil(begins / step - 1e-6) * step  # the first step that is not before a window
    missed = np.flatnonzero(np.round(first) >= begins + duration)
    if missed.size:
        reporter.error(
            f"stimulus '{stimulus.name}' is on from {begins[missed[0]] / 1e6:.9g} ms for"
            f" {duration / 1e6:.9g} ms, between two steps of {step / 1e6:.9g} ms, and would have no"
            " effect: give it a duration of dt at least, or let it start on a step",
            "stimulus",
            stimulus.name,
            "duration",
        )


def _image(reporter: Reporter, stimulus: spec.Stimulus) -> None:
    if stimulus.image is None:
        return
    model, path = reporter.model, ("stimulus", stimulus.name, "image")
    population = model.populations[stimulus.population]
    if stimulus.pattern is not None:
        label = f"image of stimulus '{stimulus.name}'"
        if stimulus.pattern.dimensions not in (None, DIMENSIONLESS):
            reporter.error(f"{label}: an image is of factors without a unit", *path)
        elif "shared" in eqs.parse(population.equations)[stimulus.variable].flags:
            reporter.error(f"{label} differs between units: remove '(shared)'", *path)
        else:
            data.sized(reporter, population, stimulus.pattern, label, *path)
        return
    if len(population.shape) != 2:
        reporter.error(
            f"an image needs a lattice; '{population.name}' has no rows and columns", *path
        )
    elif "shared" in eqs.parse(population.equations)[stimulus.variable].flags:
        reporter.error(
            f"an image differs between units, which share '{stimulus.variable}': remove '(shared)'",
            *path,
        )
