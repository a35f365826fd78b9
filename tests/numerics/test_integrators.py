"""Convergence orders of our stochastic schemes, as Brian2 state updaters, against theory.

The exact solution at the end is a function of the Wiener process W alone, which is integrated along
(dW/dt = xi), so the strong error needs no reference run.
"""

from __future__ import annotations

import brian2
import numpy as np
import pytest
from brian2 import second

from neuroglia_snn.backends.brian.network import state_updater
from neuroglia_snn.language.integrators import INTEGRATORS

PATHS, T = 1500, 1.0
STEPS = np.array([16, 32, 64, 128])

#: Stratonovich SDEs with their exact solutions: (drift, noise, start, exact(t, W)).
LINEAR = ("a*x", "s*x", 1.0, lambda a, s, t, w: np.exp(a * t + s * w))
NONLINEAR = (
    "a*(1 - x**2)",
    "s*(1 - x**2)",
    0.2,
    lambda a, s, t, w: np.tanh(a * t + s * w + np.arctanh(0.2)),
)
PROBLEMS = {"linear": LINEAR, "nonlinear": NONLINEAR}


def strong_errors(method, problem, a: float, s: float) -> np.ndarray:
    """Mean absolute error at T for each number of steps."""
    drift, noise, start, exact = problem
    errors = []
    for steps in STEPS:
        brian2.start_scope()
        brian2.prefs.codegen.target = "numpy"
        brian2.seed(int(steps))
        group = brian2.NeuronGroup(
            PATHS,
            f"""dx/dt = ({drift})/second + ({noise})*xi_w*second**-0.5 : 1
            dW/dt = xi_w : second**0.5
            """,
            method=method,
            dt=T / steps * second,
            namespace={"a": a, "s": s},
        )
        group.x = start
        brian2.Network(group).run(T * second)
        errors.append(np.mean(np.abs(group.x[:] - exact(a, s, T, np.array(group.W[:])))))
    return np.array(errors)


def order(errors: np.ndarray) -> float:
    """Slope of the error over the step, in logarithms."""
    return -np.polyfit(np.log(STEPS), np.log(errors), 1)[0]


@pytest.mark.one_in(4)
@pytest.mark.parametrize("scheme", ["heun", "milstein"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_stratonovich_schemes_have_strong_order_one(name, scheme):
    errors = strong_errors(state_updater(scheme), PROBLEMS[name], a=-1.0, s=0.7)
    assert order(errors) == pytest.approx(INTEGRATORS[scheme].strong_order, abs=0.2)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", PROBLEMS)
def test_milstein_has_the_drift_of_euler(name):
    errors = strong_errors(state_updater("milstein"), PROBLEMS[name], a=-1.0, s=1e-4)
    assert order(errors) == pytest.approx(INTEGRATORS["milstein"].order, abs=0.2)


BRIANS = """
x_support = x + dt*f(x, t) + dt**.5 * g(x, t)
g_support = g(x_support, t)
k = 1/(2*dt**.5)*(g_support - g(x, t))*(dW**2)
x_new = x + dt*f(x,t) + g(x, t) * dW + k
"""


@pytest.mark.thorough
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_difference_to_one_side_costs_brian2s_milstein_half_an_order(name):
    """Its formula, without its refusal of a noise in two equations (of which one keeps W here)."""
    method = brian2.ExplicitStateUpdater(BRIANS, stochastic="multiplicative")
    brians = strong_errors(method, PROBLEMS[name], a=-1.0, s=0.7)
    ours = strong_errors(state_updater("milstein"), PROBLEMS[name], a=-1.0, s=0.7)
    assert order(brians) < 0.8
    assert ours[-1] < 0.8 * brians[-1]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", PROBLEMS)
def test_heun_is_of_second_order_in_the_drift_and_brian2s_is_not(name):
    """With weak noise the drift's error rules: ours falls with dt^2, Brian2's own with dt."""
    ours = strong_errors(state_updater("heun"), PROBLEMS[name], a=-1.0, s=1e-4)
    brians = strong_errors("heun", PROBLEMS[name], a=-1.0, s=1e-4)
    assert order(ours) == pytest.approx(INTEGRATORS["heun"].order, abs=0.2)
    assert order(brians) == pytest.approx(1, abs=0.2)
    assert ours[-1] < brians[-1] / 20


@pytest.mark.thorough
@pytest.mark.parametrize("name", PROBLEMS)
def test_heun_beats_brian2s_heun_at_the_memory_models_noise(name):
    """At sigma^2 = 0.12 the drift still matters: a smaller error at the same step."""
    ours = strong_errors(state_updater("heun"), PROBLEMS[name], a=-1.0, s=np.sqrt(0.12))
    brians = strong_errors("heun", PROBLEMS[name], a=-1.0, s=np.sqrt(0.12))
    assert (ours < 0.6 * brians).all()


def test_euler_maruyama_has_strong_order_one_half_in_the_ito_sense():
    """dx = a x dt + s x dW (Ito) has the Stratonovich drift a - s^2/2."""
    s = 1.0
    ito = ("a*x", "s*x", 1.0, lambda a, s, t, w: np.exp((a - s**2 / 2) * t + s * w))
    errors = strong_errors(state_updater("euler-maruyama"), ito, a=-0.5, s=s)
    assert order(errors) == pytest.approx(INTEGRATORS["euler-maruyama"].strong_order, abs=0.2)


def test_the_schemes_disagree_where_the_interpretations_do():
    """Heun does not converge to the Ito solution, nor Euler-Maruyama to Stratonovich's."""
    errors = strong_errors(state_updater("euler-maruyama"), LINEAR, a=-0.5, s=1.0)
    assert errors[-1] > 0.1
