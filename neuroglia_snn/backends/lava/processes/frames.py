"""Frames shown one after the other to a network, and the class that holds longest in each."""

from __future__ import annotations

import numpy as np

from neuroglia_snn.backends.lava import arguments
from neuroglia_snn.lava import compat

compat.prepare()

from lava.magma.core.decorator import implements, requires, tag  # noqa: E402
from lava.magma.core.model.py.model import PyLoihiProcessModel  # noqa: E402
from lava.magma.core.model.py.ports import PyInPort, PyOutPort  # noqa: E402
from lava.magma.core.model.py.type import LavaPyType  # noqa: E402
from lava.magma.core.process.ports.ports import InPort, OutPort  # noqa: E402
from lava.magma.core.process.process import AbstractProcess  # noqa: E402
from lava.magma.core.process.variable import Var  # noqa: E402
from lava.magma.core.resources import CPU  # noqa: E402
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol  # noqa: E402


class Frames(AbstractProcess):
    """Sends each frame for some steps, then the next, as graded spikes; the last one stays.

    Parameters
    ----------
    frames : array (frames, values)
        Whole numbers for the fixed-point model.
    interval : int
        Steps for which each is sent.

    Ports
    -----
    s_out : OutPort, (values,)
    """

    _runtime = None  # so that a refused one can be deleted

    def __init__(self, *, frames: np.ndarray, interval: int, name: str | None = None) -> None:
        frames = arguments.table("frames", frames, "(frames, values)")
        interval = arguments.whole("interval", interval, 1)
        super().__init__(name=name, frames=frames, interval=interval)
        self.s_out = OutPort(shape=(frames.shape[1],))


class Winners(AbstractProcess):
    """Counts how often each class has the largest input while a frame is shown.

    Parameters
    ----------
    classes, frames : int
    interval : int
        Steps that belong to a frame.
    offset : int
        Steps before the first frame's: its way through the network.
    every, first : int
        Of a frame's steps 1 to ``interval``, those after ``first`` count that are whole multiples of
        ``every`` from there.

    Ports
    -----
    a_in : InPort, (classes,)

    Vars
    ----
    counts : (frames, classes)
    """

    _runtime = None  # so that a refused one can be deleted

    def __init__(
        self,
        *,
        classes: int,
        frames: int,
        interval: int,
        offset: int = 0,
        every: int = 1,
        first: int = 0,
        name: str | None = None,
    ) -> None:
        least = {"classes": 1, "frames": 1, "interval": 1, "offset": 0, "every": 1, "first": 0}
        given = (classes, frames, interval, offset, every, first)
        for argument, value in zip(least, given, strict=True):
            arguments.whole(argument, value, least[argument])
        super().__init__(name=name, interval=interval, offset=offset, every=every, first=first)
        self.a_in = InPort(shape=(classes,))
        self.counts = Var(shape=(frames, classes), init=0)


class _FramesModel(PyLoihiProcessModel):
    number: type

    def __init__(self, proc_params) -> None:
        super().__init__(proc_params)
        frames = proc_params["frames"]
        if self.number is np.int32:
            frames = arguments.whole_values("frames", frames)
        self._frames = frames.astype(self.number)
        self._interval = proc_params["interval"]

    def run_spk(self) -> None:
        shown = (self.time_step - 1) // self._interval
        self.s_out.send(self._frames[min(shown, len(self._frames) - 1)])


@implements(proc=Frames, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyFramesFloat(_FramesModel):
    """In float64."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    number = np.float64


@implements(proc=Frames, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyFramesFixed(_FramesModel):
    """In 32-bit integers."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    number = np.int32


class _WinnersModel(PyLoihiProcessModel):
    def run_spk(self) -> None:
        scores = self.a_in.recv()
        asked = self.proc_params
        since = self.time_step - 1 - asked["offset"]
        frame, step = since // asked["interval"], since % asked["interval"] + 1 - asked["first"]
        if 0 <= frame < len(self.counts) and step > 0 and step % asked["every"] == 0:
            self.counts[frame, np.argmax(scores)] += 1


@implements(proc=Winners, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class PyWinnersFloat(_WinnersModel):
    """Of float64."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    counts: np.ndarray = LavaPyType(np.ndarray, np.int32)


@implements(proc=Winners, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyWinnersFixed(_WinnersModel):
    """Of 32-bit integers."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=32)
    counts: np.ndarray = LavaPyType(np.ndarray, np.int32)
