"""What an experiment is: what a model's ``[experiment]`` table may ask for beyond a simulation.

An experiment is a class. It is found by an entry point of the group ``neuroglia_snn.experiments``, whose
name is the experiment's kind, or in a file that the user names (``--experiment mine.py``). Heavy packages
are imported inside its methods: a command line that only lists options loads the class alone.
"""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from neuroglia_snn.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuroglia_snn import spec
    from neuroglia_snn.checks.findings import Reporter
    from neuroglia_snn.experiments.work import Work
    from neuroglia_snn.options import Options
    from neuroglia_snn.results import Result

#: Types of keys of an ``[experiment]`` table, as `neuroglia_snn.catalog.schema` has them.
Types = tuple[type, ...]


class Image:
    """The type of an option that is the file of an image, or in Python an array of 0 and 1."""


#: Types of options: what a value may be, and what it is called.
TYPES: dict[type, tuple[Any, str]] = {
    Path: ((str, os.PathLike), "the path of a file or folder"),
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "a text"),
    bool: ((bool, np.bool_), "True or False"),
    Image: (object, "an image"),
}


@dataclass(frozen=True)
class Option:
    """A setting of a run that an experiment takes beside those of every run.

    Attributes
    ----------
    name : str
        In Python; the flag ``--test-images`` is ``test_images``.
    type : {Path, int, float, str, bool, Image}
        A ``bool`` is a switch without a value.
    about : str
        For the flag's help.
    metavar : str, optional
    spellings : other flags of the same meaning
    """

    name: str
    type: type
    about: str
    metavar: str | None = None
    spellings: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """As the command line has it."""
        return "--" + self.name.replace("_", "-")

    def read(self, value: object) -> Any:
        """A value in this option's type.

        Raises
        ------
        UserError
            For one of another type.
        """
        kinds, what = TYPES[self.type]
        wrong = isinstance(value, (bool, np.bool_)) is not (self.type is bool)
        if self.type is not Image and (wrong or not isinstance(value, kinds)):
            kind = type(value).__name__
            raise UserError(f"{self.name} is {what}, not a value of type {kind}")
        return value if self.type is Image else self.type(value)


class Shown(Protocol):
    """What an experiment presents to the network in one run."""

    def stimuli(self, model: spec.Model) -> dict[str, np.ndarray]:
        """Boolean images, (rows, columns), by the names that the model's stimuli use."""

    def describe(self) -> Mapping[str, object]:
        """What the summary says of them."""


class Experiment:
    """An experiment of one simulation: what it shows, measures and draws.

    A subclass states ``kind`` and overrides what it needs; as it stands, this class is the experiment of a
    model without an ``[experiment]`` table.

    Attributes
    ----------
    kind : str
        As in ``[experiment] kind = "..."``.
    keys : types of the table's other keys, by name
    defaults : values of keys that need not be given
    expressions : keys that hold an expression of parameters
    options : settings of a run that it takes beside those of every run
    figures : functions of a `Result` that draw, by name; ``response`` is saved as ``response.png``
    definitions : what each measure is, by its name or by a pattern such as ``correlation_*``, for reports
    measures_itself : bool
        Whether `measure` gives numbers for every model, so that a sweep has something to compare.
    """

    kind: ClassVar[str] = ""
    keys: ClassVar[Mapping[str, Types]] = {}
    defaults: ClassVar[Mapping[str, object]] = {}
    expressions: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[tuple[Option, ...]] = ()
    figures: ClassVar[Mapping[str, Callable[[Result], Figure | None]]] = {}
    definitions: ClassVar[Mapping[str, str]] = {}
    measures_itself: ClassVar[bool] = False

    def check(self, reporter: Reporter) -> None:
        """Report what is wrong with the model's table, once every equation is known to parse."""

    def adapted(self, model: spec.Model, own: Mapping[str, Any]) -> spec.Model:
        """The model as this experiment's own options change it, once populations are left out.

        Raises
        ------
        UserError
        """
        return model

    def control(self, model: spec.Model) -> spec.Model | None:
        """The model that ``--control`` runs beside it, or None where there is none."""
        return None

    def prepare(
        self, model: spec.Model, images: Mapping[str, Any], resize: bool, seed: int
    ) -> Shown | None:
        """What the network is shown in the run of a seed; ``images`` are the user's, by name.

        An image is the path of a file or an array of 0 and 1.

        Raises
        ------
        UserError
        """
        from neuroglia_snn.images import Given

        return Given.read(model, images, resize)

    def required_images(self, model: spec.Model) -> Mapping[str, tuple[int, ...]]:
        """Names and shapes of the images that a user must give."""
        return model.images()

    def image_names(self, model: spec.Model) -> tuple[str, ...]:
        """Names of the images that a user may give."""
        return tuple(model.images())

    def measure(self, result: Result) -> Mapping[str, float | int | None]:
        """Numbers of one simulation, by name."""
        return {}


class OwnProtocol(Experiment):
    """An experiment that is more than one simulation, and carries itself out.

    Attributes
    ----------
    uses : names of fields of `neuroglia_snn.options.Options` that it heeds; others are refused
    """

    measures_itself = True
    uses: ClassVar[frozenset[str]] = frozenset({"seed", "overrides", "resume", "own"})

    def identity(self, model: spec.Model, options: Options) -> dict:
        """Check options and data; give all that the numbers depend on.

        Raises
        ------
        UserError
        """
        raise NotImplementedError

    def carry_out(self, model: spec.Model, options: Options, work: Work) -> dict:
        """Compute, write data and figures into ``work.folder``; give what the summary shall hold.

        ``results`` are numbers by name, ``figures`` paths. The path of every other file but ``data.nc``
        stands there, too: these are the files that a result is saved with elsewhere.

        Raises
        ------
        UserError
        """
        raise NotImplementedError
