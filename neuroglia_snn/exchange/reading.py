"""What a Brian2 network is read with: names, code, schemes and values in the words of a model file."""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass, field
from typing import Any

import brian2
import numpy as np
from brian2.core.functions import Function
from brian2.core.variables import Constant, Subexpression
from brian2.groups.subgroup import Subgroup
from brian2.input.timedarray import TimedArray
from brian2.units.fundamentalunits import Dimension, Unit
from brian2.utils.stringtools import get_identifiers, word_substitute

from neuroglia_snn.backends.brian.network import brian_name
from neuroglia_snn.catalog.toml import Inline
from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.exchange import methods, text
from neuroglia_snn.exchange.capture import Captured, Given
from neuroglia_snn.language import expressions, names
from neuroglia_snn.language.quantities import UNITS, parse_quantity

#: Units that a number is written in, if it is short in one of them.
_USUAL = (
    *("ms", "second", "us", "mV", "volt", "nA", "pA", "uA", "amp", "nS", "uS", "msiemens"),
    *("siemens", "pF", "nF", "uF", "farad", "Mohm", "Gohm", "ohm", "Hz", "kHz", "um", "mm", "cm"),
    *("meter", "mM", "uM", "nM"),
)


#: Groups that only give spikes.
INPUTS = (brian2.PoissonGroup, brian2.SpikeGeneratorGroup)


@dataclass
class Imported:
    """Tables and arrays, with the names in them by Brian2's.

    ``problems`` are sentences on what a model file cannot say, ``notes`` on what differs.
    """

    tables: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    seed: int | None = None


