"""Synapses that a unit of a third population takes part in, such as an astrocyte in tripartite synapses.

The rules are those of NEST's ``TripartiteConnect`` with ``third_factor_bernoulli_with_pool`` (Jiang et al. 2025,
doi:10.1371/journal.pcbi.1013503): every target has a pool of units of the third population, and each of its
synapses is paired, with one probability, with one of these.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Pairing:
    """Synapses that are paired, and with which unit of the third population.

    Attributes
    ----------
    synapses, thirds : array of int
        Number of the synapse, ascending, and of the unit; one element for each pairing.
    """

    synapses: np.ndarray
    thirds: np.ndarray


def paired(
    targets: np.ndarray,
    sizes: tuple[int, int],
    connect: Mapping[str, Any],
    seed: int,
    name: str,
) -> Pairing:
    """Draw the pairing of synapses with the units of a third population.

    Parameters
    ----------
    targets : array of int
        Target unit of each synapse.
    sizes : (int, int)
        Units among which these targets are, and of the third population.
    connect : mapping
        Of rule ``third-in``: ``p``, ``pool_size`` and ``block``.
    seed, name : int, str
        Of the run and of the projection; both decide what is drawn.
    """
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    chosen = np.flatnonzero(random.random(len(targets)) < connect["p"]).astype(np.int32)
    pool_size, owners = connect["pool_size"], np.asarray(targets)[chosen]
    slots = random.integers(pool_size, size=len(chosen), dtype=np.int32)
    if connect["block"]:
        sharing = max(1, sizes[0] // sizes[1])  # targets of one unit, where pools are of one
        return Pairing(chosen, owners // sharing * pool_size + slots)
    pools = np.empty((sizes[0], pool_size), np.int32)
    for pool in pools:
        pool[:] = random.choice(sizes[1], pool_size, replace=False)
    return Pairing(chosen, pools[owners, slots])


def output(pairing: Pairing, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Third unit, target and number of pairings of every two units that share any.

    ``targets`` holds the target unit of each synapse; connections are by third unit, then by target.
    """
    size = int(targets.max(initial=0)) + 1
    places = pairing.thirds.astype(np.int64) * size + targets[pairing.synapses]
    places, multiplicity = np.unique(places, return_counts=True)
    return places // size, places % size, multiplicity
