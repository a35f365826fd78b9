"""A trained classifier as a program of plain operations: pixels - units - classes, floats or integers.

The units' equations are the model file's, with I = alpha*tanh(W u) among them. The weights are the
network's; in integers they are even numbers of 8 bits and a sign (Loihi's synapses), pixels the grey
values 0 to 255, what the units send 16 bits, so that a sum over synapses fits its 32.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Progress
from neuroglia_snn.backends.lava.presented import Presented, present
from neuroglia_snn.experiments.classifier.setup import Setup
from neuroglia_snn.fixedpoint import recorded
from neuroglia_snn.fixedpoint.quantise import FixedProgram, quantise
from neuroglia_snn.lowering import lower
from neuroglia_snn.lowering.arithmetic import Builder
from neuroglia_snn.lowering.execute import PopulationRun
from neuroglia_snn.lowering.model import SCHEMES
from neuroglia_snn.lowering.operations import Block, Coupling, Linear, Population, Program, Sum

PIXELS, CLASSES, IN, OUT = "pixels", "classes", "w_in", "w_out"
#: Variables of pixels, units (W u) and classes.
GREY, WEIGHTED, SCORE = "grey", "weighted_input", "score"
#: tanh is 1 beyond, to 1e-4: the range of its table.
SATURATED = 5.0
#: Largest integer weight (even, of mixed sign), and bits of what a unit sends.
LARGEST_WEIGHT, MESSAGE_BITS = 254, 16


@dataclass(frozen=True)
class Lowered:
    """A classifier's program, the same in integers, and when its images are shown and looked at."""

    program: Program
    fixed: FixedProgram
    units: str
    shown: Presented

    def chosen(self, integers: bool) -> Program:
        """The program in floating point or in integers."""
        return self.fixed.program if integers else self.program

    def on_lava(
        self, images: np.ndarray, integers: bool, progress: Progress | None = None
    ) -> tuple[np.ndarray, int]:
        """Show images (n, pixels), grey values 0 to 255, on Lava; see `backends.lava.presented`."""
        names = (IN, self.units, OUT)
        return present(self.chosen(integers), names, images, self.shown, integers, progress)


def lowered(asked: Setup, w_in: np.ndarray, w_out: np.ndarray, sigmoid: bool) -> Lowered:
    """Lower a trained classifier.

    Parameters
    ----------
    asked : of the model file
    w_in, w_out : (units, pixels), (classes, units)
    sigmoid : whether W_out reads the sigmoid of a unit's output (networks trained with the units
        inside) or the output itself

    Raises
    ------
    BackendError
        Where the units' equations have no lowering.
    """
    transient, between = asked.protocol.steps(asked.system.dt)
    block = int(np.gcd(transient, between))
    interval = (transient + between * asked.protocol.samples) // block
    alone = lower(_with_tanh(asked, len(w_in), interval * block), {})
    units = alone.populations[asked.system.population.name]
    seen = replace(units, initial={**units.initial, WEIGHTED: _spread(len(w_in))})
    found = recorded.record(replace(alone, populations={units.name: seen}), 0)[units.name]
    state = {
        units.name: found | {WEIGHTED: (-SATURATED, SATURATED)},
        PIXELS: {GREY: (0.0, 255.0)},
        CLASSES: {},
    }
    given = f"1/(1 + exp(-{asked.protocol.output}))" if sigmoid else asked.protocol.output
    make = _Maker(alone, units, block, given)
    fixed = quantise(make.program(*_whole(w_in, 255), *_whole(w_out)), state, {PIXELS: {GREY: 9}})
    program = make.program(w_in / 255, 1, w_out, 1)
    every, first = between // block, transient // block
    return Lowered(program, fixed, units.name, Presented(block, interval, first, every))


