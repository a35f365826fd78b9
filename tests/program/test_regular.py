"""Sums over regular synapses: runs of targets, equal to Brian2's runtime and, bit by bit, to the list of synapses."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, Synapses, collect, linked_var, ms
from program.lattices import neighbours
from program.test_zoo import different, states

from neuroglia_snn.emit import machine
from neuroglia_snn.program import regular, sharing
from neuroglia_snn.program.program import Sum, Update
from neuroglia_snn.program.regular import BLOCK, Runs, found
from neuroglia_snn.program.spread import Spread, in_parts


@pytest.fixture
def programs(monkeypatch) -> list:
    """Each compiled program."""
    kept: list = []
    plain = machine.source

    def source(program, single=False):
        kept.append(program)
        return plain(program, single)

    monkeypatch.setattr(machine, "source", source)
    return kept


def sums(program) -> list[str]:
    return [type(s).__name__ for s in program.steps if isinstance(s, Sum)]


def cube(dimensions: int, reach: int = 1) -> list[tuple[int, ...]]:
    every = itertools.product(range(-reach, reach + 1), repeat=dimensions)
    return [offset for offset in every if any(offset)]


def sides(dimensions: int) -> list[tuple[int, ...]]:
    return [offset for offset in cube(dimensions) if sum(map(abs, offset)) == 1]


UNITS = "dv/dt = (total + 0.1*other - v)/(5*ms) : 1\ntotal : 1\nother : 1\ngain : 1"
DIFFERENCE = "total_post = v_pre - v_post : 1 (summed)"


def units(size: int, **more) -> NeuronGroup:
    group = NeuronGroup(size, UNITS, method="euler", **more)
    group.v, group.gain = "sin(0.7*i)", "1 + 0.1*(i % 7)"
    return group


def lattice(shape, offsets, periodic, model=DIFFERENCE, order=None, **values) -> Network:
    group = units(int(np.prod(shape)))
    synapses = Synapses(group, group, model)
    around = (periodic,) * len(shape)
    i, j, numbers = neighbours(shape, offsets, around)
    if order is not None:
        places = order(i, j, numbers)
        i, j, numbers = i[places], j[places], numbers[places]
    synapses.connect(i=i, j=j)
    for name, value in values.items():
        setattr(synapses, name, value(numbers) if callable(value) else value)
    net = Network(collect())
    net.run(2 * ms)
    if hasattr(synapses, "w"):
        synapses.w = "-0.5*w"
    group.v[3] = 2
    net.run(1 * ms)
    return net


def between(sources: int, targets: int, model: str, rule: dict, **values) -> Network:
    """Another group drives units."""
    group, other = units(targets), units(sources)
    other.run_regularly("other = cos(v + i)")
    synapses = Synapses(other, group, model)
    synapses.connect(**rule)
    for name, value in values.items():
        setattr(synapses, name, value)
    net = Network(collect())
    net.run(3 * ms)
    return net


def _blocks() -> dict:
    """Each of 9 x 9 sources reaches a window of 4 x 4 of 28 x 28 targets; windows overlap."""
    row, col = np.divmod(np.arange(81), 9)
    inner = [(3 * row + y) * 28 + 3 * col + x for y in range(4) for x in range(4)]
    return {"i": np.repeat(np.arange(81), 16), "j": np.stack(inner, axis=1).ravel()}


def _in_parts() -> Network:
    """Synapses between parts of groups."""
    group, other = units(120), units(140)
    synapses = Synapses(other[20:], group[10:115], DIFFERENCE)
    synapses.connect("abs(i - j) <= 2")
    more = Synapses(group[30:60], group[50:80], "other_post = v_pre*gain_post : 1 (summed)")
    more.connect("i == j")
    net = Network(collect())
    net.run(2 * ms)
    return net


def _to_the_sources() -> Network:
    """A sum of what is at the other end."""
    group = units(90)
    synapses = Synapses(group, group, "other_pre = (v_post - v_post**3)*gain_pre : 1 (summed)")
    synapses.connect("j == i + 3 or j == i - 1")
    net = Network(collect())
    net.run(2 * ms)
    return net


WEIGHTED = "w : 1\ntotal_post = w*v_pre : 1 (summed)"
NUMBERED = "total_post = 0.001*i*v_pre - 0.001*j*v_post/N_incoming : 1 (summed)"
ONE_TO_ONE = {"condition": "i == j"}
REGULAR: dict[str, Callable[[], Network]] = {
    "a ring of four neighbours": lambda: lattice((2500,), cube(1, 2), True),
    "a chain of six": lambda: lattice((40,), cube(1, 3), False),
    "six neighbours": lambda: lattice((5, 9, 20), sides(3), False),
    "six around": lambda: lattice((5, 9, 20), sides(3), True),
    "eighteen": lambda: lattice((7, 8, 12), [o for o in cube(3) if sum(map(abs, o)) < 3], False),
    "twenty-six": lambda: lattice((6, 7, 16), cube(3), False),
    "twenty-six around": lambda: lattice((6, 7, 16), cube(3), True),
    "a kernel": lambda: lattice(
        (20, 50), cube(2, 2), False, WEIGHTED, w=lambda n: 0.1 * np.exp(-0.1 * n)
    ),
    "a kernel of places": lambda: lattice((20, 50), cube(2, 2), True, WEIGHTED, w="0.01*(i % 7)"),
    "a large kernel": lambda: lattice((30, 30), cube(2, 3), True, WEIGHTED, w=0.02),
    "numbers of units": lambda: lattice((8, 40), cube(2, 2), False, NUMBERED),
    "target by target": lambda: lattice(
        (8, 40), cube(2, 2), False, order=lambda i, j, n: np.lexsort((i, j))
    ),
    "offset by offset": lambda: lattice(
        (8, 40), cube(2, 2)[::-1], False, order=lambda i, j, n: np.lexsort((j, n))
    ),
    "in four dimensions": lambda: lattice((3, 4, 5, 12), sides(4), True),
    "one to one": lambda: between(900, 900, DIFFERENCE, ONE_TO_ONE),
    "one to one, weighted": lambda: between(900, 900, WEIGHTED, ONE_TO_ONE, w="0.1*i"),
    "one to all": lambda: between(1, 900, DIFFERENCE, {}),
    "a few to all": lambda: between(5, 900, WEIGHTED, {}, w="0.1*(j % 5)"),
    "coarse to fine": lambda: between(
        81, 784, "total_post = int(v_pre > 0.1)*exp(-v_pre) : 1 (summed)", _blocks()
    ),
    "parts": _in_parts,
    "to the sources": _to_the_sources,
}


def same_bits(one: dict, other: dict) -> bool:
    return set(one) == set(other) and all(np.array_equal(one[n], other[n]) for n in one)


@pytest.mark.one_in(30)
@pytest.mark.parametrize("name", REGULAR)
def test_runs_give_the_bits_of_the_list(name, programs, monkeypatch) -> None:
    make = REGULAR[name]
    ours = states(make, {"target": "cpp"})
    assert all(set(sums(program)) == {"Regular"} for program in programs)
    wrong = different(ours, states(make, None))
    assert not wrong, "\n".join(wrong)
    programs.clear()
    monkeypatch.setattr(regular, "LEAST", np.inf)
    listed = states(make, {"target": "cpp"})
    assert all(set(sums(program)) == {"Sum"} for program in programs)
    assert same_bits(ours, listed)


@pytest.mark.one_in(8)
@pytest.mark.parametrize("name", ["six around", "a kernel of places", "one to all"])
def test_threads_change_no_bit(name, programs, monkeypatch) -> None:
    monkeypatch.setattr(sharing, "WORTH", 1e-3)
    monkeypatch.setattr(regular, "BLOCK", 16)
    one = states(REGULAR[name], {"target": "cpp"})
    assert same_bits(one, states(REGULAR[name], {"target": "cpp", "threads": 2}))
    assert same_bits(one, states(REGULAR[name], {"target": "cpp", "threads": 3}))


def _learning() -> Network:
    """Weights change within the run."""
    group = units(300)
    synapses = Synapses(group, group, WEIGHTED)
    synapses.connect("abs(i - j) == 2")
    synapses.w = 0.1
    synapses.run_regularly("w *= 0.99")
    net = Network(collect())
    net.run(1 * ms)
    return net


def _learning_one_to_one() -> Network:
    """Weights change, and are in the order of the targets."""
    group, other = units(300), units(300)
    synapses = Synapses(other, group, WEIGHTED)
    synapses.connect("i == j")
    synapses.w = "0.1*i"
    synapses.run_regularly("w *= 0.99")
    net = Network(collect())
    net.run(1 * ms)
    return net


def _twice() -> Network:
    group, other = units(100), units(100)
    synapses = Synapses(other, group, DIFFERENCE)
    synapses.connect("i == j", n=2)
    net = Network(collect())
    net.run(1 * ms)
    return net


def _orders(i, j, n) -> np.ndarray:
    """The synapses of every other target backwards."""
    return np.lexsort((np.where(j % 2, i, -i), j))


LISTED: dict[str, tuple[Callable[[], Network], str]] = {
    "learning": (_learning, "synapses.*w may change within the run"),
    "twice": (_twice, "some pairs of units have several synapses"),
    "orders": (
        lambda: lattice((300,), cube(1, 2), True, order=_orders),
        "the synapses of different targets are in different orders",
    ),
    "nothing of the source": (
        lambda: lattice((300,), cube(1, 2), True, "total_post = 0.1*v_post : 1 (summed)"),
        "a synapse reads no sources",
    ),
    "random": (
        lambda: between(100, 100, DIFFERENCE, {"condition": "(i*37 + j*11) % 13 == 5"}),
        r"only 1\.\d targets beside each other",
    ),
}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", LISTED)
def test_what_is_not_regular_is_a_list_and_says_why(name, programs) -> None:
    make, reason = LISTED[name]
    ours = states(make, {"target": "cpp"})
    assert {"Sum"} == set(sums(programs[0]))
    (step,) = [s for s in programs[0].steps if isinstance(s, Sum)]
    assert re.search(reason, step.listed)
    assert f"one by one ({step.listed})" in regular.told(programs[0])
    wrong = different(ours, states(make, None))
    assert not wrong, "\n".join(wrong)


def test_a_sum_that_reads_itself_is_a_list(programs) -> None:
    """Brian2's own targets do not agree on it: its C++ reads sums as far as they are."""
    states(
        lambda: lattice((30,), cube(1), True, "total_post = v_pre - total_pre : 1 (summed)"),
        {"target": "cpp"},
    )
    (step,) = [s for s in programs[0].steps if isinstance(s, Sum)]
    assert type(step) is Sum and step.listed == "it reads its own result"


