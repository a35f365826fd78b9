"""`neuroglia reproduce fhn-classifier`: Tables 1 and 2, Figures 3, 4 and 6, and what lies beyond."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from neuroglia_snn.backends.torch import System
from neuroglia_snn.catalog.load import load
from neuroglia_snn.datasets import Digits, mnist
from neuroglia_snn.experiments.work import Work
from neuroglia_snn.options import overrides
from neuroglia_snn.papers.fhn_classifier import (
    evaluation,
    figures,
    paper,
    parts,
    setup,
    variants,
)
from neuroglia_snn.papers.fhn_classifier.networks import Network
from neuroglia_snn.papers.fhn_classifier.response import Table
from neuroglia_snn.papers.fhn_classifier.study import MODEL
from neuroglia_snn.papers.fhn_classifier.training import Data, Recipe

#: Stand for the three columns of Table 1, whose own values the text does not preserve.
TABLE_1 = (-2.0, -10.0, 0.6)
#: Figure 4.
SWEEP = (
    *(-10.0, -5.0, -3.0, -2.0, -1.5, -1.0, -0.5, -0.25),
    *(0.25, 0.5, 0.75, 1.0, 2.0, 10.0),
)
#: Section 4: as in the paper, and with another optimiser and gradient.
RECIPES = {
    "paper": (Recipe(30, 0.02, 20, "sgd", "squared-error"), "sigmoid"),
    "adam": (Recipe(20), "mean"),
    "exact": (Recipe(20), "exact"),
}
#: Settings of models/fhn_astrocytes.toml.
VARIANTS = {
    "plain": {"D": "0", "I_glio": "0"},
    "noise_0.01": {"D": "0.01", "I_glio": "0"},
    "noise_0.1": {"D": "0.1", "I_glio": "0"},
    "noise_1": {"D": "1", "I_glio": "0"},
    "astrocytes_raising": {"D": "0", "I_glio": "-1"},
    "astrocytes_lowering": {"D": "0", "I_glio": "1"},
}
_BASELINE = Recipe(10)
#: Images of each digit in section 4's training and test sets.
_EACH = (1000, 100)
#: Test images of Figure 4: one point more or less is its standard error.
_SWEPT = 2000
#: Test images of what is integrated directly: the check of the table, and the variants.
_CHECKED, _VARIANTS = 40, 500


@dataclass(frozen=True)
class _Run:
    """One reproduction at work."""

    options: argparse.Namespace
    parts: parts.Parts
    train: Data
    test: Data

    @property
    def seed(self) -> int:
        return int(self.options.seed)

    @property
    def sets(self) -> dict[str, Data]:
        return {"train": self.train, "test": self.test}

    def recipe(self, recipe: Recipe) -> Recipe:
        return replace(recipe, epochs=self.options.epochs) if self.options.epochs else recipe


def reproduce(options: argparse.Namespace, work: Work) -> dict:
    """The whole study; see `neuroglia_snn.experiments.work.Paper.reproduce`."""
    torch.set_num_threads(1)  # sums in another order would not repeat to the bit
    digits = _limited(mnist(options.data), options)
    asked = setup.read(load(MODEL, overrides(options.set)))
    if options.epochs:
        asked = replace(asked, base=replace(asked.base, epochs=options.epochs))
    p = parts.Parts(work, asked, digits)
    run = _Run(options, p, p.train, p.test)

    base, curves = p.base(run.seed, run.train, run.test)
    table = p.table(max(map(abs, (*TABLE_1, *SWEEP))))
    results: dict[str, object] = {
        "base_train_accuracy": curves[-1]["train_accuracy"],
        "base_test_accuracy": curves[-1]["test_accuracy"],
    }
    columns = _table_1(run, base, table)
    accuracies, per_digit = _sweep(run, base, table)
    matches = _matches(per_digit)
    trainings = _section_4(run, table)
    beyond = _beyond(run, trainings["adam"]["network"])
    check = p.agreement(base, table, run.test.images[:_CHECKED], lambda x: x)
    for n, column in enumerate(columns, 1):
        results |= {f"table_1_column_{n}_{k}": column[f"{k}_average"] for k in run.sets}
    for n, match in enumerate(matches, 1):
        results[f"table_1_column_{n}_nearest_alpha"] = match["alpha"]
        results[f"table_1_column_{n}_rms_points"] = match["rms_points"]
    for name, found in trainings.items():
        results |= {f"section_4_{name}_{k}": v["average"] for k, v in found["sets"].items()}
    results |= beyond | check
    folder = work.folder
    confused = evaluation.confusion(columns[0]["answers"], run.test.labels)
    over_time = figures.three_digits(base, table, asked, run.test)
    drawn = [
        figures.over_time(over_time, asked.protocol, folder / "figure_3"),
        figures.against_alpha(SWEEP, accuracies, folder / "figure_4"),
        figures.curves({k: v["curves"] for k, v in trainings.items()}, folder / "figure_6"),
        figures.confusion(confused, folder / "confusion"),
    ]
    tables = _write_tables(columns, matches, trainings, folder / "tables.md")
    return {
        "results": results,
        "table_1": [{k: v for k, v in c.items() if k != "answers"} for c in columns],
        "figure_4": {"alpha": SWEEP, "test_accuracy": accuracies.tolist()},
        "table_2": {k: v["sets"] for k, v in trainings.items()},
        "tables": str(tables),
        "table": {"points": len(table.inputs), "unresolved": table.unresolved},
        "versions": parts.versions(),
        "figures": [str(path) for path in drawn],
    }


def _limited(digits: Digits, options: argparse.Namespace) -> Digits:
    if not options.images:
        return digits
    each = -(-options.images // setup.CLASSES)
    train, test = (setup.balanced(s, each, options.seed) for s in (digits.train, digits.test))
    return Digits(train, test, digits.source)


def _table_1(run: _Run, base: Network, table: Table) -> list[dict]:
    """Table 1: accuracy of every digit for each alpha, on both sets."""
    columns = []
    for alpha in TABLE_1:
        column: dict = {"alpha": alpha}
        for name, data in run.sets.items():
            found = run.parts.answers(f"alpha{alpha:g}-{name}", base, table, alpha, data)
            column[name] = (100 * evaluation.per_class(found, data.labels)).round(2).tolist()
            column[f"{name}_average"] = evaluation.accuracy(found, data.labels)
        columns.append(column | {"answers": found})
    return columns


def _sweep(run: _Run, base: Network, table: Table) -> tuple[np.ndarray, dict[float, np.ndarray]]:
    """Figure 4: test accuracy (seeds, alphas), and of each digit in the mean over seeds."""
    rows, swept = [], Data(run.test.images[:_SWEPT], run.test.labels[:_SWEPT])
    for seed in range(run.seed, run.seed + run.options.seeds):
        network = base if seed == run.seed else run.parts.base(seed, run.train, run.test)[0]
        rows.append(
            [
                evaluation.per_class(
                    run.parts.answers(f"sweep{seed}_{a:g}", network, table, a, swept),
                    swept.labels,
                )
                for a in SWEEP
            ]
        )
    found = np.array(rows)  # seeds, alphas, digits
    weights = np.bincount(swept.labels.numpy(), minlength=setup.CLASSES)
    accuracies = found @ (weights / weights.sum())
    return accuracies, dict(zip(SWEEP, found.mean(0), strict=True))


def _matches(per_digit: dict[float, np.ndarray]) -> list[dict[str, float]]:
    """For each column of Table 1 the alpha whose digits come nearest, and how near (percent)."""
    matches = []
    for _, test in paper.TABLE_1:
        rms = {
            alpha: float(np.sqrt(np.mean((100 * found - np.array(test)) ** 2)))
            for alpha, found in per_digit.items()
        }
        alpha = min(rms, key=rms.__getitem__)
        matches.append({"alpha": alpha, "rms_points": rms[alpha]})
    return matches


def _section_4(run: _Run, table: Table) -> dict[str, dict]:
    """Trainings with the units inside on the small sets, evaluated on small and full ones."""
    p, (small_train, small_test) = run.parts, _small(run)
    small = {"small_train": small_train, "small_test": small_test}
    found = {}
    for name, (recipe, slope) in RECIPES.items():
        network, curves = p.inside(
            f"section4-{name}", table, run.recipe(recipe), run.seed, small_train, small_test, slope
        )
        sets = {}
        wanted = {**small, **run.sets} if name == "paper" else {**small, "test": run.test}
        for key, data in wanted.items():
            answers = p.answers(
                f"section4-{name}-{key}", network, table, p.setup.alpha, data, torch.sigmoid
            )
            sets[key] = {
                "average": evaluation.accuracy(answers, data.labels),
                "per_digit": (100 * evaluation.per_class(answers, data.labels)).round(2).tolist(),
            }
        found[name] = {"network": network, "curves": curves, "sets": sets}
    return found


def _small(run: _Run) -> tuple[Data, Data]:
    """Section 4's sets: as many images of every digit."""
    digits = run.parts.digits
    return (
        setup.tensors(setup.balanced(digits.train, _EACH[0], run.seed)),
        setup.tensors(setup.balanced(digits.test, _EACH[1], run.seed)),
    )


