"""Working memory of several patterns: recall with and without astrocytes, noise, items, duration, novel items.

Paper: Gordleeva et al., "Modeling working memory in a spiking neuron network accompanied by astrocytes",
Front. Cell. Neurosci. 15:631485 (2021).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neuroglia_snn import checks
from neuroglia_snn.experiments.work import Section
from neuroglia_snn.papers import figures as shared
from neuroglia_snn.papers.jobs import RunJob, Setting, SweepJob, mean, spread
from neuroglia_snn.papers.working_memory import digits, figures
from neuroglia_snn.papers.working_memory.forms import Form
from neuroglia_snn.papers.working_memory.lines import drawn
from neuroglia_snn.papers.working_memory.protocols import LEARNED, MODEL, TESTED, Protocol, written
from neuroglia_snn.results.style import COLUMN, CONTROL, save, subplots
from neuroglia_snn.results.style import MODEL as WITH

#: Correlations that the published program's README gives for its default run, by item, and their mean.
PUBLISHED: Mapping[str, float] = {"0": 0.9157, "1": 0.9407, "2": 0.9092, "3": 0.8774}
PUBLISHED_MEAN = 0.9108
#: Astrocytes whose gliotransmitter does nothing, and those of the file.
EFFECTS = ("0", "0.5")
#: What is learned where one item is.
ONE = "1"


def parts(form: Form, folder: Path) -> dict[str, shared.Figure]:
    """Everything that is computed, in its order."""

    def swept(name: str, protocol: Protocol) -> SweepJob:
        over = (f"g_astro={EFFECTS[1]}",)
        return SweepJob(name, written(folder, name, protocol), over, form.seeds)

    example = RunJob("example", MODEL, control=True)
    usual = SweepJob("items-0-to-3", MODEL, (f"g_astro={','.join(EFFECTS)}",), form.seeds)
    over = (f"experiment.test_noise={form.noises}", usual.over[0])
    noise = SweepJob("noise", MODEL, over, form.seeds)
    numbers = {n: swept(f"items-{n}", Protocol(_digits(n), _digits(n))) for n in form.numbers}
    one = {h: swept(f"hold-{h}-one", Protocol(ONE, ONE, h)) for h in form.holds}
    four = {h: swept(f"hold-{h}-four", Protocol(LEARNED, LEARNED, h)) for h in form.holds_of_four}
    novel = {item: swept(f"novel-{item}", Protocol(ONE, item)) for item in form.novel}
    return {
        "recall": shared.Figure([example, usual], lambda s: _recall(example, usual, s)),
        "noise": shared.Figure([noise], lambda s: _noise(noise, s)),
        "items": shared.Figure([*numbers.values()], lambda s: _numbers(numbers, s)),
        "duration": shared.Figure(
            [*one.values(), *four.values()], lambda s: _duration(one, four, s)
        ),
        "novel": shared.Figure([*novel.values()], lambda s: _novel(novel, s)),
    }


def _digits(number: int) -> str:
    return "0123456789"[:number]


# ------------------------------------------------------------------------------- sections


def _recall(example: RunJob, usual: SweepJob, setting: Setting) -> Section:
    data = usual.data(setting)
    without, with_ = (data.sel(g_astro=float(effect)) for effect in EFFECTS)
    rows = [
        [
            item,
            *(spread(d[f"correlation_{item}"]) for d in (with_, without)),
            f"{PUBLISHED[item]:g}",
        ]
        for item in LEARNED
    ]
    measures = {"mean of learned": "correlation", "mean of novel": "novel", "of the cues": "cue"}
    for said, key in measures.items():
        published = f"{PUBLISHED_MEAN:g}" if key == "correlation" else ""
        rows.append([said, spread(with_[key]), spread(without[key]), published])
    inside, beside = (mean(with_[f"rate_{where}_learned_Hz"]) for where in ("in", "beside"))
    covered = ", ".join(
        f"{100 * _share(item, LEARNED):.0f} % of {item}" for item in TESTED if item not in LEARNED
    )
    return Section(
        "Four digits are learned and recalled",
        "Correlation is the mean of the parts of the pattern's neurons that are recalled and of the others that"
        " are not, with the threshold of the highest mean over learned items, as in the published program; its"
        " README gives the last column for its own images and one seed. The paper says more than 0.9. A cue"
        " alone has the correlation of the last row, because a fifth of its pixels are turned over. Neurons of a"
        f" learned pattern fire at {inside:.0f} Hz within 250 ms from the cue's onset, others at {beside:.0f} Hz."
        f" Digits that were not learned have {mean(with_['novel']):.3f}: astrocytes hold where something was shown,"
        f" not what belongs together, and the four learned digits cover {covered}.",
        figures.copied(example, setting),
        (["item", "with astrocytes", "without their effect", "published program"], rows),
        {
            "correlation": mean(with_["correlation"]),
            "correlation_without": mean(without["correlation"]),
            "novel": mean(with_["novel"]),
            "cue": mean(with_["cue"]),
            "published": PUBLISHED_MEAN,
        },
    )


def _noise(job: SweepJob, setting: Setting) -> Section:
    data = job.data(setting)
    name = "experiment.test_noise"
    rows, values = [], {}
    for noise in data[name].values:
        at = data.sel({name: noise})
        without, with_ = (at.sel(g_astro=float(effect)) for effect in EFFECTS)
        rows.append(
            [
                f"{noise:g}",
                *(spread(d["correlation"]) for d in (with_, without)),
                spread(with_["cue"]),
            ]
        )
        values[f"correlation_at_{noise:g}"] = mean(with_["correlation"])
    lines = {
        "with astrocytes": (data["correlation"].sel(g_astro=float(EFFECTS[1])), WITH),
        "without their effect": (data["correlation"].sel(g_astro=float(EFFECTS[0])), CONTROL),
        "the cue itself": (data["cue"].sel(g_astro=float(EFFECTS[1])), "grey"),
    }
    path = drawn(
        setting.work.folder / "noise", lines, "part of the cue's pixels that is turned over"
    )
    return Section(
        "Noise of the cue",
        "Mean correlation of the four learned digits. What is above the grey line is more than the cue says.",
        [path],
        (["noise", "with astrocytes", "without their effect", "cue"], rows),
        values,
    )


def _numbers(jobs: Mapping[int, SweepJob], setting: Setting) -> Section:
    data = _together(jobs, "items", setting)["correlation"].sel(g_astro=float(EFFECTS[1]))
    rows = [[f"{n}", spread(data.sel(items=n))] for n in jobs]
    path = drawn(setting.work.folder / "items", {"": (data, WITH)}, "items learned")
    return Section(
        "Number of items",
        "Digits from 0 on, each shown for 200 ms every 300 ms, then cued in the same order, every 400 ms."
        " With ten items a cue begins 3.6 to 4.5 s after its item did. Digits overlap: ten of them"
        f" cover {100 * _covered(_digits(10)):.0f} % of the lattice, four {100 * _covered(_digits(4)):.0f} %.",
        [path],
        (["items", "correlation"], rows),
        {f"correlation_of_{n}": mean(data.sel(items=n)) for n in jobs},
    )


def _duration(
    one: Mapping[int, SweepJob], four: Mapping[int, SweepJob], setting: Setting
) -> Section:
    found = {}
    for label, jobs in (("one item", one), ("four items", four)):
        data = _together(jobs, "hold", setting).sel(g_astro=float(EFFECTS[1]))
        found[label] = data.assign_coords(
            hold=(data["hold"] + 100) / 1e3
        )  # a pause follows an item
    times = sorted({float(h) for data in found.values() for h in data["hold"].values})
    rows = [[f"{h:g}", *(_at(d, h) for d in found.values())] for h in times]
    path = drawn(
        setting.work.folder / "duration",
        {
            label: (data["correlation"], colour)
            for (label, data), colour in zip(found.items(), (WITH, CONTROL), strict=True)
        },
        "from the end of the last item to the first cue (s)",
    )
    return Section(
        "Duration",
        f"One item ({ONE}) or four ({LEARNED}), cued once each. A cue finds its astrocytes ready while their"
        " calcium is above the threshold of release; the figure of calcium has its course.",
        [path],
        (["time (s)", *found], rows),
        {
            f"correlation_of_{label.split()[0]}_after_{h:g}_s": mean(d["correlation"].sel(hold=h))
            for label, d in found.items()
            for h in d["hold"].values
        },
    )


def _novel(jobs: Mapping[str, SweepJob], setting: Setting) -> Section:
    rows, values, points = [], {}, []
    for item, job in jobs.items():
        data = job.data(setting).sel(g_astro=float(EFFECTS[1]))
        key = f"correlation_{item}"
        share = _share(item, ONE)
        rows.append([item, f"{share:.2f}", spread(data[key])])
        values[key] = mean(data[key])
        points.append((share, mean(data[key]), item))
    figure, axes = subplots(1, 1, (COLUMN, 2.6))
    for share, value, item in points:
        axes.plot(share, value, "o", color=WITH)
        axes.annotate(item, (share, value), textcoords="offset points", xytext=(5, 3))
    axes.set(xlabel=f"part of the digit that {ONE} covers", ylabel="correlation", ylim=(0.75, 1))
    path = save(figure, setting.work.folder / "novel")
    return Section(
        "Novel items",
        f"{ONE} is learned, one digit is cued. Astrocytes hold the part of it that {ONE} covers.{_ordered(points)}",
        [path],
        (["cued", f"part that {ONE} covers", "correlation"], rows),
        values,
    )


# ---------------------------------------------------------------------------------- parts


def _at(data: xr.Dataset, hold: float) -> str:
    return spread(data["correlation"].sel(hold=hold)) if hold in data["hold"].values else ""


def _covered(learned: str) -> float:
    """The part of the lattice that items cover."""
    return float(np.any([digits.draw_text(item, _shape()) for item in learned], axis=0).mean())


def _ordered(points: Sequence[tuple[float, float, str]]) -> str:
    """How far correlations follow the covered parts, where there are enough digits to say."""
    if len(points) < 3:
        return ""
    parts, correlations = (np.argsort(np.argsort([point[k] for point in points])) for k in (0, 1))
    ranked = np.corrcoef(parts, correlations)[0, 1]
    return f" Over the digits, part and correlation have a rank correlation of {ranked:.2f}."


def _share(item: str, learned: str) -> float:
    """The part of an item's pixels that learned ones cover."""
    shape = _shape()
    covered = np.any([digits.draw_text(other, shape) for other in learned], axis=0)
    return float(covered[digits.draw_text(item, shape)].mean())


@functools.cache
def _shape() -> tuple[int, int]:
    rows, columns = checks.load_checked(MODEL)[0].populations["neuron"].shape
    return rows, columns


def _together(jobs: Mapping[int, SweepJob], dimension: str, setting: Setting) -> xr.Dataset:
    """The mean correlations of several sweeps, along one dimension."""
    sets = [job.data(setting)[["correlation"]] for job in jobs.values()]
    return xr.concat(sets, xr.DataArray([*jobs], dims=dimension, name=dimension))
