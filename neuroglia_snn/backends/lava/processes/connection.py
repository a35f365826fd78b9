"""Weighted connections with graded spikes."""

from __future__ import annotations

import numpy as np

from neuroglia_snn.backends.lava import arguments
from neuroglia_snn.language.geometry import lattice_neighbours
from neuroglia_snn.lava import compat

compat.prepare()

from lava.magma.core.decorator import implements, requires, tag  # noqa: E402
from lava.magma.core.model.py.model import PyLoihiProcessModel  # noqa: E402
from lava.magma.core.model.py.ports import PyInPort, PyOutPort  # noqa: E402
from lava.magma.core.model.py.type import LavaPyType  # noqa: E402
from lava.magma.core.process.ports.ports import InPort, OutPort  # noqa: E402
from lava.magma.core.process.process import AbstractProcess  # noqa: E402
from lava.magma.core.resources import CPU  # noqa: E402
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol  # noqa: E402
from scipy.sparse import csr_matrix, sparray, spmatrix  # noqa: E402


class Connection(AbstractProcess):
    """Sparse connections with graded spikes: ``a_out = weights * s_in``, one step later.

    With a ``period``, only the steps before every so many are sent on: both ends then exchange messages
    in these steps alone.

    As Lava's ``Sparse`` with ``num_message_bits``, without its learning and without its scaling of
    weights: integer weights are used as they are, no bit is dropped.

    Parameters
    ----------
    weights : scipy.sparse matrix or array, (target units, source units)
        Whole numbers in the fixed-point model, which sends the sum as it is.
    denominator : number
        What the floating-point model divides the sum by.
    period : int
        ``a_out`` sends in steps 0, period, 2 period ..., ``s_in`` receives in the step before each.

    Ports
    -----
    s_in : InPort, (source units,)
    a_out : OutPort, (target units,)
    """

    _runtime = None  # so that a refused one can be deleted

    def __init__(
        self,
        *,
        weights: spmatrix | np.ndarray,
        denominator: float = 1,
        period: int = 1,
        name: str | None = None,
    ) -> None:
        if not isinstance(weights, spmatrix | sparray):
            weights = arguments.table("weights", weights, "(target units, source units)")
        matrix = csr_matrix(weights)
        super().__init__(
            name=name,
            weights=matrix,
            denominator=arguments.positive("denominator", denominator),
            period=arguments.whole("period", period, 1),
        )
        self.s_in = InPort(shape=(matrix.shape[1],))
        self.a_out = OutPort(shape=(matrix.shape[0],))


def laplacian(shape: tuple[int, int], name: str | None = None) -> Connection:
    """The mean over a unit's 2 to 4 neighbours on a lattice, less its own value, as one connection.

    Connections are one step late; were only the neighbours' mean sent, it would meet an own value of
    another step, and the error would be of the size of the coupling. The weights are even, so that
    Lava's ``Sparse`` with the same weights drops no bit of them.
    """
    shape = arguments.lattice(shape)
    index = lattice_neighbours(shape)
    slot, unit = np.nonzero(index >= 0)
    own = np.arange(shape[0] * shape[1])
    shares = 24 // (index >= 0).sum(axis=0)
    values = np.concatenate([shares[unit], np.full(own.size, -24)])
    places = (np.concatenate([unit, own]), np.concatenate([index[slot, unit], own]))
    weights = csr_matrix((values, places), shape=(own.size, own.size))
    return Connection(weights=weights, denominator=24, name=name)


class _ConnectionModel(PyLoihiProcessModel):
    """Sends what arrived in the step before: a loop of connections never waits for itself."""

    number: type

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        weights, below = proc_params["weights"], proc_params["denominator"]
        if self.number is np.int32:
            arguments.whole_values("weights", weights.data)
            self._weights = weights.astype(self.number)
        else:
            self._weights = weights / below
        self._sum = np.zeros(self._weights.shape[0], self.number)
        self._period = proc_params["period"]

    def run_spk(self) -> None:
        if (self.time_step - 1) % self._period == 0:
            self.a_out.send(self._sum)
        if self.time_step % self._period == 0:
            self._sum = self._weights @ self.s_in.recv()


@implements(proc=Connection, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyConnectionFloat(_ConnectionModel):
    """In float64."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    number = np.float64


@implements(proc=Connection, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyConnectionFixed(_ConnectionModel):
    """In 32-bit integers."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=32)
    number = np.int32
