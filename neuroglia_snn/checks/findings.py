"""Findings, and the reporter that collects them: on a key, an expression, a block of statements."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from brian2.core.functions import Function
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from neuroglia_snn import equations as eqs
from neuroglia_snn import expressions, spec
from neuroglia_snn.catalog.schema import nearest
from neuroglia_snn.catalog.source import Document
from neuroglia_snn.errors import shown
from neuroglia_snn.expressions import ExpressionError
from neuroglia_snn.quantities import UNITS, unit_name

#: The name, or the defined and the used name, on whose line a finding stands; see `Source.line_of`.
Needle = str | tuple[str, ...] | None

_CONDITION = re.compile(r"[<>]|[=!]=|\b(and|or|not|True|False|not_refractory)\b")


@dataclass(frozen=True)
class Finding:
    """One thing to mend ("error") or to know ("warning")."""

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
    ) -> bool:
        """Check symbols and units of one expression; True if it is right."""
        try:
            if self._unknown_symbols(text, symbols, label, *path, needle=needle):
                return False
            _check_calls(text, symbols)
            found = expressions.dimensions_of(text, symbols)
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
        unknown = sorted(expressions.names(text) - set(symbols))
        for name in unknown:
            called = re.search(rf"\b{name}\s*\(", text) is not None
            alike = [
                n
                for n, s in symbols.items()
                if n not in UNITS and isinstance(s, Function) == called
            ]
            kind = "a function" if called else "a variable, and not in [parameters]"
            self.error(
                f"unknown symbol '{name}' in {label}{nearest(name, alike)} (not {kind})",
                *path,
                needle=(needle, name) if needle else name,
            )
        return bool(unknown)

    def condition(self, text: str, symbols: eqs.Symbols, label: str, *path: str) -> None:
        """Check an expression that is true or false."""
        fits = self.expression(text, symbols, DIMENSIONLESS, label, *path)
        if fits and not is_condition(text):
            self.error(
                f"{label} '{shown(text)}' is not a condition such as 'v > v_threshold'", *path
            )

    def statements(
        self, code: str, symbols: eqs.Symbols, assignable: Collection[str], label: str, *path: str
    ) -> None:
        """Check abstract code: targets, symbols, units. Names assigned first are local."""
        symbols, local = dict(symbols), set()
        try:
            parts = list(expressions.statements(code))
        except ExpressionError as error:
            self.error(f"{label}: {error}", *path)
            return
        for target, operator, text in parts:
            known = symbols.get(target)
            if known is None and operator == "=":
                if self.expression(text, symbols, None, label, *path, needle=target):
                    symbols[target] = eqs.variable(target, expressions.dimensions_of(text, symbols))
                    local.add(target)
                continue
            if known is None or (target not in assignable and target not in local):
                self.error(
                    f"{label} assigns to '{target}', which is not a variable"
                    f"{nearest(target, assignable)} (known: {', '.join(sorted(assignable))})",
                    *path,
                    needle=target,
                )
                continue
            scale = operator in ("*=", "/=")
            dims = DIMENSIONLESS if scale else known.dim  # type: ignore[union-attr]
            self.expression(
                text, symbols, dims, f"{label} ('{target} {operator}')", *path, needle=target
            )


def is_condition(text: str) -> bool:
    """Whether an expression compares or combines truth values, by its look."""
    return _CONDITION.search(text) is not None


def _check_calls(text: str, symbols: eqs.Symbols) -> None:
    called = set(re.findall(r"([A-Za-z_]\w*)\s*\(", text))
    for name in expressions.names(text):
        if isinstance(symbols[name], Function) != (name in called):
            verb = "must be called" if name not in called else "is not a function"
            raise ExpressionError(f"'{name}' {verb} in '{text}'")
