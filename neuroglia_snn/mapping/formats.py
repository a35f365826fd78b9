"""Formats of a model's variables in integers, and what their rounding does."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian.network import brian_name
from neuroglia_snn.backends.fused import FusedBackend, device
from neuroglia_snn.errors import UserError
from neuroglia_snn.fixedpoint.program import FixedProgram
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.stages import predicted
from neuroglia_snn.mapping.graph import Variable
from neuroglia_snn.mapping.memory import Bits, default_bits
from neuroglia_snn.results import display_unit

#: Time steps that a run for the formats takes at most.
STEPS = 20_000


def bits_of(model: spec.Model) -> Bits:
    """The bits of a model's variables: those that its file states, and otherwise the usual ones."""
    stated = ranges_of(model)

    def bits(variable: Variable) -> int:
        found = stated.get(variable.name)
        return (found and found.bits) or default_bits(variable)

    return bits


def ranges_of(model: spec.Model) -> dict[str, spec.Range]:
    """The ranges that a model's file states, by the names of variables; of predicted values, too."""
    owners: list[spec.Population | spec.Projection] = [
        *model.populations.values(),
        *model.projections.values(),
    ]
    return {
        f"{owner.name}.{named}": r
        for owner in owners
        for name, r in owner.ranges.items()
        for named in (name, predicted(name))
    }


def describe(model: spec.Model, seed: int) -> tuple[dict[str, Any], str | None]:
    """Formats and errors of a model's variables; or none, and why there are no integers for it.

    They are those of a run in fixed point over the first `STEPS` steps, in which integers and floating
    point have the same random numbers.
    """
    images = {n: np.ones(shape, bool) for n, shape in model.images().items()}
    short = replace(model, duration=_seconds(model), records={})
    try:
        FusedBackend().run(Request(short, images=images, seed=seed, precision="fixed"))
    except UserError as error:
        return {}, str(error)
    assert device.fixed is not None
    return _variables(device.fixed, model), None


def assumption(model: spec.Model) -> str:
    """What the errors rest on."""
    return (
        "predicted rounding errors are independent of each other, and the dynamics neither shrink nor"
        " grow them; errors 'seen' are the integers' against float64 after"
        f" {_seconds(model) * 1e3:g} ms at most, with the same random numbers in both"
    )


def _seconds(model: spec.Model) -> float:
    """How much of a model is run, in s."""
    return min(model.duration, STEPS * min(p.dt for p in model.populations.values()))


def _variables(fixed: FixedProgram, model: spec.Model) -> dict[str, Any]:
    """Formats, what rounding alone does to a variable over the run, and how far integers really are off.

    The prediction takes the roundings of steps as independent: each has a variance of 1/12 of a squared
    step of the format (1/6 if it is at random), and the first stage of a two-stage scheme counts half.
    """
    names = fixed.names
    stated, courses = ranges_of(model), fixed.comparison.courses if fixed.comparison else {}
    result: dict[str, Any] = {}
    owners: list[spec.Population | spec.Projection] = [*model.populations.values()]
    for owner in [*owners, *model.projections.values()]:
        for variable, equation in eqs.parse(owner.equations).items():
            full = f"{brian_name(owner.name)}.{variable}"
            if full not in names:
                continue
            array = names[full]
            made = fixed.formats[array]
            unit, scale = display_unit(equation.dimensions)
            step = made.scale * scale
            entry: dict[str, Any] = {
                "format": str(made),
                "bits": made.bits,
                "unit": unit,
                "step": step,
                "range": [end * scale for end in made.range],
            }
            name = f"{owner.name}.{variable}"
            if equation.kind == "differential" and full in courses:
                stochastic = name in stated and stated[name].stochastic
                two_stages = f"{brian_name(owner.name)}.{predicted(variable)}" in names
                each = step * math.sqrt((1.25 if two_stages else 1.0) / (6 if stochastic else 12))
                entry["rounding_rms_per_step"] = each
                entry["rounding_rms_over_the_run"] = each * math.sqrt(model.duration / owner.dt)
                entry["error_rms_seen"] = courses[full].last * scale
            result[name] = entry
    return result
