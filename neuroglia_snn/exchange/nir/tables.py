"""The tables of a model file that is made of a NIR graph, and the arrays of its data file."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from neuroglia_snn.catalog.toml import Inline
from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.exchange.nir.maps import Flat
from neuroglia_snn.exchange.reading import Imported
from neuroglia_snn.language.names import LONGEST, refusal


class Tables:
    """The tables, with the graph that they are made of.

    Attributes
    ----------
    flat : the graph
    dt : the step in seconds
    names : populations and records by their nodes
    silent : inputs that are nothing in a model file
    """

    def __init__(self, flat: Flat, data: str, dt: float) -> None:
        self.flat, self.data, self.dt = flat, data, dt
        self.made = Imported()
        self.tables: dict[str, dict[str, Any]] = {
            **{"model": {}, "parameters": {}, "table": {}},
            **{"population": {}, "projection": {}, "stimulus": {}, "record": {}},
        }
        self.names: dict[str, str] = {}
        self.silent: set[str] = set()

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self.tables[key]

    def name(self, node: str) -> None:
        """Give a node a name that no other one has: its own, with its class before a number."""
        kind = type(self.flat.nodes[node]).__name__.lower()
        base = word(node) or f"{kind}_{'_'.join(_parts(node))}"[:40].rstrip("_")
        self.names[node] = free(base, self.names.values())

    def units(self, name: str) -> int:
        """Number of units of a node."""
        return int(np.prod(self.flat.shape(name)))

    def size(self, name: str) -> dict[str, Any]:
        """The size or the shape of a population."""
        shape = self.flat.shape(name)
        lattice = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
        return {"shape": [*lattice]} if len(lattice) in (2, 3) else {"size": self.units(name)}

    def parameter(self, name: str, value: str) -> str:
        """A parameter; gives the name that it has."""
        name = free(name, self["parameters"])
        self["parameters"][name] = value
        return name

    def array(self, key: str, values: np.ndarray) -> Inline:
        """A reference to an array of the data file."""
        self.made.arrays[key] = np.asarray(values)
        return Inline(file=self.data, array=key)

    def value(self, key: str, numbers: np.ndarray) -> Any:
        """Initial values: one number, or an array."""
        return repr(float(numbers[0])) if np.ptp(numbers) == 0 else self.array(key, numbers)

    def merge(self, name: str, text: str) -> None:
        """Take over tables of a model file that a node or the graph holds."""
        try:
            tables = tomllib.loads(str(text))
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"what '{shown(name)}' holds is no model file ({error})") from None
        for key, table in tables.items():
            if key not in self.tables or not isinstance(table, dict):
                raise UserError(f"'{shown(name)}' holds '{shown(key)}', which no graph has")
            self.tables[key] |= table

    def finish(self) -> None:
        """Put populations and projections in the order of the nodes, without parameters that nothing reads."""
        labels = [self.names.get(name, name) for name in self.flat.nodes]
        for key in ("population", "projection"):
            known = [label for label in labels if label in self[key]]
            self.tables[key] = {one: self[key][one] for one in dict.fromkeys([*known, *self[key]])}
        rest = [table for key, table in self.tables.items() if key != "parameters"]
        read = {*re.findall(r"\w+", str([rest, [*self["parameters"].values()]]))}
        self.tables["parameters"] = {n: v for n, v in self["parameters"].items() if n in read}


def free(name: str, taken: Any) -> str:
    """A name, or one beside it that is not taken."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _parts(name: str) -> list[str]:
    return re.findall("[A-Za-z0-9]+", name)


def word(name: str) -> str:
    """The name of a node as a model file may have it; nothing if it may have none like it."""
    found = "_".join(_parts(name))[:LONGEST].rstrip("_")
    return found if refusal(found) is None else ""
