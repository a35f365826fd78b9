"""A drawing of the cores that a model takes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.patches import Patch, Rectangle

from neuroglia_snn import spec
from neuroglia_snn.mapping.place import CORES, NOWHERE, Core, Layout, Placement
from neuroglia_snn.results import style

_EMPTY, _EDGE = "0.93", "white"
#: Chips that are drawn at most.
MAX_CHIPS = 8


@style.applied()
@matplotlib.rc_context({"text.parse_math": False})  # a title may hold a $
def draw(layout: Layout, hardware: spec.Hardware, path: Path) -> Path:
    """Every chip as a grid of its cores, filled as far as each is used."""
    per_chip = hardware.number("cores_per_chip") or 1
    chips = max(1, -(-len(layout.cores) // per_chip))
    shown = min(chips, MAX_CHIPS)
    across = math.ceil(math.sqrt(2 * per_chip))
    down = -(-per_chip // across)
    figure, axes = style.subplots(shown, 1, (style.PAGE, 4.2 * shown), squeeze=False)
    names = [p.population.name for p in layout.placements]
    colours = {name: style.series(n)["color"] for n, name in enumerate(names)}
    for chip, axis in enumerate(axes[:, 0]):
        for n in range(per_chip):
            corner = n % across, down - 1 - n // across
            axis.add_patch(Rectangle(corner, 0.94, 0.94, facecolor=_EMPTY, edgecolor=_EDGE))
            if chip * per_chip + n < len(layout.cores):
                _core(axis, layout.cores[chip * per_chip + n], corner, colours)
        axis.set(xlim=(-0.2, across + 0.1), ylim=(-0.2, down + 0.1), aspect="equal")
        axis.axis("off")
        axis.set_title(f"{hardware.title}, chip {chip + 1} of {chips}: {per_chip} cores")
    figure.legend(
        handles=[
            Patch(color=colours[p.population.name], label=_label(p, layout))
            for p in layout.placements
        ],
        loc="outside lower center",
        ncols=1,
        title="colour: share of a core's tightest known limit; number: units on it",
    )
    return style.save(figure, path)


def _core(axis: Any, core: Core, corner: tuple[int, int], colours: dict[str, str]) -> None:
    """A core, with a column for each population on it."""
    width = 0.94 / len(core.parts)
    for n, part in enumerate(core.parts):
        place = corner[0] + n * width, corner[1]
        colour = colours[part.population.name]
        axis.add_patch(Rectangle(place, width, 0.94 * core.used, facecolor=colour))
    middle = corner[0] + 0.47, corner[1] + 0.47
    axis.text(*middle, str(core.size), ha="center", va="center", fontsize=6, color="white")


def _label(placement: Placement, layout: Layout) -> str:
    name = placement.population.name
    if placement.where == CORES:
        return f"{name}: {len(layout.cores_of(placement.population))} cores"
    return f"{name}: {'does not fit' if placement.where == NOWHERE else placement.where}"
