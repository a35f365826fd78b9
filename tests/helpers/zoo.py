"""One small model with every feature that a loop of our own runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuroglia_snn.backends.base import Request
from neuroglia_snn.catalog.load import load

#: Two lattices, a pool, a chain and a lone population; every feature of the format that fits.
ZOO = """
[model]
noise = "stratonovich"
integrator = "heun"
dt = "0.1 ms"
duration = "6 ms"
[parameters]
tau = { value = "2 ms" }
strength = { value = "0.3" }
theta = { value = "0.6" }
[table.wave]
values = ["0.1", "0.7", "-0.2"]
dt = "1.5 ms"
[population.sheet]
shape = [9, 11]
equations = '''
dx/dt = (-x*(1 + wave(t)/5) + strength*L + drive + wave(t) + 0.1*push + 2*M)/tau + 0.3*(1 + x**2/4)*xi/sqrt(tau) : 1
dy/dt = (theta*(x - y) - theta*x + x)/tau + 0.2*K/tau*(1 + wave(t)) : 1
L : 1
K : 1
M : 1
drive : 1
push : 1
last : second
crossings : integer
double_x = 2*x + y : 1
'''
threshold = "x > theta and y < 3"
reset = '''
crossings += 1
last = t
x = x - 0.8
'''
regularly = [{ code = "push = sin(2*pi*t/(3*ms)) + clip(x, 0, 1)", dt = "0.5 ms" }]
initial = { x = "0.02*(i % 7) - 0.05", y = "0.1", last = "-1*second" }
[population.pool]
shape = [3, 4]
dt = "0.3 ms"
integrator = "rk4"
equations = '''
dz/dt = (-z + S - 0.1*z**3)/(3*ms) : 1
S : 1
W : 1
out = z + 0.1*int(z > 0.2) : 1
'''
initial = { z = "0.1*i" }
[population.chain]
size = 40
integrator = "exponential_euler"
equations = '''
dv/dt = (E - v)/(4*ms) : 1
E : 1
'''
[population.walkers]
size = 1500
integrator = "heun"
equations = "dw/dt = -w/tau + 0.1*w*xi/sqrt(tau) + 0.2/tau : 1"
initial = { w = "1 + i/1000.0" }
[projection.lateral]
from = "sheet"
to = "sheet"
connect = { rule = "lattice", neighbours = @NEIGHBOURS@ }
equations = '''
L_post = @LATERAL@ : 1 (summed)
K_post = (y_pre - y_post)/sqrt(N_incoming) : 1 (summed)
'''
[projection.up]
from = "sheet"
to = "pool"
connect = { rule = "footprint", size = [3, 3], step = [3, 2] }
equations = '''
S_post = exp(-x_pre**2)*strength/N_incoming : 1 (summed)
W_post = tanh(double_x_pre - z_post)/N_incoming : 1 (summed)
'''
[projection.down]
from = "pool"
to = "sheet"
dt = "0.2 ms"
connect = { rule = "first-footprint", size = [3, 3], step = [3, 2] }
equations = "M_post = 0.1*out_pre : 1 (summed)"
[projection.along]
from = "pool"
to = "chain"
connect = { rule = "pairs", pairs = [[0, 1], [3, 1], [5, 39], [11, 0]] }
equations = "E_post = (z_pre - v_post)*N_incoming : 1 (summed)"
[stimulus.spot]
to = "sheet"
variable = "drive"
amplitude = "2*strength"
image = "spot"
start = "0.5 ms"
duration = "1 ms"
period = "2 ms"
count = 2
[record.sheet]
population = "sheet"
variables = ["x", "last", "crossings", "double_x", "push", "drive"]
every = "0.4 ms"
[record.thin]
population = "sheet"
variables = ["y"]
every = "1 ms"
stride = 4
[record.mean]
population = "sheet"
variables = ["x", "y"]
every = "0.7 ms"
reduce = "mean"
[record.crossings]
population = "sheet"
events = true
[record.pool]
population = "pool"
variables = ["z", "S", "W"]
every = "0.3 ms"
[record.chain]
population = "chain"
variables = ["v"]
every = "1 ms"
[record.walkers]
population = "walkers"
variables = ["w"]
every = "1 ms"
stride = 100
"""

#: (neighbours, coupling): stencils with mirrored edges, with masks, and without a common factor.
LATERAL = {
    "difference": (4, "(x_pre - x_post)/N_incoming"),
    "mean": (4, "x_pre/N_incoming"),
    "moore": (8, "(x_pre - x_post)/N_incoming"),
    "nonlinear": (4, "tanh(x_pre - x_post)*(1 + N_incoming/10)"),
    "mixed": (4, "(x_pre - N_incoming*x_post/4)"),
}


def zoo(
    folder: Path,
    lateral: str = "difference",
    seed: int = 3,
    change: tuple[str, str] = ("", ""),
    **options,
) -> Request:
    """The model, with one text changed for another."""
    assert change[0] in ZOO
    neighbours, text = LATERAL[lateral]
    changed = ZOO.replace(*change) if change[0] else ZOO
    file = folder / "zoo.toml"
    file.write_text(changed.replace("@NEIGHBOURS@", str(neighbours)).replace("@LATERAL@", text))
    spot = np.zeros((9, 11), bool)
    spot[2:6, 3:8] = True
    return Request(load(str(file)), {"spot": spot}, seed, **options)
