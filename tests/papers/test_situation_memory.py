"""Situation-associated memory: the network of a NumPy script, its protocol, what the study says."""

from __future__ import annotations

import argparse
import itertools
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from helpers.catalogue import SMALL

import neuroglia_snn as ng
from neuroglia_snn import backends, cli, spec
from neuroglia_snn.backends.base import Outcome, Request
from neuroglia_snn.catalog import files
from neuroglia_snn.checks import load_checked
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.papers.jobs import RunJob, SweepJob
from neuroglia_snn.papers.working_memory import memory
from neuroglia_snn.papers.working_memory.forms import SituationForm
from neuroglia_snn.papers.working_memory.paper import SITUATION_MEMORY
from neuroglia_snn.papers.working_memory.protocols import ITEMS, SITUATION, Situation

SIDE, INNER, ASTROCYTES = 16, 8, 5
#: Settings with which all of the network acts within 100 ms: near neurons are connected for certain.
FAST = {
    **{
        f"projection.{name}.connect.p": "1"
        for name in ("excitation", "onto_interneurons", "inhibition")
    },
    "projection.excitation.connect.cutoff": "2.5",
    "projection.onto_interneurons.connect.cutoff": "2",
    "projection.inhibition.connect.cutoff": "5",
    "w_drive": "0.4",
    "w_max": "0.03",
    "G_spike": "0.15 uM",
    "population.astrocyte.initial.Ca": "0.16*uM",
    "n_release": "4",
}
#: Two patterns train the synapses, the first is learned and cued.
DOCUMENT = f"""
[model]
extends = "{SITUATION}"
remove = ["stimulus", "phase", "experiment"]
[stimulus]
train_A = {{ to = "neuron", variable = "I_app", amplitude = "I_learn", image = "A", start = "1 ms", duration = "2.1 ms", period = "5 ms", count = 4 }}
train_B = {{ to = "neuron", variable = "I_app", amplitude = "I_learn", image = "B", start = "21 ms", duration = "2.1 ms", period = "5 ms", count = 4 }}
learn_A = {{ to = "neuron", variable = "I_app", amplitude = "I_learn", image = "A", duration = "2.1 ms", period = "5 ms", count = 4 }}
test_A = {{ to = "neuron", variable = "I_app", amplitude = "I_test", image = "C", duration = "20.1 ms" }}
begin = {{ to = "neuron", variable = "onset", amplitude = "1", start = "1 ms", duration = "0.1 ms", period = "5 ms", count = 8 }}
begin_i = {{ to = "interneuron", variable = "onset", amplitude = "1", start = "1 ms", duration = "0.1 ms", period = "5 ms", count = 8 }}
begin_A = {{ to = "neuron", variable = "onset", amplitude = "1", duration = "0.1 ms", period = "5 ms", count = 4 }}
begin_A_i = {{ to = "interneuron", variable = "onset", amplitude = "1", duration = "0.1 ms", period = "5 ms", count = 4 }}
begin_C = {{ to = "neuron", variable = "onset", amplitude = "1", duration = "0.1 ms" }}
begin_C_i = {{ to = "interneuron", variable = "onset", amplitude = "1", duration = "0.1 ms" }}
[[phase]]
name = "training"
duration = "45 ms"
set = {{ training = "1", acting = "0", train_A = true, train_B = true, begin = true, begin_i = true }}
[[phase]]
name = "pool"
duration = "25 ms"
set = {{ acting = "0", learn_A = true, begin_A = true, begin_A_i = true }}
[[phase]]
name = "cue"
duration = "30 ms"
set = {{ test_A = true, begin_C = true, begin_C_i = true }}
[record.inner]
population = "interneuron"
events = true
"""
STEPS, TRAINED, ACTING = 1000, 450, 700
PLACE = np.stack(np.divmod(np.arange(SIDE**2), SIDE))
IMAGES = {
    "A": (PLACE[1] < 7) & (PLACE[0] > 1),
    "B": (PLACE[0] < 8) & (PLACE[1] > 4),
    "C": (PLACE[1] < 7) & (PLACE[0] > 1) & (PLACE.sum(0) % 5 > 0),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> spec.Model:
    path = tmp_path_factory.mktemp("situation") / "small.toml"
    path.write_text(DOCUMENT)
    return load_checked(path, {**SMALL[SITUATION], **FAST})[0]


def outcome_of(model: spec.Model, backend: str = "numpy") -> Outcome:
    images = {name: image.reshape(SIDE, SIDE) for name, image in IMAGES.items()}
    return backends.get(backend).run(Request(model, images, seed=1))


def near(source: np.ndarray, target: np.ndarray, reach: float) -> np.ndarray:
    """Which units are connected, (source, target), by their places about the middle."""
    distance = np.hypot(*(source[:, :, None] - target[:, None, :]))
    return (distance <= reach) & (distance > 0)


def rates(ca, ip3, h, glutamate):
    """Per second, of Ullah's astrocytes, in uM (program: runge_astro.m)."""
    left = (2 - ca) / 0.185 - ca
    q = 1.049 * (ip3 + 0.13) / (ip3 + 0.9434)
    er = 1.11 * (ip3 / (ip3 + 0.13) * ca / (ca + 0.082) * h) ** 3 * left
    other = 0.02035 * left - 2.2 * ca**2 / (ca**2 + 0.01) + 0.2 * ip3**2 / (1 + ip3**2) - 0.5 * ca
    of_ip3 = (0.16 - ip3) * 0.14 + 0.3 * (ca + 0.22) / (ca + 1.1) + glutamate
    return np.array([er + other, of_ip3, 0.14 * (q - (q + ca) * h)])


class Script:
    """The same network by hand, in steps of 0.1 ms, with all synapses as matrices; concentrations in uM."""

    def __init__(self) -> None:
        cells, inner = PLACE - (SIDE - 1) / 2, 2.0 * np.stack(np.divmod(np.arange(INNER**2), INNER))
        inner -= INNER - 1
        self.near = near(cells, cells, 2.5), near(inner, cells, 5), near(cells, inner, 2)
        self.W = 1e-4 * self.near[0], 1e-4 * self.near[1]
        n, m = SIDE**2, INNER**2
        self.V, self.U = [np.full(n, -70.0), np.full(m, -70.0)], [np.zeros(n), np.zeros(m)]
        self.seen = [v.copy() for v in self.V]  # at the end of a step, before the reset
        self.G, self.trace = np.zeros(n), np.zeros(n)
        self.astro = np.array([np.full(ASTROCYTES**2, x) for x in (0.16, 0.820204, 0.886314)])
        self.driven, self.together, self.released = np.full((3, ASTROCYTES**2), -(10**6))
        corner = 3 * np.stack(np.divmod(np.arange(ASTROCYTES**2), ASTROCYTES))
        offset = PLACE[:, None, :] - corner[:, :, None]
        self.under = np.all((offset >= 0) & (offset < 4), axis=0).astype(int)  # (astrocyte, neuron)
        grid = np.stack(np.divmod(np.arange(ASTROCYTES**2), ASTROCYTES))
        self.beside = abs(grid[:, :, None] - grid[:, None, :]).sum(0) == 1
        self.spikes: list[list[tuple[int, int]]] = [[], []]

    def image(self, k: int) -> tuple[np.ndarray, bool]:
        """What is applied in step ``k``, and whether something comes on in it."""
        for name, first, times, strength, lasts in (
            ("A", 10, 4, 80, 21),
            ("B", 210, 4, 80, 21),
            ("A", 450, 4, 80, 21),
            ("C", 700, 1, 8, 201),
        ):
            since, which = (k - first) % 50, (k - first) // 50
            if times == 1:
                since, which = k - first, 0 if k >= first else -1
            if 0 <= which < times and since < lasts:
                return strength * IMAGES[name].astype(float), since == 0
        return np.zeros(SIDE**2), False

    def step(self, k: int) -> None:
        training = k < TRAINED
        applied, comes = self.image(k)
        active, fired = self.under @ (self.G >= 0.2), self.under @ (self.seen[0] >= 30)
        helped = (k - self.released < 200)[self.under.argmax(axis=0)]
        exchanged = self.astro[:2] @ self.beside - self.astro[:2] * self.beside.sum(0)
        opened = [v > 0 for v in self.seen]
        current_e = -(opened[0] @ self.W[0]) * (1 + 2 * helped) * self.seen[0]
        current_i = (opened[1] @ self.W[1]) * (-90 - self.seen[0])
        drive = -0.4 * (opened[0].astype(float) @ self.near[2]) * self.seen[1]
        total = applied + (k >= ACTING) * (np.maximum(current_e, 0) + current_i), drive
        for n in (0, 1):
            v, u = self.V[n], self.U[n]
            self.V[n] = v + 0.1 * (0.04 * v**2 + 5 * v + 140 - u + total[n])
            self.U[n] = u + 0.01 * (0.2 * v - u)
        self.G *= 1 - 50e-4
        self.trace *= 1 - 200e-4
        self.astrocytes(k, exchanged)
        peaked = [v >= 30 for v in self.V]
        if training:
            self.learn()
        self.driven[active >= 12] = k
        self.together[fired >= 4] = k
        self.released[(self.astro[0] > 0.15) & (k - self.together <= 50)] = k
        self.seen = [np.where(p, 30.0, v) for p, v in zip(peaked, self.V, strict=True)]
        for n in (0, 1):
            self.spikes[n] += [(k, i) for i in np.flatnonzero(peaked[n])]
            self.V[n][peaked[n]] = -65
            self.U[n][peaked[n]] += 2
            if comes:
                self.V[n][:], self.U[n][:] = -71.9795475755463, -12.884291909183
                self.seen[n][:] = self.V[n]
        self.G[peaked[0]] += 0 if training else 0.15
        if comes and training:
            self.trace[:] = 0

    def learn(self) -> None:
        """Synapses of neurons that fire together, and of interneurons to those that are silent."""
        high = [v > 25 for v in self.V]
        self.trace[high[0]] = np.minimum(self.trace[high[0]] + 0.5, 1)
        for which, changed in enumerate(
            (np.outer(high[0], high[0]), np.outer(high[1], self.trace < 0.3))
        ):
            at = changed & self.near[which]
            self.W[which][at] = np.minimum(self.W[which][at] + 0.007, 0.03)

    def astrocytes(self, k: int, exchanged: np.ndarray) -> None:
        """A step of Runge and Kutta, whose stages each have their time; what neighbours exchange is held."""
        extra = np.array([0.05 * exchanged[0], 0.05 * exchanged[1], np.zeros(ASTROCYTES**2)])

        def slope(state: np.ndarray, at: float) -> np.ndarray:
            driven = k + at - self.driven < 600
            return (k + at >= TRAINED) * (rates(*state, 5.0 * driven) + extra)

        a = slope(self.astro, 0)
        b = slope(self.astro + 0.5e-4 * a, 0.5)
        c = slope(self.astro + 0.5e-4 * b, 0.5)
        d = slope(self.astro + 1e-4 * c, 1)
        self.astro = self.astro + 1e-4 / 6 * (a + 2 * b + 2 * c + d)


def test_the_file_is_the_network_of_a_script(model):
    """Training, learning and a cue: every spike of both kinds, and what all of them leave behind."""
    script = Script()
    for k in range(STEPS):
        script.step(k)
    outcome = outcome_of(model)
    for name, theirs in zip(("spikes", "inner"), script.spikes, strict=True):
        times, units = outcome.events[name]
        assert len(theirs) > 50
        assert list(zip(np.rint(times / 1e-4).astype(int), units, strict=True)) == theirs
    np.testing.assert_allclose(outcome.final["astrocyte"]["Ca"] * 1e3, script.astro[0], rtol=1e-9)
    assert np.ptp(script.astro[0]) > 1e-3 and script.released.max() > ACTING  # all of it has acted
    for weights, connected in zip(script.W, script.near[:2], strict=True):
        assert {1e-4, 0.03} <= set(weights[connected].round(9))


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["fused", "cpp"])
def test_backends_give_the_same_spikes(model, backend):
    times, units = outcome_of(model).events["spikes"]
    others, of = outcome_of(model, backend).events["spikes"]
    assert len(times) > 1000
    np.testing.assert_allclose(others, times, rtol=1e-12)
    np.testing.assert_array_equal(of, units)


