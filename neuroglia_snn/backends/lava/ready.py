"""Populations of models as processes, for networks that a Lava user builds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from brian2 import Quantity
from brian2.core.namespace import get_local_namespace
from brian2.groups.neurongroup import NeuronGroup
from brian2.units.allunits import second

from neuroglia_snn import spec
from neuroglia_snn.backends.lava import arguments
from neuroglia_snn.backends.lava.recipe import Recipe
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import load_checked
from neuroglia_snn.errors import UserError
from neuroglia_snn.language.quantities import parse_quantity
from neuroglia_snn.noise import MAX_SEED

if TYPE_CHECKING:
    from neuroglia_snn.backends.lava.processes.population import PopulationProcess

_MEMORY = "noise_induced_memory"
#: A small one, in which is seen how far values go.
_SMALL = {"population.neuron.shape": "[16, 16]", "population.astrocyte.shape": "[5, 5]"}


def process(
    model: Any,
    population: str | None = None,
    *,
    shape: int | tuple[int, ...] | None = None,
    seed: int = 0,
    dt: str | Quantity | None = None,
    units: Mapping[str, float | str | Quantity] | None = None,
    ranges: Mapping[str, tuple] | None = None,
    name: str | None = None,
    **parameters: Any,
) -> PopulationProcess:
    """A population of a model, or a NeuronGroup, as a process: one step of its own in each Lava step.

    As Lava's own neurons, it receives, does its step and sends in each Lava step. So a loop of processes needs
    one in it that sends first: Lava's Dense or Sparse, or a `Connection`.

    Parameters
    ----------
    model : str, path, Model or brian2.NeuronGroup
        A name of the catalogue, a model file, a `neuroglia_snn.Model`, or a group of a Brian2 script.
    population : str, optional
        Of the model; not needed where it has only one.
    shape : int or tuple of int, optional
        Units of a lattice of any dimensions, or their number, where the population can have others than its own.
        Ports and Vars have one value a unit, row by row.
    seed : int
        Of random numbers.
    dt : str, optional
        Time of a step, such as ``"0.1 ms"``; without, the population's.
    units : mapping, optional
        What 1 at an input is worth, by variable, in floating point and in fixed point: ``{"g_e": "1 nS"}``.
    ranges : mapping, optional
        Between which values a variable stays, and how many bits its integer has, as a model file says it:
        ``{"v": ("-80 mV", "0 mV", 24)}``. Without, as far as it goes in the model's own run.
    name : str, optional
        Of the process.
    **parameters
        Of the model, by name: ``sigma2=0.1``; numbers, quantities or text with a unit.

    Returns
    -------
    A process with models tagged ``floating_pt`` and ``fixed_pt``, and with

    a_<variable> : InPort
        For each sum, stimulus and linked variable, and each parameter of the units' own that nothing sets: what
        arrives is its value in the step. For each variable of a differential equation, and each to which
        synapses add: what arrives is added. A port that is not connected changes nothing.
    s_out : OutPort
        1 for each unit with a spike in the step, else 0 (``s_<event>`` for custom events).
    s_<variable> : OutPort
        For each variable of a differential equation, its value after the step; and for each sum of another
        population, what a unit gives to it.
    <variable> : Var
        What a run changes, or an input fills; with an underscore behind it where Lava's processes have an
        attribute of that name.
    ports : what each port takes or sends
    formats : of what the integers of the fixed-point model are

    In floating point, ports carry values in SI units. In fixed point they carry integers: what arrives counts 1 in
    SI units, as it does in floating point, but from partners here (see ``ports``), saturates at the variable's
    format, and is rounded to it; what is sent are the variables' integers.

    Raises
    ------
    UserError
        In one sentence.
    """
    from neuroglia_snn.backends.lava.processes import population as processes

    seed = arguments.whole("seed", seed, 0, MAX_SEED)
    sides = None if shape is None else arguments.shape(shape)
    worth = arguments.units(units or {})
    if isinstance(model, NeuronGroup):
        recipe = _of_group(model, population, sides, dt, parameters)
    else:
        loaded = _loaded(model, parameters)
        found = _population(loaded, population)
        recipe = Recipe(loaded, found, sides, _time(dt), seed, worth, {})
    recipe = replace(recipe, seed=seed, units=worth, ranges=arguments.ranges(ranges or {}))
    alone = recipe.alone
    for label, what, given, known in (
        ("units", "input", worth, alone.inputs),
        ("ranges", "variable", recipe.ranges, alone.states),
    ):
        for one in given:
            if one not in known:
                raise UserError(
                    f"{label}: there is no {what} '{one}'{nearest(one, known)} (there are {', '.join(known)})"
                )
    return processes.of(recipe, name)


def _of_group(
    group: NeuronGroup,
    population: str | None,
    shape: tuple[int, ...] | None,
    dt: Any,
    parameters: Mapping[str, Any],
) -> Recipe:
    given = {"a population": population, "a shape": shape, "a dt": dt}
    wrong = [what for what, value in given.items() if value is not None] + list(parameters)
    if wrong:
        raise UserError(f"'{group.name}' is a NeuronGroup: {wrong[0]} is set where it is made")
    return Recipe(group, "", None, None, 0, {}, {}, get_local_namespace(level=2))


def _loaded(model: Any, parameters: Mapping[str, Any]) -> spec.Model:
    if isinstance(getattr(model, "spec", None), spec.Model):  # a `neuroglia_snn.Model`
        return model.with_settings(parameters).spec if parameters else model.spec
    if isinstance(model, spec.Model):
        if parameters:
            raise UserError(
                f"'{next(iter(parameters))}' cannot be set in a spec.Model: give the name of the model or its file"
            )
        return model
    if isinstance(model, (str, os.PathLike)):
        return load_checked(model, dict(parameters))[0]
    raise UserError(
        f"a process is made of a model's name or file, a Model or a NeuronGroup, not of a {type(model).__name__}"
    )


def _population(model: spec.Model, name: str | None) -> str:
    if name is not None:
        return name
    if len(model.populations) > 1:
        raise UserError(
            f"{model.name} has several populations ({', '.join(model.populations)}): name the one that is wanted"
        )
    return next(iter(model.populations))


def _time(dt: Any) -> float | None:
    """A time step in s."""
    if dt is None:
        return None
    if isinstance(dt, Quantity) and dt.dim is second.dim:
        return float(dt)
    if not isinstance(dt, str):
        number = f"'{dt:g} ms'" if isinstance(dt, (int, float)) else "'0.1 ms'"
        raise UserError(f"dt is a time with its unit, such as {number}, not {dt!r}")
    found = parse_quantity(dt)
    if found.dimensions is not second.dim:
        what = "has no unit" if found.dimensions.is_dimensionless else "is no time"
        raise UserError(f"dt is a time with its unit, such as '0.1 ms': '{dt}' {what}")
    if not found.si > 0:
        raise UserError(f"dt is above 0, not '{dt}'")
    return found.si


def FHN(
    *,
    shape: int | tuple[int, ...],
    seed: int = 0,
    dt: str | None = None,
    units: Mapping[str, float | str] | None = None,
    name: str | None = None,
    **parameters: Any,
) -> PopulationProcess:
    """FitzHugh-Nagumo neurons with a piecewise-linear activator and multiplicative noise.

    Equations A1-A5 of Zhao et al. (Phys. Rev. Research 4, 043069, 2022), as the model ``noise_induced_memory`` of
    the catalogue has them: one step of the stochastic Heun scheme in each Lava step, with the inputs held over it.
    Parameters are those of `process`, ports are

    a_L_U, a_L_V
        Mean of the neighbours' U (V) less the own: connect with `laplacian`.
    a_I_app, a_I_astro
        Currents. In fixed point a count at ``a_I_app`` is 1, and at ``a_I_astro`` the feedback of one astrocyte, ``I_glio``.
    a_U, a_V
        What is added to the variables.
    s_out
        1 while U is above the spike threshold.
    s_U, s_V
        The states.
    s_n_active, s_n_delayed
        1 if the neuron was above threshold less than 5 ms ago (40 to 45 ms ago): for `LiRinzel`.
    """
    return process(
        _MEMORY,
        "neuron",
        shape=shape,
        seed=seed,
        dt=dt,
        units=units,
        name=name,
        **{**_SMALL, **parameters},
    )


def LiRinzel(
    *,
    shape: int | tuple[int, ...],
    seed: int = 0,
    dt: str | None = None,
    units: Mapping[str, float | str] | None = None,
    name: str | None = None,
    **parameters: Any,
) -> PopulationProcess:
    """Astrocytes: calcium by Li and Rinzel, with IP3 production where neurons drive them.

    Equations A6-A16 of Zhao et al. (Phys. Rev. Research 4, 043069, 2022), as the model ``noise_induced_memory`` of
    the catalogue has them: one step of the Heun scheme (0.1 ms) in each Lava step. Calcium fluxes are look-up tables
    in fixed point. Parameters are those of `process`, ports are

    a_n_active, a_n_delayed
        How many of the watched neurons are active (were 40 to 45 ms ago).
    a_Ca, a_IP3, a_h
        What is added to the variables.
    s_out
        1 while neurons drive the astrocyte.
    s_Ca, s_IP3, s_h
        The states.
    s_I_astro
        The gliotransmitter current for the watched neurons; in fixed point in counts of ``I_glio``.
    """
    return process(
        _MEMORY,
        "astrocyte",
        shape=shape,
        seed=seed,
        dt=dt,
        units=units,
        name=name,
        **{**_SMALL, **parameters},
    )
