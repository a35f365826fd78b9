"""NIR's neurons as populations, and what reaches them as projections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import nir
import numpy as np

from neuroglia_snn.catalog.toml import Inline
from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.exchange.nir.maps import Term
from neuroglia_snn.exchange.nir.nodes import NeurogliaPopulation
from neuroglia_snn.exchange.nir.tables import Tables, free, word
from neuroglia_snn.exchange.reading import time

_LEAKY = "(v_leak - v + r*{I})/tau"
_CURRENT = "(v_leak - v + r*I)/tau_mem"
_CUBA = ("tau_mem", "tau_syn", "r", "v_leak", "w_in")
_RESET = ("v_threshold", "v_reset")
#: The arrays of a node in their order, and the rate of v; ``{I}`` is the input.
_NODES: dict[type, tuple[tuple[str, ...], str]] = {
    nir.LIF: (("tau", "r", "v_leak", *_RESET), _LEAKY),
    nir.LI: (("tau", "r", "v_leak"), _LEAKY),
    nir.IF: (("r", *_RESET), "r*{I}"),
    nir.I: (("r",), "r*{I}"),
    nir.CubaLIF: ((*_CUBA, *_RESET), _CURRENT),
    nir.CubaLI: (_CUBA, _CURRENT),
    nir.Threshold: (("threshold",), ""),
}


class Cell:
    """A population as it is made.

    Attributes
    ----------
    values : the numbers of its node, for each unit
    texts : what equations read them by
    """

    def __init__(self, tables: Tables, name: str) -> None:
        self.tables, self.name, self.label = tables, name, tables.names[name]
        self.node = tables.flat.nodes[name]
        self.equations: list[str] = []
        self.initial: dict[str, Any] = {}
        self.keys: dict[str, Any] = {}
        self.values: dict[str, np.ndarray] = {}
        self.texts: dict[str, str] = {}

    @property
    def has_current(self) -> bool:
        """Whether its spikes add to a synaptic current."""
        return isinstance(self.node, (nir.CubaLIF, nir.CubaLI))

    @property
    def jumps(self) -> bool:
        """Whether its spikes add to the membrane at once."""
        return _metadata(self.node).get("spikes_add_to") == "v" and not self.has_current

    def state(self, name: str, numbers: np.ndarray, unit: str) -> str:
        """A number for each unit: a parameter if it is the same for all; gives the name that it has."""
        if np.ptp(numbers) == 0:
            number = float(numbers[0])
            text = repr(number) if unit == "1" else f"{number!r} {unit}"
            return self.tables.parameter(f"{self.label}_{name}", text)
        self.equations.append(f"{name} : {unit} (constant)")
        self.initial[name] = self.tables.array(f"{self.label}.{name}", numbers.astype(float))
        return name

    def close(self, lines: list[str], size: Mapping[str, Any]) -> None:
        """Add the population to the tables."""
        table = {**size, "equations": _lines([*lines, *self.equations]), **self.keys}
        if self.initial:
            table["initial"] = self.initial
        self.tables["population"][self.label] = table


def neuron(tables: Tables, name: str) -> None:
    """Add a neuron, and what reaches it."""
    cell = Cell(tables, name)
    words, rate = _NODES[type(cell.node)]
    for one in words:
        cell.values[one] = _numbers(tables, name, one)
        cell.texts[one] = cell.state(one, cell.values[one], _unit(one, rate))
    arrives = wire(cell)
    if "v_threshold" in words:
        cell.keys["threshold"] = f"v > {cell.texts['v_threshold']}"
        cell.keys["reset"] = f"v = {cell.texts['v_reset']}"
    elif isinstance(cell.node, nir.Threshold):
        cell.keys["threshold"] = f"x > {cell.texts['threshold']}"
    lines = _dynamics(cell, rate, arrives) if rate else [f"x = {arrives} : 1"]
    metadata = _metadata(cell.node)
    there = {e.split()[0] for e in cell.equations} | ({"I"} if cell.has_current else set())
    for key in ("v", "I", "arriving"):
        if f"initial_{key}" in metadata and key in {"v", *there}:
            numbers = np.ravel(metadata[f"initial_{key}"])
            cell.initial[key] = tables.value(f"{cell.label}.{key}", numbers)
    if "integrator" in metadata:
        cell.keys["integrator"] = str(metadata["integrator"])
    cell.close(lines, tables.size(name))


def _metadata(node: nir.NIRNode | None) -> Mapping[str, Any]:
    return getattr(node, "metadata", None) or {}


def _numbers(tables: Tables, name: str, one: str) -> np.ndarray:
    """An array of a node, with a number for each unit."""
    numbers, size = np.asarray(getattr(tables.flat.nodes[name], one)), tables.units(name)
    if numbers.size not in (1, size):
        raise UserError(
            f"node '{shown(name)}': '{one}' has {numbers.size} numbers for {size} units"
        )
    return np.broadcast_to(numbers.ravel(), (size,))


def _unit(name: str, rate: str) -> str:
    """The unit of a node's number."""
    if name.startswith("tau"):
        return "second"
    return "Hz" if name == "r" and "tau" not in rate else "1"


def _dynamics(cell: Cell, rate: str, arrives: str) -> list[str]:
    """The equations of a neuron whose input is ``arrives``."""
    total = f"({arrives})" if " + " in arrives else arrives
    if not arrives:
        rate = rate.replace(" + r*{I}", "").replace("r*{I}", "0*Hz")
    lines = [f"dv/dt = {_spelled(rate.replace('{I}', total), cell.texts)} : 1"]
    if cell.has_current:
        rate = f"(w_in*{total} - I)/tau_syn" if arrives else "-I/tau_syn"
        lines.append(f"dI/dt = {_spelled(rate, cell.texts)} : 1")
    return lines


