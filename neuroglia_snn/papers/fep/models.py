"""``neuroglia run`` for models of self-organised learning: the canonical network, a spiking culture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from neuroglia_snn import backends, results, spec
from neuroglia_snn.backends.base import Outcome, Progress, Request
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.options import Options
from neuroglia_snn.papers.fep import (
    RecordingError,
    ensembles,
    figures,
    learning,
    network,
    recordings,
    stimulus,
)
from neuroglia_snn.papers.fep.culture import from_events, sessions_of
from neuroglia_snn.papers.fep.ensembles import EARLY, Culture
from neuroglia_snn.papers.fep.experiment import CANONICAL
from neuroglia_snn.papers.fep.reverse_engineering import analyse


def canonical(
    prior: float, preference: float = 0.01, insensitivity: float = network.INSENSITIVITY
) -> network.Network:
    """Two ensembles, each with a slight initial preference for its own half of the electrodes."""
    own = learning.own_half(stimulus.ELECTRODES)
    return network.start(
        np.full(stimulus.SOURCES, prior), stimulus.ELECTRODES, insensitivity, preference * own
    )


def simulate(
    backend: str, request: Request, name: str, condition: str, watch: Progress | None
) -> tuple[Culture, Outcome]:
    """Run a spiking culture.

    Raises
    ------
    BackendError, NumericalError
    """
    chosen = backends.choose(backend, request.model)
    outcome = chosen.run(replace(request, progress=watch))
    return from_events(request.model, outcome.events, name, condition), outcome


def identity(model: spec.Model, options: Options) -> dict:
    """See `neuroglia_snn.experiments.base.OwnProtocol`."""
    spiking = model.experiment["kind"] == "self-organisation"
    Request(model, seed=options.seed, threads=options.threads)  # refuses a bad seed or number
    sessions = sessions_of(model)
    if spiking:
        backend = backends.choose(options.backend, model)
        return {"backend": backend.name, "threads": options.threads, "sessions": sessions}
    return {"sessions": sessions}


def run(model: spec.Model, options: Options, work: Work) -> dict:
    """See `neuroglia_snn.experiments.base.OwnProtocol`."""
    if model.experiment["kind"] == "canonical-network":
        return _run_canonical(model, options, work)
    return _run_culture(model, options, work)


# ------------------------------------------------------------------- canonical network


def _run_canonical(model: spec.Model, options: Options, work: Work) -> dict:
    mixing, excitability, insensitivity, preference = (
        model.parameters[name].value.si for name in CANONICAL
    )
    trials = int(model.experiment["trials"])
    shown = stimulus.draw(mixing, options.seed, sessions_of(model), trials)
    start = canonical(float(network.sigmoid(np.array(excitability))), preference, insensitivity)
    history = learning.follow(start, shown, work.watch(model.name))
    axes = ("session", "trial", "ensemble")
    data = xr.Dataset(
        {
            "sources": (("session", "trial", "source"), shown.sources),
            "electrodes": (("session", "trial", "electrode"), shown.electrodes),
            "x": (axes, history.x, {"about": "activity of the network"}),
            "s": (axes, history.s, {"about": "belief of the ideal observer"}),
            "connectivity": (("session", "state", "ensemble", "electrode"), history.connectivity),
            "cost": ("session", history.cost, {"units": "nat per trial"}),
            "free_energy": ("session", history.free_energy, {"units": "nat per trial"}),
        }
    )
    results.write_dataset(data, work.folder / results.DATA)
    late = slice(-EARLY, None)
    found = {
        "discrimination_first": learning.discrimination(history.x, shown.sources)[0].mean(),
        "discrimination_last": learning.discrimination(history.x, shown.sources)[late].mean(),
        "selectivity_last": learning.selectivity(history.x, shown.sources)[late].mean(),
        "cost_first": history.cost[0],
        "cost_last": history.cost[-1],
        "free_energy_first": history.free_energy[0],
        "free_energy_last": history.free_energy[-1],
        "largest_difference_from_observer": np.abs(history.x - history.s).max(),
    }
    path = figures.landscape(work.folder, {"canonical network": (shown, history)}, {})
    return {
        "parameters": {name: model.parameters[name].text for name in CANONICAL},
        "results": {name: float(value) for name, value in found.items()},
        "data": str(work.folder / results.DATA),
        "figures": [str(path)],
    }


# ---------------------------------------------------------------------- spiking culture


def _run_culture(model: spec.Model, options: Options, work: Work) -> dict:
    request = Request(model, seed=options.seed, threads=options.threads)
    culture, outcome = simulate(
        options.backend, request, "culture 1", model.name, work.watch(model.name)
    )
    states = results.dataset(model, outcome)
    states = states.drop_dims([d for d in states.dims if str(d).startswith("event_")])
    data = recordings.dataset([culture]).merge(states)
    results.write_dataset(data, work.folder / results.DATA)
    found: dict[str, float] = {"spikes_per_trial": float(culture.counts.mean())}
    for name, record in outcome.records.items():
        for variable, values in record.values.items():
            found[f"{name}_{variable}_last"] = float(values[-1].mean())
    drawn, sets, note = [], {}, None
    try:
        for when, part in (("first", slice(None, EARLY)), ("last", slice(-EARLY, None))):
            found[f"difference_{when}"] = float(np.abs(ensembles.preference(culture, part)).mean())
        drawn.append(figures.layout(work.folder, culture))
        sets = {model.name: analyse([culture])} if sessions_of(model) > EARLY else {}
    except RecordingError as error:
        note = str(error)
    for analysis in sets.get(model.name, []):
        found["selectivity_last"] = float(analysis.selectivity[-EARLY:].mean())
        for name in analysis.predictions:
            found[f"err_x_{name}"] = float(analysis.err_x[name][-1])
            found[f"err_W_{name}"] = float(analysis.err_w[name][-1])
    if sets:
        drawn += [figures.responses(work.folder, sets), figures.prediction(work.folder, sets)]
    return {
        "parameters": {name: p.text for name, p in model.parameters.items()},
        "not_analysed": [note] if note else [],
        "versions": dict(outcome.versions),
        "wall_seconds": {
            "build": round(outcome.build_seconds, 3),
            "run": round(outcome.run_seconds, 3),
        },
        "compiled": outcome.compiled,
        "results": found,
        "data": str(work.folder / results.DATA),
        "figures": [str(path) for path in drawn],
    }
