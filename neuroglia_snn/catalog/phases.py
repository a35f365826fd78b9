"""Phases of a run: one after the other, each with parameters and stimuli of its own.

``[[phase]]`` tables follow each other from time 0 on. What a phase sets holds in it alone: a stimulus that
any phase names is on in the phases that say so, and runs anew in each; a parameter has its own value in
every phase that does not set it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

from neuroglia_snn import spec
from neuroglia_snn.catalog import fields
from neuroglia_snn.catalog.parameters import Parameters
from neuroglia_snn.catalog.schema import PHASE, is_of, nearest, type_names
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import shown
from neuroglia_snn.language import algebra
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.quantities import Amount, unit_name


def phases(document: Document, parameters: Parameters) -> tuple[spec.Phase, ...]:
    """The phases of a document, in their order; all sizes and parts are worked out already."""
    start = 0.0
    found: list[spec.Phase] = []
    for n, table in enumerate(document.tables.get("phase", [])):
        place = ("phase", str(n))
        phase = _phase(document, table, round(start, 12), parameters, *place)
        if phase.name in {p.name for p in found}:
            raise document.error(f"two phases are called '{phase.name}'", *place, "name")
        found.append(phase)
        start += phase.duration
    return tuple(found)


def duration(document: Document, found: tuple[spec.Phase, ...]) -> float:
    """How long a run lasts: as long as its phases, if there are any."""
    if not found:
        return fields.time(document, "model", "duration")
    whole = found[-1].end
    if "duration" in document.tables["model"]:
        given = fields.time(document, "model", "duration")
        if not math.isclose(given, whole, rel_tol=1e-9):
            raise document.error(
                f"the phases last {whole * 1e3:.9g} ms together, and 'duration' is"
                f" {given * 1e3:.9g} ms: leave it out",
                "model",
                "duration",
            )
    return whole


def _phase(
    document: Document, table: Any, start: float, parameters: Parameters, *place: str
) -> spec.Phase:
    if not isinstance(table, dict):
        raise document.error("a phase is a table [[phase]]", *place)
    for key, value in table.items():
        if key not in PHASE or not is_of(value, PHASE[key]):
            wanted = f"must be {type_names(PHASE[key])}" if key in PHASE else "is no key of a phase"
            raise document.error(
                f"'{shown(key)}' {wanted}{nearest(key, PHASE)} (known: {', '.join(PHASE)})",
                *place,
                key,
            )
    for key in ("name", "duration"):
        if key not in table:
            raise document.error(f"a phase has no '{key}'", *place)
    name = fields.name(document, table["name"], *place, "name")
    lasts = fields.seconds(document, table["duration"], *place, "duration")
    values: dict[str, spec.Parameter] = {}
    for key, given in table.get("set", {}).items():
        if key in document.tables.get("stimulus", {}):
            if not isinstance(given, bool):
                raise document.error(
                    f"phase '{name}': stimulus '{key}' is true (on) or false (off), not"
                    f" {shown(repr(given))}",
                    *place,
                    "set",
                    key,
                )
        else:
            values[key] = _value(document, name, key, given, parameters, *place, "set", key)
    stimuli = frozenset(k for k, on in table.get("set", {}).items() if on is True)
    return spec.Phase(name, start, lasts, values, stimuli)


def _value(
    document: Document, phase: str, key: str, given: object, parameters: Parameters, *place: str
) -> spec.Parameter:
    """Another value of a parameter."""
    own = parameters.all()
    if key not in own:
        known = [*own, *document.tables.get("stimulus", {})]
        raise document.error(
            f"phase '{phase}' sets '{shown(key)}', which is neither a parameter nor a stimulus"
            f"{nearest(key, known)}",
            *place,
        )
    if key in parameters.read:
        raise document.error(
            f"phase '{phase}' sets '{key}', which sizes or other parameters are made of: these do not"
            " change in a run (set what the equations name)",
            *place,
        )
    if isinstance(given, bool) or not isinstance(given, (str, int, float)):
        raise document.error(
            f"phase '{phase}': '{key}' is a quantity, not {shown(repr(given))}", *place
        )
    return parameters.another(key, given, f"phase '{phase}': '{key}'", *place)


def on_in(document: Document, found: tuple[spec.Phase, ...], stimulus: str) -> list[spec.Phase]:
    """The phases that a stimulus is on in; none if no phase names it.

    Raises
    ------
    ModelError
        For one that is off in every phase that names it.
    """
    tables = document.tables.get("phase", [])
    named = any(stimulus in table.get("set", {}) for table in tables)
    on = [phase for phase in found if stimulus in phase.stimuli]
    if named and not on:
        raise document.error(f"stimulus '{stimulus}' is on in no phase", "phase", needle=stimulus)
    return on


def spread(model: spec.Model) -> spec.Model:
    """The model with parameters that phases set as functions of time, where a run reads them."""
    changed = _changed(model)
    if not changed:
        return model

    def text(code: str, _: str | None = None) -> str:
        return algebra.substituted(code, changed)

    def owner(one: eqs.Owner) -> eqs.Owner:
        new = eqs.with_changed(one, text)
        kept: dict[str, Any] = {"initial": one.initial}
        if isinstance(one, spec.Projection):
            kept |= {"connect": one.connect, "delay": one.delay}
        return replace(new, **kept)

    return replace(
        model,
        populations={n: owner(p) for n, p in model.populations.items()},
        projections={n: owner(p) for n, p in model.projections.items()},
        stimuli={
            n: replace(s, amplitude=algebra.substituted(s.amplitude, _for(model, s, changed)))
            for n, s in model.stimuli.items()
        },
        phases=tuple(replace(phase, values={}) for phase in model.phases),
    )


def _for(model: spec.Model, s: spec.Stimulus, changed: dict[str, str]) -> dict[str, str]:
    """What stands for parameters in a stimulus: numbers, where one phase holds all of it."""
    for phase in model.phases:
        if s.start >= phase.start - 1e-12 and s.end <= phase.end + 1e-12:
            return {n: _written(p.value) for n, p in phase.values.items()}
    return changed


def _written(amount: Amount) -> str:
    return f"({amount.si!r}*({unit_name(amount.dimensions)}))"


def _changed(model: spec.Model) -> dict[str, str]:
    """Parameters that phases set, as sums over the phases of which one is on."""
    result = {}
    for name in dict.fromkeys(n for phase in model.phases for n in phase.values):
        by_value: dict[str, list[str]] = {}
        for value, times in groupby(model.phases, partial(_valued, name)):
            by_value.setdefault(value, []).append(_on(model, [*times]))
        terms = [f"{value}*({' + '.join(times)})" for value, times in by_value.items()]
        result[name] = f"({' + '.join(terms)})"
    return result


def _valued(name: str, phase: spec.Phase) -> str:
    """What a parameter is in a phase."""
    return _written(phase.values[name].value) if name in phase.values else name


def _on(model: spec.Model, phases: Sequence[spec.Phase]) -> str:
    """Whether one of consecutive phases is on; half a nanosecond keeps rounding out of the comparisons."""
    from_then = f"t >= {phases[0].start!r}*second - 0.5*nsecond"
    until = f"t < {phases[-1].end!r}*second - 0.5*nsecond"
    parts = [from_then] if phases[0] is not model.phases[0] else []
    parts += [until] if phases[-1] is not model.phases[-1] else []
    return f"int({' and '.join(parts)})" if parts else "1"


def texts(model: spec.Model) -> list[str]:
    """All code of a model that a run reads, without what is before it."""
    found = [s.amplitude for s in model.stimuli.values()]
    owners: Mapping[str, Any] = {**model.populations, **model.projections}
    for owner in owners.values():
        before: dict[str, Any] = {"initial": {}}
        if isinstance(owner, spec.Projection):
            before |= {"connect": {}, "delay": {}}
        found += eqs.texts(replace(owner, **before))
    return found