class Reader:
    """A network at its run, and what has been found of it so far."""

    def __init__(self, captured: Captured, data: str) -> None:
        self.captured, self.data = captured, data
        self.made = Imported(seed=captured.log.seed)
        self.places = {name: place for place, name in enumerate(captured.namespace)}
        found = [o for o in captured.namespace.values() if isinstance(o, brian2.BrianObject)]
        order = {one.name: place for place, one in reversed([*enumerate(found)])}
        self.objects = sorted(  # as the script made them, as far as is known
            captured.network.objects, key=lambda one: (order.get(one.name, len(found)), one.name)
        )
        self.groups = [one for one in self.objects if type(one) is brian2.NeuronGroup]
        self.inputs = [one for one in self.objects if type(one) in INPUTS]
        self.synapses = [one for one in self.objects if type(one) is brian2.Synapses]
        self.parameters: dict[str, tuple[float, Dimension]] = {}
        self.timed: dict[str, TimedArray] = {}
        self.shapes: dict[str, list[int]] = {}
        self.noises: set[str] = set()
        self.variables = {
            variable
            for group in (*self.groups, *self.synapses)
            for variable in group.variables
            if not variable.startswith("_")
        }
        self.names = self.made.names

    def refuse(self, name: str, what: str, instead: str = "") -> None:
        """Note what of an object cannot be said."""
        hint = f"; {instead}" if instead else ""
        self.made.problems.append(f"{name}: a model file cannot say {what}{hint}")

    def note(self, name: str, what: str) -> None:
        """Say what differs from the script."""
        self.made.notes.append(f"record '{name}' {what}")

    def code(self, group: Any, code: str, external: dict[str, Any] | None = None) -> str:
        """Code of a group with the model's names for what it has from outside.

        ``external`` is what its names meant, if that was not at the run.
        """
        code = "\n".join(line.strip() for line in str(code).strip().split("\n") if line.strip())
        if external is None:
            external = {}
            for name in sorted(get_identifiers(code) - set(group.variables)):
                with contextlib.suppress(KeyError):  # a local variable of the statements, or noise
                    external |= group.resolve_all(
                        {name}, self.captured.namespace, user_identifiers=set()
                    )
        changed = {}
        for name, one in external.items():
            new = self._external(group, name, one)
            if new != name:
                changed[name] = new
        return word_substitute(code, changed) if changed else code

    def _external(self, group: Any, name: str, one: Any) -> str:
        """The model's name for what a name of the script is."""
        if isinstance(one, TimedArray):
            return self._kept(self.timed, name, one)
        if isinstance(one, Function):
            if expressions.FUNCTIONS.get(name) is not one:
                self.refuse(f"'{group.name}'", f"the function '{name}' of the script")
            return name
        if not isinstance(one, Constant):
            return name
        value, dimensions = one.get_value(), one.dim
        if isinstance(value, (bool, np.bool_)):
            return str(bool(value))
        unit = UNITS.get(name)
        if isinstance(unit, Unit) and float(unit) == float(value) and unit.dim is dimensions:
            return name
        if name in expressions.CONSTANTS and expressions.CONSTANTS[name] == float(value):
            return name
        if not math.isfinite(value):
            self.refuse(f"'{group.name}'", f"the constant '{name}', which is not finite")
            return name
        return self._kept(self.parameters, name, (float(value), dimensions))

    def _kept(self, kept: dict[str, Any], name: str, value: Any) -> str:
        """The name of a parameter or table of this value."""
        stem, number = name, 2
        taken = self.variables | UNITS.keys() | expressions.CONSTANTS.keys()
        other = self.timed if kept is self.parameters else self.parameters
        while (
            name in taken or name in other or names.refusal(name) or kept.get(name, value) != value
        ):
            name = f"{plain(stem)}_{number}"
            number += 1
        kept[name] = value
        return name

    def table(self, name: str, one: TimedArray) -> dict[str, Any]:
        """The table of a function of time."""
        if one.values.ndim > 1:
            key = f"table.{name}"
            self.made.arrays[key] = one.values
            table = {"file": self.data, "array": key, "dt": time(float(one.dt))}
            return table | {"unit": text.base_unit(one.dim)}
        bare = one.dim.is_dimensionless
        values = [float(v) if bare else amount(float(v), one.dim) for v in one.values]
        return {"values": values, "dt": time(float(one.dt))}

    def equations(self, group: Any, found: Any, without: set[str]) -> str:
        """Equations, one a line."""
        lines = []
        for one in found:
            if one.varname in without:
                continue
            left = f"d{one.varname}/dt" if one.type == "differential equation" else one.varname
            right = f" = {self.code(group, ' '.join(one.expr.code.split()))}" if one.expr else ""
            kind = one.var_type
            unit = text.base_unit(one.dim) if kind == "float" else kind
            flags = f" ({', '.join(one.flags)})" if one.flags else ""
            lines.append(f"{left}{right} : {unit}{flags}")
        return "\n".join(lines)

    def linked(self, group: Any, found: Any) -> dict[str, Any]:
        """The variables of other groups, or of the group itself, that it reads."""
        result: dict[str, Any] = {}
        for one in found:
            if "linked" not in one.flags:
                continue
            source = group.variables[one.varname]
            index = group.variables.indices[one.varname]
            owner = next((g for g in self.groups if g.name == source.owner.name), None)
            label, what = f"'{group.name}'", f"the linked variable '{one.varname}'"
            if isinstance(source, Subexpression) or owner is None or source.scalar:
                self.refuse(label, what, "link to a variable of a group with own values")
                continue
            if self._turns_round(group, owner):
                self.refuse(
                    label,
                    f"{what} in this order of '{owner.name}' and '{group.name}', which move in that of"
                    " their names",
                    "give the groups names, as NeuronGroup(..., name='a')",
                )
                continue
            result[one.varname] = f"{self.names[owner.name]}.{source.name}"
            if index not in ("_idx", "0"):
                key = f"linked.{self.names[group.name]}.{one.varname}"
                self.made.arrays[key] = np.asarray(group.variables[index].get_value(), np.int64)
                where = Inline(file=self.data, array=key)
                result[one.varname] = Inline(variable=result[one.varname], index=where)
        return result

    def _turns_round(self, group: Any, other: Any) -> bool:
        """Whether two groups move in another order under their names in the model file."""

        def first(name: str, second: str) -> bool:
            return f"{name}_stateupdater" < f"{second}_stateupdater"

        ours = [brian_name(self.names[one.name]) for one in (group, other)]
        return first(group.name, other.name) != first(*ours)

    def scheme(self, group: Any, equations: Any) -> methods.Scheme | None:
        """The scheme that integrates equations of a group; None if there are none, or no scheme of ours."""
        if equations is None or not equations.diff_eq_names:
            return None
        wanted = get_identifiers(" ".join(e.code for _, e in equations.eq_expressions)) | {"dt"}
        known = {n for n in wanted if n in group.variables}
        variables = {n: group.variables[n] for n in (*known, *equations.names)}
        for name in wanted - known:
            with contextlib.suppress(KeyError):  # of noise
                variables |= group.resolve_all(
                    {name}, self.captured.namespace, user_identifiers=set()
                )
        scheme, problem = methods.scheme(group.state_updater.method_choice, equations, variables)
        if scheme is None:
            self.refuse(f"'{group.name}'", problem)
            return None
        if group.state_updater.method_options:
            self.refuse(f"'{group.name}'", "options of a method")
        if scheme.noise and equations.stochastic_variables:
            self.noises.add(scheme.noise)
        return scheme

    def initial(self, group: Any, equations: list[Any]) -> dict[str, Any]:
        """Initial values: expressions, numbers, or arrays; what random numbers they draw in its order."""
        initial = {}
        turns = {variable: n for n, variable in enumerate(self.captured.log.given)}
        for one in sorted(equations, key=lambda e: turns.get(group.variables[e.varname], -1)):
            variable = group.variables[one.varname]
            if "linked" in one.flags or "summed" in one.flags:
                continue
            value = self.value(group, variable, one, f"{self.names[group.name]}.{one.varname}")
            if value is not None:
                initial[one.varname] = value
        return initial

    def value(self, group: Any, variable: Any, one: Any, key: str) -> Any:
        """The value of a variable at the run; None where it is 0."""
        values = np.asarray(variable.get_value()).ravel()
        given = self.captured.log.given.get(variable)
        if given is not None and _stands(given, values):
            return self.code(group, given.text, given.external)
        if not len(values) or not values.any():
            return None
        if (values == values[0]).all():
            if one is not None and one.var_type != "float":
                return str(bool(values[0])) if one.var_type == "boolean" else str(int(values[0]))
            return amount(float(values[0]), variable.dim)
        self.made.arrays[key] = values
        return Inline(file=self.data, array=key)


