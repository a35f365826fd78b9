"""Runs SANA-FE on what `neuroglia_snn.mapping.energy` wrote; a program of its own, since SANA-FE may end its process.

``python replay.py FOLDER STEPS`` reads ``architecture.yaml`` and ``network.npz``, writes ``network.yaml`` and
prints the results as JSON. Every unit is one of SANA-FE's input neurons, which repeat recorded spikes.
"""

from __future__ import annotations

import collections
import json
import sys
from pathlib import Path

import numpy as np

#: Neurons that one of SANA-FE's dendrite units holds.
DENDRITES = 1024


def main(folder: Path, steps: int) -> None:
    """Build the network, run it, and print what it took."""
    import sanafe

    architecture = sanafe.load_arch(folder / "architecture.yaml")
    network = sanafe.Network()
    with np.load(folder / "network.npz", allow_pickle=False) as given:
        _build(network, architecture, given, steps)
    network.save(folder / "network.yaml")
    chip = sanafe.SpikingChip(architecture)
    chip.load(network)
    results = chip.sim(steps, processing_threads=1, message_trace=True, perf_trace=False)
    found = {
        k: results[k] for k in ("energy", "sim_time", "spikes", "packets_sent", "neurons_fired")
    }
    print(json.dumps(found | _busiest(results["message_trace"])))


def _build(network, architecture, given, steps: int) -> None:
    cores, groups = architecture.cores(), []
    held: collections.Counter = collections.Counter()
    for number in range(int(given["groups"])):
        placed, units = given[f"core_{number}"], given[f"soma_{number}"]
        group = network.create_neuron_group(f"g{number}", len(placed))
        spikes = np.zeros((len(placed), steps), bool)
        spikes[given[f"unit_{number}"], given[f"step_{number}"]] = True
        for k, (core, unit) in enumerate(zip(placed.tolist(), units.tolist(), strict=True)):
            group[k].set_attributes(
                soma_hw_name=f"soma{number}[{unit}]",
                dendrite_hw_name=f"dendrite[{held[core] // DENDRITES}]",
                model_attributes={"spikes": spikes[k].tolist()},
            )
            group[k].map_to_core(cores[core])
            held[core] += 1
        groups.append(group)
    for number in range(int(given["connections"])):
        source, target = given[f"ends_{number}"].tolist()
        pairs = given[f"pairs_{number}"]
        weights = {"weight": [0.0] * len(pairs)}
        groups[source].connect_neurons_sparse(
            groups[target], weights, list(map(tuple, pairs.tolist()))
        )


def _busiest(trace) -> dict:
    """The core that takes longest to send or to receive, the fullest link, and hops in all, over all steps."""
    sends: collections.Counter = collections.Counter()
    receives: collections.Counter = collections.Counter()
    links: collections.Counter = collections.Counter()
    hops = 0
    for message in (m for step in trace for m in step):
        sends[message["src_core_id"]] += message["generation_delay"]
        if message["placeholder"]:
            continue
        receives[message["dest_core_id"]] += message["processing_delay"]
        hops += message["hops"]
        x, y = message["src_x"], message["src_y"]
        while (x, y) != (message["dest_x"], message["dest_y"]):
            before = x, y
            if x != message["dest_x"]:
                x += 1 if x < message["dest_x"] else -1
            else:
                y += 1 if y < message["dest_y"] else -1
            links[before, (x, y)] += 1
    core = max({*sends, *receives}, key=lambda c: max(sends[c], receives[c]), default=None)
    link, messages = links.most_common(1)[0] if links else (None, 0)
    return {
        "hops": hops,
        "busiest_core": core,
        "busiest_core_seconds": [sends[core], receives[core]],
        "busiest_link": link,
        "busiest_link_messages": messages,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
