"""A model as a user holds it: what a model file declares, with settings on top."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brian2.units.fundamentalunits import Quantity

from neuroglia_snn import checks, spec
from neuroglia_snn.catalog import data, show, source, toml
from neuroglia_snn.catalog import load as loader
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.checks.findings import Finding
from neuroglia_snn.errors import ModelError, ResultError, UserError, shown
from neuroglia_snn.language import equations
from neuroglia_snn.language.quantities import as_settings, as_value

if TYPE_CHECKING:
    import xarray as xr

    from neuroglia_snn.results import Result


class Model:
    """A network as a model file declares it, with settings on top.

    A model does not change. Its methods return another one.

    Parameters
    ----------
    tables : mapping, optional
        The tables of a model file: ``{"model": {...}, "population": {...}, ...}``. Values may be numbers,
        texts, quantities of Brian2, arrays and lists. More tables may follow by keyword.
    name : str
        The name of the model, and of its file if it is written.
    folder : path
        The folder of the data files that the tables name.

    Raises
    ------
    ModelError
        If the tables do not make a model. The message names the line of the file that `to_toml` would write.

    Examples
    --------
    >>> import neuroglia_snn as ng
    >>> decay = ng.Model(
    ...     model={"title": "Decay", "dt": "0.1 ms", "duration": "10 ms"},
    ...     population={"cell": {"size": 3, "equations": "dv/dt = -v/(5*ms) : 1", "initial": {"v": 1},
    ...                          "integrator": "exact"}},
    ...     record={"cell": {"population": "cell", "variables": ["v"]}},
    ... )
    >>> decay.run(progress=False).data["cell_v"].dims
    ('time_cell', 'unit_cell')
    """

    def __init__(
        self,
        tables: Mapping[str, Any] | None = None,
        /,
        *,
        name: str = "model",
        folder: str | os.PathLike[str] = ".",
        **more: Mapping[str, Any],
    ):
        plain = as_value({**(tables or {}), **more})
        text = toml.document(plain)
        document = source.merged(source.parsed(Path(folder) / f"{name}.toml", text))
        self._set(document, {}, ())
        errors = [f for f in self.check() if f.severity == "error"]
        if errors:
            raise ModelError("\n".join(f"{f.where}: {f.message}" for f in errors))

    def _set(
        self,
        origin: str | os.PathLike[str] | Document,
        settings: Mapping[str, str],
        left_out: Sequence[str],
        notes: Sequence[str] = (),
        kept: object = None,
    ) -> None:
        self._origin, self._settings, self._left_out = origin, dict(settings), tuple(left_out)
        self._notes, self._kept = tuple(notes), kept

    @classmethod
    def of(
        cls,
        origin: str | os.PathLike[str] | Document,
        settings: Mapping[str, Any] | None = None,
        left_out: Sequence[str] = (),
        notes: Sequence[str] = (),
        kept: object = None,
    ) -> Model:
        """Make a model from the catalogue, a file or a document, with settings on top.

        Parameters
        ----------
        origin : str, path or Document
            A name of the catalogue, the path of a model file, or a document.
        settings : mapping, optional
            Settings by name, as `with_settings` takes them.
        left_out : sequence of str
            The names of populations to leave out.
        notes : sequence of str
            What differs from the network from which the model was made.
        kept : object
            A temporary folder that must live as long as the model.

        Returns
        -------
        Model
        """
        made = cls.__new__(cls)
        made._set(origin, as_settings(settings or {}), left_out, notes, kept)
        return made

    # ------------------------------------------------------------------ what it is

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what differs from the network from which the model was made."""
        return self._notes

    @property
    def origin(self) -> str | os.PathLike[str] | Document:
        """The catalogue's name, the path of the file, or the document from which the model was made."""
        return self._origin

    @property
    def settings(self) -> dict[str, str]:
        """The settings by name, as the texts that ``--set`` takes."""
        return dict(self._settings)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The names of the populations that were left out."""
        return self._left_out

    @cached_property
    def spec(self) -> spec.Model:
        """The network as the framework's own records, with values in SI units."""
        model = loader.declared(loader.read(self._origin, self._settings))
        for population in self._left_out:
            model = model.without(population)
        return model

    @property
    def name(self) -> str:
        """The name of the model's file, without the ending."""
        return self.spec.name

    @property
    def title(self) -> str:
        """The title in the model's file."""
        return self.spec.title

    @property
    def parameters(self) -> dict[str, Quantity]:
        """The parameters by name, as quantities of Brian2."""
        return {
            name: Quantity(p.value.si, dim=p.value.dimensions)
            for name, p in self.spec.parameters.items()
        }

    # ------------------------------------------------------------------ other models

    def with_parameters(self, **values: Any) -> Model:
        """Return the model with other values of parameters.

        Parameters
        ----------
        **values
            The new values by the names of the parameters: numbers, quantities of Brian2, or texts with units.

        Returns
        -------
        Model

        Raises
        ------
        UserError
            If a name is not a parameter, or if a value has another dimension or is outside its limits.
        """
        return self.with_settings(values)

    def with_settings(self, settings: Mapping[str, Any]) -> Model:
        """Return the model with other settings.

        Parameters
        ----------
        settings : mapping
            Values by name, as ``--set`` takes them. A name is that of a parameter, or the path of a key such as
            ``"model.dt"`` or ``"population.neuron.initial.V"``. The value of the latter may be an array with a
            number for each unit, in SI units, or a quantity of Brian2.

        Returns
        -------
        Model

        Raises
        ------
        UserError
            If there is no such parameter or key, or if it cannot have this value.
        """
        return self._changed({**self._settings, **as_settings(settings)}, self._left_out)

    def without(self, *populations: str) -> Model:
        """Return the model without some populations and every projection that touches them.

        Parameters
        ----------
        *populations : str
            The names of the populations.

        Returns
        -------
        Model

        Raises
        ------
        UserError
            If there is no such population, or if none would be left.
        """
        return self._changed(self._settings, (*self._left_out, *populations))

    def _changed(self, settings: Mapping[str, str], left_out: Sequence[str]) -> Model:
        changed = Model.of(self._origin, settings, left_out, self._notes, self._kept)
        changed.spec  # noqa: B018 - refuses what cannot be set, and what is not there
        return changed

    # ------------------------------------------------------------------ what can be done with it

    def check(self) -> list[Finding]:
        """List everything that is wrong with the model, errors first; see `neuroglia_snn.check`."""
        origin = self.document() if self._left_out else self._origin
        return checks.check_file(origin, {} if self._left_out else self._settings)

    def run(self, out: str | os.PathLike[str] | None = None, **options: Any) -> Result:
        """Run the model; see `neuroglia_snn.run`."""
        from neuroglia_snn import api

        return api.run(self, out, **options)

    def sweep(self, over: Mapping[str, Any] | None = None, **axes: Any) -> xr.Dataset:
        """Run the model over a grid of settings and seeds; see `neuroglia_snn.sweep`."""
        from neuroglia_snn import api

        return api.sweep(self, over, **axes)

    def map(self, hardware: str | os.PathLike[str], **options: Any) -> dict[str, Any]:
        """Place the model on neuromorphic hardware; see `neuroglia_snn.map`."""
        from neuroglia_snn import api

        return api.map(self, hardware, **options)

    def diff(self, other: Model | str | os.PathLike[str]) -> list[str]:
        """List what differs in another model; see `neuroglia_snn.diff`."""
        return show.differences(self.document(), as_model(other).document())

    def to_toml(self) -> str:
        """Return the model as the text of a file, with everything that it extends and all settings.

        Returns
        -------
        str

        Raises
        ------
        UserError
            If the model names data files, which only `save` can write beside it.
        """
        document = self.document()
        if named := data.files(document.tables):
            raise UserError(f"the model names data files ({named[0]}): save(path) writes them, too")
        return toml.document(self._tables())

    def save(self, path: str | os.PathLike[str], force: bool = False) -> Path:
        """Write the model as a file, with the data files that it names beside it.

        Parameters
        ----------
        path : path
            The file to write, which ends in ``.toml``.
        force : bool
            Whether to write over existing files.

        Returns
        -------
        path
            The file that was written.

        Raises
        ------
        ResultError
            If a file exists already, or cannot be written.
        UserError
            If a setting names a data file, which only a model file may do.
        """
        path = Path(path)
        if path.suffix != ".toml":
            raise ResultError(f"{path}: a model file ends in .toml")
        document = self.document()
        copies: dict[Path, Path] = {}
        for one in document.sources:
            copies |= data.copied(one, path.parent)
        beside = {name for one in document.sources for name in data.files(one.tables)}
        if set_elsewhere := sorted({*data.files(document.tables)} - beside):
            raise UserError(
                f"a setting names the data file {set_elsewhere[0]}, which no model file may name: set its"
                " numbers, as an array"
            )
        taken = [p for p in (path, *copies.values()) if p.exists() and not force]
        if taken:
            raise ResultError(f"{taken[0]} exists already: choose another path, or force=True")
        try:
            data.copy(copies)
            path.write_text(toml.document(self._tables()), encoding="utf-8")
        except OSError as error:
            raise ResultError(f"{path} cannot be written ({error.strerror})") from None
        return path

    def _tables(self) -> dict[str, Any]:
        """The tables of a file of this model, without inherited parameters that nothing uses."""
        document = self.document()
        used, own = equations.model_parameters(self.spec), document.sources[0].tables
        needed = {*used, *own.get("parameters", {})}
        parameters = document.tables.get("parameters", {})
        kept = {name: value for name, value in parameters.items() if name in needed}
        return {**document.tables, **({"parameters": kept} if parameters else {})}

    def document(self) -> Document:
        """Return the tables behind the model, settings included, without what is left out.

        An experiment that names something that is left out goes, too.

        Returns
        -------
        Document
        """
        document = loader.read(self._origin, self._settings)
        if not self._left_out:
            return document
        kept = {
            "population": self.spec.populations,
            "projection": self.spec.projections,
            "stimulus": self.spec.stimuli,
            "record": self.spec.records,
        }
        gone: set[str] = set()
        for table, there in kept.items():
            old = document.tables.get(table, {})
            gone |= {name for name in old if name not in there}
            document.tables[table] = {name: one for name, one in old.items() if name in there}
        if gone & {str(value) for value in document.tables.get("experiment", {}).values()}:
            del document.tables["experiment"]
        return document

    def __repr__(self) -> str:
        settings = "".join(f", {name}={shown(value, 40)}" for name, value in self._settings.items())
        return f"<Model {self.name}: {self.title}{settings}>"

    def __str__(self) -> str:
        return show.describe(self.spec)

    def _repr_html_(self) -> str:
        return (
            f"<p><b>{html.escape(self.title)}</b></p><details><summary>equations, parameters,"
            f" connections</summary><pre>{html.escape(str(self))}</pre></details>"
        )


def as_model(model: Model | str | os.PathLike[str]) -> Model:
    """A model, or the one of a catalogue name or path.

    Raises
    ------
    ModelError
        For anything else.
    """
    return model if isinstance(model, Model) else Model.of(model)


def load(name_or_path: str | os.PathLike[str], settings: Mapping[str, Any] | None = None) -> Model:
    """Load a model by its name in the catalogue or the path of its file.

    Parameters
    ----------
    name_or_path : str or path
        A name such as ``"noise_induced_memory"``, or a path such as ``"mine.toml"``.
    settings : mapping, optional
        Settings on top, as `Model.with_settings` takes them.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the file cannot be read. The message names the file and the line, and says what is wrong and what
        would be right.
    """
    made = Model.of(name_or_path, settings)
    made.spec  # noqa: B018 - refuses what cannot be read
    return made