# ------------------------------------------------------------------------------- the protocol


@pytest.fixture(scope="module")
def whole() -> spec.Model:
    """The model of the file."""
    return load_checked(SITUATION)[0]


def test_the_files_protocol_is_one_of_the_studys():
    """The file ends with what `Situation` writes."""
    text = files.find("models", SITUATION).read_text(encoding="utf-8")
    assert text.endswith("\n".join(Situation().lines()) + "\n")


@pytest.mark.thorough
def test_a_variant_is_read_like_the_file(tmp_path, whole):
    (tmp_path / "same.toml").write_text(Situation().document())
    same, _ = load_checked(tmp_path / "same.toml")
    assert (same.stimuli, same.phases) == (whole.stimuli, whole.phases)


def test_times_are_those_of_the_published_program(whole):
    """program: stimulation_times.m, from the end of the pre-training on."""
    model = whole
    learned, cued = (memory.presented(model, prefix) for prefix in (memory.LEARN, memory.TEST))
    assert [round(s.start - 1.1, 9) for s in learned[:8]] == [
        *(0.02 + 0.05 * np.arange(7)).round(9),
        1.015,
    ]
    first = [round(s.start - 1.1 - 1.015, 9) for s in cued[:7]]
    assert first == list((0.117 + 0.07 * np.arange(7)).round(9))
    assert round(learned[8].start - cued[6].start, 9) == 0.09
    assert {s.count for s in learned} == {10} and {s.period for s in learned} == {0.005}
    trained = memory.presented(model, memory.TRAIN)
    assert "".join(map(memory.item_of, trained)) == ITEMS


