"""Exported scripts run without this package, and give what our run gives, to rounding."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fuzz import contract, random_models
from helpers.catalogue import SMALL, load_short, quick

from neuroglia_snn import backends, export, noise
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.backends.brian.quiet import hush
from neuroglia_snn.catalog import files
from neuroglia_snn.exchange import groups, synapses, to_brian2, write
from neuroglia_snn.exchange.to_brian2 import script

#: Runs a script where this package cannot be imported, and keeps all that it holds. The noise is the same
#: number in every step, as in `no_chance`, and takes nothing from the random numbers of other code.
ALONE = """
import runpy, sys

class Hidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "neuroglia_snn":
            raise ImportError("not installed here")

sys.meta_path.insert(0, Hidden())
import brian2, numpy as np
brian2.prefs.codegen.target = "numpy"
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


def alone(script: Path) -> Mapping[str, np.ndarray]:
    """All that a script holds after its run, in a process without this package."""
    kept = script.with_name("kept.npz")
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(script), str(kept)],
        capture_output=True,
        text=True,
        cwd=script.parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "conflict" not in done.stderr, done.stderr  # of names
    return dict(np.load(kept, allow_pickle=False))


def both(
    name: str | Path, folder: Path, settings: Mapping[str, str], device: str = "runtime"
) -> tuple[Outcome, Mapping[str, np.ndarray]]:
    """Our own run, and that of the exported script, with a checkerboard for every image."""
    model = load_short(name, settings)
    images = {n: np.indices(shape).sum(0) % 2 > 0 for n, shape in model.images().items()}
    path = folder / "script.py"
    write(script(model, images, device, seed=5), path)
    ours = backends.get("numpy").run(Request(model, images, seed=5))
    return ours, alone(path)


def require_equal(ours: Outcome, theirs: Mapping[str, np.ndarray]) -> None:
    """All final values, records and events are the same to rounding."""
    compared = 0
    for population, state in ours.final.items():
        for variable, value in state.items():
            close(theirs[f"final {population} {variable}"], value)
            compared += 1
    for name, recorded in ours.records.items():
        name = name if f"{name} t" in theirs else f"{name}_monitor"
        close(theirs[f"{name} t"], recorded.times)
        for variable, value in recorded.values.items():
            close(theirs[f"{name} {variable}"], value)
    for name, (times, units) in ours.events.items():
        name = name if f"{name} t" in theirs else f"{name}_monitor"
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
    "record.frames.every": "1 ms",
    "record.calcium.every": "0.5 ms",
    "sigma2": "0",
}
#: In the place of numbers that a script has from NumPy, which here has one for all.
NO_CHANCE = {
    "population.neuron.initial.v": "-60*mV + 10*mV*rand()",
    "population.neuron.initial.g_e": "80*nS*rand()",
    "population.neuron.initial.g_i": "400*nS*rand()",
}
#: Short runs without the noise that we draw in another way.
SETTINGS = {
    "fep_canonical": {"model.duration": "40 second"},
    "fep_culture": {"model.duration": "95 ms", "sigma": "0"},
    "fhn_astrocytes": {"model.duration": "2 ms", "D": "0"},
    "fhn_classifier": {"model.duration": "1 ms"},
    "fhn_excitable": {"model.duration": "12 ms"},
    "noise_induced_excitability": {"model.duration": "2 ms", "sigma2": "0"},
    "noise_induced_spirals": {
        "model.duration": "2 ms",
        "sigma2": "0",
        **SMALL["noise_induced_spirals"],
    },
    "astrocyte_ring": {"model.duration": "500 ms", **SMALL["astrocyte_ring"]},
    "gchi_astrocyte": {"model.duration": "20.5 ms", "population.astrocyte.initial.noisy": "0"},
    "gliotransmitter_release": {"model.duration": "20.5 ms"},
    "coba": NO_CHANCE,
    "cobahh": NO_CHANCE,
}
#: A model with everything that a file can say and an own loop need not know.
EVERYTHING = Path(__file__).with_name("everything.toml")
MODELS = sorted(files.names("models"))


@pytest.mark.one_in(14)
@pytest.mark.parametrize("name", quick(MODELS))
def test_every_model_of_the_catalogue_runs_alone_and_gives_what_ours_gives(name, tmp_path):
    settings = SETTINGS.get(name, {} if name in SMALL else _MEMORY)
    if name in SMALL:
        settings = {"model.duration": "20.5 ms", **SMALL[name], **settings}
    require_equal(*both(name, tmp_path, settings))


def test_noise_and_everything_else_of_the_format_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(noise, "gaussian", no_chance)
    monkeypatch.setattr(to_brian2, "MAX_VALUES", 2)  # a table and
    monkeypatch.setattr(synapses, "MAX_PAIRS", 3)  # a list of pairs are too long for the script
    ours, theirs = both(EVERYTHING, tmp_path, {})
    kept = np.load(tmp_path / "script.npz", allow_pickle=False)
    assert {*kept} == {"image.spot", "table.wave", "pairs.along.i", "pairs.along.j"}
    require_equal(ours, theirs)
    assert min(len(times) for times, _ in ours.events.values()) > 0


@pytest.mark.thorough
def test_kernels_phases_and_inputs_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(noise, "gaussian", no_chance)
    monkeypatch.setattr(groups, "MAX_SPIKES", 2)
    ours, theirs = both(EVERYTHING.with_name("language.toml"), tmp_path, {})
    kept = np.load(tmp_path / "script.npz", allow_pickle=False)
    assert {*kept} == {"table.drive", "spikes.given.i", "spikes.given.t"}
    require_equal(ours, theirs)
    assert min(len(times) for times, _ in ours.events.values()) > 0


def test_linked_variables_are_the_same(tmp_path):
    require_equal(*both(EVERYTHING.with_name("linked.toml"), tmp_path, {}))


@pytest.mark.one_in(3)
@pytest.mark.parametrize("seed", [104, 118, 138])
def test_random_models_are_the_same(seed, tmp_path, monkeypatch):
    hush()
    monkeypatch.setattr(noise, "gaussian", no_chance)
    ((part, against),) = random_models.sound([seed], tmp_path).values()
    model = contract.check(random_models.write(tmp_path, [part]))
    write(script(model, {}, seed=1), tmp_path / "script.py")
    theirs = alone(tmp_path / "script.py")
    ours = against.outcome.records[part.record]
    values = {v: theirs[f"{part.record} {v}"] for v in ours.values}
    events = {n: (theirs[f"{n} t"], theirs[f"{n} i"]) for n in against.outcome.events}
    found = replace(
        against.outcome, records={part.record: replace(ours, values=values)}, events=events
    )
    assert not random_models.difference(part, found, against)


def no_chance(seed: int, stream: int, place: np.ndarray, step: int) -> np.ndarray:
    """Numbers in the place of the noise, another one for each unit."""
    return np.linspace(-1, 1.5, np.size(place))


@pytest.mark.thorough
def test_a_script_gives_the_same_as_a_program_in_cpp(tmp_path):
    require_equal(*both("noise_induced_memory", tmp_path, _MEMORY, "cpp_standalone"))


def test_scripts_choose_their_device(tmp_path):
    for device, line in (
        ("cpp_standalone", "set_device('cpp_standalone')"),
        ("cuda_standalone", "import brian2cuda\n\nset_device('cuda_standalone')"),
    ):
        path = tmp_path / f"{device}.py"
        export("fhn_excitable", path, device=device)
        assert line in path.read_text()
