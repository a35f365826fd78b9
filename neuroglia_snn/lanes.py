"""Order of a population's units in the lanes of vectors.

Processors compute `LANES` numbers at once. Lane by lane they would be neighbours in the lattice,
and a neighbour's value would lie across two vectors. So each lane has a rectangle of its own
instead: the lattice is cut into blocks of rows and strips of columns, one rectangle a lane, and a
vector holds the same unit of all rectangles. Units beside each other are then in the same lane of
vectors beside each other. Every other block is upside down, as a folded sheet of paper: what is
beyond its first or last row is then in that row of the block beside it.

The noise is numbered in this order, whatever the backend, and the fused loop keeps its units in it.
So the order is part of every published result, and no more to be tuned than the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

LANES = 16
#: Most vectors of a row that has several blocks.
LONGEST = 32
#: Units of a row of a population that is no lattice: short enough that threads share its rows.
ROW = 64


@dataclass(frozen=True)
class Lanes:
    """A lattice of ``rows`` x ``cols`` units in rectangles of ``height`` x ``width``.

    ``blocks`` x ``strips`` of them, one a lane; ``blocks`` divides ``rows``, and the last strips may have
    fewer columns, or none.
    """

    rows: int
    cols: int
    blocks: int

    @property
    def strips(self) -> int:
        return LANES // self.blocks

    @property
    def height(self) -> int:
        return self.rows // self.blocks

    @property
    def width(self) -> int:
        return -(-self.cols // self.strips)

    @property
    def count(self) -> int:
        """Number of places, some of which may have no unit."""
        return self.height * self.width * LANES

    def place(self, unit: np.ndarray) -> np.ndarray:
        """Place of each unit: number of its vector times `LANES`, plus its lane."""
        row, column = np.divmod(unit, self.cols)
        block, row = np.divmod(row, self.height)
        row = np.where(block % 2, self.height - 1 - row, row)
        vector = row * self.width + column % self.width
        return vector * LANES + block * self.strips + column // self.width


def of(shape: tuple[int, ...]) -> Lanes:
    """Lanes of a population of this shape: those that need the fewest vectors.

    Two more rows and a vector more in each row count as well: copies of what is beyond the edges.
    Rows that are long already are not made longer: a few of them should stay in the first-level
    cache.
    """
    if len(shape) == 1:
        return Lanes(-(-shape[0] // ROW), min(shape[0], ROW), 1)
    *planes, cols = shape  # planes of a lattice of three dimensions stand one below the other
    rows = prod(planes)
    ways = [Lanes(rows, cols, blocks) for blocks in (1, 2, 4) if rows % blocks == 0]
    ways = [way for way in ways if way.blocks == 1 or way.width <= LONGEST]
    return min(ways, key=lambda way: (way.height + 2) * (way.width + 1))


def places(shape: tuple[int, ...]) -> np.ndarray:
    """Places of all units of a population of this shape."""
    return of(shape).place(np.arange(np.prod(shape)))
