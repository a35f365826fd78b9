"""What a user says of the integers of variables, for a run in fixed point."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from brian2.units.fundamentalunits import Dimension, get_dimensions

from neuroglia_snn.errors import UserError


@dataclass(frozen=True)
class Prescribed:
    """What a user says of a variable.

    Attributes
    ----------
    range : least and largest value in SI units, or None
    bits : of its integer, or None
    stochastic : whether its steps are rounded at random
    format : of its integer (`fixedpoint.formats.Format`), that of a message from outside; without a range, the
        variable has all of the format's
    """

    range: tuple[float, float] | None = None
    bits: int | None = None
    stochastic: bool = False
    format: Any = None
    dimensions: Dimension | None = None


#: By the name of the group in Brian2, and of the variable.
Prescriptions = Mapping[tuple[str, str], Prescribed]

#: Fewest and most bits of a variable.
BITS = (4, 24)


def of_script(ranges: Any) -> dict[tuple[str, str], Prescribed]:
    """The option ``ranges`` of `set_device`: ``{"group.variable": (low, high)}``, or with bits as third.

    Raises
    ------
    UserError
    """
    if not isinstance(ranges, Mapping):
        raise _wrong(f"ranges={ranges!r}")
    return dict(_one(name, given) for name, given in ranges.items())


def _one(name: Any, given: Any) -> tuple[tuple[str, str], Prescribed]:
    group, dot, variable = str(name).partition(".")
    try:
        low, high, *bits = given
        least, most = float(low), float(high)
        kinds = {get_dimensions(end) for end in (low, high)}
    except (TypeError, ValueError):
        raise _wrong(f"ranges[{name!r}] is {given!r}") from None
    whole = all(isinstance(b, int) and BITS[0] <= b <= BITS[1] for b in bits) and len(bits) < 2
    finite = math.isfinite(least) and math.isfinite(most) and len(kinds) == 1
    if not (dot and variable and finite and least < most and whole):
        raise _wrong(f"ranges[{name!r}] is {given!r}")
    made = Prescribed((least, most), bits[0] if bits else None, dimensions=kinds.pop())
    return (group, variable), made


def require_known(prescribed: Prescriptions, arrays: Iterable[Any]) -> None:
    """Refuse what a script says of a variable that its network does not have, or in other units.

    Raises
    ------
    UserError
    """
    known = {
        (getattr(a.variable.owner, "name", ""), a.variable.name): a.variable.dim
        for a in arrays
        if a.dtype.kind == "f" and not a.scalar
    }
    for (group, variable), said in prescribed.items():
        if said.dimensions is None:
            continue
        name = f"{group}.{variable}"
        if (group, variable) not in known:
            there = ", ".join(sorted(".".join(k) for k in known if k[0])[:8])
            raise UserError(f"ranges: the network has no variable '{name}' (it has {there})")
        if said.dimensions != known[group, variable]:
            raise UserError(f"ranges: the range of '{name}' is in other units than the variable")


def _wrong(what: str) -> UserError:
    return UserError(
        f"set_device('neuroglia', ...): {what}; ranges are {{'group.variable': (low, high)}}, or"
        f" (low, high, bits) with {BITS[0]} to {BITS[1]} bits, low below high, in the variable's units"
    )
