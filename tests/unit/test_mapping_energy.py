"""Energy and time of placed networks by SANA-FE, held against sums by hand."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import brian2
import numpy as np
import pytest
from helpers import spiking

import neuroglia_snn as ng
from neuroglia_snn.catalog import files, hardware
from neuroglia_snn.errors import BackendError
from neuroglia_snn.mapping import energy
from neuroglia_snn.mapping.memory import default_bits
from neuroglia_snn.mapping.observe import of_network
from neuroglia_snn.mapping.place import place

needs_sanafe = pytest.mark.skipif(
    importlib.util.find_spec("sanafe") is None, reason="needs the extra 'sanafe'"
)


def known(value: float) -> str:
    return f'{{ value = {value}, source = "a test", confidence = "low" }}'


def small_cores(tmp_path, neurons: int) -> str:
    """Loihi with fewer units a core, so that a small network takes several."""
    text = files.find("hardware", "loihi1").read_text(encoding="utf-8")
    start = text.index("neurons_per_core =")
    end = text.index("\n", start)
    path = tmp_path / "chip.toml"
    path.write_text(text[:start] + f"neurons_per_core = {known(neurons)}" + text[end:])
    return str(path)


def test_without_sanafe_one_sentence_says_what_to_type(monkeypatch):
    monkeypatch.setattr(energy.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"pip install 'neuroglia_snn\[sanafe\]'$"):
        ng.map("fhn_excitable", "loihi2", energy="loihi1")


def test_costs_that_are_not_published_are_not_invented():
    with pytest.raises(
        BackendError, match=r"^hardware 'loihi2': energy.neuron_active is in no publ"
    ):
        ng.map("fhn_excitable", "loihi2", energy=True)


@needs_sanafe
def test_every_sum_is_that_of_the_events(tmp_path):
    """Six units in 50 steps, on three cores of one tile; four spikes that reach one to three of them."""
    network = spiking.listed()
    target = small_cores(tmp_path, 2)
    summary = ng.map(network, target, tmp_path / "out", duration=5 * brian2.ms, energy=True)
    found, costs = summary["energy"], hardware.load("loihi1").costs
    assert found["steps"] == 50 and found["events"] == 5  # one spike reaches no synapse
    packets, events = 2 * 2 + 1 + 2, 2 * 3 + 1 + 2
    assert (found["messages"], found["synaptic_events"]) == (packets, events)
    parts = {name: value * 50 for name, value in found["energy_per_step_by_part_J"].items()}
    assert parts["soma"] == pytest.approx(6 * 50 * 81e-12)
    assert parts["synapse"] == pytest.approx(events * 23.6e-12)
    assert parts["network"] == pytest.approx(packets * costs["energy.message_in"].value * 1e-12)
    assert parts["learning"] == 0
    assert found["energy_per_step_J"] * 50 == pytest.approx(sum(parts.values()))
    # two units of a core, one after the other, and the barrier of one tile
    assert found["time_per_step_s"] >= 2 * 8.4e-9 + 113e-9
    assert found["busiest_link"] == "none: no message leaves its tile"
    assert any("left at zero: energy.spike_out, energy.message_out" in n for n in found["notes"])
    assert {path.name for path in (tmp_path / "out" / "sanafe").iterdir()} == {
        "architecture.yaml",
        "network.yaml",
    }
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["energy"] == found


@needs_sanafe
def test_files_that_are_kept_give_sanafe_the_same(tmp_path):
    import sanafe

    target = small_cores(tmp_path, 2)
    summary = ng.map(
        spiking.listed(), target, tmp_path / "out", duration=5 * brian2.ms, energy=True
    )
    architecture = sanafe.load_arch(tmp_path / "out" / "sanafe" / "architecture.yaml")
    network = sanafe.load_net(tmp_path / "out" / "sanafe" / "network.yaml", architecture)
    again = sanafe.SpikingChip(architecture)
    again.load(network)
    results, found = again.sim(50), summary["energy"]
    assert results["packets_sent"] == found["messages"]
    assert results["energy"]["total"] == pytest.approx(found["energy_per_step_J"] * 50)


@needs_sanafe
def test_messages_between_tiles_cost_hops(tmp_path):
    """One unit a core: units 0 to 3 are on the first tile, 4 and 5 on the second, inputs on the seventh core."""
    target = small_cores(tmp_path, 1)
    summary = ng.map(spiking.listed(), target, duration=5 * brian2.ms, energy=True)
    found = summary["energy"]
    packets = 2 * 3 + 1 + 2
    assert found["messages"] == packets
    # inputs enter at core 6, on the second tile: what reaches units 0 to 3 takes one hop
    hops = 2 * 2 + 1 + 1
    assert found["hops"] == hops
    network = found["energy_per_step_by_part_J"]["network"] * 50
    each = {network - packets * 1.7e-12 - hops * hop for hop in (3e-12, 4e-12)}
    assert min(map(abs, each)) < 1e-18
    assert found["busiest_link"].endswith(f"{hops / 50:.4g} messages a step")


@needs_sanafe
def test_what_is_simulated_sends_what_the_map_counts():
    """COBA in the price of Loihi: spikes, packets and synaptic events are those of the observed run."""
    observed = of_network(spiking.coba(1000), 0.05, seed=2)
    chip, prices = hardware.load("loihi2"), hardware.load("loihi1")
    layout = place(observed.graph, chip, default_bits)
    found = energy.price(observed, layout, chip, prices, steps=100)
    steps, units = observed.events["cells._spikespace"]
    window = units[steps >= observed.steps - 100]
    assert found["events"] == len(window) > 20
    fan_out = np.zeros(1000, int)
    for connection in observed.graph.connections:
        fan_out += np.bincount(connection.sources, minlength=1000)
    assert found["synaptic_events"] == fan_out[window].sum()
    (stream,) = observed.graph.streams()
    assert stream.events == "cells._spikespace" and len(layout.cores) == 1
    assert found["messages"] == np.count_nonzero(fan_out[window])


@needs_sanafe
def test_learning_is_priced_by_its_updates():
    observed = of_network(spiking.stdp(), 0.05, seed=3)
    chip, prices = hardware.load("loihi2"), hardware.load("loihi1")
    layout = place(observed.graph, chip, default_bits)
    found = energy.price(observed, layout, chip, prices)
    (connection,) = observed.graph.connections
    learning = observed.updates(connection) * 120e-12
    assert found["energy_per_step_by_part_J"]["learning"] == pytest.approx(learning)
    assert any("what is not on cores is not priced: inputs" in note for note in found["notes"])


@pytest.mark.thorough
@needs_sanafe
def test_values_are_sent_when_they_are_due():
    """A lattice sends four values of each unit in every step."""
    summary = ng.map("noise_induced_excitability", "loihi2", energy="loihi1", energy_steps=7)
    found = summary["energy"]
    assert found["steps"] == 7
    assert found["messages"] == 7 * 4 * 400
    assert found["synaptic_events"] == 7 * 4 * (4 * 400 - 4 * 20)


@pytest.mark.thorough
@needs_sanafe
def test_a_network_that_is_not_on_cores_has_no_energy():
    summary = ng.map("noise_induced_excitability", "loihi1", energy=True)
    assert summary["no_energy"].startswith("nothing of the network is on cores")
    assert "energy" not in summary


@needs_sanafe
def test_several_chips_are_not_priced(tmp_path):
    target = small_cores(tmp_path, 1)
    cells = brian2.NeuronGroup(130, "dv/dt = -v/(10*ms) : 1", method="exact", name="cells")
    summary = ng.map(brian2.Network(cells), target, duration=1 * brian2.ms, energy=True)
    assert summary["no_energy"].startswith("it takes 2 chips: what a message between chips costs")


@needs_sanafe
def test_the_command_line(tmp_path):
    command = [
        sys.executable,
        "-m",
        "neuroglia_snn",
        "map",
        "fhn_excitable",
        "--hardware",
        "loihi2",
    ]
    done = subprocess.run(
        [*command, "--energy", "loihi1", "--energy-steps", "10"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "energy and time of 10 steps, by SANA-FE" in done.stdout
    assert "a step: 0.081 nJ" in done.stdout
