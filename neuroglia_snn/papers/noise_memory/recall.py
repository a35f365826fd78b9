"""Figs 3 to 5 and the novel pattern: a trained image, recalled after a cue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from neuroglia_snn import checks
from neuroglia_snn.experiments.work import Section
from neuroglia_snn.measures import spread_over_seeds
from neuroglia_snn.papers.jobs import RunJob, Setting, SweepJob, mean, spread
from neuroglia_snn.papers.noise_memory import memory
from neuroglia_snn.papers.noise_memory.figures import draw_response
from neuroglia_snn.papers.noise_memory.forms import BEST_NOISE, MEMORY, PAPERS_NOISE, Form
from neuroglia_snn.papers.noise_memory.requirements import TEST_PATTERNS
from neuroglia_snn.results.style import (
    COLUMN,
    CONTROL,
    MAP,
    PAGE,
    REFERENCE,
    bare,
    save,
    subplots,
)
from neuroglia_snn.results.style import MODEL as WITH

#: sigma^2 and recall in two other programs, each with the published images and one seed. The loop
#: was written independently of ours and drives astrocytes for 30 ms.
_OTHERS: Mapping[str, Mapping[float, float]] = {
    "independent loop": {0.08: 0.640, 0.09: 0.824, 0.12: 0.982, 0.14: 0.659},
    "earlier trial": {
        0.0: 0.50,
        0.08: 0.65,
        0.09: 0.84,
        0.1: 0.91,
        0.12: 0.98,
        0.13: 0.96,
        0.14: 0.54,
        0.2: 0.50,
    },
}
#: Accuracy of the trained and of the novel pattern (text before the paper's discussion).
_NOVEL = {"trained": 0.994, "disjoint": 0.5}

SILENT = RunJob("figure-3/sigma2-0", MEMORY, {"sigma2": "0"})
#: With its control it is Fig. 4, too.
NOISY = RunJob(f"figure-3/sigma2-{PAPERS_NOISE}", MEMORY, {"sigma2": PAPERS_NOISE}, control=True)


def novel(form: Form) -> SweepJob:
    """Fig. 3 j-l and the novel-pattern test."""
    over = ("experiment.test_pattern=trained,disjoint",)
    return SweepJob("novel", MEMORY, over, form.seeds, {"sigma2": BEST_NOISE})


def by_noise(form: Form) -> list[SweepJob]:
    """Fig. 5 a: with and without astrocytes."""
    with_, without = (f"sigma2={values}" for values in (form.noises, form.control_noises))
    return [
        SweepJob("figure-5a/with", MEMORY, (with_,), form.seeds),
        SweepJob("figure-5a/without", MEMORY, (without,), form.seeds, no_astrocytes=True),
    ]


def by_training(form: Form) -> list[SweepJob]:
    """Fig. 5 b."""
    over = (f"experiment.train_noise={form.train_noises}",)
    return [
        SweepJob(f"figure-5b/sigma2-{s}", MEMORY, over, form.seeds, {"sigma2": s})
        for s in form.train_at
    ]


def readings(form: Form) -> list[SweepJob]:
    """The feedback as run and as printed, each with the doubled step and without; the program's noise."""
    ks = {MEMORY: "k=1,2", f"{MEMORY}_tonic": "k=1,2"}
    ks |= {f"{MEMORY}_program": "k=2", f"{MEMORY}_long_drive": "k=2"}
    return [
        SweepJob(f"readings/{model}", model, (k,), form.seeds, {"sigma2": BEST_NOISE})
        for model, k in ks.items()
    ]


# -------------------------------------------------------------------------------- figures


