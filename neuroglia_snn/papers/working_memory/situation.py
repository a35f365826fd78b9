"""Memory of a changing situation: trained synapses with and without astrocytes, astrocytes alone, noise.

Paper: Gordleeva et al., "Situation-based neuromorphic memory in spiking neuron-astrocyte network",
IEEE Trans. Neural Netw. Learn. Syst. (2023), 10.1109/TNNLS.2023.3335450.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from neuroglia_snn import checks, spec
from neuroglia_snn.experiments.work import Section
from neuroglia_snn.papers import figures as shared
from neuroglia_snn.papers.jobs import RunJob, Setting, SweepJob, mean, spread
from neuroglia_snn.papers.working_memory import digits, figures, memory
from neuroglia_snn.papers.working_memory.forms import SituationForm
from neuroglia_snn.papers.working_memory.lines import drawn
from neuroglia_snn.papers.working_memory.protocols import ITEMS, Situation, written
from neuroglia_snn.papers.working_memory.protocols import SITUATION as MODEL
from neuroglia_snn.results.style import CONTROL
from neuroglia_snn.results.style import MODEL as WITH

#: The mean correlation that the published program's README gives for its default run.
PUBLISHED = 0.9224
#: Astrocytes whose gliotransmitter does nothing, and those of the file.
EFFECTS = ("0", "2")
#: Settings with which synapses are not trained.
UNTRAINED = {"eta_e": "0", "eta_i": "0"}


def parts(form: SituationForm, folder: Path) -> dict[str, shared.Figure]:
    """Everything that is computed, in its order."""
    both = f"g_astro={','.join(EFFECTS)}"
    own = Situation(cycles=form.cycles)
    model = MODEL if own == Situation() else written(folder, f"{form.cycles}-cycles", own)
    example = RunJob("example", model)
    usual = SweepJob("usual", model, (both,), form.seeds)
    untrained = SweepJob("untrained", model, (f"g_astro={EFFECTS[1]}",), form.seeds, UNTRAINED)
    bold = SweepJob("bold", model, (both,), form.seeds, {"experiment.weight": "bold"})
    noise = SweepJob("noise", model, (f"experiment.test_noise={form.noises}", both), form.seeds)
    return {
        "recall": shared.Figure(
            [example, usual, untrained], lambda s: _recall(example, usual, untrained, s)
        ),
        "letters": shared.Figure([usual, bold], lambda s: _letters(usual, bold, s)),
        "noise": shared.Figure([usual, noise], lambda s: _noise(usual, noise, s)),
    }


@functools.cache
def _model(path: str) -> spec.Model:
    """A model of this study, read once."""
    return checks.load_checked(path)[0]


def _of(data: xr.Dataset, effect: str) -> xr.Dataset:
    return data.sel(g_astro=float(effect))


def _recall(example: RunJob, usual: SweepJob, untrained: SweepJob, setting: Setting) -> Section:
    trained, not_trained = usual.data(setting), untrained.data(setting)
    columns = [
        _of(trained, EFFECTS[1]),
        _of(trained, EFFECTS[0]),
        _of(not_trained, EFFECTS[1]),
    ]
    model = _model(usual.model)
    cued = sorted({memory.item_of(s) for s in memory.presented(model, memory.TEST)})
    rows = [[item, *(spread(d[f"correlation_{item}"]) for d in columns)] for item in cued]
    for said, key in {
        "mean of the situation": "correlation",
        "mean of others": "novel",
        "of the cues": "cue",
    }.items():
        rows.append([said, *(spread(d[key]) for d in columns)])
    with_, without = columns[0], columns[1]
    inside, beside = (mean(with_[f"rate_{where}_learned_Hz"]) for where in ("in", "beside"))
    return Section(
        "Items of the situation are recalled",
        "Correlation is the mean of the parts of the pattern's neurons that fire more than twice within 30 ms from"
        " the cue's onset, and of the others that do not, over all cues of an item. The published program's README"
        f" gives {PUBLISHED} for its own images and one run. A cue alone has the correlation of the last row, because a"
        f" fifth of its pixels are turned over. Neurons of a cued pattern fire at {inside:.0f} Hz within the window,"
        f" others at {beside:.0f} Hz. Others are items that trained the synapses and that astrocytes were never shown.",
        figures.copied(example, setting),
        (
            [
                "item",
                "trained, with astrocytes",
                "trained, without their effect",
                "not trained, with astrocytes",
            ],
            rows,
        ),
        {
            "correlation": mean(with_["correlation"]),
            "correlation_without": mean(without["correlation"]),
            "correlation_untrained": mean(columns[2]["correlation"]),
            "others": mean(with_["novel"]),
            "others_without": mean(without["novel"]),
            "cue": mean(with_["cue"]),
            "published": PUBLISHED,
        },
    )


def _letters(usual: SweepJob, bold: SweepJob, setting: Setting) -> Section:
    rows, columns = _model(usual.model).populations["neuron"].shape
    shape, table, values = (rows, columns), [], {}
    for weight, job in (("regular", usual), ("bold", bold)):
        data = job.data(setting)
        with_, without = _of(data, EFFECTS[1]), _of(data, EFFECTS[0])
        letters = np.array([digits.draw_text(item, shape, weight).ravel() for item in ITEMS])
        table.append(
            [
                weight,
                f"{100 * letters.mean():.0f} %",
                f"{100 * _sharing(letters):.0f} %",
                spread(with_["correlation"]),
                spread(without["correlation"]),
            ]
        )
        values[f"correlation_{weight}"] = mean(with_["correlation"])
        values[f"correlation_{weight}_without"] = mean(without["correlation"])
    return Section(
        "Weight of the letters",
        "Where strokes are thick, most pairs of neurons are in one pattern or another together, so that training"
        " connects nearly all of them and says little of any pattern. The published program's images were not at hand.",
        [],
        (
            [
                "font",
                "of the lattice",
                "pairs in a pattern",
                "with astrocytes",
                "without their effect",
            ],
            table,
        ),
        values,
    )


def _sharing(patterns: NDArray[np.bool_]) -> float:
    """The part of pairs, of pixels (pattern, pixel) that any pattern has, that one pattern has both of."""
    covered = patterns[:, patterns.any(axis=0)].astype(np.float32)
    return float((covered.T @ covered > 0).mean())


def _noise(usual: SweepJob, noise: SweepJob, setting: Setting) -> Section:
    name = "experiment.test_noise"
    own = _model(usual.model).experiment["test_noise"]
    keys = ["correlation", "cue"]
    data = xr.concat(
        [noise.data(setting)[keys], usual.data(setting)[keys].expand_dims({name: [float(own)]})],
        name,
    )
    data = data.drop_duplicates(name).sortby(name)
    rows, values = [], {}
    for part in data[name].values:
        at = data.sel({name: part})
        with_, without = _of(at, EFFECTS[1]), _of(at, EFFECTS[0])
        rows.append(
            [
                f"{part:g}",
                spread(with_["correlation"]),
                spread(without["correlation"]),
                spread(with_["cue"]),
            ]
        )
        values[f"correlation_at_{part:g}"] = mean(with_["correlation"])
        values[f"correlation_without_at_{part:g}"] = mean(without["correlation"])
    lines = {
        "with astrocytes": (_of(data, EFFECTS[1])["correlation"], WITH),
        "without their effect": (_of(data, EFFECTS[0])["correlation"], CONTROL),
        "the cue itself": (_of(data, EFFECTS[1])["cue"], "grey"),
    }
    path = drawn(
        setting.work.folder / "noise", lines, "part of the cue's pixels that is turned over"
    )
    return Section(
        "Noise of the cue",
        "Mean correlation of the situation's items. What is above the grey line is more than the cue says.",
        [path],
        (["noise", "with astrocytes", "without their effect", "cue"], rows),
        values,
    )
