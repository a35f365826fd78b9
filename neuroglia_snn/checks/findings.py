"""Findings, and the reporter that collects them: on a key, an expression, a block of statements."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from brian2.core.functions import Function
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from neuroglia_snn import spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import shown
from neuroglia_snn.language import algebra, arithmetic, expressions, scopes
from neuroglia_snn.language import equations as eqs
from neuroglia_snn.language.expressions import ExpressionError
from neuroglia_snn.language.quantities import UNITS, unit_name, written

#: What gives whole numbers, though Brian2 calls them float.
_WHOLE = re.compile(r"(floor|ceil|sign)\([^()]*\)$")

#: The name, or the defined and the used name, on whose line a finding stands; see `Source.line_of`.
Needle = str | tuple[str, ...] | None


@dataclass(frozen=True)
class Finding:
    """One thing to mend ("error"), to know ("warning"), or where a model does not run ("note")."""

    severity: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.severity}: {self.message}"


class Reporter:
    """Collects the findings on one model; ``path`` is the key in its document that each is about."""

    def __init__(self, model: spec.Model, document: Document):
        self.model, self.document = model, document
        self.findings: list[Finding] = []
        self._parameters = {name: p.value.si for name, p in model.parameters.items()}

    @property
    def has_errors(self) -> bool:
        """Whether anything but warnings was found."""
        return any(f.severity == "error" for f in self.findings)

    def error(self, message: str, *path: str, needle: Needle = None) -> None:
        """Report something to mend."""
        self._add("error", message, path, needle)

    def warn(self, message: str, *path: str, needle: Needle = None) -> None:
        """Report something to know."""
        self._add("warning", message, path, needle)

    def _add(self, severity: str, message: str, path: tuple[str, ...], needle: Needle) -> None:
        where = self.document.where(*path, needle=needle)
        finding = Finding(severity, where, shown(message, 600))
        if finding not in self.findings:
            self.findings.append(finding)

    def expression(
        self,
        text: str,
        symbols: eqs.Symbols,
        expected: Dimension | None,
        label: str,
        *path: str,
        needle: str | None = None,
        type_: str | None = eqs.FLOAT,
    ) -> bool:
        """Check symbols, units and type of one expression; True if it is right."""
        try:
            if self._unknown_symbols(text, symbols, label, *path, needle=needle):
                return False
            _check_calls(text, symbols)
            expressions.check_constants(text, self._parameters | _counts(text, symbols))
            found = expressions.dimensions_of(text, symbols)
            _check_columns(text, symbols)
            _check_type(expressions.annotated(text, symbols), type_)
            _check_size(text, symbols, type_)
        except ExpressionError as error:
            self.error(f"{label}: {error}", *path, needle=needle)
            return False
        if expected is not None and found is not expected:
            self.error(
                f"inconsistent units in {label}: '{unit_name(found)}' found,"
                f" '{unit_name(expected)}' expected",
                *path,
                needle=needle,
            )
            return False
        return True

    def _unknown_symbols(
        self, text: str, symbols: eqs.Symbols, label: str, *path: str, needle: str | None
    ) -> bool:
        unknown = sorted(algebra.names(text) - set(symbols))
        for name in unknown:
            called = name in algebra.called(text)
            alike = [
                n
                for n, s in symbols.items()
                if n not in UNITS and isinstance(s, Function) == called
            ]
            kind = "a function" if called else "a variable, and not in [parameters]"
            if eqs.is_noise(name):
                kind = "a variable: noise has a value in rates alone"
            self.error(
                f"unknown symbol '{name}' in {label}{nearest(name, alike)} (not {kind})",
                *path,
                needle=(needle, name) if needle else name,
            )
        return bool(unknown)

    def condition(self, text: str, symbols: eqs.Symbols, label: str, *path: str) -> None:
        """Check an expression that is true or false."""
        self.expression(text, symbols, DIMENSIONLESS, label, *path, type_=eqs.BOOLEAN)

    def statements(
        self,
        owner: spec.Population | spec.Projection,
        code: str,
        symbols: eqs.Symbols,
        assignable: Collection[str],
        label: str,
        *path: str,
        shared: bool = False,
    ) -> bool:
        """Check code of a population or projection: targets, symbols, units, types. Names assigned first are local.

        ``shared``: the code may begin by setting variables that are the same for all units. True if
        nothing was found.
        """
        before = len(self.findings)
        self._statements(owner, code, dict(symbols), assignable, label, path, shared)
        return len(self.findings) == before

    def _statements(
        self,
        owner: spec.Population | spec.Projection,
        code: str,
        symbols: eqs.Symbols,
        assignable: Collection[str],
        label: str,
        path: tuple[str, ...],
        shared: bool,
    ) -> None:
        local: set[str] = set()
        try:
            parts = list(expressions.statements(code))
        except ExpressionError as error:
            self.error(f"{label}: {error}", *path)
            return
        for target, operator, text in parts:
            known = symbols.get(target)
            if known is None and operator == "=":
                meaning = scopes.of_local(owner, target)
                if meaning:
                    self.error(
                        f"{label} gives the name '{target}' to a value of its own, but it is"
                        f" {meaning}: rename it",
                        *path,
                        needle=target,
                    )
                if self.expression(text, symbols, None, label, *path, needle=target, type_=None):
                    symbols[target] = eqs.local(target, text, symbols)
                    local.add(target)
                    shared = shared and symbols[target].scalar
                continue
            if known is None or (target not in assignable and target not in local):
                self.error(
                    f"{label} assigns to '{target}', which is not a variable"
                    f"{nearest(target, assignable)} (known: {', '.join(sorted(assignable))})",
                    *path,
                    needle=target,
                )
                continue
            if known.scalar and not shared:
                right = (
                    "give the new value another name"
                    if target in local
                    else "this is for 'regularly', before all that sets variables of single units"
                )
                self.error(
                    f"{label} assigns to '{target}', which is shared by all units: {right}",
                    *path,
                    needle=target,
                )
                continue
            shared = shared and known.scalar
            self._assignment(target, operator, text, symbols, label, *path)

    def _assignment(
        self,
        target: str,
        operator: str,
        text: str,
        symbols: eqs.Symbols,
        label: str,
        *path: str,
    ) -> None:
        """Check what a variable is set to, in units and type."""
        known = symbols[target]
        label = f"{label} ('{target} {operator}')"
        if known.is_boolean and operator != "=":
            self.error(
                f"{label}: '{target}' is a boolean, which takes '=' and a condition such as"
                " 'v > v_threshold'",
                *path,
                needle=target,
            )
            return
        dims = DIMENSIONLESS if operator in ("*=", "/=") else known.dim
        type_ = expressions.type_of(known)
        if known.is_integer and operator == "=":
            type_ = eqs.FLOAT  # cut to an integer, by Python as by C++
        elif known.is_integer and operator == "/=":
            text = f"{target}/({text})"
        if self.expression(text, symbols, dims, label, *path, needle=target, type_=type_):
            self.shared(target, text, symbols, label, *path)

    def shared(self, target: str, text: str, symbols: eqs.Symbols, label: str, *path: str) -> None:
        """Check that what all units share is set from nothing that is a single unit's."""
        single = [n for n in algebra.names(text) if not getattr(symbols[n], "scalar", True)]
        if symbols[target].scalar and single:
            self.error(
                f"{label}: '{target}' is shared by all units but '{min(single)}' is not",
                *path,
                needle=target,
            )


