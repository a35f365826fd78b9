"""Networks of neurons and glia from one equation file, on every target.

The public interface: load, check, run and compare models, sweep over them, add measures, figures and
experiments. What a name needs is imported when it is first asked for: a Brian2 script on our device needs
none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from neuroglia_snn import hook
from neuroglia_snn.errors import UserError

__version__ = "0.3.0"

if TYPE_CHECKING:
    from neuroglia_snn.api import check, diff, doctor, map, report, reproduce, run, sweep
    from neuroglia_snn.backends.brian.network import state_updater
    from neuroglia_snn.exchange import export, from_brian2, from_nir
    from neuroglia_snn.experiments import Experiment, experiment, figure, measure
    from neuroglia_snn.model import Model, load
    from neuroglia_snn.results import Result

__all__ = [
    "Experiment",
    "Model",
    "Result",
    "UserError",
    "check",
    "diff",
    "doctor",
    "experiment",
    "export",
    "figure",
    "from_brian2",
    "from_nir",
    "load",
    "map",
    "measure",
    "report",
    "reproduce",
    "run",
    "state_updater",
    "sweep",
]

#: Public names, with the module that defines each.
_LAZY = {
    **dict.fromkeys(
        ("check", "diff", "doctor", "map", "report", "reproduce", "run", "sweep"),
        "neuroglia_snn.api",
    ),
    **dict.fromkeys(("export", "from_brian2", "from_nir"), "neuroglia_snn.exchange"),
    **dict.fromkeys(("Experiment", "experiment", "figure", "measure"), "neuroglia_snn.experiments"),
    **dict.fromkeys(("Model", "load"), "neuroglia_snn.model"),
    "Result": "neuroglia_snn.results",
    "state_updater": "neuroglia_snn.backends.brian.network",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        with hook.kept():
            return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
