"""From a Brian2 network that is ready to run to its Program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brian2.core.base import BrianObject
from brian2.synapses.synapses import SynapticPathway

from neuroglia_snn.program.code import Code
from neuroglia_snn.program.parse import Names, Parser
from neuroglia_snn.program.program import (
    Deliver,
    Generate,
    Kernel,
    Pathway,
    Program,
    Python,
    RecordEvents,
    RecordRate,
    RecordState,
    Reset,
    Step,
    Sum,
    Threshold,
    Update,
)
from neuroglia_snn.program.refusal import refuse

#: Code objects that only prepare others.
_PREPARING = ("synapses_push_spikes",)


def build(objects: list[Any]) -> Program:
    """The program of a network's objects, in the order in which they run; clocks of all of them tick.

    Raises
    ------
    Refused
        Naming the object and the feature.
    """
    program = Program()
    builder = _Builder(program)
    for owner in objects:
        if owner.clock not in program.clocks:
            program.clocks.append(owner.clock)
        if owner.active:
            program.steps += builder.steps(owner)
    return program


def step_of(code: Code, owner: Any) -> tuple[Program, Step]:
    """A program of one code object, for one call from Python."""
    program = Program(clocks=[owner.clock])
    return program, _Builder(program).step(owner, code)


class _Builder:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._names = Names(program)
        self._kinds: dict[str, Callable[[Any, Code], Step]] = {
            "stateupdate": self._update,
            "threshold": self._threshold,
            "reset": self._reset,
            "synapses": self._deliver,
            "summed_variable": self._sum,
            "spikegenerator": self._generate,
            "statemonitor": self._record_state,
            "spikemonitor": self._record_events,
            "ratemonitor": self._record_rate,
        }

    def steps(self, owner: Any) -> list[Step]:
        """What an object does in a time step, in order."""
        if type(owner).run is not BrianObject.run:
            return [Python(owner, self._program.clocks.index(owner.clock))]
        codes = [c for c in owner.code_objects if c.template_name not in _PREPARING]
        if not all(isinstance(c, Code) for c in codes):
            return [Python(owner, self._program.clocks.index(owner.clock))]
        return [self.step(owner, code) for code in codes]

    def step(self, owner: Any, code: Code) -> Step:
        """The step of one code object."""
        kind = self._kinds.get(code.template_name)
        if code.template_name == "spatialstateupdate":
            raise refuse(code.owner.name, "a SpatialNeuron")
        if kind is None:
            raise refuse(owner.name, f"code of the kind '{code.template_name}'")
        return kind(owner, code)

    def _where(self, owner: Any) -> tuple[Any, int]:
        return owner, self._program.clocks.index(owner.clock)

    def _kernel(self, owner: Any, code: Code, *results: str) -> tuple[Parser, Kernel]:
        parser = Parser(self._names, code, owner)
        return parser, parser.kernel(*results)

    def _update(self, owner: Any, code: Code) -> Step:
        _, kernel = self._kernel(owner, code)
        return Update(*self._where(owner), kernel, self._names.size(code.variables["N"]))

    def _threshold(self, owner: Any, code: Code) -> Step:
        parser, kernel = self._kernel(owner, code, "_cond")
        refractory = None
        if code.keywords["_uses_refractory"]:
            arrays = (self._names.array(code.variables[n]) for n in ("not_refractory", "lastspike"))
            refractory = (*arrays, parser.cell("t"))
        return Threshold(
            *self._where(owner),
            kernel,
            self._names.size(code.variables["N"]),
            self._events(code),
            refractory,  # type: ignore[arg-type]
        )

    def _events(self, code: Code):
        return self._names.array(code.keywords["eventspace_variable"])

    def _reset(self, owner: Any, code: Code) -> Step:
        _, kernel = self._kernel(owner, code)
        return Reset(*self._where(owner), kernel, self._events(code))

    def _deliver(self, owner: SynapticPathway, code: Code) -> Step:
        _, kernel = self._kernel(owner, code)
        events = self._names.array(owner.source.variables[owner.eventspace_name])
        pathway = Pathway(len(self._program.pathways), owner, events)
        self._program.pathways.append(pathway)
        return Deliver(*self._where(owner), kernel, pathway)

    def _sum(self, owner: Any, code: Code) -> Step:
        _, kernel = self._kernel(owner, code, "_synaptic_var")
        said, names = code.keywords, self._names
        start = names.parameter(int(said["_target_start"]))
        stop = (
            names.parameter(int(said["_target_stop"]))
            if said["_target_stop"] >= 0
            else names.size(code.variables[said["_target_size_name"]])
        )
        target, index = names.array(said["_target_var"]), names.array(said["_index_var"])
        count = names.size(code.variables["N"])
        return Sum(*self._where(owner), kernel, count, target, index, start, stop)

    def _generate(self, owner: Any, code: Code) -> Step:
        inner = ("_spikespace", "neuron_index", "_timebins", "_period_bins", "_lastindex")
        events, indices, bins, period, position = (
            self._names.array(code.variables[n]) for n in inner
        )
        timestep = self._names.array(code.variables["t_in_timesteps"])
        count = self._names.size(owner.variables["N"])
        where = self._where(owner)
        return Generate(*where, events, count, indices, bins, period, position, timestep)

    def _record_state(self, owner: Any, code: Code) -> Step:
        recorded = {name: f"_to_record_{name}" for name in code.keywords["_recorded_variables"]}
        parser, kernel = self._kernel(owner, code, *recorded.values())
        growing = {
            recorded[name]: self._names.array(variable)
            for name, variable in code.keywords["_recorded_variables"].items()
        }
        growing["t"] = self._names.array(owner.variables["t"])
        length = self._names.array(
            code.variables["N"] if "N" in code.variables else owner.variables["N"]
        )
        units = self._names.array(code.variables["_indices"])
        time = parser.cell("_clock_t")
        return RecordState(*self._where(owner), length, growing, kernel, units, time)

    def _record_events(self, owner: Any, code: Code) -> Step:
        variables = dict(sorted(code.keywords["record_variables"].items()))  # Brian2 has a set
        recorded = {name: f"_to_record_{name}" for name in variables}
        _, kernel = self._kernel(owner, code, *recorded.values())
        growing = {recorded[n]: self._names.array(variable) for n, variable in variables.items()}
        return RecordEvents(
            *self._where(owner),
            self._names.array(code.variables["N"]),
            growing,
            kernel,
            self._events(code),
            self._names.array(code.variables["count"]),
            self._names.size(code.variables["_source_start"]),
            self._names.size(code.variables["_source_stop"]),
        )

    def _record_rate(self, owner: Any, code: Code) -> Step:
        parser, _ = self._kernel(owner, code)
        names, variables = self._names, code.variables
        return RecordRate(
            *self._where(owner),
            names.array(variables["N"]),
            {n: names.array(owner.variables[n]) for n in ("t", "rate")},
            names.array(variables["_spikespace"]),
            names.size(variables["_source_start"]),
            names.size(variables["_source_stop"]),
            names.size(variables["_num_source_neurons"]),
            parser.cell("_clock_t"),
            parser.cell("_clock_dt"),
        )