def images_and_responses(setting: Setting) -> Section:
    """Fig. 3."""
    found = [(job, job.summary(setting)["results"]) for job in (SILENT, NOISY)]
    figure, panels = subplots(4, 3, (PAGE, 8.8))
    pictures = _pictures(setting.seed)
    titles = ("a  ideal pattern", "b  training image", "c  cue", "j  training image")
    for axis, title, image in zip(
        (*panels[0], *panels[3]),
        (*titles, "k  cue, trained", "l  cue, novel"),
        pictures,
        strict=True,
    ):
        axis.imshow(image, **MAP)
        axis.set_title(title, loc="left")
    for row, letters, job in ((panels[1], "def", SILENT), (panels[2], "ghi", NOISY)):
        model, _ = checks.load_checked(MEMORY, dict(job.settings))
        draw_response(figure, row, model, job.data(setting))
        for axis, letter in zip(row, letters, strict=True):
            axis.set_title(f"{letter}  {axis.get_title()}")
        row[0].set_ylabel(f"sigma$^2$ = {job.settings['sigma2']}")
    bare(*panels.flat)
    path = save(figure, setting.work.folder / "figure-3")
    keys = (
        "accuracy",
        "recall_accuracy",
        "recalled_in_pattern",
        "recalled_outside",
        "calcium_peak_uM",
    )
    rows = [[job.settings["sigma2"], *(f"{r[k]:.3f}" for k in keys)] for job, r in found]
    return Section(
        "Fig. 3: images, and the response to them",
        "In the paper nothing is told apart without noise (d-f), because the whole lattice oscillates, and the"
        " trained digit is recalled after the cue with it (g-i). It gives no numbers for this figure. The images"
        " are our own drawing: the paper's are not published as data. j-l are the novel-pattern test, below.",
        [path],
        (["sigma^2", *(k.replace("_", " ") for k in keys)], rows),
        {f"recall_accuracy_at_{j.settings['sigma2']}": r["recall_accuracy"] for j, r in found},
    )


def time_courses(setting: Setting) -> Section:
    """Fig. 4."""
    summary = NOISY.summary(setting)
    with_, without = summary["results"], summary["control"]
    keys = (
        "spikes_per_neuron_in_pattern",
        "spikes_per_neuron_in_pattern_after_cue",
        "recall_accuracy",
    )
    rows = [[key.replace("_", " "), f"{with_[key]:.3f}", f"{without[key]:.3f}"] for key in keys]
    return Section(
        "Fig. 4: membrane potential with and without astrocytes, calcium",
        f"One neuron of the pattern and the astrocyte of most calcium, sigma^2 = {PAPERS_NOISE}. In the paper"
        " neurons without astrocytes answer each presentation and are silent after the cue; with them they go on"
        " firing. It gives no numbers for this figure.",
        [NOISY.figure(setting, "time_courses")],
        (["", "with astrocytes", "without"], rows),
        {f"{k}_without_astrocytes": without[k] for k in keys},
    )


def accuracy_by_noise(form: Form, setting: Setting) -> Section:
    """Fig. 5 a."""
    jobs = by_noise(form)
    with_, without = (job.data(setting) for job in jobs)
    path = _draw_accuracy(
        [(with_, "with astrocytes", WITH), (without, "without astrocytes", CONTROL)],
        "sigma2",
        "noise intensity sigma$^2$",
        setting.work.folder / "figure-5a",
    )
    rows, values = [], {}
    for noise in with_["sigma2"].values:
        at = with_.sel(sigma2=noise)
        control = without.sel(sigma2=noise) if noise in without["sigma2"].values else None
        others = (_at(noise, found) for found in _OTHERS.values())
        rows.append(
            [
                f"{noise:g}",
                spread(at["recall_accuracy"]),
                *("" if value is None else f"{value:g}" for value in others),
                spread(at["accuracy"]),
                f"{mean(at['recalled_in_pattern']):.2f} / {mean(at['recalled_outside']):.2f}",
                f"{mean(at['calcium_peak_uM']):.3f}",
                spread(control["recall_accuracy"]) if control is not None else "",
                spread(control["accuracy"]) if control is not None else "",
            ]
        )
        values[f"recall_accuracy_at_{noise:g}"] = mean(at["recall_accuracy"])
    columns = ["sigma^2", "recall accuracy", *(f"{name}, one seed" for name in _OTHERS)]
    columns += ["accuracy", "recalled inside / outside", "calcium peak (uM)"]
    columns += ["recall without astrocytes", "accuracy without"]
    return Section(
        "Fig. 5 a: accuracy against noise",
        "`accuracy` is the paper's eqs 1-2 and counts from the cue on, so that the cue's own response counts"
        " too; `recall accuracy` counts from its end on. Mean and standard deviation over seeds, each with images"
        " of its own. The paper finds a rise and a fall, and nothing without astrocytes; its text gives no"
        f" numbers for this figure, but {_NOVEL['trained']} for a trained pattern, which we take for its best."
        f" {_best(with_)}"
        f" Without astrocytes it is {float(without['recall_accuracy'].mean('seed').max()):.3f} at most. Two"
        " other programs of these equations stand beside ours, each with the published images and one seed; the"
        " published program's own scheme gave the same as the earlier trial at 0, 0.09, 0.1, 0.12 and"
        f" 0.2.{_against_others(with_)}",
        [path],
        (columns, rows),
        values,
    )


