"""Stimuli that add to a variable which has values of its own.

A stimulus is worked out anew in every step, while an initial value, a statement or a sum sets a
variable. Where both go into one variable, it becomes the sum of two: what is set, and the stimuli. So
every backend has stimuli that are alone in their variable. This is done as a backend takes a model:
before, and in results and messages, there are the variables of the model file alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from neuroglia_snn import spec
from neuroglia_snn.catalog.phases import spread
from neuroglia_snn.language import algebra, expressions
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.names import made


def without_stimuli(variable: str) -> str:
    """Name of a stimulated variable's part that is set."""
    return made("set", variable)


def of_stimuli(variable: str) -> str:
    """Name of a stimulated variable's part that the stimuli are."""
    return made("stimulus", variable)


def in_the_files_words(text: str) -> str:
    """A message about a model with the names of variables in the place of those of their parts."""
    parts = "|".join(map(re.escape, (without_stimuli(""), of_stimuli(""))))
    return re.sub(rf"\b(?:{parts})", "", text)


def added(model: spec.Model) -> list[tuple[str, str]]:
    """(population, variable) of every stimulus that adds to what something else sets."""
    stimulated = dict.fromkeys((s.population, s.variable) for s in model.stimuli.values())
    return [key for key in stimulated if _is_set(model, *key)]


def separate(model: spec.Model) -> spec.Model:
    """The model with such variables as sums of two, which nothing but the one or the other fills.

    What its phases set is a function of time.
    """
    model = spread(model)
    for population, variable in added(model):
        model = _separated(model, model.populations[population], variable)
    return model


def _is_set(model: spec.Model, population: str, variable: str) -> bool:
    owner = model.populations[population]
    if variable in owner.initial or variable in _targets(_codes(owner)):
        return True
    for projection in model.projections.values():
        names = _aliases(projection, population, variable)
        codes = [*projection.on_pre.values(), *projection.on_post.values()]
        if names & (_targets(codes) | set(eqs.parse(projection.equations))):
            return True
    return False


def _codes(population: spec.Population) -> list[str]:
    codes = [population.reset or "", *(entry.code for entry in population.regularly)]
    return [*codes, *(event.action for event in population.events.values())]


def _targets(codes: list[str]) -> set[str]:
    return {target for code in codes for target, _, _ in expressions.statements(code)}


def _aliases(projection: spec.Projection, population: str, variable: str) -> set[str]:
    """Names that a population's variable has in a projection."""
    names = set()
    if projection.source.name == population:
        names.add(f"{variable}_pre")
    if projection.target.name == population:
        names |= {variable, f"{variable}_post"} - set(
            n for n, e in eqs.parse(projection.equations).items() if "summed" not in e.flags
        )
    return names


def _separated(model: spec.Model, owner: spec.Population, variable: str) -> spec.Model:
    part = without_stimuli(variable)
    own = {variable: part}
    population = replace(
        owner,
        equations=_summed(owner, variable),
        initial={own.get(name, name): text for name, text in owner.initial.items()},
        reset=owner.reset and _setting(owner.reset, own),
        regularly=tuple(replace(r, code=_setting(r.code, own)) for r in owner.regularly),
        events={n: replace(e, action=_setting(e.action, own)) for n, e in owner.events.items()},
    )
    projections = {}
    for name, projection in model.projections.items():
        aliases = _aliases(projection, owner.name, variable)
        names = {alias: alias.replace(variable, part, 1) for alias in aliases}
        projections[name] = replace(
            projection,
            equations=_renamed_sums(projection.equations, names),
            on_pre={n: _setting(code, names) for n, code in projection.on_pre.items()},
            on_post={n: _setting(code, names) for n, code in projection.on_post.items()},
        )
    stimuli = {
        name: replace(s, variable=of_stimuli(variable))
        if (s.population, s.variable) == (owner.name, variable)
        else s
        for name, s in model.stimuli.items()
    }
    return replace(
        model,
        populations={**model.populations, owner.name: population},
        projections=projections,
        stimuli=stimuli,
    )


def _summed(population: spec.Population, variable: str) -> str:
    """The population's equations with the variable as a sum."""
    own = eqs.parse(population.equations)
    whole = own.pop(variable)
    left, right = without_stimuli(variable), of_stimuli(variable)
    shared = tuple(flag for flag in whole.flags if flag == "shared")
    total = replace(whole, kind="subexpression", expression=f"{left} + {right}", flags=shared)
    parts = (replace(whole, name=left), replace(whole, name=right, flags=shared), total)
    return "\n".join(e.code for e in (*own.values(), *parts))


def _setting(code: str, names: Mapping[str, str]) -> str:
    """Statements that set one of these variables, with their new names; others read the whole."""
    lines = [
        (target, f"{target} {sign} {text}") for target, sign, text in expressions.statements(code)
    ]
    return "\n".join(
        algebra.substituted(line, names) if target in names else line for target, line in lines
    )


def _renamed_sums(equations: str, names: Mapping[str, str]) -> str:
    """Equations whose sums go into the variables of new names."""
    own = eqs.parse(equations).values()
    return "\n".join(replace(e, name=names.get(e.name, e.name)).code for e in own)
