"""What the study says: chosen parameters, scores, tests, tables, figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from scipy import stats

from neuroglia_snn import results
from neuroglia_snn.papers.anan import figures
from neuroglia_snn.papers.anan.data import DataSet
from neuroglia_snn.papers.anan.protocol import PARTS


def write(found: xr.Dataset, images: DataSet, folder: Path) -> dict:
    """Tables, figures and the data file; gives the summary's part."""
    chosen = {part: choose(found, part) for part in PARTS}
    rows = [compare(found, variant, chosen) for variant in found.variant.values.tolist()]
    tables = folder / "tables.md"
    tables.write_text(as_tables(found, images, rows), encoding="utf-8")
    path = folder / results.DATA
    results.write_dataset(found, path)
    first = rows[0]
    numbers = {
        "test_images": int(images.test.sum()),
        "networks": found.sizes["seed"] * found.sizes["fold"],
        "folds": found.sizes["fold"],
        **{key: value for key, value in first.items() if isinstance(value, (int, float, str))},
    }
    picked = [modulated_at(found, chosen[part], first["variant"]) for part in PARTS]
    drawn = figures.draw(found, picked, images.name, rows, folder)
    return {
        "seeds": found.seed.values.tolist(),
        "results": numbers,
        "variants_results": rows,
        "tables": str(tables),
        "data": str(path),
        "figures": [*map(str, drawn)],
        "versions": {"torch": torch.__version__},
    }


def choose(found: xr.Dataset, part: str) -> xr.DataArray:
    """The point of the grid for each seed and variant: best mean F1 over folds, then lowest loss.

    ``part`` says on which images: validation, or test (which flatters). Points at which astrocytes
    come too late to change anything (k = mu = 4) are the network without them, and no choice.
    """
    mean = found.modulated.sel(part=part).mean("fold")
    f1 = mean.sel(score="f1").where(changing(found), -1).transpose("seed", "variant", "point")
    loss = mean.sel(score="loss").transpose("seed", "variant", "point")
    best = np.lexsort((loss.values, -f1.values), axis=-1)[..., 0]
    return xr.DataArray(best, dims=("seed", "variant"), coords=found.coords["variant"].coords)


def changing(found: xr.Dataset) -> xr.DataArray:
    """Whether a point of the grid changes any network's loss beyond rounding, (variant, point)."""
    change = abs(found.modulated - found.base).sel(score="loss")
    return (change > 1e-4 * found.base.sel(score="loss")).any(("seed", "fold", "part"))


def modulated_at(found: xr.Dataset, points: xr.DataArray, variant: str) -> np.ndarray:
    """Test scores with each seed's chosen point, (seeds, folds, scores)."""
    scores = found.modulated.sel(part="test", variant=variant)
    picked = [
        scores.isel(seed=s, point=int(points.sel(variant=variant).values[s])).values
        for s in range(found.sizes["seed"])
    ]
    return np.stack(picked)


def compare(found: xr.Dataset, variant: str, chosen: Mapping[str, xr.DataArray]) -> dict:
    """One variant against the network that it modulates, on the test set.

    ``chosen`` gives the points by the images on which they were chosen (see `choose`).

    Differences are means over folds and seeds; their confidence intervals (95 %, Student's t) are over
    seeds. p is Wilcoxon's signed-rank test over all pairs of a seed and fold.
    """
    base = found.base.sel(part="test", variant=variant).transpose("seed", "fold", "score").values
    row: dict = {"variant": variant}
    for n, score in enumerate(found.score.values.tolist()):
        row[f"base_{score}"] = float(base[..., n].mean())
        for part, points in chosen.items():
            way = f"chosen_on_{part}"
            difference = modulated_at(found, points, variant)[..., n] - base[..., n]
            row[f"{score}_{way}"] = float((base[..., n] + difference).mean())
            row[f"{score}_difference_{way}"] = float(difference.mean())
            row[f"{score}_p_{way}"] = signed_rank(difference)
            interval = confidence(difference.mean(axis=1))
            if interval:
                row[f"{score}_low_{way}"], row[f"{score}_high_{way}"] = interval
    f1 = found.modulated.sel(variant=variant, score="f1")
    row["f1_mean_over_grid"] = float(
        f1.sel(part="test").where(changing(found).sel(variant=variant)).mean()
    )
    plain = found.base.sel(part="validation", variant=variant, score="f1").mean("fold").values
    best = f1.sel(part="validation").mean("fold").transpose("seed", "point").values
    points = chosen["validation"].sel(variant=variant).values
    row["seeds_better_without"] = int(np.sum(best[np.arange(len(best)), points] < plain))
    for part, points in chosen.items():
        row[f"parameters_chosen_on_{part}"] = [
            {name: found[name].values[p].item() for name in ("k", "mu", "a", "b")}
            for p in points.sel(variant=variant).values
        ]
    row["epochs"] = float(found.epochs.sel(variant=variant).mean())
    return row


