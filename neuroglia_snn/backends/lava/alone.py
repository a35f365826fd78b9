"""A population by itself as a program: its own steps, and at their beginning what arrives from outside."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import brian2
import numpy as np
from brian2.equations import Equations

from neuroglia_snn import spec
from neuroglia_snn.backends.base import blank_images
from neuroglia_snn.backends.brian.apart import apart
from neuroglia_snn.backends.brian.as_written import as_written
from neuroglia_snn.backends.brian.failures import root_cause
from neuroglia_snn.backends.brian.network import FIRST_NONFINITE, SECOND, apply_settings, build
from neuroglia_snn.backends.fused import prescriptions
from neuroglia_snn.backends.lava.ports import Cut, Input
from neuroglia_snn.brian import TARGETS
from neuroglia_snn.emit.library import missing
from neuroglia_snn.emit.machine import CppMachine
from neuroglia_snn.errors import UserError
from neuroglia_snn.fixedpoint.formats import STATE_BITS
from neuroglia_snn.fixedpoint.rehearsal import rehearse, shortest, written
from neuroglia_snn.language.names import is_made, made
from neuroglia_snn.language.quantities import parse_quantity
from neuroglia_snn.program import clocks
from neuroglia_snn.program.device import NeurogliaDevice
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.prescribed import Prescribed
from neuroglia_snn.program.program import Exchange, Generate, Message, Program, Sent, Threshold
from neuroglia_snn.program.reference import NumpyMachine
from neuroglia_snn.program.tree import Array

device = NeurogliaDevice(TARGETS)

#: Time steps of a run at most: as many as a state variable can count.
MOST_STEPS = 2 ** (STATE_BITS - 1) - 1
#: Units times steps, and steps at least, of a run in which is seen how far values go; looks at it.
UNIT_STEPS, LEAST_STEPS, LOOKS = 2e7, 1000, 200

#: Values of arrays at a moment of a run.
Moment = Mapping[Array, np.ndarray]


@dataclass(eq=False)
class Alone:
    """A population by itself, in floating point.

    Attributes
    ----------
    name, shape : of the population
    clock : number of its clock, one step of which is a Lava step
    inputs : what arrives, by variable
    filled : arrays of the inputs, by variable; without those that nothing reads
    values, events : arrays of what is sent, by port
    states : arrays of its variables, by name
    differential : those that differential equations change
    gives : what each unit gives to a sum, by the name of the port: the array's variable, and what it is a whole
        multiple of
    ranges : of its variables, as the model file or the script says
    moments : gives values of its arrays at moments of a run
    group : of Brian2, whose arrays these are
    """

    name: str
    shape: tuple[int, ...]
    program: Program
    setting: Setting
    clock: int
    inputs: Mapping[str, Input]
    filled: Mapping[str, Array]
    values: Mapping[str, Array]
    events: Mapping[str, Array]
    states: Mapping[str, Array]
    differential: tuple[str, ...]
    gives: Mapping[str, tuple[str, float | None]]
    ranges: Mapping[str, Prescribed]
    moments: Callable[[Alone], list[Moment]]
    group: Any

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def dt(self) -> float:
        """Time of a Lava step, in s."""
        return float(clocks.values(self.program.clocks[self.clock], "dt")[0])  # type: ignore[index]


def of_model(cut: Cut, seed: int) -> Alone:
    """A population that was cut out of a model."""
    own = cut.model.populations[cut.name]
    with _our_brian(seed):
        network = build(cut.model, {}, seed, apply_settings)
        group = network.groups[cut.name]
        first = len(own.regularly) - len(cut.gives)
        labels = [
            f"{made('regularly', cut.name, f'{first + n:06}')}_" for n in range(len(cut.gives))
        ]
        for obj in group.contained_objects:
            if obj.name in labels:
                obj.when = "end"
        prepared = _prepared(network.objects(), {})
    ranges = {variable: one for (_, variable), one in prescriptions(cut.model).items()}
    shown = functools.partial(_shown_by, cut.whole, cut.name, seed)
    return _alone(group, cut.name, own.shape, prepared, cut, ranges, shown)


def of_group(group: Any, namespace: Mapping[str, Any], seed: int) -> Alone:
    """A NeuronGroup of a script, which can be used further."""
    with _our_brian(seed):
        try:
            prepared = _prepared([group], namespace)
        finally:
            for obj in [group, *group.contained_objects]:
                obj._network = None
    program = prepared[0]
    changed, inputs = written(program), {}
    for name, array in _own(program, group).items():
        if array.dtype.kind != "f" or array.variable.constant or array.variable.read_only:
            continue
        if name in group.equations.diff_eq_names:
            inputs[name] = Input(name, adds=True)
        elif array not in changed:
            inputs[name] = Input(name)
    from neuroglia_snn.brian import device as scripts

    ranges = {v: one for (owner, v), one in scripts.prescribed.items() if owner == group.name}
    shape = (len(group),)
    return _alone(group, group.name, shape, prepared, _Taken(inputs, {}), ranges, _shown_alone)


@dataclass(frozen=True)
class _Taken:
    """What arrives at a group of a script, and what it gives."""

    inputs: Mapping[str, Input]
    gives: Mapping[str, tuple[str, float | None]]


def _alone(
    group: Any,
    name: str,
    shape: tuple[int, ...],
    prepared: tuple[Program, Setting],
    cut: Cut | _Taken,
    ranges: Mapping[str, Prescribed],
    moments: Callable[[Alone], list[Moment]],
) -> Alone:
    program, setting = prepared
    own = _own(program, group)
    filled = {n: own[one.variable] for n, one in cut.inputs.items() if one.variable in own}
    clock = program.clocks.index(group.clock)
    receives = (Message(0, 0, 0, tuple(map(Sent, filled.values()))),) if filled else ()
    exchange = Exchange(group, clock, (), receives)
    differential = tuple(n for n in _differential(group) if n in own)
    gives = {port: own[variable] for port, (variable, _) in cut.gives.items() if variable in own}
    names = {one.variable: n for n, one in cut.inputs.items()}
    return Alone(
        name,
        shape,
        replace(program, steps=[exchange, *program.steps]),
        setting,
        clock,
        cut.inputs,
        filled,
        {f"s_{n}": own[n] for n in differential} | gives,
        _events(program),
        {
            names.get(n, n): a
            for n, a in own.items()
            if a.dtype.kind == "f" and not a.variable.constant and (n in names or not is_made(n))
        },
        differential,
        cut.gives,
        ranges,
        moments,
        group,
    )


def _differential(group: Any) -> list[str]:
    equations = getattr(group, "equations", None)
    return sorted(equations.diff_eq_names) if isinstance(equations, Equations) else []


def _own(program: Program, group: Any) -> dict[str, Array]:
    """Arrays of a group with a value for each unit."""
    return {
        a.variable.name: a
        for a in program.arrays
        if not a.scalar and a.variable.owner is not None and a.variable.owner.name == group.name
    }


def _events(program: Program) -> dict[str, Array]:
    """The events that units can have, by port."""
    found = {}
    for step in program.steps:
        if isinstance(step, (Threshold, Generate)):
            event = step.events.variable.name.removeprefix("_").removesuffix("space")
            found["s_out" if event == "spike" else f"s_{event}"] = step.events
    return found


@contextmanager
def _our_brian(seed: int) -> Iterator[None]:
    """Brian2 on a device of ours, whatever a session does with it."""
    with apart(device, target="numpy" if missing() else "cpp"), as_written():
        brian2.seed(seed)
        try:
            yield
        except Exception as error:
            raise root_cause(error) from error


def _prepared(objects: list[Any], namespace: Mapping[str, Any]) -> tuple[Program, Setting]:
    network = brian2.Network(objects)
    shortest_step = min(obj.clock.dt_ for obj in network.sorted_objects)
    return device.prepared(network, MOST_STEPS * shortest_step * SECOND, namespace)


# ------------------------------------------------------------------- how far values go


def machine(program: Program, setting: Setting) -> CppMachine | NumpyMachine:
    """The compiled loop, or the reference where there is no compiler."""
    return NumpyMachine(program, setting) if missing() else CppMachine(program, setting)


def _shown_alone(alone: Alone) -> list[Moment]:
    """What a population does by itself."""
    arrays = {a: a for a in alone.states.values()}
    return _moments(alone.program, alone.setting, arrays, MOST_STEPS)


def _shown_by(model: spec.Model, name: str, seed: int, alone: Alone) -> list[Moment]:
    """What a whole model makes of a population."""
    with _our_brian(seed):
        network = build(model, blank_images(model), seed, apply_settings)
        program, setting = _prepared(network.objects(), {})
    own = _own(program, network.groups[name])
    arrays = {own[a.variable.name]: a for a in alone.states.values() if a.variable.name in own}
    found = _moments(program, setting, arrays, spec.steps(model.duration, shortest(program)))
    stimulated = {
        alone.filled[n]: max((abs(_amplitude(model, text)) for text in one.amplitudes), default=0.0)
        for n, one in alone.inputs.items()
        if n in alone.filled and one.amplitudes
    }
    return [  # a stimulus is on at every other moment
        {**moment, **{a: np.full(1, on * (k % 2)) for a, on in stimulated.items()}}
        for k, moment in enumerate(found)
    ]


def _amplitude(model: spec.Model, text: str) -> float:
    """A stimulus's amplitude, where it is a number or a parameter; 0 of an expression."""
    if text in model.parameters:
        return model.parameters[text].value.si
    try:
        return parse_quantity(text).si
    except UserError:
        return 0.0


def _moments(
    program: Program, setting: Setting, arrays: Mapping[Array, Array], steps: int
) -> list[Moment]:
    """Values of arrays, by other arrays, at moments of the first part of a run."""
    size = max((len(a.values()) for a in arrays), default=1)
    steps = min(steps, max(LEAST_STEPS, round(UNIT_STEPS / size)))
    start = min(map(clocks.time, program.clocks))
    found: list[Moment] = []

    def look() -> None:
        found.append({other: array.values().copy() for array, other in arrays.items()})

    look()
    try:
        rehearse(program, setting, machine, start + steps * shortest(program), LOOKS, look)
    finally:  # a population that is not finite here is told where it runs
        FIRST_NONFINITE[:] = 0
    return found
