"""Sums over connections: one network has one result, however its links and expressions are written.

The right values come from loops written out here, which know nothing of rules or backends.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import backends
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.catalog.load import load

ROWS, COLUMNS = 6, 7
SIZE = ROWS * COLUMNS
STEP, STEPS, D = 0.1, 30, 1.5  # ms, steps, 1/ms
START = np.sin(1.7 * np.arange(SIZE)) + np.arange(SIZE) % 3

HEAD = """
[model]
integrator = "heun"
noise = "stratonovich"
dt = "0.1 ms"
duration = "3 ms"
[parameters]
D = "1.5/ms"
one = "1"
nr = "6"
nc = "7"
[table.wave]
values = ["1", "0.5", "2", "1.5"]
dt = "0.7 ms"
"""


def links(reach: int = 4, periodic: bool = False) -> list[tuple[int, int]]:
    """(source, target) of a lattice, site by site."""
    found = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    distance = abs(down) + abs(right)
                    if distance == 0 or (reach == 4 and distance == 2):
                        continue
                    r, c = row + down, column + right
                    if periodic:
                        r, c = r % ROWS, c % COLUMNS
                    if 0 <= r < ROWS and 0 <= c < COLUMNS:
                        found.append((r * COLUMNS + c, row * COLUMNS + column))
    return found


def matrix(pairs: list[tuple[int, int]]) -> np.ndarray:
    """What the sum of ``U_pre - U_post`` over these links is of U."""
    made = np.zeros((SIZE, SIZE))
    for source, target in pairs:
        made[target, source] += 1
        made[target, target] -= 1
    return made


def heun(total: Callable[[np.ndarray, float], np.ndarray], scale: float = D) -> np.ndarray:
    """U after the run, where dU/dt = scale*total(U, t) and the total belongs to the state."""
    u = START.copy()
    for n in range(STEPS):
        k1 = STEP * scale * total(u, n * STEP)
        k2 = STEP * scale * total(u + k1, (n + 1) * STEP)
        u = u + (k1 + k2) / 2
    return u


def held(total: Callable[[np.ndarray], np.ndarray], every: int = 1) -> np.ndarray:
    """U after the run, where the total is taken every so many steps and held."""
    u, taken = START.copy(), np.zeros(SIZE)
    for n in range(STEPS):
        if n % every == 0:
            taken = total(u)
        u = u + STEP * D * taken
    return u


def standing(total: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """U after the run, where the total is of the state, times an input of the step's beginning."""
    u = START.copy()
    for n in range(STEPS):
        scale = STEP * 0.2 * D * (1 + n * STEP)
        k1 = scale * total(u)
        u = u + (k1 + scale * total(u + k1)) / 2
    return u


def population(name: str, rate: str = "D*L", more: str = "", extra: str = "") -> str:
    return f"""
[population.{name}]
shape = [{ROWS}, {COLUMNS}]
{extra}
equations = '''
dU/dt = {rate} : 1
L : 1
{more}
'''
initial.U = "sin(1.7*i) + (i % 3)"
"""


def projection(name: str, ends: str | tuple[str, str], connect: str, sums: str, extra: str = ""):
    source, target = (ends, ends) if isinstance(ends, str) else ends
    return f"""
[projection.{name}]
from = "{source}"
to = "{target}"
connect = {{ {connect} }}
equations = '''
{sums}
'''
{extra}
"""


def pairs(found: list[tuple[int, int]]) -> str:
    return f'rule = "pairs", pairs = {[list(pair) for pair in found]}'


LATTICE = 'rule = "lattice", neighbours = 4'
NEAR = "(abs(i//nc - j//nc) + abs(i%nc - j%nc) == 1)"
PERIODIC = (
    "(i//nc == j//nc and (abs(i%nc - j%nc) == 1 or abs(i%nc - j%nc) == nc-1))"
    " or (i%nc == j%nc and (abs(i//nc - j//nc) == 1 or abs(i//nc - j//nc) == nr-1))"
)
SUM = "L_post = (U_pre - U_post) : 1 (summed)"
TIMED = "L_post = cos(t/ms)*wave(t)*(U_pre - U_post) : 1 (summed)"


def simple(connect: str, sums: str = SUM, of_projection: str = "", **of_population: str):
    """A population that is coupled to itself by one projection."""
    return lambda n: (
        population(n, **of_population) + projection(f"p_{n}", n, connect, sums, of_projection)
    )


def fed(connect: str, sums: str):
    """A population that is coupled to itself, times what another one gives it."""
    return lambda n: (
        population(n, rate="0.2*D*L", more="K : 1")
        + projection(f"p_{n}", n, connect, sums)
        + f"[population.clock_{n}]\nsize = 1\nequations = 'dx/dt = 1/ms : 1'\n"
        + projection(
            f"a_{n}",
            (f"clock_{n}", n),
            f"rule = 'pairs', pairs = {[[0, m] for m in range(SIZE)]}",
            "K_post = 1 + x_pre : 1 (summed)",
        )
    )


