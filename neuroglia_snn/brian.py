"""The door for Brian2 scripts: importing this module registers the device ``neuroglia``.

::

    import neuroglia_snn.brian
    from brian2 import *
    set_device("neuroglia")

Every ``run()`` of the script is then done by a compiled C++ loop on Brian2's own arrays, in the same
process; ``set_device("neuroglia", target="numpy")`` takes the reference instead, which needs no
compiler and is slow. A network that holds what the loop cannot run is refused before anything runs,
in one sentence; with ``fallback=True`` it runs on Brian2's runtime, and a warning says why.
"""

from __future__ import annotations

from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.devices.device import all_devices
from brian2.input.binomial import BinomialFunction

from neuroglia_snn.emit.machine import CppMachine
from neuroglia_snn.program.code import Code
from neuroglia_snn.program.device import NeurogliaDevice, Target
from neuroglia_snn.program.reference import NumpyMachine

#: Name to the kind of code objects whose functions a target calls, and to what makes its machines.
TARGETS: dict[str, Target] = {"cpp": (Code, CppMachine), "numpy": (NumpyCodeObject, NumpyMachine)}
#: The device, which `brian2.set_device` knows as ``"neuroglia"``.
device = NeurogliaDevice(TARGETS)


def _binomial(n: int, p: float, use_normal: bool, name: str) -> tuple[tuple, dict]:
    """What a `BinomialFunction` draws, for `program.parse`."""
    return (n, p, use_normal), {}


BinomialFunction.implementations["neuroglia"] = _binomial
all_devices["neuroglia"] = device
