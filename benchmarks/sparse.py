"""Time sparse networks on the device ``neuroglia`` and on other simulators, side by side.

    python benchmarks/sparse.py [--networks coba cobahh ...] [--rounds 3] [--seconds 1] [--out DIR]
                                [--nest PYTHON] [--annarchy PYTHON]

COBA, CUBA and COBAHH are the benchmarks 1, 2 and 3 of Brette et al. (2007, doi:10.1007/s10827-007-0038-6):
4,000 neurons, 2 % of all connections. "stdp" is one neuron with 1,000 plastic inputs (Song, Miller and
Abbott 2000, doi:10.1038/78829), "vogels" a balanced network with inhibitory plasticity (Vogels et al.
2011, doi:10.1126/science.1211095; 10,000 neurons), "brunel" 10,000 neurons with 10^7 synapses (Brunel
2000, doi:10.1023/A:1008925309027, g = 5, twice the rate of the threshold), "plastic_brunel" the same whose
excitatory synapses learn, "delays" the static one with 4,000 neurons, g = 6 (whose rate depends less
on the connections drawn) and a delay of its own for each synapse, "tripartite_coba" and "astrocyte_brunel" (Jiang et al.
2025, doi:10.1371/journal.pcbi.1013503) the models of the catalogue, with astrocytes.

Peers are ours with two threads; Brian2's C++ standalone with one and two threads; NEST and ANNarchy, one thread, for which
``python3.10 -m venv DIR && DIR/bin/pip install nest-simulator==3.10.0`` (or ``annarchy==5.0.4 cmake``) makes
a PYTHON to name, ``DIR/bin/python``; and for COBA a plain loop by hand in C (``networks/coba.c``, -O3
-ffast-math). Every run is a process of its own; in each round all run in turn, every other round from the
last to the first.

"us a step" is the time loop alone, by each simulator's process: of one thread in processor time, which is what
Brian2's standalone takes, so that nobody pays for cores that other programs use; of two in time by the clock on
the wall, as Brian2 has it then. The same over all neurons, and over all
events that reach a synapse, stands beside it. "before" are the seconds from the process's start to the
first step (with what is done after the loop, until the run returns): of the first round, which begins
with empty caches, and the median of the others. "first" is the whole first run. Memory is the largest of the
process itself and of any process that it starts (compilers, and Brian2's program). Figures are
medians of the rounds with the least and the greatest. A ratio is of rounds in turn, and there is none
where the rounds cannot tell, or where the networks' rates differ by more than --rates.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rounds import in_turn, ratio, spread

FOLDER = Path(__file__).parent / "networks"
#: Seconds of model time beside ``--seconds``: a few neurons need more of it, much work less.
LENGTHS = {
    "coba": 1.0,
    "cuba": 1.0,
    "cobahh": 1.0,
    "stdp": 20.0,
    "vogels": 1.0,
    "brunel": 0.5,
    "plastic_brunel": 0.5,
    "delays": 1.0,
    "tripartite_coba": 0.5,
    "astrocyte_brunel": 0.1,
}
#: Models of the catalogue, which have astrocytes, and the peers that run them beside ours.
MODELS = {"tripartite_coba": {"Brian2 C++", "Brian2 C++ x2"}, "astrocyte_brunel": {"NEST"}}
BASE = "neuroglia"
#: How to make a Python with another simulator.
MADE = "python3.10 -m venv DIR && DIR/bin/pip install {} makes one, DIR/bin/python"
Figures = dict[str, float]


@dataclass(frozen=True)
class Peer:
    """A simulator: how to run a network in it, given seconds of model time; which networks it has."""

    command: Callable[[str, float], list[str]]
    threads: int = 1
    networks: tuple[str, ...] = tuple(LENGTHS)


def had_by(label: str) -> tuple[str, ...]:
    """The networks that a peer of this label has."""
    return tuple(name for name in LENGTHS if label in MODELS.get(name, {label}))


def brian(device: str, threads: int, label: str | None = None) -> Peer:
    """Brian2's networks on one of its devices; all of them on ours, which has no label here."""
    script = str(FOLDER / "in_brian.py")
    return Peer(
        lambda name, s: [sys.executable, script, name, device, str(threads), str(s)],
        threads,
        had_by(label) if label else tuple(LENGTHS),
    )


def elsewhere(python: str, script: str, label: str) -> Peer:
    """The networks of another simulator, in another Python."""
    path = str(FOLDER / script)
    return Peer(lambda name, s: [python, path, name, "1", str(s)], 1, had_by(label))


def by_hand() -> Peer:
    """COBA in C; its compiler's time counts as the others' does."""
    script = str(FOLDER / "by_hand.py")
    return Peer(lambda name, s: [sys.executable, script, str(s)], 1, ("coba",))


