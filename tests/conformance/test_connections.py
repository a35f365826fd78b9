"""Connections by every rule: who receives from whom, worked out here by loops over coordinates."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Request
from neuroglia_snn.catalog.load import load

HEAD = """
[model]
integrator = "heun"
dt = "0.1 ms"
duration = "0.3 ms"
"""

BACKENDS = ["numpy", "fused", pytest.param("cpp", marks=pytest.mark.exhaustive)]


def outcome(folder: Path, text: str, backend: str, seed: int = 0):
    path = folder / "m.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return backends.get(backend).run(Request(load(path), seed=seed))


def neighbours(shape: tuple[int, ...], most: int, periodic: bool) -> np.ndarray:
    """Matrix (target, source) of the sites that are a step along up to ``most`` axes away."""
    sites = list(itertools.product(*map(range, shape)))
    matrix = np.zeros((len(sites), len(sites)))
    for (m, a), (n, b) in itertools.product(enumerate(sites), enumerate(sites)):
        steps = [abs(x - y) for x, y in zip(a, b, strict=True)]
        if periodic:
            steps = [min(d, size - d) for d, size in zip(steps, shape, strict=True)]
        if max(steps) == 1 and sum(d > 0 for d in steps) <= most:
            matrix[m, n] = 1
    return matrix


def heun(matrix: np.ndarray, u: np.ndarray, steps: int = 3, dt: float = 0.1) -> np.ndarray:
    laplacian = matrix - np.diag(matrix.sum(1))
    for _ in range(steps):
        first = laplacian @ u
        u = u + 0.5 * dt * (first + laplacian @ (u + dt * first))
    return u


@pytest.mark.one_in(4)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("edges", ["zero-flux", "periodic"])
@pytest.mark.parametrize(
    "shape, count, most",
    [
        ((7,), 2, 1),
        ((4, 5), 4, 1),
        ((4, 5), 8, 2),
        ((3, 4, 5), 6, 1),
        ((3, 4, 5), 18, 2),
        ((3, 4, 5), 26, 3),
    ],
)
def test_a_lattice_of_any_kind(tmp_path, shape, count, most, edges, backend):
    text = f"""
