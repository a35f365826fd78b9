"""What a process of a population is made of, and what it is then made into."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from neuroglia_snn import spec
from neuroglia_snn.backends.lava import alone as alones
from neuroglia_snn.backends.lava.alone import Alone
from neuroglia_snn.backends.lava.integers import in_fixed_point
from neuroglia_snn.backends.lava.ports import cut
from neuroglia_snn.backends.lava.running import Running
from neuroglia_snn.errors import UserError
from neuroglia_snn.fixedpoint.formats import Format
from neuroglia_snn.fixedpoint.program import FixedProgram
from neuroglia_snn.program.prescribed import Prescribed


@dataclass(eq=False)
class Recipe:
    """A population, and how it is wanted; what is made of it is made once, and not saved.

    Attributes
    ----------
    source : the model, or a group of Brian2
    population : its name; "" of a group
    units : what 1 at an input is worth, by input, where a user says it
    ranges : of its variables, where a user says them
    namespace : in which names of a group's equations are found
    """

    source: Any
    population: str
    shape: tuple[int, ...] | None
    dt: float | None
    seed: int
    units: Mapping[str, float]
    ranges: Mapping[str, Prescribed]
    namespace: Mapping[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def alone(self) -> Alone:
        """The population by itself."""
        if isinstance(self.source, spec.Model):
            found = cut(self.source, self.population, self.shape, self.dt)
            made = alones.of_model(found, self.seed)
        else:
            made = alones.of_group(self.source, self.namespace, self.seed)
        return replace(made, ranges={**made.ranges, **self.ranges})

    @functools.cached_property
    def fixed(self) -> FixedProgram:
        """The same in integers."""
        return in_fixed_point(self.alone, self.units)

    @functools.cached_property
    def formats(self) -> dict[str, Format]:
        """Format of every variable, and of every port that sends values."""
        alone, formats = self.alone, self.fixed.formats
        arrays = {**alone.states, **alone.values}
        return {name: formats[array] for name, array in arrays.items() if array in formats}

    def running(self, fixed: bool) -> Running:
        """The population at the beginning of a run."""
        return Running(self.alone, self.units, self.fixed if fixed else None)

    def __getstate__(self) -> dict[str, Any]:
        if not isinstance(self.source, spec.Model):
            raise UserError(
                f"'{self.source.name}' cannot be saved: it is a group of a script; a model file can"
            )
        made = {"alone", "fixed", "formats"}
        return {name: value for name, value in self.__dict__.items() if name not in made}
