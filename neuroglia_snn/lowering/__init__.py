"""Models as plain operations: what fixed point, generated loops and Lava processes are made from."""

from __future__ import annotations

from neuroglia_snn.lowering.model import lower, reason
from neuroglia_snn.lowering.operations import Population, Program

__all__ = ["Population", "Program", "lower", "reason"]
