"""Networks in floating and in fixed point over seeds: do they say the same?

For each measure of a network: its mean and standard error over the seeds in float64 and in integers, and the
difference in standard errors of the difference. What has run is kept in ``--out`` and not done again.

    python benchmarks/fixed.py --seeds 20
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

PRECISIONS = ("float64", "fixed")
Measures = dict[str, float]


def _script(name: str, seconds: float, seed: int, precision: str) -> Measures:
    """A network of `networks/in_brian.py`, as a user's script has it."""
    sys.path.insert(0, str(Path(__file__).parent / "networks"))
    import brian2
    import in_brian

    import neuroglia_snn.brian  # noqa: F401

    brian2.set_device("neuroglia", precision=precision)
    brian2.seed(seed)
    neurons, others = getattr(in_brian, name)()
    spikes = brian2.SpikeMonitor(neurons)
    brian2.Network(neurons, *others, spikes).run(seconds * brian2.second)
    found = {"rate (Hz)": spikes.num_spikes / len(neurons) / seconds}
    found["mean v (mV)"] = float(np.mean(neurons.v / brian2.mV))
    for one in others:
        if isinstance(one, brian2.Synapses) and "w" in one.variables:
            found["mean w"] = float(np.mean(one.w))
            found["spread of w"] = float(np.std(one.w))
    return found


def _tripartite(seed: int, precision: str) -> Measures:
    """The first two seconds: neurons, synapses and the calcium of astrocytes."""
    import neuroglia_snn as ng

    model = ng.load("tripartite_coba").with_settings({"model.duration": "2 s"})
    data = model.run(seed=seed, backend="fused", precision=precision).data
    found = {"spikes": float(data.sizes["spikes_event"])} if "spikes_event" in data.sizes else {}
    for name, unit in (("astrocytes_C", 1e-3), ("astrocytes_Gamma_A", 1.0)):
        found[f"mean {name}"] = float(data[name].mean()) / unit
    return found


def _memory(seed: int, precision: str) -> Measures:
    """Recall of a cross from a noisy cue on 46 x 46 neurons with 15 x 15 astrocytes."""
    import neuroglia_snn as ng

    shapes = {"population.neuron.shape": [46, 46], "population.astrocyte.shape": [15, 15]}
    model = ng.load("noise_induced_memory").with_settings(shapes)
    cross = np.zeros((46, 46), bool)
    cross[6:40, 19:28] = cross[19:28, 6:40] = True
    cue = cross ^ (np.random.RandomState(1).rand(46, 46) < 0.2)
    images = {"train": cross, "test": cue}
    result = model.run(seed=seed, backend="fused", precision=precision, images=images)
    names = ("accuracy", "recall_accuracy", "recalled_in_pattern", "recalled_outside", "spikes")
    names += ("calcium_peak_uM",)
    return {name: float(result.measures[name]) for name in names}


NETWORKS: dict[str, Callable[[int, str], Measures]] = {
    "coba": lambda seed, precision: _script("coba", 1.0, seed, precision),
    "cuba": lambda seed, precision: _script("cuba", 1.0, seed, precision),
    "cobahh": lambda seed, precision: _script("cobahh", 0.5, seed, precision),
    "stdp": lambda seed, precision: _script("stdp", 20.0, seed, precision),
    "tripartite_coba": _tripartite,
    "noise_induced_memory": _memory,
}


def run(network: str, seed: int, precision: str) -> Measures:
    """One run, in a process of its own."""
    return NETWORKS[network](seed, precision)


def table(network: str, runs: dict[str, dict[str, Measures]]) -> list[str]:
    """Means and standard errors of each measure."""
    lines = [
        f"{network}: {len(runs['fixed'])} seeds",
        f"{'':24}{'float64':>24}{'fixed':>24}{'apart':>8}",
    ]
    for name in next(iter(runs["fixed"].values())):
        columns = [np.array([m[name] for m in runs[p].values()]) for p in PRECISIONS]
        means = [c.mean() for c in columns]
        errors = [c.std(ddof=1) / math.sqrt(len(c)) if len(c) > 1 else math.nan for c in columns]
        both = math.hypot(*errors)
        apart = abs(means[1] - means[0]) / both if both else math.inf * (means[0] != means[1] or 0)
        cells = "".join(f"{m:>14.5g} +- {e:<7.2g}" for m, e in zip(means, errors, strict=True))
        lines.append(f"{name:24}{cells}{apart:8.1f}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/fixed"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for network in options.networks:
        path = options.out / f"{network}.json"
        runs = json.loads(path.read_text()) if path.exists() else {p: {} for p in PRECISIONS}
        wanted = [
            (seed, p)
            for seed in range(options.seeds)
            for p in PRECISIONS
            if str(seed) not in runs[p]
        ]
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.workers, spawn) as pool:
            jobs = {pool.submit(run, network, *one): one for one in wanted}
            for job in as_completed(jobs):
                seed, precision = jobs[job]
                runs[precision][str(seed)] = job.result()
                path.write_text(json.dumps(runs))
                print(f"{network} {precision} {seed}", file=sys.stderr, flush=True)
        print("\n".join(table(network, runs)), flush=True)


if __name__ == "__main__":
    main()
