"""Projections as the linear nodes of NIR: a matrix or a convolution, with delays before or behind it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import nir
import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.backends.brian.network import Network, pairs
from neuroglia_snn.errors import shown
from neuroglia_snn.exchange.nir.neurons import Neuron, Unsayable, targets, values
from neuroglia_snn.language import algebra, couplings, expressions
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.names import made

#: Numbers of a matrix; more are refused.
MAX_NUMBERS = 2**26


@dataclass
class Wiring:
    """The synapses of a projection: units of source and target, weights of NIR's, delays in seconds."""

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    delay: np.ndarray


def wiring(
    model: spec.Model, network: Network, projection: spec.Projection, neurons: Mapping[str, Neuron]
) -> Wiring:
    """What a projection between populations is in NIR.

    ``neurons`` are the populations that are NIR's neurons, by name.

    Raises
    ------
    Unsayable
    """
    target = neurons[projection.target.name]
    _require_fixed(projection)
    found = _Synapses(model, network, projection)
    summed = couplings.sums(model, projection)
    if len(summed) + len(projection.on_pre) != 1:
        raise Unsayable("has several pathways or sums, and a linear node of NIR is one")
    if summed:
        variable, weight = summed[0].variable, found.factor(summed[0], neurons)
        scale = target.sums.get(variable)
    else:
        if not _fires(model, projection.source.name, neurons):
            raise Unsayable(
                f"waits for spikes of '{projection.source.name}', which has none in NIR"
            )
        variable, weight = found.added()
        scale = target.events.get(variable)
    if scale is None:
        raise Unsayable(f"adds to '{variable}', which is no input of NIR's {target.kind}")
    delay = np.zeros(len(found.i)) if summed else found.delays()
    return Wiring(found.i, found.j, weight * scale[found.j], delay)


def _fires(model: spec.Model, name: str, neurons: Mapping[str, Neuron]) -> bool:
    return model.populations[name].fires and (
        name not in neurons or "v_threshold" in neurons[name].arrays
    )


def _require_fixed(projection: spec.Projection) -> None:
    """Refuse synapses that change, or that do something at other times than a spike's."""
    own = eqs.parse(projection.equations)
    moving = next((e for e in own.values() if e.kind == "differential"), None)
    if moving:
        raise Unsayable(f"has d{moving.name}/dt, and NIR's weights do not change")
    if projection.on_post:
        raise Unsayable("acts on spikes of its target, and NIR's weights do not")
    if any(event != "spike" for event in projection.on_event.values()):
        raise Unsayable("waits for events of another kind than spikes, which alone NIR has")


class _Synapses:
    """The synapses of a projection, as a run makes them."""

    def __init__(self, model: spec.Model, network: Network, projection: spec.Projection) -> None:
        self.model, self.network, self.projection = model, network, projection
        self.own = eqs.parse(projection.equations)
        self.group = network.groups.get(projection.name)
        if self.group is None:
            i, j = pairs(model, projection)
        else:
            i, j = (np.asarray(v[:], int) for v in (self.group.i, self.group.j))
        self.i = i + (projection.source.start or 0)
        self.j = j + (projection.target.start or 0)

    @functools.cached_property
    def known(self) -> dict[str, object]:
        """Everything that is a number for each synapse throughout a run."""
        known: dict[str, object] = {}
        projection = self.projection
        for side, endpoint, index in (
            ("pre", projection.source, self.i),
            ("post", projection.target, self.j),
        ):
            population = self.model.populations[endpoint.name]
            there = values(self.model, self.network, population)
            for name, value in there.items():
                one = np.asarray(value)
                known[f"{name}_{side}"] = one[index] if one.ndim and len(one) > 1 else one
        counts = np.bincount(self.j, minlength=1), np.bincount(self.i, minlength=1)
        known |= {"N_incoming": counts[0][self.j], "N_outgoing": counts[1][self.i]}
        known |= {"i": self.i, "j": self.j, "dt": self.projection.dt}
        known |= {n: p.value.si for n, p in self.model.parameters.items()}
        changing = targets(projection.on_pre.values())
        for name, equation in self.own.items():
            stands = equation.settable and "summed" not in equation.flags
            if stands and name not in changing and self.group is not None:
                known[name] = np.asarray(self.group.variables[name].get_value())
        return known

    def numbers(self, text: str) -> np.ndarray:
        """The value of a text for each synapse."""
        definitions = {
            n: e.expression or "0"
            for n, e in self.own.items()
            if e.kind == "subexpression" and "summed" not in e.flags
        }
        for _ in definitions:
            text = algebra.substituted(text, definitions)
        found = expressions.of_arrays(text, self.known)
        if found is None:
            raise Unsayable(f"adds '{shown(text)}', which is no constant weight, as NIR's are")
        return np.broadcast_to(np.asarray(found, float), self.i.shape)

    def added(self) -> tuple[str, np.ndarray]:
        """The variable that a spike adds to, and how much."""
        ((_, code),) = self.projection.on_pre.items()
        match [*expressions.statements(code)]:
            case [(name, "+=" | "-=" as sign, text)] if name not in self.own:
                weight = self.numbers(text)
                return name.removesuffix("_post"), weight if sign == "+=" else -weight
        raise Unsayable(
            f"has the pathway '{shown(code)}', and a weight of NIR's is added to one input"
        )

    def factor(self, one: couplings.Sum, neurons: Mapping[str, Neuron]) -> np.ndarray:
        """What stands before the source's variable in a sum."""
        name = self.projection.source.name
        source = neurons.get(name)
        if source is None or "v_threshold" in source.arrays:
            raise Unsayable(
                f"sums a variable of '{name}', whose output in NIR is not that variable"
            )
        read = f"{source.output}_pre"
        try:
            parts = algebra.linear(one.text, {read})
        except algebra.NotLinear:
            raise Unsayable(f"{one} is not linear in {read}") from None
        if self.numbers(parts.rest).any():
            raise Unsayable(f"{one} is no weighted sum of {read}, which NIR's are")
        return self.numbers(parts.factors.get(read, "0"))

    def delays(self) -> np.ndarray:
        """The delay of each synapse, in seconds."""
        (name,) = self.projection.on_pre
        delay = np.asarray(getattr(self.group, made("pathway", name)).delay[:], float)
        return np.broadcast_to(delay if delay.size else 0.0, self.i.shape)


