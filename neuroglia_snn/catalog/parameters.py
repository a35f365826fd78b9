"""Parameters of a model file, which may be worked out from each other, and numbers that follow from them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from neuroglia_snn import spec
from neuroglia_snn.catalog import fields
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import UserError, printable, shown
from neuroglia_snn.language import algebra, equations, expressions
from neuroglia_snn.language.quantities import (
    UNITS,
    Amount,
    as_expression,
    parse_quantity,
    unit_name,
)

#: Functions that a value may be worked out with: of no time and no chance.
_FUNCTIONS = expressions.FUNCTIONS.keys() & (
    expressions.NUMERIC.keys() - expressions.RANDOM - {"timestep"}
)


#: Most parameters that are worked out from each other before one is known.
_DEEPEST = 100


class Parameters:
    """The parameters of a document.

    ``read`` are those that values, sizes and parts are made of, ``used`` also those that phases name.
    """

    def __init__(self, document: Document):
        self._document = document
        self._tables = {
            name: table if isinstance(table, dict) else {"value": table}
            for name, table in document.tables.get("parameters", {}).items()
        }
        self._values: dict[str, Amount] = {}
        self.read: set[str] = set()
        self.used: set[str] = set()
        for name in self._tables:
            self._value(name, ())

    def all(self) -> dict[str, spec.Parameter]:
        """Every parameter, within its limits."""
        return {name: self._parameter(name) for name in self._tables}

    def another(self, name: str, given: object, label: str, *path: str) -> spec.Parameter:
        """A parameter with another value, of its unit and within its limits; ``label`` is its in messages.

        Raises
        ------
        ModelError
        """
        read = set(self.read)
        found = self._worked_out(given, label, path, ())
        self.read = read
        if found.dimensions is not self._values[name].dimensions:
            raise self._document.error(
                f"{label} = {shown(given)} is in '{unit_name(found.dimensions)}', the parameter in"
                f" '{unit_name(self._values[name].dimensions)}'",
                *path,
            )
        self._require_within(name, found, str(given), label, *path)
        return spec.Parameter(found, " ".join(str(given).split()))

    def whole(self, given: object, *path: str) -> int:
        """A whole number, or an expression of parameters that has one as its value.

        Raises
        ------
        ModelError
        """
        if type(given) is int:
            return given
        text = str(given)
        found = self._worked_out(text, f"'{path[-1]}'", path, ())
        if not found.dimensions.is_dimensionless or abs(found.si - round(found.si)) > 1e-9:
            unit = unit_name(found.dimensions)
            value = f"{found.si:g}" + ("" if unit == "1" else f" {unit}")
            raise self._document.error(
                f"'{path[-1]}' = {shown(text)} is {value}, not a whole number",
                *self.origin(text, *path),
            )
        return round(found.si)

    def origin(self, given: object, *path: str) -> tuple[str, ...]:
        """Where a value stands that something at ``path`` has: at the setting that it follows from, if any."""
        pending, seen = [str(given)], set[str]()
        while pending:
            try:
                named = algebra.names(expressions.canonical(pending.pop())) & self._tables.keys()
            except UserError:  # a quantity
                continue
            for name in sorted(named - seen):
                seen.add(name)
                if self._document.is_set("parameters", name):
                    return ("parameters", name)
                pending.append(str(self._tables[name]["value"]))
        return path

    def indices(self, given: object, count: int, below: int, *path: str) -> tuple[int, ...]:
        """Whole numbers from 0 to ``below`` that an expression of parameters gives for i from 0 on.

        Raises
        ------
        ModelError
        """
        text = str(given)
        try:
            text = expressions.canonical(text)
            used = algebra.names(text) & self._tables.keys()
            values: dict[str, object] = {n: self._value(n, ()).si for n in used}
            found = expressions.of_arrays(text, {**values, "i": np.arange(count)})
        except UserError as error:
            raise self._document.error(str(error), *path) from None
        self.read |= used
        self.used |= used
        numbers = np.broadcast_to(np.asarray(np.nan if found is None else found, float), count)
        if not ((numbers % 1 == 0) & (numbers >= 0) & (numbers < below)).all():
            raise self._document.error(
                f"index = '{shown(text)}' gives each unit i a whole number from 0 to {below - 1}",
                *path,
            )
        return tuple(numbers.astype(int).tolist())

    def amount(self, given: object, *path: str) -> Amount:
        """A quantity, or the value of an expression of parameters.

        Raises
        ------
        ModelError
        """
        return self._worked_out(given, f"'{path[-1]}'", path, ())

    def _value(self, name: str, pending: tuple[str, ...]) -> Amount:
        if name not in self._values:
            path = ("parameters", name)
            if "value" not in self._tables[name]:
                raise self._document.error(f"parameter '{name}' has no 'value'", *path)
            if len(pending) > _DEEPEST:
                raise self._document.error(
                    f"parameter '{name}' ends a chain of over {_DEEPEST}, each worked out from the next one:"
                    " state those that others are made of first",
                    *path,
                )
            if name in pending:
                circle = " -> ".join((*pending[pending.index(name) :], name))
                raise self._document.error(f"parameters define each other: {circle}", *path)
            given = self._tables[name]["value"]
            label = f"parameter '{name}'"
            self._values[name] = self._worked_out(given, label, path, (*pending, name))
        return self._values[name]

    def _worked_out(
        self, given: object, label: str, path: tuple[str, ...], pending: tuple[str, ...]
    ) -> Amount:
        """A quantity, or the value of an expression of parameters, units and functions."""
        document = self._document
        if not isinstance(given, str):
            return fields.amount(document, given, None, *path)
        try:
            named = algebra.names(expressions.canonical(given)) - UNITS.keys()
        except UserError:
            named = frozenset()
        if not named & (self._tables.keys() | _FUNCTIONS):
            unknown = sorted(named - expressions.CONSTANTS.keys() - {"s"})
            try:
                return parse_quantity(given)
            except UserError as error:
                message = str(error)
                near = [nearest(n, self._tables) for n in unknown]
                if any(near):
                    message = f"unknown symbol '{unknown[0]}' in {label}{near[0]} (not a parameter)"
                raise document.error(message, *path) from None
        text = expressions.canonical_value(as_expression(given))
        known = {*self._tables, *UNITS, *expressions.CONSTANTS, *_FUNCTIONS}
        for name in sorted(algebra.names(text) - known):
            raise document.error(
                f"unknown symbol '{name}' in {label}{nearest(name, known)} (a value is worked out from"
                " parameters, units and functions of these)",
                *path,
            )
        used = sorted(algebra.names(text) & self._tables.keys())
        values = {name: self._value(name, pending) for name in used}
        self.read |= set(used)
        self.used |= set(used)
        try:
            return _evaluated(text, values)
        except UserError as error:
            raise document.error(f"{label}: {error}", *path) from None

    def _parameter(self, name: str) -> spec.Parameter:
        table, value = self._tables[name], self._values[name]
        self._require_within(name, value, str(table["value"]), f"'{name}'", "parameters", name)
        return spec.Parameter(
            value,
            " ".join(str(table["value"]).split()),
            printable(table.get("source", "")),
            printable(table.get("about", "")),
        )

    def _require_within(self, name: str, value: Amount, text: str, label: str, *path: str) -> None:
        table = self._tables[name]
        for kind in ("min", "max"):
            if kind not in table:
                continue
            bound = self._worked_out(table[kind], f"'{kind}' of '{name}'", path, ())
            if bound.dimensions is not value.dimensions:
                raise self._document.error(
                    f"'{kind}' of '{name}' is in '{unit_name(bound.dimensions)}', its value in"
                    f" '{unit_name(value.dimensions)}'",
                    *path,
                )
            if value.si < bound.si if kind == "min" else value.si > bound.si:
                relation = "below its minimum" if kind == "min" else "above its maximum"
                raise self._document.error(
                    f"{label} = {shown(text)} is {relation} {table[kind]}", *path
                )


def _evaluated(text: str, values: Mapping[str, Amount]) -> Amount:
    """The value of an expression in SI units.

    Raises
    ------
    UserError
        For units that do not fit, and for what has no finite real value.
    """
    symbols = equations.constant_symbols({n: v.dimensions for n, v in values.items()})
    numbers = {n: v.si for n, v in values.items()}
    expressions.check_constants(text, numbers)
    dimensions = expressions.dimensions_of(text, symbols)
    if expressions.annotated(text, symbols).dtype == equations.BOOLEAN:
        raise UserError(f"'{shown(text)}' is true or false, not a number; write int({text})")
    found = expressions.evaluate(text, numbers)
    if not math.isfinite(found):
        raise UserError(f"'{shown(text)}' has no finite real value")
    return Amount(found, dimensions)
