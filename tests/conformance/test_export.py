"""Exported scripts run without this package, and give what our run gives, to rounding."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from neuroglia_snn import backends, load
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.catalog import files
from neuroglia_snn.exchange import export

#: Runs a script where this package cannot be imported, and keeps all that it holds.
ALONE = """
import runpy, sys

class Hidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "neuroglia_snn":
            raise ImportError("not installed here")

sys.meta_path.insert(0, Hidden())
import brian2, numpy as np
brian2.prefs.codegen.target = "numpy"
if len(sys.argv) > 3:
    np.random.randn = lambda *n: np.linspace(-1, 1.5, *n)
found = runpy.run_path(sys.argv[1])
kept = {}
for name, one in found.items():
    if isinstance(one, brian2.NeuronGroup):
        for variable in one.variables:
            if isinstance(one.variables[variable], brian2.core.variables.ArrayVariable):
                key = f"final {one.name.removesuffix('_')} {variable}"
                kept[key] = one.variables[variable].get_value()
    elif isinstance(one, brian2.EventMonitor):
        kept |= {f"{name} t": one.t_, f"{name} i": np.array(one.i)}
    elif isinstance(one, brian2.StateMonitor):
        kept[f"{name} t"] = one.t_
        kept |= {f"{name} {v}": getattr(one, v + "_").T for v in one.record_variables}
np.savez(sys.argv[2], **kept)
"""


def alone(script: Path, *more: str) -> Mapping[str, np.ndarray]:
    """All that a script holds after its run, in a process without this package."""
    kept = script.with_name("kept.npz")
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(script), str(kept), *more],
        capture_output=True,
        text=True,
        cwd=script.parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "conflict" not in done.stderr, done.stderr  # of names
    return dict(np.load(kept, allow_pickle=False))


def both(
    name: str, folder: Path, settings: Mapping[str, str], *more: str
) -> tuple[Outcome, Mapping[str, np.ndarray]]:
    """Our own run, and that of the exported script."""
    script = folder / "script.py"
    export(name, script, overrides=settings, seed=5)
    model = load(name, settings)
    images = {}
    if model.images():
        data = np.load(script.with_suffix(".npz"), allow_pickle=False)
        shapes = model.images()
        images = {n: data[f"image.{n}"].reshape(shape) > 0 for n, shape in shapes.items()}
    ours = backends.get("numpy").run(Request(model, images, seed=5))
    return ours, alone(script, *more)


def require_equal(ours: Outcome, theirs: Mapping[str, np.ndarray]) -> None:
    """All final values, records and events are the same to rounding."""
    compared = 0
    for population, state in ours.final.items():
        for variable, value in state.items():
            close(theirs[f"final {population} {variable}"], value)
            compared += 1
    for name, recorded in ours.records.items():
        close(theirs[f"{name} t"], recorded.times)
        for variable, value in recorded.values.items():
            close(theirs[f"{name} {variable}"], value)
    for name, (times, units) in ours.events.items():
        close(theirs[f"{name} t"], times)
        assert (theirs[f"{name} i"] == units).all()
    assert compared


def close(theirs: np.ndarray, ours: np.ndarray) -> None:
    assert theirs.shape == ours.shape
    assert np.isfinite(ours).all()
    scale = np.abs(ours).max(initial=1e-300)
    np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-12 * scale)


_MEMORY = {
    "model.duration": "6.4 ms",
    "population.neuron.shape": "[13, 13]",
    "population.astrocyte.shape": "[4, 4]",
    "stimulus.train.duration": "1 ms",
    "stimulus.train.period": "2 ms",
    "stimulus.test.start": "5 ms",
    "stimulus.test.duration": "1 ms",
    "record.frames.every": "0.5 ms",
    "record.calcium.every": "0.5 ms",
    "experiment.cue": "5 ms",
    "experiment.recall": "5.5 ms",
    "experiment.window": "0.5 ms",
    "sigma2": "0",
}
#: Short runs without the noise that we draw in another way.
SETTINGS = {
    "fep_canonical": {"model.duration": "40 second", "experiment.trials": "40"},
    "fep_culture": {"model.duration": "95 ms", "experiment.trials": "3", "sigma": "0"},
    "fhn_astrocytes": {"model.duration": "2 ms", "D": "0"},
    "fhn_classifier": {"model.duration": "1 ms"},
    "fhn_excitable": {"model.duration": "12 ms"},
    "noise_induced_excitability": {"model.duration": "2 ms", "sigma2": "0"},
    "tripartite_coba": {"model.duration": "20.5 ms"},
}
MODELS = sorted(files.names("models"))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_catalogue_runs_alone_and_gives_what_ours_gives(name, tmp_path):
    require_equal(*both(name, tmp_path, SETTINGS.get(name, _MEMORY)))
