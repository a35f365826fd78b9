"""A trained classifier as a network of its own, pixels - units - classes, to which images are shown.

The units' equations are the model file's, with I = alpha*tanh(W u) among them; they begin every image from
their initial state. In fixed point the weights are integers of 8 bits and a sign (Loihi's synapses), pixels
the grey values 0 to 255, and what a unit sends has 16 bits, so that a sum over synapses fits its 32.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from brian2.units.fundamentalunits import DIMENSIONLESS

from neuroglia_snn import spec
from neuroglia_snn.backends.base import Outcome
from neuroglia_snn.errors import BackendError
from neuroglia_snn.language import algebra
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.names import made
from neuroglia_snn.language.quantities import unit_name
from neuroglia_snn.papers.fhn_classifier.setup import Setup

#: Populations beside the model's, and their variables.
PIXELS, GREY = made("pixels"), "grey"
CLASSES, SCORE = made("classes"), "score"
#: What a unit receives, W u, and what it sends.
WEIGHTED, SENT = made("weighted"), made("sent")
#: The connections and their weights; the images; the record of the scores.
IN, OUT, WEIGHT = made("in"), made("out"), "w"
IMAGES, SCORES = made("images"), made("scores")
#: tanh is 1 beyond, to 1e-4: the range of its table.
SATURATED = 5.0
#: Bits, with their signs, of a weight, of a grey value, and of what a unit sends.
WEIGHT_BITS, GREY_BITS, SENT_BITS = 9, 9, 16


@dataclass(frozen=True)
class Presented:
    """A network with the images that it is shown.

    Attributes
    ----------
    model : the network, for any backend
    block : time steps between two looks at the units
    interval : looks at them while an image is shown
    samples : those after which the scores count, by their number within an image, from 1
    """

    model: spec.Model
    block: int
    interval: int
    samples: Sequence[int]

    def winners(self, outcome: Outcome) -> np.ndarray:
        """Class with the largest score at every sample time, (images, samples)."""
        scores = outcome.records[SCORES].values[SCORE]
        images = len(self.model.tables[IMAGES].values)
        starts = self.interval * np.arange(images)[:, None] + 1  # a score is recorded a look later
        return scores[starts + np.array(self.samples)].argmax(2)


def presented(asked: Setup, w_in: np.ndarray, w_out: np.ndarray, images: np.ndarray) -> Presented:
    """A classifier that was trained with the model's units inside, and is shown images.

    Parameters
    ----------
    asked : of the model file
    w_in, w_out : weights, (units, pixels), (classes, units)
    images : grey values from 0 to 255, (images, pixels)

    Raises
    ------
    BackendError
        Where the units read the time.
    """
    transient, between = asked.protocol.steps(asked.system.dt)
    block = int(np.gcd(transient, between))
    interval = (transient + between * asked.protocol.samples) // block
    look = block * asked.system.dt
    model, units = asked.system.model, _units(asked, look, interval * look)
    shown = spec.Table(spec.Values(images.astype(float), "images"), DIMENSIONLESS, interval * look)
    pixels = replace(
        _passive(units, PIXELS, GREY, images.shape[1], interval * look),
        regularly=(spec.Regularly(f"{GREY} = {IMAGES}(t, i)", interval * look),),
        ranges={GREY: spec.Range(0, 255, GREY_BITS)},
    )
    classes = _passive(units, CLASSES, SCORE, len(w_out), look)
    populations = (pixels, units, classes)
    projections = (
        _dense(IN, (pixels, GREY), (units, WEIGHTED), w_in / 255, interval * look),
        _dense(OUT, (units, SENT), (classes, SCORE), w_out, look),
    )
    return Presented(
        replace(
            model,
            duration=(len(images) * interval + 2) * look,
            tables={**model.tables, IMAGES: shown},
            populations={p.name: p for p in populations},
            projections={p.name: p for p in projections},
            stimuli={},
            records={SCORES: spec.Record(SCORES, CLASSES, (SCORE,), look)},
        ),
        block,
        interval,
        [(transient + between * n) // block for n in range(1, asked.protocol.samples + 1)],
    )


def stated(name: str) -> str:
    """A population's or a variable's name for the summary."""
    return name.removeprefix(made("")).removesuffix("_")


def _units(asked: Setup, look: float, interval: float) -> spec.Population:
    """The model's units: their input a function of W u, and all as in the beginning at every image."""
    system, population = asked.system, asked.system.population
    if "t" in {name for text in eqs.texts(population) for name in algebra.names(text)}:
        raise BackendError(
            f"population '{population.name}' of '{system.model.name}' reads the time t, which goes on from"
            " image to image; let a variable of its own count the time"
        )
    own = eqs.parse(population.equations)
    name, output, unit = asked.protocol.input, asked.protocol.output, own[asked.protocol.output]
    amplitude = system.model.experiment["amplitude"]
    equations = re.sub(
        rf"(?m)^\s*{name}\s*:([^(#\n]*).*$",
        rf"{name} = ({amplitude})*tanh({WEIGHTED}) :\1\n{WEIGHTED} : 1\n{SENT} : 1",
        population.equations,
    )
    first = {n: made("first", n) for n in system.variables}
    kept = (f"{first[n]} : {own[n].unit} (constant)" for n in first)
    if not unit.dimensions.is_dimensionless:
        output = f"{output}/{unit_name(unit.dimensions)}"
    given = {n: v for n, v in population.initial.items() if n != name}
    return replace(
        population,
        equations="\n".join([equations, *kept]),
        threshold=population.threshold if population.reset else None,
        refractory=population.refractory if population.reset else None,
        initial=given | {first[n]: v for n, v in given.items() if n in first},
        regularly=(
            spec.Regularly(f"{SENT} = 1/(1 + exp(-{output}))", look),
            spec.Regularly("\n".join(f"{n} = {first[n]}" for n in first), interval),
        ),
        ranges={
            **population.ranges,
            WEIGHTED: spec.Range(-SATURATED, SATURATED),
            SENT: spec.Range(0, 1, SENT_BITS),
        },
    )


def _passive(
    units: spec.Population, name: str, variable: str, size: int, dt: float
) -> spec.Population:
    """A population that only holds values."""
    return replace(
        units,
        name=name,
        shape=(size,),
        equations=f"{variable} : 1",
        threshold=None,
        reset=None,
        refractory=None,
        dt=dt,
        initial={},
        regularly=(),
        ranges={},
    )


def _dense(
    name: str,
    source: tuple[spec.Population, str],
    target: tuple[spec.Population, str],
    weights: np.ndarray,
    dt: float,
) -> spec.Projection:
    """All to all, weights (target unit, source unit); the targets' variable is the weighted sum."""
    (one, given), (other, filled) = source, target
    largest = float(np.abs(weights).max())
    return spec.Projection(
        name=name,
        source=spec.Endpoint(one.name),
        target=spec.Endpoint(other.name),
        equations=f"{WEIGHT} : 1 (constant)\n{filled}_post = {WEIGHT}*{given}_pre : 1 (summed)",
        on_pre={},
        on_post={},
        on_event={},
        delay={},
        connect={"rule": "all"},
        integrator="",
        dt=dt,
        initial={WEIGHT: spec.Values(weights.T.ravel(), "weights")},
        ranges={WEIGHT: spec.Range(-largest, largest, WEIGHT_BITS)},
    )
