"""Artificial astrocytes that modulate a trained network while it looks at an image (ANAN).

Paper: Ribas-Rodriguez, Aguiar-Pulido, Cedron, "Training-Free Approach of Convolutional Neural Networks
with Astrocyte-Inspired Architectures". `AstrocyteModulated` is a PyTorch module; it needs the extra
``torch``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroglia_snn.errors import BackendError

if TYPE_CHECKING:
    from neuroglia_snn.papers.anan.module import AstrocyteModulated

__all__ = ["AstrocyteModulated"]


def __getattr__(name: str) -> object:
    if name == "AstrocyteModulated":
        require_torch()
        from neuroglia_snn.papers.anan.module import AstrocyteModulated

        return AstrocyteModulated
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def require_torch() -> None:
    """Say what to install where PyTorch is missing.

    Raises
    ------
    BackendError
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise BackendError(
            "modulated networks need PyTorch: pip install 'neuroglia_snn[torch]'"
        ) from None
