"""What the experiments of neurons with glia have in common: the same neurons alone."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from neuroglia_snn.errors import UserError
from neuroglia_snn.experiments import Experiment, Option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuroglia_snn import spec
    from neuroglia_snn.results import Result

#: Of a subclass; the table's key ``glia`` names the population.
NO_ASTROCYTES = Option("no_astrocytes", bool, "neurons alone, as by --without for the model's glia")


def require_left(model: spec.Model, key: str, left: Mapping[str, Any]) -> None:
    """What is left of a model holds what its experiment is about.

    Raises
    ------
    UserError
    """
    if model.experiment[key] not in left:
        raise UserError(f"the experiment of '{model.name}' needs {key} '{model.experiment[key]}'")


def figures_of(module: str, *names: str) -> dict[str, Callable[[Result], Figure | None]]:
    """Functions of a module that draw a result, by name; it is imported when one is drawn."""

    return {name: _Later(module, name) for name in names}


class _Later:
    """A function that is imported when it is called, or when its documentation is asked for."""

    def __init__(self, module: str, name: str):
        self._module, self._name = module, name

    def __call__(self, result: Result) -> Figure | None:
        return self._function(result)

    @property
    def _function(self) -> Callable[[Result], Figure | None]:
        return getattr(importlib.import_module(self._module), self._name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self._function.__doc__


class Glial(Experiment):
    """An experiment on a ``population`` with ``glia``; without them it is its own control."""

    def adapted(self, model: spec.Model, own: Mapping[str, Any]) -> spec.Model:
        """Without the glia, where that is asked for."""
        require_left(model, "population", model.populations)
        glia = str(model.experiment["glia"])
        gone = own.get("no_astrocytes") and glia in model.populations
        return model.without(glia) if gone else model

    def control(self, model: spec.Model) -> spec.Model | None:
        """The model without its glia."""
        glia = str(model.experiment["glia"])
        return model.without(glia) if glia in model.populations else None
