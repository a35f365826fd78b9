"""Hardware files: what a chip offers, each number with its source and how far to trust it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from neuroglia_snn import spec
from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.catalog.source import Document, read
from neuroglia_snn.errors import CatalogError, printable, shown

#: Whole numbers that a file gives; all of them, if only as unknown.
NUMBERS = (
    "cores_per_chip",
    "cores_per_tile",
    "mesh_columns",
    "mesh_rows",
    "embedded_processors",
    "neurons_per_core",
    "in_axons_per_core",
    "out_axons_per_core",
    "synapse_bits_per_core",
    "core_memory_bytes",
    "state_bytes_per_neuron",
    "weight_bits",
    "state_bits",
    "payload_bits",
    "max_delay_steps",
)
#: What a chip may have none of; 0 of anything else would leave nothing to place on.
MAY_BE_ZERO = ("embedded_processors", "payload_bits", "max_delay_steps")
#: Largest number of a file; and of cores, which are drawn one by one.
MOST, MOST_CORES = 10**12, 10_000
TEXTS = ("neuron_model", "synapse_formats", "learning")
KEYS = (*TEXTS, *NUMBERS)
#: How many chips there are: of a system, not of a chip, so a file need not say it.
CHIPS = "chips"
#: Without these there is nothing to place on.
REQUIRED = ("neuron_model", "cores_per_chip", "neurons_per_core")
#: Formats in which synapses can be stored.
FORMATS = ("dense", "sparse", "shared")
#: What an event costs: in pJ (``[energy]``), and in ns (``[time]``).
EVENTS = (
    "neuron_active",
    "neuron_inactive",
    "spike_out",
    "message_out",
    "message_in",
    "hop_east_west",
    "hop_north_south",
    "synaptic_event",
    "synaptic_update",
)
BARRIERS = ("barrier_one_tile", "barrier_all_tiles")
COSTS = {"energy": EVENTS, "time": (*EVENTS, *BARRIERS)}
#: The unit of each table of costs, in SI units.
UNITS = {"energy": 1e-12, "time": 1e-9}
MOST_COST = 1e9
CONFIDENCES = ("high", "medium", "low")
UNKNOWN = "unknown"


def locate(name_or_path: str) -> Path:
    """The file of a catalogue name or of a path, which ends in ``.toml``.

    Raises
    ------
    CatalogError
        If the catalogue has none of this name.
    """
    given = Path(name_or_path)
    return given if given.suffix == ".toml" else files.find("hardware", name_or_path)


def load(name_or_path: str) -> spec.Hardware:
    """A hardware file by catalogue name or path.

    Raises
    ------
    ModelError
        If it cannot be read or is not TOML.
    CatalogError
        If there is none, or with every fault that the file has, one line each.
    """
    path = locate(name_or_path)
    file = _File(path)
    file.check_tables()
    entries = file.entries("hardware", KEYS)
    if CHIPS in file.table("hardware"):
        entries |= file.entries("hardware", (CHIPS,))
    for key in REQUIRED:
        if key in entries and entries[key].value is None:
            file.fault(f"'{key}' must be known", "hardware", key)
    costs = {
        f"{table}.{key}": entry
        for table, keys in COSTS.items()
        for key, entry in file.entries(table, keys).items()
    }
    if file.faults:
        raise CatalogError("\n".join(dict.fromkeys(file.faults)))
    title = file.table("hardware").get("title", path.stem)
    return spec.Hardware(shown(path.stem), printable(str(title)), entries, costs)


class _File:
    """The tables of a hardware file, and what is wrong with it."""

    def __init__(self, path: Path) -> None:
        source = read(path, "hardware")
        self._document, self._tables = Document([source], source.tables), source.tables
        self.faults: list[str] = []

    def fault(self, message: str, *where: str) -> None:
        """Take note of something to mend."""
        self.faults.append(f"{self._document.where(*where)}: {message}")

    def table(self, name: str) -> dict[str, Any]:
        """A table; an empty one where it is none."""
        found = self._tables.get(name, {})
        return found if isinstance(found, dict) else {}

    def check_tables(self) -> None:
        """Find what is no table or entry of a hardware file."""
        known = {"hardware": (*KEYS, CHIPS, "title"), **COSTS}
        if not isinstance(self._tables.get("hardware"), dict):
            self.fault("has no [hardware] table")
        for name, table in self._tables.items():
            if name not in known:
                self.fault(f"unknown table '{shown(name)}'{nearest(name, known)}", name)
            elif not isinstance(table, dict):
                self.fault(f"'{name}' must be a table: [{name}]", name)
            else:
                for key in table:
                    if key not in known[name]:
                        near = nearest(key, known[name])
                        self.fault(f"unknown entry '{shown(key)}'{near}", name, key)

    def entries(self, table: str, keys: tuple[str, ...]) -> dict[str, spec.Entry]:
        """The entries of a table that are right; what is wrong with the others is taken note of."""
        entries = {}
        for key in keys:
            given = self.table(table).get(key, {"value": UNKNOWN})
            reason = _wrong(table, key, given)
            if reason:
                self.fault(f"'{key}' {reason}", table, key)
            else:
                entries[key] = _entry(given)
        return entries


def _entry(given: dict[str, Any]) -> spec.Entry:
    value = given["value"]
    if value == UNKNOWN:
        return spec.Entry(None)
    value = printable(value) if isinstance(value, str) else value
    return spec.Entry(value, printable(str(given["source"])), given["confidence"])


def _wrong(table: str, key: str, given: Any) -> str | None:
    """What is wrong with an entry, if anything is."""
    if not isinstance(given, dict) or "value" not in given:
        return 'must be { value = ..., source = "...", confidence = "..." }'
    value = given["value"]
    if value == UNKNOWN:
        return None
    reason = _wrong_cost(value) if table in COSTS else _wrong_value(key, value)
    if reason:
        return reason
    if not given.get("source") or given.get("confidence") not in CONFIDENCES:
        return f"needs a source and a confidence ({', '.join(CONFIDENCES)})"
    return None


def _wrong_cost(value: Any) -> str | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and math.isfinite(value) and 0 <= value <= MOST_COST:
        return None
    return (
        f'must be a number of at least 0 and at most {MOST_COST:g} or "unknown",'
        f" not {shown(repr(value))}"
    )


def _wrong_value(key: str, value: Any) -> str | None:
    if key not in (*NUMBERS, CHIPS):
        if not isinstance(value, str):
            return f"must be text, not {shown(repr(value))}"
        if key == "synapse_formats" and not formats_of(value) <= set(FORMATS):
            return f"must be some of {', '.join(FORMATS)}, not {shown(repr(value))}"
        return None
    least = 0 if key in MAY_BE_ZERO else 1
    most = MOST_CORES if key == "cores_per_chip" else MOST
    if type(value) is int and least <= value <= most:
        return None
    unknown = "" if key in REQUIRED else ' or "unknown"'
    return (
        f"must be a whole number of at least {least} and at most {most}{unknown},"
        f" not {shown(repr(value))}"
    )


def formats_of(text: str) -> set[str]:
    """The synapse formats that an entry names, ``"dense, sparse"``."""
    return {word.strip() for word in text.split(",")}