def accuracy_by_training(form: Form, setting: Setting) -> Section:
    """Fig. 5 b."""
    jobs = by_training(form)
    sets = [job.data(setting) for job in jobs]
    name = "experiment.train_noise"
    lines = [
        (data, f"sigma$^2$ = {job.settings['sigma2']}", colour)
        for job, data, colour in zip(jobs, sets, (WITH, CONTROL), strict=False)
    ]
    path = _draw_accuracy(
        lines,
        name,
        "salt-and-pepper noise of the training image",
        setting.work.folder / "figure-5b",
    )
    rows = [
        [f"{noise:g}"]
        + [spread(d[k].sel({name: noise})) for d in sets for k in ("recall_accuracy", "accuracy")]
        for noise in sets[0][name].values
    ]
    columns = ["training noise"]
    for job in jobs:
        columns += [f"{k} at {job.settings['sigma2']}" for k in ("recall accuracy", "accuracy")]
    values = {
        f"recall_accuracy_trained_with_{n:g}": mean(sets[0]["recall_accuracy"].sel({name: n}))
        for n in sets[0][name].values
    }
    return Section(
        "Fig. 5 b: accuracy against noise in training",
        "Salt and pepper on the training image, 40 % on the cue. The paper finds that accuracy falls with it and"
        " gives no numbers in its text. Here the recall at"
        f" sigma^2 = {jobs[0].settings['sigma2']} goes from {rows[0][1]} at {rows[0][0]} to {rows[-1][1]} at"
        f" {rows[-1][0]}.",
        [path],
        (columns, rows),
        values,
    )


def novel_pattern(form: Form, setting: Setting) -> Section:
    """The trained pattern is recalled, one that shares no pixel with it is not."""
    job = novel(form)
    data = job.data(setting)
    rows, values = [], {}
    for pattern in data["experiment.test_pattern"].values:
        at = data.sel({"experiment.test_pattern": pattern})
        rows.append(
            [
                {"trained": "trained", "disjoint": "novel"}[str(pattern)],
                spread(at["recall_accuracy"]),
                spread(at["accuracy"]),
                f"{_NOVEL[str(pattern)]:g}",
            ]
        )
        values[f"recall_accuracy_{rows[-1][0]}"] = mean(at["recall_accuracy"])
    return Section(
        "Novel pattern",
        f"Trained with the digit, cued with it or with a pattern beside it, sigma^2 = {BEST_NOISE}; compared"
        " with what the cue shows. The paper's 0.5 for the novel one is what counting from the cue's end gives:"
        " while the cue lasts, the lattice does answer it.",
        [],
        (["cue", "recall accuracy", "accuracy", "paper"], rows),
        values,
    )


def compare_readings(form: Form, setting: Setting) -> Section:
    """Feedback as run and as printed, k = 1 and 2, and the published program's noise."""
    names = {
        MEMORY: "as run: calcium and recently active neurons",
        f"{MEMORY}_tonic": "as printed (eq. A4): calcium alone",
        f"{MEMORY}_program": "as run, with the program's noise (1.5 sigma^2)",
        f"{MEMORY}_long_drive": "as run, but astrocytes driven for 60 ms, not 30",
    }
    rows, values, slow, jobs = [], {}, [], readings(form)
    for job in jobs:
        data = job.data(setting)
        for k in data["k"].values:
            at = data.sel(k=k)
            rows.append(
                [
                    names[job.model],
                    f"{k:g}",
                    spread(at["recall_accuracy"]),
                    spread(at["accuracy"]),
                    f"{mean(at['recalled_in_pattern']):.2f} / {mean(at['recalled_outside']):.2f}",
                    f"{mean(at['calcium_peak_uM']):.3f}",
                ]
            )
            values[f"recall_accuracy_{job.model}_k{k:g}"] = mean(at["recall_accuracy"])
            slow += [float(at["calcium_peak_uM"].max())] if k == 1 else []
    columns = ["feedback", "k", "recall accuracy", "accuracy", "recalled inside / outside"]
    columns += ["calcium peak (uM)"]
    return Section(
        "The feedback's two readings, the published program's doubled step, and its drive",
        "The published program's predictor holds one full step and its corrector adds the mean of both slopes on"
        " top, so that a nominal millisecond is two of drift, for neurons and astrocytes alike (k = 2)."
        f" All at sigma^2 = {BEST_NOISE}.{_slow(max(slow))}{_longer(values)}",
        [],
        (columns, rows),
        values,
    )


