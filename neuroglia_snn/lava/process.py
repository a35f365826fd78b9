"""A part of a program as a Lava process: a port for each message that it sends or receives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from neuroglia_snn.lava import compat, shared
from neuroglia_snn.lava.work import Work
from neuroglia_snn.program.static import Static

compat.prepare()

from lava.magma.core.decorator import implements, requires, tag  # noqa: E402
from lava.magma.core.model.py.model import PyLoihiProcessModel  # noqa: E402
from lava.magma.core.model.py.ports import PyInPort, PyOutPort  # noqa: E402
from lava.magma.core.model.py.type import LavaPyType  # noqa: E402
from lava.magma.core.process.ports.ports import InPort, OutPort  # noqa: E402
from lava.magma.core.process.process import AbstractProcess  # noqa: E402
from lava.magma.core.resources import CPU  # noqa: E402
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol  # noqa: E402
from lava.proc.sparse.process import DelaySparse, Sparse  # noqa: E402
from scipy.sparse import coo_matrix  # noqa: E402

TAG = "floating_pt"
#: Ports to the next part, by which Lava finds all processes; no message passes.
_NEXT, _PREVIOUS = "s_next", "a_previous"


@dataclass(frozen=True)
class Port:
    """How many values of which type pass a port at once."""

    size: int
    dtype: type


@dataclass(frozen=True)
class Plan:
    """A part for Lava: its work, and the ports for what it sends and receives, by number."""

    name: str
    work: Work
    sends: dict[int, Port]
    receives: dict[int, Port]
    report: shared.Report


class PartProcess(AbstractProcess):
    """A part of a program."""

    _runtime = None  # so that one that could not be made can be deleted

    def __init__(self, plan: Plan) -> None:
        super().__init__(name=plan.name, plan=plan)
        setattr(self, _NEXT, OutPort(shape=(1,)))
        setattr(self, _PREVIOUS, InPort(shape=(1,)))
        for number, port in plan.sends.items():
            setattr(self, f"s_{number}", OutPort(shape=(port.size,)))
        for number, port in plan.receives.items():
            setattr(self, f"a_{number}", InPort(shape=(port.size,)))


class PartModel(PyLoihiProcessModel):
    """What all parts do in a Lava step."""

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        self._plan: Plan = proc_params["plan"]

    def run_spk(self) -> None:
        try:
            self._plan.work.step(self._send, self._receive)
        except BaseException as error:
            self._plan.report.fail(error)
            raise

    def _send(self, number: int, message: np.ndarray) -> None:
        getattr(self, f"s_{number}").send(message)

    def _receive(self, number: int) -> np.ndarray:
        return getattr(self, f"a_{number}").recv()


def network(
    plans: Sequence[Plan], statics: Mapping[int, Static]
) -> tuple[AbstractProcess, dict[AbstractProcess, type]]:
    """Make and connect the processes of all parts, with Lava's own between them for connections by number.

    Returns
    -------
    One of the processes, and the process model of each that is ours.
    """
    processes = [PartProcess(plan) for plan in plans]
    for one, other in pairwise(processes):
        getattr(one, _NEXT).connect(getattr(other, _PREVIOUS))
    for plan, process in zip(plans, processes, strict=True):
        for number in plan.sends:
            (target,) = (p for o, p in zip(plans, processes, strict=True) if number in o.receives)
            source, end = getattr(process, f"s_{number}"), getattr(target, f"a_{number}")
            if number in statics:
                between = _sparse(statics[number], end.shape[0])
                source.connect(between.s_in)
                source = between.a_out
            source.connect(end)
    models: dict[AbstractProcess, type] = {
        process: _model(plan) for plan, process in zip(plans, processes, strict=True)
    }
    return processes[0], models


def _sparse(static: Static, units: int) -> Sparse:
    """Lava's own process for a connection: its process model in floating point, in which whole numbers are exact."""
    shape, places = (units, static.units), (static.targets, static.sources)
    weights = coo_matrix((static.weights.astype(float), places), shape).tocsr()
    if not static.delays.any():
        return Sparse(weights=weights, name=static.name)
    pairs = static.targets.astype(np.int64) * static.units + static.sources
    _, first = np.unique(pairs, return_index=True)
    places = (static.targets[first], static.sources[first])
    delays = coo_matrix((static.delays[first], places), shape).tocsr()
    return DelaySparse(weights=weights, delays=delays, name=static.name)


def _model(plan: Plan) -> type:
    """The class of a part's process model, with the attributes that Lava's builder looks for."""
    sent = {f"s_{number}": port.dtype for number, port in plan.sends.items()} | {_NEXT: np.uint8}
    received = {f"a_{n}": port.dtype for n, port in plan.receives.items()} | {_PREVIOUS: np.uint8}
    attributes: dict[str, object] = {"__module__": __name__}
    attributes |= {n: LavaPyType(PyOutPort.VEC_DENSE, dtype) for n, dtype in sent.items()}
    attributes |= {n: LavaPyType(PyInPort.VEC_DENSE, dtype) for n, dtype in received.items()}
    made = requires(CPU)(tag(TAG)(type("Part", (PartModel,), attributes)))
    return implements(proc=PartProcess, protocol=LoihiProtocol)(made)
