"""A lattice of coupled FitzHugh-Nagumo neurons."""

from __future__ import annotations

from neuroglia_snn.backends.lava import arguments
from neuroglia_snn.backends.lava.processes.connection import laplacian
from neuroglia_snn.backends.lava.ready import FHN
from neuroglia_snn.lava import compat

compat.prepare()

from lava.magma.core.decorator import implements, requires  # noqa: E402
from lava.magma.core.model.sub.model import AbstractSubProcessModel  # noqa: E402
from lava.magma.core.process.ports.ports import InPort, OutPort  # noqa: E402
from lava.magma.core.process.process import AbstractProcess  # noqa: E402
from lava.magma.core.process.variable import Var  # noqa: E402


class FHNLattice(AbstractProcess):
    """`FHN` neurons that are coupled to their four neighbours through two `laplacian` connections.

    A hierarchical process: run it with any run configuration that selects its sub-processes' models.

    Parameters
    ----------
    shape : (rows, columns)
    **parameters
        As of `FHN`.

    Ports
    -----
    a_I_app, a_I_astro : InPort
    s_out : OutPort

    Vars
    ----
    U, V : of the neurons
    """

    _runtime = None  # so that a refused one can be deleted

    def __init__(self, *, shape: tuple[int, int], name: str | None = None, **parameters) -> None:
        shape = arguments.lattice(shape)
        super().__init__(name=name, shape=shape, parameters=parameters)
        size = shape[0] * shape[1]
        self.a_I_app = InPort(shape=(size,))
        self.a_I_astro = InPort(shape=(size,))
        self.s_out = OutPort(shape=(size,))
        self.U = Var(shape=(size,), init=0)
        self.V = Var(shape=(size,), init=0)


@implements(proc=FHNLattice)
@requires()
class SubFHNLattice(AbstractSubProcessModel):
    """The neurons and a connection for each of the two variables."""

    def __init__(self, proc: FHNLattice) -> None:
        shape, parameters = proc.proc_params["shape"], proc.proc_params["parameters"]
        self.neurons = FHN(shape=shape, **parameters)
        self.coupling_U, self.coupling_V = laplacian(shape), laplacian(shape)
        self.neurons.s_U.connect(self.coupling_U.s_in)
        self.coupling_U.a_out.connect(self.neurons.a_L_U)
        self.neurons.s_V.connect(self.coupling_V.s_in)
        self.coupling_V.a_out.connect(self.neurons.a_L_V)
        proc.a_I_app.connect(self.neurons.a_I_app)
        proc.a_I_astro.connect(self.neurons.a_I_astro)
        self.neurons.s_out.connect(proc.s_out)
        proc.U.alias(self.neurons.U)
        proc.V.alias(self.neurons.V)
