"""Populations of model files as PyTorch layers, for networks that learn.

`Neuron` is one population as a layer with snnTorch's conventions, `reset` puts the layers of a
network back to their start; `System` is the bare equations on tensors. Everything here needs the extra ``torch``.
"""

from __future__ import annotations

from neuroglia_snn.errors import BackendError

try:
    import snntorch  # noqa: F401
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    raise BackendError(
        f"layers need the package '{error.name}': pip install 'neuroglia_snn[torch]'"
    ) from None

from neuroglia_snn.backends.torch.neuron import Neuron, reset
from neuroglia_snn.backends.torch.system import System

__all__ = ["Neuron", "System", "reset"]
