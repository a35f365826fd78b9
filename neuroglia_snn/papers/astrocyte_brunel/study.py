"""The networks "sparse" and "synchronous" of Jiang et al. (2025), with astrocytes and without their current.

What NEST gives for the same networks is in ``nest.json``, made by ``benchmarks/astrocytes.py``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations
from math import comb

import numpy as np

from neuroglia_snn import backends, checks, spec
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.backends.brian import collect
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments.work import Arrays, Section, Work
from neuroglia_snn.noise import MAX_SEED
from neuroglia_snn.options import command
from neuroglia_snn.papers.astrocyte_brunel import figures
from neuroglia_snn.papers.astrocyte_brunel.synchrony import measures

MODEL, BACKEND = "astrocyte_brunel", "fused"
_SYNCHRONOUS = {"d_i": "2 ms", "tau_i": "2 ms"}
#: Networks, by the settings of the model file.
CASES: Mapping[str, Mapping[str, str]] = {
    "sparse": {},
    "sparse_without": {"w_sic": "0"},
    "synchronous": _SYNCHRONOUS,
    "synchronous_without": {**_SYNCHRONOUS, "w_sic": "0"},
}
#: What is compared: unit and digits.
QUANTITIES = {
    "rate_e": ("Hz", 2),
    "rate_i": ("Hz", 2),
    "local": ("", 3),
    "global": ("", 3),
    "Ca_mean": ("uM", 3),
    "Ca_5": ("uM", 3),
    "Ca_50": ("uM", 3),
    "Ca_95": ("uM", 3),
}
NAMES = {
    "rate_e": "excitatory rate",
    "rate_i": "inhibitory rate",
    "local": "local synchrony",
    "global": "global synchrony",
    "Ca_mean": "calcium, mean",
    "Ca_5": "calcium, 5 %",
    "Ca_50": "calcium, median",
    "Ca_95": "calcium, 95 %",
}


@dataclass(frozen=True)
class Size:
    """How large a network is, and for how long it runs (s) before and while it is measured."""

    scale: float
    before: float
    seconds: float


#: A fifth of the cells with as many synapses each, as NEST ran it; and the paper's size and times.
SMALL, PAPER = Size(0.2, 0.5, 1.0), Size(1.0, 1.0, 10.0)


def identity(options: argparse.Namespace) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    if options.seeds is not None and not 2 <= options.seeds <= 100:
        raise UserError(f"--seeds must be 2 to 100, not {options.seeds}")
    if not 0 <= options.seed <= MAX_SEED - _seeds(options):
        raise UserError(f"--seed must be 0 to {MAX_SEED - _seeds(options)}, not {options.seed}")
    model = _model("sparse", SMALL)
    backends.choose(BACKEND, model)
    return {
        "seed": options.seed,
        "seeds": _seeds(options),
        "quick": options.quick,
        "backend": BACKEND,
        "model_digest": model.digest,
    }


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    seeds = [options.seed + n for n in range(_seeds(options))]
    found = {case: [part(work, case, SMALL, seed) for seed in seeds] for case in CASES}
    sections = [_beside_nest(work, found), _by_astrocytes(work, found)]
    if not options.quick:
        sections.append(_of_papers_size(work, options.seed))
    again = command("reproduce", "astrocyte-brunel", *_flags(options))
    return {
        "versions": collect.versions(),
        "nest": {key: value for key, value in nest().items() if key != "cases"},
        "results": {key: value for s in sections for key, value in s.values.items()},
        "figures": [str(path) for s in sections for path in s.figures],
        "sections": [s.describe([again]) for s in sections],
    }


def _flags(options: argparse.Namespace) -> list[str]:
    flags = ["--seed", str(options.seed)]
    flags += ["--quick"] if options.quick else []
    return flags + (["--seeds", str(options.seeds)] if options.seeds else [])


def _seeds(options: argparse.Namespace) -> int:
    return options.seeds or (3 if options.quick else 10)


@cache
def nest() -> dict:
    """NEST's numbers, with the version and how they were made."""
    return json.loads(files(__package__).joinpath("nest.json").read_text(encoding="utf-8"))


