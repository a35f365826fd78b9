"""Populations of a lowered program as Lava processes.

One kind of process serves every population: its ports, variables and arithmetic come from the
program, and the classes of its models are made to fit (Lava wants them declared). `processes` has
ready ones for Lava users.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.backends.brian.network import nonfinite_message
from neuroglia_snn.backends.lava import _compat, shared
from neuroglia_snn.errors import NumericalError
from neuroglia_snn.lowering.execute import PopulationRun
from neuroglia_snn.lowering.operations import Coupling, Population

_compat.prepare()

from lava.magma.core.decorator import implements, requires, tag  # noqa: E402
from lava.magma.core.model.py.model import PyLoihiProcessModel  # noqa: E402
from lava.magma.core.model.py.ports import PyInPort, PyOutPort  # noqa: E402
from lava.magma.core.model.py.type import LavaPyType  # noqa: E402
from lava.magma.core.process.ports.ports import InPort, OutPort  # noqa: E402
from lava.magma.core.process.process import AbstractProcess  # noqa: E402
from lava.magma.core.process.variable import Var  # noqa: E402
from lava.magma.core.resources import CPU  # noqa: E402
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol  # noqa: E402

FLOAT, FIXED = "floating_pt", "fixed_pt"


@dataclass(frozen=True)
class Recording:
    """What a population writes into shared memory, and how often (in steps of the whole)."""

    record: spec.Record
    period: int
    units: np.ndarray
    samples: np.ndarray

    def keep(self, step: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write a sample if one is due at the beginning of this step."""
        number = step // self.period
        if step % self.period or number >= len(self.samples):
            return
        for n, variable in enumerate(self.record.variables):
            values = arrays[variable]
            kept = values.mean() if self.record.reduce else values[self.units]
            self.samples[number, n] = kept


@dataclass(frozen=True)
class Plan:
    """What a population's process does in each Lava step.

    Attributes
    ----------
    make : gives the population's run; called in the process's own operating-system process
    block : steps of the whole in one Lava step
    receives, sends : couplings by port
    pooled : whether sources' terms arrive and are summed up here in the step in which they are
        given; otherwise their sums arrive a step later, from a connection process
    limits : smallest and largest integer that an input can be, by port; what arrives is cut there
    reset_interval, reset_offset : Lava steps from one return to the initial values to the next (0:
        none), and before the first, as of Lava's ``LIFReset``
    """

    population: Population
    make: Callable[[], PopulationRun]
    block: int
    steps: int
    receives: Mapping[str, Coupling]
    sends: Mapping[str, Coupling]
    pooled: bool
    recordings: tuple[Recording, ...] = ()
    final: Mapping[str, np.ndarray] = field(default_factory=dict)
    saturated: np.ndarray | None = None
    report: shared.Report | None = None
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    reset_interval: int = 0
    reset_offset: int = 0


class PopulationProcess(AbstractProcess):
    """A population: a Var for each variable, an InPort ``a_X`` for each input, OutPorts for its terms."""

    _runtime = None  # so that a refused one can be deleted

    def __init__(
        self, *, plan: Plan, plan_of: Callable[[bool], Plan], name: str | None = None
    ) -> None:
        super().__init__(name=name, plan_of=plan_of)
        size = plan.population.size
        for port, coupling in plan.receives.items():
            arriving = coupling.source_size if plan.pooled else size
            setattr(self, port, InPort(shape=(arriving,)))
        for port in plan.sends:
            setattr(self, port, OutPort(shape=(size,)))
        for variable, values in plan.population.initial.items():
            setattr(self, variable, Var(shape=(size,), init=np.array(values, float)))


class PopulationModel(PyLoihiProcessModel):
    """What the models of all populations do, in either arithmetic."""

    fixed = False

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self._plan: Plan = proc_params["plan_of"](self.fixed)
        self._run = self._plan.make()

    def start(self) -> None:
        """Let the Vars be the run's own arrays, then begin."""
        for name, values in self._run.arrays.items():
            setattr(self, name, values)
        super().start()

    def run_spk(self) -> None:
        try:
            self._step((self.time_step - 1) * self._plan.block)
        except BaseException as error:
            if self._plan.report:
                self._plan.report.fail(error)
            raise

    def _step(self, step: int) -> None:
        plan, run = self._plan, self._run
        for recording in plan.recordings:
            recording.keep(step, run.arrays)
        self._exchange(step)
        if plan.reset_interval:
            since = (self.time_step - 1 - plan.reset_offset) % plan.reset_interval
            if since == 0:
                run.reset()
            self._advance(since * plan.block)
        elif step % plan.population.period == 0:
            self._advance(step)
        if step + plan.block >= plan.steps:
            for name, values in plan.final.items():
                values[:] = run.arrays[name]
        if plan.saturated is not None:
            plan.saturated[0] = run.saturated
        if plan.report:
            plan.report.step[0] = step + plan.block

    def _exchange(self, step: int) -> None:
        """Send first, then receive: nothing waits for itself."""
        plan, run = self._plan, self._run
        wanted = step if plan.pooled else step + plan.block
        for port, coupling in plan.sends.items():
            if wanted % coupling.period == 0:
                getattr(self, port).send(np.array(run.give(coupling, step)))
        for port, coupling in plan.receives.items():
            if step % coupling.period == 0:
                arrived = getattr(self, port).recv()
                if plan.pooled:
                    arrived = coupling.pooled(arrived, plan.population.size)
                if port in plan.limits:
                    arrived = np.clip(arrived, *plan.limits[port])
                run.take(coupling.variable, arrived)

    def _advance(self, step: int) -> None:
        plan, run = self._plan, self._run
        count = max(1, plan.block // plan.population.period)
        run.advance_many(step, count)
        for name in plan.population.state:
            values = run.arrays[name]
            if values.dtype.kind == "f" and not np.isfinite(values).all():
                unit = int(np.argmin(np.isfinite(values)))
                time = (step + plan.block) * run.dt
                raise NumericalError(nonfinite_message(plan.population.name, unit, time))


def model_class(process: type[AbstractProcess], plan: Plan, fixed: bool, name: str, module: str):
    """The class of a process model, with the attributes that Lava's builder looks for."""
    number, kind = (np.int32, {"precision": 24}) if fixed else (float, {})
    attributes: dict[str, object] = {"__module__": module, "fixed": fixed}
    for port in plan.receives:
        attributes[port] = LavaPyType(PyInPort.VEC_DENSE, number, **kind)
    for port in plan.sends:
        attributes[port] = LavaPyType(PyOutPort.VEC_DENSE, number, **kind)
    for variable in plan.population.initial:
        attributes[variable] = LavaPyType(np.ndarray, number, **kind)
    made = type(name, (PopulationModel,), attributes)
    made = tag(FIXED if fixed else FLOAT)(made)
    made = requires(CPU)(made)
    return implements(proc=process, protocol=LoihiProtocol)(made)
