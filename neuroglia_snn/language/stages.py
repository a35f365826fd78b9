"""One time step of our own schemes, as abstract code for any code generator.

The stochastic Heun scheme has two stages, and what a unit receives from its neighbours belongs to the
state: the coupling is computed again from the predicted states before the corrector. So a step is
given in two parts, between which a backend may exchange predicted values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from brian2.equations.equations import SUBEXPRESSION, Equations

from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.language import algebra


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
    ``X_predicted`` of every variable X, and is empty for schemes of one part; ``correct`` assigns
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


def support(name: str, side: int) -> str:
    """Name of a variable's value where a derivative-free scheme takes the noise's factor again, 1 or 2."""
    return f"{name}_support_{side}"


def slope(name: str, stage: int) -> str:
    """Name of a variable's rate in a stage of a Runge-Kutta scheme, from 1."""
    return f"{name}_slope_{stage}"


def given(name: str) -> set[str]:
    """Names that any of the schemes gives to values of a variable within a step."""
    supports = {support(name, side) for side in (1, 2)}
    return {predicted(name), updated(name), *supports, *(slope(name, n) for n in range(1, 5))}


def is_noise(name: str) -> bool:
    """Whether a name is one of a white noise."""
    return name == "xi" or name.startswith("xi_")


class UnfitError(UserError):
    """A rate is not of the form that a scheme takes; ``name`` is its variable."""

    def __init__(self, name: str, message: str):
        super().__init__(f"d{name}/dt: {message}")
        self.name = name


def split(name: str, rate: str) -> Terms:
    """Drift and diffusion of a variable's rate.

    Raises
    ------
    UnfitError
        If a noise is not multiplied by a factor and added.
    """
    noises = sorted(filter(is_noise, algebra.names(rate)))
    if not noises:
        return Terms(rate, {})
    try:
        parts = algebra.linear(rate, noises)
    except algebra.NotLinear as error:
        message = (
            f"the noise cannot be told from the rest in '{shown(error)}'"
            f" (add it as a factor times {' or '.join(noises)})"
        )
        raise UnfitError(name, message) from None
    return Terms(parts.rest, parts.factors)


def terms(equations: Equations) -> dict[str, Terms]:
    """Drift and diffusion of every differential equation, subexpressions written out.

    Raises
    ------
    UnfitError
    """
    definitions: dict[str, str] = {}
    result = {}
    for equation in equations.ordered:  # definitions come before what they stand in
        if equation.expr is None or "constant over dt" in equation.flags:
            continue
        name = equation.varname
        try:
            text = algebra.substituted(equation.expr.code, definitions)
        except algebra.TooLong as error:
            message = f"with its definitions written out, it has {error}"
            raise UnfitError(name, message) from None
        if equation.type == SUBEXPRESSION:
            definitions[name] = text
        else:
            held = "unless refractory" in equation.flags
            result[name] = replace(split(name, text), held=held)
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
        first = " + ".join(_increment(term, {}))
        if term.held:
            first = f"int(not_refractory)*({first})"
        predict.append(f"{predicted(x)} = {x} + {first}")
        second = " + ".join(_increment(term, later))
        correct.append(f"{updated(x)} = 0.5*({x} + {predicted(x)} + {second})")
    return Step(_wiener(system, normal), tuple(predict), (*correct, *_assigned(system)))


def euler(system: Mapping[str, Terms], normal: Normal) -> Step:
    """Euler(-Maruyama): converges to the Ito solution, strongly with order 1/2."""
    code = [
        f"{updated(x)} = {x} + {' + '.join(_increment(term, {}))}" for x, term in system.items()
    ]
    return Step(_wiener(system, normal), (), (*code, *_assigned(system)))


def milstein(system: Mapping[str, Terms], normal: Normal) -> Step:
    """Derivative-free Milstein: converges to the Stratonovich solution, strongly with order 1.

    The drift is that of the Euler scheme: x + dt f + dW g + dW^2 (g(x + dt^0.5 g) - g(x - dt^0.5 g))/(4 dt^0.5)
    (Kloeden & Platen 1992, 10.3 and 11.1). The difference is central, as what is left of one to a side has
    a mean of order dt^1.5 in a step, by which Brian2's own 'milstein' is of strong order 1/2.

    Raises
    ------
    UnfitError
        For a rate with several noises, or with a factor that depends on another variable that has
        noise: the scheme then is of order 1/2.
    """
    noisy = {x for x, term in system.items() if term.diffusion}
    for x, term in system.items():
        if len(term.diffusion) > 1:
            raise UnfitError(x, "'milstein' takes one noise in a rate: use 'heun'")
        for factor in term.diffusion.values():
            others = sorted(algebra.names(factor) & noisy - {x})
            if others:
                message = (
                    f"the noise's factor '{shown(factor)}' depends on '{others[0]}', which has noise"
                    " itself: 'milstein' takes its own variable alone; use 'heun'"
                )
                raise UnfitError(x, message)
    above, below = ({x: support(x, side) for x in noisy} for side in (1, 2))
    before, after = [], []
    for x, term in system.items():
        (xi, factor), *_ = [*term.diffusion.items(), ("", "")]
        change = " + ".join(_increment(term, {}))
        if xi:
            held = "int(not_refractory)*" if term.held else ""
            for sign, there in (("+", above), ("-", below)):
                before.append(f"{there[x]} = {x} {sign} {held}dt**0.5*({factor})")
            one, other = (algebra.substituted(factor, there) for there in (above, below))
            change += f" + {xi}**2/(4*dt**0.5)*(({one}) - ({other}))"
        after.append(f"{updated(x)} = {x} + {change}")
    return Step(_wiener(system, normal), (), (*before, *after, *_assigned(system)))