# ---------------------------------------------------------------------------------------- runs


def _model(case: str, size: Size) -> spec.Model:
    duration = f"{size.before + size.seconds:g} second"
    settings = {"scale": f"{size.scale:g}", "model.duration": duration, **CASES[case]}
    return checks.load_checked(MODEL, settings)[0]


def part(work: Work, case: str, size: Size, seed: int) -> Arrays:
    """What is measured of one run, and what a figure shows of it."""

    def compute() -> Arrays:
        model = _model(case, size)
        watch = work.watch(
            f"{case.replace('_', ' ')} currents, seed {seed}"
            if "_" in case
            else f"{case}, seed {seed}"
        )
        outcome = backends.get(BACKEND).run(Request(model, seed=seed, progress=watch))
        return of_run(outcome, size, seed)

    return work.part(f"{case}-{size.scale:g}-{seed}", compute)


def of_run(outcome: Outcome, size: Size, seed: int) -> Arrays:
    """Rates, synchrony and calcium after the first part of a run; its courses for a figure."""
    times, units = outcome.events["spikes"]
    late = times >= size.before
    cells = len(outcome.final["neuron"]["v"])
    found = dict(measures(times[late] - size.before, units[late], cells, size.seconds, seed))
    found |= of_calcium(outcome.final["astrocyte"]["Ca"] * 1e3)
    shown = units % (cells // 100) == 0
    astrocytes, currents = outcome.records["astrocytes"], outcome.records["currents"]
    return {
        **{name: np.array(value) for name, value in found.items()},
        "spike_times": times[shown],
        "spike_units": units[shown] // (cells // 100),
        "course_times": astrocytes.times,
        "calcium": astrocytes.values["Ca"] * 1e3,
        "IP3": astrocytes.values["IP3"] * 1e3,
        "current": currents.values["I_SIC"] * 1e12,
    }


def of_calcium(calcium: np.ndarray) -> dict[str, float]:
    """The distribution of calcium over astrocytes, in its own unit."""
    low, middle, high = np.percentile(calcium, [5, 50, 95])
    return {"Ca_mean": float(calcium.mean()), "Ca_5": low, "Ca_50": middle, "Ca_95": high}


# ------------------------------------------------------------------------------------ statistics


def permutation_p(a: np.ndarray, b: np.ndarray) -> float:
    """Probability that chance alone parts the means of two samples as far, over all ways to part them.

    Exact for up to 200,000 ways, else of 20,000 of them at random (seed 0).
    """
    both, few = np.concatenate([a, b]), len(a)
    apart = abs(np.mean(a) - np.mean(b)) * (1 - 1e-12)
    if comb(len(both), few) <= 200_000:
        chosen = np.array(list(combinations(range(len(both)), few)))
    else:
        random = np.random.default_rng(0)
        chosen = np.array([random.permutation(len(both))[:few] for _ in range(20_000)])
    sums = both[chosen].sum(axis=1)
    differences = np.abs(sums / few - (both.sum() - sums) / (len(both) - few))
    return float((differences >= apart).mean())


def samples(runs: Sequence[Mapping], name: str) -> np.ndarray:
    """A quantity of every run."""
    return np.array([float(run[name]) for run in runs])


def _spread(values: np.ndarray, digits: int) -> str:
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"


def _compared(
    label: str, one: Sequence[Mapping], other: Sequence[Mapping]
) -> tuple[list[list[str]], dict[str, float]]:
    """Rows of a table: each quantity in two sets of runs, and how likely chance parts them so."""
    rows: list[list[str]] = []
    values: dict[str, float] = {}
    for name, (unit, digits) in QUANTITIES.items():
        a, b = samples(one, name), samples(other, name)
        p = permutation_p(a, b)
        unit = f" ({unit})" if unit else ""
        rows.append([label, NAMES[name] + unit, _spread(a, digits), _spread(b, digits), f"{p:.3g}"])
        values |= {f"{label}_{name}": float(a.mean()), f"{label}_{name}_p": p}
    return rows, values


# -------------------------------------------------------------------------------------- sections


def _beside_nest(work: Work, found: Mapping[str, Sequence[Arrays]]) -> Section:
    theirs = nest()["cases"]
    rows: list[list[str]] = []
    values: dict[str, float] = {}
    for case in (c for c in CASES if c in theirs):
        more, numbers = _compared(case, found[case], theirs[case])
        rows += more
        values |= numbers
    smallest = min(v for name, v in values.items() if name.endswith("_p"))
    count = len(rows)
    least = max(1 / comb(len(found[case]) + len(runs), len(runs)) for case, runs in theirs.items())
    if least * count > 0.05:
        said = "there are too few seeds to tell"
    elif smallest * count > 0.05:
        said = "no quantity differs between the simulators"
    else:
        said = "one or more quantities differ between the simulators"
    text = (
        f"{len(found['sparse'])} seeds here and {', '.join(f'{len(v)} ({k})' for k, v in theirs.items())} in NEST"
        f" {nest()['version']}; a fifth of the cells with as many synapses each. p is of an exact permutation test of the"
        f" means with the seeds as the sample. At 5 % for all {count} of them together (Bonferroni), {said}; the"
        f" smallest p is {smallest:.2g}."
    )
    columns = ["network", "quantity", "here", "NEST", "p"]
    path = figures.beside(work.folder / "beside_nest", found, theirs)
    return Section(
        "Rates, synchrony and calcium in two simulators", text, [path], (columns, rows), values
    )


def _by_astrocytes(work: Work, found: Mapping[str, Sequence[Arrays]]) -> Section:
    rows: list[list[str]] = []
    values: dict[str, float] = {}
    said = []
    for case in ("sparse", "synchronous"):
        more, numbers = _compared(f"{case} by astrocytes", found[case], found[f"{case}_without"])
        rows += more[:4]
        values |= {k.replace(" ", "_"): v for k, v in numbers.items()}
        rate, local = (
            samples(found[case], n).mean() / samples(found[f"{case}_without"], n).mean()
            for n in ("rate_e", "local")
        )
        p = numbers[f"{case} by astrocytes_local_p"]
        said.append(
            f"In the {case} network the rate is {rate:.2f} times that without, local synchrony {local:.2f} times"
            f" (p = {p:.2g})."
        )
    text = (
        f"{' '.join(said)} The paper's abstract says that astrocytes consistently synchronise local groups of neurons, in"
        " networks of several connectivities and regimes. Here every neuron draws astrocytes of its own, so that no group"
        " shares one: what the current does to synchrony is by the drive alone."
    )
    columns = ["network", "quantity", "with", "without", "p"]
    path = figures.courses(work.folder / "courses", {c: runs[0] for c, runs in found.items()})
    return Section(
        "With astrocytes and without their current", text, [path], (columns, rows), values
    )


def _of_papers_size(work: Work, seed: int) -> Section:
    """10,000 neurons and 10,000 astrocytes for ten seconds after the first."""
    found = {case: part(work, case, PAPER, seed) for case in CASES}
    rows = [
        [
            case,
            *(f"{float(found[case][name]):.{digits}f}" for name, (_, digits) in QUANTITIES.items()),
        ]
        for case in CASES
    ]
    columns = [
        "network",
        *(NAMES[name] + (f" ({unit})" if unit else "") for name, (unit, _) in QUANTITIES.items()),
    ]
    values = {f"paper_{case}_{n}": float(found[case][n]) for case in CASES for n in QUANTITIES}
    path = figures.courses(work.folder / "paper_courses", found)
    text = "10,000 neurons, 10,000 astrocytes, measured for 10 s after the first second, as the paper does; one seed."
    return Section("The paper's size", text, [path], (columns, rows), values)
