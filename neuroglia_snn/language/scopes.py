"""What names mean where a model file gives them: the one place that says whether a name is free.

A name has one meaning in all code of a population or projection. Names that we make and those of
Brian2's objects are no concern here: no name of a model file can be one of them (`names.made`).
"""

from __future__ import annotations

from collections.abc import Iterator

from neuroglia_snn import spec
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language import stages
from neuroglia_snn.language.integrators import INTEGRATORS

_SIDES = ("_pre", "_post")
#: A variable that Brian2 gives to all synapses.
_DELAY = "delay"


def of_code(name: str) -> str | None:
    """What a name means in all code of all models; None if it is free there."""
    if name.endswith(_SIDES):
        return "a variable of one of a projection's two sides, by its ending"
    return eqs.taken(name)


def of_local(owner: spec.Population | spec.Projection, name: str) -> str | None:
    """What a name means that statements of ``owner`` give to a value of their own; None if it is free."""
    if name == _DELAY and isinstance(owner, spec.Projection):
        return "the delay of Brian2's synapses"
    return of_code(name)


def of_parameter(model: spec.Model, name: str) -> str | None:
    """What the name of a parameter or table means beside; None if it is free."""
    if name in model.parameters and name in model.tables:
        return "a parameter and a table"
    steps = (
        meaning for p in model.populations.values() for n, meaning in _of_steps(p) if n == name
    )
    return of_code(name) or next(steps, None)


def of_variable(
    model: spec.Model, owner: spec.Population | spec.Projection, equation: eqs.Equation
) -> str | None:
    """What the name of a variable of ``owner`` means beside; None if it is free."""
    name = equation.name
    if name in model.parameters or name in model.tables:
        return "a parameter" if name in model.parameters else "a table"
    if isinstance(owner, spec.Population):
        return dict(_of_steps(owner)).get(name) or of_code(name)
    if "summed" in equation.flags:  # into a variable of the target, by its name there
        return None
    for side in (owner.source, owner.target):
        if name in eqs.endpoint_variables(model, side):
            return f"a variable of '{side.name}'"
    return of_local(owner, name)


def _of_steps(population: spec.Population) -> Iterator[tuple[str, str]]:
    """Names that our schemes give to values within a step."""
    scheme = INTEGRATORS.get(population.integrator)
    for variable in eqs.parse(population.equations) if scheme and scheme.own else ():
        for name in stages.given(variable):
            meaning = f"what '{population.integrator}' works out of '{variable}' within a step"
            yield name, meaning
