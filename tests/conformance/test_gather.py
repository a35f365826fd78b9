"""Couplings written out as gathers give what Brian2's own summed synapses give, or are left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Request
from neuroglia_snn.backends.brian import coupling
from neuroglia_snn.catalog.load import load

MODEL = """
[model]
integrator = "euler"
dt = "0.1 ms"
duration = "0.5 ms"
[population.a]
shape = [4, 4]
equations = '''
dx/dt = (L - x)/(1*ms) : 1
y = 10*i + x : 1
L : 1
'''
initial = { x = "0.1*i + 1" }
[population.b]
shape = [2, 2]
equations = '''
dz/dt = (M - z)/(1*ms) : 1
w = 10*i + N + z : 1
M : 1
'''
initial = { z = "i" }
[population.c]
shape = [4, 4]
equations = '''
dv/dt = (K - v)/(1*ms) : 1
K : 1
'''
[projection.lateral]
from = "a"
to = "a"
connect = { rule = "lattice" }
equations = "L_post = @ : 1 (summed)"
[projection.down]
from = "b"
to = "c"
connect = { rule = "first-footprint", size = [2, 2], step = [2, 2] }
equations = "K_post = @@ : 1 (summed)"
"""

#: (lateral coupling on a lattice, coupling through footprints): is each written out?
CASES = {
    "difference": ("(x_pre - x_post)/N_incoming", "z_pre", True, True),
    "mean at edges": ("x_pre/N_incoming", "z_pre - v_post", True, True),
    "source's index": ("y_pre/N_incoming", "w_pre", False, False),
    "no value between equals": ("(x_pre - x_post)/abs(x_pre - x_post)", "z_pre", False, True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_gather_equals_synapses(tmp_path: Path, monkeypatch, name):
    lateral, down, *gathered = CASES[name]
    file = tmp_path / "model.toml"
    file.write_text(MODEL.replace("@@", down).replace("@", lateral))
    model = load(str(file))
    found = [coupling.is_gather(model, model.projections[p]) for p in ("lateral", "down")]
    assert found == gathered
    ours = backends.get("numpy").run(Request(model))
    monkeypatch.setattr(coupling, "is_gather", lambda model, projection: False)
    brians = backends.get("numpy").run(Request(model))
    for population, variable in (("a", "x"), ("c", "v")):
        np.testing.assert_allclose(
            ours.final[population][variable], brians.final[population][variable], rtol=1e-12
        )


def test_a_lattice_of_one_site_has_no_neighbours(tmp_path: Path):
    one = MODEL.replace("@@", "z_pre").replace("@", "(x_pre - x_post)/N_incoming")
    one = one.replace("[4, 4]", "[1, 1]", 1).replace('"euler"', '"heun"').replace("0.5 ms", "1 ms")
    file = tmp_path / "model.toml"
    file.write_text(one)
    outcome = backends.get("numpy").run(Request(load(str(file))))
    np.testing.assert_allclose(outcome.final["a"]["x"], 0.905**10)  # Heun: 1 - dt + dt^2/2


def test_a_models_own_randn_is_not_the_noise_of_the_step(tmp_path: Path):
    """``randn()`` beside ``xi`` with amplitudes that would cancel if both were one number."""
    file = tmp_path / "model.toml"
    file.write_text("""
[model]
integrator = "euler-maruyama"
noise = "ito"
dt = "0.1 ms"
duration = "1 ms"
[population.a]
size = 50
equations = "dx/dt = randn()/(0.1*ms) - xi/sqrt(0.1*ms) : 1"
""")
    outcome = backends.get("numpy").run(Request(load(str(file))))
    assert np.std(outcome.final["a"]["x"]) > 1


def test_a_population_that_another_projection_joins_in_part_has_no_gathers(tmp_path):
    text = MODEL.replace("@@", "z_pre").replace("@", "x_pre - x_post")
    whole, part = tmp_path / "whole.toml", tmp_path / "part.toml"
    whole.write_text(text)
    part.write_text(
        text.replace("M : 1", "M : 1\nextra : 1")
        + """
[projection.part]
from = "a[0:4]"
to = "b"
connect = { rule = "one-to-one" }
equations = "extra_post = x_pre : 1 (summed)"
"""
    )
    outcomes = [backends.get("numpy").run(Request(load(str(path)))) for path in (whole, part)]
    one, other = (outcome.final for outcome in outcomes)
    np.testing.assert_allclose(other["a"]["x"], one["a"]["x"], rtol=1e-12)
    np.testing.assert_allclose(other["c"]["v"], one["c"]["v"], rtol=1e-12)
    assert (other["b"]["extra"] != 0).all()
