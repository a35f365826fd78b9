"""Hypothesis makes lattices: any shape, edges, neighbours and order of kernels, as on Brian2's runtime."""

from __future__ import annotations

import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, linked_var, ms
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as beginning_from
from hypothesis import strategies as st
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


def check(choice) -> None:
    theirs = states(lambda: build(choice), None)
    assert different(states(lambda: build(choice), {"target": "cpp"}), theirs) == []


_COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True}
_COMMON["phases"] = [Phase.explicit, Phase.generate]  # a smaller network takes minutes to find


@settings(max_examples=4, **_COMMON)
@given(lattices())
def test_some_random_lattices_agree(choice):
    check(choice)


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(4))
def test_hundreds_of_random_lattices_agree(part):
    """A hundred in each part, which begins from a seed of its own."""
    common = _COMMON | {"derandomize": False, "database": None}
    beginning_from(part)(settings(max_examples=100, **common)(given(lattices())(check)))()