def chained(first: str, second: str):
    """K is the sum over the lattice, and L takes it over."""
    return lambda n: (
        population(n, more="K : 1")
        + projection(f"{first}_{n}", n, LATTICE, SUM.replace("L_", "K_"))
        + projection(f"{second}_{n}", n, 'rule = "one-to-one"', "L_post = K_pre : 1 (summed)")
    )


def two_ways(n: str) -> str:
    """Links along rows and links along columns, in two projections."""
    along = [(a, b) for a, b in links() if a // COLUMNS == b // COLUMNS]
    across = [(a, b) for a, b in links() if a // COLUMNS != b // COLUMNS]
    return (
        population(n, rate="D*(L + M)", more="M : 1")
        + projection(f"p_{n}", n, pairs(along), SUM)
        + projection(f"a_{n}", n, pairs(across), SUM.replace("L_", "M_"))
    )


ALL = links(8)
#: Kinds of networks: what the right result is, and ways to write them. Those in `FUSED` are for our loop too.
NETWORKS: dict[str, tuple[Callable[[], np.ndarray], dict[str, Callable[[str], str]]]] = {
    "four neighbours": (
        lambda: heun(lambda u, t: matrix(links()) @ u),
        {
            "lattice": simple(LATTICE),
            "no_post": simple(LATTICE, "L_post = (U_pre - U) : 1 (summed)"),
            "definition": simple(
                LATTICE, "d = U_pre - W_post : 1\nL_post = d : 1 (summed)", more="W = U : 1"
            ),
            "definitions": simple(LATTICE, "L_post = W_pre - W : 1 (summed)", more="W = U : 1"),
            "parameter": simple(LATTICE, "L_post = one*(U_pre - U_post) : 1 (summed)"),
            "of_units": simple(
                LATTICE,
                "L_post = g_pre*(U_pre - U_post)/g : 1 (summed)",
                more="g : 1 (constant)",
                extra="initial.g = '2'",
            ),
            "factor": simple(LATTICE, "L_post = (1 + 0*i_post)*(U_pre - U_post) : 1 (summed)"),
            "of_synapses": simple(
                LATTICE, "g : 1\nL_post = g*(U_pre - U_post) : 1 (summed)", "initial.g = '1'"
            ),
            "pairs": simple(pairs(links())),
            "condition": simple(f'rule = "condition", condition = "{NEAR}"'),
            "everyone": simple('rule = "all"', f"L_post = int{NEAR}*(U_pre - U) : 1 (summed)"),
            "two_ways": two_ways,
            "through_another": chained("a", "b"),
        },
    ),
    "eight neighbours": (
        lambda: heun(lambda u, t: matrix(ALL) @ u, 0.5 * D),
        {
            "lattice8": simple('rule = "lattice", neighbours = 8', rate="0.5*D*L"),
            "pairs8": simple(pairs(ALL), rate="0.5*D*L"),
        },
    ),
    "periodic": (
        lambda: heun(lambda u, t: matrix(links(periodic=True)) @ u),
        {
            "periodic": simple(f'rule = "condition", condition = "{PERIODIC}"'),
            "periodic_pairs": simple(pairs(links(periodic=True))),
        },
    ),
    "in time": (
        lambda: heun(
            lambda u, t: (
                np.cos(t) * (1, 0.5, 2, 1.5)[min(int(t / 0.7 + 1e-9), 3)] * (matrix(links()) @ u)
            ),
            0.4 * D,
        ),
        {
            "timed": simple(LATTICE, TIMED, rate="0.4*D*L"),
            "timed_pairs": simple(pairs(links()), TIMED, rate="0.4*D*L"),
        },
    ),
    "with another input": (
        lambda: standing(lambda u: matrix(links()) @ u),
        {
            "stands": fed(LATTICE, "L_post = K_post*(U_pre - U_post) : 1 (summed)"),
            "stands_pre": fed(LATTICE, "L_post = K_pre*(U_pre - U) : 1 (summed)"),
            "stands_pairs": fed(pairs(links()), "L_post = K*(U_pre - U_post) : 1 (summed)"),
        },
    ),
    "to itself": (
        lambda: heun(lambda u, t: -u),
        {
            "itself": simple('rule = "one-to-one"', "L_post = -U_pre : 1 (summed)"),
            "itself_pairs": simple(
                pairs([(n, n) for n in range(SIZE)]), "L_post = -U : 1 (summed)"
            ),
        },
    ),
    "in part": (
        lambda: heun(lambda u, t: np.append(u[7:14] - u[:7], np.zeros(SIZE - 7))),
        {
            "part": lambda n: (
                population(n)
                + projection(f"p_{n}", (f"{n}[7:14]", f"{n}[0:7]"), 'rule = "one-to-one"', SUM)
            ),
            "part_pairs": simple(pairs([(n + 7, n) for n in range(7)])),
        },
    ),
    "on a slower clock": (
        lambda: held(lambda u: matrix(links()) @ u / 2, 2),
        {
            "slow": simple(LATTICE, SUM, "dt = '0.2 ms'", rate="0.5*D*L"),
            "slow_pairs": simple(pairs(links()), SUM, "dt = '0.2 ms'", rate="0.5*D*L"),
            "slow_condition": simple(
                f'rule = "condition", condition = "{NEAR}"', SUM, "dt = '0.2 ms'", rate="0.5*D*L"
            ),
        },
    ),
    "with Euler": (
        lambda: held(lambda u: matrix(links()) @ u / 2),
        {
            "euler": simple(LATTICE, rate="0.5*D*L", extra="integrator = 'euler'"),
            "euler_pairs": simple(pairs(links()), rate="0.5*D*L", extra="integrator = 'euler'"),
        },
    ),
}


def model(folder: Path, text: str):
    file = folder / "model.toml"
    file.write_text(HEAD + text)
    return load(str(file))


def run(folder: Path, text: str, backend: str) -> Outcome:
    return backends.get(backend).run(Request(model(folder, text)))


#: Its C++ compiles for a minute or so.
THOROUGH_CPP = pytest.param("cpp", marks=pytest.mark.thorough)
#: Of these, one for each way in which Brian2 takes a sum: C++ compiles slowly.
COMPILED = {
    "no_post",
    "condition",
    "of_synapses",
    "two_ways",
    "timed_pairs",
    "part",
    "slow_condition",
}
#: What each backend runs here.
WRITTEN = {
    backend: {
        name: (right, write)
        for right, ways in NETWORKS.values()
        for name, write in ways.items()
        if backend != "cpp" or name in COMPILED
    }
    for backend in ("numpy", "fused", "cpp")
}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("backend", ["numpy", "fused", THOROUGH_CPP])
def test_a_network_has_one_result_however_it_is_written(tmp_path, backend):
    text = "".join(write(name) for name, (_, write) in WRITTEN[backend].items())
    outcome = run(tmp_path, text, backend)
    for name, (right, _) in WRITTEN[backend].items():
        expected, found = right(), outcome.final[name]["U"]
        assert np.abs(expected - START).max() > 0.1
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10, err_msg=name)


# ---------------------------------------------------------------------------- order

CHAIN_RULES = {
    "condition": 'rule = "condition", condition = "i == j"',
    "one-to-one": 'rule = "one-to-one"',
    "pairs": "rule = 'pairs', pairs = [[0, 0], [1, 1], [2, 2]]",
}


def chains(rules: tuple[str, ...]) -> tuple[str, dict[str, float]]:
    """Sums of sums in one population, and their values after five steps of 1 ms.

    In order of their projections' names, whatever stands first in the file: a sum that reads
    another one that comes after it reads that one's last value.
    """
    variables, projections, right = [], [], {}
    for n, (first, second) in enumerate((a, b) for a in rules for b in rules):
        for turned in (False, True):
            x, y = f"x{n}{turned:d}", f"y{n}{turned:d}"
            names = (f"m_{n}", f"k_{n}") if turned else (f"a_{n}", f"b_{n}")
            variables += [x, y]
            made = [
                projection(names[0], "n", CHAIN_RULES[first], f"{x}_post = u_pre : 1 (summed)"),
                projection(names[1], "n", CHAIN_RULES[second], f"{y}_post = {x}_pre : 1 (summed)"),
            ]
            projections += made if n % 2 else reversed(made)
            right |= {x: 4, y: 3 if turned else 4}
    both = (
        "b2_post = a2_pre : 1 (summed)\na2_post = u_pre : 1 (summed)\nc2_post = d2_pre : 1 (summed)"
    )
    both += "\nd2_post = u_pre : 1 (summed)"
    projections.append(projection("z", "n", CHAIN_RULES[rules[-1]], both))
    right |= {"a2": 4, "b2": 4, "d2": 4, "c2": 3}
    declared = "\n".join(f"{v} : 1" for v in (*variables, "a2", "b2", "c2", "d2"))
    text = f"""
[model]
integrator = "euler"
dt = "1 ms"
duration = "5 ms"
[population.n]
size = 3
equations = '''
du/dt = 1/ms : 1
{declared}
'''
"""
    return text + "".join(projections), right


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("backend", "rules"),
    [
        ("numpy", ("condition", "one-to-one", "pairs")),
        ("cpp", ("condition", "one-to-one")),
        ("fused", ("condition", "one-to-one", "pairs")),
    ],
)
def test_sums_of_sums_come_in_the_order_of_names_whatever_the_rules(tmp_path, backend, rules):
    text, right = chains(rules)
    file = tmp_path / "chain.toml"
    file.write_text(text)
    outcome = backends.get(backend).run(Request(load(str(file))))
    found = {name: set(outcome.final["n"][name]) for name in right}
    assert found == {name: {float(value)} for name, value in right.items()}