def owner_of(side: Any) -> Any:
    """The group that a side of synapses, or what a monitor records, is or is a part of."""
    return side.source if isinstance(side, Subgroup) else side


def _stands(given: Given, values: np.ndarray) -> bool:
    """Whether an expression still says what a variable is, and what it reads."""
    return np.array_equal(np.asarray(given.values).ravel(), values) and unchanged(given.read)


def unchanged(read: dict[Any, np.ndarray]) -> bool:
    """Whether variables still have the values with which a text was worked out."""
    return all(np.array_equal(v.get_value(), before) for v, before in read.items())


def plain(name: str) -> str:
    """A name of Brian2's as a model file may have it."""
    parts = re.findall("[A-Za-z0-9]+", name[:40])
    return "_".join(parts).lstrip("0123456789_") or "x"


def time(seconds: float) -> str:
    """A time as a model file has it."""
    return text.time(seconds).replace("*", " ")


def amount(si: float, dimensions: Dimension) -> str:
    """A number with its unit, which gives the same number again."""
    if dimensions.is_dimensionless:
        return repr(si)
    for unit in _USUAL:
        if UNITS[unit].dim is dimensions:
            number = float(f"{si / float(UNITS[unit]):.12g}")
            written = f"{number:.12g} {unit}"
            if (0.1 <= abs(number) < 1000 or not number) and parse_quantity(written).si == si:
                return written
    return f"{si!r} {text.base_unit(dimensions)}"


def require_said(made: Imported) -> None:
    """Refuse a network of which something cannot be said.

    Raises
    ------
    UserError
        With a line for each thing.
    """
    if made.problems:
        raise UserError("\n".join(shown(problem, 400) for problem in made.problems))
