"""Networks of neurons and glia from one equation file, on every target.

The public interface: load and check model files, run them, use our integration schemes in Brian2.
What a name needs is imported when it is first asked for: a Brian2 script on our device needs none of it.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

__version__ = "0.2.0"

_hook_before = sys.excepthook

from neuroglia_snn.errors import UserError
from neuroglia_snn.hook import keep_hook

keep_hook(_hook_before)
del keep_hook

if TYPE_CHECKING:
    from neuroglia_snn.backends.brian.network import state_updater
    from neuroglia_snn.catalog.load import load
    from neuroglia_snn.checks import check_file
    from neuroglia_snn.exchange import export, from_brian2
    from neuroglia_snn.experiments.modulation import AstrocyteModulated as AstrocyteModulated
    from neuroglia_snn.options import Options
    from neuroglia_snn.runs import run

__all__ = [
    "Options",
    "UserError",
    "check_file",
    "export",
    "from_brian2",
    "load",
    "run",
    "state_updater",
]

#: Public names, with the module that defines each. One that needs another package (PyTorch) is not in
#: ``__all__``, so that ``import *`` works without it.
_LAZY = {
    "AstrocyteModulated": "neuroglia_snn.experiments.modulation",
    "Options": "neuroglia_snn.options",
    "check_file": "neuroglia_snn.checks",
    "export": "neuroglia_snn.exchange",
    "from_brian2": "neuroglia_snn.exchange",
    "load": "neuroglia_snn.catalog.load",
    "run": "neuroglia_snn.runs",
    "state_updater": "neuroglia_snn.backends.brian.network",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
