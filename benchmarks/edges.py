"""Time sums over regular synapses: on the device ``neuroglia``, in Brian2's C++ standalone, by our own rule.

    python benchmarks/edges.py [--kinds ring four ...] [--rounds 3] [--steps 4000] [--peers neuroglia brian2 rule]

Every kind is a network of leaky units whose input is a sum over synapses: rings, lattices in two and three
dimensions with 4, 8, 6 and 26 neighbours (`_around`: periodic), a 5 x 5 kernel with a weight for each
offset, one-to-one, one to all, and a coarse lattice that drives a fine one. "rule" is a model file with rule
`lattice`. Every run is a process of its own; in each round all run in turn. Figures are microseconds of
processor time a step, state update included: the median, the fastest and the slowest. Ours are of runs of
two lengths, without what a run takes beside its steps; Brian2's are of the whole process, with as many steps
as make that small.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rounds import in_turn, ratio, spread

FLAT, DEEP = (128, 128), (16, 32, 32)
DIFFERENCE = "v_pre - v_post"


def _cube(dimensions: int, reach: int = 1) -> list[tuple[int, ...]]:
    every = itertools.product(range(-reach, reach + 1), repeat=dimensions)
    return [offset for offset in every if any(offset)]


def _sides(dimensions: int) -> list[tuple[int, ...]]:
    return [offset for offset in _cube(dimensions) if sum(map(abs, offset)) == 1]


#: Shape, offsets and whether the edges are periodic.
LATTICES = {
    "ring": ((16384,), _cube(1, 2), True),
    "four": (FLAT, _sides(2), False),
    "four_around": (FLAT, _sides(2), True),
    "eight": (FLAT, _cube(2), False),
    "eight_around": (FLAT, _cube(2), True),
    "six": (DEEP, _sides(3), False),
    "six_around": (DEEP, _sides(3), True),
    "twenty_six": (DEEP, _cube(3), False),
    "twenty_six_around": (DEEP, _cube(3), True),
    "kernel": (FLAT, _cube(2, 2), False),
}
KINDS = [*LATTICES, "one_to_one", "one_to_all", "coarse_to_fine"]
RULES = {"four": 4, "eight": 8}
PEERS = ("neuroglia", "brian2", "rule")


def pairs(
    shape: tuple[int, ...], offsets, around: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sources, targets and offsets' numbers of all neighbours, source by source as Brian2 makes them."""
    units = np.indices(shape).reshape(len(shape), -1)
    sources, targets, numbers = [], [], []
    for number, offset in enumerate(offsets):
        there = units + np.array(offset)[:, None]
        present = np.ones(units.shape[1], bool) | around
        for place, length in zip(there, shape, strict=True):
            if around:
                place %= length
            else:
                present &= (place >= 0) & (place < length)
        sources.append(np.ravel_multi_index(tuple(there[:, present]), shape))
        targets.append(np.flatnonzero(present))
        numbers.append(np.full(present.sum(), number))
    i, j, n = map(np.concatenate, (sources, targets, numbers))
    order = np.lexsort((j, i))
    return i[order], j[order], n[order]


def network(kind: str):
    """The network of a kind."""
    import brian2

    leaky = "dv/dt = (total - v)/(5*ms) : 1\ntotal : 1"
    shape = LATTICES[kind][0] if kind in LATTICES else (130, 130)
    group = brian2.NeuronGroup(int(np.prod(shape)), leaky, method="euler", name="units")
    group.v = "sin(0.7*i)"
    others, model = group, f"total_post = {DIFFERENCE} : 1 (summed)"
    count = {"one_to_one": group.N, "one_to_all": 1, "coarse_to_fine": 43 * 43}.get(kind)
    if count:
        others = brian2.NeuronGroup(
            int(count), "dv/dt = -v/(5*ms) : 1", method="euler", name="others"
        )
        others.v = "cos(0.3*i)"
    if kind == "kernel":
        model = "w : 1\ntotal_post = w*v_pre : 1 (summed)"
    if kind == "coarse_to_fine":
        model = "total_post = 5*int(v_pre > 0.1)*(1 - exp(-v_pre*v_pre)) : 1 (summed)"
    synapses = brian2.Synapses(others, group, model, name="edges")
    if kind == "one_to_one":
        synapses.connect("i == j")
    elif kind == "one_to_all":
        synapses.connect()
    elif kind == "coarse_to_fine":
        row, col = np.divmod(np.arange(count), 43)
        inner = [3 * row * 130 + 3 * col + y * 130 + x for y in range(4) for x in range(4)]
        synapses.connect(i=np.repeat(np.arange(count), 16), j=np.stack(inner, axis=1).ravel())
    else:
        i, j, numbers = pairs(*LATTICES[kind])
        synapses.connect(i=i, j=j)
        if kind == "kernel":
            offsets = np.array(LATTICES[kind][1])
            synapses.w = (0.04 * np.exp(-(offsets**2).sum(axis=1) / 2))[numbers]
    return brian2.Network(group, others, synapses) if count else brian2.Network(group, synapses)


