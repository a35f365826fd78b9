"""Stationary rates of a sparse network of excitatory and inhibitory neurons, by mean-field theory."""

from __future__ import annotations

import math

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.language.equations import model_parameters


def stationary_rate(model: spec.Model) -> float:
    """The rate (Hz) of a neuron whose input has the mean and variance that neurons of this rate give.

    Brunel (2000), eqs. 21 and 22: each neuron sees its synapses as Gaussian white noise. Of several such
    rates, the lowest.
    """
    p = {name: float(value.value.si) for name, value in model_parameters(model).items()}
    outside = p["ratio"] * p["nu_thr"]
    gamma = 0.25  # inhibitory over excitatory synapses

    def excess(rate: float) -> float:
        scale = p["C_e"] * p["J"] * p["tau"]
        mean = scale * (outside + rate * (1 - gamma * p["g"]))
        variance = scale * p["J"] * (outside + rate * (1 + gamma * p["g"] ** 2))
        return _rate(mean, math.sqrt(variance), p) - rate

    grid = np.linspace(0, 1 / p["tau_rp"], 2001)
    signs = [excess(rate) > 0 for rate in grid]
    low = grid[next(n for n, above in enumerate(signs[1:]) if not above)]
    high = low + grid[1]
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return low


def _rate(mean: float, deviation: float, p: dict[str, float]) -> float:
    """Of a leaky neuron with white noise of this mean and standard deviation (eq. 21)."""
    low, high = ((p[v] - mean) / deviation for v in ("V_r", "theta"))
    count = 400
    u = low + (np.arange(count) + 0.5) * (high - low) / count  # midpoint rule
    if high > 25:  # exp(u**2) is beyond a float, and the rate 0
        return 0.0
    integrand = [
        math.exp(x * x) * math.erfc(-x) if x > -25 else -1 / (math.sqrt(math.pi) * x) for x in u
    ]
    integral = math.fsum(integrand) * (high - low) / count
    return 1 / (p["tau_rp"] + p["tau"] * math.sqrt(math.pi) * integral)