def exponential_euler(system: Mapping[str, Terms], normal: Normal) -> Step:
    """Exponential Euler for rates that are linear in their own variable, dx/dt = A x + B.

    Written as x + dt (A x + B) (exp(A dt) - 1)/(A dt), which has a value where A is 0.

    Raises
    ------
    UnfitError
        For a rate that is not linear in its own variable.
    """
    code = []
    for x, term in system.items():
        try:
            factor = algebra.linear(term.drift, [x]).factors.get(x)
        except algebra.NotLinear as error:
            message = (
                f"'{shown(error)}' is not linear in {x}, as 'exponential_euler' needs: use 'rk4'"
            )
            raise UnfitError(x, message) from None
        whole = f"dt*({term.drift})" + (f"*exprel(dt*({factor}))" if factor else "")
        code.append(f"{updated(x)} = {x} + {whole}")
    return Step((), (), (*code, *_assigned(system)))


@dataclass(frozen=True)
class Tableau:
    """A Runge-Kutta scheme whose stages start from the one before: times and weights of all."""

    times: tuple[float, ...]
    weights: tuple[float, ...]
    divisor: float


#: The midpoint method, and the classical one of fourth order.
RUNGE_KUTTA = {
    "rk2": Tableau((0, 0.5), (0, 1), 1),
    "rk4": Tableau((0, 0.5, 0.5, 1), (1, 2, 2, 1), 6),
}


def runge_kutta(tableau: Tableau, system: Mapping[str, Terms]) -> Step:
    """A step of an explicit scheme without noise."""
    code = []
    for stage, time in enumerate(tableau.times, start=1):
        step = "dt" if time == 1 else f"{time}*dt"
        at = {x: f"({x} + {step}*{slope(x, stage - 1)})" for x in system} | {"t": f"(t + {step})"}
        for x, term in system.items():
            rate = algebra.substituted(term.drift, at if time else {})
            held = f"int(not_refractory)*({rate})" if term.held else rate
            code.append(f"{slope(x, stage)} = {held}")
    step = "dt" if tableau.divisor == 1 else f"dt/{tableau.divisor}"
    for x in system:
        weighted = [
            slope(x, stage) if weight == 1 else f"{weight}*{slope(x, stage)}"
            for stage, weight in enumerate(tableau.weights, start=1)
            if weight
        ]
        code.append(f"{x} = {x} + {step}*({' + '.join(weighted)})")
    return Step((), (), tuple(code))


def _increment(term: Terms, at: Mapping[str, str]) -> list[str]:
    """Summands of the change over a step, of rates with other values in the place of some."""
    drift = algebra.substituted(term.drift, at)
    factors = {xi: algebra.substituted(g, at) for xi, g in term.diffusion.items()}
    return [f"dt*({drift})", *(f"{xi}*({g})" for xi, g in factors.items())]


def _assigned(system: Collection[str]) -> list[str]:
    return [f"{x} = {updated(x)}" for x in system]


def _wiener(system: Mapping[str, Terms], normal: Normal) -> tuple[str, ...]:
    names = dict.fromkeys(xi for term in system.values() for xi in term.diffusion)
    return tuple(f"{xi} = dt**0.5*{normal(xi)}" for xi in names)


def step(
    integrator: str, equations: Equations, normal: Normal, recomputed: Collection[str] = ()
) -> Step:
    """A step of one of our own schemes (`neuroglia_snn.language.integrators`)."""
    system = terms(equations)
    if integrator in RUNGE_KUTTA:
        return runge_kutta(RUNGE_KUTTA[integrator], system)
    if integrator == "heun":
        return heun(system, normal, recomputed)
    if integrator == "milstein":
        return milstein(system, normal)
    if integrator == "exponential_euler":
        return exponential_euler(system, normal)
    return euler(system, normal)
