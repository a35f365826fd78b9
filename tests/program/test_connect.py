"""`Synapses.connect` on our device: Brian2's synapses, and random ones of Brian2's distribution."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
from pathlib import Path

import brian2
import numpy as np
import pytest
from brian2 import NeuronGroup, Synapses, seed, start_scope
from brian2.utils.logger import catch_logs
from scipy import stats

import neuroglia_snn.brian  # noqa: F401
from neuroglia_snn.program.connect import Line, _repeats

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "connect.py"
ROWS, PLACES = 400, 1000
#: All tests of a distribution have fixed seeds and fail at this level.
LEVEL = 0.001


@pytest.fixture(autouse=True)
def quiet():
    """Brian2 says of each group that no network had it, which is what these tests are about."""
    with catch_logs():
        yield
        gc.collect()


@pytest.fixture
def device():
    start_scope()
    brian2.set_device("neuroglia")
    yield
    brian2.set_device("runtime")


def connected(
    rule: dict, part: bool = False, number: str | None = None, times: int = 1
) -> Synapses:
    """The synapses of a rule, on the device of now."""
    source = NeuronGroup(13, "x : 1\nv : 1", threshold="v > 1", reset="")
    target = NeuronGroup(17, "y : 1\nv : 1")
    source.x, target.y = "i*1.0", "(i % 5)*1.0"
    ends = (source[3:11], target[5:]) if part else (source, target)
    made = Synapses(*ends, "w : 1", multisynaptic_index=number)
    made.add_attribute("ends")
    made.ends = source, target  # which live as long as their synapses
    for _ in range(times):
        made.connect(**rule, namespace={"most": 3})
    return made


def arrays(made: Synapses) -> dict[str, np.ndarray]:
    names = ["_synaptic_pre", "_synaptic_post", "N_incoming", "N_outgoing", "N"]
    if made.multisynaptic_index:
        names.append(made.multisynaptic_index)
    return {name: np.array(made.variables[name].get_value()) for name in names}


def on_brian2(monkeypatch, make):
    """What ``make`` returns on Brian2's runtime in NumPy."""
    monkeypatch.setitem(brian2.prefs, "codegen.target", "numpy")
    brian2.set_device("runtime")
    try:
        return make()
    finally:
        brian2.set_device("neuroglia")


#: Of these conditions, pairs are found from what must be equal; the second half is tried pair by pair.
EQUAL = (
    "x_pre == y_post",
    "y_post == i",
    "x_pre == j",
    "i == j",
    "i != j and x_pre == y_post and j > 2",
    "x_pre == y_post or i == j",
    "not x_pre == y_post",
    "x_pre == v_pre",
    "x_pre + 1 == y_post",
    "(x_pre == y_post) == (i > 3)",
)
CERTAIN = [
    {},
    {"n": 2},
    {"n": 0},
    {"p": 0.0},
    {"p": 1.0},
    {"condition": "i != j"},
    {"condition": "i < 4"},
    {"condition": "i > 100"},
    {"condition": "N_pre > 2"},
    {"condition": "abs(i - j) < most"},
    {"condition": "j > i", "n": "i"},
    {"condition": "x_pre > y_post"},
    {"condition": "i//2 == j"},
    *({"condition": text} for text in EQUAL),
    {"condition": "sqrt((i - j)**2) < 2.5"},
    {"j": "i"},
    {"j": "i - 3 if i >= 3"},
    {"j": "5"},
    {"j": "i + 9", "skip_if_invalid": True},
    {"j": "k for k in range(i)"},
    {"j": "k for k in range(i, N_post, 2)"},
    {"j": "k for k in range(10, -1, -3)"},
    {"j": "k for k in range(10, i, -i - 1)"},
    {"j": "i + (-1)**k for k in range(2) if i > 0 and i < N_pre - 1"},
    {"j": "k + i for k in range(-2, 3)", "skip_if_invalid": True},
    {"j": "k for k in range(N_post) if int(x_pre) == k"},
    {"j": "k for k in sample(2, N_post, 3, p=1)"},
    {"j": "k for k in sample(N_post, size=0)"},
    {"j": "k for k in sample(N_post, size=100)", "skip_if_invalid": True},
    {"i": "j if j < N_pre"},
    {"i": "k for k in range(3) if x_pre > 1", "n": 2},
    {"i": "j - 2 for _ in range(2)", "skip_if_invalid": True},
    {"i": [1, 2, 2, 5], "j": [0, 3, 3, 2]},
    {"i": [1, 2, 2, 5], "j": [0, 3, 3, 2], "n": 2},
    {"i": 3, "j": 2},
]


