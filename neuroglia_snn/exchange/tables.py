"""A Brian2 network as the tables of a model file, and the arrays of a data file beside it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import brian2
import numpy as np
from brian2.core.functions import Function
from brian2.core.variables import Constant
from brian2.groups.group import CodeRunner
from brian2.groups.neurongroup import Resetter, StateUpdater, SubexpressionUpdater, Thresholder
from brian2.groups.subgroup import Subgroup
from brian2.input.timedarray import TimedArray
from brian2.synapses.synapses import (
    StateUpdater as SynapticStateUpdater,
)
from brian2.synapses.synapses import (
    SummedVariableUpdater,
    SynapticPathway,
)
from brian2.units.allunits import second
from brian2.units.fundamentalunits import Dimension, Unit
from brian2.utils.stringtools import get_identifiers, word_substitute

from neuroglia_snn import expressions, names
from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.exchange import methods, text, wiring
from neuroglia_snn.exchange.capture import Captured, Given
from neuroglia_snn.exchange.toml import Inline
from neuroglia_snn.quantities import UNITS, parse_quantity

#: Units that a number is written in, if it is short in one of them.
_USUAL = (
    *("ms", "second", "us", "mV", "volt", "nA", "pA", "uA", "amp", "nS", "uS", "msiemens"),
    *("siemens", "pF", "nF", "uF", "farad", "Mohm", "Gohm", "ohm", "Hz", "kHz", "um", "mm", "cm"),
    *("meter", "mM", "uM", "nM"),
)
#: Pairs that stand in the model file itself.
MAX_PAIRS = 50


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


def imported(captured: Captured, title: str, description: str, data: str) -> Imported:
    """The network as tables, with arrays for the data file of the name ``data``.

    Parameters
    ----------
    captured : Captured
    title, description : str
    data : str

    Returns
    -------
    Imported
        Complete if it has no problems.
    """
    return _Importer(captured, data).tables(title, description)


class _Importer:
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
        self.means = self._means()
        for synapses in self.means.values():
            self.synapses.remove(synapses)
            self.groups.remove(synapses.target)

    # ------------------------------------------------------------------------------- the whole

    def tables(self, title: str, description: str) -> Imported:
        """All of it; what cannot be said is noted, object by object."""
        self._refuse_others()
        self._name()
        projections = {self.names[s.name]: self._projection(s) for s in self._in_order()}
        populations = {self.names[g.name]: self._population(g) for g in self.groups}
        records = {
            self.names[m.name]: record
            for m in self.objects
            if isinstance(m, _MONITORS) and (record := self._record(m)) is not None
        }
        model: dict[str, Any] = {"title": title}
        if description:
            model["description"] = description
        if len(self.noises) == 1:
            model["noise"] = next(iter(self.noises))
        elif self.noises:
            self.refuse("the network", "both Ito and Stratonovich noise")
        model |= {"dt": _time(self.captured.dt), "duration": _time(self.captured.duration)}
        if float(self.captured.network.t) > 0:
            self.refuse("the network", "an earlier run()")
        if not self.groups:
            self.refuse("the network", "no NeuronGroup")
        parameters = sorted(self.parameters, key=lambda n: self.places.get(n, len(self.places)))
        tables = {n: self._table(n, one) for n, one in self.timed.items()}
        made = self.made.tables
        made["model"] = model
        made["parameters"] = {n: amount(*self.parameters[n]) for n in parameters}
        made["table"], made["population"] = tables, populations
        made["projection"], made["record"] = projections, records
        self.made.tables = {k: _lined(v) for k, v in made.items() if v}
        self.made.problems = list(dict.fromkeys(self.made.problems))
        return self.made

    def refuse(self, name: str, what: str, instead: str = "") -> None:
        """Note what of an object cannot be said."""
        hint = f"; {instead}" if instead else ""
        self.made.problems.append(f"{name}: a model file cannot say {what}{hint}")

    def _refuse_others(self) -> None:
        parts = {part.name for one in self.objects for part in one.contained_objects}
        for one in self.objects:
            kind = type(one).__name__
            if type(one) in (brian2.NeuronGroup, brian2.Synapses) or isinstance(one, _MONITORS):
                if not one.active:
                    self.refuse(f"'{one.name}'", "that it is not active")
            elif isinstance(one, brian2.NetworkOperation):
                self.refuse(f"'{one.name}'", "what a network_operation of Python does")
            elif one.name not in parts and not isinstance(one, Subgroup):
                article = "an" if kind[0] in "AEIOU" else "a"
                self.refuse(f"'{one.name}'", f"{article} {kind}")

    def _name(self) -> None:
        """Names of the script for populations, projections and records, else Brian2's."""
        script: dict[str, str] = {}
        for name, one in self.captured.namespace.items():
            if isinstance(one, brian2.BrianObject) and names.refusal(name) is None:
                script.setdefault(one.name, name)
        for of_synapses in (script, {}):
            used: set[str] = set()
            for one in self.objects:
                choice = of_synapses if one in self.synapses else script
                name = choice.get(one.name) or _plain(one.name)
                number, free = 2, name
                while free in used:
                    free, number = f"{name}_{number}", number + 1
                used.add(free)
                self.names[one.name] = free
            if self._in_turn():
                return
        by_name = sorted(self.synapses, key=lambda one: one.name)
        self.names |= {s.name: f"s{n:03}_{_plain(s.name)}" for n, s in enumerate(by_name)}

    def _in_turn(self) -> bool:
        """Whether projections take turns as the synapses do, by name."""
        by_name = sorted(self.synapses, key=lambda one: one.name)
        given = [self.names[s.name] for s in by_name]
        return given == sorted(given)

    def _in_order(self) -> list[Any]:
        """Synapses, each after those that it has as a side."""
        order: list[Any] = []
        left = list(self.synapses)
        while left:
            free = [s for s in left if not {s.source.name, s.target.name} & {o.name for o in left}]
            if not free:
                break
            order += free
            left = [s for s in left if s not in free]
        return order

    # ------------------------------------------------------------------------------- code

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
        return self._kept(self.parameters, name, (float(value), dimensions))

    def _kept(self, kept: dict[str, Any], name: str, value: Any) -> str:
        """The name of a parameter or table of this value."""
        stem, number = name, 2
        taken = self.variables | UNITS.keys() | expressions.CONSTANTS.keys()
        other = self.timed if kept is self.parameters else self.parameters
        while (
            name in taken or name in other or names.refusal(name) or kept.get(name, value) != value
        ):
            name = f"{_plain(stem)}_{number}"
            number += 1
        kept[name] = value
        return name

    def _table(self, name: str, one: TimedArray) -> dict[str, Any]:
        if one.values.ndim > 1:
            self.refuse(f"'{name}'", "a TimedArray of two dimensions")
            return {}
        bare = one.dim.is_dimensionless
        values = [float(v) if bare else amount(float(v), one.dim) for v in one.values]
        return {"values": values, "dt": _time(float(one.dt))}

    def equations(self, group: Any, found: Any, without: set[str]) -> str:
        """Equations, one a line."""
        lines = []
        for one in found:
            if one.varname in without:
                continue
            if "linked" in one.flags:
                self.refuse(f"'{group.name}'", f"the linked variable '{one.varname}'")
            left = f"d{one.varname}/dt" if one.type == "differential equation" else one.varname
            right = f" = {self.code(group, ' '.join(one.expr.code.split()))}" if one.expr else ""
            kind = one.var_type
            unit = text.base_unit(one.dim) if kind == "float" else kind
            flags = f" ({', '.join(one.flags)})" if one.flags else ""
            lines.append(f"{left}{right} : {unit}{flags}")
        return "\n".join(lines)

    # ------------------------------------------------------------------------------- groups

    def _population(self, group: Any) -> dict[str, Any]:
        label = f"'{group.name}'"
        scheme = self._scheme(group, group.equations)
        second_part = self._contained(group, scheme)
        own = [*group.user_equations.values()]
        without = scheme.helpers(group) if scheme and second_part else set()
        table: dict[str, Any] = {"size": int(group.N)}
        if group.name in self.shapes:
            table = {"shape": self.shapes[group.name]}
        table["equations"] = self.equations(group, own, without)
        if "spike" in group.events:
            table["threshold"] = self.code(group, group.events["spike"])
        if group.event_codes.get("spike", "").strip():
            table["reset"] = self.code(group, group.event_codes["spike"])
        table |= self._refractory(group)
        if scheme:
            table["integrator"] = scheme.name
        if float(group.clock.dt) != self.captured.dt:
            table["dt"] = _time(float(group.clock.dt))
        regular = [
            Inline(code=self.code(group, one.abstract_code), dt=_time(float(one.clock.dt)))
            for one in self._regularly(group)
            if one is not second_part
        ]
        if regular:
            table["regularly"] = regular
        events = {}
        for event, condition in group.events.items():
            if event != "spike":
                action = self.code(group, group.event_codes.get(event, ""))
                events[event] = {"condition": self.code(group, condition), "action": action}
        if events:
            table["events"] = events
        settable = [e for e in own if e.type != "subexpression" and e.varname not in without]
        initial = self._initial(group, settable)
        for name in ("lastspike", "not_refractory"):
            if name in group.variables and name not in {e.varname for e in own}:
                value = group.variables[name].get_value()
                if np.any(value != (-1e4 if name == "lastspike" else True)):
                    self.refuse(label, f"that '{name}' was set before the run")
        return table | ({"initial": initial} if initial else {})

    def _refractory(self, group: Any) -> dict[str, str]:
        given = group._refractory
        if given is False:
            return {}
        if isinstance(given, str):
            return {"refractory": self.code(group, given)}
        return {"refractory": amount(float(given), second.dim)}

    def _regularly(self, group: Any) -> list[Any]:
        """The statements of `run_regularly`, in their turns."""
        found = [one for one in group.contained_objects if type(one) is CodeRunner]
        return sorted(found, key=lambda one: (one.order, one.name))

    def _contained(self, group: Any, scheme: methods.Scheme | None) -> Any:
        """Refuse what stands elsewhere in the schedule; gives the second part of a step of two parts."""
        places = {StateUpdater: "groups", Thresholder: "thresholds", Resetter: "resets"}
        places[SubexpressionUpdater] = "before_start"
        found = None
        for one in group.contained_objects:
            label = f"'{one.name}'"
            when = places.get(type(one), "start")
            if getattr(one, "event", "spike") != "spike":
                when = f"after_{when}"
            if isinstance(one, Subgroup) or (
                type(one) not in places and type(one) is not CodeRunner
            ):
                self.refuse(label, "what a part of a group does by itself")
            elif scheme and scheme.is_second_part(group, one):
                found = one
                self.noises.add("stratonovich")
            elif one.when != when or (type(one) in places and one.order != 0):
                self.refuse(label, f"another turn in a time step than '{when}', order 0")
            elif not one.active:
                self.refuse(label, "that it is not active")
            elif type(one) in places and one.clock is not group.clock:
                self.refuse(label, "a clock of its own")
        if scheme and scheme.two_parts and found is None:
            self.refuse(f"'{group.name}'", "a step of which the second part is missing")
        return found

    def _scheme(self, group: Any, equations: Any) -> methods.Scheme | None:
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

    # ------------------------------------------------------------------------------- values

    def _initial(self, group: Any, equations: list[Any]) -> dict[str, Any]:
        """Initial values: expressions, numbers, or arrays; what random numbers they draw in its order."""
        initial = {}
        turns = {variable: n for n, variable in enumerate(self.captured.log.given)}
        for one in sorted(equations, key=lambda e: turns.get(group.variables[e.varname], -1)):
            variable = group.variables[one.varname]
            if "linked" in one.flags or "summed" in one.flags:
                continue
            value = self._value(group, variable, one, f"{self.names[group.name]}.{one.varname}")
            if value is not None:
                initial[one.varname] = value
        return initial

    def _value(self, group: Any, variable: Any, one: Any, key: str) -> Any:
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

    # ------------------------------------------------------------------------------- synapses

    def _projection(self, synapses: Any) -> dict[str, Any]:
        label, name = f"'{synapses.name}'", self.names[synapses.name]
        own = [*synapses.equations.values()]
        own += [
            e
            for e in (synapses.event_driven.values() if synapses.event_driven else [])
            if e.type == "differential equation"
        ]
        clock = self._synaptic_turns(synapses, own)
        table: dict[str, Any] = {
            "from": self._endpoint(synapses.source),
            "to": self._endpoint(synapses.target),
        }
        equations = self.equations(synapses, own, set())
        sums = [
            f"{n} = {self.code(synapses, ' '.join(u.expression.code.split()))} :"
            f" {text.base_unit(u.target_var.dim)} (summed)"
            for n, u in synapses.summed_updaters.items()
            if not self._is_again(u)
        ]
        if equations or sums:
            table["equations"] = "\n".join([*([equations] if equations else []), *sums])
        scheme = self._scheme(synapses, synapses.equations)
        if scheme:
            table["integrator"] = scheme.name
        if clock is not None and clock != float(_owner(synapses.target).clock.dt):
            table["dt"] = _time(clock)
        table |= self._pathways(synapses)
        settable = [e for e in own if e.type != "subexpression"]
        initial = self._initial(synapses, settable)
        delays = self._delays(synapses)
        if delays:
            table["delay"] = Inline(delays)
        values = (*initial.values(), *delays.values())
        arrays = any(isinstance(v, dict) for v in values)
        table["connect"] = self._connect(synapses, arrays)
        if arrays and table["connect"]["rule"] != "pairs":
            raise AssertionError(name)
        if synapses.multisynaptic_index is not None:
            self.refuse(label, "a multisynaptic index")
        return table | ({"initial": initial} if initial else {})

    def _endpoint(self, side: Any) -> str:
        owner = _owner(side)
        name = self.names.get(owner.name, owner.name)
        if side is owner:
            return name
        if not hasattr(side, "start") or len(side) != side.stop - side.start:
            self.refuse(f"'{side.name}'", "a part of a group that is not one range of it")
            return name
        return f"{name}[{side.start}:{side.stop}]"

    def _is_again(self, updater: Any) -> bool:
        """Whether a sum is one of predicted states, which our scheme takes by itself."""
        name = updater.target_varname.removesuffix("_post")
        owner = _owner(updater.target)
        return (
            name.endswith("_predicted")
            and owner.method_choice is not None
            and any(
                methods.is_two_parts(one.method_choice)
                for one in self.groups
                if one.name == owner.name
            )
        )

    def _synaptic_turns(self, synapses: Any, own: list[Any]) -> float | None:
        """Refuse what stands elsewhere in the schedule; gives the step of what is on a clock of the synapses."""
        clocks = set()
        for one in synapses.contained_objects:
            label = f"'{one.name}'"
            if isinstance(one, SynapticPathway):
                order = -1 if one.prepost == "pre" else 1
                if (one.when, one.order) != ("synapses", order) or not one.active:
                    self.refuse(label, "another turn of a pathway in a time step")
            elif isinstance(one, SummedVariableUpdater):
                clocks.add(float(one.clock.dt))
                if not self._is_again(one) and (one.when != "groups" or not self._sum_in_turn(one)):
                    self.refuse(label, "another turn of a sum in a time step")
            elif type(one) is CodeRunner:
                self.refuse(label, "what synapses do by run_regularly")
            elif isinstance(one, SynapticStateUpdater):
                clocks.add(float(one.clock.dt))
                if (one.when, one.order) != ("groups", 0):
                    self.refuse(label, "another turn in a time step than 'groups', order 0")
        named = get_identifiers(" ".join(str(e.expr.code) for e in own if e.expr))
        named |= get_identifiers(" ".join(str(p.code) for p in synapses._pathways))
        if {"t", "dt", "t_in_timesteps"} & named:
            clocks.add(float(synapses.clock.dt))
        if len(clocks) > 1:
            self.refuse(f"'{synapses.name}'", "sums and equations on different clocks")
        return next(iter(clocks), None)

    def _sum_in_turn(self, updater: Any) -> bool:
        """Whether a sum takes its turn by the names of projections and variables."""
        every = [
            (u.order, u.name, (self.names[s.name], n))
            for s in self.synapses
            for n, u in s.summed_updaters.items()
            if not self._is_again(u)
        ]
        turns = [place for _, _, place in sorted(every)]
        return updater.order < 0 and turns == sorted(turns)

    def _pathways(self, synapses: Any) -> dict[str, Any]:
        table: dict[str, Any] = {}
        events: dict[str, str] = {}
        for side in ("pre", "post"):
            found = [one for one in synapses._pathways if one.prepost == side]
            codes = {_plain(one.objname): self.code(synapses, one.code) for one in found}
            if len(codes) < len(found):
                self.refuse(f"'{synapses.name}'", "pathways of these names")
            if list(codes) == [side]:
                table[f"on_{side}"] = codes[side]
            elif codes:
                table[f"on_{side}"] = codes
            events |= {_plain(one.objname): one.event for one in found if one.event != "spike"}
        if events:
            table["on_event"] = Inline(events)
        return table

    def _delays(self, synapses: Any) -> dict[str, Any]:
        delays = {}
        for one in synapses._pathways:
            key = f"{self.names[synapses.name]}.delay.{_plain(one.objname)}"
            value = self._value(one, one.variables["delay"], None, key)
            if value is not None:
                delays[_plain(one.objname)] = value
        return delays

    def _connect(self, synapses: Any, arrays: bool) -> dict[str, Any]:
        """The rule that a script gave if it is one of ours, else the pairs, or a rule that makes them."""
        i, j = np.asarray(synapses.i[:]), np.asarray(synapses.j[:])
        if not len(i):
            self.refuse(f"'{synapses.name}'", "synapses that connect nothing")
            return {"rule": "all"}
        calls = self.captured.log.connected.get(synapses.name, [])
        if not arrays and len(calls) == 1:
            rule = self._by_condition(synapses, calls[0])
            if rule is not None:
                return rule
        sides = [_owner(synapses.source), _owner(synapses.target)]
        whole = all(isinstance(s, brian2.NeuronGroup) for s in sides)
        sizes = (len(synapses.source), len(synapses.target))
        if whole and not arrays:
            same = synapses.source is synapses.target or synapses.source == synapses.target
            rule, shape = wiring.recognised(i, j, sizes, same and sides[0] is synapses.source)
            known = self.shapes.get(sides[0].name, shape)
            if rule is not None and (shape is None or shape == known):
                if shape is not None:
                    self.shapes[sides[0].name] = shape
                return Inline(rule)
        if len(i) <= MAX_PAIRS:
            return Inline(rule="pairs", pairs=np.stack([i, j], 1).tolist())
        name = self.names[synapses.name]
        keys = {"i": f"{name}.i", "j": f"{name}.j"}
        self.made.arrays |= {keys["i"]: i.astype(np.int32), keys["j"]: j.astype(np.int32)}
        return Inline(rule="pairs", file=self.data, **keys)

    def _by_condition(self, synapses: Any, call: Any) -> dict[str, Any] | None:
        given, external = call.arguments, call.external
        if given["i"] is not None or given["j"] is not None or given["skip_if_invalid"]:
            return None
        condition = given["condition"]
        rule: dict[str, Any] = {"rule": "condition"}
        if condition not in (None, True, "True"):
            rule["condition"] = self.code(synapses, condition, external)
        for key in ("p", "n"):
            value = given[key]
            if isinstance(value, str):
                rule[key] = self.code(synapses, value, external)
            elif value != 1:
                rule[key] = float(value) if key == "p" else int(value)
        return Inline(rule) if len(rule) > 1 else Inline(rule="all")

    # ------------------------------------------------------------------------------- records

    def _record(self, monitor: Any) -> dict[str, Any] | None:
        label, group = f"'{monitor.name}'", monitor.source
        if monitor.name in self.means:
            synapses = self.means[monitor.name]
            table = {"population": self.names[synapses.source.name], "reduce": "mean"}
            table["variables"] = list(monitor.record_variables)
            return table | {"every": _time(float(monitor.clock.dt))}
        owner = _owner(group)
        if not isinstance(owner, brian2.NeuronGroup):
            self.refuse(label, f"a record of {type(owner).__name__} '{owner.name}'")
            return None
        table: dict[str, Any] = {"population": self.names[owner.name]}
        name = self.names[monitor.name]
        if owner is not group:
            self.note(
                name, f"keeps all of '{table['population']}', of which the script records a part"
            )
        if isinstance(monitor, brian2.PopulationRateMonitor):
            self.note(name, "keeps spikes, of which the script keeps the rate")
            return table | {"events": True}
        if isinstance(monitor, brian2.EventMonitor):
            table["events"] = True if monitor.event == "spike" else monitor.event
            when = owner.thresholder[monitor.event].when
            if monitor.when != when or monitor.order < 1:
                self.refuse(label, f"a record of events at another turn than after '{when}'")
            variables = sorted(set(monitor.record_variables) - {"i", "t"})
            return table | ({"variables": variables} if variables else {})
        if monitor.when != "start":
            self.refuse(
                label, f"a record of values at '{monitor.when}' of a time step, but at 'start'"
            )
        for one in self._regularly(owner):
            if one.when == "start" and (one.order, one.name) < (monitor.order, monitor.name):
                self.refuse(
                    label,
                    "a record that is taken after the statements of run_regularly in the same step",
                    "StateMonitor(..., order=-1) takes it before them",
                )
        recorded = np.asarray(monitor.record).ravel() if monitor.record is not True else None
        table["variables"] = list(monitor.record_variables)
        if recorded is not None and len(recorded) != len(owner):
            stride = int(recorded[1] - recorded[0]) if len(recorded) > 1 else 0
            shape = self.shapes.get(owner.name, [len(owner)])
            if owner is group and stride > 1 and np.array_equal(recorded, _every(shape, stride)):
                table["stride"] = stride
            elif owner is group:
                count = f"{len(recorded)} unit" + ("s" if len(recorded) > 1 else "")
                self.note(
                    name, f"keeps all {len(owner)} units, of which the script records {count}"
                )
        if float(monitor.clock.dt) != self.captured.dt:
            table["every"] = _time(float(monitor.clock.dt))
        return table

    def _means(self) -> dict[str, Any]:
        """Synapses that take the mean over a group for a monitor, by its name, as exported scripts do."""
        found = {}
        for monitor in self.objects:
            if isinstance(monitor, brian2.StateMonitor) and monitor.when == "end":
                into = [s for s in self.synapses if s.target is monitor.source]
                if len(into) == 1 and _is_mean(into[0], monitor):
                    found[monitor.name] = into[0]
        return found

    def note(self, name: str, what: str) -> None:
        """Say what differs from the script."""
        self.made.notes.append(f"record '{name}' {what}")


