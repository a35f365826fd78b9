"""The door for Brian2 scripts: importing this module registers the device ``neuroglia``.

::

    import neuroglia_snn.brian
    from brian2 import *
    set_device("neuroglia")

Every ``run()`` of the script is then done by a compiled C++ loop on Brian2's own arrays, in the same
process; ``set_device("neuroglia", target="numpy")`` takes the reference instead, which needs no
compiler and is slow, ``target="cuda"`` runs it on a GPU, ``target="lava"`` runs each population in a process of Lava, and
``target="lava-messages"`` each connection, too. A network that holds what the loop cannot run is refused before anything runs,
in one sentence; with ``fallback=True`` it runs on Brian2's runtime, and a warning says why.
"""

from __future__ import annotations

from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.devices.device import all_devices
from brian2.input.binomial import BinomialFunction

from neuroglia_snn.emit.machine import CppMachine
from neuroglia_snn.fixedpoint.machine import FixedMachine
from neuroglia_snn.fixedpoint.rehearsal import Make
from neuroglia_snn.program.code import Code, CudaCode
from neuroglia_snn.program.device import NeurogliaDevice, Target
from neuroglia_snn.program.machine import Machine, Setting
from neuroglia_snn.program.messages import held
from neuroglia_snn.program.prescribed import Prescriptions
from neuroglia_snn.program.program import Program
from neuroglia_snn.program.reference import NumpyMachine


def _on_a_gpu(program: Program, setting: Setting) -> Machine:
    from neuroglia_snn.emit.cuda.machine import CudaMachine  # only where it is asked for

    return CudaMachine(program, setting)


def _on_lava(program: Program, setting: Setting) -> Machine:
    from neuroglia_snn.lava.machine import LavaMachine  # only where it is asked for

    return LavaMachine(program, setting)


def _with_messages(program: Program, setting: Setting) -> Machine:
    from neuroglia_snn.lava.machine import LavaMachine

    return LavaMachine(program, setting, messages=True)


#: Name to the kind of code objects whose functions a target calls, and to what makes its machines.
TARGETS: dict[str, Target] = {
    "cpp": (Code, CppMachine),
    "cuda": (CudaCode, _on_a_gpu),
    "numpy": (NumpyCodeObject, NumpyMachine),
    "lava": (Code, _on_lava),
    "lava-messages": (Code, _with_messages),
}


def fixed(program: Program, setting: Setting, make: Make, prescribed: Prescriptions) -> Machine:
    """The machine for precision ``"fixed"``; Lava's networks are rehearsed on the compiled loop."""
    rehearse = CppMachine if make in (_on_lava, _with_messages) else make
    if make is _with_messages:
        program = held(program)
    return FixedMachine(program, setting, make, prescribed, rehearse)


#: The device, which `brian2.set_device` knows as ``"neuroglia"``.
device = NeurogliaDevice(TARGETS, fixed)


def _binomial(n: int, p: float, use_normal: bool, name: str) -> tuple[tuple, dict]:
    """What a `BinomialFunction` draws, for `program.parse`."""
    return (n, p, use_normal), {}


BinomialFunction.implementations["neuroglia"] = _binomial
all_devices["neuroglia"] = device
