"""A program in which every coupling crosses a connection, as on neuromorphic hardware."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuroglia_snn import geometry
from neuroglia_snn.lowering.operations import (
    Block,
    Coupling,
    Linear,
    Population,
    Program,
    Stencil,
    Sum,
    by_name,
)


def with_messages(program: Program) -> Program:
    """Stencils become couplings: the whole Laplacian, own state included, through one connection.

    What a unit receives is then held over both stages of its step. Run it with ``buffered``: messages
    arrive one step after they are sent.
    """
    populations, couplings = {}, [*program.couplings.values()]
    for name, population in program.populations.items():
        populations[name], found = _externalised(population)
        couplings += found
    return replace(program, populations=populations, couplings=by_name(couplings))


def _externalised(population: Population) -> tuple[Population, list[Coupling]]:
    found: list[Coupling] = []
    blocks, first = {}, {}
    for label in ("predict", "correct"):
        block = getattr(population, label)
        operations = []
        for operation in block.operations:
            if not isinstance(operation, Stencil):
                operations.append(operation)
            elif label == "predict":
                found.append(_coupling(population, operation))
                first[operation.out] = operation.out
            else:
                held = operation.out.removesuffix("_predicted")
                operations.append(Linear(operation.out, Sum(((held, 1.0),))))
        blocks[label] = Block(tuple(operations), block.assign)
    initial = {**population.initial, **{n: np.zeros(population.size) for n in first}}
    inputs = (*population.inputs, *first)
    made = replace(
        population,
        predict=blocks["predict"],
        correct=blocks["correct"],
        initial=initial,
        inputs=inputs,
    )
    return made, found


def _coupling(population: Population, stencil: Stencil) -> Coupling:
    index = geometry.lattice_neighbours(stencil.shape)
    slot, unit = np.nonzero(index >= 0)
    own = np.arange(population.size)
    # even: of weights of both signs, Lava's (and Loihi's) integer synapses drop the lowest bit
    even = 1 if not ((stencil.pre | stencil.post) & 1).any() else 2
    return Coupling(
        name=f"{population.name}_{stencil.out}",
        source=population.name,
        target=population.name,
        variable=stencil.out,
        period=population.period,
        dt=population.dt,
        give=Block((Linear("term_", Sum(((stencil.x, 1.0),))),)),
        term="term_",
        source_size=population.size,
        sources=np.concatenate([index[slot, unit], own]),
        targets=np.concatenate([unit, own]),
        weights=even * np.concatenate([stencil.pre[unit], stencil.post]),
        denominator=even * stencil.denominator,
    )
