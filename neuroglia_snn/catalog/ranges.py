"""Between which values the variables of units and of synapses stay: the basis of fixed-point formats."""

from __future__ import annotations

from neuroglia_snn import spec
from neuroglia_snn.catalog import fields
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.language.equations import parse

#: Narrowest and widest state of a fixed-point format.
MIN_BITS, MAX_BITS = 4, 24
ROUNDINGS = ("nearest", "stochastic")


def ranges(document: Document, section: str, owner: str) -> dict[str, spec.Range]:
    """``range = { V = ["-80 mV", "40 mV"] }``, or with the bits of its fixed-point format as third.

    Fourth may stand how its steps are rounded: ``"nearest"`` or ``"stochastic"``. ``section`` is
    ``population`` or ``projection``, ``owner`` the name of one.
    """
    table, where = document.tables[section][owner], (section, owner)
    if "range" not in table:
        return {}
    try:
        own = parse(table.get("equations", ""))
    except UserError:
        return {}  # the checks say what is wrong with the equations
    result = {}
    for name, given in table["range"].items():
        at = (*where, "range", name)
        if name not in own or own[name].kind == "subexpression":
            raise document.error(
                f"'range.{name}': no variable to give a range{nearest(name, own)}", *at
            )
        if not isinstance(given, list) or len(given) not in (2, 3, 4):
            raise document.error(
                f"'range.{name}' is [low, high], [low, high, bits] or [low, high, bits, rounding], not"
                f" {shown(repr(given))}",
                *at,
            )
        low, high = (fields.amount(document, v, own[name].dimensions, *at).si for v in given[:2])
        bits = given[2] if len(given) > 2 else None
        rounding = given[3] if len(given) > 3 else ROUNDINGS[0]
        if not low < high:
            raise document.error(f"'range.{name}': {given[0]} is not below {given[1]}", *at)
        if bits is not None and not (type(bits) is int and MIN_BITS <= bits <= MAX_BITS):
            raise document.error(
                f"'range.{name}': bits are a whole number from {MIN_BITS} to {MAX_BITS}, not {bits!r}",
                *at,
            )
        if rounding not in ROUNDINGS:
            raise document.error(
                f"'range.{name}': the rounding is {' or '.join(ROUNDINGS)}, not {shown(repr(rounding))}"
                f"{nearest(str(rounding), ROUNDINGS)}",
                *at,
            )
        result[name] = spec.Range(low, high, bits, rounding == "stochastic")
    return result
