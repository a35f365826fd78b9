"""Figures of the study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neuroglia_snn.results.style import (
    COLUMN,
    CONTROL,
    LEVELS,
    MODEL,
    PAGE,
    REFERENCE,
    save,
    subplots,
)

_BASE, _HONEST, _FLATTERING = REFERENCE, MODEL, CONTROL


def draw(
    found: xr.Dataset, picked: list[np.ndarray], name: str, rows: list[dict], folder: Path
) -> list[Path]:
    """All figures: the paper's 5 and the grid.

    ``picked`` are the first variant's test scores, (seeds, folds, scores), with parameters chosen on
    the validation folds and on the test set.
    """
    return [
        _comparison(found, picked, name, rows[0], folder / "figure5"),
        _grid(found, name, rows[0]["variant"], folder / "grid"),
    ]


def _comparison(
    found: xr.Dataset, picked: list[np.ndarray], name: str, row: dict, path: Path
) -> Path:
    """After the paper's Figure 5: F1 and accuracy on the test set over folds and seeds."""
    figure, axes = subplots(1, 2, (PAGE, 3))
    base = found.base.sel(part="test", variant=row["variant"])
    base = base.transpose("seed", "fold", "score").values
    labels = ("CNN", "ANAN, chosen\non validation", "ANAN, best\non test")
    scores = found.score.values.tolist()
    for axis, score in zip(axes, ("f1", "accuracy"), strict=True):
        n = scores.index(score)
        columns = [values[..., n].ravel() for values in (base, *picked)]
        boxes = axis.boxplot(columns, widths=0.5, patch_artist=True, showfliers=False)
        for box, colour in zip(boxes["boxes"], (_BASE, _HONEST, _FLATTERING), strict=True):
            box.set(facecolor=colour, alpha=0.35)
        for line in boxes["medians"]:
            line.set(color="black")
        jitter = np.random.default_rng(0).uniform(-0.1, 0.1, len(columns[0]))
        for place, values in enumerate(columns, start=1):
            axis.plot(place + jitter, values, ".", color="0.2", ms=4)
        axis.set_xticks((1, 2, 3), labels)
        axis.set(ylabel={"f1": "F1 on the test set", "accuracy": "accuracy on the test set"}[score])
        for place, way in ((2, "validation"), (3, "test")):
            _mark(axis, place, columns[place - 1].max(), row[f"{score}_p_chosen_on_{way}"])
        axis.margins(y=0.12)
    figure.suptitle(f"{name}: {row['variant']}, {len(columns[0])} networks")
    return save(figure, path)


def _mark(axis: Axes, place: int, height: float, p: float) -> None:
    label = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    axis.annotate(label, (place, height), (0, 6), textcoords="offset points", ha="center")


def _grid(found: xr.Dataset, name: str, variant: str, path: Path) -> Path:
    """Every point of the grid: what it adds to F1 on validation and on test images."""
    figure, axis = subplots(1, 1, (COLUMN, 2.8))
    change = (found.modulated - found.base).sel(variant=variant, score="f1").mean(("seed", "fold"))
    points = axis.scatter(
        change.sel(part="validation"), change.sel(part="test"), c=found.k - found.mu, cmap=LEVELS
    )
    figure.colorbar(points, ax=axis, label="k - μ (changes of a triggered kernel)")
    axis.axhline(0, color=REFERENCE, lw=0.8)
    axis.axvline(0, color=REFERENCE, lw=0.8)
    axis.set(xlabel="F1 gained on validation images", ylabel="F1 gained on test images")
    axis.set_title(f"{name}: the grid's {found.sizes['point']} points ({variant})")
    return save(figure, path)