def _beyond(run: _Run, network: Network) -> dict[str, float]:
    """Noise and astrocytes in the network that was trained without; Leaky units as the baseline."""
    p, found = run.parts, {}
    own = {k: v for k, v in overrides(run.options.set).items() if not k.startswith("experiment.")}
    images, labels = run.test.images[:_VARIANTS], run.test.labels[:_VARIANTS]
    with torch.inference_mode():
        inputs = p.setup.alpha * torch.tanh(network.w_in(images))
    for name, changed in VARIANTS.items():

        def compute(changed=changed, name=name):
            model = load("fhn_astrocytes", own | changed)
            units, glia = System(model, "unit"), System(model, "astrocyte")
            generator = torch.Generator().manual_seed(run.seed)
            outputs = variants.integrate_groups(
                units, glia, p.setup.protocol, inputs, generator, p.work.watch(name)
            )
            return {"found": _answers(network, images, outputs, p.setup.alpha).numpy()}

        answers = torch.from_numpy(p.work.part(f"variant-{name}", compute)["found"])
        found[f"variant_{name}_accuracy"] = evaluation.accuracy(answers, labels)
    found |= {"variant_images": len(images)}
    recipe, (train, test) = run.recipe(_BASELINE), _small(run)
    _, curves = p.baseline(variants.LeakyCount(), recipe, run.seed, train, test)
    return found | {f"leaky_small_{k}": curves[-1][f"{k}_accuracy"] for k in run.sets}