@pytest.mark.one_in(6)
@pytest.mark.parametrize("number", [None, "k_of_pair"])
@pytest.mark.parametrize("part", [False, True])
def test_rules_without_chance_make_brian2s_synapses_in_brian2s_order(
    device, monkeypatch, part, number
):
    for rule in CERTAIN:
        ours = arrays(connected(rule, part, number, times=2))
        theirs = on_brian2(monkeypatch, lambda: arrays(connected(rule, part, number, times=2)))  # noqa: B023
        for name, values in theirs.items():
            assert ours[name].dtype == values.dtype, (rule, name)
            np.testing.assert_array_equal(ours[name], values, err_msg=f"{rule}: {name}")


def test_blocks_do_not_show(device, monkeypatch):
    rules = [
        {"condition": "i != j", "n": "j % 3"},
        {"j": "k + i for k in range(-2, 3) if y_post > 1", "skip_if_invalid": True},
        {"j": "k for k in range(10, i, -i - 1)"},
    ]
    whole = [arrays(connected(rule)) for rule in rules]
    monkeypatch.setattr("neuroglia_snn.program.connect._BLOCK", 7)
    monkeypatch.setattr("neuroglia_snn.program.connect._COUNTED", 5)
    for rule, before in zip(rules, whole, strict=True):
        for name, values in arrays(connected(rule)).items():
            np.testing.assert_array_equal(values, before[name], err_msg=f"{rule}: {name}")


def test_rules_that_brian2s_numpy_cannot_make(device):
    made = connected({"condition": "j % 3 == 0", "n": "j"})
    pairs = [(i, j) for i in range(13) for j in range(0, 17, 3) for _ in range(j)]
    assert list(zip(made.i, made.j, strict=True)) == pairs
    rule = {"j": "k + i for k in range(-2, 3) if y_post > 1", "skip_if_invalid": True}
    made = connected(rule)
    near = [(i, i + k) for i in range(13) for k in range(-2, 3)]
    pairs = [(i, j) for i, j in near if 0 <= j < 17 and j % 5 > 1]
    assert list(zip(made.i, made.j, strict=True)) == pairs


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    "rule",
    [
        {"j": "i - 1"},
        {"j": "i + 9"},
        {"j": "k + i for k in range(-2, 3)"},
        {"j": "k + i for k in range(-2, 3) if y_post > 1"},
        {"i": "j"},
        {"i": 3, "j": 100},
        {"j": "k for k in sample(N_post, size=100)"},
        {"j": "k for k in sample(N_post, size=-i)"},
        {"n": "-1"},
        {"j": "k for k in range(0, 5, 0)"},
    ],
)
def test_what_cannot_be_made_is_refused_as_brian2_does_and_leaves_nothing(
    device, monkeypatch, rule
):
    def error():
        with pytest.raises(Exception) as raised:
            connected(rule)
        first = raised.value
        while first.__cause__ is not None:
            first = first.__cause__
        return type(first), re.sub("neurongroup_?[0-9]*", "group", str(first))

    ours, theirs = error(), on_brian2(monkeypatch, error)
    assert ours[0] is theirs[0]
    if ours[0] is IndexError:
        assert ours[1] == theirs[1]
    made = connected({"i": 1, "j": 2})
    with pytest.raises((brian2.BrianObjectException, IndexError)):
        made.connect(**rule)
    assert len(made) == 1 and len(made.variables["_synaptic_pre"].get_value()) == 1
    made.connect(i=2, j=3)
    assert list(made.i) == [1, 2] and list(made.j) == [2, 3]


