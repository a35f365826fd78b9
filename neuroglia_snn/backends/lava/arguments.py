"""What processes are made with, checked: each wrong argument is one sentence."""

from __future__ import annotations

import numbers
from collections.abc import Mapping

import numpy as np
from brian2 import Quantity

from neuroglia_snn.errors import UserError, shown
from neuroglia_snn.language.quantities import parse_quantity
from neuroglia_snn.program.prescribed import BITS, Prescribed


def whole(name: str, value: object, least: int, most: float = np.inf) -> int:
    """An argument that is a whole number between two bounds."""
    number = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not number or not least <= value <= most:  # type: ignore[operator]
        bounds = f"from {least} up" if most == np.inf else f"from {least} to {most:.0f}"
        raise UserError(f"{name} is a whole number {bounds}, not {_shown(value)}")
    return int(value)  # type: ignore[call-overload]


def positive(name: str, value: object) -> float:
    """An argument that is a finite number above 0."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 < value < np.inf:  # type: ignore[operator]
        raise UserError(f"{name} is a number above 0, not {_shown(value)}")
    return float(value)  # type: ignore[arg-type]


def lattice(shape: object) -> tuple[int, int]:
    """The shape of a lattice, (rows, columns)."""
    sides = tuple(shape) if isinstance(shape, (tuple, list, np.ndarray)) else ()
    integers = all(isinstance(n, numbers.Integral) and not isinstance(n, bool) for n in sides)
    if len(sides) != 2 or not integers or min(sides) < 1:
        raise UserError(
            f"shape is (rows, columns), two whole numbers such as (4, 4), not {_shown(shape)}"
        )
    return int(sides[0]), int(sides[1])


def shape(given: object) -> tuple[int, ...]:
    """The shape of a population: its lattice, or the number of its units."""
    sides = (given,) if isinstance(given, numbers.Integral) else given
    sides = tuple(sides) if isinstance(sides, (tuple, list, np.ndarray)) else ()
    integers = all(isinstance(n, numbers.Integral) and not isinstance(n, bool) for n in sides)
    if not sides or not integers or min(sides) < 1:
        raise UserError(
            f"shape is a whole number above 0, or some for a lattice such as (4, 4), not {_shown(given)}"
        )
    return tuple(map(int, sides))


def table(name: str, values: object, what: str) -> np.ndarray:
    """An argument that is a table of finite numbers."""
    try:
        array = np.asarray(values)
        if array.dtype == object:
            raise ValueError
        number = array.astype(float)
    except (TypeError, ValueError):
        array = number = np.zeros(0)
    if array.ndim != 2 or not array.size or not np.isfinite(number).all():
        raise UserError(f"{name} is an array of finite numbers, {what}, not {_shown(values)}")
    return array


def units(given: object) -> dict[str, float]:
    """What a count of some inputs is worth."""
    if not isinstance(given, Mapping):
        raise UserError(f"units are numbers by input, such as {{'I_app': 1}}, not {_shown(given)}")
    return {name: positive(f"the unit of '{name}'", _si(unit)) for name, unit in given.items()}


def ranges(given: object) -> dict[str, Prescribed]:
    """Between which values some variables stay, and the bits of their integers."""
    if not isinstance(given, Mapping):
        raise UserError(
            f"ranges are two numbers by variable, such as {{'v': ('-80 mV', '0 mV')}}, not {_shown(given)}"
        )
    return {name: _range(name, one) for name, one in given.items()}


def _range(name: str, given: object) -> Prescribed:
    ends = [_si(end) for end in given] if isinstance(given, (tuple, list, np.ndarray)) else []
    fits = len(ends) in (2, 3) and all(isinstance(end, numbers.Real) for end in ends)
    if not fits or not -np.inf < ends[0] < ends[1] < np.inf:  # type: ignore[operator]
        raise UserError(
            f"the range of '{name}' is (least, largest) or (least, largest, bits), not {_shown(given)}"
        )
    low, high, *bits = ends
    most = whole(f"the bits of '{name}'", bits[0], *BITS) if bits else None
    return Prescribed((float(low), float(high)), most)  # type: ignore[arg-type]


def _si(unit: object) -> object:
    """A quantity, or text with a unit, as a number in SI units."""
    if isinstance(unit, str):
        return parse_quantity(unit).si
    return float(unit) if isinstance(unit, Quantity) else unit


def whole_values(name: str, values: np.ndarray) -> np.ndarray:
    """Values for integer arithmetic, which would else be cut to whole numbers in silence."""
    if not np.array_equal(values, np.rint(values)):
        raise UserError(f"{name} are whole numbers in the fixed-point model")
    return values.astype(np.int32)


def _shown(value: object) -> str:
    return shown(repr(value), 60)
