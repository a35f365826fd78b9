"""Populations' processes connected: directly, or through connection processes as on hardware."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from neuroglia_snn.backends.lava import _compat
from neuroglia_snn.backends.lava.population import Plan, PopulationProcess, model_class
from neuroglia_snn.backends.lava.processes.connection import (
    Connection,
    PyConnectionFixed,
    PyConnectionFloat,
)
from neuroglia_snn.lowering.operations import Coupling, Program

_compat.prepare()

from lava.magma.core.process.process import AbstractProcess  # noqa: E402
from scipy.sparse import csr_matrix  # noqa: E402


def connect(
    plans: Mapping[str, Plan], program: Program, fixed: bool
) -> tuple[AbstractProcess, dict[AbstractProcess, type]]:
    """Make and connect all processes.

    Returns
    -------
    One of the processes, and the process model of each.
    """
    processes, models = {}, {}
    for name, plan in plans.items():
        processes[name] = PopulationProcess(plan=plan, plan_of=_always(plan), name=name)
        models[processes[name]] = model_class(
            PopulationProcess, plan, fixed, f"Py_{name}", __name__
        )
    for coupling in program.couplings.values():
        out = getattr(processes[coupling.source], f"s_{coupling.name}")
        into = getattr(processes[coupling.target], f"a_{coupling.variable}")
        if plans[coupling.source].pooled:
            out.connect(into)
            continue
        target = plans[coupling.target].population.size
        connection = Connection(
            weights=weights(coupling, target),
            denominator=coupling.denominator,
            period=coupling.period,
            name=coupling.name,
        )
        out.connect(connection.s_in)
        connection.a_out.connect(into)
        models[connection] = PyConnectionFixed if fixed else PyConnectionFloat
    return next(iter(processes.values())), models


def _always(plan: Plan) -> Callable[[bool], Plan]:
    return lambda fixed: plan


def weights(coupling: Coupling, target: int) -> csr_matrix:
    """A coupling's whole weights, (target unit, source unit)."""
    shape = (target, coupling.source_size)
    places = (coupling.targets, coupling.sources)
    return csr_matrix((coupling.weights, places), shape=shape)
