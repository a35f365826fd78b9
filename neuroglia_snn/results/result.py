"""The result of a run, in memory."""

from __future__ import annotations

import functools
import html
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from neuroglia_snn import spec
from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments import registry
from neuroglia_snn.experiments.base import Experiment, OwnProtocol
from neuroglia_snn.results import folder as files
from neuroglia_snn.results import movie, plots, style
from neuroglia_snn.results.written import Written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuroglia_snn.model import Model


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a run, in memory.

    Attributes
    ----------
    model : Model
        The model that ran.
    data : xarray.Dataset
        The records and the final state. Records are ``RECORD_VARIABLE``, with the dimensions (time_RECORD,
        row_RECORD, column_RECORD) for a lattice and (time_RECORD, unit_RECORD) otherwise. Events are
        ``RECORD_time`` (ms) and ``RECORD_unit``. The final state is ``final_POPULATION_VARIABLE``. Each
        variable names its units in its attributes. Several seeds have a dimension ``replica``, and no events.
        The data are empty for an experiment that is not a single simulation.
    summary : dict
        Everything that ``summary.json`` holds.
    control : Result or None
        The result of the control, if it was asked for.
    shown : object or None
        The images that the network was shown.
    """

    model: Model
    spec: spec.Model
    data: xr.Dataset
    summary: dict[str, Any]
    experiment: Experiment
    control: Result | None = None
    shown: Any = None
    _written: Written | None = field(default=None, repr=False)

    @property
    def measures(self) -> Mapping[str, float | int | None]:
        """The numbers of the run by name. For several seeds they are the means."""
        return self.summary.get("results", {})

    @property
    def interrupted_at(self) -> float | None:
        """The model time in seconds at which Ctrl-C stopped the run, or None for a complete run."""
        milliseconds = self.summary.get("interrupted_at_ms")
        return None if milliseconds is None else milliseconds / 1e3

    @property
    def plot(self) -> Plots:
        """The figures, such as ``result.plot.records()`` and ``result.plot.movie("sheet_v", "v.gif")``.

        ``dir(result.plot)`` lists the others.
        """
        return Plots(self)

    def figures(self) -> dict[str, Callable[[Result], Figure | None]]:
        """Return the functions that draw the run's figures, by name.

        Returns
        -------
        dict
            Each function takes a `Result` and returns a matplotlib figure, or None if there is nothing to draw.
        """
        return drawn(self.experiment, several="replicas" in self.summary)

    def save(self, folder: str | Path, force: bool = False, figures: str = "png") -> Path:
        """Write ``summary.json``, ``data.nc`` and the figures.

        A figure that fails is left out, with a line on standard error. If an experiment of more than one
        simulation wrote files itself, they are copied.

        Parameters
        ----------
        folder : path
            The folder to write.
        force : bool
            Whether to write over an earlier result.
        figures : {"png", "svg", "pdf"}
            The format of the figures.

        Returns
        -------
        path
            The folder.

        Raises
        ------
        ResultError
            If the folder holds a result already, or cannot be written.
        """
        folder = Path(folder)
        if self._written is not None:
            refuse_format(self.model.name, figures)
            self._written.copy(self.summary, folder, force)
            return folder
        files.prepare(folder, force, figure_files(self.figures(), figures))
        files.write_dataset(self.data, folder / files.DATA)
        self.write(folder, figures)
        return folder

    def write(self, folder: Path, figures: str = "png") -> dict[str, Any]:
        """Write all but ``data.nc`` into a folder that is prepared, and return the summary as written."""
        if self.control is not None:
            files.write_dataset(self.control.data, folder / files.CONTROL)
        paths, captions, failed = self._draw(folder, figures)
        summary = {k: v for k, v in self.summary.items() if k != "failed_figures"}
        summary |= {"data": str(folder / files.DATA), "figures": paths}
        summary |= {"captions": captions} if captions else {}
        if failed:
            summary["failed_figures"] = failed
        files.write_summary(summary, folder)
        return summary

    def _draw(self, folder: Path, figures: str) -> tuple[list[str], dict[str, str], dict[str, str]]:
        """Paths of the figures, what they show, and why there is none of those that fail.

        Of part of a run there are none.
        """
        paths: list[str] = []
        captions: dict[str, str] = {}
        failed: dict[str, str] = {}
        if self.interrupted_at is not None:
            return paths, captions, failed
        for name, draw in self.figures().items():
            try:
                with style.applied(figures):
                    drawn = draw(self)
                    if drawn is not None:
                        paths.append(str(style.save(drawn, folder / name)))
                        captions[Path(paths[-1]).name] = registry.first_paragraph(draw)
            except Exception as error:  # the user's code: the numbers are not lost for it
                (folder / figure_files([name], figures)[0]).unlink(missing_ok=True)
                failed[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
                print(f"the figure '{name}' fails ({failed[name]}): left out", file=sys.stderr)
        return paths, captions, failed

    def __repr__(self) -> str:
        numbers = ", ".join(f"{k}={_short(v)}" for k, v in self.measures.items())
        return f"<Result of {self.model.name}: {numbers or 'no measures'}>"

    def _repr_html_(self) -> str:
        spread = self.summary.get("standard_deviations", {})
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(_short(value))}"
            + (f" ± {spread[name]:.2g}" if name in spread else "")
            + "</td></tr>"
            for name, value in self.measures.items()
        )
        facts = ", ".join(
            f"{key} {html.escape(str(self.summary[key]))}"
            for key in ("backend", "precision", "seed")
            if key in self.summary
        )
        return (
            f"<p><b>{html.escape(self.model.title)}</b><br>{facts}</p><table>{rows}</table>"
            f"{self.data._repr_html_() if self.data else ''}"
        )


def drawn(
    experiment: Experiment, several: bool = False
) -> dict[str, Callable[[Result], Figure | None]]:
    """Functions that draw a run, or ``several``, of an experiment, by name."""
    of_any = {} if isinstance(experiment, OwnProtocol) else {"records": plots.records}
    of_one = {} if several else experiment.figures or of_any
    return {**of_one, **registry.FIGURES}


def refuse_format(name: str, figures: str) -> None:
    """Refuse another format than PNG of a model whose experiment writes its figures itself.

    Raises
    ------
    UserError
    """
    if figures != "png":
        raise UserError(f"model '{name}' takes no --figures")


def figure_files(names: Iterable[str], figures: str) -> list[str]:
    """Names of the files of figures in a format.

    Raises
    ------
    UserError
        For a format that there is not.
    """
    style.require_format(figures)
    return [f"{name}.{figures}" for name in names]


class Plots:
    """The figures of a result, each a method that returns a matplotlib figure."""

    def __init__(self, result: Result):
        self._result = result

    def __dir__(self) -> list[str]:
        return sorted({"movie", *self._known()})

    def _known(self) -> dict[str, Callable[[Result], Figure | None]]:
        """Functions that draw, by name; records can be drawn of any simulation, and of several."""
        own = isinstance(self._result.experiment, OwnProtocol)
        return {**({} if own else {"records": plots.records}), **self._result.figures()}

    def __getattr__(self, name: str) -> Callable[[], Figure | None]:
        if name.startswith("_"):  # what Python asks for itself, of a copy that is not whole yet
            raise AttributeError(name)
        known = self._known()
        if name not in known:
            has = ", ".join(sorted({"movie", *known}))
            raise AttributeError(f"this result has no figure '{name}' (it has: {has})")
        return style.applied()(functools.partial(known[name], self._result))

    def movie(self, variable: str, path: str | Path, fps: int = 20, cmap: str = "viridis") -> Path:
        """Write a movie of a recorded variable of a lattice, a frame for each recorded time.

        Parameters
        ----------
        variable : str
            As in `Result.data` (``neurons_v``).
        path : path
            ``.gif``, or ``.mp4`` where ffmpeg is installed.
        fps : int
            Frames a second.
        cmap : str
            Name of a colour map of matplotlib.

        Raises
        ------
        UserError
            For a variable that is no record of a lattice, several seeds, or another kind of file.
        """
        return movie.write(self._result.data, variable, Path(path), fps, cmap)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