def test_a_function_of_the_script_is_called_for_one_source_at_a_time(device):
    @brian2.check_units(i=1, j=1, result=1)
    def near(i, j):
        return abs(i - j) < 2 if i > 3 else j < 0

    made = Synapses(*[NeuronGroup(8, "v : 1", threshold="v > 1", reset="")] * 2)
    made.connect(j="k for k in range(N_post) if near(i, k)", namespace={"near": near})
    pairs = [(i, j) for i in range(4, 8) for j in range(8) if abs(i - j) < 2]
    assert list(zip(made.i, made.j, strict=True)) == pairs


@pytest.mark.parametrize(
    "rule",
    [
        {"p": 0.3},
        {"p": 0.1},
        {"p": "0.1*x_pre"},
        {"condition": "i != j", "p": 0.2},
        {"condition": "rand() < 0.2"},
        {"p": "1/(1 + abs(i - j))"},
        {"j": "k for k in sample(N_post, size=3)"},
    ],
)
def test_a_seed_gives_the_same_synapses_again(device, rule):
    def pairs(number):
        seed(number)
        made = connected(rule)
        return list(zip(made.i, made.j, strict=True))

    assert pairs(1) == pairs(1) != pairs(2)


# -------------------------------------------------------------------------------- distributions


def drawn(
    method: str, *given, rows: int = ROWS, places: int = PLACES, number: int = 1
) -> np.ndarray:
    """The pairs that were drawn, as marks in a table of rows and places."""
    np.random.seed(number)
    line = Line(np.arange(rows), 0, places, 1)
    marks = np.zeros((rows, places), int)
    for row, place in getattr(line, method)(*given):
        np.add.at(marks, (row, place), 1)
        assert (np.diff(row * places + place) > 0).all()
    assert marks.max(initial=0) <= 1
    return marks