def peers(options: argparse.Namespace) -> dict[str, Peer]:
    """All that there are here."""
    found = {
        BASE: brian("neuroglia", 1),
        "neuroglia x2": brian("neuroglia", 2),
        "Brian2 C++": brian("cpp_standalone", 1, "Brian2 C++"),
        "Brian2 C++ x2": brian("cpp_standalone", 2, "Brian2 C++ x2"),
        "by hand": by_hand(),
    }
    if options.nest:
        found["NEST"] = elsewhere(options.nest, "in_nest.py", "NEST")
    if options.annarchy:
        found["ANNarchy"] = elsewhere(options.annarchy, "in_annarchy.py", "ANNarchy")
    return found


def measured(peer: Peer, network: str, seconds: float, folder: Path) -> Figures:
    """One run in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    command = peer.command(network, seconds)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(command[0]).parent), os.environ["PATH"])),
        "NEUROGLIA_CACHE": str(folder / "cache"),
        "FOLDER": str(folder / "project"),
        "OMP_NUM_THREADS": str(peer.threads),
        "STARTED": repr(time.time()),
    }
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    whole = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr[-2000:]}")
    return {**json.loads(done.stdout.splitlines()[-1]), "whole": whole}


def column(runs: list[Figures], name: str) -> list[float]:
    return [run[name] for run in runs]


def beside(runs: list[Figures], ours: list[Figures], most: float) -> str:
    """How many times as long as ours a step takes, or why that is not said."""
    rates = [statistics.median(column(r, "rate")) for r in (runs, ours)]
    if abs(rates[0] - rates[1]) > most * rates[1]:
        return f"no ratio: {rates[0]:.1f} Hz are not {rates[1]:.1f} Hz"
    return ratio(column(runs, "step"), column(ours, "step"))


def line(runs: list[Figures]) -> str:
    """All figures of a case but its ratio."""
    middle = {name: statistics.median(column(runs, name)) for name in runs[0]}
    later = statistics.median(column(runs[1:] or runs, "before"))
    return (
        f"{spread(column(runs, 'step'), 1):>32}{middle['neuron']:9.2f}{middle['event']:9.2f}"
        f"{runs[0]['before']:8.1f}{later:8.1f}{runs[0]['whole']:8.1f}"
        f"{min(column(runs, 'own')):8.0f}{min(column(runs, 'children')):9.0f}{middle['rate']:7.1f}"
    )


def table(network: str, seconds: float, found: dict[str, list[Figures]], most: float) -> None:
    """Print what was found of a network."""
    synapses = found[BASE][0]["synapses"]
    print(f"\n{network}: {synapses:,.0f} synapses, {seconds:g} s of it a run")
    print(
        f"{'':14}{'us a step':>32}{'ns/neur.':>9}{'ns/event':>9}{'before':>8}{'later':>8}"
        f"{'first':>8}{'MiB own':>8}{'children':>9}{'Hz':>7}  time over ours"
    )
    for label, runs in found.items():
        said = "" if label == BASE else beside(runs, found[BASE], most)
        print(f"{label:14}{line(runs)}  {said}".rstrip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=LENGTHS, default=list(LENGTHS))
    parser.add_argument("--peers", nargs="+", help="only these beside ours, by their label")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="times each network's own length"
    )
    parser.add_argument("--rates", type=float, default=0.2, help="share by which rates may differ")
    parser.add_argument(
        "--nest",
        metavar="PYTHON",
        help=f"a Python that has NEST: {MADE.format('nest-simulator==3.10.0')}",
    )
    parser.add_argument(
        "--annarchy",
        metavar="PYTHON",
        help=f"one that has ANNarchy: {MADE.format('annarchy==5.0.4 cmake')}",
    )
    parser.add_argument("--out", type=Path, metavar="DIR")
    options = parser.parse_args()
    chosen = peers(options)
    if options.peers:
        chosen = {label: chosen[label] for label in (BASE, *options.peers)}
    everything = {}
    scratch = Path(tempfile.mkdtemp(prefix="sparse-"))
    for network in options.networks:
        cases = [label for label, peer in chosen.items() if network in peer.networks]
        found: dict[str, list[Figures]] = {label: [] for label in cases}
        length = LENGTHS[network] * options.seconds

        def measure(label: str, network: str = network, length: float = length) -> Figures:
            folder = scratch / label.replace(" ", "-") / network
            return measured(chosen[label], network, length, folder)

        for label, figures in in_turn(cases, options.rounds, measure):
            found[label].append(figures)
        table(network, length, found, options.rates)
        everything[network] = found
    shutil.rmtree(scratch, ignore_errors=True)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "sparse.json").write_text(json.dumps(everything, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
