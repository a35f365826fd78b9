"""Backends ``lava`` and ``lava-messages``: the model as processes of the Lava simulator of Loihi.

For users of Lava: ``from neuroglia_snn.backends.lava import FHN, LiRinzel, FHNLattice, Connection,
laplacian, Frames, Winners``. They load Lava when they are asked for; the backends, when they run.
"""

from __future__ import annotations

import importlib
from typing import Any

from neuroglia_snn.backends.lava.backend import LavaBackend, LavaMessagesBackend

_PROCESSES = {
    "FHN": "fhn",
    "LiRinzel": "li_rinzel",
    "FHNLattice": "lattice",
    "Connection": "connection",
    "laplacian": "connection",
    "Frames": "frames",
    "Winners": "frames",
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
]


def __getattr__(name: str) -> Any:
    if name not in _PROCESSES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    module = importlib.import_module(f"{__name__}.processes.{_PROCESSES[name]}")
    return getattr(module, name)
