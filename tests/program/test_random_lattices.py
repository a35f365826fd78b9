"""Hypothesis makes lattices: any shape, edges, neighbours and order of kernels, as on Brian2's runtime."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, linked_var, ms
from hypothesis import strategies as st
from program.lattices import neighbours
from program.random_cases import a_few, a_hundred
from program.test_zoo import different, states

import neuroglia_snn.brian  # noqa: F401
from neuroglia_snn.program.lattice import Lattice

OFFSETS = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)]
RATES = (
    "(v - v**3/3 - w + total)/(2*ms)",
    "(clip(v, -1, 1) - w + 0.5*total*(1 - v*v))/(3*ms)",
    "(total - v)/(4*ms)",
)
RESETS = ("v = -0.5", "v -= 0.4; w += 0.05", "count += 1", "w = v; v = 0.1*count; count += 1")
#: Statements between or after the state update, by their place in a step.
REGULAR = (
    ("w = 0.9*w + 0.1*total", "groups", 1),
    ("drive = 0.99*drive + 0.001*w", "before_groups", 0),
    ("w = clip(w, -2, 2)", "after_resets", 0),
    ("count = (count + 1) % 7", "end", 0),
)


@st.composite
def lattices(draw):
    """All choices of a network on a lattice, so that it can be made again."""
    return {
        "shape": (draw(st.integers(1, 40)), draw(st.integers(1, 40))),
        "periodic": (draw(st.booleans()), draw(st.booleans())),
        "offsets": draw(st.lists(st.sampled_from(OFFSETS), min_size=1, max_size=8, unique=True)),
        "linked": draw(st.booleans()),
        "difference": draw(st.booleans()),
        "rate": draw(st.sampled_from(RATES)),
        "reset": draw(st.sampled_from((None, *RESETS))),
        "regular": draw(st.lists(st.sampled_from(REGULAR), unique=True)),
        "recorded": draw(st.sampled_from(("start", "groups", "end"))),
        "every": draw(st.integers(1, 5)),
        "runs": draw(st.lists(st.integers(0, 25), min_size=1, max_size=3)),
    }


def build(choice) -> Network:
    shape = Lattice(*choice["shape"], choice["periodic"])
    rows, cols = choice["shape"]
    names = {f"beside_{k}": offset for k, offset in enumerate(choice["offsets"])}
    term = "({0} - v)" if choice["difference"] else "0.2*{0}"
    links = "\n".join(f"{n} : 1 (linked)" for n in names) if choice["linked"] else ""
    total = " + ".join(term.format(n) for n in names)
    group = NeuronGroup(
        rows * cols,
        f"""dv/dt = {choice["rate"]} + drive/ms : 1
        dw/dt = (v + 0.7 - 0.8*w)/(25*ms) : 1
        drive : 1
        count : integer
        total{f" = {total}" if choice["linked"] else ""} : 1
        {links}""",
        method="euler",
        threshold="v > 0.8" if choice["reset"] else None,
        reset=choice["reset"],
        name="sheet",
    )
    parts: list[object] = [group]
    for name, offset in names.items() if choice["linked"] else ():
        setattr(group, name, linked_var(group, "v", index=shape.neighbours(offset)))
    if not choice["linked"]:
        parts.append(_synapses(group, shape, choice))
    group.v, group.w = "sin(0.7*i)", "0.3*cos(0.4*i)"
    group.drive = "0.05*(i % 5)"
    for number, (code, when, order) in enumerate(choice["regular"]):
        group.run_regularly(code, when=when, order=order, name=f"regular_{number}")
    if choice["reset"]:
        parts.append(SpikeMonitor(group, name="spikes"))
    parts.append(
        StateMonitor(
            group,
            ["v", "w"],
            record=[0, rows * cols - 1],
            dt=choice["every"] * 0.1 * ms,
            when=choice["recorded"],
            name="traces",
        )
    )
    network = Network(parts)
    for steps in choice["runs"]:
        network.run(steps * 0.1 * ms)
        group.drive = group.drive * 0.9
    return network


def _synapses(group: NeuronGroup, shape: Lattice, choice) -> Synapses:
    term = "v_pre - v_post" if choice["difference"] else "0.2*v_pre"
    synapses = Synapses(group, group, f"total_post = {term} : 1 (summed)", name="beside")
    rows, cols = choice["shape"]
    pairs = []
    for unit in range(rows * cols):
        for offset in choice["offsets"]:
            row, col = unit // cols + offset[0], unit % cols + offset[1]
            row, col = (
                x % n if around else x
                for x, n, around in zip((row, col), (rows, cols), choice["periodic"], strict=True)
            )
            if 0 <= row < rows and 0 <= col < cols:
                pairs.append((row * cols + col, unit))
    if not pairs:
        pairs = [(0, 0)]  # Brian2's NumPy code cannot do without any synapse
    synapses.connect(i=[i for i, _ in pairs], j=[j for _, j in pairs])
    return synapses


#: What a synapse adds; ``w`` is its own value.
VALUES = (
    "v_pre - v_post",
    "0.1*v_pre",
    "w*v_pre",
    "0.1*int(v_pre > 0.2)*exp(-v_pre*v_pre)*drive_post",
    "(w*v_pre + 0.001*i)/N_incoming",
)
#: Synapses in the order of their sources, of their targets, of their offsets or in none.
ORDERS = (
    lambda i, j, n, random: np.arange(len(i)),
    lambda i, j, n, random: np.lexsort((i, j)),
    lambda i, j, n, random: np.lexsort((j, n)),
    lambda i, j, n, random: random.permutation(len(i)),
)


@st.composite
def edges(draw):
    """All choices of synapses at regular distances: of one to three dimensions, or between two groups."""
    dimensions = draw(st.integers(1, 3))
    most = {1: 400, 2: 40, 3: 14}[dimensions]
    reach = draw(st.integers(1, 3 if dimensions < 3 else 1))
    offsets = list(product(range(-reach, reach + 1), repeat=dimensions))
    return {
        "shape": tuple(draw(st.integers(1, most)) for _ in range(dimensions)),
        "periodic": tuple(draw(st.booleans()) for _ in range(dimensions)),
        "offsets": draw(st.lists(st.sampled_from(offsets), min_size=1, max_size=30, unique=True)),
        "kind": draw(st.sampled_from(("lattice", "lattice", "two lattices", "finer", "few"))),
        "finer": draw(st.integers(1, 6)),
        "missing": draw(st.integers(0, 3)),
        "value": draw(st.sampled_from(VALUES)),
        "weight": draw(st.sampled_from(("offset", "place", "one"))),
        "learning": draw(st.booleans()),
        "order": draw(st.integers(0, len(ORDERS) - 1)),
        "seed": draw(st.integers(0, 99)),
        "threads": draw(st.sampled_from((1, 1, 2))),
    }


def between(choice) -> tuple[int, int, np.ndarray, np.ndarray, np.ndarray]:
    """How many sources and targets there are, and the synapses with the numbers of their offsets."""
    size = int(np.prod(choice["shape"]))
    if choice["kind"] == "finer":
        j = np.arange(size * choice["finer"])
        return size, len(j), j // choice["finer"], j, j % 3
    if choice["kind"] == "few":
        i, j = (part.ravel() for part in np.mgrid[: choice["finer"], :size])
        return choice["finer"], size, i, j, i
    return size, size, *neighbours(choice["shape"], choice["offsets"], choice["periodic"])


def build_edges(choice) -> Network:
    sources, targets, i, j, numbers = between(choice)
    random = np.random.default_rng(choice["seed"])
    kept = random.permutation(len(i))[choice["missing"] :]
    kept = np.sort(kept) if len(kept) else np.arange(len(i))
    i, j, numbers = i[kept], j[kept], numbers[kept]
    order = ORDERS[choice["order"]](i, j, numbers, random)
    i, j, numbers = i[order], j[order], numbers[order]
    model = "dv/dt = (total - v)/(3*ms) : 1\ntotal : 1\ndrive : 1"
    group = NeuronGroup(targets, model, method="euler", name="targets")
    other = NeuronGroup(sources, model, method="euler", name="sources")
    for units in (group, other):
        units.v, units.drive = "sin(0.7*i)", "0.5 + 0.1*(i % 5)"
    source = group if choice["kind"] == "lattice" else other
    value = f"w : 1\ntotal_post = {choice['value']} : 1 (summed)"
    synapses = Synapses(source, group, value, name="edges")
    if not len(i):
        i, j, numbers = (np.zeros(1, int) for _ in range(3))  # as above
    synapses.connect(i=i, j=j)
    weights = {"offset": 0.1 / (1 + numbers), "place": 0.1 * np.cos(np.arange(len(i))), "one": 0.05}
    synapses.w = weights[choice["weight"]]
    if choice["learning"]:
        synapses.run_regularly("w *= 0.9", dt=0.5 * ms)
    network = Network(group, other, synapses)
    network.run(1 * ms)
    synapses.w = "0.5*w"
    network.run(0.5 * ms)
    return network


def check_edges(choice) -> None:
    theirs = states(lambda: build_edges(choice), None)
    options = {"target": "cpp", "threads": choice["threads"]}
    assert different(states(lambda: build_edges(choice), options), theirs) == []


def check(choice) -> None:
    theirs = states(lambda: build(choice), None)
    assert different(states(lambda: build(choice), {"target": "cpp"}), theirs) == []


@pytest.mark.thorough
def test_some_random_lattices_agree():
    a_few(4, lattices(), check)


@pytest.mark.thorough
def test_some_random_regular_synapses_agree():
    a_few(6, edges(), check_edges)


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(4))
def test_hundreds_of_random_regular_synapses_agree(part):
    a_hundred(part, edges(), check_edges)


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(4))
def test_hundreds_of_random_lattices_agree(part):
    a_hundred(part, lattices(), check)