[population.n]
shape = {list(shape)}
equations = '''
dU/dt = L/ms : 1
L : 1
'''
[population.n.initial]
U = "sin(1.7*i)"
[projection.c]
from = "n"
to = "n"
connect = {{ rule = "lattice", neighbours = {count}, edges = "{edges}" }}
equations = "L_post = U_pre - U_post : 1 (summed)"
"""
    found = outcome(tmp_path, text, backend).final["n"]["U"]
    right = heun(neighbours(shape, most, edges == "periodic"), np.sin(1.7 * np.arange(found.size)))
    np.testing.assert_allclose(found, right, rtol=1e-11)


def coordinates(shape: tuple[int, ...], spacing: float) -> np.ndarray:
    """(units, axes), of a lattice whose centre is at the origin."""
    sites = np.array(list(itertools.product(*map(range, shape))), float)
    return (sites - (np.array(shape) - 1) / 2) * spacing


def distances(source, target, spacings, periodic: bool) -> np.ndarray:
    """(target, source), in the unit of the spacings."""
    a, b = coordinates(source, spacings[0]), coordinates(target, spacings[1])
    along = abs(b[:, None] - a[None])
    if periodic:
        length = np.array(source) * spacings[0]
        along = np.minimum(along, length - along)
    return np.sqrt((along**2).sum(2))


KERNEL = """
[parameters]
lam = "0.02 mm"
reach = "2*step + 1*um"
step = "10 um"
[population.a]
shape = {source}
spacing = "step"
equations = "u : 1"
initial = {{ u = "sin(1.7*i)" }}
[population.b]
shape = {target}
spacing = "{other}"
equations = '''
L : 1
n : 1
'''
[projection.k]
from = "a"
to = "b"
connect = {{ rule = "kernel", cutoff = "reach", edges = "{edges}"{more} }}
equations = '''
w : 1
L_post = w*u_pre : 1 (summed)
n_post = int(distance < 1*metre) : 1 (summed)
'''
initial = {{ w = "exp(-distance/lam) - 0.1*exp(-distance**2/(2*lam**2))" }}
[record.b]
population = "b"
variables = ["L", "n"]
"""


@pytest.mark.one_in(4)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("edges", ["zero-flux", "periodic"])
@pytest.mark.parametrize(
    "source, target, other",
    [
        ((9,), (9,), "step"),
        ((8,), (4,), "20 um"),
        ((6, 8), (6, 8), "step"),
        ((6, 8), (3, 4), "2*step"),
        ((4, 6, 4), (2, 3, 2), "20 um"),
    ],
)
def test_a_kernel_on_any_lattices(tmp_path, source, target, other, edges, backend):
    text = KERNEL.format(
        source=list(source), target=list(target), other=other, edges=edges, more=""
    )
    found = outcome(tmp_path, text, backend).records["b"].values
    d = distances(source, target, (10, 10 if other == "step" else 20), edges == "periodic")
    weights = np.exp(-d / 20) - 0.1 * np.exp(-(d**2) / 800)
    within = d <= 21
    u = np.sin(1.7 * np.arange(d.shape[1]))
    np.testing.assert_array_equal(found["n"][-1], within.sum(1))
    np.testing.assert_allclose(found["L"][-1], (weights * within) @ u, rtol=1e-11)


ALONE = """
[population.a]
shape = [5, 5]
spacing = "0.1"
equations = "n : 1"
[projection.k]
from = "a"
to = "a"
connect = {{ rule = "kernel", cutoff = "0.3"{more} }}
equations = "n_post = 1 : 1 (summed)"
[record.a]
population = "a"
variables = ["n"]
"""


@pytest.mark.parametrize("more, itself", [("", 0), (", self = true", 1)])
def test_a_cutoff_of_whole_spacings_is_within_and_units_leave_themselves_out(
    tmp_path, more, itself
):
    """3*0.1 is above 0.3 in floating point."""
    found = outcome(tmp_path, ALONE.format(more=more), "numpy").records["a"].values["n"][-1]
    d = distances((5, 5), (5, 5), (1, 1), False)
    np.testing.assert_array_equal(found, (d <= 3).sum(1) - 1 + itself)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kernel_of_probabilities(tmp_path, backend):
    """The number of connections is within 5 standard deviations of its mean."""
    more = ', p = "exp(-distance/0.2)"'
    text = ALONE.format(more=more).replace("[5, 5]", "[12, 12]")
    counts = [
        outcome(tmp_path, text, backend, seed).records["a"].values["n"][-1].sum() for seed in (1, 2)
    ]
    d = distances((12, 12), (12, 12), (0.1, 0.1), False)
    chance = np.where((d < 0.301) & (d > 0), np.exp(-d / 0.2), 0)
    deviation = np.sqrt((chance * (1 - chance)).sum())
    assert counts[0] != counts[1]
    assert np.all(np.abs(np.array(counts) - chance.sum()) < 5 * deviation)


WITHIN = """
[population.n]
shape = [5, 6]
equations = '''
dU/dt = L/ms : 1
L : 1
'''
[population.n.initial]
U = "sin(1.7*i)"
[projection.k]
from = "n"
to = "n"
connect = { rule = "kernel", cutoff = "2.5", edges = "periodic" }
equations = "L_post = 0.1*exp(-distance)*(U_pre - U_post) : 1 (summed)"
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kernel_belongs_to_the_state_of_a_step(tmp_path, backend):
    """As every sum of a population over itself, it is taken again of the predicted state."""
    d = distances((5, 6), (5, 6), (1, 1), True)
    matrix = 0.1 * np.exp(-d) * ((d <= 2.5) & (d > 0))
    found = outcome(tmp_path, WITHIN, backend).final["n"]["U"]
    np.testing.assert_allclose(found, heun(matrix, np.sin(1.7 * np.arange(30))), rtol=1e-11)