def test_the_situation_changes_by_one_item_that_was_shown():
    order, situations = Situation().drawn()
    assert sorted(order) == sorted(ITEMS) and len(situations) == 10
    assert situations[0] == order[:7]
    for n, (before, now) in enumerate(itertools.pairwise(situations)):
        assert set(now) - set(before) == {order[7 + n]} and len(set(now)) == 7
    assert Situation(seed=1).drawn() != Situation().drawn()


# ------------------------------------------------------------------------------- the measure


def test_correlations_with_the_files_threshold(whole):
    """Three spikes are a pattern's, two are not; an item's correlation is the mean over its cues."""
    model = whole
    images = memory.prepare_images(model, {}, False, 0)
    assert all(np.array_equal(images.noisy[f"ideal_{i}"], images.ideal[i]) for i in ITEMS)
    cues = memory.presented(model, memory.TEST)
    item = memory.item_of(cues[0])
    again = [s for s in cues if memory.item_of(s) == item]
    assert len(again) > 1
    times, units = [], []
    for stimulus in cues:
        for k in range(2 if stimulus is again[0] else 3):
            units.append(np.flatnonzero(images.ideal[memory.item_of(stimulus)]))
            times.append(np.full(len(units[-1]), stimulus.start * 1e3 + 5 * k))
    data = xr.Dataset(
        {
            "spikes_time": ("event", np.concatenate(times)),
            "spikes_unit": ("event", np.concatenate(units)),
        }
    )
    values = memory.analyse(model.without("astrocyte"), data, images)
    assert values["threshold_Hz"] == pytest.approx(2 / 0.03)
    assert values[f"correlation_{item}"] == pytest.approx(1 - 0.5 / len(again))
    assert values["correlation"] == pytest.approx(1 - 0.5 / 70)
    assert values["novel"] == 1  # the items that astrocytes were never shown


