"""Networks of neurons and glia from one equation file, on every target.

The public interface: load and check model files, run them, use our integration schemes in Brian2.
What needs PyTorch (`AstrocyteModulated`) is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

__version__ = "0.2.0"

_hook_before = sys.excepthook

from neuroglia_snn.backends.brian.network import state_updater
from neuroglia_snn.backends.brian.quiet import keep_hook
from neuroglia_snn.catalog.load import load
from neuroglia_snn.checks import check_file
from neuroglia_snn.errors import UserError
from neuroglia_snn.options import Options
from neuroglia_snn.run import run

keep_hook(_hook_before)
del keep_hook

if TYPE_CHECKING:
    from neuroglia_snn.experiments.modulation import AstrocyteModulated as AstrocyteModulated

__all__ = ["Options", "UserError", "check_file", "load", "run", "state_updater"]

#: Public too, with the module that defines it; not in ``__all__``, so that ``import *`` works without
#: the packages that these need.
_LAZY = {"AstrocyteModulated": "neuroglia_snn.experiments.modulation"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