# ---------------------------------------------------------------------------------- parts


def _best(with_: xr.Dataset) -> str:
    """The largest recall, how far it is from the paper's and what it lacks."""
    recall = with_["recall_accuracy"].mean("seed")
    largest, noise = float(recall.max()), recall.idxmax()
    short = _NOVEL["trained"] - largest
    said = (
        f"Here the largest recall is {largest:.3f}, at {float(noise):g}, {abs(short):.3f}"
        f" {'below' if short > 0 else 'above'} that."
    )
    if largest < 1:
        around = mean(with_["recalled_outside"].sel(sigma2=noise)) / 2 / (1 - largest)
        said += f" Of what it lacks to 1, {100 * around:.0f} % is firing outside the digit."
    return said


def _against_others(with_: xr.Dataset) -> str:
    """Our mean less the one seed of another program, in standard errors where ours has several."""
    recall = with_["recall_accuracy"]
    seeds = recall.sizes["seed"]
    errors = spread_over_seeds(recall, skipna=False) * (1 + 1 / seeds) ** 0.5
    said = ""
    for name, found in _OTHERS.items():
        parts = []
        for noise in recall["sigma2"].values:
            theirs, error = _at(noise, found), float(errors.sel(sigma2=noise))
            if theirs is None:
                continue
            difference = mean(recall.sel(sigma2=noise)) - theirs
            ratio = f" ({difference / error:+.1f})" if error > 0 else ""
            parts.append(f"{difference:+.3f}{ratio} at {noise:g}")
        said += f" Our mean less the {name}'s: {', '.join(parts)}." if parts else ""
    if said and seeds > 1:
        said += " In brackets in standard errors of that difference, as if both had our spread over seeds."
    return said


def _at(noise: float, found: Mapping[float, float]) -> float | None:
    return next((value for at, value in found.items() if np.isclose(at, noise)), None)


def _slow(peak: float) -> str:
    """Why nothing is recalled without the doubled step, where calcium does not reach its threshold."""
    threshold = checks.load_checked(MEMORY)[0].parameters["Ca_glio"].value.si * 1e3  # uM
    if peak >= threshold:
        return ""
    return (
        f" With k = 1 calcium reaches {peak:.3f} uM at most, and the feedback needs {threshold:g} in either"
        " reading: no memory forms."
    )


def _longer(values: Mapping[str, float]) -> str:
    """Why the drive of 60 ms is kept, and what it does."""
    long, ours = (values[f"recall_accuracy_{name}_k2"] for name in (f"{MEMORY}_long_drive", MEMORY))
    return (
        " A drive of 60 ms is kept as a variant because the published program's parameter says so, and whoever"
        " writes the model from it would take that; the program counts its timer down in both halves of every"
        f" step, so that 30 ms are left. Here the longer drive recalls {long:.3f}, the shorter {ours:.3f};"
        " docs/explanation/agreement.md has both at other noises."
    )


def _pictures(seed: int) -> list[np.ndarray]:
    """What Fig. 3 a-c and j-l show."""
    shown = []
    for pattern in TEST_PATTERNS:
        model, _ = checks.load_checked(MEMORY, {"experiment.test_pattern": pattern})
        images = memory.prepare_images(model, {}, False, seed)
        shown.append(images)
    trained, other = shown
    return [trained.clean, trained.train, trained.test, trained.train, trained.test, other.test]


def _draw_accuracy(
    lines: list[tuple[xr.Dataset, str, str]], name: str, label: str, path: Path
) -> Path:
    figure, axes = subplots(1, 1, (COLUMN, 2.4))
    for data, text, colour in lines:
        for measure, style in (("recall_accuracy", "-"), ("accuracy", ":")):
            values = data[measure]
            axes.errorbar(
                data[name].values,
                values.mean("seed"),
                spread_over_seeds(values),
                color=colour,
                ls=style,
                marker="o",
                label=f"{text}, {'recall' if style == '-' else 'from the cue on'}",
            )
    axes.set(xlabel=label, ylabel="accuracy", ylim=(0.45, 1.02))
    axes.axhline(0.5, color=REFERENCE, lw=0.8)
    axes.legend()
    return save(figure, path)