# ------------------------------------------------------------------------------- the study


def test_sections_say_what_was_measured(monkeypatch, tmp_path):
    def data(self, setting):
        grid = self.grid(setting.seed)
        axes = {a.name: a.coordinates[0] for a in grid.axes}
        names = ["correlation", "novel", "cue", "rate_in_learned_Hz", "rate_beside_learned_Hz"]
        names += [f"correlation_{item}" for item in ITEMS]
        empty = xr.DataArray(np.zeros(grid.shape), {**axes, "seed": [3]}, [*axes, "seed"])
        trained = 0 if self.settings else 0.1
        return xr.Dataset(
            {n: empty + empty["g_astro"] / 4 + trained + k / 100 for k, n in enumerate(names)}
        )

    def made(self, setting):
        self.folder(setting).mkdir(parents=True)
        for name in ("patterns", "recall", "calcium"):
            (self.folder(setting) / f"{name}.png").write_bytes(b"")

    monkeypatch.setattr(SweepJob, "carry_out", lambda self, setting: None)
    monkeypatch.setattr(SweepJob, "data", data)
    monkeypatch.setattr(RunJob, "carry_out", made)
    monkeypatch.setattr(SweepJob, "summary", lambda self, setting: {})
    monkeypatch.setattr(RunJob, "summary", lambda self, setting: {})
    study = replace(SITUATION_MEMORY, quick=SituationForm(1, 2, "0.3"))
    flags = {"quick": True, "seeds": None, "workers": 1, "resume": False, "force": False}
    asked = argparse.Namespace(seed=3, **flags)
    summary = study.reproduce(asked, Work(tmp_path))
    found = summary["results"]
    assert found["recall_correlation"] == pytest.approx(0.6)
    assert found["recall_correlation_without"] == pytest.approx(0.1)
    assert found["recall_correlation_untrained"] == pytest.approx(0.5)
    assert found["recall_others"] == pytest.approx(0.61)
    assert found["noise_correlation_at_0.2"] == found["noise_correlation_at_0.3"]
    assert all(Path(path).exists() for path in summary["figures"])
    cued = {item for cycle in Situation(cycles=2).drawn()[1] for item in cycle}
    rows = {row[0]: row[1:] for row in summary["sections"][0]["table"]["rows"]}
    assert cued <= rows.keys() and len(rows) == len(cued) + 3 + 3  # of others, and means
    for section in summary["sections"]:
        for command in section["commands"]:
            words = shlex.split(command)[1:]
            assert cli._parser(words).parse_args(words).seed == 3


@pytest.mark.thorough
def test_recall_at_the_papers_size():
    """What trained synapses and astrocytes make of the cues is more than what either makes alone."""
    model = ng.load(SITUATION)
    result = model.run(seed=2)
    without = model.with_parameters(g_astro=0).run(seed=2)
    assert result.measures["cue"] == pytest.approx(0.8, abs=0.01)
    assert result.measures["correlation"] > without.measures["correlation"]