def signed_rank(differences: np.ndarray) -> float:
    """p of Wilcoxon's signed-rank test, two-sided; 1 where nothing differs."""
    flat = differences.ravel()
    return float(stats.wilcoxon(flat).pvalue) if flat.any() else 1.0


def confidence(values: np.ndarray) -> tuple[float, float] | None:
    """95 % confidence interval of the mean (Student's t), from two values on."""
    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)


def stars(p: float) -> str:
    """Significance as the paper marks it."""
    return "**" if p < 0.01 else "*" if p < 0.05 else ""


def as_tables(found: xr.Dataset, images: DataSet, rows: list[dict]) -> str:
    """The paper's tables 2 and 3 for this data set, and one of all variants, in Markdown."""
    first = rows[0]
    lines = [
        f"# {images.name}: {len(images.labels)} images, {int(images.test.sum())} of them for the test",
        "",
        f"Variant {first['variant']}; {found.sizes['seed']} seed(s) of {found.sizes['fold']} folds;"
        f" {first['epochs']:.0f} epochs on average. * p < 0.05, ** p < 0.01 (Wilcoxon signed-rank).",
        "",
        "## Table 2: parameters",
        "",
        "| seed | chosen on | k | mu | a | b |",
        "|---|---|---|---|---|---|",
    ]
    for part in PARTS:
        for seed, p in zip(found.seed.values, first[f"parameters_chosen_on_{part}"], strict=True):
            lines.append(
                f"| {seed} | {part} | {p['k']} | {p['mu']} | {p['a']:.2f} | {p['b']:.2f} |"
            )
    lines += ["", "## Table 3: test set", ""]
    lines += [
        "| metric | CNN | ANAN, chosen on validation | ANAN, best on test (the paper's way) |"
    ]
    lines += ["|---|---|---|---|"]
    for score in found.score.values.tolist():
        cells = [_cell(first, score, f"chosen_on_{part}") for part in PARTS]
        lines.append(f"| {score} | {first[f'base_{score}']:.4f} | {' | '.join(cells)} |")
    lines += ["", "## F1 of every variant", ""]
    lines += [
        "| variant | without | difference, chosen on validation | p | best on test | p | mean of grid"
        " | seeds in which validation would rather do without |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['variant']} | {row['base_f1']:.4f} | {_difference(row, 'chosen_on_validation')}"
            f" | {row['f1_p_chosen_on_validation']:.3g} | {_difference(row, 'chosen_on_test')}"
            f" | {row['f1_p_chosen_on_test']:.3g} | {row['f1_mean_over_grid']:.4f}"
            f" | {row['seeds_better_without']} of {found.sizes['seed']} |"
        )
    return "\n".join(lines) + "\n"


def _cell(row: dict, score: str, way: str) -> str:
    """A score with its significance, and whether that is for the worse."""
    mark = stars(row[f"{score}_p_{way}"])
    worse = (row[f"{score}_difference_{way}"] < 0) != (score == "loss")
    return " ".join(
        [f"{row[f'{score}_{way}']:.4f}", mark, "worse" if mark and worse else ""]
    ).strip()


def _difference(row: dict, way: str) -> str:
    text = f"{row[f'f1_difference_{way}']:+.4f}"
    if f"f1_low_{way}" in row:
        text += f" [{row[f'f1_low_{way}']:+.4f}, {row[f'f1_high_{way}']:+.4f}]"
    return text
