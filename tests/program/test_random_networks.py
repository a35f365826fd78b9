"""Hypothesis makes networks out of the zoo's parts; they agree with Brian2's runtime or are refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from brian2 import (
    Network,
    NeuronGroup,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    ms,
)
from brian2.core.base import BrianObjectException
from brian2.stateupdaters.base import UnsupportedEquationsException
from hypothesis import assume
from hypothesis import strategies as st
from program.random_cases import a_few, a_hundred
from program.test_zoo import TARGETS, different, states

import neuroglia_snn.brian  # noqa: F401

EQUATIONS = {
    "linear": ("dv/dt = (drive - v)/(8*ms) : 1{flag}", ("exact", "euler", "exponential_euler")),
    "cubic": ("dv/dt = (v - v**3/3 + drive)/(5*ms) : 1{flag}", ("euler", "rk2", "rk4", "heun")),
    "rising": ("dv/dt = drive*100*Hz : 1{flag}", ("euler", "exact")),
}
MORE = ("du/dt = (v - u)/(20*ms) : 1", "k : integer", "on : boolean", "s = 2*v + u0 : 1", "u0 : 1")
RESETS = ("v = 0", "v -= 0.7", "v = u0/2; u0 += 0.01", "v = 0; k += 1; u0 = clip(0.1*k, 0, 0.3)")
REFRACTORY = (False, 1.3 * ms, "1*ms + u0*ms", "v > 0.4")
ON_PRE = (
    "v_post += w",
    "v_post += w*exp(-w)*0.3; w *= 0.99",
    "a += 0.1; v_post += w*a",
    "u0_post = clip(u0_post + 0.01*int(w > 0.3), 0, 0.5)",
    "w = clip(w + 0.02*int(v_pre > 0.2), 0, 1); v_post += w/10",
)
ON_POST = (None, "w = clip(w - 0.01, 0, 1)", "w += 0.01*a; u0_pre += 0.001")
SYNAPTIC = ("", "da/dt = -a/(6*ms) : 1 (event-driven)", "da/dt = -a/(6*ms) : 1 (clock-driven)")
DELAYS = (None, 0.4, "(i % 3)*0.21*ms", "(i + j)*0.1*ms")


@st.composite
def networks(draw):
    """All choices of a network, so that it can be made again."""
    kind = draw(st.sampled_from(sorted(EQUATIONS)))
    return {
        "kind": kind,
        "method": draw(st.sampled_from(EQUATIONS[kind][1])),
        "more": draw(st.lists(st.sampled_from(MORE[:3]), unique=True)),
        "reset": draw(st.sampled_from(RESETS)),
        "refractory": draw(st.sampled_from(range(len(REFRACTORY)))),
        "units": draw(st.integers(1, 9)),
        "regular": draw(st.booleans()),
        "when": draw(st.sampled_from(("start", "before_groups", "after_resets", "end"))),
        "synapses": draw(
            st.lists(
                st.tuples(
                    st.sampled_from(ON_PRE),
                    st.sampled_from(ON_POST),
                    st.sampled_from(SYNAPTIC),
                    st.sampled_from(DELAYS),
                    st.booleans(),
                    st.integers(0, 2**16),
                ),
                max_size=3,
            )
        ),
        "listed": draw(st.booleans()),
        "runs": draw(st.lists(st.integers(0, 60), min_size=1, max_size=3)),
    }


def build(choice) -> Network:
    text, _ = EQUATIONS[choice["kind"]]
    refractory = REFRACTORY[choice["refractory"]]
    flag = " (unless refractory)" if refractory is not False else ""
    lines = [text.format(flag=flag), "drive : 1", *choice["more"], MORE[3], MORE[4]]
    if "k :" not in "".join(lines):
        lines.append("k : integer")
    group = NeuronGroup(
        choice["units"],
        "\n".join(lines),
        threshold="v > 0.9",
        reset=choice["reset"],
        refractory=refractory,
        method=choice["method"],
        name="group",
    )
    group.drive = np.linspace(0.8, 2.5, choice["units"])
    parts = [group, SpikeMonitor(group, name="spikes")]
    parts.append(StateMonitor(group, ["v", "s"], record=[0], name="states", when=choice["when"]))
    if choice["regular"]:
        group.run_regularly(
            "drive = drive*0.99 + 0.01*i; k = (k + i) // 2", dt=0.5 * ms, name="often"
        )
    source = group
    if choice["listed"]:
        source = SpikeGeneratorGroup(4, [0, 3, 1, 3], [0.2, 0.2, 1.7, 2.9] * ms, name="list")
        parts.append(source)
    for number, (pre, post, model, delay, listed, seed) in enumerate(choice["synapses"]):
        parts.append(
            _synapses(number, source if listed else group, group, pre, post, model, delay, seed)
        )
    network = Network(parts)
    for steps in choice["runs"]:
        network.run(steps * 0.1 * ms)
        group.drive = group.drive * 1.01
    return network


def _synapses(number, source, target, pre, post, model, delay, seed) -> Synapses:
    if not model and re.search(r"\ba\b", f"{pre} {post}"):
        model = "a : 1"
    if not hasattr(source, "equations") or "v" not in source.variables:
        pre, post = (
            pre.replace("v_pre", "w"),
            (post or "").replace("u0_pre += 0.001", "w *= 1") or None,
        )
    synapses = Synapses(
        source,
        target,
        f"w : 1\n{model}",
        on_pre=pre,
        on_post=post,
        delay=delay * ms if isinstance(delay, float) else None,
        method="exact",
        name=f"synapses_{number}",
    )
    rng = np.random.default_rng(seed)
    linked = rng.random((len(source), len(target))) < 0.5
    linked[0, 0] = True  # Brian2's NumPy code cannot do without any synapse
    i, j = np.nonzero(linked)
    synapses.connect(i=i, j=j)
    synapses.w = rng.random(len(i)) * 0.4
    if isinstance(delay, str):
        synapses.pre.delay = delay
    return synapses


def check(choice) -> None:
    try:
        theirs = states(lambda: build(choice), None)
    except BrianObjectException as error:
        assume(not isinstance(error.__cause__, UnsupportedEquationsException))
        raise
    for options in TARGETS.values():
        assert different(states(lambda: build(choice), options), theirs) == []


@pytest.mark.thorough
def test_some_random_networks_agree():
    a_few(3, networks(), check)


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(10))
def test_a_thousand_random_networks_agree(part):
    a_hundred(part, networks(), check)