RULE = """
[model]
title = "A lattice"
dt = "0.1 ms"
duration = "{duration} ms"
integrator = "euler"
[population.units]
shape = [128, 128]
equations = '''
dv/dt = (total - v)/(5*ms) : 1
total : 1
'''
[population.units.initial]
v = "sin(0.7*i)"
[projection.edges]
from = "units"
to = "units"
connect = {{ rule = "lattice", neighbours = {neighbours}, edges = "zero-flux" }}
equations = "total_post = v_pre - v_post : 1 (summed)"
"""


def one(kind: str, peer: str, steps: int, folder: Path) -> float:
    """Microseconds of a step."""
    if peer == "rule":
        return _difference(lambda count: _by_rule(kind, count, folder), steps)
    import brian2

    import neuroglia_snn.brian  # noqa: F401

    if peer == "neuroglia":
        brian2.set_device("neuroglia")
        net = network(kind)
        return _difference(lambda count: net.run(count * brian2.defaultclock.dt), steps)
    project = folder / kind
    brian2.set_device("cpp_standalone", directory=str(project), build_on_run=False)
    network(kind).run(3 * steps * brian2.defaultclock.dt)
    brian2.device.build(directory=str(project), compile=True, run=False)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([project / "main"], cwd=project, check=True, capture_output=True)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return spent / (3 * steps) * 1e6


def _difference(run: Callable[[int], object], steps: int) -> float:
    """Microseconds a step, from the least time of some runs of either length."""

    def spent(count: int) -> float:
        before = time.process_time()
        run(count)
        return time.process_time() - before

    spent(10)
    short, long = (min(spent(count) for _ in range(4)) for count in (steps, 3 * steps))
    return (long - short) / (2 * steps) * 1e6


def _by_rule(kind: str, steps: int, folder: Path) -> None:
    from neuroglia_snn import backends
    from neuroglia_snn.backends.base import Request, blank_images
    from neuroglia_snn.catalog.load import load

    path = folder / f"{kind}.toml"
    path.write_text(RULE.format(duration=steps / 10, neighbours=RULES[kind]))
    model = load(str(path))
    backends.get("fused").run(Request(model, blank_images(model)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="where Brian2's projects are kept")
    parser.add_argument("--one", action="store_true", help="run one kind and peer in this process")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.kinds[0], given.peers[0], given.steps, given.folder)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        cases = [(k, p) for k in given.kinds for p in given.peers if p != "rule" or k in RULES]
        found: dict[tuple[str, str], list[float]] = {}

        def measure(case: tuple[str, str]) -> object:
            said = ["--kinds", case[0], "--peers", case[1], "--steps", str(given.steps)]
            call = [sys.executable, __file__, "--one", *said, "--folder", str(folder)]
            done = subprocess.run(call, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{case}: {done.stderr[-2000:]}")
            return json.loads(done.stdout.splitlines()[-1])

        for case, figure in in_turn(cases, given.rounds, measure):
            found.setdefault(case, []).append(figure)  # type: ignore[arg-type]
        for (kind, peer), values in found.items():
            base = found.get((kind, "neuroglia"), values)
            against = "" if base is values else ratio(values, base)
            print(f"{kind:18} {peer:10} {spread(values, 2)}  {against}")


if __name__ == "__main__":
    main()
