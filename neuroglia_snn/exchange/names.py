"""Names in a script: the model's own, unless they mean something to Python, Brian2 or the script."""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
import re
from itertools import permutations

import brian2

from neuroglia_snn import spec
from neuroglia_snn.errors import UserError
from neuroglia_snn.exchange import schemes, text
from neuroglia_snn.exchange.plain import free
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.quantities import UNITS

#: What a script calls by name: no parameter may stand in the place of any of these.
_CALLED = {
    *["NeuronGroup", "Synapses", "StateMonitor", "SpikeMonitor", "EventMonitor", "TimedArray"],
    *["SpikeGeneratorGroup", "linked_var"],
    *[
        "run",
        "seed",
        "set_device",
        "defaultclock",
        "prefs",
        "cuda",
        "brian2",
        "brian2cuda",
        "np",
        "Path",
        "data",
        "updater",
    ],
    *schemes.DEFINED,
    *schemes.NEEDED,
}
#: How Brian2 begins the names of objects that are given none.
_STEMS = ("statemonitor", "spikemonitor", "eventmonitor", "clock", "defaultclock", "magicnetwork")


class Names:
    """Python's and Brian2's names of a model's populations, projections and records.

    Raises
    ------
    UserError
        For a parameter or table that has a name which the script needs.
    """

    def __init__(self, model: spec.Model):
        for kind, named in (("parameter", model.parameters), ("table", model.tables)):
            for name in sorted(_CALLED & named.keys()):
                raise UserError(
                    f"{kind} '{name}': a Brian2 script needs this name for something else;"
                    " give it another one"
                )
        variables = {n for p in model.populations.values() for n in eqs.parse(p.equations)}
        variables |= {n for p in model.projections.values() for n in eqs.parse(p.equations)}
        self._used = {*_CALLED, *model.parameters, *model.tables, *dir(builtins), *_units(model)}
        self.groups = {n: self._pick(n, "group") for n in model.populations}
        self.groups |= {n: self._pick(n, "synapses") for n in model.projections}
        self.monitors = {n: self._pick(n, "monitor") for n in model.records}
        self._used |= variables
        means = [n for n, r in model.records.items() if r.reduce]
        self.means = {
            n: (free(f"{n}_mean", self._used), free(f"{n}_sum", self._used)) for n in means
        }
        #: Arrays of the script: units by their places on a lattice, and those under each footprint.
        self.site, self.under = free("site", self._used), free("under", self._used)
        self.sides = free("one_side", self._used), free("other_side", self._used)
        #: Of each third factor: the synapses that are paired, and the units that they are paired with.
        thirds = [n for n, p in model.projections.items() if p.rule == "third-in"]
        self.paired = {
            n: (free(f"{n}_synapses", self._used), free(f"{n}_units", self._used)) for n in thirds
        }
        self.random = free("random", self._used)
        self._end = _end([*model.populations, *model.projections, *sum(self.means.values(), ())])

    def _pick(self, name: str, kind: str) -> str:
        return free(f"{name}_{kind}" if name in self._used else name, self._used)

    def label(self, name: str) -> str:
        """Brian2's name of a population or projection, or of one that a script has beside them."""
        return name + self._end


def _end(names: list[str]) -> str:
    """What to add to Brian2's names of objects, so that none begins the name of another one's part.

    Brian2 calls the parts of ``cell`` ``cell_stateupdater`` and the like, and takes what is due at one time in
    the order of these names. No name of a model file ends in an underscore.
    """
    apart = not any(b.startswith(f"{a}_") for a, b in permutations(names, 2))
    return "" if apart and not any(n.startswith(_STEMS) for n in names) else "_"


def _units(model: spec.Model) -> set[str]:
    """Units that the script may name: those of times, of the model's texts and of its tables."""
    owners: list[spec.Population | spec.Projection] = [*model.populations.values()]
    owners += model.projections.values()
    texts = [code for owner in owners for code in (owner.equations, *eqs.texts(owner))]
    texts += [p.text for p in model.parameters.values()]
    amounts = [p.value for p in model.parameters.values()]
    dimensions = [a.dimensions for a in amounts] + [t.dimensions for t in model.tables.values()]
    texts += [text.base_unit(one) for one in dimensions]
    words = {word for t in texts for word in re.findall(r"[A-Za-z]\w*", t)}
    return {"second", "ms", "us", "nsecond"} | (words & UNITS.keys())


@functools.lru_cache(maxsize=1)
def _attributes() -> frozenset[str]:
    """Attributes of Brian2's groups and synapses, of which none is set like a variable."""
    classes = {*brian2.NeuronGroup.__mro__, *brian2.Synapses.__mro__}
    methods = [m for c in classes for m in vars(c).values() if inspect.isfunction(m)]
    steps = [step for m in methods for step in dis.get_instructions(m)]
    found = {step.argval for step in steps if step.opname == "STORE_ATTR"}
    return frozenset(found.union(*map(dir, classes)) - {"pre", "post"})


def variable(group: str, name: str) -> str:
    """The values of a variable, to assign to."""
    return f"{group}.state({name!r})[:]" if name in _attributes() else f"{group}.{name}"


def pathway(name: str) -> str:
    """Brian2's name of a pathway, which is an attribute of the synapses."""
    return f"{name}_" if name in _attributes() else name
