"""How much of a GPU's memory a kernel takes: what ``kernel.cu.jinja`` allocates, added up."""

from __future__ import annotations

from dataclasses import dataclass

from neuroglia_snn.errors import BackendError

#: Pairs (step, unit) that a list of events has room for, if all units of a step do not take more.
EVENTS = 1 << 22
#: Units of a tile with those around it (``Halo`` in device.hpp), and bytes that a block may share.
HALO = 10 * 34
SHARED = 48 * 1024

BYTES = {"double": 8, "float": 4, "int32_t": 4, "char": 1}


@dataclass(frozen=True)
class Memory:
    """Bytes of a kernel's arrays: once, for each network, and lists of events of so many units."""

    once: int
    network: int
    listed: tuple[int, ...]

    def of(self, networks: int) -> int:
        """Bytes that all arrays of so many networks take."""
        pairs = 0
        for size in self.listed:
            units = networks * size
            pairs += units * max(EVENTS // units, 1)
        return self.once + networks * self.network + 16 * pairs


def memory(populations, couplings, records, shared: int) -> Memory:
    """Of a kernel with these parts, and so many numbers that the units of a network share."""
    network, once = 8 * shared, 8  # of where steps are counted from
    for p in populations:
        for a in p.arrays:
            copies = 2 if a.changes and a.name in p.exchanged_names else 1
            network += copies * BYTES[a.type] * p.size
        once += 8 + (8 if p.events else 0)
    for k in couplings:
        once += (4 * k.slots + 8) * k.target.size
    network += sum(8 * k.kept for k in records)
    return Memory(once, network, tuple(p.size for p in populations if p.events))


def require_tile(population) -> None:
    """Refuse a lattice whose tiles a GPU's block cannot share.

    Raises
    ------
    BackendError
    """
    if not population.predicted:
        return
    values = [BYTES[x.type] for x in population.predicted]
    values += [BYTES[population.real]] if population.noise else []
    needed = HALO * sum(values)
    if needed > SHARED:
        precise = population.real == "double"
        raise BackendError(
            f"the lattice of population '{population.name}' has {len(population.predicted)} state"
            f" variables, of which a tile takes {needed >> 10} KiB in a GPU's shared memory,"
            f" {SHARED >> 10} at most"
            + (": use --precision float32" if precise and needed <= 2 * SHARED else "")
        )
