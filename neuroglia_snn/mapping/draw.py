"""A drawing of the cores that a model takes."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from neuroglia_snn import spec
from neuroglia_snn.mapping.place import CORES, PROCESSORS, Placement

_COLOURS = ("#0b6e4f", "#b3541e", "#3b5b92", "#8a5a9e", "#c2a83e")
_EMPTY, _EDGE = "#eeeeee", "#ffffff"
#: Chips that are drawn at most.
MAX_CHIPS = 8


@matplotlib.rc_context({"text.parse_math": False})  # a title may hold a $
def draw(placements: list[Placement], hardware: spec.Hardware, path: Path) -> Path:
    """Every chip as a grid of its cores, filled as far as each is used."""
    per_chip = hardware.number("cores_per_chip") or 1
    cores = [core for placement in placements for core in placement.cores]
    chips = max(1, -(-len(cores) // per_chip))
    shown = min(chips, MAX_CHIPS)
    across = math.ceil(math.sqrt(2 * per_chip))
    down = -(-per_chip // across)
    figure = Figure(figsize=(7.5, 4.4 * shown), layout="constrained")
    axes = figure.subplots(shown, 1, squeeze=False)[:, 0]
    names = [p.population for p in placements]
    colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(names)}
    for chip, axis in enumerate(axes):
        for n in range(per_chip):
            x, y = n % across, down - 1 - n // across
            axis.add_patch(Rectangle((x, y), 0.94, 0.94, facecolor=_EMPTY, edgecolor=_EDGE))
            if chip * per_chip + n < len(cores):
                core = cores[chip * per_chip + n]
                colour = colours[core.population]
                axis.add_patch(Rectangle((x, y), 0.94, 0.94 * core.used, facecolor=colour))
                axis.text(
                    x + 0.47,
                    y + 0.47,
                    str(core.units.size),
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white",
                )
        axis.set(xlim=(-0.2, across + 0.1), ylim=(-0.2, down + 0.1), aspect="equal")
        axis.axis("off")
        axis.set_title(
            f"{hardware.title}, chip {chip + 1} of {chips}: {per_chip} cores", fontsize=10
        )
    figure.legend(
        handles=[Patch(color=colours[p.population], label=_label(p)) for p in placements],
        loc="outside lower center",
        ncols=1,
        fontsize=9,
        frameon=False,
        title="colour: share of a core's tightest known limit; number: units on it",
        title_fontsize=8,
    )
    figure.savefig(path, dpi=120)
    return path


def _label(placement: Placement) -> str:
    if placement.where == CORES:
        return f"{placement.population}: {len(placement.cores)} cores"
    where = "embedded processors" if placement.where == PROCESSORS else "does not fit"
    return f"{placement.population}: {where}"
