"""Self-organised learning under the free-energy principle, and the cultures that show it.

Paper: Isomura, Kotani, Jimbo and Friston, "Experimental validation of the free-energy principle with in
vitro neural networks", Nat. Commun. 14:4547 (2023).
"""

from __future__ import annotations

import argparse
import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from neuroglia_snn import backends, checks, results, spec
from neuroglia_snn.backends.base import Request
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments.work import Arrays, Work
from neuroglia_snn.noise import MAX_SEED
from neuroglia_snn.papers.fep import (
    RecordingError,
    ensembles,
    figures,
    learning,
    recordings,
    stimulus,
)
from neuroglia_snn.papers.fep.ensembles import EARLY, Culture
from neuroglia_snn.papers.fep.learning import History
from neuroglia_snn.papers.fep.models import canonical, simulate
from neuroglia_snn.papers.fep.reverse_engineering import Analysis, analyse

__all__ = ["identity", "reproduce"]

#: Conditions of the simulated cultures, as parameters of `fep_culture` that differ.
CONDITIONS: dict[str, dict[str, str]] = {
    "mix0": {"mixing": "0"},
    "mix25": {},
    "mix50": {"mixing": "0.5"},
    "lowered": {"excitability": "-2"},
    "raised": {"excitability": "2"},
}
#: State priors of lowered, normal and raised excitability in the paper's theory.
STATE_PRIORS = {"lowered": 0.2, "normal": 0.5, "raised": 0.8}
MIXINGS = (0.0, 0.25, 0.5)


def identity(options: argparse.Namespace) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    if options.cultures < 0:
        raise UserError(f"--cultures is a number of cultures, not {options.cultures}")
    if options.sessions <= EARLY:
        raise UserError(
            f"--sessions must be more than the {EARLY} that a prediction sees, not {options.sessions}"
        )
    if not 0 <= options.seed <= MAX_SEED - options.cultures:
        raise UserError(f"--seed must be 0 to {MAX_SEED - options.cultures}, not {options.seed}")
    models = _models(options)
    for model in models.values():
        backends.choose(options.backend, model)
    if options.data is not None:
        _recorded(options.data)
    return {
        "seed": options.seed,
        "cultures": options.cultures,
        "sessions": options.sessions,
        "backend": options.backend,
        "models": {condition: model.digest for condition, model in models.items()},
        "data": recordings.digest(options.data) if options.data is not None else None,
    }


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """See `neuroglia_snn.experiments.work.Paper`."""
    theory = _theory(options, work)
    simulated = _simulated(options, work)
    recorded = _recorded(options.data) if options.data is not None else {}
    analyses, notes = _analyses(simulated)
    sets = {f"recorded_{k}": v for k, v in recorded.items()}
    sets |= {f"simulated_{k}": v for k, v in analyses.items()}
    found = _of_theory(theory) | _of_cultures(simulated)
    means, spreads = _of_analyses(sets)
    data = _dataset([c for s in simulated.values() for c in s], sets, theory)
    results.write_dataset(data, work.folder / results.DATA)
    drawn = figures.draw(work.folder, theory, simulated, sets)
    return {
        "recordings": sorted(recorded) or "none given (--data): simulated cultures only",
        "not_analysed": notes,
        "results": found | means,
        "standard_deviations": spreads,
        "data": str(work.folder / results.DATA),
        "figures": [str(path) for path in drawn],
    }


# ------------------------------------------------------------------------------ parts


def _models(options: argparse.Namespace) -> dict[str, spec.Model]:
    """The spiking culture of every condition; none where no cultures are wanted."""
    models = {}
    for condition, settings in CONDITIONS.items() if options.cultures else ():
        model, _ = checks.load_checked("fep_culture", settings)
        session = int(model.experiment["trials"]) * float(model.experiment["trial"])
        models[condition] = replace(model, duration=options.sessions * session)
    return models


def _theory(
    options: argparse.Namespace, work: Work
) -> dict[tuple[float, str], tuple[stimulus.Stimulus, History]]:
    """The canonical network for every mixing and state prior."""
    watch, done = work.watch("canonical network"), {}
    cases = [(m, "normal") for m in MIXINGS] + [(0.25, k) for k in ("lowered", "raised")]
    for n, (mixing, level) in enumerate(cases):
        shown = stimulus.draw(mixing, options.seed, options.sessions)
        done[mixing, level] = (shown, learning.follow(canonical(STATE_PRIORS[level]), shown))
        watch((n + 1) / len(cases), (n + 1.0) * options.sessions * stimulus.TRIALS)
    return done


def _simulated(options: argparse.Namespace, work: Work) -> dict[str, list[Culture]]:
    """Cultures of every condition, from the results of an interrupted study where they are there."""
    return {
        condition: [_grown(options, work, condition, model, n) for n in range(options.cultures)]
        for condition, model in _models(options).items()
    }


