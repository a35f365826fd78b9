"""Equations of populations and projections, and the symbols that they may name."""

from __future__ import annotations

import pytest
from brian2.units.allunits import molar, second, volt
from brian2.units.fundamentalunits import DIMENSIONLESS

from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.load import load
from neuroglia_snn.errors import UserError
from neuroglia_snn.language import equations as eqs

TEXT = """
dv/dt = (E - v)/tau + s*xi_1 : volt (unless refractory)
w = 2*v
  + E : volt   # on two lines
I : molar (constant, shared)
n : integer
on : boolean
"""


def test_what_an_equation_holds():
    own = eqs.parse(TEXT)
    assert list(own) == ["v", "w", "I", "n", "on"]
    kinds = ["differential", "subexpression", *["parameter"] * 3]
    assert [e.kind for e in own.values()] == kinds
    units = [volt.dim, volt.dim, molar.dim, DIMENSIONLESS, DIMENSIONLESS]
    assert [e.dimensions for e in own.values()] == units
    assert own["v"].flags == ("unless refractory",) and own["I"].flags == ("constant", "shared")
    assert own["v"].noise_terms == {"xi_1"} and not own["w"].noise_terms
    assert own["v"].label == "dv/dt" and own["w"].expression == "2*v + E"
    assert (own["n"].type, own["on"].type) == ("integer", "boolean")


@pytest.mark.parametrize("name", files.names("models"))
def test_brian2_takes_every_shipped_equation(name):
    model = load(name)
    owners = [*model.populations.values(), *model.projections.values()]
    for owner in owners:
        own = eqs.parse(owner.equations)
        assert eqs.to_brian(own).names == set(own)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("exp : 1", "exp", "function"),
        ("mV : volt", "mV", "a unit"),
        ("t : second", "t", "reserved"),
        ("lambda : 1", "lambda", "programming language"),
        ("double : 1", "double", "programming language"),
        ("_x : 1", "_x", "reserved"),
        ("a : foo", "a", "'foo' is not a unit"),
        ("a : 1 (frozen)", "a", "unknown flag 'frozen'"),
        ("da/dt : 1", "a", "no right-hand side"),
        ("da/dt = (1 : 1", "a", "da/dt: '(1' is not an expression"),
        ("a = b.c : 1", "a", "'b.c' is not allowed"),
    ],
)
def test_what_is_wrong_names_the_equation(text, name, said):
    with pytest.raises(eqs.EquationError) as error:
        eqs.canonical(f"x : 1\n{text}")
    assert error.value.name == name and said in str(error.value)


@pytest.mark.parametrize("text", ["x", "x = 1", "dx/dy = 1 : 1", "x : 1\nx : 1", "1 : 1", ": 1"])
def test_what_is_no_equation(text):
    with pytest.raises(UserError) as error:
        eqs.parse(text)
    assert "\n" not in str(error.value)


def test_symbols(write):
    model = load(str(write(("reset", 'refractory = "5 ms"\nreset'))))
    cell = eqs.population_symbols(model, model.populations["cell"])
    assert {"v", "a", "tau", "xi", "t", "dt", "i", "N", "exp", "mV", "lastspike"} <= set(cell)
    assert not {"c", "v_pre", "j"} & set(cell)
    assert cell["xi"].dim is (second**-0.5).dim
    assert "lastspike" not in eqs.population_symbols(model, model.populations["glia"])
    watch = eqs.projection_symbols(model, model.projections["watch"])
    assert {"v_pre", "c_post", "c", "n_post", "i", "j", "N_incoming"} <= set(watch)
    assert not {"v", "c_pre", "xi"} & set(watch)


def test_parameters_in_use(write):
    model = load(str(write(("v_th = ", 'spare = "1"\nv_th = '))))
    assert set(eqs.model_parameters(model)) == {"tau", "sigma2", "v_th"}