def matrix(wires: Wiring, rows: int, columns: int) -> np.ndarray:
    """The weights as a matrix, (target, source)."""
    if rows * columns > MAX_NUMBERS:
        raise Unsayable(
            f"would be a matrix of {rows} x {columns} numbers, and more than {MAX_NUMBERS} are not written"
        )
    weights = np.zeros((rows, columns))
    np.add.at(weights, (wires.target, wires.source), wires.weight)
    return weights


def kernel(wires: Wiring, source: spec.Population, target: spec.Population) -> np.ndarray | None:
    """The weights as a kernel over a lattice with edges of zeros; None if they are not that."""
    shape = target.shape
    if len(shape) != 2 or source.shape != shape or not len(wires.source):
        return None
    place = [np.stack(np.unravel_index(index, shape)) for index in (wires.source, wires.target)]
    steps = place[0] - place[1]
    found, which, counts = np.unique(steps, axis=1, return_inverse=True, return_counts=True)
    which = which.ravel()
    weight = np.zeros(found.shape[1])
    weight[which] = wires.weight
    whole = np.prod(np.array(shape)[:, None] - np.abs(found), axis=0)
    alike = np.allclose(weight[which], wires.weight, rtol=1e-12, atol=0)  # distances are rounded
    if not alike or (counts != whole).any():
        return None
    reach = np.abs(found).max(axis=1)
    made_of = np.zeros(2 * reach + 1)
    made_of[tuple(found + reach[:, None])] = weight
    return made_of


def convolution(weights: np.ndarray, shape: tuple[int, ...], bias: float = 0.0) -> nir.Conv2d:
    """The node of a kernel over a lattice."""
    reach = tuple(int(n) // 2 for n in weights.shape)
    return nir.Conv2d(
        input_shape=shape,
        weight=weights[None, None],
        stride=(1, 1),
        padding=reach,
        dilation=(1, 1),
        groups=1,
        bias=np.array([bias]),
    )


def sides(wires: Wiring, rows: int, columns: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Delays of the sources and of the targets, whichever all synapses follow; None where there are none.

    Raises
    ------
    Unsayable
        For delays that follow neither.
    """
    if not wires.delay.any():
        return None, None
    for index, size, before in ((wires.source, columns, True), (wires.target, rows, False)):
        delay = np.full(size, wires.delay[0] if np.ptp(wires.delay) == 0 else 0.0)
        delay[index] = wires.delay
        if (delay[index] == wires.delay).all():
            return (delay, None) if before else (None, delay)
    raise Unsayable("has a delay for each synapse, and NIR's are those of a source or of a target")