def _grown(
    options: argparse.Namespace, work: Work, condition: str, model: spec.Model, n: int
) -> Culture:
    name = f"culture {n + 1}"

    def compute() -> Arrays:
        request = Request(model, seed=options.seed + n)
        watch = work.watch(f"{condition}, {name}")
        culture, _ = simulate(options.backend, request, name, condition, watch)
        return {field: getattr(culture, field) for field in recordings.FIELDS}

    return Culture(name, condition, **work.part(f"{condition}-{n}", compute))


def _recorded(folder: Path) -> dict[str, list[Analysis]]:
    """Recorded cultures, analysed by condition."""
    return _analysed(folder, tuple(recordings.digest(folder).items()))


@functools.lru_cache(maxsize=1)  # bad data is refused before any work, and good data analysed once
def _analysed(folder: Path, digest: tuple) -> dict[str, list[Analysis]]:
    sets: dict[str, list[Culture]] = {}
    for culture in recordings.load(folder):
        sets.setdefault(culture.condition, []).append(culture)
    return {condition: analyse(cultures) for condition, cultures in sets.items()}


def _analyses(simulated: dict[str, list[Culture]]) -> tuple[dict[str, list[Analysis]], list[str]]:
    """Simulated cultures by condition, without those in which no ensembles formed."""
    analyses, notes = {}, []
    for condition, cultures in simulated.items():
        able = []
        for culture in cultures:
            try:
                ensembles.find(culture)
                able.append(culture)
            except RecordingError as error:
                notes.append(str(error))
        if able:
            analyses[condition] = analyse(able)
    return analyses, notes


# ---------------------------------------------------------------------------- results


def _of_theory(theory: dict) -> dict[str, float]:
    found = {}
    for (mixing, level), (shown, history) in theory.items():
        name = f"canonical_mix{mixing * 100:g}" + ("" if level == "normal" else f"_{level}")
        late = learning.discrimination(history.x, shown.sources)[-EARLY:].mean()
        found[f"{name}_discrimination"] = float(late)
        found[f"{name}_cost_first"] = float(history.cost[0])
        found[f"{name}_cost_last"] = float(history.cost[-1])
        found[f"{name}_free_energy_last"] = float(history.free_energy[-1])
    return found


def _of_cultures(simulated: dict[str, list[Culture]]) -> dict[str, float]:
    """How many spikes tell the sources apart, an electrode and trial, early and late."""
    found = {}
    for condition, cultures in simulated.items():
        for when, part in (("first", slice(None, EARLY)), ("last", slice(-EARLY, None))):
            apart = [np.abs(ensembles.preference(c, part)).mean() for c in cultures]
            found[f"simulated_{condition}_difference_{when}"] = float(np.mean(apart))
    return found


def _of_analyses(sets: dict[str, list[Analysis]]) -> tuple[dict[str, float], dict[str, float]]:
    """Means and standard deviations over cultures at the last session."""
    means: dict[str, float] = {}
    spreads: dict[str, float] = {}

    def add(key: str, values: list[float]) -> None:
        means[key] = float(np.mean(values))
        if len(values) > 1:
            spreads[key] = float(np.std(values, ddof=1))

    for name, group in sets.items():
        means[f"{name}_cultures"] = len(group)
        add(f"{name}_selectivity", [a.selectivity[-EARLY:].mean() for a in group])
        for model in group[0].predictions:
            by = "" if model == "canonical" else f"_{model}"
            add(f"{name}_err_x{by}", [a.err_x[model][-1] for a in group])
            add(f"{name}_err_W{by}", [a.err_w[model][-1] for a in group])
            add(f"{name}_correlation{by}", [a.correlation[model][-1] for a in group])
    return means, spreads


def _dataset(cultures: list[Culture], sets: dict[str, list[Analysis]], theory: dict) -> xr.Dataset:
    """Simulated cultures (which ``--data`` reads back), errors of all, the canonical network's cost."""
    data = recordings.dataset(cultures) if cultures else xr.Dataset()
    names = [f"mix{m * 100:g} {level}" for m, level in theory]
    data = data.assign_coords(theory=("theory", names))
    for key in ("cost", "free_energy"):
        values = np.stack([getattr(h, key) for _, h in theory.values()])
        data[key] = (("theory", "theory_session"), values, {"units": "nat per trial"})
    for name, group in sets.items():
        data = data.merge(_errors(name, group))
    return data


def _errors(name: str, group: list[Analysis]) -> xr.Dataset:
    axes = (f"culture_of_{name}", "model", f"session_of_{name}")
    data = xr.Dataset(coords={"model": list(group[0].predictions)})
    for key in ("err_x", "err_w", "correlation"):
        values = np.stack([list(getattr(a, key).values()) for a in group])
        data[f"{key}_{name}"] = (axes, values)
    return data
