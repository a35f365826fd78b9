"""The stiffest rate and the largest stable step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuroglia_snn import checks
from neuroglia_snn.catalog.load import load
from neuroglia_snn.language import stability

MEMORY = "noise_induced_memory"
LINEAR = """
[model]
integrator = "{scheme}"
dt = "{dt} ms"
duration = "1 s"
[parameters]
tau = "10 ms"
[population.cell]
shape = [3, 3]
equations = '''
dv/dt = ({terms})/tau : 1
L : 1
'''
[projection.near]
from = "cell"
to = "cell"
connect = {{ rule = "lattice" }}
equations = "L_post = (v_pre - v_post)/N_incoming : 1 (summed)"
"""


def linear(write, terms="-v", scheme="euler", dt=1.0):
    model = load(str(write(text=LINEAR.format(terms=terms, scheme=scheme, dt=dt))))
    return model, model.populations["cell"]


@pytest.mark.parametrize(
    ("terms", "rate"),
    [("-v", 100), ("v", 0), ("-3*v", 300), ("-v + 5*L", 1100), ("L", 200), ("-v**3", 0), ("1", 0)],
)
def test_the_stiffest_rate(terms, rate, write):
    # a lattice coupling of strength D adds 2 D to the rate of the mode in antiphase
    assert stability.stiffest_rate(*linear(write, terms)) == pytest.approx(rate, rel=1e-5, abs=1e-3)


@pytest.mark.parametrize(("scheme", "limit"), [("euler", 20), ("rk2", 20), ("rk4", 27.85)])
def test_the_limit_of_each_scheme(scheme, limit, write):
    assert stability.unstable_step(*linear(write, scheme=scheme, dt=0.99 * limit)) is None
    said = stability.unstable_step(*linear(write, scheme=scheme, dt=1.01 * limit))
    assert said and f"dt <= {math.floor(limit)} ms" in said and "'cell'" in said


@pytest.mark.parametrize("terms", ["-3*v + int(v < 0)", "-3*v + 5*int(v >= 0)"])
def test_a_jump_at_the_initial_state_is_no_rate(terms, write):
    assert stability.stiffest_rate(*linear(write, terms)) == pytest.approx(300, rel=1e-4)


def test_exact_schemes_have_no_limit(write):
    assert stability.unstable_step(*linear(write, scheme="exact", dt=1e6)) is None


@pytest.mark.parametrize(("k", "rate"), [("1", 300e3), ("2", 600e3)])
def test_the_memory_model(k, rate):
    model = load(MEMORY, {"k": k})
    assert stability.stiffest_rate(model, model.populations["neuron"]) == pytest.approx(
        rate, rel=0.02
    )


def test_its_safe_step():
    for dt, stable in (("0.0033 ms", True), ("0.0034 ms", False)):
        model = load(MEMORY, {"model.dt": dt})
        said = stability.unstable_step(model, model.populations["neuron"])
        assert (said is None) == stable
    assert "600 / ms" in said and "dt <= 0.0033 ms" in said


def test_initial_values():
    model = load(MEMORY)
    values = stability.initial_values(model, model.populations["astrocyte"])
    assert values["Ca"] == pytest.approx(0.0697115e-3)  # mol/m^3
    assert values["last_drive"] == -1 and values["n_active"] == 0


def test_a_root_of_a_negative_number(write):
    cases = {'value = "0.1", min': [], 'value = "-0.1", max': ["v"]}
    for text, names in cases.items():
        model = load(str(write(('value = "0.1", min', text))))
        problems = stability.noise_problems(model, model.populations["cell"])
        assert [name for name, _ in problems] == names
        assert all("sigma2 = -0.1" in message for _, message in problems)


def test_a_long_chain_of_subexpressions_is_quick(write):
    chain = "".join(f"a{n} = a{n - 1} + a{n - 2} : 1\n" for n in range(2, 60))
    model = load(
        str(write(("L : 1", f"L : 1\na0 = v : 1\na1 = v : 1\n{chain}"), ("(a - v)", "(a59 - v)")))
    )
    assert np.isfinite(stability.stiffest_rate(model, model.populations["cell"]))


def test_the_rule_that_makes_the_links_is_no_matter(write):
    lattice = LINEAR.format(terms="-v + 5*L", scheme="euler", dt=1.0)
    near = [
        [a, b] for a in range(9) for b in range(9) if abs(a // 3 - b // 3) + abs(a % 3 - b % 3) == 1
    ]
    pairs = lattice.replace('rule = "lattice"', f'rule = "pairs", pairs = {near}')
    itself = lattice.replace('rule = "lattice"', 'rule = "one-to-one"')
    of_synapses = lattice.replace(
        'equations = "L_post = (', 'initial.g = "1"\nequations = "g : 1\\nL_post = g*('
    )
    for text, rate in ((lattice, 1100), (pairs, 1100), (of_synapses, 1100), (itself, 100)):
        model = load(str(write(text=text)))
        found = stability.stiffest_rate(model, model.populations["cell"])
        assert found == pytest.approx(rate, rel=1e-5)


@pytest.mark.parametrize(
    ("connect", "chance"),
    [
        ('rule = "all"', lambda i, j: 1.0),
        ('rule = "condition", p = "0.3"', lambda i, j: 0.3),
        ('rule = "condition", condition = "i != j", n = "2"', lambda i, j: 2.0 * (i != j)),
        ('rule = "condition", condition = "abs(i - j) <= 1 and not (i == j)"',
         lambda i, j: 1.0 * (abs(i - j) == 1)),
    ],
)  # fmt: skip
def test_connections_are_counted_whatever_makes_them(connect, chance, write):
    """Against the eigenvalues of what is drawn, or of what is expected on average."""
    size = 200
    text = LINEAR.format(terms="-v + 5*L", scheme="euler", dt=0.001)
    text = text.replace('rule = "lattice"', connect).replace("/N_incoming", "")
    text = text.replace("shape = [3, 3]", f"size = {size}")
    i, j = np.indices((size, size))
    expected = chance(i, j) * np.ones((size, size))
    random = np.random.default_rng(0).random((size, size))
    drawn = (random < expected) if expected.max() < 1 else expected
    matrix = drawn.T - np.diag(drawn.sum(0))
    rate = -np.linalg.eigvals(100 * (5 * matrix - np.eye(size))).real.min()
    model = load(str(write(text=text)))
    found = stability.stiffest_rate(model, model.populations["cell"])
    assert found == pytest.approx(rate, rel=0.25)


def test_what_is_not_known_is_said(write):
    text = LINEAR.format(terms="-v + 5*L", scheme="euler", dt=0.001)
    for connect, known in (
        ('rule = "condition", condition = "rand() < 0.1"', False),
        ('rule = "condition", condition = "v_pre > 0"', False),
        ('rule = "condition", p = "0.1"', True),
    ):
        drawn = text.replace("[projection", '[population.cell.initial]\nv = "randn()"\n[projection')
        path = str(write(text=drawn.replace('rule = "lattice"', connect)))
        said = [
            f.message for f in checks.check_file(path) if "is not known before a run" in f.message
        ]
        assert bool(said) != known
