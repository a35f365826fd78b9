"""One code object run from Python, by the reference: a monitor's ``record_single_timestep`` and the like."""

from __future__ import annotations

from collections.abc import Callable

from neuroglia_snn.program import growth
from neuroglia_snn.program.build import step_of
from neuroglia_snn.program.code import Code
from neuroglia_snn.program.draws import Keys
from neuroglia_snn.program.machine import Setting
from neuroglia_snn.program.program import Deliver, Program, Record
from neuroglia_snn.program.reference import NumpyMachine
from neuroglia_snn.program.refusal import refuse


def execute(code: Code, keys: Callable[[Program], list[Keys]]) -> None:
    """Do once what the code object does in a time step.

    Raises
    ------
    Refused
        For a pathway, whose spikes under way belong to a run.
    """
    program, step = step_of(code, code.owner)
    if isinstance(step, Deliver):
        raise refuse(code.owner.name, "one step of a pathway, outside of a run,")
    program.steps.append(step)
    machine = NumpyMachine(program, Setting([], [], keys(program), [0], False))
    records = growth.start(program, machine)
    if isinstance(step, Record):
        records.grow(0)
    machine.do(step)
    records.trim()