def surprises(marks: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """Probabilities of what is seen, or more, if each mark were independent with probability ``p``.

    The columns of ``p`` are equal.
    """
    p = np.broadcast_to(np.asarray(p, float).reshape(-1, 1), marks.shape)
    mean, variance = p.sum(), (p * (1 - p)).sum()
    rows = (marks - p).sum(1) ** 2 / (p * (1 - p)).sum(1)
    columns = (marks - p).sum(0) ** 2 / (p * (1 - p)).sum(0)
    normed = (marks - p) / np.sqrt(p * (1 - p))
    beside = [(normed[:, k:] * normed[:, :-k]).mean() for k in (1, 2, 7)]
    across = [(normed[k:] * normed[:-k]).mean() for k in (1, 2)]
    size = np.sqrt(marks.size)
    return {
        "count": 2 * stats.norm.sf(abs(marks.sum() - mean) / np.sqrt(variance)),
        "rows": stats.chi2.sf(rows.sum(), len(rows)),
        "spread of rows": stats.chi2.cdf(rows.sum(), len(rows)),
        "columns": stats.chi2.sf(columns.sum(), len(columns)),
        "spread of columns": stats.chi2.cdf(columns.sum(), len(columns)),
        **{f"beside {n}": 2 * stats.norm.sf(abs(c) * size) for n, c in enumerate(beside)},
        **{f"across {n}": 2 * stats.norm.sf(abs(c) * size) for n, c in enumerate(across)},
    }


def unlikely(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value < LEVEL / len(found)}


@pytest.mark.parametrize("p", [0.001, 0.02, 0.1, 0.2499, 0.25, 0.6, 0.98])
def test_pairs_are_independent_trials(p):
    assert unlikely(surprises(drawn("trials", p), p)) == {}


@pytest.mark.parametrize("most", [0.2, 0.9])
def test_trials_of_a_probability_for_each_source(most):
    for p in (np.linspace(0.01, most, ROWS), np.where(np.arange(ROWS) % 60 == 5, most, 0.01)):
        assert unlikely(surprises(drawn("trials", p), p)) == {}
    p[:200] = 0
    assert drawn("trials", p)[:200].sum() == 0


def test_other_distributions_are_seen():
    marks = drawn("trials", 0.1)
    assert "count" in unlikely(surprises(marks, 0.104))
    assert "rows" in unlikely(surprises(drawn("trials", np.linspace(0.08, 0.12, ROWS)), 0.1))
    assert "spread of rows" in unlikely(surprises(drawn("samples", 100, False), 0.1))
    assert "beside 0" in unlikely(surprises(marks | np.roll(marks, 1, axis=1), 0.19))
    assert "across 0" in unlikely(surprises(marks | np.roll(marks, 1, axis=0), 0.19))


def test_distances_are_geometric():
    distances = np.diff(np.flatnonzero(drawn("trials", 0.02, rows=2000)))
    most = 400
    seen = np.bincount(np.minimum(distances, most), minlength=most + 1)[1:]
    expected = 0.02 * 0.98 ** np.arange(most)
    expected[-1] = 0.98 ** (most - 1)
    assert stats.chisquare(seen, expected * seen.sum()).pvalue > LEVEL


@pytest.mark.parametrize("p", [0.0, -0.5, np.nan, 1e-300, 1.0, 1.5])
def test_probabilities_at_and_out_of_their_range(p):
    assert drawn("trials", p, rows=5, places=2000).sum() == (5 * 2000 if p >= 1 else 0)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_all_subsets_are_equally_probable(size):
    marks = drawn("samples", size, False, rows=30_000, places=5)
    assert (marks.sum(1) == size).all()
    _, seen = np.unique(marks @ 2 ** np.arange(5), return_counts=True)
    assert len(seen) == [5, 10, 10, 5][size - 1]
    assert stats.chisquare(seen).pvalue > LEVEL


@pytest.mark.parametrize("size", [1, 30, 499, 501, 970])
def test_large_subsets_have_their_size_and_no_preference(size):
    marks = drawn("samples", size, False)
    assert (marks.sum(1) == size).all()
    p = size / PLACES
    columns = ((marks.sum(0) - ROWS * p) ** 2 / (ROWS * p * (1 - p))).sum() * (PLACES - 1) / PLACES
    assert LEVEL < stats.chi2.sf(columns, PLACES - 1) < 1 - LEVEL


def test_subsets_of_a_size_for_each_source():
    sizes = np.arange(ROWS) * 2
    np.random.default_rng(0).shuffle(sizes)
    np.testing.assert_array_equal(drawn("samples", sizes, False).sum(1), sizes)


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ({"p": 0.02}, 10_000),
        ({"condition": "i != j", "p": 0.3}, 10_000),
        ({"j": "k for k in sample(0, N_post, 3, p=0.1)"}, 10_000),
    ],
)
def test_what_connect_makes_has_brian2s_distribution(device, monkeypatch, rule, count):
    def made():
        seed(5)
        group = NeuronGroup(1000, "v : 1", threshold="v > 1", reset="")
        synapses = Synapses(group, group)
        synapses.connect(**rule)
        seen = synapses.i, synapses.j, synapses.N_outgoing_pre, synapses.N_incoming_post
        return [np.array(values[:]) for values in seen]

    ours, theirs = made(), on_brian2(monkeypatch, made)
    assert not np.array_equal(ours[1], theirs[1])
    spread = np.sqrt(len(ours[0]) + len(theirs[0]))
    assert abs(len(ours[0]) - len(theirs[0])) < stats.norm.isf(LEVEL / 2) * spread
    for mine, others in zip(ours, theirs, strict=True):
        assert stats.ks_2samp(mine, others).pvalue > LEVEL


# ------------------------------------------------------------------------------------ the rest


def test_synapses_of_a_pair_are_numbered():
    random = np.random.default_rng(0)
    for pre, post in (random.integers(0, 4, (2, 200)), np.sort(random.integers(0, 4, (2, 200)))):
        seen: dict[tuple[int, int], int] = {}
        for pair, number in zip(zip(pre, post, strict=True), _repeats(pre, post), strict=True):
            assert number == seen.get(pair, 0)
            seen[pair] = number + 1
    assert list(_repeats(np.array([0, 0, 1]), np.array([0, 0, 1]))) == [0, 1, 0]
    assert len(_repeats(np.zeros(0, int), np.zeros(0, int))) == 0


@pytest.mark.thorough
def test_a_hundred_million_static_synapses_fit_in_eight_gibibytes():
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--one", "large"], capture_output=True, text=True, check=True
    )
    seen = json.loads(done.stdout.splitlines()[-1])
    assert 99e6 < seen["synapses"] < 101e6
    assert seen["peak"] < 8 * 1024