@pytest.mark.thorough
def test_weights_that_change_in_the_order_of_targets_are_read_in_place(programs) -> None:
    ours = states(_learning_one_to_one, {"target": "cpp"})
    assert sums(programs[0]) == ["Regular"]
    assert different(ours, states(_learning_one_to_one, None)) == []


@pytest.mark.thorough
def test_other_weights_and_other_sizes_compile_nothing() -> None:
    from brian2.devices.device import all_devices

    digests = set()
    for size, weight in ((300, 0.1), (400, "0.01*(i % 7)"), (400, "0.02*j")):

        def make(size=size, weight=weight):
            return lattice((size,), cube(1, 2), True, WEIGHTED, w=weight)

        states(make, {"target": "cpp"})
        digests.add(all_devices["neuroglia"].made.digest)
    assert len(digests) == 1


def test_the_log_says_how_sums_are_done(programs) -> None:
    states(REGULAR["six neighbours"], {"target": "cpp"})
    said = regular.told(programs[0])
    assert said.startswith("Sums over synapses: synapses") and "in runs of" in said
    assert "no part of one pass, as its synapses are not those of a lattice with 4 or 8" in said


def test_runs_hold_every_synapse_once() -> None:
    i, j, _ = neighbours((3, 40, 50), cube(3), (True, False, True))
    runs = found(i, j)
    assert isinstance(runs, Runs) and runs.apart == 1
    table = runs.table(runs.begin).reshape(-1, 4)
    pairs = [
        (source + n, first + n)
        for first, last, source, _ in table.tolist()
        for n in range(last - first)
    ]
    assert sorted(pairs) == sorted(zip(i.tolist(), j.tolist(), strict=True))
    assert (table[:, 0] // BLOCK == (table[:, 1] - 1) // BLOCK).all()
    assert runs.blocks()[-1] == len(table)


def test_of_many_synapses_a_block_is_tried_first(monkeypatch) -> None:
    monkeypatch.setattr(regular, "_MANY", 100)
    i, j, _ = neighbours((50, 60), cube(2), (False, True))
    assert isinstance(found(i, j), Runs)
    scattered = np.random.default_rng(1).permutation(3000)
    assert isinstance(found(scattered[i], j), str)
    i, j = (part.ravel() for part in np.mgrid[:40, :30])
    assert isinstance(found(i, j), Runs)  # all of them in one block


# ------------------------------------------------------------------------- values of sources


def _linked(code: str, sources: int = 10) -> Callable[[], Network]:
    def make() -> Network:
        source = NeuronGroup(sources, "x : 1\nn : integer\nscale : 1 (shared)")
        source.x, source.n, source.scale = "sin(i + 1)", "i % 4", 0.3
        source.run_regularly("x = 1.1*x - 0.1*x**3", when="start")
        group = NeuronGroup(
            200, "y : 1\nz : 1\nx : 1 (linked)\nn : integer (linked)\nscale : 1 (linked)"
        )
        index = np.arange(200) // 20
        group.x, group.n = (linked_var(source, v, index=index) for v in ("x", "n"))
        group.scale = linked_var(source, "scale")
        group.y = "0.01*i"
        group.run_regularly(code)
        net = Network(collect())
        net.run(1 * ms)
        source.scale = 0.7
        net.run(1 * ms)
        return net

    return make


CODE = {
    "y = exp(-x*x)*int(n >= 2) + y*0.5": 1,
    "inner = sin(x) + n\ny = inner*scale\nz = inner*y + exp(x)": 3,
    "y = (x + n)*y": 1,
    "y = x": 0,
    "y = y*x + n": 0,
    "y = x*(n // 2)": 0,
    "y = x*rand()*0 + exp(x)": 1,
}


@pytest.mark.one_in(9)
@pytest.mark.parametrize("code", CODE)
def test_what_depends_on_a_source_alone_is_worked_out_once(code, programs) -> None:
    make = _linked(code)
    ours = states(make, {"target": "cpp"})
    kernels = [s.kernel for s in programs[0].steps if isinstance(s, Update)]
    terms = {c.array for k in kernels for c in k.writes() if c.array.variable.name == "terms"}
    assert len(terms) == CODE[code]
    wrong = different(ours, states(make, None))
    assert not wrong, "\n".join(wrong)


# -------------------------------------------------------------------------- rows that are alike


def _finer(shape: tuple[int, int], size: int, gap: int = 0) -> np.ndarray:
    """The source of each unit of a lattice: each has a square of units, but for some."""
    row, col = np.indices(shape)
    found = (row // size * (shape[1] // size + 1) + col // size).ravel()
    if gap:
        found[::gap] = 0
    return found


@pytest.mark.one_in(7)
@pytest.mark.parametrize(
    ("index", "copied"),
    [
        (_finer((30, 40), 3), True),
        (_finer((31, 37), 4), True),
        (_finer((30, 40), 3, gap=7), False),
        (_finer((200, 3), 3), False),
        (np.zeros(400, int), False),
        (np.arange(400) % 40, True),
        (np.arange(400) // 40, False),
    ],
)
def test_rows_with_the_same_sources_are_copies(index, copied, programs) -> None:
    def make() -> Network:
        source = NeuronGroup(index.max() + 1, "x : 1")
        source.run_regularly("x = 0.9*x + i", when="start")
        group = NeuronGroup(len(index), "y : 1\nx : 1 (linked)")
        group.x = linked_var(source, "x", index=index)
        group.run_regularly("y = 2*x*exp(-x)")
        net = Network(collect())
        net.run(1 * ms)
        return net

    ours = states(make, {"target": "cpp"})
    assert any(isinstance(s, Spread) for s in programs[0].steps) == copied
    wrong = different(ours, states(make, None))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("index", [_finer((31, 37), 4), np.arange(400) % 40])
def test_parts_cover_all_units_and_copy_what_was_done(index) -> None:
    parts = in_parts(index)
    assert parts is not None
    made = np.full(len(index), -1)
    at = 0
    for first, last, back in parts.tolist():
        assert first == at and first < last
        made[first:last] = made[first - back : last - back] if back else index[first:last]
        assert not back or back >= last - first
        at = last
    assert at == len(index) and np.array_equal(made, index)
