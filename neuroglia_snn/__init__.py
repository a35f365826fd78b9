"""Networks of neurons and glia from one equation file, on every target.

The public interface: load and check model files, run them, use our integration schemes in Brian2.
"""

from __future__ import annotations

__version__ = "0.1.0"

from neuroglia_snn.backends.brian.network import state_updater
from neuroglia_snn.catalog.load import load
from neuroglia_snn.checks import check_file
from neuroglia_snn.errors import UserError
from neuroglia_snn.options import Options
from neuroglia_snn.run import run

__all__ = ["Options", "UserError", "check_file", "load", "run", "state_updater"]
