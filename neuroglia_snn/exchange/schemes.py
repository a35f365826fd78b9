"""Integration schemes of a script: Brian2's by name where they are the same, ours as a few lines."""

from __future__ import annotations

from dataclasses import dataclass

from neuroglia_snn import spec
from neuroglia_snn.language import equations as eqs

HEUN = '''
def heun(equations, variables, method_options=None):
    """The stochastic Heun scheme, which converges to the Stratonovich solution.

    A step is the mean of the slopes at its beginning and at its predicted end, of the drift as of
    the noise. (Brian2's own 'heun' takes the drift at the beginning alone.)
    """
    rates = equations.get_substituted_expressions(variables)
    end = {x: f'{x}_predicted' for x, _ in rates} | {'t': '(t + dt)'}
    code = [f'{xi} = randn()/sqrt(dt)' for xi in sorted(equations.stochastic_variables)]
    code += [f'{x}_predicted = {x} + dt*({rate.code})' for x, rate in rates]
    for x, rate in rates:
        code.append(f'{x} = 0.5*({x} + {x}_predicted + dt*({word_substitute(rate.code, end)}))')
    return '\\n'.join(code)
'''.strip()

STAGES = '''
# The stochastic Heun scheme, which converges to the Stratonovich solution: a step is the mean of
# the slopes at its beginning and at its predicted end. What units receive from each other belongs
# to the state, so the step is in two parts. The predictor is the state update. Then the sums over
# synapses are taken again, of the predicted states. Then the corrector takes the mean of both slopes.


def drawn(equations):
    """The variables that keep the noise of a step for its second part."""
    return {xi: f'drawn_{xi}' for xi in equations.stochastic_variables}


def predictor(equations, variables, method_options=None):
    """The first part of a step, as code for each unit."""
    noise = drawn(equations)
    code = [f'{name} = randn()/sqrt(dt)' for name in sorted(noise.values())]
    for x, rate in equations.get_substituted_expressions(variables):
        code.append(f'{x}_predicted = {x} + dt*({word_substitute(rate.code, noise)})')
    return '\\n'.join(code)


def corrector(group, sums):
    """The second part of a step, as code for each unit, when `sums` have been taken again."""
    equations = group.equations
    moved = [*equations.diff_eq_names, *sums]
    end = drawn(equations) | {x: f'{x}_predicted' for x in moved} | {'t': '(t + dt)'}
    return '\\n'.join(
        f'{x} = 0.5*({x} + {x}_predicted + dt*({word_substitute(rate.code, end)}))'
        for x, rate in equations.get_substituted_expressions(group.variables)
    )
'''.strip()

EULER_MARUYAMA = """
# The Euler-Maruyama scheme, which converges to the Ito solution; Brian2's own 'euler' takes no noise
# with a factor that varies.
euler_maruyama = ExplicitStateUpdater(
    'x_new = x + dt*f(x, t) + g(x, t)*dW', stochastic='multiplicative'
)
""".strip()

MILSTEIN = '''
def milstein(equations, variables, method_options=None):
    """The derivative-free Milstein scheme, which converges to the Stratonovich solution with order 1.

    The noise's factor is taken again to both sides of its variable. (Brian2's own 'milstein' takes the
    difference to one side, which costs it half an order.)
    """
    rates = equations.get_substituted_expressions(variables)
    rates = {x: rate.split_stochastic() for x, rate in rates}
    noisy = [x for x, (_, noise) in rates.items() if noise]
    sides = [{x: f'{x}_{side}' for x in noisy} for side in ('above', 'below')]
    code = [f'{xi} = randn()*sqrt(dt)' for xi in sorted(equations.stochastic_variables)]
    steps = []
    for x, (drift, noise) in rates.items():
        change = f'dt*({drift.code})' if drift is not None else '0'
        for xi, factor in (noise or {}).items():
            code.append(f'{x}_above = {x} + sqrt(dt)*({factor.code})')
            code.append(f'{x}_below = {x} - sqrt(dt)*({factor.code})')
            above, below = (word_substitute(factor.code, side) for side in sides)
            change += f' + {xi}*({factor.code}) + {xi}**2/(4*sqrt(dt))*(({above}) - ({below}))'
        steps.append(f'{x}_end = {x} + {change}')
    return '\\n'.join([*code, *steps, *(f'{x} = {x}_end' for x in rates)])
'''.strip()

#: What the lines of a scheme define, and what they need.
DEFINED = {"heun", "drawn", "predictor", "corrector", "euler_maruyama", "milstein"}
NEEDED = {"word_substitute", "ExplicitStateUpdater"}


@dataclass(frozen=True)
class Scheme:
    """The ``method`` argument of a group, and the lines that define it, if they are ours."""

    method: str | None
    lines: str = ""


def scheme(owner: spec.Population | spec.Projection, two_stages: bool = False) -> Scheme:
    """The scheme of a population or projection; none where nothing moves by itself."""
    own = eqs.parse(owner.equations)
    moving = [e for e in own.values() if e.kind == "differential" and "event-driven" not in e.flags]
    if not moving:
        return Scheme(None)
    if two_stages:
        return Scheme("predictor", STAGES)
    if owner.integrator == "heun":
        return Scheme("heun", HEUN)
    if owner.integrator == "euler-maruyama":
        return Scheme("euler_maruyama", EULER_MARUYAMA)
    if owner.integrator == "milstein":
        return Scheme("milstein", MILSTEIN)
    return Scheme(repr(owner.integrator))
