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
    """A setting of a run that an experiment takes in addition to those of every run.

    Attributes
    ----------
    name : str
        The name in Python. The flag ``--test-images`` is ``test_images``.
    type : {Path, int, float, str, bool, Image}
        The type of the value. A ``bool`` is a switch without a value.
    about : str
        The help of the flag.
    metavar : str, optional
        What stands for the value in the help.
    spellings : tuple of str
        Other flags with the same meaning.
    """

    name: str
    type: type
    about: str
    metavar: str | None = None
    spellings: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The option's flag on the command line."""
        return "--" + self.name.replace("_", "-")

    def read(self, value: object) -> Any:
        """Return a value in this option's type.

        Raises
        ------
        UserError
            If the value has another type.
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
        """Return boolean images, (rows, columns), by the names that the model's stimuli use."""

    def describe(self) -> Mapping[str, object]:
        """Return what the summary says of the images."""


class Experiment:
    """An experiment of one simulation: what it shows, measures and draws.

    A subclass states ``kind`` and overrides what it needs. The class itself is the experiment of a model
    without an ``[experiment]`` table.

    Attributes
    ----------
    kind : str
        The kind, as in ``[experiment] kind = "..."``.
    keys : mapping of str to tuple of type
        The types of the table's other keys.
    defaults : mapping of str to object
        The values of keys that need not be given.
    expressions : tuple of str
        The keys that hold an expression of parameters.
    options : tuple of Option
        Settings of a run that the experiment takes in addition to those of every run.
    figures : mapping of str to callable
        Functions that draw a `Result`. The figure ``response`` is saved as ``response.png``.
    definitions : mapping of str to str
        A sentence that says what each measure is, for reports. The key is the name of the measure, or a pattern
        such as ``correlation_*``.
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
        """Report what is wrong with the model's table, once every equation is known to parse.

        Parameters
        ----------
        reporter : Reporter
            It holds the model, and takes the findings.
        """

    def adapted(self, model: spec.Model, own: Mapping[str, Any]) -> spec.Model:
        """Return the model as the experiment's own options change it, once populations are left out.

        Parameters
        ----------
        model : neuroglia_snn.spec.Model
            The model.
        own : mapping
            The experiment's own options, by name.

        Returns
        -------
        neuroglia_snn.spec.Model

        Raises
        ------
        UserError
            If an option cannot be followed.
        """
        return model

    def control(self, model: spec.Model) -> spec.Model | None:
        """Return the model that ``--control`` runs beside it, or None if there is none."""
        return None

    def prepare(
        self, model: spec.Model, images: Mapping[str, Any], resize: bool, seed: int
    ) -> Shown | None:
        """Return what the network is shown in the run of a seed.

        Parameters
        ----------
        model : neuroglia_snn.spec.Model
            The model.
        images : mapping
            The user's images by name. Each is the path of a file, or an array of 0 and 1, (rows, columns).
        resize : bool
            Whether to scale images to the lattice.
        seed : int
            The seed of images that are drawn.

        Returns
        -------
        object or None
            Its ``stimuli`` and ``describe`` are those of `neuroglia_snn.experiments.base.Shown`.

        Raises
        ------
        UserError
            If an image is missing or cannot be used.
        """
        from neuroglia_snn.images import Given

        return Given.read(model, images, resize)

    def required_images(self, model: spec.Model) -> Mapping[str, tuple[int, ...]]:
        """Return the names and shapes of the images that a user must give."""
        return model.images()

    def image_names(self, model: spec.Model) -> tuple[str, ...]:
        """Return the names of the images that a user may give."""
        return tuple(model.images())

    def measure(self, result: Result) -> Mapping[str, float | int | None]:
        """Return the numbers of one simulation by name. A measure that does not exist is None."""
        return {}


class OwnProtocol(Experiment):
    """An experiment of more than one simulation, which runs itself.

    Attributes
    ----------
    uses : frozenset of str
        The fields of `neuroglia_snn.options.Options` that it heeds. Others are refused.
    """

    measures_itself = True
    uses: ClassVar[frozenset[str]] = frozenset({"seed", "overrides", "resume", "own"})

    def identity(self, model: spec.Model, options: Options) -> dict:
        """Check options and data, and return everything on which the numbers depend.

        Raises
        ------
        UserError
            If an option or a data set cannot be used.
        """
        raise NotImplementedError

    def carry_out(self, model: spec.Model, options: Options, work: Work) -> dict:
        """Compute, write data and figures into ``work.folder``, and return what the summary holds.

        In the summary, ``results`` are numbers by name, and ``figures`` are paths. It also has the path of every
        other file but ``data.nc``: these files go with a result that is saved elsewhere.

        Raises
        ------
        UserError
            If something that was asked for cannot be done.
        """
        raise NotImplementedError
