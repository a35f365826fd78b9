"""One time step of our own schemes, as abstract code for any code generator.

The stochastic Heun scheme has two stages, and what a unit receives from its neighbours belongs to the
state: the coupling is computed again from the predicted states before the corrector. So a step is
given in two parts, between which a backend may exchange predicted values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from brian2.equations.equations import Equations
from brian2.utils.stringtools import word_substitute


@dataclass(frozen=True)
class Terms:
    """Right-hand side of one variable: dx/dt = drift + sum of factor * noise.

    ``held`` while its unit is refractory (Brian2's ``unless refractory``).
    """

    drift: str
    diffusion: Mapping[str, str]
    held: bool = False


@dataclass(frozen=True)
class Step:
    """Abstract code of one step: statements ``name = expression``, to be run in this order.

    ``noise`` assigns the Wiener increments, named as in the equations; ``predict`` assigns
    ``X_predicted`` of every variable X, and is empty for schemes of one stage; ``correct`` assigns
    the variables themselves, and reads ``L_predicted`` of every recomputed input L.
    """

    noise: tuple[str, ...]
    predict: tuple[str, ...]
    correct: tuple[str, ...]


def predicted(name: str) -> str:
    """Name of a variable's value at the end of the first stage."""
    return f"{name}_predicted"


def updated(name: str) -> str:
    """Name of a variable's value at the end of the step, before it is assigned."""
    return f"{name}_new"


def terms(equations: Equations) -> dict[str, Terms]:
    """Drift and diffusion of every differential equation, subexpressions written out."""
    result = {}
    for name, expression in equations.get_substituted_expressions():
        drift, diffusion = expression.split_stochastic()
        result[name] = Terms(
            drift.code if drift is not None else "0",
            {xi: factor.code for xi, factor in (diffusion or {}).items()},
            "unless refractory" in equations[name].flags,
        )
    return result


#: Gives the expression of a standard normal number for a noise name.
Normal = Callable[[str], str]


def heun(system: Mapping[str, Terms], normal: Normal, recomputed: Collection[str] = ()) -> Step:
    """Stochastic Heun: converges to the Stratonovich solution (Rumelin 1982, with order 1 strongly).

    The corrector x + (k1 + k2)/2 is written as (x + x_predicted + k2)/2, which is the same. Brian2
    itself assigns nothing to a variable that is held; here it is predicted to stay, for all that
    read it.

    Parameters
    ----------
    system : terms of every variable
    normal : expression of the noise
    recomputed : inputs that a backend computes again from the predicted states
    """
    later = {name: predicted(name) for name in (*system, *recomputed)} | {"t": "(t + dt)"}
    predict, correct = [], []
    for x, term in system.items():
        slopes = [f"dt*({term.drift})", *(f"{xi}*({g})" for xi, g in term.diffusion.items())]
        first = " + ".join(slopes)
        if term.held:
            first = f"int(not_refractory)*({first})"
        predict.append(f"{predicted(x)} = {x} + {first}")
        second = [word_substitute(slope, later | {"dt": "dt"}) for slope in slopes]
        correct.append(f"{updated(x)} = 0.5*({x} + {predicted(x)} + {' + '.join(second)})")
    correct += [f"{x} = {updated(x)}" for x in system]
    return Step(_increments(system, normal), tuple(predict), tuple(correct))


def euler_maruyama(system: Mapping[str, Terms], normal: Normal) -> Step:
    """Euler-Maruyama: converges to the Ito solution, strongly with order 1/2."""
    code = []
    for x, term in system.items():
        slopes = [f"dt*({term.drift})", *(f"{xi}*({g})" for xi, g in term.diffusion.items())]
        code.append(f"{updated(x)} = {x} + {' + '.join(slopes)}")
    code += [f"{x} = {updated(x)}" for x in system]
    return Step(_increments(system, normal), (), tuple(code))


def _increments(system: Mapping[str, Terms], normal: Normal) -> tuple[str, ...]:
    names = dict.fromkeys(xi for term in system.values() for xi in term.diffusion)
    return tuple(f"{xi} = dt**0.5*{normal(xi)}" for xi in names)


def step(
    integrator: str, equations: Equations, normal: Normal, recomputed: Collection[str] = ()
) -> Step:
    """A step of one of our own schemes (``heun`` or ``euler-maruyama``)."""
    system = terms(equations)
    if integrator == "heun":
        return heun(system, normal, recomputed)
    return euler_maruyama(system, normal)