# ----------------------------------------------------------------------- refractory

CELLS = """
[model]
integrator = "heun"
noise = "stratonovich"
dt = "0.1 ms"
duration = "12 ms"
"""
CELL = """
[population.{name}]
shape = [5, 5]
equations = '''
dv/dt = (I - v + L)/ms : 1 (unless refractory)
dw/dt = (v - w)/ms : 1
L : 1
I : 1 (constant)
'''
threshold = "v > 1"
reset = "v = 0"
refractory = "1.5 ms"
[population.{name}.initial]
v = "0.03*i"
I = "1.1 + 0.05*(i % 7)"
[record.of_{name}]
population = "{name}"
events = true
"""
NEAR_5 = "abs(i//5 - j//5) + abs(i%5 - j%5) == 1"
COUPLED = "L_post = (v_pre - v_post) : 1 (summed)"


def cells(coupled: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """v, w and the number of spikes of cells of which the refractory ones stand still, for all."""
    place = np.arange(25)
    near = np.abs(place[:, None] // 5 - place // 5) + np.abs(place[:, None] % 5 - place % 5) == 1
    total = (near - np.diag(near.sum(axis=1))) * coupled
    v, w, current = 0.03 * place, np.zeros(25), 1.1 + 0.05 * (place % 7)
    free_from, spikes = np.zeros(25, int), 0
    for step in range(120):
        free = step >= free_from
        v1 = v + 0.1 * free * (current - v + total @ v)
        w1 = w + 0.1 * (v - w)
        v2 = v + 0.1 * free * (current - v1 + total @ v1)
        w2 = w + 0.1 * (v1 - w1)
        v, w = (v1 + v2) / 2, (w1 + w2) / 2
        fired = (v > 1) & free
        v[fired], free_from[fired] = 0, step + 15
        spikes += fired.sum()
    return v, w, spikes


@pytest.mark.parametrize("backend", ["numpy", THOROUGH_CPP])
def test_who_is_refractory_is_predicted_to_stand_still(tmp_path, backend):
    text = CELLS + "".join(CELL.format(name=name) for name in ("lattice", "condition", "alone"))
    text += projection("p", "lattice", LATTICE, COUPLED)
    text += projection("q", "condition", f'rule = "condition", condition = "{NEAR_5}"', COUPLED)
    file = tmp_path / "cells.toml"
    file.write_text(text)
    model = load(str(file))
    outcome = backends.get(backend).run(Request(model))
    for name in model.populations:
        v, w, spikes = cells(coupled=name != "alone")
        assert spikes > 20
        assert len(outcome.events[f"of_{name}"][0]) == spikes
        np.testing.assert_allclose(outcome.final[name]["v"], v, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(outcome.final[name]["w"], w, rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------------------- integers


@pytest.mark.parametrize("backend", ["numpy", THOROUGH_CPP, "fused"])
def test_quotients_and_means_of_integers_are_in_double_precision(tmp_path, backend):
    file = tmp_path / "integers.toml"
    file.write_text("""
[model]
integrator = "euler"
dt = "1 ms"
duration = "3 ms"
[population.n]
size = 3
equations = '''
du/dt = k/three/second : 1
k : integer
three : integer (constant)
q = k/three : 1
'''
threshold = "True"
reset = "k += 100"
initial = { k = "i", three = "3", u = "(i + 1)/3" }
[record.mean]
population = "n"
variables = ["k", "q"]
every = "1 ms"
reduce = "mean"
[population.one]
size = 7
equations = '''
dv/dt = 0/second : 1
k : integer
'''
initial = { k = "33554432 + int(i == 0)" }
[record.large]
population = "one"
variables = ["k"]
every = "1 ms"
reduce = "mean"
""")
    outcome = backends.get(backend).run(Request(load(str(file))))
    mean = outcome.records["mean"].values
    np.testing.assert_allclose(mean["k"].ravel(), [1, 101, 201], rtol=1e-15)
    np.testing.assert_allclose(mean["q"].ravel(), [1 / 3, 101 / 3, 201 / 3], rtol=1e-15)
    large = outcome.records["large"].values["k"].ravel()
    np.testing.assert_allclose(large, 33554432 + 1 / 7, rtol=1e-15)
    right = np.arange(1, 4) / 3 + 1e-3 * (3 * np.arange(3) + 300) / 3
    np.testing.assert_allclose(outcome.final["n"]["u"], right, rtol=1e-15)