def _spelled(text: str, texts: Mapping[str, str]) -> str:
    """A text in which each word is the name that it has in the file."""
    return re.sub(r"\w+", lambda found: texts.get(found[0], found[0]), text)


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines) if len(lines) > 1 else lines[0]


# ---------------------------------------------------------------------------------------- connections


def wire(cell: Cell) -> str:
    """Add the projections to a population; gives the input that its equations read."""
    tables, found = cell.tables, cell.tables.flat.arriving(cell.name)
    if cell.texts and len(found.bias) != tables.units(cell.name):
        raise UserError(
            f"node '{shown(cell.name)}' has {tables.units(cell.name)} units and is reached by"
            f" {len(found.bias)} channels"
        )
    parts: list[str] = []
    spiking: dict[tuple[str, str], list[Term]] = {}
    for term in found.terms:
        if term.source in tables.silent or not term.weights.any():
            continue
        if fires(tables, term.source):
            spiking.setdefault((term.source, term.through), []).append(term)
        else:
            parts.append(_sum(cell, term))
    for terms in spiking.values():
        _spikes(cell, terms)
    bias = cell.state("bias", found.bias, "1") if found.bias.any() else ""
    if cell.has_current or cell.jumps:
        return " + ".join([*parts, *([bias] if bias else [])])
    if not (spiking or bias or not parts):
        return " + ".join(parts)
    cell.equations.append("I : 1")
    if spiking or bias:
        cell.equations.append("arriving : 1")
        code = f"I = arriving\narriving = {bias or 0}\n"
        cell.keys["regularly"] = [Inline(code=code, dt=time(tables.dt))]
    return " + ".join(["I", *parts])


def fires(tables: Tables, name: str) -> bool:
    """Whether what a node puts out are spikes."""
    node = tables.flat.nodes[name]
    if isinstance(node, (nir.Input, NeurogliaPopulation)):
        return bool(
            {"rates", "spikes", "threshold"} & tables["population"][tables.names[name]].keys()
        )
    return hasattr(node, "v_threshold") or isinstance(node, nir.Threshold)


def output(tables: Tables, name: str) -> str:
    """The variable that is what a node puts out, where that are no spikes."""
    return "x" if isinstance(tables.flat.nodes[name], nir.Input) else "v"


def _projection(cell: Cell, terms: list[Term]) -> tuple[str, dict[str, Any]]:
    """Add a projection of terms that differ in their delays alone, with its weights."""
    tables, source = cell.tables, cell.tables.names[terms[0].source]
    base = word(terms[0].through) or f"{source}_to_{cell.label}"[:50].rstrip("_")
    name = free(base, tables["projection"])
    found = [term.entries() for term in terms]
    j, i, weights = (np.concatenate([one[part] for one in found]) for part in range(3))
    table: dict[str, Any] = {"from": source, "to": cell.label}
    rows, columns = terms[0].rows, tables.units(terms[0].source)
    same = np.ptp(weights) == 0 and len(terms) == 1
    if same and rows == columns == len(i) and (i == j).all():
        table["connect"] = Inline(rule="one-to-one")
    elif same and len(i) == rows * columns:
        table["connect"] = Inline(rule="all")
    else:
        ends = {"i": f"{name}.i", "j": f"{name}.j"}
        tables.made.arrays |= {ends["i"]: i, ends["j"]: j}
        table["connect"] = Inline(rule="pairs", file=tables.data, **ends)
    if len(terms) > 1:
        late = np.repeat([t.delay for t in terms], [len(one[0]) for one in found])
        table["delay"] = Inline(pre=tables.array(f"{name}.delay", late))
    elif terms[0].delay:
        table["delay"] = Inline(pre=time(terms[0].delay))
    table["initial"] = {"w": tables.value(f"{name}.w", weights)}
    tables["projection"][name] = table
    return name, table


def _spikes(cell: Cell, terms: list[Term]) -> None:
    """Add synapses whose spikes add to a variable."""
    variable, factor = _pathway(cell)
    _, table = _projection(cell, terms)
    table |= {"equations": "w : 1 (constant)", "on_pre": f"{variable}_post += {factor}w"}


def _pathway(cell: Cell) -> tuple[str, str]:
    """The variable that a spike adds to, and what its weight is multiplied with."""
    if not cell.has_current and not cell.jumps:
        return "arriving", ""
    variable, gain, tau = ("I", "w_in", "tau_syn") if cell.has_current else ("v", "r", "tau")
    step = cell.values[gain] * cell.tables.dt / cell.values.get(tau, 1)
    rounding = 4 * float(np.finfo(np.result_type(cell.values[gain], np.float32)).eps)
    if (np.abs(step - 1) <= rounding).all():
        return variable, ""
    words = {name: text if text != name else f"{text}_post" for name, text in cell.texts.items()}
    return variable, f"{words[gain]}*dt{f'/{words[tau]}' if tau in words else ''}*"


def _sum(cell: Cell, term: Term) -> str:
    """Add synapses whose source puts out numbers; gives the variable that is their sum."""
    tables = cell.tables
    if term.delay:
        raise UserError(
            f"what node '{shown(term.source)}' puts out is no spikes, and a model file delays spikes alone"
        )
    name, table = _projection(cell, [term])
    variable = f"from_{name}"
    read = output(tables, term.source)
    table["equations"] = f"w : 1 (constant)\n{variable}_post = w*{read}_pre : 1 (summed)\n"
    cell.equations.append(f"{variable} : 1")
    return variable
