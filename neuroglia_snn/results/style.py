"""How every figure looks: sizes of a printed page, fonts, colours that everybody can tell apart, file formats.

A figure is drawn in the size in which it is printed, one column or a page wide, so that its text is as
large there as it is here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from neuroglia_snn.errors import UserError

#: Formats that figures are written in.
FORMATS = ("png", "svg", "pdf")
#: Widths of a journal's column (85 mm) and page (180 mm), in inches.
COLUMN, PAGE = 85 / 25.4, 180 / 25.4
#: Blue, vermilion, bluish green, reddish purple, orange and sky blue of Okabe and Ito (2008), "Color universal
#: design": as different for those who see no red or no green as for others.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
#: Of the model, and of its control.
MODEL, CONTROL = COLOURS[:2]
#: Of the time of a stimulus, of what stands behind the data, of lines to compare with.
STIMULUS, BEHIND, REFERENCE = "#F0E442", "0.7", "0.35"
#: Beside the colours, so that lines can be told apart in grey, too.
MARKERS = "osD^vP*"
#: How images of 0 and 1 are shown, and those of counts and of concentrations: lighter or darker throughout.
MAP = {"cmap": "Greys", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
COUNTS, LEVELS = "magma", "viridis"

#: Points of text, and of lines.
_RC: dict[Any, Any] = {
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "errorbar.capsize": 2,
    "figure.constrained_layout.use": True,
    "figure.figsize": (COLUMN, 0.7 * COLUMN),
    "figure.titlesize": 8,
    "font.size": 8,
    "image.cmap": LEVELS,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.title_fontsize": 7,
    "lines.linewidth": 1,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,  # text stays text
    "savefig.dpi": 300,
    "xtick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 7,
    "ytick.major.width": 0.6,
}


def require_format(name: str) -> None:
    """Refuse what is no format of figures.

    Raises
    ------
    UserError
    """
    if name not in FORMATS:
        raise UserError(f"figures are {', '.join(FORMATS)}, not '{name}'")


@contextlib.contextmanager
def applied(figures: str = FORMATS[0]) -> Iterator[None]:
    """The context in which figures are drawn and saved, in one of `FORMATS`; also a decorator.

    Raises
    ------
    UserError
        For another format.
    """
    require_format(figures)
    with matplotlib.rc_context({**_RC, "savefig.format": figures}):
        yield


def extension() -> str:
    """The format of the context, as files end."""
    return str(matplotlib.rcParams["savefig.format"])


def subplots(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any]:
    """A figure outside pyplot, so that a notebook's own figures are left alone, and its axes."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure to a path without ending, in the format of the context; the file's path."""
    path = path.with_name(f"{path.name}.{extension()}")
    figure.savefig(path)
    return path


def bare(*axes: Axes) -> None:
    """Frame images, of which units have no number that matters."""
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(True)


def series(n: int) -> dict[str, str]:
    """Colour and marker of the n-th of several lines: another pair for each of the first 42."""
    return {"color": COLOURS[n % len(COLOURS)], "marker": MARKERS[n % len(MARKERS)]}
