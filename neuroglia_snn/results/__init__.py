"""Results: in memory, as figures, and in a folder with ``summary.json``, ``data.nc`` and figures."""

from __future__ import annotations

from neuroglia_snn.results.dataset import dataset, display_unit
from neuroglia_snn.results.folder import (
    CONTROL,
    DATA,
    REPORT,
    SUMMARY,
    dumps,
    make_folder,
    prepare,
    write_dataset,
    write_summary,
)
from neuroglia_snn.results.result import Result
from neuroglia_snn.results.written import Temporary, Written

__all__ = [
    "CONTROL",
    "DATA",
    "REPORT",
    "SUMMARY",
    "Result",
    "Temporary",
    "Written",
    "dataset",
    "display_unit",
    "dumps",
    "make_folder",
    "prepare",
    "write_dataset",
    "write_summary",
]
