"""Every network of the zoo gives on every target what it gives on Brian2's runtime.

A new target joins with one line in `TARGETS`.
"""

from __future__ import annotations

import gc
import re

import brian2
import numpy as np
import pytest
from program import zoo

import neuroglia_snn.brian  # noqa: F401

TARGETS = {
    "numpy": {"target": "numpy"},
    "cpp": {"target": "cpp"},
}


def states(make, options: dict | None, seed: int = 3) -> dict[str, np.ndarray]:
    """All that a network holds after its run; on Brian2's runtime without options."""
    gc.collect()
    before = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    brian2.start_scope()
    if options is not None:
        brian2.set_device("neuroglia", **options)
    try:
        brian2.defaultclock.dt = 0.1 * brian2.ms
        brian2.seed(seed)
        network = make()
        held = network.get_states(units=False, subexpressions=False)
        found = {
            f"{name}.{variable}": np.array(values)
            for name, group in zip(_renumbered(held), held.values(), strict=True)
            for variable, values in group.items()
        }
        found["t"] = np.array(float(network.t))
        if hasattr(network, "seen"):
            found["seen"] = network.seen
        return found
    finally:
        if options is not None:
            brian2.set_device("runtime")
        brian2.prefs.codegen.target = before


def _renumbered(names) -> list[str]:
    """Brian2's names, numbered from 0 for each kind, whatever else still exists."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(_kind(name), []).append(name)
    place = {n: k for found in kinds.values() for k, n in enumerate(sorted(found, key=_number))}
    return [f"{_kind(name)} {place[name]}" for name in names]


def _kind(name: str) -> str:
    return re.sub(r"_\d+", "", name)


def _number(name: str) -> int:
    return int((re.findall(r"_(\d+)", name) or [0])[0])


def different(ours: dict, theirs: dict) -> list[str]:
    """Names of what differs by more than rounding."""
    assert set(ours) == set(theirs), set(ours) ^ set(theirs)
    return [
        f"{name}: {ours[name]} instead of {theirs[name]}"
        for name in theirs
        if ours[name].shape != theirs[name].shape
        or not np.allclose(ours[name], theirs[name], rtol=1e-10, atol=1e-12, equal_nan=True)
    ]


@pytest.mark.one_in(26)
@pytest.mark.parametrize("name", zoo.DETERMINISTIC)
def test_all_targets_agree_with_brian2(name):
    make = zoo.DETERMINISTIC[name]
    theirs = states(make, None)
    for target, options in TARGETS.items():
        assert different(states(make, options), theirs) == [], target


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", zoo.RANDOM)
def test_random_networks_agree_between_our_targets(name):
    make = zoo.RANDOM[name]
    first, *others = (states(make, options) for options in TARGETS.values())
    for other in others:
        assert different(other, first) == []


@pytest.mark.thorough
def test_random_numbers_of_many_units_agree_between_our_targets():
    """In blocks of units and what is left of one, on any number of threads."""

    def make():
        inputs = brian2.PoissonGroup(2700, "(1 + i)*Hz")
        model = "dv/dt = -v/(5*ms) : 1"
        group = brian2.NeuronGroup(
            2700, model, threshold="v > rand()", reset="v = 0", method="euler"
        )
        outside = brian2.PoissonInput(group, "v", 50, 20 * brian2.Hz, 0.2)
        synapses = brian2.Synapses(inputs, group, on_pre="v_post += 0.1*rand()")
        synapses.connect(j="i")
        seen = [brian2.SpikeMonitor(inputs), brian2.SpikeMonitor(group)]
        network = brian2.Network(inputs, group, outside, synapses, *seen)
        network.run(5 * brian2.ms)
        assert all(s.num_spikes > 100 for s in seen)
        return network

    one = states(make, {})
    for options in (TARGETS["numpy"], {"threads": 2}):
        assert different(states(make, options), one) == []
