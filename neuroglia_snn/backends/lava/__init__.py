"""Backends ``lava`` and ``lava-messages``: the model as processes of the Lava simulator of Loihi.

For users of Lava: ``from neuroglia_snn.backends.lava import FHN, LiRinzel, ...``.
"""

from __future__ import annotations

from neuroglia_snn.backends.lava.backend import LavaBackend, LavaMessagesBackend

__all__ = ["LavaBackend", "LavaMessagesBackend"]