def counts(run: PopulationRun, made: Lowered, program: Program, image: np.ndarray) -> np.ndarray:
    """How often each class has the largest score while one image is shown: what Lava must give.

    Parameters
    ----------
    run : of the units of ``program``
    image : (pixels,), grey values
    """
    into, out = program.couplings[IN], program.couplings[OUT]
    found, shown = np.zeros(program.populations[CLASSES].size, int), made.shown
    run.reset()
    run.take(WEIGHTED, into.pooled(image.astype(run.arithmetic.dtype), run.population.size))
    for n in range(shown.interval):
        run.advance_many(n * shown.block, shown.block)
        sample = n + 1 - shown.first
        if sample > 0 and sample % shown.every == 0:
            found[np.argmax(out.pooled(run.give(out, 0), found.size))] += 1
    return found


def _with_tanh(asked: Setup, size: int, steps: int) -> spec.Model:
    """The units alone; their input is a function of W u, their scheme one that has a lowering."""
    model, population = asked.system.model, asked.system.population
    name, amplitude = asked.protocol.input, model.experiment["amplitude"]
    equations = re.sub(
        rf"(?m)^\s*{name}\s*:([^(#\n]*).*$",
        rf"{name} = ({amplitude})*tanh({WEIGHTED}) :\1\n{WEIGHTED} : 1",
        population.equations,
    )
    units = replace(
        population,
        shape=(size,),
        equations=equations,
        threshold=population.threshold if population.reset else None,
        refractory=population.refractory if population.reset else None,
        integrator=population.integrator if population.integrator in SCHEMES else "heun",
    )
    return replace(
        model,
        populations={units.name: units},
        projections={},
        stimuli={},
        records={},
        duration=steps * units.dt,
    )


def _spread(size: int) -> np.ndarray:
    """Inputs all over their range, for the recorded run."""
    return np.linspace(-SATURATED, SATURATED, size)


def _whole(weights: np.ndarray, unit: float = 1.0) -> tuple[np.ndarray, float]:
    """Even whole weights, and what divides them; ``unit`` is what the sources count."""
    scale = LARGEST_WEIGHT / np.abs(weights).max()
    return 2 * np.rint(weights * scale / 2).astype(np.int64), scale * unit


@dataclass(frozen=True)
class _Maker:
    alone: Program
    units: Population
    block: int
    given: str

    def program(self, w_in, below_in: float, w_out, below_out: float) -> Program:
        """Pixels, units and classes, with these weights."""
        grey = Block((Linear("term_", Sum(((GREY, 1.0),))),))
        builder = Builder({}, {}, {n: n for n in self.units.state})
        builder.value(builder.sum(self.given), "term_")
        output = Block(tuple(builder.operations))
        populations = (
            self._passive(PIXELS, GREY, w_in.shape[1], ()),
            replace(self.units, inputs=(WEIGHTED,)),
            self._passive(CLASSES, SCORE, len(w_out), (SCORE,)),
        )
        couplings = (
            self._dense(IN, PIXELS, self.units.name, WEIGHTED, grey, w_in, below_in),
            replace(
                self._dense(OUT, self.units.name, CLASSES, SCORE, output, w_out, below_out),
                bits=MESSAGE_BITS,
            ),
        )
        return replace(
            self.alone,
            populations={p.name: p for p in populations},
            couplings={c.name: c for c in couplings},
        )

    def _passive(self, name: str, variable: str, size: int, inputs: tuple[str, ...]) -> Population:
        """A population that only holds values."""
        return replace(
            self.units,
            name=name,
            shape=(size,),
            state=(),
            initial={variable: np.zeros(size)},
            predict=Block(),
            correct=Block(),
            fire=Block(),
            noise=None,
            inputs=inputs,
            event=None,
        )

    def _dense(
        self,
        name: str,
        source: str,
        target: str,
        variable: str,
        give: Block,
        weights: np.ndarray,
        below: float,
    ) -> Coupling:
        targets, sources = np.indices(weights.shape).reshape(2, -1)
        return Coupling(
            name=name,
            source=source,
            target=target,
            variable=variable,
            period=self.block,
            dt=self.block * self.units.dt,
            give=give,
            term="term_",
            source_size=weights.shape[1],
            sources=sources,
            targets=targets,
            weights=weights.ravel(),
            denominator=below,
        )
