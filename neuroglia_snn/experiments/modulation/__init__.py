"""Artificial astrocytes that modulate a trained network while it looks at an image (ANAN).

Source: Ribas-Rodriguez, Aguiar-Pulido, Cedron, "Training-Free Approach of Convolutional Neural
Networks with Astrocyte-Inspired Architectures", eqs 1-3. The one package of `experiments` that needs
PyTorch.
"""

from __future__ import annotations

from neuroglia_snn.errors import BackendError

try:
    import torch  # noqa: F401
except ImportError:
    raise BackendError(
        "modulated networks need PyTorch: pip install 'neuroglia_snn[torch]'"
    ) from None

from neuroglia_snn.experiments.modulation.module import AstrocyteModulated

__all__ = ["AstrocyteModulated"]
