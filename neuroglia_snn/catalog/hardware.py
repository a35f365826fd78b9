"""Hardware files: what a chip offers, each number with its source and how far to trust it."""

from __future__ import annotations

from pathlib import Path

from neuroglia_snn import spec
from neuroglia_snn.catalog import files
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.catalog.source import read
from neuroglia_snn.errors import CatalogError, printable, shown

#: Facts that a file gives; all of them, if only as unknown.
NUMBERS = (
    "cores_per_chip",
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
KEYS = ("neuron_model", *NUMBERS)
#: Without these there is nothing to place on.
REQUIRED = ("neuron_model", "cores_per_chip", "neurons_per_core")
CONFIDENCES = ("high", "medium", "low")
UNKNOWN = "unknown"


def load(name_or_path: str) -> spec.Hardware:
    """A hardware file by catalogue name or path.

    Raises
    ------
    ModelError
        If it cannot be read or is not TOML.
    CatalogError
        If there is none, or an entry lacks its value, source or confidence.
    """
    given = Path(name_or_path)
    path = given if given.suffix == ".toml" else files.find("hardware", name_or_path)
    table = read(path, "hardware").tables.get("hardware")
    if not isinstance(table, dict):
        raise CatalogError(f"{path}: has no [hardware] table")
    for key in table:
        if key not in (*KEYS, "title"):
            raise CatalogError(f"{path}: unknown entry '{shown(key)}'{nearest(key, KEYS)}")
    entries = {key: _entry(path, key, table) for key in KEYS}
    for key in REQUIRED:
        if entries[key].value is None:
            raise CatalogError(f"{path}: '{key}' must be known")
    return spec.Hardware(shown(path.stem), printable(str(table.get("title", path.stem))), entries)


def _entry(path: Path, key: str, table: dict) -> spec.Entry:
    given = table.get(key, {"value": UNKNOWN})
    if not isinstance(given, dict) or "value" not in given:
        raise CatalogError(
            f'{path}: \'{key}\' must be {{ value = ..., source = "...", confidence = "..." }}'
        )
    value = given["value"]
    if value == UNKNOWN:
        return spec.Entry(None)
    least = 0 if key in MAY_BE_ZERO else 1
    most = MOST_CORES if key == "cores_per_chip" else MOST
    whole = type(value) is int and least <= value <= most
    if not (whole if key in NUMBERS else isinstance(value, str)):
        number = f"a whole number of at least {least} and at most {most}"
        kind = number + ("" if key in REQUIRED else ' or "unknown"') if key in NUMBERS else "text"
        raise CatalogError(f"{path}: '{key}' must be {kind}, not {shown(repr(value))}")
    if not given.get("source") or given.get("confidence") not in CONFIDENCES:
        raise CatalogError(
            f"{path}: '{key}' needs a source and a confidence ({', '.join(CONFIDENCES)})"
        )
    value = printable(value) if isinstance(value, str) else value
    return spec.Entry(value, printable(str(given["source"])), given["confidence"])