GENERATOR = """
[parameters]
reach = "2"
[population.a]
size = 9
equations = "u : 1"
initial = {{ u = "sin(1.7*i)" }}
[population.b]
size = 7
equations = "L : 1"
[projection.g]
from = "a"
to = "b"
connect = {{ rule = "generator", j = "{j}" }}
equations = "L_post = u_pre : 1 (summed)"
[record.b]
population = "b"
variables = ["L"]
"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "text, made",
    [
        ("k for k in range(i - reach, i + reach + 1) if k != i", lambda i: range(i - 2, i + 3)),
        ("k + i for k in range(1, 6, 2) if u_pre > 0", lambda i: range(i + 1, i + 6, 2)),
        ("2*k for k in range(4)", lambda i: range(0, 8, 2)),
    ],
)
def test_a_generator(tmp_path, text, made, backend):
    u = np.sin(1.7 * np.arange(9))
    right = np.zeros(7)
    for i in range(9):
        for j in made(i):
            if 0 <= j < 7 and (j != i or "!=" not in text) and (u[i] > 0 or "u_pre" not in text):
                right[j] += u[i]
    found = outcome(tmp_path, GENERATOR.format(j=text), backend)
    np.testing.assert_allclose(found.records["b"].values["L"][-1], right, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "text", ["k for k in sample(N_post, size=3)", "k for k in sample(N_post, p=0.4)"]
)
def test_a_generator_that_draws(tmp_path, text, backend):
    model = GENERATOR.format(j=text).replace("u_pre :", "1 :").replace("size = 9", "size = 900")
    found = outcome(tmp_path, model, backend).records["b"].values["L"][-1].sum()
    if "size" in text:
        assert found == 2700
    else:
        assert abs(found - 0.4 * 6300) < 5 * np.sqrt(0.24 * 6300)


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_target_draws_its_sources(tmp_path, backend):
    """As many as it says, none of them twice."""
    model = GENERATOR.replace('j = "{j}"', 'i = "{i}"').replace("u_pre :", "2**i :")
    chosen = "k for k in sample(1, N_pre, size=3) if k != j"
    sums = outcome(tmp_path, model.format(i=chosen), backend).records["b"].values["L"][-1]
    sources = [{k for k in range(9) if int(total) >> k & 1} for total in sums]
    assert not any(0 in found or j in found for j, found in enumerate(sources))
    assert {len(found) for found in sources} == {2, 3} and len(set(sums)) > 2


@pytest.mark.parametrize(
    "backend", ["numpy", "fused", pytest.param("cpp", marks=pytest.mark.exhaustive)]
)
def test_a_lattice_of_one_site_has_no_neighbours(tmp_path, backend):
    text = """
[model]
dt = "0.1 ms"
duration = "1 ms"
integrator = "euler"
[population.c]
shape = [1, 1, 1]
equations = '''
dv/dt = (s - v)/ms : 1
s : 1
'''
initial = { v = "1" }
[projection.l]
from = "c"
to = "c"
connect = { rule = "lattice", neighbours = 26 }
equations = "s_post = v_pre : 1 (summed)"
"""
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    outcome = backends.get(backend).run(Request(load(tmp_path / "m.toml")))
    np.testing.assert_allclose(outcome.final["c"]["v"], 0.9**10, rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("low, high, step", [(0, 10**9, 1), (0, 10**9, 2), (3 - 10**9, 7, 1)])
def test_a_range_ends_where_the_units_do(tmp_path, backend, low, high, step):
    """Units count the sources whose ranges name them; without these ends that would take minutes."""
    text = f"""
[population.c]
size = 10
equations = '''
dn/dt = s/ms : 1
s : 1
'''
[projection.g]
from = "c"
to = "c"
connect = {{ rule = "generator", j = "k for k in range({low}, {high}, {step}) if k >= 2" }}
equations = "s_post = 1 : 1 (summed)"
"""
    found = outcome(tmp_path, text, backend).final["c"]["n"]
    right = [3.0 * (k >= 2 and k in range(low, high, step)) for k in range(10)]
    np.testing.assert_allclose(found, right, rtol=1e-12)
