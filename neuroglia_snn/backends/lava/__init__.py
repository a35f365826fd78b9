"""Backends ``lava`` and ``lava-messages``: the model as processes of the Lava simulator of Loihi.

For users of Lava: ``from neuroglia_snn.backends.lava import process, FHN, LiRinzel, FHNLattice, Connection,
laplacian, Frames, Winners``. They load Lava when they are asked for; the backends, when they run.
"""

from __future__ import annotations

import importlib
from typing import Any

from neuroglia_snn.backends.lava.backend import LavaBackend, LavaMessagesBackend

_PROCESSES = {
    "process": "ready",
    "FHN": "ready",
    "LiRinzel": "ready",
    "FHNLattice": "processes.lattice",
    "Connection": "processes.connection",
    "laplacian": "processes.connection",
    "Frames": "processes.frames",
    "Winners": "processes.frames",
}

__all__ = [
    "FHN",
    "Connection",
    "FHNLattice",
    "Frames",
    "LavaBackend",
    "LavaMessagesBackend",
    "LiRinzel",
    "Winners",
    "laplacian",
    "process",
]


def __getattr__(name: str) -> Any:
    if name not in _PROCESSES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from neuroglia_snn.lava import compat

    compat.prepare()  # after which Lava's own modules can be imported
    module = importlib.import_module(f"{__name__}.{_PROCESSES[name]}")
    return getattr(module, name)
