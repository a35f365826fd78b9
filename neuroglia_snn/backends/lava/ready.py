"""Populations of the catalogue's models as processes of their own, for networks that a Lava user builds."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from neuroglia_snn import equations as eqs
from neuroglia_snn import spec
from neuroglia_snn.backends.lava import arguments
from neuroglia_snn.backends.lava.population import Plan, PopulationProcess, model_class
from neuroglia_snn.catalog.load import load
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.checks import load_checked
from neuroglia_snn.errors import UserError
from neuroglia_snn.expressions import parse
from neuroglia_snn.fixedpoint import recorded
from neuroglia_snn.fixedpoint.formats import STATE_BITS, Format
from neuroglia_snn.fixedpoint.integers import Integers
from neuroglia_snn.fixedpoint.quantise import FixedProgram
from neuroglia_snn.lowering import lower
from neuroglia_snn.lowering.arithmetic import Builder
from neuroglia_snn.lowering.execute import Floats, PopulationRun
from neuroglia_snn.lowering.messages import with_messages
from neuroglia_snn.lowering.operations import (
    Block,
    Coupling,
    Linear,
    Population,
    Program,
    Sum,
)
from neuroglia_snn.noise import MAX_SEED

MODEL = "noise_induced_memory"
#: Extent of an astrocyte's footprint on the neurons' lattice, and distance to the next.
_SIZE, _STEP = 4, 3


class CataloguePopulation(PopulationProcess):
    """A population of `noise_induced_memory` on its own; see `FHN` and `LiRinzel`."""

    population: str

    def __init__(
        self,
        *,
        shape: tuple[int, int],
        seed: int = 0,
        dt: str | None = None,
        units: Mapping[str, float] | None = None,
        name: str | None = None,
        **parameters: float | str,
    ) -> None:
        settings: dict[str, object] = dict(parameters)
        if dt is not None:
            if isinstance(dt, (int, float)):
                raise UserError(f"dt is a time with its unit, such as '{dt:g} ms', not {dt!r}")
            key = "model.dt" if self.population == "neuron" else f"population.{self.population}.dt"
            settings[key] = dt
        seed = arguments.whole("seed", seed, 0, MAX_SEED)
        sides = arguments.lattice(shape)
        model, _ = load_checked(MODEL, settings | _shapes(self.population, sides))
        self._alone = _Alone(model, self.population, seed, arguments.units(units or {}))
        plan = self._alone.plan(False)
        super().__init__(plan=plan, plan_of=self._alone.plan, name=name)

    @property
    def formats(self) -> dict[str, Format]:
        """Format of every variable and input in the fixed-point model."""
        found = self._alone.fixed.formats[self.population]
        return {name: found[name] for name in self._alone.plan(False).population.initial}


def _shapes(population: str, shape: tuple[int, int]) -> dict[str, str]:
    """Shapes of both lattices, of which one is given."""
    if population == "neuron":
        if min(shape) < _SIZE:
            raise UserError(f"the lattice must be at least {_SIZE} x {_SIZE}, not {shape}")
        glia = [(n - _SIZE) // _STEP + 1 for n in shape]
        neurons = list(shape)
    else:
        neurons = [_STEP * (n - 1) + _SIZE for n in shape]
        glia = list(shape)
    return {
        "population.neuron.shape": str(neurons),
        "population.astrocyte.shape": str(glia),
    }


@dataclass
class _Alone:
    """One population of a model, its inputs and outputs as ports."""

    model: spec.Model
    name: str
    seed: int
    units: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = self.program.populations[self.name].inputs
        for name in self.units:
            if name not in known:
                raise UserError(
                    f"units: there is no input '{name}'{nearest(name, known)}"
                    f" (there are {', '.join(known)})"
                )

    @functools.cached_property
    def _lowered(self) -> Program:
        images = {n: np.ones(s, bool) for n, s in self.model.images().items()}
        return with_messages(lower(self.model, images))

    @functools.cached_property
    def program(self) -> Program:
        """The model with messages, and one more coupling for each output of the population."""
        program = self._lowered
        population = _with_ports(program.populations[self.name])
        program = replace(program, populations={**program.populations, self.name: population})
        outputs = {f"s_{x}": Block((Linear("term_", Sum(((x, 1.0),))),)) for x in population.state}
        outputs["s_out"] = self._firing(population)
        for coupling in program.couplings.values():
            if coupling.source == self.name != coupling.target:
                outputs[f"s_{coupling.variable}"] = coupling.give
        added = {port: self._output(population, port, block) for port, block in outputs.items()}
        return replace(program, couplings={**program.couplings, **added})

    def _firing(self, population: Population) -> Block:
        own = self.model.populations[self.name]
        constants = {n: p.value.si for n, p in self.model.parameters.items()}
        names = {n: n for n in eqs.parse(own.equations)} | {"t": "t"}
        builder = Builder(constants, {}, names)
        builder.value(builder.condition(parse(str(own.threshold)).body), "term_")
        return Block(tuple(builder.operations))

    def _output(self, population: Population, port: str, block: Block) -> Coupling:
        none = np.zeros(1, int)
        return Coupling(
            name=port,
            source=self.name,
            target=self.name,
            variable=f"of_{port}",
            period=1,
            dt=self.program_dt,
            give=block,
            term="term_",
            source_size=population.size,
            sources=none,
            targets=none,
            weights=np.ones(1, np.int64),
        )

    @property
    def program_dt(self) -> float:
        """Step of the fastest population."""
        return min(p.dt for p in self.model.populations.values())

    @functools.cached_property
    def fixed(self) -> FixedProgram:
        """The same in integers."""
        return recorded.formats(self.model, self.program, self.seed, {self.name: self._arriving()})

    def _arriving(self) -> dict[str, Format]:
        """Formats of inputs that are counted in units of their own; stimuli in units of the model."""
        stimulated = {s.variable: 1.0 for s in self._lowered.populations[self.name].stimulated}
        return {n: Format(STATE_BITS, 0, u) for n, u in {**stimulated, **self.units}.items()}

    def plan(self, fixed: bool) -> Plan:
        """What the process does: one step of the population in each Lava step."""
        program = self.fixed.program if fixed else self.program
        population = program.populations[self.name]
        arithmetic = Integers if fixed else Floats

        def make() -> PopulationRun:
            return PopulationRun(population, arithmetic(population, self.seed), program.dt)

        inputs = {v: f"a_{v}" for v in population.inputs}
        pattern = program.couplings["s_out"]
        return Plan(
            population=population,
            make=make,
            block=population.period,
            steps=program.steps,
            receives={port: replace(pattern, variable=v) for v, port in inputs.items()},
            sends={n: c for n, c in program.couplings.items() if n.startswith("s_")},
            pooled=False,
            limits=self._limits() if fixed else {},
        )

    def _limits(self) -> dict[str, tuple[int, int]]:
        return {f"a_{n}": (-f.limit - 1, f.limit) for n, f in self._arriving().items()}


def _with_ports(population: Population) -> Population:
    """Stimuli become inputs, the same at both ends of a step."""
    names = [s.variable for s in population.stimulated]
    later = tuple(Linear(f"{n}_later_", Sum(((n, 1.0),))) for n in names)
    correct = replace(population.correct, operations=(*later, *population.correct.operations))
    zeros = {n: np.zeros(population.size) for n in names}
    return replace(
        population,
        correct=correct,
        stimulated=(),
        inputs=(*population.inputs, *names),
        initial={**population.initial, **zeros},
    )


def models_of(process: type[CataloguePopulation], name: str, module: str) -> tuple[type, type]:
    """Floating-point and fixed-point process models of such a population."""
    smallest = (_SIZE, _SIZE) if process.population == "neuron" else (1, 1)
    plan = _Alone(load(MODEL, _shapes(process.population, smallest)), process.population, 0).plan(
        False
    )
    return (
        model_class(process, plan, False, f"Py{name}Float", module),
        model_class(process, plan, True, f"Py{name}Fixed", module),
    )