def _answers(network: Network, images: torch.Tensor, outputs: torch.Tensor, alpha: float):
    return evaluation.classify(
        network, images, lambda _: outputs, alpha, torch.sigmoid, batch=len(images)
    )


def _write_tables(
    columns: Sequence[dict], matches: Sequence[dict], trainings: dict[str, dict], path: Path
) -> Path:
    """Tables 1 and 2 beside the paper's, as Markdown."""
    lines = ["# Table 1: units placed in the trained network, accuracy (%)", ""]
    heads = [f"alpha = {c['alpha']:g} {s}" for c in columns for s in ("train", "test")]
    heads += [f"published {n} {s}" for n in (1, 2, 3) for s in ("train", "test")]
    rows = [[v for c in columns for v in (c["train"][d], c["test"][d])] for d in range(10)]
    printed = [[v for column in paper.TABLE_1 for v in (s[d] for s in column)] for d in range(10)]
    averages = [100 * c[f"{s}_average"] for c in columns for s in ("train", "test")]
    averages += [v for pair in paper.TABLE_1_AVERAGE for v in pair]
    lines += _markdown(heads, [a + b for a, b in zip(rows, printed, strict=True)], averages)
    lines += ["", "Nearest of all alphas tried, by the test set's digits (mean over networks):", ""]
    lines += [
        f"- column {n}: alpha = {m['alpha']:g}, {m['rms_points']:.1f} points apart (root mean square)"
        for n, m in enumerate(matches, 1)
    ]
    lines += ["", "# Table 2: trained with the units inside, accuracy (%)", ""]
    keys = ("small_train", "small_test", "train", "test")
    heads = [f"{name} {k}" for name, t in trainings.items() for k in keys if k in t["sets"]]
    heads += [f"published {k}" for k in keys]
    tables = [t["sets"][k] for t in trainings.values() for k in keys if k in t["sets"]]
    rows = [
        [t["per_digit"][d] for t in tables] + [column[d] for column in paper.TABLE_2]
        for d in range(10)
    ]
    averages = [100 * t["average"] for t in tables] + list(paper.TABLE_2_AVERAGE)
    lines += _markdown(heads, rows, averages)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[float]], last: Sequence[float]):
    yield f"| digit | {' | '.join(heads)} |"
    yield f"|---{'|---' * len(heads)}|"
    for digit, row in enumerate(rows):
        yield f"| {digit} | {' | '.join(f'{v:.1f}' for v in row)} |"
    yield f"| average | {' | '.join(f'{v:.1f}' for v in last)} |"