_MONITORS = (brian2.StateMonitor, brian2.EventMonitor, brian2.PopulationRateMonitor)


def _every(shape: list[int], stride: int) -> np.ndarray:
    """Units of each stride-th row and column."""
    units = np.arange(np.prod(shape)).reshape(shape)
    return units[tuple(slice(None, None, stride) for _ in shape)].ravel()


def _lined(given: Any) -> Any:
    """Tables with a line end behind every text of several lines."""
    if isinstance(given, dict):
        return type(given)({k: _lined(v) for k, v in given.items()})
    if isinstance(given, list):
        return [_lined(v) for v in given]
    return f"{given}\n" if isinstance(given, str) and "\n" in given else given


def _is_mean(synapses: Any, monitor: Any) -> bool:
    """Whether synapses give the mean over their source, taken at the start of a step, to a unit."""
    source, updaters = synapses.source, synapses.summed_updaters
    wanted = {f"{v}_post": f"1.0*{v}_pre/N_incoming" for v in monitor.record_variables}
    return (
        type(source) is brian2.NeuronGroup
        and len(synapses.target) == 1
        and len(synapses.equations) == 0
        and not (synapses._pathways or synapses.target.events)
        and not synapses.target.equations.diff_eq_names
        and {n: u.expression.code.replace(" ", "") for n, u in updaters.items()} == wanted
        and all((u.when, u.order) == ("start", -1) for u in updaters.values())
        and {float(u.clock.dt) for u in updaters.values()} == {float(monitor.clock.dt)}
        and np.array_equal(np.asarray(synapses.i[:]), np.arange(len(source)))
    )


def _owner(side: Any) -> Any:
    """The group that a side of synapses, or what a monitor records, is or is a part of."""
    return side.source if isinstance(side, Subgroup) else side


def _stands(given: Given, values: np.ndarray) -> bool:
    """Whether an expression still says what a variable is, and what it reads."""
    if not np.array_equal(np.asarray(given.values).ravel(), values):
        return False
    return all(np.array_equal(v.get_value(), before) for v, before in given.read.items())


def _plain(name: str) -> str:
    """A name of Brian2's as a model file may have it."""
    parts = [part for part in name.split("_") if part]
    return "_".join(parts) or "x"


def _time(seconds: float) -> str:
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