def _check_size(text: str, symbols: eqs.Symbols, type_: str | None) -> None:
    """An integer variable has 32 bits; only what is known to need more is refused."""
    size = arithmetic.too_large_for_integer(text, symbols) if type_ == eqs.INTEGER else None
    if size:
        raise ExpressionError(
            f"'{shown(text)}' reaches {size:.0f}, and an integer holds up to"
            f" {arithmetic.MAX_INTEGER}: work with a number, ': 1'"
        )


def _check_type(tree: Any, wanted: str | None) -> None:
    found, said = tree.dtype, shown(written(tree))
    if wanted == eqs.BOOLEAN and found != wanted:
        raise ExpressionError(f"'{said}' is not a condition such as 'v > v_threshold'")
    if wanted in (eqs.FLOAT, eqs.INTEGER) and found == eqs.BOOLEAN:
        raise ExpressionError(f"'{said}' is true or false, not a number; write int({said})")
    if wanted == eqs.INTEGER and found != wanted and not _WHOLE.match(said):
        raise ExpressionError(
            f"an integer takes whole numbers, which '{said}' need not be; write int({said})"
        )


def _check_calls(text: str, symbols: eqs.Symbols) -> None:
    called = algebra.called(text)
    for name in algebra.names(text):
        if isinstance(symbols[name], Function) != (name in called):
            verb = "must be called" if name not in called else "is not a function"
            raise ExpressionError(f"'{name}' {verb} in '{text}'")
        if name in expressions.RANDOM and called.count(name) > 1:
            raise ExpressionError(
                f"'{shown(text)}' calls '{name}' more than once, which Brian2 does not: give each number"
                " that is drawn a variable of its own"
            )


def _check_columns(text: str, symbols: eqs.Symbols) -> None:
    """A table of columns is read at one that it has, whatever the unit."""
    for node in ast.walk(expressions.annotated(text, symbols)):
        if not isinstance(node, ast.Call):
            continue
        table = symbols[written(node.func)]
        if not isinstance(table, eqs.TableFunction) or table.columns is None:
            continue
        column: Any = node.args[1]
        said, last = shown(written(node)), table.columns - 1
        if column.dtype != eqs.INTEGER:
            raise ExpressionError(f"'{said}' reads a column, which has a whole number such as i")
        known = arithmetic.bounds(column, symbols)
        if known is None or not 0 <= known[0] <= known[1] <= last:
            reached = f"{known[0]:g} to {known[1]:g}" if known else "any number"
            raise ExpressionError(
                f"'{said}' reads columns 0 to {last}, and '{shown(written(column))}' is {reached}"
            )


def _counts(text: str, symbols: eqs.Symbols) -> dict[str, float]:
    """Numbers of units that an expression names, where they are known."""
    reaches = {name: eqs.reach(symbols.get(name)) for name in algebra.names(text)}
    return {name: float(r[0]) for name, r in reaches.items() if r and r[0] == r[1] > 0}
